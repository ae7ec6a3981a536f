//! The program as a person or a script meets it.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use rune_abi::{CapabilityKind, ElementType};

use crate::support::{self, bare, capability, echo, rune, ty};

fn folder(name: &str) -> PathBuf {
    support::folder("cli", name)
}

/// Exit status, standard output, standard error.
fn said(output: &Output) -> (i32, &str, &str) {
    (
        output.status.code().unwrap(),
        std::str::from_utf8(&output.stdout).unwrap(),
        std::str::from_utf8(&output.stderr).unwrap(),
    )
}

fn raw() -> Vec<u8> {
    echo(capability(
        CapabilityKind::Raw,
        "raw",
        ty(ElementType::U8, &[2]),
    ))
}

#[test]
fn results_go_to_standard_output_and_the_rest_to_standard_error() {
    let folder = folder("results");
    std::fs::write(folder.join("app.rune"), raw()).unwrap();
    std::fs::write(folder.join("in.bin"), [1, 2, 3, 4, 5]).unwrap();
    assert_eq!(
        said(&rune(&folder, &["run", "app.rune", "--raw", "in.bin"])),
        (
            0,
            "{\"serial\": [{\"element_type\": \"u8\", \"dimensions\": [2], \"elements\": [1, 2]}]}\n\
             {\"serial\": [{\"element_type\": \"u8\", \"dimensions\": [2], \"elements\": [3, 4]}]}\n",
            "note: in.bin: the last 1 of 5 bytes do not fill a window and were left out\n"
        )
    );
    let one = rune(&folder, &["run", "app.rune", "--raw", "in.bin", "-n", "1"]);
    let (status, stdout, stderr) = said(&one);
    assert_eq!((status, stdout.lines().count(), stderr), (0, 1, ""));
    let many = rune(&folder, &["run", "app.rune", "--raw", "in.bin", "-n", "9"]);
    let (status, stdout, stderr) = said(&many);
    assert_eq!((status, stdout.lines().count()), (0, 2));
    assert!(
        stderr.ends_with("note: the input ended after 2 of 9 calls\n"),
        "{stderr}"
    );
}

#[test]
fn generators_give_one_call_unless_told() {
    let folder = folder("generators");
    let rand = capability(CapabilityKind::Rand, "rand", ty(ElementType::U32, &[1]));
    std::fs::write(folder.join("app.rune"), echo(rand)).unwrap();
    let one = rune(&folder, &["run", "app.rune", "--rand", "5"]);
    let five = rune(&folder, &["run", "app.rune", "--rand", "5", "-n", "5"]);
    assert_eq!(said(&one).1.lines().count(), 1);
    assert_eq!(said(&five).1.lines().count(), 5);
    assert!(said(&five).1.starts_with(said(&one).1));
}

#[test]
fn a_refusal_names_the_flag_and_ends_with_1() {
    let folder = folder("refusal");
    std::fs::write(folder.join("app.rune"), raw()).unwrap();
    assert_eq!(
        said(&rune(&folder, &["run", "app.rune"])),
        (
            1,
            "",
            "error: the rune reads RAW `raw` (U8[2]): give --raw FILE\n"
        )
    );
    assert_eq!(
        said(&rune(&folder, &["run", "app.rune", "--json"])),
        (
            1,
            "",
            "{\"level\": \"error\", \"message\": \"the rune reads RAW `raw` (U8[2]): give --raw FILE\"}\n"
        )
    );
    std::fs::write(folder.join("no.rune"), b"\0asm\x01\0\0\0").unwrap();
    assert_eq!(
        said(&rune(&folder, &["run", "no.rune"])),
        (1, "", "error: no.rune: it has no section `rune.manifest`\n")
    );
}

#[test]
fn a_failure_of_the_rune_ends_with_1() {
    let folder = folder("failure");
    std::fs::write(folder.join("trap.rune"), bare("unreachable")).unwrap();
    let trap = rune(&folder, &["run", "trap.rune"]);
    let (status, stdout, stderr) = said(&trap);
    assert_eq!((status, stdout), (1, ""));
    assert!(
        stderr.contains("error: the rune was stopped by a trap"),
        "{stderr}"
    );
    std::fs::write(
        folder.join("loop.rune"),
        bare("(loop $l (br $l)) i32.const 0"),
    )
    .unwrap();
    let endless = rune(&folder, &["run", "loop.rune", "--time-limit", "1"]);
    assert_eq!(
        said(&endless),
        (
            1,
            "",
            "error: the rune was stopped: one call took longer than 1s\n"
        )
    );
}

#[test]
fn wrong_usage_and_unreadable_files_end_with_2() {
    let folder = folder("usage");
    std::fs::write(folder.join("app.rune"), raw()).unwrap();
    for args in [
        &["run"][..],
        &["walk"],
        &["run", "none.rune"],
        &["run", "app.rune", "--raw", "none.bin"],
        &["run", "app.rune", "--accel", "a.csv"],
        &["run", "app.rune", "--raw", "app.rune", "-n", "0"],
        &["run", "app.rune", "--raw", "app.rune", "--unknown"],
    ] {
        let output = rune(&folder, args);
        let (status, stdout, stderr) = said(&output);
        assert_eq!((status, stdout), (2, ""), "{args:?}: {stderr}");
        assert!(stderr.starts_with("error: ") || args == ["run"], "{stderr}");
    }
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let folder = folder("pipe");
    let rand = capability(CapabilityKind::Rand, "rand", ty(ElementType::U8, &[4]));
    std::fs::write(folder.join("app.rune"), echo(rand)).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_rune"))
        .args(["run", "app.rune", "-n", "1000000000"])
        .current_dir(&folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(said(&output), (0, "", ""));
}

#[test]
fn help_has_examples() {
    let output = rune(&folder("help"), &["run", "--help"]);
    let (status, stdout, _) = said(&output);
    assert_eq!(status, 0);
    assert!(stdout.contains("rune run gesture.rune --accel ring.csv"));
    assert!(!stdout.contains('\u{1b}'), "colour in a pipe");
}

#[test]
fn a_runefile_is_compiled_and_run() {
    let folder = folder("runefile");
    let raw = "FROM runicos/base\nCAPABILITY<U8[2]> RAW raw\nOUT SERIAL\nRUN raw serial\n";
    std::fs::write(folder.join("Runefile"), raw).unwrap();
    std::fs::write(folder.join("in.bin"), [1, 2]).unwrap();
    let want =
        "{\"serial\": [{\"element_type\": \"u8\", \"dimensions\": [2], \"elements\": [1, 2]}]}\n";
    for rune_file in [".", "Runefile"] {
        let output = rune(&folder, &["run", rune_file, "--raw", "in.bin"]);
        assert_eq!(said(&output), (0, want, ""));
    }
    let built = rune(&folder, &["build", ".", "-o", "app.rune"]);
    assert_eq!(said(&built).0, 0, "{}", said(&built).2);
    let output = rune(&folder, &["run", "app.rune", "--raw", "in.bin"]);
    assert_eq!(said(&output), (0, want, ""));
}

#[test]
fn a_runefile_with_errors_is_shown_as_the_compiler_shows_it() {
    let folder = folder("broken");
    let text = "FROM runicos/base\nCAPABILITY RAND rand\nOUT SERIAL\nRUN nothing serial\n";
    std::fs::write(folder.join("Runefile"), text).unwrap();
    let output = rune(&folder, &["run", "."]);
    let (status, stdout, stderr) = said(&output);
    assert_eq!((status, stdout), (1, ""));
    assert!(stderr.starts_with("error[R0101]: "), "{stderr}");
    assert!(stderr.ends_with("error: . does not compile\n"), "{stderr}");
    let output = rune(&folder, &["run", ".", "--json"]);
    for line in said(&output).2.lines() {
        let json: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(json["message"].is_string(), "{line}");
    }
    let empty = folder.join("empty");
    std::fs::create_dir_all(&empty).unwrap();
    assert_eq!(
        said(&rune(&empty, &["run", "."])),
        (2, "", "error: folder . has no Runefile\n")
    );
}

#[test]
fn a_bench_measures_calls_and_stages_and_compares() {
    let folder = folder("bench");
    fs::write(folder.join("echo.rune"), echo_of_two_bytes()).unwrap();
    fs::write(folder.join("input"), [1, 2, 3, 4]).unwrap();
    // The input has two samples, and the calls go on with these.
    let args = [
        "bench",
        "echo.rune",
        "--raw",
        "input",
        "-n",
        "45",
        "--warm-up",
        "3",
    ];
    let out = rune(&folder, &args);
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    assert!(
        text.starts_with("echo.rune: test 0.0.0, 45 calls in "),
        "{text}"
    );
    assert!(text.contains("p99.9"), "{text}");
    let both = [&args[..], &["--compare", "echo.rune", "--json"]].concat();
    let json: serde_json::Value = serde_json::from_slice(&rune(&folder, &both).stdout).unwrap();
    for bench in json["runes"].as_array().unwrap() {
        assert_eq!(bench["calls"], 45);
        assert!(bench["ns"]["p50"].as_u64() <= bench["ns"]["max"].as_u64());
    }
    assert!(json["ratio"]["p50"].as_f64().unwrap() > 0.0);

    fs::write(folder.join("input"), [1]).unwrap();
    let out = rune(&folder, &args);
    assert_eq!(out.status.code(), Some(2));
}

#[test]
fn a_trace_has_a_span_for_every_call() {
    let folder = folder("trace");
    fs::write(folder.join("echo.rune"), echo_of_two_bytes()).unwrap();
    fs::write(folder.join("input"), [1, 2, 3, 4, 5, 6]).unwrap();
    let out = rune(
        &folder,
        &["trace", "echo.rune", "--raw", "input", "-o", "out.json"],
    );
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let json: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.join("out.json")).unwrap()).unwrap();
    let spans: Vec<_> = json.as_array().unwrap().iter().collect();
    assert_eq!(spans.iter().filter(|s| s["name"] == "call").count(), 3);
    // It is not written over the rune.
    let over = ["trace", "echo.rune", "--raw", "input", "-o", "./echo.rune"];
    assert_eq!(rune(&folder, &over).status.code(), Some(2));
    assert_eq!(
        fs::read(folder.join("echo.rune")).unwrap(),
        echo_of_two_bytes()
    );
    let out = rune(
        &folder,
        &[
            "trace",
            "echo.rune",
            "--raw",
            "input",
            "-o",
            "none/out.json",
        ],
    );
    assert_eq!(out.status.code(), Some(2));
}

#[test]
fn code_is_kept_and_taken_only_where_it_is_genuine() {
    let folder = folder("cache");
    fs::write(folder.join("echo.rune"), echo_of_two_bytes()).unwrap();
    fs::write(folder.join("input"), [1, 2]).unwrap();
    let run = || {
        let out = Command::new(env!("CARGO_BIN_EXE_rune"))
            .args(["run", "echo.rune", "--raw", "input"])
            .current_dir(&folder)
            .env("XDG_CACHE_HOME", folder.join("cache"))
            .env("XDG_STATE_HOME", folder.join("state"))
            .output()
            .unwrap();
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
        out.stdout
    };
    let first = run();
    let entry = || {
        let mut entries = fs::read_dir(folder.join("cache/rune/modules")).unwrap();
        let entry = entries.next().unwrap().unwrap().path();
        assert!(entries.next().is_none());
        entry
    };
    let kept = fs::read(entry()).unwrap();
    assert_eq!(run(), first);
    // What someone else wrote there is made anew.
    fs::write(entry(), vec![0x90; kept.len()]).unwrap();
    assert_eq!(run(), first);
    assert_eq!(fs::read(entry()).unwrap(), kept);
}

fn echo_of_two_bytes() -> Vec<u8> {
    echo(capability(
        CapabilityKind::Raw,
        "raw",
        ty(ElementType::U8, &[2]),
    ))
}
