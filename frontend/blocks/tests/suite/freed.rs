//! Memory that `init` frees is in no snapshot, and what points around it is moved with it.

use std::sync::Arc;

use rune_blocks::Wasmi;
use rune_ir::{
    args::Bound,
    block::{BlockEngine, InitError, Snapshot, SnapshotTarget},
    ty::{ElementType, TensorType},
};

use crate::{block, fixture, instance};

fn snapshot(rule: i64) -> Result<Arc<Snapshot>, InitError> {
    let block = block(fixture("freeing"));
    let of = |n| TensorType::new(ElementType::U8, &[n]);
    let instance = instance(&block, &[Bound::Integer(rule)], &[of(1)], &[of(8)]);
    Wasmi::default().snapshot(&block, &instance)
}

fn target(snapshot: &Snapshot, offset: u32) -> SnapshotTarget {
    let word = snapshot.frozen_words.iter().find(|w| w.offset == offset);
    word.expect("an address").target
}

#[test]
fn only_what_is_kept_is_in_the_snapshot() {
    let snapshot = snapshot(0).unwrap();
    // The instance and the table, which keeps its offset modulo 16: 16 + 8 + 8 bytes of more than 1 MiB.
    assert_eq!(snapshot.frozen.len(), 32);
    assert_eq!(snapshot.instance, 0);
    assert_eq!(snapshot.frozen[24..], [0, 10, 20, 30, 40, 50, 60, 70]);
    assert_eq!(target(&snapshot, 0), SnapshotTarget::Frozen(24));
    assert_eq!(target(&snapshot, 4), SnapshotTarget::Frozen(32));
    assert_eq!(target(&snapshot, 8), SnapshotTarget::State(0));
    assert_eq!(target(&snapshot, 12), SnapshotTarget::Frozen(0));
    assert_eq!(snapshot.frozen_words.len(), 4);
    let secret = b"secret";
    assert!(!snapshot.frozen.windows(6).any(|w| w == secret));
}

#[test]
fn one_past_the_end_of_what_is_kept_may_be_freed() {
    let snapshot = snapshot(8).unwrap();
    assert_eq!(target(&snapshot, 12), SnapshotTarget::Frozen(32));
}

#[test]
fn a_wrong_list_is_refused() {
    for (rule, why) in [
        (1, "the ranges overlap or do not rise"),
        (2, "a range lies outside the frozen arena"),
        (3, "a range ends outside the frozen arena"),
        (4, "the bytes of a range are not a multiple of 8"),
        (7, "the address of a range is not a multiple of 8"),
    ] {
        let message = format!("its list of freed memory is wrong: {why}");
        assert_eq!(snapshot(rule), Err(InitError::Broken(message)), "{rule}");
    }
}

#[test]
fn what_is_kept_cannot_point_at_what_is_freed() {
    for (rule, why) in [
        (
            5,
            "word 4108 of its frozen memory points at memory that was freed",
        ),
        (6, "the instance lies in memory that was freed"),
        (
            9,
            "word 0 of its state memory points at memory that was freed",
        ),
    ] {
        assert_eq!(snapshot(rule), Err(InitError::Broken(why.to_owned())));
    }
}
