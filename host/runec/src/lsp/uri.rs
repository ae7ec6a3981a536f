//! Files as an editor names them.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
    str::FromStr,
};

use lsp_types::Uri;

use crate::memo::normal;

/// The path of a `file:` URI, without `.` and `..`. Any other, such as of a text that was never saved, stands
/// for a file of its last part's name in the current folder.
pub(crate) fn path(uri: &Uri) -> PathBuf {
    let text = uri.as_str();
    match text.strip_prefix("file://") {
        Some(rest) => {
            // The host is empty or the machine itself.
            let path = rest.find('/').map_or("", |at| &rest[at..]);
            normal(Path::new(&decode(path)))
        }
        None => PathBuf::from(decode(text.rsplit(['/', ':']).next().unwrap_or("Runefile"))),
    }
}

/// The URI of an absolute path.
pub(crate) fn of(path: &Path) -> Option<Uri> {
    if !path.is_absolute() {
        return None;
    }
    let mut text = "file://".to_owned();
    for byte in path.to_str()?.bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => text.push(byte as char),
            _ if byte.is_ascii_alphanumeric() => text.push(byte as char),
            _ => {
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    Uri::from_str(&text).ok()
}

/// Without `%20` and the like.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = |c: u8| (c as char).to_digit(16);
        rest = match (first, tail) {
            (b'%', [high, low, tail @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                let [high, low] = [*high, *low].map(|c| hex(c).unwrap_or(0) as u8);
                bytes.push(high << 4 | low);
                tail
            }
            _ => {
                bytes.push(*first);
                tail
            }
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_uris_and_paths_again() {
        for name in ["/a/b/Runefile", "/a b/é%20#?/Runefile", "/"] {
            assert_eq!(path(&of(Path::new(name)).unwrap()), Path::new(name));
        }
        assert_eq!(of(Path::new("a/b")), None);
        let uri = |text| Uri::from_str(text).unwrap();
        assert_eq!(path(&uri("file://localhost/a/./b/../c")), Path::new("/a/c"));
        assert_eq!(path(&uri("untitled:Untitled-1")), Path::new("Untitled-1"));
        assert_eq!(decode("/a%2%"), "/a%2%");
    }
}
