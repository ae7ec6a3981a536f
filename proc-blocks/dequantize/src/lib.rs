//! `dequantize`: the real numbers that quantised integers stand for.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use rune_block_sdk::{Block, Bounded, BoundedMut, Call, Element, Fault, Flow, Refusal, Setup};

rune_block_sdk::block! {
    "../block.toml",
    "run.i8" => Dequantize<i8>,
    "run.u8" => Dequantize<u8>,
    "run.i16" => Dequantize<i16>,
    "run.i32" => Dequantize<i32>,
}

/// Indices of the arguments in `block.toml`.
const SCALE: usize = 0;
const ZERO_POINT: usize = 1;

/// An instance for integers of type `Q`.
#[derive(Debug)]
pub struct Dequantize<Q> {
    scale: f32,
    zero_point: Q,
}

/// An integer that stands for a real number.
pub trait Quantized: Element + TryFrom<i64> {
    /// The least value.
    const MIN: i64;
    /// The greatest value.
    const MAX: i64;
    /// `scale * (self - zero_point)`.
    #[must_use]
    fn real(self, scale: f32, zero_point: Self) -> f32;
}

macro_rules! quantized {
    ($($t:ty: $wide:ty as $float:ty),*) => {$(
        impl Quantized for $t {
            const MIN: i64 = <$t>::MIN as i64;
            const MAX: i64 = <$t>::MAX as i64;

            fn real(self, scale: f32, zero_point: Self) -> f32 {
                let steps = <$wide>::from(self) - <$wide>::from(zero_point);
                (<$float>::from(scale) * steps as $float) as f32
            }
        }
    )*};
}
// A difference of 16 bits is exact in f32, so the product is rounded once.
quantized!(i8: i32 as f32, u8: i32 as f32, i16: i32 as f32, i32: i64 as f64);

impl<Q: Quantized> Block for Dequantize<Q> {
    type Inputs = Q;
    type Outputs = Bounded<f32>;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let scale = setup.float(SCALE)? as f32;
        if !(scale > 0.0 && scale.is_finite()) {
            return Err("`--scale` must be a 32-bit float greater than 0".into());
        }
        let zero_point = setup.integer(ZERO_POINT)?;
        let zero_point = Q::try_from(zero_point).map_err(|_| {
            let (min, max, name) = (Q::MIN, Q::MAX, Q::TYPE);
            alloc::format!("`--zero-point` is {zero_point}, but {name} goes from {min} to {max}")
        })?;
        Ok(Self { scale, zero_point })
    }

    fn run(
        &self,
        quantized: &[Q],
        mut values: BoundedMut<'_, f32>,
        _: &mut Call<'_>,
    ) -> Result<Flow, Fault> {
        values.truncate(quantized.len());
        for (x, q) in values.iter_mut().zip(quantized) {
            *x = q.real(self.scale, self.zero_point);
        }
        Ok(Flow::Output)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn equals_the_oracle() {
        rune_block_vectors::check(&super::NATIVE, include_str!("../vectors.json"));
    }
}
