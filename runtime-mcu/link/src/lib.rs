//! The protocol of a board's binary serial port, and of its UDP port: a host asks, the board answers, one at a time.
//! `no_std`, no allocator, bounded.
//!
//! [`frame`] finds requests among whatever bytes come, [`message`] says what they mean; [`install`], [`run`] and
//! [`sensor`] are parts of it. A host sends one request and waits for the reply with its number; a board answers each,
//! also one that it refuses. What is damaged is not answered: the host asks again, or gives up.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod frame;
pub mod install;
pub mod message;
pub mod run;
pub mod sensor;

pub use frame::{Decoder, FRAME_BYTES, Frame, PAYLOAD_BYTES};
pub use install::{Install, Installed};
pub use message::{About, Crash, DATA_BYTES, Digest, Reason, Reply, Request, Status, Unreadable};
pub use run::{Doing, FAILURES, Run, Rune, When};
pub use sensor::{Play, Played};

/// Version of the protocol; a board says which one it speaks.
pub const PROTOCOL: u16 = 2;
/// The UDP port of boards on a network: one frame is a datagram, and so is its reply.
pub const UDP_PORT: u16 = 7863;
