//! What `FULLY_CONNECTED`, `CONV_2D`, `DEPTHWISE_CONV_2D` and `TRANSPOSE_CONV` share: every result is a sum
//! of products of x and weights, plus the bias of its channel; they differ only in which elements they
//! multiply.
//!
//! F32: a sum starts at +0.0 and adds each product in the operator's order, product and sum rounded to
//! f32 each time; then comes the bias, then the activation. Taps outside x are left out, which changes
//! no bit as long as the weights are finite: +0.0 plus a zero of either sign is +0.0.
//! F32 with I8 weights: x is quantised run by run ([`hybrid::quantize`]), a sum is of integers modulo 2^32,
//! made f32 and scaled as [`Hybrid`] says; then comes the bias, then the activation.
//! I8 and U8: the sum is taken modulo 2^32 and requantised as [`quant::LinearParams`] says.
//! I16 with I8 weights: as [`quant::WideParams`] says.

use super::{Activation, arithmetic, hybrid, operand, operand::Operands};
use crate::{
    graph::{DataType, Graph, Node, Tensor},
    quant::{self, Sum},
};

/// Inputs x and weights, and perhaps bias.
pub(super) const INPUTS: (usize, usize) = (2, 3);

/// In which types the sums are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Float,
    Hybrid,
    Narrow,
    Wide,
}

/// How x is quantised beside I8 weights if it is F32, and sums are scaled back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hybrid {
    /// The dimension of the weights that is the output channel.
    pub(super) axis: usize,
    /// Runs that x divides into, each quantised by itself. Results divide into as many.
    pub(super) runs: usize,
    /// Whether a run gets a zero point.
    pub(super) asymmetric: bool,
    /// Whether the two scales are multiplied with each other first, or the sum by that of the channel and
    /// then by that of the run.
    pub(super) joint: bool,
}

/// The form of x, weights and output.
pub(super) fn form(x: &Tensor, weights: &Tensor, output: &Tensor) -> Result<Form, String> {
    operand::same_type(x, output)?;
    match (x.ty, weights.ty) {
        (DataType::F32, DataType::F32) => Ok(Form::Float),
        (DataType::F32, DataType::I8) => Ok(Form::Hybrid),
        (DataType::I8, DataType::I8) | (DataType::U8, DataType::U8) => Ok(Form::Narrow),
        (DataType::I16, DataType::I8) => Ok(Form::Wide),
        (of_x, of_weights) => Err(format!(
            "`{}` is of type {of_x}, but the weights `{}` of type {of_weights}",
            x.name, weights.name
        )),
    }
}

/// Checks types, bias and quantisation for `channels` output channels.
pub(super) fn check(
    graph: &Graph,
    node: &Node,
    operands: &Operands,
    axis: usize,
    channels: usize,
) -> Result<(), String> {
    let (x, weights) = (operands.input(0), operands.input(1));
    let form = form(x, weights, operands.output)?;
    let due: &[DataType] = match form {
        Form::Float | Form::Hybrid => &[DataType::F32],
        Form::Narrow => &[DataType::I32],
        Form::Wide => &[DataType::I64, DataType::I32],
    };
    bias(operands.optional(2), channels, due)?;
    match form {
        Form::Float => Ok(()),
        Form::Hybrid => quant::hybrid_scales(graph, node, axis, channels).map(|_| ()),
        Form::Narrow => quant::linear_params(graph, node).map(|_| ()),
        Form::Wide => quant::wide_params(graph, node).map(|_| ()),
    }
}

/// The bias of `channels` channels, if there is one, is of a type that is due.
pub(super) fn bias(bias: Option<&Tensor>, channels: usize, due: &[DataType]) -> Result<(), String> {
    let Some(bias) = bias else { return Ok(()) };
    if !due.contains(&bias.ty) {
        return Err(format!(
            "the bias `{}` is of type {}, not {}",
            bias.name, bias.ty, due[0]
        ));
    }
    if bias.elements() != channels {
        return Err(format!(
            "the bias `{}` has {} elements for {channels} channels",
            bias.name,
            bias.elements()
        ));
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
    hybrid: Hybrid,
    values: &[Option<&[u8]>],
    taps: impl Fn(usize, &mut Vec<(usize, usize)>),
) -> Vec<u8> {
    let operands = Operands::new(graph, node, INPUTS).expect("checked");
    let [x, w] = [0, 1].map(|i| values[i].expect("a present operand has a value"));
    let bias = values.get(2).copied().flatten();
    let taps = |i| {
        let mut pairs = Vec::new();
        taps(i, &mut pairs);
        pairs.into_iter()
    };
    let (of_x, of_w) = (operands.input(0), operands.input(1));
    let elements = operands.output.elements();
    let results = 0..elements;
    match form(of_x, of_w, operands.output).expect("checked") {
        Form::Float => {
            let (x, w) = (operand::floats(x), operand::floats(w));
            let bias = bias.map(operand::floats);
            operand::float_bytes(results.map(|i| {
                let add = |sum: f32, (at_x, at_w): (usize, usize)| sum + x[at_x] * w[at_w];
                let sum = taps(i).fold(0.0, add);
                let biased = bias.as_ref().map_or(sum, |b| sum + b[i % channels]);
                arithmetic::activate(activation, biased)
            }))
        }
        Form::Hybrid => {
            let scales = quant::hybrid_scales(graph, node, hybrid.axis, channels).expect("checked");
            let x = operand::floats(x);
            let w = operand::small_integers(of_w.ty, w);
            let bias = bias.map(operand::floats);
            let length = x.len() / hybrid.runs;
            let runs: Vec<_> = x
                .chunks(length)
                .map(|run| hybrid::quantize(run, hybrid.asymmetric))
                .collect();
            operand::float_bytes(results.map(|i| {
                let add = |sum: i32, (at_x, at_w): (usize, usize)| {
                    let x = runs[at_x / length].values[at_x % length];
                    sum.wrapping_add(x * w[at_w])
                };
                let sum = taps(i).fold(0, add) as f32;
                let (run, scale) = (&runs[i / (elements / hybrid.runs)], scales[i % channels]);
                let real = if hybrid.joint {
                    sum * (run.scale * scale)
                } else {
                    sum * scale * run.scale
                };
                let biased = bias.as_ref().map_or(real, |b| real + b[i % channels]);
                arithmetic::activate(activation, biased)
            }))
        }
        Form::Narrow => {
            let params = quant::linear_params(graph, node).expect("checked");
            let (x, w) = (
                operand::small_integers(of_x.ty, x),
                operand::small_integers(of_w.ty, w),
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
        Form::Wide => {
            let params = quant::wide_params(graph, node).expect("checked");
            let x = halves(x);
            let w = operand::small_integers(of_w.ty, w);
            let bias = bias.map(|bytes| match params.sum {
                Sum::Short(_) => operand::integers(bytes)
                    .into_iter()
                    .map(i64::from)
                    .collect(),
                Sum::LongOnce | Sum::LongReduced => operand::wide_integers(DataType::I64, bytes),
            });
            let integers = results.map(|i| {
                let add = |sum: i64, (at_x, at_w): (usize, usize)| {
                    sum.wrapping_add((x[at_x] * w[at_w]).into())
                };
                let channel = i % channels;
                let sum = taps(i).fold(0, add);
                let biased = bias.as_ref().map_or(sum, |b| sum.wrapping_add(b[channel]));
                arithmetic::scale(biased, params.requantization[channel], params.sum)
            });
            half_bytes(integers, params.range)
        }
    }
}

/// The elements of an I16 tensor.
pub(super) fn halves(bytes: &[u8]) -> Vec<i32> {
    let wide = operand::wide_integers(DataType::I16, bytes);
    wide.into_iter().map(|x| x as i32).collect()
}

/// The bytes of an I16 tensor, each element clamped to `range`, which fits the type.
pub(super) fn half_bytes(
    elements: impl IntoIterator<Item = i32>,
    (least, most): (i32, i32),
) -> Vec<u8> {
    elements
        .into_iter()
        .flat_map(|x| (x.clamp(least, most) as i16).to_le_bytes())
        .collect()
}
