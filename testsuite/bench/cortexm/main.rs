//! What the kernels of runes cost on a Cortex-M7, as C: instructions of the guest on QEMU's `mps2-an500`, which repeat
//! exactly, by the schedules for any processor and by those for it, with checks and without.
//!
//! Run with `cargo bench -p rune-testsuite --bench cortexm [-- NAME...]`; `-- --keep DIR` leaves what was compiled there.
//! Needs `qemu-system-arm`, and `clang` with `lld`. Without `RUNE_MODELS` there is no `kws`.
#![allow(clippy::print_stdout, reason = "a benchmark prints")]

mod case;
mod count;

use case::Case;
use count::{Compiler, Count};
use rune_c::Mode;
use rune_codegen::Simd;

/// The convolution in Rust compiled by rustc with `-O3`, and by CMSIS-NN, for each product.
const PEERS: &str =
    "conv, native: rustc 8.59 a product, CMSIS-NN 3.05; sine, native: TFLite Micro 3375, Rust 862";

fn main() {
    let (mut names, mut keep) = (Vec::new(), None);
    let mut arguments = std::env::args().skip(1).filter(|a| a != "--bench");
    while let Some(argument) = arguments.next() {
        if argument == "--keep" {
            keep = Some(arguments.next().expect("--keep takes a folder").into());
        } else {
            names.push(argument);
        }
    }
    let Some(compiler) = Compiler::find(keep) else {
        println!("skipped: clang with lld and qemu-system-arm are not all there");
        return;
    };
    println!("{}\n{PEERS}\n", compiler.name());
    let cases = Case::all();
    let wanted = |case: &&Case| names.is_empty() || names.contains(&case.name);
    println!(
        "| call | products | any, bounds | each | any, unchecked | each | Cortex-M7, bounds | each | Cortex-M7, unchecked | each |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    for case in cases.iter().filter(wanted) {
        let counts = VARIANTS.map(|(simd, mode)| compiler.count(case, simd, mode, false));
        let whole: Vec<u64> = counts.iter().map(Count::total).collect();
        row(&case.name, case.products(), &whole);
        assert!(
            counts.iter().all(|c| c.sum == counts[0].sum),
            "{}: the variants give other results",
            case.name
        );
    }
    println!("\nEach kernel by itself, with checks:\n");
    println!("| kernel | products | any | each | Cortex-M7 | each |");
    println!("|---|---:|---:|---:|---:|---:|");
    for case in cases.iter().filter(wanted) {
        let [any, own] =
            [Simd::Off, Simd::Dsp].map(|simd| compiler.count(case, simd, Mode::Bounds, true));
        let layers = case.layers();
        // Before the first mark the sample is read, after the last the result written.
        let kernels = any.pieces.len().min(own.pieces.len()).saturating_sub(1);
        for index in 0..kernels {
            let (name, products) = match layers.get(index) {
                Some((name, products)) if layers.len() == kernels => (name.as_str(), *products),
                _ => ("?", 0),
            };
            let name = format!("{} {index} {name}", case.name);
            row(&name, products, &[any.pieces[index], own.pieces[index]]);
        }
    }
}

/// Schedules and checks.
const VARIANTS: [(Simd, Mode); 4] = [
    (Simd::Off, Mode::Bounds),
    (Simd::Off, Mode::None),
    (Simd::Dsp, Mode::Bounds),
    (Simd::Dsp, Mode::None),
];

fn row(name: &str, products: u64, counts: &[u64]) {
    let columns = counts.iter().map(|count| {
        let each = if products == 0 {
            "-".to_owned()
        } else {
            format!("{:.2}", *count as f64 / products as f64)
        };
        format!(" {count} | {each} |")
    });
    println!("| {name} | {products} |{}", columns.collect::<String>());
}
