//! Samples and pixels per second, with the sinc resampler of rubato as the peer of the same run.
//! Run with `cargo bench -p rune-adapt`.
#![allow(clippy::print_stdout, reason = "a benchmark prints")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on fails")]
#![allow(
    clippy::result_large_err,
    reason = "a refusal holds its reasons without an allocator"
)]

use std::{hint::black_box, time::Instant};

use rubato::{
    Resampler, SincFixedIn, SincInterpolationParameters, SincInterpolationType, WindowFunction,
};
use rune_abi::{ElementType, Value};
use rune_adapt::{
    Crop, ImageSource, PixelFormat, Plan, Rate, SampleFormat, SoundSource, Source, Stream,
};

#[path = "../tests/suite/manifest.rs"]
mod manifest;

const ROUNDS: usize = 9;

fn main() {
    println!(
        "{:<28} {:>14} {:>14} {:>7}",
        "sound", "samples/s", "rubato", "ratio"
    );
    for (given, channels) in [(44_100, 1), (48_000, 1), (44_100, 2), (16_000, 1)] {
        let ours = sound(given, channels);
        let name = format!("{given} Hz x {channels} -> 16000 Hz");
        if channels == 1 && given != 16_000 {
            let peer = rubato(given);
            println!("{name:<28} {ours:>14.0} {peer:>14.0} {:>7.2}", ours / peer);
        } else {
            println!("{name:<28} {ours:>14.0}");
        }
    }
    println!("\n{:<28} {:>14}", "640 x 480 -> 96 x 96 gray", "pixels/s");
    for format in [
        PixelFormat::Gray8,
        PixelFormat::Rgb8,
        PixelFormat::Rgb565,
        PixelFormat::Yuyv,
    ] {
        println!("{:<28} {:>14.0}", format!("{format:?}"), image(format));
    }
}

/// Frames of the source per second of work, the best of some rounds.
fn sound(given: u32, channels: u16) -> f64 {
    let source = SoundSource {
        rate: Rate::hz(given),
        channels,
        format: SampleFormat::S16,
    };
    let hz = [("hz", Value::Integer(16_000))];
    let Plan::Stream(plan) = planned(&[1600], ElementType::I16, &hz, &Source::Sound(source)) else {
        unreachable!("a microphone gives a stream");
    };
    let (words, ring) = (vec![0.0; plan.words()], vec![0; plan.ring_bytes()]);
    let mut stream = Stream::new(plan, words, ring).unwrap();
    let piece: Vec<u8> = noise().take(2 * 441 * usize::from(channels)).collect();
    let mut window = vec![0; plan.window_bytes()];
    let pieces = 1000;
    best(f64::from(pieces) * 441.0, || {
        for _ in 0..pieces {
            stream.push(black_box(&piece), None);
            while stream.read(&mut window).unwrap().is_some() {}
        }
    })
}

/// The same with rubato's sinc filter of the length of ours at 44.1 kHz, in f32, without a format to convert.
fn rubato(given: u32) -> f64 {
    let parameters = SincInterpolationParameters {
        sinc_len: 144,
        f_cutoff: 0.95,
        oversampling_factor: 160,
        interpolation: SincInterpolationType::Nearest,
        window: WindowFunction::BlackmanHarris2,
    };
    let ratio = 16_000.0 / f64::from(given);
    let mut resampler = SincFixedIn::<f32>::new(ratio, 1.0, parameters, 441, 1).unwrap();
    let piece: Vec<f32> = noise().take(441).map(|v| f32::from(v) / 256.0).collect();
    let mut out = resampler.output_buffer_allocate(true);
    let pieces = 1000;
    best(f64::from(pieces) * 441.0, || {
        for _ in 0..pieces {
            let input = [black_box(&piece[..])];
            resampler
                .process_into_buffer(&input, &mut out, None)
                .unwrap();
        }
    })
}

/// Pixels of the source per second of work.
fn image(format: PixelFormat) -> f64 {
    let source = ImageSource {
        width: 640,
        height: 480,
        stride: 0,
        format,
        crop: Crop::Whole,
    };
    let gray = [("pixel-format", Value::Text("GrayScale".to_owned()))];
    let source = Source::Image(source);
    let Plan::Image(plan) = planned(&[96, 96], ElementType::U8, &gray, &source) else {
        unreachable!("a camera gives pictures");
    };
    let picture: Vec<u8> = noise().take(plan.source_bytes()).collect();
    let mut out = vec![0; plan.output_bytes()];
    best(20.0 * 640.0 * 480.0, || {
        for _ in 0..20 {
            plan.convert(black_box(&picture), &mut out).unwrap();
        }
    })
}

fn best(work: f64, mut round: impl FnMut()) -> f64 {
    let times = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        round();
        start.elapsed().as_secs_f64()
    });
    work / times.fold(f64::INFINITY, f64::min)
}

fn noise() -> impl Iterator<Item = u8> {
    (0u32..).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
}

fn planned(dims: &[u32], element: ElementType, params: &[(&str, Value)], source: &Source) -> Plan {
    manifest::plan_for(source.kind(), element, dims, params, source).unwrap()
}
