//! What the signal operators derive from their parameters: the factors of a transform's length and its
//! roots of unity, the corrections of a logarithm.

use std::f64::consts::PI;

/// The radices a transform can be made of beside 4 and 2.
const ODD: [u32; 2] = [3, 5];

/// The radices of the passes of a complex transform, the outermost first: fours, then twos, threes and
/// fives. `None` where the length has another factor, or is 1.
pub fn radices(length: u32) -> Option<Vec<u32>> {
    let mut radices = Vec::new();
    let mut rest = length;
    for radix in [4, 2].into_iter().chain(ODD) {
        while rest > 1 && rest.is_multiple_of(radix) {
            radices.push(radix);
            rest /= radix;
        }
    }
    (rest == 1 && !radices.is_empty()).then_some(radices)
}

/// A number that transforms are made of.
pub trait Root: Copy {
    /// It, from a real of -1 to 1.
    fn of(real: f64) -> Self;
}

impl Root for i16 {
    fn of(real: f64) -> Self {
        rounded(real, i16::MAX.into()) as i16
    }
}

impl Root for i32 {
    fn of(real: f64) -> Self {
        rounded(real, i32::MAX.into()) as i32
    }
}

impl Root for f32 {
    fn of(real: f64) -> Self {
        real as f32
    }
}

/// The whole number next to `real` times `one`, halves up.
fn rounded(real: f64, one: f64) -> f64 {
    (0.5 + one * real).floor()
}

/// Real and imaginary part of e^(i * phase).
fn root<T: Root>(phase: f64) -> [T; 2] {
    [T::of(libm::cos(phase)), T::of(libm::sin(phase))]
}

/// The roots of unity of a complex transform of `length` elements, by rising multiple.
pub fn roots<T: Root>(length: u32, inverse: bool) -> Vec<[T; 2]> {
    let turn = |index| -2.0 * PI * f64::from(index) / f64::from(length);
    (0..length)
        .map(|index| root(if inverse { -turn(index) } else { turn(index) }))
        .collect()
}

/// The roots that make a real transform of twice `length` elements of a complex one: for each bin from 1
/// to half of them.
pub fn real_roots<T: Root>(length: u32, inverse: bool) -> Vec<[T; 2]> {
    let turn = |bin| -PI * (f64::from(bin) / f64::from(length) + 0.5);
    (1..=length / 2)
        .map(|bin| root(if inverse { -turn(bin) } else { turn(bin) }))
        .collect()
}

/// Segments that an octave is cut into for logarithms, as a power of two.
pub const LOG_SEGMENTS_BITS: u32 = 7;

/// log2(1 + f) - f at the start of each segment and at the end of the last, over 2^16; one more to read.
pub fn log_corrections() -> Vec<u16> {
    let segments = f64::from(1u32 << LOG_SEGMENTS_BITS);
    (0..=1u32 << LOG_SEGMENTS_BITS)
        .map(|segment| {
            let f = f64::from(segment) / segments;
            rounded(libm::log2(1.0 + f) - f, 65536.0) as u16
        })
        .chain([0])
        .collect()
}

/// ln(2) over 2^16.
pub const LN_2: u32 = 45426;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_fours_before_twos_before_odd_radices() {
        assert_eq!(radices(256).unwrap(), [4, 4, 4, 4]);
        assert_eq!(radices(32).unwrap(), [4, 4, 2]);
        assert_eq!(radices(240).unwrap(), [4, 4, 3, 5]);
        assert_eq!(radices(5).unwrap(), [5]);
        for none in [0, 1, 7, 14, 22] {
            assert_eq!(radices(none), None);
        }
    }

    #[test]
    fn roots_turn_clockwise() {
        assert_eq!(
            roots::<i16>(4, false),
            [[32767, 0], [0, -32767], [-32767, 0], [0, 32767]]
        );
        assert_eq!(real_roots::<i16>(2, false), [[-32767, 0]]);
    }

    #[test]
    fn the_corrections_of_logarithms_rise_and_fall() {
        let table = log_corrections();
        assert_eq!(table.len(), 130);
        assert_eq!(table[..4], [0, 224, 442, 654]);
        assert_eq!(table.iter().max(), Some(&5641));
        assert_eq!(table[125..], [421, 282, 142, 0, 0]);
    }
}
