//! The canonical form of a Runefile: [`format`] for a text with comments, [`print`] for a tree without text.
//!
//! Both turn each instruction into a row of atoms, the pieces between which its line may be broken
//! (`atoms`), and set that row into lines (`layout`). What is written depends on the tree, the comments and
//! where blank lines stand; nothing else of the text shows through. The form is described in
//! `grammar/LANGUAGE.md`, the reasons in `docs/decisions/0012-formatter.md`.

mod atoms;
mod layout;
mod same;
pub(crate) mod text;

use std::{borrow::Cow, iter};

use rune_ir::{
    diag::{Diagnostic, FileId},
    env::Env,
};

use crate::{
    parse::parse,
    tree::{Instruction, Stage, Tree},
};
use atoms::atoms;
use layout::Comment;

/// Why a Runefile is left as it is.
#[derive(Clone, Debug, PartialEq)]
pub enum Unformatted {
    /// It cannot be read; these are the faults.
    Faulty(Vec<Diagnostic>),
    /// What came out means something else than what went in, which is a bug in the formatter.
    Changed(String),
}

/// A Runefile in canonical form: the same instructions and comments, in the same order. `env` tells a
/// block's path from its name where the words alone do not.
///
/// Takes time linear in the text. To format the result again changes nothing.
///
/// # Errors
/// The text cannot be read; or what came out, read again, differs from it in more than its form.
pub fn format(file: FileId, bytes: &[u8], env: &dyn Env) -> Result<String, Unformatted> {
    let (mut tree, faults) = parse(file, bytes);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) if !tree.flawed => plain_lines(text),
        _ => return Err(Unformatted::Faulty(faults)),
    };
    if text.len() != bytes.len() {
        (tree, _) = parse(file, text.as_bytes());
    }
    let formatted = write(&tree, &text, env);
    let (after, _) = parse(file, formatted.as_bytes());
    if same::same((&tree, &text), (&after, &formatted), env) {
        Ok(formatted)
    } else {
        Err(Unformatted::Changed(formatted))
    }
}

/// A tree as text in canonical form. Everything comes from the tree itself: its spans are not looked at, nor
/// are its comments written, for there need not be a text that they point into. Faulty lines are left out.
pub fn print(tree: &Tree, env: &dyn Env) -> String {
    let mut out = String::new();
    let mut last = None;
    for instruction in &tree.instructions {
        let atoms = atoms(instruction, None, env);
        if atoms.is_empty() {
            continue;
        }
        let section = Some(Section::of(instruction));
        if last.is_some() && last != section {
            out.push('\n');
        }
        last = section;
        layout::write(&mut out, &atoms, &[]);
        out.push('\n');
    }
    out
}

/// A stage as one line in canonical form, for a message. Arguments from the first that does not fit on become
/// `...`.
pub(crate) fn line(stage: &Stage, env: &dyn Env) -> String {
    layout::line(&atoms(&Instruction::Stage(stage.clone()), None, env))
}

/// The parts of a Runefile between which a blank line stands where there is no text to say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    Head,
    Stages,
    Order,
}

impl Section {
    fn of(instruction: &Instruction) -> Self {
        match instruction {
            Instruction::Stage(_) | Instruction::Set(_) => Self::Stages,
            Instruction::Run(_) => Self::Order,
            Instruction::From(_)
            | Instruction::For(_)
            | Instruction::Label(_)
            | Instruction::Resource(_)
            | Instruction::Faulty(_) => Self::Head,
        }
    }
}

/// The text without byte order mark, every line ended by a line feed.
fn plain_lines(text: &str) -> Cow<'_, str> {
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Writes a tree without faults, with the comments and blank lines of the text it is of.
fn write(tree: &Tree, text: &str, env: &dyn Env) -> String {
    let mut page = Page {
        text,
        out: String::with_capacity(text.len() + text.len() / 8),
        end: 0,
    };
    let mut comments = tree
        .comments
        .iter()
        .map(|span| Comment::new(text, *span))
        .peekable();
    for instruction in &tree.instructions {
        let span = instruction.span();
        let (start, end) = (span.start as usize, span.end as usize);
        while let Some(comment) = comments.next_if(|c| c.start < start) {
            page.comment(comment);
        }
        let inside: Vec<_> = iter::from_fn(|| comments.next_if(|c| c.start < end)).collect();
        page.gap(start);
        layout::write(&mut page.out, &atoms(instruction, Some(text), env), &inside);
        page.end = end;
        if let Some(comment) = comments.next_if(|c| !text[end..c.start].contains('\n')) {
            page.out.push_str("  ");
            page.comment(comment);
            continue;
        }
        if page.out.ends_with('\\') {
            // A word that ends so ended no line before, and must not join the next line to this one.
            page.out.push_str(" \\");
        }
        page.out.push('\n');
    }
    for comment in comments {
        page.comment(comment);
    }
    page.out
}

/// What is written so far of a text.
struct Page<'t> {
    text: &'t str,
    out: String,
    /// Where in the text the last thing written ends.
    end: usize,
}

impl Page<'_> {
    /// Writes a blank line if there is any between the last thing written and what begins at `start`.
    fn gap(&mut self, start: usize) {
        let between = &self.text[self.end..start];
        if !self.out.is_empty() && between.matches('\n').nth(1).is_some() {
            self.out.push('\n');
        }
    }

    /// Writes a comment and ends its line.
    fn comment(&mut self, comment: Comment<'_>) {
        self.gap(comment.start);
        self.out.push_str(comment.text);
        self.out.push('\n');
        self.end = comment.end;
    }
}
