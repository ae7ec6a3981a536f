//! `resample`: the rate of a stream, changed by a fraction.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::{format, vec::Vec};
use core::marker::PhantomData;

use rune_block_dsp::{band::Band, design, polyphase::Polyphase, sample::Sample};
use rune_block_sdk::{Block, Call, Fault, Flow, Refusal, Scratch, Setup, State};

rune_block_sdk::block! {
    "../block.toml",
    "run.i16" => Resample<i16>,
    "run.f32" => Resample<f32>,
}

/// Indices of the arguments in `block.toml`.
const FROM: usize = 0;
const TO: usize = 1;
const STREAM: usize = 2;

/// Largest number in the reduced ratio of the rates.
const MAX_FACTOR: u32 = 1024;
/// Most rows of a call, so that no position at the common rate needs more than 32 bits.
const MAX_ROWS: usize = 1 << 21;
/// Samples at the lower rate to either side that an output depends on.
const REACH: usize = 10;
/// Shape of the window.
const BETA: f64 = 5.0;

/// An instance for samples of type `T`.
#[derive(Debug)]
pub struct Resample<T> {
    filter: Polyphase,
    channels: usize,
    /// Empty unless the calls are one stream.
    past: State<f32>,
    work: Scratch<f32>,
    of: PhantomData<T>,
}

impl<T: Sample> Block for Resample<T> {
    type Inputs = T;
    type Outputs = T;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        // The signature keeps both positive and within 20 bits.
        let (from, to) = (setup.integer(FROM)? as u32, setup.integer(TO)? as u32);
        let common = divisor(from, to);
        let (up, down) = (to / common, from / common);
        if up.max(down) > MAX_FACTOR {
            return Err(format!(
                "{to} to {from} is {up} / {down}, but the filter takes no numbers above {MAX_FACTOR}"
            )
            .into());
        }
        let (up, down) = (up as usize, down as usize);
        let dims = setup.input(0).dims();
        let rows = dims.first().map_or(1, |n| *n as usize);
        let channels: usize = dims.iter().skip(1).map(|d| *d as usize).product();
        if rows > MAX_ROWS {
            return Err(format!("{rows} rows a call, but it takes at most {MAX_ROWS}").into());
        }
        let stream = setup.bool(STREAM)?;
        if stream && !rows.is_multiple_of(down) {
            return Err(format!(
                "{rows} rows from {from} to {to} Hz are no whole number of rows: a stream takes a multiple of {down}, and anything goes with `--stream false`"
            )
            .into());
        }
        let half = REACH * up.max(down);
        let filter = Polyphase::new(
            &taps(up, down, half),
            up,
            down,
            if stream { 0 } else { half },
        );
        let outputs = (rows * up).div_ceil(down);
        let past = filter
            .history()
            .checked_mul(if stream { channels } else { 0 });
        Ok(Self {
            past: setup.state(past.unwrap_or(usize::MAX))?,
            work: setup.scratch(filter.room(rows, outputs))?,
            filter,
            channels,
            of: PhantomData,
        })
    }

    fn run(&self, samples: &[T], resampled: &mut [T], call: &mut Call<'_>) -> Result<Flow, Fault> {
        let (past, work) = (call.state.get(&self.past), call.scratch.get(&self.work));
        self.filter
            .run(self.channels, samples, resampled, past, work);
        Ok(Flow::Output)
    }
}

/// The low pass at half the lower rate, with the gain that makes up for the zeros put in.
fn taps(up: usize, down: usize, half: usize) -> Vec<f64> {
    let factor = up.max(down);
    if factor == 1 {
        // The edge is half the rate itself: nothing to cut.
        let mut taps = alloc::vec![0.0; 2 * half + 1];
        taps[half] = 1.0;
        return taps;
    }
    let window = design::kaiser(2 * half + 1, BETA);
    let mut taps = design::response(Band::Low(1.0 / factor as f64), &window);
    for tap in &mut taps {
        *tap *= up as f64;
    }
    taps
}

/// The greatest common divisor of two positive numbers.
fn divisor(mut a: u32, mut b: u32) -> u32 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use rune_block_sdk::testing::Instance;

    fn make<T: Sample>(
        (from, to): (i64, i64),
        stream: bool,
        rows: u32,
        out: u32,
    ) -> Result<Instance<Resample<T>>, Refusal> {
        let args = [from.into(), to.into(), stream.into()];
        Instance::new(&args, &[&[rows]], &[&[out]])
    }

    #[test]
    fn equals_the_oracle() {
        rune_block_vectors::check(&super::NATIVE, include_str!("../vectors.json"));
    }

    #[test]
    fn equal_rates_only_delay() {
        let input: Vec<i16> = (0..40).map(|i| i * i - 700).collect();
        let mut out = [1; 40];
        let mut block = make::<i16>((7, 7), false, 40, 40).unwrap();
        block.run(&input, &mut out).unwrap();
        assert_eq!(out, *input);
        let mut block = make::<i16>((7, 7), true, 40, 40).unwrap();
        block.run(&input, &mut out).unwrap();
        assert_eq!(out[10..], input[..30]);
        block.run(&input, &mut out).unwrap();
        assert_eq!(out[..10], input[30..]);
    }

    #[test]
    fn a_constant_stays() {
        let mut block = make::<f32>((48_000, 16_000), true, 480, 160).unwrap();
        let mut out = [0.0; 160];
        for _ in 0..2 {
            block.run(&[0.5_f32; 480], &mut out).unwrap();
        }
        assert!(out.iter().all(|y| (y - 0.5).abs() < 1e-3), "{out:?}");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(
            make::<i16>((44_100, 16_000), true, 440, 160)
                .unwrap_err()
                .message(),
            "440 rows from 44100 to 16000 Hz are no whole number of rows: a stream takes a multiple of 441, and anything goes with `--stream false`"
        );
        assert_eq!(
            make::<i16>((1025, 16), false, 4, 1).unwrap_err().message(),
            "16 to 1025 is 16 / 1025, but the filter takes no numbers above 1024"
        );
    }
}
