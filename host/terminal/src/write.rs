//! Files written whole or not at all, and standard output.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Writes a file whole or not at all: nobody sees half of it. A file that is there keeps its permissions, and
/// a link stays one. A device or a pipe, such as `/dev/null`, is written to as it is.
///
/// # Errors
/// One sentence on why it cannot be written.
pub fn whole(path: &Path, bytes: &[u8]) -> Result<(), String> {
    replace(path, bytes).map_err(|error| format!("{} cannot be written: {error}", path.display()))
}

/// Writes results to standard output. Whoever closes the pipe has seen enough, and that is no error.
///
/// # Errors
/// One sentence on why not all could be written, such as a full disk.
pub fn out(bytes: &[u8]) -> Result<(), String> {
    let mut out = io::stdout().lock();
    lost(out.write_all(bytes).and_then(|()| out.flush()))
}

/// What of a result of writing to standard output is an error.
///
/// # Errors
/// As [`out`].
pub fn lost(written: io::Result<()>) -> Result<(), String> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("standard output cannot be written: {error}"))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes a file that only its owner may read, whole or not at all. One that is there is kept, unless it is to be replaced.
///
/// # Errors
/// That there is such a file, of the kind `AlreadyExists`; or why it cannot be written.
pub fn private(path: &Path, bytes: &[u8], replace: bool) -> io::Result<()> {
    let part = part(path);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&part)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .and_then(|()| {
            if replace {
                fs::rename(&part, path)
            } else {
                // A link fails where there is a file; looking first would leave a gap.
                fs::hard_link(&part, path)
            }
        });
    let _ = fs::remove_file(&part);
    written
}

/// Where a file is written before it gets its name.
fn part(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    path.with_file_name(name)
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let there = fs::canonicalize(path);
    let path = there.as_deref().unwrap_or(path);
    let meta = fs::metadata(path);
    if meta.as_ref().is_ok_and(|meta| !meta.is_file()) {
        return fs::write(path, bytes);
    }
    let permissions = meta.map(|meta| meta.permissions());
    let part = part(path);
    let result = fs::write(&part, bytes)
        .and_then(|()| permissions.map_or(Ok(()), |p| fs::set_permissions(&part, p)))
        .and_then(|()| fs::rename(&part, path));
    if result.is_err() {
        let _ = fs::remove_file(&part);
    }
    result
}
