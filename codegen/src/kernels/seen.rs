//! Which NaNs can be told from each other: a sum need not make the canonical one where nothing tells.

use rune_ir::{
    arena::Side,
    graph::{DataType, Graph, Node, Tensor},
    op::{Binary, Op},
};

/// Of each tensor of a graph, whether what reads it may find out which NaN an element is. Whoever is handed a tensor may,
/// and every operator but those that [take any](takes_any).
pub(super) fn seen(graph: &Graph) -> Side<Tensor, bool> {
    let mut seen = Side::filled(&graph.tensors, false);
    for id in &graph.outputs {
        seen[*id] = true;
    }
    for node in &graph.nodes {
        for (index, id) in node.inputs.iter().enumerate() {
            if let Some(id) = id
                && !takes_any(graph, node, index)
            {
                seen[*id] = true;
            }
        }
    }
    seen
}

/// Whether an operator takes any NaN of an input for the same: it adds, multiplies and compares elements, and
/// what it gives where that is a NaN does not depend on which one.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is not known to take any NaN may tell them apart"
)]
fn takes_any(graph: &Graph, node: &Node, index: usize) -> bool {
    let is_float = |index: usize| {
        let id = node.inputs.get(index).copied().flatten();
        id.is_some_and(|id| graph.tensors[id].ty == DataType::F32)
    };
    match &node.op {
        Op::FullyConnected { .. } | Op::Conv2d { .. } | Op::DepthwiseConv2d { .. } => {
            // Weights of integers make integers of the elements.
            index == 0 && is_float(0) && is_float(1)
        }
        Op::MaxPool2d { .. } | Op::AveragePool2d { .. } => is_float(0),
        Op::Add { .. }
        | Op::Binary {
            op: Binary::Add | Binary::Sub | Binary::Mul,
            ..
        } => is_float(0) && is_float(1),
        _ => false,
    }
}
