//! PAD and PADV2: x in a larger tensor, the rest of which is one value: that of the second input where
//! there is one, else zero (F32: +0.0; of quantised integers the zero point).

use super::{
    movement::index::{self, moved_or_filled, one_meaning},
    operand,
    operand::Operands,
};
use crate::graph::{Graph, Node};

pub(super) fn check(graph: &Graph, node: &Node, before: &[u32]) -> Result<(), String> {
    let operands = Operands::new(graph, node, (1, 2))?;
    let (x, output) = (operands.input(0), operands.output);
    operand::same_type(x, output)?;
    one_meaning(x, output)?;
    index::fits(x, output, before)?;
    if let Some(fill) = operands.optional(1) {
        operand::same_type(fill, output)?;
        one_meaning(fill, output)?;
        if fill.elements() != 1 {
            return Err(format!("`{}` is no single element", fill.name));
        }
    }
    Ok(())
}

pub(super) fn evaluate(
    graph: &Graph,
    node: &Node,
    before: &[u32],
    value: &[u8],
    fill: Option<&[u8]>,
) -> Vec<u8> {
    let operands = Operands::new(graph, node, (1, 2)).expect("checked");
    let (x, output) = (operands.input(0), operands.output);
    let zero = index::zero(output);
    moved_or_filled(x, value, &output.shape, fill.unwrap_or(&zero), |index| {
        let dims = index.iter().zip(before).zip(&x.shape);
        dims.map(|((i, before), dim)| {
            let inner = i.checked_sub(*before as usize)?;
            (inner < *dim as usize).then_some(inner)
        })
        .collect()
    })
}
