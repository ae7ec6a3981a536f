//! `std-dev`: the standard deviation of all elements, or along one dimension.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::{vec, vec::Vec};
use core::marker::PhantomData;

use rune_block_sdk::{Block, Call, Fault, Flow, Refusal, Setup};
use rune_block_tensor::{Lane, Lanes, Number};

rune_block_sdk::block! {
    "../block.toml",
    shape = dims,
    "run.f32" => StdDev<f32>,
    "run.f64" => StdDev<f64>,
    "run.i8" => StdDev<i8>,
    "run.i16" => StdDev<i16>,
    "run.i32" => StdDev<i32>,
    "run.i64" => StdDev<i64>,
    "run.u8" => StdDev<u8>,
    "run.u16" => StdDev<u16>,
    "run.u32" => StdDev<u32>,
    "run.u64" => StdDev<u64>,
}

/// Index of the argument in `block.toml`.
const AXIS: usize = 0;

/// An instance for elements of type `T`.
#[derive(Debug)]
pub struct StdDev<T> {
    lanes: Lanes,
    of: PhantomData<T>,
}

fn lanes(setup: &Setup<'_>) -> Result<(Lanes, Vec<u32>), Refusal> {
    Lanes::new(setup.text(AXIS)?, setup.input(0).dims())
}

fn dims(setup: &Setup<'_>) -> Result<Vec<Vec<u32>>, Refusal> {
    Ok(vec![lanes(setup)?.1])
}

impl<T: Number> Block for StdDev<T> {
    type Inputs = T;
    type Outputs = f32;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let (lanes, _) = lanes(setup)?;
        Ok(Self {
            lanes,
            of: PhantomData,
        })
    }

    fn run(&self, values: &[T], deviations: &mut [f32], _: &mut Call<'_>) -> Result<Flow, Fault> {
        self.lanes.map(values, deviations, deviation);
        Ok(Flow::Output)
    }
}

fn deviation<T: Number>(lane: Lane<'_, T>) -> f32 {
    let count = lane.count() as f64;
    let mean = lane.sum(T::to_f64) / count;
    let squares = lane.sum(|x| {
        let distance = x.to_f64() - mean;
        distance * distance
    });
    libm::sqrt(squares / count) as f32
}

#[cfg(test)]
mod tests {
    #[test]
    fn equals_the_oracle() {
        rune_block_vectors::check(&super::NATIVE, include_str!("../vectors.json"));
    }
}
