//! QUANTIZE and DEQUANTIZE: between reals and the integers that stand for them.
//!
//! From F32: x / scale, rounded to nearest with halves away from zero, plus the zero point, clamped; NaN
//! gives the zero point. From integers: requantised with two roundings. To F32: scale * (x - zero point).

use super::{Activation, arithmetic, operand, operand::Operands, unary};
use crate::{
    graph::{DataType, Graph, Node},
    quant,
};

pub(super) fn check_quantize(graph: &Graph, node: &Node) -> Result<(), String> {
    let operands = Operands::new(graph, node, (1, 1))?;
    let (x, output) = (operands.input(0), operands.output);
    operand::same_shape(x, output)?;
    let integers = [DataType::I8, DataType::U8, DataType::I16, DataType::I32];
    if x.ty == DataType::F32 {
        operand::one_of(output, &integers[..3])?;
        quant::affine(output)?;
    } else {
        operand::one_of(x, &integers)?;
        operand::one_of(output, &integers)?;
        quant::rescale_params(graph, node, Activation::None)?;
    }
    Ok(())
}

pub(super) fn quantize(graph: &Graph, node: &Node, value: &[u8]) -> Vec<u8> {
    let operands = Operands::new(graph, node, (1, 1)).expect("checked");
    let (x, output) = (operands.input(0), operands.output);
    if x.ty == DataType::F32 {
        let (scale, zero_point) = quant::affine(output).expect("checked");
        let range = quant::element_range(output.ty).expect("checked");
        let quantized = operand::floats(value).into_iter().map(|x| {
            let rounded = libm::roundf(x / scale) as i32;
            arithmetic::offset_and_clamp(rounded, zero_point, range)
        });
        operand::wide_integer_bytes(output.ty, quantized)
    } else {
        unary::rescale(graph, node, Activation::None, false, value)
    }
}

pub(super) fn check_dequantize(graph: &Graph, node: &Node) -> Result<(), String> {
    let operands = Operands::new(graph, node, (1, 1))?;
    let (x, output) = (operands.input(0), operands.output);
    operand::same_shape(x, output)?;
    if output.ty != DataType::F32 {
        return Err(format!("`{}` is of type {}", output.name, output.ty));
    }
    operand::one_of(x, &[DataType::I8, DataType::U8, DataType::I16])?;
    quant::affine(x)?;
    Ok(())
}

pub(super) fn dequantize(graph: &Graph, node: &Node, value: &[u8]) -> Vec<u8> {
    let operands = Operands::new(graph, node, (1, 1)).expect("checked");
    let x = operands.input(0);
    let (scale, zero_point) = quant::affine(x).expect("checked");
    let reals = operand::wide_integers(x.ty, value)
        .into_iter()
        .map(|x| scale * (x as i32 - zero_point) as f32);
    operand::float_bytes(reals)
}
