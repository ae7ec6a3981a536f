//! What is known of the slots, of the floors of names and of the digests that were rolled back.

use core::fmt;

use crate::table::Phase;

/// SHA-256 of the bytes of an upload.
pub type Digest = [u8; 32];

/// Most bytes of a name.
pub const NAME_BYTES: usize = 64;

/// The name of a rune.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name {
    len: u8,
    bytes: [u8; NAME_BYTES],
}

impl Name {
    /// Of an upload that was not verified yet.
    pub(crate) const NONE: Self = Self {
        len: 0,
        bytes: [0; NAME_BYTES],
    };

    /// A name of 1 to [`NAME_BYTES`] bytes.
    pub fn new(text: &str) -> Option<Self> {
        let mut name = Self::NONE;
        name.len = u8::try_from(text.len()).ok().filter(|len| *len > 0)?;
        name.bytes
            .get_mut(..text.len())?
            .copy_from_slice(text.as_bytes());
        Some(name)
    }

    /// Its text, empty for an upload that was not verified yet.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..usize::from(self.len)]).expect("made of a text")
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a verified rune says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its name.
    pub name: Name,
    /// Its version: major, minor, patch.
    pub version: [u16; 3],
    /// Its security counter.
    pub counter: u32,
}

/// What is known of one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What the slot is. Of an EMPTY one the rest says nothing.
    pub phase: Phase,
    /// Starts of a trial since it was last healthy; 0 in other states.
    pub attempts: u8,
    /// SHA-256 of the upload.
    pub digest: Digest,
    /// Bytes of the upload when it is complete.
    pub bytes: u32,
    /// Bytes that are there.
    pub received: u32,
    /// What it is, from VERIFIED on.
    pub identity: Identity,
    /// The larger, the later it became PREVIOUS.
    pub stamp: u32,
}

impl Entry {
    /// Of a slot in which nothing is.
    pub const EMPTY: Self = Self {
        phase: Phase::Empty,
        attempts: 0,
        digest: [0; 32],
        bytes: 0,
        received: 0,
        identity: Identity {
            name: Name::NONE,
            version: [0; 3],
            counter: 0,
        },
        stamp: 0,
    };
}

/// The least security counter of a name; none if it is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Floor {
    pub(crate) name: Name,
    pub(crate) counter: u32,
}

/// How often a digest was rolled back; none if it is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Strike {
    pub(crate) digest: Digest,
    pub(crate) count: u8,
}

impl Strike {
    const NONE: Self = Self {
        digest: [0; 32],
        count: 0,
    };
}

/// All that is known, and all that a record holds: `SLOTS` slots, which is one more than there may be names, the
/// floors of `FLOORS` names, and the last `STRIKES` digests that were rolled back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool<const SLOTS: usize, const FLOORS: usize, const STRIKES: usize> {
    pub(crate) slots: [Entry; SLOTS],
    /// Those that are there come first.
    pub(crate) floors: [Floor; FLOORS],
    /// Those that are there come first, the oldest at the start.
    pub(crate) strikes: [Strike; STRIKES],
    pub(crate) clock: u32,
    /// Whether the slot of the upload is erased from `received` on. Not in a record: false after a start.
    pub(crate) clean: bool,
}

impl<const SLOTS: usize, const FLOORS: usize, const STRIKES: usize> Default
    for Pool<SLOTS, FLOORS, STRIKES>
{
    fn default() -> Self {
        Self::new()
    }
}

impl<const SLOTS: usize, const FLOORS: usize, const STRIKES: usize> Pool<SLOTS, FLOORS, STRIKES> {
    const SIZES: () = assert!(
        SLOTS >= 2 && SLOTS <= 64 && FLOORS <= 255 && STRIKES >= 1 && STRIKES <= 255,
        "2 to 64 slots, at most 255 floors and 1 to 255 strikes"
    );

    /// How many names there may be: one less than there are slots, so that there is always one for an upload.
    pub const NAMES: usize = SLOTS - 1;

    /// A pool in which everything is EMPTY.
    pub fn new() -> Self {
        const { Self::SIZES };
        Self {
            slots: [Entry::EMPTY; SLOTS],
            floors: [Floor {
                name: Name::NONE,
                counter: 0,
            }; FLOORS],
            strikes: [Strike::NONE; STRIKES],
            clock: 0,
            clean: false,
        }
    }

    /// What is known of each slot.
    pub fn slots(&self) -> &[Entry] {
        &self.slots
    }

    /// The least security counter that a rune of this name may have.
    pub fn floor(&self, name: &Name) -> u32 {
        let floor = self.floors.iter().find(|f| f.name == *name);
        floor.map_or(0, |f| f.counter)
    }

    /// How often a digest was rolled back since it was last cast anew, as far as it is remembered.
    pub fn strikes(&self, digest: &Digest) -> u8 {
        let strike = self.strikes.iter().find(|s| s.digest == *digest);
        strike.map_or(0, |s| s.count)
    }

    /// The slot of a digest; no two have the same.
    pub fn holding(&self, digest: &Digest) -> Option<usize> {
        let holds = |e: &Entry| e.phase != Phase::Empty && e.digest == *digest;
        self.slots.iter().position(holds)
    }

    /// The slot of a name that is in this state. Of BAD ones there may be more, of others not.
    pub fn of(&self, name: &Name, phase: Phase) -> Option<usize> {
        let is = |e: &Entry| e.phase == phase && e.identity.name == *name;
        self.slots.iter().position(is)
    }

    /// The slot of the upload that is under way.
    pub fn receiving(&self) -> Option<usize> {
        let is = |e: &Entry| e.phase == Phase::Receiving;
        self.slots.iter().position(is)
    }

    /// The slot that would be started for a name: its trial, or else the confirmed one.
    pub fn current(&self, name: &Name) -> Option<usize> {
        self.of(name, Phase::Trial)
            .or_else(|| self.of(name, Phase::Confirmed))
    }

    /// Whether a slot belongs to a name and its bytes are needed.
    pub(crate) fn is_bound(entry: &Entry) -> bool {
        match entry.phase {
            Phase::Verified | Phase::Trial | Phase::Confirmed | Phase::Previous => true,
            Phase::Empty | Phase::Receiving | Phase::Bad => false,
        }
    }

    /// How many names have slots.
    pub fn names(&self) -> usize {
        let first = |(i, e): &(usize, &Entry)| {
            let same = |o: &Entry| Self::is_bound(o) && o.identity.name == e.identity.name;
            Self::is_bound(e) && !self.slots[..*i].iter().any(same)
        };
        self.slots.iter().enumerate().filter(first).count()
    }

    /// Whether it is one that the machine can make, as far as one can see.
    pub fn is_lawful(&self) -> bool {
        let pairs = || {
            let rest = |(i, a)| self.slots[i + 1..].iter().map(move |b| (a, b));
            self.slots.iter().enumerate().flat_map(rest)
        };
        let alone = pairs().all(|(a, b): (&Entry, &Entry)| {
            let one_upload = a.phase != Phase::Receiving || b.phase != Phase::Receiving;
            let own_digest =
                a.phase == Phase::Empty || b.phase == Phase::Empty || a.digest != b.digest;
            let own_place =
                !Self::is_bound(a) || a.phase != b.phase || a.identity.name != b.identity.name;
            one_upload && own_digest && own_place
        });
        let each = self.slots.iter().all(|e| {
            let whole = match e.phase {
                Phase::Empty => true,
                Phase::Receiving => e.received <= e.bytes && e.identity.name == Name::NONE,
                Phase::Bad => e.received == 0,
                Phase::Verified | Phase::Trial | Phase::Confirmed | Phase::Previous => {
                    e.received == e.bytes && e.identity.name != Name::NONE
                }
            };
            let attempts = e.attempts == 0 || e.phase == Phase::Trial;
            whole && attempts && (e.phase == Phase::Empty || e.bytes > 0)
        });
        alone && each && self.names() <= Self::NAMES
    }

    pub(crate) fn raise(&mut self, name: Name, counter: u32) -> bool {
        if counter <= self.floor(&name) {
            return true;
        }
        let place = |f: &Floor| f.counter == 0 || f.name == name;
        let Some(at) = self.floors.iter().position(place) else {
            return false;
        };
        self.floors[at] = Floor { name, counter };
        true
    }

    pub(crate) fn strike(&mut self, digest: Digest) {
        let count = self.strikes(&digest).saturating_add(1);
        self.pardon(&digest);
        if self.strikes.iter().all(|s| s.count > 0) {
            self.strikes[0] = Strike::NONE;
            self.strikes.rotate_left(1);
        }
        let free = self.strikes.iter_mut().find(|s| s.count == 0);
        *free.expect("one was freed") = Strike { digest, count };
    }

    /// Forgets that a digest was rolled back; whether it was.
    pub(crate) fn pardon(&mut self, digest: &Digest) -> bool {
        let is = |s: &Strike| s.count > 0 && s.digest == *digest;
        let Some(at) = self.strikes.iter().position(is) else {
            return false;
        };
        self.strikes[at] = Strike::NONE;
        self.strikes[at..].rotate_left(1);
        true
    }
}
