//! The paper's Figure 3 on a Cortex-M7: applications called 1 to 1,000,000 times, (a) as C compiled into the firmware,
//! (b) as a rune whose results are passed on as structs, (c) as a rune whose results are passed on as protobuf, and as
//! images in each containment, with structs. Counts instructions on QEMU's `mps2-an500`, which repeat exactly, and gives equation (1),
//! `(T_rune - T_native) / T_native`, as a table, `figure3.csv` and `figure3.svg`.
//!
//! Run with `cargo bench -p rune-testsuite --bench figure3 [-- APP...] [--images] [--folder DIR]`: `--images` leaves the interpreter out; `-- --builds` compares builds
//! of the interpreter instead. Needs `qemu-system-arm`, a compiler for the target of the board, and `clang` or
//! `arm-none-eabi-gcc`.
#![allow(clippy::print_stdout, reason = "a benchmark prints")]

mod app;
mod native;
mod span;

use std::{fmt::Write as _, fs, path::PathBuf};

use app::App;
use native::Compiler;
use rune_testsuite::chart::{self, Band, Chart, Series};
use span::{Firmware, Span};

/// What one call of `TFLite` Micro with CMSIS-NN takes for a float model of sine, natively: 16 and 16 neurons between, as
/// in its example `hello_world`. Measured on the same machine of QEMU with arm-none-eabi-g++ 12.2 -O2.
const TFLITE_MICRO: f64 = 3375.0;

/// Cycles that a Cortex-M7 takes to enter an exception and to leave it. QEMU counts none of them.
const EXCEPTION_CYCLES: u64 = 40;

/// The overhead of the paper's containers, in percent.
const PAPER: [f64; 2] = [28.0, 45.0];

/// Applications, and how often each is called; at most so often where it is interpreted, which takes long.
const CASES: [(&str, &[u32], u32); 3] = [
    ("sine", &[1_000, 10_000, 100_000, 1_000_000], 1_000_000),
    ("gesture", &[1, 10, 100, 1_000], 1_000),
    // The first inference is in the tenth call, when the features of a second are there.
    ("keyword", &[10, 11, 14, 19, 100, 1_000], 19),
];

/// The modes of the firmware, with their names in the figure, and whether it is the interpreter.
const MODES: [(&str, &str, bool); 5] = [
    ("struct", "rune, structs", true),
    ("protobuf", "rune, protobuf", true),
    ("mpu", "image, mpu", false),
    ("bounds", "image, bounds", false),
    ("mask", "image, mask", false),
];

fn main() {
    let (mut names, mut folder, mut builds) = (vec![], PathBuf::from("."), false);
    let mut images = false;
    let mut arguments = std::env::args().skip(1).filter(|a| a != "--bench");
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--folder" => folder = arguments.next().expect("--folder takes a folder").into(),
            "--builds" => builds = true,
            "--images" => images = true,
            _ => names.push(argument),
        }
    }
    if let Some(why) = rune_testsuite::qemu::missing() {
        println!("skipped: {why}");
        return;
    }
    let Some(compiler) = Compiler::find() else {
        println!("skipped: neither clang nor arm-none-eabi-gcc is there");
        return;
    };
    if builds {
        return compare_builds(&compiler);
    }
    let cases: Vec<_> = CASES
        .iter()
        .filter(|(name, ..)| names.is_empty() || names.iter().any(|n| n == name))
        .collect();
    let apps: Vec<App> = cases
        .iter()
        .map(|(name, ..)| App::new(name, false, &compiler.0))
        .collect();
    let firmware = Firmware::build(&apps, &compiler, "z", false);
    println!(
        "native: {}; interpreter: wasmi, opt-level z, without SIMD\n",
        compiler.name()
    );
    println!(
        "| application | calls | mode | instructions | per call | overhead | with {EXCEPTION_CYCLES} cycles per exception |\n|---|---:|---|---:|---:|---:|---:|"
    );
    let mut csv = "application,calls,mode,instructions,exceptions,overhead_percent,overhead_with_exceptions_percent\n".to_owned();
    let mut charts = vec![];
    for (name, counts, most) in cases {
        let mut lines: Vec<(&str, Vec<(f64, f64)>)> = MODES.map(|m| (m.1, vec![])).into();
        for calls in *counts {
            let native = firmware.count(name, "native", *calls);
            row(&mut csv, name, *calls, "native", native, None);
            for ((mode, shown, is_interpreted), line) in MODES.iter().zip(&mut lines) {
                if *is_interpreted && (images || calls > most) {
                    continue;
                }
                let rune = firmware.count(name, mode, *calls);
                assert_eq!(
                    rune.sum, native.sum,
                    "{name}, {mode}: other results than natively"
                );
                row(&mut csv, name, *calls, shown, rune, Some(native));
                line.1.push((
                    f64::from(*calls),
                    overhead(rune.instructions, native.instructions),
                ));
            }
            if *name == "sine" {
                let instructions = (TFLITE_MICRO * f64::from(*calls)) as u64;
                let constant = Span {
                    instructions,
                    exceptions: 0,
                    sum: 0,
                };
                row(
                    &mut csv,
                    name,
                    *calls,
                    "TFLite Micro, native (constant)",
                    constant,
                    Some(native),
                );
            }
        }
        lines.retain(|(_, line)| !line.is_empty());
        let series = lines.into_iter().map(|(name, line)| Series {
            name: name.to_owned(),
            points: line.clone(),
            line,
        });
        charts.push(Chart {
            title: format!("{name}: (T_rune - T_native) / T_native, in instructions"),
            x: "calls".to_owned(),
            y: "%".to_owned(),
            log_x: true,
            log_y: true,
            bands: vec![Band {
                name: "paper, 28-45 %".to_owned(),
                from: PAPER[0],
                to: PAPER[1],
            }],
            series: series.collect(),
        });
    }
    fs::create_dir_all(&folder).expect("the folder can be made");
    for (file, text) in [("figure3.csv", csv), ("figure3.svg", chart::svg(&charts))] {
        let path = folder.join(file);
        fs::write(&path, text).expect("the folder can be written");
        println!("{}", path.display());
    }
}

/// Equation (1), in percent.
fn overhead(rune: u64, native: u64) -> f64 {
    (rune as f64 - native as f64) / native as f64 * 100.0
}

/// Prints what a mode took, and adds it to the CSV.
fn row(csv: &mut String, name: &str, calls: u32, mode: &str, span: Span, native: Option<Span>) {
    let cycles = |s: Span| s.instructions + s.exceptions * EXCEPTION_CYCLES;
    let overheads = native.map(|native| {
        [
            overhead(span.instructions, native.instructions),
            overhead(cycles(span), cycles(native)),
        ]
    });
    let per_call = span.instructions as f64 / f64::from(calls);
    let instructions = span.instructions;
    let shown = overheads.map_or(["-".to_owned(), "-".to_owned()], |o| {
        o.map(|x| format!("{x:+.1} %"))
    });
    println!(
        "| {name} | {calls} | {mode} | {instructions} | {per_call:.1} | {} | {} |",
        shown[0], shown[1]
    );
    let [plain, charged] = overheads.map_or([String::new(), String::new()], |o| {
        o.map(|x| format!("{x:.2}"))
    });
    writeln!(
        csv,
        "{name},{calls},\"{mode}\",{instructions},{},{plain},{charged}",
        span.exceptions
    )
    .expect("a string takes everything");
}

/// Instructions of one inference by builds of the interpreter, and their bytes of flash.
fn compare_builds(compiler: &Compiler) {
    const NAMES: [&str; 4] = ["sine", "gesture", "keyword", "digits"];
    println!("| optimised for | SIMD | flash | {} |", NAMES.join(" | "));
    println!("|---|---|---:|{}", "---:|".repeat(NAMES.len()));
    for level in ["z", "s", "3"] {
        for simd in [false, true] {
            let apps = NAMES.map(|name| App::new(name, simd, &compiler.0));
            let firmware = Firmware::build(&apps, compiler, level, simd);
            let inferences = NAMES.map(|name| {
                // The start is in both.
                let [one, more] = [10, 20].map(|calls| firmware.count(name, "struct", calls));
                ((more.instructions - one.instructions) / 10).to_string()
            });
            println!(
                "| {level} | {} | {} | {} |",
                if simd { "yes" } else { "no" },
                firmware.flash(),
                inferences.join(" | ")
            );
        }
    }
}
