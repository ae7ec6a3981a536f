//! Arithmetic on the numbers of pixels.

use core::fmt::Debug;

use rune_block_sdk::Element;

/// A number that pixels are made of.
pub trait Pixel: Element {
    /// A weight, and a sum of weighted numbers.
    type Sum: Copy + Debug + 'static;
    /// A sum of nothing.
    const ZERO: Self::Sum;
    /// The nearest weight to a number from 0 to 1.
    fn weight(weight: f64) -> Self::Sum;
    /// The sum with one number more.
    #[must_use]
    fn add(sum: Self::Sum, number: Self, weight: Self::Sum) -> Self::Sum;
    /// The number that a sum whose weights add up to 1 stands for.
    fn of(sum: Self::Sum) -> Self;
}

/// Fractional bits of a weight of bytes: with 8 more for the byte and 2 for what rounding adds, an i32 holds
/// every sum.
const BITS: u32 = 32 - 8 - 2;

impl Pixel for u8 {
    type Sum = i32;
    /// One half, so that cutting off the fraction rounds.
    const ZERO: i32 = 1 << (BITS - 1);

    fn weight(weight: f64) -> i32 {
        (weight * f64::from(1 << BITS) + 0.5) as i32
    }

    #[inline]
    fn add(sum: i32, number: u8, weight: i32) -> i32 {
        sum + i32::from(number) * weight
    }

    #[inline]
    fn of(sum: i32) -> u8 {
        (sum >> BITS).clamp(0, 255) as u8
    }
}

impl Pixel for f32 {
    type Sum = f32;
    /// Unlike 0, it leaves -0 as it is.
    const ZERO: f32 = -0.0;

    fn weight(weight: f64) -> f32 {
        weight as f32
    }

    #[inline]
    fn add(sum: f32, number: f32, weight: f32) -> f32 {
        sum + number * weight
    }

    #[inline]
    fn of(sum: f32) -> f32 {
        sum
    }
}
