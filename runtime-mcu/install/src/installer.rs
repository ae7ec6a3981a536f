//! Carries out what the machine says, over a storage.

use core::fmt;

use crate::{
    journal::{self, BLANK, BUFFER_ALIGN, Journal, Opening, Unread, Unwritten},
    machine::{Effect, Input, Limits, Refused, Reply, Start},
    pool::{Digest, Entry, Identity, Name, Pool},
    storage::{ReadFault, Region, Storage},
};

/// Why an input was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error<E> {
    /// It is not allowed now; nothing changed.
    Refused(Refused),
    /// The storage failed. Whether the input counts shows when the installer is opened again, and until then it
    /// takes no other.
    Storage(E),
    /// What was written reads otherwise: the same.
    Differs,
    /// An earlier input failed.
    Stopped,
}

impl<E: fmt::Display> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why) => why.fmt(f),
            Self::Storage(e) => e.fmt(f),
            Self::Differs => f.write_str("what was written reads otherwise"),
            Self::Stopped => f.write_str("the storage failed before"),
        }
    }
}

impl<E: core::error::Error> core::error::Error for Error<E> {}

impl<E> From<Unwritten<E>> for Error<E> {
    fn from(error: Unwritten<E>) -> Self {
        match error {
            Unwritten::Failed(e) => Self::Storage(e),
            Unwritten::Differs => Self::Differs,
        }
    }
}

/// Why an installer was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError<E> {
    /// The storage failed.
    Storage(E),
    /// What was written reads otherwise.
    Differs,
    /// There are records of another version, or of more slots or floors.
    Foreign,
    /// No record is whole, and the areas are not erased.
    Damaged,
    /// The buffer is shorter than [`Installer::BUFFER_BYTES`].
    Buffer,
    /// The sizes of the storage do not keep the rules of [`Geometry`](crate::Geometry), an area is too small for a
    /// record, or a limit is 0.
    Geometry,
}

impl<E: fmt::Display> fmt::Display for OpenError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Storage(e) => return e.fmt(f),
            Self::Differs => "what was written reads otherwise",
            Self::Foreign => "it was written by another version",
            Self::Damaged => "its records are damaged",
            Self::Buffer => "the buffer is too short",
            Self::Geometry => "the sizes of the storage do not fit",
        })
    }
}

impl<E: core::error::Error> core::error::Error for OpenError<E> {}

/// How to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How often a trial is started before it has to be healthy: 1 to 254.
    pub tries: u8,
    /// A digest that was rolled back so often is refused until it is cast anew: at least 1.
    pub strikes: u8,
    /// Begin anew, without runes and floors, where no record is whole and the areas are not erased. That is so
    /// where the power was cut during the very first commit, or where both areas are damaged.
    pub format: bool,
}

/// How an upload begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upload {
    /// Send from this byte on.
    From(u32),
    /// Nothing need be sent: the rune is there and verified.
    Present,
}

/// A pool over a storage. `B` is a buffer of [`BUFFER_BYTES`](Self::BUFFER_BYTES).
#[derive(Debug)]
pub struct Installer<S, B, const SLOTS: usize, const FLOORS: usize, const STRIKES: usize> {
    storage: S,
    buffer: B,
    journal: Journal,
    pool: Pool<SLOTS, FLOORS, STRIKES>,
    limits: Limits,
    opening: Opening,
    stopped: bool,
}

impl<S: Storage, B: AsMut<[u8]>, const SLOTS: usize, const FLOORS: usize, const STRIKES: usize>
    Installer<S, B, SLOTS, FLOORS, STRIKES>
{
    /// Bytes of the buffer.
    pub const BUFFER_BYTES: usize =
        Pool::<SLOTS, FLOORS, STRIKES>::RECORD_BYTES.next_multiple_of(BUFFER_ALIGN);

    /// Reads the pool, and records it again where it may not be lasting.
    pub fn open(
        mut storage: S,
        mut buffer: B,
        options: Options,
    ) -> Result<Self, OpenError<S::Error>> {
        let Options {
            tries,
            strikes,
            format,
        } = options;
        let g = storage.geometry();
        let words = g.word.is_power_of_two() && g.word as usize <= BUFFER_ALIGN;
        let whole = words
            && g.step > 0
            && [g.area, g.slot, g.step]
                .iter()
                .all(|n| n.is_multiple_of(g.word))
            && g.slot.is_multiple_of(g.step);
        let fits = || g.area >= Self::BUFFER_BYTES as u32 + journal::overhead(&g);
        if !whole || !fits() || tries == 0 || tries == u8::MAX || strikes == 0 {
            return Err(OpenError::Geometry);
        }
        let Some(room) = buffer.as_mut().get_mut(..Self::BUFFER_BYTES) else {
            return Err(OpenError::Buffer);
        };
        let (journal, pool, opening) =
            Journal::open(&mut storage, room).map_err(|error| match error {
                Unread::Failed(e) => OpenError::Storage(e),
                Unread::Foreign => OpenError::Foreign,
                Unread::Differs => OpenError::Differs,
            })?;
        if opening == Opening::Damaged && !format {
            return Err(OpenError::Damaged);
        }
        let limits = Limits {
            tries,
            strikes,
            slot: g.slot,
            step: g.step,
            word: g.word,
        };
        let mut installer = Self {
            storage,
            buffer,
            journal,
            pool,
            limits,
            opening,
            stopped: false,
        };
        let records = match opening {
            Opening::Settled => 0,
            Opening::Recorded => 1,
            // Whatever was in the other area may come back.
            Opening::New | Opening::Damaged => 2,
        };
        for left in (0..records.max(1)).rev() {
            let doubt = records > 0;
            match installer.input(Input::Boot { doubt }, &[]) {
                Ok(_) => {}
                Err(Error::Storage(e)) => return Err(OpenError::Storage(e)),
                Err(Error::Differs | Error::Refused(_) | Error::Stopped) => {
                    return Err(OpenError::Differs);
                }
            }
            if left > 0 {
                installer.journal.turn();
            }
        }
        Ok(installer)
    }

    /// What is known of the slots.
    pub fn pool(&self) -> &Pool<SLOTS, FLOORS, STRIKES> {
        &self.pool
    }

    /// What was found when it was opened.
    pub fn opening(&self) -> Opening {
        self.opening
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The storage.
    pub fn storage(&self) -> &S {
        &self.storage
    }

    /// The storage. Whoever changes it may erase slots that are EMPTY or BAD, and nothing else.
    pub fn storage_mut(&mut self) -> &mut S {
        &mut self.storage
    }

    /// The storage, back.
    pub fn into_storage(self) -> S {
        self.storage
    }

    /// Carries out an input. `data` are the bytes of a chunk.
    ///
    /// # Errors
    /// Where it is refused, or the storage fails.
    pub fn input(&mut self, input: Input, data: &[u8]) -> Result<Reply, Error<S::Error>> {
        if self.stopped {
            return Err(Error::Stopped);
        }
        let step = self
            .pool
            .step(&self.limits, input)
            .map_err(Error::Refused)?;
        for effect in step.effects() {
            let result = match effect {
                Effect::Erase { slot, from } => {
                    let erased = self.storage.erase(Region::Slot(slot), from);
                    erased.map_err(Error::Storage)
                }
                Effect::Write { slot, offset, len } => {
                    let data = data.get(..len as usize).unwrap_or(data);
                    let written = self.write(Region::Slot(slot), offset, data);
                    written.map_err(Error::Storage)
                }
                Effect::Sync { slot } => {
                    let synced = self.storage.sync(Region::Slot(slot));
                    synced.map_err(Error::Storage)
                }
                Effect::Commit => {
                    let buffer = &mut self.buffer.as_mut()[..Self::BUFFER_BYTES];
                    let committed = self.journal.commit(&mut self.storage, buffer, &step.pool);
                    committed.map_err(Error::from)
                }
            };
            if let Err(error) = result {
                self.stopped = true;
                return Err(error);
            }
        }
        self.pool = step.pool;
        Ok(step.reply)
    }

    /// Writes bytes; the last word is filled up with 0xFF.
    fn write(&mut self, region: Region, offset: u32, data: &[u8]) -> Result<(), S::Error> {
        let word = self.limits.word as usize;
        let (whole, rest) = data.split_at(data.len() - data.len() % word);
        if !whole.is_empty() {
            self.storage.write(region, offset, whole)?;
        }
        if !rest.is_empty() {
            let mut last = [BLANK; BUFFER_ALIGN];
            last[..rest.len()].copy_from_slice(rest);
            let at = offset + whole.len() as u32;
            self.storage.write(region, at, &last[..word])?;
        }
        Ok(())
    }

    /// Begins an upload, or goes on with it.
    pub fn begin(
        &mut self,
        digest: Digest,
        bytes: u32,
        anew: bool,
    ) -> Result<Upload, Error<S::Error>> {
        let input = Input::Begin {
            digest,
            bytes,
            anew,
        };
        let reply = self.input(input, &[])?;
        if let Reply::Receiving { offset, .. } = reply {
            Ok(Upload::From(offset))
        } else {
            Ok(Upload::Present)
        }
    }

    /// Takes bytes of the upload; returns how many: whole words, unless they are the last.
    pub fn chunk(&mut self, offset: u32, data: &[u8]) -> Result<u32, Error<S::Error>> {
        let len = u32::try_from(data.len()).map_err(|_| Error::Refused(Refused::TooLong))?;
        let reply = self.input(Input::Chunk { offset, len }, data)?;
        if let Reply::Taken { len } = reply {
            Ok(len)
        } else {
            Ok(0)
        }
    }

    /// The upload is complete: its slot, for the runtime to verify.
    pub fn end(&mut self) -> Result<usize, Error<S::Error>> {
        self.slot(Input::End)
    }

    /// The runtime took the upload: its slot.
    ///
    /// # Errors
    /// As [`input`](Self::input). With [`Refused::Downgrade`] and [`Refused::Names`] the upload is BAD now.
    pub fn verified(&mut self, identity: Identity) -> Result<usize, Error<S::Error>> {
        self.slot(Input::Verified(identity))
    }

    /// The runtime refused the upload.
    pub fn refused(&mut self) -> Result<usize, Error<S::Error>> {
        self.slot(Input::Refused)
    }

    /// The verified rune of a digest is to be tried.
    pub fn try_out(&mut self, digest: Digest) -> Result<usize, Error<S::Error>> {
        self.slot(Input::TryOut(digest))
    }

    /// Records that the rune of a name is about to be started, and says which: `None` where its only one was in
    /// trial and is given up.
    pub fn attempt(&mut self, name: Name) -> Result<Option<Start>, Error<S::Error>> {
        let reply = self.input(Input::Attempt(name), &[])?;
        if let Reply::Start(start) = reply {
            Ok(Some(start))
        } else {
            Ok(None)
        }
    }

    /// The rune of a name runs well.
    pub fn healthy(&mut self, name: Name) -> Result<usize, Error<S::Error>> {
        self.slot(Input::Healthy(name))
    }

    /// The rune of a name ended badly.
    pub fn failed(&mut self, name: Name) -> Result<usize, Error<S::Error>> {
        self.slot(Input::Failed(name))
    }

    /// Confirms the trial of a name.
    pub fn confirm(&mut self, name: Name) -> Result<usize, Error<S::Error>> {
        self.slot(Input::Confirm(name))
    }

    /// Ends the trial of a name, or goes back to the one before.
    pub fn rollback(&mut self, name: Name) -> Result<usize, Error<S::Error>> {
        self.slot(Input::Rollback(name))
    }

    /// Gives up everything of a name but its floor.
    pub fn remove(&mut self, name: Name) -> Result<usize, Error<S::Error>> {
        self.slot(Input::Remove(name))
    }

    /// Gives up the slot of a digest.
    pub fn discard(&mut self, digest: Digest) -> Result<usize, Error<S::Error>> {
        self.slot(Input::Discard(digest))
    }

    fn slot(&mut self, input: Input) -> Result<usize, Error<S::Error>> {
        match self.input(input, &[])? {
            Reply::Receiving { slot, .. }
            | Reply::Present { slot }
            | Reply::Complete { slot }
            | Reply::Start(Start { slot, .. })
            | Reply::Done { slot } => Ok(usize::from(slot)),
            Reply::Rejected(why) => Err(Error::Refused(why)),
            Reply::Taken { .. } | Reply::Nothing => Err(Error::Refused(Refused::Unknown)),
        }
    }

    /// Reads bytes of a slot, up to what was received.
    ///
    /// # Errors
    /// Where there are none, or the storage fails or has them torn.
    pub fn read(
        &mut self,
        slot: usize,
        offset: u32,
        into: &mut [u8],
    ) -> Result<(), ReadFault<S::Error>> {
        let received = self
            .pool
            .slots()
            .get(slot)
            .map_or(0, |e: &Entry| e.received);
        let end = u64::from(offset) + into.len() as u64;
        if end > u64::from(received) {
            return Err(ReadFault::Torn);
        }
        self.storage.read(Region::Slot(slot as u8), offset, into)
    }
}
