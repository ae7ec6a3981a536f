//! How far something is, on standard error.

use std::io::{self, IsTerminal, Write};

/// A line that is written again and again while something goes on; only a terminal gets it.
#[derive(Debug)]
pub struct Bar {
    is_shown: bool,
    /// What is shown, and how far it is.
    now: Option<(String, u64)>,
}

impl Bar {
    /// One that is shown, if at all anything is to be.
    pub fn new(quiet: bool) -> Self {
        Self {
            is_shown: !quiet && io::stderr().is_terminal(),
            now: None,
        }
    }

    /// Shows that of something so much is done. Each thing gets a line of its own.
    pub fn show(&mut self, what: &str, done: u64, all: u64) {
        if !self.is_shown {
            return;
        }
        let percent = (done.min(all) * 100).checked_div(all).unwrap_or(100);
        let is_same = self.now.as_ref().is_some_and(|(before, _)| before == what);
        if is_same
            && self
                .now
                .as_ref()
                .is_some_and(|(_, before)| *before == percent)
        {
            return;
        }
        let new = if self.now.is_some() && !is_same {
            "\n"
        } else {
            ""
        };
        // That it is not seen stops nothing.
        let _ = write!(io::stderr(), "{new}\r{what}: {percent} %");
        self.now = Some((what.to_owned(), percent));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if self.now.is_some() {
            let _ = writeln!(io::stderr());
        }
    }
}
