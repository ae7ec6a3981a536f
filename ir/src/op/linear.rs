//! What `FULLY_CONNECTED`, `CONV_2D` and `DEPTHWISE_CONV_2D` share: every result is a sum of products of
//! x and weights, plus the bias of its channel; they differ only in which elements they multiply.
//!
//! F32: a sum starts at +0.0 and adds each product in the operator's order, product and sum rounded to
//! f32 each time; then comes the bias, then the activation. Taps outside x are left out, which changes
//! no bit as long as the weights are finite: +0.0 plus a zero of either sign is +0.0.
//! Integers: the sum is taken modulo 2^32 and requantised as [`quant::LinearParams`] says.

use super::{Activation, arithmetic, operand, operand::Operands};
use crate::{
    graph::{DataType, Graph, Node},
    quant,
};

/// Inputs x and weights, and perhaps bias.
pub(super) const INPUTS: (usize, usize) = (2, 3);

/// Checks types, bias and quantisation for `channels` output channels.
pub(super) fn check(
    graph: &Graph,
    node: &Node,
    operands: &Operands,
    channels: usize,
) -> Result<(), String> {
    let (x, weights) = (operands.input(0), operands.input(1));
    let ty = operands.number()?;
    operand::same_type(x, weights)?;
    operand::bias(operands.optional(2), channels, x)?;
    if ty != DataType::F32 {
        quant::linear_params(graph, node)?;
    }
    Ok(())
}

/// Computes every result in the order of its elements, the channel being the innermost dimension.
/// `taps(i, pairs)` fills the empty `pairs` with the indices of the elements of x and weights whose
/// products make result `i`, in the order they are added.
pub(super) fn evaluate(
    graph: &Graph,
    node: &Node,
    activation: Activation,
    channels: usize,
    values: &[Option<&[u8]>],
    taps: impl Fn(usize, &mut Vec<(usize, usize)>),
) -> Vec<u8> {
    let operands = Operands::new(graph, node, INPUTS).expect("checked");
    let ty = operands.output.ty;
    let [x, w] = [0, 1].map(|i| values[i].expect("a present operand has a value"));
    let bias = values.get(2).copied().flatten();
    let taps = |i| {
        let mut pairs = Vec::new();
        taps(i, &mut pairs);
        pairs.into_iter()
    };
    let results = 0..operands.output.elements();
    if ty == DataType::F32 {
        let (x, w) = (operand::floats(x), operand::floats(w));
        let bias = bias.map(operand::floats);
        operand::float_bytes(results.map(|i| {
            let add = |sum: f32, (at_x, at_w): (usize, usize)| sum + x[at_x] * w[at_w];
            let sum = taps(i).fold(0.0, add);
            let biased = bias.as_ref().map_or(sum, |b| sum + b[i % channels]);
            arithmetic::activate(activation, biased)
        }))
    } else {
        let params = quant::linear_params(graph, node).expect("checked");
        let (x, w) = (
            operand::small_integers(ty, x),
            operand::small_integers(ty, w),
        );
        let bias = bias.map(operand::integers);
        let integers = results.map(|i| {
            let add = |sum: i32, (at_x, at_w): (usize, usize)| {
                sum.wrapping_add(
                    (x[at_x] - params.input_zero_point) * (w[at_w] - params.weight_zero_point),
                )
            };
            let channel = i % channels;
            let sum = taps(i).fold(0, add);
            let biased = bias.as_ref().map_or(sum, |b| sum.wrapping_add(b[channel]));
            arithmetic::requantize(biased, params.requantization[channel], params.rounding)
                .saturating_add(params.output_zero_point)
        });
        operand::small_integer_bytes(integers, params.range)
    }
}
