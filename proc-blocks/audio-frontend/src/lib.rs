//! `audio-frontend`: TensorFlow's features of speech, in integers, over a stream.
//!
//! The algorithm is that of TensorFlow's `lite/experimental/microfrontend`, step by step with its
//! roundings; `block.toml` says what the steps are, and vectors of TensorFlow's own operator and of
//! `pymicro-features` hold them to it.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod fft;
mod filterbank;
mod gain;

use alloc::{boxed::Box, vec, vec::Vec};
use core::f64::consts::PI;

use fft::Fft;
use filterbank::{Band, Filterbank, root};
use gain::{Gain, GainCurve, Log, Noise};
use rune_block_sdk::{Block, Call, Element, Fault, Flow, Refusal, Scratch, Setup, State};

rune_block_sdk::block! {
    "../block.toml",
    shape = shape,
    "run.i8" => Frontend<i8>,
    "run.u16" => Frontend<u16>,
    "run.f32" => Frontend<f32>,
}

/// Indices of the arguments in `block.toml`.
mod arg {
    pub(crate) const HZ: usize = 0;
    pub(crate) const WINDOW_MS: usize = 1;
    pub(crate) const STEP_MS: usize = 2;
    pub(crate) const CHANNELS: usize = 3;
    pub(crate) const LOW_HZ: usize = 4;
    pub(crate) const HIGH_HZ: usize = 5;
    pub(crate) const SMOOTHING_BITS: usize = 6;
    pub(crate) const EVEN_SMOOTHING: usize = 7;
    pub(crate) const ODD_SMOOTHING: usize = 8;
    pub(crate) const MIN_SIGNAL_REMAINING: usize = 9;
    pub(crate) const PCAN: usize = 10;
    pub(crate) const PCAN_STRENGTH: usize = 11;
    pub(crate) const PCAN_OFFSET: usize = 12;
    pub(crate) const GAIN_BITS: usize = 13;
    pub(crate) const LOG: usize = 14;
    pub(crate) const LOG_SHIFT: usize = 15;
    pub(crate) const FRAMES: usize = 16;
    pub(crate) const TABLES: usize = 17;
}

/// How long things are, in samples and rows.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    window: usize,
    step: usize,
    frames: usize,
    channels: usize,
}

impl Sizes {
    fn new(setup: &Setup<'_>) -> Result<Self, Refusal> {
        let hz = setup.integer(arg::HZ)?;
        let samples = |ms: i64| (ms * hz / 1000) as usize;
        let window = samples(setup.integer(arg::WINDOW_MS)?);
        let step = samples(setup.integer(arg::STEP_MS)?);
        if !(64..=4096).contains(&window) {
            return Err(alloc::format!(
                "a window of {window} samples, but it takes 64 to 4096; change `--window-ms`"
            )
            .into());
        }
        if step > window {
            return Err(alloc::format!(
                "a step of {step} samples, but it is 1 to the {window} of the window; change `--step-ms`"
            )
            .into());
        }
        let frames = match setup.integer(arg::FRAMES)? as usize {
            0 => {
                let given = setup.input(0).len();
                let Some(more) = given.checked_sub(window) else {
                    return Err(alloc::format!(
                        "{given} samples a call do not fill a window of {window}; say how many rows to give with `--frames`"
                    )
                    .into());
                };
                more / step + 1
            }
            frames => frames,
        };
        Ok(Self {
            window,
            step,
            frames,
            channels: setup.integer(arg::CHANNELS)? as usize,
        })
    }
}

fn shape(setup: &Setup<'_>) -> Result<Vec<Vec<u32>>, Refusal> {
    let sizes = Sizes::new(setup)?;
    Ok(vec![vec![sizes.frames as u32, sizes.channels as u32]])
}

/// An element type that features are given as.
pub trait Feature: Element + Default {
    /// The feature as this type.
    fn of(feature: u16) -> Self;
}

impl Feature for i8 {
    fn of(feature: u16) -> Self {
        let scaled = (u32::from(feature) * 256 + 333) / 666;
        (scaled.min(255) as i32 - 128) as Self
    }
}

impl Feature for u16 {
    fn of(feature: u16) -> Self {
        feature
    }
}

impl Feature for f32 {
    fn of(feature: u16) -> Self {
        // 10 / 256, which has few bits: the product is exact.
        Self::from(feature) * 0.039_062_5
    }
}

/// An instance that gives features as `T`.
#[derive(Debug)]
pub struct Frontend<T> {
    step: usize,
    channels: usize,
    /// The window with 12 bits.
    window: Box<[i16]>,
    fft: Fft,
    filters: Filterbank,
    noise: Noise,
    gain: Option<Gain>,
    log: Option<Log>,
    /// A signal is this many bits shorter than what the logarithm is of.
    correction: u32,
    /// The beginning of a window: as many samples as `Counters` says.
    samples: State<i16>,
    /// How many samples there are; how many rows, up to all; then the noise estimate of each channel.
    counters: State<u32>,
    rows: State<T>,
    /// The samples being transformed and room for that; afterwards the features of a row.
    work: Scratch<i16>,
}

/// Numbers before the estimates in the counters.
const COUNTERS: usize = 2;

impl<T: Feature> Block for Frontend<T> {
    type Inputs = i16;
    type Outputs = T;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let sizes = Sizes::new(setup)?;
        let wide = sizes.window.next_power_of_two();
        if sizes.channels > wide / 2 {
            return Err(alloc::format!(
                "{} channels, but this window tells only {} frequencies apart",
                sizes.channels,
                wide / 2
            )
            .into());
        }
        let tables = match setup.text(arg::TABLES)? {
            text if text.eq_ignore_ascii_case("single") => Tables::Single,
            _ => Tables::Double,
        };
        let band = Band {
            hz: setup.integer(arg::HZ)?,
            low: setup.float(arg::LOW_HZ)? as f32,
            high: setup.float(arg::HIGH_HZ)? as f32,
            channels: sizes.channels,
        };
        let noise = Noise {
            bits: setup.integer(arg::SMOOTHING_BITS)? as u32,
            smoothing: [
                Noise::coefficient(setup.float(arg::EVEN_SMOOTHING)?),
                Noise::coefficient(setup.float(arg::ODD_SMOOTHING)?),
            ],
            remaining: Noise::coefficient(setup.float(arg::MIN_SIGNAL_REMAINING)?),
        };
        let curve = GainCurve {
            strength: setup.float(arg::PCAN_STRENGTH)? as f32,
            offset: setup.float(arg::PCAN_OFFSET)? as f32,
            bits: setup.integer(arg::GAIN_BITS)? as u32,
        };
        // The FFT divides by its length, and the root halves the bits of the weights.
        let correction = wide.ilog2() - Filterbank::BITS / 2;
        let gain = if setup.bool(arg::PCAN)? {
            Some(Gain::new(curve, noise.bits, correction)?)
        } else {
            None
        };
        let log = if setup.bool(arg::LOG)? {
            Some(Log::new(setup.integer(arg::LOG_SHIFT)? as u32))
        } else {
            None
        };
        Ok(Self {
            step: sizes.step,
            channels: sizes.channels,
            window: window(sizes.window, tables),
            fft: Fft::new(wide),
            filters: Filterbank::new(band, wide, tables)?,
            noise,
            gain,
            log,
            correction,
            samples: setup.state(sizes.window)?,
            counters: setup.state(COUNTERS + sizes.channels)?,
            rows: setup.state(sizes.frames * sizes.channels)?,
            work: setup.scratch(2 * wide)?,
        })
    }

    fn run(
        &self,
        mut samples: &[i16],
        features: &mut [T],
        call: &mut Call<'_>,
    ) -> Result<Flow, Fault> {
        if samples.is_empty() {
            return Err(Fault::BadValue);
        }
        let all = (features.len() / self.channels) as u32;
        let [mut used, mut rows] = [0, 1].map(|i| call.state.get(&self.counters)[i]);
        let mut completed = false;
        loop {
            let kept = call.state.get(&self.samples);
            let room = &mut kept[used as usize..];
            let (now, later) = samples.split_at(room.len().min(samples.len()));
            room[..now.len()].copy_from_slice(now);
            used += now.len() as u32;
            samples = later;
            if (used as usize) < kept.len() {
                break;
            }
            self.row(call);
            call.state.get(&self.samples).copy_within(self.step.., 0);
            used -= self.step as u32;
            rows = all.min(rows + 1);
            completed = true;
        }
        call.state.get(&self.counters)[..COUNTERS].copy_from_slice(&[used, rows]);
        if !completed || rows < all {
            return Ok(Flow::Nothing);
        }
        features.copy_from_slice(call.state.get(&self.rows));
        Ok(Flow::Output)
    }
}

impl<T: Feature> Frontend<T> {
    /// Adds the row of the window that is full now, and drops the oldest.
    fn row(&self, call: &mut Call<'_>) {
        let work = call.scratch.get(&self.work);
        let (wide, room) = work.split_at_mut(work.len() / 2);
        let scale = self.windowed(call.state.get(&self.samples), wide);
        self.fft.transform(wide, room);
        let estimates = &mut call.state.get(&self.counters)[COUNTERS..];
        let channels = self.filters.energies(wide).zip(estimates);
        for ((channel, (energy, estimate)), feature) in channels.enumerate().zip(room) {
            let signal = self.noise.reduce(channel, root(energy) >> scale, estimate);
            *feature = self.feature(signal, *estimate) as i16;
        }
        let rows = call.state.get(&self.rows);
        rows.copy_within(self.channels.., 0);
        let last = rows.len() - self.channels;
        let work = call.scratch.get(&self.work);
        for (to, feature) in rows[last..].iter_mut().zip(&work[work.len() / 2..]) {
            *to = T::of(*feature as u16);
        }
    }

    /// The samples times the window, then zeros, all scaled up by as many bits as the largest has room
    /// for; gives those.
    fn windowed(&self, samples: &[i16], wide: &mut [i16]) -> u32 {
        let (used, rest) = wide.split_at_mut(samples.len());
        let mut largest = 0;
        for ((to, sample), factor) in used.iter_mut().zip(samples).zip(&self.window) {
            *to = ((i32::from(*sample) * i32::from(*factor)) >> 12) as i16;
            // The lowest number has no opposite, and so does not count.
            largest = largest.max(to.wrapping_abs());
        }
        let scale = (largest as u16).leading_zeros() - 1;
        for to in used {
            *to <<= scale;
        }
        rest.fill(0);
        scale
    }

    /// The feature of a channel from its signal without noise.
    fn feature(&self, signal: u32, estimate: u32) -> u16 {
        let signal = match &self.gain {
            Some(gain) => gain.apply(signal, estimate),
            None => signal,
        };
        let value = match &self.log {
            Some(log) => log.of(signal.wrapping_shl(self.correction)),
            None => signal,
        };
        u16::try_from(value).unwrap_or(u16::MAX)
    }
}

/// The floats that tables are computed in.
#[derive(Clone, Copy, Debug)]
enum Tables {
    /// f64, but for what the original stores as f32.
    Double,
    /// f32 all through.
    Single,
}

impl Tables {
    /// What these floats make of a result.
    fn round(self, x: f64) -> f64 {
        match self {
            Self::Double => x,
            Self::Single => f64::from(x as f32),
        }
    }

    /// A part of one as the nearest integer of 12 bits.
    fn bits(self, part: f64) -> i16 {
        libm::floor(self.round(part * 4096.0 + 0.5)) as i16
    }
}

/// Hann's window with 12 bits; between the samples, so that it has no zeros.
fn window(length: usize, tables: Tables) -> Box<[i16]> {
    let angle = (tables.round(PI) * 2.0 / length as f64) as f32;
    let factor = |i| {
        let place = tables.round(f64::from(angle) * (f64::from(i) + 0.5));
        let factor = (0.5 - 0.5 * tables.round(libm::cos(place))) as f32;
        tables.bits(f64::from(factor))
    };
    (0..length as u32).map(factor).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn equals_the_oracle() {
        rune_block_vectors::check(&super::NATIVE, include_str!("../vectors.json"));
    }
}
