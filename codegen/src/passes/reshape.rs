//! RESHAPE of a RESHAPE reads the first one's input; a RESHAPE to the shape it is given goes away.
//!
//! Exact because RESHAPE copies bytes.

use rune_ir::{
    arena::Side,
    graph::{Graph, Node, TensorId},
    op::Op,
};

use super::Uses;

/// Does both of these wherever it can.
pub(super) fn simplify(graph: &mut Graph) -> bool {
    let uses = Uses::of(graph);
    let mut by = Side::new(&graph.tensors, |id, _| id);
    let mut changed = false;
    for at in 0..graph.nodes.len() {
        let Some((from, to)) = reshape(&graph.nodes[at]) else {
            continue;
        };
        let inner = uses.writer[from].and_then(|inner| reshape(&graph.nodes[inner]));
        if let Some((origin, _)) = inner {
            graph.nodes[at].inputs[0] = Some(origin);
            changed = true;
        }
        let from = inner.map_or(from, |(origin, _)| origin);
        let (x, y) = (&graph.tensors[from], &graph.tensors[to]);
        // Who reads the result reads its scale and zero point, too.
        let same = x.shape == y.shape && x.quantization == y.quantization;
        if same && uses.reads[to] > 0 {
            by[to] = by[from];
            changed = true;
        }
    }
    super::substitute(graph, &by);
    changed
}

fn reshape(node: &Node) -> Option<(TensorId, TensorId)> {
    super::ends(node).filter(|_| matches!(node.op, Op::Reshape))
}

#[cfg(test)]
mod tests {
    use super::{super::testing::*, *};

    #[test]
    fn a_reshape_of_a_reshape_reads_its_input() {
        let mut b = Builder::default();
        let x = b.input(&[2, 6]);
        let middle = b.node(Op::Reshape, &[x], &[12]);
        let y = b.node(Op::Reshape, &[middle], &[3, 4]);
        insta::assert_snapshot!(before_and_after(simplify, b.finish(&[y])), @r"
        input t0: f32[2, 6]
        t1: f32[12] = RESHAPE(t0)
        t2: f32[3, 4] = RESHAPE(t1)
        output t2
        =>
        input t0: f32[2, 6]
        t1: f32[12] = RESHAPE(t0)
        t2: f32[3, 4] = RESHAPE(t0)
        output t2
        ");
    }

    #[test]
    fn a_reshape_to_the_same_shape_goes() {
        let mut b = Builder::default();
        let x = b.input(&[2, 2]);
        let same = b.node(Op::Reshape, &[x], &[2, 2]);
        let y = b.node(Op::Relu, &[same], &[2, 2]);
        insta::assert_snapshot!(before_and_after(simplify, b.finish(&[y])), @r"
        input t0: f32[2, 2]
        t1: f32[2, 2] = RESHAPE(t0)
        t2: f32[2, 2] = RELU(t1)
        output t2
        =>
        input t0: f32[2, 2]
        t1: f32[2, 2] = RESHAPE(t0)
        t2: f32[2, 2] = RELU(t0)
        output t2
        ");
    }
}
