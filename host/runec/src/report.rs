//! Diagnostics on the terminal: in which form, in which colours, how many.

use std::io::{self, IsTerminal, Write};

use codespan_reporting::term::termcolor::{ColorChoice, StandardStream};
use rune_ir::diag::{Diagnostic, Severity, Sources};

use crate::{
    cli::{Color, MessageFormat},
    render,
};

/// Errors shown to a person; more only push the first off the screen.
const MOST_ERRORS: usize = 20;

/// Writes diagnostics, and counts them.
pub struct Reporter {
    format: MessageFormat,
    stream: StandardStream,
    errors: usize,
    warnings: usize,
}

impl Reporter {
    /// Writes in this form; people see colours where `color` says.
    pub fn new(format: MessageFormat, color: Color) -> Self {
        let choice = match color {
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
            // termcolor's own Auto looks at NO_COLOR and TERM, but not at where the text goes.
            Color::Auto if io::stderr().is_terminal() => ColorChoice::Auto,
            Color::Auto => ColorChoice::Never,
        };
        Self {
            format,
            stream: StandardStream::stderr(choice),
            errors: 0,
            warnings: 0,
        }
    }

    /// Writes diagnostics. A stream that is closed is no reason to fail.
    pub fn report(&mut self, sources: &Sources, diagnostics: &[Diagnostic]) {
        for diagnostic in diagnostics {
            match diagnostic.severity {
                Severity::Error => self.errors += 1,
                Severity::Warning => self.warnings += 1,
                Severity::Note => {}
            }
            if self.format == MessageFormat::Human && self.errors > MOST_ERRORS {
                continue;
            }
            let _ = match self.format {
                MessageFormat::Human => render::human(&mut self.stream, sources, diagnostic),
                MessageFormat::Json => {
                    writeln!(io::stdout(), "{}", render::json(sources, diagnostic))
                }
            };
        }
    }

    /// Says how many errors and warnings there were and where to learn more.
    pub fn finish(&mut self, diagnostics: &[Diagnostic]) {
        if self.format == MessageFormat::Json || self.errors + self.warnings == 0 {
            return;
        }
        let count = |n: usize, noun: &str| {
            if n == 1 {
                format!("1 {noun}")
            } else {
                format!("{n} {noun}s")
            }
        };
        let mut parts = Vec::new();
        if self.errors > 0 {
            parts.push(count(self.errors, "error"));
        }
        if self.errors > MOST_ERRORS {
            parts.push(format!("the first {MOST_ERRORS} of them shown"));
        }
        if self.warnings > 0 {
            parts.push(count(self.warnings, "warning"));
        }
        let worst = diagnostics
            .iter()
            .max_by_key(|d| (d.severity, std::cmp::Reverse(d.primary.span.start)));
        let more = worst.map_or_else(String::new, |d| {
            format!("; `runec explain {}` says more", d.code)
        });
        let _ = writeln!(self.stream, "{}{more}", parts.join(", "));
    }

    /// How many errors were written.
    pub fn errors(&self) -> usize {
        self.errors
    }
}
