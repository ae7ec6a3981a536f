//! A row of atoms as lines.

use rune_ir::diag::Span;

/// Longest line, in characters, that is not broken.
const WIDTH: usize = 100;
/// What a line that goes on ends with.
const GOES_ON: &str = " \\";

/// A piece of an instruction that is never broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Atom {
    /// What is written. Only a string may hold a line end.
    pub(super) text: String,
    /// How it follows the one before.
    pub(super) join: Join,
    /// Where it ends in the text it is from, so that comments before that can be put before it.
    pub(super) end: usize,
}

/// How an atom follows the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Join {
    /// After a blank; on a line of its own only where it does not fit.
    Word,
    /// The same, inside of something: indented twice.
    Part,
    /// The same, and not even a blank before it.
    Close,
    /// After a blank; on a line of its own in every instruction that is broken at all.
    Argument,
}

impl Join {
    const fn blank(self) -> &'static str {
        match self {
            Self::Word | Self::Part | Self::Argument => " ",
            Self::Close => "",
        }
    }

    const fn indent(self) -> &'static str {
        match self {
            Self::Word | Self::Argument => "    ",
            Self::Part | Self::Close => "        ",
        }
    }
}

/// A comment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comment<'t> {
    /// From `#` to the last character that is no blank.
    pub(super) text: &'t str,
    /// Where it begins.
    pub(super) start: usize,
    /// Where its line ends.
    pub(super) end: usize,
}

impl<'t> Comment<'t> {
    /// The comment at a place of a text.
    pub(super) fn new(text: &'t str, span: Span) -> Self {
        let (start, end) = (span.start as usize, span.end as usize);
        Self {
            text: text[start..end].trim_end_matches([' ', '\t']),
            start,
            end,
        }
    }
}

/// Writes an instruction without its last line end: on one line if it fits and has no comments inside,
/// otherwise with each argument on a line of its own. Each comment stands on a line before the first atom
/// that ends after it; those before the first atom come before the instruction.
pub(super) fn write(out: &mut String, atoms: &[Atom], comments: &[Comment<'_>]) {
    let Some((first, rest)) = atoms.split_first() else {
        return;
    };
    let mut comments = comments.iter().peekable();
    while let Some(comment) = comments.next_if(|c| c.start < first.end) {
        out.extend([comment.text, "\n"]);
    }
    let flat = comments.peek().is_none() && fits(atoms);
    out.push_str(&first.text);
    let mut column = after(0, &first.text);
    for (i, atom) in rest.iter().enumerate() {
        let (blank, indent) = (atom.join.blank(), atom.join.indent());
        let mut commented = false;
        while let Some(comment) = comments.next_if(|c| c.start < atom.end) {
            // After a comment the instruction goes on without being told to.
            out.push_str(if commented { "" } else { GOES_ON });
            out.extend(["\n", indent, comment.text]);
            commented = true;
        }
        let end = column + blank.len() + width(&atom.text);
        let room = if i + 1 == rest.len() {
            WIDTH
        } else {
            WIDTH - GOES_ON.len()
        };
        let breaks = !flat && (atom.join == Join::Argument || end > room);
        if commented || breaks {
            out.push_str(if commented { "" } else { GOES_ON });
            out.extend(["\n", indent]);
            column = indent.len();
        } else {
            out.push_str(blank);
            column += blank.len();
        }
        out.push_str(&atom.text);
        column = after(column, &atom.text);
    }
}

/// An instruction as one line, with `...` for arguments from the first that does not fit on.
pub(super) fn line(atoms: &[Atom]) -> String {
    let mut line = String::new();
    let mut fits = 0;
    for (i, atom) in atoms.iter().enumerate() {
        if atom.join == Join::Argument {
            fits = line.len();
        }
        if i > 0 {
            line.push_str(atom.join.blank());
        }
        line.push_str(&atom.text);
        if fits > 0 && (line.chars().count() > WIDTH || atom.text.contains('\n')) {
            line.truncate(fits);
            line.push_str(" ...");
            break;
        }
    }
    line
}

/// Whether an instruction fits on one line.
fn fits(atoms: &[Atom]) -> bool {
    let mut column = 0;
    atoms.iter().enumerate().all(|(i, atom)| {
        let start = column + if i == 0 { 0 } else { atom.join.blank().len() };
        column = after(start, &atom.text);
        start + width(&atom.text) <= WIDTH
    })
}

/// Characters up to the end of the first line of a text.
fn width(text: &str) -> usize {
    text.split('\n')
        .next()
        .map_or(0, |line| line.chars().count())
}

/// The column after a text that is written at `column`.
fn after(column: usize, text: &str) -> usize {
    match text.rsplit_once('\n') {
        Some((_, last)) => last.chars().count(),
        None => column + text.chars().count(),
    }
}
