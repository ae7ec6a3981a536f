//! Cases of the vectors of operators as runes, whose model is all that they have.
#![allow(dead_code, reason = "each suite uses what it needs")]

use rune_ir::graph::{DataType, Graph};
use rune_testsuite::{engines::Feed, overlay::Overlay};

use crate::vectors::Case;

/// A case as a rune.
pub(crate) struct OperatorRune {
    pub(crate) graph: Graph,
    /// The Runefile.
    pub(crate) text: String,
    /// Where the model is found.
    pub(crate) world: Overlay,
    pub(crate) feeds: Vec<Feed>,
}

impl OperatorRune {
    /// That of a case, if it can be one: no stage has truth values, and each reads something.
    pub(crate) fn new(case: &Case) -> Option<Self> {
        let graph = rune_models::import(&case.model).unwrap();
        let mut ends = graph.inputs.iter().chain(&graph.outputs);
        if ends.any(|id| graph.tensors[*id].ty == DataType::Bool) || graph.inputs.is_empty() {
            return None;
        }
        let inputs: Vec<String> = (0..graph.inputs.len()).map(|i| format!("x{i}")).collect();
        let outputs: Vec<String> = (0..graph.outputs.len()).map(|i| format!("m.{i}")).collect();
        let text = format!(
            "FROM runicos/base\nCAPABILITY RAW {}\nMODEL ./m.tflite m\nOUT SERIAL\nRUN [{}] m\nRUN [{}] serial\n",
            inputs.join("\nCAPABILITY RAW "),
            inputs.join(", "),
            outputs.join(", "),
        );
        Some(Self {
            graph,
            text,
            world: Overlay::new(".").with("./m.tflite", case.model.clone()),
            feeds: case.calls.iter().map(|call| call.inputs.clone()).collect(),
        })
    }
}
