//! Where data comes from: files, sensors and recordings, behind one trait.

mod adapted;
pub(crate) mod beneath;
#[cfg(feature = "v4l2")]
mod camera;
#[cfg(feature = "alsa")]
mod card;
mod files;
mod iio;
mod image;
mod live;
mod rand;
mod record;
mod recorded;
mod serial;
mod setup;
mod sound;
mod stdin;
mod sysfs;
mod table;
mod window;

use std::{fmt, path::PathBuf, sync::Arc, time::Instant};

use rune_abi::{Capability, CapabilityKind};

use files::Files;
pub use record::{Recorder, Replay};
pub use recorded::Recording;
pub(crate) use recorded::recording;
pub use setup::Sensor;
pub(crate) use setup::{Setup, axes, crop, unit};

/// A source of samples for one capability.
pub trait Source: Send {
    /// Fills `out` with the next sample. `out` is as long as the capability's type in the manifest. What has
    /// no sample at the deadline gives an error of the kind [`SourceErrorKind::Late`]; files need not look
    /// at it.
    fn read(&mut self, out: &mut [u8], deadline: Instant) -> Result<Read, SourceError>;

    /// Whether it gives samples for ever and at once.
    fn is_endless(&self) -> bool {
        false
    }

    /// When the sample that was read last began, and what was lost before it.
    fn stamp(&self) -> Stamp {
        Stamp::default()
    }

    /// What a person should know and was not told yet.
    fn warning(&mut self) -> Option<String> {
        None
    }
}

/// The place of a sample in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// When it began, in nanoseconds since 1970; `None` where nobody knows, as of a file.
    pub time: Option<u64>,
    /// Samples that were lost right before it, because the rune was too slow.
    pub lost: u64,
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
    /// What sort of failure it is.
    pub kind: SourceErrorKind,
    /// The file, with the line or byte where there is one, or the flag.
    pub place: String,
    /// What is wrong.
    pub what: String,
}

/// The sorts of failures of sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceErrorKind {
    /// It cannot be read, or what it holds makes no sense.
    Unreadable,
    /// It gave nothing by the deadline of the call.
    Late,
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

impl std::error::Error for SourceError {}

impl SourceError {
    /// That something cannot be read, or makes no sense.
    pub fn new(place: impl fmt::Display, what: impl fmt::Display) -> Self {
        Self {
            kind: SourceErrorKind::Unreadable,
            place: place.to_string(),
            what: what.to_string(),
        }
    }

    /// That a source gave nothing by the deadline of the call.
    pub fn late(place: impl fmt::Display) -> Self {
        Self {
            kind: SourceErrorKind::Late,
            ..Self::new(place, "it gave no sample within the time of the call")
        }
    }
}

/// Why a source was not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OpenError {
    /// It cannot be made into what the rune asks for: every reason.
    Refused(Vec<String>),
    /// It cannot be read.
    Source(SourceError),
}

impl From<SourceError> for OpenError {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
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
        CapabilityKind::FloatImage => ("--float-image", "FILE.png"),
        CapabilityKind::Temperature => ("--temperature", "FILE.csv"),
        CapabilityKind::Gpio => ("--gpio", "FILE.csv"),
    };
    Flag { name, value }
}

/// What feeds a capability.
pub(crate) enum Given {
    /// Seeds of RAND; none: 0.
    Seeds(Vec<String>),
    Files(Files),
    Sensor(Setup),
    Replay(Arc<Replay>),
    /// What the host brings itself.
    Own(Box<dyn Source>),
}

impl Given {
    /// What a person gave in flags.
    pub(crate) fn by_hand(kind: CapabilityKind, values: Vec<String>) -> Result<Self, String> {
        if kind == CapabilityKind::Rand {
            return Ok(Self::Seeds(values));
        }
        let count = values.len();
        let mut files = vec![];
        for value in values {
            match Setup::parse(kind, &value)? {
                (Some(file), setup) => files.push((file, setup)),
                (None, setup) if count == 1 => return Ok(Self::Sensor(setup)),
                (None, _) => {
                    return Err(format!(
                        "`{value}` is a sensor, and nothing can come before or after it"
                    ));
                }
            }
        }
        Ok(Self::Files(Files {
            files,
            folder: None,
        }))
    }

    /// Files beneath a folder.
    pub(crate) fn beneath(folder: PathBuf, files: &[String], setup: &Setup) -> Self {
        Self::Files(Files {
            files: files.iter().map(|f| (f.clone(), setup.clone())).collect(),
            folder: Some(folder),
        })
    }
}

impl Given {
    /// What is said of a sensor, if it is one.
    pub(crate) fn sensor(&self) -> Option<&Setup> {
        if let Self::Sensor(setup) = self {
            Some(setup)
        } else {
            None
        }
    }

    /// That this build has no part that reads such a source, if so.
    pub(crate) fn lacking(&self, capability: &Capability) -> Option<String> {
        let (what, feature) = match self.sensor()?.sensor {
            Some(Sensor::Alsa) if !cfg!(feature = "alsa") => ("sound cards", "alsa"),
            Some(Sensor::V4l2) if !cfg!(feature = "v4l2") => ("cameras", "v4l2"),
            _ => return None,
        };
        Some(format!(
            "the rune reads {} and this build of rune knows no {what}: build it with `--features {feature}`",
            describe(capability)
        ))
    }
}

/// A name of a device that does not depend on the order in which devices were plugged in, where udev gives one.
fn lasting(device: &str) -> Option<String> {
    let folders = ["/dev/serial/by-id", "/dev/v4l/by-id"];
    let names = folders.iter().filter_map(|f| std::fs::read_dir(f).ok());
    let mut paths = names.flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let path = paths.find(|p| std::fs::canonicalize(p).is_ok_and(|p| p.as_os_str() == device))?;
    path.into_os_string().into_string().ok()
}

/// The very device that is meant, with names looked up and links followed: what is said of it so, and what people know
/// it by. Nothing for standard input, which whoever starts the program gives.
pub(crate) fn pin(setup: &Setup) -> Result<Option<(Setup, String)>, SourceError> {
    let mut setup = setup.clone();
    let device = setup.device.clone().unwrap_or_default();
    let place = match setup.sensor {
        Some(Sensor::Stdin) | None => return Ok(None),
        Some(Sensor::Serial | Sensor::V4l2) => {
            let path = std::fs::canonicalize(&device);
            let path = path.map_err(|e| SourceError::new(&device, e))?;
            let path = path
                .into_os_string()
                .into_string()
                .map_err(|path| SourceError::new(path.display(), "its path is not UTF-8"))?;
            setup.device = Some(path.clone());
            lasting(&path).unwrap_or(path)
        }
        Some(Sensor::Iio) => {
            let (folder, own) = iio::find(&setup)?;
            let file = folder.file_name().unwrap_or_default();
            setup.device = Some(file.to_string_lossy().into_owned());
            format!("{} ({own})", sysfs::real(&folder)?.display())
        }
        Some(Sensor::Sysfs) => sysfs::real(&sysfs::path(&setup)?)?.display().to_string(),
        Some(Sensor::Alsa) => format!(
            "the sound card {}",
            setup.device.as_deref().unwrap_or("default")
        ),
    };
    // A line of a policy is about the same tree, wherever the policy lies.
    setup.root = setup.root.as_deref().map(sysfs::real).transpose()?;
    Ok(Some((setup, place)))
}

/// Opens the source of a capability. `index` is its place in the manifest.
pub(crate) fn open(
    capability: &Capability,
    index: usize,
    given: Given,
) -> Result<Box<dyn Source>, OpenError> {
    match given {
        Given::Seeds(values) => Ok(rand::open(capability, index, &values)?),
        Given::Files(files) => match capability.kind {
            CapabilityKind::Sound => sound::open(capability, &files),
            CapabilityKind::Image | CapabilityKind::FloatImage => image::open(capability, &files),
            CapabilityKind::Accel => table::open_accel(capability, &files),
            CapabilityKind::Temperature | CapabilityKind::Gpio => table::open(capability, &files),
            CapabilityKind::Raw => files::open_raw(capability, &files),
            CapabilityKind::Rand => unreachable!("RAND takes seeds"),
        },
        Given::Sensor(setup) => match setup.sensor {
            Some(Sensor::Stdin) => stdin::open(capability),
            Some(Sensor::Serial) => serial::open(capability, &setup),
            Some(Sensor::Iio) => iio::open(capability, &setup),
            Some(Sensor::Sysfs) => sysfs::open(capability, &setup),
            #[cfg(feature = "alsa")]
            Some(Sensor::Alsa) => card::open(capability, &setup),
            #[cfg(not(feature = "alsa"))]
            Some(Sensor::Alsa) => unreachable!("it is lacking"),
            #[cfg(feature = "v4l2")]
            Some(Sensor::V4l2) => camera::open(capability, &setup),
            #[cfg(not(feature = "v4l2"))]
            Some(Sensor::V4l2) => unreachable!("it is lacking"),
            None => unreachable!("a sensor is one of these"),
        },
        Given::Replay(replay) => Ok(replay.open(index)?),
        Given::Own(source) => Ok(source),
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

/// All that a rune reads.
pub(crate) fn list(capabilities: &[Capability]) -> String {
    let reads: Vec<String> = capabilities.iter().map(describe).collect();
    if reads.is_empty() {
        "nothing".to_owned()
    } else {
        reads.join(" and ")
    }
}

/// The value of an integer parameter.
pub(crate) fn integer(capability: &Capability, name: &str) -> Option<i64> {
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
fn unfit(capability: &Capability, why: impl fmt::Display) -> SourceError {
    SourceError::new(
        format_args!("{} `{}`", capability.kind.spec().name, capability.name),
        format_args!("its type {} {why}", capability.ty),
    )
}

/// What one source after the other comes to: all of it, or every reason against.
pub(crate) fn all<T>(
    made: impl Iterator<Item = Result<T, OpenError>>,
) -> Result<Vec<T>, OpenError> {
    let (mut good, mut reasons) = (vec![], vec![]);
    for made in made {
        match made {
            Ok(made) => good.push(made),
            Err(OpenError::Refused(more)) => reasons.extend(more),
            Err(error @ OpenError::Source(_)) => return Err(error),
        }
    }
    if reasons.is_empty() {
        Ok(good)
    } else {
        Err(OpenError::Refused(reasons))
    }
}
