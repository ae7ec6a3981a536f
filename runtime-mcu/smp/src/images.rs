//! Slots of the pool as images: each name is an image of its own, counted from 1 on.

use rune_install::{Entry, Name, Phase};

use crate::{Digest, ImageState};

/// Most slots of a pool.
const SLOTS: usize = 64;

/// Where a slot of the pool is as an image: the number of the image, the slot of it, and the place in the pool.
type Place = (u8, u8, u8);

/// All slots that have a name, by image and slot.
pub(crate) struct Images<'e> {
    entries: &'e [Entry],
    places: [Place; SLOTS],
    used: usize,
}

impl<'e> Images<'e> {
    pub(crate) fn new(entries: &'e [Entry]) -> Self {
        let mut images = Self {
            entries: &entries[..entries.len().min(SLOTS)],
            places: [(0, 0, 0); SLOTS],
            used: 0,
        };
        for at in 0..images.entries.len() {
            let Some(place) = images.place(at) else {
                continue;
            };
            // They are few, and sorting of the library is 3 KB of code.
            let mut to = images.used;
            while to > 0 && images.places[to - 1] > place {
                images.places[to] = images.places[to - 1];
                to -= 1;
            }
            images.places[to] = place;
            images.used += 1;
        }
        images
    }

    /// What is at a place in the pool, as far as it has a name.
    fn named(&self, at: usize) -> Option<&'e Entry> {
        self.entries.get(at).filter(|entry| has_name(entry))
    }

    fn place(&self, at: usize) -> Option<Place> {
        let entry = self.named(at)?;
        let same = |other: &usize| {
            let other = self.named(*other);
            other.is_some_and(|other| other.identity.name == entry.identity.name)
        };
        let first = (0..=at).find(same)?;
        let is_first = |other: &usize| {
            let name = self.named(*other).map(|other| other.identity.name);
            let before = |before: usize| self.named(before).map(|b| b.identity.name) == name;
            name.is_some() && !(0..*other).any(before)
        };
        let image = 1 + (0..first).filter(is_first).count();
        let running = current(self.entries, &entry.identity.name);
        let slot = if running == Some(at) {
            0
        } else {
            let others = (0..at).filter(|other| same(other) && running != Some(*other));
            1 + others.count()
        };
        Some((image as u8, slot as u8, at as u8))
    }

    /// How many images there are: their numbers are from 1 on.
    pub(crate) fn names(&self) -> u32 {
        let last = self.places[..self.used].last();
        last.map_or(0, |(image, ..)| u32::from(*image))
    }

    /// What is in every slot.
    pub(crate) fn states(&self) -> impl Iterator<Item = ImageState> + Clone {
        self.places[..self.used].iter().map(|(image, slot, at)| {
            let entry = &self.entries[usize::from(*at)];
            let is_trial = entry.phase == Phase::Trial;
            let is_confirmed = entry.phase == Phase::Confirmed;
            ImageState {
                image: u32::from(*image),
                slot: u32::from(*slot),
                version: entry.identity.version,
                sha256: entry.digest,
                bootable: entry.phase != Phase::Bad,
                pending: false,
                confirmed: is_confirmed,
                active: *slot == 0 && (is_trial || is_confirmed),
                permanent: false,
            }
        })
    }

    /// What of an image does not run.
    pub(crate) fn rest(&self, image: u32) -> impl Iterator<Item = Digest> {
        let places = self.places[..self.used].iter();
        let own = places.filter(move |(number, slot, _)| u32::from(*number) == image && *slot != 0);
        own.map(|(_, _, at)| self.entries[usize::from(*at)].digest)
    }
}

/// Whether it is known what it is. One that was refused before it was verified has no name.
fn has_name(entry: &Entry) -> bool {
    match entry.phase {
        Phase::Empty | Phase::Receiving => false,
        Phase::Verified | Phase::Trial | Phase::Confirmed | Phase::Previous | Phase::Bad => {
            !entry.identity.name.as_str().is_empty()
        }
    }
}

/// Where the rune of a name is that runs: its trial, or else the confirmed one.
pub(crate) fn current(entries: &[Entry], name: &Name) -> Option<usize> {
    let of = |phase| {
        let is = |entry: &Entry| entry.phase == phase && entry.identity.name == *name;
        entries.iter().position(is)
    };
    of(Phase::Trial).or_else(|| of(Phase::Confirmed))
}

/// What is known of a digest.
pub(crate) fn holding<'e>(entries: &'e [Entry], sha256: &Digest) -> Option<&'e Entry> {
    let holds = |entry: &&Entry| entry.phase != Phase::Empty && entry.digest == *sha256;
    entries.iter().find(holds)
}
