//! What a device does for a [`Server`](crate::Server).

use rune_install::{Entry, Name};

use crate::{
    Code, Digest, GroupCode, group,
    settings::{SettingFault, Settings},
};

/// What is wrong with an image, or with what is to be done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ImageFault {
    /// The storage does not work.
    Storage,
    /// No slot is free.
    NoFreeSlot,
    /// There is no such slot.
    InvalidSlot,
    /// It has no bytes.
    InvalidLength,
    /// It breaks the contract, or asks for what the device does not have.
    InvalidImage,
    /// It does not begin as a rune does.
    InvalidMagic,
    /// It is not the bytes of its digest.
    InvalidHash,
    /// What is there is newer.
    Older,
    /// It has more bytes than a slot.
    TooLarge,
    /// More came than was announced.
    Overrun,
    /// It was rolled back too often.
    ConfirmationDenied,
    /// It is confirmed, so there is nothing to try.
    TestDenied,
}

impl ImageFault {
    /// The error of the image group.
    pub const fn code(self) -> GroupCode {
        let (number, nearest) = match self {
            Self::Storage => (1, Code::Unknown),
            Self::NoFreeSlot => (9, Code::NoMemory),
            Self::InvalidSlot => (14, Code::NoEntry),
            Self::InvalidLength => (21, Code::Invalid),
            Self::InvalidImage => (22, Code::Invalid),
            Self::InvalidMagic => (23, Code::Invalid),
            Self::InvalidHash => (24, Code::Corrupt),
            Self::Older => (27, Code::BadState),
            Self::TooLarge => (30, Code::NoMemory),
            Self::Overrun => (31, Code::Invalid),
            Self::ConfirmationDenied => (32, Code::AccessDenied),
            Self::TestDenied => (33, Code::BadState),
        };
        GroupCode {
            group: group::IMAGE,
            number,
            nearest,
        }
    }
}

/// Why a device does not do what it was asked; [`Device::why`] says it in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// As in every group.
    Code(Code),
    /// An image is concerned.
    Image(ImageFault),
    /// A setting is concerned.
    Setting(SettingFault),
}

impl From<rune_install::Refused> for Refusal {
    fn from(why: rune_install::Refused) -> Self {
        use rune_install::Refused as R;
        Self::Image(match why {
            R::Phase { .. } | R::NothingBefore => return Self::Code(Code::BadState),
            R::Unknown => return Self::Code(Code::NoEntry),
            R::Bytes | R::Offset { .. } | R::Short => return Self::Code(Code::Invalid),
            R::Empty => ImageFault::InvalidLength,
            R::TooLarge => ImageFault::TooLarge,
            R::Struck => ImageFault::ConfirmationDenied,
            R::Full | R::Names | R::Floors => ImageFault::NoFreeSlot,
            R::TooLong => ImageFault::Overrun,
            R::Downgrade { .. } => ImageFault::Older,
        })
    }
}

impl<E> From<rune_install::Error<E>> for Refusal {
    fn from(error: rune_install::Error<E>) -> Self {
        use rune_install::Error as E;
        match error {
            E::Refused(why) => why.into(),
            E::Storage(_) | E::Differs | E::Stopped => Self::Image(ImageFault::Storage),
        }
    }
}

/// What a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About<'a> {
    /// What it is called on its networks, where no other device has that name, and on every link; empty where it has no
    /// such name.
    pub name: &'a str,
    /// Its board.
    pub board: &'a str,
    /// The version of its runtime.
    pub version: &'a str,
    /// Of the contract with runes.
    pub abi: u32,
    /// Most bytes of a rune.
    pub slot_bytes: u32,
    /// Most bytes of memory of a rune.
    pub memory_bytes: u32,
    /// Milliseconds since the start.
    pub up_ms: u64,
}

/// Whose signed requests a locked device takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Which device it is, of all that have its keys.
    pub device: [u8; 16],
    /// Another one after each start.
    pub nonce: [u8; 16],
}

/// What a rune does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Doing {
    /// It is called when it is due.
    Running,
    /// It failed, and is started anew later.
    Waiting,
    /// It was stopped, or is refused.
    Stopped,
    /// Its inputs have ended.
    Ended,
}

impl Doing {
    /// As in a reply.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Stopped => "stopped",
            Self::Ended => "ended",
        }
    }
}

/// A rune that has a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuneState<'a> {
    /// Its name.
    pub name: &'a str,
    /// SHA-256 of its file.
    pub sha256: Digest,
    /// What it does.
    pub doing: Doing,
}

/// Most bytes of the text that says why a rune failed.
pub const ERROR_BYTES: usize = 256;

/// Most counters of a group.
pub const MOST_COUNTERS: usize = 16;

/// Counters with their names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    fields: [(&'static str, u64); MOST_COUNTERS],
    used: usize,
}

impl Counters {
    /// Puts one behind the others; what has no room is left out.
    pub fn push(&mut self, name: &'static str, value: u64) {
        if let Some(field) = self.fields.get_mut(self.used) {
            *field = (name, value);
            self.used += 1;
        }
    }

    /// All of them.
    pub fn fields(&self) -> &[(&'static str, u64)] {
        &self.fields[..self.used]
    }
}

/// What is done with a rune by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// It is to run.
    Start,
    /// It is not.
    Stop,
    /// It is called once.
    Call,
    /// Its trial ends, or the one before comes back.
    Rollback,
    /// Everything of its name is given up.
    Remove,
}

/// A part of some text or bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// How many bytes of it were written.
    pub bytes: usize,
    /// For lines: where the next part begins. For a manifest: how long the whole is.
    pub mark: u32,
}

/// A device: slots of `rune_install`, and the runes that run. What it refuses it keeps the reason of, in words.
pub trait Device {
    /// Most bytes of a packet, with its header.
    const PACKET_BYTES: u32;
    /// Packets that may be under way at once.
    const PACKETS: u32;

    /// What it is.
    fn about(&self) -> About<'_>;

    /// Writes the time of day as `2026-01-31T23:59:59.000000`; gives its bytes. `None` where it does not know it.
    fn time(&self, into: &mut [u8; 32]) -> Option<usize>;

    /// Whose signatures it asks for; `None` while it is open.
    fn lock(&self) -> Option<Lock>;

    /// Whether it has this key, and the key has signed these parts, one behind the other.
    fn vouches(&mut self, key: &[u8; 32], parts: &[&[u8]], signature: &[u8; 64]) -> bool;

    /// What is set on it; `None` where it keeps no settings.
    fn settings(&self) -> Option<Settings> {
        None
    }

    /// Keeps what is set, whenever the power is cut, and goes by it from now on.
    ///
    /// # Errors
    /// Where it cannot; what was set before counts.
    fn keep(&mut self, _: &Settings) -> Result<(), Refusal> {
        Err(Refusal::Code(Code::NotSupported))
    }

    /// Whether the packet that is answered came over a link that only who is near it has, and not over a network.
    fn is_near(&self) -> bool {
        false
    }

    /// Whether it can be started anew, which is done once the reply has gone.
    ///
    /// # Errors
    /// Where something stands against it.
    fn reset(&mut self, force: bool) -> Result<(), Refusal>;

    /// What is known of the slots.
    fn entries(&self) -> &[Entry];

    /// Begins an upload, or goes on with it; `anew`: that it was rolled back is forgotten. Gives how many bytes are there:
    /// all of them where it is verified already.
    ///
    /// # Errors
    /// Where it is refused.
    fn begin(&mut self, sha256: &Digest, bytes: u32, anew: bool) -> Result<u32, Refusal>;

    /// Takes bytes of the upload; gives where the next ones belong, also where these belong elsewhere.
    ///
    /// # Errors
    /// Where there is no upload.
    fn part(&mut self, offset: u32, data: &[u8]) -> Result<u32, Refusal>;

    /// Verifies an upload that is complete.
    ///
    /// # Errors
    /// Where it is refused.
    fn end(&mut self) -> Result<(), Refusal>;

    /// Gives up the slot of a digest, which neither runs nor is confirmed.
    ///
    /// # Errors
    /// Where it is in use.
    fn discard(&mut self, sha256: &Digest) -> Result<(), Refusal>;

    /// Starts the trial of a rune that is verified, or was confirmed before; `confirm`: it is confirmed once it is healthy.
    ///
    /// # Errors
    /// Where it does not start. What ran before runs on.
    fn try_out(&mut self, sha256: &Digest, confirm: bool) -> Result<(), Refusal>;

    /// Confirms the trial of a name.
    ///
    /// # Errors
    /// Where there is none.
    fn confirm(&mut self, name: &Name) -> Result<(), Refusal>;

    /// The rune at an index, counted from 0 on without gaps.
    fn rune(&self, index: u32) -> Option<RuneState<'_>>;

    /// Writes why the rune at an index failed last; gives the bytes of the text, 0 where it did not.
    fn error(&self, index: u32, into: &mut [u8; ERROR_BYTES]) -> usize;

    /// The counters of the rune of a name; of all together where there is none.
    fn counters(&self, name: Option<&str>) -> Option<Counters>;

    /// Does something with the rune of a name.
    ///
    /// # Errors
    /// Where there is none, or it is refused.
    fn act(&mut self, name: &str, act: Act) -> Result<(), Refusal>;

    /// Writes what the rune of a name wrote and said, from a mark on; what lies before is not needed any more.
    ///
    /// # Errors
    /// Where there is no such rune.
    fn lines(&mut self, name: &str, since: u32, into: &mut [u8]) -> Result<Part, Refusal>;

    /// Writes the manifest of the rune of a digest, from an offset on.
    ///
    /// # Errors
    /// Where there is none.
    fn manifest(&mut self, sha256: &Digest, offset: u32, into: &mut [u8]) -> Result<Part, Refusal>;

    /// The kind of capability at an index that it has, counted from 0 on without gaps.
    fn capability(&self, index: u32) -> Option<&str>;

    /// Why it last refused something; empty if it did not.
    fn why(&self) -> &str;
}
