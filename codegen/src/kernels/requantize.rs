//! Requantisation: an i32 times a factor that is a 31-bit multiplier and a shift, exactly rounded.
//!
//! With r the shift to the right and P = 2^(31 - r), both ways of rounding are two steps of 64 bits:
//!   twice:  y = (x * multiplier + 2^30) >> 31,  (y * P + 2^30 - [y < 0]) >> 31
//!   once:   y = (x * multiplier) >> 31,         (y * P + 2^30) >> 31
//! The first step of `twice` is gemmlowp's high multiplication. Its second is y / 2^r with halves away
//! from zero: subtracting 1 before the floor moves only what lies exactly on a half below zero, as y * P
//! is a multiple of P, and for r = 0 the 2^30 absorbs it. For `once`, floors compose:
//! floor((x * m + 2^(30 + r)) / 2^(31 + r)) = floor((floor(x * m / 2^31) + 2^(r - 1)) / 2^r) for r >= 1;
//! a factor with r = 0 or a shift to the left is taken as twice the sum with r = 1, which is the same while
//! that fits an i32: for sums of less than 2^(30 - shift), whose results are beyond 8 bits long before.
//!
//! P = 2^31 does not fit an i32, but -P always does, so tables hold -P. Vectors take only the low half of
//! each 64-bit result, which a logical shift gives as well as an arithmetic one, of which x86 has none.

use rune_ir::quant::{Requantization, Rounding};

use crate::nest::{Builder, Expr, Lanes, Op, Ty};

const HALF: i64 = 1 << 30;

/// The low word of each 64-bit lane of two vectors.
const LOW_WORDS: Lanes = [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27];

/// A factor as the formulas above take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Factor {
    pub(super) multiplier: i32,
    /// -2^(31 - r).
    pub(super) minus_power: i32,
    /// 2^left, modulo 2^32.
    pub(super) scale: i32,
}

impl Factor {
    pub(super) fn new(factor: Requantization, rounding: Rounding) -> Self {
        let Requantization { multiplier, shift } = factor;
        let (left, right) = match rounding {
            Rounding::Once if shift >= 0 => (shift + 1, 1),
            Rounding::Once | Rounding::Twice => (shift.max(0), (-shift).max(0)),
        };
        Self {
            multiplier,
            minus_power: (-1i64 << (31 - right)) as i32,
            scale: 1i32.wrapping_shl(left as u32),
        }
    }

    /// `x` times the factor, rounded twice, computed now.
    pub(super) fn apply_twice(self, x: i32) -> i32 {
        let scaled = i64::from(x.wrapping_mul(self.scale));
        let y = (scaled * i64::from(self.multiplier) + HALF) >> 31;
        ((HALF - i64::from(y < 0) - y * i64::from(self.minus_power)) >> 31) as i32
    }
}

/// A [`Factor`] as expressions of type I32 or I32x4; no scale where it is 1.
#[derive(Clone, Debug)]
pub(super) struct FactorExprs {
    pub(super) multiplier: Expr,
    pub(super) minus_power: Expr,
    pub(super) scale: Option<Expr>,
}

impl FactorExprs {
    /// The same constant factor in every lane.
    pub(super) fn constant(ty: Ty, factor: Factor) -> Self {
        let constant = |value: i32| Expr::constant(ty, value.into());
        Self {
            multiplier: constant(factor.multiplier),
            minus_power: constant(factor.minus_power),
            scale: (factor.scale != 1).then(|| constant(factor.scale)),
        }
    }
}

/// `x` times the factor, I32 or I32x4 as `x` is.
pub(super) fn requantize(
    f: &mut Builder,
    x: Expr,
    factor: &FactorExprs,
    rounding: Rounding,
) -> Expr {
    let x = match &factor.scale {
        Some(scale) => x * scale.clone(),
        None => x,
    };
    if x.ty() == Ty::I32 {
        scalar(f, &x, factor, rounding)
    } else {
        vector(f, x, factor, rounding)
    }
}

/// Widens an i32; a constant stays one.
fn wide(x: &Expr) -> Expr {
    if let Expr::I32(value) = x {
        return Expr::I64((*value).into());
    }
    Expr::op(Op::I64ExtendI32S, [x.clone()])
}

fn scalar(f: &mut Builder, x: &Expr, factor: &FactorExprs, rounding: Rounding) -> Expr {
    let product = wide(x) * wide(&factor.multiplier);
    let scaled = |y: Expr| y * wide(&factor.minus_power);
    let second = match rounding {
        Rounding::Once => {
            let y = product >> Expr::I64(31);
            Expr::I64(HALF) - scaled(y)
        }
        Rounding::Twice => {
            let y = (product + Expr::I64(HALF)) >> Expr::I64(31);
            let y = f.value("y", y);
            (y.clone() >> Expr::I64(63)) + Expr::I64(HALF) - scaled(y)
        }
    };
    Expr::op(Op::I32WrapI64, [second >> Expr::I64(31)])
}

fn vector(f: &mut Builder, x: Expr, factor: &FactorExprs, rounding: Rounding) -> Expr {
    let half = || Expr::constant(Ty::I64x2, HALF);
    let shift = |x: Expr| Expr::op(Op::I64x2ShrU, [x, Expr::I32(31)]);
    let halves = [
        (Op::I64x2ExtMulLowI32x4S, Op::I64x2ExtendLowI32x4S),
        (Op::I64x2ExtMulHighI32x4S, Op::I64x2ExtendHighI32x4S),
    ];
    let join = |[low, high]: [Expr; 2]| low.shuffle(high, LOW_WORDS).lanes(Ty::I32x4);
    let x = f.value("sum", x);
    let first = halves.map(|(multiply, _)| {
        let product = Expr::op(multiply, [x.clone(), factor.multiplier.clone()]);
        shift(match rounding {
            Rounding::Once => product,
            Rounding::Twice => product + half(),
        })
    });
    let y = f.value("y", join(first));
    let sign = match rounding {
        Rounding::Once => None,
        Rounding::Twice => Some(f.value("sign", y.clone() >> Expr::I32(31))),
    };
    join(halves.map(|(multiply, extend)| {
        let rounded = match &sign {
            None => half(),
            Some(sign) => Expr::op(extend, [sign.clone()]) + half(),
        };
        shift(rounded - Expr::op(multiply, [y.clone(), factor.minus_power.clone()]))
    }))
}

/// `x`, an I32, clamped to a range.
pub(super) fn clamp(f: &mut Builder, x: Expr, (least, most): (i32, i32)) -> Expr {
    let x = f.value("q", x);
    let low = x.clone().lt(Expr::I32(least));
    let x = f.value("q", Expr::I32(least).or_else(low, x));
    let high = Expr::I32(most).lt(x.clone());
    Expr::I32(most).or_else(high, x)
}

/// `x` + `zero_point` clamped to `range`, an I32.
pub(super) fn offset_and_clamp(
    f: &mut Builder,
    x: Expr,
    zero_point: i32,
    range: (i32, i32),
) -> Expr {
    let x = if zero_point == 0 {
        x
    } else {
        x + Expr::I32(zero_point)
    };
    clamp(f, x, range)
}
