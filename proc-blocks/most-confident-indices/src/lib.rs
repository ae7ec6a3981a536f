//! `most-confident-indices`: the indices of the largest elements, the most confident first.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use core::marker::PhantomData;

use rune_block_sdk::{Block, Call, Element, Fault, Flow, Refusal, Setup};

rune_block_sdk::block! {
    "../block.toml",
    "run.f32" => MostConfident<f32>,
    "run.f64" => MostConfident<f64>,
    "run.i8" => MostConfident<i8>,
    "run.i16" => MostConfident<i16>,
    "run.i32" => MostConfident<i32>,
    "run.i64" => MostConfident<i64>,
    "run.u8" => MostConfident<u8>,
    "run.u16" => MostConfident<u16>,
    "run.u32" => MostConfident<u32>,
    "run.u64" => MostConfident<u64>,
}

/// An instance for elements of type `T`.
#[derive(Debug)]
pub struct MostConfident<T>(PhantomData<T>);

impl<T: Element> Block for MostConfident<T> {
    type Inputs = T;
    type Outputs = u32;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let (count, elements) = (setup.output(0).len(), setup.input(0).len());
        if count > elements {
            return Err(alloc::format!(
                "`--count` is {count}, but there are only {elements} elements"
            )
            .into());
        }
        Ok(Self(PhantomData))
    }

    fn run(&self, confidences: &[T], indices: &mut [u32], _: &mut Call<'_>) -> Result<Flow, Fault> {
        rune_block_tensor::largest(confidences, indices)?;
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
