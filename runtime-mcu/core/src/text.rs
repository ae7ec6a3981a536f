//! Texts of runes and of engines, in memory of a fixed size.

use core::fmt::{self, Write};

/// The characters of a text that a rune gave, fit for a terminal: what is not UTF-8 is replaced, and controls are
/// spaces.
pub fn printable(bytes: &[u8]) -> impl Iterator<Item = char> {
    let chunks = bytes.utf8_chunks();
    chunks.flat_map(|chunk| {
        let is_whole = chunk.invalid().is_empty();
        let replacement = (!is_whole).then_some(char::REPLACEMENT_CHARACTER);
        let chars = chunk.valid().chars().chain(replacement);
        chars.map(|c| if c.is_control() { ' ' } else { c })
    })
}

/// A text of at most `N` bytes; what is longer is cut.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Text<N> {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self {
            bytes: [0; N],
            len: 0,
        }
    }

    /// What something says of itself.
    pub fn of(shown: impl fmt::Display) -> Self {
        let mut text = Self::new();
        // A text that is full takes the rest too, and leaves it out.
        let _ = write!(text, "{shown}");
        text
    }

    /// A text that a rune gave, see [`printable`].
    pub fn printable(bytes: &[u8]) -> Self {
        let mut text = Self::new();
        for c in printable(bytes) {
            if text.write_char(c).is_err() || text.len == N {
                break;
            }
        }
        text.len = text.as_str().trim_end().len();
        text
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        // Only whole characters were written.
        core::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Write for Text<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut end = text.len().min(N - self.len);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.bytes[self.len..self.len + end].copy_from_slice(&text.as_bytes()[..end]);
        self.len += end;
        Ok(())
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// The last lines of a rune: as many as fit into `N` bytes.
#[derive(Clone, Debug)]
pub struct Log<const N: usize> {
    /// Of each line its level, its length, and its bytes.
    bytes: [u8; N],
    used: usize,
}

/// Most bytes of a line of a [`Log`].
pub const LINE_BYTES: usize = 160;

impl<const N: usize> Log<N> {
    /// Without lines.
    pub const fn new() -> Self {
        Self {
            bytes: [0; N],
            used: 0,
        }
    }

    /// Takes a line; those that are oldest go where there is no room for it.
    pub fn push(&mut self, level: u32, line: &Text<LINE_BYTES>) {
        let line = line.as_str().as_bytes();
        let need = line.len() + 2;
        if need > N {
            return;
        }
        while self.used + need > N {
            let first = usize::from(self.bytes[1]) + 2;
            self.bytes.copy_within(first..self.used, 0);
            self.used -= first;
        }
        let room = &mut self.bytes[self.used..self.used + need];
        room[0] = level.clamp(1, 5) as u8;
        room[1] = line.len() as u8;
        room[2..].copy_from_slice(line);
        self.used += need;
    }

    /// The lines, the oldest first, each with its level, 1 (error) to 5 (trace).
    pub fn lines(&self) -> impl Iterator<Item = (u32, &str)> {
        let mut rest = &self.bytes[..self.used];
        core::iter::from_fn(move || {
            let (head, after) = rest.split_at_checked(2)?;
            let (line, after) = after.split_at_checked(usize::from(head[1]))?;
            rest = after;
            Some((u32::from(head[0]), core::str::from_utf8(line).ok()?))
        })
    }

    /// Forgets all lines.
    pub fn clear(&mut self) {
        self.used = 0;
    }
}

impl<const N: usize> Default for Log<N> {
    fn default() -> Self {
        Self::new()
    }
}
