//! `FULLY_CONNECTED`: each row of x times each row of weights, summed by rising column.
//!
//! F32 beside I8 weights is quantised row by row. Integers are requantised with one rounding, where convolutions take two, as the reference kernels do.

use super::{Activation, linear, linear::Hybrid, operand, operand::Operands};
use crate::graph::{Graph, Node};

pub(super) fn check(graph: &Graph, node: &Node) -> Result<(), String> {
    let operands = Operands::new(graph, node, linear::INPUTS)?;
    let (x, weights) = (operands.input(0), operands.input(1));
    let [channels, columns] = operand::dims(weights)?;
    if !x.elements().is_multiple_of(columns) {
        return Err(format!(
            "`{}` of shape {:?} does not divide into rows of {columns}, as the weights `{}` ask",
            x.name, x.shape, weights.name
        ));
    }
    let rows = x.elements() / columns;
    if operands.output.elements() != rows * channels {
        return Err(format!(
            "`{}` has the shape {:?} where {rows} rows of {channels} are due",
            operands.output.name, operands.output.shape
        ));
    }
    linear::check(graph, node, &operands, 0, channels)
}

pub(super) fn evaluate(
    graph: &Graph,
    node: &Node,
    activation: Activation,
    asymmetric: bool,
    values: &[Option<&[u8]>],
) -> Vec<u8> {
    let operands = Operands::new(graph, node, linear::INPUTS).expect("checked");
    let [channels, columns] = operand::dims(operands.input(1)).expect("checked");
    linear::evaluate(
        graph,
        node,
        activation,
        channels,
        Hybrid {
            axis: 0,
            runs: operands.input(0).elements() / columns,
            asymmetric,
            joint: true,
        },
        values,
        |result, pairs| {
            let (row, channel) = (result / channels, result % channels);
            pairs.extend((0..columns).map(|c| (row * columns + c, channel * columns + c)));
        },
    )
}
