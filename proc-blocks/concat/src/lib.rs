//! `concat`: several tensors joined along one dimension.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::{format, vec, vec::Vec};
use core::marker::PhantomData;

use rune_block_sdk::{Block, Call, Element, Fault, Flow, Many, Parts, Refusal, Setup};
use rune_block_tensor::dimension;

rune_block_sdk::block! {
    "../block.toml",
    shape = dims,
    "run.f32" => Concat<f32>,
    "run.f64" => Concat<f64>,
    "run.i8" => Concat<i8>,
    "run.i16" => Concat<i16>,
    "run.i32" => Concat<i32>,
    "run.i64" => Concat<i64>,
    "run.u8" => Concat<u8>,
    "run.u16" => Concat<u16>,
    "run.u32" => Concat<u32>,
    "run.u64" => Concat<u64>,
}

/// Index of the argument in `block.toml`.
const AXIS: usize = 0;

/// An instance for elements of type `T`.
#[derive(Debug)]
pub struct Concat<T> {
    /// How often a piece of every input follows another: the product of the dimensions
    /// before the axis, at least 1.
    rows: usize,
    of: PhantomData<T>,
}

/// The axis, and the dimensions of the result.
fn plan(setup: &Setup<'_>) -> Result<(usize, Vec<u32>), Refusal> {
    let first = setup.input(0).dims();
    let axis = dimension(setup.integer(AXIS)?, first.len())?;
    let mut length = 0_u32;
    for index in 0..setup.inputs() {
        let dims = setup.input(index).dims();
        let fits = dims.len() == first.len()
            && (dims.iter().zip(first).enumerate()).all(|(i, (a, b))| i == axis || a == b);
        if !fits {
            return Err(format!(
                "input {index} has the dimensions {dims:?}, which differ from {first:?} of input 0 not only along axis {axis}"
            )
            .into());
        }
        length = length
            .checked_add(dims[axis])
            .ok_or("all inputs together are too long")?;
    }
    let mut dims = first.to_vec();
    dims[axis] = length;
    Ok((axis, dims))
}

fn dims(setup: &Setup<'_>) -> Result<Vec<Vec<u32>>, Refusal> {
    Ok(vec![plan(setup)?.1])
}

impl<T: Element> Block for Concat<T> {
    type Inputs = Many<T>;
    type Outputs = T;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let (axis, dims) = plan(setup)?;
        let rows: usize = dims[..axis].iter().map(|d| *d as usize).product();
        Ok(Self {
            rows: rows.max(1),
            of: PhantomData,
        })
    }

    fn run(&self, parts: Parts<'_, T>, whole: &mut [T], _: &mut Call<'_>) -> Result<Flow, Fault> {
        let row = (whole.len() / self.rows).max(1);
        let mut start = 0;
        for part in parts.iter() {
            let width = part.len() / self.rows;
            if width == 1 {
                // Channels, as of images: a call to copy one element takes longer than the copy.
                let places = whole.iter_mut().skip(start).step_by(row);
                places.zip(part).for_each(|(y, x)| *y = *x);
            } else {
                let pieces = part.chunks_exact(width.max(1));
                for (row, piece) in whole.chunks_exact_mut(row).zip(pieces) {
                    row[start..start + width].copy_from_slice(piece);
                }
            }
            start += width;
        }
        Ok(Flow::Output)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn equals_the_oracle() {
        rune_block_vectors::check(&super::NATIVE, include_str!("../vectors.json"));
    }
}
