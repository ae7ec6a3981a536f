//! `slice`: a part of a tensor, along some dimensions.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod plan;

use alloc::{boxed::Box, vec, vec::Vec};
use core::marker::PhantomData;

use rune_block_sdk::{Block, Call, Element, Fault, Flow, Refusal, Scratch, Setup};

use plan::{Dim, Plan};

rune_block_sdk::block! {
    "../block.toml",
    shape = dims,
    "run.f32" => Slice<f32>,
    "run.f64" => Slice<f64>,
    "run.i8" => Slice<i8>,
    "run.i16" => Slice<i16>,
    "run.i32" => Slice<i32>,
    "run.i64" => Slice<i64>,
    "run.u8" => Slice<u8>,
    "run.u16" => Slice<u16>,
    "run.u32" => Slice<u32>,
    "run.u64" => Slice<u64>,
}

/// Indices of the arguments in `block.toml`.
const AXIS: usize = 0;
const START: usize = 1;
const END: usize = 2;
const STEP: usize = 3;

/// An instance for elements of type `T`.
#[derive(Debug)]
pub struct Slice<T> {
    /// Where the first element is.
    first: usize,
    /// The elements that follow each other at one distance.
    row: Dim,
    /// How rows follow each other, the outermost dimension first.
    outer: Box<[Dim]>,
    /// The index in each dimension of `outer`.
    counters: Scratch<u32>,
    of: PhantomData<T>,
}

fn plan(setup: &Setup<'_>) -> Result<Plan, Refusal> {
    let items = |arg| setup.texts(arg).map(Iterator::collect::<Vec<_>>);
    Plan::new(
        setup.input(0).dims(),
        &items(AXIS)?,
        [&items(START)?, &items(END)?, &items(STEP)?],
    )
}

fn dims(setup: &Setup<'_>) -> Result<Vec<Vec<u32>>, Refusal> {
    let dims = plan(setup)?.dims.iter().map(|d| d.count).collect();
    Ok(vec![dims])
}

impl<T: Element> Block for Slice<T> {
    type Inputs = T;
    type Outputs = T;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let Plan { first, dims } = plan(setup)?;
        let mut outer = plan::merge(&dims);
        let row = outer.pop().unwrap_or(Dim {
            count: 1,
            stride: 1,
        });
        Ok(Self {
            first,
            row,
            counters: setup.scratch(outer.len())?,
            outer: outer.into(),
            of: PhantomData,
        })
    }

    fn run(&self, values: &[T], part: &mut [T], call: &mut Call<'_>) -> Result<Flow, Fault> {
        let counters = call.scratch.get(&self.counters);
        counters.fill(0);
        let mut first = self.first as isize;
        for row in part.chunks_exact_mut(self.row.count as usize) {
            self.copy_row(values, first as usize, row);
            // As an odometer: a wheel that is round starts again and moves the one before it.
            for (counter, dim) in counters.iter_mut().zip(&self.outer).rev() {
                first += dim.stride;
                *counter += 1;
                if *counter < dim.count {
                    break;
                }
                first -= dim.stride * dim.count as isize;
                *counter = 0;
            }
        }
        Ok(Flow::Output)
    }
}

impl<T: Element> Slice<T> {
    fn copy_row(&self, values: &[T], first: usize, row: &mut [T]) {
        let step = self.row.stride.unsigned_abs();
        let span = (row.len() - 1) * step;
        if self.row.stride == 1 {
            row.copy_from_slice(&values[first..=first + span]);
        } else if self.row.stride > 0 {
            let from = values[first..=first + span].iter().step_by(step);
            row.iter_mut().zip(from).for_each(|(y, x)| *y = *x);
        } else {
            let from = values[first - span..=first].iter().rev().step_by(step);
            row.iter_mut().zip(from).for_each(|(y, x)| *y = *x);
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn equals_the_oracle() {
        rune_block_vectors::check(&super::NATIVE, include_str!("../vectors.json"));
    }
}
