//! The transform of complex numbers in stages: Stockham's self-sorting form, decimation in frequency.
//!
//! A stage of radix `r` splits each transform of `r * blocks` numbers into `r` of them. With `stride` the
//! product of the radices before it, block `p` and lane `q < stride` take number
//! `q + stride * (p + blocks * j)` for each `j < r`, transform these `r` numbers, and put element `k`,
//! turned by the root of order `r * blocks` to the power `p k`, to number `q + stride * (r * p + k)`: where
//! the last stage will have it in order. A stage reads and writes in as few streams as it has numbers.

use alloc::{boxed::Box, vec::Vec};
use core::{array, mem};

use crate::{Complex, butterfly, mul, root};

/// The largest prime factor that a stage can have.
const MAX_RADIX: usize = 13;

/// A transform whose length has no prime factor above 13.
#[derive(Debug)]
pub(crate) struct Stages {
    length: usize,
    stages: Box<[Stage]>,
}

#[derive(Debug)]
struct Stage {
    radix: usize,
    stride: usize,
    /// For each block but the first, whose are one: the roots of elements 1 to `radix - 1`.
    roots: Box<[Complex]>,
    /// For a radix that has no butterfly of its own: the powers of its root.
    turns: Box<[Complex]>,
}

impl Stages {
    /// `None` if the length, which is not 0, has a prime factor that is too large.
    pub(crate) fn new(length: usize) -> Option<Self> {
        let radices = radices(length)?;
        let mut stages = Vec::with_capacity(radices.len());
        let mut stride = 1;
        for radix in radices {
            let blocks = length / stride / radix;
            let roots = (1..blocks)
                .flat_map(|p| (1..radix).map(move |k| root(p * k, radix * blocks)))
                .collect();
            let turns = match radix {
                2 | 3 | 4 | 5 | 8 => Box::default(),
                _ => (0..radix).map(|k| root(k, radix)).collect(),
            };
            stages.push(Stage {
                radix,
                stride,
                roots,
                turns,
            });
            stride *= radix;
        }
        Some(Self {
            length,
            stages: stages.into_boxed_slice(),
        })
    }

    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// Transforms the first [`length`](Self::length) of `numbers`; the result is at the beginning of
    /// either slice, and that slice is given back first.
    pub(crate) fn transform<'a>(
        &self,
        numbers: &'a mut [Complex],
        room: &'a mut [Complex],
    ) -> (&'a mut [Complex], &'a mut [Complex]) {
        let (mut from, mut to) = (numbers, room);
        for stage in &self.stages {
            stage.run(&from[..self.length], &mut to[..self.length]);
            (from, to) = (to, from);
        }
        (from, to)
    }
}

/// Factors of the length, the one of the first stage first.
///
/// Fours are the fastest; an eight takes an odd power of two.
fn radices(length: usize) -> Option<Vec<usize>> {
    let mut radices = Vec::with_capacity(16);
    let mut rest = length;
    let twos = length.trailing_zeros();
    if twos >= 3 && twos % 2 == 1 {
        radices.push(8);
        rest /= 8;
    }
    for radix in [4, 5, 3, 2, 7, 11, MAX_RADIX] {
        while rest.is_multiple_of(radix) {
            radices.push(radix);
            rest /= radix;
        }
    }
    (rest == 1).then_some(radices)
}

impl Stage {
    fn run(&self, from: &[Complex], to: &mut [Complex]) {
        match self.radix {
            2 => self.pass(from, to, butterfly::two),
            3 => self.pass(from, to, butterfly::three),
            4 => self.pass(from, to, butterfly::four),
            5 => self.pass(from, to, butterfly::five),
            8 => self.pass(from, to, butterfly::eight),
            _ => self.pass_any(from, to),
        }
    }

    #[inline]
    fn pass<const R: usize>(
        &self,
        from: &[Complex],
        to: &mut [Complex],
        butterfly: impl Fn([Complex; R]) -> [Complex; R],
    ) {
        let stride = self.stride;
        let part = from.len() / R;
        let (first, others) = to.split_at_mut(R * stride);
        let sources: [&[Complex]; R] = array::from_fn(|j| &from[part * j..][..stride]);
        let targets = split::<R>(first, stride);
        for q in 0..stride {
            let numbers = butterfly(array::from_fn(|j| sources[j][q]));
            for k in 0..R {
                targets[k][q] = numbers[k];
            }
        }
        if stride == 1 {
            let blocks = part - 1;
            let sources: [&[Complex]; R] = array::from_fn(|j| &from[part * j + 1..][..blocks]);
            let targets = others.as_chunks_mut::<R>().0[..blocks].iter_mut();
            let roots = self.roots.chunks_exact(R - 1);
            for (p, (target, roots)) in targets.zip(roots).enumerate() {
                let numbers = butterfly(array::from_fn(|j| sources[j][p]));
                target[0] = numbers[0];
                for k in 1..R {
                    target[k] = mul(numbers[k], roots[k - 1]);
                }
            }
            return;
        }
        let targets = others.chunks_exact_mut(R * stride);
        let roots = self.roots.chunks_exact(R - 1);
        for (p, (target, roots)) in targets.zip(roots).enumerate() {
            let at = (p + 1) * stride;
            let sources: [&[Complex]; R] = array::from_fn(|j| &from[part * j + at..][..stride]);
            let targets = split::<R>(target, stride);
            for q in 0..stride {
                let numbers = butterfly(array::from_fn(|j| sources[j][q]));
                targets[0][q] = numbers[0];
                for k in 1..R {
                    targets[k][q] = mul(numbers[k], roots[k - 1]);
                }
            }
        }
    }

    /// As [`pass`](Self::pass), for the rare odd radices: elements `k` and `radix - k` have the sums and
    /// the differences of the numbers `j` and `radix - j` in common.
    fn pass_any(&self, from: &[Complex], to: &mut [Complex]) {
        let (radix, stride) = (self.radix, self.stride);
        let (part, pairs) = (from.len() / radix, radix / 2);
        let mut sums = [[0.0; 2]; MAX_RADIX / 2];
        let mut differences = [[0.0; 2]; MAX_RADIX / 2];
        for (p, target) in to.chunks_exact_mut(radix * stride).enumerate() {
            for q in 0..stride {
                let at = p * stride + q;
                let first = from[at];
                let mut total = first;
                for j in 0..pairs {
                    let (a, b) = (from[at + part * (j + 1)], from[at + part * (radix - 1 - j)]);
                    sums[j] = [a[0] + b[0], a[1] + b[1]];
                    differences[j] = [a[0] - b[0], a[1] - b[1]];
                    total = [total[0] + sums[j][0], total[1] + sums[j][1]];
                }
                target[q] = total;
                for k in 1..=pairs {
                    let (mut middle, mut side, mut turn) = (first, [0.0; 2], 0);
                    for (sum, difference) in sums[..pairs].iter().zip(&differences) {
                        turn += k;
                        turn -= if turn >= radix { radix } else { 0 };
                        let [cos, sin] = self.turns[turn];
                        middle = [middle[0] + cos * sum[0], middle[1] + cos * sum[1]];
                        // The sine's factor i.
                        side = [side[0] - sin * difference[1], side[1] + sin * difference[0]];
                    }
                    let here = [middle[0] + side[0], middle[1] + side[1]];
                    let there = [middle[0] - side[0], middle[1] - side[1]];
                    target[k * stride + q] = self.turned(here, p, k);
                    target[(radix - k) * stride + q] = self.turned(there, p, radix - k);
                }
            }
        }
    }

    fn turned(&self, number: Complex, p: usize, k: usize) -> Complex {
        if p == 0 {
            return number;
        }
        mul(number, self.roots[(p - 1) * (self.radix - 1) + k - 1])
    }
}

/// `R` slices of a length.
#[inline]
fn split<const R: usize>(mut numbers: &mut [Complex], length: usize) -> [&mut [Complex]; R] {
    array::from_fn(|_| {
        let (first, rest) = mem::take(&mut numbers).split_at_mut(length);
        numbers = rest;
        first
    })
}
