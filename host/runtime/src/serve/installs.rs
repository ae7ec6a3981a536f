//! The store of a served folder: what comes into it, what of it is started, and what becomes of that.

use std::{
    fmt,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError, TryLockError},
};

use serde::{Deserialize, Serialize};

use super::{
    ServeError, Server, is_plain, policy_of,
    unit::{First, Launch, Refusal, Unit},
};
use crate::{
    Limits, Rune, hex,
    store::{self, Digest, Installed, Phase, Refused, Settings, Store, StoreError},
};

/// The folder of the store in a served folder.
const STORE: &str = "store";
/// Most bytes of an upload that are taken at once.
const CHUNK: usize = 256 << 10;
/// Why nobody can install a rune while somebody does.
pub(super) const BUSY: &str = "another rune is being installed; try again when it is done";
/// States in the order in which they are shown.
const SHOWN: [Phase; 5] = [
    Phase::Trial,
    Phase::Confirmed,
    Phase::Previous,
    Phase::Verified,
    Phase::Bad,
];

/// A rune in the store, as others see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// Its version.
    pub version: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub digest: String,
    /// `trial`, `confirmed`, `previous`, `verified` or `bad`.
    pub state: String,
    /// Of a trial: starts since it was last healthy.
    pub attempts: u8,
    /// How many of them there may be.
    pub tries: u8,
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.state, self.version)?;
        if self.state == "trial" {
            write!(f, " {}/{}", self.attempts, self.tries)?;
        }
        Ok(())
    }
}

/// What is uploaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upload {
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// How many there are.
    pub bytes: u64,
    /// That it was rolled back before is forgotten.
    pub anew: bool,
    /// It is confirmed as soon as it is healthy.
    pub confirm: bool,
}

/// What became of an upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// What it is installed by.
    pub name: String,
    /// What it is now.
    pub slot: Slot,
}

/// What becomes of a rune that failed.
pub(super) enum Fate {
    /// It is started anew.
    Again,
    /// Its trial is over.
    Over(Next),
}

/// The version that was confirmed before a trial, if one was.
pub(super) struct Next(Option<String>);

impl Next {
    fn of(store: &Store, name: &str) -> Self {
        Self(slot(store, name, Phase::Confirmed).map(|slot| slot.version.to_string()))
    }

    pub(super) fn is_there(&self) -> bool {
        self.0.is_some()
    }
}

impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(version) => write!(f, "and {version}, which was confirmed, is started"),
            None => f.write_str("and there is none to go back to"),
        }
    }
}

/// The store of a served folder.
pub(super) struct Installs {
    folder: PathBuf,
    /// `None` where it is to be opened anew, as after a failure of the disk.
    store: Mutex<Option<Store>>,
    /// Held by the one who uploads: the store takes one upload at a time.
    uploading: Mutex<()>,
}

impl Installs {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            store: Mutex::default(),
            uploading: Mutex::default(),
        }
    }

    /// Leaves the store to others.
    pub(super) fn close(&self) {
        *self.store.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn with<T>(
        &self,
        name: &str,
        f: impl FnOnce(&mut Store) -> Result<T, StoreError>,
    ) -> Result<T, ServeError> {
        self.on(f).map_err(|error| match error {
            StoreError::Refused(Refused::Unknown) => ServeError::NotInstalled(name.to_owned()),
            StoreError::Refused(_) | StoreError::Unfit(_) => ServeError::Refused(error.to_string()),
            StoreError::Digest
            | StoreError::Io(_)
            | StoreError::Differs
            | StoreError::Stopped
            | StoreError::Damaged(_)
            | StoreError::Foreign
            | StoreError::Values
            | StoreError::Settings => ServeError::Store(self.folder.join(STORE), error),
        })
    }

    /// Does something with the store, in the words of which it fails.
    pub(super) fn on<T>(
        &self,
        f: impl FnOnce(&mut Store) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let path = self.folder.join(STORE);
        let mut held = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let result = match &mut *held {
            Some(store) => f(store),
            empty => Store::open(&path, Settings::default()).and_then(|s| f(empty.insert(s))),
        };
        if let Err(error) = &result
            && !matches!(error, StoreError::Refused(_) | StoreError::Unfit(_))
        {
            // What counts of it shows when it is opened again.
            *held = None;
        }
        result
    }

    /// For as long as it is held nobody else uploads; `None` where somebody does.
    pub(super) fn uploading(&self) -> Option<MutexGuard<'_, ()>> {
        match self.uploading.try_lock() {
            Ok(held) => Some(held),
            Err(TryLockError::Poisoned(held)) => Some(held.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Everything that has a name, in the order in which it is shown.
    pub(super) fn list(&self) -> Result<Vec<(String, Slot)>, ServeError> {
        let mut all = self.with("", |store| Ok(store.list()))?;
        all.retain(|slot| !slot.name.is_empty());
        all.sort_by_key(|slot| SHOWN.iter().position(|state| *state == slot.state));
        Ok(all.iter().map(|s| (s.name.clone(), shown(s))).collect())
    }

    /// Whether there is anything of a name.
    pub(super) fn knows(&self, name: &str) -> bool {
        let all = self.list().unwrap_or_default();
        all.iter().any(|(of, _)| of == name)
    }

    /// What is to run under a name, if anything is, without starting it.
    pub(super) fn current(&self, name: &str) -> Result<Option<Launch>, ServeError> {
        let bytes = self.with(name, |store| {
            let current = store.candidate(name);
            current.map(|digest| store.bytes(&digest)).transpose()
        })?;
        let launch = bytes.map(|bytes| {
            Ok(Launch {
                rune: Rune::load(bytes)
                    .map_err(|e| ServeError::Load(self.folder.join(STORE), e))?,
                policy: policy_of(&self.folder, name)?,
                is_installed: true,
            })
        });
        launch.transpose()
    }

    /// Records that the rune of a name is about to be started, and gives it with what there is to say of that.
    pub(super) fn next(&self, name: &str) -> Result<(Launch, Option<(u32, String)>), Refusal> {
        // A rune is not to blame for a policy that cannot be read.
        let policy = policy_of(&self.folder, name).map_err(|e| Refusal::Forever(e.to_string()))?;
        let found = self.with(name, |store| {
            let trial = slot(store, name, Phase::Trial);
            let start = store.attempt(name)?;
            let over = trial.filter(|slot| start.is_none_or(|s| s.digest != slot.digest));
            let bytes = start.map(|start| store.bytes(&start.digest)).transpose()?;
            Ok((over, start.zip(bytes), Next::of(store, name)))
        });
        let (over, found, next) = found.map_err(|error| {
            if matches!(error, ServeError::NotInstalled(_) | ServeError::Refused(_)) {
                Refusal::Forever("no rune of this name is confirmed or in trial".to_owned())
            } else {
                Refusal::ForNow(error.to_string())
            }
        })?;
        let tries = Settings::default().tries;
        let over = over.map(|slot| {
            let version = slot.version;
            format!(
                "{version} was started {tries} times and was not healthy; its trial is over, {next}"
            )
        });
        let Some((start, bytes)) = found else {
            return Err(Refusal::Forever(over.unwrap_or_default()));
        };
        let rune = Rune::load(bytes).map_err(|error| match start.attempt {
            0 => Refusal::Forever(error.to_string()),
            _ => Refusal::ForNow(error.to_string()),
        })?;
        let version = rune.manifest().version;
        let news = match start.attempt {
            0 => over.map(|text| (1, text)),
            n => Some((3, format!("{version} is in trial, start {n} of {tries}"))),
        };
        let launch = Launch {
            rune,
            policy,
            is_installed: true,
        };
        Ok((launch, news))
    }

    /// Records that a rune that was accepted is about to be started; one that was only verified is in trial then.
    pub(super) fn begin(&self, launch: &Launch) -> Result<(), ServeError> {
        if !launch.is_installed {
            return Ok(());
        }
        let (name, digest) = (&launch.rune.manifest().name, *launch.rune.digest());
        let is_next = self.with(name, |store| store.start(name, &digest))?;
        if is_next {
            Ok(())
        } else {
            Err(ServeError::Refused(
                "another one is to be started".to_owned(),
            ))
        }
    }

    /// The rune of a name failed. `is_final`: it would the next time too.
    pub(super) fn failed(
        &self,
        name: &str,
        digest: &Digest,
        is_final: bool,
    ) -> Result<Fate, ServeError> {
        self.with(name, |store| {
            if store.ended(name, digest, is_final)? == store::Fate::Again {
                return Ok(Fate::Again);
            }
            store.set_value(&asked(name), None)?;
            Ok(Fate::Over(Next::of(store, name)))
        })
    }

    /// The rune of a name is healthy. Whether it is confirmed by that; `None` where it is not in trial.
    pub(super) fn healthy(
        &self,
        name: &str,
        digest: &Digest,
        confirm: bool,
    ) -> Result<Option<bool>, ServeError> {
        self.with(name, |store| {
            if !store.well(name, digest)? {
                return Ok(None);
            }
            let is_asked = store.value(&asked(name)) == Some(&hex(digest));
            if confirm || is_asked {
                store.confirm(name)?;
                store.set_value(&asked(name), None)?;
            }
            Ok(Some(confirm || is_asked))
        })
    }

    /// What an uploaded rune needs to run, once nothing speaks against it.
    pub(super) fn judge(&self, bytes: Vec<u8>) -> Result<Launch, String> {
        let rune = Rune::load(bytes).map_err(|e| e.to_string())?;
        let name = &rune.manifest().name;
        if !is_plain(name) {
            return Err(format!(
                "its name is {name:?}: an installed rune is named by letters, digits, `-`, `_` and `.`, and no `.` comes first"
            ));
        }
        let file = format!("{name}.rune");
        if self.folder.join(&file).exists() {
            return Err(format!(
                "`{file}` lies in the folder: remove it first, so that the name is that of one rune"
            ));
        }
        let policy = policy_of(&self.folder, name).map_err(|e| e.to_string())?;
        let granted = rune.grant_by(&policy, &[], &Limits::default());
        granted.map_err(|e| e.to_string())?;
        Ok(Launch {
            rune,
            policy,
            is_installed: true,
        })
    }

    /// Takes the bytes of an upload, as far as they are not there yet, and verifies them. `None` for the launch where
    /// it is in trial or confirmed already.
    fn receive(
        &self,
        upload: &Upload,
        input: &mut impl Read,
        go_on: impl FnOnce(u64) -> io::Result<()>,
    ) -> Result<(String, Option<Launch>), ServeError> {
        let digest = upload.digest;
        let broken = |at: u64, why: &dyn fmt::Display| {
            ServeError::Refused(format!(
                "the upload broke off at byte {at} of {}: {why}; the same one goes on there",
                upload.bytes
            ))
        };
        let begun = self.with("", |store| store.begin(digest, upload.bytes, upload.anew))?;
        let store::Upload::From(start) = begun else {
            go_on(upload.bytes).map_err(|e| broken(upload.bytes, &e))?;
            let slot = self.slot("", &digest)?;
            if slot.state != Phase::Verified {
                return Ok((slot.name, None));
            }
            let bytes = self.with("", |store| store.bytes(&digest))?;
            let launch = self.judge(bytes).map_err(ServeError::Refused)?;
            return Ok((slot.name, Some(launch)));
        };
        let mut at = u64::from(start);
        go_on(at).map_err(|e| broken(at, &e))?;
        let mut chunk = vec![0; CHUNK];
        while at < upload.bytes {
            let most = (upload.bytes - at).min(CHUNK as u64) as usize;
            match input.read(&mut chunk[..most]) {
                Ok(0) => return Err(broken(at, &"nothing more came")),
                Ok(n) => at = self.with("", |store| store.append(at, &chunk[..n]))?,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(broken(at, &e)),
            }
        }
        let mut launch = None;
        self.with("", |store| {
            store.finish(|bytes| {
                let judged = launch.insert(self.judge(bytes)?);
                store::identity(&judged.rune)
            })
        })?;
        Ok((self.slot("", &digest)?.name, launch))
    }

    /// How the rune of a digest is.
    fn slot(&self, name: &str, digest: &Digest) -> Result<Installed, ServeError> {
        let all = self.with(name, |store| Ok(store.list()))?;
        let own = all.into_iter().find(|slot| slot.digest == *digest);
        own.ok_or_else(|| ServeError::NotInstalled(name.to_owned()))
    }
}

impl Server {
    /// Installs a rune: takes its bytes from `input`, from the one on that is given to `go_on`, verifies them, and
    /// tries it in the place of the one that runs.
    ///
    /// # Errors
    /// Where it is not taken. Everything that is missing is named, and what runs goes on.
    pub fn install(
        &self,
        upload: &Upload,
        input: &mut impl Read,
        go_on: impl FnOnce(u64) -> io::Result<()>,
    ) -> Result<Receipt, ServeError> {
        let installs = &self.host.installs;
        let Some(_one) = installs.uploading() else {
            return Err(ServeError::Refused(BUSY.to_owned()));
        };
        let digest = upload.digest;
        let (name, launch) = installs.receive(upload, input, go_on)?;
        self.place(&name, digest, upload.confirm, launch)?;
        let slot = shown(&installs.slot(&name, &digest)?);
        Ok(Receipt { name, slot })
    }

    /// Tries a rune that is verified in the place of the one that runs under its name; `confirm`: it is confirmed once it
    /// is healthy. `None` where it is in trial or confirmed already.
    ///
    /// # Errors
    /// Where it is not taken. What runs goes on.
    pub(super) fn place(
        &self,
        name: &str,
        digest: Digest,
        confirm: bool,
        launch: Option<Launch>,
    ) -> Result<(), ServeError> {
        let installs = &self.host.installs;
        installs.with(name, |store| {
            if confirm {
                let trial = slot(store, name, Phase::Trial).filter(|s| s.digest == digest);
                // One that was healthy does not say so again.
                if trial.is_some_and(|slot| slot.attempts == 0) {
                    return store.confirm(name);
                }
            }
            // What was asked for another upload is not asked for this one.
            store.set_value(&asked(name), confirm.then(|| hex(&digest)).as_deref())
        })?;
        let Some(launch) = launch else {
            return Ok(());
        };
        self.put(name, launch).inspect_err(|_| {
            // It is not in trial unless its sinks were lost in the last moment, and is left to its tries then.
            let _ = installs.with(name, |store| {
                store.set_value(&asked(name), None)?;
                store.discard(digest)
            });
        })
    }

    /// Confirms the trial of a name.
    ///
    /// # Errors
    /// Where there is none.
    pub fn confirm(&self, name: &str) -> Result<(), ServeError> {
        self.host.installs.with(name, |store| {
            store.confirm(name)?;
            store.set_value(&asked(name), None)
        })?;
        if let Some(unit) = self.units().get(name) {
            unit.say(3, "it was confirmed by hand");
        }
        Ok(())
    }

    /// Ends the trial of a name, or goes back from the confirmed rune to the one before.
    ///
    /// # Errors
    /// Where there is neither, or the floor of the name forbids it.
    pub fn rollback(&self, name: &str) -> Result<(), ServeError> {
        self.host.installs.with(name, |store| {
            store.rollback(name)?;
            store.set_value(&asked(name), None)
        })?;
        if let Some(unit) = self.units().get(name) {
            unit.say(3, "it was rolled back by hand");
            unit.refresh();
        }
        Ok(())
    }

    /// Stops an installed rune and removes all that the store has of its name, but the floor.
    ///
    /// # Errors
    /// Where none is installed.
    pub fn remove(&self, name: &str) -> Result<(), ServeError> {
        let removed = self.host.installs.with(name, |store| {
            store.remove(name)?;
            store.set_value(&asked(name), None)
        });
        let mut units = self.units();
        let unit = units.get(name).is_some_and(Unit::is_installed);
        let unit = unit.then(|| units.remove(name)).flatten();
        // Others are served while its last call ends.
        drop(units);
        match (removed, unit) {
            // What was rolled back may have lost its slot to another.
            (Ok(()) | Err(ServeError::NotInstalled(_)), Some(unit)) => {
                unit.join();
                Ok(())
            }
            (removed, _) => removed,
        }
    }

    /// Puts a rune in the place of the one of a name, or in a new one.
    pub(super) fn put(&self, name: &str, launch: Launch) -> Result<(), ServeError> {
        let mut units = self.units();
        let is_new = !units.contains_key(name);
        if is_new {
            let unit = Unit::start(name, First::Nothing, &self.host)?;
            units.insert(name.to_owned(), unit);
        }
        let answer = units[name].replace(launch);
        // Others are served while this one changes.
        drop(units);
        answer.wait().inspect_err(|_| {
            let mut units = self.units();
            let is_empty = is_new && units.get(name).is_some_and(|unit| !unit.is_installed());
            let unit = is_empty.then(|| units.remove(name)).flatten();
            drop(units);
            if let Some(unit) = unit {
                unit.join();
            }
        })
    }
}

/// The rune of a name that is in a state, in which there is one at most.
fn slot(store: &Store, name: &str, state: Phase) -> Option<Installed> {
    let mut all = store.list().into_iter();
    all.find(|slot| slot.name == name && slot.state == state)
}

fn shown(slot: &Installed) -> Slot {
    Slot {
        version: slot.version.to_string(),
        digest: hex(&slot.digest),
        state: slot.state.to_string().to_lowercase(),
        attempts: slot.attempts,
        tries: Settings::default().tries,
    }
}

/// The value with the digest of a name that is confirmed once it is healthy, because somebody asked for that.
fn asked(name: &str) -> String {
    format!("confirm {name}")
}
