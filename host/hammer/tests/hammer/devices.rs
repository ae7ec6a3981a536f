//! `hmr targets` against a device of this machine, which is `rune serve` without its program.

use std::{
    fs,
    path::{Path, PathBuf},
    process,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use rune_runtime::{
    Compiler, Runtime,
    serve::{Manage, Server},
};
use runec::{Options, driver, world::Input};

use crate::support::{done, folder, hmr, key, refused};

const POLICY: &str = "version = 1
schedule = { every-ms = 20 }
[capabilities.noise]
kind = \"RAND\"
seed = 1
[outputs.serial]
kind = \"SERIAL\"
sink = \"discard\"
";

/// A device at an address that no other test has.
pub(crate) struct Device {
    server: Arc<Server>,
    /// The folder that it serves.
    served: PathBuf,
    pub(crate) address: String,
    said: Arc<Mutex<Vec<String>>>,
}

impl Device {
    pub(crate) fn new(folder: &Path, number: u32, keys: &[&str]) -> Self {
        let id = process::id();
        let address = format!("127.{}.{}.{number}", 10 + (id >> 8) % 90, id & 0xFF);
        Self::at(folder, &address, keys)
    }

    /// One at an address of this machine.
    pub(crate) fn at(folder: &Path, address: &str, keys: &[&str]) -> Self {
        let manage = Manage {
            udp: Some(address.to_owned()),
            ..Manage::default()
        };
        Self::new_at(folder, address, manage, keys)
    }

    /// One that has a Bluetooth controller, and an address of this machine if one is given.
    pub(crate) fn near(folder: &Path, controller: &str, udp: Option<&str>, keys: &[&str]) -> Self {
        let manage = Manage {
            udp: udp.map(str::to_owned),
            ble: Some(format!("tcp:{controller}")),
            ..Manage::default()
        };
        Self::new_at(folder, controller, manage, keys)
    }

    /// Which device it is.
    pub(crate) fn id(&self) -> [u8; 16] {
        let digits = fs::read_to_string(self.served.join("device-id")).unwrap();
        let id = u128::from_str_radix(digits.trim(), 16).unwrap();
        id.to_be_bytes()
    }

    /// What it is called, while it is open.
    pub(crate) fn name(&self) -> String {
        let host = rustix::system::uname();
        let host = host.nodename().to_str().unwrap().split('.').next().unwrap();
        let [a, b, c, ..] = self.id();
        format!("{host}-{a:02x}{b:02x}{c:02x}")
    }

    fn new_at(folder: &Path, address: &str, manage: Manage, keys: &[&str]) -> Self {
        let served = folder.join(format!("device-{address}"));
        fs::create_dir(&served).unwrap();
        fs::write(served.join("policy.toml"), POLICY).unwrap();
        let runtime = Runtime::new(Compiler::InProcess, None).unwrap();
        let said = Arc::new(Mutex::new(vec![]));
        let heard = said.clone();
        let say = Arc::new(move |_, rune: &str, text: &str| {
            heard.lock().unwrap().push(format!("{rune}: {text}"));
        });
        let server = Server::start(&served, None, runtime, say).unwrap();
        let manage = Manage {
            keys: keys.iter().map(|key| key.parse().unwrap()).collect(),
            ..manage
        };
        server.manage(&manage).unwrap();
        Self {
            served,
            server,
            address: address.to_owned(),
            said,
        }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.server.stop();
        if thread::panicking() {
            eprintln!("{:#?}", self.said.lock().unwrap());
        }
    }
}

/// A rune that reads noise; of version 3, one that fails at its first call.
pub(crate) fn rune(folder: &Path, version: u32) -> PathBuf {
    let runefile = folder.join(format!("{version}.Runefile"));
    let text = format!(
        "FROM runicos/base\nLABEL name=noise version={version}.0.0\nCAPABILITY<F32[4]> RAND noise\n\
         OUT SERIAL serial\nRUN noise serial\n"
    );
    fs::write(&runefile, text).unwrap();
    let input = Input::open(&runefile).unwrap();
    let compiled = driver::generate(driver::analyse(&input.request()), &Options::default());
    let path = folder.join(format!("noise{version}.rune"));
    fs::write(&path, compiled.output.unwrap().wasm).unwrap();
    path
}

#[test]
fn a_rune_goes_to_a_device_and_another_one_comes_back() {
    let folder = folder("devices");
    let device = Device::new(&folder, 1, &[]);
    let to = ["--udp", &device.address];
    let run = |args: &[&str]| done(&folder, &[&["targets"], args, &to[..]].concat());
    let [one, two] = [1, 2].map(|version| rune(&folder, version));
    let id = device.name();

    let listed = run(&["ls"]);
    assert_eq!(
        listed
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect::<Vec<Vec<_>>>(),
        [
            vec!["Target", "Type", "Name", "Available", "Mode"],
            vec![&id, "WIFI", "linux", "True", "open"],
        ]
    );
    let dry = run(&["cast", "noise1.rune", "--dry-run"]);
    assert!(
        dry.ends_with("could be deployed; nothing was changed\n"),
        "{dry}"
    );
    assert!(run(&["status"]).contains("no rune runs"));

    let cast = run(&["cast", "noise1.rune"]);
    let (head, last) = cast.trim_end().rsplit_once('\n').unwrap();
    assert_eq!(
        head,
        format!(
            "Deploying noise1.rune to target {id}\nVerifying provider: 100%\nProvider with fqdn=runicos:linux found\n\
             Uploading rune: 100%\nVerifying rune: 100%\nCapability: RAND OK: 100%"
        )
    );
    assert!(last.starts_with("Rune noise is healthy after"), "{last}");
    // What is there is not uploaded again.
    let again = run(&["cast", "noise1.rune"]);
    assert!(!again.contains("Uploading"), "{again}");

    run(&["cast", "noise2.rune"]);
    let status: serde_json::Value = serde_json::from_str(&run(&["status", "--json"])).unwrap();
    assert_eq!(status["runes"][0]["version"], "2.0.0", "{status}");
    assert_eq!(status["runes"][0]["state"], "confirmed", "{status}");
    assert!(
        status["runes"][0]["counters"]["with_output"].as_u64() > Some(0),
        "{status}"
    );
    // What a device does with its runes takes it a moment.
    let until = |wanted: &str| {
        for _ in 0..200 {
            if run(&["status"]).contains(wanted) {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("not {wanted}: {}", run(&["status"]));
    };
    run(&["rollback", "noise"]);
    until("1.0.0");
    run(&["stop", "noise"]);
    until("stopped");
    run(&["rm", "noise"]);
    until("no rune runs");
    drop((one, two));
}

#[test]
fn a_locked_device_obeys_its_key_alone() {
    let folder = folder("locked");
    let ours = key(&folder, "ours", "rune");
    key(&folder, "other", "rune");
    let device = Device::new(&folder, 2, &[&ours]);
    let to = ["--udp", &device.address];
    rune(&folder, 1);
    let listed = done(&folder, &[&["targets", "ls"], &to[..]].concat());
    assert!(listed.contains("locked"), "{listed}");
    let cast = ["targets", "cast", "noise1.rune", to[0], to[1]];
    for more in [&[][..], &["--key", "other.key"]] {
        let (status, _, said) = hmr(&folder, &[&cast[..], more].concat());
        assert_eq!(status, 1, "{said}");
        assert!(
            said.contains("uploading: it is locked, and wants that signed by a key it has"),
            "{said}"
        );
    }
    let cast = done(&folder, &[&cast[..], &["--key", "ours.key"]].concat());
    assert!(cast.contains("Rune noise is healthy after"), "{cast}");
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    let folder = folder("wrong");
    let nobody = ["--udp", "127.0.0.1:9"];
    let said = refused(&folder, &[&["targets", "status"], &nobody[..]].concat());
    assert!(said.contains("no device answers"), "{said}");
    fs::write(folder.join("text.rune"), "hello").unwrap();
    let (status, _, said) = hmr(
        &folder,
        &["targets", "cast", "text.rune", "--udp", "127.0.0.1:9"],
    );
    assert_eq!(status, 2);
    assert!(said.contains("text.rune: it is no rune"), "{said}");
    let (status, _, said) = hmr(&folder, &["targets", "status"]);
    assert_eq!(status, 2);
    assert!(said.contains("`hmr targets ls` lists them"), "{said}");
}

#[test]
fn many_devices_get_a_rune_at_once() {
    let folder = folder("many");
    let devices: Vec<Device> = (10..18).map(|n| Device::new(&folder, n, &[])).collect();
    rune(&folder, 1);
    let mut args = vec!["targets", "cast", "noise1.rune"];
    for device in &devices {
        args.extend(["--udp", &device.address]);
    }
    let cast = done(&folder, &args);
    let healthy = cast
        .lines()
        .filter(|line| line.contains("is healthy after"));
    assert_eq!(healthy.count(), devices.len(), "{cast}");
}
