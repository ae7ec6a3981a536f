//! Cancellation of QUANTIZE(DEQUANTIZE(q)) with one scale s and zero point z on both sides: it is q.
//!
//! Exact: with n = q - z, a number of at most nine bits, DEQUANTIZE gives s * n rounded to f32, which is
//! s * n * (1 + e) with |e| <= 2^-24; divided by s and rounded again it is n but for a relative error of
//! some 2^-23, far less than the half that would round to another integer than n. The clamp keeps n + z = q.
//! (A subnormal or infinite s * n would break the bound on e, so s and 255 * s are asked to be normal.)
//!
//! The other order, DEQUANTIZE(QUANTIZE(x)), is no identity: it rounds x to a multiple of the scale.

use rune_ir::{
    arena::Side,
    graph::{Graph, Node, TensorId},
    op::Op,
    quant,
};

use super::Uses;

/// Replaces the result of each such pair by what goes into it.
pub(super) fn cancel(graph: &mut Graph) -> bool {
    let uses = Uses::of(graph);
    let mut by = Side::new(&graph.tensors, |id, _| id);
    let mut changed = false;
    for node in &graph.nodes {
        let Some((origin, result)) = pair(graph, &uses, node) else {
            continue;
        };
        if uses.reads[result] > 0 {
            by[result] = by[origin];
            changed = true;
        }
    }
    super::substitute(graph, &by);
    changed
}

/// What goes into a QUANTIZE that undoes a DEQUANTIZE, and what comes out.
fn pair(graph: &Graph, uses: &Uses, node: &Node) -> Option<(TensorId, TensorId)> {
    let (real, result) = super::ends(node).filter(|_| matches!(node.op, Op::Quantize))?;
    let source = &graph.nodes[uses.writer[real]?];
    let (origin, _) = super::ends(source).filter(|_| matches!(source.op, Op::Dequantize))?;
    let (of, to) = (&graph.tensors[origin], &graph.tensors[result]);
    let affine = quant::affine(of).ok()?;
    let (scale, _) = affine;
    let bounded = scale.is_normal() && (scale * 255.0).is_normal();
    let same = of.ty == to.ty && affine == quant::affine(to).ok()?;
    (same && bounded).then_some((origin, result))
}

#[cfg(test)]
mod tests {
    use super::{super::testing::*, *};
    use rune_ir::graph::DataType;

    /// Relu on either side of a pair, whose second scale is as given.
    fn pair(scale: f32) -> Graph {
        let mut b = Builder::default();
        let x = b.tensor(DataType::I8, &[256], Some((0.1, 3)));
        b.0.inputs.push(x);
        let real = b.node(Op::Dequantize, &[x], &[256]);
        let again = b.tensor(DataType::I8, &[256], Some((scale, 3)));
        b.node_to(Op::Quantize, &[real], again);
        let y = b.tensor(DataType::I8, &[256], Some((0.1, 3)));
        b.node_to(Op::Relu, &[again], y);
        b.finish(&[y])
    }

    #[test]
    fn a_pair_of_one_scale_cancels() {
        insta::assert_snapshot!(before_and_after(cancel, pair(0.1)), @r"
        input t0: i8[256] * 0.1 + 3
        t1: f32[256] = DEQUANTIZE(t0)
        t2: i8[256] * 0.1 + 3 = QUANTIZE(t1)
        t3: i8[256] * 0.1 + 3 = RELU(t2)
        output t3
        =>
        input t0: i8[256] * 0.1 + 3
        t1: f32[256] = DEQUANTIZE(t0)
        t2: i8[256] * 0.1 + 3 = QUANTIZE(t1)
        t3: i8[256] * 0.1 + 3 = RELU(t0)
        output t3
        ");
    }

    #[test]
    fn a_pair_of_two_scales_stays() {
        assert_unchanged(cancel, pair(0.11));
    }

    #[test]
    fn every_integer_comes_back_for_scales_of_every_size() {
        for exponent in -126..=119 {
            for significand in [1.0, 1.1, 1.333_333_4, 1.999_999_9] {
                let scale = significand * libm::ldexpf(1.0, exponent);
                for n in -255..=255 {
                    let real = scale * n as f32;
                    assert_eq!(libm::roundf(real / scale) as i32, n, "{scale:e}");
                }
            }
        }
    }

    #[test]
    fn the_other_order_stays() {
        let mut b = Builder::default();
        let x = b.input(&[4]);
        let q = b.tensor(DataType::U8, &[4], Some((0.1, 3)));
        b.node_to(Op::Quantize, &[x], q);
        let y = b.node(Op::Dequantize, &[q], &[4]);
        assert_unchanged(cancel, b.finish(&[y]));
    }
}
