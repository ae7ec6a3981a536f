//! Diagnostics as text: for people in a terminal, and as JSON lines for programs.

use std::{io, ops::Range};

use codespan_reporting::{
    diagnostic::{Diagnostic as Report, Label, Severity as Level},
    files::SimpleFiles,
    term::{
        self, Config,
        termcolor::{NoColor, WriteColor},
    },
};
use rune_ir::diag::{Diagnostic, FileId, Severity, Sources, Span};
use serde_json::{Value, json};

/// Columns of a line shown around a label where the line is long.
const CONTEXT: usize = 60;
/// Lines up to this long are shown whole.
const LONG: usize = 240;

/// Writes one diagnostic as codespan shows it.
///
/// # Errors
/// What the stream gives.
pub fn human(
    out: &mut dyn WriteColor,
    sources: &Sources,
    diagnostic: &Diagnostic,
) -> io::Result<()> {
    let labels = || std::iter::once(&diagnostic.primary).chain(&diagnostic.secondary);
    let mut files = SimpleFiles::new();
    let mut excerpts: Vec<(FileId, Excerpt)> = Vec::new();
    for (id, name, text) in sources.iter() {
        let spans: Vec<Range<usize>> = labels()
            .filter(|l| l.span.file == id)
            .map(|l| range(l.span))
            .collect();
        let excerpt = Excerpt::new(text, &spans);
        files.add(name.to_owned(), excerpt.text.clone());
        excerpts.push((id, excerpt));
    }
    let place = |span: Span| {
        let excerpt = &excerpts[span.file.0 as usize].1;
        excerpt.map(span.start as usize)..excerpt.map(span.end as usize)
    };
    let mut report = Report::new(match diagnostic.severity {
        Severity::Error => Level::Error,
        Severity::Warning => Level::Warning,
        Severity::Note => Level::Note,
    })
    .with_code(diagnostic.code.number())
    .with_message(&diagnostic.message);
    report.labels = labels()
        .enumerate()
        .map(|(i, label)| {
            let (file, range) = (label.span.file.0 as usize, place(label.span));
            let made = if i == 0 {
                Label::primary(file, range)
            } else {
                Label::secondary(file, range)
            };
            made.with_message(&label.message)
        })
        .collect();
    report.notes = diagnostic
        .notes
        .iter()
        .cloned()
        .chain(diagnostic.hints.iter().map(|h| format!("help: {h}")))
        .collect();
    let config = Config::default();
    let result = term::emit_to_write_style(out, &config, &files, &report);
    result.map_err(|error| {
        if let codespan_reporting::files::Error::Io(error) = error {
            return error;
        }
        io::Error::other(error.to_string())
    })
}

/// Diagnostics as a person sees them, without colour.
pub fn plain(sources: &Sources, diagnostics: &[Diagnostic]) -> String {
    let mut out = NoColor::new(Vec::new());
    for diagnostic in diagnostics {
        human(&mut out, sources, diagnostic).expect("a vector takes all that is written");
    }
    String::from_utf8_lossy(&out.into_inner()).into_owned()
}

/// One diagnostic as a JSON object. Lines and columns count from 1, columns in characters.
pub fn json(sources: &Sources, diagnostic: &Diagnostic) -> Value {
    let place = |span: Span| {
        let text = sources.text(span.file);
        let (line, column) = position(text, span.start as usize);
        let (end_line, end_column) = position(text, span.end as usize);
        json!({
            "file": sources.name(span.file),
            "line": line, "column": column, "end_line": end_line, "end_column": end_column,
            "start": span.start, "end": span.end,
        })
    };
    let label = |l: &rune_ir::diag::Label| json!({ "message": l.message, "place": place(l.span) });
    json!({
        "code": diagnostic.code.number(),
        "severity": diagnostic.severity.name(),
        "message": diagnostic.message,
        "primary": label(&diagnostic.primary),
        "secondary": diagnostic.secondary.iter().map(label).collect::<Vec<_>>(),
        "notes": diagnostic.notes,
        "hints": diagnostic.hints,
    })
}

/// Line and column, from 1, of a byte offset.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset)];
    let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |i| i + 1);
    (line, before[start..].chars().count() + 1)
}

fn range(span: Span) -> Range<usize> {
    span.start as usize..span.end as usize
}

/// A text with its long lines cut down to what labels point at.
struct Excerpt {
    text: String,
    /// Pieces kept: where they began, how long they are, and where they begin now; by rising start.
    kept: Vec<(usize, usize, usize)>,
}

impl Excerpt {
    fn new(text: &str, spans: &[Range<usize>]) -> Self {
        let mut excerpt = Self {
            text: String::with_capacity(text.len().min(1 << 16)),
            kept: Vec::new(),
        };
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            excerpt.line(text, start..start + line.len(), spans);
            start += line.len();
        }
        excerpt
    }

    fn line(&mut self, text: &str, line: Range<usize>, spans: &[Range<usize>]) {
        if line.len() <= LONG {
            return self.keep(text, line);
        }
        let mut windows: Vec<Range<usize>> = spans
            .iter()
            .filter(|s| s.start >= line.start && s.start < line.end)
            .map(|s| {
                s.start.saturating_sub(CONTEXT).max(line.start)
                    ..(s.end.min(s.start + LONG) + CONTEXT).min(line.end)
            })
            .collect();
        windows.push(line.start..line.start + CONTEXT);
        windows.sort_by_key(|w| w.start);
        let mut last = line.start;
        for window in windows {
            let window = text.floor_char_boundary(window.start.max(last))
                ..text.ceil_char_boundary(window.end);
            if window.start >= window.end {
                continue;
            }
            if window.start > last {
                self.text.push_str(" ... ");
            }
            last = window.end;
            self.keep(text, window);
        }
        if last < line.end {
            self.text.push_str(" ...\n");
        }
    }

    fn keep(&mut self, text: &str, piece: Range<usize>) {
        self.kept.push((piece.start, piece.len(), self.text.len()));
        // What a terminal would obey is shown as blanks.
        let shown = |c: char| {
            if c.is_ascii_control() && !matches!(c, '\n' | '\t') {
                ' '
            } else {
                c
            }
        };
        self.text.extend(text[piece].chars().map(shown));
    }

    /// The place in the excerpt of a place in the text; one cut away becomes the end of what is before it.
    fn map(&self, offset: usize) -> usize {
        let after = self.kept.partition_point(|(start, ..)| *start <= offset);
        let Some((start, length, now)) = after.checked_sub(1).map(|i| self.kept[i]) else {
            return 0;
        };
        (now + (offset - start).min(length)).min(self.text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_cut_around_the_label() {
        let text = format!("FROM x\nRUN {} end\n", "a ".repeat(5000));
        let at = 7 + 5000;
        let excerpt = Excerpt::new(&text, &[at..at + 1, 0..4]);
        assert!(excerpt.text.len() < 600, "{}", excerpt.text.len());
        let now = excerpt.map(at);
        assert_eq!(excerpt.text.as_bytes()[now], text.as_bytes()[at]);
        assert!(excerpt.text.starts_with("FROM x\nRUN a"));
    }

    #[test]
    fn short_texts_are_unchanged() {
        let text = "FROM a\nOUT SERIAL";
        let excerpt = Excerpt::new(text, &[5..6, 17..17]);
        assert_eq!(excerpt.text, text);
        assert_eq!((excerpt.map(5), excerpt.map(17)), (5, 17));
    }

    #[test]
    fn positions_count_characters() {
        assert_eq!(position("é\nüx", 5), (2, 2));
    }
}
