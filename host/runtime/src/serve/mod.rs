//! `rune serve`: many runes at once, each on a thread and a schedule of its own, watched and controlled through a
//! socket in their folder.
//!
//! A folder is served as it is: `NAME.rune` runs under the policy `NAME.toml`, or `policy.toml` where there is
//! none of its own. A rune that fails is started anew, later each time; one that the policy refuses waits until
//! it is started by hand. Installed runes are in the folder's [`Store`](crate::store::Store) and run beside them.

mod announce;
#[cfg(feature = "ble")]
mod ble;
mod clients;
mod control;
mod http;
mod installs;
mod log;
mod settings;
mod smp;
mod unit;

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    net::{SocketAddr, ToSocketAddrs},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

pub use control::{Request, ask, install};
pub use installs::{Receipt, Slot, Upload};
pub use log::{Entry, Log};
pub use smp::Manage;
pub use unit::{Phase, Status};

use crate::{LoadError, Policy, PolicyError, Rune, Runtime, store::StoreError};
use installs::Installs;
use unit::{First, Launch, Unit};

/// The socket in a served folder.
const SOCKET: &str = "control.sock";

/// Why a folder is not served, or a request not met.
#[derive(Debug)]
pub enum ServeError {
    /// A file or socket, and what the system says of it.
    Io(PathBuf, io::Error),
    /// Another server has the folder.
    Served(PathBuf),
    /// The address for metrics.
    Metrics(String, String),
    /// The address for SMP, and what the system says of it.
    Smp(String, io::Error),
    /// The file is not a rune this runtime can run.
    Load(PathBuf, LoadError),
    /// The policy of a rune.
    Policy(PolicyError),
    /// The folder of the store, and why it is not used.
    Store(PathBuf, StoreError),
    /// There is no rune of this name.
    NoRune(String),
    /// No rune of this name is installed.
    NotInstalled(String),
    /// The rune was not taken, and why.
    Refused(String),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Served(path) => write!(f, "{}: another server has this folder", path.display()),
            Self::Metrics(address, what) => write!(f, "metrics at {address}: {what}"),
            Self::Smp(address, error) => write!(f, "SMP at {address}: {error}"),
            Self::Load(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Policy(error) => error.fmt(f),
            Self::Store(path, error) => write!(f, "{}: {error}", path.display()),
            Self::NoRune(name) => write!(f, "there is no rune `{name}`: `rune ps` lists them"),
            Self::NotInstalled(name) => {
                write!(f, "no rune `{name}` is installed: `rune ps` lists them")
            }
            Self::Refused(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for ServeError {}

/// Where a server says what happens: the level, 1 (error) to 5 (trace), the rune, and a text.
pub type Say = Arc<dyn Fn(u32, &str, &str) + Send + Sync>;

/// What all runes of a folder share.
struct Host {
    runtime: Runtime,
    say: Say,
    installs: Installs,
}

/// A folder that is served until [`stop`](Self::stop).
pub struct Server {
    folder: PathBuf,
    host: Arc<Host>,
    units: Mutex<BTreeMap<String, Unit>>,
    /// Held as long as the folder is served.
    lock: fs::File,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Starts the runes of a folder and listens at its socket, and for metrics at an address.
    ///
    /// # Errors
    /// Where the folder cannot be read or is served already, or an address cannot be had. What is wrong with one
    /// rune is said of it, and the others run.
    pub fn start(
        folder: &Path,
        metrics: Option<&str>,
        runtime: Runtime,
        say: Say,
    ) -> Result<Arc<Self>, ServeError> {
        let failed = |e| ServeError::Io(folder.to_owned(), e);
        let lock = folder.join("serve.lock");
        // Whoever may open it may hold it.
        let only_own = fs::Permissions::from_mode(0o600);
        let lock = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock)
            .and_then(|file| file.set_permissions(only_own).map(|()| file))
            .map_err(|e| ServeError::Io(lock, e))?;
        lock.try_lock().map_err(|e| match e {
            fs::TryLockError::WouldBlock => ServeError::Served(folder.to_owned()),
            fs::TryLockError::Error(e) => failed(e),
        })?;
        let server = Arc::new(Self {
            folder: folder.to_owned(),
            host: Arc::new(Host {
                runtime,
                say,
                installs: Installs::new(folder),
            }),
            units: Mutex::default(),
            lock,
        });
        control::listen(&server, &folder.join(SOCKET))?;
        if let Some(address) = metrics {
            let wrong = |what: String| ServeError::Metrics(address.to_owned(), what);
            let mut found = address
                .to_socket_addrs()
                .map_err(|e| wrong(e.to_string()))?;
            let resolved: SocketAddr = found
                .next()
                .ok_or_else(|| wrong("no such host".to_owned()))?;
            let bound = http::listen(&server, resolved).map_err(|e| wrong(e.to_string()))?;
            server.say(3, "", &format!("metrics are at http://{bound}/metrics"));
        }
        let installed = server.host.installs.list().unwrap_or_else(|error| {
            server.say(1, "", &format!("{error}; only files are served"));
            vec![]
        });
        // What is only left of one that was rolled back keeps no file out.
        let to_start = |slot: &Slot| matches!(slot.state.as_str(), "trial" | "confirmed");
        for (name, _) in installed.into_iter().filter(|(_, slot)| to_start(slot)) {
            server.begin(&name, || First::Installed);
        }
        for name in server.names().map_err(failed)? {
            let is_first = server.begin(&name, || match server.file(&name) {
                Ok(launch) => First::File(Box::new(launch)),
                Err(error) => First::Refused(error),
            });
            if !is_first {
                let text = format!("`{name}.rune` is not served: a rune of this name is installed");
                server.say(2, &name, &text);
            }
        }
        Ok(server)
    }

    fn say(&self, level: u32, rune: &str, text: &str) {
        (self.host.say)(level, rune, text);
    }

    /// Starts a unit, unless there is one of this name. That it cannot be started is said.
    fn begin(&self, name: &str, first: impl FnOnce() -> First) -> bool {
        if self.units().contains_key(name) {
            return false;
        }
        match Unit::start(name, first(), &self.host) {
            Ok(unit) => {
                self.units().insert(name.to_owned(), unit);
            }
            Err(error) => self.say(1, name, &error.to_string()),
        }
        true
    }

    /// The names of the runes that lie in the folder.
    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = vec![];
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let stem = path.file_stem().and_then(|s| s.to_str());
            if let (Some("rune"), Some(stem)) = (path.extension().and_then(|e| e.to_str()), stem) {
                names.push(stem.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.rune"))
    }

    /// What the file of a name needs to start, read anew.
    fn file(&self, name: &str) -> Result<Launch, ServeError> {
        let path = self.path(name);
        let bytes = Rune::read(&path).map_err(|e| ServeError::Io(path.clone(), e))?;
        Ok(Launch {
            rune: Rune::load(bytes).map_err(|e| ServeError::Load(path, e))?,
            policy: policy_of(&self.folder, name)?,
            is_installed: false,
        })
    }

    fn units(&self) -> MutexGuard<'_, BTreeMap<String, Unit>> {
        self.units.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of every rune how it is.
    pub fn status(&self) -> Vec<Status> {
        // A store that fails is told of where it is needed.
        let installed = self.host.installs.list().unwrap_or_default();
        let units = self.units();
        let status = units.iter().map(|(name, unit)| {
            let own = installed.iter().filter(|(of, _)| of == name);
            Status {
                installed: own.map(|(_, slot)| slot.clone()).collect(),
                ..unit.status()
            }
        });
        status.collect()
    }

    /// Reads a rune and its policy again, from the store where it is installed. One that runs goes on until the new one was accepted, and
    /// for good where it is not; one that does not run is started.
    ///
    /// # Errors
    /// Where the rune is not taken.
    pub fn reload(&self, name: &str) -> Result<(), ServeError> {
        if !is_plain(name) && !self.units().contains_key(name) {
            return Err(ServeError::NoRune(name.to_owned()));
        }
        let launch = match self.host.installs.current(name) {
            Ok(Some(installed)) => installed,
            Ok(None) if self.host.installs.knows(name) && !self.path(name).exists() => {
                let why = "no rune of this name is confirmed, or in trial with a start left";
                return Err(ServeError::Refused(why.to_owned()));
            }
            Ok(None) => self.file(name)?,
            // Files are served where the store cannot be.
            Err(ServeError::Store(..)) if self.path(name).exists() => self.file(name)?,
            Err(error) => return Err(error),
        };
        self.put(name, launch)
    }

    fn with<T>(&self, name: &str, f: impl FnOnce(&Unit) -> T) -> Result<T, ServeError> {
        let units = self.units();
        let unit = units.get(name);
        unit.map(f)
            .ok_or_else(|| ServeError::NoRune(name.to_owned()))
    }

    /// Lets every rune finish its call, its outputs drain, and gives back when all have.
    pub fn stop(&self) {
        let units = std::mem::take(&mut *self.units());
        units.values().for_each(Unit::ask_to_end);
        units.into_values().for_each(Unit::join);
        // Its absence says that nobody serves the folder.
        let _ = fs::remove_file(self.folder.join(SOCKET));
        // Some thread that answers may hold this server a moment longer.
        self.host.installs.close();
        let _ = self.lock.unlock();
    }
}

/// Whether a name can become that of a file: it has none of what leads elsewhere.
fn is_plain(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && !name.starts_with('.') && name.chars().all(is_plain)
}

/// The policy under which the rune of a name runs.
fn policy_of(folder: &Path, name: &str) -> Result<Policy, ServeError> {
    let own = folder.join(format!("{name}.toml"));
    // One that is there and cannot be read is no reason to take the other.
    let is_absent = fs::symlink_metadata(&own).is_err_and(|e| e.kind() == io::ErrorKind::NotFound);
    let policy = if is_absent {
        folder.join("policy.toml")
    } else {
        own
    };
    Policy::load(&policy).map_err(ServeError::Policy)
}
