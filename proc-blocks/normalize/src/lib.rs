//! `normalize`: `(x - min) / (max - min)` over all elements of a tensor.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

use core::{
    marker::PhantomData,
    ops::{Div, Sub},
};

use rune_block_sdk::{Block, Bounded, BoundedMut, Call, Element, Fault, Flow, Refusal, Setup};

rune_block_sdk::block! {
    "../block.toml",
    "run.f32" => Normalize<f32>,
    "run.f64" => Normalize<f64>,
}

/// An instance for elements of type `T`.
#[derive(Debug)]
pub struct Normalize<T>(PhantomData<T>);

impl<T> Block for Normalize<T>
where
    T: Element + Sub<Output = T> + Div<Output = T>,
{
    type Inputs = T;
    type Outputs = Bounded<T>;

    fn init(_: &mut Setup<'_>) -> Result<Self, Refusal> {
        Ok(Self(PhantomData))
    }

    fn run(
        &self,
        values: &[T],
        mut normalized: BoundedMut<'_, T>,
        _: &mut Call<'_>,
    ) -> Result<Flow, Fault> {
        normalized.truncate(values.len());
        match range(values) {
            Some((min, max)) if min < max => {
                let width = max - min;
                for (y, x) in normalized.iter_mut().zip(values) {
                    *y = (*x - min) / width;
                }
            }
            _ => normalized[..values.len()].copy_from_slice(values),
        }
        Ok(Flow::Output)
    }
}

/// The least and the greatest number, if there is one that is not NaN.
fn range<T: Element>(values: &[T]) -> Option<(T, T)> {
    let mut values = values.iter();
    #[expect(clippy::eq_op, reason = "NaN alone is not itself")]
    let first = *values.find(|x| x == x)?;
    let mut range = (first, first);
    // From here on a NaN is neither less nor greater.
    for x in values {
        if *x < range.0 {
            range.0 = *x;
        }
        if *x > range.1 {
            range.1 = *x;
        }
    }
    Some(range)
}

#[cfg(test)]
mod tests {
    #[test]
    fn equals_the_oracle() {
        rune_block_vectors::check(&super::NATIVE, include_str!("../vectors.json"));
    }
}
