//! `L2_NORMALIZATION`: each row over the last dimension divided by the square root of its sum of squares.
//!
//! F32: the sum from +0.0 by rising index, its square root, at least 1e-6; then the quotients. Integers: the
//! sum modulo 2^32 of the squares of x less its zero point, and gemmlowp's inverse square root.

use super::{
    arithmetic::{self, divide_by_power, high_mul},
    fixed::inverse_square_root,
    operand,
    operand::Operands,
};
use crate::{
    graph::{DataType, Graph, Node},
    quant::{self, Requantization, Rounding},
};

/// The norm that any less one counts as.
const LEAST_NORM: f32 = 1e-6;

/// Longest row of integers, so that a sum of squares fits 31 bits.
const MAX_DEPTH: u32 = 1 << 15;

pub(super) fn check(graph: &Graph, node: &Node) -> Result<(), String> {
    let operands = Operands::new(graph, node, (1, 1))?;
    let (x, y) = (operands.input(0), operands.output);
    if x.shape.is_empty() {
        return Err(format!("`{}` has no dimension", x.name));
    }
    if operands.elementwise()? == DataType::F32 {
        return Ok(());
    }
    if x.shape.last() >= Some(&MAX_DEPTH) {
        return Err(format!(
            "`{}` of shape {:?} has rows too long for an integer sum",
            x.name, x.shape
        ));
    }
    quant::affine(x)?;
    let (scale, zero_point) = quant::affine(y)?;
    let middle = middle(y.ty);
    if scale == 1.0 / 128.0 && zero_point == middle {
        Ok(())
    } else {
        Err(format!(
            "`{}` has scale {scale} and zero point {zero_point}, not 1/128 and {middle}",
            y.name
        ))
    }
}

/// The integer that stands for 0.
fn middle(ty: DataType) -> i32 {
    if ty == DataType::I8 { 0 } else { 128 }
}

pub(super) fn evaluate(graph: &Graph, node: &Node, value: &[u8]) -> Vec<u8> {
    let operands = Operands::new(graph, node, (1, 1)).expect("checked");
    let output = operands.output;
    let ty = output.ty;
    let depth = *output.shape.last().expect("checked") as usize;
    if ty == DataType::F32 {
        let x = operand::floats(value);
        return operand::float_bytes(x.chunks_exact(depth).flat_map(float_row));
    }
    let (_, zero_point) = quant::affine(operands.input(0)).expect("checked");
    let range = quant::element_range(ty).expect("checked");
    let x = operand::small_integers(ty, value);
    let centred: Vec<i32> = x.iter().map(|x| x - zero_point).collect();
    let rows = centred.chunks_exact(depth);
    let results = rows
        .flat_map(|row| integer_row(row, ty))
        .map(|x| x + middle(ty));
    operand::small_integer_bytes(results, range)
}

fn float_row(row: &[f32]) -> Vec<f32> {
    let norm = libm::sqrtf(row.iter().fold(0.0, |sum, x| sum + x * x));
    let norm = arithmetic::at_least(norm, LEAST_NORM);
    row.iter().map(|x| x / norm).collect()
}

/// The results less the middle; the reference rounds I8 and U8 differently.
fn integer_row(row: &[i32], ty: DataType) -> Vec<i32> {
    let sum = row.iter().map(|x| x * x).sum();
    let (multiplier, shift) = inverse_square_root(sum);
    let factor = Requantization {
        multiplier,
        shift: 7 - shift,
    };
    row.iter()
        .map(|x| {
            if ty == DataType::I8 {
                arithmetic::requantize(*x, factor, Rounding::Twice)
            } else {
                divide_by_power(high_mul(128 * x, multiplier), shift as u32)
            }
        })
        .collect()
}
