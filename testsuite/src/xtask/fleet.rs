//! `cargo xtask fleet`: boards and Linux devices in a network of their own, and what a user runs there.

use std::{
    env, fs,
    io::{self, Read as _},
    os::unix::{
        fs::DirBuilderExt,
        net::{UnixListener, UnixStream},
        process::ExitStatusExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, ExitStatus},
    sync::mpsc::{self, Receiver, Sender},
    thread,
    time::{Duration, Instant},
};

use rune_terminal::Bar;
use rune_testsuite::{
    fleet::{self, Fleet, MOST_BOARDS, MOST_DEVICES, Plan},
    qemu::Firmware,
    root,
};
use rustix::{
    process::{Pid, Signal, getpgrp, kill_process},
    termios::tcgetpgrp,
};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

pub(crate) const HELP: &str = "\
Usage: cargo xtask fleet [-n DEVICES] [--boards BOARDS] [--accel FILE] [-- COMMAND ...]

Starts devices in a private network, and in it a shell, or the command, whose `hmr` finds them. Everything ends with it.
No rights are needed: the network is a namespace (`unshare -rn`) with a bridge, on which the boards have taps.

Options:
  -n, --devices N   Linux devices, each a process of `rune serve`; 3 unless it says otherwise, at most 500
  -b, --boards N    boards in QEMU; 1 unless it says otherwise, at most 32
      --accel FILE  what their accelerometers read, lines of three numbers; examples/gesture/ring.csv otherwise

In the environment RUNE_FLEET names a folder: board-N.serial there is the serial port of a board, and device-N/said.txt
what a Linux device says.

Examples:
  cargo xtask fleet
  cargo xtask fleet -n 0 --boards 1 -- hmr targets ls
  cargo xtask fleet -n 50 --boards 2 -- hmr targets status --all";

/// What the first argument is where the network is there already.
const INSIDE: &str = "--inside";

/// What the arguments say.
struct Arguments {
    devices: u16,
    boards: u8,
    readings: PathBuf,
    command: Vec<String>,
}

fn parse(args: &[&str]) -> Result<Arguments, String> {
    let mut parsed = Arguments {
        devices: 3,
        boards: 1,
        readings: root().join("examples/gesture/ring.csv"),
        command: vec![],
    };
    let mut args = args.iter();
    while let Some(&arg) = args.next() {
        let (name, joined) = match arg.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value)),
            _ => (arg, None),
        };
        let mut value = || {
            let next = joined.or_else(|| args.next().copied());
            next.ok_or(format!("{name} needs a value"))
        };
        match name {
            "-n" | "--devices" => parsed.devices = number(name, value()?, MOST_DEVICES)?,
            "-b" | "--boards" => parsed.boards = number(name, value()?, MOST_BOARDS.into())? as u8,
            "--accel" => parsed.readings = PathBuf::from(value()?),
            "--" => {
                parsed.command = args.map(|arg| (*arg).to_owned()).collect();
                break;
            }
            _ => {
                return Err(format!(
                    "there is no argument `{arg}`; see `cargo xtask fleet --help`"
                ));
            }
        }
    }
    if parsed.devices == 0 && parsed.boards == 0 {
        return Err("no device and no board: `-n 1`, or `--boards 1`".to_owned());
    }
    let readings = fs::canonicalize(&parsed.readings);
    parsed.readings = readings.map_err(|e| format!("{}: {e}", parsed.readings.display()))?;
    Ok(parsed)
}

fn number(name: &str, value: &str, most: u16) -> Result<u16, String> {
    let number = value.parse().ok().filter(|n| *n <= most);
    number.ok_or(format!("{name} takes a number up to {most}, not `{value}`"))
}

/// Makes the network, and in it everything. The exit status is that of the command.
///
/// # Errors
/// One sentence: wrong arguments, something is missing, or does not start.
pub(crate) fn run(args: &[&str]) -> Result<ExitCode, String> {
    match *args {
        ["--help" | "-h"] => {
            println!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        [INSIDE, folder, firmware, ref args @ ..] => {
            inside(Path::new(folder), firmware, &parse(args)?)
        }
        _ => outside(args),
    }
}

/// A private folder, which goes with this value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, String> {
        let path = env::temp_dir().join(format!("rune-fleet-{}", std::process::id()));
        let made = fs::DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed of a folder for temporary files hurts nobody.
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Everything that is done before the network is there.
fn outside(args: &[&str]) -> Result<ExitCode, String> {
    let parsed = parse(args)?;
    if let Some(why) = fleet::missing() {
        return Err(why);
    }
    let mut firmware = String::new();
    if parsed.boards > 0 {
        if let Some(why) = fleet::missing_for_boards() {
            return Err(why);
        }
        firmware = Firmware::build(&["ethernet"])?.path().display().to_string();
    }
    let folder = Folder::new()?;
    let wrong = |what: &str| {
        let what = what.to_owned();
        move |e: io::Error| format!("{what}: {e}")
    };
    let alive = UnixListener::bind(folder.0.join("alive"));
    let alive = alive.map_err(wrong("no socket"))?;
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(wrong("no signals"))?;
    let program = env::current_exe().map_err(wrong("this program is not found"))?;
    let mut inner: Vec<String> = vec![
        "fleet".to_owned(),
        INSIDE.to_owned(),
        folder.0.display().to_string(),
        firmware,
    ];
    inner.extend(args.iter().map(|arg| (*arg).to_owned()));
    let mut child = fleet::enter(&program, &inner)
        .spawn()
        .map_err(wrong("unshare cannot be run"))?;
    // Whoever is inside ends when nobody listens any more: the stream is kept for as long as this process is there.
    let Some(stream) = heard(&alive, &mut child).map_err(wrong("no socket"))? else {
        // What unshare has said is the reason.
        return Err("the network cannot be entered".to_owned());
    };
    thread::spawn(move || {
        // What a terminal interrupts is the command, whose end is that of all. Of what only this process is told, those
        // inside learn by the end of the stream.
        let is_theirs = |signal| signal == SIGINT && is_in_front();
        if signals.forever().any(|signal| !is_theirs(signal)) {
            drop(stream.shutdown(std::net::Shutdown::Both));
        }
    });
    let status = child.wait().map_err(wrong("unshare is lost"))?;
    drop(folder);
    Ok(exit_code(status))
}

/// The stream of the one inside, once it is there; `None` where it has ended before.
fn heard(alive: &UnixListener, child: &mut Child) -> io::Result<Option<UnixStream>> {
    alive.set_nonblocking(true)?;
    loop {
        match alive.accept() {
            Ok((stream, _)) => return Ok(Some(stream)),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if child.try_wait()?.is_some() {
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a key that interrupts a terminal interrupts this process.
fn is_in_front() -> bool {
    tcgetpgrp(io::stdin()).is_ok_and(|group| group == getpgrp())
}

fn exit_code(status: ExitStatus) -> ExitCode {
    let number = status.code().or(status.signal().map(|s| 128 + s));
    ExitCode::from(u8::try_from(number.unwrap_or(1)).unwrap_or(1))
}

/// Why the fleet ends.
enum End {
    /// The command has.
    Command(io::Result<ExitStatus>),
    /// Somebody wants it to.
    Asked(i32),
}

/// Everything in the network. This is its first process: with it all others end.
fn inside(folder: &Path, firmware: &str, plan: &Arguments) -> Result<ExitCode, String> {
    let begun = Instant::now();
    // Whoever made it may be gone.
    let _folder = Folder(folder.to_owned());
    let wrong = |e: io::Error| format!("inside the network: {e}");
    let (send, ends) = mpsc::channel();
    let mut alive = UnixStream::connect(folder.join("alive")).map_err(wrong)?;
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(wrong)?;
    let gone = send.clone();
    thread::spawn(move || {
        // Nothing is ever sent.
        let _ = alive.read(&mut [0]);
        let _ = gone.send(End::Asked(SIGTERM));
    });
    let asked = send.clone();
    thread::spawn(move || {
        for signal in signals.forever() {
            let _ = asked.send(End::Asked(signal));
        }
    });
    fleet::network(plan.boards)?;
    let program = env::current_exe().map_err(wrong)?;
    let programs = fleet::programs(&program, folder)?;
    let firmware = Some(firmware).filter(|f| !f.is_empty());
    let firmware = firmware.map(|path| Firmware::at(PathBuf::from(path)));
    let started = start(folder, &programs, firmware, plan, &ends)?;
    let (fleet, all) = match started {
        Ok(fleet) => fleet,
        Err(signal) => return Ok(ExitCode::from(128 + signal as u8)),
    };
    let [own, boards] = fleet.memory().map(|bytes| bytes >> 20);
    eprintln!(
        "fleet: {all} answer after {:.1} s; the devices take {own} MiB, the boards {boards} MiB",
        begun.elapsed().as_secs_f32()
    );
    let code = command(folder, &programs, &plan.command, send, &ends);
    drop(fleet);
    code
}

/// What starts meanwhile in a thread, so that whoever has enough need not wait: the fleet and what it has, or the signal
/// that ended it.
fn start(
    folder: &Path,
    programs: &Path,
    firmware: Option<Firmware>,
    arguments: &Arguments,
    ends: &Receiver<End>,
) -> Result<Result<(Fleet, String), i32>, String> {
    let rune = programs.join("rune");
    let (folder, readings) = (folder.to_owned(), arguments.readings.clone());
    let (devices, boards) = (arguments.devices, arguments.boards);
    let (send, started) = mpsc::channel();
    thread::spawn(move || {
        let plan = Plan {
            devices,
            boards,
            firmware: firmware.as_ref(),
            readings: &readings,
            rune: &rune,
            folder: &folder,
        };
        let mut bar = Bar::new(false);
        let all = u64::from(devices) + u64::from(boards);
        let fleet = Fleet::start(&plan, |ready| {
            bar.show("Starting devices", ready as u64, all);
        });
        // Where nobody waits any more the process ends.
        let _ = send.send(fleet);
    });
    loop {
        match started.recv_timeout(Duration::from_millis(50)) {
            Ok(fleet) => {
                let fleet = fleet?;
                let [devices, boards] = fleet.count();
                return Ok(Ok((
                    fleet,
                    format!("{devices} devices and {boards} boards"),
                )));
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Err("the devices do not start".to_owned());
            }
        }
        if let Ok(End::Asked(signal)) = ends.try_recv() {
            return Ok(Err(signal));
        }
    }
}

/// Runs what the user wants, until it ends or somebody ends all.
fn command(
    folder: &Path,
    programs: &Path,
    words: &[String],
    send: Sender<End>,
    ends: &Receiver<End>,
) -> Result<ExitCode, String> {
    let shell = env::var("SHELL").unwrap_or_else(|_| "/bin/sh".to_owned());
    let (program, arguments) = match words {
        [] => {
            eprintln!("fleet: `hmr targets ls` finds them; `exit` ends all of it");
            (&shell, &[][..])
        }
        [program, arguments @ ..] => (program, arguments),
    };
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(programs.to_owned()).chain(env::split_paths(&path));
    let path = env::join_paths(folders).map_err(|e| e.to_string())?;
    let mut child: Child = Command::new(program)
        .args(arguments)
        .env("PATH", path)
        .env("RUNE_FLEET", folder)
        .spawn()
        .map_err(|e| format!("{program} cannot be run: {e}"))?;
    let id = Pid::from_child(&child);
    thread::spawn(move || {
        let _ = send.send(End::Command(child.wait()));
    });
    loop {
        match ends.recv() {
            Ok(End::Command(status)) => return Ok(exit_code(status.map_err(|e| e.to_string())?)),
            // A terminal has told the command as well, which decides what it is to be.
            Ok(End::Asked(SIGINT)) => {}
            Ok(End::Asked(signal)) => {
                // It may have ended already.
                let _ = kill_process(id, Signal::TERM);
                return Ok(ExitCode::from(128 + signal as u8));
            }
            Err(_) => return Err("the command is lost".to_owned()),
        }
    }
}
