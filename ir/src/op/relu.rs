//! RELU and RELU6: x clamped. Integers are requantised to the output's scale and clamped there.

use super::{Activation, arithmetic, operand, operand::Operands};
use crate::{
    graph::{DataType, Graph, Node},
    quant::{self, Rounding},
};

pub(super) fn check(graph: &Graph, node: &Node, activation: Activation) -> Result<(), String> {
    let operands = Operands::new(graph, node, (1, 1))?;
    if operands.elementwise()? != DataType::F32 {
        quant::rescale_params(graph, node, activation)?;
    }
    Ok(())
}

pub(super) fn evaluate(
    graph: &Graph,
    node: &Node,
    activation: Activation,
    value: &[u8],
) -> Vec<u8> {
    let operands = Operands::new(graph, node, (1, 1)).expect("checked");
    let ty = operands.output.ty;
    if ty == DataType::F32 {
        let activated = operand::floats(value)
            .into_iter()
            .map(|x| arithmetic::activate(activation, x));
        operand::float_bytes(activated)
    } else {
        rescale(graph, node, activation, operand::small_integers(ty, value))
    }
}

/// Integers of one scale as integers of another.
pub(super) fn rescale(
    graph: &Graph,
    node: &Node,
    activation: Activation,
    elements: Vec<i32>,
) -> Vec<u8> {
    let params = quant::rescale_params(graph, node, activation).expect("checked");
    let rescaled = elements.into_iter().map(|x| {
        let real = x - params.input_zero_point;
        arithmetic::requantize(real, params.requantization, Rounding::Twice)
            .saturating_add(params.output_zero_point)
    });
    operand::small_integer_bytes(rescaled, params.range)
}
