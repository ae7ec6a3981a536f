//! Standard error, where everything goes that is not a result.

use std::io::{self, IsTerminal, Write};

/// How messages look, and which are shown.
#[derive(Clone, Copy, Debug)]
pub struct Console {
    /// Whether messages are lines of JSON.
    pub json: bool,
    colour: bool,
    verbose: bool,
}

impl Console {
    /// For messages as JSON or as text, with those for debugging or without. Text is coloured in a terminal, unless
    /// `NO_COLOR` is set.
    pub fn new(json: bool, verbose: bool) -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            json,
            colour: io::stderr().is_terminal() && !no_colour,
            verbose,
        }
    }

    /// Says a line; the level is 1 (error) to 5 (trace). That standard error is gone stops nothing.
    pub fn say(self, level: u32, message: &str) {
        let (name, paint) = match level {
            1 => ("error", "\x1b[1;31m"),
            2 => ("warning", "\x1b[1;33m"),
            3 => ("note", "\x1b[1;36m"),
            4 => ("debug", "\x1b[2m"),
            _ => ("trace", "\x1b[2m"),
        };
        if level > 3 && !self.verbose {
            return;
        }
        let line = if self.json {
            let message = serde_json::Value::from(message);
            format!("{{\"level\": \"{name}\", \"message\": {message}}}")
        } else if self.colour {
            format!("{paint}{name}\x1b[0m: {message}")
        } else {
            format!("{name}: {message}")
        };
        let _ = writeln!(io::stderr(), "{line}");
    }
}
