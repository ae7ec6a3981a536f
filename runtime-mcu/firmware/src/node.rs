//! A board as the core's scheduler sees it.

use alloc::boxed::Box;

use rune_abi::{CapabilityView, ManifestView};
use rune_core::{Board, Policy, Progress, Source, SourceError, Table, Written};
use rune_link::Reason;

use crate::{
    Chip, PLACES,
    exchange::Exchange,
    installs::Installs,
    sensors::{Said, Sensors, WHOLE},
    server::Server,
};

/// A board, with what is installed on it and what its host says.
pub(crate) struct Node<C: Chip, const SLOTS: usize> {
    pub(crate) chip: C,
    pub(crate) server: Server<C>,
    pub(crate) installs: Installs<C::Flash, SLOTS>,
    /// By the places of runes.
    pub(crate) exchanges: [Exchange; PLACES],
    /// What the host has said of the sensors of the rune that is tried next.
    pub(crate) said: Option<Said>,
    /// Those of the rune that is being added, which has no place yet.
    pub(crate) added: Sensors,
    /// The place of the rune that is being started.
    starting: usize,
}

impl<C: Chip, const SLOTS: usize> Node<C, SLOTS> {
    /// What the board has where the host gives all samples.
    pub(crate) const HOSTED: &'static Table = &Table {
        sensors: &WHOLE,
        ..*C::TABLE
    };

    /// Nothing runs yet. `reason` is that of the run before, if it failed.
    pub(crate) fn new(
        chip: C,
        links: C::Links,
        installs: Installs<C::Flash, SLOTS>,
        reason: Option<Reason<'static>>,
    ) -> Self {
        Self {
            chip,
            server: Server::new(links, reason),
            installs,
            exchanges: core::array::from_fn(|_| Exchange::new(C::TABLE)),
            said: None,
            added: Sensors::own(C::TABLE),
            starting: 0,
        }
    }

    /// What a rune with these sensors may have.
    pub(crate) fn policy(sensors: &Sensors) -> Policy {
        let policy = C::policy();
        Policy {
            schedule: sensors.schedule().unwrap_or(policy.schedule),
            ..policy
        }
    }
}

impl<C: Chip, const SLOTS: usize> Board for Node<C, SLOTS> {
    type Clock = fn() -> u64;

    fn clock(&self) -> Self::Clock {
        C::now_ns
    }

    fn table(&self) -> &'static Table {
        self.added.table()
    }

    fn starts(&mut self, place: usize, rune: &ManifestView<'static>, digest: &[u8; 32]) -> bool {
        self.starting = place;
        let exchange = &mut self.exchanges[place];
        exchange.starts(rune.name);
        // One that is started anew keeps its own.
        if self.added.are_said() {
            exchange.sensors = core::mem::replace(&mut self.added, Sensors::own(C::TABLE));
        }
        self.installs.starts(&mut self.chip, rune.name, digest)
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
        let sensors = &mut exchange.sensors;
        let sensor = if sensors.are_said() {
            sensors.open(row, capability, in_use, C::now_ns).transpose()
        } else {
            self.chip.open(row, index, capability)
        };
        exchange.open(sensor?, capability, C::TABLE.memory_bytes as usize)
    }

    fn write(&mut self, written: &Written<'_>) -> bool {
        let name = written.manifest().name;
        let mut exchanges = self.exchanges.iter_mut();
        let exchange = exchanges.find(|exchange| exchange.is_of(name));
        exchange.is_some_and(|exchange| exchange.write(written))
    }

    fn say(&mut self, level: u32, rune: &str, line: &str) {
        let level = match level {
            1 => "error",
            2 => "warning",
            3 => "note",
            4 => "debug",
            _ => "trace",
        };
        self.chip.say(format_args!("{level}: {rune}: {line}"));
    }

    fn poll_links(&mut self) -> bool {
        let Self {
            chip,
            server,
            installs,
            exchanges,
            said,
            ..
        } = self;
        let polled = chip.poll();
        server.poll(chip, exchanges, said, installs) && polled
    }

    fn feed_watchdog(&mut self, _: Progress) {
        self.chip.feed_watchdog();
    }
}
