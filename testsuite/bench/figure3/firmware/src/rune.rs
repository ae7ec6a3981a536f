//! An application as a rune, under the runtime of devices as boards run it.

use alloc::boxed::Box;

use rune_abi::{CapabilityKind, CapabilityView, OutputKind};
use rune_core::{
    Board, Engines, Gives, Interpreter, Phase, Policy, Progress, Scheduler, Sensor, Source,
    SourceError, Table, Written,
};

use rune_cortex_m::Images;

use crate::{
    Span,
    app::{App, Slot},
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
    native_keys: &[TEST_KEY],
};

/// The public key of the secret one whose seed is 32 bytes of 7.
const TEST_KEY: [u8; 32] = [
    0xea, 0x4a, 0x6c, 0x63, 0xe2, 0x9c, 0x52, 0x0a, 0xbe, 0xf5, 0x50, 0x7b, 0x13, 0x2e, 0xc5, 0xf9,
    0x95, 0x47, 0x76, 0xae, 0xbe, 0xbe, 0x7b, 0x92, 0x42, 0x1e, 0xea, 0x69, 0x14, 0x46, 0xd2, 0x2c,
];

/// As boards have it, but for the time of a call: the clock here counts instructions.
fn policy() -> Policy {
    Policy {
        call_ns: u64::MAX,
        ..Policy::default()
    }
}

/// Starts the rune and calls it so often: launch check, translation and calls are all in the span.
pub(crate) fn run(app: &'static App, rune: &'static [u8], form: Form, calls: u32) -> Span {
    let receiver = Receiver::default();
    let bench = Bench {
        app,
        form,
        receiver,
    };
    clock::start();
    let begin = clock::ticks();
    let engine = Engines {
        modules: Interpreter,
        images: Images {
            now_ns: clock::now_ns,
            slot: Slot::around,
        },
    };
    let mut scheduler: Scheduler<_, Bench, 1> = Scheduler::new(engine, bench);
    // Nothing asks for the digest, so it is none.
    let added = scheduler.add(rune, [0; 32], policy());
    let id = added.expect("the rune starts");
    for _ in 0..calls {
        // There is always a sample, so that this is one call.
        scheduler.poll();
    }
    let ticks = clock::ticks() - begin;
    let unit = scheduler.unit(id).expect("it was added");
    let called = unit.saga().total().calls();
    assert!(
        unit.phase() == Phase::Running && called == u64::from(calls),
        "the rune failed: {:?}",
        unit.error()
    );
    let written = unit.saga().outputs()[0].total().records as u32;
    // One starts it; each call reads, and ends.
    let services = if unit.is_image() {
        1 + 2 * calls + written
    } else {
        0
    };
    let sum = scheduler.board().receiver.sum();
    Span {
        ticks,
        sum,
        services,
    }
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
        if let (Form::Struct, Some(numbers)) = (self.form, written.numbers()) {
            self.receiver.take(numbers);
            return true;
        }
        for record in written.records() {
            for tensor in record.tensors() {
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
