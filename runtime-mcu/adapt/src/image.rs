//! Pictures of one size and pixel format made into another.

use crate::{buffer::BufferError, scale::Scale};

/// Pixels of a side at most.
pub(crate) const SIDE: u32 = 16_384;

/// What a camera gives: rows of pixels, the uppermost first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageSource {
    /// Pixels of a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Bytes from the start of a row to that of the next; 0 where rows follow each other.
    pub stride: u32,
    /// The form of a pixel.
    pub format: PixelFormat,
    /// The part of the picture that the rune gets.
    pub crop: Crop,
}

/// The form of a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PixelFormat {
    /// A byte each of red, green and blue.
    Rgb8,
    /// A byte each of blue, green and red.
    Bgr8,
    /// A byte of grey.
    Gray8,
    /// 16 bits, little-endian: from the highest 5 of red, 6 of green, 5 of blue.
    Rgb565,
    /// Pairs of pixels in 4 bytes: luma, blue difference, luma, red difference, with the levels of ITU-R
    /// BT.601 (luma 16 to 235). Also called YUY2.
    Yuyv,
}

impl PixelFormat {
    /// Bytes of a pixel.
    pub const fn bytes(self) -> u32 {
        match self {
            Self::Rgb8 | Self::Bgr8 => 3,
            Self::Gray8 => 1,
            Self::Rgb565 | Self::Yuyv => 2,
        }
    }
}

/// The part of a picture that is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crop {
    /// All of it; proportions change if those of the rune are others.
    Whole,
    /// The largest part in the middle that has the proportions the rune asks for.
    Centred,
    /// This part, in pixels.
    Part {
        /// Columns to its left.
        left: u32,
        /// Rows above it.
        top: u32,
        /// Columns of it.
        width: u32,
        /// Rows of it.
        height: u32,
    },
}

impl ImageSource {
    /// Bytes from row to row.
    pub(crate) fn row_step(&self) -> u32 {
        match self.stride {
            0 => self.row_bytes(),
            stride => stride,
        }
    }

    /// Bytes of the pixels of a row; saturates.
    pub(crate) fn row_bytes(&self) -> u32 {
        self.width.saturating_mul(self.format.bytes())
    }
}

/// The pixels of a rune.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pixels {
    Rgb,
    Bgr,
    Gray,
}

impl Pixels {
    /// Bytes of a pixel.
    pub(crate) const fn bytes(self) -> u32 {
        match self {
            Self::Rgb | Self::Bgr => 3,
            Self::Gray => 1,
        }
    }
}

/// How a picture becomes what a rune asks for. It keeps nothing between pictures.
///
/// A side that becomes shorter is averaged over the area each new pixel covers, one that becomes longer is
/// interpolated linearly; the mean of a channel is exact and rounded once. Then the pixel is converted, with
/// the matrix of BT.601 from luma and colour differences, and to grey by 0.299 red + 0.587 green + 0.114
/// blue, also of BT.601. For `FLOAT_IMAGE` each byte is divided by 255 last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImagePlan {
    pub(crate) source: ImageSource,
    /// The used part, inside the picture and not empty.
    pub(crate) left: u32,
    pub(crate) top: u32,
    pub(crate) across: Scale,
    pub(crate) down: Scale,
    pub(crate) pixels: Pixels,
    /// Samples are binary32 from 0 to 1, not bytes.
    pub(crate) float: bool,
}

impl ImagePlan {
    /// Bytes of a picture of the source: to the last pixel of the last row.
    pub fn source_bytes(&self) -> usize {
        let source = &self.source;
        source.row_step() as usize * (source.height as usize - 1) + source.row_bytes() as usize
    }

    /// Width and height of what the rune reads.
    pub const fn output_size(&self) -> (u32, u32) {
        (self.across.to, self.down.to)
    }

    /// Bytes of what the rune reads.
    pub fn output_bytes(&self) -> usize {
        let pixels = self.across.to as usize * self.down.to as usize;
        pixels * self.pixels.bytes() as usize * self.sample_bytes()
    }

    fn sample_bytes(&self) -> usize {
        if self.float { 4 } else { 1 }
    }

    /// Converts a picture of at least [`source_bytes`](Self::source_bytes) to exactly
    /// [`output_bytes`](Self::output_bytes).
    pub fn convert(&self, source: &[u8], out: &mut [u8]) -> Result<(), BufferError> {
        BufferError::unless_enough("picture", self.source_bytes(), source.len())?;
        BufferError::unless_exact("output", self.output_bytes(), out.len())?;
        match self.source.format {
            PixelFormat::Rgb8 => {
                self.scale(source, out, rgb, |row, x| {
                    [row[3 * x], row[3 * x + 1], row[3 * x + 2]]
                });
            }
            PixelFormat::Bgr8 => {
                self.scale(source, out, rgb, |row, x| {
                    [row[3 * x + 2], row[3 * x + 1], row[3 * x]]
                });
            }
            PixelFormat::Gray8 => self.scale(source, out, gray, |row, x| [row[x]]),
            PixelFormat::Rgb565 => self.scale(source, out, rgb, |row, x| {
                let word = u16::from_le_bytes([row[2 * x], row[2 * x + 1]]);
                // The upper bits again below, so that all ones are 255.
                let five = |v: u16| ((v & 31) << 3 | (v & 31) >> 2) as u8;
                let six = |v: u16| ((v & 63) << 2 | (v & 63) >> 4) as u8;
                [five(word >> 11), six(word >> 5), five(word)]
            }),
            PixelFormat::Yuyv => self.scale(source, out, yuv, |row, x| {
                let pair = x / 2 * 4;
                [row[2 * x], row[pair + 1], row[pair + 3]]
            }),
        }
        Ok(())
    }

    /// Writes every pixel: `at` reads the channels of one of the source, `to` converts a mean.
    fn scale<const N: usize>(
        &self,
        source: &[u8],
        out: &mut [u8],
        to: impl Fn(Pixels, [u8; N]) -> [u8; 3],
        at: impl Fn(&[u8], usize) -> [u8; N],
    ) {
        let total = u64::from(self.across.total()) * u64::from(self.down.total());
        let samples = self.pixels.bytes() as usize;
        let bytes = samples * self.sample_bytes();
        let step = self.source.row_step() as usize;
        let places = (0..self.down.to).flat_map(|y| (0..self.across.to).map(move |x| (x, y)));
        for (pixel, (x, y)) in out.chunks_exact_mut(bytes).zip(places) {
            let mut sums = [0u64; N];
            for (row, weight) in self.down.taps(y) {
                let row = &source[(self.top + row) as usize * step..];
                let mut line = [0u32; N];
                for (column, weight) in self.across.taps(x) {
                    let channels = at(row, (self.left + column) as usize);
                    for (sum, value) in line.iter_mut().zip(channels) {
                        *sum += weight * u32::from(value);
                    }
                }
                for (sum, value) in sums.iter_mut().zip(line) {
                    *sum += u64::from(weight) * u64::from(value);
                }
            }
            let mean = sums.map(|sum| ((sum + total / 2) / total) as u8);
            let made = to(self.pixels, mean);
            if self.float {
                for (out, sample) in pixel.chunks_exact_mut(4).zip(&made[..samples]) {
                    out.copy_from_slice(&(f32::from(*sample) / 255.0).to_le_bytes());
                }
            } else {
                pixel.copy_from_slice(&made[..samples]);
            }
        }
    }
}

/// From red, green and blue; of what is given the first bytes count.
fn rgb(pixels: Pixels, [r, g, b]: [u8; 3]) -> [u8; 3] {
    match pixels {
        Pixels::Rgb => [r, g, b],
        Pixels::Bgr => [b, g, r],
        Pixels::Gray => {
            let sum = 299 * u32::from(r) + 587 * u32::from(g) + 114 * u32::from(b);
            [((sum + 500) / 1000) as u8; 3]
        }
    }
}

fn gray(_: Pixels, [v]: [u8; 1]) -> [u8; 3] {
    [v; 3]
}

/// From luma and colour differences by BT.601, in 256ths: 255/219 = 1.164, 1.596, 0.391, 0.813, 2.018.
fn yuv(pixels: Pixels, [y, u, v]: [u8; 3]) -> [u8; 3] {
    let y = 298 * (i32::from(y) - 16);
    let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
    let level = |sum: i32| ((sum + 128) >> 8).clamp(0, 255) as u8;
    match pixels {
        Pixels::Gray => [level(y); 3],
        Pixels::Rgb | Pixels::Bgr => {
            let channels = [
                level(y + 409 * v),
                level(y - 100 * u - 208 * v),
                level(y + 517 * u),
            ];
            rgb(pixels, channels)
        }
    }
}
