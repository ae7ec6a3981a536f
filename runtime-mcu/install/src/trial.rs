//! What whoever runs runes does with the machine when a rune is to start, has failed, or runs well: one code for
//! boards and for Linux.

use crate::{
    installer::{Error, Installer},
    pool::{Digest, Entry, Name},
    storage::Storage,
    table::Phase,
};

/// What becomes of a rune that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It may be started anew, which is an attempt of its own if it is in trial.
    Again,
    /// Its trial is over. What was confirmed before, if anything was, is to be started.
    Over,
}

impl<S: Storage, B: AsMut<[u8]>, const SLOTS: usize, const FLOORS: usize, const STRIKES: usize>
    Installer<S, B, SLOTS, FLOORS, STRIKES>
{
    /// The slot that is to run under a name: its trial as long as that may be started, or else the confirmed one.
    pub fn candidate(&self, name: &Name) -> Option<usize> {
        let pool = self.pool();
        let tries = self.limits().tries;
        let has_tries = |slot: &usize| pool.slots()[*slot].attempts < tries;
        let trial = pool.of(name, Phase::Trial).filter(has_tries);
        trial.or_else(|| pool.of(name, Phase::Confirmed))
    }

    /// Whether the rune of a digest is the one of its name that is in trial.
    pub fn is_tried(&self, name: &Name, digest: &Digest) -> bool {
        self.has(name, Phase::Trial, digest)
    }

    fn has(&self, name: &Name, phase: Phase, digest: &Digest) -> bool {
        let slot = self.pool().of(name, phase);
        let entry = slot.map(|slot: usize| -> &Entry { &self.pool().slots()[slot] });
        entry.is_some_and(|entry| entry.digest == *digest)
    }

    /// Records that the rune of a digest is about to be started under its name; one that was only verified is in trial
    /// then. False where another one is to be started, or none.
    ///
    /// # Errors
    /// Where the name has nothing to start, or the storage fails.
    pub fn start(&mut self, name: Name, digest: &Digest) -> Result<bool, Error<S::Error>> {
        if self.has(&name, Phase::Verified, digest) {
            self.try_out(*digest)?;
        }
        let start = self.attempt(name)?;
        let started = start.map(|start| self.pool().slots()[usize::from(start.slot)].digest);
        Ok(started == Some(*digest))
    }

    /// The rune of a name failed. `is_final`: it would the next time too, so a trial is over whatever tries are left.
    ///
    /// # Errors
    /// Where the storage fails.
    pub fn ended(
        &mut self,
        name: Name,
        digest: &Digest,
        is_final: bool,
    ) -> Result<Fate, Error<S::Error>> {
        if !self.is_tried(&name, digest) {
            return Ok(Fate::Again);
        }
        if is_final {
            self.rollback(name)?;
        } else {
            self.failed(name)?;
        }
        Ok(if self.is_tried(&name, digest) {
            Fate::Again
        } else {
            Fate::Over
        })
    }

    /// The rune of a name runs well, so that its trial has all tries again. False where it is not in trial.
    ///
    /// # Errors
    /// Where the storage fails.
    pub fn well(&mut self, name: Name, digest: &Digest) -> Result<bool, Error<S::Error>> {
        let is_tried = self.is_tried(&name, digest);
        if is_tried {
            self.healthy(name)?;
        }
        Ok(is_tried)
    }
}
