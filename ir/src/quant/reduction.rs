//! Integer parameters of what makes one number of many: reductions, running sums, `LOG_SOFTMAX`, the
//! 16-bit SOFTMAX.

use super::{Requantization, affine, element_range, operand, result};
use crate::{
    graph::{Graph, Node},
    op::Reduction,
};

/// What a MEAN or SUM of quantised integers computes with:
/// `clamp(requantise(Σ x - count * input_zero_point) + output_zero_point)`, the sum modulo 2^32 and
/// requantised with [`Rounding::Twice`](super::Rounding::Twice).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReducedSumParams {
    /// The sum of the zero points of what is summed, modulo 2^32.
    pub input_offset: i32,
    /// The factor. That of a MEAN has the division by the count in its multiplier, which may thus be
    /// less than 2^30.
    pub requantization: Requantization,
    /// Added to the result.
    pub output_zero_point: i32,
    /// What it is clamped to.
    pub range: (i32, i32),
}

/// The parameters of a MEAN (`how`) or else SUM of `count` elements.
///
/// # Errors
/// Says which operand's quantisation is unfit.
pub fn reduced_sum_params(
    graph: &Graph,
    node: &Node,
    how: Reduction,
    count: u32,
) -> Result<ReducedSumParams, String> {
    let (input_scale, input_zero_point) = affine(operand(graph, node, 0)?)?;
    let output = result(graph, node)?;
    let (output_scale, output_zero_point) = affine(output)?;
    let mut factor = Requantization::new(f64::from(input_scale) / f64::from(output_scale))?;
    if how == Reduction::Mean {
        // As many bits as the quotient frees, and as the shift to the right still allows.
        let bits = (count.ilog2() as i32).min(31 + factor.shift);
        let shifted = i64::from(factor.multiplier) << bits;
        factor = Requantization {
            multiplier: (shifted / i64::from(count)) as i32,
            shift: factor.shift - bits,
        };
    }
    Ok(ReducedSumParams {
        input_offset: input_zero_point.wrapping_mul(count as i32),
        requantization: factor,
        output_zero_point,
        range: element_range(output.ty)?,
    })
}

/// What a `REDUCE_PROD` of quantised integers computes with. The first x, less its zero point, is the
/// product; each further one is multiplied to it and the product requantised; so is the end result, to
/// which the output's zero point is added. Requantised is a 64-bit y with a factor of 16 bits:
/// (y * `multiplier` + 2^(`shift` - 1)) >> `shift`, of which the low 32 bits are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReducedProductParams {
    /// Subtracted from each x.
    pub input_zero_point: i32,
    /// The significand, below 2^15.
    pub multiplier: i32,
    /// The shift to the right; 8..=46.
    pub shift: u32,
    /// Added to the result.
    pub output_zero_point: i32,
    /// What it is clamped to.
    pub range: (i32, i32),
}

/// The parameters of a `REDUCE_PROD` of `count` elements each: the factor of every step is the input's
/// scale over the `count`th root of the output's.
///
/// # Errors
/// Says which operand's quantisation is unfit, or that the factor is too large.
pub fn reduced_product_params(
    graph: &Graph,
    node: &Node,
    count: u32,
) -> Result<ReducedProductParams, String> {
    let (input_scale, input_zero_point) = affine(operand(graph, node, 0)?)?;
    let output = result(graph, node)?;
    let (output_scale, output_zero_point) = affine(output)?;
    let root = libm::pow(f64::from(output_scale), 1.0 / f64::from(count));
    let factor = Requantization::new(f64::from(input_scale) / root)?;
    if factor.shift > 7 {
        return Err(format!(
            "the scale {output_scale:e} of `{}` is too small for that of the input",
            output.name
        ));
    }
    let multiplier = if factor.multiplier < 0x7fff_0000 {
        (factor.multiplier + (1 << 15)) >> 16
    } else {
        0x7fff
    };
    Ok(ReducedProductParams {
        input_zero_point,
        multiplier,
        shift: (15 - factor.shift) as u32,
        output_zero_point,
        range: element_range(output.ty)?,
    })
}

/// What a CUMSUM on I8 computes with. Each x, less its zero point, is shifted left by
/// [`LEFT_SHIFT`](Self::LEFT_SHIFT) and added up modulo 2^32, beginning with what an x of 0 gives; each sum
/// is requantised with [`Rounding::Twice`](super::Rounding::Twice), the output's zero point is added and
/// the result clamped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunningSumParams {
    /// Subtracted from each x.
    pub input_zero_point: i32,
    /// Factor of the sum.
    pub output: Requantization,
    /// Added to it.
    pub output_zero_point: i32,
    /// What the result is clamped to.
    pub range: (i32, i32),
}

impl RunningSumParams {
    /// Bits of headroom that inputs are given.
    pub const LEFT_SHIFT: u32 = 19;
}

/// The parameters of a CUMSUM on I8.
///
/// # Errors
/// Says which operand's quantisation is unfit; or that the output's scale is so small that the sum
/// would have to grow.
pub fn running_sum_params(graph: &Graph, node: &Node) -> Result<RunningSumParams, String> {
    let (input_scale, input_zero_point) = affine(operand(graph, node, 0)?)?;
    let output = result(graph, node)?;
    let (output_scale, output_zero_point) = affine(output)?;
    let shifted = f64::from(1u32 << RunningSumParams::LEFT_SHIFT);
    let factor = f64::from(input_scale) / (shifted * f64::from(output_scale));
    if factor >= 1.0 {
        return Err(format!(
            "the scale {output_scale:e} of `{}` is too small for that of the input",
            output.name
        ));
    }
    Ok(RunningSumParams {
        input_zero_point,
        output: Requantization::new(factor)?,
        output_zero_point,
        range: element_range(output.ty)?,
    })
}

/// What a `LOG_SOFTMAX` on I8 or U8 computes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSoftmaxParams {
    /// How differences are scaled to fixed point, as in a SOFTMAX with a beta of 1.
    pub softmax: super::SoftmaxParams,
    /// How fixed point is scaled back to differences.
    pub reverse: Requantization,
}

/// The parameters of a `LOG_SOFTMAX` on I8 or U8.
///
/// # Errors
/// Says which operand's quantisation is unfit.
pub fn log_softmax_params(graph: &Graph, node: &Node) -> Result<LogSoftmaxParams, String> {
    let softmax = super::softmax_params(graph, node, 1.0)?;
    let reverse = f64::from(1u32 << (31 - softmax.left_shift)) / f64::from(softmax.multiplier);
    Ok(LogSoftmaxParams {
        softmax,
        reverse: Requantization::new(reverse)?,
    })
}

/// What a SOFTMAX on I16 computes with: differences d = x - max are scaled such that -65535 stands for -10,
/// with [`Rounding::Twice`](super::Rounding::Twice), and looked up in [`exponentials`](Self::exponentials)
/// after 32767 is added; so is the sum in [`reciprocals`](Self::reciprocals).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Softmax16Params {
    /// The factor of differences.
    pub requantization: Requantization,
    /// exp(x) for x from -10 to 0.
    pub exponentials: Vec<i16>,
    /// 1 / (1 + x) for x from 0 to 1.
    pub reciprocals: Vec<i16>,
}

/// The parameters of a SOFTMAX on I16.
///
/// # Errors
/// Says which operand's quantisation is unfit, or that beta is.
pub fn softmax16_params(graph: &Graph, node: &Node, beta: f32) -> Result<Softmax16Params, String> {
    let (scale, _) = affine(operand(graph, node, 0)?)?;
    let requantization = Requantization::new(f64::from(scale * beta) / (10.0 / 65535.0))?;
    Ok(Softmax16Params {
        requantization,
        exponentials: interpolation_table(10.0 / 65535.0, 32767, libm::exp),
        reciprocals: interpolation_table(1.0 / 65535.0, -32768, |x| 1.0 / (1.0 + x)),
    })
}

/// A function of a 16-bit integer as 513 values at distances of 128, between which straight lines lie; the
/// results are over 32768. A value is moved by half of what the line is off in its middle.
fn interpolation_table(scale: f64, zero_point: i32, function: impl Fn(f64) -> f64) -> Vec<i16> {
    const STEPS: i32 = 512;
    let least = scale * f64::from(-32768 - zero_point);
    let most = scale * f64::from(32767 - zero_point);
    let step = (most - least) / f64::from(STEPS);
    let scaled = |x: f64| function(x) * 65536.0 / (2.0 / 65535.0 * 65535.0);
    let clamp = |value: f64| value.clamp(-32768.0, 32767.0) as i16;
    let mut table: Vec<i16> = (0..STEPS)
        .map(|i| {
            let x = least + f64::from(i) * step;
            let value = libm::round(scaled(x));
            let line = libm::round(f64::midpoint(
                scaled(least + f64::from(i + 1) * step),
                value,
            ));
            let off = line - libm::round(scaled(x + step / 2.0));
            clamp(value - libm::round(off / 2.0))
        })
        .collect();
    table.push(clamp(libm::round(scaled(most))));
    table
}
