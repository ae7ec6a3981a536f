//! A model as a rune on wasmtime: with SIMD and without, the model alone and the whole call.

use std::{
    hint,
    time::{Duration, Instant},
};

use rune_codegen::{Options, Output, Simd, report::RegionKind};
use rune_runtime::{Call, Elements, Grants, Instance, Limits, Read, Rune, Source, SourceError};
use rune_testsuite::{engines, overlay::Overlay, root};

use crate::{cases::Case, table::Cell};

/// The runes of one model.
pub(crate) struct Ours {
    /// The model alone, with SIMD and without: the time between its stage's marks, without the clock's.
    pub(crate) simd: Engine,
    /// Without SIMD.
    pub(crate) scalar: Engine,
    /// The whole of `_call` with SIMD, and what the host does around it: it fills the input, takes the
    /// output, and watches the deadline.
    pub(crate) whole: Engine,
}

/// One rune at work.
pub(crate) struct Engine {
    instance: Instance,
    marked: bool,
    /// What it took.
    pub(crate) cell: Cell,
    /// What it gave at the first call.
    pub(crate) output: Vec<u8>,
    /// What it costs.
    pub(crate) sizes: Sizes,
}

/// Bytes of a rune.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// The whole file.
    pub(crate) file: usize,
    /// The model's code.
    pub(crate) code: u32,
    /// Weights.
    pub(crate) constants: u32,
    /// Tensors of a call, input and output among them, and what is kept from call to call.
    pub(crate) arena: u32,
}

impl Ours {
    /// Compiles and starts the runes of a model; the error is the first line of what the compiler says.
    pub(crate) fn start(case: &Case) -> Result<Self, String> {
        let start = |simd, marks| {
            let options = Options {
                simd,
                marks,
                ..Options::default()
            };
            Engine::start(case, &options)
        };
        Ok(Self {
            simd: start(Simd::On, true)?,
            scalar: start(Simd::Off, true)?,
            whole: start(Simd::On, false)?,
        })
    }

    /// Lets each rune run for so long.
    pub(crate) fn turn(&mut self, time: Duration) {
        for engine in [&mut self.simd, &mut self.scalar, &mut self.whole] {
            engine.turn(time);
        }
    }
}

impl Engine {
    fn start(case: &Case, options: &Options) -> Result<Self, String> {
        let world = Overlay::new(root()).with("./model.tflite", case.model.clone());
        let compiled = engines::compile_text(&case.runefile(), &world, options);
        let rendered = engines::rendered(&compiled);
        let first_line = || rendered.lines().next().unwrap_or("nothing").to_owned();
        let output = compiled.output.ok_or_else(first_line)?;
        let sizes = Sizes::of(&output);
        let mut rest = &case.input[..];
        let sources = case.input_sizes.iter().map(|size| {
            let (sample, tail) = rest.split_at(*size);
            rest = tail;
            Box::new(Again(sample.to_vec())) as Box<dyn Source>
        });
        let grants = Grants::new(sources.collect(), Limits::default());
        let rune = Rune::load(output.wasm).expect("a compiled rune keeps the contract");
        let mut instance = rune
            .start(grants, Box::new(|_, _| {}))
            .expect("a compiled rune starts");
        let Call::Output(records) = instance.call().expect("the call ends well") else {
            panic!("a model gives an output")
        };
        let tensors = records.iter().flat_map(|r| &r.tensors);
        let output = tensors.flat_map(|t| match &t.elements {
            Elements::Numbers(bytes) => bytes.clone(),
            Elements::Texts(_) => panic!("a model gives numbers"),
        });
        let output = output.collect();
        Ok(Self {
            output,
            marked: options.marks,
            cell: Cell::default(),
            instance,
            sizes,
        })
    }

    fn turn(&mut self, time: Duration) {
        let clock = if self.marked { clock_cost() } else { 0.0 };
        let (mut times, begin) = (Vec::new(), Instant::now());
        while begin.elapsed() < time {
            let (before, start) = (self.model_time(), Instant::now());
            hint::black_box(self.instance.call().expect("the call ends well"));
            let whole = start.elapsed();
            let taken = if self.marked {
                self.model_time().saturating_sub(before)
            } else {
                whole
            };
            times.push((taken.as_secs_f64() * 1e6 - clock).max(0.0));
        }
        times.sort_by(f64::total_cmp);
        self.cell.add(times[times.len() / 2], times[0]);
    }

    fn model_time(&self) -> Duration {
        let mut times = self.instance.stage_times();
        times
            .find(|(name, _)| *name == "model")
            .map_or(Duration::ZERO, |(_, time)| time)
    }
}

impl Sizes {
    fn of(output: &Output) -> Self {
        let region = |kind| {
            let regions = output.report.memory.iter().filter(|r| r.kind == kind);
            regions.map(|r| r.bytes).sum::<u32>()
        };
        let stages = output.report.stages.iter().filter(|s| s.name == "model");
        Self {
            file: output.wasm.len(),
            code: stages.map(|s| s.cost.code).sum(),
            constants: region(RegionKind::Constants),
            arena: region(RegionKind::Arena) + region(RegionKind::State),
        }
    }
}

/// Microseconds between two readings of the clock, which every stage seems to take.
fn clock_cost() -> f64 {
    let mut times: Vec<f64> = (0..101)
        .map(|_| {
            let start = Instant::now();
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[50]
}

/// Gives the same sample again and again.
struct Again(Vec<u8>);

impl Source for Again {
    fn read(&mut self, out: &mut [u8], _: std::time::Instant) -> Result<Read, SourceError> {
        out.copy_from_slice(&self.0);
        Ok(Read::Sample)
    }
}
