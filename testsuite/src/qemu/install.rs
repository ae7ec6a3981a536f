//! Installing runes on a board, and what runs there.

use rune_install::Phase;
use rune_link::{DATA_BYTES, Digest, Doing, FAILURES, Install, Reply, Request, Run, When};

use super::Machine;

/// What is in a slot of a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its number.
    pub slot: u8,
    /// What it is.
    pub state: Phase,
    /// Of a trial: starts since it was last healthy.
    pub attempts: u8,
    /// Bytes of the rune.
    pub bytes: u32,
    /// Bytes that are there.
    pub received: u32,
    /// What it is known by.
    pub digest: Digest,
    /// Empty before it is verified.
    pub name: String,
}

/// How a rune on a board is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// What it is doing.
    pub doing: Doing,
    /// When it is called.
    pub when: When,
    /// What it is known by.
    pub digest: Digest,
    /// Times it was started.
    pub starts: u32,
    /// Calls that went well.
    pub well: u32,
    /// Failed calls, by the number of `rune_saga::Failure`.
    pub failures: [u32; FAILURES],
    /// Its name.
    pub name: String,
    /// What went wrong last.
    pub error: String,
}

fn slot(reply: Reply<'_>) -> Option<Slot> {
    let Reply::Installed(found) = reply else {
        return None;
    };
    Some(Slot {
        slot: found.slot,
        state: found.state,
        attempts: found.attempts,
        bytes: found.bytes,
        received: found.received,
        digest: found.digest,
        name: found.name.to_owned(),
    })
}

impl Machine {
    /// Announces a rune: the byte to go on from, or the slot in which it is already.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn begin(&mut self, rune: &[u8], anew: bool) -> Result<Result<u32, Slot>, String> {
        let begin = Install::Begin {
            bytes: rune.len() as u32,
            digest: rune_ir::digest(rune),
            anew,
        };
        self.ask(&Request::Install(begin), |reply| {
            if let Reply::Upload { offset } = reply {
                return Some(Ok(offset));
            }
            slot(reply).map(Err)
        })
    }

    /// Sends bytes of a rune that was announced, from one on and up to another.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn chunks(&mut self, rune: &[u8], from: u32, to: u32) -> Result<(), String> {
        let mut offset = from;
        while offset < to {
            let rest = &rune[offset as usize..to as usize];
            let data = &rest[..rest.len().min(DATA_BYTES)];
            let chunk = Install::Chunk { offset, data };
            offset = self.ask(&Request::Install(chunk), |reply| {
                let Reply::Upload { offset } = reply else {
                    return None;
                };
                Some(offset)
            })?;
        }
        Ok(())
    }

    /// Has a rune verified that was sent.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn verify(&mut self) -> Result<Slot, String> {
        self.ask(&Request::Install(Install::End), slot)
    }

    /// Uploads a rune, as far as it is not there, and has it verified.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn upload(&mut self, rune: &[u8]) -> Result<Slot, String> {
        match self.begin(rune, true)? {
            Ok(offset) => {
                self.chunks(rune, offset, rune.len() as u32)?;
                self.verify()
            }
            Err(slot) => Ok(slot),
        }
    }

    /// Has a verified rune tried; gives its place.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn try_out(&mut self, digest: &Digest) -> Result<u8, String> {
        self.ask(&Request::Install(Install::Try(*digest)), |reply| {
            let Reply::Place(place) = reply else {
                return None;
            };
            Some(place)
        })
    }

    /// Uploads a rune and has it tried; gives its place.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn install(&mut self, rune: &[u8]) -> Result<u8, String> {
        let slot = self.upload(rune)?;
        self.try_out(&slot.digest)
    }

    /// Confirms the trial of a name.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn confirm(&mut self, name: &str) -> Result<(), String> {
        self.request(&Request::Install(Install::Confirm(name)))
    }

    /// Rolls the rune of a name back.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn rollback(&mut self, name: &str) -> Result<(), String> {
        self.request(&Request::Install(Install::Rollback(name)))
    }

    /// Removes all of a name.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn remove(&mut self, name: &str) -> Result<(), String> {
        self.request(&Request::Install(Install::Remove(name)))
    }

    /// Removes every rune that has a name.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn remove_all(&mut self) -> Result<(), String> {
        let mut names: Vec<String> = self.slots()?.into_iter().map(|slot| slot.name).collect();
        names.sort();
        names.dedup();
        names.retain(|name| !name.is_empty());
        names.iter().try_for_each(|name| self.remove(name))
    }

    /// Everything in slots that are not EMPTY.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn slots(&mut self) -> Result<Vec<Slot>, String> {
        let count = self.ask(&Request::About, |reply| {
            let Reply::About(about) = reply else {
                return None;
            };
            Some(about.slots)
        })?;
        let mut found = vec![];
        for number in 0..count {
            found.push(self.ask(&Request::Install(Install::Slot(number)), slot)?);
        }
        found.retain(|slot| slot.state != Phase::Empty);
        Ok(found)
    }

    /// How the rune in a place is.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn look(&mut self, place: u8) -> Result<Unit, String> {
        let run = Run::Look;
        self.ask(&Request::Run { place, run }, |reply| {
            let Reply::Rune(rune) = reply else {
                return None;
            };
            Some(Unit {
                doing: rune.doing,
                when: rune.when,
                digest: rune.digest,
                starts: rune.starts,
                well: rune.with_output + rune.without_output,
                failures: rune.failures,
                name: rune.name.to_owned(),
                error: rune.error.to_owned(),
            })
        })
    }

    /// Asks something of the rune in a place.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn tell_rune(&mut self, place: u8, run: Run) -> Result<(), String> {
        self.request(&Request::Run { place, run })
    }

    /// Feeds the rune in a place a sample for each capability.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn feed(&mut self, place: u8, samples: &[Vec<u8>]) -> Result<(), String> {
        let mut samples = (0..).zip(samples);
        samples.try_for_each(|(capability, sample)| self.feed_one(place, capability, sample))
    }

    /// Feeds the rune in a place a sample for one capability.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn feed_one(&mut self, place: u8, capability: u8, sample: &[u8]) -> Result<(), String> {
        for (offset, data) in (0u32..).step_by(DATA_BYTES).zip(sample.chunks(DATA_BYTES)) {
            self.request(&Request::Feed {
                place,
                capability,
                offset,
                data,
            })?;
        }
        Ok(())
    }

    /// All lines that the rune in a place has written and nobody fetched.
    ///
    /// # Errors
    /// As [`ask`](Self::ask), or why the rune failed.
    pub fn lines(&mut self, place: u8) -> Result<String, String> {
        let run = Run::Lines;
        let mut lines = vec![];
        loop {
            let before = lines.len();
            self.ask(&Request::Run { place, run }, |reply| {
                let Reply::Text(text) = reply else {
                    return None;
                };
                lines.extend_from_slice(text);
                Some(())
            })?;
            if lines.len() == before {
                return String::from_utf8(lines).map_err(|_| "the lines are no text".to_owned());
            }
        }
    }

    /// Calls the rune in a place with a sample for each capability; gives the lines that it writes.
    ///
    /// # Errors
    /// As [`ask`](Self::ask), or why the rune failed.
    pub fn call(&mut self, place: u8, samples: &[Vec<u8>]) -> Result<String, String> {
        self.feed(place, samples)?;
        self.tell_rune(place, Run::Call)?;
        self.lines(place)
    }
}
