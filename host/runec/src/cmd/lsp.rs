//! `runec lsp`: the language server, for editors.

use crate::{cli, cmd::complain, lsp};

pub(crate) const EXAMPLES: &str = "\
Speaks the Language Server Protocol on standard input and output. Editors start it; docs/book/editors.md
says how each is told to.

Exit status: 0 the editor shut it down, 1 the editor went away, 2 what came is not the protocol.";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Use standard input and output, as it always does: some editors say so.
    #[arg(long, hide = true)]
    stdio: bool,
}

pub(crate) fn run(_: &Args) -> u8 {
    lsp::stdio().unwrap_or_else(|error| {
        complain(&error.to_string());
        cli::USAGE
    })
}
