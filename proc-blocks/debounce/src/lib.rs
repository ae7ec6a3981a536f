//! `debounce`: a value once it has been the same for several calls, and not again until another has.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

use core::marker::PhantomData;

use rune_block_sdk::{Block, Call, Element, Fault, Flow, Refusal, Setup, State};

rune_block_sdk::block! {
    "../block.toml",
    "run.u32" => Debounce<u32>,
    "run.u8" => Debounce<u8>,
    "run.i8" => Debounce<i8>,
    "run.u16" => Debounce<u16>,
    "run.i16" => Debounce<i16>,
    "run.i32" => Debounce<i32>,
    "run.u64" => Debounce<u64>,
    "run.i64" => Debounce<i64>,
    "run.f32" => Debounce<f32>,
    "run.f64" => Debounce<f64>,
}

/// Indices of the arguments in `block.toml`.
const COUNT: usize = 0;
const HOLD: usize = 1;

/// What [`Debounce::counters`] are.
const RUN: usize = 0;
const QUIET: usize = 1;
const GIVEN: usize = 2;

/// An instance for elements of type `T`.
#[derive(Debug)]
pub struct Debounce<T> {
    count: u32,
    hold: u32,
    /// How often in a row the value has come, up to `count`; how many calls are still to give nothing; and
    /// whether a value was ever given.
    counters: State<u32>,
    /// The value being counted, then the value given last.
    values: State<T>,
    of: PhantomData<T>,
}

impl<T: Element> Block for Debounce<T> {
    type Inputs = T;
    type Outputs = T;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let length = setup.input(0).len();
        Ok(Self {
            count: setup.integer(COUNT)? as u32,
            hold: setup.integer(HOLD)? as u32,
            counters: setup.state(3)?,
            values: setup.state(2 * length)?,
            of: PhantomData,
        })
    }

    fn run(&self, values: &[T], steady: &mut [T], call: &mut Call<'_>) -> Result<Flow, Fault> {
        let (counted, given) = call.state.get(&self.values).split_at_mut(values.len());
        let is_counted = are_same(values, counted);
        let is_given = are_same(values, given);
        if !is_counted {
            counted.copy_from_slice(values);
        }
        let counters = call.state.get(&self.counters);
        counters[RUN] = if is_counted {
            self.count.min(counters[RUN] + 1)
        } else {
            1
        };
        if counters[QUIET] > 0 {
            counters[QUIET] -= 1;
            return Ok(Flow::Nothing);
        }
        let is_new = counters[GIVEN] == 0 || !is_given;
        if counters[RUN] < self.count || !is_new {
            return Ok(Flow::Nothing);
        }
        counters[GIVEN] = 1;
        counters[QUIET] = self.hold;
        call.state.get(&self.values)[values.len()..].copy_from_slice(values);
        steady.copy_from_slice(values);
        Ok(Flow::Output)
    }
}

#[expect(clippy::eq_op, reason = "NaN alone is not itself")]
fn are_same<T: Element>(a: &[T], b: &[T]) -> bool {
    a.iter().zip(b).all(|(x, y)| x == y || (x != x && y != y))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rune_block_sdk::testing::Instance;

    /// The outputs of a run of calls, `None` where there was none.
    fn events<T: Element>(count: i64, hold: i64, calls: &[T]) -> Vec<Option<T>> {
        let mut block =
            Instance::<Debounce<T>>::new(&[count.into(), hold.into()], &[&[1]], &[&[1]]).unwrap();
        calls
            .iter()
            .map(|value| {
                let mut steady = [*value; 1];
                match block.run(&[*value], &mut steady).unwrap() {
                    Flow::Output => Some(steady[0]),
                    Flow::Nothing => None,
                }
            })
            .collect()
    }

    #[test]
    fn equals_the_oracle() {
        rune_block_vectors::check(&super::NATIVE, include_str!("../vectors.json"));
    }

    #[test]
    fn a_zero_is_a_value_from_the_first_call() {
        assert_eq!(events(1, 0, &[0_u32, 0, 0]), [Some(0), None, None]);
        assert_eq!(events(2, 0, &[0_u8, 0, 0]), [None, Some(0), None]);
    }

    #[test]
    fn a_glitch_repeats_nothing() {
        let calls = [7_i32, 7, 1, 7, 7, 7, 1, 1, 7, 7];
        let all = events(2, 0, &calls);
        let given: Vec<_> = all.iter().flatten().copied().collect();
        assert_eq!(given, [7, 1, 7]);
        assert_eq!((all[1], all[7], all[9]), (Some(7), Some(1), Some(7)));
    }

    #[test]
    fn not_a_number_is_a_value() {
        let all = events(2, 0, &[f32::NAN, -f32::NAN, f32::NAN, 0.0, -0.0]);
        assert!(all[1].is_some_and(f32::is_nan));
        assert_eq!(all[2..], [None, None, Some(-0.0)]);
    }

    #[test]
    fn what_stays_through_the_hold_is_given_after_it() {
        let all = events(1, 3, &[1_u32, 2, 2, 2, 2, 2]);
        assert_eq!(all, [Some(1), None, None, None, Some(2), None]);
    }

    #[test]
    fn counting_has_no_end() {
        let all = events(65_535, 0, &vec![9_u16; 140_000]);
        assert_eq!(all.iter().flatten().count(), 1);
        assert_eq!(all[65_534], Some(9));
    }
}
