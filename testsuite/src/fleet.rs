//! Devices for tests and demonstrations in a network of their own: emulated boards on taps of a bridge, and Linux devices,
//! each a process of `rune serve` with a port of its own. The network is a namespace that a program makes of itself with
//! [`enter`], which needs no rights.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rune_hammer::{
    client::{Client, Patience},
    link::Address,
};

pub use player::{Datagrams, Tape};

use crate::{
    qemu::{Boot, Firmware, Machine},
    terminal::{Carrier, Terminal},
};

mod dhcp;
mod player;

/// The bridge, and this machine's address there, which the Linux devices have too.
pub const BRIDGE: &str = "fleet0";
/// See [`BRIDGE`].
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const MASK: Ipv4Addr = Ipv4Addr::new(255, 255, 0, 0);
/// The port of the first Linux device; the others follow.
const FIRST_PORT: u16 = 20_000;
/// Most devices of a kind.
pub const MOST_DEVICES: u16 = 500;
/// See [`MOST_DEVICES`]: each board is a processor of this machine.
pub const MOST_BOARDS: u8 = 32;
/// How long a device may take to start. One that works takes a second, and there may be many.
const PATIENCE: Duration = Duration::from_mins(2);
/// How old a board is that has announced itself twice, and answers questions about that again: what was said in the last
/// second is not said again. Time is the board's own, which is slower where this machine is busy.
const SETTLED_MS: u64 = 2500;
/// How often the tape is in the file of a Linux device, whose end is the end of the rune.
const TIMES: usize = 600;

const POLICY: &str = "version = 1
schedule = { every-ms = 1000 }
[capabilities.accelerometer]
kind = \"ACCEL\"
folder = \".\"
files = [\"readings.csv\"]
[capabilities.noise]
kind = \"RAND\"
seed = 1
[outputs.serial]
kind = \"SERIAL\"
sink = \"discard\"
";

/// What is to be started.
#[derive(Debug)]
pub struct Plan<'a> {
    /// How many Linux devices.
    pub devices: u16,
    /// How many boards.
    pub boards: u8,
    /// The firmware of the boards, with the feature `ethernet`.
    pub firmware: Option<&'a Firmware>,
    /// What accelerometers read: lines of three numbers, in g.
    pub readings: &'a Path,
    /// The program `rune`.
    pub rune: &'a Path,
    /// A folder for everything.
    pub folder: &'a Path,
}

/// Devices that run. They end with this value, or with the namespace.
#[derive(Debug)]
pub struct Fleet {
    folder: PathBuf,
    devices: Vec<Child>,
    boards: u8,
    carriers: Vec<(Terminal, Carrier)>,
}

/// What is missing for a network of one's own, as a sentence; `None` where all is there.
pub fn missing() -> Option<String> {
    let tried = Command::new("unshare")
        .args(["-rnpf", "--kill-child", "ip", "link", "add", BRIDGE])
        .args(["type", "bridge"])
        .output();
    let why = match tried {
        Err(error) => format!("unshare cannot be run: {error}"),
        Ok(tried) if tried.status.success() => return None,
        Ok(tried) => String::from_utf8_lossy(&tried.stderr).trim().to_owned(),
    };
    Some(format!(
        "no network of one's own: {why}; `apt install util-linux iproute2`, and user namespaces \
         (sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0)"
    ))
}

/// What is missing for boards in such a network, as a sentence; `None` where all is there.
pub fn missing_for_boards() -> Option<String> {
    if let Some(why) = crate::qemu::missing() {
        return Some(why);
    }
    let open = File::options().read(true).write(true).open("/dev/net/tun");
    open.err().map(|error| {
        format!("/dev/net/tun cannot be had: {error}; `modprobe tun`, and its mode is to be 0666")
    })
}

/// A command that runs this program again with these arguments, in a namespace of its own. Whatever is started there ends
/// with it.
pub fn enter(program: &Path, arguments: &[String]) -> Command {
    let mut command = Command::new("unshare");
    command.args(["-rnpf", "--kill-child", "--"]);
    command.arg(program).args(arguments);
    command
}

/// Makes the network: a bridge with this many taps.
///
/// # Errors
/// A sentence: what `ip` said.
pub fn network(boards: u8) -> Result<(), String> {
    let all = format!("{ADDRESS}/16");
    ip(&["link", "set", "lo", "up"])?;
    ip(&[
        "link",
        "add",
        BRIDGE,
        "type",
        "bridge",
        "mcast_snooping",
        "0",
    ])?;
    ip(&["addr", "add", &all, "dev", BRIDGE])?;
    ip(&["link", "set", BRIDGE, "up", "multicast", "on"])?;
    for to in ["224.0.0.0/4", "255.255.255.255/32"] {
        ip(&["route", "add", to, "dev", BRIDGE])?;
    }
    for number in 1..=boards {
        let tap = tap(number);
        ip(&["tuntap", "add", &tap, "mode", "tap"])?;
        ip(&["link", "set", &tap, "master", BRIDGE, "up"])?;
    }
    Ok(())
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    let told = Command::new("ip").args(arguments).output();
    let told = told.map_err(|e| format!("ip cannot be run: {e}"))?;
    if told.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&told.stderr);
    Err(format!("ip {}: {}", arguments.join(" "), why.trim()))
}

fn tap(number: u8) -> String {
    format!("board{number}")
}

/// The card of a board, counted from 1; its name has the last digits.
fn card(number: u8) -> dhcp::Mac {
    [0x52, 0x54, 0, 0x12, 0x34, 0x55 + number]
}

/// The address of a board, counted from 1.
pub fn board_address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 2, number)
}

/// The address of a Linux device, counted from 1.
pub fn device_address(number: u16) -> SocketAddr {
    (ADDRESS, FIRST_PORT + number - 1).into()
}

impl Fleet {
    /// Starts all, in the network that [`network`] has made, and waits until each answers. `show` is told how many do.
    /// In the folder `board-N.serial` is the serial port of a board, and `device-N` what a Linux device has.
    ///
    /// # Errors
    /// A sentence: something does not start.
    pub fn start(plan: &Plan<'_>, mut show: impl FnMut(usize)) -> Result<Self, String> {
        let mut fleet = Self {
            folder: plan.folder.to_owned(),
            devices: vec![],
            boards: plan.boards,
            carriers: vec![],
        };
        let tape = Tape::read(plan.readings)?;
        if plan.boards > 0 {
            let leases = (1..=plan.boards).map(|n| (card(n), board_address(n)));
            dhcp::serve(ADDRESS, MASK, leases.collect())
                .map_err(|e| format!("no port for DHCP: {e}"))?;
        }
        fleet.start_devices(plan)?;
        fleet.start_boards(plan, &tape)?;
        let devices = (1..=plan.devices).map(|n| (device_address(n), 0));
        let boards = (1..=plan.boards).map(|n| {
            let address = (board_address(n), rune_smp::UDP_PORT).into();
            (address, SETTLED_MS)
        });
        for (index, (address, age_ms)) in devices.chain(boards).enumerate() {
            fleet.wait_for(address, age_ms)?;
            show(index + 1);
        }
        Ok(fleet)
    }

    fn start_devices(&mut self, plan: &Plan<'_>) -> Result<(), String> {
        if plan.devices == 0 {
            return Ok(());
        }
        let readings = plan.folder.join("readings.csv");
        let once = fs::read_to_string(plan.readings);
        let once = once.map_err(|e| format!("{}: {e}", plan.readings.display()))?;
        let once = format!("{}\n", once.trim_end());
        write(&readings, &once.repeat(TIMES))?;
        for number in 1..=plan.devices {
            let folder = plan.folder.join(format!("device-{number}"));
            let failed = |e| format!("{}: {e}", folder.display());
            fs::create_dir(&folder).map_err(failed)?;
            fs::hard_link(&readings, folder.join("readings.csv")).map_err(failed)?;
            write(&folder.join("policy.toml"), POLICY)?;
            let said = File::create(folder.join("said.txt")).map_err(failed)?;
            let device = Command::new(plan.rune)
                .arg("serve")
                .arg(&folder)
                .arg("--smp-udp")
                .arg(device_address(number).to_string())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(said)
                // A key that interrupts the terminal ends what people run there, and not the devices.
                .process_group(0)
                .spawn()
                .map_err(|e| format!("{} cannot be run: {e}", plan.rune.display()))?;
            self.devices.push(device);
        }
        Ok(())
    }

    fn start_boards(&mut self, plan: &Plan<'_>, tape: &Tape) -> Result<(), String> {
        let Some(firmware) = plan.firmware.filter(|_| plan.boards > 0) else {
            return Ok(());
        };
        for number in 1..=plan.boards {
            let mac = card(number).map(|byte| format!("{byte:02x}")).join(":");
            let nic = format!(
                "tap,ifname={},script=no,downscript=no,model=lan9118,mac={mac}",
                tap(number)
            );
            let boot = Boot {
                shift: 1,
                folder: Some(&plan.folder.join(format!("board-{number}"))),
                more: &["-nic", &nic],
                ..Boot::default()
            };
            let mut machine = Machine::boot(firmware, &boot)?;
            let failed = |e| format!("board {number} has no serial port: {e}");
            let mut terminal = Terminal::new().map_err(failed)?;
            let link = Datagrams::to((board_address(number), rune_link::UDP_PORT).into())
                .map_err(failed)?;
            let serial = machine.talk_over(Box::new(link));
            if let Some(master) = terminal.master() {
                let port = plan.folder.join(format!("board-{number}.serial"));
                std::os::unix::fs::symlink(&terminal.path, port).map_err(failed)?;
                self.carriers.push((terminal, Carrier::new(serial, master)));
            }
            let tape = tape.clone();
            // It ends with the process.
            thread::spawn(move || player::play(&mut machine, &tape));
        }
        Ok(())
    }

    /// Waits until one answers that is so old.
    fn wait_for(&mut self, address: SocketAddr, age_ms: u64) -> Result<(), String> {
        let patience = Patience {
            first: Duration::from_millis(100),
            tries: 3,
        };
        let begun = Instant::now();
        loop {
            let link = Address::Udp(address).open();
            let link = link.map_err(|e| format!("{address}: {e}"))?;
            match Client::new(link, 0, patience).meet() {
                Ok(about) if about.up_ms >= age_ms => return Ok(()),
                Ok(_) => thread::sleep(Duration::from_millis(100)),
                Err(_) => {}
            }
            for (number, device) in (1..).zip(&mut self.devices) {
                if let Ok(Some(status)) = device.try_wait() {
                    let said = self.folder.join(format!("device-{number}/said.txt"));
                    let said = fs::read_to_string(said).unwrap_or_default();
                    let last = said.trim_end().lines().last().unwrap_or_default();
                    return Err(format!("device {number} has ended, {status}: {last}"));
                }
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("{address} does not answer"));
            }
        }
    }

    /// How much memory the processes hold that no other process has: those of the devices, and of the boards, in bytes.
    pub fn memory(&self) -> [u64; 2] {
        ["rune", "qemu"].map(|name| {
            let all = processes()
                .into_iter()
                .filter(|(_, own)| own.starts_with(name));
            all.filter_map(|(folder, _)| own_memory(&folder)).sum()
        })
    }

    /// How many there are: devices, and boards.
    pub fn count(&self) -> [usize; 2] {
        [self.devices.len(), self.boards.into()]
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for device in &mut self.devices {
            // One that has ended already is none to end.
            let _ = device.kill();
        }
        for device in &mut self.devices {
            let _ = device.wait();
        }
    }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}

/// The bytes of memory that a process alone has.
fn own_memory(process: &Path) -> Option<u64> {
    let text = fs::read_to_string(process.join("smaps_rollup")).ok()?;
    let lines = text.lines().filter(|line| line.starts_with("Private_"));
    let kilobytes = lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    Some(kilobytes.sum::<u64>() << 10)
}

/// The processes of this namespace, by their folders in `/proc`, which may be that of another one, with their names.
fn processes() -> Vec<(PathBuf, String)> {
    let space = |process: &Path| fs::read_link(process.join("ns/pid")).ok();
    let own = space(Path::new("/proc/self"));
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let folders = entries.map(|entry| entry.path());
    folders
        .filter(|folder| own.is_some() && space(folder) == own)
        .filter_map(|folder| {
            Some((
                folder.clone(),
                fs::read_to_string(folder.join("comm")).ok()?,
            ))
        })
        .collect()
}

/// Programs of the project under their names, each this program, in a folder for the search path.
///
/// # Errors
/// A sentence: one cannot be made.
pub fn programs(program: &Path, folder: &Path) -> Result<PathBuf, String> {
    let programs = folder.join("bin");
    let failed = |e| format!("{}: {e}", programs.display());
    fs::create_dir(&programs).map_err(failed)?;
    for name in ["hmr", "rune", "runec"] {
        std::os::unix::fs::symlink(program, programs.join(name)).map_err(failed)?;
    }
    Ok(programs)
}
