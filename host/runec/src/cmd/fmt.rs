//! `runec fmt`: Runefiles in their canonical form.

use std::io::{self, Write};

use rune_ir::diag::{FileId, Sources};
use rune_runefile::{
    Format,
    fmt::{self, Unformatted},
};

use crate::{
    cli::{self, Color, MessageFormat},
    diff,
    find::{Paths, Source},
    parallel,
    report::Reporter,
    world::Input,
    write,
};

pub(crate) const EXAMPLES: &str = "\
Exit status: 0 all is canonical now, 1 with --check or --diff if something is not,
2 wrong usage, or a file that has errors or cannot be read or written; such a file stays as it is.

Examples:
  runec fmt                        every Runefile in this folder and below it
  runec fmt --check examples       list those that are not canonical
  runec fmt --diff Runefile        show what would change
  runec fmt - < Runefile           standard input to standard output";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    paths: Paths,
    /// Write nothing, and list the Runefiles that would change.
    #[arg(long)]
    check: bool,
    /// Write nothing, and show what would change.
    #[arg(long, conflicts_with = "check")]
    diff: bool,
}

/// What became of one Runefile.
enum Outcome {
    /// It is canonical.
    Same(Input),
    /// It would be this.
    Different(Input, String),
    /// YAML, which has no canonical form.
    Yaml(Input),
    /// It has errors.
    Faulty(Sources, Vec<rune_ir::diag::Diagnostic>),
}

pub(crate) fn run(args: &Args, color: Color) -> u8 {
    let mut reporter = Reporter::new(MessageFormat::Human, color);
    let found = args.paths.find();
    for fault in &found.faults {
        reporter.fault(fault);
    }
    let (mut seen, mut different, mut refused) = (0, 0, false);
    let mut sources = found.sources.iter();
    parallel::in_order(&found.sources, format, |outcome| {
        let source = sources.next();
        let is_stdin = matches!(source, Some(Source::Stdin(_)));
        seen += 1;
        match outcome {
            Ok(Outcome::Same(input)) if is_stdin && args.writes() => {
                reporter.lose(write::out(&input.bytes));
            }
            Ok(Outcome::Same(_)) => {}
            Ok(Outcome::Different(input, text)) => {
                match args.change(source, &input, &text, color) {
                    Ok(()) => different += 1,
                    Err(reason) => reporter.fault(&reason),
                }
            }
            Ok(Outcome::Yaml(input)) => {
                let _ = writeln!(
                    io::stderr(),
                    "note: {} is YAML, which has no canonical form; it stays as it is",
                    input.path
                );
                if is_stdin && args.writes() {
                    reporter.lose(write::out(&input.bytes));
                }
            }
            Ok(Outcome::Faulty(sources, diagnostics)) => {
                refused = true;
                reporter.report(&sources, &diagnostics);
            }
            Err(reason) => reporter.fault(&reason),
        }
    });
    let status = match reporter.status() {
        cli::OK if different > 0 && !args.writes() => cli::ERRORS,
        _ if refused => cli::USAGE,
        status => status,
    };
    let status = reporter.finish(status);
    if different > 0 && !found.sources.iter().any(|s| matches!(s, Source::Stdin(_))) {
        let verb = if args.writes() {
            "formatted"
        } else {
            "not canonical:"
        };
        let _ = writeln!(io::stderr(), "{verb} {different} of {seen} Runefiles");
    }
    status
}

impl Args {
    /// Whether what changes is written.
    fn writes(&self) -> bool {
        !self.check && !self.diff
    }

    /// Writes, lists or shows a change.
    fn change(
        &self,
        source: Option<&Source>,
        input: &Input,
        text: &str,
        color: Color,
    ) -> Result<(), String> {
        if self.check {
            write::out(format!("{}\n", input.path).as_bytes())?;
        } else if self.diff {
            let old = String::from_utf8_lossy(&input.bytes);
            diff::show(&diff::unified(&old, text, &input.path), color)?;
        } else if let Some(Source::File(path)) = source {
            write::whole(path, text.as_bytes())?;
        } else {
            write::out(text.as_bytes())?;
        }
        Ok(())
    }
}

fn format(source: &Source) -> Result<Outcome, String> {
    let input = source.open()?;
    if Format::of(&input.path) == Format::Yaml {
        return Ok(Outcome::Yaml(input));
    }
    let mut sources = Sources::default();
    let file: FileId = sources.add(&input.path, String::from_utf8_lossy(&input.bytes));
    match fmt::format(file, &input.bytes, &input.world) {
        Ok(text) if text.as_bytes() == input.bytes => Ok(Outcome::Same(input)),
        Ok(text) => Ok(Outcome::Different(input, text)),
        Err(Unformatted::Faulty(found)) => Ok(Outcome::Faulty(sources, found)),
        Err(Unformatted::Changed(_)) => Err(format!(
            "{} stays as it is: formatted it would mean something else, which is a bug in runec; please \
             report it with the file",
            input.path
        )),
    }
}
