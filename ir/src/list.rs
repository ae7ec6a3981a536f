//! A written list of texts that is cheap to copy and to move, however long it is.

use std::{fmt, sync::Arc};

use crate::diag::{FileId, Span, Spanned};

/// Texts and where each is written, all in one file. Clones share them, and so do lists that differ only in
/// where they stand.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct List {
    items: Arc<[String]>,
    /// First byte of each item and one past its last, counted from `start`.
    places: Arc<[(u32, u32)]>,
    file: FileId,
    /// First byte of the first item; 0 where there is none.
    start: u32,
}

impl List {
    /// The texts alone.
    pub fn texts(&self) -> &Arc<[String]> {
        &self.items
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Each text and its place.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Spanned<&str>> {
        let texts = self.items.iter().zip(self.places.iter());
        texts.map(|(text, place)| Spanned::new(text.as_str(), self.span(*place)))
    }

    /// Where the item at `index` stands.
    pub fn place(&self, index: usize) -> Option<Span> {
        self.places.get(index).map(|place| self.span(*place))
    }

    /// Makes this a list of `file`, and if it begins at byte `from` or after it, one that stands `by` bytes
    /// further back.
    pub fn shift(&mut self, file: FileId, from: u32, by: u32) {
        if !self.is_empty() {
            self.file = file;
            self.start += if self.start >= from { by } else { 0 };
        }
    }

    fn span(&self, (start, end): (u32, u32)) -> Span {
        Span {
            file: self.file,
            start: self.start.wrapping_add(start),
            end: self.start.wrapping_add(end),
        }
    }
}

/// As the items.
impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// From items of one file.
impl FromIterator<Spanned<String>> for List {
    fn from_iter<I: IntoIterator<Item = Spanned<String>>>(items: I) -> Self {
        let mut items = items.into_iter().peekable();
        let Span { file, start, .. } = items.peek().map_or(Span::default(), |i| i.span);
        // Wrapping, because an item that YAML refers to may stand before the first.
        let place = |span: Span| (span.start.wrapping_sub(start), span.end.wrapping_sub(start));
        let (texts, places): (Vec<_>, Vec<_>) = items.map(|i| (i.value, place(i.span))).unzip();
        Self {
            items: texts.into(),
            places: places.into(),
            file,
            start,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_moved_is_the_list_of_the_other_place() {
        let list = |file, at: usize| -> List {
            let item = |(text, start)| {
                let start = at + start;
                Spanned::new(
                    String::from(text),
                    Span::new(FileId(file), start, start + 1),
                )
            };
            [("a", 0), ("b", 2)].into_iter().map(item).collect()
        };
        let mut moved = list(0, 3);
        moved.shift(FileId(1), 3, 7);
        moved.shift(FileId(1), 11, 7);
        assert_eq!(moved, list(1, 10));
        assert_eq!(moved.place(1), Some(Span::new(FileId(1), 12, 13)));
        let mut none = List::default();
        none.shift(FileId(1), 0, 7);
        assert_eq!(none, std::iter::empty().collect());
    }
}
