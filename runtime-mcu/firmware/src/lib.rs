//! What the firmware of every board has in common, without the name of a chip.
//!
//! A board says what it is in a [`Chip`]: clock, sensors, watchdog, [`Links`] to its hosts, flash. [`Runes`] does the
//! rest: it takes requests of `rune_link`, installs runes on the flash by the state machine of `rune_install`, runs
//! several at once in place, feeds them with samples of the host, with sensors that the host plays, or with the board's
//! own, and keeps their lines until the host fetches them. What concerns slots and runes stock clients of SMP may ask too,
//! on the same links.
//!
//! Beside that there are parts that boards have and that can be tested without one: [`fault`] says why a run ended,
//! [`mpu`] covers memory with regions of the protection unit,
//! [`SerialNor`] drives a chip of serial flash over whatever bus it is on, and [`Decimator`] makes sound of the bits of a
//! microphone.
//!
//! What touches registers and fixed addresses is the board's. What is `unsafe` here concerns what a rune keeps for as long
//! as it is there and no borrow can say: its bytes on the flash, and the table of its sensors.
#![cfg_attr(not(test), no_std)]
#![allow(
    unsafe_code,
    reason = "what a rune keeps as long as it is there is lent for ever, and taken back"
)]
#![allow(
    clippy::result_large_err,
    reason = "an error is of a fixed size: it has no other place"
)]

extern crate alloc;

mod chip;
mod exchange;
pub mod fault;
mod installs;
#[cfg(feature = "smp")]
mod kept;
mod lending;
mod links;
#[cfg(feature = "smp")]
mod managed;
pub mod mpu;
#[cfg(feature = "ble")]
mod near;
mod node;
mod pdm;
mod runes;
mod sensors;
mod serial_nor;
mod server;
#[cfg(test)]
mod sim;
#[cfg(feature = "smp")]
mod starts;
#[cfg(test)]
mod tests;

pub use chip::{Chip, Shown};
#[cfg(feature = "smp")]
pub use kept::{keep_settings, settings};
pub use lending::{InPlace, Lending, LendingError};
pub use links::{Links, NAME_BYTES, Port, RECEIVED_BYTES, Received, Serial};
#[cfg(feature = "ble")]
pub use near::Near;
pub use pdm::{BitOrder, Decimator};
pub use runes::Runes;
pub use sensors::{WHOLE, whole};
pub use serial_nor::{Bus, BusTimeout, Lines, Part, SerialNor, SerialNorError};
#[cfg(feature = "smp")]
pub use starts::count_start;

/// Runes that run at once.
pub const PLACES: usize = 4;
