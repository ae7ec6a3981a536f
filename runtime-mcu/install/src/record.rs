//! A pool as bytes: with a length, a sequence number and a checksum. Little-endian.
//!
//! | | |
//! |---|---|
//! | magic, format | `RuI`, 1 |
//! | bytes of the record, with the checksum | u32 |
//! | sequence number | u64 |
//! | slots, floors, strikes that follow; clock | three u8, u32 |
//! | slot | u8 state; unless EMPTY also digest, bytes, received, attempts u8, stamp, version, counter, name |
//! | floor | name, counter |
//! | strike | digest, u8 |
//! | checksum | CRC-32 (ISO-HDLC) of all before |
//!
//! A name is a u8 length and UTF-8; numbers of which nothing else is said are u32.

use crc::{CRC_32_ISO_HDLC, Crc, NoTable};

use crate::{
    pool::{Entry, Floor, Identity, NAME_BYTES, Name, Pool, Strike},
    table::Phase,
};

/// Bit by bit: a record is small, and a table takes a kilobyte of flash.
pub(crate) const CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);

const MAGIC: [u8; 3] = *b"RuI";
const FORMAT: u8 = 1;
/// Magic, format, length.
pub(crate) const HEADER: usize = 8;
const FIXED: usize = HEADER + 8 + 7 + 4;
const SLOT: usize = 1 + 32 + 4 + 4 + 1 + 4 + 6 + 4 + 1 + NAME_BYTES;
const FLOOR: usize = 1 + NAME_BYTES + 4;
const STRIKE: usize = 33;

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// They are damaged, or were never a record.
    Damaged,
    /// It is one that another version made, or has more slots or floors than fit.
    Foreign,
}

/// The length that the header of a record says, if it is one.
pub(crate) fn length(header: [u8; HEADER]) -> Option<u32> {
    let [a, b, c, _, n0, n1, n2, n3] = header;
    let len = u32::from_le_bytes([n0, n1, n2, n3]);
    ([a, b, c] == MAGIC && len as usize >= FIXED).then_some(len)
}

impl<const SLOTS: usize, const FLOORS: usize, const STRIKES: usize> Pool<SLOTS, FLOORS, STRIKES> {
    /// Most bytes of a record.
    pub const RECORD_BYTES: usize = FIXED + SLOTS * SLOT + FLOORS * FLOOR + STRIKES * STRIKE;

    /// Writes a record; `step` is what lies between two checkpoints of an upload. Returns its length.
    ///
    /// # Panics
    /// Where `into` is shorter than [`RECORD_BYTES`](Self::RECORD_BYTES).
    pub fn encode(&self, sequence: u64, step: u32, into: &mut [u8]) -> usize {
        let mut w = Writer { into, at: HEADER };
        w.put(&sequence.to_le_bytes());
        let floors = self.floors.iter().filter(|f| f.counter > 0);
        let strikes = self.strikes.iter().filter(|s| s.count > 0);
        let counts = [SLOTS, floors.clone().count(), strikes.clone().count()];
        w.put(&counts.map(|n| n as u8));
        w.number(self.clock);
        for e in &self.slots {
            w.put(&[e.phase as u8]);
            if e.phase == Phase::Empty {
                continue;
            }
            // What is behind the last checkpoint may be lost when the power is cut.
            let lasting = if e.received == e.bytes {
                e.bytes
            } else {
                e.received - e.received % step
            };
            w.put(&e.digest);
            w.number(e.bytes);
            w.number(lasting);
            w.put(&[e.attempts]);
            w.number(e.stamp);
            for part in e.identity.version {
                w.put(&part.to_le_bytes());
            }
            w.number(e.identity.counter);
            w.name(&e.identity.name);
        }
        for floor in floors {
            w.name(&floor.name);
            w.number(floor.counter);
        }
        for strike in strikes {
            w.put(&strike.digest);
            w.put(&[strike.count]);
        }
        let Writer { into, at } = w;
        into[..3].copy_from_slice(&MAGIC);
        into[3] = FORMAT;
        into[4..HEADER].copy_from_slice(&((at + 4) as u32).to_le_bytes());
        let sum = CRC.checksum(&into[..at]);
        into[at..at + 4].copy_from_slice(&sum.to_le_bytes());
        at + 4
    }

    /// Reads a record, and its sequence number. What follows it is not looked at.
    pub fn decode(bytes: &[u8]) -> Result<(Self, u64), DecodeError> {
        use DecodeError::{Damaged, Foreign};
        let header = bytes.first_chunk().ok_or(Damaged)?;
        let len = length(*header).ok_or(Damaged)? as usize;
        let (body, sum) = bytes
            .get(..len)
            .and_then(<[u8]>::split_last_chunk)
            .ok_or(Damaged)?;
        if CRC.checksum(body) != u32::from_le_bytes(*sum) {
            return Err(Damaged);
        }
        // Its bytes are as they were written, so what is not understood comes from another version.
        if body[3] != FORMAT {
            return Err(Foreign);
        }
        Self::parse(&mut Reader(&body[HEADER..])).ok_or(Foreign)
    }

    fn parse(r: &mut Reader<'_>) -> Option<(Self, u64)> {
        let mut pool = Self::new();
        let sequence = u64::from_le_bytes(r.array()?);
        let [slots, floors, strikes] = r.array()?;
        pool.clock = r.number()?;
        for i in 0..usize::from(slots) {
            let [phase] = r.array()?;
            let phase = *Phase::ALL.get(usize::from(phase))?;
            if phase == Phase::Empty {
                continue;
            }
            // There may be fewer slots than there were, if those that are gone held nothing.
            let entry = pool.slots.get_mut(i)?;
            *entry = Entry {
                phase,
                digest: r.array()?,
                bytes: r.number()?,
                received: r.number()?,
                attempts: r.array::<1>()?[0],
                stamp: r.number()?,
                identity: Identity {
                    version: [r.half()?, r.half()?, r.half()?],
                    counter: r.number()?,
                    name: r.name()?,
                },
            };
        }
        for i in 0..usize::from(floors) {
            *pool.floors.get_mut(i)? = Floor {
                name: r.name().filter(|name| *name != Name::NONE)?,
                counter: r.number()?,
            };
        }
        for i in 0..usize::from(strikes) {
            let digest = r.array()?;
            let [count] = r.array()?;
            // A digest that is forgotten is none that is taken for another.
            if let Some(strike) = pool.strikes.get_mut(i) {
                *strike = Strike { digest, count };
            }
        }
        let floors = &pool.floors[..usize::from(floors)];
        let named = floors.iter().all(|f| f.counter > 0);
        let counted = pool
            .strikes
            .iter()
            .take(usize::from(strikes))
            .all(|s| s.count > 0);
        (named && counted && r.0.is_empty() && pool.is_lawful()).then_some((pool, sequence))
    }
}

struct Writer<'a> {
    into: &'a mut [u8],
    at: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.into[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    fn number(&mut self, n: u32) {
        self.put(&n.to_le_bytes());
    }

    fn name(&mut self, name: &Name) {
        let text = name.as_str();
        self.put(&[text.len() as u8]);
        self.put(text.as_bytes());
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }

    fn number(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.array()?))
    }

    fn half(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.array()?))
    }

    /// A name, or none for an upload that was not verified.
    fn name(&mut self) -> Option<Name> {
        let [len] = self.array()?;
        let (text, rest) = self.0.split_at_checked(usize::from(len))?;
        self.0 = rest;
        match len {
            0 => Some(Name::NONE),
            _ => Name::new(core::str::from_utf8(text).ok()?),
        }
    }
}
