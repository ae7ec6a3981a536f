//! What an input does to a pool, and what must be done for it in which order. Pure: it reads and writes nothing.

use core::fmt;

use crate::{
    pool::{Digest, Entry, Identity, Name, Pool},
    table::{self, Event, Phase},
};

/// What the owner of a device allows, and the sizes of its slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How often a trial is started before it has to be healthy; at least 1.
    pub tries: u8,
    /// A digest that was rolled back so often is refused until it is cast anew; at least 1.
    pub strikes: u8,
    /// Bytes of a slot.
    pub slot: u32,
    /// Bytes from one checkpoint of an upload to the next.
    pub step: u32,
    /// Bytes that are written at once.
    pub word: u32,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The device starts. `doubt`: the last record may not be lasting.
    Boot {
        /// Whether the pool must be recorded again.
        doubt: bool,
    },
    /// An upload begins, or goes on. It ends one of another digest.
    Begin {
        /// SHA-256 of all of it.
        digest: Digest,
        /// Bytes of all of it.
        bytes: u32,
        /// A person asks for it: that it was rolled back before is forgotten.
        anew: bool,
    },
    /// Bytes of the upload.
    Chunk {
        /// Where they belong: where the last chunk ended.
        offset: u32,
        /// How many there are.
        len: u32,
    },
    /// The upload is complete.
    End,
    /// The runtime found digest and signature of the upload right, and that it fits the device.
    Verified(Identity),
    /// The runtime refused the upload.
    Refused,
    /// The verified rune of this digest is to be tried.
    TryOut(Digest),
    /// The rune of this name is about to be started.
    Attempt(Name),
    /// It runs well.
    Healthy(Name),
    /// It ended badly, or was not healthy in time.
    Failed(Name),
    /// Its trial is over.
    Confirm(Name),
    /// Its trial is ended, or, without one, the rune before it comes back.
    Rollback(Name),
    /// Everything of this name is given up. Its floor stays.
    Remove(Name),
    /// One slot is given up, which is not the one that runs.
    Discard(Digest),
}

/// What must be done, in this order, and after each before the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Erase a slot from an offset on.
    Erase {
        /// The slot.
        slot: u8,
        /// A checkpoint.
        from: u32,
    },
    /// Write the first bytes of the chunk to a slot.
    Write {
        /// The slot.
        slot: u8,
        /// Where.
        offset: u32,
        /// How many of them.
        len: u32,
    },
    /// Make what was done to a slot lasting.
    Sync {
        /// The slot.
        slot: u8,
    },
    /// Record the next pool, lastingly.
    Commit,
}

/// What is to be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Where its bytes are.
    pub slot: u8,
    /// TRIAL or CONFIRMED.
    pub phase: Phase,
    /// Of a trial: which start this is since it was last healthy, from 1. Otherwise 0.
    pub attempt: u8,
}

/// What comes of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The upload goes into this slot, from this offset on.
    Receiving {
        /// The slot.
        slot: u8,
        /// What is there already.
        offset: u32,
    },
    /// Nothing need be sent: this slot has these bytes, verified.
    Present {
        /// The slot.
        slot: u8,
    },
    /// So many bytes of the chunk were taken: whole words, unless it is the last.
    Taken {
        /// How many.
        len: u32,
    },
    /// This slot is complete and is to be verified.
    Complete {
        /// The slot.
        slot: u8,
    },
    /// Start this.
    Start(Start),
    /// The trial is over without success, and there is none to go back to.
    Nothing,
    /// It is done, in this slot.
    Done {
        /// The slot.
        slot: u8,
    },
    /// The upload is BAD now, and why.
    Rejected(Refused),
}

/// Why an input changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The table has no row for it.
    Phase {
        /// What the slot is.
        phase: Phase,
        /// What was to happen.
        event: Event,
    },
    /// There is no slot of this name or digest, or no upload.
    Unknown,
    /// An upload of no bytes.
    Empty,
    /// More bytes than a slot has.
    TooLarge,
    /// The digest was rolled back as often as allowed.
    Struck,
    /// No slot is free: all are in trial or confirmed.
    Full,
    /// As many names as there may be have slots.
    Names,
    /// The floors of as many names as there may be are recorded.
    Floors,
    /// Bytes of the upload are missing or were sent already.
    Offset {
        /// Where the next chunk begins.
        expected: u32,
    },
    /// The upload of this digest was begun with another number of bytes.
    Bytes,
    /// More bytes than the upload has.
    TooLong,
    /// A chunk that is not the last is less than a word.
    Short,
    /// The security counter is below the floor of the name.
    Downgrade {
        /// The floor.
        floor: u32,
    },
    /// There is none to go back to.
    NothingBefore,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Phase { phase, event } => {
                return write!(f, "it is {phase}, which allows no {event}");
            }
            Self::Offset { expected } => {
                return write!(f, "the upload goes on at byte {expected}");
            }
            Self::Downgrade { floor } => {
                return write!(f, "its security counter is below {floor}");
            }
            Self::Unknown => "there is no such rune or upload",
            Self::Empty => "an upload has at least one byte",
            Self::TooLarge => "it is larger than a slot",
            Self::Struck => "it was rolled back too often",
            Self::Full => "no slot is free",
            Self::Names => "there are as many runes as there may be",
            Self::Floors => "there are as many security counters as can be kept",
            Self::Bytes => "its upload was begun with another size",
            Self::TooLong => "it is longer than was announced",
            Self::Short => "the chunk is too short",
            Self::NothingBefore => "there is none to go back to",
        })
    }
}

impl core::error::Error for Refused {}

/// The pool after an input, and what to do for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step<P> {
    /// The next pool. It counts once all effects are carried out.
    pub pool: P,
    /// What to do first.
    pub reply: Reply,
    effects: [Option<Effect>; 4],
}

impl<P> Step<P> {
    fn new(pool: P, reply: Reply, effects: &[Effect]) -> Self {
        let mut list = [None; 4];
        for (to, effect) in list.iter_mut().zip(effects) {
            *to = Some(*effect);
        }
        Self {
            pool,
            reply,
            effects: list,
        }
    }

    /// What to do, in this order.
    pub fn effects(&self) -> impl Iterator<Item = Effect> + use<P> {
        self.effects.into_iter().flatten()
    }
}

impl<const SLOTS: usize, const FLOORS: usize, const STRIKES: usize> Pool<SLOTS, FLOORS, STRIKES> {
    /// What an input does.
    ///
    /// # Errors
    /// Where it is refused, and nothing changes.
    pub fn step(&self, limits: &Limits, input: Input) -> Result<Step<Self>, Refused> {
        let next = self.clone();
        match input {
            Input::Boot { doubt } => Ok(next.boot(limits, doubt)),
            Input::Begin {
                digest,
                bytes,
                anew,
            } => next.begin(limits, digest, bytes, anew),
            Input::Chunk { offset, len } => next.chunk(limits, offset, len),
            Input::End => next.end(),
            Input::Verified(identity) => next.verified(identity),
            Input::Refused => {
                let slot = self.receiving().ok_or(Refused::Unknown)?;
                next.on(slot, Event::Refused)
            }
            Input::TryOut(digest) => next.try_out(&digest),
            Input::Attempt(name) => next.attempt(limits, &name),
            Input::Healthy(name) => next.healthy(&name),
            Input::Failed(name) => next.failed(limits, &name),
            Input::Confirm(name) => next.confirm(&name),
            Input::Rollback(name) => next.rollback(&name),
            Input::Remove(name) => next.remove(&name),
            Input::Discard(digest) => {
                let slot = self.holding(&digest).ok_or(Refused::Unknown)?;
                next.on(slot, Event::Discard)
            }
        }
    }

    /// Changes the state of a slot by the table, which is the only way to change it.
    fn shift(&mut self, slot: usize, event: Event, spent: bool) -> Result<Phase, Refused> {
        let entry = &mut self.slots[slot];
        let phase = entry.phase;
        let row = table::find(phase, event, spent).ok_or(Refused::Phase { phase, event })?;
        entry.phase = row.to;
        match row.to {
            Phase::Empty => *entry = Entry::EMPTY,
            Phase::Trial => {}
            Phase::Previous => {
                entry.attempts = 0;
                self.clock = self.clock.saturating_add(1);
                entry.stamp = self.clock;
            }
            Phase::Bad => {
                entry.attempts = 0;
                entry.received = 0;
            }
            Phase::Receiving | Phase::Verified | Phase::Confirmed => entry.attempts = 0,
        }
        Ok(row.to)
    }

    /// The step of an event that concerns one slot.
    fn on(mut self, slot: usize, event: Event) -> Result<Step<Self>, Refused> {
        self.shift(slot, event, false)?;
        Ok(self.done(slot))
    }

    /// Recorded.
    fn done(self, slot: usize) -> Step<Self> {
        let slot = slot as u8;
        Step::new(self, Reply::Done { slot }, &[Effect::Commit])
    }

    /// Another one of its name takes the place of the one in this state.
    fn supersede(&mut self, name: &Name, phase: Phase) {
        if let Some(slot) = self.of(name, phase) {
            self.shift(slot, Event::Superseded, false)
                .expect("the table has a row for each bound state");
        }
    }

    fn boot(mut self, limits: &Limits, doubt: bool) -> Step<Self> {
        self.clean = false;
        let mut at = 0;
        if let Some(slot) = self.receiving() {
            self.shift(slot, Event::Boot, false)
                .expect("the table has a row");
            let entry = &mut self.slots[slot];
            if entry.received < entry.bytes {
                entry.received -= entry.received % limits.step;
            }
            at = slot;
        }
        let slot = at as u8;
        let effects: &[Effect] = if doubt { &[Effect::Commit] } else { &[] };
        Step::new(self, Reply::Done { slot }, effects)
    }

    fn begin(
        mut self,
        limits: &Limits,
        digest: Digest,
        bytes: u32,
        anew: bool,
    ) -> Result<Step<Self>, Refused> {
        if bytes == 0 {
            return Err(Refused::Empty);
        }
        if bytes > limits.slot {
            return Err(Refused::TooLarge);
        }
        let forgotten = anew && self.pardon(&digest);
        if self.strikes(&digest) >= limits.strikes {
            return Err(Refused::Struck);
        }
        let commit: &[Effect] = if forgotten { &[Effect::Commit] } else { &[] };
        let held = self.holding(&digest);
        let slot = match held.map(|slot| (slot, self.slots[slot].phase)) {
            Some((at, Phase::Receiving)) => {
                if self.slots[at].bytes != bytes {
                    return Err(Refused::Bytes);
                }
                let (slot, offset) = (at as u8, self.slots[at].received);
                return Ok(Step::new(self, Reply::Receiving { slot, offset }, commit));
            }
            Some((at, Phase::Verified | Phase::Trial | Phase::Confirmed)) => {
                let slot = at as u8;
                return Ok(Step::new(self, Reply::Present { slot }, commit));
            }
            Some((at, Phase::Previous)) => {
                let slot = at as u8;
                self.allowed(at)?;
                let name = self.slots[at].identity.name;
                self.supersede(&name, Phase::Verified);
                self.shift(at, Event::Recall, false)?;
                return Ok(Step::new(self, Reply::Present { slot }, &[Effect::Commit]));
            }
            Some((at, Phase::Bad)) => at,
            Some((_, Phase::Empty)) | None => self.free().ok_or(Refused::Full)?,
        };
        // There is at most one upload: another one that is not complete is given up.
        if let Some(other) = self.receiving().filter(|other| *other != slot) {
            self.shift(other, Event::Discard, false)?;
        }
        self.shift(slot, Event::Begin, false)?;
        self.slots[slot] = Entry {
            phase: self.slots[slot].phase,
            digest,
            bytes,
            ..Entry::EMPTY
        };
        self.clean = false;
        let (slot, offset) = (slot as u8, 0);
        let reply = Reply::Receiving { slot, offset };
        Ok(Step::new(self, reply, &[Effect::Commit]))
    }

    /// The slot that an upload takes: an EMPTY one, a BAD one, that of another upload, the oldest PREVIOUS one, one
    /// that was not tried yet.
    fn free(&self) -> Option<usize> {
        let first = |phase| self.slots.iter().position(|e| e.phase == phase);
        let oldest = || {
            let previous = |(_, e): &(usize, &Entry)| e.phase == Phase::Previous;
            let all = self.slots.iter().enumerate().filter(previous);
            all.min_by_key(|(_, e)| e.stamp).map(|(slot, _)| slot)
        };
        first(Phase::Empty)
            .or_else(|| first(Phase::Bad))
            .or_else(|| first(Phase::Receiving))
            .or_else(oldest)
            .or_else(|| first(Phase::Verified))
    }

    /// Whether the floor of its name allows a slot.
    fn allowed(&self, slot: usize) -> Result<(), Refused> {
        let Identity { name, counter, .. } = self.slots[slot].identity;
        let floor = self.floor(&name);
        if counter < floor {
            return Err(Refused::Downgrade { floor });
        }
        Ok(())
    }

    fn chunk(mut self, limits: &Limits, offset: u32, len: u32) -> Result<Step<Self>, Refused> {
        let slot = self.receiving().ok_or(Refused::Unknown)?;
        let entry = self.slots[slot];
        if offset != entry.received {
            return Err(Refused::Offset {
                expected: entry.received,
            });
        }
        if len > entry.bytes - entry.received {
            return Err(Refused::TooLong);
        }
        let is_last = entry.received + len == entry.bytes;
        let len = if is_last {
            len
        } else {
            len - len % limits.word
        };
        if len == 0 {
            return Err(Refused::Short);
        }
        self.shift(slot, Event::Chunk, false)?;
        let received = entry.received + len;
        self.slots[slot].received = received;
        let mut effects = [Effect::Commit; 4];
        let mut count = 0;
        let mut push = |effect| {
            effects[count] = effect;
            count += 1;
        };
        let at = slot as u8;
        if !self.clean {
            // After a start `received` is a checkpoint.
            push(Effect::Erase {
                slot: at,
                from: entry.received,
            });
        }
        push(Effect::Write {
            slot: at,
            offset,
            len,
        });
        // What a record says is there must be lasting before it.
        if is_last || received / limits.step > entry.received / limits.step {
            push(Effect::Sync { slot: at });
            push(Effect::Commit);
        }
        self.clean = true;
        Ok(Step::new(self, Reply::Taken { len }, &effects[..count]))
    }

    fn end(mut self) -> Result<Step<Self>, Refused> {
        let slot = self.receiving().ok_or(Refused::Unknown)?;
        let entry = &self.slots[slot];
        if entry.received < entry.bytes {
            let expected = entry.received;
            return Err(Refused::Offset { expected });
        }
        self.shift(slot, Event::End, false)?;
        let slot = slot as u8;
        Ok(Step::new(self, Reply::Complete { slot }, &[]))
    }

    fn verified(mut self, identity: Identity) -> Result<Step<Self>, Refused> {
        let Reply::Complete { slot } = self.clone().end()?.reply else {
            return Err(Refused::Unknown);
        };
        let slot = usize::from(slot);
        let known = |e: &Entry| Self::is_bound(e) && e.identity.name == identity.name;
        let floor = self.floor(&identity.name);
        let why = if identity.counter < floor {
            Some(Refused::Downgrade { floor })
        } else if !self.slots.iter().any(known) && self.names() >= Self::NAMES {
            Some(Refused::Names)
        } else {
            None
        };
        if let Some(why) = why {
            self.shift(slot, Event::Refused, false)?;
            return Ok(Step::new(self, Reply::Rejected(why), &[Effect::Commit]));
        }
        self.supersede(&identity.name, Phase::Verified);
        self.slots[slot].identity = identity;
        self.on(slot, Event::Verified)
    }

    fn try_out(mut self, digest: &Digest) -> Result<Step<Self>, Refused> {
        let slot = self.holding(digest).ok_or(Refused::Unknown)?;
        let Entry {
            phase, identity, ..
        } = self.slots[slot];
        if phase == Phase::Verified {
            self.allowed(slot)?;
            self.supersede(&identity.name, Phase::Trial);
        }
        self.on(slot, Event::TryOut)
    }

    fn attempt(mut self, limits: &Limits, name: &Name) -> Result<Step<Self>, Refused> {
        if let Some(slot) = self.of(name, Phase::Trial) {
            let spent = self.slots[slot].attempts >= limits.tries;
            if self.shift(slot, Event::Attempt, spent)? == Phase::Trial {
                self.slots[slot].attempts += 1;
                let start = self.start(slot);
                return Ok(Step::new(self, Reply::Start(start), &[Effect::Commit]));
            }
            self.strike(self.slots[slot].digest);
            let reply = match self.of(name, Phase::Confirmed) {
                Some(slot) => Reply::Start(self.start(slot)),
                None => Reply::Nothing,
            };
            return Ok(Step::new(self, reply, &[Effect::Commit]));
        }
        let slot = self.settled(name)?;
        self.shift(slot, Event::Attempt, false)?;
        let start = self.start(slot);
        Ok(Step::new(self, Reply::Start(start), &[]))
    }

    fn start(&self, slot: usize) -> Start {
        let entry = &self.slots[slot];
        Start {
            slot: slot as u8,
            phase: entry.phase,
            attempt: entry.attempts,
        }
    }

    /// The slot of a name that is not tried: CONFIRMED or VERIFIED.
    fn settled(&self, name: &Name) -> Result<usize, Refused> {
        self.of(name, Phase::Confirmed)
            .or_else(|| self.of(name, Phase::Verified))
            .ok_or(Refused::Unknown)
    }

    fn healthy(mut self, name: &Name) -> Result<Step<Self>, Refused> {
        let slot = self.current(name).ok_or(Refused::Unknown)?;
        self.shift(slot, Event::Healthy, false)?;
        if self.slots[slot].attempts == 0 {
            let reply = Reply::Done { slot: slot as u8 };
            return Ok(Step::new(self, reply, &[]));
        }
        self.slots[slot].attempts = 0;
        Ok(self.done(slot))
    }

    fn failed(mut self, limits: &Limits, name: &Name) -> Result<Step<Self>, Refused> {
        let slot = self.current(name).ok_or(Refused::Unknown)?;
        let spent = self.slots[slot].attempts >= limits.tries;
        let reply = Reply::Done { slot: slot as u8 };
        if self.shift(slot, Event::Failed, spent)? != Phase::Bad {
            return Ok(Step::new(self, reply, &[]));
        }
        self.strike(self.slots[slot].digest);
        Ok(self.done(slot))
    }

    fn confirm(mut self, name: &Name) -> Result<Step<Self>, Refused> {
        let Some(slot) = self.of(name, Phase::Trial) else {
            let slot = self.settled(name)?;
            return self.on(slot, Event::Confirm);
        };
        let counter = self.slots[slot].identity.counter;
        if !self.raise(*name, counter) {
            return Err(Refused::Floors);
        }
        if self.of(name, Phase::Confirmed).is_some() {
            self.supersede(name, Phase::Previous);
            self.supersede(name, Phase::Confirmed);
        }
        self.on(slot, Event::Confirm)
    }

    fn rollback(mut self, name: &Name) -> Result<Step<Self>, Refused> {
        let slot = match self.of(name, Phase::Trial) {
            Some(slot) => slot,
            None => self.settled(name)?,
        };
        if self.slots[slot].phase == Phase::Confirmed {
            let before = self.of(name, Phase::Previous);
            let before = before.ok_or(Refused::NothingBefore)?;
            self.allowed(before)?;
            self.shift(slot, Event::Rollback, false)?;
            self.shift(before, Event::Restored, false)?;
            self.strike(self.slots[slot].digest);
            return Ok(self.done(before));
        }
        self.shift(slot, Event::Rollback, false)?;
        self.strike(self.slots[slot].digest);
        Ok(self.done(slot))
    }

    fn remove(mut self, name: &Name) -> Result<Step<Self>, Refused> {
        let mut last = None;
        for slot in 0..SLOTS {
            let entry = &self.slots[slot];
            if entry.phase != Phase::Empty && entry.identity.name == *name {
                self.shift(slot, Event::Remove, false)?;
                last = Some(slot);
            }
        }
        last.map(|slot| self.done(slot)).ok_or(Refused::Unknown)
    }
}
