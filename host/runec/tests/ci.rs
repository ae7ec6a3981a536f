//! What CI services run: the hooks for pre-commit, and the steps of the GitHub Action.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use runec::find::is_runefile;
use saphyr_parser::{Event, Parser};
use serde_json::{Map, Value};

const GOOD: &str = "\
FROM runicos/base
CAPABILITY<F32[4]> RAW x
PROC_BLOCK runicos/modulo m --modulus 2
OUT SERIAL
RUN x m serial
";

/// A folder that is of one test alone, with one Runefile that is right and one that is not.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ci").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("a b")).unwrap();
    fs::write(folder.join("a b/Runefile"), GOOD).unwrap();
    fs::write(
        folder.join("bad.Runefile"),
        GOOD.replace("modulo", "modulu"),
    )
    .unwrap();
    folder
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// A YAML file as JSON, all its scalars as text.
fn yaml(path: &str) -> Value {
    let text = fs::read_to_string(root().join(path)).unwrap();
    let mut open: Vec<(Value, Option<String>)> = vec![(Value::Array(Vec::new()), None)];
    let mut parser = Parser::new_from_str(&text);
    while let Some(event) = parser.next_event() {
        let value = match event.unwrap().0 {
            Event::Scalar(text, ..) => Value::String(text.into_owned()),
            Event::SequenceStart(..) => {
                open.push((Value::Array(Vec::new()), None));
                continue;
            }
            Event::MappingStart(..) => {
                open.push((Value::Object(Map::new()), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => open.pop().unwrap().0,
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::Alias(_) => continue,
        };
        let (parent, key) = open.last_mut().unwrap();
        match (parent, key.take()) {
            (Value::Array(items), _) => items.push(value),
            (Value::Object(object), Some(key)) => drop(object.insert(key, value)),
            (_, _) => *key = value.as_str().map(str::to_owned),
        }
    }
    open.pop().unwrap().0[0].take()
}

/// The path with the folder of our `runec` first.
fn path() -> std::ffi::OsString {
    let ours = Path::new(env!("CARGO_BIN_EXE_runec"))
        .parent()
        .unwrap()
        .to_owned();
    let theirs = env::var_os("PATH").unwrap_or_default();
    env::join_paths(std::iter::once(ours).chain(env::split_paths(&theirs))).unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// pre-commit splits the entry at blanks, and adds the names of the files that match.
#[test]
fn each_hook_runs_on_the_files_that_changed() {
    let hooks = yaml(".pre-commit-hooks.yaml");
    let hooks = hooks.as_array().unwrap();
    let ids: Vec<&str> = hooks.iter().map(|h| h["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["runec-check", "runec-fmt", "runec-lint"]);
    for hook in hooks {
        let id = hook["id"].as_str().unwrap();
        assert_eq!(
            hook["files"], r"(^|/)Runefile(\..+)?$|[^/]\.Runefile$",
            "{id}"
        );
        assert_eq!(
            (&hook["language"], &hook["require_serial"]),
            (&"system".into(), &"true".into())
        );
        let folder = folder(id);
        let run = |files: &[&str]| -> Output {
            let mut words = hook["entry"].as_str().unwrap().split(' ');
            assert_eq!(words.next(), Some("runec"));
            Command::new("runec")
                .args(words)
                .args(files)
                .current_dir(&folder)
                .env("PATH", path())
                .output()
                .unwrap()
        };
        let good = run(&["a b/Runefile"]);
        assert!(good.status.success(), "{id}: {}", text(&good.stderr));
        if id != "runec-fmt" {
            let bad = run(&["a b/Runefile", "bad.Runefile"]);
            assert_eq!(bad.status.code(), Some(1), "{id}: {}", text(&bad.stderr));
            assert!(text(&bad.stderr).contains("bad.Runefile:3:12"), "{id}");
        }
    }
}

/// The pattern of the hooks says the same of a name as `runec` does of a file in a folder.
#[test]
fn hooks_and_folders_mean_the_same_files() {
    // `(^|/)Runefile(\..+)?$|[^/]\.Runefile$`, for a name without a folder.
    let pattern = |name: &str| {
        let ending = name
            .strip_prefix("Runefile")
            .map(|rest| rest.is_empty() || rest.len() > 1 && rest.starts_with('.'));
        ending == Some(true)
            || name
                .strip_suffix(".Runefile")
                .is_some_and(|rest| !rest.is_empty())
    };
    for name in [
        "Runefile",
        "Runefile.yml",
        "Runefile.",
        "sine.Runefile",
        "a.b.Runefile",
        ".Runefile",
        "Runefiles",
        "runefile",
        "sine.rune",
        "xRunefile",
        "Runefile.a.b",
        "Runefile.Runefile",
    ] {
        assert_eq!(is_runefile(name), pattern(name), "{name}");
    }
}

#[test]
fn the_action_takes_what_the_book_says() {
    let action = yaml("action.yml");
    let book = fs::read_to_string(root().join("docs/book/checking.md")).unwrap();
    let inputs: Vec<&String> = action["inputs"].as_object().unwrap().keys().collect();
    let rows: Vec<&str> = book
        .split_once("## GitHub")
        .unwrap()
        .1
        .lines()
        .filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0))
        .collect();
    assert_eq!(rows, inputs);
    for (name, input) in action["inputs"].as_object().unwrap() {
        assert!(!input["description"].as_str().unwrap().is_empty(), "{name}");
    }
}

/// The steps after the one that builds, with a `runec` where that one puts it.
#[cfg(unix)]
#[test]
fn the_steps_of_the_action_run() {
    let action = yaml("action.yml");
    let steps = action["runs"]["steps"].as_array().unwrap();
    assert_eq!(action["runs"]["using"], "composite");
    assert!(
        steps[0]["run"]
            .as_str()
            .unwrap()
            .contains("host/runec\" --root \"$RUNNER_TEMP/rune\"")
    );
    let folder = folder("action");
    fs::create_dir_all(folder.join(".tmp/rune/bin")).unwrap();
    let runec = folder.join(".tmp/rune/bin/runec");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_runec"), runec).unwrap();
    let run = |step: &Value, paths: &str| -> Output {
        assert_eq!(step["shell"], "bash");
        let mut command = Command::new("bash");
        // As the service does.
        command.args([
            "--noprofile",
            "--norc",
            "-eo",
            "pipefail",
            "-c",
            step["run"].as_str().unwrap(),
        ]);
        command
            .current_dir(&folder)
            .env("RUNNER_TEMP", folder.join(".tmp"));
        for (name, value) in step["env"].as_object().unwrap() {
            let value = match value.as_str().unwrap() {
                "${{ inputs.paths }}" => paths,
                "${{ inputs.sarif }}" => "out.sarif",
                other => panic!("{other}"),
            };
            command.env(name, value);
        }
        command.output().unwrap()
    };
    let written = run(&steps[1], ".");
    assert!(written.status.success(), "{}", text(&written.stderr));
    let log: Value = serde_json::from_slice(&fs::read(folder.join("out.sarif")).unwrap()).unwrap();
    assert_eq!(log["runs"][0]["results"][0]["ruleId"], "R0105");
    assert!(
        !run(&steps[1], "gone").status.success(),
        "a path that is wrong is not passed over"
    );
    let bad = run(&steps[2], ".");
    assert_eq!(bad.status.code(), Some(1));
    assert!(
        text(&bad.stdout).starts_with("::error file=bad.Runefile,line=3,"),
        "{}",
        text(&bad.stdout)
    );
    let good = run(&steps[2], "a b/Runefile\na b\n");
    assert_eq!(
        (good.status.code(), text(&good.stdout)),
        (Some(0), ""),
        "{}",
        text(&good.stderr)
    );
}
