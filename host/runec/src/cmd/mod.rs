//! One file per subcommand.

pub(crate) mod blocks;
pub(crate) mod build;
pub(crate) mod check;
pub(crate) mod explain;
pub(crate) mod new;

use std::io::{self, Write};

/// A line on standard error about what went wrong outside any Runefile.
pub(crate) fn complain(message: &str) {
    let _ = writeln!(io::stderr(), "error: {message}");
}
