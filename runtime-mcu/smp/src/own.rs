//! Commands of our own, group [`GROUP`](crate::own::GROUP): what a rune is and does, and what is signed.

use rune_install::Phase;

use crate::{
    Digest, Unreadable,
    cbor::Fields,
    device::{About, Act, Lock, RuneState},
    group,
    reply::Reply,
};

/// The group.
pub const GROUP: u16 = group::OWN;

/// Numbers of commands.
pub mod command {
    /// What the device is: read.
    pub const ABOUT: u8 = 0;
    /// The rune at an index: read.
    pub const RUNE: u8 = 1;
    /// A part of a manifest: read.
    pub const MANIFEST: u8 = 2;
    /// The kind of capability at an index: read.
    pub const CAPABILITY: u8 = 3;
    /// What a rune wrote and said: read.
    pub const LINES: u8 = 4;
    /// Why something was refused, in words: read.
    pub const WHY: u8 = 5;
    /// A rune is to run: write.
    pub const START: u8 = 6;
    /// A rune is not to run: write.
    pub const STOP: u8 = 7;
    /// A rune is called once: write.
    pub const CALL: u8 = 8;
    /// A trial ends, or the rune before comes back: write.
    pub const ROLLBACK: u8 = 9;
    /// A rune is given up: write.
    pub const REMOVE: u8 = 10;
    /// Another request, which somebody has signed: write.
    pub const SIGNED: u8 = 16;
}

/// How many commands there are.
pub(crate) const COMMANDS: u32 = 12;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own<'p> {
    /// What the device is.
    About,
    /// The rune at an index.
    Rune(u32),
    /// A part of the manifest of a rune.
    Manifest {
        /// Of the file of the rune.
        sha256: Digest,
        /// Where the part begins.
        offset: u32,
    },
    /// The kind of capability at an index.
    Capability(u32),
    /// What a rune wrote and said.
    Lines {
        /// Of the rune.
        name: &'p str,
        /// The mark of the reply before; 0 for all that is there.
        since: u32,
    },
    /// Why something was refused.
    Why,
    /// Something is done with a rune.
    Act {
        /// Of the rune.
        name: &'p str,
        /// What is done.
        act: Act,
        /// Only where this one runs under the name.
        sha256: Option<Digest>,
    },
    /// Another request.
    Signed(Signed<'p>),
}

/// A request that somebody has signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed<'p> {
    /// For which device it is, and since which start of it.
    pub lock: Lock,
    /// Greater than that of the signed request before.
    pub sequence: u32,
    /// The packet of the request.
    pub frame: &'p [u8],
    /// Who signed it.
    pub key: &'p [u8; 32],
    /// Of [`parts`](Self::parts), by ed25519.
    pub signature: &'p [u8; 64],
}

/// What a signature is of begins with this.
pub const DOMAIN: &[u8; 12] = b"rune-smp-v1\0";

impl Signed<'_> {
    /// Calls `with` with what is signed, one part behind the other: [`DOMAIN`], device, nonce, sequence in four bytes, the
    /// greatest first, and the packet.
    pub fn parts<T>(&self, with: impl FnOnce(&[&[u8]; 5]) -> T) -> T {
        let Lock { device, nonce } = &self.lock;
        let sequence = self.sequence.to_be_bytes();
        with(&[DOMAIN, device, nonce, &sequence, self.frame])
    }
}

impl<'p> Own<'p> {
    /// What a packet asks for; `None` for a command that does not exist.
    pub(crate) fn decode(
        is_write: bool,
        command: u8,
        map: Fields<'p>,
    ) -> Result<Option<Self>, Unreadable> {
        let digest = |name| -> Result<Option<Digest>, Unreadable> {
            let bytes = map.optional_bytes(name)?;
            bytes
                .map(|bytes| bytes.try_into().map_err(|_| Unreadable))
                .transpose()
        };
        let index = || Ok::<u32, Unreadable>(map.optional_number("i")?.unwrap_or(0));
        let act = |act| {
            Ok::<_, Unreadable>(Self::Act {
                name: map.text("name")?,
                act,
                sha256: digest("hash")?,
            })
        };
        Ok(Some(match (command, is_write) {
            (command::ABOUT, false) => Self::About,
            (command::RUNE, false) => Self::Rune(index()?),
            (command::MANIFEST, false) => Self::Manifest {
                sha256: digest("hash")?.ok_or(Unreadable)?,
                offset: map.optional_number("off")?.unwrap_or(0),
            },
            (command::CAPABILITY, false) => Self::Capability(index()?),
            (command::LINES, false) => Self::Lines {
                name: map.text("name")?,
                since: map.optional_number("since")?.unwrap_or(0),
            },
            (command::WHY, false) => Self::Why,
            (command::START, true) => act(Act::Start)?,
            (command::STOP, true) => act(Act::Stop)?,
            (command::CALL, true) => act(Act::Call)?,
            (command::ROLLBACK, true) => act(Act::Rollback)?,
            (command::REMOVE, true) => act(Act::Remove)?,
            (command::SIGNED, true) => Self::Signed(Signed {
                lock: Lock {
                    device: fixed(map.bytes("id")?)?,
                    nonce: fixed(map.bytes("nonce")?)?,
                },
                sequence: map.number("seq")?,
                frame: map.bytes("frame")?,
                key: map.bytes("key")?.try_into().map_err(|_| Unreadable)?,
                signature: map.bytes("sig")?.try_into().map_err(|_| Unreadable)?,
            }),
            _ => return Ok(None),
        }))
    }

    /// Whether it may change something of the device.
    pub(crate) fn changes(&self) -> bool {
        match self {
            Self::About
            | Self::Rune(_)
            | Self::Manifest { .. }
            | Self::Capability(_)
            | Self::Lines { .. }
            | Self::Why => false,
            Self::Act { .. } | Self::Signed(_) => true,
        }
    }
}

fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Unreadable> {
    bytes.try_into().map_err(|_| Unreadable)
}

impl<'o> Reply<'o> {
    /// What the device is.
    pub(crate) fn about(
        self,
        about: &About<'_>,
        lock: Option<&Lock>,
        sequence: u32,
        slots: u32,
    ) -> &'o [u8] {
        self.map(|map| {
            let more = if lock.is_some() { 3 } else { 0 };
            map.map(8 + more + u64::from(!about.name.is_empty()))?;
            map.str("abi")?.u32(about.abi)?;
            if let Some(lock) = lock {
                map.str("id")?.bytes(&lock.device)?;
                map.str("seq")?.u32(sequence)?;
                map.str("nonce")?.bytes(&lock.nonce)?;
            }
            let mode = if lock.is_some() { "locked" } else { "open" };
            map.str("mode")?.str(mode)?;
            if !about.name.is_empty() {
                map.str("name")?.str(about.name)?;
            }
            map.str("board")?.str(about.board)?;
            map.str("slots")?.u32(slots)?;
            map.str("up_ms")?.u64(about.up_ms)?;
            map.str("version")?.str(about.version)?;
            map.str("slot_bytes")?.u32(about.slot_bytes)?;
            map.str("memory_bytes")?.u32(about.memory_bytes)?;
            Ok(())
        })
    }

    /// A rune that has a place, and what its slot is, where it has one.
    pub(crate) fn rune(
        self,
        rune: &RuneState<'_>,
        error: &str,
        slot: Option<(Phase, [u16; 3], u8)>,
    ) -> &'o [u8] {
        self.map(|map| {
            let more = if slot.is_some() { 3 } else { 0 };
            map.map(3 + more + u64::from(!error.is_empty()))?;
            map.str("hash")?.bytes(&rune.sha256)?;
            map.str("name")?.str(rune.name)?;
            map.str("doing")?.str(rune.doing.name())?;
            if !error.is_empty() {
                map.str("error")?.str(error)?;
            }
            if let Some((phase, [major, minor, patch], attempts)) = slot {
                map.str("state")?.str(state(phase))?;
                map.str("version")?.array(3)?;
                map.u16(major)?.u16(minor)?.u16(patch)?;
                map.str("attempts")?.u8(attempts)?;
            }
            Ok(())
        })
    }

    /// A part of a manifest.
    pub(crate) fn manifest(self, offset: u32, length: u32, data: &[u8]) -> &'o [u8] {
        self.file(offset, data, Some(length))
    }

    /// Some kind of capability.
    pub(crate) fn capability(self, kind: &str) -> &'o [u8] {
        self.map(|map| {
            map.map(1)?.str("kind")?.str(kind)?;
            Ok(())
        })
    }

    /// Lines, and the mark of the next ones.
    pub(crate) fn lines(self, text: &[u8], next: u32) -> &'o [u8] {
        self.map(|map| {
            map.map(2)?.str("next")?.u32(next)?;
            map.str("text")?.bytes(text)?;
            Ok(())
        })
    }

    /// Why something was refused.
    pub(crate) fn why(self, why: &str) -> &'o [u8] {
        self.map(|map| {
            map.map(1)?.str("why")?.str(why)?;
            Ok(())
        })
    }
}

/// What a slot is, in a word.
const fn state(phase: Phase) -> &'static str {
    match phase {
        Phase::Empty => "empty",
        Phase::Receiving => "receiving",
        Phase::Verified => "verified",
        Phase::Trial => "trial",
        Phase::Confirmed => "confirmed",
        Phase::Previous => "previous",
        Phase::Bad => "bad",
    }
}
