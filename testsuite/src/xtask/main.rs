//! The project's own tools: `cargo xtask ci | bless | blocks [--check] [NAME...]`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for the terminal"
)]

mod blocks;

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

const HELP: &str = "\
Usage: cargo xtask <COMMAND>

Commands:
  ci                what CI runs: format, lints, every test
  bless             accept what the golden tests give now
  blocks [--check] [NAME...]
                    compile the processing blocks, or those named, to stdlib/catalogue, or compare with
                    what is there";

fn main() -> ExitCode {
    // Under another name it is that program: the tests of the book follow its text with these.
    let called = std::env::args_os().next().map(PathBuf::from);
    match called
        .as_deref()
        .and_then(Path::file_stem)
        .and_then(OsStr::to_str)
    {
        Some("runec") => return runec::cli::main(std::env::args_os()),
        Some("rune") => return rune_runtime::cli::main(),
        _ => {}
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["ci"] => ci(),
        ["bless"] => bless(),
        ["blocks", "--check", ref names @ ..] => blocks::run(true, names),
        ["blocks", ref names @ ..] if !names.iter().any(|n| n.starts_with('-')) => {
            blocks::run(false, names)
        }
        ["help" | "--help" | "-h"] => {
            println!("{HELP}");
            Ok(())
        }
        _ => {
            eprintln!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("error: {what}");
            ExitCode::FAILURE
        }
    }
}

/// Format, lints and tests, of the workspace and of the blocks' own.
fn ci() -> Result<(), String> {
    cargo(&["fmt", "--all", "--check"])?;
    cargo(&[
        "fmt",
        "--all",
        "--check",
        "--manifest-path",
        "proc-blocks/Cargo.toml",
    ])?;
    cargo(&[
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ])?;
    cargo(&[
        "clippy",
        "--quiet",
        "--manifest-path",
        "proc-blocks/Cargo.toml",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ])?;
    cargo(&[
        "test",
        "--quiet",
        "--manifest-path",
        "proc-blocks/Cargo.toml",
        "--workspace",
    ])?;
    test(&[])
}

/// Takes what insta and our own corpora find as the new truth.
fn bless() -> Result<(), String> {
    test(&[
        ("INSTA_UPDATE", "always"),
        ("INSTA_FORCE_PASS", "1"),
        ("BLESS", "1"),
    ])
}

/// The examples in docs, then every test of the workspace, by nextest where it is installed.
fn test(environment: &[(&str, &str)]) -> Result<(), String> {
    run(&["test", "--quiet", "--workspace", "--doc"], environment)?;
    let version = Command::new("cargo")
        .args(["nextest", "--version"])
        .output();
    let runner: &[&str] = if version.is_ok_and(|o| o.status.success()) {
        &["nextest", "run"]
    } else {
        &["test", "--lib", "--bins", "--tests"]
    };
    let all: Vec<&str> = [runner, &["--workspace", "--no-fail-fast"]].concat();
    run(&all, environment)
}

fn cargo(args: &[&str]) -> Result<(), String> {
    run(args, &[])
}

fn run(args: &[&str], environment: &[(&str, &str)]) -> Result<(), String> {
    println!("== cargo {}", args.join(" "));
    let status = Command::new("cargo")
        .args(args)
        .envs(environment.iter().copied())
        .current_dir(rune_testsuite::root())
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(format!("cargo {} failed", args.join(" "))),
        Err(error) => Err(format!("cargo cannot be run: {error}")),
    }
}
