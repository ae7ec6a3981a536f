//! Triangular filters evenly spaced in mel, over the energies of a spectrum.

use alloc::{boxed::Box, vec::Vec};

use rune_block_sdk::Refusal;

use crate::Tables;

/// A bank whose triangles overlap by half: every element of the spectrum falls on the rising edge of one
/// channel and on the falling edge of the channel before.
#[derive(Debug)]
pub(crate) struct Filterbank {
    /// The first element that counts.
    start: usize,
    /// For each edge, how many elements fall on it; one more than there are channels.
    widths: Box<[u16]>,
    /// For each element what the rising and the falling edge make of it, with 12 bits.
    weights: Box<[[i16; 2]]>,
}

/// Where the channels lie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Band {
    /// Samples per second.
    pub(crate) hz: i64,
    pub(crate) low: f32,
    pub(crate) high: f32,
    pub(crate) channels: usize,
}

impl Filterbank {
    /// Fractional bits of a weight.
    pub(crate) const BITS: u32 = 12;

    /// A bank for spectra of so many samples. Where the original has an f32, so has this, since weights
    /// depend on it.
    pub(crate) fn new(band: Band, samples: usize, tables: Tables) -> Result<Self, Refusal> {
        if band.low >= band.high {
            return Err("`--low-hz` is not below `--high-hz`".into());
        }
        let mel = |hz: f32| {
            let log = match tables {
                Tables::Double => libm::log1p(f64::from(hz) / 700.0),
                // That of most C libraries too, with the same errors in the last bit.
                Tables::Single => f64::from(libm::log1pf(hz / 700.0)),
            };
            (1127.0 * log) as f32
        };
        let step = (band.hz as f64 / samples as f64) as f32;
        let start = tables.round(1.5 + f64::from(band.low / step)) as usize;
        let (low, high) = (mel(band.low), mel(band.high));
        let spacing = (high - low) / (band.channels + 1) as f32;
        let center = |edge: usize| low + spacing * (edge + 1) as f32;
        let place = |element: usize| mel(element as f32 * step);
        let mut end = start;
        let mut widths = Vec::with_capacity(band.channels + 1);
        for edge in 0..=band.channels {
            let begin = end;
            while end <= samples / 2 && place(end) <= center(edge) {
                end += 1;
            }
            widths.push((end - begin) as u16);
        }
        if end > samples / 2 {
            return Err("the filters end above half of `--hz`; lower `--high-hz`".into());
        }
        let mut weights = Vec::with_capacity(end - start);
        let mut before = low;
        for (edge, width) in widths.iter().enumerate() {
            let center = center(edge);
            for element in start + weights.len()..start + weights.len() + usize::from(*width) {
                let rising = (center - place(element)) / (center - before);
                let falling = tables.round(1.0 - f64::from(rising));
                weights.push([tables.bits(f64::from(rising)), tables.bits(falling)]);
            }
            before = center;
        }
        Ok(Self {
            start,
            widths: widths.into_boxed_slice(),
            weights: weights.into_boxed_slice(),
        })
    }

    /// The energy of each channel, in order.
    pub(crate) fn energies<'a>(&'a self, spectrum: &'a [i16]) -> impl Iterator<Item = u64> + 'a {
        let mut elements = spectrum[2 * self.start..]
            .chunks_exact(2)
            .zip(&self.weights);
        let mut falling = 0;
        let mut edges = self.widths.iter().map(move |width| {
            let mut sums = [falling, 0_u64];
            for (number, weights) in elements.by_ref().take(usize::from(*width)) {
                let [re, im] = [i32::from(number[0]), i32::from(number[1])];
                // 32768 squared twice is negative here, as it is in the original.
                let energy = (re * re).wrapping_add(im * im) as i64 as u64;
                for (sum, weight) in sums.iter_mut().zip(weights) {
                    *sum = sum.wrapping_add(energy.wrapping_mul(*weight as u64));
                }
            }
            falling = sums[1];
            sums[0]
        });
        // Below the first channel there is only its edge.
        edges.next();
        edges
    }
}

/// The square root, rounded, except that a root of 16 ones stays what it is: below 2^32 the original
/// works in 32 bits.
pub(crate) fn root(square: u64) -> u32 {
    match u32::try_from(square) {
        Ok(square) => root_32(square),
        Err(_) => root_64(square),
    }
}

/// Digit by digit.
macro_rules! root {
    ($name:ident, $number:ty) => {
        fn $name(square: $number) -> u32 {
            let (mut rest, mut root) = (square, 0);
            let top = (<$number>::BITS - 1).saturating_sub(square.leading_zeros()) & !1;
            let mut bit: $number = 1 << top;
            while bit != 0 {
                if rest >= root + bit {
                    rest -= root + bit;
                    root = (root >> 1) + bit;
                } else {
                    root >>= 1;
                }
                bit >>= 2;
            }
            let most = <$number>::MAX >> (<$number>::BITS / 2);
            (root + <$number>::from(rest > root && root != most)) as u32
        }
    };
}
root!(root_32, u32);
root!(root_64, u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_rounded() {
        for (square, want) in [
            (0, 0),
            (1, 1),
            (2, 1),
            (3, 2),
            (6, 2),
            (7, 3),
            (12, 3),
            (13, 4),
        ] {
            assert_eq!(root(square), want, "{square}");
        }
        let top = u64::from(u32::MAX);
        for n in [1, 2, 1000, 65_534, 65_535, 65_537, 1 << 20, top - 1] {
            assert_eq!(root(n * n), n as u32);
            assert_eq!(root(n * n - n + 1), n as u32);
            assert_eq!(root(n * n - n), n as u32 - 1);
        }
        assert_eq!(root(top), 65_535);
        assert_eq!(root(u64::MAX), u32::MAX);
    }

    #[test]
    fn the_edges_of_a_channel_sum_to_one() {
        let band = Band {
            hz: 16_000,
            low: 125.0,
            high: 7500.0,
            channels: 40,
        };
        let bank = Filterbank::new(band, 512, Tables::Double).unwrap();
        assert_eq!(bank.widths.len(), 41);
        assert_eq!(
            bank.widths.iter().map(|w| usize::from(*w)).sum::<usize>(),
            bank.weights.len()
        );
        for [rising, falling] in &bank.weights {
            assert!((4096..=4097).contains(&(rising + falling)));
        }
    }
}
