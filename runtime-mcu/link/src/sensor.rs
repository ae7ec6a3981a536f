//! Sensors that a host plays to a board: what they give, in the words of `rune-adapt`, and their bytes.
//!
//! A host says which sensors there are, then it has a rune tried, which gets them, and feeds them in the place of the
//! rune. Each reply to bytes says how much room there is: a host that waits for room loses nothing, one that does not is
//! a sensor that does not wait, and what was lost is counted.

use rune_adapt::{
    Axes, Axis, Crop, ImageSource, MotionFormat, MotionSource, PixelFormat, Rate, SampleFormat,
    ScanType, SoundSource, Source, Unit,
};

use crate::message::{Reader, Unreadable, Writer};

/// What a host asks for of the sensors that it plays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Play<'a> {
    /// The rune of the next [`Try`](crate::Install::Try) gets the sensors that are added from now on, and is started anew
    /// with them if it runs; the sample after so many is the end of each, 0 is no bound. Of every kind that is not added
    /// the host gives whole samples. Without this the rune gets the sensors that the board has itself.
    /// [`Reply::Done`](crate::Reply::Done).
    Clear {
        /// Samples of each.
        samples: u32,
    },
    /// It gets one more. [`Reply::Done`](crate::Reply::Done), refused without a [`Clear`](Self::Clear), and where a board
    /// does not take it.
    Add(Source),
    /// The next bytes of a sensor. [`Reply::Played`](crate::Reply::Played), refused where no rune was started with it,
    /// or behind its end.
    Feed {
        /// Place of the rune.
        place: u8,
        /// Which, from 0 in the order in which they were added.
        sensor: u8,
        /// Nothing comes behind these bytes.
        is_end: bool,
        /// At most [`DATA_BYTES`](crate::DATA_BYTES).
        data: &'a [u8],
    },
}

/// How a sensor is that a host plays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Played {
    /// Bytes for which there is room now.
    pub room: u32,
    /// Frames, or pictures, that were lost since the start, because they came without room.
    pub lost: u32,
    /// Samples that the rune has read since the start; the most where several of its capabilities read it.
    pub samples: u32,
    /// Those capabilities have come to its end, or there is none.
    pub is_over: bool,
}

impl<'a> Play<'a> {
    pub(crate) fn write(&self, w: &mut Writer<'_>) {
        match *self {
            Self::Clear { samples } => {
                w.byte(0);
                w.u32(samples);
            }
            Self::Add(source) => {
                w.byte(1);
                write(&source, w);
            }
            Self::Feed {
                place,
                sensor,
                is_end,
                data,
            } => {
                w.byte(2);
                w.byte(place);
                w.byte(sensor);
                w.byte(is_end.into());
                w.put(data);
            }
        }
    }

    pub(crate) fn read(r: &mut Reader<'a>) -> Result<Self, Unreadable> {
        Ok(match r.byte()? {
            0 => Self::Clear { samples: r.u32()? },
            1 => Self::Add(read(r)?),
            2 => Self::Feed {
                place: r.byte()?,
                sensor: r.byte()?,
                is_end: r.flag()?,
                data: r.rest(),
            },
            _ => return Err(Unreadable),
        })
    }
}

impl Played {
    pub(crate) fn write(&self, w: &mut Writer<'_>) {
        for number in [self.room, self.lost, self.samples] {
            w.u32(number);
        }
        w.byte(self.is_over.into());
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, Unreadable> {
        Ok(Self {
            room: r.u32()?,
            lost: r.u32()?,
            samples: r.u32()?,
            is_over: r.flag()?,
        })
    }
}

const SAMPLES: [SampleFormat; 6] = [
    SampleFormat::U8,
    SampleFormat::S16,
    SampleFormat::S24In3,
    SampleFormat::S24,
    SampleFormat::S32,
    SampleFormat::F32,
];
/// The scan type of readings that have none.
const NONE: ScanType = ScanType {
    big_endian: false,
    signed: false,
    bits: 0,
    storage_bits: 0,
    shift: 0,
};
const UNITS: [Unit; 2] = [Unit::G, Unit::MetresPerSecondSquared];
const AXES: [Axis; 6] = [
    Axis::X,
    Axis::Y,
    Axis::Z,
    Axis::MinusX,
    Axis::MinusY,
    Axis::MinusZ,
];
const PIXELS: [PixelFormat; 5] = [
    PixelFormat::Rgb8,
    PixelFormat::Bgr8,
    PixelFormat::Gray8,
    PixelFormat::Rgb565,
    PixelFormat::Yuyv,
];

fn write(source: &Source, w: &mut Writer<'_>) {
    match *source {
        Source::Sound(SoundSource {
            rate,
            channels,
            format,
        }) => {
            w.byte(0);
            write_rate(rate, w);
            w.put(&channels.to_le_bytes());
            w.byte(place(&SAMPLES, format));
        }
        Source::Motion(MotionSource {
            rate,
            format,
            offset,
            scale,
            unit,
            axes,
        }) => {
            w.byte(1);
            w.byte(rate.is_some().into());
            write_rate(rate.unwrap_or(Rate::hz(0)), w);
            match format {
                MotionFormat::F32 => w.put(&[0; 6]),
                MotionFormat::Counts(scan) => w.put(&[
                    1,
                    scan.big_endian.into(),
                    scan.signed.into(),
                    scan.bits,
                    scan.storage_bits,
                    scan.shift,
                ]),
            }
            w.put(&offset.to_le_bytes());
            w.put(&scale.to_le_bytes());
            w.byte(place(&UNITS, unit));
            w.put(&axes.0.map(|axis| place(&AXES, axis)));
        }
        Source::Image(ImageSource {
            width,
            height,
            stride,
            format,
            crop,
        }) => {
            w.byte(2);
            for number in [width, height, stride] {
                w.u32(number);
            }
            w.byte(place(&PIXELS, format));
            match crop {
                Crop::Whole => w.byte(0),
                Crop::Centred => w.byte(1),
                Crop::Part {
                    left,
                    top,
                    width,
                    height,
                } => {
                    w.byte(2);
                    for number in [left, top, width, height] {
                        w.u32(number);
                    }
                }
            }
        }
    }
}

fn read(r: &mut Reader<'_>) -> Result<Source, Unreadable> {
    Ok(match r.byte()? {
        0 => Source::Sound(SoundSource {
            rate: read_rate(r)?,
            channels: r.array().map(u16::from_le_bytes)?,
            format: one(&SAMPLES, r)?,
        }),
        1 => {
            let is_known = r.flag()?;
            let rate = read_rate(r)?;
            let is_counts = r.flag()?;
            let scan = ScanType {
                big_endian: r.flag()?,
                signed: r.flag()?,
                bits: r.byte()?,
                storage_bits: r.byte()?,
                shift: r.byte()?,
            };
            // What is not there is written as zero.
            if !is_known && rate != Rate::hz(0) || !is_counts && scan != NONE {
                return Err(Unreadable);
            }
            Source::Motion(MotionSource {
                rate: is_known.then_some(rate),
                format: if is_counts {
                    MotionFormat::Counts(scan)
                } else {
                    MotionFormat::F32
                },
                offset: r.array().map(f64::from_le_bytes)?,
                scale: r.array().map(f64::from_le_bytes)?,
                unit: one(&UNITS, r)?,
                axes: Axes([one(&AXES, r)?, one(&AXES, r)?, one(&AXES, r)?]),
            })
        }
        2 => Source::Image(ImageSource {
            width: r.u32()?,
            height: r.u32()?,
            stride: r.u32()?,
            format: one(&PIXELS, r)?,
            crop: match r.byte()? {
                0 => Crop::Whole,
                1 => Crop::Centred,
                2 => Crop::Part {
                    left: r.u32()?,
                    top: r.u32()?,
                    width: r.u32()?,
                    height: r.u32()?,
                },
                _ => return Err(Unreadable),
            },
        }),
        _ => return Err(Unreadable),
    })
}

fn write_rate(rate: Rate, w: &mut Writer<'_>) {
    w.u32(rate.numerator);
    w.u32(rate.denominator);
}

fn read_rate(r: &mut Reader<'_>) -> Result<Rate, Unreadable> {
    Ok(Rate {
        numerator: r.u32()?,
        denominator: r.u32()?,
    })
}

fn place<T: Copy + PartialEq>(all: &[T], value: T) -> u8 {
    let place = all.iter().position(|other| *other == value);
    place.expect("all of them are listed") as u8
}

fn one<T: Copy>(all: &[T], r: &mut Reader<'_>) -> Result<T, Unreadable> {
    all.get(usize::from(r.byte()?)).copied().ok_or(Unreadable)
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::{PAYLOAD_BYTES, Reply, Request};

    fn plays() -> Vec<Play<'static>> {
        let motion = MotionSource {
            rate: Some(Rate {
                numerator: 25_500,
                denominator: 1000,
            }),
            format: MotionFormat::F32,
            offset: -0.0,
            scale: 1e-300,
            unit: Unit::G,
            axes: Axes::SAME,
        };
        let image = |format, crop| {
            Play::Add(Source::Image(ImageSource {
                width: 1,
                height: u32::MAX,
                stride: 3,
                format,
                crop,
            }))
        };
        let part = Crop::Part {
            left: 1,
            top: 2,
            width: 3,
            height: 4,
        };
        let mut all = std::vec![
            Play::Clear { samples: 7 },
            Play::Add(Source::Motion(motion)),
            Play::Add(Source::Motion(MotionSource {
                rate: None,
                format: MotionFormat::Counts("be:u12/16>>4".parse().expect("it is one")),
                unit: Unit::MetresPerSecondSquared,
                axes: Axes([Axis::MinusX, Axis::MinusY, Axis::MinusZ]),
                ..motion
            })),
            Play::Feed {
                place: 1,
                sensor: 3,
                is_end: false,
                data: &[1, 2, 3],
            },
            Play::Feed {
                place: 255,
                sensor: 255,
                is_end: true,
                data: &[],
            },
        ];
        all.extend(SAMPLES.map(|format| {
            Play::Add(Source::Sound(SoundSource {
                rate: Rate::hz(44_100),
                channels: 2,
                format,
            }))
        }));
        all.extend(PIXELS.map(|format| image(format, Crop::Whole)));
        all.extend([Crop::Centred, part].map(|crop| image(PixelFormat::Gray8, crop)));
        all
    }

    #[test]
    fn sensors_come_out_as_they_went_in() {
        let mut buffer = [0; PAYLOAD_BYTES];
        for play in plays() {
            let request = Request::Play(play);
            let payload = request.encode(9, &mut buffer);
            assert_eq!(Request::decode(payload), Ok((9, Ok(request))));
        }
        let played = Played {
            room: 1,
            lost: 2,
            samples: 3,
            is_over: true,
        };
        let payload = Reply::Played(played).encode(9, &mut buffer);
        assert_eq!(Reply::decode(payload), Ok((9, Reply::Played(played))));
    }

    /// Every beginning of one, every byte changed, and bytes behind it: read or refused, no panic.
    #[test]
    fn any_bytes_are_read_or_refused() {
        let mut buffer = [0; PAYLOAD_BYTES];
        for play in plays() {
            let payload = Request::Play(play).encode(9, &mut buffer).to_vec();
            let is_feed = matches!(play, Play::Feed { .. });
            for end in 2..payload.len() {
                let cut = Request::decode(&payload[..end]);
                assert!(is_feed && end >= 6 || cut == Ok((9, Err(Unreadable))));
                for value in 0..=255 {
                    let mut changed = payload.clone();
                    changed[end] = value;
                    let _ = Request::decode(&changed);
                }
            }
            let longer = [&payload[..], &[0]].concat();
            let read = Request::decode(&longer);
            assert!(is_feed || read == Ok((9, Err(Unreadable))));
        }
    }
}
