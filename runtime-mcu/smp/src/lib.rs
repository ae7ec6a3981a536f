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
//! [`Request::decode`] says what a packet asks for, and [`Reply`] writes what answers it. [`Server`] does that for a
//! [`Device`], whose slots are those of `rune_install`: what an image is, and what becomes of one that is tried, confirmed or
//! erased, is the same on every device. A packet that is no request is not answered; one that asks for what does not exist
//! is answered with a [`Code`].
//!
//! The protocol is described in Zephyr's documentation (services, device management, SMP). Tested against the codec of
//! `PyPI`'s `smp`, which others wrote.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

mod cbor;
pub mod device;
mod files;
pub mod fragments;
mod header;
mod images;
pub mod own;
mod reply;
mod request;
pub mod serial;
mod server;
pub mod settings;

pub use cbor::Fields;
pub use device::Device;
pub use header::{HEADER_BYTES, Header, Op, Version, group};
pub use reply::{Code, GroupCode, GroupDetails, ImageState, Reply, TooSmall};
pub use request::{
    Digest, Download, FileUpload, Request, SetState, Setting, Unreadable, Upload, WriteSetting,
};
pub use server::{Answer, Server};

/// The UDP port of devices.
pub const UDP_PORT: u16 = 1337;
