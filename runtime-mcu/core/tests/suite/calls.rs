//! What calls come to: lines, logs, faults, and what Saga counts.

use rune_abi::{CapabilityKind, ElementType};
use rune_core::{Cause, Failed, Phase};
use rune_saga::Failure;

use crate::{
    bench::{Then, add, runtime},
    runes::{
        INPUT, MANIFEST, RECORD, bare, capability, echo, manifest, output, quoted, record, text,
        ty, wasm,
    },
};

#[test]
fn what_a_rune_reads_it_writes_as_a_line() {
    let mut runtime = runtime();
    let raw = capability(CapabilityKind::Raw, "raw", ty(ElementType::I16, &[2]));
    runtime.board().samples.then = Then::End;
    runtime.board().samples.push(&[1, 0, 0xff, 0xff]);
    runtime.board().samples.push(&[2, 0, 3, 0]);
    let id = add(&mut runtime, echo(raw));
    for _ in 0..5 {
        runtime.poll();
    }
    assert_eq!(
        runtime.board().lines_of("test"),
        [
            r#"{"serial": [{"element_type": "i16", "dimensions": [2], "elements": [1, -1]}]}"#,
            r#"{"serial": [{"element_type": "i16", "dimensions": [2], "elements": [2, 3]}]}"#,
        ]
    );
    let unit = runtime.unit(id).unwrap();
    assert_eq!(unit.phase(), Phase::Ended);
    let total = unit.saga().total();
    assert_eq!((total.with_output, total.calls(), total.starts), (2, 2, 1));
    assert_eq!(unit.saga().outputs()[0].total().bytes, 8);
    // From the start again: the samples have ended at once.
    assert!(runtime.want(id, true));
    runtime.poll();
    assert_eq!(runtime.unit(id).unwrap().phase(), Phase::Running);
    assert_eq!(runtime.unit(id).unwrap().saga().total().starts, 2);
}

/// A rune that writes to `b` and then to `a`, which is two tensors: numbers and texts.
#[test]
fn lines_have_the_order_of_the_manifest_and_texts_are_copied_when_they_are_written() {
    let texts = ty(ElementType::Utf8, &[2]);
    let numbers = ty(ElementType::U8, &[2]);
    let manifest = manifest(
        vec![],
        vec![output("a", &[numbers, texts]), output("b", &[numbers])],
    );
    let words = |words: &[u32]| -> Vec<u8> { words.iter().flat_map(|w| w.to_le_bytes()).collect() };
    // Two texts at 2048, `Ring` and an empty one; a record of both tensors at 600.
    let pairs = words(&[2048, 4, 0, 0]);
    let both = words(&[INPUT, 2, 1, 2, 1100, 16, 1, 2]);
    let data = |at: u32, bytes: &[u8]| format!("(data (i32.const {at}) \"{}\")", quoted(bytes));
    let more = [
        record(INPUT, &numbers),
        data(600, &both),
        data(1100, &pairs),
        data(INPUT, &[7, 8]),
        data(2048, b"Ring"),
    ]
    .concat();
    let call = format!(
        "(drop (call $write (i32.const 1) (i32.const {RECORD})))
         (drop (call $write (i32.const 0) (i32.const 600)))
         (i32.store (i32.const 2048) (i32.const 0))
         (i32.store (i32.const {INPUT}) (i32.const 0)) i32.const 0"
    );
    let mut runtime = runtime();
    add(&mut runtime, wasm(&text(&manifest, &call, &more)));
    runtime.poll();
    assert_eq!(
        runtime.board().lines_of("test"),
        [
            r#"{"a": [{"element_type": "u8", "dimensions": [2], "elements": [7, 8]}, {"element_type": "utf8", "dimensions": [2], "elements": ["Ring", ""]}], "b": [{"element_type": "u8", "dimensions": [2], "elements": [7, 8]}]}"#
        ]
    );
}

#[test]
fn faults_have_their_reason_and_stage() {
    let call = format!(
        "(call $mark (i32.const 1) (i32.const 0))
         (call $log (i32.const 2) (i32.const {MANIFEST}) (i32.const 4))
         (call $fault (i32.const -3) (i32.const {MANIFEST}) (i32.const 4)) i32.const -3"
    );
    let mut runtime = runtime();
    let id = add(&mut runtime, bare(&call));
    runtime.poll();
    let unit = runtime.unit(id).unwrap();
    let Some(Failed::Call(error)) = unit.error() else {
        panic!("{:?}", unit.error());
    };
    assert_eq!(error.stage, Some("second"));
    assert!(matches!(&error.cause, Cause::Fault(-3, Some(reason)) if reason.as_str() == "RUNE"));
    assert_eq!(unit.saga().total().failed(Failure::from_code(-3)), 1);
    assert_eq!(unit.phase(), Phase::Waiting);
    let said = runtime.board().said.clone();
    assert_eq!(said[0], "2 test: RUNE");
    assert!(
        said[1].starts_with("1 test: in stage `second`: "),
        "{said:?}"
    );
    assert!(
        said[1].ends_with("; it is started anew in 500ms"),
        "{said:?}"
    );
}

#[test]
fn output_that_a_board_cannot_take_is_counted() {
    let mut runtime = runtime();
    let raw = capability(CapabilityKind::Raw, "raw", ty(ElementType::U8, &[1]));
    let id = add(&mut runtime, echo(raw));
    runtime.board().is_full = true;
    runtime.poll();
    runtime.board().is_full = false;
    runtime.poll();
    let unit = runtime.unit(id).unwrap();
    let writes = unit.saga().outputs()[0].total();
    assert_eq!((writes.records, writes.dropped), (2, 1));
}

#[test]
fn a_heartbeat_is_a_record_of_saga() {
    let mut runtime = runtime();
    let id = add(&mut runtime, bare("i32.const 1"));
    runtime.poll();
    let mut out = [0; 8192];
    let record = runtime.heartbeat(id, &mut out).unwrap().unwrap();
    let snapshot = rune_saga::Snapshot::decode(record).unwrap();
    assert_eq!(snapshot.name, "test");
    assert!(runtime.heartbeat(id, &mut [0; 8]).unwrap().is_err());
    assert!(runtime.remove(id));
    assert!(runtime.heartbeat(id, &mut out).is_none());
    assert!(!runtime.remove(id));
}
