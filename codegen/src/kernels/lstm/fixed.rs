//! Logistic and tanh of 16-bit fixed point in scalar code: a number with n bits before the point is an integer
//! over 2^(15 - n), results have none. `rune_ir` says which arithmetic is whose.

use super::super::{element, requantize::clamp};
use crate::nest::{BufferId, Builder, Expr, Load, Op};

const HALF: (i32, i32) = (-32768, 32767);

fn number(value: i32) -> Expr {
    Expr::I32(value)
}

/// (a * b + 2^14) >> 15.
fn multiply(a: Expr, b: Expr) -> Expr {
    (a * b + number(1 << 14)) >> number(15)
}

/// x / 2^n, halves away from zero.
pub(super) fn divide(f: &mut Builder, x: Expr, n: u32) -> Expr {
    let x = f.value("x", x);
    let sign = x.clone() >> number(31);
    (x + sign + number(1 << (n - 1))) >> number(n as i32)
}

fn size(f: &mut Builder, x: &Expr) -> Expr {
    let below = x.clone().lt(number(0));
    let size = (number(0) - x.clone()).or_else(below, x.clone());
    f.value("size", size)
}

/// exp(-x) for x from 1 to 32768 with `bits` bits before the point: a Taylor series for what is left of whole
/// quarters, times a constant for each bit of these.
fn exp_of_minus(f: &mut Builder, x: &Expr, bits: u32) -> Expr {
    /// exp(-2^n) for n from -2 to 4.
    const POWERS: [i32; 7] = [25520, 19875, 12055, 4435, 600, 11, 0];
    let fraction = 15 - bits;
    let quarter = 1 << (fraction - 2);
    let minus = f.value("minus", number(0) - x.clone());
    let rest = (minus.clone() & number(quarter - 1)) - number(quarter);
    let rest = f.value("rest", rest);
    let quarters = f.value("quarters", rest.clone() - minus);
    let near = exp_near_zero(f, rest << number(bits as i32));
    let e = f.accumulator("e", near);
    for (n, power) in POWERS.iter().enumerate().take(bits as usize + 2) {
        let is_set = quarters.clone() & number(quarter << n);
        let scaled = multiply(e.clone(), number(*power));
        f.set(&e, scaled.or_else(is_set, e.clone()));
    }
    if bits > 5 {
        let beyond = number(1 << (fraction + 5)).lt(x.clone());
        return number(0).or_else(beyond, e);
    }
    e
}

/// exp(x) for x in -1/4..0: a Taylor series of degree 4 around -1/8.
fn exp_near_zero(f: &mut Builder, x: Expr) -> Expr {
    const EXP_OF_MINUS_EIGHTH: i32 = 28918;
    const THIRD: i32 = 10923;
    let x1 = f.value("x1", x + number(1 << 12));
    let x2 = f.value("x2", multiply(x1.clone(), x1.clone()));
    let x3 = f.value("x3", multiply(x2.clone(), x1.clone()));
    let x4 = multiply(x2.clone(), x2.clone());
    let fourth = divide(f, x4, 2);
    let higher = multiply(fourth + x3, number(THIRD)) + x2;
    let higher = divide(f, higher, 1);
    let sum = number(EXP_OF_MINUS_EIGHTH) + multiply(number(EXP_OF_MINUS_EIGHTH), x1 + higher);
    clamp(f, sum, HALF)
}

/// 2 / (1 + x) for x in 0..1, with 2 bits before the point: three steps of Newton's method.
fn reciprocal(f: &mut Builder, x: Expr) -> Expr {
    const ONE: i32 = 1 << 13;
    const FORTY_EIGHT_SEVENTEENTHS: i32 = 23130;
    const MINUS_THIRTY_TWO_SEVENTEENTHS: i32 = -15420;
    let denominator = f.value("d", (x + number(32768)) >> number(1));
    let first = number(FORTY_EIGHT_SEVENTEENTHS)
        + multiply(denominator.clone(), number(MINUS_THIRTY_TWO_SEVENTEENTHS));
    let mut guess = f.value("guess", first);
    for _ in 0..3 {
        let error = number(ONE) - multiply(denominator.clone(), guess.clone());
        let step = multiply(guess.clone(), error) << number(2);
        let step = clamp(f, step, HALF);
        guess = f.value("guess", guess + step);
    }
    guess
}

/// 1 / (1 + exp(-x)) of an x with 3 bits before the point.
pub(super) fn logistic(f: &mut Builder, x: Expr) -> Expr {
    let size = size(f, &x);
    let e = exp_of_minus(f, &size, 3);
    let doubled = reciprocal(f, e) << number(1);
    let positive = clamp(f, doubled, HALF);
    let positive = f.value("positive", positive);
    let negative = number(32767) - positive.clone();
    let below = x.clone().lt(number(0));
    let y = f.value("y", negative.or_else(below, positive));
    number(1 << 14).or_else(x.equals(number(0)), y)
}

/// tanh(x) of an x with `bits` bits before the point, 0 to 6.
pub(super) fn tanh(f: &mut Builder, x: Expr, bits: u32) -> Expr {
    let x = f.value("x", x);
    let size = size(f, &x);
    let e = exp_of_minus(f, &size, bits + 1);
    let scaled = (reciprocal(f, e) - number(1 << 13)) << number(2);
    let positive = clamp(f, scaled, HALF);
    let positive = f.value("positive", positive);
    let negative = number(0) - positive.clone();
    let below = x.clone().lt(number(0));
    let y = f.value("y", negative.or_else(below, positive));
    number(0).or_else(x.equals(number(0)), y)
}

/// The logistic function at `x` / 24 / 2^`fraction`, times 2^(16 + `fraction`); `most` from the last point on.
fn between(f: &mut Builder, x: Expr, fraction: u32, most: i32, points: BufferId) -> Expr {
    let x = f.value("x", x);
    let whole = f.value("whole", x.clone() >> number(fraction as i32));
    let beyond = f.value("beyond", number(254).lt(whole.clone()));
    let index = f.index("index", number(254).or_else(beyond.clone(), whole));
    let low = Expr::Load(Load::U16, element::element(points, &index, 2));
    let low = f.value("low", low);
    let high = Expr::Load(Load::U16, element::element(points, &(&index + 1), 2));
    let part = x & number((1 << fraction) - 1);
    let point = (low.clone() << number(fraction as i32)) + part * (high - low);
    let point = f.value("point", point);
    number(most).or_else(beyond, point)
}

/// 1 / (1 + exp(-x)) of an x with 3 bits before the point, between points.
pub(super) fn logistic_between(f: &mut Builder, x: Expr, points: BufferId) -> Expr {
    let x = f.value("x", x * number(3));
    let size = size(f, &x);
    let point = between(f, size, 9, 0x7fff << 10, points);
    let point = f.value("point", point);
    let above = point.clone() + number(1 << 9);
    let below = number((1 << 25) + (1 << 9) - 1) - point;
    let negative = x.lt(number(0));
    Expr::op(Op::I32ShrS, [below.or_else(negative, above), number(10)])
}

/// tanh(x) of an x with `bits` bits before the point, between points.
pub(super) fn tanh_between(f: &mut Builder, x: Expr, bits: u32, points: BufferId) -> Expr {
    let tripled = x * number(3);
    let scaled = if bits >= 3 {
        tripled << number(bits as i32 - 3)
    } else {
        let shift = 3 - bits as i32;
        (tripled + number(1 << (shift - 1))) >> number(shift)
    };
    let x = f.value("x", scaled);
    let size = size(f, &x);
    let point = between(f, size, 8, 0xffff << 8, points);
    let point = f.value("point", point);
    let above = point.clone() + number((1 << 7) - (1 << 23));
    let below = number((1 << 23) + (1 << 7) - 1) - point;
    let negative = x.lt(number(0));
    below.or_else(negative, above) >> number(8)
}
