//! The `runec` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    runec::cli::main(std::env::args_os())
}
