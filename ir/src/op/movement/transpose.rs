//! TRANSPOSE: x with its dimensions in another order. `BROADCAST_TO` (FILL too, of one element): x, its
//! dimensions of 1 repeated, aligned from the last.

use super::index::{self, moved};
use crate::graph::{Graph, Node};

/// Dimension `d` of the result is dimension `order[d]` of x.
pub(super) fn check(graph: &Graph, node: &Node, order: &[u32]) -> Result<(), String> {
    let (x, output) = index::one_to_one(graph, node)?;
    let mut sorted = order.to_vec();
    sorted.sort_unstable();
    let is_order = sorted.iter().copied().eq(0..x.shape.len() as u32);
    if is_order
        && output
            .shape
            .iter()
            .eq(order.iter().map(|d| &x.shape[*d as usize]))
    {
        Ok(())
    } else {
        Err(format!(
            "`{}` of shape {:?} in the order {order:?} has not the shape {:?}",
            x.name, x.shape, output.shape
        ))
    }
}

pub(super) fn evaluate(graph: &Graph, node: &Node, order: &[u32], value: &[u8]) -> Vec<u8> {
    let (x, output) = index::one_to_one(graph, node).expect("checked");
    moved(x, value, &output.shape, |index| {
        let mut source = vec![0; index.len()];
        for (i, from) in index.iter().zip(order) {
            source[*from as usize] = *i;
        }
        source
    })
}

pub(super) fn check_broadcast(graph: &Graph, node: &Node) -> Result<(), String> {
    let (x, output) = index::one_to_one(graph, node)?;
    let mut pairs = x.shape.iter().rev().zip(output.shape.iter().rev());
    if x.shape.len() <= output.shape.len() && pairs.all(|(from, to)| *from == 1 || from == to) {
        Ok(())
    } else {
        Err(format!(
            "`{}` of shape {:?} does not broadcast to {:?}",
            x.name, x.shape, output.shape
        ))
    }
}

pub(super) fn broadcast(graph: &Graph, node: &Node, value: &[u8]) -> Vec<u8> {
    let (x, output) = index::one_to_one(graph, node).expect("checked");
    let outer = output.shape.len() - x.shape.len();
    moved(x, value, &output.shape, |index| {
        let dims = index[outer..].iter().zip(&x.shape);
        dims.map(|(i, dim)| i % *dim as usize).collect()
    })
}
