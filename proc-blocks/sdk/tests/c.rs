//! The headers and the library for C and C++: a block of each compiles for wasm32 and links, and its test
//! runs on the host.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Runs a program; false if there is none.
fn run(command: &mut Command) -> bool {
    let Ok(output) = command.output() else {
        println!("skipped: there is no {}", command.get_program().display());
        return false;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{said}");
    assert!(said.is_empty(), "{command:?}\n{said}");
    true
}

fn sdk() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn out(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(&folder).expect("cargo gives a folder to write to");
    folder.join(name)
}

const CPP: [&str; 4] = [
    "-std=c++17",
    "-fno-exceptions",
    "-fno-rtti",
    "-fno-threadsafe-statics",
];

#[test]
fn a_test_in_c_runs_on_the_host() {
    for (compiler, source, flags) in [
        ("cc", "test.c", &["-std=c11"][..]),
        ("c++", "test.cpp", &CPP),
    ] {
        let program = out(&source.replace('.', "-"));
        let mut compile = Command::new(compiler);
        compile.args([
            "-Wall",
            "-Wextra",
            "-Wpedantic",
            "-Werror",
            "-O1",
            "-ffp-contract=off",
            "-I",
        ]);
        compile
            .arg(sdk())
            .args(flags)
            .arg(sdk().join("tests/c").join(source));
        if run(compile.arg("-o").arg(&program).arg("-lm")) {
            assert!(run(&mut Command::new(program)));
        }
    }
}

/// The module of a source, unless there is no compiler for it.
fn module(source: &str, flags: &[&str]) -> Option<Vec<u8>> {
    let clang = env::var("CLANG").unwrap_or_else(|_| "clang-19".into());
    let linker = env::var("WASM_LD").unwrap_or_else(|_| "wasm-ld-19".into());
    let (object, module) = (out(&format!("{source}.o")), out(&format!("{source}.wasm")));
    let mut compile = Command::new(&clang);
    compile.args([
        "--target=wasm32",
        "-mcpu=mvp",
        "-mmutable-globals",
        "-msign-ext",
        "-mnontrapping-fptoint",
        "-mbulk-memory",
        "-O2",
        "-ffreestanding",
        "-ffp-contract=off",
        "-Wall",
        "-Wextra",
        "-Wpedantic",
        "-Werror",
        "-c",
        "-I",
    ]);
    compile
        .arg(sdk())
        .args(flags)
        .arg(sdk().join("tests/c").join(source));
    if !run(compile.arg("-o").arg(&object)) {
        return None;
    }
    let mut link = Command::new(&linker);
    link.args(["--no-entry", "--gc-sections", "--emit-relocs", "-o"])
        .arg(&module);
    if !run(link.arg(&object).arg(sdk().join("lib/librune_block.a"))) {
        return None;
    }
    let bytes = fs::read(&module).expect("what was linked can be read");
    assert!(bytes.starts_with(b"\0asm"));
    Some(bytes)
}

#[test]
fn c_and_cpp_link_with_the_library() {
    for (source, flags) in [("wave.c", &["-std=c11"][..]), ("wave.cpp", &CPP)] {
        let Some(bytes) = module(source, flags) else {
            return;
        };
        // Of the library only what is called: sinf with its large arguments, fmodf, copies.
        assert!(bytes.len() < 16_000, "{}", bytes.len());
        let has = |text: &[u8]| bytes.windows(text.len()).any(|w| w == text);
        assert!(has(b"rune.block") && has(b"reloc.CODE") && has(b"sinf") && !has(b"tgamma"));
    }
}

#[test]
fn the_library_has_what_the_headers_declare() {
    module("library.c", &["-std=c11"]);
}
