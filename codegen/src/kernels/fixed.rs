//! gemmlowp's fixed point in code: a number with n integer bits is an I32 over 2^(31 - n).

use crate::nest::{Builder, Expr, Op};

/// Widens an I32.
pub(super) fn wide(x: Expr) -> Expr {
    Expr::op(Op::I64ExtendI32S, [x])
}

fn narrow(x: Expr) -> Expr {
    Expr::op(Op::I32WrapI64, [x])
}

/// (a * b + 2^30) >> 31; not of twice the least integer.
pub(super) fn high(f: &mut Builder, a: Expr, b: Expr) -> Expr {
    let product = wide(a) * wide(b) + Expr::I64(1 << 30);
    f.value("high", narrow(product >> Expr::I64(31)))
}

/// x / 2^`shift` for an I64 shift of 0 to 31, halves away from zero.
pub(super) fn divide_by_power(f: &mut Builder, x: Expr, shift: Expr) -> Expr {
    let x = f.value("x", wide(x));
    // With a shift of 0 there is nothing to round.
    let power = Expr::op(Op::I64Shl, [Expr::I64(1), shift.clone()]);
    let half = f.value("half", power >> Expr::I64(1));
    let none = Expr::op(Op::I64LtS, [half.clone(), Expr::I64(1)]);
    let below = Expr::I64(0).or_else(none, x.clone() >> Expr::I64(63));
    f.value("quotient", narrow((x + half + below) >> shift))
}

/// x * 2^`shift` for an x not below zero and an I64 shift, at most the greatest integer.
fn saturating_shift(f: &mut Builder, x: Expr, shift: Expr) -> Expr {
    let shifted = f.value("shifted", Expr::op(Op::I64Shl, [wide(x), shift]));
    let most = Expr::I64(i32::MAX.into());
    let over = Expr::op(Op::I64LtS, [most.clone(), shifted.clone()]);
    f.value("shifted", narrow(most.or_else(over, shifted)))
}

/// 1 / (1 + x) for an x in 0..1, both without integer bits; as an I64.
///
/// Newton's method on half of 1 + x, from 48/17 - 32/17 of it, in numbers with 2 integer bits.
pub(super) fn reciprocal(f: &mut Builder, x: Expr) -> Expr {
    const BITS: i64 = 29;
    const FORTY_EIGHT_17THS: i64 = 1_515_870_810;
    const THIRTY_TWO_17THS: i64 = 1_010_580_540;
    let high = |a: Expr, b: Expr| (a * b + Expr::I64(1 << 30)) >> Expr::I64(31);
    let half = wide((x >> Expr::I32(1)) + Expr::I32(1 << 30));
    let half = f.value("denominator", half);
    let start = high(half.clone(), Expr::I64(-THIRTY_TWO_17THS)) + Expr::I64(FORTY_EIGHT_17THS);
    let guess = f.accumulator("guess", start);
    f.each("step", 3, |f, _| {
        let error = Expr::I64(1 << BITS) - high(half.clone(), guess.clone());
        let correction = high(guess.clone(), error) * Expr::I64(4);
        f.set(&guess, guess.clone() + correction);
    });
    // 1 itself does not fit and becomes the greatest number.
    let doubled = f.value("doubled", guess * Expr::I64(2));
    let most = Expr::I64(i32::MAX.into());
    let over = Expr::op(Op::I64LtS, [most.clone(), doubled.clone()]);
    f.value("reciprocal", most.or_else(over, doubled))
}

/// ln(x) for x >= 1 with 12 integer bits; the result has 5.
///
/// x is 2^p * r: with the p for which r is nearest to the fourth root of 1/2, p counting in halves and
/// quarters; ln(r) = n(r) / (1 + d(r)) with polynomials n and d.
pub(super) fn logarithm(f: &mut Builder, x: Expr) -> Expr {
    const INPUT_BITS: i32 = 12;
    const BITS: i32 = 6;
    const QUARTER: i32 = 1 << (31 - BITS - 2);
    const LN_2: i32 = 1_488_522_236;
    const SQRT_HALF: i32 = 1_518_500_250;
    const FOURTH_ROOT: i32 = 1_805_811_301;
    const CUBIC: i32 = 117_049_297;
    const LINEAR: i32 = 638_450_708;
    const QUADRATIC: i32 = 127_690_142;
    const CONSTANT: i32 = 1_057_819_769;
    let int = Expr::I32;
    let zeros = |x: Expr| Expr::op(Op::I32Clz, [x]);
    let lesser = |a: Expr, b: Expr| a.clone().or_else(a.lt(b.clone()), b);
    let x = f.value("x", x);
    let plain = f.value("zeros", zeros(x.clone()));
    let normal = x.clone() << (plain.clone() - int(1));
    let normal = high(f, normal, int(SQRT_HALF));
    let first = saturating_shift(f, normal, Expr::I64(1));
    let power = ((int(INPUT_BITS) - plain) << int(31 - BITS)) + int(QUARTER);
    let power = f.value("power", power);
    let root = high(f, x.clone(), int(SQRT_HALF));
    let rooted = f.value("zeros", zeros(root) - int(1));
    let second = saturating_shift(f, x, wide(rooted.clone()));
    let other = ((int(INPUT_BITS) - rooted) << int(31 - BITS)) - int(QUARTER);
    let other = f.value("power", other);
    let less = power.clone().lt(other.clone());
    let power = f.value("power", other.or_else(less, power));
    let r = f.value("r", lesser(first, second));
    // Half of the sum, halves upwards as neither is below zero.
    let sum = wide(r.clone()) + Expr::I64(i64::from(FOURTH_ROOT) + 1);
    let middle = narrow(sum >> Expr::I64(1));
    let off = f.value("off", (r.clone() - int(FOURTH_ROOT)) << int(1));
    let square = high(f, off.clone(), off.clone());
    let cube = high(f, off.clone(), square.clone());
    let cube = high(f, cube, int(CUBIC));
    let numerator = high(f, off.clone(), r) + cube;
    let numerator = divide_by_power(f, numerator, Expr::I64(BITS.into()));
    let quadratic = high(f, int(QUADRATIC), square);
    let factor = int(CONSTANT) + off.clone() + quadratic;
    let linear = high(f, int(LINEAR), off);
    let denominator = high(f, middle, factor) + linear;
    let reciprocal = reciprocal(f, denominator);
    let quotient = high(f, numerator, narrow(reciprocal));
    let whole = high(f, power, int(LN_2));
    f.value("logarithm", (whole + quotient) << int(1))
}

/// The multiplier and the shift to the right, an I32 from 0 to 12, that stand for 1 / sqrt(x) of an x not
/// below zero: Newton's method in numbers with 3 integer bits. 0 counts as 1.
pub(super) fn inverse_square_root(f: &mut Builder, x: Expr) -> [Expr; 2] {
    const ONE: i32 = 1 << 28;
    const SQRT_HALF: i32 = 1_518_500_250;
    let int = Expr::I32;
    let x = f.value("x", x);
    let large = f.value("large", int((1 << 29) - 1).lt(x.clone()));
    let start = int(12).or_else(large.clone(), int(11));
    let small = f.value("small", x.clone().lt(int(2)));
    // What counts as 1 is replaced at the end; until then it is some number.
    let scaled = (x.clone() >> int(2)).or_else(large, x);
    let scaled = f.value("scaled", int(2).or_else(small.clone(), scaled));
    let zeros = Expr::op(Op::I32Clz, [scaled.clone()]) - int(1);
    let pairs = f.value("pairs", (zeros >> int(1)) - int(1));
    let shift = f.value("shift", start - pairs.clone());
    let normal = scaled << (pairs << int(1));
    let half = f.value("half", ((normal >> int(1)) + int(1)) >> int(1));
    let root = f.accumulator("root", int(ONE));
    f.each("step", 5, |f, _| {
        let square = high(f, root.clone(), root.clone());
        let cube = high(f, square, root.clone());
        let cube = saturating_shift(f, cube, Expr::I64(6));
        let more = high(f, int(ONE + ONE / 2), root.clone());
        let less = high(f, half.clone(), cube);
        f.set(&root, (more - less) << int(3));
    });
    let root = high(f, root, int(SQRT_HALF));
    let left = f.value("left", shift.clone().lt(int(0)));
    let grown = root.clone() << (int(0) - shift.clone());
    let multiplier = grown.or_else(left.clone(), root);
    let shift = int(0).or_else(left, shift);
    let multiplier = int(i32::MAX).or_else(small.clone(), multiplier);
    [
        f.value("multiplier", multiplier),
        f.value("shift", int(0).or_else(small, shift)),
    ]
}
