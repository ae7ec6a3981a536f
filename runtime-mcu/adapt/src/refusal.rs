//! Why a sensor cannot feed a capability.

use core::fmt;

use rune_abi::{CapabilityKind, ElementType};

use crate::{rate::Rate, resample::LANES, sound::CHANNELS};

/// One reason why a sensor cannot feed a capability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reason {
    /// The sensor is of another kind.
    Kind {
        /// What the rune asks for.
        wanted: CapabilityKind,
        /// What the sensor feeds.
        given: CapabilityKind,
    },
    /// The capability's kind does not have elements of this type.
    Element {
        /// Of the capability.
        kind: CapabilityKind,
        /// What the rune asks for.
        wanted: ElementType,
    },
    /// What one call reads is not whole triplets.
    Triplets {
        /// Elements of the type.
        elements: u32,
    },
    /// The hop of the windows is not at least 1 and below 2^31.
    Hop {
        /// What the manifest says.
        hop: i64,
    },
    /// The rate the rune asks for is not at least 1 Hz and below 2^32 Hz.
    WantedRate {
        /// What the manifest says.
        hz: i64,
    },
    /// The rate of the sensor is 0 or not a number.
    GivenRate,
    /// The rune asks for a rate and the sensor's is not known.
    UnknownRate {
        /// What the rune asks for.
        wanted: Rate,
    },
    /// The sensor is slower than the rune asks for: what it did not catch cannot be made up.
    Slow {
        /// Of the sensor.
        given: Rate,
        /// What the rune asks for.
        wanted: Rate,
    },
    /// The two rates have so little in common that a conversion needs too large a filter.
    Ratio {
        /// Of the sensor.
        given: Rate,
        /// What the rune asks for.
        wanted: Rate,
    },
    /// There is no channel, or more than 16.
    Channels {
        /// Of the sensor.
        given: u16,
    },
    /// The form of a count is not possible.
    Scan,
    /// The scale or offset of the readings is not a number, or the scale is 0 as a binary32.
    Scale,
    /// An axis of the sensor stands for two of the device.
    Axes,
    /// The type of the capability is not that of an image of the size and format its parameters say.
    ImageType {
        /// Elements of the type.
        elements: u32,
    },
    /// The rune asks for an image with a side above 16,384 pixels.
    WantedSize,
    /// A picture of the sensor has a side of 0, or above 16,384 pixels.
    GivenSize {
        /// Pixels of a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// A row of pixels is longer than the distance of two rows.
    Stride {
        /// Bytes of the pixels of a row.
        row: u32,
        /// Bytes from row to row.
        stride: u32,
    },
    /// Pixels come in pairs and a row has an odd number of them.
    OddWidth {
        /// Pixels of a row.
        width: u32,
    },
    /// The part that is to be used is empty or not inside the picture.
    Crop,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind { wanted, given } => write!(
                f,
                "the rune asks for {} and the sensor gives {}",
                wanted.spec().name,
                given.spec().name
            ),
            Self::Element { kind, wanted } => {
                write!(f, "{} has no elements of type {wanted}", kind.spec().name)
            }
            Self::Triplets { elements } => write!(
                f,
                "{elements} elements are not whole frames of {LANES} readings"
            ),
            Self::Hop { hop } => write!(f, "a hop of {hop} is not at least 1 and below 2^31"),
            Self::WantedRate { hz } => write!(
                f,
                "the rune asks for {hz} Hz, which is not at least 1 and below 2^32"
            ),
            Self::GivenRate => f.write_str("the rate of the sensor is 0 or not a number"),
            Self::UnknownRate { wanted } => write!(
                f,
                "the rune asks for {wanted} and the rate of the sensor is not known"
            ),
            Self::Slow { given, wanted } => write!(
                f,
                "the rune asks for {wanted} and the sensor gives {given}; what it did not catch cannot be made up"
            ),
            Self::Ratio { given, wanted } => write!(
                f,
                "the rune asks for {wanted} and the sensor gives {given}; rates with so little in common need too large a filter"
            ),
            Self::Channels { given } => {
                write!(f, "{given} channels are not 1 to {CHANNELS}")
            }
            Self::Scan => f.write_str("the bits of a count do not fit their memory of 8, 16 or 32"),
            Self::Scale => {
                f.write_str("the scale or offset of the readings is not finite, or the scale is 0")
            }
            Self::Axes => f.write_str("an axis of the sensor stands for two of the device"),
            Self::ImageType { elements } => write!(
                f,
                "{elements} elements are not an image of the size and pixel format that the rune asks for"
            ),
            Self::WantedSize => {
                f.write_str("the rune asks for an image with a side above 16384 pixels")
            }
            Self::GivenSize { width, height } => write!(
                f,
                "a picture of {width} by {height} pixels does not have sides of 1 to 16384"
            ),
            Self::Stride { row, stride } => write!(
                f,
                "rows of {row} bytes do not fit a distance of {stride} bytes"
            ),
            Self::OddWidth { width } => {
                write!(f, "pixels come in pairs and a row has {width} of them")
            }
            Self::Crop => {
                f.write_str("the part that is to be used is empty or not inside the picture")
            }
        }
    }
}

/// Reasons that one pair of sensor and capability can have at most.
const REASONS: usize = 8;

/// Why a sensor cannot feed a capability: every reason, at least one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Refusal {
    reasons: [Option<Reason>; REASONS],
}

impl Refusal {
    /// The reasons, in the order they were found.
    pub fn reasons(&self) -> impl Iterator<Item = Reason> {
        self.reasons.into_iter().flatten()
    }
}

impl fmt::Display for Refusal {
    /// One reason per line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, reason) in self.reasons().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            reason.fmt(f)?;
        }
        Ok(())
    }
}

impl core::error::Error for Refusal {}

/// Reasons that were found so far.
#[derive(Default)]
pub(crate) struct Reasons([Option<Reason>; REASONS]);

impl Reasons {
    pub(crate) fn add(&mut self, reason: Reason) {
        let free = self.0.iter_mut().find(|r| r.is_none());
        *free.expect("no kind has as many checks") = Some(reason);
    }

    pub(crate) fn add_if(&mut self, wrong: bool, reason: Reason) {
        if wrong {
            self.add(reason);
        }
    }

    /// The value, if there is one and no reason against it. Without a value there must be a reason.
    #[expect(
        clippy::result_large_err,
        reason = "without an allocator reasons have no other place"
    )]
    pub(crate) fn or<T>(self, value: Option<T>) -> Result<T, Refusal> {
        match (value, self.0[0]) {
            (Some(value), None) => Ok(value),
            _ => Err(Refusal { reasons: self.0 }),
        }
    }
}
