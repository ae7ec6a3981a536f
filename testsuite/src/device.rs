//! The core of devices as one more engine: a board without sensors of its own, which takes samples as Linux reads them.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use rune_abi::{CapabilityKind, CapabilityView, OutputKind};
use rune_core::{
    Board, Clock, Failed, Gives, Interpreter, Phase, Policy, Scheduler, Sensor, Table, Written,
};
use rune_runtime::Source;

/// Everything, and of it as much as a rune may ask for.
static TABLE: Table = Table {
    bases: &["runicos/base"],
    sensors: &[
        sensor(CapabilityKind::Rand),
        sensor(CapabilityKind::Sound),
        sensor(CapabilityKind::Accel),
        sensor(CapabilityKind::Image),
        sensor(CapabilityKind::Raw),
        sensor(CapabilityKind::FloatImage),
        sensor(CapabilityKind::Temperature),
        sensor(CapabilityKind::Gpio),
    ],
    outputs: &[OutputKind::Serial],
    memory_bytes: u32::MAX,
    code_bytes: u32::MAX,
    native_keys: &[],
};

const fn sensor(kind: CapabilityKind) -> Sensor {
    Sensor {
        name: "linux",
        kind,
        gives: Gives::Exact,
        ranges: &[],
    }
}

/// Bytes that the strings of one call may have.
pub const TEXT_BYTES: u32 = 1 << 16;

/// The time since it was made.
#[derive(Clone)]
pub struct Stopwatch(Instant);

impl Clock for Stopwatch {
    fn now_ns(&self) -> u64 {
        self.0.elapsed().as_nanos() as u64
    }
}

/// A source of Linux on a device.
struct Ported(Box<dyn Source>);

impl rune_core::Source for Ported {
    fn is_ready(&mut self, _: u64) -> bool {
        true
    }

    fn read(&mut self, out: &mut [u8], _: u64) -> Result<rune_core::Read, rune_core::SourceError> {
        let deadline = Instant::now() + Duration::from_mins(1);
        match self.0.read(out, deadline) {
            Ok(rune_runtime::Read::Sample) => Ok(rune_core::Read::SAMPLE),
            Ok(rune_runtime::Read::End { .. }) => Ok(rune_core::Read::End),
            Err(_) => Err(rune_core::SourceError::Failed("Linux cannot read it")),
        }
    }
}

/// What is done with everything that a rune writes.
type Taker = Box<dyn FnMut(&Written<'_>)>;

/// A board that is Linux.
pub struct Desk {
    clock: Stopwatch,
    sources: VecDeque<Box<dyn Source>>,
    take: Taker,
}

impl Board for Desk {
    type Clock = Stopwatch;

    fn clock(&self) -> Stopwatch {
        self.clock.clone()
    }

    fn table(&self) -> &'static Table {
        &TABLE
    }

    fn open(
        &mut self,
        _: usize,
        _: usize,
        _: &CapabilityView<'static>,
    ) -> Result<Box<dyn rune_core::Source>, rune_core::SourceError> {
        let source = self.sources.pop_front();
        let source = source.ok_or(rune_core::SourceError::Failed("it was opened before"))?;
        Ok(Box::new(Ported(source)))
    }

    fn write(&mut self, written: &Written<'_>) -> bool {
        (self.take)(written);
        true
    }

    fn say(&mut self, _: u32, _: &str, _: &str) {}

    fn poll_links(&mut self) -> bool {
        true
    }

    fn feed_watchdog(&mut self, _: rune_core::Progress) {}
}

/// One rune on such a board.
pub struct Device {
    scheduler: Scheduler<Interpreter, Desk, 1>,
    id: rune_core::Id,
}

impl Device {
    /// Starts a rune with one source per capability; `take` gets everything that it writes.
    pub fn start(
        wasm: &[u8],
        sources: Vec<Box<dyn Source>>,
        take: impl FnMut(&Written<'_>) + 'static,
    ) -> Self {
        let mut scheduler = Scheduler::new(
            Interpreter,
            Desk {
                clock: Stopwatch(Instant::now()),
                sources: sources.into(),
                take: Box::new(take),
            },
        );
        let policy = Policy {
            memory_bytes: u32::MAX,
            fuel: u64::MAX / 2,
            call_ns: u64::MAX / 2,
            text_bytes: TEXT_BYTES,
            ..Policy::default()
        };
        // As in flash, where nobody takes them away.
        let wasm = Box::leak(wasm.to_vec().into_boxed_slice());
        let id = scheduler.add(wasm, [0; 32], policy);
        let id = id.unwrap_or_else(|e| panic!("a rune that is compiled starts: {e}"));
        Self { scheduler, id }
    }

    /// Calls it once. False where its data have ended.
    ///
    /// # Errors
    /// Why it failed; it is not called again.
    pub fn call(&mut self) -> Result<bool, Box<Failed>> {
        self.scheduler.poll();
        let unit = self.scheduler.unit(self.id).expect("it is there");
        match (unit.phase(), unit.error()) {
            (Phase::Waiting, Some(failed)) => Err(Box::new(*failed)),
            (phase, _) => Ok(phase == Phase::Running),
        }
    }
}
