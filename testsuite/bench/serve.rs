//! Two hundred runes served at once at ten calls a second each: deadlines missed, processor, memory; then the same
//! beside a rune that is called without a pause. Run with
//! `cargo bench -p rune-testsuite --bench serve [-- RUNES HERTZ SECONDS]`.
#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use std::{fs, path::Path, process::ExitCode, sync::Arc, thread, time::Duration};

use rune_codegen::Options;
use rune_runtime::{
    Compiler, Runtime,
    serve::{Server, Status},
};
use rune_testsuite::{engines, memory, root};
use rustix::time::{ClockId, clock_gettime};

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("compile-worker") {
        return rune_runtime::cli::main();
    }
    let numbers: Vec<u64> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    let [runes, hertz, seconds] = match numbers[..] {
        [runes, hertz, seconds] => [runes, hertz, seconds],
        _ => [200, 10, 30],
    };
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    println!("{runes} runes at {hertz} Hz for {seconds} s on {cores} processors");
    println!(
        "{:<22} {:>8} {:>8} {:>8} {:>10} {:>10} {:>10}",
        "beside them", "calls", "of", "missed", "cpu", "memory", "p99"
    );
    for (name, is_busy) in [("nothing", false), ("one without a pause", true)] {
        let folder = std::env::temp_dir().join(format!("rune-bench-serve-{}", std::process::id()));
        serve(name, &folder, [runes, hertz, seconds], is_busy);
        // Left behind is only what could not be removed.
        let _ = fs::remove_dir_all(&folder);
    }
    ExitCode::SUCCESS
}

fn serve(name: &str, folder: &Path, [runes, hertz, seconds]: [u64; 3], is_busy: bool) {
    fs::create_dir_all(folder).expect("there is a place for temporary files");
    let write = |file: &str, bytes: &[u8]| {
        fs::write(folder.join(file), bytes).expect("it can be written");
    };
    let path = root().join("examples/sine/Runefile");
    let compiled = engines::compile(&path, &Options::default());
    let sine = compiled.output.expect("an example compiles").wasm;
    let policy = |schedule: &str| {
        format!(
            "version = 1\n[schedule]\n{schedule}\n[capabilities.x]\nkind = \"RAND\"\n[outputs.serial]\nkind = \"SERIAL\"\nsink = \"discard\"\n"
        )
    };
    for index in 0..runes {
        write(&format!("sine-{index}.rune"), &sine);
    }
    write(
        "policy.toml",
        policy(&format!("every-ms = {}", 1000 / hertz)).as_bytes(),
    );
    if is_busy {
        write("busy.rune", &sine);
        write("busy.toml", policy("on = \"input\"").as_bytes());
    }
    let runtime = Runtime::new(Compiler::this_program(), None).expect("there is a runtime");
    let say = Arc::new(|level: u32, rune: &str, text: &str| {
        assert!(level > 1, "{rune}: {text}");
    });
    let server = Server::start(folder, None, runtime, say).expect("the folder can be served");
    let ready = || {
        server
            .status()
            .iter()
            .all(|s| number(s, "/total/calls") > 0)
    };
    while !ready() {
        thread::sleep(Duration::from_millis(100));
    }
    let count = |path: &str| -> u64 {
        let all = server.status();
        let slow = all.iter().filter(|s| s.name != "busy");
        slow.map(|s| number(s, path)).sum()
    };
    let before = [count("/total/calls"), count("/total/overruns")];
    let began = cpu();
    thread::sleep(Duration::from_secs(seconds));
    let used = (cpu() - began) / seconds as f64;
    let after = [count("/total/calls"), count("/total/overruns")];
    let all = server.status();
    let worst = all.iter().filter(|s| s.name != "busy");
    let worst = worst
        .map(|s| number(s, "/latency_ns/p99"))
        .max()
        .unwrap_or(0);
    println!(
        "{name:<22} {:>8} {:>8} {:>8} {:>8.1} % {:>6} MiB {:>7} us",
        after[0] - before[0],
        runes * hertz * seconds,
        after[1] - before[1],
        used * 100.0,
        memory::resident_bytes() >> 20,
        worst / 1000
    );
    server.stop();
}

fn number(status: &Status, path: &str) -> u64 {
    let saga = status.saga.as_ref();
    let number = saga.and_then(|saga| saga.pointer(path)?.as_u64());
    number.unwrap_or(0)
}

/// Seconds of processor time that this process has used.
fn cpu() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
