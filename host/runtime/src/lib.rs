//! `RunicOS` for Linux: runs runes in a sandbox.
//!
//! A rune is started in two steps. [`Rune::load`] reads its bytes and checks them against the contract of
//! `docs/abi.md` without running anything; [`Rune::grant`] compares what the manifest asks for with what the
//! host offers and refuses with the whole list of what is missing. Only then [`Rune::start`] compiles the
//! module and links exactly the imports it declares. [`Instance::call`] runs the pipeline once and hands
//! back what the rune wrote; how that is shown is the caller's affair (see [`serial`]).

mod capability;
mod check;
pub mod cli;
mod engine;
mod grant;
mod output;

use std::{fmt, time::Duration};

use rune_abi::{Import, Manifest, ManifestError};

pub use capability::{Read, Source, SourceError};
pub use engine::{Call, CallError, Cause, Instance, Listener, StartError};
pub use grant::{GrantError, Grants, SourceFlag};
pub use output::{Elements, Record, Tensor, serial};

/// A rune whose bytes keep the contract. Nothing of it has run.
#[derive(Clone, Debug)]
pub struct Rune {
    bytes: Vec<u8>,
    manifest: Manifest,
    imports: Vec<Import>,
}

impl Rune {
    /// Checks the bytes of a module against the contract.
    pub fn load(bytes: Vec<u8>) -> Result<Self, LoadError> {
        let check::Checked { manifest, imports } = check::check(&bytes)?;
        Ok(Self {
            bytes,
            manifest,
            imports,
        })
    }

    /// What it is and what it needs.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Gives it what it needs from what the host offers, all or nothing.
    pub fn grant(&self, flags: &[SourceFlag], limits: &Limits) -> Result<Grants, GrantError> {
        grant::grant(&self.manifest, flags, limits)
    }

    /// Compiles and instantiates it with what it was granted. What it logs goes to `listener`.
    pub fn start(&self, grants: Grants, listener: Listener) -> Result<Instance, StartError> {
        Instance::start(self, grants, listener)
    }
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

/// Why bytes are not a rune this runtime can run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
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
