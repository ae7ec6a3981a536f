//! What happens to one channel after the filters: noise reduction, gain and logarithm.

use alloc::boxed::Box;

use rune_block_sdk::Refusal;

/// Noise reduction. An estimate has `bits` fractional bits, a coefficient 14.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noise {
    pub(crate) bits: u32,
    /// Of even channels, of odd ones.
    pub(crate) smoothing: [u32; 2],
    pub(crate) remaining: u32,
}

impl Noise {
    /// A part of one as a coefficient.
    pub(crate) fn coefficient(part: f64) -> u32 {
        (part as f32 * 16_384.0) as u32
    }

    /// Moves the estimate of a channel towards its signal, and takes it off the signal.
    pub(crate) fn reduce(self, channel: usize, signal: u32, estimate: &mut u32) -> u32 {
        let smoothing = self.smoothing[channel % 2];
        let wide = signal.wrapping_shl(self.bits);
        let (part, rest) = (u64::from(smoothing), u64::from((1 << 14) - smoothing));
        *estimate = ((u64::from(wide) * part + u64::from(*estimate) * rest) >> 14) as u32;
        let left = wide.saturating_sub(*estimate) >> self.bits;
        let least = (u64::from(signal) * u64::from(self.remaining)) >> 14;
        left.max(least as u32)
    }
}

/// Per-channel gain from the estimate of the noise.
#[derive(Debug)]
pub(crate) struct Gain {
    /// For numbers of 0 to 32 bits the coefficients of a parabola over all of that many bits: its value
    /// at the first, then the factors of the first and the second power.
    segments: Box<[[i16; 3]; 33]>,
    /// What brings the product of signal and gain to 12 fractional bits.
    shift: u32,
}

/// How the gain depends on the noise.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GainCurve {
    pub(crate) strength: f32,
    pub(crate) offset: f32,
    pub(crate) bits: u32,
}

impl GainCurve {
    /// `2^bits (noise + offset)^-strength`, at most 32767, of an estimate with `bits` fractional bits.
    fn at(self, estimate: u32, bits: u32) -> i16 {
        let noise = estimate as f32 / (1_u32 << bits) as f32 + self.offset;
        // In f64 and rounded once: the nearest f32, or almost always.
        let power = libm::pow(f64::from(noise), -f64::from(self.strength)) as f32;
        let gain = (1_u32 << self.bits) as f32 * power;
        // A cast saturates; only a gain above it is not rounded.
        if gain > 32_767.0 {
            i16::MAX
        } else {
            (gain + 0.5) as i16
        }
    }
}

impl Gain {
    /// The gain for estimates of so many fractional bits, where a signal has been multiplied by
    /// `2^-correction`.
    pub(crate) fn new(curve: GainCurve, bits: u32, correction: u32) -> Result<Self, Refusal> {
        let Some(shift) = curve.bits.checked_sub(correction + 12) else {
            let least = correction + 12;
            return Err(alloc::format!("`--gain-bits` is at least {least} for this window").into());
        };
        let Some(bits) = bits.checked_sub(correction) else {
            return Err(alloc::format!(
                "`--smoothing-bits` is at least {correction} for this window"
            )
            .into());
        };
        let mut segments = Box::new([[0; 3]; 33]);
        for (bit_count, segment) in (0..).zip(segments.iter_mut()) {
            *segment = match bit_count {
                0 | 1 => [curve.at(bit_count, bits), 0, 0],
                _ => {
                    let first = 1 << (bit_count - 1);
                    let last = first + if bit_count == 32 { first - 1 } else { first };
                    let [y0, y1, y2] =
                        [first, first + first / 2, last].map(|x| i32::from(curve.at(x, bits)));
                    let linear = 4 * (y1 - y0) - (y2 - y0);
                    [y0 as i16, linear as i16, (y2 - y0 - linear) as i16]
                }
            };
        }
        Ok(Self { segments, shift })
    }

    /// The gain at an estimate.
    fn at(&self, estimate: u32) -> i32 {
        let bit_count = 32 - estimate.leading_zeros();
        let [y0, linear, square] = self.segments[bit_count as usize].map(i32::from);
        // The ten bits after the leading one.
        let place = match bit_count {
            0..11 => estimate << (11 - bit_count),
            _ => estimate >> (bit_count - 11),
        };
        let place = (place & 0x3ff) as i32;
        let slope = ((square * place) >> 5).wrapping_add(linear << 5);
        let rise = slope.wrapping_mul(place).wrapping_add(1 << 14) >> 15;
        i32::from(rise.wrapping_add(y0) as i16)
    }

    /// The signal times the gain that its noise calls for, bent near 0; with 6 fractional bits.
    pub(crate) fn apply(&self, signal: u32, estimate: u32) -> u32 {
        let gain = self.at(estimate) as u32;
        let ratio = (u64::from(signal).wrapping_mul(u64::from(gain)) >> self.shift) as u32;
        if ratio < 2 << 12 {
            // A square over 4, of 12 fractional bits to 6.
            (ratio * ratio) >> 20
        } else {
            (ratio >> 6) - (1 << 6)
        }
    }
}

/// The logarithm.
#[derive(Debug)]
pub(crate) struct Log {
    /// `log2(1 + i / 128) - i / 128` with 16 bits.
    bulge: Box<[u16]>,
    /// Fractional bits of the result.
    shift: u32,
}

/// The natural logarithm of 2 with 16 bits.
const LN_2: u64 = 45_426;

impl Log {
    pub(crate) fn new(shift: u32) -> Self {
        let bulge = |i| {
            let x = f64::from(i) / 128.0;
            libm::floor(65_536.0 * (libm::log2(1.0 + x) - x) + 0.5) as u16
        };
        Self {
            bulge: (0..=128).map(bulge).collect(),
            shift,
        }
    }

    /// The natural logarithm, 0 below 2.
    pub(crate) fn of(&self, x: u32) -> u32 {
        if x < 2 {
            return 0;
        }
        let whole = x.ilog2();
        let rest = x - (1 << whole);
        let place = if whole < 16 {
            rest << (16 - whole)
        } else {
            rest >> (whole - 16)
        };
        let segment = (place >> 9) as usize;
        let (here, next) = match self.bulge.get(segment..segment + 2) {
            Some(ends) => (i32::from(ends[0]), i32::from(ends[1])),
            None => (0, 0),
        };
        // The original shifts by 16 where 9 would interpolate. So here.
        let between = ((next - here) * (place & 511) as i32) >> 16;
        let fraction = (place as i32 + here + between) as u32;
        let log2 = (whole << 16) + fraction;
        let natural = ((LN_2 * u64::from(log2) + (1 << 15)) >> 16) as u32;
        ((natural << self.shift).wrapping_add(1 << 15)) >> 16
    }
}
