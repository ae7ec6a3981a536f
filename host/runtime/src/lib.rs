//! `RunicOS` for Linux: runs runes in a sandbox.
//!
//! A rune is started in two steps. [`Rune::load`] reads its bytes and checks them against the contract of
//! `docs/abi.md` without running anything; [`Rune::grant`] compares what the manifest asks for with what the
//! host offers and refuses with the whole list of what is missing. Only then [`Runtime::start`] compiles the
//! module, or takes its code from a [`Cache`], and links exactly the imports it declares. [`Instance::call`]
//! runs the pipeline once and hands back what the rune wrote, and a [`Router`] sends it to the sinks that were
//! granted.
//!
//! A program that brings its own sensor is a [`Source`], and offers it by the name that the rune has for it:
//!
//! ```
//! use std::{path::Path, time::Instant};
//!
//! use rune_runtime::{Call, Compiler, Offer, Read, Rune, Runtime, Source, SourceError, serial};
//!
//! /// Four numbers, and then it has no more.
//! struct Sensor(u8);
//!
//! impl Source for Sensor {
//!     fn read(&mut self, out: &mut [u8], _deadline: Instant) -> Result<Read, SourceError> {
//!         if self.0 == 4 {
//!             return Ok(Read::End { note: None });
//!         }
//!         out.copy_from_slice(&(0.5 * f32::from(self.0)).to_le_bytes());
//!         self.0 += 1;
//!         Ok(Read::Sample)
//!     }
//! }
//!
//! # let input = runec::world::Input::open(Path::new("../../examples/sine/raw.Runefile"))?;
//! # let request = runec::driver::Request { build: true, ..input.request() };
//! # let analysed = runec::driver::analyse(&request);
//! # let built = runec::driver::generate(analysed, &runec::Options::default());
//! # let folder = std::env::temp_dir().join(format!("rune-runtime-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! # std::env::set_current_dir(&folder)?;
//! # std::fs::write("sine.rune", built.output.ok_or("it does not compile")?.wasm)?;
//! let rune = Rune::load(Rune::read(Path::new("sine.rune"))?)?;
//! # std::fs::remove_dir_all(&folder)?;
//! let grants = rune.grant_offer(Offer {
//!     sources: vec![("x".to_owned(), Box::new(Sensor(0)))],
//!     ..Offer::default()
//! })?;
//! let runtime = Runtime::new(Compiler::InProcess, None)?;
//! let log = Box::new(|level: u32, text: &str| eprintln!("{level}: {text}"));
//! let mut instance = runtime.start(&rune, grants, log)?;
//! loop {
//!     match instance.call()? {
//!         Call::Output(records) => println!("{}", serial::line(rune.manifest(), &records)),
//!         Call::NoOutput => {}
//!         Call::End => break,
//!     }
//! }
//! # assert_eq!(instance.health().total().with_output, 4);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cache;
mod capability;
mod check;
pub mod cli;
mod cmd;
mod consent;
mod engine;
mod grant;
mod input;
mod output;
mod policy;
mod private;
pub mod serve;
mod signature;
pub mod store;

use std::{
    fmt::{self, Write as _},
    fs::File,
    io::{self, Read as _},
    num::{NonZeroU32, NonZeroU64},
    path::Path,
    time::Duration,
};

use rune_abi::{Import, Manifest, ManifestError};
use sha2::{Digest, Sha256};

pub use cache::Cache;
pub use capability::{
    Read, Recorder, Recording, Replay, Sensor, Source, SourceError, SourceErrorKind, Stamp,
};
pub use engine::{
    Call, CallError, Cause, CompileError, Compiler, Health, Instance, Listener, Runtime, Span,
    StartError, Tracer, WorkerLimits, health, now, worker,
};
pub use grant::{GrantError, Grants, Offer, SourceFlag};
pub use input::Input;
pub use output::{
    Elements, Meters, Record, SinkCounters, Tensor,
    router::{Loss, Report, Router, SendError},
    serial,
    sink::{Delivery, FileSink, HttpSink, MqttSink, Sink, SinkError, TtySink, WhenFull},
};
pub use policy::{Policy, PolicyError};
pub use signature::Signer;

/// A rune whose bytes keep the contract. Nothing of it has run.
#[derive(Clone, Debug)]
pub struct Rune {
    bytes: Vec<u8>,
    manifest: Manifest,
    imports: Vec<Import>,
    digest: [u8; 32],
    signers: Vec<Signer>,
}

impl Rune {
    /// Most bytes of a rune.
    pub const MOST_BYTES: u64 = 256 << 20;

    /// The bytes of a file, which may be a rune: of one that is larger than any, just so many as show it.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn read(path: &Path) -> io::Result<Vec<u8>> {
        let mut bytes = vec![];
        File::open(path)?
            .take(Self::MOST_BYTES + 1)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Checks the bytes of a module against the contract.
    pub fn load(bytes: Vec<u8>) -> Result<Self, LoadError> {
        if bytes.len() as u64 > Self::MOST_BYTES {
            return Err(LoadError::Size);
        }
        let check::Checked { manifest, imports } = check::check(&bytes)?;
        Ok(Self {
            digest: Sha256::digest(&bytes).into(),
            signers: signature::signers(&bytes)?,
            bytes,
            manifest,
            imports,
        })
    }

    /// SHA-256 of its bytes: what it is known by.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The same in hexadecimal.
    pub fn digest_hex(&self) -> String {
        hex(&self.digest)
    }

    /// Who signed it; their signatures were found right.
    pub fn signers(&self) -> &[Signer] {
        &self.signers
    }

    /// The section `rune.manifest`.
    pub(crate) fn manifest_bytes(&self) -> Vec<u8> {
        self.manifest
            .to_bytes()
            .expect("a manifest that was read can be written")
    }

    /// What an instance of it did, as a record that [`rune_saga::Snapshot`] decodes.
    pub fn health_record(&self, health: &Health) -> Vec<u8> {
        engine::record(health, &self.manifest_bytes(), self.digest)
    }

    /// What it is and what it needs.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Gives it what it needs from what the host offers, all or nothing. Whoever calls this answers for the sensors
    /// that the flags name; the program asks before.
    pub fn grant(&self, flags: &[SourceFlag], limits: &Limits) -> Result<Grants, GrantError> {
        self.grant_with(None, flags, &[], limits)
    }

    /// The same under a policy: a source that no flag gives, and every sink, must be bound by it; a limit it
    /// sets counts, and `limits` for the others.
    ///
    /// # Errors
    /// Everything that is missing, each with the line of the policy that would allow it; or a flag that fits
    /// nothing, or a source that cannot be opened.
    pub fn grant_by(
        &self,
        policy: &Policy,
        flags: &[SourceFlag],
        limits: &Limits,
    ) -> Result<Grants, GrantError> {
        self.grant_with(Some(policy), flags, &[], limits)
    }

    /// The same with or without a policy, and with sinks that flags name: each as `--out` takes it, such as
    /// `serial=file:out.jsonl`. A sink that a flag names is granted whatever the policy binds.
    ///
    /// # Errors
    /// As above, or a flag that names no sink or no output.
    pub fn grant_with(
        &self,
        policy: Option<&Policy>,
        flags: &[SourceFlag],
        outs: &[String],
        limits: &Limits,
    ) -> Result<Grants, GrantError> {
        self.grant_offer(Offer {
            policy,
            flags,
            outs,
            limits: *limits,
            sources: vec![],
        })
    }

    /// The same with all that a host may offer, its own sources among it.
    ///
    /// # Errors
    /// As above, or a source for what is no capability, or a second one for the same.
    pub fn grant_offer(&self, offer: Offer<'_>) -> Result<Grants, GrantError> {
        grant::grant(self, offer, None, None)
    }

    /// The same with what a recording holds in place of what the host offers, bit for bit.
    ///
    /// # Errors
    /// Where the recording is of a rune that reads something else, or something else is missing.
    pub fn grant_replay(
        &self,
        policy: Option<&Policy>,
        replay: Replay,
        outs: &[String],
        limits: &Limits,
    ) -> Result<Grants, GrantError> {
        let offer = Offer {
            policy,
            outs,
            limits: *limits,
            ..Offer::default()
        };
        grant::grant(self, offer, Some(&replay.into()), None)
    }

    /// Lets everything that the sources of grants give be written down in a folder, see [`Replay`].
    ///
    /// # Errors
    /// Where a file cannot be made there, as when there is a recording in it.
    pub fn record(&self, grants: Grants, folder: &Path) -> Result<Grants, SourceError> {
        grants.record(&self.manifest.capabilities, folder)
    }

    /// Starts it on a runtime of its own, compiled in this process. Whoever starts several, or runes of others,
    /// makes a [`Runtime`].
    ///
    /// # Errors
    /// As [`Runtime::start`].
    pub fn start(&self, grants: Grants, listener: Listener) -> Result<Instance, StartError> {
        Runtime::new(Compiler::InProcess, None)?.start(self, grants, listener)
    }
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

/// What a rune may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of linear memory.
    pub memory_bytes: u64,
    /// Time of one call, in steps of ten milliseconds.
    pub call_time: Duration,
}

impl Default for Limits {
    /// 256 MiB and ten seconds.
    fn default() -> Self {
        Self {
            memory_bytes: 256 << 20,
            call_time: Duration::from_secs(10),
        }
    }
}

/// How often a rune may be called, and how much of what it writes may be passed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Calls per second; `None`: as many as can be.
    pub calls_per_second: Option<NonZeroU32>,
    /// Bytes of output per second; `None`: as many as can be.
    pub output_bytes_per_second: Option<NonZeroU64>,
}

impl Rates {
    /// How long from the start of a call that wrote so much to the start of the next, at least.
    pub fn interval(&self, bytes: u64) -> Duration {
        let calls = self
            .calls_per_second
            .map_or(0.0, |n| 1.0 / f64::from(n.get()));
        let output = self
            .output_bytes_per_second
            .map_or(0.0, |n| bytes as f64 / n.get() as f64);
        Duration::from_secs_f64(calls.max(output))
    }
}

/// Why bytes are not a rune this runtime can run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// They are more than [`Rune::MOST_BYTES`].
    Size,
    /// They are not a WebAssembly module of the features its manifest names.
    Module {
        /// Bytes from the start of the module.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
    /// There is no manifest, or it breaks its format.
    Manifest(ManifestError),
    /// The module breaks a rule of the contract.
    Contract(String),
    /// It is made for another version of the contract.
    AbiVersion(u16),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size => write!(
                f,
                "it is larger than the {} MiB that a rune may have",
                Rune::MOST_BYTES >> 20
            ),
            Self::Module { offset, what } => {
                write!(f, "not a valid module: {what} at byte {offset:#x}")
            }
            Self::Manifest(error) => write!(f, "its manifest is damaged: {error}"),
            Self::Contract(what) => f.write_str(what),
            Self::AbiVersion(version) => write!(
                f,
                "it needs version {version} of the contract and this runtime has {}",
                rune_abi::ABI_VERSION
            ),
        }
    }
}

impl std::error::Error for LoadError {}
