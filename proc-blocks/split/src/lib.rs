//! `split`: a tensor cut into equal parts along one dimension.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::{format, vec, vec::Vec};
use core::marker::PhantomData;

use rune_block_sdk::{Block, Call, Element, Fault, Flow, Many, PartsMut, Refusal, Setup};
use rune_block_tensor::dimension;

rune_block_sdk::block! {
    "../block.toml",
    shape = dims,
    "run.f32" => Split<f32>,
    "run.f64" => Split<f64>,
    "run.i8" => Split<i8>,
    "run.i16" => Split<i16>,
    "run.i32" => Split<i32>,
    "run.i64" => Split<i64>,
    "run.u8" => Split<u8>,
    "run.u16" => Split<u16>,
    "run.u32" => Split<u32>,
    "run.u64" => Split<u64>,
}

/// Indices of the arguments in `block.toml`.
const PARTS: usize = 0;
const AXIS: usize = 1;

/// An instance for elements of type `T`.
#[derive(Debug)]
pub struct Split<T> {
    /// How many elements of a part follow each other in the input; at least 1.
    width: usize,
    of: PhantomData<T>,
}

/// The axis, and the dimensions of one part.
fn plan(setup: &Setup<'_>) -> Result<(usize, Vec<u32>), Refusal> {
    let mut dims = setup.input(0).dims().to_vec();
    let axis = dimension(setup.integer(AXIS)?, dims.len())?;
    let parts = setup.outputs() as u32;
    if !dims[axis].is_multiple_of(parts) {
        return Err(format!(
            "`--parts` is {parts}, which does not divide the {} of axis {axis}",
            dims[axis]
        )
        .into());
    }
    dims[axis] /= parts;
    Ok((axis, dims))
}

fn dims(setup: &Setup<'_>) -> Result<Vec<Vec<u32>>, Refusal> {
    Ok(vec![plan(setup)?.1; setup.outputs()])
}

impl<T: Element> Block for Split<T> {
    type Inputs = T;
    type Outputs = Many<T>;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        if setup.integer(PARTS)? != setup.outputs() as i64 {
            return Err("`--parts` is not the number of outputs".into());
        }
        let (axis, dims) = plan(setup)?;
        let width: usize = dims[axis..].iter().map(|d| *d as usize).product();
        Ok(Self {
            width: width.max(1),
            of: PhantomData,
        })
    }

    fn run(
        &self,
        whole: &[T],
        mut parts: PartsMut<'_, T>,
        _: &mut Call<'_>,
    ) -> Result<Flow, Fault> {
        let (width, count) = (self.width, parts.len());
        for index in 0..count {
            let part = parts.get(index);
            if width == 1 {
                // Channels, as of images: a call to copy one element takes longer than the copy.
                let places = whole.iter().skip(index).step_by(count);
                part.iter_mut().zip(places).for_each(|(y, x)| *y = *x);
            } else {
                let rows = whole.chunks_exact(width * count);
                for (piece, row) in part.chunks_exact_mut(width).zip(rows) {
                    piece.copy_from_slice(&row[index * width..][..width]);
                }
            }
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
