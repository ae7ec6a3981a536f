//! `modulo`: the remainder of every element divided by a constant.
//!
//! The quotient is rounded towards zero, so a remainder has the sign of its element (Rust's `%`). For
//! floats the result is exact; an infinite or NaN element gives NaN.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

use rune_block_sdk::{Block, Call, Element, Fault, Flow, Refusal, Setup};

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
pub trait Remainder: Element {
    /// The modulus nearest to a float, `None` if there is no usable one.
    fn modulus(value: f64) -> Option<Self>;
    /// `self % modulus`, for a modulus that is not zero.
    #[must_use]
    fn remainder(self, modulus: Self) -> Self;
}

impl<T: Remainder> Block for Modulo<T> {
    type Inputs = T;
    type Outputs = T;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let modulus = T::modulus(setup.float(MODULUS)?).ok_or(
            "`--modulus` must not be zero, and for integers a whole number in their range",
        )?;
        Ok(Self { modulus })
    }

    fn run(&self, values: &[T], remainders: &mut [T], _: &mut Call<'_>) -> Result<Flow, Fault> {
        for (remainder, value) in remainders.iter_mut().zip(values) {
            *remainder = value.remainder(self.modulus);
        }
        Ok(Flow::Output)
    }
}

macro_rules! floats {
    ($($t:ty: $fmod:path),*) => {$(
        impl Remainder for $t {
            fn modulus(value: f64) -> Option<Self> {
                let modulus = value as $t;
                (modulus.is_finite() && modulus != 0.0).then_some(modulus)
            }

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
            fn modulus(value: f64) -> Option<Self> {
                // A cast saturates, and its result is the value only if nothing was lost. The greatest
                // value itself is no exact float for 64 bits, so it cannot pass by saturation.
                let modulus = value as $t;
                (modulus as f64 == value && modulus != 0 && value < <$t>::MAX as f64 + 1.0)
                    .then_some(modulus)
            }

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
    use super::*;
    use rune_block_sdk::testing::Instance;

    fn run<T: Remainder + Default>(modulus: f64, values: &[T]) -> Result<Vec<T>, Refusal> {
        let dims = [values.len() as u32];
        let mut block = Instance::<Modulo<T>>::new(&[modulus.into()], &[&dims], &[&dims])?;
        let mut remainders = vec![T::default(); values.len()];
        block.run(values, &mut remainders).unwrap();
        Ok(remainders)
    }

    /// By definition: the element minus the modulus times the truncated quotient.
    #[test]
    fn equals_the_definition() {
        let values: Vec<i32> = (-500..500).collect();
        for modulus in [-7, -1, 1, 2, 360] {
            let want: Vec<i32> = values.iter().map(|x| x - x / modulus * modulus).collect();
            assert_eq!(run(f64::from(modulus), &values), Ok(want));
            let floats: Vec<f32> = values.iter().map(|x| *x as f32 / 4.0).collect();
            for (x, y) in floats.iter().zip(run(f64::from(modulus), &floats).unwrap()) {
                let m = modulus as f32;
                assert_eq!(y, x - (x / m).trunc() * m, "{x} % {m}");
            }
        }
    }

    #[test]
    fn keeps_the_sign_of_the_element() {
        assert_eq!(run(360.0, &[725.5_f32, -725.5]), Ok(vec![5.5, -5.5]));
        assert_eq!(run(-3.0, &[7_i8, -7]), Ok(vec![1, -1]));
    }

    #[test]
    fn least_integer_by_minus_one_is_zero() {
        assert_eq!(run(-1.0, &[i8::MIN, i8::MAX]), Ok(vec![0, 0]));
        assert_eq!(run(-1.0, &[i64::MIN]), Ok(vec![0]));
    }

    #[test]
    fn infinite_is_not_a_number() {
        assert!(
            run(2.0, &[f64::INFINITY, f64::NAN])
                .unwrap()
                .iter()
                .all(|x| x.is_nan())
        );
    }

    #[test]
    fn refuses_a_modulus_the_type_does_not_have() {
        assert!(run(0.0, &[1.0_f32]).is_err());
        assert!(run(1e-60, &[1.0_f32]).is_err());
        assert!(run(0.0, &[1_u8]).is_err());
        assert!(run(2.5, &[1_i16]).is_err());
        assert!(run(128.0, &[1_i8]).is_err());
        assert!(run(-128.0, &[1_i8]).is_ok());
        assert!(run(-1.0, &[1_u32]).is_err());
        assert!(run(256.0, &[1_u8]).is_err());
        assert!(run(18_446_744_073_709_551_616.0, &[1_u64]).is_err());
        assert!(run(9_223_372_036_854_775_808.0, &[1_i64]).is_err());
    }
}
