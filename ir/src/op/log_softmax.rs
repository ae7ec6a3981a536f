//! `LOG_SOFTMAX`: the logarithm of a SOFTMAX with a beta of 1.
//!
//! F32: m = the greatest x (from the least finite number up, NaN passed over); s = the sum of `libm::expf(x -
//! m)` from +0.0 by rising index; x - m - `libm::logf(s)`. Integers: gemmlowp's fixed point.

use super::{
    arithmetic::{self, divide_by_power, high_mul},
    fixed::{exp_of_negative, log_of_at_least_one},
    operand,
    operand::Operands,
    softmax::SUM_BITS,
};
use crate::{
    graph::{DataType, Graph, Node},
    quant::{self, LogSoftmaxParams, Rounding, SoftmaxParams},
};

/// Integer bits of a result of integers.
const RESULT_BITS: u32 = 4;

pub(super) fn check(graph: &Graph, node: &Node) -> Result<(), String> {
    let operands = Operands::new(graph, node, (1, 1))?;
    let (x, y) = (operands.input(0), operands.output);
    if x.shape.is_empty() {
        return Err(format!("`{}` has no dimension", x.name));
    }
    if operands.elementwise()? == DataType::F32 {
        return Ok(());
    }
    quant::log_softmax_params(graph, node)?;
    if x.shape.last() >= Some(&(1 << SUM_BITS)) {
        return Err(format!(
            "`{}` of shape {:?} has rows too long for an integer sum",
            x.name, x.shape
        ));
    }
    let (scale, zero_point) = quant::affine(y)?;
    let (_, most) = quant::element_range(y.ty)?;
    if scale == 1.0 / 16.0 && zero_point == most {
        Ok(())
    } else {
        Err(format!(
            "`{}` has scale {scale} and zero point {zero_point}, not 1/16 and {most}",
            y.name
        ))
    }
}

pub(super) fn evaluate(graph: &Graph, node: &Node, value: &[u8]) -> Vec<u8> {
    let operands = Operands::new(graph, node, (1, 1)).expect("checked");
    let output = operands.output;
    let depth = *output.shape.last().expect("checked") as usize;
    if output.ty == DataType::F32 {
        let x = operand::floats(value);
        return operand::float_bytes(x.chunks_exact(depth).flat_map(float_row));
    }
    let params = quant::log_softmax_params(graph, node).expect("checked");
    let (least, most) = quant::element_range(output.ty).expect("checked");
    let x = operand::small_integers(output.ty, value);
    let rows = x.chunks_exact(depth);
    let results = rows.flat_map(|row| integer_row(row, params, (least, most)));
    operand::small_integer_bytes(results, (least, most))
}

fn float_row(row: &[f32]) -> Vec<f32> {
    let greatest = row.iter().copied().fold(f32::MIN, arithmetic::at_least);
    let exponentials = row.iter().map(|x| libm::expf(x - greatest));
    let log = libm::logf(exponentials.fold(0.0, |sum, e| sum + e));
    row.iter().map(|x| x - greatest - log).collect()
}

fn integer_row(row: &[i32], params: LogSoftmaxParams, (least, most): (i32, i32)) -> Vec<i32> {
    let LogSoftmaxParams { softmax, reverse } = params;
    let greatest = row.iter().copied().max().expect("no tensor is empty");
    let scaled = |difference: i32| {
        let shifted = (i64::from(difference) << softmax.left_shift) as i32;
        high_mul(shifted, softmax.multiplier)
    };
    let differences = row.iter().map(|x| x - greatest);
    let exponentials = differences
        .clone()
        .filter(|d| *d >= softmax.least_difference)
        .map(|d| divide_by_power(exp_of_negative(scaled(d)), SUM_BITS));
    let log = log_of_at_least_one(exponentials.sum());
    // Below this the difference to the logarithm does not fit.
    let limit = arithmetic::requantize(i32::MIN + log, reverse, Rounding::Twice);
    let limit = limit.max(softmax.least_difference - 1);
    let shift = 31 - SoftmaxParams::INTEGER_BITS - RESULT_BITS;
    differences
        .map(|d| {
            if d > limit {
                divide_by_power(scaled(d).wrapping_sub(log), shift) + most
            } else {
                least
            }
        })
        .collect()
}
