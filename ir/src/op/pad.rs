//! PAD: x in a larger tensor, the rest of which is zero (F32: +0.0; integers: the zero point, which is
//! the same for x and the result).

use super::{operand, operand::Operands};
use crate::{
    graph::{DataType, Graph, Node},
    quant,
};

pub(super) fn check(graph: &Graph, node: &Node, before: &[u32]) -> Result<(), String> {
    let operands = Operands::new(graph, node, (1, 1))?;
    let (x, output) = (operands.input(0), operands.output);
    let fits = |((from, to), before): ((&u32, &u32), &u32)| {
        u64::from(*from) + u64::from(*before) <= u64::from(*to)
    };
    let rank = x.shape.len();
    if output.shape.len() != rank
        || before.len() != rank
        || !x.shape.iter().zip(&output.shape).zip(before).all(fits)
    {
        return Err(format!(
            "`{}` of shape {:?} with {before:?} elements before it does not fit {:?}",
            x.name, x.shape, output.shape
        ));
    }
    if operands.number()? != DataType::F32 {
        operand::same_affine(x, output)?;
    }
    Ok(())
}

pub(super) fn evaluate(graph: &Graph, node: &Node, before: &[u32], value: &[u8]) -> Vec<u8> {
    let operands = Operands::new(graph, node, (1, 1)).expect("checked");
    let (x, output) = (operands.input(0), operands.output);
    let size = output.ty.size() as usize;
    let fill = if output.ty == DataType::F32 {
        0
    } else {
        quant::affine(output).expect("checked").1 as u8
    };
    let mut padded = vec![fill; output.bytes()];
    for (at, element) in value.chunks_exact(size).enumerate() {
        let place = place(at, &x.shape, before, &output.shape);
        padded[place * size..][..size].copy_from_slice(element);
    }
    padded
}

/// The index, in a tensor of shape `outer`, of element `index` of a tensor of shape `inner` that lies in
/// it behind `before` elements of each dimension.
fn place(mut index: usize, inner: &[u32], before: &[u32], outer: &[u32]) -> usize {
    let (mut place, mut stride) = (0, 1);
    for ((inner, before), outer) in inner.iter().zip(before).zip(outer).rev() {
        place += (index % *inner as usize + *before as usize) * stride;
        index /= *inner as usize;
        stride *= *outer as usize;
    }
    place
}
