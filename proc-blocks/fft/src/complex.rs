//! The transform of complex numbers: Stockham's self-sorting form for lengths whose prime factors are at
//! most 13, and Bluestein's chirp convolution (IEEE Trans. Audio Electroacoust. 18, 1970) for all others.
//!
//! Numbers lie in slices of f32 as real and imaginary part in turn.

use alloc::{boxed::Box, vec, vec::Vec};
use core::f64::consts::TAU;

/// Product of two complex numbers.
pub fn mul(a: [f32; 2], b: [f32; 2]) -> [f32; 2] {
    [a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]]
}

/// The powers of `exp(-2 pi i / order)` for an even order; half of them, as the others are their negatives.
#[derive(Debug)]
pub struct Roots(Box<[[f32; 2]]>);

impl Roots {
    /// The roots of one of an even order.
    pub fn new(order: usize) -> Self {
        let root = |k| {
            let angle = -TAU * k as f64 / order as f64;
            [libm::cos(angle) as f32, libm::sin(angle) as f32]
        };
        Self((0..order / 2).map(root).collect())
    }

    /// The power `k`, which is less than the order.
    pub fn get(&self, k: usize) -> [f32; 2] {
        match self.0.get(k) {
            Some(root) => *root,
            None => self.0[k - self.0.len()].map(|x| -x),
        }
    }

    fn order(&self) -> usize {
        2 * self.0.len()
    }
}

/// How to transform a number of complex numbers.
#[derive(Debug)]
pub enum Plan {
    /// In stages, one per factor of the length.
    Stages(Stages),
    /// As a convolution.
    Chirp(Box<Chirp>),
}

impl Plan {
    /// A plan for `length` numbers; `roots` is of the order `2 * length`.
    pub fn new(length: usize, roots: &Roots) -> Self {
        match Stages::new(length) {
            Some(stages) => Self::Stages(stages),
            None => Self::Chirp(Box::new(Chirp::new(length, roots))),
        }
    }

    /// How many f32 [`transform`](Self::transform) needs to work in.
    pub fn room(&self) -> usize {
        match self {
            Self::Stages(stages) => 2 * stages.length,
            Self::Chirp(chirp) => 4 * chirp.stages.length,
        }
    }

    /// Transforms `numbers` in place; `roots` are those the plan was made with.
    pub fn transform(&self, numbers: &mut [f32], room: &mut [f32], roots: &Roots) {
        match self {
            Self::Stages(stages) => stages.transform(numbers, room, roots),
            Self::Chirp(chirp) => chirp.transform(numbers, room, roots),
        }
    }
}

/// The largest prime factor that a stage can have.
const MAX_RADIX: usize = 13;

/// A transform in stages.
#[derive(Debug)]
pub struct Stages {
    length: usize,
    /// Factors of the length.
    radices: Box<[u8]>,
}

impl Stages {
    /// `None` if a prime factor of the length is too large.
    fn new(length: usize) -> Option<Self> {
        let mut radices = Vec::with_capacity(16);
        let mut rest = length;
        for radix in [4, 2, 3, 5, 7, 11, MAX_RADIX] {
            while rest.is_multiple_of(radix) {
                radices.push(radix as u8);
                rest /= radix;
            }
        }
        (rest == 1).then(|| Self {
            length,
            radices: radices.into_boxed_slice(),
        })
    }

    /// Each stage splits transforms of `length / stride` numbers into `radix` of them, with decimation in
    /// frequency, and leaves the results where the last stage will have them in order. The order of
    /// `roots` is a multiple of the length.
    fn transform(&self, numbers: &mut [f32], room: &mut [f32], roots: &Roots) {
        let step = roots.order() / self.length;
        let room = &mut room[..2 * self.length];
        let mut stride = 1;
        let (mut from, mut to) = (&mut *numbers, room);
        for radix in &self.radices {
            let stage = Stage {
                blocks: self.length / stride / usize::from(*radix),
                stride,
                step: step * stride,
                roots,
            };
            match radix {
                2 => stage.radix_2(from, to),
                4 => stage.radix_4(from, to),
                _ => stage.radix_odd(usize::from(*radix), from, to),
            }
            stride *= usize::from(*radix);
            (from, to) = (to, from);
        }
        if self.radices.len() % 2 == 1 {
            to.copy_from_slice(from);
        }
    }
}

/// One stage: block `p` and lane `q < stride` take number `q + stride * (p + blocks * j)`, for each
/// `j < radix`, to number `q + stride * (radix * p + k)`, for each `k < radix`.
struct Stage<'a> {
    blocks: usize,
    stride: usize,
    /// Power of the roots that turns block 1, output 1.
    step: usize,
    roots: &'a Roots,
}

impl Stage<'_> {
    fn radix_2(&self, from: &[f32], to: &mut [f32]) {
        let lane = 2 * self.stride;
        let (first, second) = from.split_at(lane * self.blocks);
        let sources = first.chunks_exact(lane).zip(second.chunks_exact(lane));
        for (p, (target, (a, b))) in to.chunks_exact_mut(2 * lane).zip(sources).enumerate() {
            let root = self.roots.get(p * self.step);
            let (sum, difference) = target.split_at_mut(lane);
            for q in (0..lane).step_by(2) {
                sum[q] = a[q] + b[q];
                sum[q + 1] = a[q + 1] + b[q + 1];
                let turned = mul([a[q] - b[q], a[q + 1] - b[q + 1]], root);
                difference[q..q + 2].copy_from_slice(&turned);
            }
        }
    }

    fn radix_4(&self, from: &[f32], to: &mut [f32]) {
        let lane = 2 * self.stride;
        let quarter = lane * self.blocks;
        for (p, target) in to.chunks_exact_mut(4 * lane).enumerate() {
            let power = p * self.step;
            let [w1, w2, w3] = [1, 2, 3].map(|k| self.roots.get(k * power));
            for q in (0..lane).step_by(2) {
                let at = p * lane + q;
                let [a, b, c, d] = [0, 1, 2, 3].map(|j| pair(from, at + j * quarter));
                let (ac, bd) = ([a[0] + c[0], a[1] + c[1]], [b[0] + d[0], b[1] + d[1]]);
                let (a_c, b_d) = ([a[0] - c[0], a[1] - c[1]], [b[0] - d[0], b[1] - d[1]]);
                // A quarter turn, -i times b - d, costs no multiplication.
                set(target, q, [ac[0] + bd[0], ac[1] + bd[1]]);
                set(
                    target,
                    q + lane,
                    mul([a_c[0] + b_d[1], a_c[1] - b_d[0]], w1),
                );
                set(
                    target,
                    q + 2 * lane,
                    mul([ac[0] - bd[0], ac[1] - bd[1]], w2),
                );
                set(
                    target,
                    q + 3 * lane,
                    mul([a_c[0] - b_d[1], a_c[1] + b_d[0]], w3),
                );
            }
        }
    }

    fn radix_odd(&self, radix: usize, from: &[f32], to: &mut [f32]) {
        let lane = 2 * self.stride;
        let part = lane * self.blocks;
        // The powers of this radix's own root.
        let mut turns = [[0.0; 2]; MAX_RADIX];
        for (k, turn) in turns[..radix].iter_mut().enumerate() {
            *turn = self.roots.get(k * self.step * self.blocks);
        }
        for (p, target) in to.chunks_exact_mut(radix * lane).enumerate() {
            for q in (0..lane).step_by(2) {
                for k in 0..radix {
                    let mut sum = [0.0; 2];
                    let mut turn = 0;
                    for j in 0..radix {
                        let term = mul(pair(from, p * lane + q + j * part), turns[turn]);
                        sum = [sum[0] + term[0], sum[1] + term[1]];
                        turn = if turn + k < radix {
                            turn + k
                        } else {
                            turn + k - radix
                        };
                    }
                    let root = self.roots.get(p * k * self.step);
                    set(target, q + k * lane, mul(sum, root));
                }
            }
        }
    }
}

fn pair(numbers: &[f32], at: usize) -> [f32; 2] {
    [numbers[at], numbers[at + 1]]
}

fn set(numbers: &mut [f32], at: usize, value: [f32; 2]) {
    numbers[at..at + 2].copy_from_slice(&value);
}

/// A transform of any length as a circular convolution with a chirp, at a power of two.
///
/// With `c[j] = exp(-pi i j^2 / n)`, element `k` is `c[k]` times the sum of `x[j] c[j] / c[k - j]`.
#[derive(Debug)]
pub struct Chirp {
    stages: Stages,
    roots: Roots,
    /// Transform of the chirp's conjugate, divided by its length.
    filter: Box<[f32]>,
}

impl Chirp {
    fn new(length: usize, roots: &Roots) -> Self {
        let wide = (2 * length - 1).next_power_of_two();
        let mut filter = vec![0.0; 2 * wide].into_boxed_slice();
        for j in 0..length {
            let [re, im] = chirp(j, roots).map(|x| x / wide as f32);
            set(&mut filter, 2 * j, [re, -im]);
            set(&mut filter, 2 * ((wide - j) % wide), [re, -im]);
        }
        let stages = Stages::new(wide).expect("a power of two has small factors");
        let wide_roots = Roots::new(wide);
        stages.transform(&mut filter, &mut vec![0.0; 2 * wide], &wide_roots);
        Self {
            stages,
            roots: wide_roots,
            filter,
        }
    }

    fn transform(&self, numbers: &mut [f32], room: &mut [f32], roots: &Roots) {
        let (wide, room) = room.split_at_mut(self.filter.len());
        for (j, number) in wide.chunks_exact_mut(2).enumerate() {
            let value = if 2 * j < numbers.len() {
                mul(pair(numbers, 2 * j), chirp(j, roots))
            } else {
                [0.0; 2]
            };
            number.copy_from_slice(&value);
        }
        self.stages.transform(wide, room, &self.roots);
        // The inverse transform is the conjugate of the transform of the conjugate.
        for (number, factor) in wide.chunks_exact_mut(2).zip(self.filter.chunks_exact(2)) {
            let [re, im] = mul([number[0], number[1]], [factor[0], factor[1]]);
            number.copy_from_slice(&[re, -im]);
        }
        self.stages.transform(wide, room, &self.roots);
        for (k, number) in numbers.chunks_exact_mut(2).enumerate() {
            let [re, im] = pair(wide, 2 * k);
            number.copy_from_slice(&mul([re, -im], chirp(k, roots)));
        }
    }
}

/// `exp(-pi i j^2 / n)` from the roots of the order `2 n`.
fn chirp(j: usize, roots: &Roots) -> [f32; 2] {
    let square = j as u64 * j as u64;
    roots.get((square % roots.order() as u64) as usize)
}
