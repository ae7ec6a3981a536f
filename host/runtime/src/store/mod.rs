//! Installed runes on the disk of a machine: uploads, trials, confirming and rolling back, by the state machine of
//! `rune-install`, and a few values of the server. A process that is killed, or a power cut, leaves the state from
//! before a call or from after it.

mod disk;
mod record;

use std::{collections::BTreeMap, fmt, io, path::Path};

use rune_abi::Version;
use rune_install::{Error, Geometry, Identity, Installer, Name, OpenError, Opening, Options};
use rune_install::{ReadFault, Region, Storage as _};
use sha2::{Digest as _, Sha256};

pub use disk::{Disk, Folder};
pub use rune_install::{Digest, Entry, Fate, Phase, Refused, Upload};

use crate::Rune;
use record::Files;

/// One more than the names there may be.
const SLOTS: usize = 33;
const FLOORS: usize = 64;
const STRIKES: usize = 32;

type Runes<D> = Installer<Files<D>, Vec<u8>, SLOTS, FLOORS, STRIKES>;

/// What the owner of a machine allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How often a trial is started before it has to be healthy: 1 to 254.
    pub tries: u8,
    /// A digest that was rolled back so often is refused until it is cast anew: at least 1.
    pub strikes: u8,
    /// Most bytes of a rune, a multiple of `step`.
    pub rune_bytes: u32,
    /// After so many bytes an upload is made lasting, and goes on from there after a restart.
    pub step: u32,
    /// Bytes of each of the two files of records: at least 9728.
    pub area_bytes: u32,
}

impl Default for Settings {
    /// Three tries, two strikes, 256 MiB in steps of one, and records of 256 KiB.
    fn default() -> Self {
        Self {
            tries: 3,
            strikes: 2,
            rune_bytes: Rune::MOST_BYTES as u32,
            step: 1 << 20,
            area_bytes: 256 << 10,
        }
    }
}

/// A rune in the store, or one on its way there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Empty before it is verified.
    pub name: String,
    /// 0.0.0 before it is verified.
    pub version: Version,
    /// Its security counter.
    pub counter: u32,
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// What it is.
    pub state: Phase,
    /// Of a trial: starts since it was last healthy.
    pub attempts: u8,
    /// Bytes when it is complete.
    pub bytes: u32,
    /// Bytes that are there.
    pub received: u32,
}

/// What is to be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Which.
    pub digest: Digest,
    /// Of a trial: which start this is since it was last healthy, from 1. 0: it is confirmed.
    pub attempt: u8,
}

/// Installed runes.
#[derive(Debug)]
pub struct Store<D = Folder> {
    installer: Runes<D>,
    values: BTreeMap<String, String>,
    /// Values could not be written, and which of them count is unknown.
    stopped: bool,
}

impl Store<Folder> {
    /// Opens a store in a folder, and makes it where there is none.
    ///
    /// # Errors
    /// Where another process uses the folder, it is not private, or what is in it is damaged.
    pub fn open(folder: &Path, settings: Settings) -> Result<Self, StoreError> {
        Self::on(Folder::open(folder)?, settings)
    }
}

impl<D: Disk> Store<D> {
    /// Opens a store on a disk.
    ///
    /// # Errors
    /// As [`open`](Store::open).
    pub fn on(mut disk: D, settings: Settings) -> Result<Self, StoreError> {
        let files = disk.list()?;
        let values = record::read_values(&mut disk)?.ok_or(StoreError::Damaged("its values"))?;
        // No slot is written before a record that says so.
        let is_new = !files.iter().any(|name| name.starts_with("slot-"));
        let storage = Files {
            disk,
            geometry: Geometry {
                word: 1,
                area: settings.area_bytes,
                slot: settings.rune_bytes,
                step: settings.step,
            },
            names: true,
        };
        let options = Options {
            tries: settings.tries,
            strikes: settings.strikes,
            format: is_new,
        };
        let buffer = vec![0; Runes::<D>::BUFFER_BYTES];
        let installer = Installer::open(storage, buffer, options).map_err(|error| match error {
            OpenError::Storage(e) => StoreError::Io(e),
            OpenError::Differs => StoreError::Differs,
            OpenError::Foreign => StoreError::Foreign,
            OpenError::Damaged => StoreError::Damaged("its records"),
            OpenError::Buffer | OpenError::Geometry => StoreError::Settings,
        })?;
        if installer.opening() == Opening::New && !is_new {
            return Err(StoreError::Damaged("its records"));
        }
        let mut store = Self {
            installer,
            values,
            stopped: false,
        };
        store.tidy()?;
        Ok(store)
    }

    /// Everything that is there.
    pub fn list(&self) -> Vec<Installed> {
        let slots = self.installer.pool().slots().iter();
        let there = slots.filter(|e| e.phase != Phase::Empty);
        there
            .map(|e| {
                let [major, minor, patch] = e.identity.version;
                Installed {
                    name: e.identity.name.as_str().to_owned(),
                    version: Version {
                        major,
                        minor,
                        patch,
                    },
                    counter: e.identity.counter,
                    digest: e.digest,
                    state: e.phase,
                    attempts: e.attempts,
                    bytes: e.bytes,
                    received: e.received,
                }
            })
            .collect()
    }

    /// What is known of every slot.
    pub fn slots(&self) -> &[Entry] {
        self.installer.pool().slots()
    }

    /// The least security counter that a rune of this name may have.
    pub fn floor(&self, name: &str) -> u32 {
        Name::new(name).map_or(0, |name| self.installer.pool().floor(&name))
    }

    /// Begins an upload, or goes on with it. It ends another one. `anew`: a person asks for it, and that it was
    /// rolled back before is forgotten.
    ///
    /// # Errors
    /// Where it is refused, or the disk fails.
    pub fn begin(&mut self, digest: Digest, bytes: u64, anew: bool) -> Result<Upload, StoreError> {
        let bytes = u32::try_from(bytes).map_err(|_| Refused::TooLarge)?;
        let upload = self.installer.begin(digest, bytes, anew)?;
        self.tidy()?;
        Ok(upload)
    }

    /// Takes bytes of the upload. Returns where the next ones belong.
    ///
    /// # Errors
    /// Where they belong elsewhere, or the disk fails.
    pub fn append(&mut self, offset: u64, bytes: &[u8]) -> Result<u64, StoreError> {
        // An offset that is none is as wrong as any other.
        let at = u32::try_from(offset).unwrap_or(u32::MAX);
        Ok(offset + u64::from(self.installer.chunk(at, bytes)?))
    }

    /// Ends the upload: compares its digest, and lets `verify` say what it is or why it is refused. It is VERIFIED
    /// then, or BAD. `verify` looks at signature and manifest; [`identity`] says what a rune is.
    ///
    /// # Errors
    /// Where it is not complete or is refused, or the disk fails.
    pub fn finish(
        &mut self,
        verify: impl FnOnce(Vec<u8>) -> Result<Identity, String>,
    ) -> Result<Digest, StoreError> {
        let slot = self.installer.end()?;
        let digest = self.installer.pool().slots()[slot].digest;
        let bytes = self.read(slot)?;
        let identity = if Sha256::digest(&bytes)[..] == digest {
            verify(bytes).map_err(StoreError::Unfit)
        } else {
            Err(StoreError::Digest)
        };
        let result = match identity {
            Ok(identity) => self.installer.verified(identity).map_err(StoreError::from),
            Err(why) => {
                self.installer.refused()?;
                Err(why)
            }
        };
        self.tidy()?;
        result.map(|_| digest)
    }

    /// Uploads a rune that is at hand, and verifies it.
    ///
    /// # Errors
    /// As [`begin`](Self::begin) and [`finish`](Self::finish).
    pub fn install(
        &mut self,
        bytes: &[u8],
        anew: bool,
        verify: impl FnOnce(Vec<u8>) -> Result<Identity, String>,
    ) -> Result<Digest, StoreError> {
        let digest = Sha256::digest(bytes).into();
        let Upload::From(start) = self.begin(digest, bytes.len() as u64, anew)? else {
            return Ok(digest);
        };
        let mut at = u64::from(start);
        while at < bytes.len() as u64 {
            let rest = &bytes[at as usize..];
            at = self.append(at, &rest[..rest.len().min(1 << 20)])?;
        }
        self.finish(verify)
    }

    /// The verified rune of this digest is to be tried: [`attempt`](Self::attempt) starts it from now on.
    ///
    /// # Errors
    /// Where it is refused, or the disk fails.
    pub fn try_out(&mut self, digest: Digest) -> Result<(), StoreError> {
        self.installer.try_out(digest)?;
        self.tidy()
    }

    /// Records that the rune of a name is about to be started, and says which: its trial as long as that may be
    /// started, or else the confirmed one. `None` where its only one was in trial and is given up.
    ///
    /// # Errors
    /// Where there is none to start, or the disk fails.
    pub fn attempt(&mut self, name: &str) -> Result<Option<Start>, StoreError> {
        let start = self.installer.attempt(named(name)?)?;
        self.tidy()?;
        Ok(start.map(|start| Start {
            digest: self.installer.pool().slots()[usize::from(start.slot)].digest,
            attempt: start.attempt,
        }))
    }

    /// What is to run under a name: its trial as long as that may be started, or else the confirmed one.
    pub fn candidate(&self, name: &str) -> Option<Digest> {
        let slot = self.installer.candidate(&Name::new(name)?)?;
        Some(self.installer.pool().slots()[slot].digest)
    }

    /// Whether the rune of a digest is the one of its name that is in trial.
    pub fn is_tried(&self, name: &str, digest: &Digest) -> bool {
        Name::new(name).is_some_and(|name| self.installer.is_tried(&name, digest))
    }

    /// Records that the rune of a digest is about to be started; one that was only verified is in trial then. False
    /// where another one is to be started.
    ///
    /// # Errors
    /// Where the name has nothing to start, or the disk fails.
    pub fn start(&mut self, name: &str, digest: &Digest) -> Result<bool, StoreError> {
        let is_next = self.installer.start(named(name)?, digest)?;
        self.tidy()?;
        Ok(is_next)
    }

    /// The rune of a digest failed; `is_final`: it would the next time too.
    ///
    /// # Errors
    /// Where the disk fails.
    pub fn ended(
        &mut self,
        name: &str,
        digest: &Digest,
        is_final: bool,
    ) -> Result<Fate, StoreError> {
        let fate = self.installer.ended(named(name)?, digest, is_final)?;
        self.tidy()?;
        Ok(fate)
    }

    /// The rune of a digest runs well. False where it is not in trial.
    ///
    /// # Errors
    /// Where the disk fails.
    pub fn well(&mut self, name: &str, digest: &Digest) -> Result<bool, StoreError> {
        Ok(self.installer.well(named(name)?, digest)?)
    }

    /// The rune of a name runs well: its trial has all tries again.
    ///
    /// # Errors
    /// Where there is none, or the disk fails.
    pub fn healthy(&mut self, name: &str) -> Result<(), StoreError> {
        self.installer.healthy(named(name)?)?;
        Ok(())
    }

    /// The rune of a name ended badly: its trial is over if it has no try left.
    ///
    /// # Errors
    /// Where there is none, or the disk fails.
    pub fn failed(&mut self, name: &str) -> Result<(), StoreError> {
        self.installer.failed(named(name)?)?;
        self.tidy()
    }

    /// Confirms the trial of a name. The floor of the name rises to its security counter.
    ///
    /// # Errors
    /// Where there is none, or the disk fails.
    pub fn confirm(&mut self, name: &str) -> Result<(), StoreError> {
        self.installer.confirm(named(name)?)?;
        self.tidy()
    }

    /// Ends the trial of a name, or, where there is none, goes back to the rune that was confirmed before.
    ///
    /// # Errors
    /// Where there is neither, or the floor forbids it, or the disk fails.
    pub fn rollback(&mut self, name: &str) -> Result<(), StoreError> {
        self.installer.rollback(named(name)?)?;
        self.tidy()
    }

    /// Removes everything of a name but its floor.
    ///
    /// # Errors
    /// Where there is nothing, or the disk fails.
    pub fn remove(&mut self, name: &str) -> Result<(), StoreError> {
        self.installer.remove(named(name)?)?;
        self.tidy()
    }

    /// Removes one rune or upload that neither runs nor is confirmed.
    ///
    /// # Errors
    /// Where there is none, or it is in use, or the disk fails.
    pub fn discard(&mut self, digest: Digest) -> Result<(), StoreError> {
        self.installer.discard(digest)?;
        self.tidy()
    }

    /// The bytes of a verified rune, whose digest is compared once more.
    ///
    /// # Errors
    /// Where there is none, the disk fails, or the bytes are damaged.
    pub fn bytes(&mut self, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        let pool = self.installer.pool();
        let slot = pool.holding(digest).ok_or(Refused::Unknown)?;
        match pool.slots()[slot].phase {
            Phase::Verified | Phase::Trial | Phase::Confirmed | Phase::Previous => {}
            Phase::Empty | Phase::Receiving | Phase::Bad => return Err(Refused::Unknown.into()),
        }
        let bytes = self.read(slot)?;
        if Sha256::digest(&bytes)[..] == *digest {
            Ok(bytes)
        } else {
            Err(StoreError::Digest)
        }
    }

    /// A value of the server.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    /// Keeps a value of the server, or removes it. Values are for small things such as whether a rune is to run.
    ///
    /// # Errors
    /// Where all values together are more than a mebibyte, or the disk fails.
    pub fn set_value(&mut self, key: &str, value: Option<&str>) -> Result<(), StoreError> {
        if self.stopped {
            return Err(StoreError::Stopped);
        }
        let mut values = self.values.clone();
        match value {
            Some(value) => values.insert(key.to_owned(), value.to_owned()),
            None => values.remove(key),
        };
        if values == self.values {
            return Ok(());
        }
        let disk = &mut self.installer.storage_mut().disk;
        match record::write_values(disk, &values) {
            Ok(true) => {
                self.values = values;
                Ok(())
            }
            Ok(false) => Err(StoreError::Values),
            Err(e) => {
                self.stopped = true;
                Err(e.into())
            }
        }
    }

    fn read(&mut self, slot: usize) -> Result<Vec<u8>, StoreError> {
        let mut bytes = vec![0; self.installer.pool().slots()[slot].received as usize];
        match self.installer.read(slot, 0, &mut bytes) {
            Ok(()) => Ok(bytes),
            Err(ReadFault::Torn) => Err(StoreError::Digest),
            Err(ReadFault::Failed(e)) => Err(e.into()),
        }
    }

    /// Removes the files of slots whose bytes are not needed.
    fn tidy(&mut self) -> Result<(), StoreError> {
        let slots = self.installer.pool().slots().iter();
        let unused = slots.map(|e| matches!(e.phase, Phase::Empty | Phase::Bad));
        let unused: Vec<bool> = unused.collect();
        let storage = self.installer.storage_mut();
        for name in storage.disk.list()? {
            let slot = name
                .strip_prefix("slot-")
                .and_then(|n| n.parse::<u8>().ok());
            if let Some(slot) = slot.filter(|n| unused.get(usize::from(*n)) != Some(&false)) {
                storage.erase(Region::Slot(slot), 0)?;
            }
        }
        Ok(())
    }
}

/// What a rune says it is, for [`Store::finish`].
///
/// # Errors
/// Where its name is too long for a store.
pub fn identity(rune: &Rune) -> Result<Identity, String> {
    let manifest = rune.manifest();
    let Version {
        major,
        minor,
        patch,
    } = manifest.version;
    Ok(Identity {
        name: Name::new(&manifest.name).ok_or("its name is longer than 64 bytes")?,
        version: [major, minor, patch],
        counter: manifest.security_counter,
    })
}

/// A name that a rune in the store may have.
fn named(name: &str) -> Result<Name, StoreError> {
    Name::new(name).ok_or(StoreError::Refused(Refused::Unknown))
}

/// Why a store does not do what it was asked.
#[derive(Debug)]
pub enum StoreError {
    /// It is not allowed now. Nothing changed, but that an upload may be BAD now.
    Refused(Refused),
    /// The digest of the bytes is not the one that was announced.
    Digest,
    /// The runtime refused the upload.
    Unfit(String),
    /// The disk failed. What was asked may be done or not; the store must be opened again.
    Io(io::Error),
    /// What was written reads otherwise.
    Differs,
    /// The disk failed before.
    Stopped,
    /// A part of the store is damaged.
    Damaged(&'static str),
    /// It was written by another version.
    Foreign,
    /// The values are too long.
    Values,
    /// The settings break their rules.
    Settings,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why) => why.fmt(f),
            Self::Digest => f.write_str("its bytes do not have the digest that was announced"),
            Self::Unfit(why) => f.write_str(why),
            Self::Io(e) => e.fmt(f),
            Self::Differs => f.write_str("what was written to the disk reads otherwise"),
            Self::Stopped => f.write_str("the disk failed before; the store must be opened again"),
            Self::Damaged(what) => write!(f, "the store is damaged: {what}"),
            Self::Foreign => f.write_str("the store was written by another version"),
            Self::Values => f.write_str("there are too many values"),
            Self::Settings => f.write_str("the settings of the store do not fit together"),
        }
    }
}

impl std::error::Error for StoreError {}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Refused> for StoreError {
    fn from(why: Refused) -> Self {
        Self::Refused(why)
    }
}

impl From<Error<io::Error>> for StoreError {
    fn from(error: Error<io::Error>) -> Self {
        match error {
            Error::Refused(why) => Self::Refused(why),
            Error::Storage(e) => Self::Io(e),
            Error::Differs => Self::Differs,
            Error::Stopped => Self::Stopped,
        }
    }
}
