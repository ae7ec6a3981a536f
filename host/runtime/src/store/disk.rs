//! One flat folder of files: what a store does to a disk, and the real one.

use std::{
    collections::BTreeMap,
    fmt,
    fs::{DirBuilder, File},
    io::{self, ErrorKind},
    os::{
        fd::OwnedFd,
        unix::fs::{DirBuilderExt, FileExt},
    },
    path::Path,
};

use rustix::{
    fs::{
        AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags, flock, fstat, fsync, openat,
        renameat, unlinkat,
    },
    io::Errno,
};

use crate::capability::beneath::{reason, refused, regular};

/// Everything that a store does to a disk. Its files lie in one folder, and their names are the store's own: lower
/// case letters, digits, `-` and `.`.
///
/// What is done becomes lasting with [`sync`](Self::sync) for the bytes and the length of a file, and with
/// [`sync_folder`](Self::sync_folder) for names. Until then any of it may be lost when the power is cut, or be there
/// without what was done before it; of bytes, any sectors.
pub trait Disk {
    /// Makes an empty file.
    ///
    /// # Errors
    /// Also where one of the name is there.
    fn create(&mut self, name: &str) -> io::Result<()>;

    /// Writes bytes at a place of a file, which grows if need be.
    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts a file off.
    fn truncate(&mut self, name: &str, len: u64) -> io::Result<()>;

    /// Returns when the bytes and the length of a file are lasting.
    fn sync(&mut self, name: &str) -> io::Result<()>;

    /// Gives a file another name; a file that had it is gone.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    fn unlink(&mut self, name: &str) -> io::Result<()>;

    /// Returns when the names of the folder are lasting.
    fn sync_folder(&mut self) -> io::Result<()>;

    /// Reads what there is at a place, up to the length of `into`; returns how much.
    fn read_at(&mut self, name: &str, offset: u64, into: &mut [u8]) -> io::Result<usize>;

    /// The names of all files.
    fn list(&mut self) -> io::Result<Vec<String>>;
}

/// A private folder of the machine, locked for this process.
pub struct Folder {
    top: OwnedFd,
    /// Files that are open.
    files: BTreeMap<String, File>,
    /// Held as long as the folder is.
    _lock: File,
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Folder").finish_non_exhaustive()
    }
}

/// The file that is locked.
const LOCK: &str = "lock";
/// No links, nothing that is waited for, and nothing for programs that are started.
const RULES: OFlags = OFlags::NOFOLLOW
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

impl Folder {
    /// Opens a folder, and makes it where there is none, for nobody but this user.
    ///
    /// # Errors
    /// Where it cannot be made, is a link, belongs to someone else or is open to others, or another process uses it.
    pub fn open(path: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let flags = RULES | OFlags::RDONLY | OFlags::DIRECTORY;
        let folder = openat(CWD, path, flags, Mode::empty()).map_err(reason)?;
        let stat = fstat(&folder)?;
        let is_mine = stat.st_uid == rustix::process::geteuid().as_raw();
        if !is_mine || stat.st_mode & 0o077 != 0 {
            return Err(refused(
                "it is not a folder that only this user may use (mode 700)",
            ));
        }
        let flags = RULES | OFlags::RDWR | OFlags::CREATE;
        let lock = openat(&folder, LOCK, flags, Mode::RUSR | Mode::WUSR).map_err(reason)?;
        let lock = regular(File::from(lock))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                return Err(io::Error::new(
                    ErrorKind::ResourceBusy,
                    "another process uses it",
                ));
            }
            Err(other) => return Err(other.into()),
        }
        Ok(Self {
            top: folder,
            files: BTreeMap::new(),
            _lock: lock,
        })
    }

    fn file(&mut self, name: &str) -> io::Result<&File> {
        plain(name)?;
        if !self.files.contains_key(name) {
            let file = openat(&self.top, name, RULES | OFlags::RDWR, Mode::empty());
            let file = regular(File::from(file.map_err(reason)?))?;
            self.files.insert(name.to_owned(), file);
        }
        Ok(&self.files[name])
    }
}

impl Disk for Folder {
    fn create(&mut self, name: &str) -> io::Result<()> {
        plain(name)?;
        let flags = RULES | OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        let file = openat(&self.top, name, flags, Mode::RUSR | Mode::WUSR)?;
        self.files.insert(name.to_owned(), File::from(file));
        Ok(())
    }

    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file(name)?.write_all_at(bytes, offset)
    }

    fn truncate(&mut self, name: &str, len: u64) -> io::Result<()> {
        self.file(name)?.set_len(len)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.file(name)?.sync_all()
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        plain(from)?;
        plain(to)?;
        self.files.remove(from);
        self.files.remove(to);
        Ok(renameat(&self.top, from, &self.top, to)?)
    }

    fn unlink(&mut self, name: &str) -> io::Result<()> {
        plain(name)?;
        self.files.remove(name);
        Ok(unlinkat(&self.top, name, AtFlags::empty())?)
    }

    fn sync_folder(&mut self) -> io::Result<()> {
        Ok(fsync(&self.top)?)
    }

    fn read_at(&mut self, name: &str, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let file = self.file(name)?;
        let mut done = 0;
        while done < into.len() {
            match file.read_at(&mut into[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(done)
    }

    fn list(&mut self) -> io::Result<Vec<String>> {
        let mut names = vec![];
        for entry in Dir::read_from(&self.top)? {
            let entry = entry?;
            let name = entry.file_name().to_str().unwrap_or_default();
            if plain(name).is_ok() && name != LOCK && entry.file_type() != FileType::Directory {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }
}

/// A name that the store makes. It is none that leads anywhere else.
fn plain(name: &str) -> io::Result<()> {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    if name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(is_plain) {
        Ok(())
    } else {
        Err(refused("it is no name of a file of a store"))
    }
}
