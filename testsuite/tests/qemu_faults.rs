//! Some of the schedules of faults of `host/hammer/tests/hammer/faults.rs` on the emulated board, in real time: packets are
//! lost, late, doubled and changed, the link is cut, and the board is reset, or its power is cut, while it gets a rune. The
//! new rune runs and is what was sent, or the old one runs; and a repeat ends with the new one.
//!
//! `RUNE_FAULTS` says how many over each link, 10 where it does not.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stderr, reason = "how long it took is said")]

#[path = "../../host/hammer/tests/hammer/schedule.rs"]
mod schedule;

use std::{
    collections::VecDeque,
    env, fs,
    io::{self, BufRead, BufReader, Write as _},
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU32, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rune_codegen::{Options, Simd};
use rune_hammer::{
    client::{Client, Patience},
    deploy::{Outcome, Package, Wish, cast},
    link::{Address, Link},
};
use rune_link::{Doing, Run};
use rune_testsuite::{
    engines,
    fleet::Datagrams,
    pages,
    qemu::{Boot, Firmware, Machine, missing},
    skip,
    terminal::{Carrier, Terminal},
};
use schedule::Schedule;
use sha2::{Digest as _, Sha256};

/// How long a board that works may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// How many schedules there are over a link.
fn schedules() -> u64 {
    env::var("RUNE_FAULTS").map_or(10, |n| n.parse().expect("RUNE_FAULTS is a number"))
}

/// The same rune in two versions, larger than a packet.
fn runes() -> &'static [Vec<u8>; 2] {
    static RUNES: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
    RUNES.get_or_init(|| {
        let folder = folder("runes");
        [1, 2].map(|version| {
            let text = format!(
                "FROM runicos/base\nLABEL name=noise version={version}.0.0\nCAPABILITY<F32[4]> RAND noise\n\
                 OUT SERIAL serial\nRUN noise serial\n"
            );
            let runefile = folder.join("Runefile");
            fs::write(&runefile, text).unwrap();
            let options = Options {
                simd: Simd::Off,
                ..Options::default()
            };
            let mut wasm = engines::compile(&runefile, &options).output.unwrap().wasm;
            // A section that nobody reads: its length takes two bytes.
            let content = [&[7][..], b"padding", &[version as u8; 2000]].concat();
            wasm.extend([0, (content.len() & 0x7F) as u8 | 0x80, (content.len() >> 7) as u8]);
            wasm.extend(content);
            wasm
        })
    })
}

fn folder(name: &str) -> PathBuf {
    let id = std::process::id();
    pages::folder(env!("CARGO_TARGET_TMPDIR"), &format!("faults-{name}-{id}"))
}

/// What happens to a board that no packet does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Event {
    /// The processor starts anew.
    Reset,
    /// The power is gone, and comes back.
    Power,
}

/// A board whose rune is called, by the protocol of the board itself, whatever else happens.
struct Board {
    /// Where SMP is.
    smp: SocketAddr,
    terminal: Option<PathBuf>,
    events: Sender<Event>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// UDP ports of this machine that nobody has.
fn free_ports() -> [u16; 2] {
    let sockets = [0; 2].map(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    sockets.map(|socket| socket.local_addr().unwrap().port())
}

/// Where a machine is told to reset: not in its folder, as the path of a socket has at most 107 bytes.
fn monitor() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("rune-faults-{}-{number}", std::process::id()))
}

impl Board {
    /// Boots one whose flash is in a file of a folder.
    fn boot(firmware: &Firmware, folder: &Path, over_serial: bool) -> Self {
        let [smp, own] = free_ports();
        let flash = folder.join("flash");
        let monitor = monitor();
        let network = format!(
            "user,model=lan9118,hostfwd=udp:127.0.0.1:{smp}-:1337,hostfwd=udp:127.0.0.1:{own}-:7863"
        );
        let qmp = format!("unix:{},server=on,wait=off", monitor.display());
        let firmware = firmware.clone();
        let start = move || {
            let boot = Boot {
                flash: Some(&flash),
                shift: 1,
                more: &["-nic", &network, "-qmp", &qmp],
                ..Boot::default()
            };
            let mut machine = Machine::boot(&firmware, &boot).unwrap();
            let link = Datagrams::to((Ipv4Addr::LOCALHOST, own).into()).unwrap();
            let serial = machine.talk_over(Box::new(link));
            (machine, serial)
        };
        let (machine, serial) = start();
        let mut terminal = over_serial.then(|| Terminal::new().unwrap());
        let path = terminal.as_ref().map(|terminal| terminal.path.clone());
        let carrier = terminal
            .as_mut()
            .map(|terminal| Carrier::new(serial, terminal.master().unwrap()));
        let (events, happens) = mpsc::channel();
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = is_over.clone();
        let thread = thread::spawn(move || {
            live(machine, start, &monitor, &happens, &ends);
            drop(fs::remove_file(&monitor));
            drop((terminal, carrier));
        });
        Self {
            smp: (Ipv4Addr::LOCALHOST, smp).into(),
            terminal: path,
            events,
            is_over,
            thread: Some(thread),
        }
    }

    fn link(&self) -> Box<dyn Link> {
        let address = self
            .terminal
            .clone()
            .map_or(Address::Udp(self.smp), Address::Serial);
        address.open().unwrap()
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Calls what runs, and lets happen what is to, until it is over.
fn live(
    mut machine: Machine,
    start: impl Fn() -> (Machine, Box<dyn rune_testsuite::qemu::Link>),
    monitor: &Path,
    happens: &Receiver<Event>,
    is_over: &AtomicBool,
) {
    while !is_over.load(Ordering::SeqCst) {
        match happens.recv_timeout(Duration::from_millis(20)) {
            Ok(Event::Reset) => reset(monitor).unwrap(),
            Ok(Event::Power) => {
                drop(machine);
                machine = start().0;
            }
            Err(_) => {}
        }
        // A rune that is not there, or was started anew in between, is called the next time.
        let _ = call(&mut machine);
    }
}

fn call(machine: &mut Machine) -> Result<(), String> {
    if machine.look(0)?.doing == Doing::Running {
        machine.feed_one(0, 0, &[0; 16])?;
        machine.tell_rune(0, Run::Call)?;
        machine.lines(0)?;
    }
    Ok(())
}

/// Starts the processor anew, whatever it does.
fn reset(monitor: &Path) -> io::Result<()> {
    let mut stream = UnixStream::connect(monitor)?;
    let mut replies = BufReader::new(stream.try_clone()?);
    for command in ["qmp_capabilities", "system_reset"] {
        writeln!(stream, "{{\"execute\":\"{command}\"}}")?;
        let mut line = String::new();
        while !line.contains("\"return\"") {
            line.clear();
            if replies.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
    Ok(())
}

/// A link on which that happens.
struct Rough<'b> {
    link: Box<dyn Link>,
    board: &'b Board,
    schedule: Schedule,
    begun: Instant,
    /// Every second start is one of the power, where the link outlives it.
    starts: u32,
    to_board: VecDeque<(Duration, Vec<u8>)>,
    to_host: VecDeque<(Duration, Vec<u8>)>,
}

impl<'b> Rough<'b> {
    fn new(board: &'b Board, seed: u64) -> Self {
        Self {
            link: board.link(),
            board,
            schedule: Schedule::new(seed),
            begun: Instant::now(),
            starts: 0,
            to_board: VecDeque::new(),
            to_host: VecDeque::new(),
        }
    }

    fn calm(&mut self) {
        self.schedule.calm();
        self.to_board.clear();
        self.to_host.clear();
    }

    /// What is due is sent on, and happens.
    fn pump(&mut self) -> io::Result<()> {
        let now = self.now();
        while let Some(packet) = due(&mut self.to_board, now) {
            self.link.send(&packet)?;
        }
        while self.schedule.reset(now).is_some() {
            let has_power = self.board.terminal.is_some() || self.starts.is_multiple_of(2);
            let event = if has_power {
                Event::Reset
            } else {
                Event::Power
            };
            self.starts += 1;
            self.board.events.send(event).unwrap();
        }
        Ok(())
    }
}

/// The packet that arrives first, if it has by now.
fn due(packets: &mut VecDeque<(Duration, Vec<u8>)>, now: Duration) -> Option<Vec<u8>> {
    let first = (0..packets.len()).min_by_key(|index| packets[*index].0)?;
    if packets[first].0 > now {
        return None;
    }
    packets.remove(first).map(|(_, packet)| packet)
}

impl Link for Rough<'_> {
    fn send(&mut self, packet: &[u8]) -> io::Result<()> {
        let arrivals = self.schedule.fly(self.now(), packet);
        self.to_board.extend(arrivals);
        self.pump()
    }

    fn receive(&mut self, within: Duration) -> io::Result<Option<Vec<u8>>> {
        const STEP: Duration = Duration::from_millis(2);
        let until = self.now() + within;
        loop {
            self.pump()?;
            let now = self.now();
            if let Some(packet) = due(&mut self.to_host, now) {
                return Ok(Some(packet));
            }
            if now >= until {
                return Ok(None);
            }
            if let Some(packet) = self.link.receive(STEP)? {
                let arrivals = self.schedule.fly(self.now(), &packet);
                self.to_host.extend(arrivals);
            }
        }
    }

    fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    fn pause(&mut self, time: Duration) {
        let until = self.now() + time;
        while self.now() < until {
            thread::sleep(Duration::from_millis(2));
            // That the link does not work is found when it is used.
            let _ = self.pump();
        }
    }

    fn packet_bytes(&self) -> usize {
        512
    }
}

const WISH: Wish = Wish {
    anew: false,
    trial: false,
    dry_run: false,
    watch: Duration::from_secs(10),
};

/// Which of the two versions runs, as soon as the board says so.
fn runs(client: &mut Client<Rough<'_>>) -> Option<usize> {
    let begun = Instant::now();
    loop {
        let runes = client.runes().unwrap_or_default();
        if let [rune] = &runes[..]
            && rune.doing == "running"
        {
            let is = |bytes: &Vec<u8>| rune.sha256 == <[u8; 32]>::from(Sha256::digest(bytes));
            return runes_at(is);
        }
        if begun.elapsed() > PATIENCE {
            return None;
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn runes_at(is: impl FnMut(&Vec<u8>) -> bool) -> Option<usize> {
    runes().iter().position(is)
}

/// Schedules over one kind of link, from a seed on.
fn play(test: &str, over_serial: bool, first: u64) {
    if let Some(why) = missing() {
        return skip(test, &why);
    }
    let begun = Instant::now();
    let firmware = Firmware::build(&["ethernet"]).unwrap();
    let folder = folder(test);
    let packages = runes().clone().map(|rune| Package::new(rune).unwrap());
    // A flash on which the first version stays.
    let flash = folder.join("flash");
    {
        let board = Board::boot(&firmware, &folder, false);
        let mut link = Rough::new(&board, 0);
        link.calm();
        let mut client = Client::new(link, 0, Patience::default());
        let outcome = cast(&mut client, &packages[0], &WISH, |_| {}).unwrap();
        assert!(matches!(outcome, Outcome::Confirmed(1..)), "{outcome:?}");
    }
    let played = Instant::now();
    let (mut repeated, mut starts) = (0, 0);
    for seed in first..first + schedules() {
        let own = folder.join(seed.to_string());
        fs::create_dir(&own).unwrap();
        fs::copy(&flash, own.join("flash")).unwrap();
        let board = Board::boot(&firmware, &own, over_serial);
        let mut client = Client::new(Rough::new(&board, seed), seed as u8, Patience::default());
        let outcome = cast(&mut client, &packages[1], &WISH, |_| {});
        client.link().calm();
        starts += client.link().starts;
        let runs_now = runs(&mut client);
        if let Ok(Outcome::Confirmed(_)) = outcome {
            assert_eq!(runs_now, Some(1), "{seed}: it was said to run");
        } else {
            repeated += 1;
            assert!(runs_now.is_some(), "{seed}: {outcome:?}, and nothing runs");
        }
        let wish = Wish { anew: true, ..WISH };
        let again = cast(&mut client, &packages[1], &wish, |_| {});
        assert!(
            matches!(again, Ok(Outcome::Confirmed(_))),
            "{seed}: {outcome:?}, then {again:?}"
        );
        assert_eq!(runs(&mut client), Some(1), "{seed}");
        let [rune] = &client.runes().unwrap()[..] else {
            panic!("{seed}: there is another rune");
        };
        assert_eq!(rune.state, "confirmed", "{seed}");
        drop(client);
        drop(board);
        fs::remove_dir_all(&own).unwrap();
    }
    eprintln!(
        "{} schedules, {starts} starts in their midst, {repeated} repeats with effect: {:.0?} of {:.0?}",
        schedules(),
        played.elapsed(),
        begun.elapsed()
    );
    drop(fs::remove_dir_all(folder));
}

#[test]
fn a_repeat_finishes_the_job_on_a_board_over_udp() {
    play("a_repeat_finishes_the_job_on_a_board_over_udp", false, 1);
}

#[test]
fn a_repeat_finishes_the_job_on_a_board_over_its_serial_port() {
    play(
        "a_repeat_finishes_the_job_on_a_board_over_its_serial_port",
        true,
        11,
    );
}
