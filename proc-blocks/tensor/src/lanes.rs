//! The elements of a tensor along one dimension, or all of them.

use alloc::{format, vec, vec::Vec};

use rune_block_sdk::{Element, Refusal};

use crate::{axis::dimension, ranking::greatest};

/// What one value each is computed of: the elements along one dimension.
///
/// A tensor is the shape outer x `count` x `inner`, and the middle is that dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lanes {
    count: usize,
    inner: usize,
}

/// Some elements at equal distances.
#[derive(Clone, Copy, Debug)]
pub struct Lane<'a, T> {
    /// Ends with the last element of the lane.
    values: &'a [T],
    step: usize,
}

impl Lanes {
    /// The lanes of a tensor of these dimensions, and the dimensions of one value per lane.
    ///
    /// `axis` is `all`, or a number from 0, or from -1 downwards for the last and those before it.
    pub fn new(axis: &str, dims: &[u32]) -> Result<(Self, Vec<u32>), Refusal> {
        let size = |dims: &[u32]| dims.iter().map(|d| *d as usize).product();
        if axis == "all" {
            let (count, inner) = (size(dims), 1);
            return Ok((Self { count, inner }, vec![1]));
        }
        let number: i64 = axis
            .parse()
            .map_err(|_| format!("`--axis` is `all` or a whole number, not `{axis}`"))?;
        let index = dimension(number, dims.len())?;
        let mut rest = dims.to_vec();
        rest.remove(index);
        if rest.is_empty() {
            rest.push(1);
        }
        let lanes = Self {
            count: dims[index] as usize,
            inner: size(&dims[index + 1..]),
        };
        Ok((lanes, rest))
    }

    /// Writes `of` of every lane.
    pub fn map<T, U>(self, values: &[T], results: &mut [U], of: impl Fn(Lane<'_, T>) -> U) {
        let size = (self.count * self.inner).max(1);
        let step = self.inner.max(1);
        for (block, results) in values
            .chunks_exact(size)
            .zip(results.chunks_exact_mut(step))
        {
            for (first, result) in results.iter_mut().enumerate() {
                *result = of(Lane {
                    values: &block[first..=size - step + first],
                    step,
                });
            }
        }
    }
}

impl<'a, T: Element> Lane<'a, T> {
    /// The elements in order.
    pub fn iter(self) -> impl Iterator<Item = T> + use<'a, T> {
        self.values.iter().step_by(self.step).copied()
    }
}

impl<T: Element> Lane<'_, T> {
    /// How many elements there are; at least one.
    pub fn count(self) -> usize {
        self.values.len().div_ceil(self.step)
    }

    /// The greatest element, the first of equals, and its index; none where all are NaN.
    pub fn greatest(self) -> Option<(u32, T)> {
        // A loop over neighbours is a plain one.
        if self.step == 1 {
            greatest(self.values.iter().copied())
        } else {
            greatest(self.iter())
        }
    }

    /// The sum of `term` over all elements.
    pub fn sum(self, term: impl Fn(T) -> f64) -> f64 {
        if self.step != 1 {
            return self.iter().fold(0.0, |sum, x| sum + term(x));
        }
        // Four sums, because each addition waits for the one before it.
        let (fours, rest) = self.values.as_chunks::<4>();
        let mut sums = [0.0; 4];
        for four in fours {
            for (sum, x) in sums.iter_mut().zip(four) {
                *sum += term(*x);
            }
        }
        let rest = rest.iter().fold(0.0, |sum, x| sum + term(*x));
        (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
    }
}
