//! Files written whole or not at all.

use std::{fs, io, path::Path};

/// Writes a file whole or not at all: nobody sees half of it. A file that is there keeps its permissions, and
/// a link stays one.
///
/// # Errors
/// One sentence on why it cannot be written.
pub(crate) fn whole(path: &Path, bytes: &[u8]) -> Result<(), String> {
    replace(path, bytes).map_err(|error| format!("{} cannot be written: {error}", path.display()))
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let there = fs::canonicalize(path);
    let path = there.as_deref().unwrap_or(path);
    let permissions = fs::metadata(path).map(|meta| meta.permissions());
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
