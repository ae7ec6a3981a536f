//! Readings of accelerometers of every make.

use std::f64::consts::PI;

use rune_abi::{CapabilityKind, ElementType, Value};
use rune_adapt::{
    Axes, Axis, MotionFormat, MotionSource, Plan, Rate, Refusal, Response, ScanType, Source,
    StreamPlan, Unit,
};

use crate::support::{bytes_of_f32, bytes_of_i16, digest, plan_for, stream_plan, to_f32, whole};

/// A sensor of +-`range` g in 16 bits.
fn sensor(range: f64) -> MotionSource {
    MotionSource {
        rate: Some(Rate::hz(25)),
        format: MotionFormat::Counts(ScanType::S16),
        offset: 0.0,
        scale: MotionSource::scale_of_range(range, 16),
        unit: Unit::G,
        axes: Axes::SAME,
    }
}

fn planned(source: MotionSource, params: &[(&str, Value)]) -> Result<Plan, Refusal> {
    let kind = CapabilityKind::Accel;
    plan_for(
        kind,
        ElementType::F32,
        &[1, 3],
        params,
        &Source::Motion(source),
    )
}

fn convert(source: MotionSource, bytes: &[u8]) -> Vec<f32> {
    to_f32(&whole(stream_plan(planned(source, &[])), bytes))
}

#[test]
fn ranges_are_the_same_in_g() {
    let of_2 = convert(sensor(2.0), &bytes_of_i16(&[16_384, -32_768, 8_000]));
    assert_eq!(of_2, [1.0, -2.0, 8_000.0 / 16_384.0]);
    let of_8 = convert(sensor(8.0), &bytes_of_i16(&[4_096, -8_192, 2_000]));
    assert_eq!(of_8, of_2);
}

#[test]
fn units_offsets_and_counts_of_iio() {
    // As bma180 says: 12 bits in the upper part of 16; in_accel_scale in m/s².
    let source = MotionSource {
        format: MotionFormat::Counts("le:s12/16>>4".parse().unwrap()),
        offset: 24.0,
        scale: 9.806_65 / 1_000.0,
        unit: Unit::MetresPerSecondSquared,
        ..sensor(2.0)
    };
    let raw = |count: i16| count << 4 | 5;
    let found = convert(source, &bytes_of_i16(&[raw(976), raw(-1_024), raw(-24)]));
    for (found, want) in found.iter().zip([1.0, -1.0, 0.0]) {
        assert!((found - want).abs() < 1e-7, "{found} {want}");
    }
    let floats = MotionSource {
        format: MotionFormat::F32,
        scale: 1.0,
        ..sensor(2.0)
    };
    let values = [0.25, -1.5, 1e-20];
    assert_eq!(convert(floats, &bytes_of_f32(&values)), values);
}

#[test]
fn axes_are_turned_to_those_of_the_device() {
    let source = MotionSource {
        axes: Axes([Axis::MinusY, Axis::X, Axis::Z]),
        ..sensor(32_768.0)
    };
    assert_eq!(
        convert(source, &bytes_of_i16(&[1, 2, 3, -4, -5, -6])),
        [-2.0, 1.0, 3.0, 5.0, -4.0, -6.0]
    );
    let source = MotionSource {
        axes: Axes([Axis::MinusZ, Axis::MinusX, Axis::Y]),
        ..source
    };
    assert_eq!(
        convert(source, &bytes_of_i16(&[1, 2, 3])),
        [-3.0, -1.0, 2.0]
    );
}

fn at_25_hz(rate: Rate) -> StreamPlan {
    let source = MotionSource {
        rate: Some(rate),
        format: MotionFormat::F32,
        scale: 1.0,
        ..sensor(2.0)
    };
    stream_plan(planned(source, &[("hz", Value::Integer(25))]))
}

/// Frequencies in Hz on x, y and z that come from a sensor of this rate, as greatest values.
fn largest(rate: f64, plan: StreamPlan, hz: [f64; 3]) -> [f64; 3] {
    let frames = (60.0 * rate) as usize;
    let frame = |n: usize| hz.map(|f| (2.0 * PI * f * n as f64 / rate).sin() as f32);
    let values: Vec<f32> = (0..frames).flat_map(frame).collect();
    let out = to_f32(&whole(plan, &bytes_of_f32(&values)));
    let (frames, _) = out.as_chunks::<3>();
    assert_eq!(frames.len(), 1500);
    let inner = &frames[50..1450];
    [0, 1, 2].map(|axis| {
        inner
            .iter()
            .map(|f| f64::from(f[axis].abs()))
            .fold(0.0, f64::max)
    })
}

#[test]
fn rates_are_converted_as_promised() {
    let Response {
        pass,
        attenuation_db,
        ripple_db,
    } = Response::MOTION;
    let (edge, stop) = (pass * 12.5, (2.0 - pass) * 12.5);
    let (least, most) = (10f64.powf(-ripple_db / 20.0), 10f64.powf(ripple_db / 20.0));
    let gone = 10f64.powf(-attenuation_db / 20.0);
    for (numerator, denominator) in [(100, 1), (104, 1), (50, 1), (119, 1), (125, 2), (952, 1)] {
        let rate = Rate {
            numerator,
            denominator,
        };
        let hz = f64::from(numerator) / f64::from(denominator);
        let plan = at_25_hz(rate);
        assert!(f64::from(plan.delay()) / hz < 0.34, "{rate}");
        // Frequencies that do not repeat in step with the rate, so that tops of the waves are met.
        let [slow, middle, fast] = largest(hz, plan, [0.613, 3.107, edge - 0.003]);
        for gain in [slow, middle, fast] {
            assert!((0.999 * least..=most).contains(&gain), "{rate}: {gain}");
        }
        for gain in largest(
            hz,
            plan,
            [stop, f64::midpoint(stop, hz / 2.0), 0.99 * hz / 2.0],
        ) {
            assert!(gain <= gone, "{rate}: {gain}");
        }
    }
}

#[test]
fn gravity_is_there_from_the_first_window() {
    let values = [0.1f32, -0.2, 0.97].repeat(200);
    let out = to_f32(&whole(at_25_hz(Rate::hz(100)), &bytes_of_f32(&values)));
    assert_eq!(out.len(), 150);
    for (found, want) in out.iter().zip(values) {
        assert!((found - want).abs() < 1e-6, "{found} {want}");
    }
}

#[test]
fn the_bits_are_these_on_every_machine() {
    let mut random = crate::support::Random(5);
    let source = MotionSource {
        rate: Some(Rate::hz(104)),
        unit: Unit::MetresPerSecondSquared,
        axes: Axes([Axis::Y, Axis::MinusX, Axis::Z]),
        ..sensor(39.2266)
    };
    let plan = stream_plan(planned(source, &[("hz", Value::Integer(25))]));
    let found = digest(&whole(plan, &random.bytes(6 * 1000)));
    assert_eq!(found, 0x9806_3ea3_a19f_fdf2);
}
