//! The transform of real 16-bit samples, with the roundings of kissfft's fixed-point form.
//!
//! `n` samples are transformed as `n / 2` complex numbers, in place, with decimation in time: radix 4
//! from the outside in and one radix 2 innermost where the length asks for it. Each stage first divides
//! by its radix, so that nothing grows; every product is rounded to 16 bits and every sum wraps in them.

use alloc::boxed::Box;
use core::f64::consts::PI;

/// A complex number of fractions with 15 bits.
type Complex = [i16; 2];

/// How to transform a power of two of real samples, at least 8.
#[derive(Debug)]
pub(crate) struct Fft {
    /// Where each complex number comes from, before the first stage.
    order: Box<[u16]>,
    /// The stages of radix 4, the innermost first: the three factors of each butterfly.
    stages: Box<[Box<[[Complex; 3]]>]>,
    /// Whether a stage of radix 2 comes before them.
    pairs: bool,
    /// The factors that make the spectrum of the samples from that of the complex numbers.
    halves: Box<[Complex]>,
}

impl Fft {
    pub(crate) fn new(samples: usize) -> Self {
        let length = samples / 2;
        let depth = length.ilog2();
        let pairs = depth % 2 == 1;
        let root = |k: usize, m: usize| complex(-2.0 * PI * k as f64 / m as f64);
        let stage = |m: usize| -> Box<[[Complex; 3]]> {
            (0..m)
                .map(|j| [1, 2, 3].map(|k| root(j * k, 4 * m)))
                .collect()
        };
        let first = if pairs { 2 } else { 1 };
        Self {
            order: (0..length).map(|to| source(to, length)).collect(),
            stages: (0..depth / 2).map(|s| stage(first << (2 * s))).collect(),
            pairs,
            halves: (1..=length / 2)
                .map(|k| complex(-PI * (k as f64 / length as f64 + 0.5)))
                .collect(),
        }
    }

    /// Turns `samples` into their spectrum, real and imaginary parts in turn, from element 1 up to the
    /// last before half the rate; element 0 is not written. `work` is as long.
    pub(crate) fn transform(&self, samples: &mut [i16], work: &mut [i16]) {
        for (number, from) in work.chunks_exact_mut(2).zip(&self.order) {
            let from = 2 * usize::from(*from);
            number.copy_from_slice(&samples[from..from + 2]);
        }
        if self.pairs {
            radix_2(work);
        }
        for factors in &self.stages {
            radix_4(work, factors);
        }
        self.unpack(work, samples);
    }

    /// The spectrum of the samples from that of the complex numbers whose real parts are the even samples
    /// and whose imaginary parts are the odd ones.
    fn unpack(&self, numbers: &[i16], spectrum: &mut [i16]) {
        let length = numbers.len() / 2;
        for (k, factor) in (1..).zip(&self.halves) {
            let a = divided(pair(numbers, k), HALF);
            let [re, im] = pair(numbers, length - k);
            let b = divided([re, im.wrapping_neg()], HALF);
            let sum = [a[0] + b[0], a[1] + b[1]];
            let turned = product([a[0] - b[0], a[1] - b[1]], *factor);
            let mirror = [(sum[0] - turned[0]) >> 1, (turned[1] - sum[1]) >> 1];
            let here = [(sum[0] + turned[0]) >> 1, (sum[1] + turned[1]) >> 1];
            set(spectrum, k, here);
            set(spectrum, length - k, mirror);
        }
    }
}

/// Which number a stage-by-stage splitting by 4 and last by 2 puts at `to`.
fn source(to: usize, length: usize) -> u16 {
    let (mut rest, mut place, mut from, mut stride) = (length, to, 0, 1);
    while rest > 1 {
        let radix = if rest.is_multiple_of(4) { 4 } else { 2 };
        rest /= radix;
        from += place / rest * stride;
        place %= rest;
        stride *= radix;
    }
    from as u16
}

/// `exp(i angle)`.
fn complex(angle: f64) -> Complex {
    [libm::cos(angle), libm::sin(angle)].map(|x| libm::floor(0.5 + 32767.0 * x) as i16)
}

/// Factors that divide, as fractions of 15 bits.
const HALF: i32 = 32767 / 2;
const QUARTER: i32 = 32767 / 4;

/// A product of two fractions, rounded.
fn rounded(product: i32) -> i32 {
    i32::from(((product + (1 << 14)) >> 15) as i16)
}

fn divided(number: Complex, by: i32) -> [i32; 2] {
    number.map(|x| rounded(i32::from(x) * by))
}

fn product(a: [i32; 2], b: Complex) -> [i32; 2] {
    let b = b.map(i32::from);
    [
        rounded(a[0] * b[0] - a[1] * b[1]),
        rounded(a[0] * b[1] + a[1] * b[0]),
    ]
}

fn pair(numbers: &[i16], at: usize) -> Complex {
    [numbers[2 * at], numbers[2 * at + 1]]
}

/// Stores the low 16 bits.
fn set(numbers: &mut [i16], at: usize, value: [i32; 2]) {
    numbers[2 * at] = value[0] as i16;
    numbers[2 * at + 1] = value[1] as i16;
}

/// Butterflies of neighbours.
fn radix_2(numbers: &mut [i16]) {
    for pair in numbers.chunks_exact_mut(4) {
        let a = divided([pair[0], pair[1]], HALF);
        // One, as near as 15 bits get, and the rounding that comes with it.
        let b = product(divided([pair[2], pair[3]], HALF), [i16::MAX, 0]);
        set(pair, 0, [a[0] + b[0], a[1] + b[1]]);
        set(pair, 1, [a[0] - b[0], a[1] - b[1]]);
    }
}

/// Butterflies of numbers that lie `factors.len()` apart.
fn radix_4(numbers: &mut [i16], factors: &[[Complex; 3]]) {
    let lane = 2 * factors.len();
    for block in numbers.chunks_exact_mut(4 * lane) {
        let (low, high) = block.split_at_mut(2 * lane);
        let (a, b) = low.split_at_mut(lane);
        let (c, d) = high.split_at_mut(lane);
        let lanes = a
            .chunks_exact_mut(2)
            .zip(b.chunks_exact_mut(2))
            .zip(c.chunks_exact_mut(2).zip(d.chunks_exact_mut(2)));
        for (((a, b), (c, d)), [w1, w2, w3]) in lanes.zip(factors) {
            let x0 = divided([a[0], a[1]], QUARTER);
            let x1 = product(divided([b[0], b[1]], QUARTER), *w1);
            let x2 = product(divided([c[0], c[1]], QUARTER), *w2);
            let x3 = product(divided([d[0], d[1]], QUARTER), *w3);
            let (even, odd) = (
                [x0[0] + x2[0], x0[1] + x2[1]],
                [x1[0] + x3[0], x1[1] + x3[1]],
            );
            let (even_, odd_) = (
                [x0[0] - x2[0], x0[1] - x2[1]],
                [x1[0] - x3[0], x1[1] - x3[1]],
            );
            set(a, 0, [even[0] + odd[0], even[1] + odd[1]]);
            set(b, 0, [even_[0] + odd_[1], even_[1] - odd_[0]]);
            set(c, 0, [even[0] - odd[0], even[1] - odd[1]]);
            set(d, 0, [even_[0] - odd_[1], even_[1] + odd_[0]]);
        }
    }
}
