//! Files written whole or not at all, and standard output.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

/// Writes a file whole or not at all: nobody sees half of it. A file that is there keeps its permissions, and
/// a link stays one. A device or a pipe, such as `/dev/null`, is written to as it is.
///
/// # Errors
/// One sentence on why it cannot be written.
pub(crate) fn whole(path: &Path, bytes: &[u8]) -> Result<(), String> {
    replace(path, bytes).map_err(|error| format!("{} cannot be written: {error}", path.display()))
}

/// Writes results to standard output. Whoever closes the pipe has seen enough, and that is no error.
///
/// # Errors
/// One sentence on why not all could be written, such as a full disk.
pub(crate) fn out(bytes: &[u8]) -> Result<(), String> {
    let mut out = io::stdout().lock();
    lost(out.write_all(bytes).and_then(|()| out.flush()))
}

/// What of a result of writing to standard output is an error.
///
/// # Errors
/// As [`out`].
pub(crate) fn lost(written: io::Result<()>) -> Result<(), String> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("standard output cannot be written: {error}"))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let there = fs::canonicalize(path);
    let path = there.as_deref().unwrap_or(path);
    let meta = fs::metadata(path);
    if meta.as_ref().is_ok_and(|meta| !meta.is_file()) {
        return fs::write(path, bytes);
    }
    let permissions = meta.map(|meta| meta.permissions());
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(name);
    let result = fs::write(&part, bytes)
        .and_then(|()| permissions.map_or(Ok(()), |p| fs::set_permissions(&part, p)))
        .and_then(|()| fs::rename(&part, path));
    if result.is_err() {
        let _ = fs::remove_file(&part);
    }
    result
}
