//! `hmr targets provision` against `rune serve`, over a pseudo terminal and over a network, and against the emulated board:
//! what is set stays, secrets are never read, and the first key locks the device.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    env, fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    sync::Arc,
};

use rune_hammer::{
    client::{Client, Error, Patience},
    link::{Address, Link},
};
use rune_runtime::{
    Compiler, Runtime,
    serve::{Manage, Server},
};
use rune_smp::settings::name;
use rune_testsuite::{
    pages,
    qemu::{Boot, Firmware, Machine, missing},
    skip,
    terminal::{Carrier, Nobody, Terminal},
};

/// `hmr` in a folder: exit status, and what it printed and said.
fn hmr(folder: &Path, args: &[&str]) -> (i32, String) {
    said(
        Command::new(env!("CARGO_BIN_EXE_xtask"))
            .arg0("hmr")
            .args(args),
        folder,
    )
}

/// What a command ends with in a folder, printed and said.
fn said(command: &mut Command, folder: &Path) -> (i32, String) {
    let output = command
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8(text).unwrap(),
    )
}

#[track_caller]
fn done(folder: &Path, args: &[&str]) -> String {
    let (status, text) = hmr(folder, args);
    assert_eq!(status, 0, "{args:?}: {text}");
    text
}

#[track_caller]
fn refused(folder: &Path, args: &[&str]) -> String {
    let (status, text) = hmr(folder, args);
    assert_eq!(status, 1, "{args:?}: {text}");
    text
}

/// A device of a folder, over a terminal and at an address.
struct Device {
    server: Arc<Server>,
    port: String,
    address: String,
    _carrier: Carrier,
    _terminals: [Terminal; 2],
}

impl Device {
    fn start(folder: &Path, number: u8) -> Self {
        let served = folder.join("served");
        if !served.exists() {
            fs::create_dir(&served).unwrap();
        }
        let mut terminals = [0; 2].map(|_| Terminal::new().unwrap());
        let [own, theirs] = &mut terminals;
        let carrier = Carrier::new(own.master().unwrap(), theirs.master().unwrap());
        let port = theirs.path.display().to_string();
        let id = process::id();
        let address = format!("127.{}.{}.{number}", 30 + (id >> 8) % 60, id & 0xFF);
        let runtime = Runtime::new(Compiler::InProcess, None).unwrap();
        let server = Server::start(&served, None, runtime, Arc::new(|_, _, _: &str| {})).unwrap();
        server
            .manage(&Manage {
                udp: Some(address.clone()),
                serial: Some(own.path.clone()),
                ble: None,
                keys: vec![],
            })
            .unwrap();
        Self {
            server,
            port,
            address,
            _carrier: carrier,
            _terminals: terminals,
        }
    }

    fn client(&self) -> Client<Box<dyn Link>> {
        let address = format!("{}:1337", self.address).parse().unwrap();
        let link = Address::Udp(address).open().unwrap();
        Client::new(link, 1, Patience::default())
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.server.stop();
    }
}

fn folder(name: &str) -> PathBuf {
    let folder = pages::folder(env!("CARGO_TARGET_TMPDIR"), &format!("provision-{name}"));
    for key in ["ours", "next", "other"] {
        done(&folder, &["keygen", key, "--no-password"]);
    }
    fs::write(folder.join("wifi.txt"), "correct horse\n").unwrap();
    folder
}

#[test]
fn the_first_key_comes_over_a_serial_port_and_locks_the_device_for_good() {
    let folder = folder("serial");
    let device = Device::start(&folder, 1);
    let set = ["targets", "provision", "--serial", &device.port];
    let with = |more| both(&set, more);
    let all = [
        &["--name", "kitchen", "--owner", "ours.pub", "--ssid", "ours"][..],
        &["--wifi-key-file", "wifi.txt"],
    ];
    let said = done(&folder, &with(&all.concat()));
    for line in [
        "it is called kitchen",
        "it joins `ours`",
        "it is locked, and obeys ed25519:",
    ] {
        assert!(said.contains(line), "{said}");
    }
    assert!(!said.contains("correct horse"), "{said}");
    // Whoever has the device has its file, and nobody else.
    let path = folder.join("served/device-settings");
    let kept = fs::read_to_string(&path).unwrap();
    assert!(kept.starts_with("name = \"kitchen\"\n"), "{kept}");
    assert!(kept.contains("wifi-key = \"correct horse\"\n"), "{kept}");
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let listed = done(&folder, &["targets", "ls", "--serial", &device.port]);
    assert!(listed.contains("locked"), "{listed}");

    // Nobody else sets anything, also after another start.
    drop(device);
    let device = Device::start(&folder, 4);
    assert_eq!(device.client().name().unwrap(), "kitchen");
    for key in [&[][..], &["--key", "other.key"]] {
        for (to, at) in [("--serial", &device.port), ("--udp", &device.address)] {
            let rename = ["targets", "provision", to, at, "--name", "theirs"];
            let said = refused(&folder, &[&rename[..], key].concat());
            assert!(
                said.contains("it is locked, and wants that signed"),
                "{said}"
            );
        }
    }
    // Its owner does, over a network too, but for what is secret.
    let owner = [
        "targets",
        "provision",
        "--key",
        "ours.key",
        "--udp",
        &device.address,
    ];
    done(&folder, &[&owner[..], &["--name", "hall"]].concat());
    assert_eq!(device.client().name().unwrap(), "hall");
    let next = ["--owner", "next.pub", "--owner-number", "1"];
    done(&folder, &[&owner[..], &next].concat());
    let secret = ["--ssid", "theirs", "--wifi-key-file", "wifi.txt"];
    let said = refused(&folder, &[&owner[..], &secret].concat());
    assert!(said.contains("is not sent over a network"), "{said}");
    let by_next = [
        "targets",
        "provision",
        "--key",
        "next.key",
        "--udp",
        &device.address,
    ];
    done(&folder, &[&by_next[..], &["--name", "attic"]].concat());
    let kept = fs::read_to_string(&path).unwrap();
    assert!(
        kept.starts_with("name = \"attic\"\n") && kept.contains("wifi-key"),
        "{kept}"
    );
    assert_eq!(kept.matches("ed25519:").count(), 2, "{kept}");
}

/// The emulated board keeps what is set in its flash.
#[test]
fn a_board_that_is_open_is_locked_by_its_first_key() {
    const TEST: &str = "a_board_that_is_open_is_locked_by_its_first_key";
    if let Some(why) = missing() {
        return skip(TEST, &why);
    }
    let folder = folder("board");
    let firmware = Firmware::build(&["locked"]).unwrap();
    let flash = folder.join("flash");
    let boot = || {
        let boot = Boot {
            flash: Some(&flash),
            shift: 1,
            more: &["-nic", "user,model=lan9118"],
            ..Boot::default()
        };
        let mut machine = Machine::boot(&firmware, &boot).unwrap();
        let mut terminal = Terminal::new().unwrap();
        let link = machine.talk_over(Box::new(Nobody));
        let carrier = Carrier::new(link, terminal.master().unwrap());
        (machine, carrier, terminal)
    };
    let (machine, carrier, terminal) = boot();
    let port = terminal.path.display().to_string();
    let list = |port: &str| done(&folder, &["targets", "ls", "--serial", port]);
    assert!(list(&port).contains("open"), "{}", list(&port));
    let set = ["targets", "provision", "--serial", &port];
    let all = ["--name", "kitchen", "--owner", "ours.pub"];
    let said = done(&folder, &both(&set, &all));
    assert!(said.contains("it is locked, and obeys ed25519:"), "{said}");
    let wifi = ["--ssid", "ours", "--wifi-key-file", "wifi.txt"];
    let said = refused(&folder, &both(&set, &wifi));
    assert!(
        said.contains("it is locked, and wants that signed"),
        "{said}"
    );
    done(&folder, &[&set[..], &wifi, &["--key", "ours.key"]].concat());
    // It is in the flash, and outlives the power.
    drop((carrier, machine));
    let kept = fs::read(&flash).unwrap();
    let has = |text: &[u8]| kept.windows(text.len()).any(|window| window == text);
    assert!(has(b"kitchen") && has(b"correct horse"));
    let (_machine, _carrier, terminal) = boot();
    let port = terminal.path.display().to_string();
    assert!(list(&port).contains("locked"), "{}", list(&port));
    let rename = ["targets", "provision", "--serial", &port, "--name", "hall"];
    let said = refused(&folder, &both(&rename, &["--key", "other.key"]));
    assert!(
        said.contains("it is locked, and wants that signed"),
        "{said}"
    );
    done(&folder, &both(&rename, &["--key", "ours.key"]));
    let link = Address::Serial(terminal.path.clone()).open().unwrap();
    let mut client = Client::new(link, 9, Patience::default());
    assert_eq!(client.name().unwrap(), "hall");
    assert_eq!(client.meet().unwrap().name, "hall");
}

#[test]
fn secrets_and_the_first_key_are_not_taken_over_a_network() {
    let folder = folder("network");
    let device = Device::start(&folder, 2);
    let set = ["targets", "provision", "--udp", &device.address];
    // Nothing is sent.
    for (more, why) in [
        (
            &["--owner", "ours.pub"][..],
            "its first key is not given over a network, where anybody could be first",
        ),
        (
            &["--ssid", "ours", "--wifi-key-file", "wifi.txt"],
            "the key of a network is not sent over a network",
        ),
    ] {
        let said = refused(&folder, &[&set[..], more].concat());
        assert!(said.contains(why) && said.contains("--serial"), "{said}");
    }
    // And what others send is refused.
    let mut client = device.client();
    for (name, value, why) in [
        ("rune/keys/0", &[7; 32][..], "anybody could be first"),
        (name::WIFI_KEY, b"correct horse", "carries it as it is"),
    ] {
        let failed = client.setting(name, value).unwrap_err();
        let Error::Refused(refused) = &failed else {
            panic!("{failed}");
        };
        assert!(refused.why.contains(why), "{failed}");
    }
    client.commit().unwrap();
    assert!(client.about().unwrap().lock.is_none());
    assert!(!folder.join("served/device-settings").exists());
    done(&folder, &[&set[..], &["--name", "kitchen"]].concat());
    assert_eq!(client.name().unwrap(), "kitchen");
}

#[test]
fn what_cannot_be_set_is_said_and_a_damaged_file_locks_everybody_out() {
    let folder = folder("wrong");
    let device = Device::start(&folder, 3);
    let set = ["targets", "provision", "--serial", &device.port];
    let with = |more| both(&set, more);
    let said = refused(&folder, &with(&["--name", "a.b"]));
    assert!(
        said.contains("rune/name: it does not take this value"),
        "{said}"
    );
    fs::write(folder.join("short.txt"), "short").unwrap();
    let short = ["--ssid", "ours", "--wifi-key-file", "short.txt"];
    let said = refused(&folder, &with(&short));
    assert!(
        said.contains("rune/wifi/key: it does not take this value"),
        "{said}"
    );
    assert!(!said.contains("short\n"), "{said}");
    let (status, said) = hmr(&folder, &set);
    assert_eq!(status, 2, "{said}");
    let asks = with(&["--ssid", "ours"]);
    // There is no terminal to ask at, or nobody answers there.
    let (status, said) = hmr_alone(&folder, &asks);
    assert_eq!(status, 2, "{said}");
    assert!(said.contains("--wifi-key-file"), "{said}");
    drop(device);
    // Nobody knows whom such a device obeys, so it obeys nobody.
    for text in [
        "keys = [\"ed25519:12\"]",
        "name = 7",
        "what = 1",
        "wifi-key = \"a\"",
    ] {
        fs::write(folder.join("served/device-settings"), text).unwrap();
        let runtime = Runtime::new(Compiler::InProcess, None).unwrap();
        let served = folder.join("served");
        let server = Server::start(&served, None, runtime, Arc::new(|_, _, _: &str| {})).unwrap();
        let wrong = server.manage(&Manage {
            udp: Some("127.0.0.1:0".to_owned()),
            ..Manage::default()
        });
        let why = wrong.unwrap_err().to_string();
        assert!(why.contains("device-settings"), "{why}");
        server.stop();
    }
}

/// Arguments, and more of them.
fn both<'a>(some: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [some, more].concat()
}

/// `hmr` in a session of its own, which has no terminal.
fn hmr_alone(folder: &Path, args: &[&str]) -> (i32, String) {
    let script = "exec -a hmr \"$0\" \"$@\"";
    let hmr = ["--wait", "bash", "-c", script, env!("CARGO_BIN_EXE_xtask")];
    said(Command::new("setsid").args(hmr).args(args), folder)
}
