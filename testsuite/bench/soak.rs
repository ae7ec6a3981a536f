//! Ten million calls of sine and of gesture: the memory of the process must not grow. Prints it at ten moments and
//! draws it at two hundred. Run with `cargo bench -p rune-testsuite --bench soak [-- MILLIONS] [--svg FILE]`.
#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use std::{path::PathBuf, time::Instant};

use rune_codegen::Options;
use rune_runtime::{Call, Grants, Limits, Read, Rune, Source, SourceError, serial};
use rune_testsuite::{
    chart::{self, Chart, Series},
    engines, memory, root,
};

/// How often memory is looked at.
const LOOKS: u64 = 200;
/// At how many of these it is printed.
const SHOWN: u64 = 10;

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|a| a != "--bench");
    let (mut millions, mut picture) = (10, PathBuf::from("soak.svg"));
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--svg" => picture = arguments.next().expect("--svg takes a file").into(),
            number => millions = number.parse().expect("a number of millions of calls"),
        }
    }
    let calls: u64 = millions * 1_000_000;
    let charts = ["sine", "gesture"].map(|name| soak(name, calls));
    std::fs::write(&picture, chart::svg(&charts)).expect("the picture can be written");
    println!("{} shows it", picture.display());
}

fn soak(name: &str, calls: u64) -> Chart {
    let path = root().join("examples").join(name).join("Runefile");
    let compiled = engines::compile(&path, &Options::default());
    let output = compiled.output.expect("an example compiles");
    let rune = Rune::load(output.wasm).expect("a compiled rune keeps the contract");
    let waves = rune.manifest().capabilities.iter();
    let sources = waves
        .map(|_| Box::new(Wave(0)) as Box<dyn Source>)
        .collect();
    let grants = Grants::new(sources, Limits::default());
    let mut instance = rune
        .start(grants, Box::new(|_, _| {}))
        .expect("a compiled rune starts");
    let mut line = vec![];
    let begin = Instant::now();
    for look in 0..=LOOKS {
        line.push((
            (look * calls / LOOKS) as f64,
            memory::resident_bytes() as f64 / 1024.0,
        ));
        if look == LOOKS {
            break;
        }
        for _ in 0..(look + 1) * calls / LOOKS - look * calls / LOOKS {
            match instance.call() {
                Ok(Call::Output(records)) => {
                    std::hint::black_box(serial::line(rune.manifest(), records));
                }
                other => panic!("every call gives an output: {other:?}"),
            }
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    println!("{name}: {calls} calls in {seconds:.1} s; KiB resident after so many calls:");
    for (calls, kib) in line.iter().step_by((LOOKS / SHOWN) as usize) {
        println!("  {calls:>10} {kib:>8}");
    }
    // The first look comes before the first call has touched what every call needs.
    let steady = line[1..].iter().map(|p| p.1);
    let (low, high) = steady.fold((f64::MAX, f64::MIN), |(l, h), k| (l.min(k), h.max(k)));
    println!("  from the second look on: least {low}, most {high}");
    Chart {
        title: format!("{name}: resident memory of the process"),
        x: "calls".to_owned(),
        y: "KiB".to_owned(),
        series: vec![Series {
            name: name.to_owned(),
            points: vec![],
            line,
        }],
        ..Chart::default()
    }
}

/// Numbers that change from call to call.
struct Wave(u32);

impl Source for Wave {
    fn read(&mut self, out: &mut [u8], _: Instant) -> Result<Read, SourceError> {
        for (at, bytes) in out.chunks_exact_mut(4).enumerate() {
            let phase = self.0.wrapping_add(at as u32) % 1000;
            bytes.copy_from_slice(&(phase as f32 / 159.0).to_le_bytes());
        }
        self.0 = self.0.wrapping_add(17);
        Ok(Read::Sample)
    }
}
