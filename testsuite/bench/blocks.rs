//! What the standard blocks cost in a rune, with the same code on the host as the peer of the same run.
//! Run with `cargo bench -p rune-testsuite --bench blocks`; with BLESS=1 it writes `docs/book/block-costs.md`.
#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use std::{
    fs,
    time::{Duration, Instant},
};

use rune_block_native::block;
use rune_codegen::{Options, Simd};
use rune_runtime::{Grants, Limits, Read, Rune, Source, SourceError};
use rune_testsuite::{
    blocks,
    costs::{Row, added_bytes, rows},
    engines, root,
};

const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_millis(12);

fn main() {
    let only = std::env::args().nth(1).filter(|a| !a.starts_with('-'));
    let mut table = String::new();
    for row in rows() {
        if only.as_ref().is_some_and(|o| o != row.block) {
            continue;
        }
        let line = measure(&row);
        println!("{line}");
        table += &line;
        table.push('\n');
    }
    if std::env::var_os("BLESS").is_some() && only.is_none() {
        let path = root().join("docs/book/block-costs.md");
        let text = fs::read_to_string(&path).expect("the page is there");
        let (head, rest) = text.split_once("|---|\n").expect("the page has a table");
        let after = rest.split_once("\n\n").map_or("", |(_, after)| after);
        fs::write(&path, format!("{head}|---|\n{table}\n{after}"))
            .expect("the page can be written");
    }
}

/// A row of the table: bytes, state, time on the host and in a rune, and their ratio.
fn measure(row: &Row) -> String {
    let options = Options {
        simd: Simd::Off,
        marks: true,
        ..Options::default()
    };
    let (text, world) = (&row.stand.runefile, &row.stand.world);
    let verified = engines::check_text(text, world)
        .output
        .expect("a row checks");
    let native = block(row.block).expect("every row is of a block");
    let mut host = blocks::start(native, &verified).expect("what checks starts");
    let wasm = engines::compile_text(text, world, &options)
        .output
        .expect("a row compiles")
        .wasm;
    let feeds: Vec<_> = row.calls.iter().map(|c| row.stand.feed(c)).collect();
    let sources = (0..feeds[0].len())
        .map(|i| {
            let samples = feeds.iter().map(|f| f[i].clone()).collect();
            Box::new(Again { samples, next: 0 }) as Box<dyn Source>
        })
        .collect();
    let rune = Rune::load(wasm).expect("a compiled rune keeps the contract");
    let mut instance = rune
        .start(Grants::new(sources, Limits::default()), Box::new(|_, _| {}))
        .expect("a compiled rune starts");
    let (mut on_host, mut in_rune) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (mut time, mut calls) = (Duration::ZERO, 0_u32);
        while time < ROUND {
            for inputs in &row.calls {
                for (i, data) in inputs.iter().enumerate() {
                    host.set_input(i, data);
                }
                // As often as the clock cannot be felt; what has state sees the same input again.
                let start = Instant::now();
                for _ in 0..16 {
                    host.call().expect("a row's calls end well");
                }
                time += start.elapsed();
                calls += 16;
            }
        }
        on_host.push(time.as_secs_f64() * 1e6 / f64::from(calls));
        let (begin, before, mut calls) = (Instant::now(), stage_time(&instance), 0_u32);
        while begin.elapsed() < 2 * ROUND {
            instance.call().expect("a row's calls end well");
            calls += 1;
        }
        let time = stage_time(&instance).saturating_sub(before);
        in_rune.push(time.as_secs_f64() * 1e6 / f64::from(calls));
    }
    let median = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[ROUNDS / 2]
    };
    let (on_host, in_rune) = (median(on_host), median(in_rune) - mark_cost());
    format!(
        "| {} | {} | {} | {} | {on_host:.2} | {in_rune:.2} | {:.2} |",
        row.block,
        row.work,
        added_bytes(row),
        host.state_bytes(),
        in_rune / on_host
    )
}

fn stage_time(instance: &rune_runtime::Instance) -> Duration {
    let mut times = instance.stage_times();
    times
        .find(|(name, _)| *name == "block")
        .expect("a row has a stage called block")
        .1
}

/// Microseconds between two readings of the clock, which every stage seems to take.
fn mark_cost() -> f64 {
    let start = Instant::now();
    for _ in 0..1000 {
        std::hint::black_box(Instant::now());
    }
    start.elapsed().as_secs_f64() * 1e3
}

/// Gives the same samples again and again.
struct Again {
    samples: Vec<Vec<u8>>,
    next: usize,
}

impl Source for Again {
    fn read(&mut self, out: &mut [u8], _: std::time::Instant) -> Result<Read, SourceError> {
        out.copy_from_slice(&self.samples[self.next]);
        self.next = (self.next + 1) % self.samples.len();
        Ok(Read::Sample)
    }
}
