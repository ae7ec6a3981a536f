//! What the compiler found, written in the form that the reader asked for, and how many there were.

mod github;
pub mod json;
mod junit;
pub mod place;
mod sarif;

use std::{
    collections::BTreeSet,
    io::{self, IsTerminal, Write},
};

use codespan_reporting::term::termcolor::{StandardStream, WriteColor};
use rune_ir::diag::{Code, Diagnostic, FileId, Severity, Sources};

use crate::{
    cli::{self, Color, MessageFormat},
    render, write,
};
use place::Places;

/// Errors of one Runefile shown to a person; more only push the first off the screen.
const MOST_ERRORS: usize = 20;

/// How a command writes what it finds.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Style {
    /// How diagnostics are written.
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub message_format: MessageFormat,
    /// Write the diagnostics and nothing else.
    #[arg(short, long)]
    pub quiet: bool,
}

/// Writes diagnostics, and counts them. A pipe that is closed is no reason to fail.
pub struct Reporter<'a> {
    quiet: bool,
    /// For programs.
    out: Box<dyn Write + 'a>,
    /// For people.
    talk: Box<dyn WriteColor + 'a>,
    form: Form,
    tally: Tally,
    /// Findings of files that several Runefiles share, such as a layer below them, by file and place.
    shared: BTreeSet<(String, Code, u32, u32)>,
    /// Results could not be written.
    is_lost: bool,
}

/// What is written where. SARIF and `JUnit` are one document about all, written at the end.
enum Form {
    Human,
    Json,
    Github,
    Sarif(Box<sarif::Log>),
    Junit(junit::Report),
}

/// What was found so far.
#[derive(Debug, Default)]
struct Tally {
    runefiles: usize,
    /// Those with errors or warnings.
    flawed: usize,
    errors: usize,
    warnings: usize,
    /// Diagnostics with a fix.
    fixable: usize,
    /// Diagnostics that a person was spared.
    hidden: usize,
    faults: usize,
    /// The worst of the diagnostics, of those as bad the first.
    worst: Option<(Severity, Code)>,
}

impl<'a> Reporter<'a> {
    /// Writes in this form to standard output, or to standard error what is for people, who see colours where
    /// `color` says.
    pub fn new(format: MessageFormat, color: Color) -> Self {
        let choice = color.choice(io::stderr().is_terminal());
        Self::to(format, io::stdout(), StandardStream::stderr(choice))
    }

    /// Writes in this form what is for programs to `out`, and what is for people to `talk`.
    pub fn to(format: MessageFormat, out: impl Write + 'a, talk: impl WriteColor + 'a) -> Self {
        Self {
            quiet: false,
            out: Box::new(out),
            talk: Box::new(talk),
            form: match format {
                MessageFormat::Human => Form::Human,
                MessageFormat::Json => Form::Json,
                MessageFormat::Github => Form::Github,
                MessageFormat::Sarif => Form::Sarif(Box::default()),
                MessageFormat::Junit => Form::Junit(junit::Report::default()),
            },
            tally: Tally::default(),
            shared: BTreeSet::new(),
            is_lost: false,
        }
    }

    /// Writes as the command line says.
    pub(crate) fn of(style: Style, color: Color) -> Self {
        Self {
            quiet: style.quiet,
            ..Self::new(style.message_format, color)
        }
    }

    /// Takes in what was found about one Runefile, the first of `sources`, even if it is nothing.
    pub fn report(&mut self, sources: &Sources, diagnostics: &[Diagnostic]) {
        let mut news = diagnostics.to_vec();
        news.retain(|d| !self.is_old(sources, d));
        let diagnostics = &news[..];
        self.tally.count(diagnostics);
        if diagnostics.is_empty() && !matches!(self.form, Form::Junit(_)) {
            return;
        }
        let places = Places::new(sources);
        let mut lines = String::new();
        match &mut self.form {
            Form::Human => {
                let mut errors = 0;
                for diagnostic in diagnostics {
                    errors += usize::from(diagnostic.severity == Severity::Error);
                    if errors > MOST_ERRORS {
                        self.tally.hidden += 1;
                    } else {
                        let _ = render::human(&mut *self.talk, &places, diagnostic);
                    }
                }
            }
            Form::Json => {
                for diagnostic in diagnostics {
                    lines += &json::one(&places, diagnostic).to_string();
                    lines.push('\n');
                }
            }
            Form::Github => {
                for diagnostic in diagnostics {
                    lines += &github::line(&places, diagnostic);
                    lines.push('\n');
                }
            }
            Form::Sarif(log) => log.add(&places, diagnostics),
            Form::Junit(report) => report.add(&places, diagnostics),
        }
        self.write(&lines);
    }

    /// Whether this was reported already, for another Runefile. An error in a layer below is one of each
    /// Runefile on it, and so is never old.
    fn is_old(&mut self, sources: &Sources, found: &Diagnostic) -> bool {
        let span = found.primary.span;
        let is_own = span.file == FileId(0);
        let counts = found.severity == Severity::Error && found.code != Code::BadConfig;
        let name = || sources.name(span.file).to_owned();
        !is_own
            && !counts
            && !self
                .shared
                .insert((name(), found.code, span.start, span.end))
    }

    /// Takes in a sentence about what is wrong outside any Runefile, such as a file that cannot be read.
    /// People see it at once, whatever the form.
    pub fn fault(&mut self, message: &str) {
        self.tally.faults += 1;
        let _ = writeln!(self.talk, "error: {}", render::clean(message));
        match &mut self.form {
            Form::Human | Form::Json => {}
            Form::Github => self.write(&(github::fault(message) + "\n")),
            Form::Sarif(log) => log.fault(message),
            Form::Junit(report) => report.fault(message),
        }
    }

    /// The exit status of a command that only looks: 2 after a fault, else 1 after an error, else 0.
    pub fn status(&self) -> u8 {
        match (self.tally.faults, self.tally.errors) {
            (0, 0) => cli::OK,
            (0, _) => cli::ERRORS,
            _ => cli::USAGE,
        }
    }

    /// Ends the report of a command that ends with this status: documents are written, and people are told
    /// how many errors and warnings there were and where to learn more. Gives the status again, or 2 where not
    /// all could be written.
    pub fn finish(&mut self, status: u8) -> u8 {
        self.close(status);
        if self.is_lost { cli::USAGE } else { status }
    }

    fn close(&mut self, status: u8) {
        let summary = self.tally.summary().filter(|_| !self.quiet);
        let document = match &mut self.form {
            Form::Human => {
                if let Some(summary) = summary {
                    let _ = writeln!(self.talk, "{summary}");
                }
                return;
            }
            Form::Json | Form::Github => return,
            Form::Sarif(log) => format!("{:#}\n", log.finish(status)),
            Form::Junit(report) => report.finish(),
        };
        self.write(&document);
    }

    fn write(&mut self, text: &str) {
        let out = &mut self.out;
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        self.lose(write::lost(written));
    }

    /// Takes in what became of results on standard output. People are told the first time that some are lost.
    pub(crate) fn lose(&mut self, written: Result<(), String>) {
        if let Err(reason) = written
            && !std::mem::replace(&mut self.is_lost, true)
        {
            let _ = writeln!(self.talk, "error: {reason}");
        }
    }

    /// How many errors were reported.
    pub fn errors(&self) -> usize {
        self.tally.errors
    }
}

impl Tally {
    fn count(&mut self, diagnostics: &[Diagnostic]) {
        let (errors, warnings) = (self.errors, self.warnings);
        for diagnostic in diagnostics {
            match diagnostic.severity {
                Severity::Error => self.errors += 1,
                Severity::Warning => self.warnings += 1,
                Severity::Note => {}
            }
            self.fixable += usize::from(!diagnostic.fixes.is_empty());
            if self
                .worst
                .is_none_or(|(severity, _)| severity < diagnostic.severity)
            {
                self.worst = Some((diagnostic.severity, diagnostic.code));
            }
        }
        self.runefiles += 1;
        self.flawed += usize::from((errors, warnings) != (self.errors, self.warnings));
    }

    /// The last line a person sees; none where there is nothing to say.
    fn summary(&self) -> Option<String> {
        if self.errors + self.warnings == 0 {
            return None;
        }
        let counts: Vec<String> = [(self.errors, "error"), (self.warnings, "warning")]
            .into_iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, noun)| count(n, noun))
            .collect();
        let mut first = counts.join(", ");
        if self.runefiles > 1 {
            first = format!("{first} in {} of {} Runefiles", self.flawed, self.runefiles);
        }
        if self.hidden > 0 {
            first = format!("{first}, {} of them not shown", self.hidden);
        }
        let fixable = (self.fixable > 0).then(|| format!("{} with a fix", self.fixable));
        let more = self
            .worst
            .map(|(_, code)| format!("`runec explain {code}` says more"));
        let parts: Vec<String> = [Some(first), fixable, more].into_iter().flatten().collect();
        Some(parts.join("; "))
    }
}

fn count(n: usize, noun: &str) -> String {
    if n == 1 {
        format!("1 {noun}")
    } else {
        format!("{n} {noun}s")
    }
}

/// What stands below the message of a diagnostic, one sentence each.
fn advice(diagnostic: &Diagnostic) -> Vec<String> {
    let help = diagnostic.hints.iter().map(|hint| format!("help: {hint}"));
    let fixes = diagnostic
        .fixes
        .iter()
        .map(|fix| format!("fix: {}", fix.title));
    let more = format!("`runec explain {}` says more", diagnostic.code);
    let notes = diagnostic.notes.iter().cloned();
    notes.chain(help).chain(fixes).chain([more]).collect()
}
