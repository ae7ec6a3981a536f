//! Functions of two elements, with broadcasting: ADD to `RIGHT_SHIFT`, the comparisons, and PRELU.
//!
//! On F32 each is the function of [`real`]. Unquantised integers are computed modulo 2^bits. Integers that
//! stand for reals are requantised, with two roundings throughout, as the parameters in [`quant`] say.

use super::{Activation, arithmetic, broadcast, operand, operand::Operands, real};
use crate::{
    graph::{DataType, Graph, Node, Tensor},
    quant::{self, ProductParams, Rounding},
};

/// A function of two elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binary {
    /// a + b.
    Add,
    /// a - b.
    Sub,
    /// As `Add`, of I16 whose scales are powers of two: only shifted, and saturating.
    AddPowers,
    /// As `Sub`, in the way of `AddPowers`.
    SubPowers,
    /// a * b.
    Mul,
    /// a / b; of unquantised integers cut off, and 0 where b is 0. Quantised integers through a reciprocal,
    /// but I16 of one shape as f32.
    Div,
    /// The integer at or below a / b; of integers 0 where b is 0.
    FloorDiv,
    /// What is left of a, with b's sign; of integers a where b is 0. On F32 by `libm::fmodf`.
    FloorMod,
    /// a if it is greater, else b.
    Maximum,
    /// a if it is less, else b.
    Minimum,
    /// (a - b) * (a - b).
    SquaredDifference,
    /// a, times b where it is below zero. The output has a's shape.
    Prelu,
    /// a to the power of b, as `libm::powf` has it; of I32 an exponent below zero counts as 0.
    Pow,
    /// a = b.
    Equal,
    /// a ≠ b.
    NotEqual,
    /// a > b.
    Greater,
    /// a ≥ b.
    GreaterEqual,
    /// a < b.
    Less,
    /// a ≤ b.
    LessEqual,
    /// Both.
    LogicalAnd,
    /// Either.
    LogicalOr,
    /// The bits that differ.
    BitwiseXor,
    /// a / 2^b, rounded down, b clamped to 0 and a bit less than the type has.
    RightShift,
}

impl Binary {
    /// The operator's name, as TFLite spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Add | Self::AddPowers => "ADD",
            Self::Sub | Self::SubPowers => "SUB",
            Self::Mul => "MUL",
            Self::Div => "DIV",
            Self::FloorDiv => "FLOOR_DIV",
            Self::FloorMod => "FLOOR_MOD",
            Self::Maximum => "MAXIMUM",
            Self::Minimum => "MINIMUM",
            Self::SquaredDifference => "SQUARED_DIFFERENCE",
            Self::Prelu => "PRELU",
            Self::Pow => "POW",
            Self::Equal => "EQUAL",
            Self::NotEqual => "NOT_EQUAL",
            Self::Greater => "GREATER",
            Self::GreaterEqual => "GREATER_EQUAL",
            Self::Less => "LESS",
            Self::LessEqual => "LESS_EQUAL",
            Self::LogicalAnd => "LOGICAL_AND",
            Self::LogicalOr => "LOGICAL_OR",
            Self::BitwiseXor => "BITWISE_XOR",
            Self::RightShift => "RIGHT_SHIFT",
        }
    }

    /// Whether the result is a truth value.
    pub const fn is_comparison(self) -> bool {
        matches!(
            self,
            Self::Equal
                | Self::NotEqual
                | Self::Greater
                | Self::GreaterEqual
                | Self::Less
                | Self::LessEqual
        )
    }
}

/// How a function is computed on integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// As they are.
    Plain,
    /// By [`quant::sum_params`].
    Sum,
    /// By [`quant::powers_params`].
    Powers,
    /// By [`quant::product_params`].
    Product,
    /// By [`quant::slope_params`].
    Slope,
    /// By [`quant::comparison_params`].
    Compare,
}

fn way(a: &Tensor, op: Binary) -> Way {
    let bytes = a.ty == DataType::I8 || a.ty == DataType::U8;
    let wide = a.ty == DataType::I16 && a.quantization.is_some();
    let is = |ops: &[Binary]| ops.contains(&op);
    if is(&[Binary::AddPowers, Binary::SubPowers]) {
        Way::Powers
    } else if op == Binary::Prelu {
        Way::Slope
    } else if is(&[Binary::Add, Binary::Sub, Binary::SquaredDifference]) && (bytes || wide) {
        Way::Sum
    } else if is(&[Binary::Mul, Binary::Div]) && (bytes || wide) {
        Way::Product
    } else if op.is_comparison() && bytes && a.quantization.is_some() {
        Way::Compare
    } else if is(&[Binary::Equal, Binary::NotEqual]) && wide {
        // By size the reference kernels compare I16 as they are.
        Way::Compare
    } else {
        Way::Plain
    }
}

pub(super) fn check(
    graph: &Graph,
    node: &Node,
    op: Binary,
    activation: Activation,
) -> Result<(), String> {
    const F32: DataType = DataType::F32;
    const I8: DataType = DataType::I8;
    const U8: DataType = DataType::U8;
    const I16: DataType = DataType::I16;
    const I32: DataType = DataType::I32;
    const I64: DataType = DataType::I64;
    let operands = Operands::new(graph, node, (2, 2))?;
    let (a, b, output) = (operands.input(0), operands.input(1), operands.output);
    // The slopes of I16 are bytes.
    let of_bytes = op == Binary::Prelu && a.ty == I16 && b.ty == I8;
    if !of_bytes {
        operand::same_type(a, b)?;
    }
    if op.is_comparison() {
        operand::one_of(output, &[DataType::Bool])?;
    } else {
        operand::same_type(a, output)?;
    }
    let due = broadcast::shape(&[a, b])?;
    operand::shape(output, &due)?;
    if op == Binary::Prelu {
        operand::same_shape(a, output)?;
    }
    let types: &[DataType] = match op {
        Binary::Add | Binary::Sub | Binary::Mul | Binary::Maximum | Binary::Minimum => {
            &[F32, I8, U8, I16, I32, I64]
        }
        Binary::AddPowers | Binary::SubPowers => &[I16],
        Binary::Div => &[F32, I8, U8, I16, I32],
        Binary::FloorDiv => &[F32, I8, I16, I32],
        Binary::FloorMod => &[F32, I8, I16, I32, I64],
        Binary::SquaredDifference => &[F32, I8, I16, I32],
        Binary::Prelu => &[F32, I8, U8, I16],
        Binary::Pow => &[F32, I32],
        Binary::Equal | Binary::NotEqual => &[F32, I8, U8, I16, I32, I64, DataType::Bool],
        Binary::Greater | Binary::GreaterEqual | Binary::Less | Binary::LessEqual => {
            &[F32, I8, U8, I16, I32, I64]
        }
        Binary::LogicalAnd | Binary::LogicalOr => &[DataType::Bool],
        Binary::BitwiseXor | Binary::RightShift => &[I8, U8, I16, I32],
    };
    operand::one_of(a, types)?;
    if a.ty == F32 {
        return Ok(());
    }
    match way(a, op) {
        Way::Plain if op == Binary::Div && a.ty != I32 => {
            Err(format!("`{}` has no scale and zero point", a.name))
        }
        Way::Plain => Ok(()),
        Way::Sum => quant::sum_params(graph, node, activation).map(|_| ()),
        Way::Powers => quant::powers_params(graph, node, activation).map(|_| ()),
        Way::Product => quant::product_params(graph, node, activation).map(|_| ()),
        Way::Slope => quant::slope_params(graph, node).map(|_| ()),
        Way::Compare => quant::comparison_params(graph, node).map(|_| ()),
    }
}

pub(super) fn evaluate(
    graph: &Graph,
    node: &Node,
    op: Binary,
    activation: Activation,
    values: [&[u8]; 2],
) -> Vec<u8> {
    let operands = Operands::new(graph, node, (2, 2)).expect("checked");
    let (a, b, output) = (operands.input(0), operands.input(1), operands.output);
    let pairs = || {
        (0..output.elements())
            .map(|i| [a, b].map(|input| broadcast::source(i, &output.shape, &input.shape)))
    };
    if a.ty == DataType::F32 {
        let [a, b] = values.map(operand::floats);
        let pairs = pairs().map(|[i, j]| (a[i], b[j]));
        return if op.is_comparison() {
            let results = pairs.map(|(a, b)| i64::from(real::compare(op, a, b)));
            operand::wide_integer_bytes(output.ty, results)
        } else {
            let results = pairs.map(|(a, b)| real::binary(op, a, b));
            operand::float_bytes(results.map(|x| arithmetic::activate(activation, x)))
        };
    }
    let of_a = operand::wide_integers(a.ty, values[0]);
    let of_b = operand::wide_integers(b.ty, values[1]);
    let pairs = pairs().map(|[i, j]| (of_a[i], of_b[j]));
    let small = pairs.clone().map(|(a, b)| (a as i32, b as i32));
    let results: Vec<i64> = match way(a, op) {
        Way::Plain => {
            let (least, most) = activated_range(output.ty, activation);
            let bits = a.ty.size() * 8;
            let results = pairs.map(|(a, b)| wrap(plain(op, bits, a, b), output.ty));
            results.map(|x| x.clamp(least, most)).collect()
        }
        Way::Sum => sum(graph, node, op, activation, small),
        Way::Powers => {
            let params = quant::powers_params(graph, node, activation).expect("checked");
            let results = small.map(|(a, b)| {
                let a = arithmetic::divide_by_power(a, params.shifts[0]);
                let b = arithmetic::divide_by_power(b, params.shifts[1]);
                let sum = if op == Binary::AddPowers {
                    a + b
                } else {
                    a - b
                };
                i64::from(sum.clamp(params.range.0, params.range.1))
            });
            results.collect()
        }
        Way::Product => {
            let params = quant::product_params(graph, node, activation).expect("checked");
            let as_reals = op == Binary::Div && a.ty == DataType::I16 && a.shape == b.shape;
            let scales = [a, b, output].map(|t| quant::affine(t).expect("checked").0);
            let results = small.map(|(a, b)| {
                let (a, b) = (a - params.zero_points[0], b - params.zero_points[1]);
                let result = if op == Binary::Mul {
                    arithmetic::requantize(a * b, params.requantization, Rounding::Twice)
                } else if as_reals {
                    quotient_of_reals(scales, a, b)
                } else {
                    quotient(&params, a, b)
                };
                arithmetic::offset_and_clamp(result, params.output_zero_point, params.range)
            });
            results.collect()
        }
        Way::Slope => {
            let params = quant::slope_params(graph, node).expect("checked");
            let results = small.map(|(x, slope)| {
                let x = x - params.zero_points[0];
                let (x, factor) = if x >= 0 {
                    (x, params.above)
                } else {
                    (x * (slope - params.zero_points[1]), params.below)
                };
                let result = arithmetic::requantize(x, factor, Rounding::Twice);
                arithmetic::offset_and_clamp(result, params.output_zero_point, params.range)
            });
            results.collect()
        }
        Way::Compare => {
            let params = quant::comparison_params(graph, node).expect("checked");
            let scaled = |x: i32, (zero_point, factor)| {
                let shifted = (x - zero_point) << quant::COMPARISON_SHIFT;
                arithmetic::requantize(shifted, factor, Rounding::Twice)
            };
            let results = small.map(|(a, b)| {
                let (a, b) = (scaled(a, params[0]), scaled(b, params[1]));
                plain(op, 32, a.into(), b.into())
            });
            results.collect()
        }
    };
    operand::wide_integer_bytes(output.ty, results)
}

/// A function of integers as they are, of so many bits, before it wraps.
fn plain(op: Binary, bits: u32, a: i64, b: i64) -> i64 {
    match op {
        Binary::Add => a.wrapping_add(b),
        Binary::Sub => a.wrapping_sub(b),
        Binary::Mul => a.wrapping_mul(b),
        Binary::Div => a.checked_div(b).unwrap_or(0),
        Binary::FloorDiv if b == 0 => 0,
        Binary::FloorDiv => {
            let cut = a.wrapping_div(b);
            if a.wrapping_rem(b) != 0 && (a < 0) != (b < 0) {
                cut - 1
            } else {
                cut
            }
        }
        Binary::FloorMod if b == 0 => a,
        Binary::FloorMod => {
            let rest = a.wrapping_rem(b);
            if rest != 0 && (b < 0) != (rest < 0) {
                rest + b
            } else {
                rest
            }
        }
        Binary::Maximum => a.max(b),
        Binary::Minimum => a.min(b),
        Binary::SquaredDifference => a.wrapping_sub(b).wrapping_mul(a.wrapping_sub(b)),
        Binary::Pow => a.wrapping_pow(b.max(0) as u32),
        Binary::Equal => i64::from(a == b),
        Binary::NotEqual => i64::from(a != b),
        Binary::Greater => i64::from(a > b),
        Binary::GreaterEqual => i64::from(a >= b),
        Binary::Less => i64::from(a < b),
        Binary::LessEqual => i64::from(a <= b),
        Binary::LogicalAnd => a & b,
        Binary::LogicalOr => a | b,
        Binary::BitwiseXor => a ^ b,
        Binary::RightShift => a >> b.clamp(0, i64::from(bits) - 1),
        Binary::AddPowers | Binary::SubPowers | Binary::Prelu => {
            unreachable!("{} is of quantised integers", op.name())
        }
    }
}

/// The lowest bits of `x` as an element of a type.
fn wrap(x: i64, ty: DataType) -> i64 {
    operand::wide_integers(ty, &operand::wide_integer_bytes(ty, [x]))[0]
}

/// What an unquantised integer is clamped to.
fn activated_range(ty: DataType, activation: Activation) -> (i64, i64) {
    let (least, most) = operand::integer_range(ty);
    match activation {
        Activation::None => (least, most),
        Activation::Relu => (least.max(0), most),
        Activation::ReluN1To1 => (least.max(-1), most.min(1)),
        Activation::Relu6 => (least.max(0), most.min(6)),
    }
}

fn sum(
    graph: &Graph,
    node: &Node,
    op: Binary,
    activation: Activation,
    pairs: impl Iterator<Item = (i32, i32)>,
) -> Vec<i64> {
    let params = quant::sum_params(graph, node, activation).expect("checked");
    let scaled = |x: i32, input: usize| {
        let (zero_point, factor) = params.inputs[input];
        let shifted = (x - zero_point).wrapping_shl(params.left_shift);
        arithmetic::requantize(shifted, factor, Rounding::Twice)
    };
    let results = pairs.map(|(a, b)| {
        let (a, b) = (scaled(a, 0), scaled(b, 1));
        let sum = if op == Binary::Add {
            a.wrapping_add(b)
        } else if op == Binary::Sub {
            a.wrapping_sub(b)
        } else {
            a.wrapping_sub(b).wrapping_mul(a.wrapping_sub(b))
        };
        let result = arithmetic::requantize(sum, params.output, Rounding::Twice);
        arithmetic::offset_and_clamp(result, params.output_zero_point, params.range)
    });
    results.collect()
}

/// a / b times the factor: a, as far to the left as it goes, times the reciprocal of b's size, times the
/// factor, rounded after each. 0 where b is 0.
fn quotient(params: &ProductParams, a: i32, b: i32) -> i32 {
    if b == 0 {
        return 0;
    }
    let (a, b) = if b < 0 { (-a, -b) } else { (a, b) };
    let (multiplier, reciprocal_shift) = quant::reciprocal(b.unsigned_abs());
    let headroom = (if a < 0 { !a } else { a }).leading_zeros() as i32 - 1;
    let unscaled = arithmetic::high_mul(a.wrapping_shl(headroom as u32), multiplier);
    let right = reciprocal_shift + headroom - params.requantization.shift;
    let scaled = arithmetic::high_mul(unscaled, params.requantization.multiplier);
    if right > 31 {
        return 0;
    }
    arithmetic::divide_by_power(scaled, right as u32)
}

/// a / b of reals, as an integer of the third scale. 0 where b is 0.
fn quotient_of_reals(scales: [f32; 3], a: i32, b: i32) -> i32 {
    if b == 0 {
        return 0;
    }
    let quotient = scales[0] * a as f32 / (scales[1] * b as f32);
    libm::roundf(quotient / scales[2]) as i32
}
