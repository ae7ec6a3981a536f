//! `fir`: a finite impulse response over a stream.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::{format, vec::Vec};
use core::marker::PhantomData;

use rune_block_dsp::{
    band::{Band, Edges},
    design,
    polyphase::Polyphase,
    sample::Sample,
};
use rune_block_sdk::{Block, Call, Fault, Flow, Refusal, Scratch, Setup, State};

rune_block_sdk::block! {
    "../block.toml",
    "run.f32" => Fir<f32>,
    "run.i16" => Fir<i16>,
}

/// Indices of the arguments in `block.toml`.
const KIND: usize = 0;
const LENGTH: usize = 1;
const WINDOW: usize = 2;
const CUTOFF: usize = 3;
const LOW: usize = 4;
const HIGH: usize = 5;
const HZ: usize = 6;
const TAPS: usize = 7;
const DECIMATE: usize = 8;

/// Most taps of a filter that is given.
const MAX_TAPS: usize = 8191;

/// An instance for samples of type `T`.
#[derive(Debug)]
pub struct Fir<T> {
    filter: Polyphase,
    channels: usize,
    past: State<f32>,
    work: Scratch<f32>,
    of: PhantomData<T>,
}

impl<T: Sample> Block for Fir<T> {
    type Inputs = T;
    type Outputs = T;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let taps = taps(setup)?;
        let decimate = setup.integer(DECIMATE)? as usize;
        let dims = setup.input(0).dims();
        let rows = dims.first().map_or(1, |n| *n as usize);
        if !rows.is_multiple_of(decimate) {
            return Err(
                format!("{rows} rows are no multiple of the `--decimate` of {decimate}").into(),
            );
        }
        let channels: usize = dims.iter().skip(1).map(|d| *d as usize).product();
        let filter = Polyphase::new(&taps, 1, decimate, 0);
        let past = filter.history().checked_mul(channels);
        Ok(Self {
            past: setup.state(past.unwrap_or(usize::MAX))?,
            work: setup.scratch(filter.room(rows, rows / decimate))?,
            filter,
            channels,
            of: PhantomData,
        })
    }

    fn run(&self, samples: &[T], filtered: &mut [T], call: &mut Call<'_>) -> Result<Flow, Fault> {
        let (past, work) = (call.state.get(&self.past), call.scratch.get(&self.work));
        self.filter
            .run(self.channels, samples, filtered, past, work);
        Ok(Flow::Output)
    }
}

/// The response that the arguments give or describe, at least one tap.
fn taps(setup: &Setup<'_>) -> Result<Vec<f64>, Refusal> {
    let edges = Edges {
        cutoff: setup.float(CUTOFF)?,
        low: setup.float(LOW)?,
        high: setup.float(HIGH)?,
        hz: setup.float(HZ)?,
    };
    let taps = setup.numbers(TAPS, "--taps")?;
    if !taps.is_empty() {
        if !edges.absent() {
            return Err(
                "`--taps` is the whole filter; it takes no `--cutoff`, `--low`, `--high` or `--hz`"
                    .into(),
            );
        }
        if taps.len() > MAX_TAPS {
            return Err(format!("{} taps, but it takes at most {MAX_TAPS}", taps.len()).into());
        }
        if !all_finite(&taps) {
            return Err("a tap leaves the range of an f32".into());
        }
        return Ok(taps);
    }
    let kind = setup.text(KIND)?;
    let band = Band::new(kind, edges)?;
    let length = setup.integer(LENGTH)? as usize;
    if matches!(band, Band::High(_) | Band::Stop(..)) && length.is_multiple_of(2) {
        return Err(format!(
            "`--length` is {length}, but of `--kind {kind}` it must be odd, to pass half of `--hz`"
        )
        .into());
    }
    let terms: &[f64] = match setup.text(WINDOW)? {
        "hamming" => &[0.54, 0.46],
        "hann" => &[0.5, 0.5],
        "blackman" => &[0.42, 0.5, 0.08],
        _ => &[1.0],
    };
    let taps = design::response(band, &design::cosines(length, terms));
    if !all_finite(&taps) {
        return Err(format!(
            "{length} taps (`--length`) are too few: this window leaves nothing of the response"
        )
        .into());
    }
    Ok(taps)
}

/// Whether every tap is a finite f32.
fn all_finite(taps: &[f64]) -> bool {
    taps.iter().all(|tap| (*tap as f32).is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rune_block_sdk::testing::{Instance, Value};

    fn make<T: Sample>(
        taps: &[&str],
        (kind, length): (&str, i64),
        decimate: i64,
        dims: [&[u32]; 2],
    ) -> Result<Instance<Fir<T>>, Refusal> {
        let hz = if taps.is_empty() { 100.0 } else { 0.0 };
        let args = [
            kind.into(),
            length.into(),
            "hamming".into(),
            (hz / 4.0).into(),
            0.0.into(),
            0.0.into(),
            hz.into(),
            Value::Texts(taps),
            decimate.into(),
        ];
        Instance::new(&args, &[dims[0]], &[dims[1]])
    }

    fn refusal(taps: &[&str], design: (&str, i64), decimate: i64) -> String {
        let made = make::<f32>(taps, design, decimate, [&[6], &[6]]);
        made.unwrap_err().message().to_owned()
    }

    #[test]
    fn equals_the_oracle() {
        rune_block_vectors::check(&super::NATIVE, include_str!("../vectors.json"));
    }

    #[test]
    fn an_impulse_shows_the_taps_across_calls() {
        let mut block = make::<f32>(&["1", "-2", "3", "4"], ("low", 1), 1, [&[2], &[2]]).unwrap();
        let mut heard = Vec::new();
        for input in [[1.0_f32, 0.0], [0.0; 2], [0.0; 2]] {
            let mut out = [9.0; 2];
            block.run(&input, &mut out).unwrap();
            heard.extend(out);
        }
        assert_eq!(heard, [1.0, -2.0, 3.0, 4.0, 0.0, 0.0]);
    }

    #[test]
    fn what_is_not_finite_is_forgotten() {
        let mut block = make::<f32>(&["1", "1", "1"], ("low", 1), 1, [&[3], &[3]]).unwrap();
        let mut out = [0.0; 3];
        block.run(&[1.0, 1.0, f32::NAN], &mut out).unwrap();
        assert!(out[2].is_nan());
        block.run(&[1.0, 1.0, 1.0], &mut out).unwrap();
        assert!(out[0].is_nan() && out[1].is_nan());
        assert_eq!(out[2], 3.0);
    }

    #[test]
    fn integers_saturate() {
        let mut block = make::<i16>(&["2.5"], ("low", 1), 1, [&[4], &[4]]).unwrap();
        let mut out = [0; 4];
        block.run(&[1, 3, 20_000, -20_000], &mut out).unwrap();
        assert_eq!(out, [2, 8, i16::MAX, i16::MIN]);
    }

    #[test]
    fn what_cannot_be_a_filter_is_refused() {
        assert_eq!(
            refusal(&[], ("high", 64), 1),
            "`--length` is 64, but of `--kind high` it must be odd, to pass half of `--hz`"
        );
        assert_eq!(
            refusal(&["1"], ("low", 1), 4),
            "6 rows are no multiple of the `--decimate` of 4"
        );
        assert_eq!(
            refusal(&["1", "two"], ("low", 1), 1),
            "item 2 of `--taps` is `two`, not a finite number"
        );
        assert_eq!(
            refusal(&["1e39"], ("low", 1), 1),
            "a tap leaves the range of an f32"
        );
        assert_eq!(
            refusal(&vec!["1"; 8192], ("low", 1), 1),
            "8192 taps, but it takes at most 8191"
        );
    }
}
