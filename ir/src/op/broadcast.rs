//! Broadcasting: dimensions aligned from the last, those of 1 repeated.

use crate::graph::Tensor;

/// The shape that tensors broadcast to.
pub(super) fn shape(tensors: &[&Tensor]) -> Result<Vec<u32>, String> {
    let rank = tensors.iter().map(|t| t.shape.len()).max().unwrap_or(0);
    let mut due = vec![1; rank];
    for tensor in tensors {
        for (due, dim) in due.iter_mut().rev().zip(tensor.shape.iter().rev()) {
            if *due == 1 {
                *due = *dim;
            } else if *dim != 1 && *dim != *due {
                let each = tensors.iter();
                let shapes: Vec<String> = each
                    .map(|t| format!("`{}` of shape {:?}", t.name, t.shape))
                    .collect();
                return Err(format!("{} do not broadcast", shapes.join(" and ")));
            }
        }
    }
    Ok(due)
}

/// The index, in a tensor of shape `from`, of the element that broadcasts to element `index` of a tensor
/// of shape `to`.
pub(super) fn source(mut index: usize, to: &[u32], from: &[u32]) -> usize {
    let (mut source, mut stride) = (0, 1);
    for (to, from) in to.iter().rev().zip(from.iter().rev()) {
        source += index % *to as usize % *from as usize * stride;
        index /= *to as usize;
        stride *= *from as usize;
    }
    source
}
