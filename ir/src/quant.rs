//! Integer parameters that quantised operators derive from scales and zero points, exactly as TFLite's
//! kernels derive them when they prepare a model.
//!
//! Both the evaluator and the code generator start from these numbers; what they then do with them,
//! rounding above all, each writes for itself.

mod elementwise;
mod embedding;
mod sampling;

pub use embedding::row_scales;
pub use sampling::{Blend, Sampling};
mod reduction;

pub use reduction::{
    LogSoftmaxParams, ReducedProductParams, ReducedSumParams, RunningSumParams, Softmax16Params,
    log_softmax_params, reduced_product_params, reduced_sum_params, running_sum_params,
    softmax16_params,
};
mod recurrent;
mod weighted;

use crate::{
    graph::{DataType, Graph, Node, Quantization, Tensor},
    op::{Activation, Op, Weighted},
};
pub use elementwise::{
    COMPARISON_SHIFT, Lookup, PowersParams, ProductParams, SIGMOID, SigmoidParams, SlopeParams,
    SumParams, comparison_params, lookup, power_of_two, powers_params, product_params, reciprocal,
    rectifier_range, slope_params, sum_params,
};
pub use recurrent::{LstmParams, SvdfParams, lstm_params, svdf_params};
pub use weighted::{
    MatrixParams, Reduced, Sum, WideParams, hybrid_scales, matrix_params, reduced, wide_params,
};

/// A real factor above zero as `multiplier * 2^(shift - 31)`, with 2^30 <= `multiplier` < 2^31; or
/// zero as (0, 0). `shift` is in -31..=30: above zero it shifts left before the multiplication, below
/// zero right after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Requantization {
    /// The significand.
    pub multiplier: i32,
    /// The exponent.
    pub shift: i32,
}

impl Requantization {
    /// The nearest to `factor`, halves away from zero (TFLite's `QuantizeMultiplier`); factors too
    /// small for a shift of -31 become zero.
    ///
    /// # Errors
    /// A factor that is not finite, is below zero, or needs a shift above 30.
    pub fn new(factor: f64) -> Result<Self, String> {
        if !factor.is_finite() || factor < 0.0 {
            return Err(format!("the scales give the factor {factor}"));
        }
        let (multiplier, shift) = split(factor);
        match shift {
            ..-31 => Ok(Self {
                multiplier: 0,
                shift: 0,
            }),
            -31..=30 => Ok(Self { multiplier, shift }),
            31.. => Err(format!(
                "the scales give the factor {factor:e}, which is 2^30 or more"
            )),
        }
    }
}

/// The significand as a 31-bit integer, and the exponent of a finite number above or equal to zero.
fn split(factor: f64) -> (i32, i32) {
    let (significand, exponent) = libm::frexp(factor);
    let multiplier = libm::round(significand * f64::from(1u32 << 31)) as i64;
    if multiplier == 1 << 31 {
        (1 << 30, exponent + 1)
    } else {
        (multiplier as i32, exponent)
    }
}

/// How often a product is rounded when a [`Requantization`] is applied to an accumulator `x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// (`x` * multiplier + 2^(30 - shift)) >> (31 - shift) in 64 bits, of which the low 32 are kept
    /// (TFLite's kernels differ from each other where more are needed).
    Once,
    /// gemmlowp's: first p = (`x` * 2^max(shift, 0) * multiplier + 2^30) >> 31, where the product of `x`
    /// and the power is taken modulo 2^32; then, for a shift below zero, p / 2^-shift with halves rounded
    /// away from zero.
    Twice,
}

/// The least and greatest value of a quantised element type.
///
/// # Errors
/// A type that is not I8, U8, I16 or I32.
pub fn element_range(ty: DataType) -> Result<(i32, i32), String> {
    if ty == DataType::I8 {
        Ok((-128, 127))
    } else if ty == DataType::U8 {
        Ok((0, 255))
    } else if ty == DataType::I16 {
        Ok((-32768, 32767))
    } else if ty == DataType::I32 {
        Ok((i32::MIN, i32::MAX))
    } else {
        Err(format!("{ty} is not a quantised element type"))
    }
}

/// The range that results of `tensor` are clamped to after `activation`: that of its element type,
/// narrowed by the activation's bounds as quantised in `tensor` (`CalculateActivationRangeQuantized`).
///
/// # Errors
/// A tensor that is not quantised per tensor.
pub fn activation_range(tensor: &Tensor, activation: Activation) -> Result<(i32, i32), String> {
    let (least, most) = match activation {
        Activation::None => (None, None),
        Activation::Relu => (Some(0.0), None),
        Activation::ReluN1To1 => (Some(-1.0), Some(1.0)),
        Activation::Relu6 => (Some(0.0), Some(6.0)),
    };
    real_range(tensor, least, most)
}

/// As [`activation_range`], with the bounds as reals.
fn real_range(
    tensor: &Tensor,
    lower: Option<f32>,
    upper: Option<f32>,
) -> Result<(i32, i32), String> {
    let (scale, zero_point) = affine(tensor)?;
    let (least, most) = element_range(tensor.ty)?;
    let quantize = |real: f32| (libm::roundf(real / scale) as i32).saturating_add(zero_point);
    Ok((
        lower.map_or(least, |real| least.max(quantize(real))),
        upper.map_or(most, |real| most.min(quantize(real))),
    ))
}

/// The scale and zero point of a tensor quantised as a whole.
///
/// # Errors
/// No quantisation, more than one scale, a scale that is not finite and above zero, or a zero point
/// outside the element type.
pub fn affine(tensor: &Tensor) -> Result<(f32, i32), String> {
    let quantization = quantization(tensor)?;
    let (scale, zero_point) = quantization.per_tensor().ok_or_else(|| {
        format!(
            "`{}` has {} scales where it must have one",
            tensor.name,
            quantization.scale.len()
        )
    })?;
    Ok((scale, zero_point))
}

/// The quantisation of a tensor, after checking each scale and zero point.
fn quantization(tensor: &Tensor) -> Result<&Quantization, String> {
    let name = &tensor.name;
    let (least, most) = element_range(tensor.ty).map_err(|e| format!("`{name}`: {e}"))?;
    let quantization = tensor
        .quantization
        .as_ref()
        .ok_or_else(|| format!("`{name}` has no scale and zero point"))?;
    if quantization.scale.is_empty() || quantization.scale.len() != quantization.zero_point.len() {
        return Err(format!(
            "`{name}` has {} scales and {} zero points",
            quantization.scale.len(),
            quantization.zero_point.len()
        ));
    }
    if let Some(scale) = quantization
        .scale
        .iter()
        .find(|s| !(s.is_finite() && **s > 0.0))
    {
        return Err(format!("`{name}` has the scale {scale}"));
    }
    if let Some(zero_point) = quantization
        .zero_point
        .iter()
        .find(|z| !(least..=most).contains(*z))
    {
        return Err(format!(
            "`{name}` has the zero point {zero_point}, outside {least} to {most}"
        ));
    }
    Ok(quantization)
}

/// What a quantised convolution, depthwise convolution or fully connected operator computes with:
/// `clamp(requantise(bias + Σ (x - input_zero_point) * (w - weight_zero_point)) + output_zero_point)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinearParams {
    /// Subtracted from each x.
    pub input_zero_point: i32,
    /// Subtracted from each weight; 0 for I8.
    pub weight_zero_point: i32,
    /// Added to each requantised sum.
    pub output_zero_point: i32,
    /// One per output channel.
    pub requantization: Vec<Requantization>,
    /// How these are applied.
    pub rounding: Rounding,
    /// What the result is clamped to.
    pub range: (i32, i32),
}

/// The parameters of a `FULLY_CONNECTED`, `CONV_2D`, `DEPTHWISE_CONV_2D` or `TRANSPOSE_CONV` on I8 or U8.
///
/// The factor of a channel is input scale * weight scale / output scale: in f64 throughout where TFLite
/// prepares channel by channel (I8 convolutions, I8 `FULLY_CONNECTED` with several scales), and with the
/// product of the first two rounded to f32 where it prepares the tensor as a whole (the rest).
///
/// # Errors
/// Says which operand's quantisation is unfit.
pub fn linear_params(graph: &Graph, node: &Node) -> Result<LinearParams, String> {
    let [input, weights] = [0, 1].map(|i| operand(graph, node, i));
    let (input, weights, output) = (input?, weights?, result(graph, node)?);
    let (axis, activation) =
        if let Op::FullyConnected { activation, .. } | Op::Conv2d { activation, .. } = &node.op {
            (0, *activation)
        } else if let Op::Weighted(Weighted::TransposeConv { activation, .. }) = &node.op {
            (0, *activation)
        } else if let Op::DepthwiseConv2d { activation, .. } = &node.op {
            (3, *activation)
        } else {
            return Err(format!("{} has no weights", node.op.name()));
        };
    let channels = *weights
        .shape
        .get(axis)
        .ok_or_else(|| format!("`{}` has too few dimensions", weights.name))?
        as usize;
    let (input_scale, input_zero_point) = affine(input)?;
    let (output_scale, output_zero_point) = affine(output)?;
    let of_weights = quantization(weights)?;
    let scales = &of_weights.scale;
    let symmetric = weights.ty == DataType::I8;
    if symmetric && of_weights.zero_point.iter().any(|z| *z != 0) {
        return Err(format!(
            "the zero point of `{}` must be 0, as its elements are i8",
            weights.name
        ));
    }
    if scales.len() > 1 {
        if !symmetric {
            return Err(format!(
                "`{}` has a scale per channel, which only i8 may have",
                weights.name
            ));
        }
        if of_weights.axis as usize != axis || scales.len() != channels {
            return Err(format!(
                "`{}` has {} scales along dimension {}, but {channels} channels along dimension {axis}",
                weights.name,
                scales.len(),
                of_weights.axis
            ));
        }
    }
    let fully_connected = matches!(node.op, Op::FullyConnected { .. });
    let wide = symmetric && (scales.len() > 1 || !fully_connected);
    let factor = |scale: f32| {
        let product = if wide {
            f64::from(input_scale) * f64::from(scale)
        } else {
            f64::from(input_scale * scale)
        };
        Requantization::new(product / f64::from(output_scale))
    };
    let requantization = scales
        .iter()
        .map(|s| factor(*s))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(LinearParams {
        input_zero_point,
        weight_zero_point: of_weights.zero_point[0],
        output_zero_point,
        requantization: if scales.len() == 1 {
            vec![requantization[0]; channels]
        } else {
            requantization
        },
        rounding: if fully_connected {
            Rounding::Once
        } else {
            Rounding::Twice
        },
        range: activation_range(output, activation)?,
    })
}

/// What an integer operator that only changes scale computes with:
/// `clamp(requantise(x - input_zero_point) + output_zero_point)`, with [`Rounding::Twice`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RescaleParams {
    /// Subtracted from x.
    pub input_zero_point: i32,
    /// The factor.
    pub requantization: Requantization,
    /// Added to the result.
    pub output_zero_point: i32,
    /// What it is clamped to.
    pub range: (i32, i32),
}

/// The parameters of a QUANTIZE from integers, of an ABS, or of a rectifier on quantised integers (RELU and
/// RELU6 as `activation` says). The quotient of the scales is taken in f64 for QUANTIZE, and rounded to f32
/// for the others.
///
/// # Errors
/// Says which operand's quantisation is unfit.
pub fn rescale_params(
    graph: &Graph,
    node: &Node,
    activation: Activation,
) -> Result<RescaleParams, String> {
    let (input_scale, input_zero_point) = affine(operand(graph, node, 0)?)?;
    let output = result(graph, node)?;
    let (output_scale, output_zero_point) = affine(output)?;
    let factor = if matches!(node.op, Op::Quantize) {
        f64::from(input_scale) / f64::from(output_scale)
    } else {
        f64::from(input_scale / output_scale)
    };
    Ok(RescaleParams {
        input_zero_point,
        requantization: Requantization::new(factor)?,
        output_zero_point,
        range: if matches!(node.op, Op::Unary(_)) {
            rectifier_range(graph, node)?
        } else {
            activation_range(output, activation)?
        },
    })
}

/// What a quantised SOFTMAX computes with: the differences d = x - max are scaled to fixed point with
/// [`INTEGER_BITS`](Self::`INTEGER_BITS`) integer bits, as (d * 2^`left_shift` * `multiplier` + 2^30) >> 31.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoftmaxParams {
    /// Significand of beta * scale.
    pub multiplier: i32,
    /// Its exponent; 0..=31.
    pub left_shift: u32,
    /// Differences below this count as an exponential of zero.
    pub least_difference: i32,
}

impl SoftmaxParams {
    /// Integer bits of a scaled difference, beside its sign.
    pub const INTEGER_BITS: u32 = 5;
}

/// The parameters of a SOFTMAX on I8 or U8.
///
/// # Errors
/// Says which operand's quantisation is unfit, or that beta is.
pub fn softmax_params(graph: &Graph, node: &Node, beta: f32) -> Result<SoftmaxParams, String> {
    let (scale, _) = affine(operand(graph, node, 0)?)?;
    let fraction_bits = 31 - SoftmaxParams::INTEGER_BITS;
    let factor = (f64::from(beta) * f64::from(scale) * f64::from(1u32 << fraction_bits))
        .min(f64::from(i32::MAX));
    if factor.is_nan() || factor <= 1.0 {
        return Err(format!("beta {beta} times the scale {scale} is too small"));
    }
    let (multiplier, exponent) = split(factor);
    let left_shift = exponent as u32;
    let greatest = ((1u64 << SoftmaxParams::INTEGER_BITS) - 1) << fraction_bits;
    Ok(SoftmaxParams {
        multiplier,
        left_shift,
        least_difference: -((greatest >> left_shift) as i32),
    })
}

pub(crate) fn operand<'g>(
    graph: &'g Graph,
    node: &Node,
    index: usize,
) -> Result<&'g Tensor, String> {
    node.inputs
        .get(index)
        .copied()
        .flatten()
        .and_then(|id| graph.tensors.get(id))
        .ok_or_else(|| format!("{} lacks operand {index}", node.op.name()))
}

pub(crate) fn result<'g>(graph: &'g Graph, node: &Node) -> Result<&'g Tensor, String> {
    node.outputs
        .first()
        .and_then(|id| graph.tensors.get(*id))
        .ok_or_else(|| format!("{} has no result", node.op.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(factor: f64) -> Option<(i32, i32)> {
        let factor = Requantization::new(factor).ok()?;
        Some((factor.multiplier, factor.shift))
    }

    #[test]
    fn factors_are_split_to_the_nearest_multiplier() {
        const HALF: i32 = 1 << 30;
        assert_eq!(split(0.5), Some((HALF, 0)));
        assert_eq!(split(1.0), Some((HALF, 1)));
        assert_eq!(split(0.75), Some((HALF + HALF / 2, 0)));
        // A significand that rounds up to 1 carries into the exponent.
        assert_eq!(split(1.0 - f64::EPSILON / 2.0), Some((HALF, 1)));
        assert_eq!(split(f64::from(HALF) - 1.0), Some((i32::MAX - 1, 30)));
    }

    #[test]
    fn factors_out_of_range_are_zero_or_refused() {
        assert_eq!(split(0.0), Some((0, 0)));
        assert_eq!(split(f64::from(-32).exp2()), Some((1 << 30, -31)));
        assert_eq!(split(f64::from(-34).exp2()), Some((0, 0)));
        assert_eq!(split(f64::MIN_POSITIVE), Some((0, 0)));
        for factor in [f64::from(1 << 30), f64::NAN, f64::INFINITY, -1.0] {
            assert_eq!(split(factor), None, "{factor}");
        }
    }

    #[test]
    fn activations_narrow_the_range_of_the_type() {
        let tensor = |scale, zero_point| Tensor {
            name: "y".to_owned(),
            ty: DataType::I8,
            shape: vec![1],
            quantization: Some(Quantization {
                scale: vec![scale],
                zero_point: vec![zero_point],
                axis: 0,
            }),
            data: None,
        };
        let range = |activation| activation_range(&tensor(0.1, -100), activation);
        assert_eq!(range(Activation::None), Ok((-128, 127)));
        assert_eq!(range(Activation::Relu), Ok((-100, 127)));
        assert_eq!(range(Activation::Relu6), Ok((-100, -40)));
        assert_eq!(range(Activation::ReluN1To1), Ok((-110, -90)));
        // A bound beyond the type, or beyond i32, is the type's.
        let range = |scale| activation_range(&tensor(scale, 0), Activation::Relu6);
        assert_eq!(range(0.001), Ok((0, 127)));
        assert_eq!(range(f32::MIN_POSITIVE), Ok((0, 127)));
        assert!(range(f32::NAN).is_err());
    }
}
