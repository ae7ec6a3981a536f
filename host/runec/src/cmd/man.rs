//! `runec man`: manual pages of the command lines.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clap::Command;
use clap_mangen::Man;

use crate::{
    cli,
    cmd::{complain, print},
};

pub(crate) const EXAMPLES: &str = "\
Exit status: 0 written, 2 wrong usage or a folder that cannot be written.

Examples:
  runec man | man -l -                        read the page of runec
  runec man --out ~/.local/share/man/man1     a page for each command";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A folder for the pages of all commands; without it the page of runec goes to standard output.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, mut command: Command) -> u8 {
    command.build();
    let Some(folder) = &args.out else {
        let page = page(command).unwrap_or_default();
        return print(&String::from_utf8_lossy(&page));
    };
    match write(folder, &command) {
        Ok(()) => cli::OK,
        Err(error) => {
            complain(&format!("{} cannot be written: {error}", folder.display()));
            cli::USAGE
        }
    }
}

/// Writes the page of a command, and of each of its own.
fn write(folder: &Path, command: &Command) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let commands = command.get_subcommands().filter(|c| c.get_name() != "help");
    for command in std::iter::once(command).chain(commands) {
        let name = command
            .get_display_name()
            .unwrap_or_else(|| command.get_name())
            .to_owned();
        fs::write(folder.join(format!("{name}.1")), page(command.clone())?)?;
    }
    Ok(())
}

fn page(command: Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    Ok(page)
}
