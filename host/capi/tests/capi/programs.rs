//! Programs in C, each plainly, under the sanitizers for addresses, leaks and undefined behaviour, and under valgrind.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use rune_abi::{CapabilityKind, Dim, ElementType, TensorType, Value};
use runec::{
    Options,
    driver::{self, Request},
    world::Input,
};

use crate::{
    here, is_there, library_folder,
    runes::{
        INPUT, RECORD, bare, capability, echo, manifest, output, param, quoted, record, text, ty,
        wasm,
    },
    skip,
};

/// How a program is run.
#[derive(Clone, Copy)]
enum Way {
    Plain,
    Sanitized,
    Valgrind,
}

/// What C is compiled with that says nothing doubtful.
const STRICT: [&str; 7] = [
    "-std=c99",
    "-D_POSIX_C_SOURCE=200809L",
    "-Wall",
    "-Wextra",
    "-pedantic",
    "-Werror",
    "-g",
];
const SANITIZERS: [&str; 2] = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

/// Compiles a program in a way and runs it in a folder of runes; gives what it printed, or `None` where it is skipped.
fn run(name: &str, source: &Path, args: &[&str], way: Way) -> Option<String> {
    let (suffix, flags, wrapper): (_, &[&str], &[&str]) = match way {
        Way::Plain => ("plain", &[], &[]),
        Way::Sanitized => ("sanitized", &SANITIZERS, &[]),
        Way::Valgrind => (
            "valgrind",
            &[],
            // Of what is lost, only what nothing points to any more is a leak for sure.
            &[
                "valgrind",
                "--quiet",
                "--error-exitcode=9",
                "--leak-check=full",
                "--errors-for-leak-kinds=definite",
                "--show-leak-kinds=definite",
                "--smc-check=all-non-file",
            ],
        ),
    };
    let mut tools = ["cc"].into_iter().chain(wrapper.first().copied());
    if !tools.all(is_there) {
        return None;
    }
    let folder = runes(&format!("{name}-{suffix}"));
    if !flags.is_empty() && !can_link(flags, &folder) {
        return None;
    }
    let program = folder.join(name);
    let library = library_folder();
    let compiled = Command::new("cc")
        .args(STRICT)
        .args(flags)
        .arg("-I")
        .arg(here("include"))
        .arg(source)
        .arg("-L")
        .arg(&library)
        .args(["-lrunicos", "-pthread", "-o"])
        .arg(&program)
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "{words}");

    let program = program.to_str().unwrap();
    // They leave out what valgrind cannot do.
    let way: &[&str] = if wrapper.is_empty() {
        &[]
    } else {
        &["valgrind"]
    };
    let line: Vec<&str> = [wrapper, &[program], args, way].concat();
    let output = Command::new(line[0])
        .args(&line[1..])
        .current_dir(&folder)
        .env("LD_LIBRARY_PATH", &library)
        .env("ASAN_OPTIONS", "detect_leaks=1")
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{words}", output.status);
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Whether a program can be made with these flags: a compiler may lack the libraries of its sanitizers.
fn can_link(flags: &[&str], folder: &Path) -> bool {
    let source = folder.join("nothing.c");
    fs::write(&source, "int main(void) { return 0; }\n").unwrap();
    let output = Command::new("cc")
        .args(flags)
        .arg(&source)
        .arg("-o")
        .arg(folder.join("nothing"))
        .output()
        .unwrap();
    if !output.status.success() {
        skip(&format!("`cc` cannot link {flags:?} here"));
    }
    output.status.success()
}

macro_rules! every_way {
    ($test:ident) => {
        mod $test {
            use super::Way;

            #[test]
            fn plainly() {
                super::$test(Way::Plain);
            }

            #[test]
            fn under_sanitizers() {
                super::$test(Way::Sanitized);
            }

            #[test]
            fn under_valgrind() {
                super::$test(Way::Valgrind);
            }
        }
    };
}

every_way!(the_example);
every_way!(every_function);
every_way!(errors);
every_way!(threads);

fn the_example(way: Way) {
    let source = here("../../examples/embedding/main.c");
    if let Some(printed) = run("main", &source, &["sine.rune"], way) {
        assert_eq!(printed, "0.0\n0.5\n0.8\n1.0\n");
    }
}

fn every_function(way: Way) {
    run("functions", &here("tests/c/functions.c"), &[], way);
}

fn errors(way: Way) {
    run("errors", &here("tests/c/errors.c"), &[], way);
}

fn threads(way: Way) {
    run("threads", &here("tests/c/threads.c"), &[], way);
}

/// A folder with the runes and other files that the programs name.
fn runes(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("capi")
        .join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let four = ty(ElementType::U8, &[4]);
    let one = ty(ElementType::U32, &[1]);
    let raw = capability(CapabilityKind::Raw, "raw", four);
    let files = [
        ("sine.rune", sine()),
        ("echo.rune", echo(raw.clone())),
        ("pair.rune", pair()),
        ("texts.rune", texts()),
        ("trap.rune", bare("unreachable")),
        ("bounds.rune", bare("(i32.load (i32.const 65533))")),
        ("loop.rune", bare("(loop (br 0)) i32.const 0")),
        ("quiet.rune", bare("i32.const 0")),
        (
            "fault.rune",
            wasm(&text(
                &manifest(vec![], vec![]),
                "(call $fault (i32.const -9) (i32.const 16) (i32.const 9)) i32.const -9",
                "(data (i32.const 16) \"too humid\")",
            )),
        ),
        (
            "log.rune",
            wasm(&text(
                &manifest(vec![], vec![]),
                "(call $log (i32.const 2) (i32.const 16) (i32.const 9)) i32.const 0",
                "(data (i32.const 16) \"too humid\")",
            )),
        ),
        (
            "greedy.rune",
            wasm(&text(
                &manifest(vec![raw.clone()], vec![]),
                &format!("(call $read (i32.const 0) (i32.const {INPUT}) (i32.const 5))"),
                "",
            )),
        ),
        (
            "count.rune",
            wasm(&text(
                &manifest(vec![], vec![output("serial", &[one])]),
                &format!(
                    "(i32.store (i32.const {INPUT}) (i32.add (i32.load (i32.const {INPUT})) (i32.const 1)))
                     (call $write (i32.const 0) (i32.const {RECORD}))"
                ),
                &format!(
                    "{} (func (export \"_reset\") (i32.store (i32.const {INPUT}) (i32.const 0)))",
                    record(INPUT, &one)
                ),
            )),
        ),
        ("not.rune", b"FROM runicos/base\n".to_vec()),
        ("four.bin", vec![1, 2, 3, 4, 5, 6, 7, 8]),
        (
            "policy.toml",
            b"version = 1\n[limits]\ncalls-per-second = 100\n[capabilities.raw]\nkind = \"RAW\"\nfolder = \".\"\nfiles = [\"four.bin\"]\n".to_vec(),
        ),
        ("bad.toml", b"version = 1\nlimit = 3\n".to_vec()),
    ];
    for (file, bytes) in files {
        fs::write(folder.join(file), bytes).unwrap();
    }
    folder
}

/// The rune of the example, compiled.
fn sine() -> Vec<u8> {
    let input = Input::open(&here("../../examples/sine/raw.Runefile")).unwrap();
    let request = Request {
        build: true,
        ..input.request()
    };
    let built = driver::generate(driver::analyse(&request), &Options::default());
    built.output.unwrap().wasm
}

/// A rune that reads two capabilities, one with parameters, and writes to the second of two outputs.
fn pair() -> Vec<u8> {
    let raw = capability(CapabilityKind::Raw, "raw", ty(ElementType::U8, &[4]));
    let mut accel = capability(
        CapabilityKind::Accel,
        "accel",
        ty(ElementType::F32, &[2, 3]),
    );
    accel.params = vec![param("hz", Value::Integer(50))];
    let some = TensorType::new(ElementType::F32, &[Dim::AtMost(4), Dim::Exact(3)]).unwrap();
    let outputs = vec![
        output("never", &[ty(ElementType::U8, &[4])]),
        output("serial", &[some, ty(ElementType::F32, &[3])]),
    ];
    let read = |index: u32, len: u32| {
        format!(
            "(if (i32.eqz (call $read (i32.const {index}) (i32.const {INPUT}) (i32.const {len})))
               (then (return (i32.const 2))))"
        )
    };
    let call = format!(
        "{} {} (call $write (i32.const 1) (i32.const {RECORD}))",
        read(0, 4),
        read(1, 24)
    );
    // Address, bytes, rank and dimensions of each tensor; the first has two rows of four.
    let words = [INPUT, 24, 2, 2, 3, INPUT, 12, 1, 3];
    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    let data = format!("(data (i32.const {RECORD}) \"{}\")", quoted(&bytes));
    wasm(&text(&manifest(vec![raw, accel], outputs), &call, &data))
}

/// A rune that writes two texts, one with a NUL in it.
fn texts() -> Vec<u8> {
    let two = ty(ElementType::Utf8, &[2]);
    let words: [u32; 4] = [16, 4, 24, 3];
    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    let data = format!(
        "{} (data (i32.const {INPUT}) \"{}\") (data (i32.const 16) \"Ring\") (data (i32.const 24) \"a\\00b\")",
        record(INPUT, &two),
        quoted(&bytes)
    );
    let call = format!("(call $write (i32.const 0) (i32.const {RECORD}))");
    let outputs = vec![output("serial", &[two])];
    wasm(&text(&manifest(vec![], outputs), &call, &data))
}
