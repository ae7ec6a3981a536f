//! A second opinion on f32 models: tract, which shares neither code nor authors with `LiteRT`, gives what our
//! evaluator gives. It reads only a part of what we read; how much of our models that is, is counted.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests read files and say what they skip"
)]

#[path = "../../../frontend/models/tests/vectors/mod.rs"]
mod vectors;

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs, panic,
    path::PathBuf,
};

use rune_ir::graph::{DataType, Graph};
use rune_models::import;
use tract_tflite::prelude::{Framework as _, IntoRunnable as _, Tensor, TractResult, tvec};

/// What tract makes of a model of f32: for each call the bytes of its outputs. The error is what tract says of a
/// model it does not read, or that it panics.
fn opinion(
    model: &[u8],
    graph: &Graph,
    calls: &[Vec<Vec<u8>>],
) -> Result<Vec<Vec<Vec<u8>>>, String> {
    let ask = || -> TractResult<Vec<Vec<Vec<u8>>>> {
        let plan = tract_tflite::tflite()
            .model_for_read(&mut &*model)?
            .into_optimized()?
            .into_runnable()?;
        let call = |inputs: &Vec<Vec<u8>>| {
            let mut tensors = tvec!();
            for (id, bytes) in graph.inputs.iter().zip(inputs) {
                let shape: Vec<usize> = graph.tensors[*id]
                    .shape
                    .iter()
                    .map(|d| *d as usize)
                    .collect();
                tensors.push(Tensor::from_shape(&shape, &floats(bytes))?.into());
            }
            let outputs = plan.run(tensors)?;
            let bytes = outputs.iter().map(|output| {
                let values = output.try_as_plain_ram()?.as_slice::<f32>()?;
                Ok(values.iter().flat_map(|v| v.to_le_bytes()).collect())
            });
            bytes.collect()
        };
        calls.iter().map(call).collect()
    };
    match panic::catch_unwind(panic::AssertUnwindSafe(ask)) {
        Ok(given) => given.map_err(|error| error.root_cause().to_string()),
        Err(_) => Err("tract panics".to_owned()),
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let words = bytes.as_chunks::<4>().0;
    words.iter().map(|word| f32::from_le_bytes(*word)).collect()
}

/// Whether all that is given and gotten is f32.
fn is_float(graph: &Graph) -> bool {
    let mut ends = graph.inputs.iter().chain(&graph.outputs);
    ends.all(|id| graph.tensors[*id].ty == DataType::F32)
}

/// Where our evaluator's outputs differ from tract's.
fn difference(graph: &Graph, calls: &[Vec<Vec<u8>>], given: &[Vec<Vec<u8>>]) -> Option<String> {
    let mut state = graph.state();
    calls.iter().zip(given).find_map(|(inputs, expected)| {
        vectors::differences(graph, &graph.run(inputs, &mut state), expected)
    })
}

/// The whole models of f32 that tract reads: where they lie in the folder of reference models or in `examples`.
const MODELS: &[&str] = &[
    "sine/sinemodel.tflite",
    "gesture/model.tflite",
    "examples/sine/sine.tflite",
    "examples/paper/example.tflite",
];

/// The bytes of a model, or `None`, with a note, where the folder of reference models is absent.
fn model(path: &str) -> Option<Vec<u8>> {
    let root = vectors::workspace();
    if path.starts_with("examples/") {
        return Some(fs::read(root.join(path)).unwrap());
    }
    let folder =
        env::var_os("RUNE_MODELS").map_or_else(|| root.join("../shared/models"), PathBuf::from);
    let found = fs::read(folder.join(path)).ok();
    if found.is_none() {
        eprintln!("{path}: skipped: it is not in {}", folder.display());
    }
    found
}

#[test]
fn whole_models() {
    for path in MODELS {
        let Some(bytes) = model(path) else { continue };
        let graph = import(&bytes).unwrap();
        let mut word = 1_u32;
        let mut next = || {
            word ^= word << 13;
            word ^= word >> 17;
            word ^= word << 5;
            ((word >> 8) as f32 / (1 << 21) as f32 - 4.0).to_le_bytes()
        };
        let calls: Vec<Vec<Vec<u8>>> = (0..20)
            .map(|_| {
                let value = |id| {
                    let elements = graph.tensors[id].elements();
                    (0..elements).flat_map(|_| next()).collect()
                };
                graph.inputs.iter().copied().map(value).collect()
            })
            .collect();
        let given = opinion(&bytes, &graph, &calls).unwrap_or_else(|e| panic!("{path}: {e}"));
        assert_eq!(difference(&graph, &calls, &given), None, "{path}");
    }
}

/// Operators that tract computes otherwise than TensorFlow Lite: LOGISTIC by an approximation that is off by more than
/// our tolerance; of a MEAN of 0.87 it keeps 0.
const APPROXIMATE: &[&str] = &["logistic", "mean"];

/// Models of one operator that tract is wrong about: `LiteRT` gives what we give.
const WRONG: &[&str] = &[
    "resize_nearest_neighbor, float32 1x4x4x1 to 4x4 aligned half pixels",
    "resize_nearest_neighbor, float32 1x3x4x2 to 6x8 aligned half pixels",
    "strided_slice, float32 ellipsis behind",
    "strided_slice, float32 offset",
];

/// So many models of one operator tract reads and agrees on, at least.
const LEAST: usize = 209;

#[test]
fn single_operators() {
    let mut agreed: BTreeMap<String, usize> = BTreeMap::new();
    // What tract does not read, by what it says, and how often.
    let mut unread: BTreeMap<String, usize> = BTreeMap::new();
    // By the name of the model, what differs.
    let mut faults: BTreeMap<String, String> = BTreeMap::new();
    for operator in vectors::operators() {
        for case in vectors::load(&operator) {
            // What we refuse ourselves has vectors for later.
            let Ok(graph) = import(&case.model) else {
                continue;
            };
            if !is_float(&graph) || APPROXIMATE.contains(&operator.as_str()) {
                continue;
            }
            let calls: Vec<Vec<Vec<u8>>> = case.calls.into_iter().map(|c| c.inputs).collect();
            match opinion(&case.model, &graph, &calls) {
                Ok(given) => match difference(&graph, &calls, &given) {
                    None => *agreed.entry(operator.clone()).or_default() += 1,
                    Some(fault) => {
                        faults.insert(format!("{operator}, {}", case.name), fault);
                    }
                },
                Err(what) => {
                    let what: String = what.lines().flat_map(str::chars).take(80).collect();
                    *unread.entry(format!("{operator}: {what}")).or_default() += 1;
                }
            }
        }
    }
    eprintln!("tract agrees on {agreed:#?}, and does not read {unread:#?}");
    let found: BTreeSet<&str> = faults.keys().map(String::as_str).collect();
    assert_eq!(found, WRONG.iter().copied().collect(), "{faults:#?}");
    assert!(agreed.values().sum::<usize>() >= LEAST);
}
