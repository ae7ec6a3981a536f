//! How often a sensor gives a frame.

use core::fmt;

/// Frames per second, as a fraction: sensors run at 12.5 Hz too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Frames in so many seconds ...
    pub numerator: u32,
    /// ... as this says.
    pub denominator: u32,
}

impl Rate {
    /// A whole number of frames per second.
    pub const fn hz(hz: u32) -> Self {
        Self {
            numerator: hz,
            denominator: 1,
        }
    }

    /// Whether it is a rate at all.
    pub(crate) const fn is_valid(self) -> bool {
        self.numerator > 0 && self.denominator > 0
    }

    /// Nanoseconds from the first frame to one that lies `frames / parts` frames after it.
    pub(crate) fn nanoseconds(self, frames: i128, parts: u32) -> i128 {
        let numerator = frames * i128::from(self.denominator) * 1_000_000_000;
        numerator.div_euclid(i128::from(self.numerator) * i128::from(parts))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.denominator == 1 {
            write!(f, "{} Hz", self.numerator)
        } else {
            write!(f, "{}/{} Hz", self.numerator, self.denominator)
        }
    }
}

/// So many frames come out for so many that go in, in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ratio {
    pub(crate) up: u64,
    pub(crate) down: u64,
}

impl Ratio {
    /// From one valid rate to another.
    pub(crate) fn new(from: Rate, to: Rate) -> Self {
        let up = u64::from(to.numerator) * u64::from(from.denominator);
        let down = u64::from(from.numerator) * u64::from(to.denominator);
        let (mut a, mut b) = (up, down);
        while b > 0 {
            (a, b) = (b, a % b);
        }
        Self {
            up: up / a,
            down: down / a,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_in_lowest_terms() {
        let ratio = |from, to| {
            let Ratio { up, down } = Ratio::new(from, to);
            (up, down)
        };
        assert_eq!(ratio(Rate::hz(44_100), Rate::hz(16_000)), (160, 441));
        assert_eq!(ratio(Rate::hz(48_000), Rate::hz(16_000)), (1, 3));
        assert_eq!(ratio(Rate::hz(16_000), Rate::hz(16_000)), (1, 1));
        let slow = Rate {
            numerator: 125,
            denominator: 10,
        };
        assert_eq!(ratio(slow, Rate::hz(5)), (2, 5));
        let most = Rate::hz(u32::MAX);
        let least = Rate {
            numerator: 1,
            denominator: u32::MAX,
        };
        assert_eq!(ratio(most, least), (1, u64::from(u32::MAX).pow(2)));
    }

    #[test]
    fn times_are_floored_also_before_the_first_frame() {
        assert_eq!(Rate::hz(3).nanoseconds(1, 1), 333_333_333);
        assert_eq!(Rate::hz(3).nanoseconds(-1, 1), -333_333_334);
        assert_eq!(Rate::hz(1).nanoseconds(3, 2), 1_500_000_000);
    }
}
