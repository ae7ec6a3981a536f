//! Logistic and tanh of 16-bit fixed point, as gemmlowp computes them: a number with n integer bits is an
//! integer over 2^(15 - n), results have none.

/// (a * b + 2^14) >> 15.
fn multiply(a: i32, b: i32) -> i32 {
    (a * b + (1 << 14)) >> 15
}

fn saturated(x: i32) -> i32 {
    x.clamp(-32768, 32767)
}

/// x / 2^n, halves away from zero.
fn divide(x: i32, n: u32) -> i32 {
    (x + (1 << (n - 1)) - i32::from(x < 0)) >> n
}

/// exp(x) for x <= 0 with `bits` integer bits, of at least -32768.
///
/// x is taken apart into whole quarters and a rest in -1/4..0: a Taylor series gives the exponential of the
/// rest, and each bit of the quarters multiplies it by a constant.
fn exp_of_negative(x: i32, bits: u32) -> i32 {
    /// exp(-2^n) for n from -2 to 4.
    const POWERS: [i32; 7] = [25520, 19875, 12055, 4435, 600, 11, 0];
    if x == 0 {
        return 32767;
    }
    let fraction = 15 - bits;
    if bits > 5 && x < -(1 << (fraction + 5)) {
        return 0;
    }
    let quarter = 1 << (fraction - 2);
    let rest = (x & (quarter - 1)) - quarter;
    let quarters = rest - x;
    let near = exp_near_zero(rest << bits);
    // Numbers with few integer bits have no room for the greater powers.
    let powers = POWERS.iter().enumerate().take(bits as usize + 2);
    powers.fold(near, |e, (n, power)| {
        if quarters & (quarter << n) == 0 {
            e
        } else {
            multiply(e, *power)
        }
    })
}

/// exp(x) for x in -1/4..0, without integer bits: a Taylor series of degree 4 around -1/8.
fn exp_near_zero(x: i32) -> i32 {
    const EXP_OF_MINUS_EIGHTH: i32 = 28918;
    const THIRD: i32 = 10923;
    let x1 = x + (1 << 12);
    let x2 = multiply(x1, x1);
    let x3 = multiply(x2, x1);
    let x4 = multiply(x2, x2);
    let higher = divide(multiply(divide(x4, 2) + x3, THIRD) + x2, 1);
    saturated(EXP_OF_MINUS_EIGHTH + multiply(EXP_OF_MINUS_EIGHTH, x1 + higher))
}

/// 1 / (1 + x) * 2 for x in 0..1, with 2 integer bits: three steps of Newton's method on half the denominator.
fn reciprocal(x: i32) -> i32 {
    const ONE: i32 = 1 << 13;
    const FORTY_EIGHT_SEVENTEENTHS: i32 = 23130;
    const MINUS_THIRTY_TWO_SEVENTEENTHS: i32 = -15420;
    let half_denominator = (x + 32768) >> 1;
    let guess =
        FORTY_EIGHT_SEVENTEENTHS + multiply(half_denominator, MINUS_THIRTY_TWO_SEVENTEENTHS);
    (0..3).fold(guess, |guess, _| {
        let error = ONE - multiply(half_denominator, guess);
        guess + saturated(multiply(guess, error) << 2)
    })
}

/// 1 / (1 + exp(-x)) of an x with 3 integer bits.
pub(super) fn logistic(x: i32) -> i32 {
    if x == 0 {
        return 1 << 14;
    }
    let positive = saturated(reciprocal(exp_of_negative(-x.abs(), 3)) << 1);
    if x < 0 { 32767 - positive } else { positive }
}

/// tanh(x) of an x with `bits` integer bits, 0 to 6: (1 - e) / (1 + e) with e = exp(-2 |x|).
pub(super) fn tanh(x: i32, bits: u32) -> i32 {
    if x == 0 {
        return 0;
    }
    let e = exp_of_negative(-x.abs(), bits + 1);
    let positive = saturated((reciprocal(e) - (1 << 13)) << 2);
    if x < 0 { -positive } else { positive }
}
