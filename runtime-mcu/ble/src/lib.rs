//! SMP over Bluetooth Low Energy, as a device offers it: one service, in which a central writes the pieces of a request and
//! is notified of those of the reply. `no_std`, no allocator, no interrupts, no timers.
//!
//! A controller is anything that speaks the packets of Bluetooth's host controller interface over a serial line (H4): a
//! [`Port`] takes and gives its bytes without waiting. [`serve`] is a future that never ends by itself. Whoever runs it
//! polls it when the port may have something, and several times a second anyway; it may be given a waker that does nothing.
//! Between two polls it takes requests out of the [`Mailbox`] and puts replies in:
//!
//! ```text
//! controller <--H4--> Port <--> serve <--> Mailbox <--> rune_smp::Server
//! ```
//!
//! There is one central at a time, and one request of it. Whatever a central does, its connection is all that it can end:
//! one that says nothing for [`IDLE`] is disconnected, and pieces that are no packet are forgotten.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

mod guard;
mod h4;
mod mailbox;
mod service;
mod transport;

pub use embedded_io::ErrorKind;
pub use h4::{H4, H4Error, PACKET_BYTES};
pub use mailbox::Mailbox;
pub use service::{Identity, NAME_BYTES, Stopped, serve};
pub use transport::Port;

/// How long a central may be silent.
pub const IDLE: core::time::Duration = core::time::Duration::from_mins(1);
