//! `argmax`: the index of the largest element, of all or along one dimension.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::{vec, vec::Vec};
use core::marker::PhantomData;

use rune_block_sdk::{Block, Call, Element, Fault, Flow, Refusal, Setup};
use rune_block_tensor::Lanes;

rune_block_sdk::block! {
    "../block.toml",
    shape = dims,
    "run.f32" => ArgMax<f32>,
    "run.f64" => ArgMax<f64>,
    "run.i8" => ArgMax<i8>,
    "run.i16" => ArgMax<i16>,
    "run.i32" => ArgMax<i32>,
    "run.i64" => ArgMax<i64>,
    "run.u8" => ArgMax<u8>,
    "run.u16" => ArgMax<u16>,
    "run.u32" => ArgMax<u32>,
    "run.u64" => ArgMax<u64>,
}

/// Index of the argument in `block.toml`.
const AXIS: usize = 0;

/// An instance for elements of type `T`.
#[derive(Debug)]
pub struct ArgMax<T> {
    lanes: Lanes,
    of: PhantomData<T>,
}

fn lanes(setup: &Setup<'_>) -> Result<(Lanes, Vec<u32>), Refusal> {
    Lanes::new(setup.text(AXIS)?, setup.input(0).dims())
}

fn dims(setup: &Setup<'_>) -> Result<Vec<Vec<u32>>, Refusal> {
    Ok(vec![lanes(setup)?.1])
}

impl<T: Element> Block for ArgMax<T> {
    type Inputs = T;
    type Outputs = u32;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let (lanes, _) = lanes(setup)?;
        Ok(Self {
            lanes,
            of: PhantomData,
        })
    }

    fn run(&self, scores: &[T], indices: &mut [u32], _: &mut Call<'_>) -> Result<Flow, Fault> {
        self.lanes.map(scores, indices, |lane| {
            lane.greatest().map_or(0, |(index, _)| index)
        });
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
