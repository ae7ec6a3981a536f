//! The arithmetic between a window of samples and the logarithms of its bands: windowing, scaling, energies,
//! sums of energies by band, square roots, noise reduction and gain control, all of them of integers.

use super::{SpectralSubtraction, tables};

/// `SignalWindow`: samples times the weights, which are repeated, by 2^shift, within 16 bits.
pub(super) fn window(samples: &[i16], weights: &[i16], shift: u32) -> Vec<i16> {
    let weighted = |(x, w): (&i16, &i16)| clamped((i32::from(*x) * i32::from(*w)) >> shift);
    let weights = weights.iter().cycle();
    samples.iter().zip(weights).map(weighted).collect()
}

/// `x` within 16 bits.
pub(super) fn clamped(x: i32) -> i16 {
    x.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

/// The place of the highest bit that is set, from 1; 32 where none is.
fn highest_bit(x: u32) -> u32 {
    if x == 0 { 32 } else { 32 - x.leading_zeros() }
}

/// `SignalFftAutoScale`: samples times the greatest power of two that all of them have room for, and that
/// power.
///
/// The greatest magnitude is one of 16 bits, so that of -32768 is -32768, and any sample after it but for
/// another counts as greater.
pub(super) fn fft_auto_scale(samples: &[i16]) -> (Vec<i16>, i32) {
    let greatest = samples.iter().fold(0i16, |greatest, x| {
        if *x > greatest {
            *x
        } else if -i32::from(*x) > i32::from(greatest) {
            x.wrapping_neg()
        } else {
            greatest
        }
    });
    let bits = 15u32.saturating_sub(highest_bit(i32::from(greatest).cast_unsigned()));
    let scaled = samples.iter().map(|x| x.wrapping_mul(1 << bits)).collect();
    (scaled, bits as i32)
}

/// `SignalEnergy`: of `bins` complex bins, the squares of those from `start` to `end`, and zero for others.
pub(super) fn energy(parts: &[i16], bins: usize, (start, end): (u32, u32)) -> Vec<u32> {
    let square = |x: i16| i32::from(x) * i32::from(x);
    let energy = |bin: usize| square(parts[2 * bin]).wrapping_add(square(parts[2 * bin + 1]));
    (0..bins)
        .map(|bin| {
            let inside = (start as usize..end as usize).contains(&bin);
            if inside {
                energy(bin).cast_unsigned()
            } else {
                0
            }
        })
        .collect()
}

/// The tables of a filter bank. Of each channel, and of one before the first: the first energy, the first
/// weight, and the number of both.
pub(super) struct Bank {
    pub(super) energy_starts: Vec<i16>,
    pub(super) weight_starts: Vec<i16>,
    pub(super) widths: Vec<i16>,
}

impl Bank {
    /// Checks that every channel's energies and weights are among so many.
    pub(super) fn check(
        &self,
        channels: usize,
        energies: usize,
        weights: usize,
    ) -> Result<(), String> {
        for (name, table) in [
            ("starts of energies", &self.energy_starts),
            ("starts of weights", &self.weight_starts),
            ("widths", &self.widths),
        ] {
            if table.len() < channels + 1 {
                return Err(format!(
                    "it has {} {name} for {channels} channels",
                    table.len()
                ));
            }
        }
        for channel in 0..=channels {
            let width = i32::from(self.widths[channel]).max(0);
            for (start, most, what) in [
                (self.energy_starts[channel], energies, "energies"),
                (self.weight_starts[channel], weights, "weights"),
            ] {
                let end = i32::from(start) + width;
                let inside = start >= 0 && end as usize <= most;
                if width > 0 && !inside {
                    return Err(format!(
                        "its channel {channel} has the {what} from {start} to {end} of {most}"
                    ));
                }
            }
        }
        Ok(())
    }
}

/// `SignalFilterBank`: for each channel the weighted sum of its energies and the sum, by the other weights, of
/// those of the channel before it, modulo 2^64.
pub(super) fn filter_bank(
    bank: &Bank,
    energies: &[u32],
    [weights, unweights]: [&[i16]; 2],
    channels: usize,
) -> Vec<u64> {
    let sum = |channel: usize, weights: &[i16]| {
        (0..bank.widths[channel].max(0) as usize).fold(0u64, |sum, tap| {
            let energy = u64::from(energies[bank.energy_starts[channel] as usize + tap]);
            let weight = i64::from(weights[bank.weight_starts[channel] as usize + tap]);
            sum.wrapping_add(energy.wrapping_mul(weight.cast_unsigned()))
        })
    };
    (1..=channels)
        .map(|channel| sum(channel - 1, unweights).wrapping_add(sum(channel, weights)))
        .collect()
}

/// `SignalFilterBankSquareRoot`: the root to nearest, where that has half as many bits, over 2^bits.
pub(super) fn square_root(x: u64, bits: i32) -> u32 {
    let root = x.isqrt();
    let most = if x <= u32::MAX.into() {
        0xFFFF
    } else {
        0xFFFF_FFFF
    };
    let up = x - root * root > root && root != most;
    ((root + u64::from(up)) as u32).wrapping_shr(bits.cast_unsigned())
}

/// `SignalFilterBankSpectralSubtraction`: updates the estimate of the noise in each channel by its signal and
/// gives the signal less the noise.
pub(super) fn spectral_subtraction(
    attributes: &SpectralSubtraction,
    signal: &[u32],
    noise: &mut [u32],
) -> Vec<u32> {
    let bits = attributes.bits;
    let channels = signal.iter().zip(noise).enumerate();
    channels
        .map(|(channel, (signal, noise))| {
            let [new, old] = attributes.smoothing[channel % 2].map(u64::from);
            let scaled = signal.wrapping_shl(attributes.smoothing_bits);
            let mixed = (u64::from(scaled) * new).wrapping_add(u64::from(*noise) * old);
            *noise = (mixed >> bits) as u32;
            let estimate = (*noise).min(scaled);
            if attributes.clamping {
                *noise = estimate;
            }
            let remaining = i64::from(attributes.min_signal_remaining).cast_unsigned();
            let floor = (u64::from(*signal).wrapping_mul(remaining) >> bits) as u32;
            ((scaled - estimate) >> attributes.smoothing_bits).max(floor)
        })
        .collect()
}

/// Elements of a table of gains: three before, and four for each power of two from the second on.
pub(super) const GAINS: usize = 125;

/// The gain at a level of noise: below 3 from the table, above by the parabola of its interval between
/// powers of two.
fn gain(noise: u32, table: &[i16]) -> i16 {
    if noise <= 2 {
        return table[noise as usize];
    }
    let interval = highest_bit(noise);
    let [start, slope, bend] = [0, 1, 2].map(|i| i32::from(table[(4 * interval - 6 + i) as usize]));
    // The ten bits below the highest.
    let place = if interval < 11 {
        noise << (11 - interval)
    } else {
        noise >> (interval - 11)
    };
    let place = (place & 0x3FF) as i32;
    let rising = ((bend * place) >> 5) + (slope << 5);
    let rounded = rising.wrapping_mul(place).wrapping_add(1 << 14) >> 15;
    (rounded + start) as i16
}

/// `SignalPCAN`: the signal times the gain that its noise has, by 2^shift, with what is small made smaller.
pub(super) fn pcan(signal: u32, noise: u32, table: &[i16], shift: u32) -> u32 {
    let gain = i32::from(gain(noise, table)).cast_unsigned();
    let ratio = ((u64::from(signal) * u64::from(gain)) >> shift) as u32;
    // A ratio of 12 fractional bits to 6: x^2 / 4 below 2, x - 1 above.
    if ratio < 2 << 12 {
        (ratio * ratio) >> 20
    } else {
        (ratio >> 6) - (1 << 6)
    }
}

/// `SignalFilterBankLog`: the natural logarithm of x * 2^bits times the scale, within 16 bits; zero for 0 and 1.
pub(super) fn logarithm(x: u32, bits: u32, scale: i32, corrections: &[u16]) -> i16 {
    let x = x.wrapping_shl(bits);
    if x <= 1 {
        return 0;
    }
    let whole = x.ilog2();
    let above = u64::from(x) - (1 << whole);
    let fraction = ((above << 16) >> whole) as i32;
    let segment_bits = 16 - tables::LOG_SEGMENTS_BITS;
    let segment = (fraction >> segment_bits) as usize;
    let [from, to] = [segment, segment + 1].map(|s| i32::from(corrections[s]));
    let inside = fraction & ((1 << segment_bits) - 1);
    // The part of a segment is one of 2^16, of which a segment has but a part.
    let corrected = fraction + from + (((to - from) * inside) >> 16);
    let log2 = (whole << 16) + corrected.cast_unsigned();
    let half = 1u32 << 15;
    let natural = ((u64::from(tables::LN_2) * u64::from(log2) + u64::from(half)) >> 16) as u32;
    let scaled = scale
        .cast_unsigned()
        .wrapping_mul(natural)
        .wrapping_add(half)
        >> 16;
    scaled.min(i16::MAX as u32) as i16
}
