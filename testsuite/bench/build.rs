//! How long a build takes and how much memory, each in a process of its own, against a process that does
//! nothing. Run with `cargo bench -p rune-testsuite --bench build`.
#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use std::{
    env, fs,
    process::Command,
    time::{Duration, Instant},
};

use rune_codegen::Options;
use rune_testsuite::{engines, root};

const RUNS: usize = 15;

fn main() {
    let mut args = env::args().skip(1);
    if args.next().as_deref() == Some("--one") {
        return one(args.next().as_deref());
    }
    let mut rows = vec![("nothing".to_owned(), None)];
    for name in [
        "examples/sine/Runefile",
        "examples/sine/int8.Runefile",
        "examples/gesture/Runefile",
        "examples/digits/Runefile",
        "examples/paper/Runefile",
    ] {
        rows.push((name.to_owned(), Some(name)));
    }
    println!(
        "{:<30} {:>10} {:>10} {:>8} {:>12} {:>10}",
        "build -O1, warm", "median", "min", "ratio", "peak memory", "rune"
    );
    let mut nothing = Duration::ZERO;
    for (label, runefile) in rows {
        let mut times = Vec::new();
        let mut report = String::new();
        for _ in 0..=RUNS {
            let start = Instant::now();
            let mut command = Command::new(env::current_exe().expect("this program has a path"));
            let output = command
                .arg("--one")
                .args(runefile)
                .output()
                .expect("this program runs again");
            times.push(start.elapsed());
            assert!(output.status.success(), "{label} builds");
            report = String::from_utf8_lossy(&output.stdout).into_owned();
        }
        // The first run warms the caches of the file system.
        times.remove(0);
        times.sort();
        let (median, min) = (times[RUNS / 2], times[0]);
        if runefile.is_none() {
            nothing = median;
        }
        let ratio = median.as_secs_f64() / nothing.as_secs_f64();
        let mut words = report.split_whitespace();
        let (memory, size) = (words.next().unwrap_or("?"), words.next().unwrap_or("-"));
        println!(
            "{label:<30} {:>7.1} ms {:>7.1} ms {ratio:>8.1} {memory:>9} KB {size:>8} B",
            ms(median),
            ms(min)
        );
    }
}

/// Builds once and prints the peak memory of this process and the size of the rune.
fn one(runefile: Option<&str>) {
    let size = runefile.map(|name| {
        engines::compile(&root().join(name), &Options::default())
            .output
            .expect("the example builds")
            .wasm
            .len()
    });
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status
        .lines()
        .find_map(|l| l.strip_prefix("VmHWM:"))
        .and_then(|l| l.split_whitespace().next())
        .unwrap_or("?")
        .to_owned();
    println!(
        "{peak} {}",
        size.map_or_else(String::new, |s| s.to_string())
    );
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
