//! `grayscale`: the luma of ITU-R BT.601, for `u8` with Pillow's rounding.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use core::marker::PhantomData;

use rune_block_sdk::{Block, Call, Element, Fault, Flow, Refusal, Setup};

rune_block_sdk::block! {
    "../block.toml",
    "run.u8" => Grayscale<u8>,
    "run.f32" => Grayscale<f32>,
}

/// An instance for images of type `T`.
#[derive(Debug)]
pub struct Grayscale<T> {
    channels: Channels,
    of: PhantomData<T>,
}

/// What a pixel holds.
#[derive(Clone, Copy, Debug)]
enum Channels {
    Gray,
    Rgb,
    Rgba,
}

/// A number that colours are made of.
pub trait Colour: Element {
    /// The luma of red, green and blue.
    fn luma(red: Self, green: Self, blue: Self) -> Self;
}

impl Colour for u8 {
    fn luma(red: u8, green: u8, blue: u8) -> u8 {
        let sum = 19595 * u32::from(red) + 38470 * u32::from(green) + 7471 * u32::from(blue);
        // The factors add up to 65536, so this is at most 255.
        ((sum + 0x8000) >> 16) as u8
    }
}

impl Colour for f32 {
    fn luma(red: f32, green: f32, blue: f32) -> f32 {
        0.299 * red + 0.587 * green + 0.114 * blue
    }
}

impl<T: Colour> Block for Grayscale<T> {
    type Inputs = T;
    type Outputs = T;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let channels = match setup.input(0).dims() {
            [_, _, 1] => Channels::Gray,
            [_, _, 3] => Channels::Rgb,
            [_, _, 4] => Channels::Rgba,
            dims => {
                return Err(alloc::format!(
                    "an image of the shape {dims:?}, but it takes rows of pixels with 1, 3 or 4 channels"
                )
                .into());
            }
        };
        Ok(Self {
            channels,
            of: PhantomData,
        })
    }

    fn run(&self, image: &[T], gray: &mut [T], _: &mut Call<'_>) -> Result<Flow, Fault> {
        match self.channels {
            Channels::Gray => gray.copy_from_slice(image),
            Channels::Rgb => lumas::<T, 3>(image, gray),
            Channels::Rgba => lumas::<T, 4>(image, gray),
        }
        Ok(Flow::Output)
    }
}

/// The luma of every pixel of `C` channels, at least three.
fn lumas<T: Colour, const C: usize>(image: &[T], gray: &mut [T]) {
    for (luma, pixel) in gray.iter_mut().zip(image.as_chunks::<C>().0) {
        *luma = T::luma(pixel[0], pixel[1], pixel[2]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rune_block_sdk::testing::Instance;

    #[test]
    fn equals_the_oracle() {
        rune_block_vectors::check(&super::NATIVE, include_str!("../vectors.json"));
    }

    #[test]
    fn white_stays_white() {
        assert_eq!(u8::luma(255, 255, 255), 255);
        assert_eq!(u8::luma(0, 0, 0), 0);
        assert_eq!(f32::luma(1.0, 1.0, 1.0), 1.0);
    }

    #[test]
    fn only_its_own_pixel_is_not_a_number() {
        let mut block = Instance::<Grayscale<f32>>::new(&[], &[&[1, 2, 3]], &[&[1, 2, 1]]).unwrap();
        let mut gray = [0.0; 2];
        block
            .run(&[f32::NAN, 0.0, 0.0, 1.0, 0.0, 0.0], &mut gray)
            .unwrap();
        assert!(gray[0].is_nan());
        assert_eq!(gray[1], 0.299);
    }

    #[test]
    fn two_channels_are_refused() {
        let refusal =
            Instance::<Grayscale<u8>>::new(&[], &[&[4, 4, 2]], &[&[4, 4, 1]]).unwrap_err();
        assert_eq!(
            refusal.message(),
            "an image of the shape [4, 4, 2], but it takes rows of pixels with 1, 3 or 4 channels"
        );
    }
}
