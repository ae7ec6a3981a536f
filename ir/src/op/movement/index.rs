//! What operators share that move elements: results whose elements each come from a place of an operand.
//!
//! They take any element type, copy bits as they are (a NaN too), and do not look at quantisation unless
//! their file says so.

use crate::{
    graph::{DataType, Graph, Node, Tensor},
    op::operand::{self, Operands},
};

/// Every index of a tensor of this shape, in the order of its elements.
pub(in crate::op) fn indices(shape: &[u32]) -> impl Iterator<Item = Vec<usize>> + '_ {
    let elements: usize = shape.iter().map(|d| *d as usize).product();
    (0..elements).map(move |mut element| {
        let mut index = vec![0; shape.len()];
        for (i, dim) in index.iter_mut().zip(shape).rev() {
            *i = element % *dim as usize;
            element /= *dim as usize;
        }
        index
    })
}

/// Which element of a tensor of this shape has this index.
pub(in crate::op) fn place(index: &[usize], shape: &[u32]) -> usize {
    let dims = index.iter().zip(shape);
    dims.fold(0, |place, (i, dim)| place * *dim as usize + i)
}

/// The bytes of the element of a tensor at an index.
pub(in crate::op) fn element<'v>(tensor: &Tensor, value: &'v [u8], index: &[usize]) -> &'v [u8] {
    let size = tensor.ty.size() as usize;
    &value[place(index, &tensor.shape) * size..][..size]
}

/// A value of `shape`, each element of which is that of `x` at the index which `source` makes of its own.
pub(in crate::op) fn moved(
    x: &Tensor,
    value: &[u8],
    shape: &[u32],
    source: impl Fn(&[usize]) -> Vec<usize>,
) -> Vec<u8> {
    indices(shape)
        .flat_map(|index| element(x, value, &source(&index)))
        .copied()
        .collect()
}

/// As [`moved`], with `fill` where there is no source.
pub(in crate::op) fn moved_or_filled(
    x: &Tensor,
    value: &[u8],
    shape: &[u32],
    fill: &[u8],
    source: impl Fn(&[usize]) -> Option<Vec<usize>>,
) -> Vec<u8> {
    indices(shape)
        .flat_map(|index| match source(&index) {
            Some(index) => element(x, value, &index),
            None => fill,
        })
        .copied()
        .collect()
}

/// The operands of a node with one input and one output, which have one element type.
pub(in crate::op) fn one_to_one<'g>(
    graph: &'g Graph,
    node: &Node,
) -> Result<(&'g Tensor, &'g Tensor), String> {
    let operands = Operands::new(graph, node, (1, 1))?;
    let (x, output) = (operands.input(0), operands.output);
    operand::same_type(x, output)?;
    Ok((x, output))
}

/// The bytes of what stands for zero: the zero point of a quantised tensor, else zeros.
pub(in crate::op) fn zero(tensor: &Tensor) -> Vec<u8> {
    let zero_point = match &tensor.quantization {
        Some(quantization) if is_quantised(tensor.ty) => quantization.per_tensor(),
        _ => None,
    };
    let zero_point = i64::from(zero_point.map_or(0, |(_, zero_point)| zero_point));
    zero_point.to_le_bytes()[..tensor.ty.size() as usize].to_vec()
}

/// Whether the type is one of those whose elements scale and zero point may give a meaning.
pub(in crate::op) fn is_quantised(ty: DataType) -> bool {
    [DataType::I8, DataType::U8, DataType::I16].contains(&ty)
}

/// Two tensors of one type that are both quantised have one scale and zero point.
pub(in crate::op) fn one_meaning(a: &Tensor, b: &Tensor) -> Result<(), String> {
    if is_quantised(a.ty) && (a.quantization.is_some() || b.quantization.is_some()) {
        operand::same_affine(a, b)?;
    }
    Ok(())
}

/// An axis that a tensor has.
pub(in crate::op) fn axis(axis: u32, tensor: &Tensor) -> Result<usize, String> {
    if (axis as usize) < tensor.shape.len() {
        Ok(axis as usize)
    } else {
        Err(format!(
            "`{}` of shape {:?} has no axis {axis}",
            tensor.name, tensor.shape
        ))
    }
}

/// The tensor holds indices: I32 or I64.
pub(in crate::op) fn is_index(tensor: &Tensor) -> Result<(), String> {
    if [DataType::I32, DataType::I64].contains(&tensor.ty) {
        Ok(())
    } else {
        Err(format!(
            "`{}` holds indices of type {}, not i32 or i64",
            tensor.name, tensor.ty
        ))
    }
}

/// The elements of a tensor of indices.
pub(in crate::op) fn index_values(tensor: &Tensor, value: &[u8]) -> Vec<i64> {
    if tensor.ty == DataType::I64 {
        let elements = value.as_chunks().0.iter();
        elements.map(|b| i64::from_le_bytes(*b)).collect()
    } else {
        operand::integers(value)
            .into_iter()
            .map(i64::from)
            .collect()
    }
}

/// An index into so many elements; one outside is taken as the nearest inside.
pub(in crate::op) fn inside(index: i64, elements: u32) -> usize {
    index.clamp(0, i64::from(elements) - 1) as usize
}

/// The output has room for x behind so many elements.
pub(in crate::op) fn fits(x: &Tensor, output: &Tensor, before: &[u32]) -> Result<(), String> {
    let rank = x.shape.len();
    let fits = |((from, to), before): ((&u32, &u32), &u32)| {
        u64::from(*from) + u64::from(*before) <= u64::from(*to)
    };
    if output.shape.len() == rank
        && before.len() == rank
        && x.shape.iter().zip(&output.shape).zip(before).all(fits)
    {
        Ok(())
    } else {
        Err(format!(
            "`{}` of shape {:?} with {before:?} elements before it does not fit {:?}",
            x.name, x.shape, output.shape
        ))
    }
}
