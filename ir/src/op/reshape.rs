//! RESHAPE: the same bytes under another shape. Any element type; quantisation is not looked at.

use super::{operand, operand::Operands};
use crate::graph::{Graph, Node};

pub(super) fn check(graph: &Graph, node: &Node) -> Result<(), String> {
    let operands = Operands::new(graph, node, (1, 1))?;
    let (x, output) = (operands.input(0), operands.output);
    operand::same_type(x, output)?;
    if x.elements() == output.elements() {
        Ok(())
    } else {
        Err(format!(
            "`{}` of shape {:?} cannot be reshaped to {:?}",
            x.name, x.shape, output.shape
        ))
    }
}

pub(super) fn evaluate(value: &[u8]) -> Vec<u8> {
    value.to_vec()
}
