//! `SPACE_TO_DEPTH`, `DEPTH_TO_SPACE`, `SPACE_TO_BATCH_ND` and `BATCH_TO_SPACE_ND`: blocks of neighbouring
//! positions against channels or batches.
//!
//! The position inside a block, counted row by row, is the slower part of the channel, and the slower
//! part of the batch.

use super::index::{self, moved, moved_or_filled};
use crate::graph::{Graph, Node, Tensor};

fn sizes(tensor: &Tensor) -> Vec<u64> {
    tensor.shape.iter().map(|d| u64::from(*d)).collect()
}

/// An error unless the blocks make the shape of the output of that of x.
fn expect(holds: bool, x: &Tensor, output: &Tensor, block: &[u32]) -> Result<(), String> {
    if holds {
        return Ok(());
    }
    Err(format!(
        "blocks of {block:?} do not make {:?} of the shape {:?} of `{}`",
        output.shape, x.shape, x.name
    ))
}

/// `deep` is `wide` with square blocks of positions as channels.
fn is_depth(deep: &Tensor, wide: &Tensor, block: u32) -> bool {
    let block = u64::from(block);
    let ([batch, rows, columns, depth], [wide_batch, wide_rows, wide_columns, wide_depth]) =
        (&sizes(deep)[..], &sizes(wide)[..])
    else {
        return false;
    };
    batch == wide_batch
        && rows.checked_mul(block) == Some(*wide_rows)
        && columns.checked_mul(block) == Some(*wide_columns)
        // With the two above the elements are as many, so this does not overflow.
        && wide_depth.checked_mul(block * block) == Some(*depth)
}

pub(super) fn check_space_to_depth(graph: &Graph, node: &Node, block: u32) -> Result<(), String> {
    let (x, output) = index::one_to_one(graph, node)?;
    expect(is_depth(output, x, block), x, output, &[block, block])
}

pub(super) fn space_to_depth(graph: &Graph, node: &Node, block: u32, value: &[u8]) -> Vec<u8> {
    let (x, output) = index::one_to_one(graph, node).expect("checked");
    let (block, depth) = (block as usize, x.shape[3] as usize);
    moved(x, value, &output.shape, |at| {
        let within = at[3] / depth;
        vec![
            at[0],
            at[1] * block + within / block,
            at[2] * block + within % block,
            at[3] % depth,
        ]
    })
}

pub(super) fn check_depth_to_space(graph: &Graph, node: &Node, block: u32) -> Result<(), String> {
    let (x, output) = index::one_to_one(graph, node)?;
    expect(is_depth(x, output, block), x, output, &[block, block])
}

pub(super) fn depth_to_space(graph: &Graph, node: &Node, block: u32, value: &[u8]) -> Vec<u8> {
    let (x, output) = index::one_to_one(graph, node).expect("checked");
    let (block, depth) = (block as usize, output.shape[3] as usize);
    moved(x, value, &output.shape, |at| {
        let within = at[1] % block * block + at[2] % block;
        vec![at[0], at[1] / block, at[2] / block, within * depth + at[3]]
    })
}

/// `many` is `wide`, with `around` elements before each dimension that has blocks and some behind, with
/// blocks of positions as batches.
fn is_batches(many: &Tensor, wide: &Tensor, block: &[u32], around: &[u32]) -> bool {
    let (many, wide) = (sizes(many), sizes(wide));
    let spatial = block.len();
    if many.len() != wide.len() || many.len() <= spatial || around.len() != spatial {
        return false;
    }
    let batches = block
        .iter()
        .try_fold(wide[0], |n, b| n.checked_mul(u64::from(*b)));
    let covers = (0..spatial).all(|d| {
        let covered = many[1 + d].saturating_mul(u64::from(block[d]));
        u64::from(around[d]) + wide[1 + d] <= covered
    });
    batches == Some(many[0]) && covers && many[1 + spatial..] == wide[1 + spatial..]
}

/// The batch among `wide_batches` and the position in a block that a batch of the many stands for.
fn batch_and_shift(mut many: usize, wide_batches: usize, block: &[u32]) -> (usize, Vec<usize>) {
    let batch = many % wide_batches;
    many /= wide_batches;
    let mut shift = vec![0; block.len()];
    for (shift, block) in shift.iter_mut().zip(block).rev() {
        *shift = many % *block as usize;
        many /= *block as usize;
    }
    (batch, shift)
}

/// x is padded by its zero, `before` elements before each dimension that has blocks.
pub(super) fn check_space_to_batch(
    graph: &Graph,
    node: &Node,
    block: &[u32],
    before: &[u32],
) -> Result<(), String> {
    let (x, output) = index::one_to_one(graph, node)?;
    index::one_meaning(x, output)?;
    expect(is_batches(output, x, block, before), x, output, block)
}

pub(super) fn space_to_batch(
    graph: &Graph,
    node: &Node,
    block: &[u32],
    before: &[u32],
    value: &[u8],
) -> Vec<u8> {
    let (x, output) = index::one_to_one(graph, node).expect("checked");
    let zero = index::zero(output);
    moved_or_filled(x, value, &output.shape, &zero, |at| {
        let mut source = at.to_vec();
        let (batch, shift) = batch_and_shift(at[0], x.shape[0] as usize, block);
        source[0] = batch;
        for d in 0..block.len() {
            let padded = at[1 + d] * block[d] as usize + shift[d];
            let inner = padded.checked_sub(before[d] as usize)?;
            source[1 + d] = (inner < x.shape[1 + d] as usize).then_some(inner)?;
        }
        Some(source)
    })
}

/// The result lacks `before` elements before each dimension that has blocks.
pub(super) fn check_batch_to_space(
    graph: &Graph,
    node: &Node,
    block: &[u32],
    before: &[u32],
) -> Result<(), String> {
    let (x, output) = index::one_to_one(graph, node)?;
    expect(is_batches(x, output, block, before), x, output, block)
}

pub(super) fn batch_to_space(
    graph: &Graph,
    node: &Node,
    block: &[u32],
    before: &[u32],
    value: &[u8],
) -> Vec<u8> {
    let (x, output) = index::one_to_one(graph, node).expect("checked");
    moved(x, value, &output.shape, |at| {
        let mut source = at.to_vec();
        let mut many = 0;
        for d in 0..block.len() {
            let whole = at[1 + d] + before[d] as usize;
            source[1 + d] = whole / block[d] as usize;
            many = many * block[d] as usize + whole % block[d] as usize;
        }
        source[0] = many * output.shape[0] as usize + at[0];
        source
    })
}
