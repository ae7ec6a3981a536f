//! Runes as C: what wasmtime gives, byte by byte, in every mode and with the compiler's checks of undefined behaviour;
//! and how fast they are.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "measurements are printed, and what is skipped is said"
)]

use std::{
    fs,
    path::Path,
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Instant,
};

use as_c::{CHECKED, Called, build, compile, feeds, folder, has, outcomes, run, runefiles};
use as_rune::OperatorRune;
use rune_abi::Import;
use rune_c::Mode;
use rune_codegen::{Output, Simd, report::RegionKind};
use rune_testsuite::{
    engines::{self, Feed, Outcome},
    overlay::Overlay,
    reference_models, root,
};

mod as_c;
mod as_rune;
#[path = "../../frontend/models/tests/vectors/mod.rs"]
mod vectors;

/// How often each rune is called.
const CALLS: usize = 4;
/// How many runes of operators one program has.
const TOGETHER: usize = 24;

/// Whether all is asked for, by `RUNE_C=all`, which takes an hour: each case, with each compiler.
fn all() -> bool {
    std::env::var_os("RUNE_C").is_some_and(|text| text == "all")
}

/// The compilers that check undefined behaviour.
fn checking() -> Vec<&'static str> {
    let mut clangs = ["clang-22", "clang-21", "clang-20", "clang-19", "clang-18"]
        .into_iter()
        .filter(|name| Command::new(name).arg("--version").output().is_ok());
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
                // Of the compilers that check, one in turn.
                let chosen: Vec<&str> = if *flags == CHECKED && all() {
                    compilers.clone()
                } else {
                    vec![compilers[runes % compilers.len()]]
                };
                for compiler in chosen {
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
        let called = Called {
            output: &output,
            feeds: &feeds,
        };
        let program = build(&folder, &[called], Mode::Bounds, "gcc", &["-O2"]);
        let found = outcomes(&output, &run(&program, "kws")[0]);
        assert_eq!(found, engines::run(&rune, &feeds));
    }
    if has("arm-none-eabi-gcc") {
        let folder = folder("c-kws-device");
        let options = rune_c::Options {
            memory_bytes: Some(output.manifest.memory_bytes),
            ..rune_c::Options::default()
        };
        let c = rune_c::emit(&output.wasm, &options).unwrap();
        fs::write(folder.join("rune.c"), &c.source).unwrap();
        fs::write(folder.join("rune.h"), &c.header).unwrap();
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

/// What was compared of the runes of operators.
#[derive(Default)]
struct Compared {
    runes: usize,
    calls: usize,
    unchecked: usize,
}

/// Cases of the vectors of operators as runes: of each operator the first, and the first that keeps state.
#[test]
fn operators_give_as_c_what_they_give() {
    let compilers = checking();
    if compilers.is_empty() {
        return;
    }
    let mut runes: Vec<(String, OperatorRune)> = Vec::new();
    for operator in vectors::operators() {
        let of_it = vectors::load(&operator);
        let stateful = of_it.iter().position(|case| case.calls.len() > 1);
        for (index, case) in of_it.iter().enumerate() {
            if all() || index == 0 || Some(index) == stateful {
                let what = format!("{operator}, {}", case.name);
                runes.extend(OperatorRune::new(case).map(|rune| (what, rune)));
            }
        }
    }
    let batches: Vec<_> = runes.chunks(TOGETHER).collect();
    let next = AtomicUsize::new(0);
    let worker = |part: usize| {
        let folder = folder(&format!("c-operators-{part}"));
        let mut compared = Compared::default();
        loop {
            let turn = next.fetch_add(1, Ordering::Relaxed);
            let Some(batch) = batches.get(turn) else {
                return compared;
            };
            operators(batch, turn, &compilers, &folder, &mut compared);
        }
    };
    // Compilers of C take nearly all of the time, one for each thread.
    let parts = thread::available_parallelism().map_or(1, usize::from);
    let compared = thread::scope(|scope| {
        let worker = &worker;
        let workers: Vec<_> = (0..parts)
            .map(|part| scope.spawn(move || worker(part)))
            .collect();
        let results = workers.into_iter().map(|w| w.join().unwrap());
        results.fold(Compared::default(), |a, b| Compared {
            runes: a.runes + b.runes,
            calls: a.calls + b.calls,
            unchecked: a.unchecked + b.unchecked,
        })
    });
    let Compared {
        runes,
        calls,
        unchecked,
    } = compared;
    println!("{runes} runes of operators, {calls} calls; {unchecked} times without checks");
    assert!(runes > 60 && calls > runes);
}

/// Runs a batch of runes as C and by wasmtime: as C for any processor with the checks of compilers, and
/// without checks as C for a Cortex-M7, whose instructions are C there.
fn operators(
    runes: &[(String, OperatorRune)],
    turn: usize,
    compilers: &[&str],
    folder: &Path,
    compared: &mut Compared,
) {
    let form = |simd, flash| {
        let options = rune_codegen::Options {
            simd,
            flash,
            ..rune_codegen::Options::default()
        };
        let compile = |(what, rune): &(String, OperatorRune)| {
            let compiled = engines::compile_text(&rune.text, &rune.world, &options);
            let shown = engines::rendered(&compiled);
            compiled.output.unwrap_or_else(|| panic!("{what}: {shown}"))
        };
        runes.iter().map(compile).collect::<Vec<Output>>()
    };
    let expected: Vec<Vec<Outcome>> = form(Simd::Off, false)
        .iter()
        .zip(runes)
        .map(|(output, (_, rune))| engines::run(output, &rune.feeds))
        .collect();
    let mut same = |outputs: &[Output], mode: Mode, compiler: &str, flags: &[&str]| {
        let called: Vec<Called<'_>> = outputs
            .iter()
            .zip(runes)
            .map(|(output, (_, rune))| Called {
                output,
                feeds: &rune.feeds,
            })
            .collect();
        let program = build(folder, &called, mode, compiler, flags);
        let printed = run(&program, &runes[0].0);
        assert_eq!(printed.len(), runes.len());
        for (index, (what, _)) in runes.iter().enumerate() {
            let found = outcomes(&outputs[index], &printed[index]);
            assert_eq!(found, expected[index], "{what} {mode:?} {compiler}");
            compared.calls += found.len();
        }
    };
    let any = form(Simd::Off, true);
    for (index, compiler) in compilers.iter().enumerate() {
        if all() || turn % compilers.len() == index {
            same(&any, Mode::Bounds, compiler, CHECKED);
        }
    }
    // No operator leaves its memory.
    let other = compilers[(turn + 1) % compilers.len()];
    let device = form(Simd::Dsp, true);
    for mode in [Mode::Mask, Mode::None] {
        if all() || turn % 2 == usize::from(mode == Mode::None) {
            same(&device, mode, other, &["-O1"]);
            compared.unchecked += runes.len();
        }
    }
    compared.runes += runes.len();
}
