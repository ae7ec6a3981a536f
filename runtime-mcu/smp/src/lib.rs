//! SMP, the Simple Management Protocol of Zephyr, `MCUboot` and Mynewt, as a device answers it. `no_std`, no allocator,
//! no clock, no transport: bytes in, bytes out.
//!
//! A *packet* is a header of eight bytes and one map of CBOR. How packets travel depends on the link:
//!
//! | link | packets |
//! |---|---|
//! | serial | lines of base64 with a checksum, between which a console may print: [`serial`] |
//! | UDP | one in each datagram |
//! | BLE | in pieces as long as the link allows: [`fragments`] |
//!
//! [`Request::decode`] says what a packet asks for, and [`Reply`] writes what answers it. What a device does with a request
//! is not here. A packet that is no request is not answered; one that asks for what does not exist is answered with a
//! [`Code`].
//!
//! The protocol is described in Zephyr's documentation (services, device management, SMP). Tested against the codec of
//! `PyPI`'s `smp`, which others wrote.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

mod cbor;
pub mod fragments;
mod header;
mod reply;
mod request;
pub mod serial;

pub use header::{HEADER_BYTES, Header, Op, Version, group};
pub use reply::{Code, GroupCode, GroupDetails, ImageState, Reply, TooSmall};
pub use request::{
    Digest, Download, FileUpload, Request, SetState, Setting, Unreadable, Upload, WriteSetting,
};

/// The UDP port of devices.
pub const UDP_PORT: u16 = 1337;
