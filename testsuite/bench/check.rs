//! How long `runec check` takes: for a Runefile of 500 lines, and for a folder of 1,000 Runefiles in a process
//! of its own, against a process that only reads the same files.
//! Run with `cargo bench -p rune-testsuite --bench check`.
#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rune_testsuite::{random::Random, root};
use runec::{driver, world::Input};

const RUNS: usize = 15;
const FILES: usize = 1_000;
const LINES: usize = 500;
/// How many readings a pipeline takes: a project has a few, not one for each Runefile.
const SIZES: [usize; 8] = [3, 6, 16, 49, 128, 400, 1024, 1960];

fn main() {
    let mut args = env::args().skip(1);
    match (args.next().as_deref(), args.next()) {
        (Some("--read"), Some(folder)) => return read(Path::new(&folder)),
        (Some("--check"), Some(folder)) => {
            let args = ["runec", "check", "--quiet", &folder].map(Into::into);
            let status = runec::cli::main(args);
            assert_eq!(
                format!("{status:?}"),
                format!("{:?}", std::process::ExitCode::SUCCESS)
            );
            return;
        }
        _ => {}
    }
    let folder = env::temp_dir().join(format!("rune-bench-check-{}", std::process::id()));
    write(&folder);
    println!(
        "{:<34} {:>10} {:>10} {:>8}",
        "check, warm", "median", "min", "ratio"
    );
    let long = folder.join("long.Runefile");
    let reading = row("read 500 lines", None, || {
        drop(fs::read(&long).expect("it can be read"));
    });
    row("check 500 lines", Some(reading), || {
        let input = Input::open(&long).expect("it can be read");
        let checked = driver::analyse(&input.request());
        assert!(checked.verified().is_some(), "{:?}", checked.diagnostics);
    });
    let many = folder.join("many");
    let reading = row("read 1000 Runefiles, a process", None, || {
        again("--read", &many);
    });
    row("check 1000 Runefiles, a process", Some(reading), || {
        again("--check", &many);
    });
    fs::remove_dir_all(folder).expect("it can be removed");
}

/// Runs something a few times, the first time for the caches, and prints how long it took.
fn row(label: &str, peer: Option<Duration>, mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..=RUNS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .skip(1)
        .collect();
    times.sort();
    let (median, min) = (times[RUNS / 2], times[0]);
    let ratio = median.as_secs_f64() / peer.unwrap_or(median).as_secs_f64();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "{label:<34} {:>7.2} ms {:>7.2} ms {ratio:>8.1}",
        ms(median),
        ms(min)
    );
    median
}

fn again(what: &str, folder: &Path) {
    let status = Command::new(env::current_exe().expect("this program has a path"))
        .args([what.as_ref(), folder.as_os_str()])
        .stdout(Stdio::null())
        .status()
        .expect("this program runs again");
    assert!(status.success(), "{what}");
}

/// Reads every file of a folder and those in it.
fn read(folder: &Path) {
    for entry in fs::read_dir(folder).expect("it can be read") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            read(&path);
        } else {
            std::hint::black_box(fs::read(path).expect("it can be read"));
        }
    }
}

/// Writes the Runefiles.
fn write(folder: &Path) {
    let mut random = Random::new(7);
    let many = folder.join("many");
    fs::create_dir_all(&many).expect("there is a place for temporary files");
    for model in ["sine.tflite", "sine_int8.tflite"] {
        let from = root().join("examples/sine").join(model);
        fs::copy(from, many.join(model)).expect("the model can be copied");
    }
    for i in 0..FILES {
        let place = many.join(format!("{:02}/{i:03}", i % 20));
        fs::create_dir_all(&place).expect("a folder can be made");
        let text = pipelines(&mut random, 2, 3, "../..");
        fs::write(place.join("Runefile"), text).expect("it can be written");
    }
    let mut text = pipelines(&mut random, LINES / 13, 10, "many");
    while text.lines().count() < LINES {
        text += "# The end.\n";
    }
    fs::write(folder.join("long.Runefile"), text).expect("it can be written");
}

/// A Runefile of a model, and of pipelines through some blocks each: three lines and one for each block.
fn pipelines(random: &mut Random, count: usize, blocks: usize, models: &str) -> String {
    let mut lines = vec!["FROM runicos/base".to_owned()];
    let model = ["sine", "sine_int8"][random.below(2)];
    lines.push("CAPABILITY<F32[1, 1]> RAW x".to_owned());
    lines.push(format!("MODEL {models}/{model}.tflite sine"));
    lines.push("OUT SERIAL serial".to_owned());
    lines.push("RUN x sine serial".to_owned());
    for i in 0..count {
        let size = SIZES[random.below(SIZES.len())];
        lines.push(format!("CAPABILITY<F32[{size}]> RAW x{i}"));
        let mut run = format!("RUN x{i}");
        for j in 0..blocks {
            // Two of a kind would be warned of.
            let block = match j % 3 {
                0 => format!("modulo m{i}_{j} --modulus {}", random.below(9) + 1),
                1 => format!("normalize m{i}_{j}"),
                _ => format!("softmax m{i}_{j}"),
            };
            lines.push(format!("PROC_BLOCK runicos/{block}"));
            run.extend([" m", &i.to_string(), "_", &j.to_string()]);
        }
        lines.push(format!("OUT SERIAL s{i}"));
        lines.push(format!("{run} s{i}"));
    }
    lines.join("\n") + "\n"
}
