//! Window functions.

use alloc::boxed::Box;
use core::f64::consts::TAU;

use rune_block_sdk::Refusal;

/// The shape of a window: `a - (1 - a) cos(2 pi j / p)`, with the period `p` its length, or one less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `a` is 0.5: a raised cosine.
    Hann,
    /// `a` is 0.54.
    Hamming,
    /// `a` is 1: all ones.
    Rectangular,
}

/// Where a window ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// The element after the last would be the first: for spectra.
    Periodic,
    /// The last element equals the first: for filters.
    Symmetric,
}

impl Shape {
    /// The shape with this name: `hann`, `hamming` or `rectangular`.
    ///
    /// # Errors
    /// If there is none.
    pub fn named(name: &str) -> Result<Self, Refusal> {
        match name {
            "hann" => Ok(Self::Hann),
            "hamming" => Ok(Self::Hamming),
            "rectangular" => Ok(Self::Rectangular),
            _ => Err("`--window` is hann, hamming or rectangular".into()),
        }
    }

    /// A window of `length` elements; a single one is 1.
    pub fn window(self, length: usize, ends: Ends) -> Box<[f32]> {
        let mean = match self {
            Self::Hann => 0.5,
            Self::Hamming => 0.54,
            Self::Rectangular => 1.0,
        };
        let period = match ends {
            Ends::Periodic => length,
            Ends::Symmetric => length.saturating_sub(1),
        };
        if length <= 1 {
            return (0..length).map(|_| 1.0).collect();
        }
        (0..length)
            .map(|j| mean - (1.0 - mean) * libm::cos(TAU * j as f64 / period as f64))
            .map(|x| x as f32)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_as_named() {
        let window = Shape::Hann.window(4, Ends::Periodic);
        assert_eq!(*window, [0.0, 0.5, 1.0, 0.5]);
        let window = Shape::Hann.window(5, Ends::Symmetric);
        assert_eq!(*window, [0.0, 0.5, 1.0, 0.5, 0.0]);
        assert_eq!(Shape::Hamming.window(2, Ends::Periodic)[0], 0.08);
        assert_eq!(*Shape::Rectangular.window(3, Ends::Symmetric), [1.0; 3]);
    }

    #[test]
    fn the_shortest_windows_are_ones() {
        for ends in [Ends::Periodic, Ends::Symmetric] {
            assert_eq!(*Shape::Hann.window(1, ends), [1.0]);
            assert!(Shape::Hamming.window(0, ends).is_empty());
        }
    }
}
