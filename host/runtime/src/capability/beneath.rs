//! Opening a file that a policy names: beneath its folder, through no link, and only a regular one.

use std::{
    fs::File,
    io::{self, ErrorKind},
    path::Path,
};

use rustix::{
    fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2},
    io::Errno,
};

/// Opens a file for reading.
///
/// # Errors
/// Where the path leads out of the folder (by `..`, from the root, or through a link of any kind) or to
/// something other than a regular file, or where it cannot be opened.
pub(super) fn open(folder: &Path, path: &str) -> io::Result<File> {
    // A relative folder in the current one is written as an empty path.
    let shown = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let folder = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = openat(CWD, shown, folder, Mode::empty())?;
    // Without NONBLOCK, a FIFO would be waited for before it could be refused.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let rules = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let file = openat2(folder, path, flags, Mode::empty(), rules).map_err(|error| match error {
        Errno::XDEV => refused("it leads out of its folder"),
        Errno::LOOP => refused("there is a symbolic link in its path"),
        Errno::NXIO => refused("it is not a regular file"),
        other => other.into(),
    })?;
    let file = File::from(file);
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(refused("it is not a regular file"))
    }
}

fn refused(why: &str) -> io::Error {
    io::Error::new(ErrorKind::PermissionDenied, why.to_owned())
}
