//! The command line of `runec`.

use std::{ffi::OsString, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand, ValueEnum, error::ErrorKind};
use codespan_reporting::term::termcolor::ColorChoice;

use crate::cmd;

/// Ends well.
pub const OK: u8 = 0;
/// The Runefile has errors.
pub const ERRORS: u8 = 1;
/// Wrong usage, or a file that cannot be read or written.
pub const USAGE: u8 = 2;

/// Compiles Runefiles: models and signal processing for edge devices, in one small WebAssembly module.
#[derive(Debug, Parser)]
#[command(
    name = "runec",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// When to colour messages.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: Color,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compile a Runefile to a rune.
    #[command(after_help = cmd::build::EXAMPLES)]
    Build(cmd::build::Args),
    /// Check Runefiles without writing anything.
    #[command(after_help = cmd::check::EXAMPLES)]
    Check(cmd::check::Args),
    /// Find what a Runefile may say and probably should not, and fix it.
    #[command(after_help = cmd::lint::EXAMPLES)]
    Lint(cmd::lint::Args),
    /// Write Runefiles in their canonical form.
    #[command(after_help = cmd::fmt::EXAMPLES)]
    Fmt(cmd::fmt::Args),
    /// Write a Runefile in its other form: YAML to text, or text to YAML.
    #[command(after_help = cmd::convert::EXAMPLES)]
    Convert(cmd::convert::Args),
    /// List the blocks of the catalogue, or show one.
    #[command(after_help = cmd::blocks::EXAMPLES)]
    Blocks(cmd::blocks::Args),
    /// Show what is in a rune: interface, memory, sizes by stage, the devices it fits.
    #[command(after_help = cmd::inspect::EXAMPLES)]
    Inspect(cmd::inspect::Args),
    /// Show what changed from one rune to another, permissions first.
    #[command(after_help = cmd::diff::EXAMPLES)]
    Diff(cmd::diff::Args),
    /// Draw a pipeline: stages, and the types of the tensors between them.
    #[command(after_help = cmd::graph::EXAMPLES)]
    Graph(cmd::graph::Args),
    /// Describe a model file: operators, shapes, work, memory.
    #[command(after_help = cmd::model::EXAMPLES)]
    Model(cmd::model::Args),
    /// Write a Runefile or a block to begin with.
    #[command(after_help = cmd::new::EXAMPLES)]
    New(cmd::new::Args),
    /// Explain a diagnostic, such as R0301.
    #[command(after_help = cmd::explain::EXAMPLES)]
    Explain(cmd::explain::Args),
    /// Write the completions of a shell.
    #[command(after_help = cmd::completions::EXAMPLES)]
    Completions(cmd::completions::Args),
    /// Answer an editor: the language server.
    #[command(after_help = cmd::lsp::EXAMPLES)]
    Lsp(cmd::lsp::Args),
    /// Write manual pages.
    #[command(after_help = cmd::man::EXAMPLES)]
    Man(cmd::man::Args),
}

/// When output is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// In a terminal, unless `NO_COLOR` is set and not empty.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Whether to colour what goes to a terminal, or to something else.
    pub(crate) fn choice(self, is_terminal: bool) -> ColorChoice {
        // termcolor knows dumb terminals, but takes an empty `NO_COLOR` for one that is set.
        let unwanted = std::env::var_os("NO_COLOR");
        match self {
            Self::Always => ColorChoice::Always,
            Self::Never => ColorChoice::Never,
            Self::Auto if !is_terminal => ColorChoice::Never,
            Self::Auto if unwanted.is_some_and(|value| value.is_empty()) => ColorChoice::Always,
            Self::Auto => ColorChoice::Auto,
        }
    }
}

/// How diagnostics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MessageFormat {
    /// For people, on standard error.
    Human,
    /// One JSON object per line, on standard output.
    Json,
    /// SARIF 2.1.0, one document on standard output.
    Sarif,
    /// Commands of a GitHub workflow, on standard output.
    Github,
    /// A `JUnit` report, one document on standard output.
    Junit,
}

/// Whether a command line is one of `runec`, the program's name first, or the beginning of one; nothing runs.
///
/// # Errors
/// What clap says of wrong usage.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<(), String> {
    match Cli::try_parse_from(args) {
        Err(error) if error.kind() == ErrorKind::MissingRequiredArgument => Ok(()),
        Err(error) if error.use_stderr() => Err(error.to_string()),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Runs `runec` with the arguments of a command line, the program's name first.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are asked for and go to standard output; the rest is wrong usage.
            let code = if error.use_stderr() { USAGE } else { OK };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    ExitCode::from(match cli.command {
        Command::Build(args) => cmd::build::run(&args, cli.color),
        Command::Check(args) => cmd::check::run(&args, cli.color),
        Command::Lint(args) => cmd::lint::run(&args, cli.color),
        Command::Fmt(args) => cmd::fmt::run(&args, cli.color),
        Command::Convert(args) => cmd::convert::run(&args, cli.color),
        Command::Blocks(args) => cmd::blocks::run(&args),
        Command::Inspect(args) => cmd::inspect::run(&args, cli.color),
        Command::Diff(args) => cmd::diff::run(&args, cli.color),
        Command::Graph(args) => cmd::graph::run(&args, cli.color),
        Command::Model(args) => cmd::model::run(&args),
        Command::New(args) => cmd::new::run(&args),
        Command::Explain(args) => cmd::explain::run(&args),
        Command::Completions(args) => cmd::completions::run(&args, Cli::command()),
        Command::Lsp(args) => cmd::lsp::run(&args),
        Command::Man(args) => cmd::man::run(&args, Cli::command()),
    })
}
