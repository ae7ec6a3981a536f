//! Machine code of runes that ran before, in a private folder, each entry authenticated: code that someone else
//! put there is not taken.
//!
//! An entry is a file named by its key in hexadecimal: [`MAGIC`], HMAC-SHA-256 over key and code under the secret
//! of the installation, and the code. What is cut short, damaged or of another installation is as good as
//! missing. Entries that were not used for longest are removed where all together grow beyond a limit.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::SystemTime,
};

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::private;

/// The first bytes of an entry; the digit is the version of the format.
const MAGIC: &[u8; 8] = b"runecc1\n";
const MAC_BYTES: usize = 32;
/// Most bytes of all entries together.
const MOST_BYTES: u64 = 512 << 20;
/// Most bytes of one entry that are read.
const MOST_ENTRY: u64 = 256 << 20;

/// A folder of machine code.
#[derive(Clone)]
pub struct Cache {
    folder: PathBuf,
    secret: [u8; 32],
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl Cache {
    /// Opens a folder, and the secret of the installation in a file elsewhere; makes both where they are
    /// missing, for nobody but this user.
    ///
    /// # Errors
    /// Where one of them cannot be made or read, or belongs to someone else, or others may write to it, or
    /// read the secret.
    pub fn open(folder: &Path, secret: &Path) -> io::Result<Self> {
        private::folder(folder)?;
        if let Some(parent) = secret.parent() {
            private::folder(parent)?;
        }
        Ok(Self {
            folder: folder.to_owned(),
            secret: read_secret(secret)?,
        })
    }

    /// The folders of this user: `rune/modules` in `XDG_CACHE_HOME`, and the secret `rune/cache.key` in
    /// `XDG_STATE_HOME`, or where these are by default.
    ///
    /// # Errors
    /// As [`open`](Self::open), or where the user has no home.
    pub fn of_user() -> io::Result<Self> {
        let folder = private::home("XDG_CACHE_HOME", ".cache")?.join("rune/modules");
        Self::open(&folder, &private::state()?.join("cache.key"))
    }

    /// The code under a key, if there is an entry that is whole and of this installation.
    pub(crate) fn get(&self, key: &[u8; 32]) -> Option<Vec<u8>> {
        let file = File::open(self.path(key)).ok()?;
        let mut entry = vec![];
        // It was used now. That this cannot be written down only makes it go earlier.
        let _ = file.set_modified(SystemTime::now());
        (&file).take(MOST_ENTRY).read_to_end(&mut entry).ok()?;
        let rest = entry.strip_prefix(MAGIC)?;
        let (mac, code) = rest.split_at_checked(MAC_BYTES)?;
        self.mac(key, code).verify_slice(mac).ok()?;
        entry.drain(..MAGIC.len() + MAC_BYTES);
        Some(entry)
    }

    /// Keeps code under a key. A reader sees all of it or nothing.
    pub(crate) fn put(&self, key: &[u8; 32], code: &[u8]) -> io::Result<()> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let written = self
            .folder
            .join(format!("new-{}-{number}", std::process::id()));
        let mac = self.mac(key, code).finalize().into_bytes();
        let write = || {
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&written)?;
            file.write_all(MAGIC)?;
            file.write_all(&mac)?;
            file.write_all(code)?;
            fs::rename(&written, self.path(key))
        };
        let result = write();
        if result.is_err() {
            let _ = fs::remove_file(&written);
        }
        result.and_then(|()| self.shrink(MOST_BYTES))
    }

    fn mac(&self, key: &[u8; 32], code: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("a key of any length");
        mac.update(key);
        mac.update(code);
        mac
    }

    fn path(&self, key: &[u8; 32]) -> PathBuf {
        self.folder.join(crate::hex(key))
    }

    /// Removes the entries that were not used for longest until so many bytes are left, and files that a
    /// process left behind when it was stopped.
    fn shrink(&self, most: u64) -> io::Result<()> {
        let mut entries = vec![];
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            // Another process may have removed it.
            if let Ok(metadata) = entry.metadata() {
                let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                entries.push((used, metadata.len(), entry.path()));
            }
        }
        entries.sort();
        let mut bytes: u64 = entries.iter().map(|(_, len, _)| len).sum();
        for (_, len, path) in entries {
            if bytes <= most {
                break;
            }
            let _ = fs::remove_file(path);
            bytes -= len;
        }
        Ok(())
    }
}

/// The secret of the installation, made of random bytes where there is none.
fn read_secret(path: &Path) -> io::Result<[u8; 32]> {
    let mut secret = [0; 32];
    loop {
        match File::open(path) {
            Ok(mut file) => {
                let metadata = file.metadata()?;
                let mine = metadata.uid() == rustix::process::geteuid().as_raw();
                if !mine || metadata.mode() & 0o077 != 0 || metadata.len() != 32 {
                    return Err(private::exposed(
                        path.display(),
                        "is not 32 bytes that only this user may read",
                    ));
                }
                file.read_exact(&mut secret)?;
                return Ok(secret);
            }
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        rustix::rand::getrandom(&mut secret, rustix::rand::GetRandomFlags::empty())?;
        let name = format!("{}.{}", path.display(), std::process::id());
        let written = Path::new(&name);
        // A process of this number that was stopped may have left one.
        let _ = fs::remove_file(written);
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(written)?
            .write_all(&secret)?;
        // Whoever is first gives the secret to all.
        let linked = fs::hard_link(written, path);
        fs::remove_file(written)?;
        match linked {
            Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(e),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("rune-cache-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    fn open(folder: &Path) -> io::Result<Cache> {
        Cache::open(&folder.join("modules"), &folder.join("state/key"))
    }

    #[test]
    fn what_was_put_is_got_and_nothing_else() {
        let folder = folder("entries");
        let cache = open(&folder).unwrap();
        let code: Vec<u8> = (0..200).collect();
        cache.put(&[7; 32], &code).unwrap();
        assert_eq!(open(&folder).unwrap().get(&[7; 32]), Some(code.clone()));
        assert_eq!(cache.get(&[8; 32]), None);

        // Cut anywhere, with any bit changed, or under another name it is not taken.
        let path = cache.path(&[7; 32]);
        let entry = fs::read(&path).unwrap();
        for len in 0..entry.len() {
            fs::write(&path, &entry[..len]).unwrap();
            assert_eq!(cache.get(&[7; 32]), None, "cut at {len}");
            let mut changed = entry.clone();
            changed[len] ^= 1 << (len % 8);
            fs::write(&path, changed).unwrap();
            assert_eq!(cache.get(&[7; 32]), None, "changed at {len}");
        }
        fs::write(cache.path(&[8; 32]), &entry).unwrap();
        assert_eq!(cache.get(&[8; 32]), None);

        // Nor is one of another installation.
        fs::write(&path, &entry).unwrap();
        assert_eq!(cache.get(&[7; 32]), Some(code));
        fs::remove_file(folder.join("state/key")).unwrap();
        assert_eq!(open(&folder).unwrap().get(&[7; 32]), None);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn folders_and_secrets_of_others_are_refused() {
        let folder = folder("exposed");
        open(&folder).unwrap();
        let set = |path: &str, mode: u32| {
            fs::set_permissions(folder.join(path), fs::Permissions::from_mode(mode)).unwrap();
        };
        for (path, bad, good) in [("modules", 0o770, 0o700), ("state/key", 0o640, 0o600)] {
            set(path, bad);
            let error = open(&folder).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
            set(path, good);
            open(&folder).unwrap();
        }
        fs::write(folder.join("state/key"), [1; 31]).unwrap();
        assert!(open(&folder).unwrap_err().to_string().contains("32 bytes"));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_entries_used_least_recently_go_first() {
        let folder = folder("shrink");
        let cache = open(&folder).unwrap();
        for n in 0..4u8 {
            cache.put(&[n; 32], &[n; 1000]).unwrap();
            let file = OpenOptions::new().write(true).open(cache.path(&[n; 32]));
            let old = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(u64::from(n));
            file.unwrap().set_modified(old).unwrap();
        }
        assert!(cache.get(&[0; 32]).is_some());
        cache.shrink(2 * 1040).unwrap();
        let left: Vec<bool> = (0..4).map(|n| cache.get(&[n; 32]).is_some()).collect();
        assert_eq!(left, [true, false, false, true]);
        fs::remove_dir_all(folder).unwrap();
    }
}
