//! What can go wrong with artifacts, and what to do about it.

use std::{fmt, io, path::PathBuf};

use crate::Digest;

/// Why something cannot be pushed, pulled or used.
#[derive(Debug)]
pub enum Error {
    /// A file of the store cannot be read or written.
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Nothing of the name or digest is in the store.
    NotInStore(String),
    /// Content is not what its digest says.
    Digest {
        /// The digest it was asked for by.
        wanted: Digest,
        /// The digest that it has.
        found: Digest,
    },
    /// Content is longer or shorter than what its manifest says.
    Size {
        /// What it was asked for by.
        digest: Digest,
        /// Bytes that it should have.
        wanted: u64,
        /// Bytes that came.
        found: u64,
    },
    /// Something is larger than it may be.
    TooLarge {
        /// What it is.
        what: &'static str,
        /// The most bytes.
        most: u64,
    },
    /// A manifest or an answer is not what it must be.
    Format(String),
    /// The registry has no such artifact.
    NotFound(String),
    /// The registry does not let in who asks.
    Refused {
        /// Its host.
        host: String,
        /// What it said, and what to do.
        what: String,
    },
    /// The registry answers something else than it should.
    Status {
        /// What was asked for.
        what: String,
        /// The status of HTTP.
        status: u16,
        /// What the registry says of it.
        message: String,
    },
    /// The registry cannot be reached, or was lost on the way.
    Network {
        /// Its host.
        host: String,
        /// Why.
        what: String,
    },
}

impl Error {
    pub(crate) fn file(path: impl Into<PathBuf>, error: io::Error) -> Self {
        let path = path.into();
        Self::File { path, error }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, error } => write!(f, "{}: {error}", path.display()),
            Self::NotInStore(what) => {
                write!(f, "{what} is not in the store; `rune pull` fetches it")
            }
            Self::Digest { wanted, found } => write!(
                f,
                "what should be {wanted} is {found}; it was damaged or replaced, and is not used"
            ),
            Self::Size {
                digest,
                wanted,
                found,
            } => write!(f, "{digest} should have {wanted} bytes and has {found}"),
            Self::TooLarge { what, most } => {
                write!(f, "{what} is larger than the {most} bytes that it may have")
            }
            Self::Format(what) => f.write_str(what),
            Self::NotFound(what) => write!(f, "the registry has no {what}"),
            Self::Refused { host, what } => write!(f, "{host} refuses: {what}"),
            Self::Status {
                what,
                status,
                message,
            } => {
                write!(f, "{what}: the registry answers with status {status}")?;
                if message.is_empty() {
                    Ok(())
                } else {
                    write!(f, ", {message}")
                }
            }
            Self::Network { host, what } => write!(f, "{host}: {what}"),
        }
    }
}

impl std::error::Error for Error {}
