//! Functions of f32. Those that are no single operation are the ones of the `libm` crate, whose algorithms
//! generated code follows step by step; but sine, cosine and power are computed in f64 as said here, each
//! operation rounded, and rounded to f32 at the end.

use super::{Binary, Unary, arithmetic};

/// Below this the reference kernel takes the exponential for LOGISTIC.
const SMALL: f32 = -9.0;
/// sqrt(2 / pi).
const SQRT_2_OVER_PI: f32 = 0.797_884_6;

/// 1 / (1 + exp(-x)), and below -9 exp(x).
pub(super) fn logistic(x: f32) -> f32 {
    if x < SMALL {
        libm::expf(x)
    } else {
        1.0 / (1.0 + libm::expf(-x))
    }
}

/// A function of one f32.
pub(super) fn unary(op: Unary, x: f32) -> f32 {
    match op {
        Unary::Abs => x.abs(),
        Unary::Neg => -x,
        Unary::Sign => {
            if x > 0.0 {
                1.0
            } else if x < 0.0 {
                -1.0
            } else {
                0.0
            }
        }
        Unary::Sin => sine(x, 0),
        Unary::Cos => sine(x, 1),
        Unary::Exp => libm::expf(x),
        Unary::Log => libm::logf(x),
        Unary::Sqrt => libm::sqrtf(x),
        Unary::Rsqrt => 1.0 / libm::sqrtf(x),
        Unary::Square => x * x,
        Unary::Ceil => libm::ceilf(x),
        Unary::Floor => libm::floorf(x),
        Unary::Round => libm::rintf(x),
        Unary::ReluN1To1 => clamp(x, -1.0, 1.0),
        Unary::Relu0To1 => clamp(x, 0.0, 1.0),
        Unary::LeakyRelu { alpha } => {
            if x > 0.0 {
                x
            } else {
                x * alpha
            }
        }
        Unary::Elu => {
            if x < 0.0 {
                libm::expm1f(x)
            } else {
                x
            }
        }
        Unary::HardSwish => x * clamp(x + 3.0, 0.0, 6.0) / 6.0,
        Unary::Tanh => libm::tanhf(x),
        Unary::Gelu { approximate: false } => {
            0.5 * x * libm::erfcf(x * -std::f32::consts::FRAC_1_SQRT_2)
        }
        Unary::Gelu { approximate: true } => {
            let inner = x + 0.044_715 * x * x * x;
            0.5 * x * (1.0 + libm::tanhf(SQRT_2_OVER_PI * inner))
        }
        Unary::Cast => x,
        Unary::ZerosLike => 0.0,
        Unary::LogicalNot => unreachable!("LOGICAL_NOT is not of reals"),
    }
}

/// NaN stays NaN, and a zero keeps its sign.
fn clamp(x: f32, least: f32, most: f32) -> f32 {
    arithmetic::at_most(arithmetic::at_least(x, least), most)
}

/// A function of two f32 that gives an f32.
pub(super) fn binary(op: Binary, a: f32, b: f32) -> f32 {
    match op {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
        Binary::FloorDiv => libm::floorf(a / b),
        Binary::FloorMod => {
            let rest = libm::fmodf(a, b);
            if rest != 0.0 && (b < 0.0) != (rest < 0.0) {
                rest + b
            } else {
                rest
            }
        }
        Binary::Maximum => {
            if a > b {
                a
            } else {
                b
            }
        }
        Binary::Minimum => {
            if a < b {
                a
            } else {
                b
            }
        }
        Binary::SquaredDifference => (a - b) * (a - b),
        Binary::Prelu => {
            if a >= 0.0 {
                a
            } else {
                a * b
            }
        }
        Binary::Pow => power(a, b),
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

/// A comparison of two f32.
pub(super) fn compare(op: Binary, a: f32, b: f32) -> bool {
    let (less, equal, greater) = (a < b, a == b, a > b);
    let holds = [
        (Binary::Equal, equal),
        (Binary::NotEqual, !equal),
        (Binary::Greater, greater),
        (Binary::GreaterEqual, greater || equal),
        (Binary::Less, less),
        (Binary::LessEqual, less || equal),
    ];
    let of = holds.into_iter().find(|(comparison, _)| *comparison == op);
    of.expect("a comparison").1
}

/// The sine of `x` a quarter turn times `quarters` further: x less the nearest whole number n of quarter turns,
/// then FreeBSD's polynomials for f32 (`k_sinf`, `k_cosf`).
fn sine(x: f32, quarters: i64) -> f32 {
    if !x.is_finite() {
        return f32::NAN;
    }
    let (n, y) = quarter_turns(x);
    let z = y * y;
    let w = z * z;
    let value = if (n + quarters) & 1 == 0 {
        let r = -0.000_198_393_348_360_966_32 + z * 0.000_002_718_311_493_989_822;
        let s = z * y;
        (y + s * (-0.166_666_666_416_265_24 + z * 0.008_333_329_385_889_463)) + s * w * r
    } else {
        let r = -0.001_388_676_377_460_993 + z * 0.000_024_390_448_796_277_41;
        ((1.0 + z * -0.499_999_997_251_031) + w * 0.041_666_623_323_739_06) + (w * z) * r
    };
    (if (n + quarters) & 2 == 0 {
        value
    } else {
        -value
    }) as f32
}

/// The number of quarter turns nearest to `x`, and the angle left.
fn quarter_turns(x: f32) -> (i64, f64) {
    const HALF_PI_HIGH: f64 = f64::from_bits(0x3ff9_21fb_5000_0000);
    const HALF_PI_LOW: f64 = f64::from_bits(0x3e51_10b4_611a_6263);
    /// 2^28 quarter turns.
    const FAR: f32 = f32::from_bits(0x4dc9_0fdb);
    /// The bits of 2 / pi from that of 2^-1 on, a byte each.
    const TWO_OVER_PI: [u8; 26] = [
        0xa2, 0xf9, 0x83, 0x6e, 0x4e, 0x44, 0x15, 0x29, 0xfc, 0x27, 0x57, 0xd1, 0xf5, 0x34, 0xdd,
        0xc0, 0xdb, 0x62, 0x95, 0x99, 0x3c, 0x43, 0x90, 0x41, 0xfe, 0x51,
    ];
    if x.abs() < FAR {
        let turns = libm::rint(f64::from(x) * std::f64::consts::FRAC_2_PI);
        let left = f64::from(x) - turns * HALF_PI_HIGH - turns * HALF_PI_LOW;
        return (turns as i64, left);
    }
    // x = m * 2^e. Bits of 2 / pi above that of 2^(1 - e) make multiples of four turns; from the byte that has
    // this bit on 96 are enough.
    let e = (x.abs().to_bits() >> 23) as usize - 150;
    let m = u128::from(x.to_bits() & 0x007f_ffff | 0x0080_0000);
    let first = e - 2;
    let bytes = &TWO_OVER_PI[first / 8..first / 8 + 12];
    let window = bytes.iter().fold(0, |w, b| w << 8 | u128::from(*b));
    // The turns with 62 bits behind the point, modulo 4.
    let turns = (((m << (first % 8)) * window) >> 32) as u64;
    let n = (turns.wrapping_add(1 << 61) >> 62) as i64;
    let left = turns.wrapping_sub((n as u64) << 62) as i64;
    let angle = left as f64 * (std::f64::consts::FRAC_PI_2 / (1u64 << 62) as f64);
    if x < 0.0 { (-n, -angle) } else { (n, angle) }
}

/// a to the power of b: 2^(b * log2 |a|), with a's sign where b is odd; the special values are those of IEEE 754.
fn power(a: f32, b: f32) -> f32 {
    if b == 0.0 || a == 1.0 {
        return 1.0;
    }
    if a.is_nan() || b.is_nan() {
        return f32::NAN;
    }
    let whole = libm::truncf(b) == b;
    if a < 0.0 && a.is_finite() && !whole {
        return f32::NAN;
    }
    let odd = whole && b.abs() < 16_777_216.0 && b as i64 & 1 != 0;
    let size = if a.abs() == 1.0 {
        1.0
    } else {
        // Beyond these bounds the result is zero or infinite.
        let exponent = (f64::from(b) * binary_logarithm(a.abs())).clamp(-200.0, 200.0);
        power_of_two(exponent) as f32
    };
    if odd && a.is_sign_negative() {
        -size
    } else {
        size
    }
}

/// log2(x): of x = 2^e * m, with m around 1, e and a series of s = (m - 1) / (m + 1).
fn binary_logarithm(x: f32) -> f64 {
    if x == 0.0 {
        return f64::NEG_INFINITY;
    }
    if x.is_infinite() {
        return f64::INFINITY;
    }
    let bits = f64::from(x).to_bits();
    let mut exponent = (bits >> 52) as i64 - 1023;
    let mut m = f64::from_bits(bits & ((1 << 52) - 1) | 1023 << 52);
    if m > std::f64::consts::SQRT_2 {
        m *= 0.5;
        exponent += 1;
    }
    let s = (m - 1.0) / (m + 1.0);
    let terms = (0..9).map(|k| 2.0 / std::f64::consts::LN_2 / f64::from(2 * k + 1));
    exponent as f64 + s * horner(s * s, terms)
}

/// 2^x for x in -200..=200: a power of two, and the series of exp for what is left.
fn power_of_two(x: f64) -> f64 {
    let whole = libm::rint(x);
    let left = (x - whole) * std::f64::consts::LN_2;
    let terms = (1..12).scan(1.0, |term, k| {
        *term /= f64::from(k);
        Some(*term)
    });
    let scale = f64::from_bits(((whole as i64 + 1023) as u64) << 52);
    horner(left, std::iter::once(1.0).chain(terms)) * scale
}

/// c0 + x * (c1 + x * (c2 + ...)).
fn horner(x: f64, coefficients: impl Iterator<Item = f64>) -> f64 {
    let coefficients: Vec<f64> = coefficients.collect();
    let last = coefficients[coefficients.len() - 1];
    let before = coefficients[..coefficients.len() - 1].iter().rev();
    before.fold(last, |sum, c| c + x * sum)
}
