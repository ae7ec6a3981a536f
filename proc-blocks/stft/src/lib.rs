//! `stft`: magnitudes or powers of the spectra of overlapping frames.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

use core::marker::PhantomData;

use rune_block_dsp::{
    Complex, abs,
    frames::{Cut, Frames},
    sample::Sample,
    square,
};
use rune_block_sdk::{Block, Call, Fault, Flow, Refusal, Scratch, Setup};

rune_block_sdk::block! {
    "../block.toml",
    "run.f32" => Stft<f32>,
    "run.i16" => Stft<i16>,
}

/// Index of the argument after those of the cut.
const OUTPUT: usize = Cut::ARGS;

/// An instance for samples of type `T`.
#[derive(Debug)]
pub struct Stft<T> {
    frames: Frames,
    /// Squares of the magnitudes, not these.
    power: bool,
    work: Scratch<Complex>,
    of: PhantomData<T>,
}

impl<T: Sample> Block for Stft<T> {
    type Inputs = T;
    type Outputs = f32;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let frames = Frames::new(&Cut::of(setup)?, setup.input(0).len(), T::SCALE)?;
        Ok(Self {
            power: setup.text(OUTPUT)? == "power",
            work: setup.scratch(frames.work())?,
            frames,
            of: PhantomData,
        })
    }

    fn run(&self, samples: &[T], spectra: &mut [f32], call: &mut Call<'_>) -> Result<Flow, Fault> {
        let work = call.scratch.get(&self.work);
        let rows = spectra.chunks_exact_mut(self.frames.bins());
        for (index, row) in rows.enumerate() {
            let elements = row
                .iter_mut()
                .zip(self.frames.spectrum(samples, index, work));
            if self.power {
                elements.for_each(|(power, element)| *power = square(*element));
            } else {
                elements.for_each(|(magnitude, element)| *magnitude = abs(*element));
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
