//! RAND: numbers from a seed, the same on every machine.

use core::fmt;

use rune_abi::ElementType;

/// `SplitMix64` (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014).
#[derive(Clone, Debug)]
struct SplitMix64(u64);

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Random numbers for a capability.
#[derive(Clone, Debug)]
pub struct Rand {
    random: SplitMix64,
    element: ElementType,
    /// Floats lie in `[min, max)`.
    min: f64,
    max: f64,
}

/// Why there are no such random numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RandError {
    /// They are strings.
    Texts,
    /// The first is not below the second.
    Range(f64, f64),
}

impl fmt::Display for RandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Texts => f.write_str("is not of numbers"),
            Self::Range(min, max) => write!(f, "its min {min} is not below its max {max}"),
        }
    }
}

impl Rand {
    /// A generator for the capability at `index` of the manifest, with floats in `[min, max)`: capabilities of one
    /// seed have streams of their own, the first of them that of the seed itself.
    pub fn new(
        element: ElementType,
        (min, max): (f64, f64),
        index: usize,
        seed: u64,
    ) -> Result<Self, RandError> {
        if element == ElementType::Utf8 {
            return Err(RandError::Texts);
        }
        let is_range = if element == ElementType::F32 {
            (min as f32) < max as f32
        } else {
            min < max
        };
        if !is_range {
            return Err(RandError::Range(min, max));
        }
        let stream = SplitMix64(index as u64)
            .next()
            .wrapping_mul(u64::from(index > 0));
        Ok(Self {
            random: SplitMix64(seed ^ stream),
            element,
            min,
            max,
        })
    }

    /// Fills memory with whole elements.
    pub fn fill(&mut self, out: &mut [u8]) {
        if self.element == ElementType::F32 {
            let below = (self.max as f32).next_down();
            for out in out.as_chunks_mut::<4>().0 {
                *out = (self.float() as f32).min(below).to_le_bytes();
            }
            return;
        }
        for out in out.chunks_exact_mut(self.element.size() as usize) {
            let bits = if self.element.is_integer() {
                self.random.next()
            } else {
                self.float().min(self.max.next_down()).to_bits()
            };
            out.copy_from_slice(&bits.to_le_bytes()[..out.len()]);
        }
    }

    /// One in `[min, max]`: rounding may reach the end.
    fn float(&mut self) -> f64 {
        /// What the upper half of 64 bits counts for in `[0, 1)`, and the lower.
        const UNITS: [f64; 2] = [1.0 / (1u64 << 32) as f64, 1.0 / (1u128 << 64) as f64];
        // 53 bits are all an f64 below one can hold. By halves it is exact too, and no processor needs a function for it.
        let bits = self.random.next() >> 11 << 11;
        let (high, low) = ((bits >> 32) as u32, bits as u32);
        let unit = f64::from(high) * UNITS[0] + f64::from(low) * UNITS[1];
        self.min + unit * (self.max - self.min)
    }
}

#[cfg(test)]
mod tests {
    use super::SplitMix64;

    #[test]
    fn the_generator_is_splitmix64() {
        // The first outputs for seed 1234567, as other implementations give them.
        let mut random = SplitMix64(1_234_567);
        let first = [(); 3].map(|()| random.next());
        assert_eq!(
            first,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }
}
