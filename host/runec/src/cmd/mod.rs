//! One file per subcommand.

pub(crate) mod aot;
pub(crate) mod blocks;
pub(crate) mod build;
pub(crate) mod c;
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

use crate::{
    cli::{self, Color, MessageFormat},
    find::Source,
    inspect::Failure,
    report::Reporter,
    world::Input,
    write,
};

/// Opens the Runefile of a path, or of standard input for `-`, and says on standard error if there is one in another form beside it.
pub(crate) fn open(path: &Path) -> Result<Input, String> {
    if path.as_os_str() == "-" {
        return Source::Stdin("<stdin>".into()).open();
    }
    let input = Input::open(path)?;
    if let Some(beside) = &input.beside {
        let (chosen, other) = (&input.path, beside.display());
        let _ = writeln!(io::stderr(), "note: {chosen} counts, not {other} beside it");
    }
    Ok(input)
}

/// Writes results to standard output; gives the exit status.
pub(crate) fn print(text: &str) -> u8 {
    match write::out(text.as_bytes()) {
        Ok(()) => cli::OK,
        Err(reason) => {
            complain(&reason);
            cli::USAGE
        }
    }
}

/// Writes results to a file, or to standard output where there is none; gives the exit status.
pub(crate) fn put(text: &str, file: Option<&Path>) -> u8 {
    match file.map(|path| write::whole(path, text.as_bytes())) {
        None => print(text),
        Some(Ok(())) => cli::OK,
        Some(Err(reason)) => {
            complain(&reason);
            cli::USAGE
        }
    }
}

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
            reporter.finish(errors)
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
