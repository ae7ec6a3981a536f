//! How long it takes from the start of the process of `rune run` to the first line it prints, with machine code from
//! the cache and without, against a process that only prints a line. Run with
//! `cargo bench -p rune-testsuite --bench start`.
#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use rune_codegen::Options;
use rune_testsuite::{engines, root};

const STARTS: usize = 60;
/// Without the cache.
const COMPILES: usize = 10;
/// Most of the median that the first result of a cached rune may take.
const TARGET_MS: f64 = 15.0;

fn main() -> ExitCode {
    // This program is `rune` itself where it is started with a command of `rune`, and the peer.
    match std::env::args().nth(1).as_deref() {
        Some("run" | "compile-worker") => return rune_runtime::cli::main(),
        Some("hello") => {
            println!("hello");
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let folder = std::env::temp_dir().join(format!("rune-bench-start-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("there is a place for temporary files");
    let examples = root().join("examples");
    let ring = examples.join("gesture/ring.csv").display().to_string();
    let three = examples.join("digits/3.png").display().to_string();
    let cases: [(&str, Vec<String>); 3] = [
        ("sine", vec![]),
        ("gesture", vec!["--accel".to_owned(), ring]),
        ("digits", vec!["--image".to_owned(), three]),
    ];
    println!("milliseconds from process start to first result: median, 90 %, most of {STARTS}");
    let hello = starts(STARTS, &folder, &["hello".to_owned()]);
    println!("{:<12} {}", "a line", shown(&hello));
    let mut is_met = true;
    for (name, sources) in cases {
        let path = folder.join(format!("{name}.rune"));
        let compiled = engines::compile(&examples.join(name).join("Runefile"), &Options::default());
        std::fs::write(&path, compiled.output.expect("an example compiles").wasm)
            .expect("it can be written");
        let mut args = vec!["run".to_owned(), path.display().to_string()];
        args.extend(sources);
        args.extend(["-n".to_owned(), "1".to_owned()]);
        let _to_fill_the_cache = starts(1, &folder, &args);
        let cached = starts(STARTS, &folder, &args);
        args.push("--no-cache".to_owned());
        let compiled = starts(COMPILES, &folder, &args);
        let times = cached[STARTS / 2] / hello[STARTS / 2];
        println!(
            "{name:<12} {}, {times:.1} times a line; compiled first: {:.1}",
            shown(&cached),
            compiled[COMPILES / 2]
        );
        is_met &= cached[STARTS / 2] < TARGET_MS;
    }
    // Left behind is only what could not be removed.
    let _ = std::fs::remove_dir_all(&folder);
    println!(
        "target: below {TARGET_MS} ms with the cache: {}",
        if is_met { "met" } else { "missed" }
    );
    ExitCode::SUCCESS
}

fn shown(times: &[f64]) -> String {
    let at = |part: usize| times[(times.len() - 1) * part / 10];
    format!("{:>6.2} {:>6.2} {:>6.2}", at(5), at(9), at(10))
}

/// Starts this program so often, with a cache in the folder; times to the first line, the least first.
fn starts(count: usize, folder: &Path, args: &[String]) -> Vec<f64> {
    let program = std::env::current_exe().expect("this program has a path");
    let mut times: Vec<f64> = (0..count)
        .map(|_| {
            let begin = Instant::now();
            let mut child = Command::new(&program)
                .args(args)
                .env("XDG_CACHE_HOME", folder.join("cache"))
                .env("XDG_STATE_HOME", folder.join("state"))
                .stdout(Stdio::piped())
                .spawn()
                .expect("this program starts");
            let mut line = String::new();
            let stdout = child.stdout.take().expect("it is piped");
            let read = BufReader::new(stdout).read_line(&mut line);
            let time = begin.elapsed();
            assert!(read.is_ok() && !line.is_empty(), "it prints a line");
            assert!(child.wait().expect("it ends").success(), "{args:?}");
            time
        })
        .map(|time: Duration| time.as_secs_f64() * 1e3)
        .collect();
    times.sort_by(f64::total_cmp);
    times
}
