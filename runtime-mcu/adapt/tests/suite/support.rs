//! Streams run to their end, and their bytes.

use rune_abi::{CapabilityKind, ElementType, Value};
use rune_adapt::{ImagePlan, Plan, Refusal, SampleFormat, Source, Stream, StreamPlan};

pub(crate) use crate::manifest::plan_for;

/// A stream that owns its memory.
pub(crate) type Owned = Stream<Vec<f32>, Vec<u8>>;

pub(crate) fn stream_plan(plan: Result<Plan, Refusal>) -> StreamPlan {
    match plan.unwrap() {
        Plan::Stream(plan) => plan,
        Plan::Image(plan) => panic!("{plan:?}"),
    }
}

pub(crate) fn image_plan(plan: Result<Plan, Refusal>) -> ImagePlan {
    match plan.unwrap() {
        Plan::Image(plan) => plan,
        Plan::Stream(plan) => panic!("{plan:?}"),
    }
}

pub(crate) fn start(plan: StreamPlan) -> Owned {
    Stream::new(plan, vec![0.0; plan.words()], vec![0; plan.ring_bytes()]).unwrap()
}

/// The bytes of all windows of a recording.
pub(crate) fn whole(plan: StreamPlan, bytes: &[u8]) -> Vec<u8> {
    let mut stream = start(plan);
    let mut window = vec![0; plan.window_bytes()];
    let (mut taken, mut out) = (0, vec![]);
    loop {
        taken += stream.feed(&bytes[taken..], None);
        let ended = taken == bytes.len() && stream.finish();
        while stream.read(&mut window).unwrap().is_some() {
            out.extend(&window);
        }
        if ended {
            assert_eq!(stream.counters().windows_lost, 0);
            return out;
        }
    }
}

/// Mono or interleaved sound of I16 at `hz`, in windows of one sample.
pub(crate) fn sound_plan(source: rune_adapt::SoundSource, hz: i64) -> StreamPlan {
    let params = [("hz", Value::Integer(hz))];
    let source = Source::Sound(source);
    stream_plan(plan_for(
        CapabilityKind::Sound,
        ElementType::I16,
        &[1],
        &params,
        &source,
    ))
}

pub(crate) fn microphone(hz: u32, channels: u16, format: SampleFormat) -> rune_adapt::SoundSource {
    rune_adapt::SoundSource {
        rate: rune_adapt::Rate::hz(hz),
        channels,
        format,
    }
}

pub(crate) fn bytes_of_f32(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

pub(crate) fn bytes_of_i16(values: &[i16]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

pub(crate) fn to_i16(bytes: &[u8]) -> Vec<i16> {
    let (pairs, _) = bytes.as_chunks();
    pairs.iter().map(|b| i16::from_le_bytes(*b)).collect()
}

pub(crate) fn to_f32(bytes: &[u8]) -> Vec<f32> {
    let (words, _) = bytes.as_chunks();
    words.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

/// Random numbers by xorshift: G. Marsaglia, "Xorshift RNGs" (2003).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Below a bound.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 11) as usize % bound
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| (self.next() >> 32) as u8).collect()
    }
}

/// 64-bit FNV-1a.
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
