//! `hmr keys`: the keys that a device holds.

use std::path::{Path, PathBuf};

use rune_terminal::Failure;
use rune_trust::{Class, KeyRing, RingError, file};

use super::{keygen, print, say};

pub(crate) const EXAMPLES: &str = "\
A file of keys says whose signatures count on a device, by what they may sign. Keys are files, or ids.

Exit status: 0 done, 1 the key is not in the file or the file is full, 2 wrong usage, or a file that cannot be read or
written.

Examples:
  hmr keys add device.toml release.pub
  hmr keys add device.toml lab.pub --class native
  hmr keys ls device.toml
  hmr keys rm device.toml old.pub";

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Keys {
    /// List them
    Ls {
        /// The file
        #[arg(value_name = "FILE.toml")]
        ring: PathBuf,
    },
    /// Add one; a file that is not there is made
    Add(One),
    /// Take one out
    Rm(One),
}

#[derive(Debug, clap::Args)]
pub(crate) struct One {
    /// The file
    #[arg(value_name = "FILE.toml")]
    ring: PathBuf,
    /// The public key
    key: String,
    /// What it may sign; otherwise what its file says
    #[arg(long, value_name = "CLASS", value_parser = keygen::class)]
    class: Option<Class>,
}

fn fault(path: &Path, error: &RingError) -> Failure {
    let message = format!("{}: {error}", path.display());
    match error {
        RingError::Full(_) | RingError::Missing(..) => Failure::refused(message),
        RingError::Io(_) | RingError::Text(_) | RingError::Version(_) => Failure::usage(message),
    }
}

pub(crate) fn run(args: &Keys) -> Result<(), Failure> {
    match args {
        Keys::Ls { ring } => {
            let keys = KeyRing::load(ring).map_err(|e| fault(ring, &e))?;
            let lines = Class::ALL.into_iter().flat_map(|class| {
                let keys = keys.keys(class).iter();
                keys.map(move |key| format!("{:<7} {key}\n", class.name()))
            });
            print(&lines.collect::<String>())
        }
        Keys::Add(One { ring, key, class }) => {
            let key = file::public(key)?;
            let class = class.unwrap_or(key.class);
            let mut keys = KeyRing::load_or_new(ring).map_err(|e| fault(ring, &e))?;
            let is_new = keys.add(key.signer, class).map_err(|e| fault(ring, &e))?;
            keys.save(ring).map_err(|e| fault(ring, &e))?;
            let what = if is_new { "added" } else { "has" };
            say(&format!(
                "{}: {what} {}, class {class}",
                ring.display(),
                key.signer
            ));
            Ok(())
        }
        Keys::Rm(One { ring, key, class }) => {
            let key = file::public(key)?;
            let class = class.unwrap_or(key.class);
            let mut keys = KeyRing::load(ring).map_err(|e| fault(ring, &e))?;
            keys.remove(key.signer, class)
                .map_err(|e| fault(ring, &e))?;
            keys.save(ring).map_err(|e| fault(ring, &e))?;
            say(&format!(
                "{}: removed {}, class {class}",
                ring.display(),
                key.signer
            ));
            Ok(())
        }
    }
}
