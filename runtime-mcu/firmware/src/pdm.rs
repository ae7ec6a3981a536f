//! Sound from the bits of a PDM microphone.
//!
//! Its bits come 64 times as fast as samples. A comb filter of the fifth order, one more than the modulators of such
//! microphones have, divides that by 16 without multiplying; a filter of 128 taps divides by the last 4 and cuts off
//! what would fold; and what is constant is taken out, since every microphone has some.

mod taps;

use taps::TAPS;

/// Bits for each sample.
const BITS: u32 = 64;
/// Of which the comb filter divides by this.
const COMB: u32 = 16;
/// And the other filter by this.
const REST: u32 = BITS / COMB;
const ORDER: usize = 5;
/// The comb filter gives 2 to the power of this for all ones.
const COMB_BITS: u32 = COMB.ilog2() * ORDER as u32;
/// The sum of the taps is 2 to the power of this.
const TAP_BITS: u32 = 15;
/// How slowly the constant part is followed: a 10 Hz high pass at 16 kHz.
const CONSTANT_BITS: u32 = 8;

/// In which order bits lie in a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitOrder {
    /// The highest came first.
    HighFirst,
    /// The lowest came first.
    LowFirst,
}

/// Makes samples of bits. Levels are within 1 dB up to 0.44 of the rate of samples, and what would fold there from
/// above is 60 dB lower.
#[derive(Clone, Debug)]
pub struct Decimator {
    order: BitOrder,
    gain: u32,
    /// Sums, then their differences. They wrap, which cancels out.
    sums: [i32; ORDER],
    combs: [i32; ORDER],
    bits: u32,
    /// The last values of the comb filter, and where the oldest is.
    values: [i32; TAPS.len()],
    at: usize,
    fresh: u32,
    /// The constant part, times 2 to the power of [`CONSTANT_BITS`].
    constant: i64,
}

impl Decimator {
    /// For bits in this order. Samples are made louder by 2 to the power of `gain`, at most 15; what is too loud is
    /// clipped.
    pub const fn new(order: BitOrder, gain: u32) -> Self {
        Self {
            order,
            gain: if gain > 15 { 15 } else { gain },
            sums: [0; ORDER],
            combs: [0; ORDER],
            bits: 0,
            values: [0; TAPS.len()],
            at: 0,
            fresh: 0,
            constant: 0,
        }
    }

    /// Takes eight bits, and gives a sample with every eighth call.
    pub fn push(&mut self, byte: u8) -> Option<i16> {
        let bits = match self.order {
            BitOrder::HighFirst => byte.reverse_bits(),
            BitOrder::LowFirst => byte,
        };
        for i in 0..8 {
            let mut value = i32::from(bits >> i & 1) * 2 - 1;
            for sum in &mut self.sums {
                *sum = sum.wrapping_add(value);
                value = *sum;
            }
        }
        self.bits += 8;
        if self.bits < COMB {
            return None;
        }
        self.bits = 0;
        let mut value = self.sums[ORDER - 1];
        for comb in &mut self.combs {
            let before = core::mem::replace(comb, value);
            value = value.wrapping_sub(before);
        }
        self.values[self.at] = value;
        self.at = (self.at + 1) % TAPS.len();
        self.fresh += 1;
        if self.fresh < REST {
            return None;
        }
        self.fresh = 0;
        Some(self.sample())
    }

    fn sample(&mut self) -> i16 {
        let (later, earlier) = self.values.split_at(self.at);
        let values = earlier.iter().chain(later);
        let products = values
            .zip(TAPS)
            .map(|(value, tap)| i64::from(*value) * i64::from(tap));
        let sum: i64 = products.sum();
        // Full scale is now 2 to the power of 23.
        let value = sum >> (COMB_BITS + TAP_BITS - 23);
        let constant = self.constant >> CONSTANT_BITS;
        self.constant += value - constant;
        let loud = (value - constant) << self.gain >> (23 - 15);
        loud.clamp(i16::MIN.into(), i16::MAX.into()) as i16
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;
    use core::f64::consts::PI;

    use super::{BitOrder, COMB, Decimator, ORDER, REST, TAPS};

    /// Samples per second of the tests.
    const HZ: f64 = 16_000.0;

    /// A microphone: a modulator of the second order, whose bits have the mean of the signal.
    fn microphone(seconds: f64, signal: impl Fn(f64) -> f64) -> Vec<u8> {
        let rate = HZ * 64.0;
        let (mut first, mut second) = (0.0, 0.0);
        let mut at = 0.0;
        let bytes = (seconds * rate / 8.0) as usize;
        (0..bytes)
            .map(|_| {
                (0..8).fold(0, |byte, _| {
                    let bit = if second >= 0.0 { 1.0 } else { -1.0 };
                    first += signal(at / rate) - bit;
                    second += first - 2.0 * bit;
                    at += 1.0;
                    byte << 1 | u8::from(bit > 0.0)
                })
            })
            .collect()
    }

    fn sound(bytes: &[u8], gain: u32) -> Vec<f64> {
        let mut decimator = Decimator::new(BitOrder::HighFirst, gain);
        let samples = bytes.iter().filter_map(|byte| decimator.push(*byte));
        samples.map(f64::from).collect()
    }

    /// Level of a tone in samples, and of all that is beside it.
    fn levels(samples: &[f64], hz: f64) -> (f64, f64) {
        let n = samples.len() as f64;
        let part = |phase: f64| {
            let waves = samples.iter().enumerate();
            let sum: f64 = waves
                .map(|(i, s)| s * (2.0 * PI * hz * i as f64 / HZ + phase).sin())
                .sum();
            sum * 2.0 / n
        };
        let (sine, cosine) = (part(0.0), part(PI / 2.0));
        let power: f64 = samples.iter().map(|s| s * s).sum::<f64>() / n;
        let tone = sine.hypot(cosine);
        (tone, (2.0 * (power - tone * tone / 2.0).max(0.0)).sqrt())
    }

    fn decibels(ratio: f64) -> f64 {
        20.0 * ratio.log10()
    }

    #[test]
    fn the_taps_are_the_sinc_they_say() {
        fn bessel(x: f64) -> f64 {
            let (mut sum, mut term) = (1.0, 1.0);
            for k in 1..60 {
                term *= (x / (2.0 * f64::from(k))).powi(2);
                sum += term;
            }
            sum
        }
        let beta = 0.1102 * (63.0 - 8.7);
        let ideal: Vec<f64> = (0..TAPS.len())
            .map(|n| {
                let x = n as f64 - 63.5;
                let sinc = (PI * x / 4.0).sin() / (PI * x);
                sinc * bessel(beta * (1.0 - (x / 63.5).powi(2)).sqrt()) / bessel(beta)
            })
            .collect();
        let all: f64 = ideal.iter().sum();
        for (tap, ideal) in TAPS.iter().zip(&ideal) {
            // One more in the middle, for a sum that is a power of two.
            assert!((f64::from(*tap) - ideal / all * 32_768.0).abs() < 1.6);
        }
        assert_eq!(TAPS.iter().map(|t| i32::from(*t)).sum::<i32>(), 32_768);
    }

    #[test]
    fn tones_come_through_and_what_would_fold_does_not() {
        for (hz, least, most) in [
            (100.0, -0.2, 0.1),
            (1_000.0, -0.2, 0.1),
            (4_000.0, -0.5, 0.1),
            (7_000.0, -1.0, 0.1),
        ] {
            let bits = microphone(0.5, |t| 0.5 * (2.0 * PI * hz * t).sin());
            let samples = sound(&bits, 0);
            let (tone, rest) = levels(&samples[3_200..7_200], hz);
            let level = decibels(tone / 16_384.0);
            assert!(least < level && level < most, "{hz} Hz at {level} dB");
            let noise = decibels(rest / tone);
            assert!(noise < -55.0, "{hz} Hz with {noise} dB of noise");
        }
        for hz in [9_000.0, 15_000.0, 63_000.0] {
            let bits = microphone(0.5, |t| 0.5 * (2.0 * PI * hz * t).sin());
            let samples = sound(&bits, 0);
            let folded = (hz / HZ - (hz / HZ).round()).abs() * HZ;
            let (tone, _) = levels(&samples[3_200..7_200], folded);
            let level = decibels(tone / 16_384.0);
            assert!(level < -60.0, "{hz} Hz folds with {level} dB");
        }
    }

    #[test]
    fn what_is_constant_goes_and_what_is_loud_is_clipped() {
        let bits = microphone(1.0, |_| 0.3);
        let samples = sound(&bits, 0);
        assert!(samples[20] > 5_000.0);
        let late = samples[12_000..]
            .iter()
            .fold(0.0, |m: f64, s| m.max(s.abs()));
        assert!(late < 20.0, "{late}");
        let bits = microphone(0.1, |t| 0.5 * (2.0 * PI * 500.0 * t).sin());
        let samples = sound(&bits, 4);
        let (least, most) = samples[100..]
            .iter()
            .fold((0.0, 0.0), |(l, m): (f64, f64), s| (l.min(*s), m.max(*s)));
        assert_eq!((least, most), (-32_768.0, 32_767.0));
        // All ones, all zeros, and noise at the highest gain overflow nothing.
        for byte in [0xFF, 0, 0x5A] {
            let mut decimator = Decimator::new(BitOrder::LowFirst, 99);
            let count = (0..80_000).filter_map(|_| decimator.push(byte)).count();
            assert_eq!(count, 10_000);
        }
    }

    #[test]
    fn the_order_of_bits_is_that_of_time() {
        let bits = microphone(0.05, |t| 0.5 * (2.0 * PI * 440.0 * t).sin());
        let mut other = Decimator::new(BitOrder::LowFirst, 0);
        let reversed = bits.iter().map(|b| b.reverse_bits());
        let samples: Vec<f64> = reversed
            .filter_map(|b| other.push(b))
            .map(f64::from)
            .collect();
        assert_eq!(samples, sound(&bits, 0));
        assert_eq!(samples.len(), 800);
    }

    /// The integers, bit for bit, are those of the sums written out.
    #[test]
    fn the_comb_filter_is_five_means_one_after_the_other() {
        let mut kernel = alloc::vec![1_i64];
        for _ in 0..ORDER {
            let mut wider = alloc::vec![0; kernel.len() + COMB as usize - 1];
            for (i, k) in kernel.iter().enumerate() {
                wider[i..i + COMB as usize].iter_mut().for_each(|w| *w += k);
            }
            kernel = wider;
        }
        let bits = microphone(0.01, |t| 0.7 * (2.0 * PI * 900.0 * t).sin());
        let stream: Vec<i64> = bits
            .iter()
            .flat_map(|byte| (0..8).rev().map(move |i| i64::from(byte >> i & 1) * 2 - 1))
            .collect();
        let mut decimator = Decimator::new(BitOrder::HighFirst, 0);
        for pair in bits.chunks_exact(2 * REST as usize) {
            for byte in pair {
                decimator.push(*byte);
            }
        }
        let newest = (decimator.at + TAPS.len() - 1) % TAPS.len();
        let whole = bits.len() / 8 * 64;
        let expected: i64 = stream[..whole]
            .iter()
            .rev()
            .zip(&kernel)
            .map(|(bit, k)| bit * k)
            .sum();
        assert_eq!(i64::from(decimator.values[newest]), expected);
    }
}
