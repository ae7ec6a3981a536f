//! The arithmetic that evaluations share: activations of f32, rounding of integers.

use super::Activation;
use crate::quant::{self, Reduced, Requantization, Rounding, Sum};

/// `x` after `activation`. NaN stays NaN, and a zero keeps its sign.
pub(super) fn activate(activation: Activation, x: f32) -> f32 {
    match activation {
        Activation::None => x,
        Activation::Relu => at_least(x, 0.0),
        Activation::ReluN1To1 => at_most(at_least(x, -1.0), 1.0),
        Activation::Relu6 => at_most(at_least(x, 0.0), 6.0),
    }
}

/// `x`, or `bound` if that is greater.
pub(super) fn at_least(x: f32, bound: f32) -> f32 {
    if x < bound { bound } else { x }
}

/// `x`, or `bound` if that is less.
pub(super) fn at_most(x: f32, bound: f32) -> f32 {
    if bound < x { bound } else { x }
}

/// (a * b + 2^30) >> 31: the high half of twice the product, to nearest, halves up. Saturates the one
/// case that does not fit, the square of the least integer.
pub(super) fn high_mul(a: i32, b: i32) -> i32 {
    if a == i32::MIN && b == i32::MIN {
        return i32::MAX;
    }
    ((i64::from(a) * i64::from(b) + (1 << 30)) >> 31) as i32
}

/// x / 2^exponent to nearest, halves away from zero. `exponent` is 0..=31.
pub(super) fn divide_by_power(x: i32, exponent: u32) -> i32 {
    let quotient = (i64::from(x).abs() + ((1i64 << exponent) >> 1)) >> exponent;
    (if x < 0 { -quotient } else { quotient }) as i32
}

/// `x` times the factor, rounded as `rounding` says, modulo 2^32.
pub(super) fn requantize(x: i32, factor: Requantization, rounding: Rounding) -> i32 {
    let Requantization { multiplier, shift } = factor;
    match rounding {
        Rounding::Once => {
            let total = 31 - shift;
            ((i64::from(x) * i64::from(multiplier) + (1 << (total - 1))) >> total) as i32
        }
        Rounding::Twice => {
            let shifted = x.wrapping_shl(shift.max(0) as u32);
            divide_by_power(high_mul(shifted, multiplier), (-shift).max(0) as u32)
        }
    }
}

/// `x` + `zero_point` clamped to `range`, which fits the type of the result.
pub(super) fn offset_and_clamp(x: i32, zero_point: i32, (least, most): (i32, i32)) -> i64 {
    (i64::from(x) + i64::from(zero_point)).clamp(least.into(), most.into())
}

/// A sum of products times the factor, rounded as `sum` says, modulo 2^32.
pub(super) fn scale(x: i64, factor: Requantization, sum: Sum) -> i32 {
    match sum {
        Sum::Short(rounding) => requantize(x as i32, factor, rounding),
        Sum::LongOnce => {
            let total = 31 - factor.shift;
            (x.wrapping_mul(factor.multiplier.into())
                .wrapping_add(1 << (total - 1))
                >> total) as i32
        }
        Sum::LongReduced => {
            let Reduced { multiplier, shift } = quant::reduced(factor).expect("checked");
            (x.wrapping_mul(multiplier.into())
                .wrapping_add(1 << (shift - 1))
                >> shift) as i32
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn division_rounds_halves_away_from_zero() {
        let halves = [-5, -3, -1, 1, 3, 5].map(|x| divide_by_power(x, 1));
        assert_eq!(halves, [-3, -2, -1, 1, 2, 3]);
        assert_eq!(divide_by_power(i32::MIN, 31), -1);
        assert_eq!(divide_by_power(-(1 << 30), 31), -1);
        assert_eq!(divide_by_power((1 << 30) - 1, 31), 0);
        assert_eq!(divide_by_power(-7, 0), -7);
    }

    #[test]
    fn rounding_twice_can_differ_from_rounding_once() {
        let factor = Requantization::new(0.3).unwrap();
        let differs = |x: &i32| {
            requantize(*x, factor, Rounding::Once) != requantize(*x, factor, Rounding::Twice)
        };
        // 5 * 0.3 = 1.5 less one part in 2^31: the first of two roundings makes it a half.
        assert_eq!(requantize(5, factor, Rounding::Once), 2);
        assert!((-1000..1000).any(|x| differs(&x)));
    }

    #[test]
    fn the_square_of_the_least_integer_saturates() {
        assert_eq!(high_mul(i32::MIN, i32::MIN), i32::MAX);
        assert_eq!(high_mul(-3, 1 << 30), -1);
    }
}
