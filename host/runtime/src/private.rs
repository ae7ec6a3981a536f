//! Where this user keeps things, and folders that nobody else may write to.

use std::{
    fmt,
    fs::{self, DirBuilder},
    io::{self, ErrorKind},
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

/// A folder of the XDG base directories: where a variable says, or a place in the home of the user.
pub(crate) fn home(variable: &str, default: &str) -> io::Result<PathBuf> {
    let set = std::env::var_os(variable).map(PathBuf::from);
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(default));
    set.filter(|path| path.is_absolute())
        .or_else(home)
        .ok_or_else(|| {
            io::Error::new(
                ErrorKind::NotFound,
                format!("{variable} and HOME are not set"),
            )
        })
}

/// What lasts from run to run: `rune` in `XDG_STATE_HOME`.
pub(crate) fn state() -> io::Result<PathBuf> {
    Ok(home("XDG_STATE_HOME", ".local/state")?.join("rune"))
}

/// Makes a folder where there is none, and checks that nobody else may write to it.
pub(crate) fn folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let metadata = fs::metadata(folder)?;
    if metadata.is_dir() && is_own(&metadata) {
        Ok(())
    } else {
        Err(exposed(
            folder.display(),
            "is not a folder that only this user may write to",
        ))
    }
}

/// Whether it belongs to this user, and nobody else may write to it.
pub(crate) fn is_own(metadata: &fs::Metadata) -> bool {
    metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o022 == 0
}

/// That something is open to others.
pub(crate) fn exposed(place: impl fmt::Display, what: &str) -> io::Error {
    io::Error::new(ErrorKind::PermissionDenied, format!("{place} {what}"))
}
