//! Integer parameters of what multiplies by weights in other types than 8-bit activations: 16-bit
//! activations, f32 with 8-bit weights, products of two computed matrices.

use super::{
    LinearParams, Requantization, Rounding, affine, element_range, linear_params, operand,
    quantization, result,
};
use crate::{
    graph::{DataType, Graph, Node},
    op::Op,
};

/// How a sum of products is taken and scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sum {
    /// Modulo 2^32, requantised with this rounding.
    Short(Rounding),
    /// Modulo 2^64, requantised with [`Rounding::Once`], in 64 bits too.
    LongOnce,
    /// Modulo 2^64, requantised with a multiplier of 16 bits ([`reduced`]):
    /// (sum * multiplier + 2^(shift - 1)) >> shift in 64 bits, of which the low 32 are kept.
    LongReduced,
}

/// A factor as [`Sum::LongReduced`] takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reduced {
    /// The significand, below 2^15.
    pub multiplier: i32,
    /// To the right; at least 1.
    pub shift: u32,
}

/// The upper 16 bits of a factor's multiplier, to nearest.
///
/// # Errors
/// A factor of 2^14 or more, for which the shift would not be one to the right.
pub fn reduced(factor: Requantization) -> Result<Reduced, String> {
    let Requantization { multiplier, shift } = factor;
    let reduced = if multiplier < 0x7fff_0000 {
        (multiplier + (1 << 15)) >> 16
    } else {
        0x7fff
    };
    match u32::try_from(15 - shift) {
        Ok(shift @ 1..) => Ok(Reduced {
            multiplier: reduced,
            shift,
        }),
        _ => Err(format!(
            "the scales give a factor of 2^{} or more",
            shift - 1
        )),
    }
}

/// What an operator on I16 with I8 weights computes with: `clamp(requantise(bias + Σ x * w))`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WideParams {
    /// One per output channel.
    pub requantization: Vec<Requantization>,
    /// How sums are taken, and these factors applied.
    pub sum: Sum,
    /// What the result is clamped to.
    pub range: (i32, i32),
}

/// The parameters of a `FULLY_CONNECTED`, `CONV_2D`, `DEPTHWISE_CONV_2D` or `TRANSPOSE_CONV` on I16.
///
/// # Errors
/// Says which operand's quantisation is unfit; all zero points are 0.
pub fn wide_params(graph: &Graph, node: &Node) -> Result<WideParams, String> {
    let LinearParams {
        input_zero_point,
        output_zero_point,
        requantization,
        rounding,
        range,
        ..
    } = linear_params(graph, node)?;
    if (input_zero_point, output_zero_point) != (0, 0) {
        return Err(format!(
            "the zero points {input_zero_point} and {output_zero_point} of its 16-bit input and output are not 0"
        ));
    }
    let short_bias = node.inputs.get(2).is_some_and(Option::is_some)
        && operand(graph, node, 2)?.ty == DataType::I32;
    let sum = match (&node.op, short_bias) {
        (Op::DepthwiseConv2d { .. }, true) => {
            return Err("its bias must be of type i64, as its input has 16 bits".to_owned());
        }
        (_, true) => Sum::Short(rounding),
        (Op::FullyConnected { .. }, false) => Sum::LongOnce,
        (_, false) => Sum::LongReduced,
    };
    if sum == Sum::LongReduced {
        for factor in &requantization {
            reduced(*factor)?;
        }
    }
    Ok(WideParams {
        requantization,
        sum,
        range,
    })
}

/// The scales of I8 weights that F32 is multiplied by, for each of `channels` channels along dimension
/// `axis` of the weights.
///
/// # Errors
/// Weights that are not quantised, have a zero point that is not 0, or scales along another dimension.
pub fn hybrid_scales(
    graph: &Graph,
    node: &Node,
    axis: usize,
    channels: usize,
) -> Result<Vec<f32>, String> {
    let weights = operand(graph, node, 1)?;
    let of_weights = quantization(weights)?;
    if of_weights.zero_point.iter().any(|z| *z != 0) {
        return Err(format!("the zero point of `{}` is not 0", weights.name));
    }
    match of_weights.scale.len() {
        1 => Ok(vec![of_weights.scale[0]; channels]),
        given if given == channels && of_weights.axis as usize == axis => {
            Ok(of_weights.scale.clone())
        }
        given => Err(format!(
            "`{}` has {given} scales along dimension {}, but {channels} channels along dimension {axis}",
            weights.name, of_weights.axis
        )),
    }
}

/// What a `BATCH_MATMUL` of integers computes with:
/// `clamp(requantise(Σ (x - zero_points[0]) * (y - zero_points[1])) + output_zero_point)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatrixParams {
    /// Subtracted from each element of the two inputs.
    pub zero_points: [i32; 2],
    /// The factor of every sum.
    pub requantization: Requantization,
    /// How sums are taken, and the factor applied.
    pub sum: Sum,
    /// Added to each result.
    pub output_zero_point: i32,
    /// What it is clamped to.
    pub range: (i32, i32),
}

/// The parameters of a `BATCH_MATMUL` on I8 or I16.
///
/// # Errors
/// Says which operand's quantisation is unfit; the zero points of I16 are 0.
pub fn matrix_params(graph: &Graph, node: &Node) -> Result<MatrixParams, String> {
    let (x, y, output) = (
        operand(graph, node, 0)?,
        operand(graph, node, 1)?,
        result(graph, node)?,
    );
    let (x_scale, x_zero_point) = affine(x)?;
    let (y_scale, y_zero_point) = affine(y)?;
    let (output_scale, output_zero_point) = affine(output)?;
    let requantization =
        Requantization::new(f64::from(x_scale * y_scale) / f64::from(output_scale))?;
    let sum = if x.ty == DataType::I16 {
        if [x_zero_point, y_zero_point, output_zero_point] != [0; 3] {
            return Err(format!(
                "the zero points {x_zero_point}, {y_zero_point} and {output_zero_point} of 16-bit operands are not 0"
            ));
        }
        reduced(requantization)?;
        Sum::LongReduced
    } else {
        Sum::Short(Rounding::Twice)
    };
    Ok(MatrixParams {
        zero_points: [x_zero_point, y_zero_point],
        requantization,
        sum,
        output_zero_point,
        range: element_range(output.ty)?,
    })
}
