//! One file per subcommand.

pub(crate) mod blocks;
pub(crate) mod build;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod convert;
pub(crate) mod diff;
pub(crate) mod explain;
pub(crate) mod fmt;
pub(crate) mod graph;
pub(crate) mod inspect;
pub(crate) mod lint;
pub(crate) mod lsp;
pub(crate) mod man;
pub(crate) mod model;
pub(crate) mod new;

use std::{
    io::{self, Write},
    path::Path,
};

use crate::world::Input;

/// Opens the Runefile of a path, and says on standard error if there is one in another form beside it.
pub(crate) fn open(path: &Path) -> Result<Input, String> {
    let input = Input::open(path)?;
    if let Some(beside) = &input.beside {
        let (chosen, other) = (&input.path, beside.display());
        let _ = writeln!(io::stderr(), "note: {chosen} counts, not {other} beside it");
    }
    Ok(input)
}

use crate::{
    cli::{self, Color, MessageFormat},
    inspect::Failure,
    report::Reporter,
};

/// A line on standard error about what went wrong outside any Runefile.
pub(crate) fn complain(message: &str) {
    let _ = writeln!(io::stderr(), "error: {message}");
}

/// Says why there is no rune to look at. Gives the exit status: `errors` where there is a file, but no rune.
pub(crate) fn refuse(failure: Failure, color: Color, errors: u8) -> u8 {
    match failure {
        Failure::Errors(compiled) => {
            let mut reporter = Reporter::new(MessageFormat::Human, color);
            reporter.report(&compiled.sources, &compiled.diagnostics);
            reporter.finish(errors);
            errors
        }
        Failure::NoRune(reason) => {
            complain(&reason);
            errors
        }
        Failure::Unreadable(reason) => {
            complain(&reason);
            cli::USAGE
        }
    }
}
