//! `mel-spectrogram`: energies of mel filters over overlapping frames.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

use core::marker::PhantomData;

use rune_block_dsp::{Complex, melspectrogram::MelSpectrogram as Plan, sample::Sample};
use rune_block_sdk::{Block, Call, Fault, Flow, Refusal, Scratch, Setup};

rune_block_sdk::block! {
    "../block.toml",
    "run.f32" => MelSpectrogram<f32>,
    "run.i16" => MelSpectrogram<i16>,
}

/// An instance for samples of type `T`.
#[derive(Debug)]
pub struct MelSpectrogram<T> {
    plan: Plan,
    work: Scratch<Complex>,
    of: PhantomData<T>,
}

impl<T: Sample> Block for MelSpectrogram<T> {
    type Inputs = T;
    type Outputs = f32;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let plan = Plan::new::<T>(setup)?;
        Ok(Self {
            work: setup.scratch(plan.work())?,
            plan,
            of: PhantomData,
        })
    }

    fn run(&self, samples: &[T], energies: &mut [f32], call: &mut Call<'_>) -> Result<Flow, Fault> {
        self.plan
            .run(samples, call.scratch.get(&self.work), energies);
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
