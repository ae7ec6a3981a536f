//! Whole models: ours on wasmtime, with SIMD and without, against those who run the same files, in one run.
//! Run with `cargo bench -p rune-testsuite --bench models`; README.md beside this says how to get the peers.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints"
)]

mod cases;
mod ours;
mod peer;
mod table;

use std::{
    env, fs,
    path::Path,
    process::{Command, exit},
    thread,
    time::Duration,
};

use cases::Case;
use ours::Ours;
use peer::{Kind, Peer};
use table::{Cell, Row};

/// How often each engine has its turn with a model.
const ROUNDS: usize = 9;
/// How long a turn is.
const TURN: Duration = Duration::from_millis(50);
/// Set in the process that is pinned to one processor.
const PINNED: &str = "RUNE_BENCH_PINNED";

fn main() {
    if env::var_os(PINNED).is_none() {
        pin();
    }
    let only = env::args().skip(1).find(|a| !a.starts_with('-'));
    let folder = env::temp_dir().join(format!("rune-bench-models-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("there is a place for temporary files");
    let (mut rows, mut about) = (Vec::new(), Vec::new());
    for case in cases::all() {
        if only.as_ref().is_none_or(|o| case.name.contains(o.as_str())) {
            eprintln!("{}", case.name);
            rows.push(measure(&case, &folder, &mut about));
        }
    }
    // Left behind is only what could not be removed.
    let _ = fs::remove_dir_all(&folder);
    print!("{}", table::markdown(&rows, &about));
}

/// Runs this program again on the last processor alone, if `taskset` is there.
fn pin() {
    let last = thread::available_parallelism().map_or(0, |n| n.get() - 1);
    let again = Command::new("taskset")
        .args(["-c", &last.to_string()])
        .arg(env::current_exe().expect("this program has a path"))
        .args(env::args_os().skip(1))
        .env(PINNED, "1")
        .status();
    match again {
        Ok(status) => exit(status.code().unwrap_or(1)),
        Err(error) => eprintln!("not pinned to one processor: taskset: {error}"),
    }
}

/// Starts every engine with a model, lets them take turns, and compares their outputs.
fn measure(case: &Case, folder: &Path, about: &mut Vec<(Kind, String)>) -> Row {
    let mut ours = Ours::start(case);
    let input = folder.join("input");
    fs::write(&input, &case.input).expect("the input can be written");
    let mut peers: Vec<(Kind, Result<Peer, String>)> = Kind::ALL
        .into_iter()
        .map(|kind| (kind, Peer::start(kind, case, &input)))
        .collect();
    for (kind, peer) in &peers {
        let known = about.iter().any(|(k, _)| k == kind);
        match peer {
            Ok(peer) if !known => about.push((*kind, peer.about.clone())),
            Ok(_) | Err(_) => {}
        }
    }
    let mut cells = vec![Cell::default(); Kind::ALL.len()];
    for _ in 0..ROUNDS {
        if let Ok(ours) = &mut ours {
            ours.turn(TURN);
        }
        for ((_, peer), cell) in peers.iter_mut().zip(&mut cells) {
            if let Ok(running) = peer {
                match running.turn(case, TURN) {
                    Ok((median, least)) => cell.add(median, least),
                    Err(reason) => *peer = Err(reason),
                }
            }
        }
    }
    Row::new(case, ours, &peers, cells)
}
