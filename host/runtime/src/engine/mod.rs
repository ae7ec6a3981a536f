//! Step two of starting a rune: its machine code, and an instance of it. Only this folder knows wasmtime.

mod compile;
mod imports;
mod instance;

use std::{
    fmt, io,
    sync::{
        Arc, OnceLock,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use rune_abi::{Manifest, ManifestView};
use rune_saga::{Output, Recorder, Stage, Subject};
use wasmtime::{Config, Engine, Module};

pub use compile::{CompileError, Compiler, WorkerLimits, worker};
pub use instance::{Call, CallError, Cause, Instance};

use crate::{Grants, Rune, cache::Cache};

/// How often deadlines are looked at.
const TICK: Duration = Duration::from_millis(10);
/// Most bytes of the host's stack that a rune's calls may take.
const STACK: usize = 512 << 10;

/// Where notes and a rune's log lines go: the level, 1 (error) to 5 (trace), and a text without control
/// characters.
pub type Listener = Box<dyn FnMut(u32, &str) + Send>;

/// What one rune did, by the numbers of stages and outputs in its manifest.
pub type Health = Recorder<Box<[Stage]>, Box<[Output]>>;

/// A time in which a call, or one of its stages, ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The stage's number in the manifest; `None`: the whole call.
    pub stage: Option<usize>,
    /// When it began, in nanoseconds on the clock of [`now`].
    pub began_ns: u64,
    /// How many nanoseconds it took.
    pub took_ns: u64,
}

/// Who is told of every span, as it ends: of calls, and of stages where the rune marks them.
pub type Tracer = Box<dyn FnMut(Span) + Send>;

/// Why a rune could not be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartError {
    /// It was not turned into machine code.
    Compile(CompileError),
    /// It was given more or fewer sources than it has capabilities.
    Sources {
        /// Capabilities.
        wanted: usize,
        /// Sources.
        given: usize,
    },
    /// Its memory could not be made or filled.
    Instance(String),
    /// The system gave no thread, or this processor is not known to the compiler.
    Runtime(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the rune could not be started: ")?;
        match self {
            Self::Compile(error) => error.fmt(f),
            Self::Sources { wanted, given } => write!(
                f,
                "it has {wanted} capabilities and {given} sources were given"
            ),
            Self::Instance(what) | Self::Runtime(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for StartError {}

/// Starts runes. One serves a whole process: clones are the same runtime.
#[derive(Clone)]
pub struct Runtime(Arc<Shared>);

struct Shared {
    compiler: Compiler,
    cache: Option<Cache>,
    engine: Engine,
    /// Declared last: it stops when everything else is gone.
    _ticker: Ticker,
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("compiler", &self.0.compiler)
            .field("cache", &self.0.cache)
            .finish_non_exhaustive()
    }
}

impl Runtime {
    /// A runtime that compiles in this way what it does not find in the cache.
    ///
    /// # Errors
    /// Where this processor is not known to the compiler, or the system gives no thread.
    pub fn new(compiler: Compiler, cache: Option<Cache>) -> Result<Self, StartError> {
        let engine = engine().map_err(|e| StartError::Runtime(format!("{e:#}")))?;
        let ticker = Ticker::start(engine.clone())
            .map_err(|e| StartError::Runtime(format!("no thread for deadlines: {e}")))?;
        Ok(Self(Arc::new(Shared {
            compiler,
            cache,
            engine,
            _ticker: ticker,
        })))
    }

    /// Starts a rune with what it was granted. What it logs goes to `listener`.
    ///
    /// # Errors
    /// Where its code cannot be made or its memory cannot be filled.
    pub fn start(
        &self,
        rune: &Rune,
        grants: Grants,
        listener: Listener,
    ) -> Result<Instance, StartError> {
        self.resume(rune, grants, listener, health(rune.manifest()))
    }

    /// The same for a rune that ran before: what it does is added to what it did.
    ///
    /// # Errors
    /// Where its code cannot be made or its memory cannot be filled.
    pub fn resume(
        &self,
        rune: &Rune,
        grants: Grants,
        listener: Listener,
        health: Health,
    ) -> Result<Instance, StartError> {
        let (wanted, given) = (rune.manifest().capabilities.len(), grants.sources.len());
        if wanted != given {
            return Err(StartError::Sources { wanted, given });
        }
        let module = self.module(rune)?;
        Instance::new(self, &module, rune, grants, listener, health)
            .map_err(|e| StartError::Instance(format!("{e:#}")))
    }

    fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// The code of a rune, from the cache where it is there.
    fn module(&self, rune: &Rune) -> Result<Module, StartError> {
        let Shared {
            compiler,
            cache,
            engine,
            ..
        } = &*self.0;
        let key = cache
            .as_ref()
            .map(|cache| (cache, compile::key(engine, &rune.digest)));
        if let Some((cache, key)) = &key
            && let Some(code) = cache.get(key)
            && let Ok(module) = compile::load(engine, &code)
        {
            return Ok(module);
        }
        let code = compiler
            .compile(engine, &rune.bytes)
            .map_err(StartError::Compile)?;
        if let Some((cache, key)) = &key {
            // Without the entry the next start takes longer, and that is all.
            let _ = cache.put(key, &code);
        }
        compile::load(engine, &code)
            .map_err(|e| StartError::Compile(CompileError::Refused(format!("{e:#}"))))
    }
}

/// The health of a rune that has done nothing yet.
pub fn health(manifest: &Manifest) -> Health {
    let stages = vec![Stage::new(); manifest.stages.len()];
    let outputs = vec![Output::new(); manifest.outputs.len()];
    Recorder::new(stages.into(), outputs.into(), now())
}

/// A health as a record, which [`rune_saga::Snapshot`] decodes; `manifest` and `digest` are of its rune.
pub(crate) fn record(health: &Health, manifest: &[u8], digest: [u8; 32]) -> Vec<u8> {
    let manifest = ManifestView::parse(manifest).expect("it was checked");
    let subject = Subject {
        manifest: &manifest,
        digest,
    };
    let mut record = vec![0; 4096];
    loop {
        match health.encode(&subject, now(), &mut record) {
            Ok(written) => {
                let written = written.len();
                record.truncate(written);
                return record;
            }
            Err(small) => record.resize(small.needed, 0),
        }
    }
}

/// Nanoseconds on the clock of all [`Health`]: since the first use in this process.
pub fn now() -> u64 {
    at(Instant::now())
}

/// An instant on this clock.
fn at(instant: Instant) -> u64 {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    let origin = *ORIGIN.get_or_init(|| instant);
    imports::nanoseconds(instant.saturating_duration_since(origin))
}

/// The engine of this process and of its workers: their code is for each other. Which features a module may
/// use was decided in step one.
fn engine() -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config.epoch_interruption(true);
    config.max_wasm_stack(STACK);
    Engine::new(&config)
}

/// Counts epochs for one engine until it is dropped.
struct Ticker {
    /// Dropping it wakes and ends the thread.
    _stop: mpsc::Sender<()>,
}

impl Ticker {
    fn start(engine: Engine) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        thread::Builder::new()
            .name("deadlines".to_owned())
            .spawn(move || {
                while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                    engine.increment_epoch();
                }
            })?;
        Ok(Self { _stop: stop })
    }
}
