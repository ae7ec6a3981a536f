//! SOFTMAX: exp(beta * x) over the last dimension, divided by its sum.
//!
//! F32: m = the greatest x (from the least finite number up, NaN passed over); e = `libm::expf((x - m) *
//! beta)`; the sum of e from +0.0 by rising index; e / sum. I8 and U8, to I16 too: gemmlowp's fixed point,
//! in which a number with n integer bits is an i32 over 2^(31 - n). I16: two tables, between whose entries
//! lie straight lines.

use super::{
    arithmetic,
    arithmetic::{divide_by_power, high_mul},
    fixed::{exp_of_negative, reciprocal_of_one_plus},
    operand,
    operand::Operands,
};
use crate::{
    graph::{DataType, Graph, Node, Tensor},
    quant::{self, Rounding, Softmax16Params, SoftmaxParams},
};

/// Integer bits of a sum of exponentials, each at most 1.
pub(super) const SUM_BITS: u32 = 12;

/// Longest row of I16, so that the sum of exponentials fits 31 bits.
const MAX_DEPTH_16: u32 = 1 << 16;

pub(super) fn check(graph: &Graph, node: &Node, beta: f32) -> Result<(), String> {
    let operands = Operands::new(graph, node, (1, 1))?;
    let (x, y) = (operands.input(0), operands.output);
    let Some(depth) = x.shape.last() else {
        return Err(format!("`{}` has no dimension", x.name));
    };
    operand::same_shape(x, y)?;
    if !beta.is_finite() {
        return Err(format!("beta is {beta}"));
    }
    let bytes = [DataType::I8, DataType::U8].contains(&x.ty);
    let longest = if x.ty == DataType::I16 {
        quant::softmax16_params(graph, node, beta)?;
        operand::same_type(x, y)?;
        MAX_DEPTH_16
    } else if bytes {
        quant::softmax_params(graph, node, beta)?;
        if y.ty != DataType::I16 {
            operand::same_type(x, y)?;
        }
        1 << SUM_BITS
    } else {
        operand::number(x)?;
        return operand::same_type(x, y);
    };
    if *depth >= longest {
        return Err(format!(
            "`{}` of shape {:?} has rows too long for an integer sum",
            x.name, x.shape
        ));
    }
    unit(x, y)
}

/// The reals from 0 to almost 1 span the whole type of the result, of I16 from I16 its upper half.
fn unit(x: &Tensor, y: &Tensor) -> Result<(), String> {
    let (scale, zero_point) = quant::affine(y)?;
    let (least, _) = quant::element_range(y.ty)?;
    let due = match (x.ty, y.ty) {
        (DataType::I16, _) => (1.0 / 32768.0, 0),
        (_, DataType::I16) => (1.0 / 65536.0, least),
        _ => (1.0 / 256.0, least),
    };
    if (scale, zero_point) == due {
        Ok(())
    } else {
        Err(format!(
            "`{}` has scale {scale} and zero point {zero_point}, not {} and {}",
            y.name, due.0, due.1
        ))
    }
}

pub(super) fn evaluate(graph: &Graph, node: &Node, beta: f32, value: &[u8]) -> Vec<u8> {
    let operands = Operands::new(graph, node, (1, 1)).expect("checked");
    let (x, output) = (operands.input(0), operands.output);
    let depth = *x.shape.last().expect("checked") as usize;
    if x.ty == DataType::F32 {
        let x = operand::floats(value);
        return operand::float_bytes(x.chunks_exact(depth).flat_map(|row| float_row(row, beta)));
    }
    let (least, most) = quant::element_range(output.ty).expect("checked");
    let integers: Vec<i32> = operand::wide_integers(x.ty, value)
        .into_iter()
        .map(|x| x as i32)
        .collect();
    let rows = integers.chunks_exact(depth);
    let results: Vec<i32> = if x.ty == DataType::I16 {
        let params = quant::softmax16_params(graph, node, beta).expect("checked");
        rows.flat_map(|row| row_of_16(row, &params)).collect()
    } else {
        let params = quant::softmax_params(graph, node, beta).expect("checked");
        let bits = 8 * output.ty.size();
        rows.flat_map(|row| integer_row(row, params, bits))
            .map(|x| x.saturating_add(least))
            .collect()
    };
    let clamped = results.into_iter().map(|x| x.clamp(least, most).into());
    operand::wide_integer_bytes(output.ty, clamped)
}

fn float_row(row: &[f32], beta: f32) -> Vec<f32> {
    let greatest = row.iter().copied().fold(f32::MIN, arithmetic::at_least);
    let exponentials: Vec<f32> = row
        .iter()
        .map(|x| libm::expf((x - greatest) * beta))
        .collect();
    let sum = exponentials.iter().fold(0.0, |sum, e| sum + e);
    exponentials.iter().map(|e| e / sum).collect()
}

/// The results as multiples of 2^-`bits`, not yet clamped.
fn integer_row(row: &[i32], params: SoftmaxParams, bits: u32) -> Vec<i32> {
    let greatest = row.iter().copied().max().expect("no tensor is empty");
    let exponentials: Vec<Option<i32>> = row
        .iter()
        .map(|x| {
            let difference = x - greatest;
            (difference >= params.least_difference).then(|| {
                let shifted = (i64::from(difference) << params.left_shift) as i32;
                exp_of_negative(high_mul(shifted, params.multiplier))
            })
        })
        .collect();
    let scaled = exponentials
        .iter()
        .flatten()
        .map(|e| divide_by_power(*e, SUM_BITS));
    let sum: i32 = scaled.sum();
    // sum = 2^over_unit * (1 + fraction) once its point is put behind its highest bit.
    let zeros = sum.leading_zeros();
    let over_unit = SUM_BITS as i32 - zeros as i32;
    let fraction = ((sum as u32) << zeros).wrapping_sub(1 << 31) as i32;
    let reciprocal = reciprocal_of_one_plus(fraction);
    let shift = (over_unit + 31) as u32 - bits;
    exponentials
        .into_iter()
        .map(|e| e.map_or(0, |e| divide_by_power(high_mul(reciprocal, e), shift)))
        .collect()
}

/// The results of I16, over 32768.
fn row_of_16(row: &[i32], params: &Softmax16Params) -> Vec<i32> {
    let greatest = row.iter().copied().max().expect("no tensor is empty");
    let exponential = |x: &i32| {
        let scaled = arithmetic::requantize(x - greatest, params.requantization, Rounding::Twice);
        look_up(&params.exponentials, scaled.saturating_add(32767))
    };
    let exponentials: Vec<i32> = row.iter().map(exponential).collect();
    let sum: i32 = exponentials.iter().sum();
    // The highest bit moved to bit 30, and then sixteen bits kept.
    let zeros = sum.leading_zeros();
    let normal = ((i64::from(sum) << (zeros - 1)) + (1 << 13)) >> 14;
    let reciprocal = look_up(&params.reciprocals, normal as i32 - (1 << 15) - (1 << 16));
    let shift = 31 - zeros;
    exponentials
        .into_iter()
        .map(|e| {
            let half = 1i64 << (shift - 1);
            ((i64::from(e) * i64::from(reciprocal) + half) >> shift).clamp(0, 32767) as i32
        })
        .collect()
}

/// The value at `x`, brought into I16, on the line between two entries.
fn look_up(table: &[i16], x: i32) -> i32 {
    let x = x.clamp(-32768, 32767);
    let index = (256 + (x >> 7)) as usize;
    let (base, next) = (i32::from(table[index]), i32::from(table[index + 1]));
    base + (((next - base) * (x & 127) + 64) >> 7)
}
