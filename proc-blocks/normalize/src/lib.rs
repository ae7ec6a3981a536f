//! `normalize`: `(x - min) / (max - min)` over all elements of a tensor.
//!
//! Where all elements are equal they stay as they are. A NaN does not count for `min` and `max` and stays
//! a NaN. With an infinite element, or a range that overflows, the quotient is what IEEE 754 says.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

use core::{
    marker::PhantomData,
    ops::{Div, Sub},
};

use rune_block_sdk::{Block, Call, Element, Fault, Flow, Refusal, Setup};

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
    type Outputs = T;

    fn init(_: &mut Setup<'_>) -> Result<Self, Refusal> {
        Ok(Self(PhantomData))
    }

    fn run(&self, values: &[T], normalized: &mut [T], _: &mut Call<'_>) -> Result<Flow, Fault> {
        match range(values) {
            Some((min, max)) if min < max => {
                let width = max - min;
                for (y, x) in normalized.iter_mut().zip(values) {
                    *y = (*x - min) / width;
                }
            }
            _ => normalized.copy_from_slice(values),
        }
        Ok(Flow::Output)
    }
}

/// The least and the greatest number, if there is one that is not NaN.
fn range<T: Element>(values: &[T]) -> Option<(T, T)> {
    #[expect(clippy::eq_op, reason = "NaN alone is not itself")]
    let mut numbers = values.iter().filter(|x| x == x);
    let first = *numbers.next()?;
    let mut range = (first, first);
    for x in numbers {
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
    use super::*;
    use rune_block_sdk::testing::Instance;

    fn run(values: &[f32]) -> Vec<f32> {
        let dims = [values.len() as u32];
        let mut block = Instance::<Normalize<f32>>::new(&[], &[&dims], &[&dims]).unwrap();
        let mut normalized = vec![9.0; values.len()];
        block.run(values, &mut normalized).unwrap();
        normalized
    }

    #[test]
    fn scales_to_the_unit_range() {
        assert_eq!(run(&[-2.0, 2.0, 0.0, -1.0]), [0.0, 1.0, 0.5, 0.25]);
        assert_eq!(run(&[1.0, 2.0, 3.0]), [0.0, 0.5, 1.0]);
    }

    /// The same in wider arithmetic: the affine map that takes the ends of the sorted values to 0 and 1.
    #[test]
    fn equals_the_affine_map() {
        let values: Vec<f32> = (0..1000)
            .map(|i| ((i * 7919) % 997) as f32 / 3.0 - 100.0)
            .collect();
        let mut sorted = values.clone();
        sorted.sort_by(f32::total_cmp);
        let (min, max) = (f64::from(sorted[0]), f64::from(sorted[999]));
        for (x, y) in values.iter().zip(run(&values)) {
            let want = f64::from(*x) / (max - min) - min / (max - min);
            assert!((f64::from(y) - want).abs() < 2e-7, "{x}: {y} is not {want}");
        }
    }

    #[test]
    fn equal_elements_stay() {
        assert_eq!(run(&[7.5, 7.5, 7.5]), [7.5; 3]);
        assert_eq!(run(&[3.0]), [3.0]);
        assert_eq!(run(&[]), []);
    }

    #[test]
    fn nan_counts_for_nothing() {
        let y = run(&[f32::NAN, 1.0, 3.0]);
        assert!(y[0].is_nan());
        assert_eq!(y[1..], [0.0, 1.0]);
        assert!(run(&[f32::NAN, f32::NAN]).iter().all(|y| y.is_nan()));
    }

    #[test]
    fn works_in_f64() {
        let mut block = Instance::<Normalize<f64>>::new(&[], &[&[2, 2]], &[&[2, 2]]).unwrap();
        let mut normalized = [0.0; 4];
        block
            .run(&[1e300, 2e300, 3e300, 5e300], &mut normalized)
            .unwrap();
        assert_eq!(normalized, [0.0, 0.25, 0.5, 1.0]);
    }
}
