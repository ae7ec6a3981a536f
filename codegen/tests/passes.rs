//! Passes change no result: not of the operator vectors, and not of the reference models.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests read files and say what they skip"
)]

#[path = "../../frontend/models/tests/vectors/mod.rs"]
mod vectors;

use std::{env, fs, path::PathBuf};

use rune_codegen::passes;
use rune_ir::graph::Graph;
use rune_models::import;

/// The graph after all passes, which obeys the laws as before and keeps its interface.
fn optimised(graph: &Graph) -> Graph {
    let mut optimised = graph.clone();
    passes::optimise(&mut optimised);
    assert_eq!(optimised.check(), Ok(()));
    let types = |graph: &Graph| -> Vec<_> {
        let ids = graph.inputs.iter().chain(&graph.outputs);
        ids.map(|id| (graph.tensors[*id].ty, graph.tensors[*id].shape.clone()))
            .collect()
    };
    assert_eq!(types(graph), types(&optimised));
    optimised
}

#[test]
fn results_of_the_operator_vectors_stay() {
    for operator in vectors::operators() {
        for case in vectors::load(&operator) {
            let graph = import(&case.model).unwrap();
            let optimised = optimised(&graph);
            let (mut state, mut other) = (graph.state(), optimised.state());
            for call in &case.calls {
                let before = graph.run(&call.inputs, &mut state);
                let after = optimised.run(&call.inputs, &mut other);
                assert_eq!(before, after, "{operator}, {}", case.name);
            }
        }
    }
}

#[test]
fn results_of_the_reference_models_stay() {
    let folder = env::var_os("RUNE_MODELS").map_or_else(
        || vectors::workspace().join("../shared/models"),
        PathBuf::from,
    );
    if !folder.is_dir() {
        eprintln!(
            "skipped: there are no reference models in {}",
            folder.display()
        );
        return;
    }
    for path in [
        "sine/sinemodel.tflite",
        "sine/hello_world_int8.tflite",
        "gesture/model.tflite",
        "kws/kws_ref_model.tflite",
        "anomaly/ad01_int8.tflite",
    ] {
        let graph = import(&fs::read(folder.join(path)).unwrap()).unwrap();
        let optimised = optimised(&graph);
        for seed in 0..3u8 {
            let length = graph.tensors[graph.inputs[0]].bytes();
            // Bytes of small exponents, so that F32 are ordinary numbers.
            let byte = |i: usize| (i as u8).wrapping_mul(37).wrapping_add(seed) & 0x3f;
            let input = vec![(0..length).map(byte).collect()];
            assert_eq!(graph.evaluate(&input), optimised.evaluate(&input), "{path}");
        }
    }
}
