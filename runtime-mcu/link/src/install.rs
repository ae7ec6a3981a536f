//! Installing runes over the link, in the words of `rune_install`.
//!
//! A host announces a rune with [`Install::Begin`], sends its bytes in order from where the board says, ends with
//! [`Install::End`], and has it tried with [`Install::Try`]. What breaks off goes on with another `Begin`.

use rune_install::Phase;

use crate::message::{Digest, Reader, Unreadable, Writer};

/// What a host asks of the slots of a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Install<'a> {
    /// An upload begins, or goes on; it ends one of another digest.
    /// [`Reply::Upload`](crate::Reply::Upload) says from where.
    Begin {
        /// Bytes of the rune.
        bytes: u32,
        /// What they must have.
        digest: Digest,
        /// That it was rolled back before is forgotten, because a person asks for it.
        anew: bool,
    },
    /// The next bytes of the upload. [`Reply::Upload`](crate::Reply::Upload) says from where to go on.
    Chunk {
        /// Of the first byte: where the last chunk ended.
        offset: u32,
        /// At most [`DATA_BYTES`](crate::DATA_BYTES).
        data: &'a [u8],
    },
    /// All bytes were sent: the board verifies digest, contract and what the rune needs.
    /// [`Reply::Installed`](crate::Reply::Installed) is what it is then.
    End,
    /// What is in a slot? [`Reply::Installed`](crate::Reply::Installed).
    Slot(u8),
    /// Tries the verified rune of this digest in the place of the one of its name; starts what is in trial or confirmed
    /// and does not run. [`Reply::Place`](crate::Reply::Place) is where it runs.
    Try(Digest),
    /// The trial of a name is over: this is the rune of its name. [`Reply::Done`](crate::Reply::Done).
    Confirm(&'a str),
    /// Ends the trial of a name, or goes back to the one that was confirmed before.
    /// [`Reply::Done`](crate::Reply::Done).
    Rollback(&'a str),
    /// Stops the rune of a name and gives up its slots. [`Reply::Done`](crate::Reply::Done).
    Remove(&'a str),
}

/// What is in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Installed<'a> {
    /// The slot.
    pub slot: u8,
    /// Of an EMPTY one the rest says nothing.
    pub state: Phase,
    /// Of a trial: starts since it was last healthy.
    pub attempts: u8,
    /// How many of them there may be.
    pub tries: u8,
    /// Major, minor, patch; 0.0.0 before it is verified.
    pub version: [u16; 3],
    /// Its security counter.
    pub counter: u32,
    /// Bytes of the rune.
    pub bytes: u32,
    /// Bytes that are there.
    pub received: u32,
    /// What it is known by.
    pub digest: Digest,
    /// Empty before it is verified.
    pub name: &'a str,
}

impl<'a> Install<'a> {
    pub(crate) fn write(&self, w: &mut Writer<'_>) {
        match *self {
            Self::Begin {
                bytes,
                digest,
                anew,
            } => {
                w.byte(0);
                w.u32(bytes);
                w.put(&digest);
                w.byte(u8::from(anew));
            }
            Self::Chunk { offset, data } => {
                w.byte(1);
                w.u32(offset);
                w.put(data);
            }
            Self::End => w.byte(2),
            Self::Slot(slot) => {
                w.byte(3);
                w.byte(slot);
            }
            Self::Try(digest) => {
                w.byte(4);
                w.put(&digest);
            }
            Self::Confirm(name) => w.named(5, name),
            Self::Rollback(name) => w.named(6, name),
            Self::Remove(name) => w.named(7, name),
        }
    }

    pub(crate) fn read(r: &mut Reader<'a>) -> Result<Self, Unreadable> {
        Ok(match r.byte()? {
            0 => Self::Begin {
                bytes: r.u32()?,
                digest: r.array()?,
                anew: r.flag()?,
            },
            1 => Self::Chunk {
                offset: r.u32()?,
                data: r.rest(),
            },
            2 => Self::End,
            3 => Self::Slot(r.byte()?),
            4 => Self::Try(r.array()?),
            5 => Self::Confirm(r.text()?),
            6 => Self::Rollback(r.text()?),
            7 => Self::Remove(r.text()?),
            _ => return Err(Unreadable),
        })
    }
}

impl<'a> Installed<'a> {
    pub(crate) fn write(&self, w: &mut Writer<'_>) {
        let state = Phase::ALL.iter().position(|phase| *phase == self.state);
        w.byte(self.slot);
        w.byte(state.unwrap_or_default() as u8);
        w.byte(self.attempts);
        w.byte(self.tries);
        for part in self.version {
            w.put(&part.to_le_bytes());
        }
        w.u32(self.counter);
        w.u32(self.bytes);
        w.u32(self.received);
        w.put(&self.digest);
        w.short_text(self.name);
    }

    pub(crate) fn read(r: &mut Reader<'a>) -> Result<Self, Unreadable> {
        Ok(Self {
            slot: r.byte()?,
            state: *Phase::ALL.get(usize::from(r.byte()?)).ok_or(Unreadable)?,
            attempts: r.byte()?,
            tries: r.byte()?,
            version: [r.u16()?, r.u16()?, r.u16()?],
            counter: r.u32()?,
            bytes: r.u32()?,
            received: r.u32()?,
            digest: r.array()?,
            name: r.short_text()?,
        })
    }
}
