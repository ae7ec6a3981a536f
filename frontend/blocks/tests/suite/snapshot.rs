//! What a snapshot holds, and that state is each instance's own.

use std::sync::Arc;

use rune_blocks::Wasmi;
use rune_ir::{
    args::Bound,
    block::{Block, BlockEngine, Instance, Snapshot, SnapshotTarget},
    eval::Data,
    ty::{ElementType, TensorType},
};

use crate::{block, catalogued, fixture, instance, tensor, values};

/// A word of a snapshot's bytes.
fn word(bytes: &[u8], offset: u32) -> u32 {
    let at = offset as usize;
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn target(snapshot: &Snapshot, offset: u32) -> SnapshotTarget {
    let word = snapshot.frozen_words.iter().find(|w| w.offset == offset);
    word.unwrap_or_else(|| panic!("no address at {offset}"))
        .target
}

#[test]
fn of_labels_has_the_texts_and_the_table() {
    let label = block(catalogued("label"));
    let args = [
        Bound::List(Arc::from(["Wing", "Ring"].map(str::to_owned))),
        Bound::Text(String::new()),
    ];
    let instance = instance(
        &label,
        &args,
        &[TensorType::new(ElementType::U8, &[1])],
        &[TensorType::new(ElementType::Utf8, &[1])],
    );
    let snapshot = Wasmi::default().snapshot(&label, &instance).unwrap();
    assert!(snapshot.state.is_empty() && snapshot.state_words.is_empty());
    // Somewhere in the frozen memory is the table: an address of the texts, and their length.
    let texts: Vec<&[u8]> = snapshot
        .frozen_words
        .iter()
        .filter_map(|w| match w.target {
            SnapshotTarget::Frozen(at) => {
                let length = word(&snapshot.frozen, w.offset + 4) as usize;
                snapshot.frozen.get(at as usize..)?.get(..length)
            }
            SnapshotTarget::State(_) | SnapshotTarget::Datum(..) | SnapshotTarget::Slot(_) => None,
        })
        .collect();
    assert!(
        texts.contains(&&b"WingRing"[..]),
        "all texts in one: {texts:?}"
    );
    assert!(snapshot.frozen_words.is_sorted_by_key(|w| w.offset));
    // An address is no part of the bytes.
    assert!(
        snapshot
            .frozen_words
            .iter()
            .all(|w| word(&snapshot.frozen, w.offset) == 0)
    );
}

/// An instance of the fixture `smooth` for so many F32.
fn smoothing(smooth: &Block, weight: f64, rule: &str, length: u32) -> Instance {
    let ty = TensorType::new(ElementType::F32, &[length]);
    let args = [
        Bound::Float(weight),
        Bound::Integer(2),
        Bound::Text(rule.to_owned()),
    ];
    instance(
        smooth,
        &args,
        std::slice::from_ref(&ty),
        std::slice::from_ref(&ty),
    )
}

#[test]
fn of_a_block_in_c_has_every_kind_of_address() {
    let smooth = block(fixture("smooth"));
    assert_eq!(smooth.signature.version, "1.2.3");
    let instance = smoothing(&smooth, 0.25, "peak", 3);
    let engine = Wasmi::default();
    let snapshot = engine.snapshot(&smooth, &instance).unwrap();
    let of = snapshot.instance;
    let SnapshotTarget::Datum(datum, offset) = target(&snapshot, of) else {
        panic!("the mode is a static");
    };
    assert_eq!(
        (smooth.object.data[datum].name.as_str(), offset),
        ("MODES", 8)
    );
    let SnapshotTarget::Slot(function) = target(&snapshot, of + 4) else {
        panic!("the rule is a function");
    };
    assert_eq!(smooth.object.functions[function].name, "peak");
    assert_eq!(target(&snapshot, of + 8), SnapshotTarget::State(0));
    assert_eq!(word(&snapshot.frozen, of + 12), 0.25_f32.to_bits());
    assert_eq!(word(&snapshot.frozen, of + 16), 2);
    assert_eq!(snapshot.frozen_words.len(), 3);
    assert_eq!(snapshot.state.len(), 16);
    assert_eq!(snapshot.scratch, 12);
    assert_eq!(engine.snapshot(&smooth, &instance), Ok(snapshot));
}

#[test]
fn state_is_kept_from_call_to_call_and_apart() {
    let smooth = block(fixture("smooth"));
    let instance = smoothing(&smooth, 0.5, "mean", 2);
    let engine = Wasmi::default();
    let mut one = engine.start(&smooth, &instance).unwrap();
    let mut other = engine.start(&smooth, &instance).unwrap();
    let input = [tensor(&[8.0_f32, -4.0]).1];
    assert_eq!(one.run(&input), Ok(None));
    let out = one.run(&input).unwrap().unwrap();
    assert_eq!(values::<f32>(&out[0]), [6.0, -3.0]);
    assert_eq!(other.run(&[Data::Bytes(vec![0; 8])]), Ok(None));
    assert_eq!(one.run(&input), Ok(None));
    let out = other.run(&input).unwrap().unwrap();
    assert_eq!(values::<f32>(&out[0]), [4.0, -2.0]);
}

#[test]
fn of_a_block_without_memory_has_no_addresses() {
    let modulo = block(catalogued("modulo"));
    let ty = TensorType::new(ElementType::F64, &[7]);
    let instance = instance(
        &modulo,
        &[Bound::Float(2.5)],
        std::slice::from_ref(&ty),
        std::slice::from_ref(&ty),
    );
    let snapshot = Wasmi::default().snapshot(&modulo, &instance).unwrap();
    assert!(snapshot.frozen_words.is_empty() && snapshot.state.is_empty());
    let modulus = 2.5_f64.to_le_bytes();
    assert!(snapshot.frozen.windows(8).any(|w| w == modulus));
}
