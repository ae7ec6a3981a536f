//! What host and board say to each other, as the payloads of frames. Little-endian.
//!
//! | request | |
//! |---|---|
//! | number, code | u8, u8 |
//! | its fields | in the order in which they are declared |
//!
//! A reply is the number of its request, a code and its fields likewise. The last field may be bytes or text, which
//! go to the end.

use crate::{
    frame::PAYLOAD_BYTES,
    install::{Install, Installed},
    run::{Run, Rune},
    sensor::{Play, Played},
};

/// Most bytes of data in one request or reply.
pub const DATA_BYTES: usize = PAYLOAD_BYTES - 8;

/// SHA-256 of a rune's bytes.
pub type Digest = [u8; 32];

/// A payload that says nothing we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// What a host asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Request<'a> {
    /// Who is there? [`Reply::About`].
    About,
    /// What concerns the slots of the board, see [`Install`].
    Install(Install<'a>),
    /// What concerns the rune in a place, see [`Run`].
    Run {
        /// Its place, from 0.
        place: u8,
        /// What is asked.
        run: Run,
    },
    /// The next part of the next sample of a capability, see its type in the manifest. [`Reply::Done`].
    Feed {
        /// Place of the rune.
        place: u8,
        /// Its place in the manifest.
        capability: u8,
        /// Of the first byte.
        offset: u32,
        /// At most [`DATA_BYTES`].
        data: &'a [u8],
    },
    /// How the board is. [`Reply::Status`].
    Status,
    /// Lets the runtime fail, in builds for tests. Not answered, as the board starts anew.
    Crash(Crash),
    /// Lets the flash stop for ever, in builds for tests, as if the power were cut: after so many operations. One is a
    /// page that is programmed or a sector that is erased. [`Reply::Done`].
    StopFlash {
        /// Operations that are done before.
        after: u32,
        /// The next one is done by half.
        is_torn: bool,
    },
    /// Checksums of what no rune may change, whatever it is, in builds for tests: a word for each. [`Reply::Text`].
    Sums,
    /// Starts the board anew. Not answered.
    Reset,
    /// Something of the sensors that the host plays.
    Play(Play<'a>),
}

/// What a board answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    /// It is done.
    Done,
    /// It is not done, for this reason, without a final full stop.
    Refused(&'a str),
    /// Who is there.
    About(About<'a>),
    /// Where an upload goes on; it is complete where that is its end.
    Upload {
        /// Of the next byte.
        offset: u32,
    },
    /// What is in a slot.
    Installed(Installed<'a>),
    /// Where a rune runs.
    Place(u8),
    /// How a rune is.
    Rune(Rune<'a>),
    /// Lines, or a part of them.
    Text(&'a [u8]),
    /// How the board is.
    Status(Status<'a>),
    /// How a sensor is that the host plays.
    Played(Played),
}

/// Who a board is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About<'a> {
    /// [`PROTOCOL`](crate::PROTOCOL).
    pub protocol: u16,
    /// Version of the contract with runes that it keeps.
    pub abi: u16,
    /// Slots for runes.
    pub slots: u8,
    /// Runes that can run at once.
    pub places: u8,
    /// Most bytes of a rune.
    pub slot_bytes: u32,
    /// Name of the board.
    pub board: &'a str,
}

/// How a board is. Bytes are of its memory, without the linear memory of runes where that is apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status<'a> {
    /// Nanoseconds since the start.
    pub time_ns: u64,
    /// Bytes of the heap that are in use.
    pub heap_bytes: u32,
    /// Most bytes of the heap that ever were.
    pub heap_most_bytes: u32,
    /// Bytes of the whole heap.
    pub heap_all_bytes: u32,
    /// Most bytes of the stack that ever were in use.
    pub stack_most_bytes: u32,
    /// Bytes of the whole stack.
    pub stack_all_bytes: u32,
    /// Bytes from the host that came too fast.
    pub lost_bytes: u32,
    /// Frames from the host that were damaged.
    pub broken_frames: u32,
    /// Bytes of output that nobody fetched in time.
    pub lost_text_bytes: u32,
    /// Why the run before this one ended, where it failed.
    pub reason: Option<Reason<'a>>,
}

/// How a runtime failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// A panic.
    Panic = 1,
    /// A fault that could not be handled as what it was.
    HardFault,
    /// The memory protection unit forbade an access.
    MemManage,
    /// There is nothing at an address.
    BusFault,
    /// No instruction, or one that is not allowed.
    UsageFault,
    /// It did not feed the watchdog.
    Watchdog,
    /// The stack ran into its end. As a reason it is a [`MemManage`](Self::MemManage) or a
    /// [`HardFault`](Self::HardFault).
    Stack,
    /// The heap was full. As a reason it is a [`Panic`](Self::Panic).
    Heap,
    /// Its links no longer went on, while runes did. As a reason it is a [`Watchdog`](Self::Watchdog).
    Links,
}

impl Crash {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::Panic,
        Self::HardFault,
        Self::MemManage,
        Self::BusFault,
        Self::UsageFault,
        Self::Watchdog,
        Self::Stack,
        Self::Heap,
        Self::Links,
    ];

    /// What it is called on the console.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::HardFault => "hard fault",
            Self::MemManage => "memory fault",
            Self::BusFault => "bus fault",
            Self::UsageFault => "usage fault",
            Self::Watchdog => "watchdog",
            Self::Stack => "stack overflow",
            Self::Heap => "heap full",
            Self::Links => "links stand still",
        }
    }

    fn of(number: u8) -> Result<Self, Unreadable> {
        let found = Self::ALL.into_iter().find(|c| *c as u8 == number);
        found.ok_or(Unreadable)
    }
}

/// Why a runtime ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason<'a> {
    /// What happened.
    pub crash: Crash,
    /// The instruction; 0 where it is not known, as after a panic.
    pub pc: u32,
    /// Where it would have returned to; 0 as above.
    pub lr: u32,
    /// The processor's Configurable Fault Status Register.
    pub cfsr: u32,
    /// The address that was accessed, where the processor knows; else 0.
    pub address: u32,
    /// What there is to say, at most [`TEXT_BYTES`](Self::TEXT_BYTES).
    pub text: &'a str,
}

impl<'a> Reason<'a> {
    /// Most bytes of its text.
    pub const TEXT_BYTES: usize = 160;
    /// Most bytes of its encoding.
    pub const BYTES: usize = 17 + Self::TEXT_BYTES;

    /// Writes it; gives its bytes.
    ///
    /// # Panics
    /// Where there are not [`BYTES`](Self::BYTES).
    pub fn encode<'b>(&self, into: &'b mut [u8]) -> &'b [u8] {
        let mut w = Writer { into, at: 0 };
        self.write(&mut w);
        w.done()
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Unreadable> {
        Self::read(&mut Reader { bytes })
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.byte(self.crash as u8);
        for number in [self.pc, self.lr, self.cfsr, self.address] {
            w.u32(number);
        }
        w.put(cut(self.text, Self::TEXT_BYTES).as_bytes());
    }

    fn read(r: &mut Reader<'a>) -> Result<Self, Unreadable> {
        Ok(Self {
            crash: Crash::of(r.byte()?)?,
            pc: r.u32()?,
            lr: r.u32()?,
            cfsr: r.u32()?,
            address: r.u32()?,
            text: r.text()?,
        })
    }
}

/// The beginning of a text, at most so many bytes.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

impl<'a> Request<'a> {
    /// Writes the payload of the request with this number; gives its bytes.
    ///
    /// # Panics
    /// Where it has more than [`DATA_BYTES`] of data.
    pub fn encode<'b>(&self, number: u8, into: &'b mut [u8; PAYLOAD_BYTES]) -> &'b [u8] {
        let mut w = Writer { into, at: 0 };
        w.byte(number);
        w.byte(self.code());
        match *self {
            Self::About | Self::Status | Self::Sums | Self::Reset => {}
            Self::Install(install) => install.write(&mut w),
            Self::Run { place, run } => {
                w.byte(place);
                run.write(&mut w);
            }
            Self::Feed {
                place,
                capability,
                offset,
                data,
            } => {
                w.byte(place);
                w.byte(capability);
                w.u32(offset);
                w.put(data);
            }
            Self::StopFlash { after, is_torn } => {
                w.u32(after);
                w.byte(u8::from(is_torn));
            }
            Self::Crash(crash) => w.byte(crash as u8),
            Self::Play(play) => play.write(&mut w),
        }
        w.done()
    }

    const fn code(&self) -> u8 {
        match self {
            Self::About => 0,
            Self::Install(_) => 1,
            Self::Run { .. } => 2,
            Self::StopFlash { .. } => 3,
            Self::Feed { .. } => 7,
            Self::Status => 10,
            Self::Reset => 11,
            Self::Crash(_) => 12,
            Self::Play(_) => 13,
            Self::Sums => 14,
        }
    }

    /// Reads a payload: the request's number, which is known of nearly every one, and what it asks for.
    pub fn decode(payload: &'a [u8]) -> Result<(u8, Result<Self, Unreadable>), Unreadable> {
        let mut r = Reader { bytes: payload };
        let number = r.byte()?;
        let mut read = || {
            let request = match r.byte()? {
                0 => Self::About,
                1 => Self::Install(Install::read(&mut r)?),
                2 => Self::Run {
                    place: r.byte()?,
                    run: Run::read(&mut r)?,
                },
                3 => Self::StopFlash {
                    after: r.u32()?,
                    is_torn: r.flag()?,
                },
                7 => Self::Feed {
                    place: r.byte()?,
                    capability: r.byte()?,
                    offset: r.u32()?,
                    data: r.rest(),
                },
                10 => Self::Status,
                11 => Self::Reset,
                12 => Self::Crash(Crash::of(r.byte()?)?),
                13 => Self::Play(Play::read(&mut r)?),
                14 => Self::Sums,
                _ => return Err(Unreadable),
            };
            r.end(request)
        };
        Ok((number, read()))
    }
}

impl<'a> Reply<'a> {
    /// Writes the payload of the reply to the request with this number; gives its bytes. Of a refusal and of a
    /// board's name so much is written as there is room for.
    ///
    /// # Panics
    /// Where it has more than [`DATA_BYTES`] of data.
    pub fn encode<'b>(&self, number: u8, into: &'b mut [u8; PAYLOAD_BYTES]) -> &'b [u8] {
        let mut w = Writer { into, at: 0 };
        w.byte(number);
        match *self {
            Self::Done => w.byte(0),
            Self::Refused(why) => {
                w.byte(1);
                w.put(cut(why, DATA_BYTES).as_bytes());
            }
            Self::About(about) => {
                w.byte(2);
                w.put(&about.protocol.to_le_bytes());
                w.put(&about.abi.to_le_bytes());
                w.byte(about.slots);
                w.byte(about.places);
                w.u32(about.slot_bytes);
                w.put(cut(about.board, DATA_BYTES / 2).as_bytes());
            }
            Self::Upload { offset } => {
                w.byte(3);
                w.u32(offset);
            }
            Self::Installed(installed) => {
                w.byte(6);
                installed.write(&mut w);
            }
            Self::Place(place) => {
                w.byte(7);
                w.byte(place);
            }
            Self::Rune(rune) => {
                w.byte(8);
                rune.write(&mut w);
            }
            Self::Text(text) => {
                w.byte(4);
                w.put(text);
            }
            Self::Status(status) => {
                w.byte(5);
                w.put(&status.time_ns.to_le_bytes());
                for number in [
                    status.heap_bytes,
                    status.heap_most_bytes,
                    status.heap_all_bytes,
                    status.stack_most_bytes,
                    status.stack_all_bytes,
                    status.lost_bytes,
                    status.broken_frames,
                    status.lost_text_bytes,
                ] {
                    w.u32(number);
                }
                if let Some(reason) = status.reason {
                    reason.write(&mut w);
                }
            }
            Self::Played(played) => {
                w.byte(9);
                played.write(&mut w);
            }
        }
        w.done()
    }

    /// Reads a payload: the number of its request, and the reply.
    pub fn decode(payload: &'a [u8]) -> Result<(u8, Self), Unreadable> {
        let mut r = Reader { bytes: payload };
        let number = r.byte()?;
        let reply = match r.byte()? {
            0 => Self::Done,
            1 => Self::Refused(r.text()?),
            2 => Self::About(About {
                protocol: r.array().map(u16::from_le_bytes)?,
                abi: r.array().map(u16::from_le_bytes)?,
                slots: r.byte()?,
                places: r.byte()?,
                slot_bytes: r.u32()?,
                board: r.text()?,
            }),
            3 => Self::Upload { offset: r.u32()? },
            6 => Self::Installed(Installed::read(&mut r)?),
            7 => Self::Place(r.byte()?),
            8 => Self::Rune(Rune::read(&mut r)?),
            4 => Self::Text(r.rest()),
            5 => Self::Status(Status {
                time_ns: r.array().map(u64::from_le_bytes)?,
                heap_bytes: r.u32()?,
                heap_most_bytes: r.u32()?,
                heap_all_bytes: r.u32()?,
                stack_most_bytes: r.u32()?,
                stack_all_bytes: r.u32()?,
                lost_bytes: r.u32()?,
                broken_frames: r.u32()?,
                lost_text_bytes: r.u32()?,
                reason: match r.bytes {
                    [] => None,
                    _ => Some(Reason::read(&mut r)?),
                },
            }),
            9 => Self::Played(Played::read(&mut r)?),
            _ => return Err(Unreadable),
        };
        Ok((number, r.end(reply)?))
    }
}

pub(crate) struct Writer<'a> {
    into: &'a mut [u8],
    at: usize,
}

impl<'a> Writer<'a> {
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.into[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    pub(crate) fn byte(&mut self, byte: u8) {
        self.put(&[byte]);
    }

    pub(crate) fn u32(&mut self, number: u32) {
        self.put(&number.to_le_bytes());
    }

    /// A text with its length before it, at most 255 bytes.
    pub(crate) fn short_text(&mut self, text: &str) {
        let text = cut(text, 255);
        self.byte(text.len() as u8);
        self.put(text.as_bytes());
    }

    /// A code, and a name up to the end.
    pub(crate) fn named(&mut self, code: u8, name: &str) {
        self.byte(code);
        self.put(cut(name, 255).as_bytes());
    }

    fn done(self) -> &'a [u8] {
        &self.into[..self.at]
    }
}

pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        let (array, rest) = self.bytes.split_first_chunk().ok_or(Unreadable)?;
        self.bytes = rest;
        Ok(*array)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Unreadable> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Unreadable> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Unreadable> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn flag(&mut self) -> Result<bool, Unreadable> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Unreadable),
        }
    }

    pub(crate) fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.bytes)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Unreadable> {
        core::str::from_utf8(self.rest()).map_err(|_| Unreadable)
    }

    /// A text with its length before it.
    pub(crate) fn short_text(&mut self) -> Result<&'a str, Unreadable> {
        let len = usize::from(self.byte()?);
        let (text, rest) = self.bytes.split_at_checked(len).ok_or(Unreadable)?;
        self.bytes = rest;
        core::str::from_utf8(text).map_err(|_| Unreadable)
    }

    /// The value, where nothing follows it.
    fn end<T>(&self, value: T) -> Result<T, Unreadable> {
        if self.bytes.is_empty() {
            Ok(value)
        } else {
            Err(Unreadable)
        }
    }
}
