//! `runec completions SHELL`: what a shell needs to complete command lines.

use clap::Command;
use clap_complete::Shell;

use crate::cmd::print;

pub(crate) const EXAMPLES: &str = "\
Examples:
  runec completions bash > ~/.local/share/bash-completion/completions/runec
  runec completions zsh > ~/.zfunc/_runec
  runec completions fish > ~/.config/fish/completions/runec.fish";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell.
    shell: Shell,
}

pub(crate) fn run(args: &Args, mut command: Command) -> u8 {
    print(&rune_terminal::script(args.shell, &mut command))
}
