//! SELECT and `SELECT_V2`: elements of one tensor or of another, as a third says, with broadcasting.

use super::{broadcast, operand, operand::Operands};
use crate::graph::{DataType, Graph, Node, Tensor};

/// The shape that the condition counts as: of one that picks rows, with dimensions of 1 behind.
fn condition_shape(condition: &Tensor, output: &Tensor, rows: bool) -> Vec<u32> {
    let mut shape = condition.shape.clone();
    if rows {
        shape.resize(output.shape.len().max(1), 1);
    }
    shape
}

pub(super) fn check(graph: &Graph, node: &Node, rows: bool) -> Result<(), String> {
    let operands = Operands::new(graph, node, (3, 3))?;
    let [condition, a, b] = [0, 1, 2].map(|i| operands.input(i));
    let output = operands.output;
    operand::one_of(condition, &[DataType::Bool])?;
    operand::same_type(a, b)?;
    operand::same_type(a, output)?;
    if rows && condition.shape.len() != 1 {
        return Err(format!(
            "`{}` of shape {:?} does not pick rows",
            condition.name, condition.shape
        ));
    }
    let picks = Tensor {
        shape: condition_shape(condition, output, rows),
        ..condition.clone()
    };
    let due = broadcast::shape(&[&picks, a, b])?;
    operand::shape(output, &due)
}

pub(super) fn evaluate(graph: &Graph, node: &Node, rows: bool, values: [&[u8]; 3]) -> Vec<u8> {
    let operands = Operands::new(graph, node, (3, 3)).expect("checked");
    let output = operands.output;
    let size = output.ty.size() as usize;
    let picks = condition_shape(operands.input(0), output, rows);
    let element = |i: usize, input: usize| {
        let at = broadcast::source(i, &output.shape, &operands.input(input).shape) * size;
        &values[input][at..at + size]
    };
    (0..output.elements())
        .flat_map(|i| {
            let picked = values[0][broadcast::source(i, &output.shape, &picks)] != 0;
            element(i, if picked { 1 } else { 2 })
        })
        .copied()
        .collect()
}
