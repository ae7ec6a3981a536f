//! Sound against a plain slow implementation, and measured against what is promised of it.

use std::f64::consts::PI;

use rune_adapt::{Response, SampleFormat, StreamPlan};

use crate::support::{
    Random, bytes_of_f32, bytes_of_i16, digest, microphone, sound_plan, to_i16, whole,
};

/// Rates of sources and of runes.
const RATES: &[(u32, i64)] = &[
    (44_100, 16_000),
    (48_000, 16_000),
    (96_000, 16_000),
    (22_050, 16_000),
    (48_000, 44_100),
    (16_000, 8_000),
    (44_100, 8_000),
];

fn mono(given: u32, wanted: i64) -> StreamPlan {
    sound_plan(microphone(given, 1, SampleFormat::F32), wanted)
}

/// What comes out of a sine of amplitude 0.9, in parts of full scale, without what the ends disturb.
fn of_sine(given: u32, wanted: i64, hz: f64) -> Vec<f64> {
    let outputs = 3000;
    let inputs = outputs * given as usize / wanted as usize;
    let sine = |n: usize| (0.9 * (2.0 * PI * hz * n as f64 / f64::from(given)).sin()) as f32;
    let sine: Vec<f32> = (0..inputs).map(sine).collect();
    let out = to_i16(&whole(mono(given, wanted), &bytes_of_f32(&sine)));
    let out = &out[100..out.len() - 100];
    out.iter().map(|v| f64::from(*v) / 32_768.0).collect()
}

/// Amplitude of the part of a signal at a frequency in cycles per sample, and that of the rest as if it were
/// a sine, by least squares.
fn at(signal: &[f64], frequency: f64) -> (f64, f64) {
    let wave = |n: usize| (2.0 * PI * frequency * (n + 100) as f64).sin_cos();
    let (mut ss, mut sc, mut cc, mut sy, mut cy) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (n, y) in signal.iter().enumerate() {
        let (s, c) = wave(n);
        ss += s * s;
        sc += s * c;
        cc += c * c;
        sy += s * y;
        cy += c * y;
    }
    let det = ss * cc - sc * sc;
    let (a, b) = ((sy * cc - cy * sc) / det, (cy * ss - sy * sc) / det);
    let rest: f64 = signal
        .iter()
        .enumerate()
        .map(|(n, y)| {
            let (s, c) = wave(n);
            (y - a * s - b * c).powi(2)
        })
        .sum();
    // An output belongs to its place in the input: the sine comes out in the same phase.
    assert!(b.abs() < 2e-4 * (1.0 + a.abs()), "moved in time: {a} {b}");
    (a.hypot(b), (2.0 * rest / signal.len() as f64).sqrt())
}

fn db(ratio: f64) -> f64 {
    20.0 * ratio.log10()
}

#[test]
fn the_pass_band_is_flat_and_clean() {
    let Response {
        pass,
        attenuation_db,
        ripple_db,
    } = Response::SOUND;
    for &(given, wanted) in RATES {
        let edge = pass * wanted as f64 / 2.0;
        for part in 1..=24 {
            let hz = edge * f64::from(part) / 24.0;
            let (gain, rest) = at(&of_sine(given, wanted, hz), hz / wanted as f64);
            let (gain, rest) = (db(gain / 0.9), db(rest / 0.9));
            assert!(gain.abs() <= ripple_db, "{given} {wanted} {hz}: {gain} dB");
            assert!(
                rest <= -attenuation_db,
                "{given} {wanted} {hz}: {rest} dB beside"
            );
        }
    }
}

#[test]
fn what_would_fold_into_the_pass_band_is_gone() {
    let Response {
        pass,
        attenuation_db,
        ..
    } = Response::SOUND;
    for &(given, wanted) in RATES {
        let (stop, end) = ((2.0 - pass) * wanted as f64 / 2.0, f64::from(given) / 2.0);
        for part in (0..48).filter(|_| stop < end) {
            let hz = stop + (end - stop) * f64::from(part) / 48.0;
            let out = of_sine(given, wanted, hz);
            let power: f64 = out.iter().map(|v| v * v).sum::<f64>() / out.len() as f64;
            let left = db((2.0 * power).sqrt() / 0.9);
            assert!(left <= -attenuation_db, "{given} {wanted} {hz}: {left} dB");
        }
    }
}

/// The same conversion as one sum over all inputs, in f64: sinc under a Kaiser window, of which the Bessel
/// function is an integral here.
fn reference(plan: &StreamPlan, given: u32, wanted: i64, input: &[f64]) -> Vec<f64> {
    let half = f64::from(plan.delay());
    let beta = 0.1102 * (Response::SOUND.attenuation_db + 2.0 - 8.7);
    let bessel = |x: f64| {
        let steps = 64;
        let angle = |i: i32| PI * (f64::from(i) + 0.5) / f64::from(steps);
        (0..steps).map(|i| (x * angle(i).cos()).exp()).sum::<f64>() / f64::from(steps)
    };
    let ratio = f64::from(given) / wanted as f64;
    let impulse = |t: f64| {
        let inside = 1.0 - (t / half).powi(2);
        let x = PI * t / ratio;
        let sinc = if t.abs() < 1e-9 { 1.0 } else { x.sin() / x };
        if inside <= 0.0 {
            0.0
        } else {
            sinc * bessel(beta * inside.sqrt())
        }
    };
    let (given, wanted) = (given as usize, wanted as usize);
    let outputs = (input.len() * wanted).div_ceil(given);
    (0..outputs)
        .map(|k| {
            // Exact, as it matters whether an input lies at the very edge of the window.
            let before = (k * given / wanted) as i64;
            let after = (k * given % wanted) as f64 / wanted as f64;
            let (mut sum, mut weights) = (0.0, 0.0);
            for n in before - half as i64..=before + 1 + half as i64 {
                let weight = impulse((before - n) as f64 + after);
                let inside = n.clamp(0, input.len() as i64 - 1);
                sum += weight * input[inside as usize];
                weights += weight;
            }
            sum / weights
        })
        .collect()
}

#[test]
fn noise_is_converted_as_the_plain_sum_says() {
    for &(given, wanted) in RATES {
        let samples = to_i16(&Random(7).bytes(2 * 2500));
        let input: Vec<f64> = samples.iter().map(|v| f64::from(*v) / 2.5).collect();
        let floats: Vec<f32> = input.iter().map(|v| (*v / 32_768.0) as f32).collect();
        let plan = mono(given, wanted);
        let found = to_i16(&whole(plan, &bytes_of_f32(&floats)));
        let reference = reference(&plan, given, wanted, &input);
        assert_eq!(found.len(), reference.len(), "{given} {wanted}");
        for (i, (found, reference)) in found.iter().zip(&reference).enumerate() {
            let error = (f64::from(*found) - reference).abs();
            assert!(error < 0.51, "{given} {wanted} at {i}: {found} {reference}");
        }
    }
}

#[test]
fn the_same_rate_and_format_is_the_same_sound() {
    let all: Vec<i16> = (i16::MIN..=i16::MAX).collect();
    let plan = sound_plan(microphone(16_000, 1, SampleFormat::S16), 16_000);
    assert_eq!((plan.words(), plan.delay(), plan.response()), (0, 0, None));
    assert_eq!(to_i16(&whole(plan, &bytes_of_i16(&all))), all);
}

#[test]
fn a_constant_stays_what_it_is_from_the_first_sample_to_the_last() {
    for &(given, wanted) in RATES {
        let plan = sound_plan(microphone(given, 1, SampleFormat::S16), wanted);
        for level in [i16::MIN, -1, 0, 1, 12_345, i16::MAX] {
            let out = to_i16(&whole(plan, &bytes_of_i16(&vec![level; 700])));
            let want = (700 * wanted as usize).div_ceil(given as usize);
            assert_eq!(out, vec![level; want], "{given} {wanted}");
        }
    }
}

#[test]
fn overshoot_ends_at_full_scale() {
    let plan = sound_plan(microphone(48_000, 1, SampleFormat::S16), 16_000);
    let square: Vec<i16> = (0..3000)
        .map(|n| if n / 75 % 2 == 0 { i16::MAX } else { i16::MIN })
        .collect();
    let out = to_i16(&whole(plan, &bytes_of_i16(&square)));
    for pair in out.windows(2) {
        assert!((i32::from(pair[0]) - i32::from(pair[1])).abs() < 65_536);
        let steep = pair[0].abs_diff(pair[1]) > 50_000;
        assert!(
            !steep || pair[0].signum() != pair[1].signum(),
            "wrapped around: {pair:?}"
        );
    }
    assert!(out.contains(&i16::MAX) && out.contains(&i16::MIN));
}

#[test]
fn stereo_is_the_mean_of_its_channels() {
    let left = to_i16(&Random(3).bytes(2000));
    let right = to_i16(&Random(4).bytes(2000));
    let frames: Vec<i16> = left
        .iter()
        .zip(&right)
        .flat_map(|(l, r)| [*l, *r])
        .collect();
    let stereo = sound_plan(microphone(44_100, 2, SampleFormat::S16), 16_000);
    let mean: Vec<f32> = left
        .iter()
        .zip(&right)
        .map(|(l, r)| (f32::from(*l) + f32::from(*r)) / 65_536.0)
        .collect();
    assert_eq!(
        whole(stereo, &bytes_of_i16(&frames)),
        whole(mono(44_100, 16_000), &bytes_of_f32(&mean))
    );
}

#[test]
fn the_bits_are_these_on_every_machine() {
    let noise = Random(11).bytes(4 * 5000);
    let bits = |given, wanted| {
        let plan = sound_plan(microphone(given, 2, SampleFormat::S16), wanted);
        digest(&whole(plan, &noise))
    };
    let found = RATES.iter().map(|(given, wanted)| bits(*given, *wanted));
    let want = [
        0xc04d_1636_6d88_a466,
        0x55b1_37f2_8ddc_7764,
        0xa7d3_2b35_193f_6bcf,
        0x1b54_94dc_c65b_cd77,
        0x6c2f_2373_26b8_b9a2,
        0x243d_2c17_12a2_2ef6,
        0x6128_3ccb_608c_f010,
    ];
    assert_eq!(found.collect::<Vec<_>>(), want);
}
