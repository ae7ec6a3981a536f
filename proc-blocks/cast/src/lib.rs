//! `cast`: the same numbers in another element type.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

use core::marker::PhantomData;

use rune_block_sdk::{Block, Bounded, BoundedMut, Call, Element, Fault, Flow, Refusal, Setup};

#[rustfmt::skip]
rune_block_sdk::block! {
    "../block.toml",
    "run.f32.f32" => Cast<f32, f32>, "run.f32.f64" => Cast<f32, f64>, "run.f32.i8" => Cast<f32, i8>, "run.f32.i16" => Cast<f32, i16>, "run.f32.i32" => Cast<f32, i32>,
    "run.f32.i64" => Cast<f32, i64>, "run.f32.u8" => Cast<f32, u8>, "run.f32.u16" => Cast<f32, u16>, "run.f32.u32" => Cast<f32, u32>, "run.f32.u64" => Cast<f32, u64>,
    "run.f64.f32" => Cast<f64, f32>, "run.f64.f64" => Cast<f64, f64>, "run.f64.i8" => Cast<f64, i8>, "run.f64.i16" => Cast<f64, i16>, "run.f64.i32" => Cast<f64, i32>,
    "run.f64.i64" => Cast<f64, i64>, "run.f64.u8" => Cast<f64, u8>, "run.f64.u16" => Cast<f64, u16>, "run.f64.u32" => Cast<f64, u32>, "run.f64.u64" => Cast<f64, u64>,
    "run.i8.f32" => Cast<i8, f32>, "run.i8.f64" => Cast<i8, f64>, "run.i8.i8" => Cast<i8, i8>, "run.i8.i16" => Cast<i8, i16>, "run.i8.i32" => Cast<i8, i32>,
    "run.i8.i64" => Cast<i8, i64>, "run.i8.u8" => Cast<i8, u8>, "run.i8.u16" => Cast<i8, u16>, "run.i8.u32" => Cast<i8, u32>, "run.i8.u64" => Cast<i8, u64>,
    "run.i16.f32" => Cast<i16, f32>, "run.i16.f64" => Cast<i16, f64>, "run.i16.i8" => Cast<i16, i8>, "run.i16.i16" => Cast<i16, i16>, "run.i16.i32" => Cast<i16, i32>,
    "run.i16.i64" => Cast<i16, i64>, "run.i16.u8" => Cast<i16, u8>, "run.i16.u16" => Cast<i16, u16>, "run.i16.u32" => Cast<i16, u32>, "run.i16.u64" => Cast<i16, u64>,
    "run.i32.f32" => Cast<i32, f32>, "run.i32.f64" => Cast<i32, f64>, "run.i32.i8" => Cast<i32, i8>, "run.i32.i16" => Cast<i32, i16>, "run.i32.i32" => Cast<i32, i32>,
    "run.i32.i64" => Cast<i32, i64>, "run.i32.u8" => Cast<i32, u8>, "run.i32.u16" => Cast<i32, u16>, "run.i32.u32" => Cast<i32, u32>, "run.i32.u64" => Cast<i32, u64>,
    "run.i64.f32" => Cast<i64, f32>, "run.i64.f64" => Cast<i64, f64>, "run.i64.i8" => Cast<i64, i8>, "run.i64.i16" => Cast<i64, i16>, "run.i64.i32" => Cast<i64, i32>,
    "run.i64.i64" => Cast<i64, i64>, "run.i64.u8" => Cast<i64, u8>, "run.i64.u16" => Cast<i64, u16>, "run.i64.u32" => Cast<i64, u32>, "run.i64.u64" => Cast<i64, u64>,
    "run.u8.f32" => Cast<u8, f32>, "run.u8.f64" => Cast<u8, f64>, "run.u8.i8" => Cast<u8, i8>, "run.u8.i16" => Cast<u8, i16>, "run.u8.i32" => Cast<u8, i32>,
    "run.u8.i64" => Cast<u8, i64>, "run.u8.u8" => Cast<u8, u8>, "run.u8.u16" => Cast<u8, u16>, "run.u8.u32" => Cast<u8, u32>, "run.u8.u64" => Cast<u8, u64>,
    "run.u16.f32" => Cast<u16, f32>, "run.u16.f64" => Cast<u16, f64>, "run.u16.i8" => Cast<u16, i8>, "run.u16.i16" => Cast<u16, i16>, "run.u16.i32" => Cast<u16, i32>,
    "run.u16.i64" => Cast<u16, i64>, "run.u16.u8" => Cast<u16, u8>, "run.u16.u16" => Cast<u16, u16>, "run.u16.u32" => Cast<u16, u32>, "run.u16.u64" => Cast<u16, u64>,
    "run.u32.f32" => Cast<u32, f32>, "run.u32.f64" => Cast<u32, f64>, "run.u32.i8" => Cast<u32, i8>, "run.u32.i16" => Cast<u32, i16>, "run.u32.i32" => Cast<u32, i32>,
    "run.u32.i64" => Cast<u32, i64>, "run.u32.u8" => Cast<u32, u8>, "run.u32.u16" => Cast<u32, u16>, "run.u32.u32" => Cast<u32, u32>, "run.u32.u64" => Cast<u32, u64>,
    "run.u64.f32" => Cast<u64, f32>, "run.u64.f64" => Cast<u64, f64>, "run.u64.i8" => Cast<u64, i8>, "run.u64.i16" => Cast<u64, i16>, "run.u64.i32" => Cast<u64, i32>,
    "run.u64.i64" => Cast<u64, i64>, "run.u64.u8" => Cast<u64, u8>, "run.u64.u16" => Cast<u64, u16>, "run.u64.u32" => Cast<u64, u32>, "run.u64.u64" => Cast<u64, u64>,
}

/// An instance from elements of type `T` to elements of type `U`.
#[derive(Debug)]
pub struct Cast<T, U>(PhantomData<(T, U)>);

/// A number that Rust casts to a `U`.
pub trait CastTo<U>: Element {
    /// `self as U`.
    fn cast(self) -> U;
}

macro_rules! casts {
    ($($from:ty)* => $to:tt) => {
        $(casts!(@from $from, $to);)*
    };
    (@from $from:ty, [$($to:ty)*]) => {$(
        impl CastTo<$to> for $from {
            fn cast(self) -> $to {
                self as $to
            }
        }
    )*};
}
casts!(f32 f64 i8 i16 i32 i64 u8 u16 u32 u64 => [f32 f64 i8 i16 i32 i64 u8 u16 u32 u64]);

impl<T: CastTo<U>, U: Element> Block for Cast<T, U> {
    type Inputs = T;
    type Outputs = Bounded<U>;

    fn init(_: &mut Setup<'_>) -> Result<Self, Refusal> {
        Ok(Self(PhantomData))
    }

    fn run(
        &self,
        values: &[T],
        mut cast: BoundedMut<'_, U>,
        _: &mut Call<'_>,
    ) -> Result<Flow, Fault> {
        cast.truncate(values.len());
        for (y, x) in cast.iter_mut().zip(values) {
            *y = x.cast();
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
