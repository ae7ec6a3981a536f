//! `segment-output`: the class of every pixel, and the set of classes there are.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

use core::marker::PhantomData;

use rune_block_sdk::{
    Block, Bounded, BoundedMut, Call, Element, Fault, Flow, Refusal, Scratch, Setup,
};
use rune_block_tensor::greatest;

rune_block_sdk::block! {
    "../block.toml",
    "run.f32" => SegmentOutput<f32>,
    "run.u8" => SegmentOutput<u8>,
    "run.i8" => SegmentOutput<i8>,
}

/// An instance for scores of type `T`.
#[derive(Debug)]
pub struct SegmentOutput<T> {
    classes: usize,
    /// Per class, whether some pixel is of it.
    seen: Scratch<u8>,
    of: PhantomData<T>,
}

impl<T: Element> Block for SegmentOutput<T> {
    type Inputs = T;
    type Outputs = (u32, Bounded<u32>);

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let classes = setup.output(1).len();
        if classes == 0 {
            return Err("there are no classes to choose from".into());
        }
        Ok(Self {
            classes,
            seen: setup.scratch(classes)?,
            of: PhantomData,
        })
    }

    fn run(
        &self,
        scores: &[T],
        (map, mut present): (&mut [u32], BoundedMut<'_, u32>),
        call: &mut Call<'_>,
    ) -> Result<Flow, Fault> {
        let seen = call.scratch.get(&self.seen);
        seen.fill(0);
        for (class, pixel) in map.iter_mut().zip(scores.chunks_exact(self.classes)) {
            *class = greatest(pixel.iter().copied()).map_or(0, |(class, _)| class);
            if let Some(seen) = seen.get_mut(*class as usize) {
                *seen = 1;
            }
        }
        let there_are = (0..).zip(seen).filter(|(_, seen)| **seen != 0);
        let mut count = 0;
        for (place, (class, _)) in present.iter_mut().zip(there_are) {
            *place = class;
            count += 1;
        }
        present.truncate(count);
        Ok(Flow::Output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rune_block_sdk::testing::Instance;

    fn run<T: Element>(dims: [u32; 3], scores: &[T]) -> (Vec<u32>, Vec<u32>) {
        let [rows, columns, classes] = dims;
        let mut block =
            Instance::<SegmentOutput<T>>::new(&[], &[&dims], &[&[rows, columns], &[classes]])
                .unwrap();
        let mut map = vec![99; (rows * columns) as usize];
        let mut present = vec![99; classes as usize];
        let mut count = 0;
        let view = (&mut map[..], BoundedMut::new(&mut present, &mut count));
        block.run(scores, view).unwrap();
        present.truncate(count);
        (map, present)
    }

    #[test]
    fn equals_the_oracle() {
        rune_block_vectors::check(&super::NATIVE, include_str!("../vectors.json"));
    }

    #[test]
    fn is_right_below_zero_and_beside_nan() {
        let nan = f32::NAN;
        let (map, present) = run([2, 2, 2], &[-2.0, -1.0, nan, -3.0, nan, nan, -0.0, 0.0]);
        assert_eq!(map, [1, 1, 0, 0]);
        assert_eq!(present, [0, 1]);
        let lowest = [f32::NEG_INFINITY, nan, f32::NEG_INFINITY];
        assert_eq!(run([1, 1, 3], &lowest), (vec![0], vec![0]));
    }

    #[test]
    fn lists_only_what_is_there() {
        let (map, present) = run([1, 3, 4], &[0_u8, 0, 0, 9, 0, 1, 0, 0, 3, 3, 255, 255]);
        assert_eq!(map, [3, 1, 2]);
        assert_eq!(present, [1, 2, 3]);
        let (map, present) = run([1, 2, 3], &[-128_i8, -128, -127, 5, 4, 3]);
        assert_eq!((map, present), (vec![2, 0], vec![0, 2]));
    }

    #[test]
    fn no_classes_are_refused() {
        let refusal = Instance::<SegmentOutput<f32>>::new(&[], &[&[2, 2, 0]], &[&[2, 2], &[0]]);
        assert_eq!(
            refusal.unwrap_err().message(),
            "there are no classes to choose from"
        );
    }
}
