//! `runec check`: everything but code generation.

use crate::{
    cli::{self, Color, MessageFormat},
    cmd::complain,
    driver,
    find::Paths,
    report::Reporter,
};

pub(crate) const EXAMPLES: &str = "\
Exit status: 0 no errors, 1 errors, 2 wrong usage or a file that cannot be read.

Examples:
  runec check                      every Runefile in this folder and below it
  runec check - < Runefile         standard input
  runec check --message-format json Runefile";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    paths: Paths,
    /// How diagnostics are written.
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    message_format: MessageFormat,
}

pub(crate) fn run(args: &Args, color: Color) -> u8 {
    let mut reporter = Reporter::new(args.message_format, color);
    let mut all = Vec::new();
    let found = args.paths.find();
    let mut unreadable = !found.faults.is_empty();
    found.faults.iter().for_each(|fault| complain(fault));
    for source in &found.sources {
        match source.open() {
            Ok(input) => {
                let checked = driver::check(&input.path, &input.name, &input.bytes, &input.world);
                reporter.report(&checked.sources, &checked.diagnostics);
                all.extend(checked.diagnostics);
            }
            Err(reason) => {
                complain(&reason);
                unreadable = true;
            }
        }
    }
    reporter.finish(&all);
    match (unreadable, reporter.errors()) {
        (true, _) => cli::USAGE,
        (false, 0) => cli::OK,
        (false, _) => cli::ERRORS,
    }
}
