//! A device on the bench: slots in memory by the machine of `rune_install`, and runes that are a few bytes.

use ed25519_compact::{PublicKey, Signature};
use minicbor::{Encoder, encode::write::Cursor};
use rune_install::{
    Entry, Geometry, Identity, Installer, Name, Options, Pool, ReadFault, Refused, Region, Storage,
    Upload,
};
use rune_smp::{
    Code, Device, Digest, Header, Op, Server, Version,
    device::{
        About, Act, Counters, Doing, ERROR_BYTES, ImageFault, Lock, Part, Refusal, RuneState,
    },
    group,
    settings::Settings,
};
use sha2::{Digest as _, Sha256};

pub(crate) const SLOTS: usize = 5;
pub(crate) const SLOT: usize = 4096;
const AREA: usize = 4096;

/// Memory that is erased and written as flash is.
pub(crate) struct Memory {
    areas: [Vec<u8>; 2],
    slots: [Vec<u8>; SLOTS],
}

impl Memory {
    fn new() -> Self {
        Self {
            areas: [const { Vec::new() }; 2].map(|_: Vec<u8>| vec![0xFF; AREA]),
            slots: [const { Vec::new() }; SLOTS].map(|_: Vec<u8>| vec![0xFF; SLOT]),
        }
    }

    fn region(&mut self, region: Region) -> &mut Vec<u8> {
        match region {
            Region::Area(area) => &mut self.areas[usize::from(area)],
            Region::Slot(slot) => &mut self.slots[usize::from(slot)],
        }
    }
}

impl Storage for Memory {
    type Error = ();

    fn geometry(&self) -> Geometry {
        Geometry {
            word: 4,
            area: AREA as u32,
            slot: SLOT as u32,
            step: 512,
        }
    }

    fn read(&mut self, region: Region, at: u32, into: &mut [u8]) -> Result<(), ReadFault<()>> {
        let at = at as usize;
        into.copy_from_slice(&self.region(region)[at..at + into.len()]);
        Ok(())
    }

    fn write(&mut self, region: Region, at: u32, bytes: &[u8]) -> Result<(), ()> {
        let at = at as usize;
        let place = &mut self.region(region)[at..at + bytes.len()];
        place.iter_mut().zip(bytes).for_each(|(to, b)| *to &= b);
        Ok(())
    }

    fn erase(&mut self, region: Region, from: u32) -> Result<(), ()> {
        self.region(region)[from as usize..].fill(0xFF);
        Ok(())
    }

    fn sync(&mut self, _: Region) -> Result<(), ()> {
        Ok(())
    }
}

type Store = Installer<Memory, Vec<u8>, SLOTS, 8, 8>;

/// The file of a rune: of this name, version and security counter, and so long.
pub(crate) fn rune(name: &str, version: u8, counter: u8, bytes: usize) -> Vec<u8> {
    let mut file = b"\0asm".to_vec();
    file.extend([version, counter, name.len() as u8]);
    file.extend(name.as_bytes());
    file.resize(bytes.max(file.len()), version);
    file
}

pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    Sha256::digest(bytes).into()
}

fn identity(file: &[u8]) -> Option<Identity> {
    let rest = file.strip_prefix(b"\0asm")?;
    let (&[version, counter, length], rest) = rest.split_first_chunk::<3>()?;
    let name = core::str::from_utf8(rest.get(..usize::from(length))?).ok()?;
    Some(Identity {
        name: Name::new(name)?,
        version: [version.into(), 0, 0],
        counter: counter.into(),
    })
}

/// The device.
pub(crate) struct Bench {
    pub(crate) store: Store,
    pub(crate) why: String,
    /// The runes that run, with whether each is wanted and how often it was called.
    pub(crate) running: Vec<(Name, Digest, bool, u32)>,
    /// Confirmed once they are healthy.
    pub(crate) later: Vec<Digest>,
    pub(crate) resets: u32,
    pub(crate) lock: Option<(Lock, [u8; 32])>,
    /// What is set; `None` where it keeps none.
    pub(crate) settings: Option<Settings>,
    /// Whether packets come over a link that only who is near has.
    pub(crate) is_near: bool,
    /// What a file is; that of [`rune`] otherwise.
    pub(crate) identify: fn(&[u8]) -> Option<Identity>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let mut bench = Self {
            store: open(Memory::new()),
            why: String::new(),
            running: vec![],
            later: vec![],
            resets: 0,
            lock: None,
            settings: Some(Settings::NONE),
            is_near: true,
            identify: identity,
        };
        bench.boot();
        bench
    }

    /// As after a reset: only what is in the memory is known.
    pub(crate) fn restart(self) -> Self {
        let mut bench = Self {
            store: open(self.store.into_storage()),
            running: vec![],
            why: String::new(),
            ..self
        };
        bench.boot();
        bench
    }

    fn boot(&mut self) {
        for entry in self.store.pool().slots().to_vec() {
            if matches!(
                entry.phase,
                rune_install::Phase::Trial | rune_install::Phase::Confirmed
            ) {
                self.settle(entry.identity.name);
            }
        }
    }

    /// Runs what is to run under a name, if anything is.
    fn settle(&mut self, name: Name) {
        self.running.retain(|(of, ..)| *of != name);
        if let Some(slot) = self.store.candidate(&name) {
            let digest = self.store.pool().slots()[slot].digest;
            if self.store.start(name, &digest) == Ok(true) {
                self.running.push((name, digest, true, 0));
            }
        }
    }

    /// The runes that run are healthy.
    pub(crate) fn healthy(&mut self) {
        for (name, digest, ..) in self.running.clone() {
            if self.store.well(name, &digest) == Ok(true) && self.later.contains(&digest) {
                self.store.confirm(name).expect("it is in trial");
            }
        }
    }

    pub(crate) fn pool(&self) -> &Pool<SLOTS, 8, 8> {
        self.store.pool()
    }

    fn told<T>(&mut self, result: Result<T, rune_install::Error<()>>) -> Result<T, Refusal> {
        result.map_err(|error| {
            self.why = match &error {
                rune_install::Error::Refused(why) => why.to_string(),
                broken @ (rune_install::Error::Storage(())
                | rune_install::Error::Differs
                | rune_install::Error::Stopped) => format!("{broken:?}"),
            };
            error.into()
        })
    }

    /// Whether the pool is lawful, and nothing runs but what was verified and is whole.
    pub(crate) fn is_whole(&mut self) -> bool {
        let is_lawful = self.pool().is_lawful();
        let running = self.running.clone();
        is_lawful
            && running.iter().all(|(name, digest, ..)| {
                let Some(slot) = self.pool().holding(digest) else {
                    return false;
                };
                let entry = self.pool().slots()[slot];
                let mut bytes = vec![0; entry.bytes as usize];
                let is_read = self.store.read(slot, 0, &mut bytes).is_ok();
                let identity = (self.identify)(&bytes);
                let is_named =
                    identity.is_some_and(|i| i.name == *name && entry.identity.name == *name);
                is_read && is_named && sha256(&bytes) == *digest
            })
    }
}

fn open(memory: Memory) -> Store {
    let options = Options {
        tries: 3,
        strikes: 2,
        format: true,
    };
    let buffer = vec![0; Store::BUFFER_BYTES];
    Store::open(memory, buffer, options).expect("memory works")
}

impl Device for Bench {
    const PACKET_BYTES: u32 = 1024;
    const PACKETS: u32 = 1;

    fn about(&self) -> About<'_> {
        About {
            name: "",
            board: "bench",
            version: "1.0.0",
            abi: 1,
            slot_bytes: SLOT as u32,
            memory_bytes: 1 << 20,
            up_ms: 7,
        }
    }

    fn time(&self, _: &mut [u8; 32]) -> Option<usize> {
        None
    }

    fn lock(&self) -> Option<Lock> {
        self.lock.map(|(lock, _)| lock)
    }

    fn vouches(&mut self, key: &[u8; 32], parts: &[&[u8]], signature: &[u8; 64]) -> bool {
        let is_known = self.lock.is_some_and(|(_, known)| known == *key);
        let signature = Signature::new(*signature);
        is_known
            && PublicKey::new(*key)
                .verify(parts.concat(), &signature)
                .is_ok()
    }

    fn settings(&self) -> Option<Settings> {
        self.settings
    }

    fn keep(&mut self, settings: &Settings) -> Result<(), Refusal> {
        self.settings = Some(*settings);
        let device = [3; 16];
        let lock = settings.keys.iter().flatten().next().map(|key| {
            let nonce = [4; 16];
            (Lock { device, nonce }, *key)
        });
        self.lock = lock.or(self.lock);
        Ok(())
    }

    fn is_near(&self) -> bool {
        self.is_near
    }

    fn reset(&mut self, _: bool) -> Result<(), Refusal> {
        self.resets += 1;
        Ok(())
    }

    fn entries(&self) -> &[Entry] {
        self.store.pool().slots()
    }

    fn begin(&mut self, sha256: &Digest, bytes: u32, anew: bool) -> Result<u32, Refusal> {
        let begun = self.store.begin(*sha256, bytes, anew);
        Ok(match self.told(begun)? {
            Upload::From(offset) => offset,
            Upload::Present => bytes,
        })
    }

    fn part(&mut self, offset: u32, data: &[u8]) -> Result<u32, Refusal> {
        match self.store.chunk(offset, data) {
            Err(rune_install::Error::Refused(Refused::Offset { expected })) => Ok(expected),
            taken => Ok(offset + self.told(taken)?),
        }
    }

    fn end(&mut self) -> Result<(), Refusal> {
        let ended = self.store.end();
        let slot = self.told(ended)?;
        let entry = self.pool().slots()[slot];
        let mut bytes = vec![0; entry.bytes as usize];
        let is_read = self.store.read(slot, 0, &mut bytes).is_ok();
        let fault = match (self.identify)(&bytes) {
            _ if !is_read || sha256(&bytes) != entry.digest => ImageFault::InvalidHash,
            Some(identity) => {
                let verified = self.store.verified(identity);
                return self.told(verified).map(drop);
            }
            None => ImageFault::InvalidImage,
        };
        self.store.refused().expect("it is complete");
        self.why = format!("{fault:?}");
        Err(Refusal::Image(fault))
    }

    fn discard(&mut self, sha256: &Digest) -> Result<(), Refusal> {
        let discarded = self.store.discard(*sha256);
        self.told(discarded).map(drop)
    }

    fn try_out(&mut self, sha256: &Digest, confirm: bool) -> Result<(), Refusal> {
        let slot = self.pool().holding(sha256).expect("the server has seen it");
        let Entry {
            identity, bytes, ..
        } = self.pool().slots()[slot];
        // One that was confirmed before is recalled.
        self.begin(sha256, bytes, false)?;
        if confirm {
            self.later.push(*sha256);
        }
        let started = self.store.start(identity.name, sha256);
        if self.told(started)? {
            self.running.retain(|(of, ..)| *of != identity.name);
            self.running.push((identity.name, *sha256, true, 0));
        } else {
            self.settle(identity.name);
        }
        Ok(())
    }

    fn confirm(&mut self, name: &Name) -> Result<(), Refusal> {
        let confirmed = self.store.confirm(*name);
        self.told(confirmed).map(drop)
    }

    fn rune(&self, index: u32) -> Option<RuneState<'_>> {
        let (name, digest, is_wanted, _) = self.running.get(index as usize)?;
        Some(RuneState {
            name: name.as_str(),
            sha256: *digest,
            doing: if *is_wanted {
                Doing::Running
            } else {
                Doing::Stopped
            },
        })
    }

    fn error(&self, index: u32, into: &mut [u8; ERROR_BYTES]) -> usize {
        into[0] = b'e';
        usize::from(index == 0)
    }

    fn counters(&self, name: Option<&str>) -> Option<Counters> {
        let mut counters = Counters::default();
        let is = |running: &&(Name, Digest, bool, u32)| {
            name.is_none_or(|name| running.0.as_str() == name)
        };
        let calls: u32 = self.running.iter().filter(is).map(|r| r.3).sum();
        if name.is_some() && !self.running.iter().any(|r| is(&r)) {
            return None;
        }
        counters.push("calls", calls.into());
        counters.push("with_output", calls.into());
        Some(counters)
    }

    fn act(&mut self, name: &str, act: Act) -> Result<(), Refusal> {
        let named = Name::new(name).ok_or(Refusal::Code(Code::NoEntry))?;
        match act {
            Act::Rollback => {
                let done = self.store.rollback(named);
                self.told(done)?;
                self.settle(named);
            }
            Act::Remove => {
                let done = self.store.remove(named);
                self.told(done)?;
                self.settle(named);
            }
            Act::Start | Act::Stop | Act::Call => {
                let mut running = self.running.iter_mut();
                let running = running.find(|running| running.0 == named);
                let running = running.ok_or(Refusal::Code(Code::NoEntry))?;
                if act == Act::Call {
                    running.3 += 1;
                } else {
                    running.2 = act == Act::Start;
                }
            }
        }
        Ok(())
    }

    fn lines(&mut self, name: &str, since: u32, into: &mut [u8]) -> Result<Part, Refusal> {
        let is = |running: &&(Name, Digest, bool, u32)| running.0.as_str() == name;
        let running = self.running.iter().find(is);
        let text = running.ok_or(Refusal::Code(Code::NoEntry))?.0;
        let text = text.as_str().as_bytes();
        let rest = text.get(since as usize..).unwrap_or_default();
        let bytes = rest.len().min(into.len());
        into[..bytes].copy_from_slice(&rest[..bytes]);
        Ok(Part {
            bytes,
            mark: since.min(text.len() as u32) + bytes as u32,
        })
    }

    fn manifest(&mut self, sha256: &Digest, offset: u32, into: &mut [u8]) -> Result<Part, Refusal> {
        let slot = self.pool().holding(sha256);
        let slot = slot.ok_or(Refusal::Code(Code::NoEntry))?;
        let all = self.pool().slots()[slot].received;
        let bytes = into.len().min(all.saturating_sub(offset) as usize);
        let read = self.store.read(slot, offset.min(all), &mut into[..bytes]);
        read.map_err(|_| Refusal::Image(ImageFault::Storage))?;
        Ok(Part { bytes, mark: all })
    }

    fn capability(&self, index: u32) -> Option<&str> {
        ["SOUND", "ACCEL"].get(index as usize).copied()
    }

    fn why(&self) -> &str {
        &self.why
    }
}

/// A value of a map.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Number(u32),
    Text(String),
    Bytes(Vec<u8>),
    Truth(bool),
}

/// A packet with a map of these values.
pub(crate) fn packet(op: Op, group: u16, command: u8, values: &[(&str, Value)]) -> Vec<u8> {
    let mut body = Encoder::new(Cursor::new([0; 2048]));
    body.map(values.len() as u64).expect("there is memory");
    for (name, value) in values {
        let body = body.str(name).expect("there is memory");
        match value {
            Value::Number(number) => body.u32(*number),
            Value::Text(text) => body.str(text),
            Value::Bytes(bytes) => body.bytes(bytes),
            Value::Truth(truth) => body.bool(*truth),
        }
        .expect("there is memory");
    }
    let written = body.into_writer();
    let body = &written.get_ref()[..written.position()];
    let header = Header {
        op,
        version: Version::V2,
        group,
        sequence: 5,
        command,
    };
    [&header.encode(body.len() as u16)[..], body].concat()
}

/// A part of an image.
pub(crate) fn upload(file: &[u8], from: usize, most: usize) -> Vec<u8> {
    let data = file[from..].iter().copied().take(most).collect();
    let mut values = vec![
        ("off", Value::Number(from as u32)),
        ("data", Value::Bytes(data)),
    ];
    if from == 0 {
        values.push(("len", Value::Number(file.len() as u32)));
        values.push(("sha", Value::Bytes(sha256(file).to_vec())));
    }
    packet(Op::Write, group::IMAGE, 1, &values)
}

/// Tries an image or says that it stays.
pub(crate) fn set(sha256: Option<&Digest>, confirm: bool) -> Vec<u8> {
    let mut values = vec![("confirm", Value::Truth(confirm))];
    if let Some(sha256) = sha256 {
        values.push(("hash", Value::Bytes(sha256.to_vec())));
    }
    packet(Op::Write, group::IMAGE, 0, &values)
}

/// The map of the reply to a packet.
pub(crate) fn ask(server: &mut Server, bench: &mut Bench, packet: &[u8]) -> Vec<u8> {
    let mut out = [0; 1024];
    let answer = server.handle(packet, bench, &mut out).expect("a request");
    let (_, body) = Header::decode(answer.packet).expect("a reply");
    body.to_vec()
}

/// The number of the general error that a reply is; 0 of one that is none.
pub(crate) fn code(body: &[u8]) -> u16 {
    match body {
        [0xa1, 0x62, b'r', b'c', code] => u16::from(*code),
        // Of a group: {"err": {"rc": ..., "group": ...}}, as 100 and its number.
        [
            0xa1,
            0x63,
            b'e',
            b'r',
            b'r',
            0xa2,
            0x62,
            b'r',
            b'c',
            number @ ..,
        ] => {
            100 + u16::from(if number[0] == 0x18 {
                number[1]
            } else {
                number[0]
            })
        }
        _ => 0,
    }
}

/// Sends a whole file in parts; gives the code of the last reply.
pub(crate) fn send(server: &mut Server, bench: &mut Bench, file: &[u8]) -> u16 {
    let mut at = 0;
    while at < file.len() {
        let body = ask(server, bench, &upload(file, at, 300));
        if code(&body) != 0 {
            return code(&body);
        }
        at = offset(&body);
    }
    0
}

/// Where an upload goes on, by a reply.
pub(crate) fn offset(body: &[u8]) -> usize {
    let mut decoder = minicbor::Decoder::new(body);
    decoder.map().expect("a map");
    assert_eq!(decoder.str().expect("a name"), "off");
    decoder.u32().expect("a number") as usize
}
