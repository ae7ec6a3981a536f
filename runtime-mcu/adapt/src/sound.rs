//! What a microphone gives.

use crate::rate::Rate;

/// Channels at most.
pub(crate) const CHANNELS: u16 = 16;

/// What a microphone gives: frames of one sample per channel, interleaved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SoundSource {
    /// Frames per second.
    pub rate: Rate,
    /// Samples of a frame, at most 16; a rune gets their mean.
    pub channels: u16,
    /// The form of a sample.
    pub format: SampleFormat,
}

/// The form of a sample, little-endian. The names are those of ALSA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleFormat {
    /// Unsigned 8-bit, 128 is silence.
    U8,
    /// Signed 16-bit.
    S16,
    /// Signed 24-bit in 3 bytes.
    S24In3,
    /// Signed 24-bit in the lower bytes of 4; the highest is ignored.
    S24,
    /// Signed 32-bit.
    S32,
    /// IEEE 754 binary32, full scale from -1 to 1.
    F32,
}

impl SampleFormat {
    /// Bytes of a sample.
    pub const fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::S16 => 2,
            Self::S24In3 => 3,
            Self::S24 | Self::S32 | Self::F32 => 4,
        }
    }

    /// A sample in parts of full scale. 32-bit integers are rounded to the 24 bits of a float.
    #[inline]
    fn decode(self, bytes: &[u8]) -> f32 {
        // Moved to the upper end of 32 bits, so that full scale is 2^31 for all.
        let integer = |upper: [u8; 4]| i32::from_le_bytes(upper) as f32 / 2_147_483_648.0;
        match (self, bytes) {
            (Self::U8, &[a]) => integer([0, 0, 0, a ^ 0x80]),
            (Self::S16, &[a, b]) => integer([0, 0, a, b]),
            (Self::S24In3, &[a, b, c]) | (Self::S24, &[a, b, c, _]) => integer([0, a, b, c]),
            (Self::S32, &[a, b, c, d]) => integer([a, b, c, d]),
            (Self::F32, &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]),
            _ => unreachable!("a sample has as many bytes as its format"),
        }
    }
}

impl SoundSource {
    pub(crate) fn frame_bytes(&self) -> usize {
        usize::from(self.channels) * self.format.bytes()
    }

    /// The mean of the channels of a frame, summed from the first.
    #[inline]
    pub(crate) fn decode(&self, frame: &[u8]) -> f32 {
        let samples = frame.chunks_exact(self.format.bytes());
        let sum = samples.fold(0.0, |sum, s| sum + self.format.decode(s));
        sum / f32::from(self.channels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(format: SampleFormat, bytes: &[u8]) -> f32 {
        assert_eq!(bytes.len(), format.bytes());
        format.decode(bytes)
    }

    #[test]
    fn every_format_has_the_same_full_scale() {
        use SampleFormat::{F32, S16, S24, S24In3, S32, U8};
        for (format, least, half) in [
            (U8, &[0][..], &[192][..]),
            (S16, &[0, 0x80], &[0, 0x40]),
            (S24In3, &[0, 0, 0x80], &[0, 0, 0x40]),
            (S24, &[0, 0, 0x80, 0xAA], &[0, 0, 0x40, 0xAA]),
            (S32, &[0, 0, 0, 0x80], &[0, 0, 0, 0x40]),
            (F32, &[0, 0, 0x80, 0xBF], &[0, 0, 0, 0x3F]),
        ] {
            assert_eq!(one(format, least), -1.0, "{format:?}");
            assert_eq!(one(format, half), 0.5, "{format:?}");
        }
    }

    #[test]
    fn channels_are_averaged() {
        let source = SoundSource {
            rate: Rate::hz(8000),
            channels: 3,
            format: SampleFormat::U8,
        };
        assert_eq!(source.decode(&[0, 128, 224]), (-1.0 + 0.75) / 3.0);
    }
}
