//! What the board is.
//!
//! Its sensors are the host's: those that it plays, which are adapted here, and whole samples of every other kind.

use core::{fmt, time::Duration};

use cortex_m::peripheral::SCB;
use rune_abi::OutputKind;
use rune_core::{Policy, Schedule, Table};
use rune_firmware::{Chip, WHOLE};
use rune_install::nor::Map;

use crate::{
    clock,
    links::Links,
    memory,
    nor::Flash,
    uart::say,
    watchdog::{self, Watchdog},
};

/// Slots: more than the runes that may run, so that there is one for an upload, and others for what was before.
pub(crate) const SLOTS: usize = 7;

/// Two areas of 8 KiB, then slots of 2 MiB; an upload that was cut goes on at a multiple of 16 KiB.
pub(crate) const MAP: Map<SLOTS> = Map::consecutive(0, 8 << 10, 2 << 20, 16 << 10);

static TABLE: Table = Table {
    bases: &["runicos/base"],
    sensors: &WHOLE,
    outputs: &[OutputKind::Serial],
    memory_bytes: 2 << 20,
    code_bytes: 256 << 10,
};

/// The board.
pub(crate) struct Board {
    pub(crate) watchdog: Watchdog,
}

impl Chip for Board {
    type Links = Links;
    type Flash = Flash;

    const NAME: &'static str = "mps2-an500";
    const TABLE: &'static Table = &TABLE;
    const WATCHDOG: Duration = Duration::from_secs(watchdog::SECONDS as u64);

    fn now_ns() -> u64 {
        clock::now_ns()
    }

    /// It is called when the host asks for it, and shorter than the watchdog's period.
    fn policy() -> Policy {
        Policy {
            schedule: Schedule::Trigger,
            memory_bytes: TABLE.memory_bytes,
            ..Policy::default()
        }
    }

    fn say(&mut self, text: fmt::Arguments<'_>) {
        say!("{text}");
    }

    fn feed_watchdog(&mut self) {
        self.watchdog.feed();
    }

    fn heap(&self) -> [usize; 3] {
        memory::heap()
    }

    fn stack(&self) -> [usize; 2] {
        memory::stack()
    }

    fn reset(&mut self) -> ! {
        SCB::sys_reset()
    }

    #[cfg(feature = "crash")]
    fn crash(&mut self, how: rune_link::Crash) -> Result<(), &'static str> {
        if how != rune_link::Crash::Links {
            crate::fault::crash(how);
        }
        Ok(())
    }

    #[cfg(feature = "crash")]
    fn stop_flash(flash: &mut Flash, after: u32, is_torn: bool) -> Result<(), &'static str> {
        flash.stop(crate::nor::Stop { after, is_torn });
        Ok(())
    }
}
