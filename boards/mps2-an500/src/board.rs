//! What the scheduler of the core asks of this board.
//!
//! Its sensors are the host's, see `sensors.rs`; of kinds that are not adapted, it feeds whole samples over the link.

use alloc::{boxed::Box, collections::VecDeque, rc::Rc, vec, vec::Vec};
use core::{
    cell::RefCell,
    fmt::{self, Write as _},
};

use rune_abi::{CapabilityView, ManifestView};
use rune_core::{Policy, Progress, Read, Schedule, Source, SourceError, Table, Written};

use crate::{
    clock,
    installs::Installs,
    sensors::{Said, Sensors, TABLE},
    server::Server,
    uart::say,
    watchdog::Watchdog,
};

/// Runes that run at once.
pub(crate) const PLACES: usize = 4;

/// Most bytes of lines of a rune that nobody has fetched.
const LINES: usize = 8 << 10;

/// What a rune may have: it is called when the host asks for it, or as its sensors say, and shorter than the watchdog's
/// period.
pub(crate) fn policy(schedule: Schedule) -> Policy {
    Policy {
        schedule,
        memory_bytes: TABLE.memory_bytes,
        ..Policy::default()
    }
}

/// The next sample of a capability, as far as the host has fed it.
struct Inbox {
    sample: Box<[u8]>,
    filled: usize,
}

impl Inbox {
    fn put(&mut self, offset: usize, data: &[u8]) -> Result<(), &'static str> {
        if offset != self.filled {
            return Err("it is not the next part of the sample");
        }
        let place = self.sample[offset..].get_mut(..data.len());
        let place = place.ok_or("it is more than one sample")?;
        place.copy_from_slice(data);
        self.filled += data.len();
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.filled == self.sample.len()
    }
}

/// The other end of an inbox.
struct Fed(Rc<RefCell<Inbox>>);

impl Source for Fed {
    fn is_ready(&mut self, _: u64) -> bool {
        self.0.borrow().is_full()
    }

    fn read(&mut self, out: &mut [u8], _: u64) -> Result<Read, SourceError> {
        let mut inbox = self.0.borrow_mut();
        if !inbox.is_full() {
            return Err(SourceError::Late);
        }
        out.copy_from_slice(&inbox.sample);
        inbox.filled = 0;
        Ok(Read::Sample { time_ns: None })
    }
}

/// What a rune reads and writes, of which the host has the other end.
#[derive(Default)]
pub(crate) struct Exchange {
    /// By the places of the capabilities in the manifest.
    inboxes: Vec<Rc<RefCell<Inbox>>>,
    lines: Lines,
    /// Name of the rune.
    name: &'static str,
    pub(crate) sensors: Sensors,
}

impl Exchange {
    /// Begins anew, for another rune.
    ///
    /// # Safety
    /// As of [`Sensors::end`].
    pub(crate) unsafe fn clear(&mut self) {
        // SAFETY: the caller says so.
        unsafe { core::mem::take(&mut self.sensors).end() };
        self.inboxes.clear();
        self.lines.bytes.clear();
        self.name = "";
    }

    /// Takes a part of a sample.
    pub(crate) fn feed(
        &mut self,
        capability: u8,
        offset: u32,
        data: &[u8],
    ) -> Result<(), &'static str> {
        let inbox = self.inboxes.get(usize::from(capability));
        let inbox = inbox.ok_or("no rune runs that has such a capability")?;
        inbox.borrow_mut().put(offset as usize, data)
    }

    /// Takes the next bytes of lines out; gives how many.
    pub(crate) fn fetch(&mut self, into: &mut [u8]) -> usize {
        let count = into.len().min(self.lines.bytes.len());
        for (place, byte) in into.iter_mut().zip(self.lines.bytes.drain(..count)) {
            *place = byte;
        }
        count
    }

    /// Bytes of lines that were lost since the start.
    pub(crate) fn lost(&self) -> u32 {
        self.lines.lost
    }
}

/// Lines that the host has not fetched yet. One for which there is no room is lost whole.
#[derive(Default)]
struct Lines {
    bytes: VecDeque<u8>,
    lost: u32,
}

impl fmt::Write for Lines {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.bytes.len() + text.len() > LINES {
            return Err(fmt::Error);
        }
        self.bytes.extend(text.as_bytes());
        Ok(())
    }
}

impl Lines {
    fn put(&mut self, written: &Written<'_>) -> bool {
        let before = self.bytes.len();
        let done = written.line(self).is_ok() && self.write_str("\n").is_ok();
        if !done {
            self.lost += (self.bytes.len() - before) as u32;
            self.bytes.truncate(before);
        }
        done
    }
}

/// The board.
pub(crate) struct Board {
    pub(crate) server: Server,
    pub(crate) installs: Installs,
    /// By the places of runes.
    pub(crate) exchanges: [Exchange; PLACES],
    /// What the host has said of the sensors of the rune that is tried next.
    pub(crate) said: Option<Said>,
    /// Those of the rune that is being added, which has no place yet.
    pub(crate) added: Sensors,
    /// The place of the rune that is being started.
    starting: usize,
    watchdog: Watchdog,
}

impl Board {
    pub(crate) fn new(server: Server, installs: Installs, watchdog: Watchdog) -> Self {
        let mut exchanges: [Exchange; PLACES] = Default::default();
        for exchange in &mut exchanges {
            exchange.lines.bytes.reserve_exact(LINES);
        }
        Self {
            server,
            installs,
            exchanges,
            said: None,
            added: Sensors::default(),
            starting: 0,
            watchdog,
        }
    }
}

impl rune_core::Board for Board {
    type Clock = fn() -> u64;

    fn clock(&self) -> Self::Clock {
        clock::now_ns
    }

    fn table(&self) -> &'static Table {
        self.added.table()
    }

    fn starts(&mut self, place: usize, rune: &ManifestView<'static>, digest: &[u8; 32]) -> bool {
        self.starting = place;
        let exchange = &mut self.exchanges[place];
        exchange.name = rune.name;
        // One that is started anew keeps its own.
        if self.added.is_any() {
            exchange.sensors = core::mem::take(&mut self.added);
        }
        self.installs.starts(rune.name, digest)
    }

    fn open(
        &mut self,
        row: usize,
        index: usize,
        capability: &CapabilityView<'static>,
    ) -> Result<Box<dyn Source>, SourceError> {
        let sensors = self.exchanges.iter_mut().map(|e| &mut e.sensors);
        let in_use = sensors.map(Sensors::memory).sum();
        let exchange = &mut self.exchanges[self.starting];
        let played = exchange.sensors.open(row, capability, in_use);
        // What is played has no inbox, but a place among them.
        let bytes = if played.is_some() {
            0
        } else {
            capability.ty.bytes() as usize
        };
        if bytes > TABLE.memory_bytes as usize {
            return Err(SourceError::Failed(
                "its samples are larger than the memory of the board",
            ));
        }
        let inbox = Rc::new(RefCell::new(Inbox {
            sample: vec![0; bytes].into(),
            filled: 0,
        }));
        // They are opened in order, each time from the first on.
        exchange.inboxes.truncate(index);
        exchange.inboxes.push(inbox.clone());
        played.unwrap_or_else(|| Ok(Box::new(Fed(inbox))))
    }

    fn write(&mut self, written: &Written<'_>) -> bool {
        let name = written.manifest().name;
        let mut exchanges = self.exchanges.iter_mut();
        let exchange = exchanges.find(|exchange| exchange.name == name);
        exchange.is_some_and(|exchange| exchange.lines.put(written))
    }

    fn say(&mut self, level: u32, rune: &str, line: &str) {
        let level = match level {
            1 => "error",
            2 => "warning",
            3 => "note",
            4 => "debug",
            _ => "trace",
        };
        say!("{level}: {rune}: {line}");
    }

    fn poll_links(&mut self) -> bool {
        let Self {
            server,
            installs,
            exchanges,
            said,
            ..
        } = self;
        server.poll(exchanges, said, installs)
    }

    fn feed_watchdog(&mut self, _: Progress) {
        self.watchdog.feed();
    }
}
