//! A folder as one archive: the same files give the same bytes, on every machine.
//!
//! The form is ZIP (PKWARE's APPNOTE.TXT 6.3.10) without compression, time or permissions, the files sorted by
//! their paths: what reads it may take a file out by its place, and a rune does not change with the clock.

use std::{fs, io, path::Path};

/// Most bytes the files of a folder may have together.
const MOST_BYTES: u64 = 256 << 20;
/// Most files; more do not fit the form without its 64-bit extension.
const MOST_FILES: usize = 65_000;
/// How deep folders may nest.
const MOST_DEEP: usize = 32;

/// The files of a folder and those below it. Hidden ones are in; symbolic links and whatever is neither file
/// nor folder are not.
///
/// # Errors
/// One sentence, where a file cannot be read or there is too much.
pub(crate) fn of_folder(folder: &Path) -> Result<Vec<u8>, String> {
    let mut files = Vec::new();
    let mut total = 0;
    gather(folder, "", 0, &mut files, &mut total)?;
    files.sort();
    pack(&files)
}

type File = (String, Vec<u8>);

/// Adds the files below `folder`, whose path in the archive is `prefix`.
fn gather(
    folder: &Path,
    prefix: &str,
    depth: usize,
    files: &mut Vec<File>,
    total: &mut u64,
) -> Result<(), String> {
    let unreadable =
        |path: &Path, error: &io::Error| format!("{} cannot be read: {error}", path.display());
    if depth > MOST_DEEP {
        return Err(format!(
            "folder {} lies more than {MOST_DEEP} folders deep",
            folder.display()
        ));
    }
    let entries = fs::read_dir(folder).map_err(|e| unreadable(folder, &e))?;
    for entry in entries {
        let entry = entry.map_err(|e| unreadable(folder, &e))?;
        let path = entry.path();
        let kind = entry.file_type().map_err(|e| unreadable(&path, &e))?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            return Err(format!("the name of {} is not UTF-8", path.display()));
        };
        let inside = format!("{prefix}{name}");
        if kind.is_dir() {
            gather(&path, &format!("{inside}/"), depth + 1, files, total)?;
        } else if kind.is_file() {
            *total += entry.metadata().map_err(|e| unreadable(&path, &e))?.len();
            if *total > MOST_BYTES || files.len() == MOST_FILES {
                return Err(format!(
                    "it holds more than {} MiB or {MOST_FILES} files",
                    MOST_BYTES >> 20
                ));
            }
            files.push((inside, fs::read(&path).map_err(|e| unreadable(&path, &e))?));
        }
    }
    Ok(())
}

/// Writes the archive: each file after its header, then the list of all.
fn pack(files: &[File]) -> Result<Vec<u8>, String> {
    // Version 1.0, names in UTF-8, stored, midnight of the first day of 1980.
    const COMMON: [u8; 10] = [10, 0, 0, 8, 0, 0, 0, 0, 0x21, 0];
    let mut out = Vec::new();
    let mut list = Vec::new();
    for (name, bytes) in files {
        let fits = |n: usize, what: &str| {
            u32::try_from(n).map_err(|_| format!("{what} of {name} does not fit 32 bits"))
        };
        let offset = fits(out.len(), "the place")?;
        let size = fits(bytes.len(), "the size")?;
        let length =
            u16::try_from(name.len()).map_err(|_| format!("the path {name} is too long"))?;
        let mut facts = COMMON.to_vec();
        facts.extend(crc32(bytes).to_le_bytes());
        facts.extend(size.to_le_bytes());
        facts.extend(size.to_le_bytes());
        facts.extend(length.to_le_bytes());
        facts.extend([0; 2]);
        out.extend(b"PK\x03\x04");
        out.extend(&facts);
        out.extend(name.as_bytes());
        out.extend(bytes);
        list.extend(b"PK\x01\x02\x0a\0");
        list.extend(&facts);
        list.extend([0; 10]);
        list.extend(offset.to_le_bytes());
        list.extend(name.as_bytes());
    }
    let too_large = |_| "the files do not fit 32 bits".to_owned();
    let start = u32::try_from(out.len()).map_err(too_large)?;
    let size = u32::try_from(list.len()).map_err(too_large)?;
    let count = u16::try_from(files.len()).map_err(too_large)?;
    out.extend(list);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend(count.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend(size.to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend([0; 2]);
    Ok(out)
}

/// The checksum of ZIP: CRC-32 with the reflected polynomial 0xEDB88320.
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut i = 0;
        while i < 256 {
            let mut value = i as u32;
            let mut bit = 0;
            while bit < 8 {
                value = (value >> 1) ^ (0xEDB8_8320 * (value & 1));
                bit += 1;
            }
            table[i] = value;
            i += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |crc, b| {
        (crc >> 8) ^ TABLE[((crc ^ u32::from(*b)) & 0xff) as usize]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_standard() {
        // The check value of CRC-32/ISO-HDLC.
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn archives_are_whole_and_sorted() {
        let files = [
            ("a/b.txt".to_owned(), b"one".to_vec()),
            ("c".to_owned(), Vec::new()),
        ];
        let archive = pack(&files).expect("it is small");
        let end = archive.len() - 22;
        assert_eq!(archive[end..end + 4], *b"PK\x05\x06");
        assert_eq!(archive[end + 10], 2);
        assert_eq!(archive[30..37], *b"a/b.txt");
        assert_eq!(archive[37..40], *b"one");
        assert_eq!(archive, pack(&files).expect("it is small"));
        assert_eq!(pack(&[]).expect("it is small").len(), 22);
    }
}
