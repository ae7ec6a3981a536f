//! Every example gives what its expected output says: labels and integers exactly, f32 within the tolerance.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{fs, path::Path};

use rune_runtime::{Call, Limits, Rune, SourceFlag, serial};
use rune_testsuite::{engines, examples::EXAMPLES, root};
use serde_json::Value;

#[test]
fn every_example_gives_its_expected_output() {
    let examples = root().join("examples");
    for example in EXAMPLES {
        let (runefile, input) = (example.runefile, example.input);
        let expected = fs::read_to_string(examples.join(example.expected)).unwrap();
        let expected: Vec<Value> = expected
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        for (variant, options) in engines::variants() {
            let compiled = engines::compile(&examples.join(runefile), &options);
            let rendered = engines::rendered(&compiled);
            let output = compiled
                .output
                .unwrap_or_else(|| panic!("{runefile} does not build:\n{rendered}"));
            let found = lines(&output, example.flag());
            assert_eq!(
                found.len(),
                expected.len(),
                "{runefile} {input} {variant}: calls"
            );
            for (found, expected) in found.iter().zip(&expected) {
                compare(found, expected, &format!("{runefile} {input} {variant}"));
            }
        }
    }
}

/// What `rune run` prints, line by line.
fn lines(output: &rune_codegen::Output, flag: SourceFlag) -> Vec<Value> {
    let rune = Rune::load(output.wasm.clone()).unwrap();
    let grants = rune.grant(&[flag], &Limits::default()).unwrap();
    let mut instance = rune.start(grants, Box::new(|_, _| {})).unwrap();
    let mut lines = Vec::new();
    loop {
        match instance.call().unwrap() {
            Call::Output(records) => {
                lines.push(serde_json::from_str(&serial::line(rune.manifest(), records)).unwrap());
            }
            Call::NoOutput => {}
            Call::End => return lines,
        }
        if instance.is_endless() {
            return lines;
        }
    }
}

/// Equal, but for f32 within 1e-5 of the larger of the value and 1: every example gives sines or
/// probabilities, and the tail of a probability magnifies the rounding of what is before it.
fn compare(found: &Value, expected: &Value, place: &str) {
    let (found, expected) = (found.as_object().unwrap(), expected.as_object().unwrap());
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        expected.keys().collect::<Vec<_>>(),
        "{place}"
    );
    for (found, expected) in found.values().zip(expected.values()) {
        for (found, expected) in found
            .as_array()
            .unwrap()
            .iter()
            .zip(expected.as_array().unwrap())
        {
            if expected["element_type"] != "f32" {
                assert_eq!(found, expected, "{place}");
                continue;
            }
            assert_eq!(found["dimensions"], expected["dimensions"], "{place}");
            let numbers = |v: &Value| {
                v["elements"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|x| x.as_f64().unwrap())
                    .collect::<Vec<_>>()
            };
            let (found, expected) = (numbers(found), numbers(expected));
            assert_eq!(found.len(), expected.len(), "{place}");
            for (a, b) in found.iter().zip(&expected) {
                assert!(
                    (a - b).abs() <= 1e-5 * b.abs().max(1.0),
                    "{place}: {a} is not {b}"
                );
            }
        }
    }
}

/// The README's Runefile is the one it says: a reader who copies it gets what is tested here.
#[test]
fn the_runefile_of_the_readme_builds() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let listing = readme
        .split("```runefile\n")
        .nth(1)
        .expect("the README shows a Runefile")
        .split("```")
        .next()
        .unwrap();
    assert_eq!(
        listing,
        fs::read_to_string(root().join("examples/gesture/Runefile")).unwrap()
    );
    assert!(Path::new(&root().join("examples/gesture/gesture.tflite")).exists());
}
