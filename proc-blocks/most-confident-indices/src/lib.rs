//! `most-confident-indices`: the indices of the largest elements, the most confident first.
//!
//! The output itself is the heap of the best so far, so a call takes O(n log count) and no other memory.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use core::{cmp::Ordering, marker::PhantomData};

use rune_block_sdk::{Block, Call, Element, Fault, Flow, Refusal, Setup};

rune_block_sdk::block! {
    "../block.toml",
    "run.f32" => MostConfident<f32>,
    "run.f64" => MostConfident<f64>,
    "run.i8" => MostConfident<i8>,
    "run.i16" => MostConfident<i16>,
    "run.i32" => MostConfident<i32>,
    "run.i64" => MostConfident<i64>,
    "run.u8" => MostConfident<u8>,
    "run.u16" => MostConfident<u16>,
    "run.u32" => MostConfident<u32>,
    "run.u64" => MostConfident<u64>,
}

/// An instance for elements of type `T`.
#[derive(Debug)]
pub struct MostConfident<T>(PhantomData<T>);

impl<T: Element> Block for MostConfident<T> {
    type Inputs = T;
    type Outputs = u32;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let (count, elements) = (setup.output(0).len(), setup.input(0).len());
        if count > elements {
            return Err(alloc::format!(
                "`--count` is {count}, but there are only {elements} elements"
            )
            .into());
        }
        Ok(Self(PhantomData))
    }

    fn run(&self, confidences: &[T], indices: &mut [u32], _: &mut Call<'_>) -> Result<Flow, Fault> {
        let count = indices.len();
        if count > confidences.len() {
            return Err(Fault::OutOfRange);
        }
        for (i, index) in indices.iter_mut().enumerate() {
            *index = i as u32;
        }
        // A heap with the least confident on top, so that the next candidate has one rival.
        for top in (0..count / 2).rev() {
            sink(indices, top, confidences);
        }
        for i in count..confidences.len() {
            if order(confidences, i as u32, indices[0]).is_lt() {
                indices[0] = i as u32;
                sink(indices, 0, confidences);
            }
        }
        // Take the top off again and again: the least confident goes to the end.
        for end in (1..count).rev() {
            indices.swap(0, end);
            sink(&mut indices[..end], 0, confidences);
        }
        Ok(Flow::Output)
    }
}

/// Moves the index at `at` down until neither child comes after it.
fn sink<T: Element>(heap: &mut [u32], mut at: usize, confidences: &[T]) {
    loop {
        let mut child = 2 * at + 1;
        if child >= heap.len() {
            return;
        }
        if child + 1 < heap.len() && order(confidences, heap[child], heap[child + 1]).is_lt() {
            child += 1;
        }
        if order(confidences, heap[child], heap[at]).is_lt() {
            return;
        }
        heap.swap(at, child);
        at = child;
    }
}

/// The order of two indices in the result: confidence falling, NaN last, index rising.
fn order<T: Element>(confidences: &[T], a: u32, b: u32) -> Ordering {
    let (x, y) = (confidences[a as usize], confidences[b as usize]);
    #[expect(clippy::eq_op, reason = "NaN alone is not itself")]
    let by_confidence = y.partial_cmp(&x).unwrap_or_else(|| (x != x).cmp(&(y != y)));
    by_confidence.then(a.cmp(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rune_block_sdk::testing::Instance;

    fn run<T: Element>(count: u32, confidences: &[T]) -> Result<Vec<u32>, Refusal> {
        let mut block = Instance::<MostConfident<T>>::new(
            &[i64::from(count).into()],
            &[&[confidences.len() as u32]],
            &[&[count]],
        )?;
        let mut indices = vec![99; count as usize];
        block.run(confidences, &mut indices).unwrap();
        Ok(indices)
    }

    #[test]
    fn the_largest_first() {
        assert_eq!(run(1, &[0.1_f32, 0.7, 0.2]), Ok(vec![1]));
        assert_eq!(run(3, &[1_u8, 9, 5, 7]), Ok(vec![1, 3, 2]));
        assert_eq!(run(2, &[-3_i64, i64::MIN, -2]), Ok(vec![2, 0]));
    }

    #[test]
    fn ties_keep_their_order() {
        assert_eq!(run(4, &[2_i8, 3, 3, 2]), Ok(vec![1, 2, 0, 3]));
        assert_eq!(run(2, &[0.0_f32, -0.0, 0.0]), Ok(vec![0, 1]));
    }

    #[test]
    fn nan_is_last() {
        let values = [f64::NAN, 1.0, f64::NEG_INFINITY, f64::NAN, 2.0];
        assert_eq!(run(5, &values), Ok(vec![4, 1, 2, 0, 3]));
        assert_eq!(run(1, &[f32::NAN]), Ok(vec![0]));
    }

    #[test]
    fn more_than_there_are_is_refused() {
        let refusal = run(4, &[1_u16, 2, 3]).unwrap_err();
        assert_eq!(
            refusal.message(),
            "`--count` is 4, but there are only 3 elements"
        );
    }

    /// A stable sort of all indices.
    #[test]
    fn equals_a_stable_sort() {
        let mut seed = 1_u32;
        for n in 1..60_usize {
            let values: Vec<i16> = (0..n)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (seed >> 27) as i16 - 16
                })
                .collect();
            let mut want: Vec<u32> = (0..n as u32).collect();
            want.sort_by_key(|i| -values[*i as usize]);
            for count in 1..=n {
                assert_eq!(run(count as u32, &values).as_deref(), Ok(&want[..count]));
            }
        }
    }
}
