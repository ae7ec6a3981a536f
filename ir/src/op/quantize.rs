//! QUANTIZE and DEQUANTIZE: between reals and the integers that stand for them.
//!
//! From F32: x / scale, rounded to nearest with halves away from zero, plus the zero point, clamped; NaN
//! gives the zero point. From integers: requantised with two roundings. To F32: scale * (x - zero point).

use super::{Activation, operand, operand::Operands, relu};
use crate::{
    graph::{DataType, Graph, Node},
    quant,
};

pub(super) fn check_quantize(graph: &Graph, node: &Node) -> Result<(), String> {
    let operands = Operands::new(graph, node, (1, 1))?;
    let (x, output) = (operands.input(0), operands.output);
    operand::same_shape(x, output)?;
    operand::number(x)?;
    quant::affine(output)?;
    if x.ty != DataType::F32 {
        quant::rescale_params(graph, node, Activation::None)?;
    }
    Ok(())
}

pub(super) fn quantize(graph: &Graph, node: &Node, value: &[u8]) -> Vec<u8> {
    let operands = Operands::new(graph, node, (1, 1)).expect("checked");
    let (x, output) = (operands.input(0), operands.output);
    if x.ty == DataType::F32 {
        let (scale, zero_point) = quant::affine(output).expect("checked");
        let quantized = operand::floats(value)
            .into_iter()
            .map(|x| (libm::roundf(x / scale) as i32).saturating_add(zero_point));
        let range = quant::element_range(output.ty).expect("checked");
        operand::small_integer_bytes(quantized, range)
    } else {
        let x = operand::small_integers(x.ty, value);
        relu::rescale(graph, node, Activation::None, x)
    }
}

pub(super) fn check_dequantize(graph: &Graph, node: &Node) -> Result<(), String> {
    let operands = Operands::new(graph, node, (1, 1))?;
    let (x, output) = (operands.input(0), operands.output);
    operand::same_shape(x, output)?;
    if output.ty != DataType::F32 {
        return Err(format!("`{}` is of type {}", output.name, output.ty));
    }
    quant::affine(x)?;
    Ok(())
}

pub(super) fn dequantize(graph: &Graph, node: &Node, value: &[u8]) -> Vec<u8> {
    let operands = Operands::new(graph, node, (1, 1)).expect("checked");
    let x = operands.input(0);
    let (scale, zero_point) = quant::affine(x).expect("checked");
    let reals = operand::small_integers(x.ty, value)
        .into_iter()
        .map(|x| scale * (x - zero_point) as f32);
    operand::float_bytes(reals)
}
