//! The discrete cosine transform.

use alloc::{boxed::Box, vec::Vec};
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
        // One period of the cosine: a table of it takes far less time than every element anew.
        let period = 4 * length;
        let cosine: Vec<f64> = (0..period)
            .map(|turn| libm::cos(PI * turn as f64 / (2 * length) as f64))
            .collect();
        let mut cosines = Vec::with_capacity(count * length);
        for k in 0..count {
            let norm = if k == 0 { 1.0 } else { 2.0 };
            let factor = weight(k) * libm::sqrt(norm / length as f64);
            let turns = (0..length).map(|j| k * (2 * j + 1) % period);
            cosines.extend(turns.map(|turn| (factor * cosine[turn]) as f32));
        }
        Self {
            length,
            cosines: cosines.into_boxed_slice(),
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
