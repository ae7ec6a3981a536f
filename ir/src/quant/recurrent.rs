//! Integer parameters of SVDF and `UNIDIRECTIONAL_SEQUENCE_LSTM`.

use super::{Requantization, affine, element_range, operand, result};
use crate::graph::{DataType, Graph, Node, Quantization, Variable};

/// What an SVDF on I8 computes with. A filter's newest value is `clamp(requantise(Σ (x - input_zero_point) *
/// w) + state_zero_point)`, a result `clamp(requantise(bias + Σ (state - state_zero_point) * w) +
/// output_zero_point)`; both with [`Rounding::Twice`](super::Rounding::Twice), sums modulo 2^32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SvdfParams {
    /// Subtracted from each x.
    pub input_zero_point: i32,
    /// The factor of what a filter gives.
    pub feature: Requantization,
    /// Subtracted from what is kept.
    pub state_zero_point: i32,
    /// What the state is clamped to.
    pub state_range: (i32, i32),
    /// The factor of results.
    pub output: Requantization,
    /// Added to each result.
    pub output_zero_point: i32,
}

/// The parameters of an SVDF of I8.
///
/// # Errors
/// Says which operand's quantisation is unfit.
pub fn svdf_params(graph: &Graph, node: &Node) -> Result<SvdfParams, String> {
    let (input_scale, input_zero_point) = affine(operand(graph, node, 0)?)?;
    let feature_scale = symmetric(graph, node, 1)?;
    let time_scale = symmetric(graph, node, 2)?;
    let (state_scale, state_zero_point) = kept(variable(graph, node, 0)?)?;
    let (output_scale, output_zero_point) = affine(result(graph, node)?)?;
    let of_state = variable(graph, node, 0)?.ty;
    if of_state == DataType::I16 && state_zero_point != 0 {
        return Err(format!(
            "the zero point {state_zero_point} of its 16-bit state is not 0"
        ));
    }
    let [input_scale, state_scale] = [input_scale, state_scale].map(f64::from);
    let [feature_scale, time_scale] = [feature_scale, time_scale].map(f64::from);
    Ok(SvdfParams {
        input_zero_point,
        feature: Requantization::new(input_scale * feature_scale / state_scale)?,
        state_zero_point,
        state_range: element_range(variable(graph, node, 0)?.ty)?,
        output: Requantization::new(state_scale * time_scale / f64::from(output_scale))?,
        output_zero_point,
    })
}

/// What an LSTM of integers computes with. Gates have 12 bits behind the point before their function and 15
/// after it, the cell has `cell_bits` of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LstmParams {
    /// Subtracted from each x.
    pub input_zero_point: i32,
    /// Subtracted from each element of the hidden state, and added where it is made.
    pub hidden_zero_point: i32,
    /// For the input, forget, cell and output gate the factors of the products with x and the hidden state.
    pub gates: [[Requantization; 2]; 4],
    /// Bits of the cell behind the point; 9 to 15.
    pub cell_bits: u32,
    /// The factor of the product of output gate and function of the cell.
    pub hidden: Requantization,
    /// The cell is clamped to this and less than its opposite, unless it is 0.
    pub clip: i32,
}

/// The parameters of an LSTM on I8 or I16: of I8 the factors are rounded to f32 on their way, as the
/// reference kernels of the large library do, of I16 they are not, as in TensorFlow Lite Micro, which alone
/// takes it.
///
/// # Errors
/// Says which operand's quantisation is unfit.
pub fn lstm_params(graph: &Graph, node: &Node, clip: f32) -> Result<LstmParams, String> {
    let x = operand(graph, node, 0)?;
    let (input_scale, input_zero_point) = affine(x)?;
    let (hidden_scale, hidden_zero_point) = kept(variable(graph, node, 0)?)?;
    let (cell_scale, cell_zero_point) = kept(variable(graph, node, 1)?)?;
    let cell_bits = (9..=15).find(|bits| cell_scale == 1.0 / (1u32 << bits) as f32);
    let Some(cell_bits) = cell_bits.filter(|_| cell_zero_point == 0) else {
        return Err(format!(
            "its cell has the scale {cell_scale} and zero point {cell_zero_point}, not a power from 2^-15 to 2^-9 and 0"
        ));
    };
    let narrow = x.ty == DataType::I8;
    if !narrow && (input_zero_point, hidden_zero_point) != (0, 0) {
        return Err("the zero points of its 16-bit input and state are not 0".to_owned());
    }
    let factor = |weights: f32, scale: f32| {
        Requantization::new(if narrow {
            f64::from(weights * scale * 4096.0)
        } else {
            f64::from(weights * scale) * 4096.0
        })
    };
    let mut gates = [[Requantization {
        multiplier: 0,
        shift: 0,
    }; 2]; 4];
    for (gate, factors) in gates.iter_mut().enumerate() {
        *factors = [
            factor(symmetric(graph, node, 1 + gate)?, input_scale)?,
            factor(symmetric(graph, node, 5 + gate)?, hidden_scale)?,
        ];
        if !narrow {
            for factor in factors {
                super::reduced(*factor)?;
            }
        }
    }
    let bits = 1.0 / f64::from(1u32 << 30);
    let hidden = bits / f64::from(hidden_scale);
    let clip = f64::from(clip) / f64::from(cell_scale);
    Ok(LstmParams {
        input_zero_point,
        hidden_zero_point,
        gates,
        cell_bits,
        hidden: Requantization::new(if narrow {
            f64::from(hidden as f32)
        } else {
            hidden
        })?,
        clip: clip.clamp(0.0, 32767.0) as i32,
    })
}

/// The scale of weights whose zero point is 0.
fn symmetric(graph: &Graph, node: &Node, index: usize) -> Result<f32, String> {
    let weights = operand(graph, node, index)?;
    match affine(weights)? {
        (scale, 0) => Ok(scale),
        (_, zero_point) => Err(format!(
            "the zero point of `{}` is {zero_point}, not 0",
            weights.name
        )),
    }
}

fn variable<'g>(graph: &'g Graph, node: &Node, index: usize) -> Result<&'g Variable, String> {
    let id = node.variables.get(index);
    id.and_then(|id| graph.variables.get(*id))
        .ok_or_else(|| format!("{} lacks variable {index}", node.op.name()))
}

/// The scale and zero point of a variable.
fn kept(variable: &Variable) -> Result<(f32, i32), String> {
    let of_it = variable
        .quantization
        .as_ref()
        .and_then(Quantization::per_tensor);
    let (least, most) = element_range(variable.ty)?;
    match of_it {
        Some((scale, zero))
            if scale.is_finite() && scale > 0.0 && (least..=most).contains(&zero) =>
        {
            Ok((scale, zero))
        }
        _ => Err(format!("`{}` is not quantised", variable.name)),
    }
}
