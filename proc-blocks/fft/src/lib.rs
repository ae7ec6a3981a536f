//! `fft`: magnitudes of the discrete Fourier transform of real samples.
//!
//! Largest error, relative to the largest magnitude: 1e-6 up to 65536 samples, 2e-6 where the length has
//! a prime factor above 13. Magnitudes whose square overflows an f32 (from 1.8e19) are infinite.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use core::marker::PhantomData;

use rune_block_dsp::{Complex, RealFft, abs, sample::Sample};
use rune_block_sdk::{Block, Call, Fault, Flow, Refusal, Scratch, Setup};

rune_block_sdk::block! {
    "../block.toml",
    "run.i16" => Fft<i16>,
    "run.f32" => Fft<f32>,
}

/// Most samples one call takes.
const MAX_SAMPLES: usize = 1 << 16;

/// An instance for samples of type `T`.
#[derive(Debug)]
pub struct Fft<T> {
    plan: RealFft,
    work: Scratch<Complex>,
    of: PhantomData<T>,
}

impl<T: Sample> Block for Fft<T> {
    type Inputs = T;
    type Outputs = f32;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let n = setup.input(0).len();
        if n == 0 || n > MAX_SAMPLES {
            return Err(alloc::format!("{n} samples, but it takes 1 to {MAX_SAMPLES}").into());
        }
        let plan = RealFft::new(n);
        Ok(Self {
            work: setup.scratch(plan.work())?,
            plan,
            of: PhantomData,
        })
    }

    fn run(
        &self,
        samples: &[T],
        magnitudes: &mut [f32],
        call: &mut Call<'_>,
    ) -> Result<Flow, Fault> {
        let work = call.scratch.get(&self.work);
        self.plan
            .load(samples.iter().map(|sample| sample.value()), work);
        let bins = self.plan.transform(work);
        let (first, others) = magnitudes.split_at_mut(bins.len());
        for (magnitude, bin) in first.iter_mut().zip(bins) {
            *magnitude = abs(*bin);
        }
        // The spectrum of real samples is symmetric.
        for (magnitude, mirror) in others.iter_mut().rev().zip(&first[1..]) {
            *magnitude = *mirror;
        }
        Ok(Flow::Output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rune_block_sdk::testing::Instance;
    use std::f64::consts::TAU;

    fn run<T: Sample>(samples: &[T]) -> Vec<f32> {
        let dims = [samples.len() as u32];
        let mut block = Instance::<Fft<T>>::new(&[], &[&dims], &[&dims]).unwrap();
        let mut magnitudes = vec![f32::NAN; samples.len()];
        block.run(samples, &mut magnitudes).unwrap();
        magnitudes
    }

    /// The definition, in f64, for the given elements.
    fn dft(samples: &[f32], k: usize) -> f64 {
        let n = samples.len();
        let (mut re, mut im) = (0.0, 0.0);
        for (j, x) in samples.iter().enumerate() {
            let angle = TAU * ((j * k) % n) as f64 / n as f64;
            re += f64::from(*x) * angle.cos();
            im -= f64::from(*x) * angle.sin();
        }
        re.hypot(im)
    }

    fn noise(n: usize) -> Vec<f32> {
        let mut seed = n as u32;
        (0..n)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 8) as f32 / (1 << 23) as f32 - 1.0
            })
            .collect()
    }

    /// The largest error over `elements`, relative to the largest magnitude.
    fn error(samples: &[f32], elements: impl Iterator<Item = usize>) -> f64 {
        let magnitudes = run(samples);
        let largest = f64::from(magnitudes.iter().copied().fold(0.0, f32::max));
        elements
            .map(|k| (f64::from(magnitudes[k]) - dft(samples, k)).abs() / largest)
            .fold(0.0, f64::max)
    }

    #[test]
    fn equals_the_oracle() {
        rune_block_vectors::check(&NATIVE, include_str!("../vectors.json"));
    }

    #[test]
    fn equals_the_definition_at_every_length() {
        for n in (1..=200).chain([211, 256, 480, 500, 512, 997, 1000, 1001, 1024]) {
            let e = error(&noise(n), 0..n);
            assert!(e < 1e-6, "{n} samples: error {e}");
        }
    }

    #[test]
    fn stays_accurate_at_large_lengths() {
        for (n, limit) in [
            (16_000, 1e-6),
            (65_536, 1e-6),
            (65_535, 2e-6),
            (65_534, 2e-6),
            (65_521, 2e-6),
        ] {
            let e = error(&noise(n), (0..n).step_by(997));
            assert!(e < limit, "{n} samples: error {e}");
        }
    }

    #[test]
    fn a_tone_is_one_pair_of_elements() {
        let tone: Vec<i16> = (0..600)
            .map(|j| (10_000.0 * (TAU * 50.0 * f64::from(j) / 600.0).cos()).round() as i16)
            .collect();
        let magnitudes = run(&tone);
        for (k, m) in magnitudes.iter().enumerate() {
            if k == 50 || k == 550 {
                assert!((m - 3_000_000.0).abs() < 100.0, "{m}");
            } else {
                assert!(*m < 100.0, "element {k} is {m}");
            }
        }
    }

    #[test]
    fn small_cases_are_exact() {
        assert_eq!(run(&[-3_i16]), [3.0]);
        assert_eq!(run(&[1.0_f32, -4.0]), [3.0, 5.0]);
        assert_eq!(run(&[3.0_f32, 0.0, 0.0, 4.0]), [7.0, 5.0, 1.0, 5.0]);
        assert_eq!(run(&[0_i16; 7]), [0.0; 7]);
        assert_eq!(run(&[i16::MIN; 4]), [131_072.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn too_many_samples_are_refused() {
        let n = [65_537];
        let refusal = Instance::<Fft<f32>>::new(&[], &[&n], &[&n]).unwrap_err();
        assert_eq!(refusal.message(), "65537 samples, but it takes 1 to 65536");
    }
}
