//! What FROM names in registries: found in the lock file and in the store, and fetched by the program `rune`, so that the
//! compiler itself talks to no network.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
};

use rune_ir::env::Layer;
use rune_registry::{Digest, Error, Lock, Platform, Reference, SourceFile, Store};

use crate::{source::Sources, world::World, write};

/// What is done about an artifact that is not at hand, and about a tag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Nothing is fetched.
    #[default]
    AtHand,
    /// It is fetched, and a tag that is not locked yet is.
    Fetch,
    /// Tags are asked for anew.
    Update,
    /// It is fetched if it is locked.
    Locked,
}

/// The artifacts of registries that a Runefile lies on.
#[derive(Clone, Debug, Default)]
pub struct Fetched {
    /// The lock file, where there is a Runefile in a file.
    path: Option<PathBuf>,
    mode: Mode,
    /// References that were asked for, with what they were found to be.
    used: Arc<Mutex<Lock>>,
}

/// The lock file of a Runefile.
pub fn beside(runefile: &Path) -> PathBuf {
    let mut name = runefile.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    runefile.with_file_name(name)
}

impl Fetched {
    /// Those that a lock file locks, if it is there; nothing else is fetched.
    pub fn locked_by(path: PathBuf) -> Self {
        Self {
            path: Some(path),
            ..Self::default()
        }
    }

    /// The same, with something done about what is not at hand.
    #[must_use]
    pub fn with_mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// Writes the lock file, if what was asked for is not what is in it.
    ///
    /// # Errors
    /// One sentence, where it cannot be written.
    pub fn save(&self) -> Result<(), String> {
        let (Mode::Fetch | Mode::Update, Some(path)) = (self.mode, &self.path) else {
            return Ok(());
        };
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let before = Lock::load(path).map_err(|error| error.to_string())?;
        if *used == before || (used.is_empty() && !path.exists()) {
            return Ok(());
        }
        write::whole(path, used.to_text().as_bytes())
    }

    /// The layer that a reference names.
    pub(crate) fn layer(&self, reference: &Reference, world: &World) -> Result<Layer, String> {
        let store = Store::of_user().map_err(|error| error.to_string())?;
        let digest = self.digest(reference, &store)?;
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.set(reference, digest);
        drop(used);
        let shown = format!("{}@{}", reference.short_name(), &digest.hex()[..12]);
        let sources = world.memo().artifact(digest, || {
            let files = self.files(reference, digest, &store)?;
            Sources::of_files(files).map_err(|what| format!("{shown} {what}"))
        })?;
        Ok(sources.layer(&shown, &digest.to_string(), world.clone()))
    }

    /// The sources of an artifact, fetched if it is not at hand.
    fn files(
        &self,
        reference: &Reference,
        digest: Digest,
        store: &Store,
    ) -> Result<Vec<SourceFile>, String> {
        let exact = reference.with_digest(digest);
        let read = || store.manifest(digest, &Platform::wasm())?.sources(store);
        let files = match read() {
            Err(Error::NotInStore(_)) if self.mode != Mode::AtHand => {
                fetch(&exact)?;
                read()
            }
            read => read,
        };
        files.map_err(|error| {
            if matches!(error, Error::NotInStore(_)) {
                format!("it is not in the store; `rune pull {exact}` fetches it")
            } else {
                error.to_string()
            }
        })
    }

    /// What a reference stands for.
    fn digest(&self, reference: &Reference, store: &Store) -> Result<Digest, String> {
        if let Some(digest) = reference.digest() {
            return Ok(digest);
        }
        let lock = self.path.as_deref().map(Lock::load).transpose();
        let lock = lock.map_err(|error| error.to_string())?.unwrap_or_default();
        let locked = lock.get(reference).filter(|_| self.mode != Mode::Update);
        if let Some(digest) = locked {
            return Ok(digest);
        }
        if self.mode == Mode::Locked {
            return Err(
                "it is not in the lock file, which `runec build` without --locked writes"
                    .to_owned(),
            );
        }
        let find = || store.find(reference).map_err(|error| error.to_string());
        if self.mode != Mode::Update
            && let Some(digest) = find()?
        {
            return Ok(digest);
        }
        if self.mode == Mode::AtHand {
            return Err(
                "it is neither locked nor in the store; `runec build` fetches it".to_owned(),
            );
        }
        fetch(reference)?;
        find()?.ok_or_else(|| "`rune pull` put something else into the store".to_owned())
    }
}

/// Has the program `rune` fetch an artifact into the store.
fn fetch(reference: &Reference) -> Result<(), String> {
    let program = program();
    let status = Command::new(&program)
        .args(["pull", "--quiet"])
        .arg(reference.to_string())
        .stdin(Stdio::null())
        // What is printed here is for who asked the compiler.
        .stdout(Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(format!("`rune pull {reference}` failed, see above")),
        Err(error) => Err(format!(
            "it is fetched by the program `{}`, which cannot be started: {error}",
            program.display()
        )),
    }
}

/// The program `rune`: as `RUNE` says, or beside this one, or in `PATH`.
fn program() -> OsString {
    let said = env::var_os("RUNE").filter(|value| !value.is_empty());
    let beside = || {
        let path = env::current_exe().ok()?.with_file_name("rune");
        path.is_file().then(|| path.into_os_string())
    };
    said.or_else(beside).unwrap_or_else(|| "rune".into())
}
