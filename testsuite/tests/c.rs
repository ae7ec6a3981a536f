//! Runes as C: what wasmtime gives, byte by byte, in every mode and with the compiler's checks of undefined behaviour;
//! and how fast they are.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "measurements are printed, and what is skipped is said"
)]

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use rune_abi::{Capability, ElementType, Fault, Import};
use rune_c::{Mode, Options};
use rune_codegen::{Level, Output, Simd, report::RegionKind};
use rune_ir::eval::Data;
use rune_testsuite::{
    cases,
    engines::{self, Feed, Outcome},
    examples::EXAMPLES,
    overlay::Overlay,
    random::Random,
    reference_models, root,
};

/// How often each rune is called.
const CALLS: usize = 4;

const CHECKED: &[&str] = &[
    "-O1",
    "-fsanitize=undefined,address",
    "-fno-sanitize-recover=all",
];

fn has(compiler: &str) -> bool {
    let found = Command::new(compiler).arg("--version").output().is_ok();
    if !found {
        eprintln!("skipped: {compiler} is not here");
    }
    found
}

/// Every Runefile of the suite and of the examples.
fn runefiles() -> Vec<PathBuf> {
    let examples: BTreeSet<&str> = EXAMPLES.iter().map(|e| e.runefile).collect();
    let examples = examples
        .into_iter()
        .map(|name| root().join("examples").join(name));
    cases("run").into_iter().chain(examples).collect()
}

/// With `flash` the form that C is made of, where constants have a memory of their own.
fn compile(path: &Path, simd: Simd, flash: bool) -> Output {
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
fn feeds(output: &Output, calls: usize) -> Vec<Feed> {
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
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// Writes a rune as C.
fn build_files(folder: &Path, output: &Output, mode: Mode) -> rune_c::Output {
    let options = Options {
        mode,
        memory_bytes: Some(output.manifest.memory_bytes),
        ..Options::default()
    };
    let c = rune_c::emit(&output.wasm, &options).unwrap();
    fs::write(folder.join("rune.c"), &c.source).unwrap();
    fs::write(folder.join("rune.h"), &c.header).unwrap();
    c
}

/// Builds a program that calls a rune with these samples, as often as they are.
fn build(folder: &Path, output: &Output, mode: Mode, feeds: &[Feed], flags: &[&str]) -> PathBuf {
    let c = build_files(folder, output, mode);
    let mut main = String::new();
    for import in ["read", "write", "fault", "mark", "log"] {
        if c.header.contains(&format!("(*{import})")) {
            writeln!(main, "#define HAS_{} 1", import.to_uppercase()).unwrap();
        }
    }
    let count = output.manifest.capabilities.len();
    writeln!(
        main,
        "#define CALLS {}\n#define CAPABILITIES {count}",
        feeds.len()
    )
    .unwrap();
    fs::write(folder.join("feeds"), feeds.concat().concat()).unwrap();
    let tensors = output
        .manifest
        .outputs
        .iter()
        .map(|o| format!("{}, ", o.tensors.len()));
    writeln!(
        main,
        "static const unsigned rune_tensors[] = {{{}0}};",
        tensors.collect::<String>()
    )
    .unwrap();
    main.push_str(MAIN);
    fs::write(folder.join("main.c"), main).unwrap();
    let program = folder.join("program");
    let done = Command::new("gcc")
        .args([
            "-std=c99",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-ffp-contract=off",
        ])
        .args(flags)
        .args(["rune.c", "main.c", "-o", "program"])
        .current_dir(folder)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{}: {errors}", folder.display());
    program
}

/// What the program printed, as other engines say it.
fn outcomes(output: &Output, printed: &str) -> Vec<Outcome> {
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

#[test]
fn every_rune_gives_as_c_what_it_gives() {
    if !has("gcc") {
        return;
    }
    let (mut runes, mut calls) = (0, 0);
    for path in runefiles() {
        for simd in [Simd::Off, Simd::On, Simd::Dsp] {
            // What is made for a device is C alone.
            let distributed = if simd == Simd::Dsp { Simd::Off } else { simd };
            let rune = compile(&path, distributed, false);
            let feeds = feeds(&rune, CALLS);
            let expected = engines::run(&rune, &feeds);
            let output = compile(&path, simd, true);
            let modes: &[(Mode, &[&str])] = match simd {
                Simd::On | Simd::Relaxed => &[
                    (Mode::Bounds, CHECKED),
                    (Mode::Bounds, &["-O2", "-DRUNE_PLAIN"]),
                ],
                Simd::Off => &[
                    (Mode::Bounds, CHECKED),
                    (Mode::Mask, &["-O2"]),
                    (Mode::None, &["-O2"]),
                ],
                Simd::Dsp => &[(Mode::Bounds, CHECKED)],
            };
            for (mode, flags) in modes {
                let folder = folder("c-runes");
                let program = build(&folder, &output, *mode, &feeds, flags);
                let done = Command::new(program).current_dir(&folder).output().unwrap();
                let errors = String::from_utf8_lossy(&done.stderr);
                assert!(
                    done.status.success(),
                    "{} {mode:?}: {errors}",
                    path.display()
                );
                let found = outcomes(&output, &String::from_utf8(done.stdout).unwrap());
                assert_eq!(found, expected, "{} {simd:?} {mode:?}", path.display());
                calls += found.len();
            }
            runes += 1;
        }
    }
    println!("{runes} runes, {calls} calls");
}

/// What a device has no more of in RAM: a rune with a model of 22,606 weights, memory and stack of its code.
const SMALL: u64 = 96 << 10;

/// Weights, tables and multipliers stay in flash: memory is tensors, state, stack, and what the host is told of.
#[test]
fn constants_take_flash_and_no_memory() {
    let mut sizes = 0;
    for path in runefiles() {
        let rune = compile(&path, Simd::Off, false);
        let output = compile(&path, Simd::Off, true);
        let report = &output.report;
        let changing = [RegionKind::Stack, RegionKind::State, RegionKind::Arena];
        for kind in changing {
            assert_eq!(
                report.region(kind),
                rune.report.region(kind),
                "{}",
                path.display()
            );
        }
        let changing: u32 = changing.iter().map(|kind| report.region(*kind)).sum();
        assert_eq!(output.manifest.memory_bytes, changing + report.constant());
        // What is constant and in memory belongs to blocks, or tells where tensors lie.
        let lists = output.report.region(RegionKind::Constants);
        assert!(
            lists < 1024 || report.flash == 0,
            "{}: {lists} bytes",
            path.display()
        );
        sizes += report.flash;
    }
    assert!(sizes > 10_000, "{sizes}");
}

#[test]
fn keyword_spotting_fits_96_kilobytes() {
    let Some(models) = reference_models("keyword_spotting_fits_96_kilobytes") else {
        return;
    };
    let model = fs::read(models.join("kws/kws_ref_model.tflite")).unwrap();
    let world = Overlay::new(".").with("./model.tflite", model);
    let text = b"FROM runicos/base\nCAPABILITY RAW x\nMODEL ./model.tflite m\nOUT SERIAL\nRUN x m serial\n";
    let compile = |flash| {
        let options = rune_codegen::Options {
            simd: Simd::Off,
            flash,
            ..rune_codegen::Options::default()
        };
        let compiled = runec::compile("Runefile", "kws", text, &world, &options);
        compiled.output.unwrap()
    };
    let (rune, output) = (compile(false), compile(true));
    assert!(output.report.flash > 22_606);
    assert!(output.manifest.memory_bytes + 22_606 < rune.manifest.memory_bytes);
    if has("gcc") {
        let feeds = feeds(&rune, 2);
        let folder = folder("c-kws");
        let program = build(&folder, &output, Mode::Bounds, &feeds, &["-O2"]);
        let done = Command::new(program).current_dir(&folder).output().unwrap();
        let found = outcomes(&output, &String::from_utf8(done.stdout).unwrap());
        assert_eq!(found, engines::run(&rune, &feeds));
    }
    if has("arm-none-eabi-gcc") {
        let folder = folder("c-kws-device");
        build_files(&folder, &output, Mode::Bounds);
        let done = Command::new("arm-none-eabi-gcc")
            .args([
                "-mcpu=cortex-m7",
                "-mthumb",
                "-mfpu=fpv5-d16",
                "-mfloat-abi=hard",
                "-std=c99",
                "-O2",
            ])
            .args(["-ffp-contract=off", "-fstack-usage", "-c", "rune.c"])
            .current_dir(&folder)
            .status();
        assert!(done.unwrap().success());
        // None calls itself, so all functions together take no less than any way through them.
        let usage = fs::read_to_string(folder.join("rune.su")).unwrap();
        let frames = usage
            .lines()
            .map(|l| l.split('\t').nth(1).unwrap().parse::<u64>().unwrap());
        let stack: u64 = frames.sum();
        let size = Command::new("arm-none-eabi-size")
            .arg("rune.o")
            .current_dir(&folder)
            .output()
            .unwrap();
        let size = String::from_utf8(size.stdout).unwrap();
        let sections: Vec<u64> = size
            .lines()
            .nth(1)
            .unwrap()
            .split_whitespace()
            .take(3)
            .map(|word| word.parse().unwrap())
            .collect();
        let memory = u64::from(output.manifest.memory_bytes);
        println!(
            "kws: {memory} bytes of memory, at most {stack} of stack, {} of flash",
            sections[0]
        );
        assert_eq!(sections[1..], [0, 0], "it has no variables: {size}");
        assert!(memory + stack < SMALL, "{memory} + {stack}");
    }
}

/// Time of one call as C and in wasmtime. Prints, and asserts nothing but that both ran.
#[test]
fn speed() {
    if !has("gcc") {
        return;
    }
    println!(
        "{:<22} {:>10} {:>10} {:>10} {:>22}",
        "one call, ns", "C bounds", "C mpu", "wasmtime", "C bounds / wasmtime"
    );
    for name in ["sine/raw.Runefile", "gesture/Runefile"] {
        for simd in [Simd::Off, Simd::On] {
            let output = compile(&root().join("examples").join(name), simd, false);
            let feeds = feeds(&output, 1);
            let native = [Mode::Bounds, Mode::None].map(|mode| {
                let folder = folder("c-speed");
                let program = build(&folder, &output, mode, &feeds, &["-O2", "-DSPEED"]);
                let done = Command::new(program).current_dir(&folder).output().unwrap();
                let text = String::from_utf8(done.stdout).unwrap();
                text.trim()
                    .parse::<f64>()
                    .unwrap_or_else(|_| panic!("{text}"))
            });
            let peer = wasmtime(&output, &feeds[0]);
            let kind = if simd == Simd::On { "simd" } else { "scalar" };
            println!(
                "{:<22} {:>10.1} {:>10.1} {peer:>10.1} {:>22.2}",
                format!("{name} {kind}"),
                native[0],
                native[1],
                native[0] / peer
            );
            assert!(native.iter().chain([&peer]).all(|time| *time > 0.0));
        }
    }
}

/// Nanoseconds of a call in wasmtime, the least of several rounds, with imports that only copy.
fn wasmtime(output: &Output, feed: &Feed) -> f64 {
    use wasmtime::{Caller, Engine, Linker, Module, Store};
    let engine = Engine::default();
    let module = Module::new(&engine, &output.wasm).unwrap();
    let mut linker = Linker::<Feed>::new(&engine);
    let read = |mut caller: Caller<'_, Feed>, index: i32, at: i32, len: i32| {
        let memory = caller.get_export("memory").unwrap().into_memory().unwrap();
        let (bytes, feed) = memory.data_and_store_mut(&mut caller);
        let sample = &feed[index as usize];
        bytes[at as usize..][..len as usize].copy_from_slice(sample);
        len
    };
    linker.func_wrap(Import::MODULE, "read", read).unwrap();
    linker
        .func_wrap(Import::MODULE, "write", |_: i32, _: i32| 0_i32)
        .unwrap();
    linker
        .func_wrap(Import::MODULE, "fault", |_: i32, _: i32, _: i32| {})
        .unwrap();
    linker
        .func_wrap(Import::MODULE, "log", |_: i32, _: i32, _: i32| {})
        .unwrap();
    linker
        .func_wrap(Import::MODULE, "mark", |_: i32, _: i32| {})
        .unwrap();
    let mut store = Store::new(&engine, feed.clone());
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let call = instance
        .get_typed_func::<(), i32>(&mut store, "_call")
        .unwrap();
    let mut best = f64::INFINITY;
    for _ in 0..20 {
        let (mut calls, start) = (0_u32, Instant::now());
        while start.elapsed().as_millis() < 10 {
            for _ in 0..100 {
                call.call(&mut store, ()).unwrap();
            }
            calls += 100;
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e9 / f64::from(calls));
    }
    best
}

/// Reads the samples from the file `feeds`, and prints what the rune writes: for each tensor its bytes, and after them,
/// in case they are texts, what they point to. With SPEED it prints nanoseconds of a call, the least of several rounds.
const MAIN: &str = r#"
#define _POSIX_C_SOURCE 199309L
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "rune.h"

static jmp_buf back;
static rune_context c;
static uint8_t *samples, *next;

static void on_trap(void *host, int why) {
    (void)host;
    longjmp(back, why);
}

#ifdef HAS_READ
static uint32_t on_read(void *host, uint32_t capability, uint32_t at, uint32_t length) {
    (void)host;
    (void)capability;
    memcpy(c.memory + at, next, length);
#ifndef SPEED
    next += length;
#endif
    return length;
}
#endif

#ifdef HAS_WRITE
static uint32_t on_write(void *host, uint32_t output, uint32_t at) {
    (void)host;
    (void)output;
    (void)at;
    (void)rune_tensors;
#ifndef SPEED
    uint32_t tensors = 0;
    printf("output %u", (unsigned)output);
    for (tensors = 0; tensors < rune_tensors[output]; tensors++) {
        uint32_t head[3];
        memcpy(head, c.memory + at, 12);
        at += 12 + 4 * head[2];
        putchar(' ');
        for (uint32_t i = 0; i < head[1]; i++) printf("%02x", c.memory[head[0] + i]);
        putchar(',');
        for (uint32_t i = 0; i + 8 <= head[1]; i += 8) {
            uint32_t text[2];
            memcpy(text, c.memory + head[0] + i, 8);
            if (text[0] > RUNE_MEMORY_BYTES || text[1] > RUNE_MEMORY_BYTES - text[0]) continue;
            putchar('t');
            for (uint32_t j = 0; j < text[1] && j < 4096; j++) printf("%02x", c.memory[text[0] + j]);
            putchar(',');
        }
    }
    puts("");
#endif
    return 0;
}
#endif

#ifdef HAS_FAULT
static void on_fault(void *host, uint32_t code, uint32_t at, uint32_t length) {
    (void)host;
    (void)code;
    (void)at;
    (void)length;
}
#endif

int main(void) {
    FILE *file = fopen("feeds", "rb");
    size_t size = 0, got;
    int why;
    samples = malloc(1 << 24);
    while ((got = fread(samples + size, 1, (1 << 24) - size, file)) > 0) size += got;
    next = samples;
    c.memory = malloc(RUNE_MEMORY_BYTES);
    c.trap = on_trap;
#ifdef HAS_READ
    c.read = on_read;
#endif
#ifdef HAS_WRITE
    c.write = on_write;
#endif
#ifdef HAS_FAULT
    c.fault = on_fault;
#endif
    rune_init(&c);
    if ((why = setjmp(back)) != 0) {
        printf("trap %d\n", why);
        return 0;
    }
#ifdef SPEED
    double best = 1e18;
    for (int round = 0; round < 20; round++) {
        struct timespec start, end;
        double took = 0;
        long calls = 0;
        clock_gettime(CLOCK_MONOTONIC, &start);
        do {
            for (int i = 0; i < 100; i++) rune_call(&c);
            calls += 100;
            clock_gettime(CLOCK_MONOTONIC, &end);
            took = (double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec);
        } while (took < 1e7);
        if (took / (double)calls < best) best = took / (double)calls;
    }
    printf("%f\n", best);
#else
    for (int i = 0; i < CALLS; i++) {
        const int32_t code = (int32_t)rune_call(&c);
        printf("call %d\n", (int)code);
        if (code < 0) break;
    }
#endif
    free(c.memory);
    free(samples);
    return 0;
}
"#;
