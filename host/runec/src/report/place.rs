//! Where in a text a diagnostic points, in the units that people and formats count in.

use std::{
    ops::Range,
    path::{Component, Path},
};

use rune_ir::diag::{FileId, Sources, Span};

/// A place in a text. Characters are Unicode scalar values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The character of the line, from 1.
    pub column: usize,
    /// The character of the text, from 0.
    pub character: usize,
    /// The byte of the text, from 0, where a character begins.
    pub byte: usize,
}

/// A piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// The file.
    pub file: FileId,
    /// Where it begins.
    pub start: Place,
    /// Where what follows it begins; not before `start`.
    pub end: Place,
}

/// The lines of some texts, to find places by.
pub struct Places<'a> {
    sources: &'a Sources,
    /// For each file the bytes and characters its lines begin at.
    lines: Vec<Vec<(usize, usize)>>,
}

impl<'a> Places<'a> {
    /// Reads the texts once.
    pub fn new(sources: &'a Sources) -> Self {
        let starts = |text: &str| {
            let mut lines = vec![(0, 0)];
            let ends = text.chars().zip(1..).filter(|(c, _)| *c == '\n');
            let bytes = text.match_indices('\n').map(|(i, _)| i + 1);
            lines.extend(bytes.zip(ends.map(|(_, characters)| characters)));
            lines
        };
        let lines = sources.iter().map(|(_, _, text)| starts(text)).collect();
        Self { sources, lines }
    }

    /// The texts.
    pub fn sources(&self) -> &'a Sources {
        self.sources
    }

    /// The place of a byte; one inside of a character is where that begins, one past the end is the end.
    pub fn at(&self, file: FileId, byte: usize) -> Place {
        let text = self.sources.text(file);
        let byte = text.floor_char_boundary(byte.min(text.len()));
        let lines = &self.lines[file.0 as usize];
        let line = lines.partition_point(|(start, _)| *start <= byte);
        let (start, before) = lines[line - 1];
        let within = text[start..byte].chars().count();
        Place {
            line,
            column: within + 1,
            character: before + within,
            byte,
        }
    }

    /// The piece a span covers.
    pub fn region(&self, span: Span) -> Region {
        let start = self.at(span.file, span.start as usize);
        Region {
            file: span.file,
            start,
            end: self.at(span.file, span.end as usize).max(start),
        }
    }

    /// The text of a piece.
    pub fn text(&self, region: Region) -> &'a str {
        &self.sources.text(region.file)[region.start.byte..region.end.byte]
    }

    /// How many lines a file has; what follows the last end of line is one, even if empty.
    pub fn line_count(&self, file: FileId) -> usize {
        self.lines[file.0 as usize].len()
    }

    /// The bytes of a line, from 1, with its end.
    pub fn line_range(&self, file: FileId, line: usize) -> Range<usize> {
        let lines = &self.lines[file.0 as usize];
        let end = lines
            .get(line)
            .map_or(self.sources.text(file).len(), |l| l.0);
        lines[line - 1].0..end
    }

    /// A line, from 1, without its end.
    pub fn line(&self, file: FileId, line: usize) -> &'a str {
        let text = &self.sources.text(file)[self.line_range(file, line)];
        text.lines().next().unwrap_or("")
    }
}

/// A path with `/` between its parts, whatever the machine uses.
pub fn slashes(path: &str) -> String {
    if cfg!(windows) {
        path.replace('\\', "/")
    } else {
        path.to_owned()
    }
}

/// The path of a file as a URI: relative to the working directory where the file lies in it (`true`), else
/// whole.
pub fn uri(path: &str) -> (String, bool) {
    let up = Path::new(path)
        .components()
        .any(|part| part == Component::ParentDir);
    let whole = if Path::new(path).is_absolute() {
        Some(path.to_owned())
    } else if up {
        std::path::absolute(path).ok().map(|p| normal(&p))
    } else {
        None
    };
    match whole {
        Some(path) => {
            let path = escape(&slashes(&path));
            (
                format!(
                    "file://{}{path}",
                    if path.starts_with('/') { "" } else { "/" }
                ),
                false,
            )
        }
        None => (escape(&slashes(path)), true),
    }
}

/// An absolute path with `..` taken for the folder above.
fn normal(path: &Path) -> String {
    let mut parts = std::path::PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.display().to_string()
}

/// Writes as `%XX` what RFC 3986 does not allow in the path of a URI, and `:`, which would make a scheme of
/// what stands before it.
fn escape(path: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=@".contains(&byte) {
            out.push(byte as char);
        } else {
            write!(out, "%{byte:02X}").expect("a string takes all that is written");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_characters_and_bytes() {
        let mut sources = Sources::default();
        let file = sources.add("f", "é\r\nüx\n");
        let places = Places::new(&sources);
        let at = |byte| {
            let place = places.at(file, byte);
            (place.line, place.column, place.character, place.byte)
        };
        assert_eq!(at(0), (1, 1, 0, 0));
        assert_eq!(at(1), (1, 1, 0, 0), "inside of a character");
        assert_eq!(at(4), (2, 1, 3, 4));
        assert_eq!(at(6), (2, 2, 4, 6));
        assert_eq!(at(8), (3, 1, 6, 8));
        assert_eq!(at(99), (3, 1, 6, 8), "past the end");
        let region = places.region(Span::new(file, 4, 7));
        assert_eq!(places.text(region), "üx");
        assert_eq!(
            [1, 2, 3].map(|line| places.line(file, line)),
            ["é", "üx", ""]
        );
    }

    #[test]
    fn uris_are_relative_within_the_working_directory() {
        assert_eq!(
            uri("a b/ü%:#Runefile"),
            ("a%20b/%C3%BC%25%3A%23Runefile".to_owned(), true)
        );
        assert_eq!(uri("<stdin>"), ("%3Cstdin%3E".to_owned(), true));
        if cfg!(unix) {
            assert_eq!(
                uri("/etc/Runefile"),
                ("file:///etc/Runefile".to_owned(), false)
            );
            let (above, relative) = uri("../Runefile");
            assert!(
                above.starts_with("file:///") && !above.contains("..") && !relative,
                "{above}"
            );
        }
    }
}
