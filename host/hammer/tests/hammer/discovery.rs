//! A device that nobody named is found, in a network of the test's own.

use std::{env, process::Command};

use crate::{
    devices::Device,
    support::{done, folder, hmr},
};

/// Said to the test when it is in that network.
const INSIDE: &str = "RUNE_TEST_INSIDE";
const ADDRESS: &str = "192.168.77.5";

#[test]
fn a_device_is_found_by_multicast_alone() {
    if env::var_os(INSIDE).is_some() {
        return inside();
    }
    // A network with one interface, whose packets come back: the rights for it are inside.
    let script = format!(
        "ip link set lo up && ip link add net0 type bridge && ip addr add {ADDRESS}/24 dev net0 && ip link set net0 up \
         multicast on && ip route add 224.0.0.0/4 dev net0 && exec \"$0\" --exact --nocapture \
         discovery::a_device_is_found_by_multicast_alone"
    );
    let can = Command::new("unshare")
        .args(["-rn", "ip", "link", "add", "net0", "type", "bridge"])
        .output();
    if !can.is_ok_and(|can| can.status.success()) {
        eprintln!(
            "skipped: no networks of one's own; `apt install util-linux iproute2`, and user namespaces"
        );
        return;
    }
    let ran = Command::new("unshare")
        .args(["-rn", "sh", "-c", &script])
        .arg(env::current_exe().unwrap())
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout) + String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
}

fn inside() {
    let folder = folder("discovery");
    let device = Device::at(&folder, ADDRESS, &[]);
    let listed = done(&folder, &["targets", "ls", "--timeout", "4"]);
    let rows: Vec<Vec<&str>> = listed
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let [_, row] = &rows[..] else {
        panic!("{listed}");
    };
    assert_eq!(row[1..], ["WIFI", "linux", "True", "open"], "{listed}");
    // By the begin of its name.
    let status = done(
        &folder,
        &[
            "targets",
            "status",
            "-t",
            &row[0][..row[0].len() - 2],
            "--timeout",
            "4",
        ],
    );
    assert!(status.contains("no rune runs"), "{status}");
    let (code, _, said) = hmr(
        &folder,
        &["targets", "status", "-t", "another", "--timeout", "4"],
    );
    assert_eq!(code, 1);
    assert!(
        said.contains(&format!(
            "there is no device `another`; these answer: {}",
            row[0]
        )),
        "{said}"
    );
    drop(device);
}
