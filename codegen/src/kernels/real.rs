//! Functions of f32 that are a few instructions, on one or in vectors, and which functions those are.

use rune_ir::op::{Binary, Unary};

use super::{
    binary::extreme,
    exp::expf,
    float::{at_least, at_most},
    transcendental::{erfc, expm1, ln, pow, remainder, sine, tanh},
};
use crate::nest::{Builder, Expr, Op, Ty};

/// The instruction for one f32, or that for four.
fn either(ty: Ty, one: Op, four: Op) -> Op {
    if ty == Ty::F32x4 { four } else { one }
}

/// The integer at or below each, F32 or F32x4.
fn floor(x: Expr) -> Expr {
    Expr::op(either(x.ty(), Op::F32Floor, Op::F32x4Floor), [x])
}

/// x in a range; NaN stays, and a zero keeps its sign.
fn clamp(f: &mut Builder, x: Expr, least: f32, most: f32) -> Expr {
    let real = |value| Expr::real(x.ty(), value);
    let (least, most) = (real(least), real(most));
    let x = f.value("x", x);
    let x = f.value("x", at_least(x, least));
    at_most(x, most)
}

/// `yes` where a is above b.
fn where_above(a: Expr, b: Expr, yes: Expr, no: Expr) -> Expr {
    let above = Expr::op(either(a.ty(), Op::F32Gt, Op::F32x4Gt), [a, b]);
    yes.or_else(above, no)
}

/// An F32 as an I32, to nearest with halves away from zero; what does not fit saturates.
pub(super) fn rounded(f: &mut Builder, x: Expr) -> Expr {
    // Adding the float before 0.5 and cutting off rounds halves away from zero; exactly 0.5 would round the
    // float before it up to 1.
    let x = f.value("x", x);
    let half = Expr::f32(f32::from_bits(0x3eff_ffff));
    let half = Expr::op(Op::F32Copysign, [half, x.clone()]);
    Expr::op(Op::I32TruncSatF32S, [x + half])
}

/// A function of two F32, or of F32x4 but for POW and `FLOOR_MOD`, before it is made canonical.
pub(super) fn binary(f: &mut Builder, op: Binary, a: Expr, b: Expr) -> Expr {
    match op {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
        Binary::FloorDiv => floor(a / b),
        Binary::FloorMod => remainder(f, a, b),
        Binary::Maximum => extreme(true, a, b),
        Binary::Minimum => extreme(false, a, b),
        Binary::SquaredDifference => {
            let difference = f.value("difference", a - b);
            difference.clone() * difference
        }
        Binary::Prelu => {
            let zero = Expr::real(a.ty(), 0.0);
            let op = either(a.ty(), Op::F32Ge, Op::F32x4Ge);
            let above = Expr::op(op, [a.clone(), zero]);
            a.clone().or_else(above, a * b)
        }
        Binary::Pow => pow(f, a, b),
        Binary::AddPowers
        | Binary::SubPowers
        | Binary::Equal
        | Binary::NotEqual
        | Binary::Greater
        | Binary::GreaterEqual
        | Binary::Less
        | Binary::LessEqual
        | Binary::LogicalAnd
        | Binary::LogicalOr
        | Binary::BitwiseXor
        | Binary::RightShift => unreachable!("{} gives no real", op.name()),
    }
}

/// Whether [`unary`] takes F32x4 too.
pub(super) fn in_vectors(op: Unary) -> bool {
    matches!(
        op,
        Unary::Abs
            | Unary::Neg
            | Unary::Sqrt
            | Unary::Rsqrt
            | Unary::Square
            | Unary::Ceil
            | Unary::Floor
            | Unary::Round
            | Unary::ReluN1To1
            | Unary::Relu0To1
            | Unary::LeakyRelu { .. }
            | Unary::HardSwish
            | Unary::Sign
            | Unary::Cast
            | Unary::Exp
            | Unary::Elu
            | Unary::Tanh
            | Unary::Gelu { approximate: true }
    )
}

/// A function of an F32, or of an F32x4 if it is [`in_vectors`], before it is made canonical.
pub(super) fn unary(f: &mut Builder, op: Unary, x: Expr) -> Expr {
    let ty = x.ty();
    let real = |value: f32| Expr::real(ty, value);
    let simple = |one: Op, four: Op, x: Expr| Expr::op(either(ty, one, four), [x]);
    let x = f.value("x", x);
    match op {
        Unary::Abs => simple(Op::F32Abs, Op::F32x4Abs, x),
        Unary::Neg => simple(Op::F32Neg, Op::F32x4Neg, x),
        Unary::Sign => {
            let below = where_above(real(0.0), x.clone(), real(-1.0), real(0.0));
            where_above(x, real(0.0), real(1.0), below)
        }
        Unary::Sin => sine(f, x, 0),
        Unary::Cos => sine(f, x, 1),
        Unary::Exp => expf(f, x),
        Unary::Log => ln(f, x),
        Unary::Sqrt => simple(Op::F32Sqrt, Op::F32x4Sqrt, x),
        Unary::Rsqrt => real(1.0) / simple(Op::F32Sqrt, Op::F32x4Sqrt, x),
        Unary::Square => x.clone() * x,
        Unary::Ceil => simple(Op::F32Ceil, Op::F32x4Ceil, x),
        Unary::Floor => floor(x),
        Unary::Round => simple(Op::F32Nearest, Op::F32x4Nearest, x),
        Unary::ReluN1To1 => clamp(f, x, -1.0, 1.0),
        Unary::Relu0To1 => clamp(f, x, 0.0, 1.0),
        Unary::LeakyRelu { alpha } => where_above(x.clone(), real(0.0), x.clone(), x * real(alpha)),
        Unary::Elu => {
            let below = x.clone().lt(real(0.0));
            expm1(f, x.clone()).or_else(below, x)
        }
        Unary::HardSwish => {
            let gate = clamp(f, x.clone() + real(3.0), 0.0, 6.0);
            x * gate / real(6.0)
        }
        Unary::Tanh => tanh(f, x),
        Unary::Gelu { approximate: false } => {
            let complement = erfc(f, x.clone() * real(-std::f32::consts::FRAC_1_SQRT_2));
            real(0.5) * x * complement
        }
        Unary::Gelu { approximate: true } => {
            let cube = real(0.044_715) * x.clone() * x.clone() * x.clone();
            let t = tanh(f, real(SQRT_2_OVER_PI) * (x.clone() + cube));
            real(0.5) * x * (real(1.0) + t)
        }
        Unary::Cast => x,
        Unary::ZerosLike => real(0.0),
        Unary::LogicalNot => unreachable!("LOGICAL_NOT is not of reals"),
    }
}

/// sqrt(2 / pi).
const SQRT_2_OVER_PI: f32 = 0.797_884_6;
