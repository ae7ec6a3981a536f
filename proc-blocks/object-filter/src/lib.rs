//! `object-filter`: the objects a detector is sure of, each once.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use rune_block_sdk::{Block, Bounded, BoundedMut, Call, Fault, Flow, Refusal, Setup};

rune_block_sdk::block! { "../block.toml", "run" => ObjectFilter }

/// Index of the argument in `block.toml`.
const THRESHOLD: usize = 0;

/// Columns of a candidate before the scores of the classes.
const HEAD: usize = 5;
/// Columns of an object: x, y, height, width, confidence, class.
const OBJECT: usize = 6;
/// How near the centres of two boxes of one object are.
const NEAR: f32 = 0.01;
/// The class of an object that was dropped.
const DROPPED: f32 = -1.0;

/// An instance.
#[derive(Debug)]
pub struct ObjectFilter {
    columns: usize,
    threshold: f32,
}

impl Block for ObjectFilter {
    type Inputs = f32;
    type Outputs = Bounded<f32>;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let columns = match setup.input(0).dims() {
            [_, columns] => *columns as usize,
            _ => 0,
        };
        if columns <= HEAD {
            return Err(alloc::format!(
                "a row has {columns} columns, but it takes at least {}: x, y, height, width, objectness, and a score per class", HEAD + 1
            )
            .into());
        }
        Ok(Self {
            columns,
            threshold: setup.float(THRESHOLD)? as f32,
        })
    }

    fn run(
        &self,
        candidates: &[f32],
        mut objects: BoundedMut<'_, f32>,
        _: &mut Call<'_>,
    ) -> Result<Flow, Fault> {
        let mut sure = candidates
            .chunks_exact(self.columns)
            .filter(|row| row[HEAD - 1] > self.threshold)
            .filter_map(object);
        let mut count = 0;
        for (place, row) in objects.chunks_exact_mut(OBJECT).zip(&mut sure) {
            place.copy_from_slice(&row);
            count += 1;
        }
        let kept = drop_doubles(&mut objects[..count * OBJECT]);
        objects.truncate(kept * OBJECT);
        Ok(Flow::Output)
    }
}

/// The object of a candidate, unless all its scores are NaN.
fn object(row: &[f32]) -> Option<[f32; OBJECT]> {
    let mut best = None;
    for (class, score) in row[HEAD..].iter().enumerate() {
        if best.is_none_or(|(_, most)| *score >= most) && !score.is_nan() {
            best = Some((class, *score));
        }
    }
    let (class, confidence) = best?;
    Some([row[0], row[1], row[2], row[3], confidence, class as f32])
}

/// Keeps one of objects that are near each other, moves what is kept to the front, and counts it.
fn drop_doubles(objects: &mut [f32]) -> usize {
    let mut rest = &mut *objects;
    while let Some((first, others)) = rest.split_first_chunk_mut::<OBJECT>() {
        if first[5] != DROPPED {
            for other in others.chunks_exact_mut(OBJECT) {
                let is_near =
                    (first[0] - other[0]).abs() <= NEAR && (first[1] - other[1]).abs() <= NEAR;
                if !is_near || other[5] == DROPPED {
                    continue;
                }
                if first[4] > other[4] {
                    other[5] = DROPPED;
                } else {
                    first[5] = DROPPED;
                    break;
                }
            }
        }
        rest = others;
    }
    let mut kept = 0;
    for i in 0..objects.len() / OBJECT {
        let at = i * OBJECT;
        if objects[at + 5] != DROPPED {
            objects.copy_within(at..at + OBJECT, kept * OBJECT);
            kept += 1;
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use rune_block_sdk::testing::Instance;

    fn run(threshold: f64, rows: &[[f32; 7]]) -> Vec<f32> {
        let n = rows.len() as u32;
        let mut block =
            Instance::<ObjectFilter>::new(&[threshold.into()], &[&[n, 7]], &[&[n, 6]]).unwrap();
        let mut objects = vec![f32::NAN; rows.len() * OBJECT];
        let mut count = 0;
        let view = BoundedMut::new(&mut objects, &mut count);
        block.run(rows.as_flattened(), view).unwrap();
        objects.truncate(count);
        objects
    }

    #[test]
    fn equals_the_oracle() {
        rune_block_vectors::check(&super::NATIVE, include_str!("../vectors.json"));
    }

    #[test]
    fn the_threshold_itself_is_not_enough() {
        let rows = [
            [0.1, 0.1, 1.0, 1.0, 0.5, 0.2, 0.3],
            [0.9, 0.9, 1.0, 2.0, 0.501, 0.4, 0.4],
        ];
        assert_eq!(run(0.5, &rows), [0.9, 0.9, 1.0, 2.0, 0.4, 1.0]);
        assert!(run(0.9, &rows).is_empty());
    }

    #[test]
    fn of_a_chain_what_is_near_to_the_first_goes_first() {
        // The second is near to both others, which are not near to each other.
        let at = |x, confidence| [x, 0.5, 1.0, 1.0, 0.9, confidence, 0.0];
        let xs = |rows: &[[f32; 7]]| -> Vec<f32> {
            run(0.5, rows).chunks(OBJECT).map(|row| row[0]).collect()
        };
        assert_eq!(
            xs(&[at(0.5, 0.9), at(0.507, 0.8), at(0.514, 0.7)]),
            [0.5, 0.514]
        );
        assert_eq!(xs(&[at(0.5, 0.7), at(0.507, 0.8), at(0.514, 0.9)]), [0.514]);
        assert_eq!(xs(&[at(0.5, 0.8), at(0.507, 0.8)]), [0.507]);
    }

    #[test]
    fn nan_is_no_object() {
        let nan = f32::NAN;
        let rows = [
            [0.1, 0.1, 1.0, 1.0, nan, 0.2, 0.3],
            [0.3, 0.1, 1.0, 1.0, 0.9, nan, nan],
            [nan, 0.1, 1.0, 1.0, 0.9, nan, 0.3],
            [nan, 0.1, 1.0, 1.0, 0.9, 0.3, nan],
        ];
        let objects = run(0.5, &rows);
        assert_eq!(objects.len(), 12);
        assert_eq!((objects[5], objects[11]), (1.0, 0.0));
    }

    #[test]
    fn rows_without_classes_are_refused() {
        let refusal = Instance::<ObjectFilter>::new(&[0.5.into()], &[&[3, 5]], &[&[3, 6]]);
        assert!(
            refusal
                .unwrap_err()
                .message()
                .starts_with("a row has 5 columns")
        );
    }
}
