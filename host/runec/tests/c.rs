//! What `runec build --emit c` writes compiles without a warning, with every compiler there is and for every processor it
//! knows.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what was compiled is counted, and what is skipped said"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const STRICT: [&str; 7] = [
    "-std=c99",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-O2",
    "-ffp-contract=off",
    "-c",
];

const M0: &[&str] = &["-mcpu=cortex-m0plus", "-mthumb"];
const M4: &[&str] = &[
    "-mcpu=cortex-m4",
    "-mfpu=fpv4-sp-d16",
    "-mfloat-abi=hard",
    "-mthumb",
];
const M7: &[&str] = &[
    "-mcpu=cortex-m7",
    "-mfpu=fpv5-d16",
    "-mfloat-abi=hard",
    "-mthumb",
];

/// What a compiler compiles for: its name, the target that clang calls it, flags of all compilers.
const PROCESSORS: [(&str, &str, &[&str]); 5] = [
    ("Cortex-M0+", "thumbv6m-none-eabi", M0),
    ("Cortex-M4", "thumbv7em-none-eabihf", M4),
    ("Cortex-M7", "thumbv7em-none-eabihf", M7),
    (
        "RV32IMC",
        "riscv32-unknown-elf",
        &["-march=rv32imc", "-mabi=ilp32"],
    ),
    (
        "RV32IMAFC",
        "riscv32-unknown-elf",
        &["-march=rv32imafc", "-mabi=ilp32f"],
    ),
];

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("c").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn found(program: &str) -> bool {
    let done = Command::new(program).arg("--version").output();
    done.is_ok_and(|done| done.status.success())
}

/// The newest clang.
fn clang() -> Option<String> {
    let versions = (14..=30).rev().map(|version| format!("clang-{version}"));
    versions
        .chain(["clang".to_owned()])
        .find(|program| found(program))
}

/// The ways to compile for a processor without an operating system.
fn cross() -> Vec<(String, Vec<String>)> {
    let clang = clang();
    let gcc = found("arm-none-eabi-gcc");
    let mut all = Vec::new();
    for (name, target, flags) in PROCESSORS {
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        if let Some(clang) = &clang {
            let own = [format!("--target={target}"), "-nostdlibinc".to_owned()];
            all.push((clang.clone(), [&own[..], &flags].concat()));
        }
        if gcc && name.starts_with("Cortex") {
            all.push(("arm-none-eabi-gcc".to_owned(), flags));
        }
    }
    all
}

fn must(command: &mut Command) {
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.success() && said.is_empty(),
        "{command:?}: {said}"
    );
}

#[test]
fn it_compiles_everywhere_without_a_warning() {
    let hosts: Vec<String> = ["gcc".to_owned()]
        .into_iter()
        .filter(|c| found(c))
        .chain(clang())
        .collect();
    let cross = cross();
    if hosts.is_empty() {
        eprintln!("skipped: there is no compiler of C");
        return;
    }
    let mut count = 0;
    let runes = [
        ("sine", "sine", "off"),
        ("gesture", "gesture", "off"),
        ("gesture_simd", "gesture", "on"),
        ("digits", "digits", "off"),
        ("keyword", "keyword", "off"),
    ];
    // The larger ones take minutes; `RUNE_C_MATRIX=all` asks for them.
    let all = std::env::var_os("RUNE_C_MATRIX").is_some_and(|text| text == "all");
    for (name, runefile, simd) in &runes[..if all { 5 } else { 2 }] {
        let name = *name;
        let folder = folder(name);
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../examples")
            .join(runefile);
        let mut runec = Command::new(env!("CARGO_BIN_EXE_runec"));
        runec.current_dir(&folder).arg("build").arg(path);
        must(runec.args([
            "--emit",
            "c",
            "--quiet",
            "--simd",
            simd,
            "-o",
            &format!("{name}.rune"),
        ]));
        let (code, main) = (format!("{name}.c"), format!("{name}_main.c"));
        for compiler in &hosts {
            for source in [&code, &main] {
                let mut command = Command::new(compiler);
                must(command.current_dir(&folder).args(STRICT).args([
                    source,
                    "-o",
                    &format!("{source}.o"),
                ]));
                count += 1;
            }
            let (code, main) = (format!("{code}.o"), format!("{main}.o"));
            must(
                Command::new(compiler)
                    .current_dir(&folder)
                    .args([&code, &main, "-o", "program"]),
            );
            let done = Command::new(folder.join("program")).output().unwrap();
            assert!(done.status.success(), "{compiler}, {name}");
        }
        // Of a C library it needs three functions, whoever has them.
        let include = folder.join("include");
        fs::create_dir(&include).unwrap();
        fs::write(
            include.join("string.h"),
            include_str!("../../aot/src/c/string.h"),
        )
        .unwrap();
        for (compiler, flags) in &cross {
            let mut command = Command::new(compiler);
            command.current_dir(&folder).args(STRICT).args(flags);
            must(command.args(["-ffreestanding", "-Iinclude", &code, "-o", "cross.o"]));
            count += 1;
        }
    }
    println!(
        "{count} files compiled, each for one of {} compilers and processors",
        hosts.len() + cross.len()
    );
}
