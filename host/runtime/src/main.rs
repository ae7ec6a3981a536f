//! The program `rune`.

use std::process::ExitCode;

fn main() -> ExitCode {
    rune_runtime::cli::main()
}
