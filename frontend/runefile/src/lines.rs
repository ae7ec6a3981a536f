//! Lines that were parsed before, so that an edit of a long Runefile parses only what it changed.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use rune_ir::diag::{Diagnostic, FileId};

use crate::{
    long,
    parse::{decode, parse},
    shift::Shift,
    tree::Tree,
};

/// Lines of Runefiles and what each says. Those that were used last are kept; threads may share it.
#[derive(Debug, Default)]
pub struct Lines(Mutex<Known>);

/// Two generations: when the young are many enough, they become the old, and what was old and not used since goes.
#[derive(Debug, Default)]
struct Known {
    young: BTreeMap<Arc<str>, Arc<Line>>,
    old: BTreeMap<Arc<str>, Arc<Line>>,
    /// Bytes of the young.
    weight: usize,
}

/// What a line says, as if it were a Runefile of its own.
#[derive(Debug)]
struct Line {
    tree: Tree,
    found: Vec<Diagnostic>,
}

/// Bytes that make a generation: some versions of a long list.
const GENERATION: usize = 2 << 20;

impl Known {
    fn get(&mut self, text: &str) -> Option<Arc<Line>> {
        if let Some(line) = self.young.get(text) {
            return Some(line.clone());
        }
        let (key, line) = self.old.remove_entry(text)?;
        self.insert(key, line.clone());
        Some(line)
    }

    fn insert(&mut self, key: Arc<str>, line: Arc<Line>) {
        self.weight += key.len();
        self.young.insert(key, line);
        if self.weight > GENERATION {
            self.weight = 0;
            self.old = mem::take(&mut self.young);
        }
    }
}

impl Lines {
    /// Gives what [`parse`] gives, and parses only those lines that are not known.
    pub fn parse(&self, file: FileId, bytes: &[u8]) -> (Tree, Vec<Diagnostic>) {
        let Ok(text) = decode(file, bytes) else {
            return parse(file, bytes);
        };
        let body = text.strip_prefix(MARK).unwrap_or(text);
        if body.contains(MARK) {
            // It counts only where the text begins, and would be where a line begins.
            return parse(file, bytes);
        }
        let mut whole = Tree {
            file,
            ..Tree::default()
        };
        whole.whole.file = file;
        whole.whole.end = text.len() as u32;
        let mut all_found = Vec::new();
        let mut start = text.len() - body.len();
        for text in split(body) {
            let line = self.line(text);
            let shift = Shift {
                file,
                from: 0,
                by: start as u32,
            };
            let instructions = line.tree.instructions.iter();
            whole.instructions.extend(instructions.map(|i| shift.of(i)));
            let comments = line.tree.comments.iter();
            whole.comments.extend(comments.map(|c| shift.of(c)));
            all_found.extend(line.found.iter().map(|d| shift.of(d)));
            whole.flawed |= line.tree.flawed;
            start += text.len();
        }
        (whole, all_found)
    }

    fn line(&self, text: &str) -> Arc<Line> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lock().get(text) {
            return line;
        }
        let (tree, found) = match long::read(text) {
            Some(tree) => (tree, Vec::new()),
            None => parse(FileId(0), text.as_bytes()),
        };
        let line = Arc::new(Line { tree, found });
        lock().insert(text.into(), line.clone());
        line
    }
}

/// The byte order mark.
const MARK: char = '\u{FEFF}';

/// The lines of a text, each with what ends it, and with the lines it goes on in. Where that is in doubt they are
/// not parted: a piece is one line of the grammar or several, and never a part of one. What crosses the end of
/// a line is a backslash before it, and after that the comments between the parts of a continued line.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut end = 0;
        for line in rest.split_inclusive('\n') {
            let is_first = end == 0;
            end += line.len();
            let line = line.trim_end_matches(['\n', '\r', ' ', '\t']);
            let (before, last) = line.rsplit_once('\r').unwrap_or(("", line));
            let may_be_between = !is_first || !before.is_empty();
            let is_comment = last.trim_start_matches([' ', '\t']).starts_with('#');
            let goes_on = last.ends_with('\\') || may_be_between && is_comment;
            if !goes_on {
                break;
            }
        }
        let (piece, after) = rest.split_at(end);
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_where_nothing_goes_on() {
        for (text, pieces) in [
            ("", &[][..]),
            ("a", &["a"]),
            ("a\n\nb\r\n", &["a\n", "\n", "b\r\n"]),
            ("a \\ \n b\nc\n", &["a \\ \n b\n", "c\n"]),
            (
                "a \\\r\n # why\r\n b\r\nc",
                &["a \\\r\n # why\r\n b\r\n", "c"],
            ),
            ("# a\nb\n# c", &["# a\n", "b\n", "# c"]),
            ("a\\\r# why\n b\nc", &["a\\\r# why\n b\n", "c"]),
        ] {
            assert_eq!(split(text).collect::<Vec<_>>(), pieces, "{text:?}");
        }
    }

    #[test]
    fn what_was_not_used_goes() {
        let lines = Lines::default();
        let parse = |text: &str| lines.parse(FileId(0), text.as_bytes());
        let long = format!("RUN {}\n", "a".repeat(GENERATION));
        parse("RUN kept\nRUN left\n");
        parse(&long);
        parse("RUN kept\n");
        parse(&long.replace('a', "b"));
        let known = lines.0.lock().unwrap();
        let has = |text: &str| known.young.contains_key(text) || known.old.contains_key(text);
        assert!(has("RUN kept\n") && !has("RUN left\n"));
    }
}
