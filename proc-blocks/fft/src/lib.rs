//! `fft`: magnitudes of the discrete Fourier transform of real samples.
//!
//! An even number of samples is transformed as half as many complex numbers; see [`complex`] for how.
//! Largest error, relative to the largest magnitude: 1e-6 up to 65536 samples, 2e-6 where the length has
//! a prime factor above 13. Magnitudes whose square overflows an f32 (from 1.8e19) are infinite.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod complex;

use core::marker::PhantomData;

use complex::{Plan, Roots, mul};
use rune_block_sdk::{Block, Call, Element, Fault, Flow, Refusal, Scratch, Setup};

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
    plan: Plan,
    /// Of the order of twice the plan's length: for an even number of samples that number itself.
    roots: Roots,
    /// The numbers being transformed, then the room the plan needs, unless the output can be that.
    work: Scratch<f32>,
    of: PhantomData<T>,
}

impl<T: Element + Into<f32>> Block for Fft<T> {
    type Inputs = T;
    type Outputs = f32;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let n = setup.input(0).len();
        if n == 0 || n > MAX_SAMPLES {
            return Err(alloc::format!("{n} samples, but it takes 1 to {MAX_SAMPLES}").into());
        }
        let length = numbers(n);
        let roots = Roots::new(2 * length);
        let plan = Plan::new(length, &roots);
        let room = if plan.room() <= n { 0 } else { plan.room() };
        Ok(Self {
            work: setup.scratch(2 * length + room)?,
            plan,
            roots,
            of: PhantomData,
        })
    }

    fn run(
        &self,
        samples: &[T],
        magnitudes: &mut [f32],
        call: &mut Call<'_>,
    ) -> Result<Flow, Fault> {
        let length = numbers(samples.len());
        let (numbers, room) = call.scratch.get(&self.work).split_at_mut(2 * length);
        let room = if room.is_empty() {
            &mut *magnitudes
        } else {
            room
        };
        if length < samples.len() {
            for (number, sample) in numbers.iter_mut().zip(samples) {
                *number = (*sample).into();
            }
            self.plan.transform(numbers, room, &self.roots);
            self.unpack(numbers, magnitudes);
        } else {
            for (number, sample) in numbers.chunks_exact_mut(2).zip(samples) {
                number[0] = (*sample).into();
                number[1] = 0.0;
            }
            self.plan.transform(numbers, room, &self.roots);
            for (magnitude, number) in magnitudes.iter_mut().zip(numbers.chunks_exact(2)) {
                *magnitude = abs(number[0], number[1]);
            }
        }
        Ok(Flow::Output)
    }
}

impl<T> Fft<T> {
    /// Magnitudes of the transform of `n` real samples from that of `n / 2` complex numbers whose real
    /// parts are the even samples and whose imaginary parts are the odd ones.
    ///
    /// With `e` and `o` the transforms of the even and of the odd samples, and `w` the `n`-th root of one,
    /// element `k` is `e[k] + w^k o[k]`, and its mirror `n / 2 - k` the conjugate of `e[k] - w^k o[k]`.
    fn unpack(&self, numbers: &[f32], magnitudes: &mut [f32]) {
        let n = magnitudes.len();
        let half = n / 2;
        magnitudes[0] = abs(numbers[0] + numbers[1], 0.0);
        magnitudes[half] = abs(numbers[0] - numbers[1], 0.0);
        for k in 1..=half / 2 {
            let (a, b) = (&numbers[2 * k..][..2], &numbers[2 * (half - k)..][..2]);
            let even = [0.5 * (a[0] + b[0]), 0.5 * (a[1] - b[1])];
            let odd = [0.5 * (a[1] + b[1]), 0.5 * (b[0] - a[0])];
            let turned = mul(odd, self.roots.get(k));
            let here = abs(even[0] + turned[0], even[1] + turned[1]);
            let there = abs(even[0] - turned[0], even[1] - turned[1]);
            magnitudes[k] = here;
            magnitudes[n - k] = here;
            magnitudes[half - k] = there;
            magnitudes[half + k] = there;
        }
    }
}

/// How many complex numbers `n` samples are transformed as.
fn numbers(n: usize) -> usize {
    if n.is_multiple_of(2) { n / 2 } else { n }
}

fn abs(re: f32, im: f32) -> f32 {
    libm::sqrtf(re * re + im * im)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rune_block_sdk::testing::Instance;
    use std::f64::consts::TAU;

    fn run<T: Element + Into<f32>>(samples: &[T]) -> Vec<f32> {
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
