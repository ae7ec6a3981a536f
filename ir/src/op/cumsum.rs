//! CUMSUM: along a dimension, the sum of each element and those before it; or only those before it, or
//! those after it.
//!
//! F32: from +0.0, in the order the sum goes. I32 and I64: modulo the type. I8:
//! [`running_sum_params`](quant::running_sum_params), with sums modulo 2^32.

use super::{arithmetic, operand, operand::Operands};
use crate::{
    graph::{DataType, Graph, Node},
    quant::{self, Rounding, RunningSumParams},
};

pub(super) fn check(graph: &Graph, node: &Node, axis: u32) -> Result<(), String> {
    let operands = Operands::new(graph, node, (1, 1))?;
    let (x, y) = (operands.input(0), operands.output);
    operand::same_type(x, y)?;
    operand::same_shape(x, y)?;
    if axis as usize >= x.shape.len() {
        return Err(format!("`{}` has no dimension {axis}", x.name));
    }
    if x.ty == DataType::I8 {
        return quant::running_sum_params(graph, node).map(|_| ());
    }
    operand::one_of(x, &[DataType::F32, DataType::I32, DataType::I64])
}

pub(super) fn evaluate(
    graph: &Graph,
    node: &Node,
    axis: u32,
    exclusive: bool,
    reverse: bool,
    value: &[u8],
) -> Vec<u8> {
    let operands = Operands::new(graph, node, (1, 1)).expect("checked");
    let x = operands.input(0);
    let count = x.shape[axis as usize] as usize;
    let inner: usize = x.shape[axis as usize + 1..]
        .iter()
        .map(|d| *d as usize)
        .product();
    // Each row's places in the order its sum goes.
    let rows = (0..x.elements() / count).map(|row| {
        let start = row / inner * count * inner + row % inner;
        (0..count).map(move |i| start + if reverse { count - 1 - i } else { i } * inner)
    });
    if x.ty == DataType::F32 {
        let mut results = operand::floats(value);
        for row in rows {
            running(&mut results, row, exclusive, 0.0, |sum, x| sum + x);
        }
        return operand::float_bytes(results);
    }
    let mut results = operand::wide_integers(x.ty, value);
    if x.ty != DataType::I8 {
        for row in rows {
            running(&mut results, row, exclusive, 0, i64::wrapping_add);
        }
        return operand::wide_integer_bytes(x.ty, results);
    }
    let params = quant::running_sum_params(graph, node).expect("checked");
    let shifted = |x: i64| (x as i32 - params.input_zero_point) << RunningSumParams::LEFT_SHIFT;
    let mut results: Vec<i32> = results.into_iter().map(shifted).collect();
    for row in rows {
        // Sums start one zero point too low: the reference takes an input of 0 for nothing.
        running(&mut results, row, exclusive, shifted(0), i32::wrapping_add);
    }
    let rescaled = results.into_iter().map(|sum| {
        arithmetic::requantize(sum, params.output, Rounding::Twice)
            .saturating_add(params.output_zero_point)
    });
    operand::small_integer_bytes(rescaled, params.range)
}

/// Replaces the elements at `places`, in this order, by their running sums.
fn running<T: Copy>(
    elements: &mut [T],
    places: impl Iterator<Item = usize>,
    exclusive: bool,
    start: T,
    add: impl Fn(T, T) -> T,
) {
    let mut sum = start;
    for place in places {
        let before = sum;
        sum = add(sum, elements[place]);
        elements[place] = if exclusive { before } else { sum };
    }
}
