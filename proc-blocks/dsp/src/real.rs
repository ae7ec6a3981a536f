//! The transform of real samples.

use alloc::boxed::Box;

use crate::{Complex, Fft, mul, root};

/// How to transform a number of real samples to the first half of their spectrum.
///
/// An even number is transformed as half as many complex numbers.
#[derive(Debug)]
pub struct RealFft {
    length: usize,
    fft: Fft,
    /// For an even length: its roots from the first on, up to a quarter turn.
    roots: Box<[Complex]>,
}

impl RealFft {
    /// A plan for `length` samples, which are not none.
    pub fn new(length: usize) -> Self {
        if length.is_multiple_of(2) {
            Self {
                length,
                fft: Fft::new(length / 2),
                roots: (1..=length / 4).map(|k| root(k, length)).collect(),
            }
        } else {
            Self {
                length,
                fft: Fft::new(length),
                roots: Box::default(),
            }
        }
    }

    /// How many samples.
    pub fn length(&self) -> usize {
        self.length
    }

    /// How many elements the first half has: frequencies 0 to `length / 2`.
    pub fn bins(&self) -> usize {
        self.length / 2 + 1
    }

    fn is_even(&self) -> bool {
        self.length.is_multiple_of(2)
    }

    /// Where the samples lie, and one more for the element in the middle.
    fn numbers(&self) -> usize {
        if self.is_even() {
            self.bins()
        } else {
            self.length
        }
    }

    /// How many numbers [`transform`](Self::transform) works in.
    pub fn work(&self) -> usize {
        self.numbers() + self.fft.room().max(self.numbers())
    }

    /// Puts the samples, of which there are [`length`](Self::length), where the transform begins.
    #[inline]
    pub fn load(&self, samples: impl Iterator<Item = f32>, work: &mut [Complex]) {
        if self.is_even() {
            let places = work[..self.length / 2].as_flattened_mut();
            for (place, sample) in places.iter_mut().zip(samples) {
                *place = sample;
            }
        } else {
            for (place, sample) in work[..self.length].iter_mut().zip(samples) {
                *place = [sample, 0.0];
            }
        }
    }

    /// The [`bins`](Self::bins) of the samples that were loaded into `work`: element `k` is the sum of
    /// `x[j] exp(-2 pi i j k / length)`.
    pub fn transform<'a>(&self, work: &'a mut [Complex]) -> &'a [Complex] {
        let (numbers, room) = work.split_at_mut(self.numbers());
        let elements = &mut self.fft.transform(numbers, room)[..self.bins()];
        if self.is_even() {
            self.unpack(elements);
        }
        elements
    }

    /// The elements of `2 h` real samples from those of `h` complex numbers whose real parts are the even
    /// samples and whose imaginary parts are the odd ones.
    ///
    /// With `e` and `o` the transforms of the even and of the odd samples, and `w` the root of one,
    /// element `k` is `e[k] + w^k o[k]`, and its mirror `h - k` the conjugate of `e[k] - w^k o[k]`.
    fn unpack(&self, elements: &mut [Complex]) {
        let half = elements.len() - 1;
        let [re, im] = elements[0];
        elements[0] = [re + im, 0.0];
        elements[half] = [re - im, 0.0];
        let (low, high) = elements[1..half].split_at_mut(half / 2);
        // Where there is one in the middle, it is its own mirror.
        if let Some(middle) = low.last_mut().filter(|_| half.is_multiple_of(2)) {
            middle[1] = -middle[1];
        }
        let pairs = low.iter_mut().zip(high.iter_mut().rev());
        for ((here, there), root) in pairs.zip(&self.roots) {
            let (a, b) = (*here, *there);
            let even = [0.5 * (a[0] + b[0]), 0.5 * (a[1] - b[1])];
            let odd = [0.5 * (a[1] + b[1]), 0.5 * (b[0] - a[0])];
            let [re, im] = mul(odd, *root);
            *here = [even[0] + re, even[1] + im];
            *there = [even[0] - re, im - even[1]];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::f64::consts::TAU;

    /// Against the definition in f64, at lengths of every kind of stage and of none.
    #[test]
    fn equals_the_definition() {
        for length in (1..=70).chain([81, 97, 120, 121, 125, 128, 169, 194, 210, 243, 343, 512]) {
            let samples: Vec<f32> = (0..length)
                .map(|j| ((j * j * 37 + j * 11) % 101) as f32 / 50.0 - 1.0)
                .collect();
            let plan = RealFft::new(length);
            let mut work = vec![[f32::NAN; 2]; plan.work()];
            plan.load(samples.iter().copied(), &mut work);
            let elements = plan.transform(&mut work);
            assert_eq!(elements.len(), length / 2 + 1);
            let norm = (length as f64).sqrt();
            for (k, [re, im]) in elements.iter().enumerate() {
                let angle = |j: usize| TAU * ((j * k) % length) as f64 / length as f64;
                let sum = |f: fn(f64) -> f64| -> f64 {
                    let terms = samples.iter().enumerate();
                    terms.map(|(j, x)| f64::from(*x) * f(angle(j))).sum()
                };
                let error = (f64::from(*re) - sum(f64::cos)).hypot(f64::from(*im) + sum(f64::sin));
                assert!(
                    error < 1e-6 * norm,
                    "{length} samples, element {k}: {error}"
                );
            }
        }
    }
}
