//! The low-pass filter of a rate conversion: a sinc under a Kaiser window, in polyphase form.
//!
//! The design is that of J. F. Kaiser, "Nonrecursive digital filter design using the I0-sinh window
//! function" (1974): from the attenuation A in dB, beta = 0.1102 (A - 8.7), and from the width d of the
//! transition in cycles per sample, (A - 7.95) / (14.36 d) taps. Polyphase form as in R. E. Crochiere and
//! L. R. Rabiner, "Multirate Digital Signal Processing" (1983), 2.3.

use core::f64::consts::PI;

use crate::rate::Ratio;

/// Numbers the table of one filter may have: 256 KiB.
const COEFFICIENTS: u64 = 1 << 16;

/// What a rate conversion keeps and what it takes away. With N half of the rate that comes out:
///
/// | frequencies | gain |
/// |---|---|
/// | 0 to `pass` N | 1, within `ripple_db` |
/// | to (2 - `pass`) N | falls, 0.5 at N |
/// | above | below -`attenuation_db` |
///
/// What lies between N and (2 - `pass`) N folds to above `pass` N; so up to there nothing is heard or felt
/// that was not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Response {
    /// End of the pass band, as a part of N.
    pub pass: f64,
    /// By how much the stop band is below the pass band, in decibels.
    pub attenuation_db: f64,
    /// How far the gain of the pass band may be from 1, in decibels.
    pub ripple_db: f64,
}

impl Response {
    /// Of sound: at 16 kHz flat to 7.2 kHz, with 1.7 ms of delay.
    pub const SOUND: Self = Self {
        pass: 0.9,
        attenuation_db: 80.0,
        ripple_db: 0.002,
    };
    /// Of readings: at 25 Hz flat to 7.5 Hz. Shorter than that of sound, for at these rates delay is felt:
    /// at 25 Hz it is from 0.19 s to a third of a second.
    pub const MOTION: Self = Self {
        pass: 0.6,
        attenuation_db: 60.0,
        ripple_db: 0.02,
    };
}

/// Kaiser's formula is an approximation: the design aims this much lower than what is promised.
const MARGIN_DB: f64 = 2.0;

/// Partial sums of a convolution; a filter has a multiple of as many taps.
pub(crate) const SUMS: usize = 8;

/// A filter of a ratio `up`:`down`, of which there is a row of coefficients for each place that an output
/// may have between two inputs. The rows of a place and of its mirror image are the same, backwards, so only
/// those of the first half are stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Filter {
    pub(crate) up: u32,
    pub(crate) down: u32,
    /// Inputs on each side of an output.
    pub(crate) half: u32,
    beta: f64,
}

impl Filter {
    /// The filter of a ratio of at most 1; `None` if it is too large.
    pub(crate) fn new(ratio: Ratio, response: Response) -> Option<Self> {
        let up = u32::try_from(ratio.up).ok()?;
        let down = u32::try_from(ratio.down).ok()?;
        let attenuation = response.attenuation_db + MARGIN_DB;
        let transition = (1.0 - response.pass) * f64::from(up) / f64::from(down);
        let half = libm::ceil((attenuation - 7.95) / (14.36 * transition) / 2.0);
        if half > COEFFICIENTS as f64 {
            return None;
        }
        let filter = Self {
            up,
            down,
            half: (half as u32).next_multiple_of(SUMS as u32 / 2),
            beta: 0.1102 * (attenuation - 8.7),
        };
        let coefficients = u64::from(filter.rows()) * filter.taps() as u64;
        (coefficients <= COEFFICIENTS).then_some(filter)
    }

    /// Coefficients of a row.
    pub(crate) fn taps(&self) -> usize {
        2 * self.half as usize
    }

    fn rows(&self) -> u32 {
        self.up / 2 + 1
    }

    /// Numbers of the whole table.
    pub(crate) fn coefficients(&self) -> usize {
        self.rows() as usize * self.taps()
    }

    /// Writes the table; takes about 40 ns per coefficient on a desktop processor.
    pub(crate) fn design(&self, table: &mut [f32]) {
        for (phase, row) in (0..self.rows()).zip(table.chunks_exact_mut(self.taps())) {
            // Each row is brought to a sum of 1, so that what is constant passes without ripple.
            let sum: f64 = (0..self.taps()).map(|i| self.impulse(phase, i)).sum();
            for (i, coefficient) in row.iter_mut().enumerate() {
                *coefficient = (self.impulse(phase, i) / sum) as f32;
            }
        }
    }

    /// The impulse response at tap `i` of an output that lies `phase / up` after an input, but for a factor.
    fn impulse(&self, phase: u32, i: usize) -> f64 {
        let half = f64::from(self.half);
        let t = f64::from(phase) / f64::from(self.up) + half - 1.0 - i as f64;
        let x = PI * t * f64::from(self.up) / f64::from(self.down);
        let sinc = if x == 0.0 { 1.0 } else { libm::sin(x) / x };
        let inside = 1.0 - (t / half) * (t / half);
        if inside <= 0.0 {
            return 0.0;
        }
        sinc * bessel_i0(self.beta * libm::sqrt(inside))
    }

    /// The row of a phase and whether it is read backwards.
    pub(crate) fn row<'a>(&self, table: &'a [f32], phase: u32) -> (&'a [f32], bool) {
        let mirrored = phase >= self.rows();
        let stored = if mirrored { self.up - phase } else { phase };
        let start = stored as usize * self.taps();
        (&table[start..start + self.taps()], mirrored)
    }
}

/// The modified Bessel function of the first kind and order 0, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let (mut term, mut sum, mut k) = (1.0, 1.0, 1.0);
    while term > sum * f64::EPSILON {
        term *= (x / (2.0 * k)) * (x / (2.0 * k));
        sum += term;
        k += 1.0;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bessel_function_by_known_values() {
        // Abramowitz and Stegun, table 9.8.
        for (x, value) in [
            (0.0, 1.0),
            (1.0, 1.266_065_877_752_008),
            (5.0, 27.239_871_823_604_44),
        ] {
            assert!((bessel_i0(x) - value).abs() < 1e-14 * value, "{x}");
        }
    }

    #[test]
    fn filters_that_are_too_large_are_none() {
        let sound = |up, down| Filter::new(Ratio { up, down }, Response::SOUND);
        assert_eq!(sound(160, 441).map(|f| f.coefficients()), Some(81 * 144));
        assert_eq!(sound(1, 3).map(|f| f.coefficients()), Some(160));
        assert_eq!(sound(5333, 16_000), None);
        assert_eq!(sound(1, u64::from(u32::MAX)), None);
        assert_eq!(sound(1, 1 << 40), None);
    }
}
