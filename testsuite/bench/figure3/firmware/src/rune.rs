//! An application as a rune, under the runtime of devices as boards run it.

use alloc::boxed::Box;

use rune_abi::{CapabilityKind, CapabilityView, OutputKind};
use rune_core::{
    Board, Gives, Interpreter, Phase, Policy, Progress, Scheduler, Sensor, Source, SourceError,
    Table, Written,
};

use crate::{
    Span,
    app::App,
    clock,
    result::{Form, Receiver},
};

const fn sensor(kind: CapabilityKind) -> Sensor {
    Sensor {
        name: "flash",
        kind,
        gives: Gives::Exact,
        ranges: &[],
    }
}

static TABLE: Table = Table {
    bases: &["runicos/base"],
    sensors: &[
        sensor(CapabilityKind::Rand),
        sensor(CapabilityKind::Sound),
        sensor(CapabilityKind::Accel),
        sensor(CapabilityKind::Image),
    ],
    outputs: &[OutputKind::Serial],
    memory_bytes: 1 << 20,
    code_bytes: 256 << 10,
    native_keys: &[],
};

/// As boards have it, but for the time of a call: the clock here counts instructions.
fn policy() -> Policy {
    Policy {
        call_ns: u64::MAX,
        ..Policy::default()
    }
}

/// Starts the rune and calls it so often: launch check, translation and calls are all in the span.
pub(crate) fn run(app: &'static App, form: Form, calls: u32) -> Span {
    let receiver = Receiver::default();
    let bench = Bench {
        app,
        form,
        receiver,
    };
    clock::start();
    let begin = clock::ticks();
    let mut scheduler: Scheduler<Interpreter, Bench, 1> = Scheduler::new(Interpreter, bench);
    // Nothing asks for the digest, so it is none.
    let added = scheduler.add(app.rune, [0; 32], policy());
    let id = added.expect("the rune starts");
    for _ in 0..calls {
        // There is always a sample, so that this is one call.
        scheduler.poll();
        let unit = scheduler.unit(id).expect("it was added");
        assert!(
            unit.phase() == Phase::Running,
            "the rune failed: {:?}",
            unit.error()
        );
    }
    let ticks = clock::ticks() - begin;
    let sum = scheduler.board().receiver.sum();
    Span { ticks, sum }
}

/// A board without links.
struct Bench {
    app: &'static App,
    form: Form,
    receiver: Receiver,
}

impl Board for Bench {
    type Clock = fn() -> u64;

    fn clock(&self) -> Self::Clock {
        clock::now_ns
    }

    fn table(&self) -> &'static Table {
        &TABLE
    }

    fn open(
        &mut self,
        _: usize,
        index: usize,
        capability: &CapabilityView<'static>,
    ) -> Result<Box<dyn Source>, SourceError> {
        Ok(self.app.source(capability, index).boxed())
    }

    fn write(&mut self, written: &Written<'_>) -> bool {
        for (index, _) in written.outputs() {
            for tensor in written.tensors(index) {
                self.receiver.tensor(tensor, self.form);
            }
        }
        true
    }

    fn say(&mut self, level: u32, rune: &str, line: &str) {
        panic!("{rune} says, level {level}: {line}");
    }

    fn poll_links(&mut self) -> bool {
        true
    }

    fn feed_watchdog(&mut self, _: Progress) {}
}
