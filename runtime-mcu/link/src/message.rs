//! What host and board say to each other, as the payloads of frames. Little-endian.
//!
//! | request | |
//! |---|---|
//! | number, code | u8, u8 |
//! | its fields | in the order in which they are declared |
//!
//! A reply is the number of its request, a code and its fields likewise. The last field may be bytes or text, which
//! go to the end.

use crate::frame::PAYLOAD_BYTES;

/// Most bytes of data in one request or reply.
pub const DATA_BYTES: usize = PAYLOAD_BYTES - 8;

/// SHA-256 of a rune's bytes.
pub type Digest = [u8; 32];

/// A payload that says nothing we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// What a host asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// Who is there? [`Reply::About`].
    About,
    /// Erases so much of a slot as a rune of so many bytes needs. [`Reply::Done`].
    Erase {
        /// Of the board's slots.
        slot: u8,
        /// Bytes of the rune.
        bytes: u32,
    },
    /// Writes a part of a rune to where the slot was erased. [`Reply::Done`].
    Write {
        /// Of the board's slots.
        slot: u8,
        /// Of the first byte.
        offset: u32,
        /// At most [`DATA_BYTES`].
        data: &'a [u8],
    },
    /// Says that the rune in a slot is whole, if it is. [`Reply::Done`].
    Seal {
        /// Of the board's slots.
        slot: u8,
        /// Bytes of the rune.
        bytes: u32,
        /// What they must have.
        digest: Digest,
    },
    /// What is in a slot? [`Reply::Slot`], refused where there is no whole rune.
    Slot {
        /// Of the board's slots.
        slot: u8,
    },
    /// Starts the rune in a slot in place of the one that runs. [`Reply::Done`].
    Start {
        /// Of the board's slots.
        slot: u8,
    },
    /// Stops the rune that runs. [`Reply::Done`].
    Stop,
    /// The next part of the next sample of a capability, see its type in the manifest. [`Reply::Done`].
    Feed {
        /// Its place in the manifest.
        capability: u8,
        /// Of the first byte.
        offset: u32,
        /// At most [`DATA_BYTES`].
        data: &'a [u8],
    },
    /// Calls the rune that runs, once, with the samples it was fed. [`Reply::Done`], before the call.
    Call,
    /// The next bytes of the lines that the rune has written; none where there are no more. [`Reply::Text`], once the
    /// calls that were asked for have ended; refused where the rune failed.
    Lines,
    /// How the board is. [`Reply::Status`].
    Status,
    /// Lets the runtime fail, in builds for tests. Not answered, as the board starts anew.
    Crash(Crash),
    /// Starts the board anew. Not answered.
    Reset,
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
    /// What is in a slot.
    Slot {
        /// Bytes of the rune.
        bytes: u32,
        /// What it is known by.
        digest: Digest,
    },
    /// Lines, or a part of them.
    Text(&'a [u8]),
    /// How the board is.
    Status(Status<'a>),
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
}

impl Crash {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Panic,
        Self::HardFault,
        Self::MemManage,
        Self::BusFault,
        Self::UsageFault,
        Self::Watchdog,
        Self::Stack,
        Self::Heap,
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
fn cut(text: &str, most: usize) -> &str {
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
            Self::About | Self::Stop | Self::Call | Self::Lines | Self::Status | Self::Reset => {}
            Self::Erase { slot, bytes } => {
                w.byte(slot);
                w.u32(bytes);
            }
            Self::Write {
                slot: place,
                offset,
                data,
            }
            | Self::Feed {
                capability: place,
                offset,
                data,
            } => {
                w.byte(place);
                w.u32(offset);
                w.put(data);
            }
            Self::Seal {
                slot,
                bytes,
                digest,
            } => {
                w.byte(slot);
                w.u32(bytes);
                w.put(&digest);
            }
            Self::Slot { slot } | Self::Start { slot } => w.byte(slot),
            Self::Crash(crash) => w.byte(crash as u8),
        }
        w.done()
    }

    const fn code(&self) -> u8 {
        match self {
            Self::About => 0,
            Self::Erase { .. } => 1,
            Self::Write { .. } => 2,
            Self::Seal { .. } => 3,
            Self::Slot { .. } => 4,
            Self::Start { .. } => 5,
            Self::Stop => 6,
            Self::Feed { .. } => 7,
            Self::Call => 8,
            Self::Lines => 9,
            Self::Status => 10,
            Self::Reset => 11,
            Self::Crash(_) => 12,
        }
    }

    /// Reads a payload: the request's number, which is known of nearly every one, and what it asks for.
    pub fn decode(payload: &'a [u8]) -> Result<(u8, Result<Self, Unreadable>), Unreadable> {
        let mut r = Reader { bytes: payload };
        let number = r.byte()?;
        let mut read = || {
            let request = match r.byte()? {
                0 => Self::About,
                1 => Self::Erase {
                    slot: r.byte()?,
                    bytes: r.u32()?,
                },
                2 => Self::Write {
                    slot: r.byte()?,
                    offset: r.u32()?,
                    data: r.rest(),
                },
                3 => Self::Seal {
                    slot: r.byte()?,
                    bytes: r.u32()?,
                    digest: r.array()?,
                },
                4 => Self::Slot { slot: r.byte()? },
                5 => Self::Start { slot: r.byte()? },
                6 => Self::Stop,
                7 => Self::Feed {
                    capability: r.byte()?,
                    offset: r.u32()?,
                    data: r.rest(),
                },
                8 => Self::Call,
                9 => Self::Lines,
                10 => Self::Status,
                11 => Self::Reset,
                12 => Self::Crash(Crash::of(r.byte()?)?),
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
                w.u32(about.slot_bytes);
                w.put(cut(about.board, DATA_BYTES / 2).as_bytes());
            }
            Self::Slot { bytes, digest } => {
                w.byte(3);
                w.u32(bytes);
                w.put(&digest);
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
                slot_bytes: r.u32()?,
                board: r.text()?,
            }),
            3 => Self::Slot {
                bytes: r.u32()?,
                digest: r.array()?,
            },
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
            _ => return Err(Unreadable),
        };
        Ok((number, r.end(reply)?))
    }
}

struct Writer<'a> {
    into: &'a mut [u8],
    at: usize,
}

impl<'a> Writer<'a> {
    fn put(&mut self, bytes: &[u8]) {
        self.into[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    fn byte(&mut self, byte: u8) {
        self.put(&[byte]);
    }

    fn u32(&mut self, number: u32) {
        self.put(&number.to_le_bytes());
    }

    fn done(self) -> &'a [u8] {
        &self.into[..self.at]
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        let (array, rest) = self.bytes.split_first_chunk().ok_or(Unreadable)?;
        self.bytes = rest;
        Ok(*array)
    }

    fn byte(&mut self) -> Result<u8, Unreadable> {
        self.array().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Result<u32, Unreadable> {
        self.array().map(u32::from_le_bytes)
    }

    fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.bytes)
    }

    fn text(&mut self) -> Result<&'a str, Unreadable> {
        core::str::from_utf8(self.rest()).map_err(|_| Unreadable)
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

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: [u8; DATA_BYTES] = [0xA5; DATA_BYTES];

    fn requests() -> impl Iterator<Item = Request<'static>> {
        let data = &DATA[..];
        [
            Request::About,
            Request::Erase { slot: 1, bytes: 2 },
            Request::Write {
                slot: 3,
                offset: u32::MAX,
                data,
            },
            Request::Seal {
                slot: 4,
                bytes: 5,
                digest: [6; 32],
            },
            Request::Slot { slot: 7 },
            Request::Start { slot: 8 },
            Request::Stop,
            Request::Feed {
                capability: 9,
                offset: 10,
                data,
            },
            Request::Call,
            Request::Lines,
            Request::Status,
            Request::Reset,
        ]
        .into_iter()
        .chain(Crash::ALL.map(Request::Crash))
    }

    fn replies() -> [Reply<'static>; 8] {
        let reason = Reason {
            crash: Crash::BusFault,
            pc: 1,
            lr: 2,
            cfsr: 3,
            address: 4,
            text: "why",
        };
        let status = Status {
            time_ns: u64::MAX,
            heap_bytes: 1,
            heap_most_bytes: 2,
            heap_all_bytes: 3,
            stack_most_bytes: 4,
            stack_all_bytes: 5,
            lost_bytes: 6,
            broken_frames: 7,
            lost_text_bytes: 8,
            reason: Some(reason),
        };
        let about = About {
            protocol: 1,
            abi: 2,
            slots: 3,
            slot_bytes: 4,
            board: "board",
        };
        [
            Reply::Done,
            Reply::Refused("no"),
            Reply::About(about),
            Reply::Slot {
                bytes: 1,
                digest: [2; 32],
            },
            Reply::Text(&DATA),
            Reply::Text(&[]),
            Reply::Status(status),
            Reply::Status(Status {
                reason: None,
                ..status
            }),
        ]
    }

    #[test]
    fn messages_come_out_as_they_went_in() {
        let mut buffer = [0; PAYLOAD_BYTES];
        for request in requests() {
            let payload = request.encode(77, &mut buffer);
            assert_eq!(Request::decode(payload), Ok((77, Ok(request))));
        }
        for reply in replies() {
            let payload = reply.encode(78, &mut buffer);
            assert_eq!(Reply::decode(payload), Ok((78, reply)));
        }
    }

    /// Every beginning of a message, and every byte of it changed: read or refused, no panic.
    #[test]
    fn any_bytes_are_read_or_refused() {
        let mut buffer = [0; PAYLOAD_BYTES];
        let mut payloads: std::vec::Vec<std::vec::Vec<u8>> = requests()
            .map(|r| r.encode(0, &mut buffer).to_vec())
            .collect();
        payloads.extend(replies().map(|r| r.encode(0, &mut buffer).to_vec()));
        for payload in payloads {
            for end in 0..payload.len().min(64) {
                assert!(Request::decode(&payload[..end]).is_ok() || end == 0);
                let _ = Reply::decode(&payload[..end]);
                for value in 0..=255 {
                    let mut changed = payload.clone();
                    changed[end] = value;
                    let _ = (Request::decode(&changed), Reply::decode(&changed));
                }
            }
        }
        assert_eq!(Request::decode(&[5, 13]), Ok((5, Err(Unreadable))));
        assert_eq!(Request::decode(&[5, 6, 0]), Ok((5, Err(Unreadable))));
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let long = "\u{e4}".repeat(DATA_BYTES);
        let mut buffer = [0; PAYLOAD_BYTES];
        let payload = Reply::Refused(&long).encode(0, &mut buffer);
        let Ok((0, Reply::Refused(text))) = Reply::decode(payload) else {
            panic!("it is a refusal");
        };
        assert!(text.len() >= DATA_BYTES - 1 && long.starts_with(text));
    }
}
