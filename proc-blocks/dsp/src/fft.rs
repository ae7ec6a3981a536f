//! The transform of any number of complex numbers.

use alloc::{boxed::Box, vec};

use crate::{Complex, mul, root, stages::Stages};

/// How to transform a number of complex numbers.
///
/// In stages where the length has no prime factor above 13, and otherwise with Bluestein's chirp (IEEE
/// Trans. Audio Electroacoust. 18, 1970) as a convolution at a length that has only small factors.
#[derive(Debug)]
pub struct Fft(Kind);

#[derive(Debug)]
enum Kind {
    Stages(Stages),
    Chirp(Chirp),
}

impl Fft {
    /// A plan for `length` numbers, which are not none.
    pub fn new(length: usize) -> Self {
        Self(match Stages::new(length) {
            Some(stages) => Kind::Stages(stages),
            None => Kind::Chirp(Chirp::new(length)),
        })
    }

    /// How many numbers [`transform`](Self::transform) needs room for.
    pub fn room(&self) -> usize {
        match &self.0 {
            Kind::Stages(stages) => stages.length(),
            Kind::Chirp(chirp) => 2 * chirp.stages.length(),
        }
    }

    /// Element `k` is the sum of `x[j] exp(-2 pi i j k / length)` over the numbers `x` at the beginning of
    /// `numbers`. Gives the slice that the elements are at the beginning of, which is `numbers` or `room`.
    pub fn transform<'a>(
        &self,
        numbers: &'a mut [Complex],
        room: &'a mut [Complex],
    ) -> &'a mut [Complex] {
        match &self.0 {
            Kind::Stages(stages) => stages.transform(numbers, room).0,
            Kind::Chirp(chirp) => {
                chirp.transform(&mut numbers[..chirp.roots.len()], room);
                numbers
            }
        }
    }
}

/// A transform as a circular convolution.
///
/// With `c[j] = exp(-pi i j^2 / n)`, element `k` is `c[k]` times the sum of `x[j] c[j] / c[k - j]`.
#[derive(Debug)]
struct Chirp {
    stages: Stages,
    roots: Box<[Complex]>,
    /// Transform of the chirp's conjugate, divided by its length.
    filter: Box<[Complex]>,
}

impl Chirp {
    fn new(length: usize) -> Self {
        // The order of the chirp's root is twice the length.
        let order = 2 * length as u64;
        let roots: Box<[Complex]> = (0..length as u64)
            .map(|j| root((j * j % order) as usize, order as usize))
            .collect();
        let wide = wide(2 * length - 1);
        let stages = Stages::new(wide).expect("it has only small factors");
        let mut filter = vec![[0.0; 2]; wide].into_boxed_slice();
        for (j, root) in roots.iter().enumerate() {
            let [re, im] = root.map(|x| x / wide as f32);
            filter[j] = [re, -im];
            filter[(wide - j) % wide] = [re, -im];
        }
        let mut room = vec![[0.0; 2]; wide];
        let filter = stages.transform(&mut filter, &mut room).0.into();
        Self {
            stages,
            roots,
            filter,
        }
    }

    fn transform(&self, numbers: &mut [Complex], room: &mut [Complex]) {
        let (product, room) = room.split_at_mut(self.filter.len());
        let (used, unused) = product.split_at_mut(numbers.len());
        for ((product, number), root) in used.iter_mut().zip(&*numbers).zip(&self.roots) {
            *product = mul(*number, *root);
        }
        unused.fill([0.0; 2]);
        let (product, room) = self.stages.transform(product, room);
        // The inverse transform is the conjugate of the transform of the conjugate.
        for (number, factor) in product.iter_mut().zip(&self.filter) {
            let [re, im] = mul(*number, *factor);
            *number = [re, -im];
        }
        let product = self.stages.transform(product, room).0;
        for ((number, product), root) in numbers.iter_mut().zip(product).zip(&self.roots) {
            *number = mul([product[0], -product[1]], *root);
        }
    }
}

/// The number from `least` up that is cheapest to transform, of those with the prime factors 2, 3 and 5.
fn wide(least: usize) -> usize {
    let mut best = (least.next_power_of_two(), f64::INFINITY);
    let mut fives = 1;
    while fives < 2 * least {
        let mut threes = fives;
        while threes < 2 * least {
            let mut length = threes;
            while length < least {
                length *= 2;
            }
            let cost = cost(length);
            if cost < best.1 {
                best = (length, cost);
            }
            threes *= 3;
        }
        fives *= 5;
    }
    best.0
}

/// What a length costs: each stage passes over all numbers, with measured weights.
fn cost(length: usize) -> f64 {
    let mut rest = length;
    let mut passes = 0.0;
    for (radix, weight) in [(4, 1.0), (2, 0.7), (3, 1.0), (5, 1.3)] {
        while rest.is_multiple_of(radix) {
            passes += weight;
            rest /= radix;
        }
    }
    passes * length as f64
}
