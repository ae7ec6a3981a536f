//! How compiling grows with the model: chains of 0.3, 1 and 4 MB, each compiled in a process of its own.
//! Run with `cargo bench -p rune-testsuite --bench compile`. An argument `--phases` shows where the time goes.
#![allow(clippy::print_stdout, reason = "a benchmark prints")]

mod flatbuffer;
mod model;

use std::{
    env, fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use model::Family;
use rune_codegen::Options;
use rune_models::import;
use rune_testsuite::{engines, overlay::Overlay};

const RUNS: usize = 5;
const KILOBYTES: [usize; 3] = [300, 1000, 4000];
/// What 1 MB may take, and how much memory for each byte of the file.
const TARGET: (f64, f64) = (300.0, 20.0);

const RUNEFILE: &str = "FROM runicos/base
CAPABILITY RAW x
MODEL ./model.tflite model
OUT SERIAL
RUN x model serial
";

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    match &args[..] {
        [word, file] if word == "--time" => return time(Path::new(file)),
        [word, file] if word == "--memory" => return memory(Path::new(file)),
        [word, ..] if word == "--phases" => return phases(),
        _ => {}
    }
    let folder = env::temp_dir().join(format!("rune-bench-compile-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("there is a place for temporary files");
    println!(
        "| model | file, KB | median, ms | least, ms | ms / MB | memory, MB | memory / file |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|");
    for family in Family::ALL {
        for kilobytes in KILOBYTES {
            let model = family.model(kilobytes * 1000);
            let path = folder.join("model.tflite");
            fs::write(&path, &model).expect("the model can be written");
            let mut times: Vec<f64> = (0..RUNS).map(|_| run("--time", &path)).collect();
            times.sort_by(f64::total_cmp);
            let (median, least, memory) = (times[RUNS / 2], times[0], run("--memory", &path));
            let megabytes = model.len() as f64 / 1e6;
            println!(
                "| {} | {} | {median:.1} | {least:.1} | {:.1} | {:.1} | {:.1} |",
                family.name(),
                model.len() / 1000,
                median / megabytes,
                memory / 1e3,
                memory / 1e3 / megabytes
            );
        }
    }
    println!(
        "\nTargets: {} ms at 1 MB, the same ms / MB at every size, memory / file below {}.",
        TARGET.0, TARGET.1
    );
    // Left behind is only what could not be removed.
    let _ = fs::remove_dir_all(&folder);
}

/// What a process of its own prints of one compilation.
fn run(word: &str, path: &Path) -> f64 {
    let output = Command::new(env::current_exe().expect("this program has a path"))
        .arg(word)
        .arg(path)
        .output()
        .expect("this program runs again");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().expect("it prints a number")
}

/// Prints how many milliseconds the first compilation of a process takes, from the model's file to a rune.
fn time(path: &Path) {
    let start = Instant::now();
    compile(path);
    println!("{}", start.elapsed().as_secs_f64() * 1e3);
}

/// Prints how many KB a compilation takes on top of what one without a model took.
fn memory(path: &Path) {
    let without = "FROM runicos/base\nCAPABILITY<F32[4]> RAW x\nOUT SERIAL\nRUN x serial\n";
    let small = engines::compile_text(without, &Overlay::new("."), &Options::default());
    assert!(small.output.is_some(), "{}", engines::rendered(&small));
    let before = peak();
    compile(path);
    println!("{}", peak() - before);
}

fn compile(path: &Path) {
    let model = fs::read(path).expect("the model can be read");
    let world = Overlay::new(".").with("./model.tflite", model);
    let compiled = engines::compile_text(RUNEFILE, &world, &Options::default());
    assert!(
        compiled.output.is_some(),
        "{}",
        engines::rendered(&compiled)
    );
}

/// The most memory this process has had, in KB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

/// How long each phase takes with the models of 1 MB.
fn phases() {
    println!("| model, 1 MB | import, ms | check, ms | compile, ms |");
    println!("|---|---:|---:|---:|");
    for family in Family::ALL {
        let model = family.model(1_000_000);
        let world = Overlay::new(".").with("./model.tflite", model.clone());
        let (_, imported) = timed(|| import(&model).expect("the model is sound"));
        let (checked, check) = timed(|| engines::check_text(RUNEFILE, &world).output);
        let verified = checked.expect("the pipeline checks");
        let options = Options::default();
        let (_, compile) =
            timed(|| rune_codegen::compile(&verified, &options).expect("it compiles"));
        println!(
            "| {} | {:.1} | {:.1} | {:.1} |",
            family.name(),
            ms(imported),
            ms(check),
            ms(compile)
        );
    }
}

/// The last result of five, and the median of their times.
fn timed<T>(mut work: impl FnMut() -> T) -> (T, Duration) {
    let mut times = Vec::new();
    loop {
        let start = Instant::now();
        let result = work();
        times.push(start.elapsed());
        if times.len() == RUNS {
            times.sort();
            return (result, times[RUNS / 2]);
        }
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
