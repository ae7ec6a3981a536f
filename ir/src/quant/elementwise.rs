//! Parameters and tables of quantised operators that work element by element.

use super::{Requantization, activation_range, affine, element_range, operand, real_range, result};
use crate::{
    graph::{DataType, Graph, Node, Tensor},
    op::{Activation, Binary, Op, Unary},
};

/// What a quantised ADD, SUB, `SQUARED_DIFFERENCE` or `ADD_N` computes with. Each input, less its zero point,
/// is shifted left and requantised; their sum, difference or squared difference is requantised again, the
/// output's zero point is added and the result clamped. All rounding is
/// [`Rounding::Twice`](super::Rounding::Twice).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SumParams {
    /// Zero point and factor of each input; `ADD_N` has one for all.
    pub inputs: [(i32, Requantization); 2],
    /// Bits of headroom that inputs are given.
    pub left_shift: u32,
    /// Factor of the sum.
    pub output: Requantization,
    /// Added to the requantised sum.
    pub output_zero_point: i32,
    /// What the result is clamped to.
    pub range: (i32, i32),
}

/// The parameters of an ADD, SUB, `SQUARED_DIFFERENCE` or `ADD_N` on I8, U8 or I16.
///
/// # Errors
/// Says which operand's quantisation is unfit; or that the output's scale is so small that the sum
/// would have to grow.
pub fn sum_params(graph: &Graph, node: &Node, activation: Activation) -> Result<SumParams, String> {
    let second = usize::from(node.inputs.len() > 1);
    let (a_scale, a_zero_point) = affine(operand(graph, node, 0)?)?;
    let (b_scale, b_zero_point) = affine(operand(graph, node, second)?)?;
    let output = result(graph, node)?;
    let (output_scale, output_zero_point) = affine(output)?;
    let squared = matches!(
        node.op,
        Op::Binary {
            op: Binary::SquaredDifference,
            ..
        }
    );
    let left_shift = match (squared, output.ty == DataType::I16) {
        (false, false) => 20,
        (false, true) => 15,
        (true, false) => 7,
        (true, true) => 0,
    };
    let twice_greatest = f64::from(2.0 * a_scale.max(b_scale));
    let factor = |scale: f32| Requantization::new(f64::from(scale) / twice_greatest);
    let shifted = f64::from((1u32 << left_shift) as f32);
    let sum = if squared {
        twice_greatest * twice_greatest / (shifted * shifted * f64::from(output_scale))
    } else {
        twice_greatest / (shifted * f64::from(output_scale))
    };
    if sum >= 1.0 && !squared {
        return Err(format!(
            "the scale {output_scale:e} of `{}` is too small for those of the inputs",
            output.name
        ));
    }
    Ok(SumParams {
        inputs: [
            (a_zero_point, factor(a_scale)?),
            (b_zero_point, factor(b_scale)?),
        ],
        left_shift,
        output: Requantization::new(sum)?,
        output_zero_point,
        range: activation_range(output, activation)?,
    })
}

/// What an ADD or SUB of I16 whose scales are powers of two computes with: each input is divided by
/// 2^shift, halves away from zero; the sum or difference saturates at 16 bits and is clamped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PowersParams {
    /// Of each input; at most one is not 0.
    pub shifts: [u32; 2],
    /// What the result is clamped to.
    pub range: (i32, i32),
}

/// The parameters of an ADD or SUB of powers of two.
///
/// # Errors
/// Says which operand's quantisation is unfit.
pub fn powers_params(
    graph: &Graph,
    node: &Node,
    activation: Activation,
) -> Result<PowersParams, String> {
    let output = result(graph, node)?;
    let exponent = |tensor: &Tensor| {
        let exponent = power_of_two(tensor).ok_or("its scales are not powers of two");
        symmetric(tensor).and(Ok(exponent?))
    };
    let to = exponent(output)?;
    let mut shifts = [0; 2];
    for (input, shift) in shifts.iter_mut().enumerate() {
        let below = to - exponent(operand(graph, node, input)?)?;
        *shift = below;
    }
    let shifts = shifts.map(|s| u32::try_from(s).ok().filter(|s| *s <= 31));
    match shifts {
        [Some(a), Some(b)] if a == 0 || b == 0 => Ok(PowersParams {
            shifts: [a, b],
            range: activation_range(output, activation)?,
        }),
        _ => Err("neither input has the scale of the output, or one has a greater".to_owned()),
    }
}

/// The exponent of a scale that is a power of two but for a thousandth of its logarithm.
pub fn power_of_two(tensor: &Tensor) -> Option<i32> {
    let (scale, _) = affine(tensor).ok()?;
    let logarithm = libm::log2(f64::from(scale));
    let nearest = libm::round(logarithm);
    ((logarithm - nearest).abs() < 1e-3).then_some(nearest as i32)
}

/// The zero point is 0.
fn symmetric(tensor: &Tensor) -> Result<(), String> {
    match affine(tensor)? {
        (_, 0) => Ok(()),
        (_, zero_point) => Err(format!(
            "`{}` of type {} has the zero point {zero_point}, not 0",
            tensor.name, tensor.ty
        )),
    }
}

/// Of each I16 operand the zero point is 0.
fn wide_are_symmetric(graph: &Graph, node: &Node) -> Result<(), String> {
    let tensors = node.inputs.iter().flatten().chain(&node.outputs);
    tensors
        .filter_map(|id| graph.tensors.get(*id))
        .filter(|t| t.ty == DataType::I16)
        .try_for_each(symmetric)
}

/// What a quantised MUL or DIV computes with: the product of both inputs less their zero points is
/// requantised ([`Rounding::Twice`](super::Rounding::Twice)), the output's zero point is added and the
/// result clamped. DIV has the factor of the quotient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProductParams {
    /// Subtracted from each input.
    pub zero_points: [i32; 2],
    /// The factor.
    pub requantization: Requantization,
    /// Added to the result.
    pub output_zero_point: i32,
    /// What it is clamped to.
    pub range: (i32, i32),
}

/// The parameters of a MUL or DIV on I8, U8 or I16. The factor is rounded to f32 at each step.
///
/// # Errors
/// Says which operand's quantisation is unfit.
pub fn product_params(
    graph: &Graph,
    node: &Node,
    activation: Activation,
) -> Result<ProductParams, String> {
    let (a_scale, a_zero_point) = affine(operand(graph, node, 0)?)?;
    let (b_scale, b_zero_point) = affine(operand(graph, node, 1)?)?;
    let output = result(graph, node)?;
    let (output_scale, output_zero_point) = affine(output)?;
    wide_are_symmetric(graph, node)?;
    let divides = matches!(
        node.op,
        Op::Binary {
            op: Binary::Div,
            ..
        }
    );
    let factor = if divides {
        a_scale / (b_scale * output_scale)
    } else {
        a_scale * b_scale / output_scale
    };
    let requantization = Requantization::new(f64::from(factor))?;
    // As many bits of headroom as any dividend has.
    let headroom = if output.ty == DataType::I16 { 15 } else { 22 };
    if divides && requantization.shift > headroom {
        return Err(format!(
            "the scales give the factor {factor:e}, which is too great"
        ));
    }
    Ok(ProductParams {
        zero_points: [a_zero_point, b_zero_point],
        requantization,
        output_zero_point,
        range: activation_range(output, activation)?,
    })
}

/// 1 / `x` for an integer above zero, as a multiplier of 2^(-`shift` - 31): three steps of Newton's method
/// in fixed point, as the reference kernels take them.
pub fn reciprocal(x: u32) -> (i32, i32) {
    let zeros = x.leading_zeros();
    let fraction = (x << zeros).wrapping_sub(1 << 31) as i32;
    (reciprocal_of_one_plus(fraction), 31 - zeros as i32)
}

/// (a * b + 2^30) >> 31, and the greatest integer where that does not fit.
fn high_mul(a: i32, b: i32) -> i32 {
    let product = (i64::from(a) * i64::from(b) + (1 << 30)) >> 31;
    product.min(i32::MAX.into()) as i32
}

/// x * 2^`exponent`, saturating.
fn multiply_by_power(x: i32, exponent: u32) -> i32 {
    (i64::from(x) << exponent).clamp(i32::MIN.into(), i32::MAX.into()) as i32
}

/// x / 2^`exponent` to nearest, halves away from zero.
fn divide_by_power(x: i32, exponent: u32) -> i32 {
    let half = (1i64 << exponent) >> 1;
    let quotient = (i64::from(x).abs() + half) >> exponent;
    (if x < 0 { -quotient } else { quotient }) as i32
}

/// 1 / (1 + x) for x in 0..1, both without integer bits.
fn reciprocal_of_one_plus(x: i32) -> i32 {
    const ONE: i32 = 1 << 29;
    /// 48/17 and -32/17 with two integer bits: the best line under the hyperbola.
    const LINE: [i32; 2] = [1_515_870_810, -1_010_580_540];
    let half_denominator = ((i64::from(x) + i64::from(i32::MAX) + 1) / 2) as i32;
    let guess = high_mul(half_denominator, LINE[1]).wrapping_add(LINE[0]);
    let reciprocal = (0..3).fold(guess, |guess, _| {
        let error = ONE.wrapping_sub(high_mul(half_denominator, guess));
        guess.wrapping_add(multiply_by_power(high_mul(guess, error), 2))
    });
    multiply_by_power(reciprocal, 1)
}

/// What a quantised PRELU or `LEAKY_RELU` computes with: x less its zero point is requantised by one factor
/// from zero on, and below by the other; PRELU multiplies it there by the slope less its zero point first.
/// All rounding is [`Rounding::Twice`](super::Rounding::Twice).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlopeParams {
    /// Of x, and of a slope that is an operand.
    pub zero_points: [i32; 2],
    /// Of what is not below zero.
    pub above: Requantization,
    /// Of what is.
    pub below: Requantization,
    /// Whether what is below zero changes sign when it is requantised.
    pub negates: bool,
    /// Added to the result.
    pub output_zero_point: i32,
    /// What it is clamped to.
    pub range: (i32, i32),
}

/// The parameters of a PRELU or `LEAKY_RELU` on I8, U8 or I16.
///
/// # Errors
/// Says which operand's quantisation is unfit.
pub fn slope_params(graph: &Graph, node: &Node) -> Result<SlopeParams, String> {
    let (scale, zero_point) = affine(operand(graph, node, 0)?)?;
    let output = result(graph, node)?;
    let (output_scale, output_zero_point) = affine(output)?;
    wide_are_symmetric(graph, node)?;
    let (slope, slope_zero_point) = if let Op::Unary(Unary::LeakyRelu { alpha }) = node.op {
        (alpha, 0)
    } else {
        affine(operand(graph, node, 1)?)?
    };
    let below = scale * slope / output_scale;
    Ok(SlopeParams {
        zero_points: [zero_point, slope_zero_point],
        above: Requantization::new(f64::from(scale / output_scale))?,
        below: Requantization::new(f64::from(below.abs()))?,
        negates: below < 0.0,
        output_zero_point,
        range: element_range(output.ty)?,
    })
}

/// Bits that the inputs of a quantised comparison are shifted left before they are requantised.
pub const COMPARISON_SHIFT: u32 = 8;

/// Zero point and factor of each input of a comparison of quantised integers: they are compared after
/// `requantise((x - zero_point) << COMPARISON_SHIFT)`, with [`Rounding::Twice`](super::Rounding::Twice).
///
/// # Errors
/// Says which operand's quantisation is unfit.
pub fn comparison_params(graph: &Graph, node: &Node) -> Result<[(i32, Requantization); 2], String> {
    let input = |index| {
        let (scale, zero_point) = affine(operand(graph, node, index)?)?;
        Ok::<_, String>((zero_point, Requantization::new(f64::from(scale))?))
    };
    Ok([input(0)?, input(1)?])
}

/// The range that a rectifier clamps to, for a node that is one on quantised integers.
///
/// # Errors
/// A node that is none, or an output that is not quantised as a whole.
pub fn rectifier_range(graph: &Graph, node: &Node) -> Result<(i32, i32), String> {
    let output = result(graph, node)?;
    let is = |op: Unary| node.op == Op::Unary(op);
    if is(Unary::ReluN1To1) {
        activation_range(output, Activation::ReluN1To1)
    } else if is(Unary::Relu0To1) {
        real_range(output, Some(0.0), Some(1.0))
    } else if is(Unary::Abs) {
        element_range(output.ty)
    } else {
        Err(format!("{} is no rectifier", node.op.name()))
    }
}

/// How a real function of one element is computed on quantised integers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// I8 and U8: the byte of the result for each input byte.
    Bytes(Box<[u8; 256]>),
    /// I16: the results for the inputs -32768, -32640, ... 32767 + 1; between them lies
    /// `b + (((c - b) * (x & 127) + 64) >> 7)` for the entries b and c around x, with the difference modulo
    /// 2^16.
    Words(Box<[i16; 513]>),
    /// I16 TANH and LOGISTIC: by [`SIGMOID`].
    Sigmoid(SigmoidParams),
}

/// What I16 TANH and LOGISTIC compute with.
///
/// With n = |(x * `multiplier` + 2^(`shift` - 1)) >> `shift`| (nothing added for a shift of 0), f = 8 for TANH and
/// 9 for LOGISTIC, and entry e = n >> f of [`SIGMOID`], s is (e << f) plus (n & (2^f - 1)) times the step to
/// the next entry; or 65535 << 8 for TANH and 32767 << 10 for LOGISTIC if n >> f is 255 or more. TANH is
/// (s - 2^23 + 128) >> 8, or (127 - (s - 2^23)) >> 8 below zero; LOGISTIC (s + 512) >> 10, or
/// (2^25 - s + 511) >> 10 below zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigmoidParams {
    /// The significand that makes 1/12288 the scale of x.
    pub multiplier: i32,
    /// Its exponent; 0..=31.
    pub shift: u32,
}

/// 65536 / (1 + exp(-i / 24)) as the reference kernels have it, which is now and then 1 off.
pub const SIGMOID: [u16; 256] = [
    32_768, 33_451, 34_133, 34_813, 35_493, 36_169, 36_843, 37_513, 38_180, 38_841, 39_498, 40_149,
    40_794, 41_432, 42_064, 42_688, 43_304, 43_912, 44_511, 45_102, 45_683, 46_255, 46_817, 47_369,
    47_911, 48_443, 48_964, 49_475, 49_975, 50_464, 50_942, 51_409, 51_865, 52_311, 52_745, 53_169,
    53_581, 53_983, 54_374, 54_755, 55_125, 55_485, 55_834, 56_174, 56_503, 56_823, 57_133, 57_433,
    57_724, 58_007, 58_280, 58_544, 58_800, 59_048, 59_288, 59_519, 59_743, 59_959, 60_168, 60_370,
    60_565, 60_753, 60_935, 61_110, 61_279, 61_441, 61_599, 61_750, 61_896, 62_036, 62_172, 62_302,
    62_428, 62_549, 62_666, 62_778, 62_886, 62_990, 63_090, 63_186, 63_279, 63_368, 63_454, 63_536,
    63_615, 63_691, 63_765, 63_835, 63_903, 63_968, 64_030, 64_090, 64_148, 64_204, 64_257, 64_308,
    64_357, 64_405, 64_450, 64_494, 64_536, 64_576, 64_614, 64_652, 64_687, 64_721, 64_754, 64_786,
    64_816, 64_845, 64_873, 64_900, 64_926, 64_950, 64_974, 64_997, 65_019, 65_039, 65_060, 65_079,
    65_097, 65_115, 65_132, 65_149, 65_164, 65_179, 65_194, 65_208, 65_221, 65_234, 65_246, 65_258,
    65_269, 65_280, 65_291, 65_301, 65_310, 65_319, 65_328, 65_337, 65_345, 65_352, 65_360, 65_367,
    65_374, 65_381, 65_387, 65_393, 65_399, 65_404, 65_410, 65_415, 65_420, 65_425, 65_429, 65_433,
    65_438, 65_442, 65_445, 65_449, 65_453, 65_456, 65_459, 65_462, 65_465, 65_468, 65_471, 65_474,
    65_476, 65_479, 65_481, 65_483, 65_485, 65_488, 65_489, 65_491, 65_493, 65_495, 65_497, 65_498,
    65_500, 65_501, 65_503, 65_504, 65_505, 65_507, 65_508, 65_509, 65_510, 65_511, 65_512, 65_513,
    65_514, 65_515, 65_516, 65_517, 65_517, 65_518, 65_519, 65_520, 65_520, 65_521, 65_522, 65_522,
    65_523, 65_523, 65_524, 65_524, 65_525, 65_525, 65_526, 65_526, 65_526, 65_527, 65_527, 65_528,
    65_528, 65_528, 65_529, 65_529, 65_529, 65_529, 65_530, 65_530, 65_530, 65_530, 65_531, 65_531,
    65_531, 65_531, 65_531, 65_532, 65_532, 65_532, 65_532, 65_532, 65_532, 65_533, 65_533, 65_533,
    65_533, 65_533, 65_533, 65_533, 65_533, 65_534, 65_534, 65_534, 65_534, 65_534, 65_534, 65_534,
    65_534, 65_534, 65_534, 65_535,
];

fn sigmoid_params(graph: &Graph, node: &Node) -> Result<SigmoidParams, String> {
    let (input, output) = (operand(graph, node, 0)?, result(graph, node)?);
    wide_are_symmetric(graph, node)?;
    if power_of_two(output) != Some(-15) {
        return Err(format!("the scale of `{}` is not 1/32768", output.name));
    }
    let halves = i32::from(node.op != Op::Logistic);
    if let Some(exponent @ 0..) = power_of_two(input).map(|e| e + 12)
        && exponent <= halves
    {
        return Ok(SigmoidParams {
            multiplier: 3 << exponent,
            shift: 0,
        });
    }
    let (scale, _) = affine(input)?;
    let mut multiplier = f64::from(scale) * 4096.0 * 3.0;
    let mut shift = 0;
    while multiplier <= 32767.0 / 2.0 && shift <= 30 {
        shift += 1;
        multiplier *= 2.0;
    }
    if multiplier >= 65536.0 {
        return Err(format!(
            "the scale {scale} of `{}` is too great",
            input.name
        ));
    }
    Ok(SigmoidParams {
        multiplier: multiplier as i32,
        shift,
    })
}

/// How a node that is a real function of one element, and no rectifier, is computed on I8, U8 or I16.
///
/// Of bytes each result is worked out in f32 from the real that the byte stands for (`RSQRT` and
/// `HARD_SWISH` in fixed point), functions rounded correctly (f64's, rounded to f32); times the f32 reciprocal
/// of the output's scale it is rounded, halves away from zero. What does not fit saturates.
///
/// # Errors
/// Says which operand's quantisation is unfit, or that the node is no such function.
pub fn lookup(graph: &Graph, node: &Node) -> Result<Lookup, String> {
    let (input, output) = (operand(graph, node, 0)?, result(graph, node)?);
    let (output_scale, output_zero_point) = affine(output)?;
    let (least, _) = element_range(output.ty)?;
    let wide = input.ty == DataType::I16;
    let op = if let Op::Unary(op) = node.op {
        Some(op)
    } else {
        None
    };
    let logistic = node.op == Op::Logistic;
    if wide && (logistic || op == Some(Unary::Tanh)) {
        return sigmoid_params(graph, node).map(Lookup::Sigmoid);
    }
    if op == Some(Unary::HardSwish) {
        return hard_swish_table(graph, node).map(Lookup::Bytes);
    }
    if op == Some(Unary::Rsqrt) && !wide {
        return rsqrt_table(graph, node).map(Lookup::Bytes);
    }
    let functions = [
        (Unary::Tanh, Function::Tanh),
        (Unary::Exp, Function::Exp),
        (
            Unary::Log,
            Function::Log {
                otherwise: (least - output_zero_point) as f32 * output_scale,
            },
        ),
        (
            Unary::Rsqrt,
            Function::Rsqrt {
                otherwise: 32767.0 * output_scale,
            },
        ),
        (Unary::Elu, Function::Elu),
    ];
    let simple = functions.into_iter().find(|(of, _)| op == Some(*of));
    let function = if let Some((_, function)) = simple {
        function
    } else if let Some(Unary::Gelu { approximate }) = op {
        Function::Gelu { approximate }
    } else if logistic {
        Function::Logistic
    } else {
        return Err(format!("{} is no function of a real", node.op.name()));
    };
    if wide {
        wide_are_symmetric(graph, node)?;
        word_table(graph, node, function).map(Lookup::Words)
    } else {
        byte_table(graph, node, function).map(Lookup::Bytes)
    }
}

/// A function of reals as tables have it.
#[derive(Clone, Copy, Debug)]
enum Function {
    Logistic,
    Tanh,
    Exp,
    Log { otherwise: f32 },
    Rsqrt { otherwise: f32 },
    Elu,
    Gelu { approximate: bool },
}

impl Function {
    fn of(self, x: f32) -> f32 {
        let exact = |function: fn(f64) -> f64, x: f32| function(f64::from(x)) as f32;
        match self {
            Self::Logistic => 1.0 / (1.0 + exact(libm::exp, -x)),
            Self::Tanh => exact(libm::tanh, x),
            Self::Exp => exact(libm::exp, x),
            Self::Log { otherwise } | Self::Rsqrt { otherwise } if x <= 0.0 => otherwise,
            Self::Log { .. } => exact(libm::log, x),
            Self::Rsqrt { .. } => 1.0 / libm::sqrtf(x),
            Self::Elu if x < 0.0 => exact(libm::expm1, x),
            Self::Elu => x,
            Self::Gelu { approximate: false } => {
                0.5 * x * exact(libm::erfc, x * -std::f32::consts::FRAC_1_SQRT_2)
            }
            Self::Gelu { approximate: true } => {
                let inner = x + 0.044_715 * x * x * x;
                0.5 * x * (1.0 + exact(libm::tanh, SQRT_2_OVER_PI * inner))
            }
        }
    }
}

/// sqrt(2 / pi).
const SQRT_2_OVER_PI: f32 = 0.797_884_6;

/// The integers that the bytes 0, 1, ... 255 of a type stand for.
fn bytes_of(ty: DataType) -> impl Iterator<Item = i32> {
    (0..=u8::MAX).map(move |byte| {
        if ty == DataType::I8 {
            i32::from(byte as i8)
        } else {
            i32::from(byte)
        }
    })
}

fn byte_table(graph: &Graph, node: &Node, function: Function) -> Result<Box<[u8; 256]>, String> {
    let (input, output) = (operand(graph, node, 0)?, result(graph, node)?);
    let (input_scale, input_zero_point) = affine(input)?;
    let (output_scale, output_zero_point) = affine(output)?;
    let (least, most) = element_range(output.ty)?;
    let mut table = Box::new([0; 256]);
    for (x, entry) in bytes_of(input.ty).zip(table.iter_mut()) {
        let real = function.of(input_scale * (x - input_zero_point) as f32);
        let rescaled = libm::roundf(real * (1.0 / output_scale)) + output_zero_point as f32;
        *entry = (rescaled as i32).clamp(least, most) as u8;
    }
    Ok(table)
}

fn word_table(graph: &Graph, node: &Node, function: Function) -> Result<Box<[i16; 513]>, String> {
    const STEPS: usize = 512;
    let (input_scale, _) = affine(operand(graph, node, 0)?)?;
    let (output_scale, _) = affine(result(graph, node)?)?;
    let (least, most) = (f32::from(i16::MIN), f32::from(i16::MAX));
    let (first, last) = (input_scale * least, input_scale * most);
    let step = (last - first) / STEPS as f32;
    let inverse = 65536.0 / (output_scale * most - output_scale * least);
    let scaled = |x: f32| function.of(x) * inverse;
    let mut table = Box::new([0; STEPS + 1]);
    for (i, entry) in table.iter_mut().enumerate() {
        let sample = |i: usize| first + i as f32 * step;
        let value = if i == STEPS {
            libm::roundf(scaled(last))
        } else {
            // Half of the error in the middle of the step is taken off.
            let here = libm::roundf(scaled(sample(i)));
            let interpolated = libm::roundf((scaled(sample(i + 1)) + here) * 0.5);
            let middle = libm::roundf(scaled(sample(i) + step / 2.0));
            here - libm::roundf((interpolated - middle) / 2.0)
        };
        *entry = value.clamp(least, most) as i16;
    }
    Ok(table)
}

/// RSQRT of I8: 1 / sqrt(x) in fixed point by five steps of Newton's method, times a factor. Zero gives the
/// greatest result, and so does what is below, of which the reference kernels refuse to take any.
fn rsqrt_table(graph: &Graph, node: &Node) -> Result<Box<[u8; 256]>, String> {
    /// Bits that the root is given before it is rounded to an integer.
    const HEADROOM: i32 = 20;
    let (input, output) = (operand(graph, node, 0)?, result(graph, node)?);
    let (input_scale, input_zero_point) = affine(input)?;
    let (output_scale, output_zero_point) = affine(output)?;
    let (least, most) = element_range(output.ty)?;
    let factor = 1.0 / f64::from(libm::sqrtf(input_scale) * output_scale);
    let Requantization { multiplier, shift } = Requantization::new(factor)?;
    let shift = shift - HEADROOM;
    if shift < -31 {
        return Err(format!(
            "the scales give the factor {factor:e}, which is too small"
        ));
    }
    let requantize = |x: i32, multiplier: i32, shift: i32| {
        let shifted = x.wrapping_shl(shift.max(0) as u32);
        divide_by_power(high_mul(shifted, multiplier), (-shift).max(0) as u32)
    };
    let mut table = Box::new([0; 256]);
    for (x, entry) in bytes_of(input.ty).zip(table.iter_mut()) {
        let x = x - input_zero_point;
        let result = if x <= 0 {
            most
        } else {
            let (root, root_shift) = inverse_root(x);
            let root = requantize(1, root, root_shift + HEADROOM);
            requantize(root, multiplier, shift).saturating_add(output_zero_point)
        };
        *entry = result.clamp(least, most) as u8;
    }
    Ok(table)
}

/// 1 / sqrt(x) of a byte above zero as a multiplier and the exponent of 2 beside it.
fn inverse_root(x: i32) -> (i32, i32) {
    const HALF_SQRT_2: i32 = 1_518_500_250;
    if x == 1 {
        return (i32::MAX, 0);
    }
    let pairs = (x.leading_zeros() - 1) / 2 - 1;
    let shift = 11 - pairs as i32;
    // With three integer bits from here on.
    let x = (x << (2 * pairs)) >> 1;
    let half = divide_by_power(x, 1);
    let root = (0..5).fold(1 << 28, |root, _| {
        let cube = multiply_by_power(high_mul(high_mul(root, root), root), 6);
        let step = high_mul((1 << 28) + (1 << 27), root).wrapping_sub(high_mul(half, cube));
        multiply_by_power(step, 3)
    });
    let root = high_mul(root, HALF_SQRT_2);
    if shift < 0 {
        (root.wrapping_shl((-shift) as u32), 0)
    } else {
        (root, -shift)
    }
}

/// `HARD_SWISH` of bytes: in fixed point of 16 bits, x * (clamp(x, -3, 3) + 3) / 6.
fn hard_swish_table(graph: &Graph, node: &Node) -> Result<Box<[u8; 256]>, String> {
    let (input, output) = (operand(graph, node, 0)?, result(graph, node)?);
    let (input_scale, input_zero_point) = affine(input)?;
    let (output_scale, output_zero_point) = affine(output)?;
    let (least, most) = element_range(output.ty)?;
    let finer = input_scale * (1.0 / 128.0);
    // A factor whose multiplier has 16 bits.
    let short = |factor: f32| {
        let Requantization { multiplier, shift } = Requantization::new(f64::from(factor))?;
        let rounded = (i64::from(multiplier) + (1 << 15)) >> 16;
        Ok::<_, String>((rounded.min(32767) as i16, shift))
    };
    let (to_output, output_shift) = short(finer / output_scale)?;
    if output_shift > 0 {
        return Err(format!(
            "the scale {output_scale:e} of `{}` is too small for that of the input",
            output.name
        ));
    }
    let (to_gate, gate_shift) = short(finer / (3.0 / 32768.0))?;
    let saturated = |x: i64| x.clamp(i16::MIN.into(), i16::MAX.into()) as i16;
    let rounding_mul = |a: i16, b: i16| {
        let product = i32::from(a) * i32::from(b);
        saturated(((product + (1 << 14)) >> 15).into())
    };
    let mut table = Box::new([0; 256]);
    for (x, entry) in bytes_of(input.ty).zip(table.iter_mut()) {
        let x = ((x - input_zero_point) * 128) as i16;
        let unshifted = rounding_mul(x, to_output);
        let mut gate = x;
        if gate_shift > 0 {
            gate = saturated(i64::from(gate) << (gate_shift - 1).min(32));
        }
        gate = rounding_mul(gate, to_gate);
        if gate_shift > 0 {
            gate = saturated(i64::from(gate) << 1);
        } else {
            gate = divide_by_power(gate.into(), -gate_shift as u32) as i16;
        }
        let gate = (i32::from(gate) + (1 << 15)) >> 1;
        // Cut off, not rounded.
        let product = gate * i32::from(unshifted) / (1 << 15);
        let result = divide_by_power(product, -output_shift as u32) + output_zero_point;
        *entry = result.clamp(least, most) as u8;
    }
    Ok(table)
}
