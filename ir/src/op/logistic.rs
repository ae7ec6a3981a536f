//! LOGISTIC: 1 / (1 + exp(-x)). F32 with `libm::expf`, and below -9, as the reference kernel has it, exp(x);
//! integers by a table of 256 results.

use super::{operand, operand::Operands};
use crate::{
    graph::{DataType, Graph, Node},
    quant,
};

/// Below this the reference kernel takes the exponential for the result.
const SMALL: f32 = -9.0;

pub(super) fn check(graph: &Graph, node: &Node) -> Result<(), String> {
    let operands = Operands::new(graph, node, (1, 1))?;
    if operands.elementwise()? != DataType::F32 {
        quant::logistic_table(graph, node)?;
        operand::unit_affine(operands.output)?;
    }
    Ok(())
}

pub(super) fn evaluate(graph: &Graph, node: &Node, value: &[u8]) -> Vec<u8> {
    let operands = Operands::new(graph, node, (1, 1)).expect("checked");
    if operands.output.ty == DataType::F32 {
        let results = operand::floats(value).into_iter().map(|x| {
            if x < SMALL {
                libm::expf(x)
            } else {
                1.0 / (1.0 + libm::expf(-x))
            }
        });
        operand::float_bytes(results)
    } else {
        let table = quant::logistic_table(graph, node).expect("checked");
        value.iter().map(|x| table[*x as usize]).collect()
    }
}
