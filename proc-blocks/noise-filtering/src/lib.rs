//! `noise-filtering`: what the first Rune's block of that name computes, on the first call as on any other.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

mod gain;

use rune_block_sdk::{Block, Call, Fault, Flow, Refusal, Scratch, Setup};

use gain::{Gain, SNR_BITS};

rune_block_sdk::block! {
    "../block.toml",
    "run" => NoiseFiltering,
}

/// Indices of the arguments in `block.toml`.
const STRENGTH: usize = 0;
const OFFSET: usize = 1;
const GAIN_BITS: usize = 2;
const SMOOTHING_BITS: usize = 3;
const EVEN_SMOOTHING: usize = 4;
const ODD_SMOOTHING: usize = 5;
const MIN_SIGNAL_REMAINING: usize = 6;

/// Bits after the point of a smoothing, and of the part of a signal.
const PART_BITS: u32 = 14;

/// An instance.
#[derive(Debug)]
pub struct NoiseFiltering {
    gain: Gain,
    /// By how much a product with the gain is too large, in bits.
    gain_shift: u32,
    smoothing_bits: u32,
    /// Of elements with an even index, then of those with an odd one.
    smoothing: [u32; 2],
    min_remaining: u32,
    /// The numbers before the logarithm.
    work: Scratch<u32>,
}

impl Block for NoiseFiltering {
    type Inputs = u32;
    type Outputs = i8;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        // The signature keeps all within the ranges that the arithmetic takes.
        let bits = |index| Ok::<_, Refusal>(setup.integer(index)? as u32);
        let part = |index| {
            let part = setup.float(index)? as f32;
            Ok::<_, Refusal>((part * (1 << PART_BITS) as f32) as u32)
        };
        let gain_bits = bits(GAIN_BITS)?;
        let smoothing_bits = bits(SMOOTHING_BITS)?;
        let strength = setup.float(STRENGTH)? as f32;
        let offset = setup.float(OFFSET)? as f32;
        Ok(Self {
            gain: Gain::new(strength, offset, gain_bits, smoothing_bits + 1),
            gain_shift: gain_bits + 1 - SNR_BITS,
            smoothing_bits,
            smoothing: [part(EVEN_SMOOTHING)?, part(ODD_SMOOTHING)?],
            min_remaining: part(MIN_SIGNAL_REMAINING)?,
            work: setup.scratch(setup.input(0).len())?,
        })
    }

    fn run(&self, input: &[u32], output: &mut [i8], call: &mut Call<'_>) -> Result<Flow, Fault> {
        let levels = call.scratch.get(&self.work);
        let (mut least, mut largest) = (u32::MAX, 0);
        let smoothings = self.smoothing.iter().cycle();
        for ((level, value), smoothing) in levels.iter_mut().zip(input).zip(smoothings) {
            let (signal, noise) = self.reduce_noise(*value, *smoothing);
            *level = self.normalize(signal, noise);
            least = least.min(*level);
            largest = largest.max(*level);
        }
        let low = log(least);
        let range = log(largest) - low;
        for (place, level) in output.iter_mut().zip(levels) {
            // Where all are the same it is 0 by 0, and a NaN becomes 0.
            *place = (255.0 * (log(*level) - low) / range - 128.0) as i8;
        }
        Ok(Flow::Output)
    }
}

impl NoiseFiltering {
    /// What is left of a value without its noise, and the estimate of the noise, which is scaled up.
    #[inline]
    fn reduce_noise(&self, value: u32, smoothing: u32) -> (u32, u32) {
        // What a large value loses here, it loses in the reference.
        let scaled = value << self.smoothing_bits;
        let noise = part(scaled, smoothing);
        let left = (scaled - noise) >> self.smoothing_bits;
        (left.max(part(value, self.min_remaining)), noise)
    }

    /// A signal in units of its noise, compressed: a square up to a knee, then a line.
    #[inline]
    fn normalize(&self, signal: u32, noise: u32) -> u32 {
        let product = u64::from(signal) * u64::from(self.gain.at(noise));
        let ratio = (product >> self.gain_shift) as u32;
        if ratio < 2 << SNR_BITS {
            (ratio * ratio) >> 20
        } else {
            (ratio >> 6) - 64
        }
    }
}

/// The part of a value, which is at most all of it, that a number with [`PART_BITS`] says.
#[inline]
fn part(value: u32, part: u32) -> u32 {
    ((u64::from(value) * u64::from(part)) >> PART_BITS) as u32
}

fn log(level: u32) -> f64 {
    libm::log2(f64::from(level) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rune_block_sdk::testing::{Data, Instance, Native, NativeInstance, Value};
    use rune_block_vectors::{Answer, Expected, Vectors};
    use std::slice;

    /// The defaults.
    const ARGS: [Value<'_>; 7] = [
        Value::Float(0.95),
        Value::Float(80.0),
        Value::Integer(21),
        Value::Integer(10),
        Value::Float(0.025),
        Value::Float(0.06),
        Value::Float(0.05),
    ];

    fn make(n: u32) -> Instance<NoiseFiltering> {
        Instance::new(&ARGS, &[&[n]], &[&[n]]).unwrap()
    }

    #[test]
    fn equals_the_oracle() {
        rune_block_vectors::check(&NATIVE, include_str!("../vectors.json"));
    }

    /// A case of a file of vectors, and its calls that have an output.
    fn case(native: &Native, json: &str, name: &str) -> (NativeInstance, Vec<(Data, Data)>) {
        let vectors = Vectors::parse(json, native.signature()).unwrap();
        let case = vectors.cases.iter().find(|case| case.name == name).unwrap();
        let Expected::Calls(calls) = &case.expected else {
            panic!("{name} is refused");
        };
        let call = |call: &rune_block_vectors::Call| match &call.answer {
            Answer::Output(outputs) => (call.inputs[0].clone(), outputs[0].clone()),
            other => panic!("{name} gives {other:?}"),
        };
        (
            case.native(native).unwrap(),
            calls.iter().map(call).collect(),
        )
    }

    /// On the spectrogram as `spectrogram` gives it, which is within 1 of the oracle's.
    #[test]
    fn features_of_speech_equal_those_of_the_oracles() {
        let json = include_str!("../../spectrogram/vectors.json");
        let native = &rune_block_spectrogram::NATIVE;
        let (mut first, samples) = case(native, json, "speech, two calls");
        let json = include_str!("../vectors.json");
        let name = "the spectrogram of speech, two calls";
        let (mut second, expected) = case(&NATIVE, json, name);
        assert!(samples.len() == 2 && expected.len() == 2);
        for ((samples, _), (_, expected)) in samples.iter().zip(&expected) {
            let spectrogram = first.run(slice::from_ref(samples)).unwrap().unwrap();
            let found = second.run(&spectrogram).unwrap().unwrap();
            let (Data::Bytes(found), Data::Bytes(expected)) = (&found[0], expected) else {
                panic!("features are numbers");
            };
            let differ = found.iter().zip(expected).filter(|(a, b)| a != b).count();
            assert!(
                found.len() == 1960 && differ <= 2,
                "{differ} features differ"
            );
        }
    }

    #[test]
    fn what_repeats_does_not_become_noise() {
        let input: Vec<u32> = (0..1960).map(|i| i * 37 % 65_537).collect();
        let mut block = make(1960);
        let (mut first, mut output) = (vec![0; 1960], vec![0; 1960]);
        block.run(&input, &mut first).unwrap();
        assert!(first.contains(&-128) && first.contains(&127));
        for _ in 0..100 {
            block.run(&input, &mut output).unwrap();
            assert_eq!(output, first);
        }
    }

    #[test]
    fn no_number_is_too_large() {
        let mut block = make(4);
        let mut output = [0; 4];
        for base in [0, 8191, 1 << 22, (1 << 22) - 1, u32::MAX - 3] {
            block
                .run(&[base, base + 1, base + 2, base + 3], &mut output)
                .unwrap();
        }
    }
}
