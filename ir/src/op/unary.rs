//! Functions of one element: ABS to `ZEROS_LIKE`, the rectifiers and LOGISTIC.
//!
//! On F32 each is the function of [`real`]. Integers that stand for reals go through a table of
//! [`quant::lookup`], or, where the function only bends the line, are requantised with two roundings.

use super::{Activation, arithmetic, operand, operand::Operands, real};
use crate::{
    graph::{DataType, Graph, Node, Tensor},
    quant::{self, Lookup, Rounding, SigmoidParams},
};

/// A function of one element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unary {
    /// |x|; of unquantised integers modulo 2^bits.
    Abs,
    /// -x, of integers as they are, modulo 2^bits.
    Neg,
    /// 1 above zero, -1 below, else 0.
    Sign,
    /// sin(x), as `libm::sinf` has it.
    Sin,
    /// cos(x), as `libm::cosf` has it.
    Cos,
    /// exp(x), as `libm::expf` has it.
    Exp,
    /// ln(x), as `libm::logf` has it.
    Log,
    /// The square root.
    Sqrt,
    /// 1 / sqrt(x), each step rounded.
    Rsqrt,
    /// x * x.
    Square,
    /// The next integer above.
    Ceil,
    /// The next integer below.
    Floor,
    /// The nearest integer, halves to even.
    Round,
    /// 1 for 0, else 0.
    LogicalNot,
    /// min(max(x, -1), 1).
    ReluN1To1,
    /// min(max(x, 0), 1).
    Relu0To1,
    /// x above zero, alpha * x elsewhere.
    LeakyRelu {
        /// The slope below zero.
        alpha: f32,
    },
    /// exp(x) - 1 below zero, as `libm::expm1f` has it; x elsewhere.
    Elu,
    /// x * min(max(x + 3, 0), 6) / 6.
    HardSwish,
    /// tanh(x), as `libm::tanhf` has it.
    Tanh,
    /// x * Φ(x), Φ being the normal distribution.
    Gelu {
        /// Whether Φ is approximated with tanh, or else made of `libm::erfcf`.
        approximate: bool,
    },
    /// x as a number of another type: cut off and saturating from F32, modulo 2^bits from integers, not 0 for
    /// truth values. NaN gives the greatest integer, and true.
    Cast,
    /// 0.
    ZerosLike,
}

impl Unary {
    /// The operator's name, as TFLite spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Abs => "ABS",
            Self::Neg => "NEG",
            Self::Sign => "SIGN",
            Self::Sin => "SIN",
            Self::Cos => "COS",
            Self::Exp => "EXP",
            Self::Log => "LOG",
            Self::Sqrt => "SQRT",
            Self::Rsqrt => "RSQRT",
            Self::Square => "SQUARE",
            Self::Ceil => "CEIL",
            Self::Floor => "FLOOR",
            Self::Round => "ROUND",
            Self::LogicalNot => "LOGICAL_NOT",
            Self::ReluN1To1 => "RELU_N1_TO_1",
            Self::Relu0To1 => "RELU_0_TO_1",
            Self::LeakyRelu { .. } => "LEAKY_RELU",
            Self::Elu => "ELU",
            Self::HardSwish => "HARD_SWISH",
            Self::Tanh => "TANH",
            Self::Gelu { .. } => "GELU",
            Self::Cast => "CAST",
            Self::ZerosLike => "ZEROS_LIKE",
        }
    }
}

pub(super) fn check(graph: &Graph, node: &Node, op: Unary) -> Result<(), String> {
    const F32: DataType = DataType::F32;
    const I8: DataType = DataType::I8;
    const U8: DataType = DataType::U8;
    const I16: DataType = DataType::I16;
    const I32: DataType = DataType::I32;
    const I64: DataType = DataType::I64;
    let operands = Operands::new(graph, node, (1, 1))?;
    let (x, output) = (operands.input(0), operands.output);
    operand::same_shape(x, output)?;
    if op == Unary::Cast {
        let (u16, u32) = (DataType::U16, DataType::U32);
        let types = [F32, I8, U8, I16, u16, I32, u32, I64, DataType::Bool];
        operand::one_of(x, &types)?;
        return operand::one_of(output, &types);
    }
    operand::same_type(x, output)?;
    let types: &[DataType] = match op {
        Unary::Abs => &[F32, I8, I16, I32],
        Unary::Neg => &[F32, I8, I16, I32, I64],
        Unary::Sign => &[F32, I32],
        Unary::Sin
        | Unary::Cos
        | Unary::Sqrt
        | Unary::Square
        | Unary::Ceil
        | Unary::Floor
        | Unary::Round => &[F32],
        Unary::Exp | Unary::Log | Unary::Rsqrt => &[F32, I8, I16],
        Unary::LogicalNot => &[DataType::Bool],
        Unary::LeakyRelu { .. } | Unary::Tanh => &[F32, I8, U8, I16],
        Unary::ReluN1To1 | Unary::Relu0To1 | Unary::HardSwish | Unary::Gelu { .. } => {
            &[F32, I8, U8]
        }
        Unary::Elu => &[F32, I8],
        Unary::Cast | Unary::ZerosLike => &[F32, I8, U8, I16, I32, I64, DataType::Bool],
    };
    operand::one_of(x, types)?;
    if let Unary::LeakyRelu { alpha } = op
        && !alpha.is_finite()
    {
        return Err(format!("its slope is {alpha}"));
    }
    match way(x, op) {
        Way::Real | Way::Plain => Ok(()),
        Way::Rescale => quant::rescale_params(graph, node, Activation::None).map(|_| ()),
        Way::Slope => quant::slope_params(graph, node).map(|_| ()),
        Way::Lookup => quant::lookup(graph, node).map(|_| ()),
    }
}

/// How a function is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// On F32.
    Real,
    /// On integers as they are.
    Plain,
    /// On integers that stand for reals: the line, perhaps bent at zero, then another scale and a clamp.
    Rescale,
    /// The same with two slopes.
    Slope,
    /// By a table.
    Lookup,
}

fn way(x: &Tensor, op: Unary) -> Way {
    let plain = [Unary::Neg, Unary::LogicalNot, Unary::ZerosLike, Unary::Cast].contains(&op);
    let bends = [Unary::Abs, Unary::ReluN1To1, Unary::Relu0To1].contains(&op);
    if x.ty == DataType::F32 {
        Way::Real
    } else if plain || x.ty == DataType::I32 || op == Unary::Abs && x.quantization.is_none() {
        Way::Plain
    } else if bends {
        Way::Rescale
    } else if matches!(op, Unary::LeakyRelu { .. }) {
        Way::Slope
    } else {
        Way::Lookup
    }
}

pub(super) fn evaluate(graph: &Graph, node: &Node, op: Unary, value: &[u8]) -> Vec<u8> {
    let operands = Operands::new(graph, node, (1, 1)).expect("checked");
    let (x, output) = (operands.input(0), operands.output);
    if op == Unary::Cast {
        return cast(x.ty, output.ty, value);
    }
    match way(x, op) {
        Way::Real => {
            let reals = operand::floats(value).into_iter();
            operand::float_bytes(reals.map(|x| real::unary(op, x)))
        }
        Way::Plain => {
            let elements = operand::wide_integers(x.ty, value).into_iter();
            operand::wide_integer_bytes(output.ty, elements.map(|x| plain(op, x)))
        }
        Way::Rescale => rescale(graph, node, Activation::None, op == Unary::Abs, value),
        Way::Slope => {
            let params = quant::slope_params(graph, node).expect("checked");
            let elements = operand::wide_integers(x.ty, value).into_iter();
            let results = elements.map(|x| {
                let x = x as i32 - params.zero_points[0];
                let result = if x >= 0 {
                    arithmetic::requantize(x, params.above, Rounding::Twice)
                } else {
                    let size = arithmetic::requantize(x, params.below, Rounding::Twice);
                    if params.negates { -size } else { size }
                };
                arithmetic::offset_and_clamp(result, params.output_zero_point, params.range)
            });
            operand::wide_integer_bytes(output.ty, results)
        }
        Way::Lookup => look_up(graph, node, value),
    }
}

fn plain(op: Unary, x: i64) -> i64 {
    if op == Unary::Abs {
        x.wrapping_abs()
    } else if op == Unary::Neg {
        x.wrapping_neg()
    } else if op == Unary::Sign {
        x.signum()
    } else if op == Unary::LogicalNot {
        i64::from(x == 0)
    } else {
        assert_eq!(op, Unary::ZerosLike, "a function of integers as they are");
        0
    }
}

fn cast(from: DataType, to: DataType, value: &[u8]) -> Vec<u8> {
    match (from == DataType::F32, to == DataType::F32) {
        (true, true) => operand::float_bytes(operand::floats(value)),
        (true, false) => {
            let (least, most) = operand::integer_range(to);
            let integers = operand::floats(value).into_iter().map(|x| {
                if to == DataType::Bool {
                    i64::from(x != 0.0)
                } else if x.is_nan() {
                    most
                } else {
                    // Saturates.
                    (x as i64).clamp(least, most)
                }
            });
            operand::wide_integer_bytes(to, integers)
        }
        (false, true) => {
            let integers = operand::wide_integers(from, value).into_iter();
            operand::float_bytes(integers.map(|x| x as f32))
        }
        (false, false) => {
            let integers = operand::wide_integers(from, value).into_iter();
            let truth = to == DataType::Bool;
            let cast = integers.map(|x| if truth { i64::from(x != 0) } else { x });
            operand::wide_integer_bytes(to, cast)
        }
    }
}

/// The law of RELU and RELU6.
pub(super) fn check_relu(graph: &Graph, node: &Node, activation: Activation) -> Result<(), String> {
    let operands = Operands::new(graph, node, (1, 1))?;
    operand::same_shape(operands.input(0), operands.output)?;
    operand::same_type(operands.input(0), operands.output)?;
    operand::one_of(
        operands.output,
        &[DataType::F32, DataType::I8, DataType::U8, DataType::I16],
    )?;
    if operands.output.ty != DataType::F32 {
        quant::rescale_params(graph, node, activation)?;
    }
    Ok(())
}

/// RELU and RELU6.
pub(super) fn relu(graph: &Graph, node: &Node, activation: Activation, value: &[u8]) -> Vec<u8> {
    let operands = Operands::new(graph, node, (1, 1)).expect("checked");
    if operands.output.ty == DataType::F32 {
        let reals = operand::floats(value).into_iter();
        operand::float_bytes(reals.map(|x| arithmetic::activate(activation, x)))
    } else {
        rescale(graph, node, activation, false, value)
    }
}

/// Integers of one scale, or their sizes, as integers of another.
pub(super) fn rescale(
    graph: &Graph,
    node: &Node,
    activation: Activation,
    sizes: bool,
    value: &[u8],
) -> Vec<u8> {
    let operands = Operands::new(graph, node, (1, 1)).expect("checked");
    let params = quant::rescale_params(graph, node, activation).expect("checked");
    let elements = operand::wide_integers(operands.input(0).ty, value).into_iter();
    let rescaled = elements.map(|x| {
        let shifted = (x as i32).wrapping_sub(params.input_zero_point);
        let shifted = if sizes { shifted.abs() } else { shifted };
        let result = arithmetic::requantize(shifted, params.requantization, Rounding::Twice);
        arithmetic::offset_and_clamp(result, params.output_zero_point, params.range)
    });
    operand::wide_integer_bytes(operands.output.ty, rescaled)
}

/// The law of LOGISTIC.
pub(super) fn check_logistic(graph: &Graph, node: &Node) -> Result<(), String> {
    let operands = Operands::new(graph, node, (1, 1))?;
    operand::same_shape(operands.input(0), operands.output)?;
    operand::same_type(operands.input(0), operands.output)?;
    let types = [DataType::F32, DataType::I8, DataType::U8, DataType::I16];
    operand::one_of(operands.output, &types)?;
    if operands.output.ty == DataType::F32 {
        return Ok(());
    }
    if operands.output.ty != DataType::I16 {
        operand::unit_affine(operands.output)?;
    }
    quant::lookup(graph, node).map(|_| ())
}

/// LOGISTIC.
pub(super) fn logistic(graph: &Graph, node: &Node, value: &[u8]) -> Vec<u8> {
    let operands = Operands::new(graph, node, (1, 1)).expect("checked");
    if operands.output.ty == DataType::F32 {
        let reals = operand::floats(value).into_iter();
        operand::float_bytes(reals.map(real::logistic))
    } else {
        look_up(graph, node, value)
    }
}

fn look_up(graph: &Graph, node: &Node, value: &[u8]) -> Vec<u8> {
    let words = || operand::wide_integers(DataType::I16, value).into_iter();
    match quant::lookup(graph, node).expect("checked") {
        Lookup::Bytes(table) => value.iter().map(|x| table[*x as usize]).collect(),
        Lookup::Words(table) => {
            let results = words().map(|x| {
                let entry = (256 + (x >> 7)) as usize;
                let slope = table[entry + 1].wrapping_sub(table[entry]);
                i64::from(table[entry]) + ((i64::from(slope) * (x & 127) + 64) >> 7)
            });
            operand::wide_integer_bytes(DataType::I16, results)
        }
        Lookup::Sigmoid(params) => {
            let tanh = !matches!(node.op, super::Op::Logistic);
            let results = words().map(|x| sigmoid(params, tanh, x));
            operand::wide_integer_bytes(DataType::I16, results)
        }
    }
}

/// TANH or LOGISTIC of an I16, as [`SigmoidParams`] says.
fn sigmoid(params: SigmoidParams, tanh: bool, x: i64) -> i64 {
    let half = (1i64 << params.shift) >> 1;
    let scaled = (x * i64::from(params.multiplier) + half) >> params.shift;
    let (fraction, saturated) = if tanh {
        (8, 65535 << 8)
    } else {
        (9, 32767 << 10)
    };
    let entry = (scaled.abs() >> fraction) as usize;
    let curve = if entry >= 255 {
        saturated
    } else {
        let [low, high] = [entry, entry + 1].map(|e| i64::from(quant::SIGMOID[e]));
        let part = scaled.abs() & ((1 << fraction) - 1);
        (low << fraction) + part * (high - low)
    };
    match (tanh, scaled >= 0) {
        (true, true) => (curve - (1 << 23) + 128) >> 8,
        (true, false) => ((1 << 23) - curve + 127) >> 8,
        (false, true) => (curve + 512) >> 10,
        (false, false) => ((1 << 25) - curve + 511) >> 10,
    }
}
