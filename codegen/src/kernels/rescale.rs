//! Requantisation of values that are known to be small enough, in half the instructions of [`requantize`](super::requantize), where the
//! high half of a product of words costs no more than the product: in vectors, and on a Cortex-M7.
//!
//! With m the multiplier, s and r the shifts to the left and to the right, of which one is 0, and R one
//! more than the greatest r of all channels, k = R - r is at least 1, and the result plus a zero point z is
//!   h = floor(x * 2^(s + k + 1) * m / 2^32),  (h + a - [x < 0] * n) >> R
//! where x * 2^(s + k + 1) must fit 32 bits, so that h is the high half of one product.
//!   Rounding once, or r = 0: a = 2^(R - 1) + z * 2^R, n = 0.
//!   Rounding twice, r >= 1:  a = 2^(k - 1) + 2^(R - 1) + z * 2^R, n = 2^k.
//! Floors of floors compose: rounding twice is y = floor((x * m + 2^30) / 2^31) and then
//! floor((y + 2^(r - 1) - [y < 0]) / 2^r), together floor((x * m + 2^30 + 2^(30 + r) - [y < 0] * 2^31) /
//! 2^(31 + r)), and each term but the first is an integer times 2^(32 - k - 1), k >= 1. For y = 0 and x < 0
//! subtracting makes no difference, as the numerator stays in 0..2^(31 + r). Where negative results are
//! clamped to zero, neither does it otherwise, and n is left out.

use rune_ir::quant::{Requantization, Rounding};

use crate::nest::{Builder, Expr, Lanes, Op, Ty};

/// The high word of each 64-bit lane of two vectors.
const HIGH_WORDS: Lanes = [4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31];

/// Numbers of a channel: m, 2^(s + k + 1), a, -n.
const FIELDS: usize = 4;

/// The greatest R for which a sum of h, a and n cannot overflow: |h| < 2^30, |z| < 2^8.
const MOST_SHIFT: u32 = 20;

/// The factors of channels, for I32x4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rescale {
    shift: u32,
    channels: Vec<[i32; FIELDS]>,
    /// Whether every channel has the same number, by field.
    common: [bool; FIELDS],
}

impl Rescale {
    /// The factors, if the values x of each channel, at most `bounds` in size, are small enough.
    /// `clamped`: negative results, before the zero point is added, count as zero.
    pub(super) fn new(
        factors: &[Requantization],
        bounds: &[u64],
        rounding: Rounding,
        zero_point: i32,
        clamped: bool,
    ) -> Option<Self> {
        let right = |f: &Requantization| (-f.shift).max(0).cast_unsigned();
        let shift = factors.iter().map(right).max()? + 1;
        if shift > MOST_SHIFT {
            return None;
        }
        let channel = |(factor, bound): (&Requantization, &u64)| {
            let r = right(factor);
            let k = shift - r;
            let power = factor.shift.max(0).cast_unsigned() + k + 1;
            if power > 30 || bound.checked_mul(1 << power)? > i32::MAX as u64 {
                return None;
            }
            let twice = rounding == Rounding::Twice && r > 0;
            let first = if twice { 1 << (k - 1) } else { 0 };
            let negative = if twice && !clamped { -1 << k } else { 0 };
            let addend = first + (1 << (shift - 1)) + (zero_point << shift);
            Some([factor.multiplier, 1 << power, addend, negative])
        };
        let channels: Vec<_> = factors
            .iter()
            .zip(bounds)
            .map(channel)
            .collect::<Option<_>>()?;
        let same = |field: usize| channels.iter().all(|c| c[field] == channels[0][field]);
        Some(Self {
            shift,
            common: std::array::from_fn(same),
            channels,
        })
    }

    /// How many numbers of a channel differ from those of another.
    pub(super) fn count(&self) -> u32 {
        self.common.iter().map(|c| u32::from(!c)).sum()
    }

    /// The numbers of a channel, for a table.
    pub(super) fn fields(&self, channel: usize) -> impl Iterator<Item = i32> {
        let fields = self.channels[channel].into_iter().zip(self.common);
        fields.filter(|(_, common)| !common).map(|(value, _)| value)
    }

    /// `x`, an I32 or an I32x4, times the factor, plus the zero point. `field` gives each of [`count`](Self::count)
    /// numbers for the channels in the lanes.
    pub(super) fn apply(
        &self,
        f: &mut Builder,
        x: Expr,
        mut field: impl FnMut(u32) -> Expr,
    ) -> Expr {
        let mut next = 0;
        let mut number = |at: usize| {
            if self.common[at] {
                return Err(self.channels[0][at]);
            }
            next += 1;
            Ok(field(next - 1))
        };
        let ty = x.ty();
        let splat = |value: i32| Expr::constant(ty, value.into());
        let multiplier = number(0).unwrap_or_else(splat);
        let x = match number(1) {
            Ok(scale) => x * scale,
            Err(power) => x << Expr::I32(power.trailing_zeros().cast_signed()),
        };
        let x = f.value("x", x);
        let high = if ty == Ty::I32 {
            let [x, multiplier] =
                [x.clone(), multiplier].map(|word| Expr::op(Op::I64ExtendI32S, [word]));
            Expr::op(Op::I32WrapI64, [(x * multiplier) >> Expr::I64(32)])
        } else {
            let product = |op| Expr::op(op, [x.clone(), multiplier.clone()]);
            let low = product(Op::I64x2ExtMulLowI32x4S);
            let high = product(Op::I64x2ExtMulHighI32x4S);
            low.shuffle(high, HIGH_WORDS).lanes(Ty::I32x4)
        };
        let sum = high + number(2).unwrap_or_else(splat);
        let negative = number(3);
        let sum = if negative == Err(0) {
            sum
        } else {
            let negative = negative.unwrap_or_else(splat);
            let and = if ty == Ty::I32 {
                Op::I32And
            } else {
                Op::V128And
            };
            sum + Expr::op(and, [x >> Expr::I32(31), negative])
        };
        sum >> Expr::I32(self.shift.cast_signed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `apply` computes.
    fn rescaled(rescale: &Rescale, x: i64) -> i64 {
        let [multiplier, scale, addend, negative] = rescale.channels[0].map(i64::from);
        let high = (x * scale * multiplier) >> 32;
        (high + addend + if x < 0 { negative } else { 0 }) >> rescale.shift
    }

    /// The definition: a high product, then a power of two, each rounded.
    fn expected(factor: Requantization, rounding: Rounding, x: i64) -> i64 {
        let (left, right) = (factor.shift.max(0), (-factor.shift).max(0));
        let product = (x << left) * i64::from(factor.multiplier);
        if rounding == Rounding::Once || right == 0 {
            return (product + (1 << (30 + right))) >> (31 + right);
        }
        let y = (product + (1 << 30)) >> 31;
        // Halves away from zero.
        let size = (y.abs() + (1 << (right - 1))) >> right;
        size * y.signum()
    }

    #[test]
    fn gives_what_two_roundings_give() {
        let mut state = 1u32;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state
        };
        for shift in -12..=3 {
            for round in 0..40 {
                // Multipliers with few bits make many results lie on halves.
                let bits = random() >> (round % 30);
                let multiplier = (1 << 30) + (bits << (round % 30) & 0x3fff_ffff).cast_signed();
                let factor = Requantization { multiplier, shift };
                let other = Requantization {
                    multiplier: 1 << 30,
                    shift: -12,
                };
                let bound = 1 << 14;
                for (rounding, clamped) in [
                    (Rounding::Once, false),
                    (Rounding::Twice, false),
                    (Rounding::Twice, true),
                ] {
                    for factors in [vec![factor], vec![factor, other]] {
                        let bounds = vec![bound; factors.len()];
                        let zero = (random() % 256).cast_signed() - 128;
                        let rescale = Rescale::new(&factors, &bounds, rounding, zero, clamped);
                        let Some(rescale) = rescale else {
                            assert!(factors.len() > 1 && shift > 1, "{factors:?}");
                            continue;
                        };
                        for i in 0..200 {
                            let x = if i < 100 {
                                i - 50
                            } else {
                                i64::from(random() % (2 << 14)) - bound.cast_signed()
                            };
                            let expected = expected(factor, rounding, x);
                            let actual = rescaled(&rescale, x) - i64::from(zero);
                            let low = i64::from(i32::MIN) * i64::from(!clamped);
                            assert_eq!(actual.max(low), expected.max(low), "{x} {factors:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_too_large_is_left_alone() {
        let factor = |shift| Requantization {
            multiplier: 1 << 30,
            shift,
        };
        let new = |factors: &[Requantization], bound| {
            let bounds = vec![bound; factors.len()];
            Rescale::new(factors, &bounds, Rounding::Twice, 0, false)
        };
        assert!(new(&[factor(-8)], (1 << 29) - 1).is_some());
        assert!(new(&[factor(-8)], 1 << 29).is_none());
        assert!(new(&[factor(-20)], 1).is_none());
        assert!(new(&[factor(-8), factor(29)], 0).is_none());
    }
}
