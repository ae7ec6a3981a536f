//! `runec inspect`: what is in a rune, or in an image of one.

use std::path::PathBuf;

use crate::{
    cli::{self, Color},
    cmd::{complain, print, refuse},
    inspect,
};

pub(crate) const EXAMPLES: &str = "\
Exit status: 0 shown, 1 no rune or a damaged one, or errors in the Runefile, 2 wrong usage or a file that
cannot be read.

Examples:
  runec inspect wand.rune                  interface, memory, sizes by stage, devices it fits
  runec inspect wand.img                   code, constants, RAM, functions of machine code
  runec inspect examples/gesture           the same of what its Runefile would build
  runec inspect wand.rune --json | jq .memory.bytes";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A rune, an image of one, a Runefile, or a folder with one.
    #[arg(default_value = ".")]
    path: PathBuf,
    /// One JSON object on standard output.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, color: Color) -> u8 {
    match inspect::Machine::open(&args.path) {
        None => {}
        Some(Err(reason)) => {
            complain(&format!("cannot show {}: {reason}", args.path.display()));
            return cli::ERRORS;
        }
        Some(Ok(machine)) => {
            return print(&if args.json {
                format!("{:#}\n", machine.json())
            } else {
                machine.text()
            });
        }
    }
    let rune = match inspect::open(&args.path) {
        Ok(rune) => rune,
        Err(failure) => return refuse(failure, color, cli::ERRORS),
    };
    let shown = if args.json {
        format!("{:#}\n", inspect::json(&rune))
    } else {
        inspect::text(&rune)
    };
    print(&shown)
}
