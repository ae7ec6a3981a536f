//! `quantize`: quantised integers of real numbers.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use core::marker::PhantomData;

use rune_block_sdk::{Block, Bounded, BoundedMut, Call, Element, Fault, Flow, Refusal, Setup};

rune_block_sdk::block! {
    "../block.toml",
    "run.i8" => Quantize<i8>,
    "run.u8" => Quantize<u8>,
    "run.i16" => Quantize<i16>,
}

/// Indices of the arguments in `block.toml`.
const SCALE: usize = 0;
const ZERO_POINT: usize = 1;

/// An instance that makes integers of type `Q`.
#[derive(Debug)]
pub struct Quantize<Q> {
    scale: f32,
    zero_point: i32,
    /// The range of `Q` less the zero point, so 0 is within; small enough to be exact.
    least: f32,
    greatest: f32,
    of: PhantomData<Q>,
}

/// An integer of at most 16 bits.
pub trait Quantized: Element {
    /// The least value.
    const MIN: i32;
    /// The greatest value.
    const MAX: i32;
    /// A value between them.
    fn of(value: i32) -> Self;
}

macro_rules! quantized {
    ($($t:ty),*) => {$(
        impl Quantized for $t {
            const MIN: i32 = <$t>::MIN as i32;
            const MAX: i32 = <$t>::MAX as i32;

            fn of(value: i32) -> Self {
                value as $t
            }
        }
    )*};
}
quantized!(i8, u8, i16);

impl<Q: Quantized> Block for Quantize<Q> {
    type Inputs = f32;
    type Outputs = Bounded<Q>;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let scale = setup.float(SCALE)? as f32;
        if !(scale > 0.0 && scale.is_finite()) {
            return Err("`--scale` must be a 32-bit float greater than 0".into());
        }
        let zero_point = setup.integer(ZERO_POINT)?;
        let zero_point = i32::try_from(zero_point)
            .ok()
            .filter(|z| (Q::MIN..=Q::MAX).contains(z))
            .ok_or_else(|| {
                let (min, max, name) = (Q::MIN, Q::MAX, Q::TYPE);
                alloc::format!(
                    "`--zero-point` is {zero_point}, but {name} goes from {min} to {max}"
                )
            })?;
        Ok(Self {
            scale,
            zero_point,
            least: (Q::MIN - zero_point) as f32,
            greatest: (Q::MAX - zero_point) as f32,
            of: PhantomData,
        })
    }

    fn run(
        &self,
        values: &[f32],
        mut quantized: BoundedMut<'_, Q>,
        _: &mut Call<'_>,
    ) -> Result<Flow, Fault> {
        quantized.truncate(values.len());
        for (q, x) in quantized.iter_mut().zip(values) {
            let steps = (x / self.scale).clamp(self.least, self.greatest);
            *q = Q::of(round(steps) + self.zero_point);
        }
        Ok(Flow::Output)
    }
}

/// The nearest integer, of two the one farther from zero; 0 for NaN.
///
/// Added is the greatest float below 1/2: with 1/2 itself, the number just below it would become 1.
fn round(x: f32) -> i32 {
    (x + 0.499_999_97_f32.copysign(x)) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_oracle() {
        rune_block_vectors::check(&NATIVE, include_str!("../vectors.json"));
    }

    /// Around every half and every integer that a 16-bit integer can be away from its zero point.
    #[test]
    fn rounds_as_libm_does() {
        for half in -131_072..=131_072 {
            let x = half as f32 / 2.0;
            for x in [x.next_down(), x, x.next_up()] {
                assert_eq!(round(x), libm::roundf(x) as i32, "{x}");
            }
        }
        assert_eq!(round(f32::NAN), 0);
    }
}
