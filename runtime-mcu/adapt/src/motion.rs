//! What an accelerometer gives, in the terms of Linux's Industrial I/O (IIO).

use core::{fmt, str::FromStr};

use crate::{rate::Rate, resample::Frame};

/// Standard gravity in m/s², exact by definition.
const GRAVITY: f64 = 9.806_65;

/// What an accelerometer gives: frames of three readings.
///
/// A reading r is (r + `offset`) `scale` in `unit`; a rune gets g.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MotionSource {
    /// Frames per second; `None` where that is not known, as in a file of readings. A rune that asks for a
    /// rate is then refused.
    pub rate: Option<Rate>,
    /// The form of a reading.
    pub format: MotionFormat,
    /// What is added to a reading.
    pub offset: f64,
    /// What one count is worth; see [`MotionSource::scale_of_range`].
    pub scale: f64,
    /// What scaled readings are in.
    pub unit: Unit,
    /// How the sensor sits in the device.
    pub axes: Axes,
}

impl MotionSource {
    /// The scale of a sensor whose `bits` bits reach from -`range` to `range`: +-2 g in 16 bits is 2 / 2^15.
    pub fn scale_of_range(range: f64, bits: u8) -> f64 {
        range / libm::exp2(f64::from(bits) - 1.0)
    }
}

/// The form of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MotionFormat {
    /// IEEE 754 binary32, little-endian.
    F32,
    /// Counts of a converter.
    Counts(ScanType),
}

impl MotionFormat {
    /// Bytes of a reading.
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::Counts(scan) => usize::from(scan.storage_bits / 8),
        }
    }
}

/// Where the bits of a count are, as the file `scan_elements/*_type` of an IIO device says. Parses the text
/// of such a file: `le:s12/16>>4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanType {
    /// The highest byte comes first.
    pub big_endian: bool,
    /// In two's complement.
    pub signed: bool,
    /// Bits of a count, from 1 to 32.
    pub bits: u8,
    /// Bits of the memory it is in: 8, 16 or 32.
    pub storage_bits: u8,
    /// By how much it is to be moved down.
    pub shift: u8,
}

impl ScanType {
    /// Signed 16-bit little-endian.
    pub const S16: Self = Self {
        big_endian: false,
        signed: true,
        bits: 16,
        storage_bits: 16,
        shift: 0,
    };

    pub(crate) fn is_valid(self) -> bool {
        [8, 16, 32].contains(&self.storage_bits)
            && self.bits > 0
            && u16::from(self.bits) + u16::from(self.shift) <= u16::from(self.storage_bits)
    }

    fn decode(self, bytes: &[u8]) -> f32 {
        let push = |word: u32, byte: &u8| word << 8 | u32::from(*byte);
        let word = if self.big_endian {
            bytes.iter().fold(0, push)
        } else {
            bytes.iter().rev().fold(0, push)
        };
        let above = 32 - u32::from(self.bits);
        let top = (word >> self.shift) << above;
        if self.signed {
            (top.cast_signed() >> above) as f32
        } else {
            (top >> above) as f32
        }
    }
}

/// A text is not the type of an IIO scan element, or of one that this crate does not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanError;

impl fmt::Display for ScanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the type of a scan element of at most 32 bits, such as `le:s12/16>>4`")
    }
}

impl core::error::Error for ScanError {}

impl FromStr for ScanType {
    type Err = ScanError;

    fn from_str(text: &str) -> Result<Self, ScanError> {
        let parse = || {
            let (order, rest) = text.trim().split_once(':')?;
            let big_endian = match order {
                "be" => true,
                "le" => false,
                _ => return None,
            };
            let signed = rest.starts_with('s');
            let (bits, rest) = rest.strip_prefix(['s', 'u'])?.split_once('/')?;
            let (storage, shift) = rest.split_once(">>").unwrap_or((rest, "0"));
            let scan = Self {
                big_endian,
                signed,
                bits: bits.parse().ok()?,
                storage_bits: storage.parse().ok()?,
                shift: shift.parse().ok()?,
            };
            scan.is_valid().then_some(scan)
        };
        parse().ok_or(ScanError)
    }
}

/// A unit of acceleration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Standard gravity.
    G,
    /// Metres per second squared, as IIO has it.
    MetresPerSecondSquared,
}

impl Unit {
    /// How many g one of it is.
    pub(crate) fn in_g(self) -> f64 {
        match self {
            Self::G => 1.0,
            Self::MetresPerSecondSquared => 1.0 / GRAVITY,
        }
    }
}

/// One axis of a sensor and its direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Axis {
    X,
    Y,
    Z,
    MinusX,
    MinusY,
    MinusZ,
}

impl Axis {
    /// The place in a frame and the sign.
    pub(crate) fn place(self) -> (usize, f32) {
        match self {
            Self::X => (0, 1.0),
            Self::Y => (1, 1.0),
            Self::Z => (2, 1.0),
            Self::MinusX => (0, -1.0),
            Self::MinusY => (1, -1.0),
            Self::MinusZ => (2, -1.0),
        }
    }
}

/// Which axis of the sensor is x, y and z of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axes(pub [Axis; 3]);

impl Axes {
    /// The sensor sits as the device does.
    pub const SAME: Self = Self([Axis::X, Axis::Y, Axis::Z]);

    /// Whether every axis of the sensor is there once.
    pub(crate) fn is_valid(self) -> bool {
        let places = self.0.map(|a| a.place().0);
        (0..3).all(|axis| places.contains(&axis))
    }
}

/// Readings to g: what is left of a [`MotionSource`] once it was checked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Readings {
    pub(crate) format: MotionFormat,
    pub(crate) offset: f32,
    /// In g, for each axis of the device the place in the frame and the scale with its sign.
    pub(crate) axes: [(usize, f32); 3],
}

impl Readings {
    pub(crate) fn decode(&self, frame: &[u8]) -> Frame {
        let bytes = self.format.bytes();
        self.axes.map(|(place, scale)| {
            let reading = &frame[place * bytes..][..bytes];
            let reading = match self.format {
                MotionFormat::F32 => {
                    f32::from_le_bytes([reading[0], reading[1], reading[2], reading[3]])
                }
                MotionFormat::Counts(scan) => scan.decode(reading),
            };
            (reading + self.offset) * scale
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scan_types_are_read_as_iio_writes_them() {
        let scan: ScanType = "le:s12/16>>4\n".parse().unwrap();
        assert_eq!((scan.bits, scan.storage_bits, scan.shift), (12, 16, 4));
        assert_eq!(scan.decode(&[0xF0, 0x7F]), 2047.0);
        assert_eq!(scan.decode(&[0x0F, 0x80]), -2048.0);
        let scan: ScanType = "be:u14/32>>2".parse().unwrap();
        assert_eq!(scan.decode(&[0xAB, 0xCD, 0xFF, 0xFF]), 16383.0);
        assert_eq!("le:s16/16".parse(), Ok(ScanType::S16));
        let byte: ScanType = "be:s8/8>>0".parse().unwrap();
        assert_eq!(byte.decode(&[0x80]), -128.0);
        let word: ScanType = "be:s32/32".parse().unwrap();
        assert_eq!(word.decode(&[0x80, 0, 0, 0]), -2_147_483_648.0);
        for bad in [
            "",
            "le",
            "le:",
            "le:s16",
            "me:s16/16",
            "le:f32/32",
            "le:s0/16",
            "le:s17/16",
            "le:s12/16>>5",
            "le:s48/64",
            "le:s12/24",
            "le:s300/16",
        ] {
            assert_eq!(bad.parse::<ScanType>(), Err(ScanError), "{bad}");
        }
    }
}
