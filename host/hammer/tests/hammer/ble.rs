//! `hmr` over Bluetooth Low Energy without radios: a bus of the test's own, on it what `BlueZ` would have there, below that a
//! virtual controller that hears the one of a device.

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use crate::{
    air::{self, Air},
    devices::{Device, rune},
    support::{folder, key, run},
};

/// The bus of a machine that has one adapter.
struct Bus {
    processes: Vec<Child>,
    /// Its socket.
    path: PathBuf,
    /// Where it is, as `DBUS_SYSTEM_BUS_ADDRESS` wants it.
    address: String,
}

/// Starts a program, and waits for the first line that it says.
fn start(command: &mut Command) -> Result<(Child, String), String> {
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut process = spawned.map_err(|error| format!("{command:?}: {error}"))?;
    let out = process.stdout.take().unwrap();
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line).unwrap();
    Ok((process, line.trim().to_owned()))
}

impl Bus {
    fn new(folder: &Path, python: &Path, controller: &str) -> Result<Self, String> {
        // A path of a socket is short, that of the folder may not be.
        let at = env::temp_dir().join(format!("rune-hmr-{}", std::process::id()));
        let config = folder.join("bus.conf");
        fs::write(
            &config,
            format!(
                "<busconfig><listen>unix:path={}</listen><auth>EXTERNAL</auth><policy context=\"default\">\
                 <allow send_destination=\"*\" eavesdrop=\"true\"/><allow receive_sender=\"*\"/><allow own=\"*\"/>\
                 <allow user=\"*\"/></policy></busconfig>",
                at.display()
            ),
        )
        .unwrap();
        let mut daemon = Command::new("dbus-daemon");
        daemon.args(["--nofork", "--print-address", "--config-file"]);
        let (daemon, address) = start(daemon.arg(&config))?;
        let mut bus = Self {
            processes: vec![daemon],
            path: at,
            address,
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hammer/bluez.py");
        let mut bluez = Command::new(python.join("python"));
        let bluez = bluez.arg(script).arg(controller);
        let (bluez, said) = start(bluez.env("DBUS_SYSTEM_BUS_ADDRESS", &bus.address))?;
        bus.processes.push(bluez);
        assert_eq!(said, "ready");
        Ok(bus)
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        for process in self.processes.iter_mut().rev() {
            drop(process.kill());
            drop(process.wait());
        }
        drop(fs::remove_file(&self.path));
    }
}

/// A device that a bus hears, or why there is none here.
fn near(folder: &Path, keys: &[&str], udp: Option<&str>) -> Option<(Device, Bus, Air)> {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let python = PYTHON.get_or_init(|| air::python(Path::new(env!("CARGO_TARGET_TMPDIR"))));
    let python = match python {
        Ok(python) => python,
        Err(why) => {
            eprintln!("skipped: {why}");
            return None;
        }
    };
    if Command::new("dbus-daemon")
        .arg("--version")
        .output()
        .is_err()
    {
        eprintln!("skipped: there is no dbus-daemon; `apt install dbus`");
        return None;
    }
    let air = Air::new(python, 2);
    let device = Device::near(folder, &air.controllers[0], udp, keys);
    let bus = Bus::new(folder, python, &air.controllers[1]).unwrap();
    Some((device, bus, air))
}

fn hmr(folder: &Path, bus: &Bus, args: &[&str]) -> (i32, String, String) {
    run(
        folder,
        args,
        &[("DBUS_SYSTEM_BUS_ADDRESS", Path::new(&bus.address))],
    )
}

#[track_caller]
fn done(folder: &Path, bus: &Bus, args: &[&str]) -> String {
    let (status, printed, said) = hmr(folder, bus, args);
    assert_eq!(status, 0, "{args:?}: {said}");
    printed
}

/// The words of each row but the first.
fn rows(listed: &str) -> Vec<Vec<&str>> {
    let rows = listed.lines().skip(1);
    rows.map(|line| line.split_whitespace().collect()).collect()
}

#[test]
fn a_device_that_is_near_is_found_and_gets_a_rune() {
    let folder = folder("ble");
    let Some((device, bus, _air)) = near(&folder, &[], None) else {
        return;
    };
    rune(&folder, 1);
    // Whatever else is on this machine's networks is there too.
    let listed = done(&folder, &bus, &["targets", "ls", "--timeout", "3"]);
    let own = rows(&listed)
        .into_iter()
        .find(|row| row[0] == device.name());
    assert_eq!(
        own.unwrap()[1..],
        ["BLE", "linux", "True", "open"],
        "{listed}"
    );
    let address = air::address(&device.id());
    for to in [address.as_str(), &device.name()[..6]] {
        let status = done(&folder, &bus, &["targets", "status", "--ble", to]);
        assert!(status.contains("no rune runs"), "{status}");
    }
    let cast = ["targets", "cast", "noise1.rune", "--ble", &address];
    let cast = done(&folder, &bus, &cast);
    assert!(cast.contains("Uploading rune: 100%"), "{cast}");
    assert!(cast.contains("Rune noise is healthy after"), "{cast}");
    let status = done(
        &folder,
        &bus,
        &["targets", "status", "--json", "--ble", &address],
    );
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["runes"][0]["state"], "confirmed", "{status}");

    let nobody = ["targets", "status", "--ble", "C0:00:00:00:00:01"];
    let (code, _, said) = hmr(&folder, &bus, &nobody);
    assert_eq!(code, 1);
    assert!(said.contains("no device answers"), "{said}");
}

#[test]
fn a_device_on_two_links_is_one() {
    let folder = folder("ble-and-udp");
    let udp = format!("127.99.{}.1", std::process::id() & 0xFF);
    let Some((device, bus, _air)) = near(&folder, &[], Some(&udp)) else {
        return;
    };
    let address = air::address(&device.id());
    let to = ["targets", "ls", "--ble", &address, "--udp", &udp];
    let listed = done(&folder, &bus, &to);
    let name = device.name();
    assert_eq!(
        rows(&listed),
        [[&*name, "WIFI,BLE", "linux", "True", "open"]],
        "{listed}"
    );
}

#[test]
fn a_locked_device_that_is_near_obeys_its_key_alone() {
    let folder = folder("ble-locked");
    let ours = key(&folder, "ours", "rune");
    let Some((device, bus, _air)) = near(&folder, &[&ours], None) else {
        return;
    };
    rune(&folder, 1);
    let address = air::address(&device.id());
    let cast = ["targets", "cast", "noise1.rune", "--ble", &address];
    let (status, _, said) = hmr(&folder, &bus, &cast);
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("it is locked"), "{said}");
    let cast = [&cast[..], &["--key", "ours.key"]].concat();
    let cast = done(&folder, &bus, &cast);
    assert!(cast.contains("Rune noise is healthy after"), "{cast}");
}
