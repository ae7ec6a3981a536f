//! The command line of `hmr`.

use std::{ffi::OsString, process::ExitCode};

use clap::{Parser, Subcommand, error::ErrorKind};
use clap_complete::Shell;
use rune_terminal::Console;

use crate::cmd::{keygen, keys, print, sign, targets, verify};

/// Finds devices, deploys runes to them and proves what arrived; makes keys, signs and verifies.
#[derive(Debug, Parser)]
#[command(
    name = "hmr",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a key: a secret one that signs, and a public one that devices hold
    #[command(after_help = keygen::EXAMPLES)]
    Keygen(keygen::Args),
    /// Sign a rune or an image, in it, or any file beside it
    #[command(after_help = sign::EXAMPLES)]
    Sign(sign::Args),
    /// Check that somebody who is trusted signed a rune, an image or a file
    #[command(after_help = verify::EXAMPLES)]
    Verify(verify::Args),
    /// The keys that a device holds
    #[command(subcommand, after_help = keys::EXAMPLES)]
    Keys(keys::Keys),
    /// Devices: find them, deploy runes to them, see how they do
    #[command(subcommand, after_help = targets::EXAMPLES)]
    Targets(targets::Targets),
    /// Write the completions of a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Whether a command line is one of `hmr`, the program's name first; nothing runs.
///
/// # Errors
/// What clap says of wrong usage.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<(), String> {
    match Cli::try_parse_from(args) {
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::MissingRequiredArgument
                    | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            ) =>
        {
            Ok(())
        }
        Err(error) if error.use_stderr() => Err(error.to_string()),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Runs `hmr` with the arguments of a command line, the program's name first.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match rune_terminal::parse::<Cli>(args) {
        Ok(cli) => cli,
        Err(status) => return status,
    };
    let done = match cli.command {
        Command::Keygen(args) => keygen::run(&args),
        Command::Sign(args) => sign::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Keys(args) => keys::run(&args),
        Command::Targets(args) => targets::run(&args),
        Command::Completions { shell } => print(&rune_terminal::completions::<Cli>(shell)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(Console::new(false, false)),
    }
}
