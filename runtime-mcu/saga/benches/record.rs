//! What recording costs, beside hdrhistogram of the same error as the peer.
//! Run with `cargo bench -p rune-saga --bench record`.
#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use std::{hint::black_box, time::Instant};

use rune_saga::{Histogram, Outcome, Output, Recorder, Stage};

const ROUNDS: usize = 15;
const N: usize = 1 << 16;
/// A call of the `gesture` example on wasmtime, and its stages.
const CALL_NS: f64 = 5_000.0;
const STAGES: usize = 5;

fn main() {
    let mut state = 88_172_645_463_325_252_u64;
    let durations: Vec<u64> = (0..N)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            1_000 + (state >> 11) % 4_000
        })
        .collect();
    let mut ours = Histogram::new();
    let mut peer = hdrhistogram::Histogram::<u64>::new_with_bounds(1, Histogram::RANGE_NS, 1)
        .expect("these bounds are valid");
    let mut recorder = Recorder::new([const { Stage::new() }; STAGES], [Output::new()], 0);
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        times[0].push(per_item(&durations, |ns| ours.record(ns)));
        times[1].push(per_item(&durations, |ns| peer.saturating_record(ns)));
        times[2].push(per_item(&durations, |ns| {
            for stage in 0..STAGES {
                recorder.stage(black_box(stage), ns);
            }
            recorder.written(0, 16);
            recorder.call(ns, Outcome::Output);
        }));
    }
    black_box((&ours, &peer, &recorder));
    let [ours, peer, call] = times.map(|mut t| {
        t.sort_by(f64::total_cmp);
        t[ROUNDS / 2]
    });
    println!("one duration, ours          {ours:>8.2} ns");
    println!(
        "one duration, hdrhistogram  {peer:>8.2} ns   ours / peer {:.2}",
        ours / peer
    );
    println!(
        "a call with {STAGES} stages         {call:>8.2} ns   {:.2} % of a call of {CALL_NS} ns",
        100.0 * call / CALL_NS
    );
}

fn per_item(durations: &[u64], mut record: impl FnMut(u64)) -> f64 {
    let start = Instant::now();
    for &ns in durations {
        record(black_box(ns));
    }
    start.elapsed().as_secs_f64() * 1e9 / durations.len() as f64
}
