//! Fusion of a PAD of rows and columns into the convolution that alone reads its result: the window starts
//! further outside, where taps count for nothing.
//!
//! Integers: PAD writes the zero point, which the convolution subtracts from every element, so that each
//! padded tap adds 0 to the sum. F32: PAD writes +0.0, whose product with a finite weight is a zero of
//! either sign. A sum starts at +0.0 and can become -0.0 only by adding two of them, so it never is, and
//! adding a zero of either sign leaves it as it is. Weights that are unknown or not finite (0 * inf is NaN)
//! are therefore let be. Taps inside are the same, in the same order.
//!
//! A window that would then lie wholly outside the tensor breaks the law of windows and is let be, too.

use rune_ir::{
    graph::{DataType, Graph, Node, Tensor},
    op::{self, Op, Window},
};

use super::Uses;

/// Fuses every such pair.
pub(super) fn fuse(graph: &mut Graph) -> bool {
    let uses = Uses::of(graph);
    let mut changed = false;
    for at in 0..graph.nodes.len() {
        if let Some(node) = fusion(graph, &uses, &graph.nodes[at]) {
            graph.nodes[at] = node;
            changed = true;
        }
    }
    changed
}

/// What becomes of a convolution that reads a PAD.
fn fusion(graph: &Graph, uses: &Uses, node: &Node) -> Option<Node> {
    let mut fused = node.clone();
    let window = window(&mut fused.op)?;
    let padded = node.inputs[0]?;
    let pad = &graph.nodes[uses.writer[padded]?];
    let Op::Pad { before } = &pad.op else {
        return None;
    };
    let (source, _) = super::ends(pad)?;
    let (from, to) = (&graph.tensors[source], &graph.tensors[padded]);
    let [0, rows, columns, 0] = before[..] else {
        return None;
    };
    let spatial = from.shape[0] == to.shape[0] && from.shape[3] == to.shape[3];
    let weights = &graph.tensors[node.inputs[1]?];
    if !spatial || !uses.read_once(padded) || !harmless(weights) {
        return None;
    }
    window.pad[0] = window.pad[0].checked_add(rows)?;
    window.pad[1] = window.pad[1].checked_add(columns)?;
    fused.inputs[0] = Some(source);
    op::check(graph, &fused).ok()?;
    Some(fused)
}

/// Whether zero times any of these weights is a zero.
fn harmless(weights: &Tensor) -> bool {
    let finite = |bytes: &[u8]| {
        bytes
            .try_into()
            .is_ok_and(|word| f32::from_le_bytes(word).is_finite())
    };
    weights.ty != DataType::F32
        || weights
            .data
            .as_ref()
            .is_some_and(|data| data.chunks(4).all(finite))
}

/// The window of a convolution. That of a pooling operator will not do: it leaves taps outside out of its
/// maximum or mean, but takes padding in.
fn window(op: &mut Op) -> Option<&mut Window> {
    if let Op::Conv2d { window, .. } | Op::DepthwiseConv2d { window, .. } = op {
        Some(window)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::*, *};

    /// An image padded by `rows` at the top and a column on either side, and a convolution by `weight`
    /// of size 3x3.
    fn padded(rows: u32, weight: f32) -> Graph {
        let mut b = Builder::default();
        let x = b.input(&[1, 4, 4, 1]);
        let w = b.constant(&[1, 3, 3, 1], &[weight; 9]);
        let before = vec![0, rows, 1, 0];
        let larger = b.node(Op::Pad { before }, &[x], &[1, 4 + rows, 6, 1]);
        let y = b.node(conv_2d(0), &[larger, w], &[1, 2 + rows, 4, 1]);
        b.finish(&[y])
    }

    #[test]
    fn padding_goes_into_a_convolution() {
        insta::assert_snapshot!(before_and_after(fuse, padded(2, -0.5)), @r"
        input t0: f32[1, 4, 4, 1]
        const t1: f32[1, 3, 3, 1] = 36 bytes
        t2: f32[1, 6, 6, 1] = PAD(t0) before [0, 2, 1, 0]
        t3: f32[1, 4, 4, 1] = CONV_2D(t2, t1)
        output t3
        =>
        input t0: f32[1, 4, 4, 1]
        const t1: f32[1, 3, 3, 1] = 36 bytes
        t2: f32[1, 6, 6, 1] = PAD(t0) before [0, 2, 1, 0]
        t3: f32[1, 4, 4, 1] = CONV_2D(t0, t1) pad 2x1
        output t3
        ");
    }

    #[test]
    fn padding_of_integers_adds_to_that_of_the_window() {
        let mut b = Builder::default();
        let affine = Some((0.1, 7));
        let x = b.tensor(DataType::U8, &[2, 4, 5, 2], affine);
        b.0.inputs = vec![x];
        let w = b.tensor(DataType::U8, &[1, 3, 3, 4], Some((0.02, 120)));
        b.0.tensors[w].data = Some((0..36).map(|i| i * 7).collect());
        let larger = b.tensor(DataType::U8, &[2, 6, 6, 2], affine);
        let before = vec![0, 1, 0, 0];
        b.node_to(Op::Pad { before }, &[x], larger);
        let y = b.tensor(DataType::U8, &[2, 6, 6, 4], Some((0.3, 130)));
        let convolution = Op::DepthwiseConv2d {
            window: plain_window(1),
            activation: rune_ir::op::Activation::Relu,
        };
        b.node_to(convolution, &[larger, w], y);
        insta::assert_snapshot!(before_and_after(fuse, b.finish(&[y])), @r"
        input t0: u8[2, 4, 5, 2] * 0.1 + 7
        const t1: u8[1, 3, 3, 4] * 0.02 + 120 = 36 bytes
        t2: u8[2, 6, 6, 2] * 0.1 + 7 = PAD(t0) before [0, 1, 0, 0]
        t3: u8[2, 6, 6, 4] * 0.3 + 130 = DEPTHWISE_CONV_2D(t2, t1) pad 1x1 relu
        output t3
        =>
        input t0: u8[2, 4, 5, 2] * 0.1 + 7
        const t1: u8[1, 3, 3, 4] * 0.02 + 120 = 36 bytes
        t2: u8[2, 6, 6, 2] * 0.1 + 7 = PAD(t0) before [0, 1, 0, 0]
        t3: u8[2, 6, 6, 4] * 0.3 + 130 = DEPTHWISE_CONV_2D(t0, t1) pad 2x1 relu
        output t3
        ");
    }

    #[test]
    fn padding_larger_than_the_window_stays() {
        assert_unchanged(fuse, padded(3, -0.5));
    }

    #[test]
    fn padding_under_infinite_weights_stays() {
        assert_unchanged(fuse, padded(2, f32::INFINITY));
    }

    #[test]
    fn padding_of_channels_stays() {
        let mut b = Builder::default();
        let x = b.input(&[1, 4, 4, 1]);
        let w = b.constant(&[1, 1, 1, 2], &[1.0; 2]);
        let before = vec![0, 0, 0, 1];
        let larger = b.node(Op::Pad { before }, &[x], &[1, 4, 4, 2]);
        let y = b.node(conv_2d(0), &[larger, w], &[1, 4, 4, 1]);
        assert_unchanged(fuse, b.finish(&[y]));
    }
}
