//! `image-resize`: an image scaled to a width and a height.
//!
//! Rows of the image are scaled to the new width one after the other and kept only as long as an output row
//! is mixed of them.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod pixel;
mod weights;

use alloc::{format, vec, vec::Vec};

use pixel::Pixel;
use rune_block_dsp::image::Layout;
use rune_block_sdk::{Block, Call, Fault, Flow, Refusal, Scratch, Setup};
use weights::{Method, Weights};

rune_block_sdk::block! {
    "../block.toml",
    shape = dims,
    "run.u8" => Resize<u8>,
    "run.f32" => Resize<f32>,
}

/// Indices of the arguments in `block.toml`.
const WIDTH: usize = 0;
const HEIGHT: usize = 1;
const METHOD: usize = 2;

/// Longest side of an image, in pixels.
const MAX_SIDE: u32 = 65_535;
/// Numbers of an output row that are summed side by side.
const PART: usize = 32;

/// An instance for images of type `T`. Lengths are in elements.
#[derive(Debug)]
pub struct Resize<T: Pixel> {
    /// Numbers of a pixel.
    channels: usize,
    /// A row of the image.
    wide: usize,
    /// A row of the output.
    width: usize,
    columns: Weights<T::Sum>,
    rows: Weights<T::Sum>,
    /// Rows of the image at the new width, as many as one output row is mixed of: row `y` is at the
    /// remainder of `y` by their number.
    band: Scratch<T>,
}

/// The layout of an image that can be resized.
fn layout<'a>(setup: &Setup<'a>) -> Result<Layout<'a>, Refusal> {
    let dims = setup.input(0).dims();
    let image = Layout::of(dims)?;
    if dims.contains(&0) {
        return Err(format!("an image of the shape {dims:?} has no pixels").into());
    }
    if image.height.max(image.width) > MAX_SIDE {
        return Err(format!(
            "an image of {} x {} pixels, but a side has at most {MAX_SIDE}",
            image.width, image.height
        )
        .into());
    }
    Ok(image)
}

/// The dimensions of the output.
fn dims(setup: &Setup<'_>) -> Result<Vec<Vec<u32>>, Refusal> {
    let (width, height) = (setup.integer(WIDTH)? as u32, setup.integer(HEIGHT)? as u32);
    Ok(vec![layout(setup)?.resized(height, width)])
}

impl<T: Pixel> Block for Resize<T> {
    type Inputs = T;
    type Outputs = T;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let image = layout(setup)?;
        // The signature keeps both positive and within 15 bits.
        let (width, height) = (setup.integer(WIDTH)? as u32, setup.integer(HEIGHT)? as u32);
        let method = match setup.text(METHOD)? {
            "nearest" => Method::Nearest,
            "area" => Method::Area,
            _ => Method::Bilinear,
        };
        let columns = Weights::new(method, image.width, width, T::weight);
        let rows = Weights::new(method, image.height, height, T::weight);
        let channels = image.channels();
        let too_large = || Refusal::from("the image is too large");
        let row = (width as usize)
            .checked_mul(channels)
            .ok_or_else(too_large)?;
        let band = row.checked_mul(rows.longest()).ok_or_else(too_large)?;
        Ok(Self {
            channels,
            wide: image.width as usize * channels,
            width: row,
            band: setup.scratch(band)?,
            columns,
            rows,
        })
    }

    fn run(&self, image: &[T], resized: &mut [T], call: &mut Call<'_>) -> Result<Flow, Fault> {
        let band = call.scratch.get(&self.band);
        let kept = self.rows.longest();
        let mut image = image.chunks_exact(self.wide).enumerate();
        // Rows of the image taken so far.
        let mut taken = 0;
        for (to, (first, weights)) in resized.chunks_exact_mut(self.width).zip(self.rows.iter()) {
            while taken < first + weights.len() {
                let Some((y, row)) = image.next() else { break };
                taken = y + 1;
                // When it shrinks a lot, the nearest method leaves rows out.
                if y >= first {
                    self.scale_row(row, &mut band[y % kept * self.width..][..self.width]);
                }
            }
            for (part, to) in to.chunks_mut(PART).enumerate() {
                let mut sums = [T::ZERO; PART];
                for (y, weight) in (first..).zip(weights) {
                    let row = &band[y % kept * self.width + part * PART..][..to.len()];
                    for (sum, number) in sums.iter_mut().zip(row) {
                        *sum = T::add(*sum, *number, *weight);
                    }
                }
                for (number, sum) in to.iter_mut().zip(sums) {
                    *number = T::of(sum);
                }
            }
        }
        Ok(Flow::Output)
    }
}

impl<T: Pixel> Resize<T> {
    /// Scales a row to the new width.
    fn scale_row(&self, row: &[T], to: &mut [T]) {
        match self.channels {
            1 => self.scale_pixels::<1>(row, to),
            3 => self.scale_pixels::<3>(row, to),
            4 => self.scale_pixels::<4>(row, to),
            // Channel by channel.
            n => {
                for (pixel, (first, weights)) in to.chunks_exact_mut(n).zip(self.columns.iter()) {
                    let under = &row[first * n..][..weights.len() * n];
                    for (channel, number) in pixel.iter_mut().enumerate() {
                        let numbers = under.iter().skip(channel).step_by(n);
                        let sum = numbers
                            .zip(weights)
                            .fold(T::ZERO, |sum, (x, w)| T::add(sum, *x, *w));
                        *number = T::of(sum);
                    }
                }
            }
        }
    }

    /// The same with a number of channels that the compiler knows.
    fn scale_pixels<const C: usize>(&self, row: &[T], to: &mut [T]) {
        let (row, to) = (row.as_chunks::<C>().0, to.as_chunks_mut::<C>().0);
        for (pixel, (first, weights)) in to.iter_mut().zip(self.columns.iter()) {
            let mut sums = [T::ZERO; C];
            for (under, weight) in row[first..].iter().zip(weights) {
                for (sum, number) in sums.iter_mut().zip(under) {
                    *sum = T::add(*sum, *number, *weight);
                }
            }
            *pixel = sums.map(T::of);
        }
    }
}

#[cfg(test)]
mod tests;
