//! `runec explain CODE`: the page about a diagnostic.

use rune_ir::diag::{Code, did_you_mean};

use crate::{
    cli,
    cmd::{complain, print},
    explain,
};

pub(crate) const EXAMPLES: &str = "\
Exit status: 0 shown, 2 no such diagnostic.

Examples:
  runec explain R0301
  runec explain unused-stage    by the name that Rune.toml and comments use
  runec explain | grep model    find one";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The code or the name, such as R0301 or type-mismatch; without one, every code is listed.
    code: Option<String>,
}

pub(crate) fn run(args: &Args) -> u8 {
    let Some(number) = &args.code else {
        let row = |code: &Code| {
            let (number, name, summary) = (code.number(), code.name(), code.summary());
            format!("{number}  {name:24}  {summary}\n")
        };
        return print(&Code::ALL.iter().map(row).collect::<String>());
    };
    let Some(code) = Code::from_text(number) else {
        let near = did_you_mean(
            number,
            Code::ALL.iter().flat_map(|c| [c.number(), c.name()]),
        );
        let hint = near.map_or_else(
            || "`runec explain` lists them".to_owned(),
            |n| format!("did you mean {n}?"),
        );
        complain(&format!("there is no diagnostic {number}; {hint}"));
        return cli::USAGE;
    };
    print(explain::page(code).unwrap_or(code.summary()))
}
