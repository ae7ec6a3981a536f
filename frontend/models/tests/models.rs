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
use rune_models::{import, outline};

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
    compare(name, &import(&bytes).unwrap());
}

/// The same for a model that may be in `models_out_of_reach_are_refused_by_name` still.
fn check_if_in_reach(name: &str, path: &str) {
    let Some(bytes) = model(path) else { return };
    match import(&bytes) {
        Ok(graph) => compare(name, &graph),
        Err(error) => eprintln!("{name}: skipped: {error}"),
    }
}

fn compare(name: &str, graph: &Graph) {
    let kept = vectors::workspace().join(format!("testsuite/models/{name}.outputs"));
    let kept = fs::read(kept).unwrap();
    let length = graph.tensors[graph.outputs[0]].bytes();
    assert_eq!(kept.len(), 100 * length);
    let (mut random, mut state) = (1, graph.state());
    for (index, expected) in kept.chunks_exact(length).enumerate() {
        let output = graph.run(&[draw(&mut random, graph)], &mut state);
        let difference = vectors::difference(graph, 0, &output[0], expected);
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
fn gesture_quantized() {
    check_if_in_reach("gesture_quantized", "gesture/model_quantized.tflite");
}

#[test]
fn lstm() {
    check_if_in_reach("lstm", "lstm/trained_lstm_int8.tflite");
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
fn outlines_count_what_the_models_are_known_for() {
    // MLPerf Tiny gives about 2.7 M multiplications and 22.6 k parameters for its keyword model.
    for (path, operators, macs, parameters) in [
        ("kws/kws_ref_model.tflite", 13, 2_656_768, 22_606),
        ("gesture/model.tflite", 8, 62_016, 4_302),
    ] {
        let Some(bytes) = model(path) else { return };
        let outline = outline(&bytes).unwrap();
        assert_eq!(outline.operators.len(), operators, "{path}");
        assert_eq!(
            (outline.macs(), outline.parameters()),
            (macs, parameters),
            "{path}"
        );
        assert!(outline.operators.iter().all(|o| o.known), "{path}");
    }
    let Some(bytes) = model("lstm/trained_lstm_int8.tflite") else {
        return;
    };
    let outline = outline(&bytes).unwrap();
    assert!(outline.operators.iter().all(|o| o.known));
    assert_eq!(outline.operators[0].name, "UNIDIRECTIONAL_SEQUENCE_LSTM");
    assert_eq!(outline.operators[0].macs, None);
}

#[test]
fn an_outline_of_our_own_model() {
    let case = vectors::load("conv_2d").swap_remove(0);
    let (graph, outline) = (import(&case.model).unwrap(), outline(&case.model).unwrap());
    let [operator] = outline.operators.as_slice() else {
        panic!("{outline:?}")
    };
    assert_eq!(operator.name, "CONV_2D");
    // By hand: each result is a sum over the taps and channels of one filter.
    let weights = &graph.tensors[graph.nodes[0].inputs[1].unwrap()];
    let results = graph.tensors[graph.outputs[0]].elements() as u64;
    let per_result = weights.elements() as u64 / u64::from(weights.shape[0]);
    assert_eq!(operator.macs, Some(results * per_result));
    let constants = graph.tensors.values().filter(|t| t.data.is_some());
    let parameters: usize = constants.map(rune_ir::graph::Tensor::elements).sum();
    assert_eq!(outline.parameters(), parameters as u64);
    // One input and one output, both alive while it runs.
    let ends =
        [graph.inputs[0], graph.outputs[0]].map(|t| graph.tensors[t].bytes().next_multiple_of(16));
    let bytes = outline.activation_bytes().unwrap();
    assert!(
        bytes <= ends.iter().sum::<usize>() as u64
            && bytes >= ends.iter().sum::<usize>() as u64 - 15
    );
}
