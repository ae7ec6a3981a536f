//! Commands that show: pictures of pipelines, models, manual pages, completions.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Exit status, standard output and standard error of a command line, run in the workspace's root.
fn runec(args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_runec"))
        .args(args)
        .current_dir(root())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn a_pipeline_is_drawn_in_three_languages() {
    let (status, mermaid, _) = runec(&["graph", "examples/sine", "--format", "mermaid"]);
    assert_eq!(status, 0);
    let expected = r#"flowchart TB
  n0(["<b>x</b><br>RAND<br>max 6.2831855"]):::capability
  n1[["<b>sine</b><br>sine.tflite"]]:::model
  n2[/"<b>serial</b><br>SERIAL"/]:::output
  n0 -->|"F32[1, 1]"| n1
  n1 -->|"F32[1, 1]"| n2
"#;
    assert!(mermaid.starts_with(expected), "{mermaid}");
    let (status, dot, _) = runec(&["graph", "examples/sine", "--format", "dot"]);
    assert_eq!(status, 0);
    assert!(dot.contains(r#"n0 -> n1 [label=" F32[1, 1]"];"#), "{dot}");
    // Where Graphviz is there, it agrees that this is its language.
    if let Ok(mut child) = Command::new("dot")
        .arg("-Tcanon")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
    {
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), dot.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }
    let (status, svg, _) = runec(&["graph", "examples/sine"]);
    assert_eq!((status, svg.matches("<rect ").count()), (0, 3));
}

#[test]
fn a_file_to_write_says_what_to_draw_with() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("seeing");
    fs::create_dir_all(&folder).unwrap();
    for (name, begins) in [
        ("a.svg", "<svg "),
        ("a.dot", "digraph "),
        ("a.mmd", "flowchart "),
    ] {
        let path = folder.join(name);
        let shown = path.display().to_string();
        let (status, out, _) = runec(&["graph", "examples/gesture", "-o", &shown]);
        assert_eq!((status, out.as_str()), (0, ""), "{name}");
        assert!(fs::read_to_string(path).unwrap().starts_with(begins));
    }
    let (status, _, err) = runec(&["graph", "examples/sine", "-o", "a.png"]);
    assert_eq!(status, 2);
    assert!(err.contains("none of svg, dot and mermaid"), "{err}");
    let (status, _, err) = runec(&["graph", "examples/sine", "-o", "no/such/folder/a.svg"]);
    assert_eq!(status, 2);
    assert!(
        err.contains("no/such/folder/a.svg cannot be written"),
        "{err}"
    );
}

#[test]
fn a_faulty_pipeline_is_not_drawn() {
    let (status, out, err) = runec(&["graph", "testsuite/ui/cycle.rune"]);
    assert_eq!((status, out.as_str()), (1, ""));
    assert!(err.contains("error[R0404]"), "{err}");
}

#[test]
fn the_pictures_of_the_examples_are_fresh() {
    for name in ["gesture", "keyword"] {
        let path = root().join(format!("examples/{name}/pipeline.svg"));
        let (status, svg, err) = runec(&["graph", &format!("examples/{name}")]);
        assert_eq!(status, 0, "{err}");
        if env::var_os("BLESS").is_some() {
            fs::write(&path, &svg).unwrap();
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == svg, "{} is old: run with BLESS=1", path.display());
    }
}

#[test]
fn a_built_rune_is_drawn_as_its_runefile_is() {
    let rune = Path::new(env!("CARGO_TARGET_TMPDIR")).join("drawn.rune");
    let rune = rune.display().to_string();
    assert_eq!(runec(&["build", "examples/gesture", "-o", &rune]).0, 0);
    let edges = |path: &str| {
        let (status, text, err) = runec(&["graph", path, "--format", "dot"]);
        assert_eq!(status, 0, "{err}");
        let edge = |l: &&str| l.contains(" -> ");
        text.lines().filter(edge).count()
    };
    assert_eq!(edges(&rune), edges("examples/gesture"));
    // Cut off, it is no rune, and one that lacks a section says which.
    let mut bytes = fs::read(&rune).unwrap();
    bytes.truncate(bytes.len() / 2);
    fs::write(&rune, &bytes).unwrap();
    let (status, out, err) = runec(&["graph", &rune]);
    assert_eq!((status, out.as_str()), (1, ""));
    assert!(err.contains("cannot draw "), "{err}");
}

#[test]
fn a_model_is_described() {
    let (status, text, _) = runec(&["model", "examples/gesture/gesture.tflite"]);
    assert_eq!(status, 0);
    for part in ["operator", "CONV_2D", "SOFTMAX", "compiles    yes\n"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let (status, json, _) = runec(&["model", "--json", "examples/gesture/gesture.tflite"]);
    assert_eq!(status, 0);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["compiles"], true);
    let operators = json["operators"].as_array().unwrap();
    let sum: u64 = operators.iter().filter_map(|o| o["macs"].as_u64()).sum();
    assert_eq!(json["macs"], sum);
    assert!(sum > 10_000);
}

#[test]
fn the_memory_of_a_model_is_told_and_drawn() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("memory.svg");
    let picture = path.display().to_string();
    let model = "examples/digits/digits.tflite";
    let (status, text, err) = runec(&["model", model, "--output", &picture]);
    assert_eq!(status, 0, "{err}");
    for part in [
        "\narena       ",
        " bytes, no more than are in use at once\n",
        "\ncode ",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let (_, json, _) = runec(&["model", "--json", model]);
    let json: Value = serde_json::from_str(&json).unwrap();
    let compiled = &json["compiled"];
    assert_eq!(compiled["arena_bytes"], compiled["in_use_bytes"]);
    assert_eq!(compiled["is_optimum"], true);
    // What two layers of eight by eight pixels are in use with, at least.
    assert!(compiled["arena_bytes"].as_u64().unwrap() >= 1792);
    let parts = ["arena_bytes", "state_bytes", "constant_bytes"];
    let sum: u64 = parts.iter().filter_map(|p| compiled[p].as_u64()).sum();
    assert_eq!(compiled["memory_bytes"], sum);
    // The picture in the book is that of the compiler.
    let svg = fs::read_to_string(&path).unwrap();
    let tensors = compiled["tensors"].as_array().unwrap();
    assert_eq!(svg.matches("tensor\"><title>").count(), tensors.len());
    let kept = root().join("docs/book/memory.svg");
    if env::var_os("BLESS").is_some() {
        fs::write(&kept, &svg).unwrap();
    }
    let kept = fs::read_to_string(&kept).unwrap_or_default();
    assert!(kept == svg, "docs/book/memory.svg is old: run with BLESS=1");
}

/// The memory plan reaches what is in use at once, on every model of the examples.
#[test]
fn no_example_takes_more_memory_than_it_must() {
    for model in [
        "digits/digits.tflite",
        "gesture/gesture.tflite",
        "keyword/keyword.tflite",
        "paper/example.tflite",
        "sine/sine.tflite",
        "sine/sine_int8.tflite",
    ] {
        let (status, json, err) = runec(&["model", "--json", &format!("examples/{model}")]);
        assert_eq!(status, 0, "{err}");
        let json: Value = serde_json::from_str(&json).unwrap();
        let compiled = &json["compiled"];
        assert_eq!(compiled["arena_bytes"], compiled["in_use_bytes"], "{model}");
    }
}

#[test]
fn what_is_no_model_is_refused() {
    let (status, out, err) = runec(&["model", "README.md"]);
    assert_eq!((status, out.as_str()), (1, ""));
    assert!(
        err.contains("cannot show README.md: it is a text file, not a TensorFlow Lite model"),
        "{err}"
    );
    let (status, _, err) = runec(&["model", "no-such.tflite"]);
    assert_eq!(status, 2);
    assert!(err.contains("no-such.tflite cannot be read"), "{err}");
}

#[test]
fn shells_learn_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let (status, script, _) = runec(&["completions", shell]);
        assert_eq!(status, 0);
        for command in ["build", "check", "graph", "explain"] {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
    assert_eq!(runec(&["completions", "dos"]).0, 2);
}

#[test]
fn there_is_a_manual_page_of_every_command() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("man");
    let _ = fs::remove_dir_all(&folder);
    let (status, _, err) = runec(&["man", "--out", &folder.display().to_string()]);
    assert_eq!(status, 0, "{err}");
    let (_, help, _) = runec(&["--help"]);
    let commands = help
        .split_once("Commands:\n")
        .unwrap()
        .1
        .lines()
        .take_while(|l| !l.is_empty())
        .filter_map(|l| l.split_whitespace().next())
        .filter(|c| *c != "help");
    let mut count = 0;
    for command in commands {
        let page = fs::read_to_string(folder.join(format!("runec-{command}.1"))).unwrap();
        assert!(page.contains(".SH SYNOPSIS"), "{command}");
        count += 1;
    }
    assert!(count >= 8);
    assert!(runec(&["man"]).1.contains(".TH runec 1"));
}
