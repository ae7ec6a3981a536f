//! Which elements a slice takes, worked out before the first call.

use alloc::{format, vec, vec::Vec};

use rune_block_sdk::Refusal;
use rune_block_tensor::dimension;

/// The elements to take.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Where the first one is.
    pub(crate) first: usize,
    /// How they follow each other, the outermost dimension first.
    pub(crate) dims: Vec<Dim>,
}

/// `count` places at the distance `stride`, in elements of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dim {
    /// At least 1.
    pub(crate) count: u32,
    pub(crate) stride: isize,
}

impl Plan {
    /// `bounds` are the items of start, end and step.
    pub(crate) fn new(dims: &[u32], axes: &[&str], bounds: [&[&str]; 3]) -> Result<Self, Refusal> {
        let rank = dims.len();
        let mut plan = Self {
            first: 0,
            dims: vec![
                Dim {
                    count: 1,
                    stride: 1
                };
                rank
            ],
        };
        let mut stride = 1;
        for (dim, count) in plan.dims.iter_mut().zip(dims).rev() {
            *dim = Dim {
                count: *count,
                stride,
            };
            stride *= *count as isize;
        }
        for (name, items) in ["start", "end", "step"].iter().zip(bounds) {
            if !items.is_empty() && items.len() != axes.len() {
                let (items, axes) = (items.len(), axes.len());
                return Err(
                    format!("`--{name}` has {items} items, but `--axis` has {axes}").into(),
                );
            }
        }
        let mut seen = vec![false; rank];
        for (place, axis) in axes.iter().enumerate() {
            let index = dimension(integer("axis", axis)?, rank)?;
            if core::mem::replace(&mut seen[index], true) {
                return Err(format!("`--axis` names dimension {index} twice").into());
            }
            let bound = |which: usize, name| match bounds[which].get(place) {
                None => Ok(None),
                Some(item) if *item == "none" => Ok(None),
                Some(item) => integer(name, item).map(Some),
            };
            let step = bound(2, "step")?.unwrap_or(1);
            let (first, count) = range(
                i64::from(dims[index]),
                bound(0, "start")?,
                bound(1, "end")?,
                step,
            )?;
            if count == 0 {
                return Err(format!(
                    "nothing of dimension {index}, which has {} elements, is between `--start` and `--end`",
                    dims[index]
                )
                .into());
            }
            let dim = &mut plan.dims[index];
            plan.first += first * dim.stride as usize;
            // Of one place the stride is of no account, and a great step would overflow.
            *dim = Dim {
                count,
                stride: if count == 1 {
                    dim.stride
                } else {
                    dim.stride * step as isize
                },
            };
        }
        Ok(plan)
    }
}

fn integer(name: &str, text: &str) -> Result<i64, Refusal> {
    text.trim()
        .parse()
        .map_err(|_| format!("`--{name}` takes whole numbers, not `{text}`").into())
}

/// The first index of `start:end:step` in a dimension of `length`, and how many there are.
fn range(
    length: i64,
    start: Option<i64>,
    end: Option<i64>,
    step: i64,
) -> Result<(usize, u32), Refusal> {
    if step == 0 {
        return Err("`--step` must not be 0".into());
    }
    // Backwards, the range begins at the last index and ends before the first.
    let (low, high) = if step > 0 {
        (0, length)
    } else {
        (-1, length - 1)
    };
    let resolve = |bound: i64| {
        let from_start = if bound < 0 {
            bound.saturating_add(length)
        } else {
            bound
        };
        from_start.clamp(low, high)
    };
    let (first, last) = if step > 0 { (low, high) } else { (high, low) };
    let start = start.map_or(first, resolve);
    let end = end.map_or(last, resolve);
    let distance = if step > 0 { end - start } else { start - end };
    let count = distance.max(0).unsigned_abs().div_ceil(step.unsigned_abs());
    // Where there is none, the first may be -1.
    Ok((start.max(0) as usize, count as u32))
}

/// The same elements in as few dimensions as can be.
pub(crate) fn merge(dims: &[Dim]) -> Vec<Dim> {
    let mut merged: Vec<Dim> = Vec::with_capacity(dims.len());
    for dim in dims.iter().filter(|d| d.count > 1) {
        match merged.last_mut() {
            Some(outer) if outer.stride == dim.stride * dim.count as isize => {
                *outer = Dim {
                    count: outer.count * dim.count,
                    stride: dim.stride,
                };
            }
            _ => merged.push(*dim),
        }
    }
    merged
}
