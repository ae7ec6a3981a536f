//! The keys that a device holds, by class, and what it makes of what they signed.

use std::{
    fmt,
    io::{self, ErrorKind},
    path::Path,
};

use serde::Deserialize;

use crate::{Class, Kind, Signed, SignedError, Signer};

/// Most keys of a class, as on a microcontroller.
const MOST: usize = 16;
/// Most bytes of the file.
const MOST_BYTES: u64 = 1 << 16;

/// The keys that a device holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KeyRing {
    version: u32,
    #[serde(default)]
    rune: Vec<Signer>,
    #[serde(default)]
    native: Vec<Signer>,
}

/// Why a file with keys cannot be had or changed.
#[derive(Debug)]
pub enum RingError {
    /// It cannot be read or written.
    Io(io::Error),
    /// It is none: line and column, and what is wrong there.
    Text(String),
    /// It is of another version of this program.
    Version(u32),
    /// A class has as many keys as it may.
    Full(Class),
    /// The key is not in it.
    Missing(Signer, Class),
}

impl fmt::Display for RingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Text(what) => f.write_str(what),
            Self::Version(version) => {
                write!(f, "version {version} of it is not known here, which is 1")
            }
            Self::Full(class) => write!(
                f,
                "it holds {MOST} keys of class {class}, which is the most; remove one first"
            ),
            Self::Missing(key, class) => write!(f, "it does not hold {key} in class {class}"),
        }
    }
}

impl std::error::Error for RingError {}

/// Why a device takes something from nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its signatures are not right, or it is nothing that can be signed.
    Bytes(SignedError),
    /// Nobody signed it.
    Unsigned(Kind),
    /// Those who signed it hold no key here.
    Unknown {
        /// Who signed it.
        by: Vec<Signer>,
        /// The class that the keys would be of.
        class: Class,
    },
    /// Who signed it holds a key of the other class.
    Class {
        /// Who signed it.
        by: Signer,
        /// What it is.
        kind: Kind,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(error) => error.fmt(f),
            Self::Unsigned(kind) => write!(
                f,
                "it is not signed; `hmr sign --key FILE.key` does, with a key of class {}",
                kind.class()
            ),
            Self::Unknown { by, class } => {
                let by: Vec<String> = by.iter().map(ToString::to_string).collect();
                write!(
                    f,
                    "it is signed by {}, which is none of the keys of class {class}",
                    by.join(", ")
                )
            }
            Self::Class { by, kind } => write!(
                f,
                "it is {kind}, and {by}, who signed it, is not of class {}",
                kind.class()
            ),
        }
    }
}

impl std::error::Error for Refusal {}

impl KeyRing {
    /// One without keys.
    pub fn new() -> Self {
        Self {
            version: 1,
            ..Self::default()
        }
    }

    /// The text of a file.
    pub fn parse(text: &str) -> Result<Self, RingError> {
        let ring: Self = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start.min(text.len()));
            let before = text.as_bytes().get(..start).unwrap_or_default();
            let line = before.split(|b| *b == b'\n').count();
            RingError::Text(format!("line {line}: {}", error.message().trim_end()))
        })?;
        if ring.version != 1 {
            return Err(RingError::Version(ring.version));
        }
        for class in Class::ALL {
            if ring.keys(class).len() > MOST {
                return Err(RingError::Full(class));
            }
        }
        Ok(ring)
    }

    /// The text of its file.
    pub fn to_text(&self) -> String {
        let list = |class| {
            let keys = self.keys(class).iter();
            keys.fold(String::new(), |text, key| format!("{text}    \"{key}\",\n"))
        };
        format!(
            "# The keys whose signatures count here, by what they may sign.\nversion = 1\n\
             rune = [\n{}]\nnative = [\n{}]\n",
            list(Class::Rune),
            list(Class::Native)
        )
    }

    /// Reads a file.
    pub fn load(path: &Path) -> Result<Self, RingError> {
        use std::io::Read as _;

        let mut text = String::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(MOST_BYTES).read_to_string(&mut text))
            .map_err(RingError::Io)?;
        Self::parse(&text)
    }

    /// Reads a file; one that is not there has no keys.
    pub fn load_or_new(path: &Path) -> Result<Self, RingError> {
        match Self::load(path) {
            Err(RingError::Io(error)) if error.kind() == ErrorKind::NotFound => Ok(Self::new()),
            loaded => loaded,
        }
    }

    /// Writes it, whole or not at all.
    pub fn save(&self, path: &Path) -> Result<(), RingError> {
        rune_terminal::write::private(path, self.to_text().as_bytes(), true).map_err(RingError::Io)
    }

    /// The keys of a class.
    pub fn keys(&self, class: Class) -> &[Signer] {
        match class {
            Class::Rune => &self.rune,
            Class::Native => &self.native,
        }
    }

    fn list(&mut self, class: Class) -> &mut Vec<Signer> {
        match class {
            Class::Rune => &mut self.rune,
            Class::Native => &mut self.native,
        }
    }

    /// Adds a key; whether it was not there.
    pub fn add(&mut self, key: Signer, class: Class) -> Result<bool, RingError> {
        let list = self.list(class);
        if list.contains(&key) {
            return Ok(false);
        }
        if list.len() == MOST {
            return Err(RingError::Full(class));
        }
        list.push(key);
        Ok(true)
    }

    /// Takes a key out.
    pub fn remove(&mut self, key: Signer, class: Class) -> Result<(), RingError> {
        let list = self.list(class);
        let at = list.iter().position(|there| *there == key);
        list.remove(at.ok_or(RingError::Missing(key, class))?);
        Ok(())
    }

    /// The first of its keys that signed something and may. Every signature of it must be right, whoever made it.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn accept(&self, signed: &Signed<'_>) -> Result<Signer, Refusal> {
        let by = signed.signers().map_err(Refusal::Bytes)?;
        let kind = signed.kind();
        if by.is_empty() {
            return Err(Refusal::Unsigned(kind));
        }
        let known = |class| {
            let keys = self.keys(class);
            by.iter().copied().find(|key| keys.contains(key))
        };
        let class = kind.class();
        if let Some(by) = known(class) {
            return Ok(by);
        }
        let mut others = Class::ALL.into_iter().filter(|other| *other != class);
        Err(match others.find_map(known) {
            Some(by) => Refusal::Class { by, kind },
            None => Refusal::Unknown { by, class },
        })
    }
}
