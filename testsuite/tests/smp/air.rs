//! What others wrote in Python, in an environment that is made once in the target folder; and Bluetooth without radios:
//! virtual controllers that hear each other.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use rustix::fs::{FlockOperation, flock};

const PACKAGES: [&str; 4] = [
    "smpmgr==0.19.1",
    "smpclient[bumble]==7.3.0",
    "smp==4.2.0",
    "dbus-fast==5.2.0",
];

/// The folder of the programs of an environment with all that is needed.
///
/// # Errors
/// In words, where it cannot be had here.
pub(crate) fn python(target: &Path) -> Result<PathBuf, String> {
    let folder = target.join("smp-clients");
    let venv = folder.join("venv");
    let said = |e: std::io::Error| format!("{}: {e}", folder.display());
    fs::create_dir_all(&folder).map_err(said)?;
    let one = File::create(folder.join("lock")).map_err(said)?;
    // Several tests begin with it.
    flock(&one, FlockOperation::LockExclusive).map_err(|e| said(e.into()))?;
    let list = PACKAGES.join("\n");
    let done = folder.join("packages");
    if fs::read_to_string(&done).is_ok_and(|text| text == list) {
        return Ok(venv.join("bin"));
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    let mut pip = Command::new(venv.join("bin/pip"));
    run(pip
        .args(["install", "--quiet", "--retries", "1"])
        .args(PACKAGES))?;
    fs::write(done, list).map_err(said)?;
    Ok(venv.join("bin"))
}

/// Runs a command that must go well.
fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output();
    let said = |what: &str| format!("{command:?} does not work here: {what}");
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            Err(said(text.lines().last().unwrap_or_default()))
        }
        Err(error) => Err(said(&error.to_string())),
    }
}

/// Controllers that hear each other, for as long as it is there.
pub(crate) struct Air {
    process: Child,
    /// Where they are, `HOST:PORT`.
    pub(crate) controllers: Vec<String>,
}

impl Air {
    pub(crate) fn new(python: &Path, count: u32) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let id = process::id();
        // An address of this machine that no other test has.
        let host = format!("127.{}.{}.{number}", 200 + (id >> 8) % 50, id & 0xFF);
        let controllers: Vec<_> = (0..count).map(|n| format!("{host}:{}", 9000 + n)).collect();
        let script = Path::new(env!("CARGO_MANIFEST_DIR"));
        let script = script.ancestors().find_map(|folder| {
            let script = folder.join("testsuite/tests/smp/air.py");
            script.exists().then_some(script)
        });
        let mut process = Command::new(python.join("python"))
            .arg(script.unwrap())
            .args(&controllers)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let out = process.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Self {
            process,
            controllers,
        }
    }
}

impl Drop for Air {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// The address on the air of a device with this id, as centrals write it.
pub(crate) fn address(id: &[u8]) -> String {
    let mut bytes: Vec<u8> = id[..6].iter().rev().copied().collect();
    bytes[0] |= 0xC0;
    let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    digits.join(":")
}
