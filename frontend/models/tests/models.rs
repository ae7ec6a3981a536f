//! The reference models, imported and evaluated, give what LiteRT's reference kernels gave.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests read files and say what they skip"
)]

mod vectors;

use std::{env, fs, path::PathBuf};

use rune_ir::graph::{DataType, Graph};
use rune_models::{ImportErrorKind, import};

/// The reference models' bytes, or `None`, with a note, where the folder is absent.
fn model(path: &str) -> Option<Vec<u8>> {
    let folder = env::var_os("RUNE_MODELS").map_or_else(
        || vectors::workspace().join("../shared/models"),
        PathBuf::from,
    );
    if folder.is_dir() {
        Some(fs::read(folder.join(path)).unwrap())
    } else {
        eprintln!(
            "skipped: there are no reference models in {}",
            folder.display()
        );
        None
    }
}

fn xorshift32(state: &mut u32) -> u32 {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    *state
}

/// The next input of `testsuite/models/generate.py`.
fn draw(state: &mut u32, graph: &Graph) -> Vec<u8> {
    let tensor = &graph.tensors[graph.inputs[0]];
    let element = |word: u32| {
        if tensor.ty == DataType::F32 {
            ((word >> 8) as f32 / (1 << 21) as f32 - 4.0)
                .to_le_bytes()
                .to_vec()
        } else {
            vec![word as u8]
        }
    };
    (0..tensor.elements())
        .flat_map(|_| element(xorshift32(state)))
        .collect()
}

/// Compares 100 random inputs of the model with the outputs kept of it.
fn check(name: &str, path: &str) {
    let Some(bytes) = model(path) else { return };
    let graph = import(&bytes).unwrap();
    let kept = vectors::workspace().join(format!("testsuite/models/{name}.outputs"));
    let kept = fs::read(kept).unwrap();
    let length = graph.tensors[graph.outputs[0]].bytes();
    assert_eq!(kept.len(), 100 * length);
    let mut state = 1;
    for (index, expected) in kept.chunks_exact(length).enumerate() {
        let output = graph.evaluate(&[draw(&mut state, &graph)]);
        let difference = vectors::difference(&graph, 0, &output[0], expected);
        assert_eq!(difference, None, "{name}, input {index}");
    }
}

#[test]
fn sine() {
    check("sine", "sine/sinemodel.tflite");
}

#[test]
fn sine_int8() {
    check("sine_int8", "sine/hello_world_int8.tflite");
}

#[test]
fn gesture() {
    check("gesture", "gesture/model.tflite");
}

#[test]
fn kws() {
    check("kws", "kws/kws_ref_model.tflite");
}

#[test]
fn anomaly() {
    check("anomaly", "anomaly/ad01_int8.tflite");
}

#[test]
fn the_sine_model_gives_its_known_values() {
    let Some(bytes) = model("sine/sinemodel.tflite") else {
        return;
    };
    let graph = import(&bytes).unwrap();
    for (x, y) in [
        (0.0f32, 0.048_616_87f32),
        (0.8, 0.697_278_74),
        (std::f32::consts::FRAC_PI_2, 0.961_238_6),
        // Where the sum all but cancels, kernels that fuse multiply and add give -0.04452717.
        (std::f32::consts::PI, -0.044_529_8),
        (100.0, 34.438_126),
        (359.0, 128.144_52),
    ] {
        let output = graph.evaluate(&[x.to_le_bytes().to_vec()]);
        let difference = vectors::difference(&graph, 0, &output[0], &y.to_le_bytes());
        assert_eq!(difference, None, "sine of {x}");
    }
}

#[test]
fn the_gesture_model_knows_a_ring() {
    let (Some(bytes), Some(ring)) = (
        model("gesture/model.tflite"),
        model("gesture/example_ring.csv"),
    ) else {
        return;
    };
    let graph = import(&bytes).unwrap();
    let samples: Vec<f32> = String::from_utf8(ring)
        .unwrap()
        .split([',', '\n'])
        .filter_map(|n| n.trim().parse().ok())
        .collect();
    let least = samples.iter().copied().fold(f32::INFINITY, f32::min);
    let most = samples.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let input = samples
        .iter()
        .flat_map(|x| ((x - least) / (most - least)).to_le_bytes())
        .collect();
    let expected: Vec<u8> = [0.010_424_31f32, 0.926_166_4, 0.016_794_06, 0.046_615_17]
        .iter()
        .flat_map(|x| x.to_le_bytes())
        .collect();
    let output = graph.evaluate(&[input]);
    assert_eq!(vectors::difference(&graph, 0, &output[0], &expected), None);
}

#[test]
fn models_out_of_reach_are_refused_by_name() {
    let cases = [
        (
            "gesture/model_quantized.tflite",
            ImportErrorKind::UnsupportedForm,
        ),
        (
            "lstm/trained_lstm_int8.tflite",
            ImportErrorKind::UnsupportedOperator,
        ),
    ];
    for (path, kind) in cases {
        let Some(bytes) = model(path) else { return };
        let error = import(&bytes).unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.starts_with("operator "), "{error}");
        eprintln!("{error}");
    }
}
