//! Constant folding: an operator on constants becomes the constant it computes.
//!
//! Exact because the evaluator of `ir` computes it, which defines the bits of every result.

use rune_ir::{
    graph::{Graph, Node},
    op,
};

/// Most bytes of a folded constant for each byte of constants it is made of, so that a PAD or ADD that
/// blows up a small constant is left to be done when the rune runs.
const GROWTH: usize = 4;

/// Folds every operator all of whose inputs are constant and that keeps nothing.
pub(super) fn constants(graph: &mut Graph) -> bool {
    let before = graph.nodes.len();
    for node in std::mem::take(&mut graph.nodes) {
        match value(graph, &node) {
            Some(results) => {
                for (id, result) in node.outputs.iter().zip(results) {
                    graph.tensors[*id].data = Some(result.into());
                }
            }
            None => graph.nodes.push(node),
        }
    }
    graph.nodes.len() != before
}

/// What a node computes, if that is known and not too large.
fn value(graph: &Graph, node: &Node) -> Option<Vec<Vec<u8>>> {
    if !node.variables.is_empty() || !node.op.ends() {
        return None;
    }
    let values: Vec<Option<&[u8]>> = node
        .inputs
        .iter()
        .map(|id| match id {
            None => Some(None),
            Some(id) => graph.tensors[*id].data.as_deref().map(Some),
        })
        .collect::<Option<_>>()?;
    let given: usize = values.iter().flatten().map(|v| v.len()).sum();
    let made: usize = node
        .outputs
        .iter()
        .map(|id| graph.tensors[*id].bytes())
        .sum();
    (made <= GROWTH * given).then(|| op::evaluate(graph, node, &values, &mut graph.state()))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use rune_ir::op::Op;

    #[test]
    fn an_operator_on_constants_is_folded() {
        let mut b = Builder::default();
        let x = b.input(&[2]);
        let operands = [b.constant(&[2], &[1.0, -2.5]), b.constant(&[1], &[0.5])];
        let sum = b.node(add(), &operands, &[2]);
        let positive = b.node(Op::Relu, &[sum], &[2]);
        let y = b.node(add(), &[x, positive], &[2]);
        insta::assert_snapshot!(before_and_after(super::constants, b.finish(&[y])), @r"
        input t0: f32[2]
        const t1: f32[2] = [1, -2.5]
        const t2: f32[1] = [0.5]
        t3: f32[2] = ADD(t1, t2)
        t4: f32[2] = RELU(t3)
        t5: f32[2] = ADD(t0, t4)
        output t5
        =>
        input t0: f32[2]
        const t1: f32[2] = [1, -2.5]
        const t2: f32[1] = [0.5]
        const t3: f32[2] = [1.5, -2]
        const t4: f32[2] = [1.5, 0]
        t5: f32[2] = ADD(t0, t4)
        output t5
        ");
    }

    #[test]
    fn a_constant_is_not_blown_up() {
        let mut b = Builder::default();
        let x = b.constant(&[1], &[1.0]);
        let y = b.node(Op::Pad { before: vec![0] }, &[x], &[1000]);
        assert_unchanged(super::constants, b.finish(&[y]));
    }
}
