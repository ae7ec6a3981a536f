//! Offsets in a text and the positions that an editor counts in.

use lsp_types::{Position, PositionEncodingKind, Range};
use rune_ir::diag::Span;

/// What an editor counts the columns of a line in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Bytes.
    Utf8,
    /// Units of UTF-16: what every editor knows.
    Utf16,
}

impl Encoding {
    /// The cheapest of those that an editor offers.
    pub(crate) fn negotiate(offered: &[PositionEncodingKind]) -> Self {
        if offered.contains(&PositionEncodingKind::UTF8) {
            Self::Utf8
        } else {
            Self::Utf16
        }
    }

    pub(crate) fn kind(self) -> PositionEncodingKind {
        match self {
            Self::Utf8 => PositionEncodingKind::UTF8,
            Self::Utf16 => PositionEncodingKind::UTF16,
        }
    }

    /// How many columns a piece of a line takes.
    pub(crate) fn width(self, piece: &str) -> u32 {
        let width = match self {
            Self::Utf8 => piece.len(),
            Self::Utf16 if piece.is_ascii() => piece.len(),
            Self::Utf16 => piece.chars().map(char::len_utf16).sum(),
        };
        width as u32
    }

    /// The byte of a line that a column begins at: the end of the line for a column beyond it, and the
    /// beginning of a character for one inside it.
    fn byte(self, line: &str, column: u32) -> usize {
        let column = column as usize;
        match self {
            Self::Utf8 => line.floor_char_boundary(column.min(line.len())),
            Self::Utf16 if line.is_ascii() => column.min(line.len()),
            Self::Utf16 => {
                let mut units = 0;
                for (at, char) in line.char_indices() {
                    units += char.len_utf16();
                    if units > column {
                        return at;
                    }
                }
                line.len()
            }
        }
    }
}

/// Where the lines of a text begin. A line ends in a line feed, a carriage return, or both.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    starts: Vec<u32>,
    encoding: Encoding,
}

impl Lines {
    pub(crate) fn new(text: &str, encoding: Encoding) -> Self {
        let bytes = text.as_bytes();
        let mut starts = vec![0];
        for (at, byte) in bytes.iter().enumerate() {
            if *byte == b'\n' || *byte == b'\r' && bytes.get(at + 1) != Some(&b'\n') {
                starts.push(at as u32 + 1);
            }
        }
        Self { starts, encoding }
    }

    pub(crate) fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The line that a byte is in, and the byte it begins at.
    pub(crate) fn line(&self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|s| *s as usize <= offset) - 1;
        (line, self.starts[line] as usize)
    }

    /// The bytes of a line of `text` without its end; none: there is no such line.
    fn bytes(&self, text: &str, line: usize) -> Option<std::ops::Range<usize>> {
        let start = *self.starts.get(line)? as usize;
        let end = self
            .starts
            .get(line + 1)
            .map_or(text.len(), |e| *e as usize);
        Some(start..start + text[start..end].trim_end_matches(['\r', '\n']).len())
    }

    /// The position of a byte of `text`.
    pub(crate) fn position(&self, text: &str, offset: usize) -> Position {
        let offset = text.floor_char_boundary(offset.min(text.len()));
        let (line, start) = self.line(offset);
        Position::new(line as u32, self.encoding.width(&text[start..offset]))
    }

    /// The byte of a position of `text`; positions outside are brought to the nearest inside.
    pub(crate) fn offset(&self, text: &str, position: Position) -> usize {
        match self.bytes(text, position.line as usize) {
            Some(line) => line.start + self.encoding.byte(&text[line], position.character),
            None => text.len(),
        }
    }

    pub(crate) fn range(&self, text: &str, span: Span) -> Range {
        Range::new(
            self.position(text, span.start as usize),
            self.position(text, span.end as usize),
        )
    }

    /// The bytes of a range of `text`, in order.
    pub(crate) fn offsets(&self, text: &str, range: Range) -> std::ops::Range<usize> {
        let [start, end] = [range.start, range.end].map(|p| self.offset(text, p));
        start.min(end)..start.max(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_counted_in_either_way() {
        let text = "aé𝄞b\r\nx\ry\n";
        for (encoding, columns) in [
            (Encoding::Utf8, [0, 1, 3, 7, 8]),
            (Encoding::Utf16, [0, 1, 2, 4, 5]),
        ] {
            let lines = Lines::new(text, encoding);
            for (offset, column) in [0, 1, 3, 7, 8].into_iter().zip(columns) {
                let position = Position::new(0, column);
                assert_eq!(lines.position(text, offset), position);
                assert_eq!(lines.offset(text, position), offset);
            }
            assert_eq!(lines.offset(text, Position::new(0, 99)), 8);
            assert_eq!(lines.offset(text, Position::new(1, 0)), 10);
            assert_eq!(lines.offset(text, Position::new(2, 0)), 12);
            assert_eq!(lines.offset(text, Position::new(3, 7)), text.len());
            assert_eq!(lines.offset(text, Position::new(99, 7)), text.len());
        }
        let lines = Lines::new(text, Encoding::Utf16);
        assert_eq!(lines.offset(text, Position::new(0, 3)), 3);
    }
}
