//! `Runefile.lock`: which artifact each reference of a Runefile and of what lies below it stands for.

use std::{collections::BTreeMap, fmt, fs::File, io::ErrorKind, io::Read, path::Path};

use serde::Deserialize;

use crate::{Digest, Reference};

/// Most bytes of the file.
const MOST_BYTES: u64 = 1 << 20;

/// References with the digests that they were found to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock(BTreeMap<String, Digest>);

/// Why a lock file cannot be used: one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockError(String);

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LockError {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File1 {
    version: u32,
    #[serde(default)]
    layer: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    reference: String,
    digest: Digest,
}

impl Lock {
    /// Reads the text of a lock file.
    pub fn parse(text: &str) -> Result<Self, LockError> {
        let file: File1 = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start.min(text.len()));
            let before = text.as_bytes().get(..start).unwrap_or_default();
            let line = before.split(|b| *b == b'\n').count();
            LockError(format!("line {line}: {}", error.message().trim_end()))
        })?;
        if file.version != 1 {
            let what = format!(
                "version {} of it is not known here, which is 1",
                file.version
            );
            return Err(LockError(what));
        }
        let mut lock = Self::default();
        for Entry { reference, digest } in file.layer {
            let parsed = reference.parse::<Reference>();
            let parsed = parsed.map_err(|error| LockError(error.to_string()))?;
            if lock.0.insert(parsed.to_string(), digest).is_some() {
                return Err(LockError(format!("`{reference}` is in it twice")));
            }
        }
        Ok(lock)
    }

    /// The text of its file.
    pub fn to_text(&self) -> String {
        let head = "# Made by `runec build`: what FROM names in registries. It belongs into version control.\nversion = 1\n";
        self.0
            .iter()
            .fold(head.to_owned(), |text, (reference, digest)| {
                format!("{text}\n[[layer]]\nreference = \"{reference}\"\ndigest = \"{digest}\"\n")
            })
    }

    /// Reads a file; one that is not there locks nothing.
    pub fn load(path: &Path) -> Result<Self, LockError> {
        let mut text = String::new();
        let read = File::open(path).and_then(|f| f.take(MOST_BYTES).read_to_string(&mut text));
        match read {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(LockError(format!("{}: {error}", path.display()))),
            Ok(_) => Self::parse(&text)
                .map_err(|error| LockError(format!("{}: {error}", path.display()))),
        }
    }

    /// What a reference stands for.
    pub fn get(&self, reference: &Reference) -> Option<Digest> {
        self.0.get(&reference.to_string()).copied()
    }

    /// Locks a reference.
    pub fn set(&mut self, reference: &Reference, digest: Digest) {
        self.0.insert(reference.to_string(), digest);
    }

    /// Whether it locks nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
