//! `threshold`: compares every element with a constant.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

use rune_block_sdk::{Block, Bounded, BoundedMut, Call, Fault, Flow, Refusal, Setup};
use rune_block_tensor::Number;

rune_block_sdk::block! {
    "../block.toml",
    "run.f32" => Threshold<f32>,
    "run.f64" => Threshold<f64>,
    "run.i8" => Threshold<i8>,
    "run.i16" => Threshold<i16>,
    "run.i32" => Threshold<i32>,
    "run.i64" => Threshold<i64>,
    "run.u8" => Threshold<u8>,
    "run.u16" => Threshold<u16>,
    "run.u32" => Threshold<u32>,
    "run.u64" => Threshold<u64>,
}

/// Indices of the arguments in `block.toml`.
const THRESHOLD: usize = 0;
const MODE: usize = 1;

/// An instance for elements of type `T`.
#[derive(Debug)]
pub struct Threshold<T> {
    threshold: T,
    mode: Mode,
}

/// What elements become.
#[derive(Clone, Copy, Debug)]
enum Mode {
    /// 1 if greater, else 0; inverse: the other way round.
    Binary { inverse: bool },
    /// The threshold if greater, else what they are.
    Truncate,
    /// What they are if greater, else 0; inverse: the other way round.
    ToZero { inverse: bool },
}

impl<T: Number> Block for Threshold<T> {
    type Inputs = T;
    type Outputs = Bounded<T>;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let threshold = T::of_argument(setup.float(THRESHOLD)?)
            .ok_or("`--threshold` must be a whole number in the range of the integers")?;
        let mode = match setup.text(MODE)? {
            "binary" => Mode::Binary { inverse: false },
            "binary-inverse" => Mode::Binary { inverse: true },
            "truncate" => Mode::Truncate,
            "to-zero" => Mode::ToZero { inverse: false },
            _ => Mode::ToZero { inverse: true },
        };
        Ok(Self { threshold, mode })
    }

    fn run(
        &self,
        values: &[T],
        mut results: BoundedMut<'_, T>,
        _: &mut Call<'_>,
    ) -> Result<Flow, Fault> {
        results.truncate(values.len());
        let threshold = self.threshold;
        match self.mode {
            Mode::Binary { inverse } => {
                let (greater, other) = if inverse {
                    (T::ZERO, T::ONE)
                } else {
                    (T::ONE, T::ZERO)
                };
                map(values, &mut results, |x| {
                    if x > threshold { greater } else { other }
                });
            }
            Mode::Truncate => {
                map(values, &mut results, |x| {
                    if x > threshold { threshold } else { x }
                });
            }
            Mode::ToZero { inverse } => {
                map(values, &mut results, |x| {
                    if (x > threshold) == inverse {
                        T::ZERO
                    } else {
                        x
                    }
                });
            }
        }
        Ok(Flow::Output)
    }
}

fn map<T: Copy>(values: &[T], results: &mut [T], f: impl Fn(T) -> T) {
    for (y, x) in results.iter_mut().zip(values) {
        *y = f(*x);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn equals_the_oracle() {
        rune_block_vectors::check(&super::NATIVE, include_str!("../vectors.json"));
    }
}
