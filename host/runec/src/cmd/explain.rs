//! `runec explain CODE`: the page about a diagnostic.

use std::io::{self, Write};

use rune_ir::diag::{Code, did_you_mean};

use crate::{cli, cmd::complain, explain};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The code, such as R0301; without one, every code is listed.
    code: Option<String>,
}

pub(crate) fn run(args: &Args) -> u8 {
    let mut out = io::stdout().lock();
    let Some(number) = &args.code else {
        for code in Code::ALL {
            let _ = writeln!(
                out,
                "{}  {:24}  {}",
                code.number(),
                code.name(),
                code.summary()
            );
        }
        return cli::OK;
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
    let _ = write!(out, "{}", explain::page(code).unwrap_or(code.summary()));
    cli::OK
}
