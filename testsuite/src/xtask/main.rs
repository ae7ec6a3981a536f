//! The project's own tools: `cargo xtask ci | bless | blocks [--check] [NAME...] | editors [--bless] | qemu RUNE ... |
//! fleet ... | miri [FILTER...]`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for the terminal"
)]

mod blocks;
mod editors;
mod fleet;
mod qemu;

use std::{
    env,
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
    process::{Command, ExitCode, ExitStatus, Stdio},
};

use rune_testsuite::qemu as board;

const HELP: &str = "\
Usage: cargo xtask <COMMAND>

Commands:
  ci                what CI runs: format, lints, every test
  bless             accept what the golden tests give now
  blocks [--check] [NAME...]
                    compile the processing blocks, or those named, to stdlib/catalogue, or compare with
                    what is there
  editors [--bless] test and package the extensions of editors, and compare their parser with its grammar;
                    what this needs from outside, npm's packages above all, is not part of ci
  qemu [--simd] RUNE [--accel FILE] [--rand SEED] ... [-n CALLS]
                    run a rune on the emulated board mps2-an500, with the flags of `rune run`
  fleet [-n DEVICES] [--boards BOARDS] [-- COMMAND ...]
                    boards and Linux devices in a private network, and a shell there in which `hmr` finds them
  miri [FILTER...]  test the unsafe code that boards share under Miri; this needs `rustup toolchain install nightly
                    --component miri,rust-src` and minutes, and is not part of ci";

fn main() -> ExitCode {
    // Under another name it is that program: the tests of the book follow its text with these.
    let called = env::args_os().next().map(PathBuf::from);
    match called
        .as_deref()
        .and_then(Path::file_stem)
        .and_then(OsStr::to_str)
    {
        Some("runec") => return runec::cli::main(env::args_os()),
        Some("rune") => return rune_runtime::cli::main(),
        Some("hmr") => return rune_hammer::cli::main(env::args_os()),
        _ => {}
    }
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    if let ["fleet", args @ ..] = &args[..] {
        return fleet::run(args).unwrap_or_else(|what| {
            eprintln!("error: {what}");
            ExitCode::FAILURE
        });
    }
    let result = match args[..] {
        ["help"] | [.., "--help" | "-h"] => {
            println!("{HELP}");
            Ok(())
        }
        ["ci"] => ci(),
        ["bless"] => bless(),
        ["blocks", "--check", ref names @ ..] => blocks::run(true, names),
        ["blocks", ref names @ ..] if !names.iter().any(|n| n.starts_with('-')) => {
            blocks::run(false, names)
        }
        ["qemu", ref args @ ..] => qemu::run(args),
        ["miri", ref filters @ ..] => miri(filters),
        ["editors"] => editors::run(false),
        ["editors", "--bless"] => editors::run(true),
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
    install();
    let warnings = ["--", "-D", "warnings"];
    cargo(&["fmt", "--all", "--check"])?;
    in_blocks(&["fmt", "--all", "--check"])?;
    cargo(
        &[
            &["clippy", "--quiet", "--workspace", "--all-targets"][..],
            &warnings,
        ]
        .concat(),
    )?;
    let camera = ["--package", "rune-runtime", "--features", "v4l2"];
    let lint = [
        &["clippy", "--quiet", "--all-targets"][..],
        &camera,
        &warnings,
    ];
    cargo(&lint.concat())?;
    cargo(&[&["test", "--quiet", "--lib"][..], &camera, &["camera"]].concat())?;
    in_blocks(
        &[
            &["clippy", "--quiet", "--workspace", "--all-targets"][..],
            &warnings,
        ]
        .concat(),
    )?;
    in_blocks(&["test", "--quiet", "--workspace"])?;
    firmware(&warnings)?;
    test(&[])
}

/// Format, lints and sizes of the firmware, as far as there is a compiler for it.
fn firmware(warnings: &[&str]) -> Result<(), String> {
    let Some(rust) = board::toolchain() else {
        println!(
            "the firmware is not built: {}",
            board::missing().unwrap_or_default()
        );
        return Ok(());
    };
    for board in &board::BOARDS {
        in_firmware(board.folder, &["fmt", "--all", "--check"])?;
        if rust.is_prebuilt() {
            for features in board.lints {
                let lint = ["clippy", "--quiet", "--release", "--features", features];
                in_firmware(board.folder, &[&lint[..], warnings].concat())?;
            }
        }
        for (features, most) in board.bounds {
            let sizes = board::Firmware::build_for(board, features)?.sizes()?;
            println!("{} {features:?}: {sizes}", board.folder);
            sizes.within(*most)?;
        }
    }
    for folder in [CORTEX_M, FIGURE3] {
        in_firmware(folder, &["fmt", "--all", "--check"])?;
        if rust.is_prebuilt() {
            let lint = ["clippy", "--quiet", "--release", "--all-features"];
            in_firmware(folder, &[&lint[..], warnings].concat())?;
        }
    }
    Ok(())
}

/// What boards with such a processor share.
const CORTEX_M: &str = "boards/cortex-m";

/// The firmware of the bench of this name.
const FIGURE3: &str = "testsuite/bench/figure3/firmware";

/// Cargo in the workspace of a firmware, which says the target, with a target folder of its own.
fn in_firmware(folder: &str, args: &[&str]) -> Result<(), String> {
    println!("== {folder}: cargo {}", args.join(" "));
    let folder = rune_testsuite::root().join(folder);
    let target = env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| folder.join("target"), |t| Path::new(&t).join("board"));
    let status = Command::new("cargo")
        .args(args)
        .env("CARGO_TARGET_DIR", target)
        .current_dir(&folder)
        .status();
    finish("cargo", args, status)
}

/// The packages of Debian with what tests work with beside what Rust brings.
const PACKAGES: [&str; 19] = [
    "clang-19",
    // Of its sanitizers.
    "libclang-rt-19-dev",
    "lld-19",
    "gcc-arm-none-eabi",
    // Its headers.
    "libnewlib-arm-none-eabi",
    "qemu-system-arm",
    "neovim",
    "prometheus",
    "mosquitto",
    "mosquitto-clients",
    "curl",
    "minisign",
    "docker-registry",
    "skopeo",
    "dbus",
    "avahi-utils",
    "avahi-daemon",
    "iproute2",
    "util-linux",
];

/// Those with a compiler for firmware where rustup has none for its target.
const COMPILER: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

/// Installs the firmware's target, and the programs of others that tests drive, on a machine of CI that has rustup or
/// apt-get and lets us. Without one of them its test says that it is skipped.
fn install() {
    if env::var_os("CI").is_none() {
        return;
    }
    let mut wanted = PACKAGES.to_vec();
    if board::toolchain().is_none() {
        let args = ["target", "add", board::TARGET];
        if let Err(why) = finish("rustup", &args, Command::new("rustup").args(args).status()) {
            println!("{why}; Debian's compiler is taken for the firmware");
            wanted.extend(COMPILER);
        }
    }
    let installed = Command::new("dpkg-query")
        .args(["--show", "--showformat=${Package} ${db:Status-Status}\n"])
        .output();
    let Ok(installed) = installed else {
        println!("this is no Debian; tests are skipped that need what is not there");
        return;
    };
    let installed = String::from_utf8_lossy(&installed.stdout);
    let has = |package: &&str| {
        installed
            .lines()
            .any(|l| l == format!("{package} installed"))
    };
    wanted.retain(|package| !has(package));
    if wanted.is_empty() {
        return;
    }
    // What goes well is said in one line.
    let apt = |args: &[&str]| {
        println!("== apt-get {}", args.join(" "));
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null());
        let output = apt.args(args).output();
        if let Ok(output) = &output
            && !output.status.success()
        {
            println!("{}", String::from_utf8_lossy(&output.stderr));
        }
        finish("apt-get", args, output.map(|output| output.status))
    };
    // The lists of a new machine may be empty. Where they cannot be had, those that are there may do.
    if let Err(why) = apt(&["update", "--quiet=2"]) {
        println!("{why}");
    }
    // One by one: where one cannot be had, the others still can.
    for package in wanted {
        let flags = ["install", "--quiet=2", "--yes", "--no-install-recommends"];
        if let Err(why) = apt(&[&flags[..], &[package]].concat()) {
            println!("{why}; the tests that need {package} are skipped");
        }
    }
}

/// The one crate of devices with unsafe code that runs on this machine, under Miri, which only nightly compilers have. The
/// decimation filter has none, and its tests compute too much to be interpreted; and the simulated chip of flash leaks
/// what it maps, since firmware may keep that for ever.
fn miri(filters: &[&str]) -> Result<(), String> {
    let args = [
        &[
            "+nightly",
            "miri",
            "test",
            "--package",
            "rune-firmware",
            "--",
        ][..],
        &["--skip", "pdm"],
        filters,
    ]
    .concat();
    println!("== cargo {}", args.join(" "));
    let status = Command::new("cargo")
        .args(&args)
        .env("MIRIFLAGS", "-Zmiri-ignore-leaks")
        .status();
    finish("cargo", &args, status)
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

/// The same in the workspace of the blocks, with a target folder of its own: the file of a crate that is a
/// `cdylib` too has one name, whatever workspace it is compiled for.
fn in_blocks(args: &[&str]) -> Result<(), String> {
    let (command, rest) = args.split_first().expect("cargo takes a command");
    let manifest = ["--manifest-path", "proc-blocks/Cargo.toml"];
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(
        || "proc-blocks/target".into(),
        |t| Path::new(&t).join("proc-blocks"),
    );
    let target = target.to_string_lossy();
    run(
        &[&[*command][..], &manifest, rest].concat(),
        &[("CARGO_TARGET_DIR", &target)],
    )
}

fn run(args: &[&str], environment: &[(&str, &str)]) -> Result<(), String> {
    println!("== cargo {}", args.join(" "));
    let status = Command::new("cargo")
        .args(args)
        .envs(environment.iter().copied())
        .current_dir(rune_testsuite::root())
        .status();
    finish("cargo", args, status)
}

/// What a command came to.
fn finish(program: &str, args: &[&str], status: io::Result<ExitStatus>) -> Result<(), String> {
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(format!("{program} {} failed", args.join(" "))),
        Err(error) => Err(format!("{program} cannot be run: {error}")),
    }
}
