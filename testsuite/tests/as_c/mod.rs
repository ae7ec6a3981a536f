//! Runes as C: samples for them, programs that call them, and what those print.
#![allow(dead_code, reason = "each suite uses what it needs")]

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use rune_abi::{Capability, ElementType, Fault};
use rune_c::{Mode, Options};
use rune_codegen::{Level, Output, Simd};
use rune_ir::eval::Data;
use rune_testsuite::{
    cases,
    engines::{self, Feed, Outcome},
    examples::EXAMPLES,
    random::Random,
    root,
};

pub(crate) const CHECKED: &[&str] = &[
    "-O1",
    "-fsanitize=undefined,address",
    "-fno-sanitize-recover=all",
];

pub(crate) fn has(compiler: &str) -> bool {
    let found = Command::new(compiler).arg("--version").output().is_ok();
    if !found {
        eprintln!("skipped: {compiler} is not here");
    }
    found
}

/// Every Runefile of the suite and of the examples.
pub(crate) fn runefiles() -> Vec<PathBuf> {
    let examples: BTreeSet<&str> = EXAMPLES.iter().map(|e| e.runefile).collect();
    let examples = examples
        .into_iter()
        .map(|name| root().join("examples").join(name));
    cases("run").into_iter().chain(examples).collect()
}

/// With `flash` the form that C is made of, where constants have a memory of their own.
pub(crate) fn compile(path: &Path, simd: Simd, flash: bool) -> Output {
    let options = rune_codegen::Options {
        level: Level::O1,
        simd,
        flash,
        ..rune_codegen::Options::default()
    };
    let compiled = engines::compile(path, &options);
    let rendered = engines::rendered(&compiled);
    compiled.output.unwrap_or_else(|| panic!("{rendered}"))
}

/// Samples for each capability: small numbers, and of integers any.
pub(crate) fn feeds(output: &Output, calls: usize) -> Vec<Feed> {
    let mut random = Random::new(7);
    let mut sample = |element: ElementType, count: u32| -> Vec<u8> {
        let mut unit = || f64::from(random.word()) / f64::from(u32::MAX) * 4.0 - 2.0;
        let number = |_| match element {
            ElementType::F32 => (unit() as f32).to_le_bytes().to_vec(),
            ElementType::F64 => unit().to_le_bytes().to_vec(),
            ElementType::U8
            | ElementType::I8
            | ElementType::U16
            | ElementType::I16
            | ElementType::U32
            | ElementType::I32
            | ElementType::U64
            | ElementType::I64
            | ElementType::Utf8 => {
                let bits = (unit() * 4e18) as i64;
                bits.to_be_bytes()[..element.size() as usize].to_vec()
            }
        };
        (0..count).flat_map(number).collect()
    };
    let capabilities = &output.manifest.capabilities;
    (0..calls)
        .map(|_| {
            let of = |c: &Capability| sample(c.ty.element(), c.ty.elements());
            capabilities.iter().map(of).collect()
        })
        .collect()
}

/// A folder of its own for each test and thread.
pub(crate) fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// A rune and what it is called with.
#[derive(Clone, Copy)]
pub(crate) struct Called<'a> {
    pub(crate) output: &'a Output,
    pub(crate) feeds: &'a [Feed],
}

/// The text of C for what a rune of a name is called with: its `feeds`, and `tensors` for each output.
pub(crate) fn samples(name: &str, rune: Called<'_>) -> String {
    let mut out = format!("static const unsigned {name}_tensors[] = {{");
    for output in &rune.output.manifest.outputs {
        let _ = write!(out, "{}, ", output.tensors.len());
    }
    let _ = write!(out, "0}};\nstatic const uint8_t {name}_feeds[] = {{");
    for byte in rune.feeds.iter().flatten().flatten() {
        let _ = write!(out, "{byte},");
    }
    out.push_str("0};\n");
    out
}

/// Builds a program that calls runes one after the other.
pub(crate) fn build(
    folder: &Path,
    runes: &[Called<'_>],
    mode: Mode,
    compiler: &str,
    flags: &[&str],
) -> PathBuf {
    let put = |file: &str, text: &str| fs::write(folder.join(file), text).unwrap();
    put("record.h", include_str!("record.h"));
    // What calls them is one file, as compilers take long to read the headers of the C library.
    let mut main = include_str!("run.c").to_owned();
    let mut calls = String::new();
    let mut sources = vec!["main.c".to_owned()];
    for (index, rune) in runes.iter().enumerate() {
        let name = format!("r{index}");
        let options = Options {
            name: name.clone(),
            mode,
            memory_bytes: Some(rune.output.manifest.memory_bytes),
            // What is allocated is aligned for everything.
            memory_align: if mode == Mode::Bounds { 16 } else { 1 },
            ..Options::default()
        };
        let c = rune_c::emit(&rune.output.wasm, &options).unwrap();
        put(&format!("{name}.c"), &c.source);
        put(&format!("{name}.h"), &c.header);
        let imports = ["read", "write", "fault"].into_iter();
        let imports = imports.filter(|import| c.header.contains(&format!("(*{import})")));
        let imports: Vec<String> = imports
            .map(|import| format!("c.{import} = on_{import};"))
            .collect();
        let _ = writeln!(
            main,
            "\n#include \"{name}.h\"\n{}RUN({name}, {}_MEMORY_BYTES, {}, {})",
            samples(&name, *rune),
            name.to_uppercase(),
            rune.feeds.len(),
            imports.join(" ")
        );
        let _ = writeln!(calls, "    {name}_run();");
        sources.push(format!("{name}.c"));
    }
    // Not every rune asks for everything.
    let _ = write!(
        main,
        "\nint main(void) {{\n    (void)on_read, (void)on_write, (void)on_fault, (void)print_record;\n{calls}    return 0;\n}}\n"
    );
    put("main.c", &main);
    let done = Command::new(compiler)
        .args([
            "-std=c99",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-ffp-contract=off",
        ])
        .args(flags)
        .args(&sources)
        .args(["-o", "program"])
        .current_dir(folder)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{}: {errors}", folder.display());
    folder.join("program")
}

/// What a program printed, by rune.
pub(crate) fn run(program: &Path, what: &str) -> Vec<String> {
    let done = Command::new(program).output().unwrap();
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{what}: {errors}");
    let text = String::from_utf8(done.stdout).unwrap();
    text.split("rune\n").skip(1).map(str::to_owned).collect()
}

/// What a program printed of a rune, as other engines say it.
pub(crate) fn outcomes(output: &Output, printed: &str) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let mut outputs = vec![None; output.manifest.outputs.len()];
    for line in printed.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[0] {
            "output" => {
                let index: usize = words[1].parse().unwrap();
                let tensors = output.manifest.outputs[index].tensors.iter();
                let data = tensors.zip(&words[2..]).map(|(tensor, word)| {
                    let texts = word.split(',').filter(|text| !text.is_empty());
                    if tensor.ty.element() == ElementType::Utf8 {
                        // The first text is the tensor itself: addresses and lengths.
                        let texts = texts.skip(1).map(|text| text.trim_start_matches('t'));
                        Data::Strings(
                            texts
                                .map(|t| String::from_utf8(bytes(t)).unwrap())
                                .collect(),
                        )
                    } else {
                        Data::Bytes(texts.take(1).flat_map(bytes).collect())
                    }
                });
                outputs[index] = Some(data.collect());
            }
            "call" => {
                let code: i32 = words[1].parse().unwrap();
                if code == 2 {
                    break;
                }
                let outputs =
                    std::mem::replace(&mut outputs, vec![None; output.manifest.outputs.len()]);
                outcomes.push(if code < 0 {
                    Outcome::Fault(code)
                } else {
                    Outcome::Outputs(outputs)
                });
            }
            "trap" => outcomes.push(Outcome::Fault(Fault::Block as i32)),
            other => panic!("{other}"),
        }
    }
    outcomes
}

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}
