//! `mfcc`: mel-frequency cepstral coefficients.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use core::{f64::consts::PI, marker::PhantomData};

use rune_block_dsp::{Complex, dct::Dct, melspectrogram::MelSpectrogram, sample::Sample};
use rune_block_sdk::{Block, Call, Fault, Flow, Refusal, Scratch, Setup};

rune_block_sdk::block! {
    "../block.toml",
    "run.f32" => Mfcc<f32>,
    "run.i16" => Mfcc<i16>,
}

/// Indices of the arguments after those of the mel spectrogram.
const COEFFICIENTS: usize = MelSpectrogram::ARGS;
const LIFTER: usize = COEFFICIENTS + 1;
const TOP_DB: usize = COEFFICIENTS + 2;

/// The least energy that has a logarithm.
const LEAST: f32 = 1e-10;

/// An instance for samples of type `T`.
#[derive(Debug)]
pub struct Mfcc<T> {
    plan: MelSpectrogram,
    dct: Dct,
    coefficients: usize,
    /// How far below the loudest a level may be.
    range: f32,
    /// What the plan works in, then the levels of all frames.
    work: Scratch<Complex>,
    of: PhantomData<T>,
}

impl<T: Sample> Block for Mfcc<T> {
    type Inputs = T;
    type Outputs = f32;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let plan = MelSpectrogram::new::<T>(setup)?;
        let mels = plan.mels();
        let coefficients = setup.integer(COEFFICIENTS)? as usize;
        if coefficients > mels {
            return Err(alloc::format!(
                "`--coefficients {coefficients}`, but of {mels} mels there are 1 to {mels}"
            )
            .into());
        }
        let lifter = setup.float(LIFTER)?;
        let weight = |k: usize| {
            // A smaller one adds nothing to 1, and would divide into infinity.
            if lifter > 1e-20 {
                1.0 + lifter / 2.0 * libm::sin(PI * (k + 1) as f64 / lifter)
            } else {
                1.0
            }
        };
        let levels = plan.frames().checked_mul(mels);
        let room = levels.and_then(|levels| plan.work().checked_add(levels.div_ceil(2)));
        Ok(Self {
            dct: Dct::new(mels, coefficients, weight),
            coefficients,
            range: match setup.float(TOP_DB)? {
                0.0 => f32::INFINITY,
                range => range as f32,
            },
            work: setup.scratch(room.unwrap_or(usize::MAX))?,
            plan,
            of: PhantomData,
        })
    }

    fn run(
        &self,
        samples: &[T],
        coefficients: &mut [f32],
        call: &mut Call<'_>,
    ) -> Result<Flow, Fault> {
        let work = call.scratch.get(&self.work);
        let (work, levels) = work.split_at_mut(self.plan.work());
        let mels = self.plan.mels();
        let levels = &mut levels.as_flattened_mut()[..self.plan.frames() * mels];
        self.plan.run(samples, work, levels);
        let mut loudest = f32::NEG_INFINITY;
        for level in levels.iter_mut() {
            // Compared so that NaN stays.
            let energy = if *level < LEAST { LEAST } else { *level };
            *level = 10.0 * libm::log10f(energy);
            if *level > loudest {
                loudest = *level;
            }
        }
        let least = loudest - self.range;
        for level in levels.iter_mut() {
            if *level < least {
                *level = least;
            }
        }
        let rows = coefficients.chunks_exact_mut(self.coefficients);
        for (row, levels) in rows.zip(levels.chunks_exact(mels)) {
            self.dct.apply(levels, row);
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
