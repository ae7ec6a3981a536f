//! Passes over a model's graph. Each leaves every result as it is, to the bit, for all inputs; its file says
//! why.
//!
//! A pass is a function that changes the graph it is given and says whether it did. The graph passes
//! [`Graph::check`] before and after; tensors and operators may be left that nothing needs any more.

mod activation;
mod dead;
mod fold;
mod pad;
mod quantize;
mod reshape;

#[cfg(test)]
mod testing;

use rune_ir::{
    arena::Side,
    graph::{Graph, Node, Tensor, TensorId},
};

/// A pass: changes the graph, and says whether it did.
pub type Pass = fn(&mut Graph) -> bool;

/// Every pass, in the order [`optimise`] runs them.
pub const PASSES: &[Pass] = &[
    fold::constants,
    quantize::cancel,
    reshape::simplify,
    activation::fuse,
    pad::fuse,
    dead::eliminate,
];

/// Runs all passes until none changes anything.
pub fn optimise(graph: &mut Graph) {
    // Every change makes a path through the graph shorter, so this ends.
    while PASSES.iter().fold(false, |any, pass| pass(graph) | any) {}
}

/// Who writes each tensor of a graph and how often it is read, as things stood when this was made.
struct Uses {
    writer: Side<Tensor, Option<usize>>,
    reads: Side<Tensor, usize>,
}

impl Uses {
    fn of(graph: &Graph) -> Self {
        let mut writer = Side::filled(&graph.tensors, None);
        let mut reads = Side::filled(&graph.tensors, 0);
        for (at, node) in graph.nodes.iter().enumerate() {
            for id in &node.outputs {
                writer[*id] = Some(at);
            }
            for id in node.inputs.iter().flatten() {
                reads[*id] += 1;
            }
        }
        for id in &graph.outputs {
            reads[*id] += 1;
        }
        Self { writer, reads }
    }

    /// Whether a tensor has one reader, an operator or the graph's caller.
    fn read_once(&self, id: TensorId) -> bool {
        self.reads[id] == 1
    }
}

/// Makes everything that reads a tensor, the graph's caller too, read the one that stands for it.
fn substitute(graph: &mut Graph, by: &Side<Tensor, TensorId>) {
    let by_nodes = graph.nodes.iter_mut().flat_map(|n| &mut n.inputs).flatten();
    for id in by_nodes.chain(&mut graph.outputs) {
        *id = by[*id];
    }
}

/// The one input and one output of an operator that has no more.
fn ends(node: &Node) -> Option<(TensorId, TensorId)> {
    match (&node.inputs[..], &node.outputs[..]) {
        ([Some(input)], [output]) => Some((*input, *output)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rune_ir::op::Op;

    use super::{optimise, testing::*};

    #[test]
    fn passes_work_together() {
        let mut b = Builder::default();
        let x = b.input(&[16]);
        let image = b.node(Op::Reshape, &[x], &[16, 1]);
        let image = b.node(Op::Reshape, &[image], &[1, 4, 4, 1]);
        let before = vec![0, 1, 1, 0];
        let larger = b.node(Op::Pad { before }, &[image], &[1, 6, 6, 1]);
        let halves = [b.constant(&[9], &[0.5; 9]), b.constant(&[1], &[0.25])];
        let w = b.node(add(), &halves, &[9]);
        let w = b.node(Op::Reshape, &[w], &[1, 3, 3, 1]);
        let sum = b.node(conv_2d(0), &[larger, w], &[1, 4, 4, 1]);
        let positive = b.node(Op::Relu6, &[sum], &[1, 4, 4, 1]);
        let y = b.node(Op::Reshape, &[positive], &[1, 4, 4, 1]);
        let all = |graph: &mut rune_ir::graph::Graph| {
            optimise(graph);
            true
        };
        insta::assert_snapshot!(before_and_after(all, b.finish(&[y])), @r"
        input t0: f32[16]
        const t4: f32[9] = 36 bytes
        const t5: f32[1] = [0.25]
        t1: f32[16, 1] = RESHAPE(t0)
        t2: f32[1, 4, 4, 1] = RESHAPE(t1)
        t3: f32[1, 6, 6, 1] = PAD(t2) before [0, 1, 1, 0]
        t6: f32[9] = ADD(t4, t5)
        t7: f32[1, 3, 3, 1] = RESHAPE(t6)
        t8: f32[1, 4, 4, 1] = CONV_2D(t3, t7)
        t9: f32[1, 4, 4, 1] = RELU6(t8)
        t10: f32[1, 4, 4, 1] = RESHAPE(t9)
        output t10
        =>
        input t0: f32[16]
        const t2: f32[1, 3, 3, 1] = 36 bytes
        t1: f32[1, 4, 4, 1] = RESHAPE(t0)
        t3: f32[1, 4, 4, 1] = CONV_2D(t1, t2) pad 1x1 relu6
        output t3
        ");
    }
}
