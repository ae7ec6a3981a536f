//! Diagnostics as a report of `JUnit`, which most CI servers show as a table of tests.

use std::fmt::Write;

use rune_ir::diag::{Diagnostic, FileId, Severity};

use super::place::{Places, slashes};
use crate::render;

/// A report in the making: a suite for each Runefile, in it a test for each diagnostic, or one that passed.
#[derive(Debug, Default)]
pub(super) struct Report {
    suites: String,
    tests: usize,
    failures: usize,
    faults: Vec<String>,
}

impl Report {
    /// Takes in what was found about one Runefile, the first of the texts. Errors are failures; warnings pass and say what they say
    /// as output of their test, for a run with nothing worse counts as good.
    pub(super) fn add(&mut self, places: &Places<'_>, diagnostics: &[Diagnostic]) {
        let name = attribute(&slashes(places.sources().name(FileId(0))));
        let mut cases = String::new();
        let mut failures = 0;
        for diagnostic in diagnostics {
            let start = places.region(diagnostic.primary.span).start;
            let code = diagnostic.code;
            let title = format!("{code} {} at {}:{}", code.name(), start.line, start.column);
            let text = escape(&render::plain_one(places, diagnostic));
            let body = if diagnostic.severity == Severity::Error {
                failures += 1;
                let message = attribute(&diagnostic.message);
                format!("<failure type=\"{code}\" message=\"{message}\">{text}</failure>")
            } else {
                format!("<system-out>{text}</system-out>")
            };
            case(&mut cases, &name, &title, &body);
        }
        if diagnostics.is_empty() {
            case(&mut cases, &name, "check", "");
        }
        let tests = diagnostics.len().max(1);
        self.suite(&name, tests, failures, 0, &cases);
    }

    /// Takes in what is wrong outside any Runefile.
    pub(super) fn fault(&mut self, message: &str) {
        self.faults.push(message.to_owned());
    }

    /// The whole report.
    pub(super) fn finish(&mut self) -> String {
        let faults = std::mem::take(&mut self.faults);
        if !faults.is_empty() {
            let mut cases = String::new();
            for (i, fault) in faults.iter().enumerate() {
                let body = format!("<error type=\"runec\" message=\"{}\"/>", attribute(fault));
                case(&mut cases, "runec", &format!("fault {}", i + 1), &body);
            }
            self.suite("runec", faults.len(), 0, faults.len(), &cases);
        }
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <testsuites name=\"runec\" tests=\"{}\" failures=\"{}\" errors=\"{}\">\n{}</testsuites>\n",
            self.tests,
            self.failures,
            faults.len(),
            self.suites
        )
    }

    /// Adds a suite; the name is escaped.
    fn suite(&mut self, name: &str, tests: usize, failures: usize, errors: usize, cases: &str) {
        self.tests += tests;
        self.failures += failures;
        writeln!(
            self.suites,
            "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" \
             errors=\"{errors}\" skipped=\"0\" time=\"0\">\n{cases}  </testsuite>"
        )
        .expect("a string takes all that is written");
    }
}

/// Adds a test; class and body are escaped.
fn case(cases: &mut String, class: &str, name: &str, body: &str) {
    let name = attribute(name);
    writeln!(
        cases,
        "    <testcase classname=\"{class}\" name=\"{name}\" time=\"0\">{body}</testcase>"
    )
    .expect("a string takes all that is written");
}

/// The value of an attribute, where an end of line would be read as a blank.
fn attribute(text: &str) -> String {
    escape(text).replace('\n', "&#10;").replace('\t', "&#9;")
}

/// A text in XML 1.0. What it cannot hold, such as control characters, becomes U+FFFD.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            '\n' | '\t' | ' '..='\u{7e}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'.. => out.push(c),
            _ => out.push(char::REPLACEMENT_CHARACTER),
        }
    }
    out
}
