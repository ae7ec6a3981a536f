//! Artifacts at hand: a folder that is an OCI image layout, which skopeo and others read too.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use rustix::fs::{FlockOperation, flock};
#[cfg(feature = "http")]
use sha2::{Digest as _, Sha256};

use crate::{
    Descriptor, Digest, Error, Index, Reference,
    manifest::{self, to_bytes},
};

/// Under which note an index has the name of an artifact.
const NAME: &str = "org.opencontainers.image.ref.name";
const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
/// Most bytes of `index.json`.
const MOST_INDEX: u64 = 16 << 20;

/// A folder of artifacts.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// The store of this user: `RUNE_STORE`, or `rune/store` in `XDG_DATA_HOME`.
    pub fn of_user() -> Result<Self, Error> {
        let variable = |name| {
            std::env::var_os(name)
                .filter(|v| !v.is_empty())
                .map(PathBuf::from)
        };
        let data = || variable("XDG_DATA_HOME").filter(|path| path.is_absolute());
        let home = || Some(variable("HOME")?.join(".local/share"));
        let folder = variable("RUNE_STORE")
            .or_else(|| Some(data().or_else(home)?.join("rune/store")))
            .ok_or_else(|| {
                let what = "HOME is not set; RUNE_STORE may name the folder";
                Error::file("the store", io::Error::new(ErrorKind::NotFound, what))
            })?;
        Ok(Self::at(folder))
    }

    /// The store in a folder, which is made where something is put into it.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where content of a digest is or will be.
    pub fn path(&self, digest: Digest) -> PathBuf {
        self.folder.join("blobs/sha256").join(digest.hex())
    }

    /// Where content is while it is fetched: not in the layout.
    #[cfg(feature = "http")]
    pub(crate) fn partial(&self, digest: Digest) -> Result<PathBuf, Error> {
        self.create()?;
        Ok(self.folder.join("partial").join(digest.hex()))
    }

    /// Whether it has content, by its length.
    pub fn has(&self, content: &Descriptor) -> bool {
        let meta = fs::metadata(self.path(content.digest));
        meta.is_ok_and(|meta| meta.is_file() && meta.len() == content.size)
    }

    /// Content, whose digest is checked.
    pub fn read(&self, content: &Descriptor) -> Result<Vec<u8>, Error> {
        let path = self.path(content.digest);
        let mut file = File::open(&path).map_err(|error| {
            if error.kind() == ErrorKind::NotFound {
                Error::NotInStore(content.digest.to_string())
            } else {
                Error::file(&path, error)
            }
        })?;
        let mut bytes = vec![];
        let most = content.size.saturating_add(1);
        let read = (&mut file).take(most).read_to_end(&mut bytes);
        read.map_err(|error| Error::file(&path, error))?;
        let found = Digest::of(&bytes);
        if found == content.digest {
            return Ok(bytes);
        }
        let wanted = content.digest;
        Err(if bytes.len() as u64 == content.size {
            Error::Digest { wanted, found }
        } else {
            Error::Size {
                digest: wanted,
                wanted: content.size,
                found: bytes.len() as u64,
            }
        })
    }

    /// A manifest or an index by its digest alone.
    pub fn read_manifest(&self, digest: Digest) -> Result<Vec<u8>, Error> {
        let path = self.path(digest);
        let size = fs::metadata(&path).map_or(0, |meta| meta.len());
        if size > manifest::MOST_BYTES {
            let (what, most) = ("a manifest", manifest::MOST_BYTES);
            return Err(Error::TooLarge { what, most });
        }
        self.read(&Descriptor {
            digest,
            size,
            ..Descriptor::of("", b"")
        })
    }

    /// Puts content in, whole or not at all.
    pub fn put(&self, media_type: &str, bytes: &[u8]) -> Result<Descriptor, Error> {
        let content = Descriptor::of(media_type, bytes);
        if !self.has(&content) {
            self.create()?;
            write(&self.path(content.digest), bytes)?;
        }
        Ok(content)
    }

    /// Takes in a file that was fetched, if it has the digest that it should; otherwise it is removed.
    #[cfg(feature = "http")]
    pub(crate) fn take(&self, partial: &Path, wanted: Digest) -> Result<(), Error> {
        let fault = |error| Error::file(partial, error);
        let mut file = File::open(partial).map_err(fault)?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 64 << 10];
        loop {
            match file.read(&mut buffer).map_err(fault)? {
                0 => break,
                count => hash.update(&buffer[..count]),
            }
        }
        let found = Digest::finish(hash);
        if found != wanted {
            let _ = fs::remove_file(partial);
            return Err(Error::Digest { wanted, found });
        }
        file.sync_all().map_err(fault)?;
        fs::rename(partial, self.path(wanted)).map_err(fault)
    }

    /// The names of its artifacts, with what they name.
    pub fn names(&self) -> Result<Vec<(String, Descriptor)>, Error> {
        let named = self.index()?.manifests.into_iter().filter_map(|mut entry| {
            let name = entry.annotations.remove(NAME)?;
            Some((name, entry))
        });
        Ok(named.collect())
    }

    /// What a reference names here: by its digest, or by the name under which it was put in.
    pub fn find(&self, reference: &Reference) -> Result<Option<Digest>, Error> {
        if let Some(digest) = reference.digest() {
            return Ok(self.path(digest).is_file().then_some(digest));
        }
        let name = reference.to_string();
        let mut names = self.names()?.into_iter();
        Ok(names
            .find(|(there, _)| *there == name)
            .map(|(_, entry)| entry.digest))
    }

    /// Gives an artifact a name, which names nothing else any more.
    pub fn name(&self, name: &str, mut artifact: Descriptor) -> Result<(), Error> {
        self.create()?;
        let path = self.folder.join(".lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path);
        let lock = lock.map_err(|error| Error::file(&path, error))?;
        // Until it is closed.
        flock(&lock, FlockOperation::LockExclusive)
            .map_err(|error| Error::file(&path, error.into()))?;
        let mut index = self.index()?;
        let is_named = |entry: &Descriptor| entry.annotations.get(NAME).is_some_and(|n| n == name);
        index.manifests.retain(|entry| !is_named(entry));
        artifact
            .annotations
            .insert(NAME.to_owned(), name.to_owned());
        index.manifests.push(artifact);
        write(&self.folder.join("index.json"), &to_bytes(&index))
    }

    fn index(&self) -> Result<Index, Error> {
        let path = self.folder.join("index.json");
        let mut bytes = vec![];
        let read = File::open(&path).and_then(|f| f.take(MOST_INDEX).read_to_end(&mut bytes));
        match read {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Index::new(vec![])),
            Err(error) => Err(Error::file(path, error)),
            Ok(_) => serde_json::from_slice(&bytes)
                .map_err(|error| Error::Format(format!("{} is no index: {error}", path.display()))),
        }
    }

    /// Makes the folders and the file that says what they are.
    fn create(&self) -> Result<(), Error> {
        for folder in ["blobs/sha256", "partial"] {
            let folder = self.folder.join(folder);
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&folder)
                .map_err(|error| Error::file(&folder, error))?;
        }
        let layout = self.folder.join("oci-layout");
        if layout.is_file() {
            return Ok(());
        }
        write(&layout, LAYOUT)
    }
}

/// Writes a file whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    name.push(format!(".{}-{count}.part", std::process::id()));
    let part = path.with_file_name(name);
    let written = File::create(&part)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&part, path));
    written.map_err(|error| {
        let _ = fs::remove_file(&part);
        Error::file(path, error)
    })
}
