//! The gain of per-channel amplitude normalisation (Wang et al., arXiv:1607.05666) as TensorFlow's
//! micro-frontend approximates it in integers.

/// Bits of a reciprocal noise level that stay when the gain is applied.
pub(crate) const SNR_BITS: u32 = 12;

/// The largest gain.
const LARGEST: f32 = 32767.0;

/// A table of `2^gain_bits (noise / 2^input_bits + offset) ^ -strength`.
#[derive(Debug)]
pub(crate) struct Gain {
    /// At 0 and 1.
    first: [i32; 2],
    /// For each number of bits from 2 on: a parabola over the numbers that have so many.
    parabolas: [[i32; 3]; 31],
}

impl Gain {
    /// With a strength from 0 to 1 and an offset from 0 on, no interpolation overflows.
    pub(crate) fn new(strength: f32, offset: f32, gain_bits: u32, input_bits: u32) -> Self {
        let gain = |noise: u32| {
            let level = noise as f32 / (1_u32 << input_bits) as f32 + offset;
            let gain = (1_u32 << gain_bits) as f32 * libm::powf(level, -strength);
            if gain < LARGEST {
                (gain + 0.5) as i32
            } else {
                LARGEST as i32
            }
        };
        let parabola = |bits: u32| {
            let first = 1_u32 << (bits - 1);
            let middle = first + first / 2;
            let last = first.saturating_mul(2);
            let y = gain(first);
            let (to_middle, to_last) = (gain(middle) - y, gain(last) - y);
            let slope = 4 * to_middle - to_last;
            [y, slope, to_last - slope]
        };
        Self {
            first: [gain(0), gain(1)],
            parabolas: core::array::from_fn(|index| parabola(index as u32 + 2)),
        }
    }

    /// The gain at a level of noise.
    #[inline]
    pub(crate) fn at(&self, noise: u32) -> u32 {
        let bits = 32 - noise.leading_zeros();
        let gain = match bits.checked_sub(2) {
            None => self.first[noise as usize & 1],
            Some(index) => {
                let [y, slope, bend] = self.parabolas[index as usize % 31];
                // Where between the ends, in 1024ths.
                let part = ((u64::from(noise) << 11) >> bits) as i32 & 0x3ff;
                let rise = ((bend * part) >> 5) + (slope << 5);
                ((rise * part + (1 << 14)) >> 15) + y
            }
        };
        gain as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What TensorFlow's own tests have.
    #[test]
    fn default_gains_are_those_of_tensorflow() {
        let gain = Gain::new(0.95, 80.0, 21, 11);
        assert_eq!(gain.at(6_321_887), 990);
        assert_eq!(gain.at(31_248_341), 219);
        assert_eq!(gain.first, [32_636, 32_636]);
        let starts: Vec<i32> = gain.parabolas.iter().map(|parabola| parabola[0]).collect();
        assert_eq!(
            starts,
            [
                32_635, 32_635, 32_634, 32_633, 32_630, 32_624, 32_612, 32_587, 32_539, 32_443,
                32_253, 31_879, 31_158, 29_811, 27_446, 23_707, 18_672, 13_166, 8348, 4874, 2697,
                1446, 762, 398, 207, 107, 56, 29, 15, 8, 4
            ]
        );
        assert_eq!(gain.parabolas[2], [32_634, 1, -2]);
        assert_eq!(gain.parabolas[17], [13_166, -7030, 2212]);
        assert_eq!(gain.parabolas[30], [4, -2, 0]);
    }

    #[test]
    fn gains_fall_from_parabola_to_parabola() {
        for (strength, offset) in [(0.0, 0.0), (0.5, 1.0), (0.95, 80.0), (1.0, 0.0), (1.0, 1e9)] {
            for gain_bits in [11, 21, 31] {
                for input_bits in [1, 11, 31] {
                    let gain = Gain::new(strength, offset, gain_bits, input_bits);
                    let mut before = u32::MAX;
                    for bits in 0..32 {
                        let here = gain.at(1 << bits);
                        assert!(
                            here <= before && here <= 32_767,
                            "{strength} {offset} {bits}"
                        );
                        before = here;
                        for noise in [(1_u32 << bits) + (1 << bits >> 1), (1_u32 << bits) - 1] {
                            // A parabola bends below its ends where the gain was cut off.
                            assert!(gain.at(noise) <= 34_000, "{strength} {offset} {noise}");
                        }
                    }
                }
            }
        }
    }
}
