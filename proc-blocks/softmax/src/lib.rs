//! `softmax`: probabilities of scores.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

use core::{
    marker::PhantomData,
    ops::{Div, Sub},
};

use rune_block_sdk::{Block, Bounded, BoundedMut, Call, Element, Fault, Flow, Refusal, Setup};

rune_block_sdk::block! {
    "../block.toml",
    "run.f32" => Softmax<f32>,
    "run.f64" => Softmax<f64>,
}

/// Index of the argument in `block.toml`.
const AXIS: usize = 0;

/// An instance for elements of type `T`.
#[derive(Debug)]
pub struct Softmax<T> {
    rows: Rows,
    of: PhantomData<T>,
}

/// How a tensor is divided into the elements that are summed with each other.
#[derive(Debug)]
enum Rows {
    /// Into as many equal parts.
    Count(usize),
    /// Into parts of this length.
    Length(usize),
}

/// A float.
pub trait Real: Element + Sub<Output = Self> + Div<Output = Self> + Into<f64> {
    /// Negative infinity.
    const LEAST: Self;
    /// Zero and one.
    const BITS: [Self; 2];
    /// The exponential function.
    #[must_use]
    fn exp(self) -> Self;
    /// The nearest value.
    fn of(value: f64) -> Self;
}

macro_rules! reals {
    ($($t:ty: $exp:path),*) => {$(
        impl Real for $t {
            const LEAST: Self = <$t>::NEG_INFINITY;
            const BITS: [Self; 2] = [0.0, 1.0];

            fn exp(self) -> Self {
                $exp(self)
            }

            fn of(value: f64) -> Self {
                value as $t
            }
        }
    )*};
}
reals!(f32: libm::expf, f64: libm::exp);

impl<T: Real> Block for Softmax<T> {
    type Inputs = T;
    type Outputs = Bounded<T>;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let scores = setup.input(0);
        let rows = match scores.dims().split_last() {
            Some((last, outer)) if setup.text(AXIS)? == "last" => {
                if scores.is_bound(outer.len()) {
                    Rows::Count(outer.iter().map(|d| *d as usize).product())
                } else {
                    Rows::Length(*last as usize)
                }
            }
            _ => Rows::Count(1),
        };
        Ok(Self {
            rows,
            of: PhantomData,
        })
    }

    fn run(
        &self,
        scores: &[T],
        mut probabilities: BoundedMut<'_, T>,
        _: &mut Call<'_>,
    ) -> Result<Flow, Fault> {
        let row = match self.rows {
            Rows::Count(count) => scores.len() / count.max(1),
            Rows::Length(length) => length,
        };
        // Rows without elements are none.
        let from = scores.chunks_exact(row.max(1));
        probabilities.truncate(from.len() * row);
        let rows = probabilities.chunks_exact_mut(row.max(1));
        rows.zip(from)
            .for_each(|(probabilities, scores)| softmax(scores, probabilities));
        Ok(Flow::Output)
    }
}

fn softmax<T: Real>(scores: &[T], probabilities: &mut [T]) {
    let max = scores
        .iter()
        .fold(T::LEAST, |max, x| if *x > max { *x } else { max });
    let weight = |x: T| {
        #[expect(clippy::eq_op, reason = "NaN alone is not itself")]
        if x != x || max.into().is_finite() {
            (x - max).exp()
        } else {
            T::BITS[usize::from(x == max)]
        }
    };
    // In f64, where the sum of many small numbers loses nothing that matters.
    let mut sum = 0.0;
    for (y, x) in probabilities.iter_mut().zip(scores) {
        *y = weight(*x);
        sum += (*y).into();
    }
    let sum = T::of(sum);
    for y in probabilities {
        *y = *y / sum;
    }
}

#[cfg(test)]
mod tests {
    use rune_block_sdk::{
        ElementType,
        testing::{Data, Type, Value},
    };

    #[test]
    fn equals_the_oracle() {
        rune_block_vectors::check(&super::NATIVE, include_str!("../vectors.json"));
    }

    /// The rows are as long as the bounded last dimension is in this call.
    #[test]
    fn rows_may_be_shorter() {
        let of = Type {
            element: ElementType::F32,
            dims: vec![2, 3],
            bounds: 0b10,
        };
        let args = [Value::Text("last")];
        let ports = [of];
        let mut softmax = super::NATIVE
            .init("run.f32", &args, &ports, &ports)
            .unwrap();
        let mut run = |scores: &[f32]| {
            let bytes = scores.iter().flat_map(|x| x.to_le_bytes()).collect();
            softmax.run(&[Data::Bytes(bytes)]).unwrap().unwrap()
        };
        let expected = |values: &[f32]| {
            vec![Data::Bytes(
                values.iter().flat_map(|x| x.to_le_bytes()).collect(),
            )]
        };
        assert_eq!(run(&[5.0, 5.0, -9.0, -9.0]), expected(&[0.5; 4]));
        assert_eq!(run(&[7.0, -7.0]), expected(&[1.0; 2]));
        assert_eq!(run(&[]), expected(&[]));
    }
}
