//! `modulo`: the remainder of every element divided by a constant.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

use rune_block_sdk::{Block, Bounded, BoundedMut, Call, Fault, Flow, Refusal, Setup};
use rune_block_tensor::Number;

rune_block_sdk::block! {
    "../block.toml",
    "run.f32" => Modulo<f32>,
    "run.f64" => Modulo<f64>,
    "run.i8" => Modulo<i8>,
    "run.i16" => Modulo<i16>,
    "run.i32" => Modulo<i32>,
    "run.i64" => Modulo<i64>,
    "run.u8" => Modulo<u8>,
    "run.u16" => Modulo<u16>,
    "run.u32" => Modulo<u32>,
    "run.u64" => Modulo<u64>,
}

/// Index of the argument in `block.toml`.
const MODULUS: usize = 0;

/// An instance for elements of type `T`.
#[derive(Debug)]
pub struct Modulo<T> {
    /// Never zero.
    modulus: T,
}

/// A number that has remainders.
pub trait Remainder: Number {
    /// `self % modulus`, for a modulus that is not zero.
    #[must_use]
    fn remainder(self, modulus: Self) -> Self;
}

impl<T: Remainder> Block for Modulo<T> {
    type Inputs = T;
    type Outputs = Bounded<T>;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let modulus = T::of_argument(setup.float(MODULUS)?)
            .filter(|modulus| *modulus != T::ZERO && modulus.to_f64().is_finite())
            .ok_or(
                "`--modulus` must not be zero, and for integers a whole number in their range",
            )?;
        Ok(Self { modulus })
    }

    fn run(
        &self,
        values: &[T],
        mut remainders: BoundedMut<'_, T>,
        _: &mut Call<'_>,
    ) -> Result<Flow, Fault> {
        remainders.truncate(values.len());
        for (remainder, value) in remainders.iter_mut().zip(values) {
            *remainder = value.remainder(self.modulus);
        }
        Ok(Flow::Output)
    }
}

macro_rules! floats {
    ($($t:ty: $fmod:path),*) => {$(
        impl Remainder for $t {
            fn remainder(self, modulus: Self) -> Self {
                $fmod(self, modulus)
            }
        }
    )*};
}
floats!(f32: libm::fmodf, f64: libm::fmod);

macro_rules! integers {
    ($($t:ty),*) => {$(
        impl Remainder for $t {
            fn remainder(self, modulus: Self) -> Self {
                // The least value has no remainder by -1 in the hardware; the true one is 0.
                self.wrapping_rem(modulus)
            }
        }
    )*};
}
integers!(i8, i16, i32, i64, u8, u16, u32, u64);

#[cfg(test)]
mod tests {
    #[test]
    fn equals_the_oracle() {
        rune_block_vectors::check(&super::NATIVE, include_str!("../vectors.json"));
    }
}
