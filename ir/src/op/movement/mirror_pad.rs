//! `MIRROR_PAD`: x in a larger tensor, the rest of which is x mirrored.

use super::index::{fits, moved, one_to_one};
use crate::graph::{Graph, Node};

/// `edge`: the mirrors stand before the first and behind the last element, which then come twice
/// (SYMMETRIC), not on them (REFLECT).
pub(super) fn check(graph: &Graph, node: &Node, before: &[u32], edge: bool) -> Result<(), String> {
    let (x, output) = one_to_one(graph, node)?;
    fits(x, output, before)?;
    for ((dim, before), to) in x.shape.iter().zip(before).zip(&output.shape) {
        let most = dim - u32::from(!edge);
        let after = to - dim - before;
        if *before > most || after > most {
            return Err(format!(
                "{before} and {after} elements around {dim} are more than a mirror gives"
            ));
        }
    }
    Ok(())
}

pub(super) fn evaluate(
    graph: &Graph,
    node: &Node,
    before: &[u32],
    edge: bool,
    value: &[u8],
) -> Vec<u8> {
    let (x, output) = one_to_one(graph, node).expect("checked");
    let edge = i64::from(edge);
    moved(x, value, &output.shape, |index| {
        let dims = index.iter().zip(before).zip(&x.shape);
        dims.map(|((i, before), dim)| {
            let (inner, dim) = (*i as i64 - i64::from(*before), i64::from(*dim));
            let mirrored = if inner < 0 {
                -inner - edge
            } else if inner >= dim {
                2 * dim - 2 + edge - inner
            } else {
                inner
            };
            mirrored as usize
        })
        .collect()
    })
}
