//! The `hmr` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    rune_hammer::cli::main(std::env::args_os())
}
