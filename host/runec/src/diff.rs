//! What a change to a Runefile would be, as a unified diff.

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use codespan_reporting::term::termcolor::{Color as Paint, ColorSpec, StandardStream, WriteColor};
use similar::TextDiff;

use crate::{cli::Color, write::lost};

/// Longest time to look for the shortest diff; after that any will do.
const PATIENCE: Duration = Duration::from_secs(2);

/// The unified diff from `old` to `new`, with three lines around each change; empty where they are equal.
pub(crate) fn unified(old: &str, new: &str, name: &str) -> String {
    TextDiff::configure()
        .timeout(PATIENCE)
        .diff_lines(old, new)
        .unified_diff()
        .header(name, name)
        .to_string()
}

/// Writes a unified diff to standard output, which people see in colours where `color` says.
///
/// # Errors
/// As [`write::out`](crate::write::out).
pub(crate) fn show(diff: &str, color: Color) -> Result<(), String> {
    let choice = color.choice(io::stdout().is_terminal());
    lost(write(&mut StandardStream::stdout(choice), diff))
}

fn write(out: &mut dyn WriteColor, diff: &str) -> io::Result<()> {
    for (i, line) in diff.split_inclusive('\n').enumerate() {
        let mut paint = ColorSpec::new();
        match line.bytes().next() {
            // The names of the two files.
            _ if i < 2 => paint.set_bold(true),
            Some(b'@') => paint.set_fg(Some(Paint::Cyan)),
            Some(b'+') => paint.set_fg(Some(Paint::Green)),
            Some(b'-') => paint.set_fg(Some(Paint::Red)),
            _ => &mut paint,
        };
        out.set_color(&paint)?;
        write!(out, "{}", line.strip_suffix('\n').unwrap_or(line))?;
        out.reset()?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use codespan_reporting::term::termcolor::{Ansi, NoColor};

    use super::*;

    const OLD: &str = "FROM a\nOUT  SERIAL\n";
    const NEW: &str = "FROM a\nOUT SERIAL\n";

    #[test]
    fn a_diff_has_the_form_that_patch_reads() {
        let diff = unified(OLD, NEW, "a/Runefile");
        let expected =
            "--- a/Runefile\n+++ a/Runefile\n@@ -1,2 +1,2 @@\n FROM a\n-OUT  SERIAL\n+OUT SERIAL\n";
        assert_eq!(diff, expected);
        assert_eq!(unified(OLD, OLD, "x"), "");
        let last = unified("OUT SERIAL", "OUT SERIAL\n", "x");
        assert!(last.contains("\n\\ No newline at end of file\n"), "{last}");
    }

    #[test]
    fn colours_are_all_that_is_added() {
        let diff = unified(OLD, NEW, "a/Runefile");
        let mut plain = NoColor::new(Vec::new());
        write(&mut plain, &diff).expect("a vector takes all that is written");
        assert_eq!(plain.into_inner(), diff.as_bytes());
        let mut coloured = Ansi::new(Vec::new());
        write(&mut coloured, &diff).expect("a vector takes all that is written");
        let coloured = String::from_utf8(coloured.into_inner()).expect("text stays text");
        assert!(
            coloured.contains("\x1b[32m+OUT SERIAL\x1b[0m\n"),
            "{coloured:?}"
        );
        assert!(
            coloured.contains("\x1b[31m-OUT  SERIAL\x1b[0m\n"),
            "{coloured:?}"
        );
    }
}
