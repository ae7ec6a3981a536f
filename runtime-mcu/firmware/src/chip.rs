//! What a board is.

use alloc::boxed::Box;
use core::{fmt, time::Duration};

use rune_abi::CapabilityView;
use rune_core::{Engine, Policy, Source, SourceError, Table};
use rune_link::Crash;
#[cfg(feature = "smp")]
use rune_smp::{device::Lock, settings::Settings};

use crate::{InPlace, Links};

/// Why a board does not fail on request.
const NO_CRASH: &str = "this build does not fail on request";

/// What a board shows to who looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// No rune runs.
    Idle,
    /// One runs, or more.
    Running,
    /// One has failed and waits for its next start.
    Failed,
}

/// A board.
pub trait Chip: 'static {
    /// Where requests come from.
    type Links: Links;
    /// Where runes lie.
    type Flash: InPlace;
    /// What runs runes.
    type Engine: Engine;

    /// What the board is called.
    const NAME: &'static str;
    /// What it has where the host plays no sensors: its own, and of other kinds the host's, see
    /// [`whole`](crate::whole).
    const TABLE: &'static Table;
    /// The period of its watchdog: more than the longest call of a rune takes, and than the longest erasure.
    const WATCHDOG: Duration;

    /// What runs runes. It is asked once.
    fn engine(&self) -> Self::Engine;

    /// Nanoseconds since the start.
    fn now_ns() -> u64;

    /// What a rune may have. Its schedule is that of runes for which the host plays no sensors.
    fn policy() -> Policy;

    /// Opens the sensor in a row of the table for the capability at `index` of a manifest; `None` where the host gives
    /// its samples.
    ///
    /// # Errors
    /// Where the sensor does not work, or another rune has it.
    fn open(
        &mut self,
        _row: usize,
        _index: usize,
        _capability: &CapabilityView<'static>,
    ) -> Result<Option<Box<dyn Source>>, SourceError> {
        Ok(None)
    }

    /// Text for people, without a final line break.
    fn say(&mut self, text: fmt::Arguments<'_>);

    /// Shows how the board is.
    fn show(&mut self, _shown: Shown) {}

    /// Lets what the board has beside its links go on; whether it did.
    fn poll(&mut self) -> bool {
        true
    }

    /// Another period of the watchdog.
    fn feed_watchdog(&mut self);

    /// Bytes of the heap: in use, the most that ever were, all.
    fn heap(&self) -> [usize; 3];

    /// Bytes of the stack: the most that were ever used, all.
    fn stack(&self) -> [usize; 2];

    /// Starts the board anew.
    fn reset(&mut self) -> !;

    /// Whose signatures it asks for before anything is changed; `None` while it is open. A board that is locked refuses by
    /// the other protocol whatever could change something.
    #[cfg(feature = "smp")]
    fn lock(&self) -> Option<Lock> {
        None
    }

    /// Whether it has this key, and the key has signed these parts, one behind the other.
    #[cfg(feature = "smp")]
    fn vouches(&self, _key: &[u8; 32], _parts: &[&[u8]], _signature: &[u8; 64]) -> bool {
        false
    }

    /// What is set on it; `None` where it keeps no settings.
    #[cfg(feature = "smp")]
    fn settings(&self) -> Option<Settings> {
        None
    }

    /// Keeps what is set, on its flash beside slots and areas, and goes by it from now on.
    ///
    /// # Errors
    /// Why it cannot.
    #[cfg(feature = "smp")]
    fn keep(&mut self, _flash: &mut Self::Flash, _: &Settings) -> Result<(), &'static str> {
        Err("this board keeps no settings")
    }

    /// Fails as asked, and does not return. It does for [`Crash::Links`], which is not the board's.
    ///
    /// # Errors
    /// Why it does not fail.
    fn crash(&mut self, _how: Crash) -> Result<(), &'static str> {
        Err(NO_CRASH)
    }

    /// Checksums of what no rune may change: registers of the processor and of the chip, code, memory.
    ///
    /// # Errors
    /// Why there are none.
    fn sums(&mut self) -> Result<[u32; 4], &'static str> {
        Err("this build has no checksums")
    }

    /// Lets the flash stop for ever after so many operations, the next one by half where `is_torn`.
    ///
    /// # Errors
    /// Why it does not.
    fn stop_flash(
        _flash: &mut Self::Flash,
        _after: u32,
        _is_torn: bool,
    ) -> Result<(), &'static str> {
        Err(NO_CRASH)
    }
}
