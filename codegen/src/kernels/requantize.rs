//! Requantisation: an i32 times a factor that is a 31-bit multiplier and a shift, exactly rounded.
//!
//! With s the shift to the left, r that to the right, of which one is 0, and P = 2^(31 - r), both ways of
//! rounding are two steps of 64 bits:
//!   twice:  y = ((x * 2^s) * multiplier + 2^30) >> 31,  (y * P + 2^30 - [y < 0]) >> 31
//!   once:   y = ((x * multiplier) * 2^s + h) >> 31,     (y * P + 2^30) >> 31
//! The first step of `twice` is gemmlowp's high multiplication. Its second is y / 2^r with halves away
//! from zero: subtracting 1 before the floor moves only what lies exactly on a half below zero, as y * P
//! is a multiple of P. For `once` and r >= 1, h is 0 and floors compose: floor((x * m + 2^(30 + r)) /
//! 2^(31 + r)) = floor((floor(x * m / 2^31) + 2^(r - 1)) / 2^r). For r = 0, h is 2^30 and y the result.
//! That may not fit 32 bits, but its low 32 depend only on bits 31 to 62 of a product modulo 2^64.
//!
//! For r = 0 the second step changes nothing, and is left out where that holds for every channel; so are
//! 2^s and h where they are 1 and 0 for every channel.
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
    multiplier: i32,
    /// -2^(31 - r).
    minus_power: i32,
    /// 2^s.
    scale: i32,
    /// h.
    half: i32,
}

impl Factor {
    pub(super) fn new(factor: Requantization, rounding: Rounding) -> Self {
        let Requantization { multiplier, shift } = factor;
        Self {
            multiplier,
            minus_power: (-1i64 << (31 - (-shift).max(0))) as i32,
            scale: 1 << shift.max(0),
            half: if rounding == Rounding::Once && shift >= 0 {
                HALF as i32
            } else {
                0
            },
        }
    }

    /// `x` times the factor, rounded twice, computed now.
    pub(super) fn apply_twice(self, x: i32) -> i32 {
        let scaled = i64::from(x.wrapping_mul(self.scale));
        let y = (scaled * i64::from(self.multiplier) + HALF) >> 31;
        ((HALF - i64::from(y < 0) - y * i64::from(self.minus_power)) >> 31) as i32
    }
}

/// Which parts of the formulas the factors of a kernel need.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    minus_power: bool,
    scale: bool,
    half: bool,
}

impl Parts {
    pub(super) fn of(factors: &[Factor]) -> Self {
        Self {
            minus_power: factors.iter().any(|f| f.minus_power != i32::MIN),
            scale: factors.iter().any(|f| f.scale != 1),
            half: factors.iter().any(|f| f.half != 0),
        }
    }

    /// How many numbers a factor is.
    pub(super) fn count(self) -> u32 {
        1 + [self.minus_power, self.scale, self.half]
            .map(u32::from)
            .iter()
            .sum::<u32>()
    }

    /// The numbers of a factor, for a table.
    pub(super) fn fields(self, factor: Factor) -> Vec<i32> {
        let Factor {
            multiplier,
            minus_power,
            scale,
            half,
        } = factor;
        let mut fields = vec![multiplier];
        fields.extend(self.minus_power.then_some(minus_power));
        fields.extend(self.scale.then_some(scale));
        fields.extend(self.half.then_some(half));
        fields
    }

    /// A factor whose numbers are these, in the order of [`Self::fields`].
    pub(super) fn exprs(self, fields: impl IntoIterator<Item = Expr>) -> FactorExprs {
        let mut fields = fields.into_iter();
        let mut next = || fields.next().expect("a number for each part");
        FactorExprs {
            multiplier: next(),
            minus_power: self.minus_power.then(&mut next),
            scale: self.scale.then(&mut next),
            half: self.half.then(&mut next),
        }
    }
}

/// A [`Factor`] as expressions of type I32 or I32x4, without the [`Parts`] that are not needed.
#[derive(Clone, Debug)]
pub(super) struct FactorExprs {
    multiplier: Expr,
    minus_power: Option<Expr>,
    scale: Option<Expr>,
    half: Option<Expr>,
}

impl FactorExprs {
    /// The same constant factor in every lane.
    pub(super) fn constant(ty: Ty, factor: Factor) -> Self {
        let parts = Parts::of(&[factor]);
        let fields = parts.fields(factor).into_iter();
        parts.exprs(fields.map(|value| Expr::constant(ty, value.into())))
    }
}

/// `x` times the factor, I32 or I32x4 as `x` is.
pub(super) fn requantize(
    f: &mut Builder,
    x: Expr,
    factor: &FactorExprs,
    rounding: Rounding,
) -> Expr {
    let x = match (rounding, &factor.scale) {
        (Rounding::Twice, Some(scale)) => x * scale.clone(),
        (Rounding::Twice | Rounding::Once, _) => x,
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
    let first = match rounding {
        Rounding::Twice => product + Expr::I64(HALF),
        Rounding::Once => {
            let scaled = match &factor.scale {
                Some(scale) => product * wide(scale),
                None => product,
            };
            match &factor.half {
                Some(half) => scaled + wide(half),
                None => scaled,
            }
        }
    };
    let y = first >> Expr::I64(31);
    let result = match &factor.minus_power {
        None => y,
        Some(minus_power) => {
            let (y, half) = match rounding {
                Rounding::Once => (y, Expr::I64(HALF)),
                Rounding::Twice => {
                    let y = f.value("y", y);
                    (y.clone(), (y >> Expr::I64(63)) + Expr::I64(HALF))
                }
            };
            (half - y * wide(minus_power)) >> Expr::I64(31)
        }
    };
    Expr::op(Op::I32WrapI64, [result])
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
    let first = halves.map(|(multiply, extend)| {
        let widened = |x: &Expr| Expr::op(extend, [x.clone()]);
        let product = Expr::op(multiply, [x.clone(), factor.multiplier.clone()]);
        shift(match rounding {
            Rounding::Twice => product + half(),
            Rounding::Once => {
                let scaled = match &factor.scale {
                    Some(scale) => product * widened(scale),
                    None => product,
                };
                match &factor.half {
                    Some(half) => scaled + widened(half),
                    None => scaled,
                }
            }
        })
    });
    let y = join(first);
    let Some(minus_power) = &factor.minus_power else {
        return y;
    };
    let y = f.value("y", y);
    let sign = match rounding {
        Rounding::Once => None,
        Rounding::Twice => Some(f.value("sign", y.clone() >> Expr::I32(31))),
    };
    join(halves.map(|(multiply, extend)| {
        let rounded = match &sign {
            None => half(),
            Some(sign) => Expr::op(extend, [sign.clone()]) + half(),
        };
        shift(rounded - Expr::op(multiply, [y.clone(), minus_power.clone()]))
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

/// `x` + `zero_point` clamped to `range`, an I32. It is clamped first, so that the sum cannot overflow.
pub(super) fn offset_and_clamp(
    f: &mut Builder,
    x: Expr,
    zero_point: i32,
    (least, most): (i32, i32),
) -> Expr {
    let clamped = clamp(f, x, (least - zero_point, most - zero_point));
    if zero_point == 0 {
        return clamped;
    }
    clamped + Expr::I32(zero_point)
}
