//! `biquad`: a cascade of second-order sections over a stream.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod butterworth;
mod section;

use alloc::{boxed::Box, vec::Vec};
use core::marker::PhantomData;

use rune_block_dsp::{
    band::{Band, Edges},
    sample::Sample,
};
use rune_block_sdk::{Block, Call, Fault, Flow, Refusal, Setup, State};
use section::{Memory, Section};

rune_block_sdk::block! {
    "../block.toml",
    "run.f32" => Biquad<f32>,
    "run.i16" => Biquad<i16>,
}

/// Indices of the arguments in `block.toml`.
const KIND: usize = 0;
const ORDER: usize = 1;
const CUTOFF: usize = 2;
const LOW: usize = 3;
const HIGH: usize = 4;
const HZ: usize = 5;
const SOS: usize = 6;

/// An instance for samples of type `T`.
#[derive(Debug)]
pub struct Biquad<T> {
    sections: Box<[Section]>,
    /// That of all sections for the first channel, then for the next.
    memory: State<Memory>,
    /// At least 1.
    channels: usize,
    of: PhantomData<T>,
}

impl<T: Sample> Block for Biquad<T> {
    type Inputs = T;
    type Outputs = T;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let sections = design(setup)?.into_boxed_slice();
        let channels: usize = setup
            .input(0)
            .dims()
            .iter()
            .skip(1)
            .map(|d| *d as usize)
            .product();
        if channels == 0 {
            return Err("the stream has no channels".into());
        }
        let count = sections.len().checked_mul(channels);
        Ok(Self {
            memory: setup.state(count.unwrap_or(usize::MAX))?,
            sections,
            channels,
            of: PhantomData,
        })
    }

    fn run(&self, samples: &[T], filtered: &mut [T], call: &mut Call<'_>) -> Result<Flow, Fault> {
        let memory = call.state.get(&self.memory);
        let order = self.sections.len();
        let rows = filtered
            .chunks_exact_mut(self.channels)
            .zip(samples.chunks_exact(self.channels));
        for (to, from) in rows {
            let channels = memory.chunks_exact_mut(order);
            for ((y, x), memory) in to.iter_mut().zip(from).zip(channels) {
                *y = T::nearest(section::step(&self.sections, memory, x.value().into()));
            }
        }
        memory.chunks_exact_mut(order).for_each(section::settle);
        Ok(Flow::Output)
    }
}

/// The sections that the arguments give or describe, at least one.
fn design(setup: &Setup<'_>) -> Result<Vec<Section>, Refusal> {
    let edges = Edges {
        cutoff: setup.float(CUTOFF)?,
        low: setup.float(LOW)?,
        high: setup.float(HIGH)?,
        hz: setup.float(HZ)?,
    };
    let numbers = setup.numbers(SOS, "--sos")?;
    if numbers.is_empty() {
        let band = Band::new(setup.text(KIND)?, edges)?;
        let sections = butterworth::sections(setup.integer(ORDER)? as u32, band);
        if !sections.iter().all(|s| s.is_finite() && s.is_stable()) {
            return Err(
                "an edge is too near to 0, to half of `--hz` or to the other edge for f64".into(),
            );
        }
        return Ok(sections);
    }
    if !edges.absent() {
        return Err(
            "`--sos` is the whole filter; it takes no `--cutoff`, `--low`, `--high` or `--hz`"
                .into(),
        );
    }
    Ok(Section::list(&numbers)?)
}

#[cfg(test)]
mod tests;
