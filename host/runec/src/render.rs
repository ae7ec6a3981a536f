//! Diagnostics as a person sees them in a terminal.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    ops::Range,
};

use codespan_reporting::{
    diagnostic::{Diagnostic as Report, Label, Severity as Level},
    files::{Error, Files},
    term::{
        self, Config,
        termcolor::{NoColor, WriteColor},
    },
};
use rune_ir::diag::{Diagnostic, FileId, Fix, Safety, Severity, Sources};
use similar::{ChangeTag, TextDiff};

use crate::report::place::{Places, Region};

/// Columns of a line shown around a label where the line is long.
const CONTEXT: usize = 60;
/// Lines up to this long are shown whole.
const LONG: usize = 240;
/// Lines around the ends of a label that codespan may show.
const AROUND: usize = 4;
/// A fix that takes away and adds more lines than this is only named.
const MOST_CHANGED: usize = 6;

/// Writes one diagnostic as codespan shows it.
///
/// # Errors
/// What the stream gives.
pub fn human(
    out: &mut dyn WriteColor,
    places: &Places<'_>,
    diagnostic: &Diagnostic,
) -> io::Result<()> {
    let labels: Vec<(&str, Region)> = std::iter::once(&diagnostic.primary)
        .chain(&diagnostic.secondary)
        .map(|label| (label.message.as_str(), places.region(label.span)))
        .collect();
    let mut regions: BTreeMap<FileId, Vec<Region>> = BTreeMap::new();
    for (_, region) in &labels {
        regions.entry(region.file).or_default().push(*region);
    }
    let excerpts = regions
        .iter()
        .map(|(file, regions)| (*file, Excerpt::new(places, *file, regions)))
        .collect();
    let shown = Shown { places, excerpts };
    let mut report = Report::new(match diagnostic.severity {
        Severity::Error => Level::Error,
        Severity::Warning => Level::Warning,
        Severity::Note => Level::Note,
    })
    .with_code(diagnostic.code.number())
    .with_message(clean(&diagnostic.message));
    report.labels = labels
        .iter()
        .enumerate()
        .map(|(i, (message, region))| {
            let excerpt = &shown.excerpts[&region.file];
            let range = excerpt.map(region.start.byte)..excerpt.map(region.end.byte);
            let make = if i == 0 {
                Label::primary
            } else {
                Label::secondary
            };
            make(region.file, range).with_message(clean(message))
        })
        .collect();
    let notes = diagnostic.notes.iter().map(|note| clean(note));
    let hints = diagnostic
        .hints
        .iter()
        .map(|h| format!("help: {}", clean(h)));
    let fixes = diagnostic.fixes.iter().enumerate();
    let fixes = fixes.map(|(i, fix)| describe(places, fix, i == 0));
    report.notes = notes.chain(hints).chain(fixes).collect();
    let result = term::emit_to_write_style(out, &Config::default(), &shown, &report);
    result.map_err(|error| {
        if let Error::Io(error) = error {
            return error;
        }
        io::Error::other(error.to_string())
    })
}

/// Diagnostics as a person sees them, without colour.
pub fn plain(sources: &Sources, diagnostics: &[Diagnostic]) -> String {
    let places = Places::new(sources);
    diagnostics.iter().map(|d| plain_one(&places, d)).collect()
}

/// One diagnostic as a person sees it, without colour.
pub fn plain_one(places: &Places<'_>, diagnostic: &Diagnostic) -> String {
    let mut out = NoColor::new(Vec::new());
    human(&mut out, places, diagnostic).expect("a vector takes all that is written");
    String::from_utf8_lossy(&out.into_inner()).into_owned()
}

/// What a fix does, and the lines it changes if they are few.
fn describe(places: &Places<'_>, fix: &Fix, with_lines: bool) -> String {
    let unsafely = match fix.safety {
        Safety::Safe => "",
        Safety::Unsafe => " (unsafe)",
    };
    let mut text = format!("fix{unsafely}: {}", clean(&fix.title));
    for line in with_lines
        .then(|| changes(places, fix))
        .flatten()
        .unwrap_or_default()
    {
        text.push('\n');
        text.push_str(&line);
    }
    text
}

/// The lines a fix takes away and those it puts there, each with its number; `None` where they are many or
/// long, or not of one file.
fn changes(places: &Places<'_>, fix: &Fix) -> Option<Vec<String>> {
    let mut edits: Vec<(Region, &str)> = fix
        .edits
        .iter()
        .map(|edit| (places.region(edit.span), edit.text.as_str()))
        .collect();
    edits.sort_by_key(|(region, _)| (region.start, region.end));
    let file = edits.first()?.0.file;
    let apart = edits.windows(2).all(|w| w[0].0.end <= w[1].0.start);
    if !apart || edits.iter().any(|(region, _)| region.file != file) {
        return None;
    }
    let first = edits.first()?.0.start.line;
    let last = edits.last()?.0.end.line;
    let end = places.line_range(file, last).end;
    let mut at = places.line_range(file, first).start;
    let source = places.sources().text(file);
    let old = &source[at..end];
    let mut new = String::new();
    for (region, text) in edits {
        new += &source[at..region.start.byte];
        new += text;
        at = region.end.byte;
    }
    new += &source[at..end];
    let diff = TextDiff::from_lines(old, &new);
    let changed: Vec<(char, usize, &str)> = diff
        .iter_all_changes()
        .filter_map(|change| match change.tag() {
            ChangeTag::Equal => None,
            ChangeTag::Delete => Some(('-', change.old_index()?, change.value())),
            ChangeTag::Insert => Some(('+', change.new_index()?, change.value())),
        })
        .collect();
    if changed.len() > MOST_CHANGED || changed.iter().any(|(.., line)| line.len() > LONG / 2) {
        return None;
    }
    let width = (last + changed.len()).to_string().len();
    let line = |(sign, index, line): (char, usize, &str)| {
        let line = line.trim_end_matches(['\r', '\n']);
        format!("{:>width$} {sign} {}", first + index, clean(line))
    };
    Some(changed.into_iter().map(line).collect())
}

/// A text a terminal shows as it is: what it would obey instead is replaced by signs that are as long.
pub(crate) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        out.push(match c {
            '\n' | '\t' => c,
            '\r' if rest.peek() == Some(&'\n') => c,
            _ if c.is_ascii_control() => ' ',
            // Controls of eight bits, and marks that change the order in which text is read.
            '\u{80}'..='\u{9f}' | '\u{61c}' => '\u{b7}',
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                char::REPLACEMENT_CHARACTER
            }
            _ => c,
        });
    }
    out
}

/// The files of a diagnostic as codespan asks for them. Lines have the numbers they have in the file, and the
/// column of a place in a line that was cut is the one it has in the file.
struct Shown<'a> {
    places: &'a Places<'a>,
    excerpts: BTreeMap<FileId, Excerpt>,
}

impl Shown<'_> {
    fn excerpt(&self, file: FileId) -> Result<&Excerpt, Error> {
        self.excerpts.get(&file).ok_or(Error::FileMissing)
    }
}

impl<'a> Files<'a> for Shown<'_> {
    type FileId = FileId;
    type Name = String;
    type Source = &'a str;

    fn name(&'a self, file: FileId) -> Result<String, Error> {
        Ok(clean(self.places.sources().name(file)).replace(['\n', '\r', '\t'], " "))
    }

    fn source(&'a self, file: FileId) -> Result<&'a str, Error> {
        Ok(&self.excerpt(file)?.text)
    }

    fn line_index(&'a self, file: FileId, byte: usize) -> Result<usize, Error> {
        let lines = &self.excerpt(file)?.lines;
        let after = lines.partition_point(|(_, range)| range.start <= byte);
        Ok(after.checked_sub(1).map_or(0, |i| lines[i].0 - 1))
    }

    fn line_range(&'a self, file: FileId, index: usize) -> Result<Range<usize>, Error> {
        let excerpt = self.excerpt(file)?;
        let found = excerpt
            .lines
            .binary_search_by_key(&(index + 1), |(line, _)| *line);
        Ok(match found {
            Ok(i) => excerpt.lines[i].1.clone(),
            // A line nothing points at is shown empty.
            Err(i) => {
                let next = excerpt.lines.get(i);
                let at = next.map_or(excerpt.text.len(), |(_, range)| range.start);
                at..at
            }
        })
    }

    fn column_number(&'a self, file: FileId, _: usize, byte: usize) -> Result<usize, Error> {
        let byte = self.excerpt(file)?.unmap(byte);
        Ok(self.places.at(file, byte).column)
    }
}

/// The lines of a text that labels touch, the long ones cut down to what is pointed at.
struct Excerpt {
    text: String,
    /// Lines kept: their numbers, from 1, and where they are in `text`; rising.
    lines: Vec<(usize, Range<usize>)>,
    /// Pieces kept: where they began, how long they are, and where they begin now; rising.
    kept: Vec<(usize, usize, usize)>,
}

impl Excerpt {
    fn new(places: &Places<'_>, file: FileId, regions: &[Region]) -> Self {
        let count = places.line_count(file);
        let near = |line: usize| line.saturating_sub(AROUND).max(1)..=(line + AROUND).min(count);
        let wanted: BTreeSet<usize> = regions
            .iter()
            .flat_map(|region| near(region.start.line).chain(near(region.end.line)))
            .collect();
        let mut excerpt = Self {
            text: String::new(),
            lines: Vec::new(),
            kept: Vec::new(),
        };
        let source = places.sources().text(file);
        for line in wanted {
            let start = excerpt.text.len();
            excerpt.line(source, places.line_range(file, line), regions);
            excerpt.lines.push((line, start..excerpt.text.len()));
        }
        excerpt
    }

    fn line(&mut self, source: &str, line: Range<usize>, regions: &[Region]) {
        if line.len() <= LONG {
            return self.keep(source, line);
        }
        let mut windows: Vec<Range<usize>> = regions
            .iter()
            .map(|region| region.start.byte..region.end.byte)
            .filter(|s| s.start < line.end && s.end >= line.start)
            .flat_map(|s| {
                let (start, end) = (s.start.max(line.start), s.end.min(line.end));
                // Of a label that is long itself, both ends are shown.
                let head = start.saturating_sub(CONTEXT)..end.min(start + LONG) + CONTEXT;
                let tail = end.saturating_sub(CONTEXT).max(head.start)..end + CONTEXT;
                [head, tail]
            })
            .map(|w| w.start.max(line.start)..w.end.min(line.end))
            .collect();
        windows.push(line.start..line.start + CONTEXT);
        windows.sort_by_key(|w| w.start);
        let mut last = line.start;
        for window in windows {
            let window = source.floor_char_boundary(window.start.max(last))
                ..source.ceil_char_boundary(window.end);
            if window.start >= window.end {
                continue;
            }
            if window.start > last {
                self.text.push_str(" ... ");
            }
            last = window.end;
            self.keep(source, window);
        }
        if last < line.end {
            self.text.push_str(" ...\n");
        }
    }

    fn keep(&mut self, source: &str, piece: Range<usize>) {
        self.kept.push((piece.start, piece.len(), self.text.len()));
        self.text.push_str(&clean(&source[piece]));
    }

    /// The place in the excerpt of a place in the text; one cut away becomes the end of what is before it.
    fn map(&self, byte: usize) -> usize {
        let after = self.kept.partition_point(|(start, ..)| *start <= byte);
        let before = after.checked_sub(1).map(|i| self.kept[i]);
        before.map_or(0, |(start, length, now)| now + (byte - start).min(length))
    }

    /// The place in the text of a place in the excerpt.
    fn unmap(&self, byte: usize) -> usize {
        let after = self.kept.partition_point(|(.., now)| *now <= byte);
        let before = after.checked_sub(1).map(|i| self.kept[i]);
        before.map_or(0, |(start, length, now)| start + (byte - now).min(length))
    }
}

#[cfg(test)]
mod tests {
    use rune_ir::diag::{Code, Edit, Span};

    use super::*;

    fn show(text: &str, make: impl FnOnce(FileId) -> Diagnostic) -> String {
        let mut sources = Sources::default();
        let file = sources.add("Runefile", text);
        plain(&sources, &[make(file)])
    }

    fn found(file: FileId, range: Range<usize>) -> Diagnostic {
        Diagnostic::new(
            Code::UnknownStage,
            Span::new(file, range.start, range.end),
            "message",
        )
    }

    #[test]
    fn a_long_line_is_cut_around_the_label_and_keeps_its_columns() {
        let text = format!("FROM x\nRUN {} end\n", "a ".repeat(5000));
        let shown = show(&text, |file| found(file, 5007..5008).at("this"));
        assert!(shown.len() < 600, "{shown}");
        assert!(shown.contains("Runefile:2:5001"), "{shown}");
        assert!(
            shown.contains("RUN a") && shown.contains(" ... ") && shown.contains("^ this"),
            "{shown}"
        );
        let long = show(&text, |file| found(file, 11..9000));
        assert!(long.len() < 2000, "{long}");
    }

    #[test]
    fn carriage_returns_tabs_and_wide_signs_keep_the_marks_below_what_they_mark() {
        let shown = show("FROM x\r\n\tRUN 名前 y\r\n", |file| {
            found(file, 20..21).at("y")
        });
        assert_eq!(
            shown,
            "error[R0101]: message\n  ┌─ Runefile:2:9\n  │\n2 │     RUN 名前 y\n  │              ^ y\n\n"
        );
    }

    #[test]
    fn the_end_of_the_file_can_be_pointed_at() {
        for text in ["", "FROM x", "FROM x\n", "FROM x\r\n\r\n"] {
            let shown = show(text, |file| found(file, text.len()..text.len()).at("here"));
            assert!(shown.contains("^ here"), "{text:?}: {shown}");
        }
    }

    #[test]
    fn what_a_terminal_would_obey_is_not_written() {
        let evil = "\u{1b}[2J\u{9b}31m\u{202e}\r\u{7}";
        let shown = show(&format!("RUN {evil} x\n"), |file| {
            let mut found = found(file, 4..5).at(evil).note(evil).hint(evil);
            found.message = evil.to_owned();
            found.fix(Fix::new(Safety::Safe, evil, Span::new(file, 0, 1), evil))
        });
        assert!(
            !shown.contains(|c: char| c != '\n' && (c.is_control() || c == '\u{202e}')),
            "{shown:?}"
        );
    }

    #[test]
    fn a_fix_shows_the_lines_it_changes() {
        let text = "FROM x\nRUN a b\nOUT SERIAL\n";
        let shown = show(text, |file| {
            let fix = Fix::new(Safety::Safe, "remove the line", Span::new(file, 7, 15), "");
            let other = Fix {
                title: "write both anew".to_owned(),
                edits: vec![
                    Edit {
                        span: Span::new(file, 5, 6),
                        text: "y".to_owned(),
                    },
                    Edit {
                        span: Span::new(file, 11, 12),
                        text: "c\nRUN d".to_owned(),
                    },
                ],
                safety: Safety::Unsafe,
            };
            found(file, 11..12).fix(fix).fix(other)
        });
        let (_, notes) = shown.split_once("  = ").expect("there are notes");
        assert_eq!(
            notes,
            "fix: remove the line\n    2 - RUN a b\n  = fix (unsafe): write both anew\n\n"
        );
        let shown = show(text, |file| {
            found(file, 11..12).fix(Fix {
                title: "write both anew".to_owned(),
                edits: vec![
                    Edit {
                        span: Span::new(file, 5, 6),
                        text: "y".to_owned(),
                    },
                    Edit {
                        span: Span::new(file, 11, 12),
                        text: "c\nRUN d".to_owned(),
                    },
                ],
                safety: Safety::Safe,
            })
        });
        assert!(
            shown.contains("\n    1 - FROM x\n    2 - RUN a b\n    1 + FROM y\n    2 + RUN c\n    3 + RUN d b\n"),
            "{shown}"
        );
    }
}
