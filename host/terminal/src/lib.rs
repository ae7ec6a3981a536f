//! What the programs of Rune share at the terminal: messages, results, files written whole, completions, exit statuses.

mod bar;
mod console;
pub mod password;
pub mod write;

use std::{fmt::Display, process::ExitCode};

use clap::{Command, CommandFactory, Parser};
use clap_complete::Shell;

pub use bar::Bar;
pub use console::Console;

/// Why a program ends without success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit status: 1 what was asked for failed or was refused, 2 wrong usage, or a file that cannot be read or written.
    pub status: u8,
    /// A sentence each.
    pub messages: Vec<String>,
}

impl Failure {
    /// What was asked for failed or was refused.
    pub fn refused(message: impl Display) -> Self {
        Self {
            status: 1,
            messages: vec![message.to_string()],
        }
    }

    /// The user or a file is at fault.
    pub fn usage(message: impl Display) -> Self {
        Self {
            status: 2,
            messages: vec![message.to_string()],
        }
    }

    /// Says it, and gives the exit status.
    pub fn report(&self, console: Console) -> ExitCode {
        for message in &self.messages {
            console.say(1, message);
        }
        ExitCode::from(self.status)
    }
}

/// Reads a command line; help, the version and wrong usage end it, with the exit status.
///
/// # Errors
/// The exit status: 0 where help or the version was asked for.
pub fn parse<C: Parser>(args: impl IntoIterator<Item = std::ffi::OsString>) -> Result<C, ExitCode> {
    C::try_parse_from(args).map_err(|error| {
        let code = if error.use_stderr() { 2 } else { 0 };
        // That it cannot be shown stops nothing.
        let _ = error.print();
        ExitCode::from(code)
    })
}

/// What a shell needs to complete the command lines of a program.
pub fn completions<C: CommandFactory>(shell: Shell) -> String {
    script(shell, &mut C::command())
}

/// The same of a command that is at hand.
pub fn script(shell: Shell, command: &mut Command) -> String {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, command, name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
