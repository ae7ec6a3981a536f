//! The program as a person or a script meets it.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]
#![allow(clippy::print_stderr, reason = "what is skipped is said")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use rune_codegen::{Options, Simd};
use runec::world::Input;
use serde_json::Value;

const GOOD: &str = "\
FROM runicos/base
CAPABILITY<F32[4]> RAW x
PROC_BLOCK runicos/modulo m --modulus 2
OUT SERIAL
RUN x m serial
";

/// An empty folder that is of one test alone.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("cli")
        .join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// A folder with a Runefile.
fn with(name: &str, text: &str) -> PathBuf {
    let folder = folder(name);
    fs::write(folder.join("Runefile"), text).unwrap();
    folder
}

fn runec(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_runec"))
        .args(args)
        .current_dir(folder)
        .output()
        .unwrap()
}

/// Exit status, standard output, standard error.
fn said(output: &Output) -> (i32, &str, &str) {
    (
        output.status.code().unwrap(),
        std::str::from_utf8(&output.stdout).unwrap(),
        std::str::from_utf8(&output.stderr).unwrap(),
    )
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn check_says_nothing_of_a_good_runefile_and_writes_nothing() {
    let folder = with("check-good", GOOD);
    assert_eq!(said(&runec(&folder, &["check"])), (0, "", ""));
    assert_eq!(names(&folder), ["Runefile"]);
}

#[test]
fn check_shows_errors_on_standard_error_and_ends_with_1() {
    let folder = with("check-bad", &GOOD.replace("modulo", "modulu"));
    let output = runec(&folder, &["check"]);
    let (code, out, err) = said(&output);
    assert_eq!((code, out), (1, ""), "{err}");
    assert!(
        err.contains("error[R0105]") && err.contains("Runefile:3:12"),
        "{err}"
    );
    assert!(
        err.ends_with("1 error; `runec explain R0105` says more\n"),
        "{err}"
    );
    assert!(!err.contains('\u{1b}'), "colour in a pipe: {err}");
    let coloured = runec(&folder, &["check", "--color", "always"]);
    assert!(said(&coloured).2.contains('\u{1b}'));
}

#[test]
fn a_warning_is_no_failure() {
    let unused = GOOD.replace("OUT", "CAPABILITY<F32[1]> RAW spare\nOUT");
    let folder = with("check-warning", &unused);
    let output = runec(&folder, &["check"]);
    let (code, out, err) = said(&output);
    assert_eq!((code, out), (0, ""), "{err}");
    assert!(err.contains("warning[R0405]"), "{err}");
}

#[test]
fn files_that_cannot_be_read_and_wrong_usage_end_with_2() {
    let folder = folder("usage");
    for args in [
        &["check", "missing.Runefile"][..],
        &["check"],
        &["build", "missing.Runefile"],
        &["build", "-O", "7"],
        &["build", "--simd", "maybe"],
        &["frobnicate"],
        &[],
    ] {
        let output = runec(&folder, args);
        let (code, out, err) = said(&output);
        assert_eq!((code, out), (2, ""), "{args:?}: {err}");
        assert!(!err.is_empty(), "{args:?}");
    }
    assert!(
        said(&runec(&folder, &["check", "missing.Runefile"]))
            .2
            .contains("missing.Runefile")
    );
    // The others of a list are checked all the same.
    fs::write(folder.join("bad"), "FROM\n").unwrap();
    let output = runec(&folder, &["check", "missing", "bad"]);
    let (code, _, err) = said(&output);
    assert!(code == 2 && err.contains("error[R0001]"), "{err}");
}

#[test]
fn json_has_one_object_with_a_place_for_each_diagnostic() {
    let text = GOOD.replace("modulo", "modulu").replace("RUN x", "RUN y");
    let folder = with("json", &text);
    let output = runec(&folder, &["check", "--message-format", "json"]);
    let (code, out, err) = said(&output);
    assert_eq!((code, err), (1, ""));
    let found: Vec<Value> = out
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let codes: Vec<&str> = found.iter().map(|d| d["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["R0105", "R0101"], "{out}");
    for diagnostic in &found {
        assert_eq!(diagnostic["severity"], "error");
        assert!(!diagnostic["message"].as_str().unwrap().is_empty());
        let place = &diagnostic["primary"]["place"];
        let number = |name: &str| usize::try_from(place[name].as_u64().unwrap()).unwrap();
        let line = text.lines().nth(number("line") - 1).unwrap();
        let pointed = &line[number("column") - 1..number("end_column") - 1];
        assert_eq!(pointed, &text[number("start")..number("end")]);
        assert!(["runicos/modulu", "y"].contains(&pointed), "{diagnostic}");
        assert!(place["file"].as_str().unwrap().ends_with("Runefile"));
    }
}

#[test]
fn explain_knows_every_code_and_no_other() {
    let folder = folder("explain");
    let all = runec(&folder, &["explain"]);
    let (code, list, _) = said(&all);
    assert_eq!(code, 0);
    assert!(list.lines().count() > 40, "{list}");
    for line in list.lines().take(3) {
        let number = line.split(' ').next().unwrap();
        let output = runec(&folder, &["explain", &number.to_lowercase()]);
        let (code, out, err) = said(&output);
        assert_eq!((code, err), (0, ""));
        assert!(out.contains(number), "{out}");
    }
    let output = runec(&folder, &["explain", "R0199"]);
    let (code, out, err) = said(&output);
    assert_eq!((code, out), (2, ""));
    assert!(err.contains("there is no diagnostic R0199"), "{err}");
}

#[test]
fn build_names_the_rune_after_the_folder_the_file_or_the_label() {
    let folder = with("named", GOOD);
    fs::write(folder.join("other.Runefile"), GOOD).unwrap();
    fs::write(folder.join("labelled"), format!("{GOOD}LABEL name=given\n")).unwrap();
    for args in [
        &["build"][..],
        &["build", "other.Runefile"],
        &["build", "labelled"],
        &["build", "-o", "chosen.wasm"],
    ] {
        let output = runec(&folder, args);
        let (code, out, err) = said(&output);
        assert_eq!((code, out), (0, ""), "{args:?}: {err}");
        assert!(err.starts_with("built "), "{err}");
    }
    assert_eq!(
        names(&folder),
        [
            "Runefile",
            "chosen.wasm",
            "given.rune",
            "labelled",
            "named.rune",
            "other.Runefile",
            "other.rune",
        ]
    );
    assert_eq!(
        fs::read(folder.join("named.rune")).unwrap(),
        fs::read(folder.join("chosen.wasm")).unwrap(),
    );
}

#[test]
fn build_writes_nothing_where_it_cannot_write_all() {
    let folder = with("unwritable", GOOD);
    let output = runec(&folder, &["build", "-o", "none/x.rune"]);
    let (code, _, err) = said(&output);
    assert_eq!(code, 2);
    assert!(err.contains("none/x.rune cannot be written"), "{err}");
    fs::write(folder.join("Runefile"), GOOD.replace("SERIAL", "SERIALS")).unwrap();
    let output = runec(&folder, &["build"]);
    assert_eq!(said(&output).0, 1);
    assert_eq!(names(&folder), ["Runefile"]);
}

#[test]
fn emit_ir_writes_the_steps_and_loops() {
    let folder = with("emit", GOOD);
    let output = runec(&folder, &["build", "--emit", "ir"]);
    assert_eq!(said(&output).0, 0);
    assert_eq!(names(&folder), ["Runefile", "emit.ir"]);
    let input = Input::open(&folder).unwrap();
    let options = Options {
        text: true,
        ..Options::default()
    };
    let compiled = runec::compile(
        &input.path,
        &input.name,
        &input.bytes,
        &input.world,
        &options,
    );
    let text = fs::read_to_string(folder.join("emit.ir")).unwrap();
    assert_eq!(text, compiled.output.unwrap().text);
    assert!(text.contains("modulo"), "{text}");
    assert_eq!(said(&runec(&folder, &["build", "--emit", "wasm,ir"])).0, 0);
    assert_eq!(names(&folder), ["Runefile", "emit.ir", "emit.rune"]);
}

/// The C of a rune compiles and gives what the rune gives: here of zeros, zeros.
#[test]
fn emit_c_writes_a_library_and_how_it_is_called() {
    let folder = with("emit-c", GOOD);
    let output = runec(&folder, &["build", "--emit", "c", "-o", "int.rune"]);
    assert_eq!(said(&output).0, 0);
    // `int` is a word of C.
    let files = ["Runefile", "rune_int.c", "rune_int.h", "rune_int_main.c"];
    assert_eq!(names(&folder), files);
    let flags = [
        "-std=c99",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-ffp-contract=off",
    ];
    let built = Command::new("gcc")
        .args(flags)
        .args(["rune_int.c", "rune_int_main.c", "-o", "program"])
        .current_dir(&folder)
        .output();
    let Ok(built) = built else {
        eprintln!("skipped: gcc is not here");
        return;
    };
    assert!(built.status.success(), "{}", said(&built).2);
    let ran = Command::new(folder.join("program")).output().unwrap();
    let (status, printed, _) = said(&ran);
    assert_eq!(status, 0);
    assert_eq!(printed.trim(), format!("output 0:{}", " 00".repeat(16)));
}

/// C for a device has the schedules of its processor; without one it is for any.
#[test]
fn c_for_a_device_is_for_its_processor() {
    let folder = with("emit-c-for", "");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/digits");
    let example = example.to_str().unwrap();
    for (name, device) in [("any", None), ("own", Some("portenta-h7"))] {
        let mut args = vec!["build", example, "--emit", "c", "--simd", "off", "-o", name];
        args.extend(device.into_iter().flat_map(|device| ["--for", device]));
        let output = runec(&folder, &args);
        let (status, _, err) = said(&output);
        assert_eq!(status, 0, "{err}");
        assert!(err.contains("bytes of constants in flash"), "{err}");
        let source = fs::read_to_string(folder.join(name).with_extension("c")).unwrap();
        assert_eq!(source.contains("r_smlad"), device.is_some());
        assert!(source.contains("static const uint8_t r_constants["));
    }
}

/// A rune for engines without SIMD neither has vector instructions nor says it needs them.
#[test]
fn simd_off_is_off_in_the_manifest() {
    let folder = with("simd", "");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/sine/raw.Runefile");
    let example = example.to_str().unwrap();
    for (mode, simd) in [("on", Simd::On), ("off", Simd::Off)] {
        let output = runec(
            &folder,
            &["build", example, "--simd", mode, "-o", "sine.rune"],
        );
        assert_eq!(said(&output).0, 0);
        let input = Input::open(Path::new(example)).unwrap();
        let options = Options {
            simd,
            ..Options::default()
        };
        let compiled = runec::compile(
            &input.path,
            &input.name,
            &input.bytes,
            &input.world,
            &options,
        );
        let expected = compiled.output.unwrap();
        assert_eq!(fs::read(folder.join("sine.rune")).unwrap(), expected.wasm);
        let features = expected.manifest.features;
        assert_eq!(
            features.contains(rune_abi::WasmFeatures::SIMD),
            mode == "on"
        );
    }
}

#[test]
fn help_has_examples() {
    let folder = folder("help");
    for args in [
        &["--help"][..],
        &["build", "--help"],
        &["check", "--help"],
        &["--version"],
    ] {
        let output = runec(&folder, args);
        let (code, out, err) = said(&output);
        assert_eq!((code, err), (0, ""), "{args:?}");
        assert!(out.contains("runec"), "{out}");
    }
    assert!(
        said(&runec(&folder, &["build", "--help"]))
            .1
            .contains("Examples:")
    );
}

#[test]
fn results_that_cannot_be_written_end_with_2() {
    let folder = with("full", GOOD);
    let loose = GOOD.replace("RAW x", "RAW   x");
    fs::write(folder.join("loose.Runefile"), loose).unwrap();
    for args in [
        &["blocks"][..],
        &["explain"],
        &["explain", "R0301"],
        &["man"],
        &["completions", "bash"],
        &["graph"],
        &["convert"],
        &["inspect"],
        &["inspect", "--json"],
        &["diff", ".", "loose.Runefile"],
        &["fmt", "--check", "loose.Runefile"],
        &["fmt", "--diff", "loose.Runefile"],
        &["lint", "--statistics", "--publish"],
        &["check", "--message-format", "sarif"],
        &["check", "--message-format", "junit"],
        &["lint", "--publish", "--message-format", "json"],
    ] {
        let full = fs::File::create("/dev/full").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_runec"));
        let output = command.args(args).current_dir(&folder).stdout(full);
        let output = output.output().unwrap();
        let (status, _, talk) = said(&output);
        assert_eq!(status, 2, "{args:?}: {talk}");
        let reason = "error: standard output cannot be written: ";
        assert_eq!(talk.matches(reason).count(), 1, "{args:?}: {talk}");
    }
}

#[test]
fn whoever_closes_the_pipe_has_seen_enough() {
    let folder = folder("pipe");
    for args in [
        "runec explain",
        "runec blocks --json",
        "runec completions bash",
    ] {
        let args = args.replace("runec", env!("CARGO_BIN_EXE_runec"));
        let script = format!("set -o pipefail; {args} | head -c 10; echo $?");
        let mut command = Command::new("bash");
        let output = command.args(["-c", &script]).current_dir(&folder).output();
        let output = output.unwrap();
        let (_, out, talk) = said(&output);
        assert!(out.ends_with("0\n") && talk.is_empty(), "{out}{talk}");
    }
}

#[test]
fn a_pipe_to_write_to_stays_a_pipe() {
    let folder = with("fifo", GOOD);
    let pipe = folder.join("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read(pipe).unwrap()
    });
    let output = runec(&folder, &["build", "-o", "pipe"]);
    assert_eq!(said(&output).0, 0);
    assert!(!fs::metadata(&pipe).unwrap().is_file());
    assert!(reader.join().unwrap().starts_with(b"\0asm"));
}

#[test]
fn standard_input_is_built_and_drawn() {
    let folder = folder("stdin");
    let stdin = |args: &[&str]| {
        let file = folder.join("text");
        fs::write(&file, GOOD).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_runec"));
        let command = command.args(args).current_dir(&folder);
        command
            .stdin(fs::File::open(file).unwrap())
            .output()
            .unwrap()
    };
    assert_eq!(said(&stdin(&["build", "-"])).0, 0);
    assert_eq!(names(&folder), ["stdin.rune", "text"]);
    let output = stdin(&["graph", "-", "--format", "mermaid"]);
    assert!(said(&output).1.starts_with("flowchart"));
}

#[test]
fn what_never_ends_is_not_read_for_ever() {
    let folder = folder("endless");
    for args in [
        ["build", "/dev/zero"],
        ["model", "/dev/zero"],
        ["inspect", "/dev/zero"],
    ] {
        let output = runec(&folder, &args);
        assert_eq!(said(&output).0, 1, "{args:?}");
    }
}
