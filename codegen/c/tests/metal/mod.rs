//! Programs of C on the emulated Cortex-M7: compiled with whatever cross compiler there is, their text by semihosting.
#![allow(dead_code, reason = "each suite uses what it needs")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A compiler of C for the board, with its linker.
#[derive(Clone, Debug)]
pub(crate) struct Cross {
    pub(crate) program: String,
    linker: String,
    flags: Vec<&'static str>,
}

const FLAGS: [&str; 9] = [
    "-mcpu=cortex-m7",
    "-mfpu=fpv5-d16",
    "-mfloat-abi=hard",
    "-mthumb",
    "-std=c99",
    "-ffreestanding",
    "-ffp-contract=off",
    "-ffunction-sections",
    "-I.",
];

/// Headers of a C library by the names that programs know.
const HEADERS: [&str; 4] = ["stdio.h", "stdlib.h", "string.h", "setjmp.h"];

/// The compilers that there are, if there is the board too.
pub(crate) fn compilers() -> Vec<Cross> {
    if !runs("qemu-system-arm") {
        eprintln!("skipped: qemu-system-arm is not here");
        return Vec::new();
    }
    let newest = |name: &str| {
        let versions = (14..=30).rev().map(|version| format!("{name}-{version}"));
        versions
            .chain([name.to_owned()])
            .find(|program| runs(program))
    };
    let mut all = Vec::new();
    if let (Some(program), Some(linker)) = (newest("clang"), newest("ld.lld")) {
        let flags = vec![
            "--target=thumbv7em-none-eabihf",
            "-nostdlibinc",
            "-fno-builtin-printf",
        ];
        all.push(Cross {
            program,
            linker,
            flags,
        });
    }
    if runs("arm-none-eabi-gcc") && runs("arm-none-eabi-ld") {
        all.push(Cross {
            program: "arm-none-eabi-gcc".to_owned(),
            linker: "arm-none-eabi-ld".to_owned(),
            flags: vec!["-fno-builtin-printf", "-fno-tree-loop-distribute-patterns"],
        });
    }
    if all.is_empty() {
        eprintln!("skipped: neither clang with lld nor arm-none-eabi-gcc is here");
    }
    all
}

fn runs(program: &str) -> bool {
    let done = Command::new(program).arg("--version").output();
    done.is_ok_and(|done| done.status.success())
}

/// Puts a start and a C library into a folder.
fn equip(folder: &Path) {
    let put = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    put("metal.h", include_str!("metal.h"));
    put("start.c", include_str!("start.c"));
    put("layout.ld", include_str!("layout.ld"));
    put(
        "support.c",
        include_str!("../../../../host/aot/src/c/support.c"),
    );
    for header in HEADERS {
        put(header, "#include \"metal.h\"\n");
    }
}

/// Compiles sources of a folder with these flags, puts a start and a C library to them, and gives the program.
pub(crate) fn build(folder: &Path, cross: &Cross, sources: &[String], flags: &[&str]) -> PathBuf {
    equip(folder);
    let mut objects = Vec::new();
    let ours = ["start.c", "support.c"];
    let theirs = sources.iter().map(|source| (source.as_str(), flags));
    let ours = ours.map(|source| (source, &["-O2", "-fno-builtin"][..]));
    for (source, flags) in ours.into_iter().chain(theirs) {
        let object = format!("{source}.o");
        let mut command = Command::new(&cross.program);
        command.args(&cross.flags).args(FLAGS).args(flags);
        command.args(["-c", source, "-o", &object]);
        must(command.current_dir(folder));
        objects.push(object);
    }
    let mut command = Command::new(&cross.linker);
    command.args(["-T", "layout.ld", "--gc-sections", "-o", "program.elf"]);
    must(command.args(&objects).current_dir(folder));
    folder.join("program.elf")
}

/// The assembly that becomes of a source of a folder with these flags.
pub(crate) fn assembly(folder: &Path, cross: &Cross, source: &str, flags: &[&str]) -> String {
    equip(folder);
    let assembly = format!("{source}.s");
    let mut command = Command::new(&cross.program);
    command.args(&cross.flags).args(FLAGS).args(flags);
    command.args(["-S", source, "-o", &assembly]);
    must(command.current_dir(folder));
    fs::read_to_string(folder.join(assembly)).unwrap()
}

/// Runs a program on the board; what it prints.
pub(crate) fn run(program: &Path) -> String {
    let mut command = Command::new("qemu-system-arm");
    command
        .args([
            "-M",
            "mps2-an500",
            "-display",
            "none",
            "-monitor",
            "none",
            "-serial",
            "none",
        ])
        .args(["-chardev", "stdio,id=host", "-semihosting-config"])
        .args(["enable=on,target=native,chardev=host", "-kernel"])
        .arg(program)
        .stdin(std::process::Stdio::null());
    let done = command.output().unwrap();
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let last = text.lines().last().unwrap_or_default();
    assert!(
        done.status.success(),
        "{}: {} {last} {}",
        program.display(),
        done.status,
        String::from_utf8_lossy(&done.stderr)
    );
    text
}

fn must(command: &mut Command) {
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?}: {said}");
}
