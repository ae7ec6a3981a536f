//! Functions of an F32 beside the exponential, each bit for bit what `rune_ir` defines: `expm1f`, `tanhf`, `logf`
//! and `erfcf` as libm has them after FreeBSD's, `fmodf` exactly, and sine, cosine and power in binary64.
//!
//! What a function does with a NaN is to give some NaN.

use super::exp::{above, at_least, cut_off, either, expf, of_bits, signed, size_of};
use crate::nest::{Builder, Expr, Op};

const LN2_HIGH: f32 = f32::from_bits(0x3f31_7180);
const LN2_LOW: f32 = f32::from_bits(0x3717_f7d1);

fn real(value: f32) -> Expr {
    Expr::f32(value)
}

fn double(value: f64) -> Expr {
    Expr::f64(value)
}

/// c0 + x * (c1 + x * (c2 + ...)).
fn polynomial(x: &Expr, coefficients: &[f32]) -> Expr {
    let (last, before) = coefficients.split_last().expect("a coefficient");
    let inner = before.iter().rev();
    inner.fold(real(*last), |sum, c| real(*c) + x.clone() * sum)
}

/// As [`polynomial`], in binary64.
fn series(x: &Expr, coefficients: &[f64]) -> Expr {
    let (last, before) = coefficients.split_last().expect("a coefficient");
    let inner = before.iter().rev();
    inner.fold(double(*last), |sum, c| double(*c) + x.clone() * sum)
}

/// 2^k of integers in the range of normal numbers, as F32 or F32x4.
fn power_of_two(k: Expr) -> Expr {
    let one = Expr::constant(k.ty(), 127 << 23);
    of_bits((k << Expr::I32(23)) + one)
}

/// exp(x) - 1 of an x of at most 80, F32 or F32x4.
pub(super) fn expm1(f: &mut Builder, x: Expr) -> Expr {
    const INVERSE_LN2: f32 = f32::from_bits(0x3fb8_aa3b);
    const Q1: f32 = f32::from_bits(0xbd08_8868);
    const Q2: f32 = f32::from_bits(0x3acf_3010);
    /// 0.5 ln 2 and 1.5 ln 2: above these k is not 0, and not of size 1.
    const HALF_LN2: f32 = f32::from_bits(0x3eb1_7218);
    const THREE_HALF_LN2: f32 = f32::from_bits(0x3f85_1592);
    /// Below this x is the result.
    const TINY: f32 = f32::from_bits(0x3300_0000);
    /// From 27 ln 2 on below zero the result is -1.
    const FAR: f32 = f32::from_bits(0x4195_b844);
    let ty = x.ty();
    let real = |value: f32| Expr::real(ty, value);
    let x = f.value("x", x);
    let size = size_of(f, &x);
    let nearest = real(INVERSE_LN2) * x.clone() + signed(real(0.5), &x);
    let one = signed(real(1.0), &x).or_else(above(&size, HALF_LN2), real(0.0));
    let k = nearest.or_else(at_least(&size, THREE_HALF_LN2), one);
    let [k, multiple] = cut_off(f, k);
    let high = f.value("hi", x.clone() - multiple.clone() * real(LN2_HIGH));
    let low = f.value("lo", multiple * real(LN2_LOW));
    let r = f.value("r", high.clone() - low.clone());
    let lost = f.value("c", (high - r.clone()) - low);
    let half = f.value("half", real(0.5) * r.clone());
    let square = f.value("square", r.clone() * half.clone());
    let r1 = real(1.0) + square.clone() * (real(Q1) + square.clone() * real(Q2));
    let r1 = f.value("r1", r1);
    let t = f.value("t", real(3.0) - r1.clone() * half);
    let e = square.clone() * ((r1 - t.clone()) / (real(6.0) - r.clone() * t));
    let e = f.value("e", e);
    let near = r.clone() - (r.clone() * e.clone() - square.clone());
    let e = r.clone() * (e - lost.clone()) - lost - square;
    let e = f.value("e", e);
    let difference = f.value("d", r.clone() - e.clone());
    let integer = |value| Expr::constant(k.ty(), value);
    let minus_one = real(0.5) * difference.clone() - real(0.5);
    let one = (real(-2.0) * (e.clone() - (r.clone() + real(0.5)))).or_else(
        r.clone().lt(real(-0.25)),
        real(1.0) + real(2.0) * difference.clone(),
    );
    let power = f.value("power", power_of_two(k.clone()));
    let inverse = f.value("inverse", power_of_two(integer(0) - k.clone()));
    let outside = (difference.clone() + real(1.0)) * power.clone() - real(1.0);
    let outside = f.value("outside", outside);
    let below_23 = (difference + (real(1.0) - inverse.clone())) * power.clone();
    let above_23 = (r - (e + inverse) + real(1.0)) * power;
    let result = below_23.or_else(k.clone().lt(integer(23)), above_23);
    let result = f.value(
        "expm1",
        outside.clone().or_else(integer(56).lt(k.clone()), result),
    );
    let result = f.value("expm1", outside.or_else(k.clone().lt(integer(0)), result));
    let result = f.value("expm1", one.or_else(k.clone().equals(integer(1)), result));
    let is_minus_one = k.clone().equals(integer(-1));
    let result = f.value("expm1", minus_one.or_else(is_minus_one, result));
    let result = f.value("expm1", result.or_else(above(&size, HALF_LN2), near));
    let tiny = size.clone().lt(real(TINY));
    let result = f.value("expm1", x.clone().or_else(tiny, result));
    let of_far = f.value("expm1", real(-1.0).or_else(x.lt(real(0.0)), result.clone()));
    of_far.or_else(at_least(&size, FAR), result)
}

/// tanh(x), F32 or F32x4.
pub(super) fn tanh(f: &mut Builder, x: Expr) -> Expr {
    /// log(3) / 2, and log(5/3) / 2.
    const LARGE: f32 = f32::from_bits(0x3f0c_9f54);
    const MIDDLE: f32 = f32::from_bits(0x3e82_c578);
    let ty = x.ty();
    let real = |value: f32| Expr::real(ty, value);
    let minus = |x: Expr| Expr::op(either(&x, Op::F32Neg, Op::F32x4Neg), [x]);
    let x = f.value("x", x);
    let size = size_of(f, &x);
    let large = f.value("large", above(&size, LARGE));
    let middle = f.value("middle", above(&size, MIDDLE));
    let far = f.value("far", above(&size, 10.0));
    let kept = real(10.0).or_else(far.clone(), size.clone());
    let twice = f.value("twice", real(2.0) * kept);
    let argument = twice.clone().or_else(middle.clone(), minus(twice));
    let t = expm1(f, argument);
    let t = f.value("t", t);
    let denominator = f.value("denominator", t.clone() + real(2.0));
    let of_large = real(1.0) - real(2.0) / denominator.clone();
    let over = t.clone().or_else(middle, minus(t));
    let result = of_large.or_else(large, over / denominator);
    let result = f.value("tanh", real(1.0).or_else(far, result));
    let normal = at_least(&size, f32::MIN_POSITIVE);
    signed(result.or_else(normal, size), &x)
}

/// ln(x).
pub(super) fn ln(f: &mut Builder, x: Expr) -> Expr {
    const COEFFICIENTS: [f32; 4] = [0.666_666_6, 0.400_009_72, 0.284_987_87, 0.242_790_79];
    /// The bits of sqrt(2) / 2.
    const ROOT: i32 = 0x3f35_04f3;
    let x = f.value("x", x);
    let small = f.value("small", x.clone().lt(real(f32::MIN_POSITIVE)));
    let scaled = (x.clone() * real(33_554_432.0)).or_else(small.clone(), x.clone());
    let bits = Expr::op(Op::I32ReinterpretF32, [scaled]) + Expr::I32(0x3f80_0000 - ROOT);
    let bits = f.value("bits", bits);
    let k = (bits.clone() >> Expr::I32(23)) - Expr::I32(127);
    let k = k - Expr::I32(25).or_else(small, Expr::I32(0));
    let reduced = (bits & Expr::I32(0x007f_ffff)) + Expr::I32(ROOT);
    let reduced = Expr::op(Op::F32ReinterpretI32, [reduced]);
    let r = f.value("r", reduced - real(1.0));
    let s = f.value("s", r.clone() / (real(2.0) + r.clone()));
    let z = f.value("z", s.clone() * s.clone());
    let w = f.value("w", z.clone() * z.clone());
    let [c1, c2, c3, c4] = COEFFICIENTS.map(real);
    let even = w.clone() * (c2 + w.clone() * c4);
    let odd = z * (c1 + w * c3);
    let half = f.value("half", real(0.5) * r.clone() * r.clone());
    let multiple = f.value("kf", Expr::op(Op::F32ConvertI32S, [k]));
    let result = s * (half.clone() + (odd + even)) + multiple.clone() * real(LN2_LOW) - half
        + r
        + multiple * real(LN2_HIGH);
    let result = f.value("ln", result);
    let infinite = x.clone().equals(real(f32::INFINITY));
    let result = f.value("ln", x.clone().or_else(infinite, result));
    let zero = x.clone().equals(real(0.0));
    let result = f.value("ln", real(f32::NEG_INFINITY).or_else(zero, result));
    // Below zero, and of NaN, there is none.
    result.or_else(at_least(&x, 0.0), real(f32::NAN))
}

/// 1 - erf(x).
pub(super) fn erfc(f: &mut Builder, x: Expr) -> Expr {
    const P: [f32; 5] = [
        f32::from_bits(0x3e03_75d4),
        f32::from_bits(0xbea6_6beb),
        f32::from_bits(0xbce9_528f),
        f32::from_bits(0xbbbd_1489),
        f32::from_bits(0xb7c7_56b1),
    ];
    const Q: [f32; 6] = [
        1.0,
        f32::from_bits(0x3ecb_bbce),
        f32::from_bits(0x3d85_2a63),
        f32::from_bits(0x3ba6_8116),
        f32::from_bits(0x390a_ee49),
        f32::from_bits(0xb684_e21a),
    ];
    const P1: [f32; 7] = [
        f32::from_bits(0xbb1a_cdc6),
        f32::from_bits(0x3ed4_6805),
        f32::from_bits(0xbebe_9208),
        f32::from_bits(0x3ea2_fe54),
        f32::from_bits(0xbde3_1cc2),
        f32::from_bits(0x3d11_51b3),
        f32::from_bits(0xbb0d_f9c0),
    ];
    const Q1: [f32; 7] = [
        1.0,
        f32::from_bits(0x3dd9_f331),
        f32::from_bits(0x3f0a_5785),
        f32::from_bits(0x3d93_1ae7),
        f32::from_bits(0x3e01_3307),
        f32::from_bits(0x3c5f_6e13),
        f32::from_bits(0x3c44_5aa3),
    ];
    const R: [f32; 8] = [
        f32::from_bits(0xbc21_a093),
        f32::from_bits(0xbf31_a0b7),
        f32::from_bits(0xc128_f022),
        f32::from_bits(0xc279_8057),
        f32::from_bits(0xc322_658c),
        f32::from_bits(0xc338_9ae7),
        f32::from_bits(0xc2a2_932b),
        f32::from_bits(0xc11d_077e),
    ];
    const S: [f32; 9] = [
        1.0,
        f32::from_bits(0x419d_35ce),
        f32::from_bits(0x4309_a863),
        f32::from_bits(0x43d9_486f),
        f32::from_bits(0x4421_58c9),
        f32::from_bits(0x43d6_810b),
        f32::from_bits(0x42d9_451f),
        f32::from_bits(0x40d2_3f7c),
        f32::from_bits(0xbd77_7f97),
    ];
    const R1: [f32; 7] = [
        f32::from_bits(0xbc21_a092),
        f32::from_bits(0xbf4c_9dd4),
        f32::from_bits(0xc18e_104b),
        f32::from_bits(0xc320_a2ea),
        f32::from_bits(0xc41f_6441),
        f32::from_bits(0xc480_230b),
        f32::from_bits(0xc3f1_c275),
    ];
    const S1: [f32; 8] = [
        1.0,
        f32::from_bits(0x41f2_b459),
        f32::from_bits(0x43a2_e571),
        f32::from_bits(0x44c0_1759),
        f32::from_bits(0x4547_fdbb),
        f32::from_bits(0x451f_90ce),
        f32::from_bits(0x43ed_43a7),
        f32::from_bits(0xc1b3_8712),
    ];
    /// erf(1) cut short.
    const ERF_1: f32 = f32::from_bits(0x3f58_560b);
    let x = f.value("x", x);
    let size = size_of(f, &x);
    let result = f.accumulator("erfc", real(0.0));
    f.branch(
        size.clone().lt(real(0.843_75)),
        |f| {
            let z = f.value("z", x.clone() * x.clone());
            let y = polynomial(&z, &P) / polynomial(&z, &Q);
            let product = f.value("product", x.clone() * y);
            let low = real(1.0) - (x.clone() + product.clone());
            let high = real(0.5) - (x.clone() - real(0.5) + product);
            f.set(&result, low.or_else(x.clone().lt(real(0.25)), high));
        },
        |f| {
            f.branch(
                size.clone().lt(real(1.25)),
                |f| {
                    let s = f.value("s", size.clone() - real(1.0));
                    let quotient = polynomial(&s, &P1) / polynomial(&s, &Q1);
                    f.set(&result, real(1.0 - ERF_1) - quotient);
                },
                |f| {
                    let s = f.value("s", real(1.0) / (size.clone() * size.clone()));
                    let quotient = f.accumulator("quotient", real(0.0));
                    f.branch(
                        size.clone().lt(real(f32::from_bits(0x4036_db6d))),
                        |f| f.set(&quotient, polynomial(&s, &R) / polynomial(&s, &S)),
                        |f| f.set(&quotient, polynomial(&s, &R1) / polynomial(&s, &S1)),
                    );
                    let bits = Expr::op(Op::I32ReinterpretF32, [size.clone()]);
                    let short = bits & Expr::I32(0xffff_e000_u32.cast_signed());
                    let z = f.value("z", Expr::op(Op::F32ReinterpretI32, [short]));
                    let minus = Expr::op(Op::F32Neg, [z.clone()]);
                    let first = expf(f, minus * z.clone() - real(0.5625));
                    let first = f.value("first", first);
                    let rest = (z.clone() - size.clone()) * (z + size.clone()) + quotient;
                    let second = expf(f, rest);
                    let second = f.value("second", second);
                    let value = f.value("value", first * second / size.clone());
                    let far = at_least(&size, 28.0);
                    f.set(&result, real(0.0).or_else(far, value));
                },
            );
            let below = x.clone().lt(real(0.0));
            let mirrored = real(2.0) - result.clone();
            f.set(&result, mirrored.or_else(below, result.clone()));
        },
    );
    result
}

/// The sine of `x` a quarter turn times `quarters` further.
pub(super) fn sine(f: &mut Builder, x: Expr, quarters: i64) -> Expr {
    /// From here on the quarters are counted with integers.
    const FAR: f32 = f32::from_bits(0x4dc9_0fdb);
    const TWO_OVER_PI: f64 = f64::from_bits(0x3fe4_5f30_6dc9_c883);
    const HALF_PI_HIGH: f64 = f64::from_bits(0x3ff9_21fb_5000_0000);
    const HALF_PI_LOW: f64 = f64::from_bits(0x3e51_10b4_611a_6263);
    const SINE: [f64; 4] = [
        f64::from_bits(0xbfc5_5555_54cb_ac77),
        f64::from_bits(0x3f81_1110_896e_fbb2),
        f64::from_bits(0xbf2a_00f9_e2ca_e774),
        f64::from_bits(0x3ec6_cd87_8c3b_46a7),
    ];
    const COSINE: [f64; 4] = [
        f64::from_bits(0xbfdf_ffff_fd0c_5e81),
        f64::from_bits(0x3fa5_5553_e105_3a42),
        f64::from_bits(0xbf56_c087_e80f_1e27),
        f64::from_bits(0x3ef9_9342_e0ee_5069),
    ];
    let x = f.value("x", x);
    let size = size_of(f, &x);
    let n = f.accumulator("n", Expr::I64(0));
    let y = f.accumulator("y", double(0.0));
    f.branch(
        at_least(&size, FAR),
        |f| {
            let (turns, rest) = far_from_zero(f, &x, &size);
            f.set(&n, turns);
            f.set(&y, rest);
        },
        |f| {
            let wide = f.value("wide", Expr::op(Op::F64PromoteF32, [x.clone()]));
            let turns = Expr::op(Op::F64Nearest, [wide.clone() * double(TWO_OVER_PI)]);
            let turns = f.value("turns", turns);
            f.set(&n, Expr::op(Op::I64TruncSatF64S, [turns.clone()]));
            let rest = wide - turns.clone() * double(HALF_PI_HIGH) - turns * double(HALF_PI_LOW);
            f.set(&y, rest);
        },
    );
    let n = f.value("n", n + Expr::I64(quarters));
    let z = f.value("z", y.clone() * y.clone());
    let w = f.value("w", z.clone() * z.clone());
    let [s1, s2, s3, s4] = SINE.map(double);
    let s = f.value("s", z.clone() * y.clone());
    let r = s3 + z.clone() * s4;
    let of_sine = (y + s.clone() * (s1 + z.clone() * s2)) + s * w.clone() * r;
    let [c0, c1, c2, c3] = COSINE.map(double);
    let r = c2 + z.clone() * c3;
    let of_cosine = ((double(1.0) + z.clone() * c0) + w.clone() * c1) + (w * z) * r;
    let odd = Expr::op(Op::I32WrapI64, [n.clone() & Expr::I64(1)]);
    let value = f.value("value", of_cosine.or_else(odd, of_sine));
    let opposite = Expr::op(Op::I32WrapI64, [n & Expr::I64(2)]);
    let value = Expr::op(Op::F64Neg, [value.clone()]).or_else(opposite, value);
    let value = Expr::op(Op::F32DemoteF64, [value]);
    let finite = size.lt(real(f32::INFINITY));
    value.or_else(finite, real(f32::NAN))
}

/// 2 / pi in binary: words of 32 bits, the first of which holds the bits of 2^-1 to 2^-32.
const TWO_OVER_PI: [u32; 7] = [
    0xa2f9_836e,
    0x4e44_1529,
    0xfc27_57d1,
    0xf534_ddc0,
    0xdb62_9599,
    0x3c43_9041,
    0xfe51_63ab,
];

/// The quarter turns nearest to an `x` of at least 2^28 of them, and the rest as an angle.
///
/// With x = m * 2^e, the bits of 2 / pi from that of 2^(1 - e) on, times m, are the turns with two bits before
/// the point, modulo 4. Of these bits the product takes 96, beginning at a whole byte at or before the
/// first.
fn far_from_zero(f: &mut Builder, x: &Expr, size: &Expr) -> (Expr, Expr) {
    let bits = Expr::op(Op::I32ReinterpretF32, [size.clone()]);
    let bits = f.value("bits", bits);
    // The place of the first bit; 3..=102, but for what is not finite.
    let place = (bits.clone() >> Expr::I32(23)) - Expr::I32(152);
    let place = f.value("place", place);
    let over = Expr::I32(102).lt(place.clone());
    let place = f.value("place", Expr::I32(102).or_else(over, place));
    let mantissa = (bits & Expr::I32(0x007f_ffff)) | Expr::I32(0x0080_0000);
    let mantissa = mantissa << (place.clone() & Expr::I32(7));
    let mantissa = f.value("mantissa", Expr::op(Op::I64ExtendI32U, [mantissa]));
    let byte = f.value("byte", place >> Expr::I32(3));
    // Bits from `byte` + `offset` on, in pieces of 32.
    let piece = |f: &mut Builder, offset: i32| {
        let at = byte.clone() + Expr::I32(offset);
        let word = f.value("word", at.clone() >> Expr::I32(2));
        let shift = (at & Expr::I32(3)) << Expr::I32(3);
        let shift = f.value("shift", Expr::op(Op::I64ExtendI32U, [shift]));
        let pick = |first: usize| {
            let words = (0..6).map(move |i| first + i);
            words.rev().fold(Expr::I64(0), |picked, i| {
                let is = word.clone().equals(Expr::I32((i - first) as i32));
                let value = TWO_OVER_PI.get(i).copied().unwrap_or(0);
                Expr::I64(value.into()).or_else(is, picked)
            })
        };
        let pair = (pick(0) << Expr::I64(32)) | pick(1);
        let moved = (pair << shift) >> Expr::I64(32);
        f.value("piece", moved & Expr::I64(0xffff_ffff))
    };
    let [high, middle, low] = [0, 4, 8].map(|offset| piece(f, offset));
    let window = (high << Expr::I64(32)) | middle;
    let carried = Expr::op(Op::I64ShrU, [mantissa.clone() * low, Expr::I64(32)]);
    let product = f.value("product", mantissa * window + carried);
    let turns = Expr::op(
        Op::I64ShrU,
        [product.clone() + Expr::I64(1 << 61), Expr::I64(62)],
    );
    let turns = f.value("turns", turns);
    let rest = product - (turns.clone() << Expr::I64(62));
    let rest = Expr::op(Op::F64ConvertI64S, [rest]) * double(QUARTER);
    let rest = f.value("rest", rest);
    let below = f.value("below", x.clone().lt(real(0.0)));
    let turns = (Expr::I64(0) - turns.clone()).or_else(below.clone(), turns);
    let minus = Expr::op(Op::F64Neg, [rest.clone()]);
    (turns, minus.or_else(below, rest))
}

/// pi / 2 * 2^-62.
const QUARTER: f64 = std::f64::consts::FRAC_PI_2 / (1u64 << 62) as f64;

/// a to the power of b, in binary64: 2^(b * log2 |a|), with a's sign where b is odd.
pub(super) fn pow(f: &mut Builder, a: Expr, b: Expr) -> Expr {
    const ONE: i64 = 1023 << 52;
    /// 2 / ln 2 / (2 k + 1).
    const LOG2: [f64; 9] = {
        let mut terms = [0.0; 9];
        let mut k = 0;
        while k < 9 {
            terms[k] = 2.0 / std::f64::consts::LN_2 / (2 * k + 1) as f64;
            k += 1;
        }
        terms
    };
    /// 1 / k!.
    const EXP: [f64; 12] = {
        let mut terms = [1.0; 12];
        let mut k = 1;
        while k < 12 {
            terms[k] = terms[k - 1] / k as f64;
            k += 1;
        }
        terms
    };
    let a = f.value("a", a);
    let b = f.value("b", b);
    let size = size_of(f, &a);
    let bits = Expr::op(Op::F64PromoteF32, [size.clone()]);
    let bits = f.value("bits", Expr::op(Op::I64ReinterpretF64, [bits]));
    let mantissa = (bits.clone() & Expr::I64((1 << 52) - 1)) | Expr::I64(ONE);
    let mantissa = f.value("mantissa", Expr::op(Op::F64ReinterpretI64, [mantissa]));
    let large = double(std::f64::consts::SQRT_2).lt(mantissa.clone());
    let large = f.value("large", large);
    let halved = mantissa.clone() * double(0.5);
    let mantissa = f.value("mantissa", halved.or_else(large.clone(), mantissa));
    let exponent = (bits >> Expr::I64(52)) - Expr::I64(1023);
    let exponent = exponent + Expr::op(Op::I64ExtendI32U, [large]);
    let exponent = Expr::op(Op::F64ConvertI64S, [exponent]);
    let s = (mantissa.clone() - double(1.0)) / (mantissa + double(1.0));
    let s = f.value("s", s);
    let square = f.value("square", s.clone() * s.clone());
    let logarithm = exponent + s * series(&square, &LOG2);
    let zero = size.clone().equals(real(0.0));
    let logarithm = double(f64::NEG_INFINITY).or_else(zero, logarithm);
    let logarithm = f.value("logarithm", logarithm);
    let infinite = size.clone().equals(real(f32::INFINITY));
    let logarithm = double(f64::INFINITY).or_else(infinite, logarithm);
    let wide = Expr::op(Op::F64PromoteF32, [b.clone()]);
    let power = f.value("power", wide * logarithm);
    // Beyond these the result is zero or infinite.
    let low = power.clone().lt(double(-200.0));
    let power = f.value("power", double(-200.0).or_else(low, power));
    let high = double(200.0).lt(power.clone());
    let power = f.value("power", double(200.0).or_else(high, power));
    let whole = f.value("whole", Expr::op(Op::F64Nearest, [power.clone()]));
    let rest = (power - whole.clone()) * double(std::f64::consts::LN_2);
    let rest = f.value("rest", rest);
    let exponent = Expr::op(Op::I64TruncSatF64S, [whole]) + Expr::I64(1023);
    let scale = Expr::op(Op::F64ReinterpretI64, [exponent << Expr::I64(52)]);
    let result = Expr::op(Op::F32DemoteF64, [series(&rest, &EXP) * scale]);
    let one = size.equals(real(1.0));
    let result = f.value("pow", real(1.0).or_else(one, result));
    // The sign: of whole numbers from 2^24 on none is odd.
    let integer = Expr::op(Op::F32Trunc, [b.clone()]).equals(b.clone());
    let integer = f.value("integer", integer);
    let parity = Expr::op(Op::I64TruncSatF32S, [b.clone()]) & Expr::I64(1);
    let b_size = size_of(f, &b);
    let odd = Expr::op(Op::I32WrapI64, [parity]) & integer.clone();
    let odd = odd & b_size.clone().lt(real(16_777_216.0));
    let sign = Expr::op(Op::I32ReinterpretF32, [a.clone()]).lt(Expr::I32(0));
    let minus = Expr::op(Op::F32Neg, [result.clone()]);
    let result = f.value("pow", minus.or_else(odd & sign, result));
    // There is none of a number below zero if b is not whole.
    let below = a.clone().lt(real(0.0)) & above(&a, f32::NEG_INFINITY);
    let none = below & Expr::op(Op::I32Eqz, [integer]) & b_size.clone().lt(real(f32::INFINITY));
    let numbers = a.clone().equals(a.clone()) & b.clone().equals(b.clone());
    let result = f.value("pow", real(f32::NAN).or_else(none, result));
    let result = f.value("pow", result.or_else(numbers, real(f32::NAN)));
    let always = a.equals(real(1.0)) | b.equals(real(0.0));
    real(1.0).or_else(always, result)
}

/// What is left of `a` when whole multiples of `b` are taken away, with the sign of `b`.
pub(super) fn remainder(f: &mut Builder, a: Expr, b: Expr) -> Expr {
    let a = f.value("a", a);
    let b = f.value("b", b);
    let sizes = [size_of(f, &a), size_of(f, &b)];
    // Significands as integers, and exponents from that of the least numbers on.
    let mut parts = Vec::new();
    for size in &sizes {
        let bits = f.value("bits", Expr::op(Op::I32ReinterpretF32, [size.clone()]));
        let exponent = f.value("exponent", bits.clone() >> Expr::I32(23));
        let normal = f.value("normal", Expr::I32(0).lt(exponent.clone()));
        let bit = Expr::I32(0x0080_0000).or_else(normal.clone(), Expr::I32(0));
        let significand = (bits & Expr::I32(0x007f_ffff)) | bit;
        parts.push((significand, exponent - normal));
    }
    let [(of_a, a_exponent), (of_b, b_exponent)] = [0, 1].map(|i: usize| parts[i].clone());
    let b_exponent = f.value("b_exponent", b_exponent);
    // A divisor of 0 is replaced, as dividing by it would trap.
    let of_b = f.value("of_b", of_b);
    let none = Expr::op(Op::I32Eqz, [of_b.clone()]);
    let of_b = Expr::I32(1).or_else(none, of_b);
    let of_b = f.value("of_b", Expr::op(Op::I64ExtendI32U, [of_b]));
    let rest = Expr::op(Op::I64ExtendI32U, [of_a]) % of_b.clone();
    let rest = f.accumulator("rest", rest);
    let places = f.accumulator("places", a_exponent - b_exponent.clone());
    f.repeat(
        |_| Expr::I32(0).lt(places.clone()),
        |f| {
            // 36 places more of a number below 2^24 still fit.
            let few = places.clone().lt(Expr::I32(36));
            let step = f.value("step", places.clone().or_else(few, Expr::I32(36)));
            let wide = Expr::op(Op::I64ExtendI32U, [step.clone()]);
            f.set(&rest, (rest.clone() << wide) % of_b.clone());
            f.set(&places, places.clone() - step);
        },
    );
    let power = Expr::op(Op::I64ExtendI32S, [b_exponent]) + Expr::I64(1023 - 149);
    let power = Expr::op(Op::F64ReinterpretI64, [power << Expr::I64(52)]);
    let size = Expr::op(Op::F64ConvertI64S, [rest]) * power;
    let size = Expr::op(Op::F32DemoteF64, [size]);
    let [a_size, b_size] = sizes;
    let less = a_size.clone().lt(b_size.clone());
    let size = a_size.clone().or_else(less, size);
    let rest = f.value("rest", signed(size, &a));
    let some = Expr::op(Op::F32Ne, [rest.clone(), real(0.0)]);
    let signs = b.clone().lt(real(0.0)) ^ rest.clone().lt(real(0.0));
    let moved = rest.clone() + b.clone();
    let result = f.value("mod", moved.or_else(some & signs, rest));
    let defined = a_size.lt(real(f32::INFINITY)) & above(&b_size, 0.0);
    let defined = defined & b.clone().equals(b);
    result.or_else(defined, real(f32::NAN))
}
