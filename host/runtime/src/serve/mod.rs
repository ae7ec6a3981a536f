//! `rune serve`: many runes at once, each on a thread and a schedule of its own, watched and controlled through a
//! socket in their folder.
//!
//! A folder is served as it is: `NAME.rune` runs under the policy `NAME.toml`, or `policy.toml` where there is
//! none of its own. A rune that fails is started anew, later each time; one that the policy refuses waits until
//! it is started by hand.

mod control;
mod http;
mod log;
mod unit;

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    net::{SocketAddr, ToSocketAddrs},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

pub use control::{Request, ask};
pub use log::{Entry, Log};
pub use unit::{Phase, Status};

use crate::{LoadError, Policy, PolicyError, Rune, Runtime};
use unit::{Launch, Unit};

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
    /// The file is not a rune this runtime can run.
    Load(PathBuf, LoadError),
    /// The policy of a rune.
    Policy(PolicyError),
    /// There is no rune of this name.
    NoRune(String),
    /// The rune was not taken, and why.
    Refused(String),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Served(path) => write!(f, "{}: another server has this folder", path.display()),
            Self::Metrics(address, what) => write!(f, "metrics at {address}: {what}"),
            Self::Load(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Policy(error) => error.fmt(f),
            Self::NoRune(name) => write!(f, "there is no rune `{name}`: `rune ps` lists them"),
            Self::Refused(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for ServeError {}

/// Where a server says what happens: the level, 1 (error) to 5 (trace), the rune, and a text.
pub type Say = Arc<dyn Fn(u32, &str, &str) + Send + Sync>;

/// A folder that is served until [`stop`](Self::stop).
pub struct Server {
    folder: PathBuf,
    runtime: Runtime,
    say: Say,
    units: Mutex<BTreeMap<String, Unit>>,
    /// Held as long as the folder is served.
    _lock: fs::File,
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
        let lock = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock)
            .map_err(|e| ServeError::Io(lock, e))?;
        lock.try_lock().map_err(|e| match e {
            fs::TryLockError::WouldBlock => ServeError::Served(folder.to_owned()),
            fs::TryLockError::Error(e) => failed(e),
        })?;
        let server = Arc::new(Self {
            folder: folder.to_owned(),
            runtime,
            say,
            units: Mutex::default(),
            _lock: lock,
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
            (server.say)(3, "", &format!("metrics are at http://{bound}/metrics"));
        }
        for name in server.names().map_err(failed)? {
            let launch = server.launch(&name);
            let unit = Unit::start(&name, launch, &server.runtime, server.say.clone());
            match unit {
                Ok(unit) => {
                    server.units().insert(name, unit);
                }
                Err(error) => (server.say)(1, &name, &error.to_string()),
            }
        }
        Ok(server)
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

    /// What a rune needs to start, read anew.
    fn launch(&self, name: &str) -> Result<Launch, ServeError> {
        let path = self.folder.join(format!("{name}.rune"));
        let bytes = Rune::read(&path).map_err(|e| ServeError::Io(path.clone(), e))?;
        let rune = Rune::load(bytes).map_err(|e| ServeError::Load(path, e))?;
        let own = self.folder.join(format!("{name}.toml"));
        let policy = if own.exists() {
            own
        } else {
            self.folder.join("policy.toml")
        };
        let policy = Policy::load(&policy).map_err(ServeError::Policy)?;
        Ok(Launch { rune, policy })
    }

    fn units(&self) -> MutexGuard<'_, BTreeMap<String, Unit>> {
        self.units.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of every rune how it is.
    pub fn status(&self) -> Vec<Status> {
        self.units().values().map(Unit::status).collect()
    }

    /// Reads a rune and its policy from the folder again. One that runs goes on until the new one was accepted, and
    /// for good where it is not; one that does not run is started.
    ///
    /// # Errors
    /// Where the rune is not taken.
    pub fn reload(&self, name: &str) -> Result<(), ServeError> {
        check_name(name)?;
        let launch = self.launch(name)?;
        let mut units = self.units();
        let Some(unit) = units.get(name) else {
            let unit = Unit::start(name, Ok(launch), &self.runtime, self.say.clone())?;
            units.insert(name.to_owned(), unit);
            return Ok(());
        };
        let answer = unit.replace(launch);
        // Others are served while this one changes.
        drop(units);
        answer.wait()
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
    }
}

/// A name from a request becomes a file name, so it has none of what leads elsewhere.
fn check_name(name: &str) -> Result<(), ServeError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.starts_with('.') || !name.chars().all(is_plain) {
        return Err(ServeError::NoRune(name.to_owned()));
    }
    Ok(())
}
