//! Every block of the catalogue and every element type it has, against an oracle in plain Rust.

use std::f64::consts::TAU;

use rune_abi::Fault;
use rune_blocks::Wasmi;
use rune_ir::{
    args::Bound,
    block::{BlockEngine, InitError},
    eval::Data,
    object::{Function, Object, Target},
    ty::{ElementType, TensorType},
};

use crate::{Number, block, catalogued, instance, random::Random, run, tensor, values};

#[test]
fn fft_is_the_transform() {
    let fft = block(catalogued("fft"));
    let mut random = Random::new(1);
    for n in [1, 2, 3, 30, 64, 101, 480] {
        let samples: Vec<i16> = (0..n).map(|_| (random.float() * 30000.0) as i16).collect();
        let floats: Vec<f32> = samples.iter().map(|s| f32::from(*s)).collect();
        let out = TensorType::new(ElementType::F32, &[n]);
        let of_ints = run(&fft, &[], &[tensor(&samples)], std::slice::from_ref(&out)).unwrap();
        let of_floats = run(&fft, &[], &[tensor(&floats)], &[out]).unwrap();
        assert_eq!(of_ints, of_floats);
        let magnitudes = values::<f32>(&of_ints[0]);
        let largest = magnitudes.iter().copied().fold(0.0, f32::max);
        for (k, m) in magnitudes.iter().enumerate() {
            let (mut re, mut im) = (0.0, 0.0);
            for (j, x) in samples.iter().enumerate() {
                let angle = TAU * (j * k) as f64 / f64::from(n);
                re += f64::from(*x) * cosine(angle);
                im += f64::from(*x) * cosine(angle - TAU / 4.0);
            }
            let error = (f64::from(*m) - (re * re + im * im).sqrt()).abs();
            assert!(
                error < 1e-6 * f64::from(largest),
                "element {k} of {n}: {error}"
            );
        }
    }
}

/// Cosine by its series after folding, so that the oracle shares nothing with the block.
fn cosine(x: f64) -> f64 {
    let x = x - (x / TAU).round() * TAU;
    let (mut term, mut sum) = (1.0, 1.0);
    for i in 1..20 {
        term *= -x * x / f64::from((2 * i - 1) * (2 * i));
        sum += term;
    }
    sum
}

#[test]
fn modulo_is_the_remainder_in_every_type() {
    fn check<T: Number + PartialEq + std::fmt::Debug>(
        values_in: &[T],
        modulus: f64,
        want: impl Fn(T) -> T,
    ) {
        let modulo = block(catalogued("modulo"));
        let input = tensor(values_in);
        let ty = input.0.clone();
        let out = run(&modulo, &[Bound::Float(modulus)], &[input], &[ty]).unwrap();
        let want: Vec<T> = values_in.iter().map(|x| want(*x)).collect();
        assert_eq!(values::<T>(&out[0]), want);
    }
    check(&[725.5_f32, -725.5, 0.0, 359.999], 360.0, |x| x % 360.0);
    check(&[1e300_f64, -7.25, 3.5], 2.5, |x| x % 2.5);
    check(&[7_i8, -7, i8::MIN], -3.0, |x| x % -3);
    check(&[i16::MIN, 999], 1000.0, |x| x % 1000);
    check(&[i32::MIN, i32::MAX], -1.0, |_| 0);
    check(&[i64::MIN, i64::MAX, -5], 4.0, |x| x % 4);
    check(&[255_u8, 0], 255.0, |x| x % 255);
    check(&[u16::MAX, 9], 10.0, |x| x % 10);
    check(&[u32::MAX, 9], 4_294_967_295.0, |x| x % u32::MAX);
    check(&[u64::MAX, 9], 1e18, |x| x % 1_000_000_000_000_000_000);
}

#[test]
fn normalize_scales_in_both_types() {
    let normalize = block(catalogued("normalize"));
    let input = tensor(&[-2.0_f32, 2.0, 0.0]);
    let ty = input.0.clone();
    let out = run(&normalize, &[], &[input], &[ty]).unwrap();
    assert_eq!(values::<f32>(&out[0]), [0.0, 1.0, 0.5]);
    let input = tensor(&[7.0_f64; 3]);
    let ty = input.0.clone();
    let out = run(&normalize, &[], &[input], &[ty]).unwrap();
    assert_eq!(values::<f64>(&out[0]), [7.0; 3]);
}

#[test]
fn most_confident_indices_sort_in_every_type() {
    fn check<T: Number + PartialOrd>(confidences: &[T]) {
        let most = block(catalogued("most-confident-indices"));
        let mut want: Vec<u32> = (0..confidences.len() as u32).collect();
        want.sort_by(|a, b| {
            confidences[*b as usize]
                .partial_cmp(&confidences[*a as usize])
                .unwrap()
        });
        for count in [1, confidences.len()] {
            let ty = TensorType::new(ElementType::U32, &[count as u32]);
            let out = run(
                &most,
                &[Bound::Integer(count as i64)],
                &[tensor(confidences)],
                &[ty],
            )
            .unwrap();
            assert_eq!(values::<u32>(&out[0]), want[..count]);
        }
    }
    let mut random = Random::new(2);
    let x: Vec<f64> = (0..57).map(|_| (random.float() * 20.0).round()).collect();
    check(&x);
    check(&x.iter().map(|x| *x as f32).collect::<Vec<_>>());
    check(&x.iter().map(|x| *x as i8).collect::<Vec<_>>());
    check(&x.iter().map(|x| *x as i16).collect::<Vec<_>>());
    check(&x.iter().map(|x| *x as i32).collect::<Vec<_>>());
    check(&x.iter().map(|x| *x as i64).collect::<Vec<_>>());
    check(&x.iter().map(|x| *x as u8).collect::<Vec<_>>());
    check(&x.iter().map(|x| *x as u16).collect::<Vec<_>>());
    check(&x.iter().map(|x| *x as u32).collect::<Vec<_>>());
    check(&x.iter().map(|x| *x as u64).collect::<Vec<_>>());
}

/// Labels as a list, labels as a text.
fn labels(list: &[&str], words: &str) -> [Bound; 2] {
    let list = list.iter().map(|l| (*l).to_owned()).collect();
    [Bound::List(list), Bound::Text(words.to_owned())]
}

#[test]
fn label_names_in_every_type() {
    fn check<T: Number>(indices: &[T]) {
        let label = block(catalogued("label"));
        let ty = TensorType::new(ElementType::Utf8, &[indices.len() as u32]);
        for args in [
            labels(&["Wing", "Ring", "caf\u{e9}"], ""),
            labels(&[], " Wing\nRing\ncaf\u{e9}\n"),
        ] {
            let out = run(&label, &args, &[tensor(indices)], std::slice::from_ref(&ty)).unwrap();
            let want = ["caf\u{e9}", "Wing", "Ring", "Ring"]
                .map(str::to_owned)
                .to_vec();
            assert_eq!(out, [Data::Strings(want)]);
        }
        let args = labels(&["Wing", "Ring"], "");
        let fault = run(&label, &args, &[tensor(indices)], &[ty]);
        assert_eq!(fault, Err(Fault::OutOfRange as i32));
    }
    check(&[2_u8, 0, 1, 1]);
    check(&[2_i8, 0, 1, 1]);
    check(&[2_u16, 0, 1, 1]);
    check(&[2_i16, 0, 1, 1]);
    check(&[2_u32, 0, 1, 1]);
    check(&[2_i32, 0, 1, 1]);
    check(&[2_u64, 0, 1, 1]);
    check(&[2_i64, 0, 1, 1]);
    check(&[2.0_f32, 0.0, 1.0, 1.0]);
    check(&[2.0_f64, 0.0, 1.0, 1.0]);
}

/// A list of 99,424 labels, the longest that is known to be in use.
#[test]
fn label_takes_very_many_labels() {
    let label = block(catalogued("label"));
    let list: Vec<String> = (0..99_424)
        .map(|i| format!("Place number {i} (north)"))
        .collect();
    let args = [Bound::List(list.clone().into()), Bound::Text(String::new())];
    let ty = TensorType::new(ElementType::Utf8, &[1]);
    let out = run(&label, &args, &[tensor(&[99_423_u32])], &[ty]).unwrap();
    assert_eq!(out, [Data::Strings(vec![list[99_423].clone()])]);
}

#[test]
fn blocks_refuse_in_their_own_words() {
    let refusal = |name: &str, args: &[Bound], n: u32, out: TensorType| {
        let block = block(catalogued(name));
        let input = TensorType::new(ElementType::F32, &[n]);
        let instance = instance(&block, args, &[input], &[out]);
        let engine = Wasmi::default();
        match (
            engine.snapshot(&block, &instance),
            engine.start(&block, &instance),
        ) {
            (Err(InitError::Refused(a)), Err(InitError::Refused(b))) => {
                assert_eq!(a, b);
                a
            }
            (snapshot, _) => panic!("{name} did not refuse: {snapshot:?}"),
        }
    };
    let f32s = |n| TensorType::new(ElementType::F32, &[n]);
    assert_eq!(
        refusal("fft", &[], 65_537, f32s(65_537)),
        "65537 samples, but it takes 1 to 65536"
    );
    assert_eq!(
        refusal("modulo", &[Bound::Float(0.0)], 2, f32s(2)),
        "`--modulus` must not be zero, and for integers a whole number in their range"
    );
    assert_eq!(
        refusal(
            "most-confident-indices",
            &[Bound::Integer(3)],
            2,
            TensorType::new(ElementType::U32, &[3])
        ),
        "`--count` is 3, but there are only 2 elements"
    );
    assert_eq!(
        refusal(
            "label",
            &labels(&[], ""),
            1,
            TensorType::new(ElementType::Utf8, &[1])
        ),
        "give the labels as `--labels` or `--wordlist`"
    );
}

/// The largest plans of the transform need megabytes of tables and must still come out of `init`.
#[test]
fn fft_plans_for_the_largest_lengths() {
    let fft = block(catalogued("fft"));
    for n in [65_536, 65_521] {
        let ty = TensorType::new(ElementType::F32, &[n]);
        let instance = instance(
            &fft,
            &[],
            std::slice::from_ref(&ty),
            std::slice::from_ref(&ty),
        );
        let snapshot = Wasmi::default().snapshot(&fft, &instance).unwrap();
        assert!(
            snapshot.frozen.len() > n as usize,
            "{}",
            snapshot.frozen.len()
        );
    }
}

/// The functions that a call of `export` can reach, those whose address is taken by what it reaches too.
fn reached<'a>(object: &'a Object, export: &str) -> Vec<&'a Function> {
    let (_, root) = object.exports.iter().find(|(n, _)| n == export).unwrap();
    let (mut functions, mut data) = (vec![*root], Vec::new());
    let (mut next_function, mut next_datum) = (0, 0);
    loop {
        let relocations = if let Some(id) = functions.get(next_function) {
            next_function += 1;
            &object.functions[*id].relocations
        } else if let Some(id) = data.get(next_datum) {
            next_datum += 1;
            &object.data[*id].relocations
        } else {
            return functions.iter().map(|id| &object.functions[*id]).collect();
        };
        for relocation in relocations {
            match relocation.target {
                Target::Function(id) | Target::Slot(id) if !functions.contains(&id) => {
                    functions.push(id);
                }
                Target::Address(id, _) if !data.contains(&id) => data.push(id),
                Target::Function(_)
                | Target::Slot(_)
                | Target::Address(..)
                | Target::Type(_)
                | Target::StackPointer
                | Target::Table => {}
            }
        }
    }
}

/// A rune carries what `run` reaches: no text is formatted there, nothing allocated, and it is small.
#[test]
fn a_call_reaches_little_code() {
    let most = [
        ("fft", 16000),
        ("label", 1200),
        ("modulo", 3500),
        ("most-confident-indices", 2000),
        ("normalize", 600),
    ];
    for (name, limit) in most {
        let object = block(catalogued(name)).object;
        for (export, _) in object.exports.iter().filter(|(n, _)| n.starts_with("run")) {
            let functions = reached(&object, export);
            let bytes: usize = functions.iter().map(|f| f.body.len()).sum();
            assert!(bytes < limit, "{name} {export}: {bytes} bytes");
            for f in functions {
                let idle = ["fmt", "alloc", "panic", "init"]
                    .iter()
                    .find(|w| f.name.contains(**w));
                assert_eq!(idle, None, "{name} {export} reaches {}", f.name);
            }
        }
    }
}
