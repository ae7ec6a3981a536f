//! `image-normalization`: pixels scaled to the range, mean and deviation a model was trained on.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::{boxed::Box, format, vec::Vec};
use core::marker::PhantomData;

use rune_block_sdk::{Block, Call, Element, Fault, Flow, Refusal, Setup};

rune_block_sdk::block! {
    "../block.toml",
    "run.u8" => Normalize<u8>,
    "run.i8" => Normalize<i8>,
    "run.u16" => Normalize<u16>,
    "run.i16" => Normalize<i16>,
    "run.u32" => Normalize<u32>,
    "run.i32" => Normalize<i32>,
    "run.f32" => Normalize<f32>,
}

/// Indices of the arguments in `block.toml`.
const MEAN: usize = 0;
const STD: usize = 1;
const LOW: usize = 2;
const HIGH: usize = 3;

/// An instance for pixels of type `T`.
#[derive(Debug)]
pub struct Normalize<T: Pixel> {
    /// One for all channels, or one for each.
    scales: Box<[Scale<T::Wide>]>,
    of: PhantomData<T>,
}

/// The map `(v - center) / divisor`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale<W> {
    center: W,
    divisor: W,
}

/// A number that pixels are made of.
pub trait Pixel: Element {
    /// The float type that holds every value, in which it is scaled.
    type Wide: Copy + PartialEq + core::fmt::Debug + 'static;
    /// The values that stand for 0 and for 1.
    const RANGE: (f64, f64);
    /// The nearest number of that type.
    fn wide(number: f64) -> Self::Wide;
    /// The scaled value.
    fn scale(self, scale: &Scale<Self::Wide>) -> f32;
}

macro_rules! pixels {
    ($($t:ty, $wide:ty, $range:expr;)*) => {$(
        impl Pixel for $t {
            type Wide = $wide;
            const RANGE: (f64, f64) = $range;

            fn wide(number: f64) -> $wide {
                number as $wide
            }

            fn scale(self, scale: &Scale<$wide>) -> f32 {
                ((<$wide>::from(self) - scale.center) / scale.divisor) as f32
            }
        }
    )*};
}
pixels! {
    u8, f32, (0.0, 255.0);
    i8, f32, (-128.0, 127.0);
    u16, f32, (0.0, 65_535.0);
    i16, f32, (-32_768.0, 32_767.0);
    u32, f64, (0.0, 4_294_967_295.0);
    i32, f64, (-2_147_483_648.0, 2_147_483_647.0);
    f32, f32, (0.0, 1.0);
}

impl<T: Pixel> Block for Normalize<T> {
    type Inputs = T;
    type Outputs = f32;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let channels = setup.input(0).dims().last().map_or(1, |c| *c as usize);
        let mean = per_channel("--mean", setup.numbers(MEAN, "--mean")?, 0.0, channels)?;
        let std = per_channel("--std", setup.numbers(STD, "--std")?, 1.0, channels)?;
        if let Some(bad) = std.iter().find(|s| **s <= 0.0) {
            return Err(format!("`--std` holds {bad}, but it must be positive").into());
        }
        let (low, high) = (setup.float(LOW)?, setup.float(HIGH)?);
        if low == high {
            return Err(format!("`--low` and `--high` are both {low}").into());
        }
        let (least, greatest) = T::RANGE;
        let unit = (greatest - least) / (high - low);
        let count = mean.len().max(std.len());
        let scales = (0..count).map(|i| {
            let center = least + (mean[i % mean.len()] - low) * unit;
            let divisor = std[i % std.len()] * unit;
            let fits = (center as f32).is_finite() && (divisor as f32).is_normal();
            fits.then(|| Scale {
                center: T::wide(center),
                divisor: T::wide(divisor),
            })
        });
        let scales = scales
            .collect::<Option<Box<[_]>>>()
            .ok_or("`--mean`, `--std`, `--low` and `--high` leave the range of an f32")?;
        Ok(Self {
            scales,
            of: PhantomData,
        })
    }

    fn run(&self, image: &[T], normalized: &mut [f32], _: &mut Call<'_>) -> Result<Flow, Fault> {
        if let [scale] = &*self.scales {
            for (y, v) in normalized.iter_mut().zip(image) {
                *y = v.scale(scale);
            }
            return Ok(Flow::Output);
        }
        let channels = self.scales.len();
        let pixels = normalized
            .chunks_exact_mut(channels)
            .zip(image.chunks_exact(channels));
        for (to, from) in pixels {
            for ((y, v), scale) in to.iter_mut().zip(from).zip(&self.scales) {
                *y = v.scale(scale);
            }
        }
        Ok(Flow::Output)
    }
}

/// The numbers of a list argument: one, or as many as there are channels.
fn per_channel(
    argument: &str,
    mut list: Vec<f64>,
    absent: f64,
    channels: usize,
) -> Result<Vec<f64>, Refusal> {
    if list.is_empty() {
        list.push(absent);
    }
    if list.len() != 1 && list.len() != channels {
        return Err(format!(
            "`{argument}` holds {} numbers, but it takes one for all channels or {channels}, one for each",
            list.len()
        )
        .into());
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rune_block_sdk::testing::{Instance, Value};

    type Made<T> = Result<Instance<Normalize<T>>, Refusal>;

    fn make<T: Pixel>(mean: &[&str], std: &[&str], range: (f64, f64), dims: &[u32]) -> Made<T> {
        let args = [
            Value::Texts(mean),
            Value::Texts(std),
            range.0.into(),
            range.1.into(),
        ];
        Instance::new(&args, &[dims], &[dims])
    }

    fn refusal(mean: &[&str], std: &[&str], range: (f64, f64)) -> String {
        let made = make::<u8>(mean, std, range, &[2, 2, 3]);
        made.unwrap_err().message().to_owned()
    }

    #[test]
    fn equals_the_oracle() {
        rune_block_vectors::check(&super::NATIVE, include_str!("../vectors.json"));
    }

    #[test]
    fn the_ends_of_every_type_are_zero_and_one() {
        fn ends<T: Pixel>(values: [T; 2]) {
            let mut block = make::<T>(&[], &[], (0.0, 1.0), &[2]).unwrap();
            let mut ends = [0.5; 2];
            block.run(&values, &mut ends).unwrap();
            assert_eq!(ends, [0.0, 1.0]);
        }
        ends([u8::MIN, u8::MAX]);
        ends([i8::MIN, i8::MAX]);
        ends([u16::MIN, u16::MAX]);
        ends([i16::MIN, i16::MAX]);
        ends([u32::MIN, u32::MAX]);
        ends([i32::MIN, i32::MAX]);
        ends([0.0, 1.0]);
    }

    #[test]
    fn lists_are_checked() {
        let unit = (0.0, 1.0);
        assert_eq!(
            refusal(&["0.5", "0.5"], &[], unit),
            "`--mean` holds 2 numbers, but it takes one for all channels or 3, one for each"
        );
        assert_eq!(
            refusal(&["0.5", "half", "1"], &[], unit),
            "item 2 of `--mean` is `half`, not a finite number"
        );
        assert_eq!(
            refusal(&[], &["0"], unit),
            "`--std` holds 0, but it must be positive"
        );
        assert_eq!(
            refusal(&[], &[], (2.0, 2.0)),
            "`--low` and `--high` are both 2"
        );
        assert_eq!(
            refusal(&[], &["1e-300"], unit),
            "`--mean`, `--std`, `--low` and `--high` leave the range of an f32"
        );
    }
}
