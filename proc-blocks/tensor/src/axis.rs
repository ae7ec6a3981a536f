//! Which dimension a number names.

use rune_block_sdk::Refusal;

/// The dimension `--axis` of `rank` ones: from 0, or from -1 downwards for the last and those before it.
pub fn dimension(axis: i64, rank: usize) -> Result<usize, Refusal> {
    let index = if axis < 0 {
        axis.saturating_add(rank as i64)
    } else {
        axis
    };
    usize::try_from(index)
        .ok()
        .filter(|index| *index < rank)
        .ok_or_else(|| alloc::format!("`--axis` is {axis}, but there are {rank} dimensions").into())
}
