//! How long one call of a rune takes on wasmtime: with SIMD, and without as the peer.
//! Run with `cargo bench -p rune-testsuite --bench call`.
#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use std::{path::PathBuf, time::Instant};

use rune_codegen::{Options, Simd};
use rune_runtime::{Grants, Limits, Read, Rune, Source, SourceError};
use rune_testsuite::{engines, random::Random, reference_models, root};

const ROUNDS: usize = 9;

fn main() {
    let mut cases: Vec<(String, PathBuf)> = [
        "sine/raw.Runefile",
        "sine/int8.Runefile",
        "gesture/Runefile",
        "digits/Runefile",
    ]
    .iter()
    .map(|n| ((*n).to_owned(), root().join("examples").join(n)))
    .collect();
    let folder = std::env::temp_dir().join(format!("rune-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("there is a place for temporary files");
    if let Some(models) = reference_models("call") {
        for (name, file) in [
            ("kws", "kws/kws_ref_model.tflite"),
            ("anomaly", "anomaly/ad01_int8.tflite"),
            ("gesture f32", "gesture/model.tflite"),
        ] {
            std::fs::copy(models.join(file), folder.join(format!("{name}.tflite")))
                .expect("the model can be copied");
            let path = folder.join(format!("{name}.Runefile"));
            std::fs::write(&path, format!("FROM runicos/base\nCAPABILITY RAW x\nMODEL \"./{name}.tflite\" model\nRUN x model serial\nOUT SERIAL\n")).expect("it can be written");
            cases.push((name.to_owned(), path));
        }
    }
    println!(
        "{:<22} {:>12} {:>12} {:>14}",
        "one call", "simd", "scalar", "scalar / simd"
    );
    for (name, path) in cases {
        let mut times = [Vec::new(), Vec::new()];
        let mut runes: Vec<_> = [Simd::On, Simd::Off].map(|simd| start(&path, simd)).into();
        for _ in 0..ROUNDS {
            for (times, instance) in times.iter_mut().zip(&mut runes) {
                let (mut calls, start) = (0u32, Instant::now());
                while start.elapsed().as_millis() < 40 {
                    instance.call().expect("the call ends well");
                    calls += 1;
                }
                times.push(start.elapsed().as_secs_f64() * 1e6 / f64::from(calls));
            }
        }
        let [simd, scalar] = times.map(|mut t| {
            t.sort_by(f64::total_cmp);
            t[ROUNDS / 2]
        });
        println!(
            "{name:<22} {simd:>9.2} us {scalar:>9.2} us {:>14.2}",
            scalar / simd
        );
    }
    // Left behind is only what could not be removed.
    let _ = std::fs::remove_dir_all(&folder);
}

fn start(path: &std::path::Path, simd: Simd) -> rune_runtime::Instance {
    let output = engines::compile(
        path,
        &Options {
            simd,
            ..Options::default()
        },
    )
    .output
    .expect("the case builds");
    let noise = || Box::new(Noise(Random::new(1))) as Box<dyn Source>;
    let sources = output
        .manifest
        .capabilities
        .iter()
        .map(|_| noise())
        .collect();
    let rune = Rune::load(output.wasm).expect("a compiled rune keeps the contract");
    rune.start(Grants::new(sources, Limits::default()), Box::new(|_, _| {}))
        .expect("a compiled rune starts")
}

/// Bytes without a meaning, the first sample again and again.
struct Noise(Random);

impl Source for Noise {
    fn read(&mut self, out: &mut [u8], _: std::time::Instant) -> Result<Read, SourceError> {
        if out.iter().all(|b| *b == 0) {
            // Bytes below 64 keep floats finite.
            let sample = self.0.bytes(out.len());
            out.iter_mut()
                .zip(sample)
                .for_each(|(to, from)| *to = from & 63);
        }
        Ok(Read::Sample)
    }
}
