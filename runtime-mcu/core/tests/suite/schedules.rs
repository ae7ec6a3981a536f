//! Several runes: when they are called, and that one which fails leaves the others alone.

use std::time::Duration;

use rune_abi::{CapabilityKind, ElementType};
use rune_core::{AddError, Failed, Phase, Policy, Schedule, SourceError};
use rune_saga::Failure;

use crate::{
    bench::{Then, add, flash, policy, runtime},
    runes::{bare, capability, echo, ty},
};

const MS: u64 = 1_000_000;

fn on(schedule: Schedule) -> Policy {
    Policy {
        schedule,
        ..policy()
    }
}

fn raw() -> Vec<u8> {
    echo(capability(
        CapabilityKind::Raw,
        "raw",
        ty(ElementType::U8, &[1]),
    ))
}

#[test]
fn each_rune_is_called_on_its_own_schedule() {
    let mut runtime = runtime();
    runtime.board().samples.then = Then::Silence;
    let every = on(Schedule::Every(Duration::from_millis(100)));
    let timed = flash(bare("i32.const 1"));
    let timed = runtime.add(timed, [1; 32], every).unwrap();
    let asked = runtime
        .add(flash(bare("i32.const 1")), [2; 32], on(Schedule::Trigger))
        .unwrap();
    let fed = runtime
        .add(flash(raw()), [3; 32], on(Schedule::Input))
        .unwrap();
    let counts = |runtime: &crate::bench::Runtime| {
        [timed, asked, fed].map(|id| runtime.unit(id).unwrap().saga().total().calls())
    };
    let next = runtime.poll().unwrap();
    assert_eq!(counts(&runtime), [1, 0, 0]);
    runtime.poll();
    assert_eq!(counts(&runtime), [1, 0, 0]);
    assert!(runtime.trigger(asked));
    runtime.board().samples.push(&[5]);
    runtime.poll();
    runtime.poll();
    assert_eq!(counts(&runtime), [1, 1, 1]);
    runtime.board().clock.pass(100 * MS);
    assert!(runtime.poll().unwrap() >= next + 100 * MS);
    assert_eq!(counts(&runtime), [2, 1, 1]);
    // So late that two calls are left out, and counted; the last of those that were due is made.
    runtime.board().clock.pass(450 * MS);
    runtime.poll();
    runtime.poll();
    let total = runtime.unit(timed).unwrap().saga().total();
    assert_eq!((total.calls(), total.overruns), (4, 2));
    // One that is let go is called no more.
    assert!(runtime.want(timed, false));
    runtime.board().clock.pass(450 * MS);
    assert_eq!(runtime.poll(), None);
    assert_eq!(runtime.unit(timed).unwrap().phase(), Phase::Stopped);
}

#[test]
fn a_rune_that_fails_is_started_anew_ever_later_and_the_others_go_on() {
    let mut runtime = runtime();
    let bad = add(&mut runtime, bare("unreachable"));
    let good = add(&mut runtime, bare("i32.const 1"));
    let mut waits = vec![];
    let (mut polls, mut starts) = (0, 1);
    let mut since = 0;
    while waits.len() < 9 {
        runtime.poll();
        polls += 1;
        runtime.board().clock.pass(250 * MS);
        since += 250;
        let total = runtime.unit(bad).unwrap().saga().total();
        if total.starts > starts {
            starts = total.starts;
            waits.push(since);
            since = 0;
        }
    }
    // The first waits, to the grain of the polls.
    for (wait, due) in waits
        .iter()
        .zip([500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000])
    {
        assert!((due..=due + 500).contains(wait), "{waits:?}");
    }
    let total = runtime.unit(bad).unwrap().saga().total();
    assert_eq!(total.failed(Failure::Unreachable), total.failed_calls());
    let good = runtime.unit(good).unwrap().saga().total();
    assert_eq!((good.calls(), good.failed_calls()), (polls, 0));
}

#[test]
fn a_sensor_that_is_not_there_is_waited_for() {
    let mut runtime = runtime();
    runtime.board().is_unplugged = true;
    let id = add(&mut runtime, raw());
    assert!(matches!(
        runtime.unit(id).unwrap().error(),
        Some(Failed::Open("raw", SourceError::Failed(_)))
    ));
    assert_eq!(runtime.unit(id).unwrap().phase(), Phase::Waiting);
    runtime.board().is_unplugged = false;
    runtime.board().clock.pass(500 * MS);
    runtime.poll();
    runtime.poll();
    assert_eq!(runtime.unit(id).unwrap().saga().total().with_output, 1);
}

#[test]
fn the_watchdog_is_fed_only_when_runes_and_links_go_on() {
    let mut runtime = runtime();
    add(&mut runtime, bare("i32.const 1"));
    runtime.poll();
    assert_eq!(runtime.board().feeds, 1);
    runtime.board().links_go_on = false;
    runtime.poll();
    assert_eq!(runtime.board().feeds, 1);
    runtime.board().links_go_on = true;
    runtime.poll();
    assert_eq!(runtime.board().feeds, 2);
}

#[test]
fn places_and_memory_are_bounded_and_come_back() {
    let mut runtime = runtime();
    let ids: Vec<_> = (0..4)
        .map(|_| add(&mut runtime, bare("i32.const 1")))
        .collect();
    let fifth = flash(bare("i32.const 1"));
    assert!(matches!(
        runtime.add(fifth, [0; 32], policy()),
        Err(AddError::Full(4))
    ));
    assert!(runtime.remove(ids[2]));
    let new = runtime.add(fifth, [0; 32], policy()).unwrap();
    // The place is the same and the rune another.
    assert!(runtime.unit(ids[2]).is_none() && runtime.unit(new).is_some());
    assert_eq!(runtime.units().count(), 4);
}

/// The board says of each start, the first and later ones, whether it may be.
#[test]
fn a_rune_that_may_not_start_is_not_called() {
    let mut runtime = runtime();
    runtime.board().starts_left = Some(0);
    let refused = runtime.add(flash(bare("unreachable")), [7; 32], policy());
    assert!(matches!(refused, Err(AddError::Denied)));
    assert_eq!(runtime.units().count(), 0);
    runtime.board().starts_left = Some(2);
    let id = add(&mut runtime, bare("unreachable"));
    for _ in 0..10 {
        runtime.poll();
        runtime.board().clock.pass(10_000 * MS);
    }
    let unit = runtime.unit(id).unwrap();
    assert_eq!(unit.phase(), Phase::Stopped);
    assert_eq!(unit.saga().total().starts, 2);
    assert_eq!(runtime.board().started, [(0, [0; 32]), (0, [0; 32])]);
    // One that is wanted again asks again.
    runtime.board().starts_left = Some(1);
    assert!(runtime.want(id, true));
    runtime.poll();
    assert_eq!(runtime.unit(id).unwrap().saga().total().starts, 3);
}

#[test]
fn a_schedule_can_be_changed() {
    let mut runtime = runtime();
    let trigger = on(Schedule::Trigger);
    let id = runtime
        .add(flash(bare("i32.const 1")), [1; 32], trigger)
        .unwrap();
    let calls = |runtime: &crate::bench::Runtime| runtime.unit(id).unwrap().saga().total().calls();
    runtime.trigger(id);
    runtime.trigger(id);
    runtime.poll();
    assert_eq!(calls(&runtime), 1);
    // What was asked for before is forgotten.
    let every = Schedule::Every(Duration::from_millis(100));
    assert!(runtime.reschedule(id, every));
    assert_eq!(runtime.unit(id).unwrap().schedule(), every);
    runtime.poll();
    runtime.poll();
    assert_eq!(calls(&runtime), 2);
    runtime.board().clock.pass(100 * MS);
    runtime.poll();
    assert_eq!(calls(&runtime), 3);
    assert!(runtime.reschedule(id, Schedule::Trigger));
    runtime.board().clock.pass(500 * MS);
    assert_eq!(runtime.poll(), None);
    assert_eq!(calls(&runtime), 3);
    assert!(runtime.remove(id) && !runtime.reschedule(id, every));
}
