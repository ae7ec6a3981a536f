//! Fusion of RELU and RELU6 into the operator before them, where that has an activation of its own, which is
//! none so far, and nothing else reads its result.
//!
//! F32: the producer applies the very function that the operator after it did. Between them lies only the
//! making canonical of a NaN, which the function hands through. Integers, where producer and activation
//! write one scale and zero point: the activation multiplies by 1 exactly (`2^30 * 2^1 / 2^31`), so all it
//! does is clamp to [quantised lower bound, quantised upper bound] within the element type, which is what
//! the producer's own activation does in place of its clamp to the element type.

use rune_ir::{
    graph::{DataType, Graph, Node},
    op::{Activation, Binary, Op},
    quant,
};

use super::Uses;

/// Fuses every such pair.
pub(super) fn fuse(graph: &mut Graph) -> bool {
    let uses = Uses::of(graph);
    let mut fused = Vec::new();
    for at in 0..graph.nodes.len() {
        if let Some((producer, node)) = fusion(graph, &uses, &graph.nodes[at]) {
            graph.nodes[producer] = node;
            fused.push(at);
        }
    }
    let mut at = 0..;
    graph
        .nodes
        .retain(|_| at.next().is_none_or(|at| fused.binary_search(&at).is_err()));
    !fused.is_empty()
}

/// The position of the operator that `node` goes into, and what becomes of that.
fn fusion(graph: &Graph, uses: &Uses, node: &Node) -> Option<(usize, Node)> {
    let activation = applied(&node.op)?;
    let (from, to) = super::ends(node)?;
    let (x, y) = (&graph.tensors[from], &graph.tensors[to]);
    if x.ty != DataType::F32 && quant::affine(x).ok()? != quant::affine(y).ok()? {
        return None;
    }
    let producer = uses.writer[from]?;
    let mut fused = graph.nodes[producer].clone();
    let own = own_activation(&mut fused.op)?;
    if *own != Activation::None || !uses.read_once(from) {
        return None;
    }
    *own = activation;
    fused.outputs = vec![to];
    Some((producer, fused))
}

/// The activation that an operator is.
fn applied(op: &Op) -> Option<Activation> {
    if matches!(op, Op::Relu) {
        Some(Activation::Relu)
    } else if matches!(op, Op::Relu6) {
        Some(Activation::Relu6)
    } else {
        None
    }
}

/// The activation that is an attribute of an operator.
fn own_activation(op: &mut Op) -> Option<&mut Activation> {
    if let Op::FullyConnected { activation, .. }
    | Op::Conv2d { activation, .. }
    | Op::DepthwiseConv2d { activation, .. }
    | Op::MaxPool2d { activation, .. }
    | Op::AveragePool2d { activation, .. }
    | Op::Add { activation }
    | Op::Binary {
        op: Binary::Sub | Binary::Mul | Binary::Div,
        activation,
    } = op
    {
        Some(activation)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::*, *};
    use rune_ir::graph::TensorId;

    /// A sum and its RELU6 in I8, the latter of the given scale.
    fn integers(scale: f32) -> (Builder, [TensorId; 2]) {
        let mut b = Builder::default();
        let x = b.tensor(DataType::I8, &[64], Some((0.1, -5)));
        b.0.inputs = vec![x];
        let sum = b.tensor(DataType::I8, &[64], Some((0.1, -20)));
        b.node_to(add(), &[x, x], sum);
        let y = b.tensor(DataType::I8, &[64], Some((scale, -20)));
        b.node_to(Op::Relu6, &[sum], y);
        (b, [sum, y])
    }

    #[test]
    fn relu_goes_into_a_convolution() {
        let mut b = Builder::default();
        let x = b.input(&[1, 3, 3, 1]);
        let w = b.constant(&[2, 1, 1, 1], &[1.5, -0.5]);
        let sum = b.node(conv_2d(0), &[x, w], &[1, 3, 3, 2]);
        let y = b.node(Op::Relu, &[sum], &[1, 3, 3, 2]);
        insta::assert_snapshot!(before_and_after(fuse, b.finish(&[y])), @r"
        input t0: f32[1, 3, 3, 1]
        const t1: f32[2, 1, 1, 1] = [1.5, -0.5]
        t2: f32[1, 3, 3, 2] = CONV_2D(t0, t1)
        t3: f32[1, 3, 3, 2] = RELU(t2)
        output t3
        =>
        input t0: f32[1, 3, 3, 1]
        const t1: f32[2, 1, 1, 1] = [1.5, -0.5]
        t3: f32[1, 3, 3, 2] = CONV_2D(t0, t1) relu
        output t3
        ");
    }

    #[test]
    fn relu_goes_into_a_product_and_not_into_a_maximum() {
        let made = |op| {
            let mut b = Builder::default();
            let x = b.input(&[4]);
            let activation = Activation::None;
            let product = b.node(Op::Binary { op, activation }, &[x, x], &[4]);
            let y = b.node(Op::Relu, &[product], &[4]);
            b.finish(&[y])
        };
        insta::assert_snapshot!(before_and_after(fuse, made(Binary::Mul)), @r"
        input t0: f32[4]
        t1: f32[4] = MUL(t0, t0)
        t2: f32[4] = RELU(t1)
        output t2
        =>
        input t0: f32[4]
        t2: f32[4] = MUL(t0, t0) relu
        output t2
        ");
        assert_unchanged(fuse, made(Binary::Maximum));
    }

    #[test]
    fn relu6_of_one_scale_goes_into_an_addition_of_integers() {
        let (b, [_, y]) = integers(0.1);
        insta::assert_snapshot!(before_and_after(fuse, b.finish(&[y])), @r"
        input t0: i8[64] * 0.1 + -5
        t1: i8[64] * 0.1 + -20 = ADD(t0, t0)
        t2: i8[64] * 0.1 + -20 = RELU6(t1)
        output t2
        =>
        input t0: i8[64] * 0.1 + -5
        t2: i8[64] * 0.1 + -20 = ADD(t0, t0) relu6
        output t2
        ");
    }

    #[test]
    fn an_activation_that_changes_the_scale_stays() {
        let (b, [_, y]) = integers(0.05);
        assert_unchanged(fuse, b.finish(&[y]));
    }

    #[test]
    fn an_activation_of_what_others_read_stays() {
        let (b, ids) = integers(0.1);
        assert_unchanged(fuse, b.finish(&ids));
    }

    #[test]
    fn a_second_activation_stays() {
        let mut b = Builder::default();
        let x = b.input(&[4]);
        let activation = Activation::ReluN1To1;
        let sum = b.node(Op::Add { activation }, &[x, x], &[4]);
        let y = b.node(Op::Relu, &[sum], &[4]);
        assert_unchanged(fuse, b.finish(&[y]));
    }
}
