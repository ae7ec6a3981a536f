//! Numbers of any element type as `f64`, and back where nothing is lost.

use rune_block_sdk::Element;

/// An element that is one number of many types.
pub trait Number: Element {
    /// Zero.
    const ZERO: Self;
    /// One.
    const ONE: Self;
    /// The nearest `f64`.
    fn to_f64(self) -> f64;
    /// The number an argument stands for: of a float the nearest, of an integer only the same number.
    fn of_argument(value: f64) -> Option<Self>;
}

macro_rules! floats {
    ($($t:ty),*) => {$(
        impl Number for $t {
            const ZERO: Self = 0 as $t;
            const ONE: Self = 1 as $t;

            fn to_f64(self) -> f64 {
                self as f64
            }

            fn of_argument(value: f64) -> Option<Self> {
                Some(value as $t)
            }
        }
    )*};
}
floats!(f32, f64);

macro_rules! integers {
    ($($t:ty),*) => {$(
        impl Number for $t {
            const ZERO: Self = 0 as $t;
            const ONE: Self = 1 as $t;

            fn to_f64(self) -> f64 {
                self as f64
            }

            fn of_argument(value: f64) -> Option<Self> {
                // A cast saturates, and its result is the value only if nothing was lost. The greatest
                // value itself is no exact float for 64 bits, so it cannot pass by saturation.
                let number = value as $t;
                (number as f64 == value && value < <$t>::MAX as f64 + 1.0).then_some(number)
            }
        }
    )*};
}
integers!(i8, i16, i32, i64, u8, u16, u32, u64);

#[cfg(test)]
mod tests {
    use super::*;

    /// One more than the greatest `i64`.
    const TWO_TO_63: f64 = (1_u64 << 63) as f64;

    #[test]
    fn integers_are_whole_and_in_range() {
        assert_eq!(i8::of_argument(-128.0), Some(-128));
        assert_eq!(u8::of_argument(-0.0), Some(0));
        for bad in [128.0, -129.0, 0.5, f64::NAN, f64::INFINITY] {
            assert_eq!(i8::of_argument(bad), None);
        }
        assert_eq!(i64::of_argument(-TWO_TO_63), Some(i64::MIN));
        assert_eq!(i64::of_argument(TWO_TO_63), None);
        assert_eq!(u64::of_argument(2.0 * TWO_TO_63), None);
        assert_eq!(u64::of_argument(TWO_TO_63), Some(1 << 63));
    }

    #[test]
    fn floats_are_the_nearest() {
        assert_eq!(f32::of_argument(0.1), Some(0.1));
        assert_eq!(f32::of_argument(1e300), Some(f32::INFINITY));
        assert_eq!(f64::of_argument(1e300), Some(1e300));
    }
}
