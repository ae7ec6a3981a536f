//! `top-k`: the largest elements and their indices.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use core::marker::PhantomData;

use rune_block_sdk::{Block, Call, Element, Fault, Flow, Refusal, Setup};

rune_block_sdk::block! {
    "../block.toml",
    "run.f32" => TopK<f32>,
    "run.f64" => TopK<f64>,
    "run.i8" => TopK<i8>,
    "run.i16" => TopK<i16>,
    "run.i32" => TopK<i32>,
    "run.i64" => TopK<i64>,
    "run.u8" => TopK<u8>,
    "run.u16" => TopK<u16>,
    "run.u32" => TopK<u32>,
    "run.u64" => TopK<u64>,
}

/// An instance for scores of type `T`.
#[derive(Debug)]
pub struct TopK<T>(PhantomData<T>);

impl<T: Element> Block for TopK<T> {
    type Inputs = T;
    type Outputs = (T, u32);

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let (k, elements) = (setup.output(0).len(), setup.input(0).len());
        if k > elements {
            return Err(
                alloc::format!("`--k` is {k}, but there are only {elements} elements").into(),
            );
        }
        Ok(Self(PhantomData))
    }

    fn run(
        &self,
        scores: &[T],
        (best, indices): (&mut [T], &mut [u32]),
        _: &mut Call<'_>,
    ) -> Result<Flow, Fault> {
        rune_block_tensor::largest(scores, indices)?;
        for (y, index) in best.iter_mut().zip(indices) {
            *y = scores[*index as usize];
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
