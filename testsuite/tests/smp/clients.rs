//! Clients of SMP that others wrote: smpmgr and smpclient of `PyPI`, and mcumgrctl of crates.io. They are made once, in the
//! target folder.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use rune_testsuite::skip;
use serde_json::Value;

use super::air;

const MCUMGRCTL: &str = "0.20.0";

/// Where a device answers.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    /// Port 1337 of an address.
    Udp(String),
    /// A serial port.
    Serial(PathBuf),
    /// A device on the air, and the controller that reaches it. Not all clients do.
    Ble {
        /// Of the controller: `HOST:PORT`.
        controller: String,
        /// Of the device.
        address: String,
    },
}

/// The clients.
pub(crate) struct Clients {
    folder: PathBuf,
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) is_well: bool,
    pub(crate) text: String,
}

impl Clients {
    /// `None` where they cannot be had here, which is said.
    pub(crate) fn find(test: &str) -> Option<&'static Self> {
        static FOUND: OnceLock<Result<Clients, String>> = OnceLock::new();
        match FOUND.get_or_init(Self::make) {
            Ok(clients) => Some(clients),
            Err(why) => {
                skip(test, why);
                None
            }
        }
    }

    fn make() -> Result<Self, String> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("smp-clients");
        air::python(Path::new(env!("CARGO_TARGET_TMPDIR")))?;
        if !folder.join("bin/mcumgrctl").exists() {
            // Without Bluetooth, for which it needs libraries of the system.
            let mut cargo = Command::new("cargo");
            cargo.args(["install", "mcumgrctl", "--locked", "--no-default-features"]);
            cargo.args(["--version", MCUMGRCTL, "--root"]).arg(&folder);
            done(cargo.env("CARGO_TARGET_DIR", folder.join("build")))?;
        }
        Ok(Self { folder })
    }

    /// The folder of what is in Python.
    pub(crate) fn python(&self) -> PathBuf {
        self.folder.join("venv/bin")
    }

    /// Runs smpmgr.
    pub(crate) fn smpmgr(&self, address: &Address, arguments: &[&str]) -> Said {
        let mut command = Command::new(self.folder.join("venv/bin/smpmgr"));
        match address {
            Address::Udp(ip) => command.args(["--ip", ip]),
            Address::Serial(path) => command.arg("--port").arg(path),
            Address::Ble { .. } => unreachable!("it wants a controller of the system"),
        };
        // So that no line is broken.
        command.env("COLUMNS", "250").env("NO_COLOR", "1");
        say(command.args(["--timeout", "20"]).args(arguments))
    }

    /// Runs mcumgrctl.
    pub(crate) fn mcumgrctl(&self, address: &Address, arguments: &[&str]) -> Said {
        let mut command = Command::new(self.folder.join("bin/mcumgrctl"));
        match address {
            Address::Udp(ip) => command.args(["--udp", ip]),
            Address::Serial(path) => command.arg("--serial").arg(path),
            Address::Ble { .. } => unreachable!("it is built without Bluetooth"),
        };
        say(command
            .args(["--json", "--quiet", "--timeout", "20000"])
            .args(arguments))
    }

    /// What mcumgrctl read, as JSON.
    pub(crate) fn read(&self, address: &Address, arguments: &[&str]) -> Value {
        let said = self.mcumgrctl(address, arguments);
        assert!(said.is_well, "{arguments:?}: {}", said.text);
        serde_json::from_str(&said.text).unwrap_or_else(|e| panic!("{e}: {}", said.text))
    }

    /// Runs a script of ours, and gives what it says.
    pub(crate) fn script(&self, name: &str, address: &Address, file: &Path) -> Value {
        let mut command = Command::new(self.folder.join("venv/bin/python"));
        command.arg(
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("tests/smp")
                .join(name),
        );
        match address {
            Address::Udp(ip) => command.args(["udp", ip]),
            Address::Serial(path) => command.arg("serial").arg(path),
            Address::Ble {
                controller,
                address,
            } => command.args(["ble", &format!("{controller},{address}")]),
        };
        let said = say(command.arg(file));
        assert!(said.is_well, "{}", said.text);
        serde_json::from_str(&said.text).unwrap_or_else(|e| panic!("{e}: {}", said.text))
    }
}

/// Runs a command that must go well.
fn done(command: &mut Command) -> Result<(), String> {
    let said = say(command);
    if said.is_well {
        return Ok(());
    }
    let last = said.text.lines().last().unwrap_or_default();
    Err(format!("{command:?} does not work here: {last}"))
}

/// Standard output where it went well, and else everything.
fn say(command: &mut Command) -> Said {
    match command.output() {
        Ok(output) => {
            let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
            let is_well = output.status.success();
            if !is_well {
                text += &String::from_utf8_lossy(&output.stderr);
            }
            Said { is_well, text }
        }
        Err(error) => Said {
            is_well: false,
            text: error.to_string(),
        },
    }
}
