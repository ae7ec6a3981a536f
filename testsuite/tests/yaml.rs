//! The reference system's cases in YAML: those that compiled compile, those that ran run with what they gave,
//! and those that failed fail with the same words, at the line of the fault.
//!
//! The Runefiles are written anew from the descriptions of the cases; the names of the tests are theirs.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../frontend/models/tests/vectors/mod.rs"]
mod vectors;

use std::{fs, path::PathBuf, process::Command};

use rune_abi::CapabilityKind;
use rune_codegen::{Options, Output};
use rune_ir::diag::{Diagnostic, Severity};
use rune_runtime::{Call, Limits, Rune, SourceFlag, serial};
use rune_testsuite::{engines, overlay::Overlay, reference_models, root};
use runec::Compilation;
use serde_json::{Value, json};

const SINE: &str = "version: 1
image: runicos/base
pipeline:
  raw:
    capability: RAW
    outputs:
    - type: f32
      dimensions: [1, 1]
    args:
      length: 4
  mod360:
    proc-block: \"hotg-ai/proc-blocks@v0.11.3#modulo\"
    inputs: [raw]
    outputs:
    - type: f32
      dimensions: [1, 1]
    args:
      modulus: 360.0
  sine:
    model: ./sine.tflite
    inputs: [mod360]
    outputs:
    - type: f32
      dimensions: [1, 1]
  serial:
    out: serial
    inputs: [sine]
";

/// The model of `examples/sine` under the name the cases use, and one with two inputs.
fn world() -> Overlay {
    let two = vectors::load("add");
    let two = two
        .into_iter()
        .find(|case| {
            let call = &case.calls[0];
            call.inputs.len() == 2 && call.inputs.iter().all(|i| i.len() == call.outputs[0].len())
        })
        .expect("some addition has two inputs alike");
    Overlay::new(root().join("examples/sine"))
        .with(
            "./sine.tflite",
            fs::read(root().join("examples/sine/sine.tflite")).unwrap(),
        )
        .with("./two.tflite", two.model)
}

fn compile(text: &str) -> Compilation<Output> {
    runec::compile(
        "Runefile.yml",
        "case",
        text.as_bytes(),
        &world(),
        &Options::default(),
    )
}

/// Line from 1, and everything a diagnostic says.
fn said(text: &str, diagnostic: &Diagnostic) -> (usize, String) {
    let before = &text[..diagnostic.primary.span.start as usize];
    let mut said = vec![
        diagnostic.message.clone(),
        diagnostic.primary.message.clone(),
    ];
    said.extend(diagnostic.secondary.iter().map(|l| l.message.clone()));
    said.extend(diagnostic.notes.iter().cloned());
    (before.matches('\n').count() + 1, said.join("\n"))
}

/// Compiles what must, and gives the warnings.
fn passes(text: &str) -> (Output, Vec<(usize, String)>) {
    let compiled = compile(text);
    let rendered = engines::rendered(&compiled);
    let warnings = compiled.diagnostics.iter().map(|d| said(text, d)).collect();
    (
        compiled.output.unwrap_or_else(|| panic!("{rendered}")),
        warnings,
    )
}

/// Compiles what must not, and finds an error at each line with these words.
fn fails(text: &str, expected: &[(usize, &str)]) {
    let compiled = compile(text);
    assert!(compiled.output.is_none(), "{text}");
    let errors: Vec<(usize, String)> = compiled
        .diagnostics
        .iter()
        .filter(|d| d.severity == Severity::Error)
        .map(|d| said(text, d))
        .collect();
    for (line, words) in expected {
        assert!(
            errors
                .iter()
                .any(|(at, said)| at == line && said.contains(words)),
            "line {line}: {words}\n{}",
            engines::rendered(&compiled)
        );
    }
}

/// What `rune run` prints first.
fn first_line(output: &Output, flags: &[(CapabilityKind, String)]) -> Value {
    let rune = Rune::load(output.wasm.clone()).unwrap();
    let flags: Vec<SourceFlag> = flags
        .iter()
        .map(|(kind, value)| SourceFlag {
            kind: *kind,
            value: value.clone(),
        })
        .collect();
    let grants = rune.grant(&flags, &Limits::default()).unwrap();
    let mut instance = rune.start(grants, Box::new(|_, _| {})).unwrap();
    match instance.call().unwrap() {
        Call::Output(records) => {
            serde_json::from_str(&serial::line(rune.manifest(), records)).unwrap()
        }
        other @ (Call::NoOutput | Call::End) => panic!("{other:?}"),
    }
}

/// A folder of one test alone.
fn folder(name: &str, files: &[(&str, &[u8])]) -> PathBuf {
    let root = std::env::temp_dir().join(format!("rune-yaml-{}-{name}", std::process::id()));
    for (file, bytes) in files {
        let path = root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    root
}

fn four_integers() -> Vec<u8> {
    (0..4i32).flat_map(i32::to_le_bytes).collect()
}

// compile-pass

const NOOP: &str = "version: 1
image: runicos/base
pipeline:
  input:
    capability: RAW
    outputs: [{type: i32, dimensions: [4]}]
  output:
    out: serial
    inputs: [input]
";

#[test]
fn known_model_formats() {
    let stage = |name: &str, format: &str| {
        format!(
            "  {name}:\n    model: ./sine.tflite\n    inputs: [x]\n    outputs: [{{type: F32, dimensions: [1, 1]}}]\n    args: {{format: {format}}}\n"
        )
    };
    let formats = ["onnx", "tensorflow", "tensorflow-js", "tensorflow-lite"];
    let models: String = formats
        .iter()
        .zip("abcd".chars())
        .map(|(f, n)| stage(&n.to_string(), f))
        .collect();
    let text = format!(
        "version: 1\nimage: asdf\npipeline:\n  x:\n    capability: RAW\n    outputs: [{{type: F32, dimensions: [1, 1]}}]\n{models}  serial:\n    out: serial\n    inputs: [a, b, c, d]\n"
    );
    let (output, warnings) = passes(&text);
    assert_eq!(output.manifest.models.len(), 4);
    assert!(
        warnings[0].0 == 2 && warnings[0].1.contains("asdf"),
        "{warnings:?}"
    );
    let contradicted = warnings
        .iter()
        .filter(|(_, w)| w.contains("its file is tensorflow-lite"));
    assert_eq!(
        contradicted.map(|(line, _)| *line).collect::<Vec<_>>(),
        [11, 16, 21]
    );
}

#[test]
fn model_arguments_should_be_used() {
    let text = SINE.replace(
        "    model: ./sine.tflite\n",
        "    model: ./sine.tflite\n    args:\n      unused_argument: 42\n      another_unused_argument: hello\n",
    ).replace("  sine:", "  some_model:").replace("[sine]", "[some_model]");
    let (_, warnings) = passes(&text);
    let words = "Unused arguments for some_model: unused_argument, another_unused_argument";
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].0 == 22 && warnings[0].1.contains(words),
        "{warnings:?}"
    );
}

#[test]
fn models_with_multiple_inputs() {
    let text = "version: 1
image: runicos/base
pipeline:
  rand:
    capability: RAND
  two:
    model: ./two.tflite
    inputs: [rand, rand]
  serial:
    out: serial
    inputs: [two]
";
    let (output, warnings) = passes(text);
    assert_eq!(warnings, [], "{warnings:?}");
    assert_eq!(output.manifest.capabilities.len(), 1);
}

#[test]
fn proc_block_with_multiple_inputs_and_outputs() {
    let text = "version: 1
image: runicos/base
pipeline:
  boxes:
    capability: RAW
    outputs: [{type: F32, dimensions: [6, 4]}]
  scores:
    capability: RAW
    outputs: [{type: F32, dimensions: [6, 2]}]
  both:
    proc-block: runicos/nms
    inputs: [boxes, scores.0]
  first:
    out: serial
    inputs: [both.0, both.1]
  second:
    out: serial
    inputs: [both.2]
";
    let (output, warnings) = passes(text);
    assert_eq!(warnings, [], "{warnings:?}");
    assert_eq!(output.manifest.outputs.len(), 2);
}

#[test]
fn directories_are_zipped_when_used_as_resources_and_no_model_is_one() {
    let net = fs::read(root().join("examples/sine/sine.tflite")).unwrap();
    let runefile = |model: &str| {
        SINE.replace("./sine.tflite", model)
            + "resources:\n  FOLDER: {path: ./labels, type: binary}\n"
    };
    let good = runefile("./sine.tflite");
    let folder = folder(
        "zip",
        &[
            ("sine.tflite", &net),
            ("tfjs/model.json", b"{}"),
            ("labels/b.txt", b"two"),
            ("labels/a/a.txt", b"one"),
            ("good.yml", good.as_bytes()),
            ("bad.yml", runefile("./tfjs").as_bytes()),
        ],
    );
    let checked = engines::check(&folder.join("good.yml"));
    assert!(
        checked.diagnostics.is_empty(),
        "{}",
        engines::rendered(&checked)
    );
    let compiled = engines::compile(&folder.join("bad.yml"), &Options::default());
    let shown = engines::rendered(&compiled);
    assert!(
        compiled.output.is_none() && shown.contains("TensorFlow.js"),
        "{shown}"
    );
    assert!(shown.contains("convert it to TensorFlow Lite"), "{shown}");
    let world = runec::world::World::new(&folder);
    let archive = rune_ir::env::Env::archive(&world, "./labels")
        .unwrap()
        .unwrap();
    let text = String::from_utf8_lossy(&archive);
    let place = |name: &str| text.find(name).unwrap();
    assert!(archive.starts_with(b"PK\x03\x04") && place("a/a.txtone") < place("b.txttwo"));
    fs::remove_dir_all(folder).unwrap();
}

// compile-fail

#[test]
fn image_is_required() {
    fails(
        &NOOP.replace("image: runicos/base\n", ""),
        &[(1, "missing field `image`")],
    );
}

#[test]
fn pipeline_is_required() {
    fails(
        "version: 1\nimage: runicos/base\n",
        &[(1, "missing field `pipeline`")],
    );
}

#[test]
fn version_is_required() {
    fails(
        &NOOP.replace("version: 1\n", ""),
        &[(1, "missing field `version`")],
    );
}

#[test]
fn there_is_no_version_2() {
    let words = "invalid value: integer `2`, expected version to be 1";
    fails(&NOOP.replace("version: 1", "version: 2"), &[(1, words)]);
}

#[test]
fn missing_input() {
    let text = SINE
        .replace("  sine:", "  some_model:")
        .replace("inputs: [mod360]", "inputs:\n    - asdf");
    fails(
        &text,
        &[(
            22,
            "Unable to find \"asdf\" to use as an input for \"some_model\"",
        )],
    );
}

#[test]
fn no_such_resource() {
    let text = SINE.replace("./sine.tflite", "$MISSING_RESOURCE");
    fails(&text, &[(20, "No definition for \"$MISSING_RESOURCE\"")]);
}

#[test]
fn self_loop() {
    let text = SINE
        .replace("  sine:", "  some_model:")
        .replace("inputs: [mod360]", "inputs: [some_model]")
        .replace("[sine]", "[some_model]");
    fails(
        &text,
        &[(21, "Cycle detected when checking \"some_model\"")],
    );
}

#[test]
fn simple_loop() {
    let text = "version: 1
image: runicos/base
pipeline:
  some_model:
    model: ./sine.tflite
    inputs: [another_model]
  another_model:
    model: ./sine.tflite
    inputs: [some_model]
  serial:
    out: serial
    inputs: [some_model]
";
    fails(
        text,
        &[
            (9, "Cycle detected when checking"),
            (9, "... which passes data to \"some_model\""),
            (9, "... which passes data to \"another_model\""),
            (9, ", completing the cycle."),
        ],
    );
}

#[test]
fn str_is_not_a_type() {
    let text = NOOP.replace("type: i32", "type: str").replace(
        "  output:",
        "  more:\n    proc-block: runicos/label\n    outputs:\n    - type: string\n  output:",
    );
    fails(
        &text,
        &[
            (6, "Unknown element type, \"str\""),
            (10, "Unknown element type, \"string\""),
        ],
    );
}

#[test]
fn unknown_model_format() {
    let text = SINE.replace(
        "    model: ./sine.tflite\n",
        "    model: ./sine.tflite\n    args: {format: unknown-format}\n",
    );
    let words = "Expected the format to be one of onnx, tensorflow, tensorflow-js, tensorflow-lite, but found \"unknown-format\"";
    fails(&text, &[(21, words), (21, "Invalid format for \"sine\"")]);
}

#[test]
fn a_port_that_is_not_there() {
    let text = SINE.replace("[sine]", "[sine.1]");
    fails(&text, &[(27, "The \"sine\" node has no 1'th output")]);
}

// run-pass

#[test]
fn noop() {
    let (output, warnings) = passes(NOOP);
    assert_eq!(warnings, [], "{warnings:?}");
    let folder = folder("noop", &[("input.bin", &four_integers())]);
    let file = folder.join("input.bin").display().to_string();
    let line = first_line(&output, &[(CapabilityKind::Raw, file)]);
    assert_eq!(line["output"][0]["elements"], json!([0, 1, 2, 3]), "{line}");
    assert_eq!(line["output"][0]["dimensions"], json!([4]), "{line}");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn multiple_outputs() {
    let text = "version: 1
image: runicos/base
pipeline:
  bytes:
    capability: RAW
    outputs: [{type: u8, dimensions: [16]}]
  words:
    capability: RAW
    outputs: [{type: i32, dimensions: [4]}]
  serial:
    out: serial
    inputs: [bytes, words]
";
    let (output, warnings) = passes(text);
    assert_eq!(warnings, [], "{warnings:?}");
    let folder = folder("outputs", &[("input.bin", &four_integers())]);
    let file = folder.join("input.bin").display().to_string();
    let flags = [
        (CapabilityKind::Raw, file.clone()),
        (CapabilityKind::Raw, file),
    ];
    let line = first_line(&output, &flags);
    assert_eq!(
        line["serial"][0]["elements"],
        json!(four_integers()),
        "{line}"
    );
    assert_eq!(line["serial"][1]["elements"], json!([0, 1, 2, 3]), "{line}");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn sine_and_model_from_resource() {
    let Some(models) = reference_models("sine_and_model_from_resource") else {
        return;
    };
    let net = fs::read(models.join("sine/sinemodel.tflite")).unwrap();
    let world = Overlay::new(".").with("./sine.tflite", net);
    let resource = SINE.replace("model: ./sine.tflite", "model: $SINE")
        + "resources:\n  SINE:\n    path: ./sine.tflite\n    type: binary\n";
    let folder = folder("sine", &[("input.bin", &[0xcd, 0xcc, 0x4c, 0x3f])]);
    let file = folder.join("input.bin").display().to_string();
    for text in [SINE, &resource] {
        let compiled = runec::compile(
            "Runefile.yml",
            "sine",
            text.as_bytes(),
            &world,
            &Options::default(),
        );
        let rendered = engines::rendered(&compiled);
        assert!(compiled.diagnostics.is_empty(), "{rendered}");
        let line = first_line(
            &compiled.output.unwrap(),
            &[(CapabilityKind::Raw, file.clone())],
        );
        let tensor = &line["serial"][0];
        let value = tensor["elements"][0].as_f64().unwrap();
        assert!((value - 0.697_278_74).abs() < 1e-5, "{line}");
        assert_eq!(tensor["dimensions"], json!([1, 1]), "{line}");
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn gesture_ring_and_resources_in_proc_block_args() {
    let Some(models) = reference_models("gesture_ring_and_resources_in_proc_block_args") else {
        return;
    };
    let net = fs::read(models.join("gesture/model.tflite")).unwrap();
    let world = Overlay::new(".").with("./model.tflite", net);
    let text = "version: 1
image: runicos/base
pipeline:
  accelerometer:
    capability: ACCEL
    outputs: [{type: F32, dimensions: [128, 3]}]
    args: {samples: 128}
  normalize:
    proc-block: hotg-ai/proc-blocks@v0.11.3#normalize
    inputs: [accelerometer]
    outputs: [{type: F32, dimensions: [1, 128, 3, 1]}]
  model:
    model: ./model.tflite
    inputs: [normalize]
    outputs: [{type: F32, dimensions: [1, 4]}]
  most_confident:
    proc-block: hotg-ai/proc-blocks@v0.11.3#most_confident_indices
    inputs: [model]
    outputs: [{type: U32, dimensions: [1]}]
    args: {count: 1}
  label:
    proc-block: hotg-ai/proc-blocks@v0.11.3#label
    inputs: [most_confident]
    outputs: [{type: UTF8, dimensions: [1]}]
    args:
      wordlist: |
        Wing
        Ring
        Slope
        Unknown
  serial:
    out: serial
    inputs: [label]
";
    let resource = text.replace(
        "wordlist: |\n        Wing\n        Ring\n        Slope\n        Unknown\n",
        "wordlist: $LABELS\n",
    ) + "resources:\n  LABELS:\n    inline: |\n      Wing\n      Ring\n      Slope\n      Unknown\n";
    let ring = models
        .join("gesture/example_ring.csv")
        .display()
        .to_string();
    for text in [text, &resource] {
        let text = text.replace(
            "    outputs: [{type: F32, dimensions: [1, 128, 3, 1]}]\n",
            "",
        );
        let compiled = runec::compile(
            "Runefile.yml",
            "gesture",
            text.as_bytes(),
            &world,
            &Options::default(),
        );
        let rendered = engines::rendered(&compiled);
        let output = compiled.output.unwrap_or_else(|| panic!("{rendered}"));
        let line = first_line(&output, &[(CapabilityKind::Accel, ring.clone())]);
        assert_eq!(line["serial"][0]["elements"], json!(["Ring"]), "{line}");
    }
}

// As a user meets it

#[test]
fn convert_there_and_back_on_the_command_line() {
    let runec = env!("CARGO_BIN_EXE_xtask");
    let runec = PathBuf::from(runec).with_file_name("runec");
    if !runec.is_file() {
        rune_testsuite::skip(
            "convert_there_and_back",
            "runec is not built beside the tests",
        );
        return;
    }
    let sine = fs::read(root().join("examples/sine/sine.tflite")).unwrap();
    let folder = folder(
        "convert",
        &[("Runefile.yml", SINE.as_bytes()), ("sine.tflite", &sine)],
    );
    let run = |args: &[&str]| {
        let output = Command::new(&runec)
            .args(args)
            .current_dir(&folder)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    assert_eq!(run(&["check"]).0, Some(0));
    assert_eq!(run(&["convert", "--to", "yaml"]).0, Some(2), "it is YAML");
    let (status, text, _) = run(&["convert"]);
    assert_eq!(status, Some(0), "{text}");
    assert!(text.ends_with("RUN raw mod360 sine serial\n"), "{text}");
    assert_eq!(run(&["convert", "-o", "Runefile"]).0, Some(0));
    let (status, _, said) = run(&["build"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("Runefile counts, not"), "{said}");
    let (status, yaml, _) = run(&["convert", "Runefile"]);
    assert_eq!(status, Some(0));
    fs::write(folder.join("again.yml"), &yaml).unwrap();
    assert_eq!(run(&["convert", "again.yml"]).1, text);
    fs::remove_dir_all(folder).unwrap();
}
