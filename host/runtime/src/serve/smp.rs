//! SMP, the protocol that stock clients manage devices by: over UDP, a serial port and Bluetooth, through the store of the folder
//! as everything that installs.

use std::{
    cell::OnceCell,
    fs::{self, File},
    io::{self, Write as _},
    net::{SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak},
    thread,
    time::{Duration, Instant, SystemTime},
};

use rune_install::Name;
use rune_smp::{
    Answer, Code, Device, Digest, Server as Core,
    device::{
        About, Act, Counters, Doing, ERROR_BYTES, ImageFault, Lock, Part, Refusal, RuneState,
    },
    serial,
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{CWD, Mode, OFlags, openat},
    io::Errno,
    rand::{GetRandomFlags, getrandom},
    termios::{OptionalActions, isatty, tcgetattr, tcsetattr},
};

use super::{Phase, Request, ServeError, Server, announce::Announcer, installs::BUSY};
use crate::{
    Limits, Rune, Signer, hex,
    store::{Entry, Phase as State, Refused, StoreError, Upload},
};

/// Most bytes of a request: a datagram that no link of Ethernet cuts.
const PACKET: usize = 1472;
/// Most bytes of a reply: all slots of the store fit.
pub(super) const REPLY: usize = 8 << 10;
/// Most bytes of a packet and what is around it on a serial line.
const SERIAL: usize = PACKET + 4;
/// How long a link waits before it looks whether the server is still there, or tries again what failed.
pub(super) const PAUSE: Duration = Duration::from_millis(200);
/// What a serial port runs at.
const BAUD: u32 = 115_200;
/// The file with the id of this device.
const ID: &str = "device-id";

/// How a server is managed by SMP.
#[derive(Clone, Debug, Default)]
pub struct Manage {
    /// The address of the UDP port: `HOST`, or `HOST:PORT` where the port is not 1337.
    pub udp: Option<String>,
    /// A serial port, or a pseudo terminal.
    pub serial: Option<PathBuf>,
    /// A Bluetooth controller: `tcp:HOST:PORT`, or a serial port.
    pub ble: Option<String>,
    /// Who may change something. Without any, everybody who reaches a link may.
    pub keys: Vec<Signer>,
}

/// What all links of a server share.
pub(super) struct Managed {
    /// Which device it is, of all that there are.
    #[cfg(feature = "ble")]
    pub(super) id: [u8; 16],
    server: Weak<Server>,
    begun: Instant,
    lock: Option<Lock>,
    keys: Vec<Signer>,
    core: Mutex<(Core, String)>,
    /// What it is called.
    name: String,
}

impl Server {
    /// Lets SMP manage it, until it is gone.
    ///
    /// # Errors
    /// Where an address or a port cannot be had.
    pub fn manage(self: &Arc<Self>, how: &Manage) -> Result<(), ServeError> {
        if how.udp.is_none() && how.serial.is_none() && how.ble.is_none() {
            return Ok(());
        }
        let id = id(&self.folder.join(ID))?;
        let lock = if how.keys.is_empty() {
            None
        } else {
            Some(Lock {
                device: id,
                nonce: random().map_err(|e| ServeError::Io(self.folder.clone(), e))?,
            })
        };
        let managed = Arc::new(Managed {
            #[cfg(feature = "ble")]
            id,
            server: Arc::downgrade(self),
            begun: Instant::now(),
            lock,
            keys: how.keys.clone(),
            core: Mutex::new((Core::new(), String::new())),
            // A name has at most 63 bytes.
            name: name(&id, 40),
        });
        let mode = if lock.is_some() { "locked" } else { "open" };
        if let Some(address) = &how.udp {
            let wrong = |e: io::Error| ServeError::Smp(address.clone(), e);
            let socket = bind(address).map_err(wrong)?;
            socket.set_read_timeout(Some(PAUSE)).map_err(wrong)?;
            let bound = socket.local_addr().map_err(wrong)?;
            let over = managed.clone();
            let managed = managed.clone();
            spawn("smp-udp", move || managed.datagrams(&socket)).map_err(wrong)?;
            self.say(3, "", &format!("SMP is at {bound}, {mode}"));
            self.announce(bound, mode, over);
            if lock.is_none() && !bound.ip().is_loopback() {
                let text = "whoever reaches the SMP port may change what runs: give it keys with --smp-key";
                self.say(2, "", text);
            }
        }
        if let Some(path) = &how.serial {
            let wrong = |e: io::Error| ServeError::Io(path.clone(), e);
            let port = port(path).map_err(wrong)?;
            let (managed, path_of) = (managed.clone(), path.clone());
            spawn("smp-serial", move || managed.lines(&path_of, port)).map_err(wrong)?;
            self.say(3, "", &format!("SMP is at {}, {mode}", path.display()));
        }
        if let Some(at) = &how.ble {
            self.advertise(at, mode, managed)?;
        }
        Ok(())
    }
}

impl Server {
    /// Lets it be found on networks. Where that cannot be, it is said and goes on: whoever knows the address gets through.
    fn announce(self: &Arc<Self>, bound: SocketAddr, mode: &'static str, managed: Arc<Managed>) {
        let SocketAddr::V4(at) = bound else {
            return;
        };
        if at.ip().is_loopback() {
            return;
        }
        let name = managed.name.clone();
        let announced = Announcer::new(name.clone(), mode, at)
            .and_then(|announcer| spawn("smp-mdns", move || announcer.run(|| managed.is_over())));
        match announced {
            Ok(()) => self.say(3, "", &format!("it is found on networks as `{name}`")),
            Err(error) => self.say(2, "", &format!("it is not found on networks: {error}")),
        }
    }

    /// Lets it be found by Bluetooth.
    #[cfg(feature = "ble")]
    fn advertise(&self, at: &str, mode: &str, managed: Arc<Managed>) -> Result<(), ServeError> {
        let wrong = |e: io::Error| ServeError::Smp(at.to_owned(), e);
        let line = super::ble::open(at).map_err(wrong)?;
        let name = name(&managed.id, rune_ble::NAME_BYTES - 7);
        let text = format!("SMP is at the Bluetooth controller {at}, {mode}, as `{name}`");
        self.say(3, "", &text);
        if mode == "open" {
            let text = "whoever is near may change what runs: give it keys with --smp-key";
            self.say(2, "", text);
        }
        let at = at.to_owned();
        let run = move || managed.centrals(&at, &name, line);
        spawn("smp-ble", run).map_err(wrong)
    }

    #[cfg(not(feature = "ble"))]
    fn advertise(&self, at: &str, _: &str, _: Arc<Managed>) -> Result<(), ServeError> {
        let error = io::Error::other("it is built without the feature `ble`");
        Err(ServeError::Smp(at.to_owned(), error))
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(run);
    spawned.map(drop)
}

fn random() -> io::Result<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom(&mut bytes, GetRandomFlags::empty())?;
    Ok(bytes)
}

/// The id of this device, which is made once.
fn id(path: &Path) -> Result<[u8; 16], ServeError> {
    let failed = |e| ServeError::Io(path.to_owned(), e);
    match fs::read_to_string(path) {
        Ok(text) => {
            let text = text.trim();
            let digits =
                Some(text).filter(|t| t.len() == 32 && t.bytes().all(|b| b.is_ascii_hexdigit()));
            let number = digits.and_then(|t| u128::from_str_radix(t, 16).ok());
            let number =
                number.ok_or_else(|| failed(io::Error::other("it is no id of 32 digits")))?;
            Ok(number.to_be_bytes())
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let id = random().map_err(failed)?;
            fs::write(path, format!("{}\n", hex(&id))).map_err(failed)?;
            Ok(id)
        }
        Err(e) => Err(failed(e)),
    }
}

/// What a device is called: as its machine, of whose name at most `most` bytes are there, and the begin of its id.
fn name(id: &[u8; 16], most: usize) -> String {
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy().into_owned();
    // Points are between names.
    let host = host.split('.').next().unwrap_or("");
    let host = &host[..host.floor_char_boundary(most)];
    format!("{host}-{}", &hex(id)[..6])
}

/// The socket of an address, which may leave the port out.
fn bind(address: &str) -> io::Result<UdpSocket> {
    match UdpSocket::bind(address) {
        // It is no address with a port.
        Err(e) if e.kind() == io::ErrorKind::InvalidInput => {
            UdpSocket::bind((address, rune_smp::UDP_PORT))
        }
        bound => bound,
    }
}

pub(super) fn port(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let port = openat(CWD, path, flags, Mode::empty())?;
    if !isatty(&port) {
        return Err(io::Error::other("it is not a serial port"));
    }
    let mut form = tcgetattr(&port)?;
    form.make_raw();
    form.set_speed(BAUD)?;
    tcsetattr(&port, OptionalActions::Flush, &form)?;
    Ok(port.into())
}

impl Managed {
    #[cfg(feature = "ble")]
    pub(super) fn say(&self, level: u32, text: &str) {
        if let Some(server) = self.server.upgrade() {
            server.say(level, "", text);
        }
    }

    /// Answers a packet; `None` where nothing is to be sent, or the server is gone.
    pub(super) fn answer<'o>(&self, packet: &[u8], out: &'o mut [u8]) -> Option<Answer<'o>> {
        let server = self.server.upgrade()?;
        let mut held = self.core.lock().unwrap_or_else(PoisonError::into_inner);
        let (core, why) = &mut *held;
        let mut node = Node {
            managed: self,
            server: &server,
            why,
            entries: vec![],
            runes: OnceCell::new(),
        };
        node.look();
        core.handle(packet, &mut node, out)
    }

    pub(super) fn is_over(&self) -> bool {
        self.server.strong_count() == 0
    }

    /// Starts every rune anew, as the device would after a reset.
    pub(super) fn reset(&self) {
        let server = self.server.clone();
        // Nobody waits for it; without a thread nothing is started anew.
        let _ = spawn("smp-reset", move || {
            let Some(server) = server.upgrade() else {
                return;
            };
            let names: Vec<String> = server.units().keys().cloned().collect();
            for name in names {
                server.say(3, &name, "it is started anew, as SMP asked for");
                if let Err(error) = server.reload(&name) {
                    server.say(1, &name, &error.to_string());
                }
            }
        });
    }

    /// Answers datagrams until the server is gone.
    fn datagrams(&self, socket: &UdpSocket) {
        let (mut packet, mut out) = ([0; PACKET + 1], [0; REPLY]);
        while !self.is_over() {
            let (bytes, from): (usize, SocketAddr) = match socket.recv_from(&mut packet) {
                Ok(received) => received,
                Err(e) => {
                    let waits = [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut];
                    if !waits.contains(&e.kind()) {
                        thread::sleep(PAUSE);
                    }
                    continue;
                }
            };
            // What was cut is no packet.
            let Some(answer) = self.answer(&packet[..bytes], &mut out) else {
                continue;
            };
            // What is lost is asked for again.
            let _ = socket.send_to(answer.packet, from);
            if answer.resets {
                self.reset();
            }
        }
    }

    /// Answers what comes over a serial port until the server is gone. A port that is gone is looked for again.
    fn lines(&self, path: &Path, first: File) {
        let mut port = Some(first);
        while !self.is_over() {
            let opened = port.take().map_or_else(|| self::port(path), Ok);
            // Its end is found where it is read again.
            let _ = opened.and_then(|port| self.on_port(&port));
            thread::sleep(PAUSE);
        }
    }

    fn on_port(&self, mut port: &File) -> io::Result<()> {
        let mut decoder = serial::Decoder::<SERIAL>::new();
        let (mut bytes, mut out) = ([0; 512], [0; REPLY]);
        while !self.is_over() {
            if !is_ready(port, PollFlags::IN)? {
                continue;
            }
            let read = match rustix::io::read(port, &mut bytes) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(Errno::AGAIN | Errno::INTR) => continue,
                Err(e) => return Err(e.into()),
            };
            for byte in &bytes[..read] {
                let Some(Ok(packet)) = decoder.take(*byte) else {
                    continue;
                };
                let Some(answer) = self.answer(packet, &mut out) else {
                    continue;
                };
                let mut text = vec![];
                serial::encode(answer.packet, |line| text.extend_from_slice(line));
                send(&mut port, &text)?;
                if answer.resets {
                    self.reset();
                }
            }
        }
        Ok(())
    }
}

pub(super) fn is_ready(port: &File, flags: PollFlags) -> io::Result<bool> {
    let patience = Timespec {
        tv_sec: 0,
        tv_nsec: PAUSE.subsec_nanos().into(),
    };
    match poll(&mut [PollFd::new(port, flags)], Some(&patience)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Writes all of a text, or as much as somebody takes without a pause of some seconds.
fn send(port: &mut &File, text: &[u8]) -> io::Result<()> {
    let (mut at, mut waits) = (0, 0);
    while at < text.len() && waits < 10 {
        match port.write(&text[at..]) {
            Ok(written) => (at, waits) = (at + written, 0),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                waits += u32::from(!is_ready(port, PollFlags::OUT)?);
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// A rune that is served, as it was when somebody asked.
struct Served {
    name: String,
    digest: Digest,
    phase: Phase,
    error: Option<String>,
    record: Vec<u8>,
}

/// The server as a device, while one packet is answered.
struct Node<'a> {
    managed: &'a Managed,
    server: &'a Server,
    why: &'a mut String,
    entries: Vec<Entry>,
    runes: OnceCell<Vec<Served>>,
}

impl Node<'_> {
    /// Looks what is in the slots.
    fn look(&mut self) {
        let entries = self
            .server
            .host
            .installs
            .on(|store| Ok(store.slots().to_vec()));
        self.entries = entries.unwrap_or_default();
    }

    fn runes(&self) -> &[Served] {
        self.runes.get_or_init(|| {
            let units = self.server.units();
            let served = units.iter().map(|(name, unit)| {
                let (phase, record) = unit.record();
                let (digest, error) = unit.told();
                Served {
                    name: name.clone(),
                    digest: from_hex(&digest),
                    phase,
                    error,
                    record,
                }
            });
            served.collect()
        })
    }

    /// Keeps why something was refused.
    fn refused<E: std::fmt::Display + Into<Told>, T>(
        &mut self,
        result: Result<T, E>,
    ) -> Result<T, Refusal> {
        let result = result.map_err(|error| {
            *self.why = error.to_string();
            error.into().0
        });
        self.look();
        result
    }

    fn busy(&mut self) -> Refusal {
        BUSY.clone_into(self.why);
        Refusal::Code(Code::Busy)
    }
}

/// A reason as a code.
struct Told(Refusal);

impl From<StoreError> for Told {
    fn from(error: StoreError) -> Self {
        Self(match error {
            StoreError::Refused(why) => why.into(),
            StoreError::Digest => Refusal::Image(ImageFault::InvalidHash),
            StoreError::Unfit(_) => Refusal::Image(ImageFault::InvalidImage),
            StoreError::Io(_)
            | StoreError::Differs
            | StoreError::Stopped
            | StoreError::Damaged(_)
            | StoreError::Foreign
            | StoreError::Values
            | StoreError::Settings => Refusal::Image(ImageFault::Storage),
        })
    }
}

impl From<ServeError> for Told {
    fn from(error: ServeError) -> Self {
        Self(match error {
            ServeError::NoRune(_) | ServeError::NotInstalled(_) => Refusal::Code(Code::NoEntry),
            ServeError::Store(_, error) => return error.into(),
            ServeError::Load(..) => Refusal::Image(ImageFault::InvalidImage),
            ServeError::Refused(_) | ServeError::Policy(_) => Refusal::Code(Code::BadState),
            ServeError::Io(..)
            | ServeError::Served(_)
            | ServeError::Smp(..)
            | ServeError::Metrics(..) => Refusal::Code(Code::Unknown),
        })
    }
}

/// The digest of 64 digits; zeros of a rune that has none, as it could not be read.
fn from_hex(text: &str) -> Digest {
    let mut digest = [0; 32];
    for (byte, digits) in digest.iter_mut().zip(text.as_bytes().chunks(2)) {
        let digits = str::from_utf8(digits).unwrap_or_default();
        *byte = u8::from_str_radix(digits, 16).unwrap_or(0);
    }
    digest
}

impl Device for Node<'_> {
    const PACKET_BYTES: u32 = PACKET as u32;
    const PACKETS: u32 = 1;

    fn about(&self) -> About<'_> {
        let up = self.managed.begun.elapsed().as_millis();
        About {
            name: &self.managed.name,
            board: "linux",
            version: env!("CARGO_PKG_VERSION"),
            abi: rune_abi::ABI_VERSION.into(),
            slot_bytes: Rune::MOST_BYTES as u32,
            memory_bytes: u32::try_from(Limits::default().memory_bytes).unwrap_or(u32::MAX),
            up_ms: u64::try_from(up).unwrap_or(u64::MAX),
        }
    }

    fn time(&self, into: &mut [u8; 32]) -> Option<usize> {
        let text = humantime::format_rfc3339_micros(SystemTime::now()).to_string();
        let text = text.strip_suffix('Z')?.as_bytes();
        into.get_mut(..text.len())?.copy_from_slice(text);
        Some(text.len())
    }

    fn lock(&self) -> Option<Lock> {
        self.managed.lock
    }

    fn vouches(&mut self, key: &[u8; 32], parts: &[&[u8]], signature: &[u8; 64]) -> bool {
        let mut keys = self.managed.keys.iter();
        keys.any(|known| known.bytes() == key && known.verifies(&parts.concat(), signature))
    }

    fn reset(&mut self, _: bool) -> Result<(), Refusal> {
        Ok(())
    }

    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn begin(&mut self, sha256: &Digest, bytes: u32, anew: bool) -> Result<u32, Refusal> {
        let installs = &self.server.host.installs;
        let Some(_one) = installs.uploading() else {
            return Err(self.busy());
        };
        let begun = installs.on(|store| store.begin(*sha256, bytes.into(), anew));
        Ok(match self.refused(begun)? {
            Upload::From(offset) => offset,
            Upload::Present => bytes,
        })
    }

    fn part(&mut self, offset: u32, data: &[u8]) -> Result<u32, Refusal> {
        let installs = &self.server.host.installs;
        let Some(_one) = installs.uploading() else {
            return Err(self.busy());
        };
        let taken = installs.on(|store| store.append(offset.into(), data));
        match taken {
            Err(StoreError::Refused(Refused::Offset { expected })) => Ok(expected),
            taken => Ok(u32::try_from(self.refused(taken)?).unwrap_or(u32::MAX)),
        }
    }

    fn end(&mut self) -> Result<(), Refusal> {
        let installs = &self.server.host.installs;
        let Some(_one) = installs.uploading() else {
            return Err(self.busy());
        };
        let ended = installs
            .on(|store| store.finish(|bytes| crate::store::identity(&installs.judge(bytes)?.rune)));
        self.refused(ended).map(drop)
    }

    fn discard(&mut self, sha256: &Digest) -> Result<(), Refusal> {
        let discarded = self.server.host.installs.on(|store| store.discard(*sha256));
        self.refused(discarded)
    }

    fn try_out(&mut self, sha256: &Digest, confirm: bool) -> Result<(), Refusal> {
        let installs = &self.server.host.installs;
        let found = installs.on(|store| {
            let held = store.slots().iter().find(|slot| slot.digest == *sha256);
            let bytes = held.map_or(0, |slot| slot.bytes);
            // One that was confirmed before is recalled.
            store.begin(*sha256, bytes.into(), false)?;
            let held = store.slots().iter().find(|slot| slot.digest == *sha256);
            let slot = *held.ok_or(StoreError::Refused(Refused::Unknown))?;
            let is_new = slot.phase == State::Verified;
            let bytes = is_new.then(|| store.bytes(sha256)).transpose()?;
            Ok((slot, bytes))
        });
        let (slot, bytes) = self.refused(found)?;
        let launch = bytes.map(|bytes| installs.judge(bytes)).transpose();
        let launch = launch.map_err(StoreError::Unfit);
        let launch = self.refused(launch)?;
        let name = slot.identity.name;
        let placed = self.server.place(name.as_str(), *sha256, confirm, launch);
        self.refused(placed)
    }

    fn confirm(&mut self, name: &Name) -> Result<(), Refusal> {
        let confirmed = self.server.confirm(name.as_str());
        self.refused(confirmed)
    }

    fn rune(&self, index: u32) -> Option<RuneState<'_>> {
        let served = self.runes().get(index as usize)?;
        Some(RuneState {
            name: &served.name,
            sha256: served.digest,
            doing: match served.phase {
                Phase::Starting | Phase::Running => Doing::Running,
                Phase::Waiting => Doing::Waiting,
                Phase::Stopped | Phase::Refused => Doing::Stopped,
                Phase::Ended => Doing::Ended,
            },
        })
    }

    fn error(&self, index: u32, into: &mut [u8; ERROR_BYTES]) -> usize {
        let served = self.runes().get(index as usize);
        let text = served
            .and_then(|served| served.error.as_deref())
            .unwrap_or_default();
        let text = &text.as_bytes()[..text.floor_char_boundary(ERROR_BYTES)];
        into[..text.len()].copy_from_slice(text);
        text.len()
    }

    fn counters(&self, name: Option<&str>) -> Option<Counters> {
        let mut of = self.runes().iter();
        let mut total = rune_saga::Counters::default();
        let (mut count, mut peak) = (0, 0);
        for served in of
            .by_ref()
            .filter(|s| name.is_none_or(|name| s.name == name))
        {
            count += 1;
            if let Ok(saga) = rune_saga::Snapshot::decode(&served.record) {
                total.merge(&saga.total);
                peak += saga.memory_peak_bytes;
            }
        }
        if name.is_some() && count == 0 {
            return None;
        }
        let mut counters = Counters::default();
        counters.push("runes", count);
        counters.push("starts", total.starts);
        counters.push("with_output", total.with_output);
        counters.push("without_output", total.without_output);
        counters.push("failed", total.failed_calls());
        counters.push("overruns", total.overruns);
        counters.push("memory_peak", peak);
        Some(counters)
    }

    fn act(&mut self, name: &str, act: Act) -> Result<(), Refusal> {
        let rune = name.to_owned();
        let answer = self.server.answer(match act {
            Act::Start => Request::Start { rune },
            Act::Stop => Request::Stop { rune },
            Act::Call => Request::Trigger { rune },
            Act::Rollback => Request::Rollback { rune },
            Act::Remove => Request::Remove { rune },
        });
        self.refused(answer).map(drop)
    }

    fn lines(&mut self, name: &str, since: u32, into: &mut [u8]) -> Result<Part, Refusal> {
        let said = self
            .server
            .with(name, |unit| unit.log().since(since.into()));
        let mut part = Part {
            bytes: 0,
            mark: since,
        };
        for entry in self.refused(said)? {
            let line = format!("{} {}\n", entry.level, entry.text);
            // One that never fits is cut.
            let line = &line.as_bytes()[..line.len().min(into.len())];
            let Some(room) = into[part.bytes..].get_mut(..line.len()) else {
                break;
            };
            room.copy_from_slice(line);
            part.bytes += line.len();
            part.mark = u32::try_from(entry.number + 1).unwrap_or(u32::MAX);
        }
        Ok(part)
    }

    fn manifest(&mut self, sha256: &Digest, offset: u32, into: &mut [u8]) -> Result<Part, Refusal> {
        let bytes = self.server.host.installs.on(|store| store.bytes(sha256));
        let rune = Rune::load(self.refused(bytes)?).map_err(|e| StoreError::Unfit(e.to_string()));
        let manifest = self.refused(rune)?.manifest_bytes();
        let rest = manifest.get(offset as usize..).unwrap_or_default();
        let bytes = rest.len().min(into.len());
        into[..bytes].copy_from_slice(&rest[..bytes]);
        Ok(Part {
            bytes,
            mark: manifest.len() as u32,
        })
    }

    fn capability(&self, index: u32) -> Option<&str> {
        let kind = rune_abi::CAPABILITIES.get(index as usize)?;
        Some(kind.name)
    }

    fn why(&self) -> &str {
        short(self.why)
    }
}

/// As much of a text as has room in a reply.
fn short(text: &str) -> &str {
    const MOST: usize = 1024;
    &text[..text.floor_char_boundary(MOST)]
}
