//! `spectrogram`: what the block `fft` of the first Rune computes, 49 frames of 40 mel filters.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod filters;

use alloc::{boxed::Box, format};

use rune_block_dsp::{
    Complex, RealFft,
    mel::Bank,
    square,
    window::{Ends, Shape},
};
use rune_block_sdk::{Block, Call, Fault, Flow, Refusal, Scratch, Setup};

use filters::{FILTERS, ROWS};

rune_block_sdk::block! {
    "../block.toml",
    "run" => Spectrogram,
}

/// Indices of the arguments in `block.toml`; that of index 0, the rate, changes nothing.
const BINS: usize = 1;
const OVERLAP: usize = 2;

/// Frames of any input.
const FRAMES: usize = 49;
/// The result for the largest energy.
const LARGEST: f32 = 65536.0;
/// Most samples of an input: columns are counted in f32.
const MAX_SAMPLES: usize = 1 << 20;

/// An instance.
#[derive(Debug)]
pub struct Spectrogram {
    fft: RealFft,
    window: Box<[f32]>,
    /// Where each frame starts.
    starts: [u32; FRAMES],
    /// The element of the transform that each row is.
    rows: [u32; ROWS],
    bank: Bank,
    /// What the transform works in, then the rows.
    work: Scratch<Complex>,
}

impl Block for Spectrogram {
    type Inputs = i16;
    type Outputs = u32;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let samples = setup.input(0).len();
        let bins = setup.integer(BINS)? as usize;
        let overlap = setup.float(OVERLAP)? as f32;
        if samples == 0 || samples > MAX_SAMPLES {
            return Err(format!(
                "{samples} samples, but it takes at least 1 sample and at most {MAX_SAMPLES}"
            )
            .into());
        }
        // As the reference has it, a step is cut, not rounded: 159 samples with the defaults.
        let step = (bins as f32 * (1.0 - overlap)) as usize;
        if step == 0 || step > bins {
            return Err(format!(
                "`--bins {bins} --window-overlap {overlap}` are frames {step} samples apart; they are 1 to {bins} apart"
            )
            .into());
        }
        let starts = starts(samples, bins, step).ok_or_else(|| {
            format!("{samples} samples: the reference has no frame of {bins} (`--bins`) in them")
        })?;
        let length = bins.next_power_of_two();
        let fft = RealFft::new(length);
        // Made for the padded frame, thus cut off at its end.
        let mut window = Shape::Hann.window(length, Ends::Symmetric).into_vec();
        window.truncate(bins);
        let half = (length / 2) as f32;
        Ok(Self {
            work: setup.scratch(fft.work() + ROWS.div_ceil(2))?,
            fft,
            window: window.into_boxed_slice(),
            starts,
            rows: core::array::from_fn(|row| (row as f32 / ROWS as f32 * half) as u32),
            bank: filters::bank(),
        })
    }

    fn run(
        &self,
        samples: &[i16],
        spectrogram: &mut [u32],
        call: &mut Call<'_>,
    ) -> Result<Flow, Fault> {
        let work = call.scratch.get(&self.work);
        let (work, rows) = work.split_at_mut(self.fft.work());
        let rows = &mut rows.as_flattened_mut()[..ROWS];
        let (mut least, mut largest) = (f32::INFINITY, 0.0_f32);
        let frames = spectrogram.chunks_exact_mut(FILTERS);
        for (frame, start) in frames.zip(&self.starts) {
            let samples = samples.get(*start as usize..).unwrap_or_default();
            let windowed = self
                .window
                .iter()
                .zip(samples)
                .map(|(w, x)| f32::from(*x) * w);
            self.fft.load(windowed.chain(core::iter::repeat(0.0)), work);
            let elements = self.fft.transform(work);
            for (row, element) in rows.iter_mut().zip(&self.rows) {
                *row = square(elements[*element as usize]);
            }
            let mut energies = [0.0; FILTERS];
            self.bank.apply(rows, &mut energies);
            for (place, energy) in frame.iter_mut().zip(energies) {
                let magnitude = libm::sqrtf(energy);
                least = least.min(magnitude);
                largest = largest.max(magnitude);
                // Scaled once all are known.
                *place = magnitude.to_bits();
            }
        }
        for place in spectrogram {
            let magnitude = f32::from_bits(*place);
            // Where all are the same it is 0 by 0, and a NaN becomes 0.
            *place = (LARGEST * (magnitude - least) / (largest - least)) as u32;
        }
        Ok(Flow::Output)
    }
}

/// Where the frames start, none after the samples with the zeros that the reference adds.
///
/// `None` where the reference has no frame. The columns are counted and the frames chosen as it does that,
/// in f32, with all that rounding does.
fn starts(samples: usize, bins: usize, step: usize) -> Option<[u32; FRAMES]> {
    let mut padded = 0;
    while padded + bins < samples {
        padded += step;
    }
    if padded != samples {
        padded += bins;
    }
    let (mut at, mut columns) = (0, 0_usize);
    while at + bins <= padded {
        at += step;
        columns += 1;
    }
    if at == padded {
        columns -= 1;
    }
    if columns == 0 {
        return None;
    }
    let columns = columns as f32;
    let stride = columns / FRAMES as f32;
    let mut column = 0.0_f32;
    Some(core::array::from_fn(|_| {
        let start = column as usize * step;
        column += stride;
        start as u32
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_oracle() {
        rune_block_vectors::check(&NATIVE, include_str!("../vectors.json"));
    }

    #[test]
    fn a_second_has_frames_318_samples_apart() {
        let expected: Vec<u32> = (0..49).map(|t| 318 * t).collect();
        assert_eq!(starts(16_000, 480, 159).unwrap().as_slice(), expected);
    }

    #[test]
    fn frames_begin_inside_the_padded_samples() {
        for bins in [2, 3, 100, 480, 512] {
            for step in [1, bins / 2, bins - 1, bins] {
                for samples in [1, bins - 1, bins, bins + 1, 5 * bins + 3, 16_000] {
                    let Some(starts) = starts(samples, bins, step.max(1)) else {
                        // Frames without overlap, of which the last is never taken.
                        assert!(step == bins && samples <= bins);
                        continue;
                    };
                    assert!(starts.is_sorted());
                    // One more frame is full with at most a step of zeros.
                    assert!(
                        (starts[48] as usize) < samples + step,
                        "{samples} {bins} {step}"
                    );
                }
            }
        }
    }
}
