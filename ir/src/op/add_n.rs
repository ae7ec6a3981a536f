//! `ADD_N`: the sum of two tensors or more of one shape, the first two added first.
//!
//! I8, all inputs of one scale, as ADD has it: each is requantised, and their sum again; but the sum is
//! that of one more element, whose byte is 0.

use super::{Activation, arithmetic, operand, operand::Operands};
use crate::{
    graph::{DataType, Graph, Node},
    quant::{self, Rounding},
};

/// More inputs than any model has.
const MAX_INPUTS: usize = 1000;

pub(super) fn check(graph: &Graph, node: &Node) -> Result<(), String> {
    let operands = Operands::new(graph, node, (2, MAX_INPUTS))?;
    let output = operands.output;
    operand::one_of(output, &[DataType::F32, DataType::I32, DataType::I8])?;
    for input in &operands.inputs {
        let input = input.ok_or("one of its inputs is left out")?;
        operand::same_type(input, output)?;
        operand::same_shape(input, output)?;
        if output.ty == DataType::I8 {
            operand::same_affine(input, operands.input(0))?;
        }
    }
    if output.ty == DataType::I8 {
        quant::sum_params(graph, node, Activation::None)?;
    }
    Ok(())
}

pub(super) fn evaluate(graph: &Graph, node: &Node, values: &[Option<&[u8]>]) -> Vec<u8> {
    let operands = Operands::new(graph, node, (2, MAX_INPUTS)).expect("checked");
    let output = operands.output;
    let values = values.iter().flatten();
    if output.ty == DataType::F32 {
        let inputs: Vec<_> = values.map(|v| operand::floats(v)).collect();
        let sum = |i: usize| inputs[1..].iter().fold(inputs[0][i], |sum, x| sum + x[i]);
        return operand::float_bytes((0..output.elements()).map(sum));
    }
    let inputs: Vec<_> = values
        .map(|v| operand::wide_integers(output.ty, v))
        .collect();
    let elements = 0..output.elements();
    if output.ty == DataType::I32 {
        let sum = |i| inputs.iter().map(|x| x[i]).sum();
        return operand::wide_integer_bytes(output.ty, elements.map(sum));
    }
    let params = quant::sum_params(graph, node, Activation::None).expect("checked");
    let (zero_point, factor) = params.inputs[0];
    let sums = elements.map(|i| {
        // The reference kernel counts an element of 0 besides.
        let elements = inputs.iter().map(|x| x[i]).chain([0]);
        let scaled = elements.map(|x| {
            let shifted = (x as i32 - zero_point) << params.left_shift;
            arithmetic::requantize(shifted, factor, Rounding::Twice)
        });
        let sum = scaled.fold(0, i32::wrapping_add);
        let result = arithmetic::requantize(sum, params.output, Rounding::Twice);
        arithmetic::offset_and_clamp(result, params.output_zero_point, params.range)
    });
    operand::wide_integer_bytes(output.ty, sums)
}
