//! What the firmware of every board has in common, without the name of a chip.
//!
//! A board says what it is in a [`Chip`]: clock, sensors, watchdog, the port of the host, flash. A [`Runner`] does the
//! rest: it takes requests of `rune_link`, keeps runes in [`Slots`] of the flash, feeds the rune that runs with samples
//! of the host or of the board's sensors, and keeps its lines until the host fetches them.
//!
//! Beside that there are parts that boards have and that can be tested without one: [`fault`] says why a run ended,
//! [`SerialNor`] drives a chip of serial flash over whatever bus it is on, [`Decimator`] makes sound of the bits of a
//! microphone, and [`Hci`] finds packets in the bytes of a Bluetooth controller.
//!
//! Nothing here is `unsafe`; what touches registers and fixed addresses is the board's.
#![no_std]
#![forbid(unsafe_code)]
#![allow(
    clippy::result_large_err,
    reason = "an error is of a fixed size: it has no other place"
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod chip;
mod exchange;
pub mod fault;
mod pdm;
mod radio;
mod runner;
mod serial_nor;
mod server;
#[cfg(test)]
mod sim;
mod slots;

pub use chip::{Chip, Port, Shown};
pub use exchange::Exchange;
pub use pdm::{BitOrder, Decimator};
pub use radio::{Hci, HciError, Packets, Radio};
pub use runner::{Node, Runner};
pub use serial_nor::{Bus, BusTimeout, Lines, Part, SerialNor, SerialNorError};
pub use server::{Command, Server};
pub use slots::{Head, InPlace, Lease, Slots};
