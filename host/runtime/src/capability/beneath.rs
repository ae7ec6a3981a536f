//! Files that a policy names: opened beneath their folder, through no link, and only regular ones.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, ErrorKind},
    os::{fd::OwnedFd, unix::fs::FileTypeExt},
    path::Path,
};

use rustix::{
    fs::{
        AtFlags, CWD, FlockOperation, Mode, OFlags, ResolveFlags, flock, openat, openat2, renameat,
        statat,
    },
    io::Errno,
};

/// No way out of the folder and no link.
const RULES: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS);

/// Opens a file for reading.
///
/// # Errors
/// Where the path leads out of the folder (by `..`, from the root, or through a link of any kind) or to
/// something other than a regular file, or where it cannot be opened.
pub(super) fn open(folder: &Path, path: &str) -> io::Result<File> {
    // Without NONBLOCK, a FIFO would be waited for before it could be refused.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = openat2(top(folder)?, path, flags, Mode::empty(), RULES).map_err(reason)?;
    regular(File::from(file))
}

/// The folder itself, which the owner of the machine named: it may be anywhere.
fn top(folder: &Path) -> io::Result<OwnedFd> {
    // A relative folder in the current one is written as an empty path.
    let shown = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    Ok(openat(CWD, shown, FOLDER, Mode::empty())?)
}

const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

pub(crate) fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(refused("it is not a regular file"))
    }
}

pub(crate) fn reason(error: Errno) -> io::Error {
    match error {
        Errno::XDEV => refused("it leads out of its folder"),
        Errno::LOOP => refused("there is a symbolic link in its path"),
        Errno::NXIO | Errno::ISDIR => refused("it is not a regular file"),
        other => other.into(),
    }
}

pub(crate) fn refused(why: &str) -> io::Error {
    io::Error::new(ErrorKind::PermissionDenied, why.to_owned())
}

/// A place for a file that is written: the folder it lies in, held open, and its name there.
#[derive(Debug)]
pub(crate) struct Place {
    folder: OwnedFd,
    name: OsString,
    /// Whether the rules of a policy hold for the last part of the path too.
    strict: bool,
}

impl Place {
    /// The place of a path beneath a folder.
    ///
    /// # Errors
    /// Where the path leads out of the folder or through a link, or the folder is not there.
    pub(crate) fn beneath(folder: &Path, path: &Path) -> io::Result<Self> {
        let top = top(folder)?;
        let (parent, name) = split(path)?;
        Ok(Self {
            folder: openat2(top, parent, FOLDER, Mode::empty(), RULES).map_err(reason)?,
            name,
            strict: true,
        })
    }

    /// The place of a path that a person gave.
    ///
    /// # Errors
    /// Where its folder is not there.
    pub(crate) fn anywhere(path: &Path) -> io::Result<Self> {
        let (parent, name) = split(path)?;
        Ok(Self {
            folder: top(parent)?,
            name,
            strict: false,
        })
    }

    /// Opens the file for appending and locks it; if it is not there it is made, for its owner only.
    ///
    /// # Errors
    /// Where it is not a regular file (or, if a person named it, a character device), or is a link in the
    /// folder of a policy, or somebody else is writing it.
    pub(crate) fn append(&self) -> io::Result<File> {
        let flags = OFlags::RDWR
            | OFlags::APPEND
            | OFlags::CREATE
            | OFlags::NONBLOCK
            | OFlags::NOCTTY
            | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let rules = if self.strict {
            RULES
        } else {
            ResolveFlags::empty()
        };
        let file = openat2(&self.folder, &self.name, flags, mode, rules).map_err(reason)?;
        let file = File::from(file);
        if !self.strict && file.metadata()?.file_type().is_char_device() {
            return Ok(file);
        }
        let file = regular(file)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(file),
            Err(Errno::WOULDBLOCK) => Err(refused("another output or program is writing it")),
            Err(other) => Err(other.into()),
        }
    }

    /// Device and number of the file that has the name now, if one has.
    pub(crate) fn identity(&self) -> Option<(u64, u64)> {
        let flags = if self.strict {
            AtFlags::SYMLINK_NOFOLLOW
        } else {
            AtFlags::empty()
        };
        let stat = statat(&self.folder, &self.name, flags).ok()?;
        Some((stat.st_dev, stat.st_ino))
    }

    /// Gives the file the name with `.1` behind it, the one that has that name `.2`, and so on up to `keep`,
    /// which is at least 1; the one that had the last name is gone.
    ///
    /// # Errors
    /// Where a file cannot be renamed.
    pub(crate) fn shift(&self, keep: u32) -> io::Result<()> {
        for number in (0..keep).rev() {
            let (from, to) = (self.numbered(number), self.numbered(number + 1));
            match renameat(&self.folder, from, &self.folder, to) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn numbered(&self, number: u32) -> OsString {
        let mut name = self.name.clone();
        if number > 0 {
            name.push(format!(".{number}"));
        }
        name
    }
}

/// The folder and the last part of a path.
fn split(path: &Path) -> io::Result<(&Path, OsString)> {
    let name = path
        .file_name()
        .ok_or_else(|| refused("it names no file"))?;
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    Ok((parent, name.to_owned()))
}
