//! ADD: a + b, dimensions aligned from the last and those of 1 repeated.

use super::{Activation, arithmetic, operand, operand::Operands};
use crate::{
    graph::{DataType, Graph, Node},
    quant::{self, AddParams, Rounding},
};

pub(super) fn check(graph: &Graph, node: &Node, activation: Activation) -> Result<(), String> {
    let operands = Operands::new(graph, node, (2, 2))?;
    let (a, b) = (operands.input(0), operands.input(1));
    operand::same_type(a, b)?;
    let rank = a.shape.len().max(b.shape.len());
    let mut due = vec![0; rank];
    for (i, due) in due.iter_mut().rev().enumerate() {
        let dim = |shape: &[u32]| shape.iter().rev().nth(i).copied().unwrap_or(1);
        *due = match (dim(&a.shape), dim(&b.shape)) {
            (a, b) if a == b => a,
            (1, n) | (n, 1) => n,
            _ => {
                return Err(format!(
                    "`{}` of shape {:?} and `{}` of shape {:?} do not broadcast",
                    a.name, a.shape, b.name, b.shape
                ));
            }
        };
    }
    operand::shape(operands.output, &due)?;
    if operands.number()? != DataType::F32 {
        quant::add_params(graph, node, activation)?;
    }
    Ok(())
}

pub(super) fn evaluate(
    graph: &Graph,
    node: &Node,
    activation: Activation,
    values: [&[u8]; 2],
) -> Vec<u8> {
    let operands = Operands::new(graph, node, (2, 2)).expect("checked");
    let output = operands.output;
    let results = 0..output.elements();
    let source = |input: usize, i| source(i, &output.shape, &operands.input(input).shape);
    if output.ty == DataType::F32 {
        let [a, b] = values.map(operand::floats);
        operand::float_bytes(
            results.map(|i| arithmetic::activate(activation, a[source(0, i)] + b[source(1, i)])),
        )
    } else {
        let params = quant::add_params(graph, node, activation).expect("checked");
        let [a, b] = values.map(|v| operand::small_integers(output.ty, v));
        let scaled = |x: i32, input: usize| {
            let (zero_point, factor) = params.inputs[input];
            let shifted = (x - zero_point) << AddParams::LEFT_SHIFT;
            arithmetic::requantize(shifted, factor, Rounding::Twice)
        };
        let sums = results.map(|i| {
            let sum = scaled(a[source(0, i)], 0) + scaled(b[source(1, i)], 1);
            arithmetic::requantize(sum, params.output, Rounding::Twice) + params.output_zero_point
        });
        operand::small_integer_bytes(sums, params.range)
    }
}

/// The index, in a tensor of shape `from`, of the element that broadcasts to element `index` of a tensor
/// of shape `to`.
fn source(mut index: usize, to: &[u32], from: &[u32]) -> usize {
    let (mut source, mut stride) = (0, 1);
    for (to, from) in to.iter().rev().zip(from.iter().rev()) {
        source += index % *to as usize % *from as usize * stride;
        index /= *to as usize;
        stride *= *from as usize;
    }
    source
}
