//! Runefiles with inputs and expected outputs, on every engine with equal results.
//!
//! `#! a = F32 [1.0, 2.0], b = U8 [3] => out = F32 [3.0] ± 0.01` is one call: what each capability gives, then
//! what each output gets. `=> out nothing` is a call without output there, and `=> fault -3` one that fails.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{fs, path::Path};

use rune_abi::image::Containment;
use rune_codegen::{Options, Output, Simd};
use rune_ir::{
    check::{TypedKind, Verified},
    eval::Data,
    ty::ElementType,
};
use rune_runtime::{Call, Grants, Input, Limits, Read, Rune, Source, SourceError, serial};
use rune_testsuite::{
    cases,
    engines::{self, Feed, Outcome},
    play, skip,
};
use serde_json::Value;

#[test]
fn every_engine_gives_what_the_case_says() {
    for path in cases("run") {
        let Case {
            name,
            verified,
            calls,
            feeds,
        } = Case::read(&path);
        let oracle = engines::evaluate(&verified, &feeds);
        assert_eq!(oracle.len(), calls.len(), "{name}: calls on the evaluator");
        for (i, (call, outcome)) in calls.iter().zip(&oracle).enumerate() {
            call.compare(outcome, &format!("{name}, call {i}, evaluator"));
        }
        for (variant, options) in engines::variants() {
            let output = engines::compile(&path, &options)
                .output
                .expect("what checks compiles");
            wasmparser::Validator::new()
                .validate_all(&output.wasm)
                .unwrap_or_else(|e| panic!("{name} {variant}: {e}"));
            assert_eq!(
                engines::run(&output, &feeds),
                oracle,
                "{name} {variant} differs from the evaluator"
            );
            assert_eq!(
                engines::run_on_device(&output, &feeds),
                oracle,
                "{name} {variant} on a device differs from the evaluator"
            );
        }
    }
}

/// The cases that have SIMD when they are compiled with it, which the firmware of tests refuses: all that does not run on
/// the emulated board.
const MISFITS: [&str; 8] = [
    "bounded",
    "int8-sine",
    "many",
    "modulo",
    "nan",
    "parts",
    "sine",
    "texts-of-inputs",
];

/// The same bytes as on Linux, one rune after the other on one board; where a rune fails, with the same words.
#[test]
fn the_emulated_board_gives_the_lines_of_linux() {
    let Some(mut board) = play::board("the_emulated_board_gives_the_lines_of_linux") else {
        return;
    };
    let mut misfits = vec![];
    let mut runs = 0;
    for path in cases("run") {
        let Case { name, feeds, .. } = Case::read(&path);
        let mut done: Vec<Vec<u8>> = vec![];
        for (variant, options) in engines::variants() {
            let output = engines::compile(&path, &options).output.unwrap();
            // Where it makes no difference, once is enough.
            if done.contains(&output.wasm) {
                continue;
            }
            done.push(output.wasm.clone());
            let linux = on_linux(&output, &feeds);
            let rune = Rune::load(output.wasm.clone()).unwrap();
            let sources = engines::sources(&output, &feeds, 1);
            let inputs = sources.into_iter().map(Input::Samples).collect();
            let calls = Some(feeds.len() as u64);
            let mut lines = String::new();
            let ran = board.run(&output.wasm, &rune, inputs, calls, |more| lines += more);
            if let Err(why) = &ran
                && board.look(0).is_err()
            {
                misfits.push((name.clone(), variant, why.clone()));
                continue;
            }
            assert_eq!((lines, ran), linux, "{name} {variant}");
            runs += 1;
        }
    }
    let why = "the code of the rune uses simd128, which this runtime does not have";
    let expected = MISFITS.map(|name| (name.to_owned(), "-O0 simd", why.to_owned()));
    assert_eq!(misfits, expected);
    assert!(runs >= cases("run").len(), "{runs}");
}

/// Each case as an image on one board, contained in one of the ways in turn.
#[test]
fn images_on_the_emulated_board_give_the_lines_of_linux() {
    let test = "images_on_the_emulated_board_give_the_lines_of_linux";
    let Ok(compiler) = rune_aot::Compiler::find() else {
        return skip(test, &rune_aot::advice());
    };
    let Some(mut board) = play::board(test) else {
        return;
    };
    let mut containments = Containment::ALL.into_iter().cycle();
    for path in cases("run") {
        let Case { name, feeds, .. } = Case::read(&path);
        let options = Options {
            simd: Simd::Off,
            ..Options::default()
        };
        let output = engines::compile(&path, &options).output.unwrap();
        let code = engines::compile(&path, &engines::device()).output.unwrap();
        let containment = containments.next().unwrap();
        let image = engines::image(&output.wasm, &code.wasm, containment, &compiler);
        let linux = on_linux(&output, &feeds);
        let rune = Rune::load(output.wasm.clone()).unwrap();
        let sources = engines::sources(&output, &feeds, 1);
        let inputs = sources.into_iter().map(Input::Samples).collect();
        let calls = Some(feeds.len() as u64);
        let mut lines = String::new();
        let ran = board.run(&image, &rune, inputs, calls, |more| lines += more);
        assert_eq!((lines, ran), linux, "{name} {}", containment.name());
    }
}

/// The lines that Linux prints for these calls, and why the rune failed, if it did.
fn on_linux(output: &Output, feeds: &[Feed]) -> (String, Result<(), String>) {
    let rune = Rune::load(output.wasm.clone()).expect("a compiled rune keeps the contract");
    let grants = Grants::new(engines::sources(output, feeds, 1), Limits::default());
    let instance = rune.start(grants, Box::new(|_, _| {}));
    let mut instance = instance.expect("a compiled rune starts");
    let mut lines = String::new();
    for _ in feeds {
        match instance.call() {
            Ok(Call::Output(records)) => lines += &(serial::line(rune.manifest(), records) + "\n"),
            Ok(Call::NoOutput) => {}
            Ok(Call::End) => break,
            Err(error) => return (lines, Err(error.to_string())),
        }
    }
    (lines, Ok(()))
}

/// A rune that was asked to marks its stages: the host knows how long each ran, and which one failed.
#[test]
fn marks_tell_the_host_which_stage_runs() {
    let path = rune_testsuite::root().join("testsuite/run/label-out-of-range.rune");
    let options = Options {
        marks: true,
        ..Options::default()
    };
    let output = engines::compile(&path, &options).output.unwrap();
    let rune = Rune::load(output.wasm).unwrap();
    let grants = Grants::new(vec![Box::new(Ones)], Limits::default());
    let mut instance = rune.start(grants, Box::new(|_, _| {})).unwrap();
    let error = instance.call().unwrap_err();
    assert_eq!(error.stage.as_deref(), Some("label"), "{error}");
    let ran: Vec<_> = instance
        .stage_times()
        .map(|(name, time)| (name, !time.is_zero()))
        .collect();
    assert_eq!(ran, [("index", true), ("label", false), ("serial", false)]);
}

/// Gives bytes of ones for ever.
struct Ones;

impl Source for Ones {
    fn read(&mut self, out: &mut [u8], _: std::time::Instant) -> Result<Read, SourceError> {
        out.fill(0xff);
        Ok(Read::Sample)
    }
}

/// A Runefile, and the calls that it says what to expect of.
struct Case {
    name: String,
    verified: Verified,
    calls: Vec<Expected>,
    feeds: Vec<Feed>,
}

impl Case {
    fn read(path: &Path) -> Self {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(path).unwrap();
        let checked = engines::check(path);
        let rendered = engines::rendered(&checked);
        let verified = checked
            .output
            .unwrap_or_else(|| panic!("{name} does not check:\n{rendered}"));
        let calls: Vec<Expected> = text
            .lines()
            .filter_map(|l| l.strip_prefix("#!"))
            .map(|l| Expected::parse(l, &verified))
            .collect();
        assert!(!calls.is_empty(), "{name} says what to expect");
        Self {
            name,
            verified,
            feeds: calls.iter().map(|call| call.feed.clone()).collect(),
            calls,
        }
    }
}

struct Expected {
    feed: Feed,
    outcome: Result<Vec<Option<Tensors>>, i32>,
}

struct Tensors {
    element: ElementType,
    values: Vec<Value>,
    tolerance: f64,
}

impl Expected {
    fn parse(line: &str, verified: &Verified) -> Self {
        let (inputs, outputs) = line.split_once("=>").expect("a call has `=>`");
        let names = |capability: bool| {
            verified.stages().iter().filter(move |s| match s.kind {
                TypedKind::Capability { .. } => capability,
                TypedKind::Output { .. } => !capability,
                TypedKind::Block { .. } | TypedKind::Model { .. } => false,
            })
        };
        let feed = names(true)
            .map(|stage| {
                let tensor = Tensors::find(inputs, &stage.name)
                    .unwrap_or_else(|| panic!("`{line}` gives nothing for {}", stage.name));
                assert_eq!(tensor.element, stage.outputs[0].element, "{line}");
                assert_eq!(
                    tensor.values.len() as u64,
                    stage.outputs[0].elements(),
                    "elements for {} in {line}",
                    stage.name
                );
                tensor
                    .values
                    .iter()
                    .flat_map(|v| encode(tensor.element, v))
                    .collect()
            })
            .collect();
        if let Some(code) = outputs.trim().strip_prefix("fault ") {
            return Self {
                feed,
                outcome: Err(code.trim().parse().expect("a fault is a number")),
            };
        }
        let outcome = Ok(names(false)
            .map(|stage| Tensors::find(outputs, &stage.name))
            .collect());
        Self { feed, outcome }
    }

    fn compare(&self, outcome: &Outcome, place: &str) {
        match (&self.outcome, outcome) {
            (Err(code), Outcome::Fault(found)) => assert_eq!(code, found, "{place}"),
            (Ok(expected), Outcome::Outputs(found)) => {
                assert_eq!(expected.len(), found.len(), "{place}: outputs");
                for (expected, found) in expected.iter().zip(found) {
                    match (expected, found) {
                        (None, None) => {}
                        (Some(expected), Some(found)) => expected.compare(&found[0], place),
                        (expected, found) => panic!(
                            "{place}: expected output {}, found {found:?}",
                            expected.is_some()
                        ),
                    }
                }
            }
            (_, found) => panic!("{place}: found {found:?}"),
        }
    }
}

impl Tensors {
    /// The tensor `name = TYPE [values] ± tolerance` in a list of such.
    fn find(text: &str, name: &str) -> Option<Self> {
        let at = text.match_indices(name).find(|(i, _)| {
            let before = text[..*i].chars().next_back();
            before.is_none_or(|c| c == ' ' || c == ',')
                && text[i + name.len()..].trim_start().starts_with('=')
        })?;
        let rest = text[at.0 + name.len()..]
            .trim_start()
            .trim_start_matches('=')
            .trim_start();
        let (element, rest) = rest
            .split_once(' ')
            .expect("a type stands before the values");
        let element =
            ElementType::from_name(element).unwrap_or_else(|| panic!("{element} is a type"));
        let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        let values = stream
            .next()
            .expect("values follow the type")
            .unwrap_or_else(|e| panic!("{rest}: {e}"));
        let tolerance = rest[stream.byte_offset()..]
            .trim_start()
            .strip_prefix('±')
            .map_or(0.0, |t| {
                t.split(',')
                    .next()
                    .unwrap_or(t)
                    .trim()
                    .parse()
                    .expect("a tolerance is a number")
            });
        Some(Self {
            element,
            values: values.as_array().expect("values are a list").clone(),
            tolerance,
        })
    }

    fn compare(&self, found: &Data, place: &str) {
        match found {
            Data::Strings(found) => {
                let expected: Vec<&str> = self
                    .values
                    .iter()
                    .map(|v| v.as_str().expect("texts are expected"))
                    .collect();
                assert_eq!(*found, expected, "{place}");
            }
            Data::Bytes(found) => {
                let size = self.element.size() as usize;
                assert_eq!(found.len(), self.values.len() * size, "{place}: bytes");
                for (i, (value, bytes)) in self.values.iter().zip(found.chunks(size)).enumerate() {
                    if self.tolerance == 0.0 {
                        assert_eq!(bytes, encode(self.element, value), "{place}: element {i}");
                    } else {
                        let found = f64::from(f32::from_le_bytes(
                            bytes.try_into().expect("a tolerance is for f32"),
                        ));
                        let expected = value.as_f64().expect("a number");
                        assert!(
                            (found - expected).abs() <= self.tolerance,
                            "{place}: element {i} is {found}, expected {expected}"
                        );
                    }
                }
            }
        }
    }
}

/// The bytes of an element; `"NaN"` and the like stand for what JSON has no numbers for.
fn encode(element: ElementType, value: &Value) -> Vec<u8> {
    let float = || {
        value.as_f64().unwrap_or_else(|| {
            value
                .as_str()
                .and_then(|s| s.parse().ok())
                .expect("a float")
        })
    };
    let integer = || {
        value
            .as_i64()
            .map(i128::from)
            .or_else(|| value.as_u64().map(i128::from))
            .expect("a whole number")
    };
    if element.is_integer() {
        return integer().to_le_bytes()[..element.size() as usize].to_vec();
    }
    if element == ElementType::F32 {
        return (float() as f32).to_le_bytes().to_vec();
    }
    assert_eq!(element, ElementType::F64, "text is not fed as bytes");
    float().to_le_bytes().to_vec()
}
