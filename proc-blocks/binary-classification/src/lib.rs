//! `binary-classification`: whether a score is greater than a threshold.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

use core::marker::PhantomData;

use rune_block_sdk::{Block, Call, Element, ElementType, Fault, Flow, Refusal, Setup};

rune_block_sdk::block! {
    "../block.toml",
    "run.f32" => BinaryClassification<f32>,
    "run.f64" => BinaryClassification<f64>,
    "run.i8" => BinaryClassification<i8>,
    "run.u8" => BinaryClassification<u8>,
    "run.i16" => BinaryClassification<i16>,
    "run.u16" => BinaryClassification<u16>,
}

/// Index of the argument in `block.toml`.
const THRESHOLD: usize = 0;

/// An instance for scores of type `T`.
#[derive(Debug)]
pub struct BinaryClassification<T> {
    threshold: f64,
    of: PhantomData<T>,
}

impl<T: Element + Into<f64>> Block for BinaryClassification<T> {
    type Inputs = T;
    type Outputs = u32;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let threshold = setup.float(THRESHOLD)?;
        // A score that was written as the threshold is not greater than it.
        let threshold = match T::TYPE {
            ElementType::F32 => f64::from(threshold as f32),
            _ => threshold,
        };
        Ok(Self {
            threshold,
            of: PhantomData,
        })
    }

    fn run(&self, scores: &[T], class: &mut [u32], _: &mut Call<'_>) -> Result<Flow, Fault> {
        let yes = scores.first().is_some_and(|x| (*x).into() > self.threshold);
        class.fill(yes.into());
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
