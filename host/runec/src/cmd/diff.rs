//! `runec diff`: what changed from one rune to another.

use std::path::PathBuf;

use crate::{
    cli::{self, Color},
    cmd::{print, refuse},
    inspect::{self, Diff},
};

pub(crate) const EXAMPLES: &str = "\
Exit status: 0 the same interface, 1 another one (what it reads or writes), 2 wrong usage or trouble.

Examples:
  runec diff old.rune new.rune             permissions first, then the rest
  runec diff shipped.rune .                against what the Runefile here would build
  runec diff old.rune new.rune --json | jq '.changes[] | select(.topic == \"permissions\")'";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The rune as it was: a rune, a Runefile, or a folder with one.
    old: PathBuf,
    /// The rune as it is.
    new: PathBuf,
    /// One JSON object on standard output.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, color: Color) -> u8 {
    let open = |path| inspect::open(path).map_err(|f| refuse(f, color, cli::USAGE));
    let runes = open(&args.old).and_then(|old| Ok((old, open(&args.new)?)));
    let diff = match runes {
        Ok((old, new)) => Diff::new(&old, &new),
        Err(status) => return status,
    };
    let shown = if args.json {
        format!("{:#}\n", diff.json())
    } else {
        diff.text()
    };
    match print(&shown) {
        cli::OK if !diff.is_same_interface() => cli::ERRORS,
        status => status,
    }
}
