//! `cargo bench -p rune-testsuite --bench cast`: how long `hmr targets cast` takes for one device and for fifty at once,
//! over links on which a packet takes 10 ms each way.
//!
//! Devices are processes of `rune serve`, on this machine and its processors, so what they use of these is said apart. The
//! rune is prepared: it is compiled, and one device, which is not measured, got it before, so that its machine code is in the
//! cache that all share.
#![allow(clippy::print_stdout, reason = "that is what it is for")]
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on ends")]

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    env, fs,
    io::{BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{self, Child, Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use rune_codegen::Options;
use rune_testsuite::engines;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

const DEVICES: usize = 50;
/// Half of a round trip.
const DELAY: Duration = Duration::from_millis(10);
const RUNS: u32 = 3;
/// Bytes that a rune has more than it needs.
const PADDING: usize = 60_000;
/// Most times that fifty devices may take of what one takes.
const BOUND: f64 = 3.0;

const POLICY: &str = "version = 1
schedule = { every-ms = 100 }
[capabilities.noise]
kind = \"RAND\"
seed = 1
[outputs.serial]
kind = \"SERIAL\"
sink = \"discard\"
";

fn main() -> ExitCode {
    // Under another name it is that program.
    let called = env::args_os().next().map(PathBuf::from).unwrap_or_default();
    match called.file_stem().and_then(|name| name.to_str()) {
        Some("rune") => return rune_runtime::cli::main(),
        Some("hmr") => return rune_hammer::cli::main(env::args_os()),
        _ => {}
    }
    let folder = env::temp_dir().join(format!("rune-cast-{}", process::id()));
    fs::create_dir(&folder).unwrap();
    let is_within = bench(&folder);
    fs::remove_dir_all(&folder).unwrap();
    if is_within {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// A device, which ends with this value.
struct Device {
    process: Child,
    address: SocketAddr,
}

impl Device {
    fn start(folder: &Path, number: usize) -> Self {
        let own = folder.join(format!("device-{number}"));
        fs::create_dir(&own).unwrap();
        fs::write(own.join("policy.toml"), POLICY).unwrap();
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        drop(socket);
        let mut process = Command::new(env::current_exe().unwrap())
            .arg0("rune")
            .arg("serve")
            .arg(&own)
            .args(["--smp-udp", &address.to_string()])
            .env("XDG_CACHE_HOME", folder.join("cache"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(process.stderr.take().unwrap()).lines();
        assert!(said.any(|line| line.unwrap().contains("are served")));
        // What it says from now on is nobody's; a pipe that is closed would end it.
        thread::spawn(move || said.for_each(drop));
        Self { process, address }
    }

    /// Seconds of processors that it has used, with the processes that it started.
    fn seconds(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let ticks: Vec<f64> = fields
            .split_whitespace()
            .skip(11)
            .take(4)
            .map(|ticks| ticks.parse().unwrap())
            .collect();
        ticks.iter().sum::<f64>() / rustix::param::clock_ticks_per_second() as f64
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// A packet on its way: when it arrives, and over which socket to whom.
type Flying = (Instant, usize, SocketAddr, Vec<u8>);

/// Ports that stand for devices, one each: what is sent there arrives [`DELAY`] later, and so do the answers.
fn delayed(devices: &[Device]) -> Vec<SocketAddr> {
    let socket = |_| {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    };
    // Every second one is towards a device.
    let sockets: Vec<UdpSocket> = (0..2 * devices.len()).map(socket).collect();
    let ports = sockets.iter().step_by(2);
    let ports: Vec<SocketAddr> = ports.map(|socket| socket.local_addr().unwrap()).collect();
    let mut ends: Vec<Option<SocketAddr>> = vec![];
    for device in devices {
        ends.extend([None, Some(device.address)]);
    }
    thread::spawn(move || carry(&sockets, ends));
    ports
}

fn carry(sockets: &[UdpSocket], mut ends: Vec<Option<SocketAddr>>) {
    let mut flying: BinaryHeap<Reverse<Flying>> = BinaryHeap::new();
    let mut packet = [0; 2048];
    loop {
        let now = Instant::now();
        while let Some(Reverse((due, ..))) = flying.peek()
            && *due <= now
        {
            let Some(Reverse((_, socket, to, packet))) = flying.pop() else {
                break;
            };
            // What is lost is sent again.
            let _ = sockets[socket].send_to(&packet, to);
        }
        let next = flying
            .peek()
            .map(|Reverse((due, ..))| due.duration_since(now));
        let wait = Timespec::try_from(next.unwrap_or(Duration::from_secs(1))).unwrap();
        let mut ports: Vec<PollFd<'_>> = sockets
            .iter()
            .map(|socket| PollFd::new(socket, PollFlags::IN))
            .collect();
        if poll(&mut ports, Some(&wait)).is_err() {
            continue;
        }
        let ready = ports.iter().map(|port| !port.revents().is_empty());
        let ready: Vec<bool> = ready.collect();
        for (index, _) in ready.iter().enumerate().filter(|(_, is_ready)| **is_ready) {
            while let Ok((bytes, from)) = sockets[index].recv_from(&mut packet) {
                let other = index ^ 1;
                if index % 2 == 0 {
                    ends[index] = Some(from);
                }
                if let Some(to) = ends[other] {
                    let due = Instant::now() + DELAY;
                    flying.push(Reverse((due, other, to, packet[..bytes].to_vec())));
                }
            }
        }
    }
}

/// Casts a rune; gives the seconds that it took, and the most bytes of memory that `hmr` had.
fn cast(rune: &Path, to: &[SocketAddr]) -> (f64, u64) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.arg0("hmr").args(["targets", "cast"]).arg(rune);
    for address in to {
        command.args(["--udp", &address.to_string()]);
    }
    let begun = Instant::now();
    let mut hmr = command.stdout(Stdio::piped()).spawn().unwrap();
    let output = hmr.stdout.take().unwrap();
    let reader = thread::spawn(move || {
        let lines = BufReader::new(output).lines().map_while(Result::ok);
        lines.filter(|line| line.contains("is healthy")).count()
    });
    let mut peak = 0;
    let status = loop {
        let status = fs::read_to_string(format!("/proc/{}/status", hmr.id()));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        peak = peak.max(kilobytes.unwrap_or(0) << 10);
        if let Some(status) = hmr.try_wait().unwrap() {
            break status;
        }
        thread::sleep(Duration::from_millis(2));
    };
    let seconds = begun.elapsed().as_secs_f64();
    assert!(status.success());
    assert_eq!(reader.join().unwrap(), to.len(), "all are healthy");
    (seconds, peak)
}

/// A rune of this version.
fn rune(folder: &Path, version: u32) -> PathBuf {
    let text = format!(
        "FROM runicos/base\nLABEL name=noise version={version}.0.0\nCAPABILITY<F32[4]> RAND noise\nOUT SERIAL serial\n\
         RUN noise serial\n"
    );
    let runefile = folder.join("Runefile");
    fs::write(&runefile, text).unwrap();
    let mut wasm = engines::compile(&runefile, &Options::default())
        .output
        .unwrap()
        .wasm;
    // A section that nobody reads: its length takes three bytes.
    let content = [&[7][..], b"padding", &vec![version as u8; PADDING]].concat();
    let length = content.len();
    wasm.extend([
        0,
        length as u8 | 0x80,
        (length >> 7) as u8 | 0x80,
        (length >> 14) as u8,
    ]);
    wasm.extend(content);
    let path = folder.join(format!("noise{version}.rune"));
    fs::write(&path, wasm).unwrap();
    path
}

/// Whether fifty devices took less than [`BOUND`] times what one takes.
fn bench(folder: &Path) -> bool {
    let devices: Vec<Device> = (0..DEVICES + 2).map(|n| Device::start(folder, n)).collect();
    let ports = delayed(&devices);
    let [before, one, many @ ..] = &ports[..] else {
        unreachable!("there are more");
    };
    let used = |devices: &[Device]| devices.iter().map(Device::seconds).sum::<f64>();
    let mut ratios = vec![];
    for version in 1..=RUNS {
        let rune = rune(folder, version);
        let bytes = fs::metadata(&rune).unwrap().len();
        cast(&rune, &[*before]);
        let idle = used(&devices[1..2]);
        let (alone, least) = cast(&rune, &[*one]);
        let own = used(&devices[1..2]) - idle;
        let idle = used(&devices[2..]);
        let (all, most) = cast(&rune, many);
        let busy = used(&devices[2..]) - idle;
        let ratio = all / alone;
        ratios.push(ratio);
        println!(
            "{bytes} bytes, 20 ms: 1 device {alone:.2} s, {DEVICES} devices {all:.2} s, {ratio:.2} times; processors: the \
             device {own:.2} s, the devices {busy:.2} s; hmr at most {:.1} and {:.1} MiB",
            mib(least),
            mib(most)
        );
    }
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ratios.len() / 2];
    println!("{median:.2} times the time of one device, of at most {BOUND}");
    median < BOUND
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
