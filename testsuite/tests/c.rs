//! Runes as C: what wasmtime gives, byte by byte, in every mode and with the compiler's checks of undefined behaviour;
//! and how fast they are.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "measurements are printed, and what is skipped is said"
)]

use std::time::Instant;

use as_c::{CHECKED, Called, build, compile, feeds, folder, has, outcomes, run, runefiles};
use rune_abi::Import;
use rune_c::Mode;
use rune_codegen::{Output, Simd};
use rune_ir::graph::DataType;
use rune_testsuite::{
    engines::{self, Feed, Outcome},
    overlay::Overlay,
    root,
};

mod as_c;
#[path = "../../frontend/models/tests/vectors/mod.rs"]
mod vectors;

/// How often each rune is called.
const CALLS: usize = 4;
/// How many runes of operators one program has.
const TOGETHER: usize = 24;

/// The compilers that check undefined behaviour.
fn checking() -> Vec<&'static str> {
    let mut clangs = ["clang-22", "clang-21", "clang-20", "clang-19", "clang-18"]
        .into_iter()
        .filter(|name| {
            std::process::Command::new(name)
                .arg("--version")
                .output()
                .is_ok()
        });
    let clang = clangs.next().unwrap_or("clang");
    ["gcc", clang]
        .into_iter()
        .filter(|name| has(name))
        .collect()
}

#[test]
fn every_rune_gives_as_c_what_it_gives() {
    let compilers = checking();
    if compilers.is_empty() {
        return;
    }
    let (mut runes, mut calls) = (0, 0);
    for path in runefiles() {
        for simd in [Simd::Off, Simd::On] {
            let output = compile(&path, simd);
            let feeds = feeds(&output, CALLS);
            let expected = engines::run(&output, &feeds);
            let modes: &[(Mode, &[&str])] = if simd == Simd::On {
                &[
                    (Mode::Bounds, CHECKED),
                    (Mode::Bounds, &["-O2", "-DRUNE_PLAIN"]),
                ]
            } else {
                &[
                    (Mode::Bounds, CHECKED),
                    (Mode::Mask, &["-O2"]),
                    (Mode::None, &["-O2"]),
                ]
            };
            for (mode, flags) in modes {
                // Both compilers check, and everyone compiles with the first.
                let both = if *flags == CHECKED {
                    compilers.len()
                } else {
                    1
                };
                for compiler in &compilers[..both] {
                    let rune = Called {
                        output: &output,
                        feeds: &feeds,
                    };
                    let what = format!("{} {simd:?} {mode:?} {compiler}", path.display());
                    let program = build(&folder("c-runes"), &[rune], *mode, compiler, flags);
                    let found = outcomes(&output, &run(&program, &what)[0]);
                    assert_eq!(found, expected, "{what}");
                    calls += found.len();
                }
            }
            runes += 1;
        }
    }
    println!("{runes} runes, {calls} calls");
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
            let output = compile(&root().join("examples").join(name), simd);
            let feeds = feeds(&output, 1);
            let native = [Mode::Bounds, Mode::None].map(|mode| {
                let folder = folder("c-speed");
                let rune = Called {
                    output: &output,
                    feeds: &feeds,
                };
                let program = build(&folder, &[rune], mode, "gcc", &["-O2", "-DSPEED"]);
                let text = &run(&program, name)[0];
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

/// Cases of the vectors of operators as runes; of each operator so many. `RUNE_C_OPERATORS=all` asks for every one.
#[test]
fn operators_give_as_c_what_they_give() {
    let compilers = checking();
    if compilers.is_empty() {
        return;
    }
    let all = std::env::var_os("RUNE_C_OPERATORS").is_some_and(|text| text == "all");
    let mut runes: Vec<(String, Output, Vec<Feed>)> = Vec::new();
    for operator in vectors::operators() {
        let cases = vectors::load(&operator);
        let step = if all { 1 } else { cases.len().div_ceil(3) };
        for (index, case) in cases.iter().enumerate() {
            if index % step == 0 || case.calls.len() > 1 {
                let what = format!("{operator}, {}", case.name);
                runes.extend(
                    operator_rune(&what, case).map(|(output, feeds)| (what, output, feeds)),
                );
            }
        }
    }
    let (mut calls, mut unchecked) = (0, 0);
    for (turn, batch) in runes.chunks(TOGETHER).enumerate() {
        let expected: Vec<Vec<Outcome>> = batch
            .iter()
            .map(|(_, output, feeds)| engines::run(output, feeds))
            .collect();
        let mut same = |mode: Mode, compiler: &str, flags: &[&str]| {
            let called: Vec<Called<'_>> = batch
                .iter()
                .map(|(_, output, feeds)| Called { output, feeds })
                .collect();
            let program = build(&folder("c-operators"), &called, mode, compiler, flags);
            let printed = run(&program, &batch[0].0);
            assert_eq!(printed.len(), batch.len());
            for ((what, output, _), (printed, expected)) in
                batch.iter().zip(printed.iter().zip(&expected))
            {
                let found = outcomes(output, printed);
                assert_eq!(found, *expected, "{what} {mode:?} {compiler}");
                calls += found.len();
            }
        };
        for (index, compiler) in compilers.iter().enumerate() {
            if all || turn % compilers.len() == index {
                same(Mode::Bounds, compiler, CHECKED);
            }
        }
        // No operator leaves its memory.
        let other = compilers[(turn + 1) % compilers.len()];
        for mode in [Mode::Mask, Mode::None] {
            if all || turn % 2 == usize::from(mode == Mode::None) {
                same(mode, other, &["-O1"]);
                unchecked += batch.len();
            }
        }
    }
    println!(
        "{} runes of operators, {calls} calls; {unchecked} times without checks",
        runes.len()
    );
    assert!(runes.len() > 60 && calls > runes.len());
}

/// A case as a rune, if it can be one: no stage has truth values, and each reads something.
fn operator_rune(what: &str, case: &vectors::Case) -> Option<(Output, Vec<Feed>)> {
    let graph = rune_models::import(&case.model).unwrap();
    let mut ends = graph.inputs.iter().chain(&graph.outputs);
    if ends.any(|id| graph.tensors[*id].ty == DataType::Bool) || graph.inputs.is_empty() {
        return None;
    }
    let inputs: Vec<String> = (0..graph.inputs.len()).map(|i| format!("x{i}")).collect();
    let outputs: Vec<String> = (0..graph.outputs.len()).map(|i| format!("m.{i}")).collect();
    let text = format!(
        "FROM runicos/base\nCAPABILITY RAW {}\nMODEL ./m.tflite m\nOUT SERIAL\nRUN [{}] m\nRUN [{}] serial\n",
        inputs.join("\nCAPABILITY RAW "),
        inputs.join(", "),
        outputs.join(", "),
    );
    let world = Overlay::new(".").with("./m.tflite", case.model.clone());
    let options = rune_codegen::Options {
        simd: Simd::Off,
        ..rune_codegen::Options::default()
    };
    let compiled = engines::compile_text(&text, &world, &options);
    let shown = engines::rendered(&compiled);
    let output = compiled.output.unwrap_or_else(|| panic!("{what}: {shown}"));
    let feeds = case.calls.iter().map(|call| call.inputs.clone()).collect();
    Some((output, feeds))
}
