//! The library as C sees it: its header, and programs in C that use it well and badly, plainly, under sanitizers and
//! under valgrind.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod header;
mod panic;
mod programs;
#[path = "../../../../runtime-mcu/core/tests/runes/mod.rs"]
mod runes;

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// Where cargo leaves the library for the tests: beside them.
fn library_folder() -> PathBuf {
    let folder = env::current_exe().unwrap().parent().unwrap().to_owned();
    assert!(
        folder.join("librunicos.so").is_file(),
        "{}",
        folder.display()
    );
    folder
}

/// A path in this crate.
fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Whether a program is installed; says that a test is skipped where it is not.
fn is_there(program: &str) -> bool {
    let is_there = Command::new(program).arg("--version").output();
    let is_there = is_there.is_ok_and(|output| output.status.success());
    if !is_there {
        skip(&format!("there is no `{program}` here"));
    }
    is_there
}

#[expect(
    clippy::print_stderr,
    reason = "a skipped test must not look like one that ran"
)]
fn skip(why: &str) {
    eprintln!("skipped: {why}");
}
