//! Cases beside the vectors.

use super::*;
use rune_block_sdk::testing::{Instance, Value};

type Args<'a> = (&'a str, i64, [f64; 4], &'a [&'a str]);

fn make<T: Sample>(
    (kind, order, edges, sos): Args<'_>,
    dims: &[u32],
) -> Result<Instance<Biquad<T>>, Refusal> {
    let [cutoff, low, high, hz] = edges.map(Value::Float);
    let args = [
        kind.into(),
        order.into(),
        cutoff,
        low,
        high,
        hz,
        Value::Texts(sos),
    ];
    Instance::new(&args, &[dims], &[dims])
}

fn refusal(args: Args<'_>) -> String {
    make::<f32>(args, &[4]).unwrap_err().message().to_owned()
}

const LOW_40: Args<'static> = ("low", 4, [10.0, 0.0, 0.0, 100.0], &[]);

#[test]
fn equals_the_oracle() {
    rune_block_vectors::check(&super::NATIVE, include_str!("../vectors.json"));
}

/// Calls of any length are one stream, and channels know nothing of each other.
#[test]
fn calls_and_channels_are_streams() {
    let stream = |i: usize| (i * i % 17) as f32 - 8.0;
    let mut whole = [0.0; 60];
    let input: Vec<f32> = (0..60).map(stream).collect();
    make::<f32>(LOW_40, &[60])
        .unwrap()
        .run(&input, &mut whole)
        .unwrap();
    let mut block = make::<f32>(LOW_40, &[5, 2]).unwrap();
    for call in 0..12 {
        let rows: Vec<f32> = (5 * call..5 * call + 5)
            .flat_map(|i| [stream(i), 0.0])
            .collect();
        let mut out = [1.0; 10];
        block.run(&rows, &mut out).unwrap();
        for (i, row) in out.chunks_exact(2).enumerate() {
            assert_eq!(row, [whole[5 * call + i], 0.0]);
        }
    }
}

#[test]
fn recovers_from_what_is_not_finite() {
    let mut block = make::<f32>(LOW_40, &[2]).unwrap();
    let mut fresh = make::<f32>(LOW_40, &[2]).unwrap();
    let (mut out, mut want) = ([0.0; 2], [0.0; 2]);
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        block.run(&[1.0, bad], &mut out).unwrap();
        assert!(!out[1].is_finite());
    }
    block.run(&[1.0, 2.0], &mut out).unwrap();
    fresh.run(&[1.0, 2.0], &mut want).unwrap();
    assert_eq!(out, want);
}

#[test]
fn integers_saturate() {
    let gain = ("low", 2, [0.0; 4], &["3", "0", "0", "1", "0", "0"][..]);
    let mut block = make::<i16>(gain, &[4]).unwrap();
    let mut out = [0; 4];
    block.run(&[1, -2, 20_000, -20_000], &mut out).unwrap();
    assert_eq!(out, [3, -6, i16::MAX, i16::MIN]);
}

/// A decaying filter comes to rest, rather than to numbers that are slow to compute with.
#[test]
fn silence_becomes_zero() {
    let mut block = make::<f32>(LOW_40, &[100]).unwrap();
    let mut input = [0.0; 100];
    input[0] = 1.0;
    let mut out = [0.0; 100];
    for _ in 0..20 {
        block.run(&input, &mut out).unwrap();
        input[0] = 0.0;
    }
    assert_eq!(out, [0.0; 100]);
}

/// Every design is stable and has the gain of its kind at 0 and at half the rate.
#[test]
fn every_design_passes_what_it_should() {
    for order in 1..=16 {
        for (kind, edges, gain) in [
            ("low", [7.0, 0.0, 0.0], [1.0, 0.0]),
            ("high", [7.0, 0.0, 0.0], [0.0, 1.0]),
            ("band", [0.0, 15.0, 35.0], [0.0, 0.0]),
            ("stop", [0.0, 15.0, 35.0], [1.0, 1.0]),
        ] {
            let args = (kind, order, [edges[0], edges[1], edges[2], 100.0], &[][..]);
            for (flip, gain) in [1.0, -1.0].into_iter().zip(gain) {
                let mut block = make::<f32>(args, &[4000]).unwrap();
                let input: Vec<f32> = (0..4000)
                    .map(|i| if i % 2 == 0 { 1.0 } else { flip })
                    .collect();
                let mut out = vec![0.0; 4000];
                block.run(&input, &mut out).unwrap();
                let got = out[3999] * input[3999];
                assert!(
                    (got - gain).abs() < 1e-5,
                    "{kind} {order}: {got}, not {gain}"
                );
            }
        }
    }
}

#[test]
fn what_cannot_be_a_filter_is_refused() {
    assert_eq!(
        refusal(("low", 2, [50.0, 0.0, 0.0, 100.0], &[])),
        "`--cutoff` is 50 Hz, but it must lie between 0 and 50 Hz, half of `--hz`"
    );
    assert_eq!(
        refusal(("low", 2, [0.0; 4], &["1", "0", "0", "1", "0"])),
        "`--sos` holds 5 numbers, but each section takes six: b0,b1,b2,a0,a1,a2"
    );
    assert_eq!(
        refusal(("low", 2, [0.0; 4], &["1", "0", "0", "1", "zero", "0"])),
        "item 5 of `--sos` is `zero`, not a finite number"
    );
    assert_eq!(
        refusal(("low", 2, [0.0; 4], &["1", "0", "0", "0", "0", "0"])),
        "a0 of section 1 of `--sos` is 0"
    );
    for (kind, edges) in [
        ("low", [1e-30, 0.0, 0.0]),
        ("high", [1e-300, 0.0, 0.0]),
        ("band", [0.0, 1e-300, 2e-300]),
        ("stop", [0.0, 10.0, 10.000_000_000_000_002]),
    ] {
        assert_eq!(
            refusal((kind, 3, [edges[0], edges[1], edges[2], 100.0], &[])),
            "an edge is too near to 0, to half of `--hz` or to the other edge for f64",
            "{kind}"
        );
    }
    let unstable = "section 1 of `--sos` has a pole on or outside the unit circle";
    for a in [["-1", "0"], ["0", "1"], ["0", "-1"], ["2.5", "1.5"]] {
        let sos = ["1", "0", "0", "1", a[0], a[1]];
        assert_eq!(refusal(("low", 2, [0.0; 4], &sos)), unstable, "{a:?}");
    }
    let sos = ["1", "0", "0", "1", "0", "0"];
    assert_eq!(
        refusal(("low", 2, [1.0, 0.0, 0.0, 9.0], &sos)),
        "`--sos` is the whole filter; it takes no `--cutoff`, `--low`, `--high` or `--hz`"
    );
}
