//! SOFTMAX: exp(beta * x) over the last dimension, divided by its sum.
//!
//! F32: m = the greatest x (from the least finite number up, NaN passed over); e = `libm::expf((x - m) *
//! beta)`; the sum of e from +0.0 by rising index; e / sum. Integers: gemmlowp's fixed point, in which a
//! number with n integer bits is an i32 over 2^(31 - n).

use super::{
    arithmetic,
    arithmetic::{divide_by_power, high_mul},
    operand,
    operand::Operands,
};
use crate::{
    graph::{DataType, Graph, Node},
    quant::{self, SoftmaxParams},
};

/// Integer bits of a sum of exponentials, each at most 1.
const SUM_BITS: u32 = 12;

pub(super) fn check(graph: &Graph, node: &Node, beta: f32) -> Result<(), String> {
    let operands = Operands::new(graph, node, (1, 1))?;
    let x = operands.input(0);
    if x.shape.is_empty() {
        return Err(format!("`{}` has no dimension", x.name));
    }
    if operands.elementwise()? != DataType::F32 {
        quant::softmax_params(graph, node, beta)?;
        if x.shape.last() >= Some(&(1 << SUM_BITS)) {
            return Err(format!(
                "`{}` of shape {:?} has rows too long for an integer sum",
                x.name, x.shape
            ));
        }
        operand::unit_affine(operands.output)?;
    }
    if beta.is_finite() {
        Ok(())
    } else {
        Err(format!("beta is {beta}"))
    }
}

pub(super) fn evaluate(graph: &Graph, node: &Node, beta: f32, value: &[u8]) -> Vec<u8> {
    let operands = Operands::new(graph, node, (1, 1)).expect("checked");
    let output = operands.output;
    let depth = *output.shape.last().expect("checked") as usize;
    if output.ty == DataType::F32 {
        let x = operand::floats(value);
        operand::float_bytes(x.chunks_exact(depth).flat_map(|row| float_row(row, beta)))
    } else {
        let params = quant::softmax_params(graph, node, beta).expect("checked");
        let (least, most) = quant::element_range(output.ty).expect("checked");
        let x = operand::small_integers(output.ty, value);
        let rows = x
            .chunks_exact(depth)
            .flat_map(|row| integer_row(row, params));
        operand::small_integer_bytes(rows.map(|x| x.saturating_add(least)), (least, most))
    }
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

/// The results as multiples of 1/256, not yet clamped.
fn integer_row(row: &[i32], params: SoftmaxParams) -> Vec<i32> {
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
    let shift = (over_unit + 31 - 8) as u32;
    exponentials
        .into_iter()
        .map(|e| e.map_or(0, |e| divide_by_power(high_mul(reciprocal, e), shift)))
        .collect()
}

/// x * 2^`exponent`, saturating.
fn multiply_by_power(x: i32, exponent: u32) -> i32 {
    (i64::from(x) << exponent).clamp(i32::MIN.into(), i32::MAX.into()) as i32
}

/// exp(x) for x <= 0 with 5 integer bits; the result has none.
///
/// x is taken apart into whole quarters and a rest in -1/4..0: a Taylor series gives the exponential of
/// the rest, and each bit of the quarters multiplies it by a constant.
fn exp_of_negative(x: i32) -> i32 {
    /// exp(-2^n) for n from -2 to 4, without integer bits.
    const POWERS: [i32; 7] = [
        1_672_461_947,
        1_302_514_674,
        790_015_084,
        290_630_308,
        39_332_535,
        720_401,
        242,
    ];
    const QUARTER: i32 = 1 << (31 - SoftmaxParams::INTEGER_BITS - 2);
    if x == 0 {
        return i32::MAX;
    }
    let rest = (x & (QUARTER - 1)) - QUARTER;
    let quarters = rest.wrapping_sub(x);
    let exponential = exp_near_zero(multiply_by_power(rest, SoftmaxParams::INTEGER_BITS));
    POWERS
        .iter()
        .enumerate()
        .fold(exponential, |e, (n, power)| {
            if quarters & (QUARTER << n) == 0 {
                e
            } else {
                high_mul(e, *power)
            }
        })
}

/// exp(x) for x in -1/4..0, both without integer bits: a Taylor series of degree 4 around -1/8.
fn exp_near_zero(x: i32) -> i32 {
    const EXP_OF_MINUS_EIGHTH: i32 = 1_895_147_668;
    const THIRD: i32 = 715_827_883;
    let x1 = x + (1 << 28);
    let x2 = high_mul(x1, x1);
    let x3 = high_mul(x2, x1);
    let x4 = high_mul(x2, x2);
    let higher = divide_by_power(high_mul(divide_by_power(x4, 2) + x3, THIRD) + x2, 1);
    EXP_OF_MINUS_EIGHTH + high_mul(EXP_OF_MINUS_EIGHTH, x1 + higher)
}

/// 1 / (1 + x) for x in 0..1, both without integer bits: three steps of Newton's method on half the
/// denominator, in numbers with 2 integer bits.
fn reciprocal_of_one_plus(x: i32) -> i32 {
    const ONE: i32 = 1 << 29;
    const FORTY_EIGHT_SEVENTEENTHS: i32 = 1_515_870_810;
    const MINUS_THIRTY_TWO_SEVENTEENTHS: i32 = -1_010_580_540;
    let half_denominator = ((i64::from(x) + i64::from(i32::MAX) + 1) / 2) as i32;
    let guess = high_mul(half_denominator, MINUS_THIRTY_TWO_SEVENTEENTHS)
        .wrapping_add(FORTY_EIGHT_SEVENTEENTHS);
    let reciprocal = (0..3).fold(guess, |guess, _| {
        let error = ONE.wrapping_sub(high_mul(half_denominator, guess));
        guess.wrapping_add(multiply_by_power(high_mul(guess, error), 2))
    });
    multiply_by_power(reciprocal, 1)
}
