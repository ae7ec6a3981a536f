//! Elimination of what nothing needs: operators whose results nobody reads, and tensors that nobody names.
//!
//! Exact because operators have no effect but their results and the variables they name; those that name one
//! stay. The graph's inputs stay, read or not: they are its interface.

use rune_ir::{
    arena::{Arena, Side},
    graph::{Graph, TensorId},
};

/// Keeps what outputs need, directly or through operators that are kept.
pub(super) fn eliminate(graph: &mut Graph) -> bool {
    let mut needed = Side::filled(&graph.tensors, false);
    for id in &graph.outputs {
        needed[*id] = true;
    }
    let nodes = graph.nodes.len();
    let mut kept = Vec::new();
    for node in std::mem::take(&mut graph.nodes).into_iter().rev() {
        if !node.variables.is_empty() || node.outputs.iter().any(|id| needed[*id]) {
            for id in node.inputs.iter().flatten().chain(&node.outputs) {
                needed[*id] = true;
            }
            kept.push(node);
        }
    }
    kept.reverse();
    graph.nodes = kept;
    for id in &graph.inputs {
        needed[*id] = true;
    }
    let tensors = graph.tensors.len();
    renumber(graph, &needed);
    graph.nodes.len() < nodes || graph.tensors.len() < tensors
}

/// Drops all tensors but the needed.
fn renumber(graph: &mut Graph, needed: &Side<rune_ir::graph::Tensor, bool>) {
    let mut tensors = Arena::default();
    let old = std::mem::take(&mut graph.tensors);
    let new = Side::new(&old, |id, tensor| {
        needed[id].then(|| tensors.push(tensor.clone()))
    });
    let rename = |id: &mut TensorId| *id = new[*id].expect("what is named is needed");
    for node in &mut graph.nodes {
        node.inputs.iter_mut().flatten().for_each(rename);
        node.outputs.iter_mut().for_each(rename);
    }
    graph.inputs.iter_mut().for_each(rename);
    graph.outputs.iter_mut().for_each(rename);
    graph.tensors = tensors;
}

#[cfg(test)]
mod tests {
    use super::{super::testing::*, *};
    use rune_ir::op::Op;

    #[test]
    fn unread_operators_and_their_constants_go() {
        let mut b = Builder::default();
        let x = b.input(&[2]);
        b.input(&[1]);
        let c = b.constant(&[2], &[1.0, 2.0]);
        let dead = b.node(add(), &[x, c], &[2]);
        b.node(Op::Relu, &[dead], &[2]);
        let y = b.node(Op::Relu6, &[x], &[2]);
        insta::assert_snapshot!(before_and_after(eliminate, b.finish(&[y])), @r"
        input t0: f32[2]
        input t1: f32[1]
        const t2: f32[2] = [1, 2]
        t3: f32[2] = ADD(t0, t2)
        t4: f32[2] = RELU(t3)
        t5: f32[2] = RELU6(t0)
        output t5
        =>
        input t0: f32[2]
        input t1: f32[1]
        t2: f32[2] = RELU6(t0)
        output t2
        ");
    }
}
