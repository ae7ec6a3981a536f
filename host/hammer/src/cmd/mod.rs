//! One file per subcommand.

pub(crate) mod keygen;
pub(crate) mod keys;
pub(crate) mod sign;
pub(crate) mod targets;
pub(crate) mod verify;

use std::io::{self, Write};

use rune_terminal::{Failure, write};

/// Writes results to standard output.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    write::out(text.as_bytes()).map_err(Failure::usage)
}

/// Says on standard error what was done. That it is gone stops nothing.
pub(crate) fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
