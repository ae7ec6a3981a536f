//! Where data comes from: one file per kind of capability, behind one trait.

mod accel;
pub(crate) mod beneath;
mod image;
mod rand;
mod raw;
mod sound;
mod window;

use std::{fmt, fs, io::Read as _, path::PathBuf};

use rune_abi::{Capability, CapabilityKind};

/// A source of samples for one capability.
pub trait Source: Send {
    /// Fills `out` with the next sample. `out` is as long as the capability's type in the manifest.
    fn read(&mut self, out: &mut [u8]) -> Result<Read, SourceError>;

    /// Whether it gives samples for ever.
    fn is_endless(&self) -> bool {
        false
    }
}

/// What a source had to give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// A whole sample.
    Sample,
    /// Nothing more, and perhaps something a person should know about the end, said once.
    End {
        /// What was left over.
        note: Option<String>,
    },
}

/// Why a source cannot give what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceError {
    /// The file, with the line where there is one, or the flag.
    pub place: String,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

impl std::error::Error for SourceError {}

impl SourceError {
    fn new(place: impl fmt::Display, what: impl fmt::Display) -> Self {
        Self {
            place: place.to_string(),
            what: what.to_string(),
        }
    }
}

/// The command-line flag that feeds a kind.
pub(crate) struct Flag {
    pub(crate) name: &'static str,
    /// What stands for its value in a message.
    pub(crate) value: &'static str,
}

/// The flag of a kind.
pub(crate) fn flag(kind: CapabilityKind) -> Flag {
    let (name, value) = match kind {
        CapabilityKind::Rand => ("--rand", "SEED"),
        CapabilityKind::Sound => ("--sound", "FILE.wav"),
        CapabilityKind::Accel => ("--accel", "FILE.csv"),
        CapabilityKind::Image => ("--image", "FILE.png"),
        CapabilityKind::Raw => ("--raw", "FILE"),
    };
    Flag { name, value }
}

/// What feeds a capability.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    /// Files, or a seed.
    pub(crate) values: Vec<String>,
    /// The folder beneath which the files must lie; `None`: a person named them, and they may lie anywhere.
    pub(crate) folder: Option<PathBuf>,
}

impl Given {
    /// What a person gave.
    pub(crate) fn by_hand(values: Vec<String>) -> Self {
        Self {
            values,
            folder: None,
        }
    }

    /// The content of one of the files.
    fn read(&self, file: &str) -> Result<Vec<u8>, SourceError> {
        let read = || match &self.folder {
            None => fs::read(file),
            Some(folder) => {
                let mut bytes = vec![];
                beneath::open(folder, file)?.read_to_end(&mut bytes)?;
                Ok(bytes)
            }
        };
        read().map_err(|e| SourceError::new(file, e))
    }

    /// Whether a file can be read later.
    fn probe(&self, file: &str) -> Result<(), SourceError> {
        let probe = match &self.folder {
            None => fs::metadata(file).map(drop),
            Some(folder) => beneath::open(folder, file).map(drop),
        };
        probe.map_err(|e| SourceError::new(file, e))
    }
}

/// Opens the source of a capability. `index` is its place in the manifest.
pub(crate) fn open(
    capability: &Capability,
    index: usize,
    given: &Given,
) -> Result<Box<dyn Source>, SourceError> {
    match capability.kind {
        CapabilityKind::Rand => rand::open(capability, index, &given.values),
        CapabilityKind::Sound => sound::open(capability, given),
        CapabilityKind::Accel => accel::open(capability, given),
        CapabilityKind::Image => image::open(capability, given),
        CapabilityKind::Raw => raw::open(capability, given),
    }
}

/// ``ACCEL `accelerometer` (F32[128, 3])``
pub(crate) fn describe(capability: &Capability) -> String {
    format!(
        "{} `{}` ({})",
        capability.kind.spec().name,
        capability.name,
        capability.ty
    )
}

/// The value of an integer parameter.
fn integer(capability: &Capability, name: &str) -> Option<i64> {
    capability
        .params
        .iter()
        .find(|p| p.name == name)
        .and_then(|p| match p.value {
            rune_abi::Value::Integer(n) => Some(n),
            rune_abi::Value::Float(_) | rune_abi::Value::Text(_) => None,
        })
}

/// The type of a capability is not one its kind can fill.
fn unfit(capability: &Capability, why: &str) -> SourceError {
    SourceError::new(
        format_args!("{} `{}`", capability.kind.spec().name, capability.name),
        format_args!("its type {} {why}", capability.ty),
    )
}
