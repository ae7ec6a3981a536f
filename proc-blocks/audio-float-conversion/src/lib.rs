//! `audio-float-conversion`: 16-bit samples as floats from -1 to 1.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

use rune_block_sdk::{Block, Call, Fault, Flow, Refusal, Setup};

rune_block_sdk::block! {
    "../block.toml",
    "run" => Convert,
}

/// Index of the argument in `block.toml`.
const MAX: usize = 0;

/// Samples of one turn of the loop: compilers for Wasm unroll none whose length they do not know.
const PART: usize = 32;

/// An instance.
#[derive(Debug)]
pub struct Convert {
    /// What becomes 1; positive and finite.
    max: f32,
}

impl Block for Convert {
    type Inputs = i16;
    type Outputs = f32;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            max: setup.float(MAX)? as f32,
        })
    }

    fn run(&self, samples: &[i16], floats: &mut [f32], _: &mut Call<'_>) -> Result<Flow, Fault> {
        let (parts, rest) = samples.as_chunks::<PART>();
        let (float_parts, float_rest) = floats.as_chunks_mut::<PART>();
        for (floats, samples) in float_parts.iter_mut().zip(parts) {
            self.convert(samples, floats);
        }
        self.convert(rest, float_rest);
        Ok(Flow::Output)
    }
}

impl Convert {
    #[inline]
    fn convert(&self, samples: &[i16], floats: &mut [f32]) {
        for (float, sample) in floats.iter_mut().zip(samples) {
            *float = (f32::from(*sample) / self.max).clamp(-1.0, 1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rune_block_sdk::testing::Instance;

    fn run(max: f64, samples: &[i16]) -> Vec<f32> {
        let dims = [samples.len() as u32];
        let mut block = Instance::<Convert>::new(&[max.into()], &[&dims], &[&dims]).unwrap();
        let mut floats = vec![f32::NAN; samples.len()];
        block.run(samples, &mut floats).unwrap();
        floats
    }

    #[test]
    fn equals_the_oracle() {
        rune_block_vectors::check(&super::NATIVE, include_str!("../vectors.json"));
    }

    #[test]
    fn full_scale_is_one() {
        assert_eq!(
            run(32767.0, &[0, i16::MAX, -i16::MAX, i16::MIN]),
            [0.0, 1.0, -1.0, -1.0]
        );
    }

    #[test]
    fn the_divisor_is_used_and_the_excess_cut() {
        assert_eq!(
            run(1024.0, &[512, 1024, 1025, -4096]),
            [0.5, 1.0, 1.0, -1.0]
        );
    }
}
