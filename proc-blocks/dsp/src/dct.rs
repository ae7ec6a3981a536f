//! The discrete cosine transform.

use alloc::boxed::Box;
use core::f64::consts::PI;

/// The first elements of the orthonormal transform of type II.
#[derive(Debug)]
pub struct Dct {
    length: usize,
    /// Row by row: the cosines of each element.
    cosines: Box<[f32]>,
}

impl Dct {
    /// A plan for the first `count` elements of `length` numbers; element `k` is multiplied by `weight(k)`.
    ///
    /// Without weights it is `sqrt(2 / length)`, for element 0 `sqrt(1 / length)`, times the sum of
    /// `x[j] cos(pi k (2 j + 1) / (2 length))`.
    pub fn new(length: usize, count: usize, weight: impl Fn(usize) -> f64) -> Self {
        let cosine = |k: usize, j: usize| {
            let norm = if k == 0 { 1.0 } else { 2.0 };
            // The cosine's period is four times the length.
            let turn = (k * (2 * j + 1)) % (4 * length);
            let cos = libm::cos(PI * turn as f64 / (2 * length) as f64);
            (weight(k) * libm::sqrt(norm / length as f64) * cos) as f32
        };
        Self {
            length,
            cosines: (0..count)
                .flat_map(|k| (0..length).map(move |j| (k, j)))
                .map(|(k, j)| cosine(k, j))
                .collect(),
        }
    }

    /// The elements of `numbers`.
    #[inline]
    pub fn apply(&self, numbers: &[f32], elements: &mut [f32]) {
        let rows = self.cosines.chunks_exact(self.length);
        for (element, row) in elements.iter_mut().zip(rows) {
            *element = row.iter().zip(numbers).map(|(c, x)| c * x).sum();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows are orthonormal: a row transforms to its own element.
    #[test]
    fn rows_transform_to_their_own_elements() {
        for length in [1, 2, 7, 40] {
            let dct = Dct::new(length, length, |_| 1.0);
            for (k, row) in dct.cosines.chunks_exact(length).enumerate() {
                let mut elements = vec![f32::NAN; length];
                dct.apply(row, &mut elements);
                for (i, element) in elements.iter().enumerate() {
                    let expected = if i == k { 1.0 } else { 0.0 };
                    assert!(
                        (element - expected).abs() < 1e-6,
                        "{length} {k} {i}: {element}"
                    );
                }
            }
        }
    }
}
