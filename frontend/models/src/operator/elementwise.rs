//! What computes each element from the elements in its place.

use rune_ir::{
    graph::DataType,
    op::{Activation, Binary, Op, Unary},
    quant,
};

use super::{Read, ReadOp, Reader, activation};
use crate::{
    error::{ImportError, unsupported_form},
    schema,
};

pub(super) fn reader(name: &str) -> Option<ReadOp> {
    Some(match name {
        "ABS" => |r| r.unary(Unary::Abs),
        "ADD" => |r| r.sum(11, Binary::Add, Binary::AddPowers),
        "ADD_N" => |r| r.same_shape(Op::AddN),
        "BITWISE_XOR" => |r| r.binary(Binary::BitwiseXor),
        "CAST" => |r| r.unary(Unary::Cast),
        "CEIL" => |r| r.unary(Unary::Ceil),
        "COS" => |r| r.unary(Unary::Cos),
        "DEQUANTIZE" => |r| r.dequantize(),
        "DIV" => |r| r.product(29, Binary::Div),
        "ELU" => |r| r.unary(Unary::Elu),
        "EQUAL" => |r| r.binary(Binary::Equal),
        "EXP" => |r| r.unary(Unary::Exp),
        "FLOOR" => |r| r.unary(Unary::Floor),
        "FLOOR_DIV" => |r| r.binary(Binary::FloorDiv),
        "FLOOR_MOD" => |r| r.binary(Binary::FloorMod),
        "GELU" => |r| {
            let options: Option<schema::GeluOptions> = r.options(116)?;
            let approximate = options.map(|o| o.approximate()).transpose()?.flatten();
            r.unary(Unary::Gelu {
                approximate: approximate.unwrap_or(0) != 0,
            })
        },
        "GREATER" => |r| r.binary(Binary::Greater),
        "GREATER_EQUAL" => |r| r.binary(Binary::GreaterEqual),
        "HARD_SWISH" => |r| r.unary(Unary::HardSwish),
        "LEAKY_RELU" => |r| {
            let options: schema::LeakyReluOptions = r.expect_options(75)?;
            let alpha = options.alpha()?.unwrap_or(0.0);
            r.unary(Unary::LeakyRelu { alpha })
        },
        "LESS" => |r| r.binary(Binary::Less),
        "LESS_EQUAL" => |r| r.binary(Binary::LessEqual),
        "LOG" => |r| r.unary(Unary::Log),
        "LOGICAL_AND" => |r| r.binary(Binary::LogicalAnd),
        "LOGICAL_NOT" => |r| r.unary(Unary::LogicalNot),
        "LOGICAL_OR" => |r| r.binary(Binary::LogicalOr),
        "LOGISTIC" => |r| r.same_shape(Op::Logistic),
        "MAXIMUM" => |r| r.binary(Binary::Maximum),
        "MINIMUM" => |r| r.binary(Binary::Minimum),
        "MUL" => |r| r.product(21, Binary::Mul),
        "NEG" => |r| r.unary(Unary::Neg),
        "NOT_EQUAL" => |r| r.binary(Binary::NotEqual),
        "POW" => |r| r.binary(Binary::Pow),
        "PRELU" => |r| r.binary(Binary::Prelu),
        "QUANTIZE" => |r| r.same_shape(Op::Quantize),
        "RELU" => |r| r.same_shape(Op::Relu),
        "RELU6" => |r| r.same_shape(Op::Relu6),
        "RELU_0_TO_1" => |r| r.unary(Unary::Relu0To1),
        "RELU_N1_TO_1" => |r| r.unary(Unary::ReluN1To1),
        "RIGHT_SHIFT" => |r| r.binary(Binary::RightShift),
        "ROUND" => |r| r.unary(Unary::Round),
        "RSQRT" => |r| r.unary(Unary::Rsqrt),
        "SELECT" => |r| r.select(),
        "SELECT_V2" => |r| {
            r.broadcast(&[0, 1, 2])?;
            Ok(Read::Op(Op::Select { rows: false }))
        },
        "SIGN" => |r| r.unary(Unary::Sign),
        "SIN" => |r| r.unary(Unary::Sin),
        "SQRT" => |r| r.unary(Unary::Sqrt),
        "SQUARE" => |r| r.unary(Unary::Square),
        "SQUARED_DIFFERENCE" => |r| r.binary(Binary::SquaredDifference),
        "SUB" => |r| r.sum(28, Binary::Sub, Binary::SubPowers),
        "TANH" => |r| r.unary(Unary::Tanh),
        "ZEROS_LIKE" => |r| r.unary(Unary::ZerosLike),
        _ => return None,
    })
}

impl Reader<'_, '_> {
    /// An operator without attributes, whose output has the shape of its first input.
    fn same_shape(&mut self, op: Op) -> Result<Read, ImportError> {
        self.keep_shape(0)?;
        Ok(Read::Op(op))
    }

    /// Constants of 16-bit floats are F32 already.
    fn dequantize(&mut self) -> Result<Read, ImportError> {
        if self.input(0)?.ty == DataType::F32 {
            return self.unfolded();
        }
        self.same_shape(Op::Dequantize)
    }

    fn unary(&mut self, op: Unary) -> Result<Read, ImportError> {
        self.same_shape(Op::Unary(op))
    }

    /// An operator of two inputs without attributes.
    fn binary(&mut self, op: Binary) -> Result<Read, ImportError> {
        self.broadcast(&[0, 1])?;
        Ok(Read::Op(Op::Binary {
            op,
            activation: Activation::None,
        }))
    }

    /// MUL or DIV.
    fn product(&mut self, options: u8, op: Binary) -> Result<Read, ImportError> {
        let options: Option<schema::MulOptions> = self.options(options)?;
        let fused = options.map(|o| o.fused_activation_function()).transpose()?;
        self.broadcast(&[0, 1])?;
        Ok(Read::Op(Op::Binary {
            op,
            activation: activation(fused.flatten())?,
        }))
    }

    /// ADD or SUB: `general`, or `powers` where the file asks for it and all scales are powers of two.
    fn sum(&mut self, options: u8, general: Binary, powers: Binary) -> Result<Read, ImportError> {
        let options: Option<schema::AddOptions> = self.options(options)?;
        let (mut fused, mut asked) = (None, true);
        if let Some(options) = options {
            fused = options.fused_activation_function()?;
            asked = options.pot_scale_int16()?.unwrap_or(1) != 0;
        }
        let fused = activation(fused)?;
        self.broadcast(&[0, 1])?;
        let mut fits = asked && self.input(0)?.ty == DataType::I16;
        for input in 0..2 {
            fits &= quant::power_of_two(self.input(input)?).is_some();
        }
        fits &= quant::power_of_two(self.output()?).is_some();
        let activation = fused;
        Ok(Read::Op(if fits {
            let op = powers;
            Op::Binary { op, activation }
        } else if general == Binary::Add {
            Op::Add { activation }
        } else {
            let op = general;
            Op::Binary { op, activation }
        }))
    }

    /// SELECT: with a condition of one element for each row, or as `SELECT_V2` has it.
    fn select(&mut self) -> Result<Read, ImportError> {
        let condition = self.input(0)?.shape.clone();
        let shape = self.input(1)?.shape.clone();
        let rows = condition.len() == 1 && shape.len() > 1 && condition.first() == shape.first();
        if rows {
            self.keep_shape(1)?;
        } else {
            self.broadcast(&[0, 1, 2])?;
        }
        Ok(Read::Op(Op::Select { rows }))
    }

    /// Says that the output has the shape that these inputs broadcast to.
    fn broadcast(&mut self, inputs: &[usize]) -> Result<(), ImportError> {
        let mut due: Vec<u32> = Vec::new();
        for input in inputs {
            let shape = self.input(*input)?.shape.clone();
            if shape.len() > due.len() {
                let missing = shape.len() - due.len();
                due.splice(0..0, std::iter::repeat_n(1, missing));
            }
            for (due, dim) in due.iter_mut().rev().zip(shape.iter().rev()) {
                if *due == 1 {
                    *due = *dim;
                } else if *dim != 1 && dim != due {
                    return Err(unsupported_form(format!(
                        "its input {input} of shape {shape:?} does not broadcast with those before"
                    )));
                }
            }
        }
        self.set_shape(0, due)
    }
}
