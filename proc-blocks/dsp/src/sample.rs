//! Samples of a stream, and their conversion.

use rune_block_sdk::Element;

/// A number type that streams of samples are made of.
pub trait Sample: Element {
    /// What a sample is multiplied by for full scale to be one.
    const SCALE: f32;
    /// The sample as it is.
    fn value(self) -> f32;
    /// The nearest sample, ties to even; an integer saturates, and NaN becomes its zero.
    fn nearest(value: f64) -> Self;
}

impl Sample for f32 {
    const SCALE: f32 = 1.0;

    #[inline]
    fn value(self) -> f32 {
        self
    }

    #[inline]
    fn nearest(value: f64) -> Self {
        value as f32
    }
}

impl Sample for i16 {
    const SCALE: f32 = 1.0 / 32768.0;

    #[inline]
    fn value(self) -> f32 {
        f32::from(self)
    }

    #[inline]
    fn nearest(value: f64) -> Self {
        libm::rint(value) as i16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_round_to_even_and_saturate() {
        let rounded = [0.5, 1.5, -0.5, -2.6, 32767.4, 1e9, -1e9, f64::NAN].map(i16::nearest);
        assert_eq!(rounded, [0, 2, 0, -3, 32767, 32767, -32768, 0]);
    }
}
