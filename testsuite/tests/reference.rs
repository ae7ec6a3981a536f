//! The reference models as runes against the outputs of `LiteRT`, and the reference system's Runefiles unmodified.
//!
//! `testsuite/models/generate.py` says how inputs are drawn and what the kept outputs are.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use rune_abi::{CapabilityKind, ElementType};
use rune_codegen::{Output, Simd};
use rune_ir::{
    check::TypedKind,
    diag::{Code, Diagnostic},
    eval::Data,
};
use rune_runtime::{Call, Limits, Rune, SourceFlag, serial};
use rune_testsuite::{
    engines::{self, Feed, Outcome},
    overlay::Overlay,
    random::Random,
    reference_models, root, skip,
};
use serde_json::{Value, json};

/// Name of the kept outputs, and the model's path in the folder of reference models.
const MODELS: &[(&str, &str)] = &[
    ("sine", "sine/sinemodel.tflite"),
    ("sine_int8", "sine/hello_world_int8.tflite"),
    ("gesture", "gesture/model.tflite"),
    ("kws", "kws/kws_ref_model.tflite"),
    ("anomaly", "anomaly/ad01_int8.tflite"),
];

/// The same of models that the compiler may refuse still: one it takes belongs in the list above.
const LATER: &[(&str, &str)] = &[
    ("gesture_quantized", "gesture/model_quantized.tflite"),
    ("lstm", "lstm/trained_lstm_int8.tflite"),
];

/// Random inputs there are outputs of.
const INPUTS: usize = 100;

#[test]
fn reference_models_give_what_litert_gave() {
    let Some(models) = reference_models("reference_models_give_what_litert_gave") else {
        return;
    };
    for (name, path) in MODELS.iter().chain(LATER) {
        let world = Overlay::new(".").with("./model.tflite", fs::read(models.join(path)).unwrap());
        let kept = fs::read(root().join(format!("testsuite/models/{name}.outputs"))).unwrap();
        let expected: Vec<&[u8]> = kept.chunks_exact(kept.len() / INPUTS).collect();
        for (variant, options) in engines::variants() {
            let text = b"FROM runicos/base\nCAPABILITY RAW x\nMODEL ./model.tflite m\nOUT SERIAL\nRUN x m serial\n";
            let compiled = runec::compile("Runefile", name, text, &world, &options);
            let rendered = engines::rendered(&compiled);
            if compiled.output.is_none() && LATER.iter().any(|(later, _)| later == name) {
                skip(name, rendered.lines().next().unwrap_or_default());
                continue;
            }
            assert!(compiled.diagnostics.is_empty(), "{name}:\n{rendered}");
            let output = compiled.output.unwrap();
            // The slow variants share the arithmetic that the fast one is tested on in full.
            let calls = if variant == "-O1 simd" { INPUTS } else { 10 };
            let outcomes = engines::run(&output, &inputs(&output, calls));
            assert_eq!(outcomes.len(), calls, "{name} {variant}: calls");
            for (i, (outcome, expected)) in outcomes.iter().zip(&expected).enumerate() {
                let element = output.manifest.outputs[0].tensors[0].ty.element();
                compare(element, &bytes(outcome), expected)
                    .unwrap_or_else(|what| panic!("{name} {variant}, input {i}: {what}"));
            }
        }
    }
}

/// The inputs of `generate.py` for a rune with one capability.
fn inputs(output: &Output, calls: usize) -> Vec<Feed> {
    let ty = output.manifest.capabilities[0].ty;
    let mut random = Random::new(1);
    let mut element = || {
        let word = random.word();
        if ty.element() == ElementType::F32 {
            let value = (word >> 8) as f32 / (1 << 21) as f32 - 4.0;
            value.to_le_bytes().to_vec()
        } else {
            vec![word as u8]
        }
    };
    (0..calls)
        .map(|_| vec![(0..ty.elements()).flat_map(|_| element()).collect()])
        .collect()
}

/// The only tensor of the only output.
fn bytes(outcome: &Outcome) -> Vec<u8> {
    let Outcome::Outputs(outputs) = outcome else {
        panic!("{outcome:?}");
    };
    let [Some(tensors)] = &outputs[..] else {
        panic!("{outputs:?}");
    };
    let [Data::Bytes(bytes)] = &tensors[..] else {
        panic!("{tensors:?}");
    };
    bytes.clone()
}

/// Integers are equal; F32 are within 1e-5 of the greater of the element and the greatest element.
fn compare(element: ElementType, found: &[u8], expected: &[u8]) -> Result<(), String> {
    if element != ElementType::F32 {
        return (found == expected)
            .then_some(())
            .ok_or_else(|| format!("{found:?}, expected {expected:?}"));
    }
    let (found, expected) = (floats(found), floats(expected));
    let greatest = expected.iter().fold(0.0f32, |m, x| m.max(x.abs()));
    // Written so that NaN differs from everything.
    let close = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-5 * b.abs().max(greatest);
    let equal = found.len() == expected.len() && found.iter().zip(&expected).all(close);
    equal
        .then_some(())
        .ok_or_else(|| format!("{found:?}, expected {expected:?}"))
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let words = bytes.as_chunks::<4>().0;
    words.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

#[test]
fn the_gesture_model_says_ring() {
    let Some(models) = reference_models("the_gesture_model_says_ring") else {
        return;
    };
    let model = fs::read(models.join("gesture/model.tflite")).unwrap();
    let world = Overlay::new(".").with("./model.tflite", model);
    let text = b"FROM runicos/base
CAPABILITY ACCEL accelerometer
PROC_BLOCK runicos/normalize normalize
MODEL ./model.tflite gesture
PROC_BLOCK runicos/most-confident-indices best
PROC_BLOCK runicos/label label --labels Wing,Ring,Slope,Unknown
OUT SERIAL
RUN accelerometer normalize gesture best label serial
";
    for (variant, options) in engines::variants() {
        let compiled = runec::compile("Runefile", "gesture", text, &world, &options);
        let rendered = engines::rendered(&compiled);
        // The model takes [1, 128, 3, 1] of what an accelerometer gives as [128, 3], and no type says so.
        let unit_dimensions = |d: &Diagnostic| d.code == Code::ImplicitReshape;
        assert!(
            compiled.diagnostics.iter().all(unit_dimensions),
            "{rendered}"
        );
        let ring = models.join("gesture/example_ring.csv");
        let line = first_line(&compiled.output.unwrap(), CapabilityKind::Accel, &ring);
        assert_eq!(
            line["serial"][0]["elements"],
            json!(["Ring"]),
            "{variant}: {line}"
        );
    }
}

/// What `rune run` prints first, given a file.
fn first_line(output: &Output, kind: CapabilityKind, file: &Path) -> Value {
    let rune = Rune::load(output.wasm.clone()).unwrap();
    let flag = SourceFlag {
        kind,
        value: file.display().to_string(),
    };
    let grants = rune.grant(&[flag], &Limits::default()).unwrap();
    let mut instance = rune.start(grants, Box::new(|_, _| {})).unwrap();
    match instance.call().unwrap() {
        Call::Output(records) => {
            serde_json::from_str(&serial::line(rune.manifest(), records)).unwrap()
        }
        other @ (Call::NoOutput | Call::End) => panic!("{other:?}"),
    }
}

/// A Runefile of the reference system in a folder of its own with the model it names.
struct Beside(PathBuf);

impl Beside {
    fn new(models: &Path, name: &str, model: Option<(&str, &str)>) -> Self {
        let folder =
            std::env::temp_dir().join(format!("rune-reference-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let runefile = format!("{name}.Runefile");
        let text = fs::read(models.join("reference/v0.3").join(&runefile)).unwrap();
        let path = folder.join(runefile);
        fs::write(&path, text).unwrap();
        if let Some((from, to)) = model {
            fs::write(folder.join(to), fs::read(models.join(from)).unwrap()).unwrap();
        }
        Self(path)
    }

    /// Line and code of every diagnostic of `runec check`.
    fn diagnostics(&self) -> Vec<(usize, &'static str)> {
        let checked = engines::check(&self.0);
        let line = |start: u32| {
            checked.sources.iter().next().unwrap().2[..start as usize]
                .matches('\n')
                .count()
                + 1
        };
        checked
            .diagnostics
            .iter()
            .map(|d| (line(d.primary.span.start), d.code.number()))
            .collect()
    }

    /// The rune of every variant.
    fn build(&self) -> Vec<(&'static str, Output)> {
        let build = |(variant, options)| {
            let compiled = engines::compile(&self.0, &options);
            let rendered = engines::rendered(&compiled);
            (
                variant,
                compiled.output.unwrap_or_else(|| panic!("{rendered}")),
            )
        };
        engines::variants().into_iter().map(build).collect()
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.0.parent().expect("a file has a folder"));
    }
}

/// `R0110` is the old word order that these Runefiles are written in: understood, with a warning.
#[test]
fn runefiles_of_the_reference_system_build_and_run_unmodified() {
    let Some(models) = reference_models("runefiles_of_the_reference_system_build_and_run") else {
        return;
    };
    let noop = Beside::new(&models, "noop", None);
    assert_eq!(noop.diagnostics(), [(4, "R0110")]);
    let sample: Vec<u8> = [1i32, -2, 3, i32::MIN]
        .iter()
        .flat_map(|x| x.to_le_bytes())
        .collect();
    for (variant, output) in noop.build() {
        let outcomes = engines::run(&output, &[vec![sample.clone()]]);
        assert_eq!(bytes(&outcomes[0]), sample, "{variant}");
    }

    let sine = Beside::new(
        &models,
        "sine",
        Some(("sine/sinemodel.tflite", "sinemodel.tflite")),
    );
    assert_eq!(
        sine.diagnostics(),
        [(3, "R0110"), (5, "R0110"), (7, "R0110")]
    );
    // Values of the model, known from LiteRT; the block brings the last two into 0..360.
    let values = [
        (0.0f32, 0.048_616_87f32),
        (0.8, 0.697_278_74),
        (359.0, 128.144_52),
        (460.0, 34.438_126),
        (720.0, 0.048_616_87),
    ];
    for (variant, output) in sine.build() {
        assert_eq!(output.manifest.capabilities[0].kind, CapabilityKind::Rand);
        assert!(
            output.wasm.len() < 8 << 10,
            "{variant}: {}",
            output.wasm.len()
        );
        let feeds: Vec<Feed> = values
            .iter()
            .map(|(x, _)| vec![x.to_le_bytes().to_vec()])
            .collect();
        for ((x, y), outcome) in values.iter().zip(engines::run(&output, &feeds)) {
            compare(ElementType::F32, &bytes(&outcome), &y.to_le_bytes())
                .unwrap_or_else(|what| panic!("{variant}, sine of {x}: {what}"));
        }
    }

    let gesture = Beside::new(
        &models,
        "gesture",
        Some(("gesture/model.tflite", "model.tflite")),
    );
    assert_eq!(
        gesture.diagnostics(),
        [
            (3, "R0110"),
            (4, "R0110"),
            (5, "R0110"),
            (7, "R0110"),
            (8, "R0110")
        ]
    );
    for (variant, output) in gesture.build() {
        let ring = models.join("gesture/example_ring.csv");
        let line = first_line(&output, CapabilityKind::Accel, &ring);
        assert_eq!(line["serial"][0]["elements"], json!(["Ring"]), "{variant}");
        let limit = weights(&gesture.0) + (16 << 10);
        assert!(
            output.wasm.len() < limit,
            "{variant}: {}",
            output.wasm.len()
        );
    }
}

/// Nothing of the language or of the catalogue is missing for these two: only their models are not at hand
/// (`R0901`).
#[test]
fn runefiles_without_their_models_say_so_and_nothing_else() {
    let Some(models) = reference_models("runefiles_without_their_models_say_so") else {
        return;
    };
    let person = Beside::new(&models, "person_detection", None);
    assert_eq!(
        person.diagnostics(),
        [
            (3, "R0110"),
            (5, "R0110"),
            (5, "R0901"),
            (7, "R0110"),
            (8, "R0110")
        ]
    );
    let speech = Beside::new(&models, "microspeech", None);
    assert_eq!(
        speech.diagnostics(),
        [
            (3, "R0110"),
            (4, "R0110"),
            (6, "R0110"),
            (7, "R0110"),
            (7, "R0901"),
            (9, "R0110"),
            (10, "R0110"),
        ]
    );
}

/// The blocks of the reference system by their names there, each with its arguments.
const BLOCKS: &[(&str, &[&str])] = &[
    ("argmax", &[]),
    ("audio_float_conversion", &["i16_max_as_float"]),
    ("binary_classification", &["threshold"]),
    ("fft", &["sample_rate", "bins", "window_overlap"]),
    ("image-normalization", &[]),
    ("label", &["labels", "wordlist"]),
    ("mean", &[]),
    ("modulo", &["modulus"]),
    ("most_confident_indices", &["count"]),
    (
        "noise-filtering",
        &[
            "strength",
            "offset",
            "gain_bits",
            "smoothing_bits",
            "even_smoothing",
            "odd_smoothing",
            "min_signal_remaining",
        ],
    ),
    ("normalize", &[]),
    ("object_filter", &["threshold"]),
    ("parse", &[]),
    ("regex_matcher", &["matching_regex"]),
    ("segment_output", &[]),
    ("softmax", &[]),
    ("std_dev", &[]),
    ("text_extractor", &[]),
    ("tokenizers", &[]),
    ("utf8_decode", &[]),
];

#[test]
fn the_reference_systems_blocks_take_their_arguments() {
    for (old, args) in BLOCKS {
        for home in ["hotg-ai/rune#proc_blocks/", "hotg-ai/proc-blocks@v0.11.3#"] {
            let path = format!("{home}{old}");
            let name = rune_catalogue::resolve_block(&path).expect(&path);
            let bytes = rune_catalogue::block(name).unwrap();
            let signature = rune_blocks::read(bytes.into()).unwrap().signature;
            for arg in *args {
                let has = signature.args.iter().any(|a| a.is_named(arg));
                assert!(has, "{path} has no --{arg}");
            }
        }
    }
}

/// The bytes of the constants of the models of a pipeline.
fn weights(runefile: &Path) -> usize {
    let verified = engines::check(runefile).output.unwrap();
    let constants = |kind: &TypedKind| match kind {
        TypedKind::Model { graph, .. } => {
            let tensors = graph.tensors.values();
            tensors
                .filter_map(|t| t.data.as_ref())
                .map(|d| d.len())
                .sum()
        }
        TypedKind::Capability { .. } | TypedKind::Block { .. } | TypedKind::Output { .. } => 0,
    };
    verified.stages().iter().map(|s| constants(&s.kind)).sum()
}

/// Limits are 3 % above what a rune takes, so that it is seen where code grows.
#[test]
fn example_runes_are_small() {
    for (example, scalar, simd) in [
        ("sine/Runefile", 3_200, 4_090),
        ("sine/raw.Runefile", 3_110, 4_000),
        ("sine/int8.Runefile", 2_790, 3_700),
        ("gesture/Runefile", 21_280, 24_790),
        ("digits/Runefile", 17_690, 21_640),
        ("keyword/Runefile", 67_220, 75_400),
        ("paper/Runefile", 18_250, 18_370),
    ] {
        for (variant, options) in engines::variants() {
            let limit = match options.simd {
                Simd::Off | Simd::Dsp => scalar,
                Simd::On | Simd::Relaxed => simd,
            };
            let output = engines::compile(&root().join("examples").join(example), &options).output;
            let size = output.unwrap().wasm.len();
            assert!(
                size <= limit,
                "{example} {variant}: {size} of {limit} bytes"
            );
        }
    }
}

/// The listing that introduced the Runefile, as it stood in the README of those weeks.
const LISTING: &str = "\
FROM runicos/base

CAPABILITY AUDIO audio --hz 16000 --samples 150 --sample-size 1500

PROC_BLOCK runicos/fft fft

MODEL ./example.tflite model --input [150,1] --output 1

RUN audio fft model

OUT serial
";

/// An older state of it, without arguments and without an output.
const LISTING_WITHOUT_ARGUMENTS: &str = "\
FROM runicos/base

CAPABILITY AUDIO audio

PROC_BLOCK runicos/fft fft

MODEL ./example.tflite model

RUN audio fft model
";

#[test]
fn the_listing_that_introduced_the_runefile_builds() {
    let folder = root().join("examples/paper");
    let example = fs::read_to_string(folder.join("Runefile")).unwrap();
    assert_eq!(example, LISTING);
    // Another state of it differs by blanks at the end of two lines.
    let trailing = LISTING
        .replace("--sample-size 1500\n", "--sample-size 1500 \n")
        .replace("RUN audio fft model\n", "RUN audio fft model \n");
    assert_eq!(trailing.len(), LISTING.len() + 2);
    let input = folder.join("input.wav");
    for (variant, options) in engines::variants() {
        let build = |text: &str| {
            let world = Overlay::new(&folder);
            let compiled = runec::compile("Runefile", "paper", text.as_bytes(), &world, &options);
            // A call reads 150 samples, so 1500 has no effect: a warning, and nothing else.
            let codes: Vec<&str> = compiled
                .diagnostics
                .iter()
                .map(|d| d.code.number())
                .collect();
            assert_eq!(codes, ["R0206"], "{}", engines::rendered(&compiled));
            compiled.output.unwrap()
        };
        let output = build(LISTING);
        let line = first_line(&output, CapabilityKind::Sound, &input);
        let tensor = &line["serial"][0];
        assert_eq!(tensor["element_type"], "f32", "{variant}: {line}");
        assert_eq!(tensor["elements"].as_array().unwrap().len(), 1, "{variant}");
        assert_eq!(build(&trailing).wasm, output.wasm, "{variant}");
    }
}

/// A Runefile without an output computes for nobody. The error says what to add, and with that line the
/// rest follows from the model: as many samples as it takes, of the type the sound capability has.
#[test]
fn the_listing_without_arguments_wants_an_output() {
    let world = Overlay::new(root().join("examples/paper"));
    let checked = runec::check(
        "Runefile",
        "paper",
        LISTING_WITHOUT_ARGUMENTS.as_bytes(),
        &world,
    );
    let rendered = engines::rendered(&checked);
    let codes: Vec<&str> = checked
        .diagnostics
        .iter()
        .map(|d| d.code.number())
        .collect();
    assert_eq!(codes, ["R0412"], "{rendered}");
    assert!(rendered.contains("add `OUT SERIAL`"), "{rendered}");

    let text = LISTING_WITHOUT_ARGUMENTS.to_owned() + "\nOUT serial\n";
    let checked = runec::check("Runefile", "paper", text.as_bytes(), &world);
    let rendered = engines::rendered(&checked);
    let types: Vec<String> = checked
        .output
        .unwrap_or_else(|| panic!("{rendered}"))
        .stages()
        .iter()
        .flat_map(|s| s.outputs.iter().map(ToString::to_string))
        .collect();
    assert_eq!(types, ["I16[150]", "F32[150]", "F32[1]"], "{rendered}");
}
