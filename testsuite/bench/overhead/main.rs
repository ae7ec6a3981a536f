//! The paper's experiment on Linux: pipelines called 1,000 to 1,000,000 times, as a native Rust program and as a
//! rune under `RunicOS`, with results passed on as structs, JSON and protobuf. Prints equation (1),
//! `(T_rune - T_native) / T_native` of processor time, and draws all repetitions.
//!
//! Run with `cargo bench -p rune-testsuite --bench overhead [-- sine|gesture] [--svg FILE]`. With
//! `RUSTFLAGS="-C target-cpu=native"` the native side, and the runtime, may use all of the processor.
#![allow(clippy::print_stdout, reason = "a benchmark prints")]

mod bare;
mod form;
mod native;

use std::{path::PathBuf, time::Instant};

use form::{Answer, Form, Records};
use native::{Gesture, Native, Sine};
use rune_codegen::Options;
use rune_runtime::{
    Call, Compiler, Grants, Instance, Limits, Read, Rune, Runtime, Source, SourceError,
};
use rune_testsuite::{
    chart::{self, Chart, Series},
    engines, root,
};
use rustix::time::{ClockId, clock_gettime};

/// How often each side has its turn with each number of calls.
const REPETITIONS: usize = 7;

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|a| a != "--bench");
    let (mut only, mut picture) = (None, PathBuf::from("overhead.svg"));
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--svg" => picture = arguments.next().expect("--svg takes a file").into(),
            _ => only = Some(argument),
        }
    }
    let simd = [
        (cfg!(target_feature = "avx2"), "avx2"),
        (cfg!(target_feature = "fma"), "fma"),
    ];
    let simd: Vec<&str> = simd.iter().filter(|f| f.0).map(|f| f.1).collect();
    println!(
        "native: rustc -O3, {}; microseconds of processor time for one call; overhead: median (least to most) of {REPETITIONS}\n",
        if simd.is_empty() {
            "baseline x86-64 or aarch64".to_owned()
        } else {
            simd.join(" ")
        }
    );
    println!(
        "| pipeline | results as | calls | native | rune | overhead | with the rune's start |\n|---|---|---:|---:|---:|---:|---:|"
    );
    let cases = [("sine", 1_000_000), ("gesture", 100_000)];
    let cases = cases
        .iter()
        .filter(|(name, _)| only.as_ref().is_none_or(|o| o == name));
    let mut floor = bare::calls(1_000_000);
    let mut times: Vec<f64> = (0..REPETITIONS).map(|_| timed(&mut floor).1).collect();
    times.sort_by(f64::total_cmp);
    let charts: Vec<Chart> = cases.map(|(name, most)| experiment(name, *most)).collect();
    std::fs::write(&picture, chart::svg(&charts)).expect("the picture can be written");
    println!(
        "\nthe engine alone, an empty function with the same two imports: {:.3} ({:.3} to {:.3})",
        times[REPETITIONS / 2],
        times[0],
        times[REPETITIONS - 1]
    );
    println!("{} shows every repetition", picture.display());
}

/// One pipeline, with up to so many calls.
fn experiment(name: &str, most: u64) -> Chart {
    let case = Case::new(name);
    let mut series = vec![];
    for form in Form::ALL {
        let mut shown = Series {
            name: form.name().to_owned(),
            ..Series::default()
        };
        let counts = (3..=6).map(|power| 10u64.pow(power));
        for calls in counts.take_while(|calls| *calls <= most) {
            let mut native = case.native();
            let (mut rune, mut start, mut times) = (None, vec![], [vec![], vec![]]);
            for _ in 0..REPETITIONS {
                let ((), begun) = timed(|| rune = Some(case.start()));
                start.push(begun);
                let instance = rune.as_mut().expect("it was started");
                let manifest = case.rune.manifest();
                let mut sums = [0.0; 2];
                let ((), time) = timed(|| {
                    for _ in 0..calls {
                        sums[0] += form.consume(&native.call());
                    }
                });
                times[0].push(time);
                let ((), time) = timed(|| {
                    for _ in 0..calls {
                        let Ok(Call::Output(records)) = instance.call() else {
                            panic!("every call gives an output")
                        };
                        sums[1] += form.consume(&Records { manifest, records });
                    }
                });
                times[1].push(time);
                std::hint::black_box(sums);
            }
            let pairs = times[0].iter().zip(&times[1]).zip(&start);
            let mut overheads: Vec<[f64; 2]> = pairs
                .map(|((native, rune), start)| {
                    [rune, &(rune + start)].map(|rune| (rune - native) / native * 100.0)
                })
                .collect();
            let points = overheads.iter().map(|o| (calls as f64, o[0]));
            shown.points.extend(points);
            overheads.sort_by(|a, b| a[0].total_cmp(&b[0]));
            let [native, rune] = times.map(|mut t| {
                t.sort_by(f64::total_cmp);
                t[REPETITIONS / 2] / calls as f64 * 1e6
            });
            let [middle, with_start] = overheads[REPETITIONS / 2];
            shown.line.push((calls as f64, middle));
            println!(
                "| {name} | {} | {calls} | {native:.3} | {rune:.3} | {middle:.1} % ({:.1} to {:.1}) | {with_start:.1} % |",
                form.name(),
                overheads[0][0],
                overheads[REPETITIONS - 1][0],
            );
        }
        series.push(shown);
    }
    Chart {
        title: format!("{name}: (T_rune - T_native) / T_native"),
        x: "calls".to_owned(),
        y: "%".to_owned(),
        log_x: true,
        series,
        ..Chart::default()
    }
}

/// What a function takes of the processor, in seconds, all threads together.
fn timed<T>(f: impl FnOnce() -> T) -> (T, f64) {
    let now = || {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
    };
    let begin = now();
    let result = f();
    (result, now() - begin)
}

/// A pipeline, both ways.
struct Case {
    name: &'static str,
    rune: Rune,
    model: Vec<u8>,
    /// The bytes of a call for a rune that reads a sensor.
    sample: Vec<u8>,
}

impl Case {
    fn new(name: &str) -> Self {
        let (name, sample) = match name {
            "sine" => ("sine", vec![]),
            _ => ("gesture", ring()),
        };
        let folder = root().join("examples").join(name);
        let model = std::fs::read(folder.join(format!("{name}.tflite")));
        let compiled = engines::compile(&folder.join("Runefile"), &Options::default());
        let output = compiled.output.expect("an example compiles");
        let case = Self {
            name,
            rune: Rune::load(output.wasm).expect("a compiled rune keeps the contract"),
            model: model.expect("an example has its model"),
            sample,
        };
        case.compare();
        case
    }

    fn native(&self) -> Box<dyn Native> {
        let graph = rune_models::import(&self.model).expect("an example has a model that compiles");
        match self.name {
            "sine" => Box::new(Sine::new(&graph)),
            _ => Box::new(Gesture::new(&graph, &self.sample)),
        }
    }

    fn start(&self) -> Instance {
        let grants = if self.sample.is_empty() {
            self.rune.grant(&[], &Limits::default())
        } else {
            let source = Box::new(Again(self.sample.clone())) as Box<dyn Source>;
            Ok(Grants::new(vec![source], Limits::default()))
        };
        let grants = grants.expect("the bench gives all that is needed");
        thread_local! {
            static RUNTIME: Runtime = {
                let cache = rune_runtime::Cache::of_user().ok();
                Runtime::new(Compiler::InProcess, cache).expect("there is a runtime")
            };
        }
        RUNTIME.with(|runtime| {
            let started = runtime.start(&self.rune, grants, Box::new(|_, _| {}));
            started.expect("a compiled rune starts")
        })
    }

    /// Both sides give the same results, in every form.
    fn compare(&self) {
        let (mut native, mut rune) = (self.native(), self.start());
        let manifest = self.rune.manifest();
        for _ in 0..100 {
            let Ok(Call::Output(records)) = rune.call() else {
                panic!("every call gives an output")
            };
            let (theirs, ours) = (native.call(), Records { manifest, records });
            let near = (theirs.number() - ours.number()).abs() < 1e-5;
            assert!(near, "{} and {}", theirs.json(), ours.json());
            assert_eq!(theirs.protobuf().len(), ours.protobuf().len());
        }
    }
}

/// The first window of the example.
fn ring() -> Vec<u8> {
    let text = std::fs::read_to_string(root().join("examples/gesture/ring.csv"));
    let text = text.expect("the example has its data");
    let numbers = text.lines().flat_map(|line| line.split(','));
    let number = |text: &str| text.trim().parse::<f32>().ok();
    numbers
        .filter_map(number)
        .take(128 * 3)
        .flat_map(f32::to_le_bytes)
        .collect()
}

/// The same sample at every call.
struct Again(Vec<u8>);

impl Source for Again {
    fn read(&mut self, out: &mut [u8], _: Instant) -> Result<Read, SourceError> {
        out.copy_from_slice(&self.0);
        Ok(Read::Sample)
    }
}
