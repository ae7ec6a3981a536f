//! What a board is.

use alloc::boxed::Box;
use core::fmt;

use rune_abi::CapabilityView;
use rune_core::{Policy, Source, SourceError, Table};
use rune_link::Crash;

use crate::InPlace;

/// The port on which a host talks to a board.
pub trait Port {
    /// The byte that came first of those not read yet.
    fn receive(&mut self) -> Option<u8>;

    /// Sends bytes, or loses them where nobody takes them for a while: it does not wait without end.
    fn send(&mut self, bytes: &[u8]);

    /// Bytes from the host that were lost since the start.
    fn lost(&self) -> u32;
}

/// What a board shows to who looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// It waits for a rune.
    Idle,
    /// A rune runs.
    Running,
    /// The rune failed.
    Failed,
}

/// A board.
pub trait Chip {
    /// The port of the host.
    type Port: Port;
    /// Where runes lie.
    type Flash: InPlace;

    /// What the board is called.
    const NAME: &'static str;

    /// Nanoseconds since the start.
    fn now_ns() -> u64;

    /// What the board has.
    fn table(&self) -> &'static Table;

    /// What a rune may have that the host starts; it feeds and calls it.
    fn hosted(&self) -> Policy;

    /// What a rune may have that the board starts by itself, with its own sensors.
    fn alone(&self) -> Policy;

    /// Opens the sensor in a row of the table; `None` where the host plays it.
    ///
    /// # Errors
    /// Where the sensor does not work.
    fn open(
        &mut self,
        row: usize,
        index: usize,
        capability: &CapabilityView<'static>,
    ) -> Result<Option<Box<dyn Source>>, SourceError>;

    /// Text for people, without a final line break.
    fn say(&mut self, text: fmt::Arguments<'_>);

    /// Shows how the board is.
    fn show(&mut self, shown: Shown);

    /// Lets links other than the port go on; whether every one did.
    fn poll_links(&mut self) -> bool {
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

    /// Fails as asked, and does not return; or says why it does not.
    fn crash(&mut self, how: Crash) -> &'static str;
}
