//! gemmlowp's functions in fixed point: a number with n integer bits is an i32 over 2^(31 - n).

use super::arithmetic::{divide_by_power, high_mul};

/// x * 2^`exponent`, saturating.
pub(super) fn multiply_by_power(x: i32, exponent: u32) -> i32 {
    (i64::from(x) << exponent).clamp(i32::MIN.into(), i32::MAX.into()) as i32
}

/// exp(x) for x <= 0 with 5 integer bits; the result has none.
///
/// x is taken apart into whole quarters and a rest in -1/4..0: a Taylor series gives the exponential of
/// the rest, and each bit of the quarters multiplies it by a constant.
pub(super) fn exp_of_negative(x: i32) -> i32 {
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
    const INTEGER_BITS: u32 = 5;
    const QUARTER: i32 = 1 << (31 - INTEGER_BITS - 2);
    if x == 0 {
        return i32::MAX;
    }
    let rest = (x & (QUARTER - 1)) - QUARTER;
    let quarters = rest.wrapping_sub(x);
    let exponential = exp_near_zero(multiply_by_power(rest, INTEGER_BITS));
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
pub(super) fn reciprocal_of_one_plus(x: i32) -> i32 {
    const ONE: i32 = 1 << 29;
    const FORTY_EIGHT_SEVENTEENTHS: i32 = 1_515_870_810;
    const MINUS_THIRTY_TWO_SEVENTEENTHS: i32 = -1_010_580_540;
    let half_denominator = half_sum(x, i32::MAX);
    let guess = high_mul(half_denominator, MINUS_THIRTY_TWO_SEVENTEENTHS)
        .wrapping_add(FORTY_EIGHT_SEVENTEENTHS);
    let reciprocal = (0..3).fold(guess, |guess, _| {
        let error = ONE.wrapping_sub(high_mul(half_denominator, guess));
        guess.wrapping_add(multiply_by_power(high_mul(guess, error), 2))
    });
    multiply_by_power(reciprocal, 1)
}

/// (a + b) / 2, halves away from zero.
fn half_sum(a: i32, b: i32) -> i32 {
    let sum = i64::from(a) + i64::from(b);
    let away = if sum < 0 { sum - 1 } else { sum + 1 };
    (away / 2) as i32
}

/// ln(x) for x >= 1 with 12 integer bits; the result has 5.
///
/// x = 2^p * r in two ways, with r near 3/4 for one of which p counts in halves: that with the less r is
/// taken. ln(r) comes of a rational function around the fourth root of 1/2.
pub(super) fn log_of_at_least_one(x: i32) -> i32 {
    const INPUT_BITS: i32 = 12;
    /// One more than the result has, so that the sum of both parts does not saturate.
    const BITS: u32 = 6;
    const LOG_2: i32 = 1_488_522_236;
    const SQRT_HALF: i32 = 1_518_500_250;
    const FOURTH_ROOT_OF_HALF: i32 = 1_805_811_301;
    /// Coefficients of the rational function.
    const NUMERATOR: i32 = 117_049_297;
    const DENOMINATOR: [i32; 3] = [1_057_819_769, 127_690_142, 638_450_708];
    let quarter = 1 << (31 - BITS - 2);
    let power = |p: i32| multiply_by_power(p, 31 - BITS);
    // Without the square root of 1/2, and with it.
    let zeros = x.leading_zeros();
    let whole = power(INPUT_BITS - zeros as i32).saturating_add(quarter);
    let normal = multiply_by_power(x, zeros - 1);
    let whole_rest = multiply_by_power(high_mul(normal, SQRT_HALF), 1);
    let zeros = high_mul(x, SQRT_HALF).leading_zeros() - 1;
    let halved = power(INPUT_BITS - zeros as i32).saturating_sub(quarter);
    let halved_rest = multiply_by_power(x, zeros);
    let rest = whole_rest.min(halved_rest);
    let exponent = whole.max(halved);
    let mean = half_sum(rest, FOURTH_ROOT_OF_HALF);
    let off = rest.wrapping_sub(FOURTH_ROOT_OF_HALF);
    let off = off.wrapping_add(off);
    let square = high_mul(off, off);
    let numerator = high_mul(off, rest).wrapping_add(high_mul(high_mul(off, square), NUMERATOR));
    let [constant, quadratic, linear] = DENOMINATOR;
    let factor = constant
        .wrapping_add(off)
        .wrapping_add(high_mul(quadratic, square));
    let denominator = high_mul(mean, factor).wrapping_add(high_mul(linear, off));
    let quotient = high_mul(
        divide_by_power(numerator, BITS),
        reciprocal_of_one_plus(denominator),
    );
    multiply_by_power(high_mul(exponent, LOG_2).wrapping_add(quotient), 1)
}

/// The multiplier and the shift to the right that stand for 1 / sqrt(x): five steps of Newton's method in
/// numbers with 3 integer bits, on x scaled to between 1/4 and 1. 0 counts as 1.
pub(super) fn inverse_square_root(x: i32) -> (i32, i32) {
    const ONE: i32 = 1 << 28;
    const HALF_THREE: i32 = ONE + ONE / 2;
    const SQRT_HALF: i32 = 1_518_500_250;
    if x <= 1 {
        return (i32::MAX, 0);
    }
    // Below 2^29, then at least 2^27.
    let (x, shift) = if x < 1 << 29 { (x, 11) } else { (x / 4, 12) };
    let pairs = (x.leading_zeros() - 1) / 2 - 1;
    let (x, shift) = (x << (2 * pairs), shift - pairs as i32);
    let half = divide_by_power(x >> 1, 1);
    let root = (0..5).fold(ONE, |root, _| {
        let cube = multiply_by_power(high_mul(high_mul(root, root), root), 6);
        let difference = high_mul(HALF_THREE, root).wrapping_sub(high_mul(half, cube));
        multiply_by_power(difference, 3)
    });
    let root = high_mul(root, SQRT_HALF);
    if shift < 0 {
        (root << -shift, 0)
    } else {
        (root, shift)
    }
}
