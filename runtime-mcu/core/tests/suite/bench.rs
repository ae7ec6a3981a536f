//! A board on a bench.

use std::{cell::Cell, collections::VecDeque, rc::Rc};

use rune_abi::{CapabilityKind, CapabilityView, ManifestView, OutputKind};
use rune_core::{
    Board, Clock, Gives, Id, Interpreter, Policy, Read, Scheduler, Sensor, Source, SourceError,
    Table, Written,
};

/// Nanoseconds that pass whenever somebody looks at the clock.
pub(crate) const GLANCE: u64 = 1000;

/// A clock that goes on by itself a little, and otherwise when it is told to.
#[derive(Clone, Default)]
pub(crate) struct Ticks(Rc<Cell<u64>>);

impl Ticks {
    pub(crate) fn pass(&self, ns: u64) {
        self.0.set(self.0.get() + ns);
    }
}

impl Clock for Ticks {
    fn now_ns(&self) -> u64 {
        self.pass(GLANCE);
        self.0.get()
    }
}

/// What a source of the bench gives, one after the other; nothing more behind the last but what `then` says.
#[derive(Clone, Default)]
pub(crate) struct Samples {
    pub(crate) list: Rc<Cell<VecDeque<Vec<u8>>>>,
    pub(crate) then: Then,
    clock: Ticks,
}

#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) enum Then {
    /// It gives zeros.
    #[default]
    Zeros,
    End,
    /// It never answers again.
    Silence,
    /// It is broken.
    Fault,
}

impl Samples {
    pub(crate) fn push(&self, sample: &[u8]) {
        let mut list = self.list.take();
        list.push_back(sample.to_vec());
        self.list.set(list);
    }

    fn pop(&self) -> Option<Vec<u8>> {
        let mut list = self.list.take();
        let sample = list.pop_front();
        self.list.set(list);
        sample
    }
}

impl Source for Samples {
    fn is_ready(&mut self, _: u64) -> bool {
        let list = self.list.take();
        let has = !list.is_empty();
        self.list.set(list);
        has || self.then != Then::Silence
    }

    fn read(&mut self, out: &mut [u8], deadline_ns: u64) -> Result<Read, SourceError> {
        if let Some(sample) = self.pop() {
            out.copy_from_slice(&sample);
            return Ok(Read::SAMPLE);
        }
        match self.then {
            Then::Zeros => {
                out.fill(0);
                Ok(Read::SAMPLE)
            }
            Then::End => Ok(Read::End),
            Then::Silence => {
                while self.clock.now_ns() < deadline_ns {}
                Err(SourceError::Late)
            }
            Then::Fault => Err(SourceError::Failed("the bus does not answer")),
        }
    }
}

/// Sensors for everything, and all that runes may need.
pub(crate) static TABLE: Table = Table {
    bases: &["runicos/base"],
    sensors: &[
        exact(CapabilityKind::Raw),
        exact(CapabilityKind::Rand),
        exact(CapabilityKind::Accel),
    ],
    outputs: &[OutputKind::Serial],
    memory_bytes: 1 << 20,
    code_bytes: 1 << 16,
    native_keys: &[],
};

const fn exact(kind: CapabilityKind) -> Sensor {
    Sensor {
        name: "bench",
        kind,
        gives: Gives::Exact,
        ranges: &[],
    }
}

/// Opens a row of the table for a capability.
type Opener = Box<dyn FnMut(&CapabilityView<'static>, usize) -> Box<dyn Source>>;

pub(crate) struct Bench {
    pub(crate) clock: Ticks,
    pub(crate) table: &'static Table,
    pub(crate) samples: Samples,
    /// What is opened in place of samples.
    pub(crate) opens: Option<Opener>,
    /// How often opening fails from now on.
    pub(crate) is_unplugged: bool,
    /// Rune and line.
    pub(crate) lines: Vec<(String, String)>,
    pub(crate) said: Vec<String>,
    pub(crate) feeds: u32,
    pub(crate) links_go_on: bool,
    pub(crate) is_full: bool,
    /// How many more starts there may be, where that is bounded.
    pub(crate) starts_left: Option<u32>,
    /// Place and digest of each start.
    pub(crate) started: Vec<(usize, [u8; 32])>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let clock = Ticks::default();
        Self {
            samples: Samples {
                clock: clock.clone(),
                ..Samples::default()
            },
            clock,
            table: &TABLE,
            opens: None,
            is_unplugged: false,
            lines: vec![],
            said: vec![],
            feeds: 0,
            links_go_on: true,
            is_full: false,
            starts_left: None,
            started: vec![],
        }
    }

    pub(crate) fn lines_of(&self, rune: &str) -> Vec<&str> {
        let lines = self.lines.iter().filter(|(name, _)| name == rune);
        lines.map(|(_, line)| line.as_str()).collect()
    }
}

impl Board for Bench {
    type Clock = Ticks;

    fn clock(&self) -> Ticks {
        self.clock.clone()
    }

    fn table(&self) -> &'static Table {
        self.table
    }

    fn starts(&mut self, place: usize, _: &ManifestView<'static>, digest: &[u8; 32]) -> bool {
        let may = self.starts_left != Some(0);
        self.starts_left = self.starts_left.map(|left| left.saturating_sub(1));
        if may {
            self.started.push((place, *digest));
        }
        may
    }

    fn open(
        &mut self,
        row: usize,
        _: usize,
        capability: &CapabilityView<'static>,
    ) -> Result<Box<dyn Source>, SourceError> {
        if self.is_unplugged {
            return Err(SourceError::Failed("it is not plugged in"));
        }
        Ok(match &mut self.opens {
            Some(open) => open(capability, row),
            None => Box::new(self.samples.clone()),
        })
    }

    fn write(&mut self, written: &Written<'_>) -> bool {
        let mut line = String::new();
        written.line(&mut line).unwrap();
        self.lines.push((written.manifest().name.to_owned(), line));
        !self.is_full
    }

    fn say(&mut self, level: u32, rune: &str, line: &str) {
        self.said.push(format!("{level} {rune}: {line}"));
    }

    fn poll_links(&mut self) -> bool {
        self.links_go_on
    }

    fn feed_watchdog(&mut self, _: rune_core::Progress) {
        self.feeds += 1;
    }
}

pub(crate) type Runtime = Scheduler<Interpreter, Bench, 4>;

pub(crate) fn runtime() -> Runtime {
    Scheduler::new(Interpreter, Bench::new())
}

pub(crate) fn policy() -> Policy {
    Policy {
        fuel: 1_000_000,
        call_ns: 100_000_000,
        ..Policy::default()
    }
}

/// Bytes as in flash.
pub(crate) fn flash(bytes: Vec<u8>) -> &'static [u8] {
    Box::leak(bytes.into_boxed_slice())
}

pub(crate) fn add(runtime: &mut Runtime, bytes: Vec<u8>) -> Id {
    runtime.add(flash(bytes), [0; 32], policy()).unwrap()
}
