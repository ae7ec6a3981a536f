//! Asks a device, and asks again until it answers.

use std::{fmt, io, time::Duration};

use minicbor::{Decoder, Encoder, data::Type};
use rune_smp::{Digest, Fields, Header, Op, Version, device::Lock, group, own, settings};
use rune_trust::SecretKey;

use crate::link::Link;

/// Why a device did not do what it was asked.
#[derive(Debug)]
pub enum Error {
    /// The link does not work.
    Link(io::Error),
    /// Nothing has come back.
    Silent,
    /// It refused.
    Refused(Refused),
    /// What came back is no answer to what was asked; says what is missing.
    Answer(&'static str),
}

/// The refusal of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Whose number it is; `None` of one that all groups have.
    pub group: Option<u16>,
    /// The number.
    pub code: u32,
    /// In the words of the device; empty where it has none.
    pub why: String,
}

impl Refused {
    /// Whether the device is locked, and the request not signed by a key that it has.
    pub fn is_denied(&self) -> bool {
        self.group.is_none() && self.code == 11
    }

    /// Whether there is nothing of the kind.
    pub fn is_absent(&self) -> bool {
        self.group.is_none() && self.code == 5
    }

    /// Whether what has arrived is not what was announced.
    fn is_damage(&self) -> bool {
        (self.group, self.code) == (Some(group::IMAGE), 24)
    }

    /// Whether another state than the one that was thought of explains it.
    fn is_of_state(&self) -> bool {
        self.group.is_none() && matches!(self.code, 3 | 5 | 6)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match (self.group, self.code) {
            (None, 2) => "it has no memory for that",
            (None, 3) => "it does not understand that",
            (None, 5) => "there is no such thing on it",
            (None, 6) => "it cannot do that in the state it is in",
            (None, 7) => "the packet is too long for it",
            (None, 8) => "it does not support that",
            (None, 9) => "its storage is damaged",
            (None, 10) => "it is busy",
            (None, 11) => "it is locked, and wants that signed by a key it has; see `--key`",
            (Some(group::IMAGE), 9) => "all its slots are taken",
            (Some(group::IMAGE), 22) => "it does not take this rune",
            (Some(group::IMAGE), 23) => "it takes runes, and this is none",
            (Some(group::IMAGE), 24) => "what arrived is not what was sent",
            (Some(group::IMAGE), 27) => "it has a newer one",
            (Some(group::IMAGE), 30) => "it is too large for its slots",
            (Some(group::SETTINGS), 1) => "it does not take this value",
            (Some(group::SETTINGS), 3) => "it has no such setting",
            (Some(group::SETTINGS), 4) => "it does not say that",
            (Some(group::SETTINGS), 6 | 7) => "it does not take that",
            (Some(group::IMAGE), 32) => {
                "it was rolled back too often; `--anew` lets it be tried again"
            }
            _ => "it refuses",
        };
        f.write_str(text)?;
        if !matches!(
            (self.group, self.code),
            (None, 2..=11) | (Some(group::IMAGE | group::SETTINGS), _)
        ) {
            write!(f, " with code {}", self.code)?;
        }
        if self.why.is_empty() {
            return Ok(());
        }
        write!(f, ": {}", self.why)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link(error) => write!(f, "the link does not work: {error}"),
            Self::Silent => f.write_str("it does not answer"),
            Self::Refused(refused) => refused.fmt(f),
            Self::Answer(what) => write!(f, "its answer has {what}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Link(error)
    }
}

/// How long a client waits for an answer before it asks again, and how often it asks.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// The first time; it doubles each time, up to two seconds.
    pub first: Duration,
    /// How often.
    pub tries: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(300),
            tries: 10,
        }
    }
}

/// What a device is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// What it is called.
    pub name: String,
    /// Its board.
    pub board: String,
    /// The version of its runtime.
    pub version: String,
    /// The version of the contract with runes that it keeps.
    pub abi: u32,
    /// How many runes it has room for.
    pub slots: u32,
    /// Most bytes of a rune.
    pub slot_bytes: u32,
    /// Most bytes of memory of a rune.
    pub memory_bytes: u32,
    /// Milliseconds since its start.
    pub up_ms: u64,
    /// Of a locked device its id, the nonce of this start, and the number of the last signed request.
    pub lock: Option<(Lock, u32)>,
}

/// A rune on a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuneState {
    /// Its name.
    pub name: String,
    /// SHA-256 of its file.
    pub sha256: Digest,
    /// What it does: `running`, `waiting`, `stopped` or `ended`.
    pub doing: String,
    /// What its slot is, such as `trial` or `confirmed`; empty where it has none.
    pub state: String,
    /// Its version.
    pub version: Option<[u32; 3]>,
    /// How often it was started since it was last healthy.
    pub attempts: u32,
    /// Why it failed last; empty where it did not.
    pub error: String,
}

/// Who signs requests to a locked device.
struct Signing {
    key: SecretKey,
    lock: Lock,
    sequence: u32,
}

/// A device at the other end of a link.
pub struct Client<L> {
    link: L,
    sequence: u8,
    patience: Patience,
    packet_bytes: usize,
    signing: Option<Signing>,
}

impl<L: Link> Client<L> {
    /// Nothing is asked yet. The first number of requests is to be another one for each client, so that late answers to
    /// another one are none to it.
    pub fn new(link: L, first: u8, patience: Patience) -> Self {
        let packet_bytes = link.packet_bytes();
        Self {
            link,
            sequence: first,
            patience,
            packet_bytes,
            signing: None,
        }
    }

    /// The link.
    pub fn link(&mut self) -> &mut L {
        &mut self.link
    }

    /// Asks what the device is, and how long packets may be.
    ///
    /// # Errors
    /// It does not answer, or is no device with runes.
    pub fn meet(&mut self) -> Result<About, Error> {
        let body = self.read(group::OS, 6, |_| {})?;
        if let Ok(Some(most)) = fields(&body)?.optional_number("buf_size") {
            self.packet_bytes = self.packet_bytes.min(most as usize);
        }
        self.about()
    }

    /// Signs what may change something from now on, where the device is locked.
    ///
    /// # Errors
    /// It does not answer.
    pub fn sign_with(&mut self, key: SecretKey) -> Result<(), Error> {
        if let Some((lock, sequence)) = self.about()?.lock {
            self.signing = Some(Signing {
                key,
                lock,
                sequence,
            });
        }
        Ok(())
    }

    /// What the device is.
    ///
    /// # Errors
    /// It does not answer.
    pub fn about(&mut self) -> Result<About, Error> {
        let body = self.read(own::GROUP, own::command::ABOUT, |_| {})?;
        let map = fields(&body)?;
        let number = |name| map.optional_number(name).ok().flatten().unwrap_or(0);
        let text = |name| map.optional_text(name).ok().flatten().unwrap_or_default();
        let board = text("board").to_owned();
        let fixed =
            |name| -> Option<[u8; 16]> { map.optional_bytes(name).ok().flatten()?.try_into().ok() };
        let lock = match (text("mode"), fixed("id"), fixed("nonce")) {
            ("locked", Some(device), Some(nonce)) => Some((Lock { device, nonce }, number("seq"))),
            ("locked", ..) => return Err(Error::Answer("no id though it is locked")),
            _ => None,
        };
        let name = Some(text("name")).filter(|name| !name.is_empty());
        let up_ms = map.at("up_ms").and_then(|mut value| value.u64().ok());
        Ok(About {
            name: name.unwrap_or(&board).to_owned(),
            version: text("version").to_owned(),
            abi: number("abi"),
            slots: number("slots"),
            slot_bytes: number("slot_bytes"),
            memory_bytes: number("memory_bytes"),
            up_ms: up_ms.unwrap_or(0),
            lock,
            board,
        })
    }

    /// The kinds of capabilities that it has.
    ///
    /// # Errors
    /// It does not answer.
    pub fn capabilities(&mut self) -> Result<Vec<String>, Error> {
        self.list(own::command::CAPABILITY, |map| {
            map.optional_text("kind").ok().flatten().map(str::to_owned)
        })
    }

    /// Its runes.
    ///
    /// # Errors
    /// It does not answer.
    pub fn runes(&mut self) -> Result<Vec<RuneState>, Error> {
        self.list(own::command::RUNE, |map| {
            let text = |name| {
                let text = map.optional_text(name).ok().flatten();
                text.unwrap_or_default().to_owned()
            };
            let hash = map.optional_bytes("hash").ok().flatten()?;
            let version = map.at("version").and_then(|mut value| {
                value.array().ok()?;
                let mut number = || value.u32().ok();
                Some([number()?, number()?, number()?])
            });
            Some(RuneState {
                name: text("name"),
                sha256: hash.try_into().ok()?,
                doing: text("doing"),
                state: text("state"),
                version,
                attempts: map.optional_number("attempts").ok().flatten().unwrap_or(0),
                error: text("error"),
            })
        })
    }

    /// Whatever is numbered from 0 until there is no more.
    fn list<T>(
        &mut self,
        command: u8,
        item: impl Fn(Fields<'_>) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        /// More no device has.
        const MOST: u32 = 256;
        let mut all = vec![];
        for index in 0..MOST {
            let asked = self.read(own::GROUP, command, |map| {
                map.number("i", index);
            });
            match asked {
                Ok(body) => {
                    let item = item(fields(&body)?);
                    all.push(item.ok_or(Error::Answer("not what was asked for"))?);
                }
                Err(Error::Refused(refused)) if refused.is_absent() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    /// The counters of a rune, or of all of them together.
    ///
    /// # Errors
    /// It does not answer, or has no such rune.
    pub fn counters(&mut self, name: Option<&str>) -> Result<Vec<(String, u64)>, Error> {
        let body = self.read(group::STATISTICS, 0, |map| {
            map.text("name", name.unwrap_or("rune"));
        })?;
        let wrong = |_| Error::Answer("no counters");
        let mut value = fields(&body)?
            .at("fields")
            .ok_or(Error::Answer("no counters"))?;
        let count = value.map().map_err(wrong)?;
        let mut all = vec![];
        while count.is_none_or(|count| (all.len() as u64) < count) {
            if count.is_none() && value.datatype().map_err(wrong)? == Type::Break {
                break;
            }
            let name = value.str().map_err(wrong)?.to_owned();
            all.push((name, value.u64().map_err(wrong)?));
        }
        Ok(all)
    }

    /// What a rune wrote and said since a mark, 0 for all that is there; and the next mark.
    ///
    /// # Errors
    /// It does not answer, or has no such rune.
    pub fn lines(&mut self, name: &str, since: u32) -> Result<(Vec<u8>, u32), Error> {
        let body = self.read(own::GROUP, own::command::LINES, |map| {
            map.text("name", name).number("since", since);
        })?;
        let map = fields(&body)?;
        let text = map.optional_bytes("text").ok().flatten();
        let next = map.optional_number("next").ok().flatten();
        let next = next.ok_or(Error::Answer("no mark"))?;
        Ok((text.unwrap_or_default().to_vec(), next))
    }

    /// Uploads a file, from where an earlier upload of it ended. `anew` forgets that it was rolled back. `show` is told how
    /// many bytes are there.
    ///
    /// # Errors
    /// It does not answer for a while, or refuses the file.
    pub fn upload(
        &mut self,
        file: &[u8],
        sha256: &Digest,
        anew: bool,
        mut show: impl FnMut(usize),
    ) -> Result<(), Error> {
        /// What of a packet is not data: header, names, lengths, and with a signature around it that, too.
        const AROUND: usize = 96;
        const SIGNATURE: usize = 192;
        /// How often the offset may stay where it is.
        const STUCK: u32 = 16;
        let room = |around: usize| self.packet_bytes.saturating_sub(around).max(16);
        let (first, then) = (room(AROUND + SIGNATURE), room(AROUND));
        let length = u32::try_from(file.len()).map_err(|_| Error::Answer("no room for 4 GB"))?;
        let (mut at, mut stuck) = (0, 0);
        let mut is_whole = false;
        loop {
            let most = if at == 0 { first } else { then };
            let data = &file[at..file.len().min(at + most)];
            let asked = if at == 0 {
                self.begin(length, sha256, anew, data)
            } else {
                // Only the first part must be signed: it announces the digest of all.
                self.ask(Op::Write, group::IMAGE, 1, false, &|map: &mut Body| {
                    map.number("off", at as u32).bytes("data", data);
                })
            };
            let body = match asked {
                Ok(body) => body,
                // A part came twice, or the device has started anew: where to go on is asked.
                Err(Error::Refused(refused))
                    if at > 0 && refused.is_of_state() && stuck < STUCK =>
                {
                    self.begin(length, sha256, false, &[])?
                }
                // Some of it was there before, and not as it was sent: it is sent whole, once.
                // So where what announced it came changed, which the device has to forget.
                Err(Error::Refused(refused))
                    if !is_whole && (refused.is_damage() || at == 0 && refused.is_of_state()) =>
                {
                    if !refused.is_damage() {
                        self.forget()?;
                    }
                    is_whole = true;
                    (at, stuck) = (0, 0);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let map = fields(&body)?;
            let next = match map.optional_number("off") {
                Ok(Some(next)) => next as usize,
                // A signed request that was done, and whose answer was lost; or it came changed.
                _ => at,
            };
            let next = if next > file.len() { at } else { next };
            stuck = if next > at { 0 } else { stuck + 1 };
            if stuck > STUCK {
                return Err(Error::Answer("no progress"));
            }
            at = next;
            show(at);
            if at == file.len() {
                return Ok(());
            }
        }
    }

    /// Gives up what was uploaded and is not tried.
    fn forget(&mut self) -> Result<(), Error> {
        self.write(group::IMAGE, 5, |_| {}).map(drop)
    }

    /// The first part of an upload, which says what it is.
    fn begin(
        &mut self,
        length: u32,
        sha256: &Digest,
        anew: bool,
        data: &[u8],
    ) -> Result<Vec<u8>, Error> {
        self.write(group::IMAGE, 1, |map| {
            map.number("len", length)
                .number("off", 0)
                .bytes("sha", sha256)
                .bytes("data", data)
                .number("image", 0);
            if anew {
                map.flag("anew");
            }
        })
    }

    /// A rune that was uploaded is tried, or stays.
    ///
    /// # Errors
    /// It does not answer, or refuses.
    pub fn set(&mut self, sha256: &Digest, confirm: bool) -> Result<(), Error> {
        self.write(group::IMAGE, 0, |map| {
            map.bytes("hash", sha256);
            if confirm {
                map.flag("confirm");
            }
        })
        .map(drop)
    }

    /// Does one of the commands of [`own`] with a rune; only if this one runs under the name, where a digest is given.
    ///
    /// # Errors
    /// It does not answer, or refuses.
    pub fn act(&mut self, command: u8, name: &str, sha256: Option<&Digest>) -> Result<(), Error> {
        self.write(own::GROUP, command, |map| {
            map.text("name", name);
            if let Some(sha256) = sha256 {
                map.bytes("hash", sha256);
            }
        })
        .map(drop)
    }

    /// The name that somebody has given it; empty where nobody has.
    ///
    /// # Errors
    /// It does not answer, or keeps no settings.
    pub fn name(&mut self) -> Result<String, Error> {
        let body = self.read(group::SETTINGS, 0, |map| {
            map.text("name", settings::name::NAME);
        })?;
        let value = fields(&body)?.optional_bytes("val").ok().flatten();
        let value = value.ok_or(Error::Answer("no value"))?;
        Ok(String::from_utf8_lossy(value).into_owned())
    }

    /// Writes a setting, which counts once it is [committed](Self::commit).
    ///
    /// # Errors
    /// It does not answer, or refuses.
    pub fn setting(&mut self, name: &str, value: &[u8]) -> Result<(), Error> {
        self.write(group::SETTINGS, 0, |map| {
            map.text("name", name).bytes("val", value);
        })
        .map(drop)
    }

    /// Lets all settings count that were written.
    ///
    /// # Errors
    /// It does not answer, or refuses.
    pub fn commit(&mut self) -> Result<(), Error> {
        match self.write(group::SETTINGS, 2, |_| {}) {
            // Its first key was set, its answer got lost, and it was asked again: it is locked now.
            Err(Error::Refused(refused)) if refused.is_denied() && self.signing.is_none() => {
                match self.about()?.lock {
                    Some(_) => Ok(()),
                    None => Err(Error::Refused(refused)),
                }
            }
            done => done.map(drop),
        }
    }

    /// Starts the device anew.
    ///
    /// # Errors
    /// It refuses. That it does not answer is none: it may be gone already.
    pub fn reset(&mut self) -> Result<(), Error> {
        match self.write(group::OS, 5, |_| {}) {
            Ok(_) | Err(Error::Silent) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn read(
        &mut self,
        group: u16,
        command: u8,
        body: impl Fn(&mut Body),
    ) -> Result<Vec<u8>, Error> {
        self.ask(Op::Read, group, command, false, &body)
    }

    fn write(
        &mut self,
        group: u16,
        command: u8,
        body: impl Fn(&mut Body),
    ) -> Result<Vec<u8>, Error> {
        self.ask(Op::Write, group, command, true, &body)
    }

    /// Asks until an answer comes; gives its map.
    fn ask(
        &mut self,
        op: Op,
        group: u16,
        command: u8,
        is_signed: bool,
        body: &dyn Fn(&mut Body),
    ) -> Result<Vec<u8>, Error> {
        self.sequence = self.sequence.wrapping_add(1);
        let header = Header {
            op,
            version: Version::V2,
            group,
            sequence: self.sequence,
            command,
        };
        let plain = packet(header, &Body::of(body))?;
        let (header, packet, signed) = match &mut self.signing {
            Some(signing) if is_signed => {
                let (header, packet) = signing.sign(header, &plain)?;
                (header, packet, Some(signing.sequence))
            }
            _ => (header, plain, None),
        };
        let mut wait = self.patience.first;
        for attempt in 0..self.patience.tries {
            self.link.send(&packet)?;
            let answered = self.answer(header, wait)?;
            wait = (wait * 2).min(Duration::from_secs(2));
            let Some(body) = answered else {
                continue;
            };
            let Some(mut refused) = refusal(&body)? else {
                return Ok(body);
            };
            // What was asked before was done, and its answer lost: a number counts once.
            if let Some(sequence) = signed.filter(|_| attempt > 0 && refused.is_denied())
                && let Some((_, reached)) = self.about()?.lock
                && reached >= sequence
            {
                return Ok(vec![]);
            }
            if matches!(group, group::IMAGE | group::SETTINGS)
                || group == own::GROUP && command != own::command::WHY
            {
                refused.why = self.why();
            }
            return Err(Error::Refused(refused));
        }
        Err(Error::Silent)
    }

    /// The map of the answer to a request, where it comes in time.
    fn answer(&mut self, asked: Header, wait: Duration) -> Result<Option<Vec<u8>>, Error> {
        let until = self.link.now() + wait;
        loop {
            let left = until.saturating_sub(self.link.now());
            if left.is_zero() {
                return Ok(None);
            }
            let Some(packet) = self.link.receive(left)? else {
                return Ok(None);
            };
            let Some((header, body)) = Header::decode(&packet) else {
                continue;
            };
            let is_answer = Some(header.op) == asked.op.reply()
                && header.sequence == asked.sequence
                && (header.group, header.command) == (asked.group, asked.command);
            if is_answer {
                return Ok(Some(body.to_vec()));
            }
        }
    }

    /// Why it refused, in its words.
    fn why(&mut self) -> String {
        let body = self.read(own::GROUP, own::command::WHY, |_| {});
        let body = body.unwrap_or_default();
        let why = fields(&body)
            .ok()
            .and_then(|map| map.optional_text("why").ok().flatten());
        why.unwrap_or_default().to_owned()
    }
}

impl Signing {
    /// The request around a packet, which says that this key wants it.
    fn sign(&mut self, inner: Header, frame: &[u8]) -> Result<(Header, Vec<u8>), Error> {
        self.sequence += 1;
        let parts = [
            &own::DOMAIN[..],
            &self.lock.device,
            &self.lock.nonce,
            &self.sequence.to_be_bytes(),
            frame,
        ];
        let signature = self.key.raw(&parts.concat());
        let body = Body::of(&|map: &mut Body| {
            map.bytes("id", &self.lock.device)
                .bytes("nonce", &self.lock.nonce)
                .number("seq", self.sequence)
                .bytes("frame", frame)
                .bytes("key", self.key.signer().bytes())
                .bytes("sig", &signature);
        });
        let header = Header {
            group: own::GROUP,
            command: own::command::SIGNED,
            op: Op::Write,
            ..inner
        };
        let packet = packet(header, &body)?;
        Ok((header, packet))
    }
}

/// A vector takes every byte.
const NEVER: &str = "a vector takes everything";

/// A map that is written: names with values.
struct Body {
    count: u8,
    bytes: Vec<u8>,
}

impl Body {
    /// The bytes of a map.
    fn of(write: &dyn Fn(&mut Self)) -> Vec<u8> {
        let mut body = Self {
            count: 0,
            bytes: vec![],
        };
        write(&mut body);
        // A map of fewer than 24 names: the number is in its first byte.
        body.bytes.insert(0, 0xA0 | body.count);
        body.bytes
    }

    fn name(&mut self, name: &str) -> Encoder<&mut Vec<u8>> {
        self.count += 1;
        let mut encoder = Encoder::new(&mut self.bytes);
        encoder.str(name).expect(NEVER);
        encoder
    }

    fn number(&mut self, name: &str, value: u32) -> &mut Self {
        self.name(name).u32(value).expect(NEVER);
        self
    }

    fn bytes(&mut self, name: &str, value: &[u8]) -> &mut Self {
        self.name(name).bytes(value).expect(NEVER);
        self
    }

    fn text(&mut self, name: &str, value: &str) -> &mut Self {
        self.name(name).str(value).expect(NEVER);
        self
    }

    fn flag(&mut self, name: &str) -> &mut Self {
        self.name(name).bool(true).expect(NEVER);
        self
    }
}

fn packet(header: Header, body: &[u8]) -> Result<Vec<u8>, Error> {
    let length =
        u16::try_from(body.len()).map_err(|_| Error::Answer("no room for so long a packet"))?;
    Ok([&header.encode(length)[..], body].concat())
}

fn fields(body: &[u8]) -> Result<Fields<'_>, Error> {
    Fields::new(body).map_err(|_| Error::Answer("no map"))
}

/// What an answer says of an error.
fn refusal(body: &[u8]) -> Result<Option<Refused>, Error> {
    let map = fields(body)?;
    let own = map.at("err").and_then(|mut value| group_error(&mut value));
    if let Some((group, code)) = own {
        return Ok(Some(Refused {
            group: Some(group),
            code,
            why: String::new(),
        }));
    }
    let code = map
        .optional_number("rc")
        .ok()
        .flatten()
        .filter(|code| *code != 0);
    Ok(code.map(|code| Refused {
        group: None,
        code,
        why: String::new(),
    }))
}

fn group_error(value: &mut Decoder<'_>) -> Option<(u16, u32)> {
    let (mut group, mut code) = (None, None);
    for _ in 0..value.map().ok()?? {
        match value.str().ok()? {
            "group" => group = Some(value.u16().ok()?),
            "rc" => code = Some(value.u32().ok()?),
            _ => value.skip().ok()?,
        }
    }
    Some((group?, code?))
}
