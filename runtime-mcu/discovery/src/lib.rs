//! How a device is found on its network: it answers multicast DNS (RFC 6762) for the service `_mcumgr._udp.local`
//! (RFC 6763), which is SMP's, and its subtype `_rune`. `no_std`, no allocator, bounded.
//!
//! | name | type | says |
//! |---|---|---|
//! | `_services._dns-sd._udp.local` | PTR | that there is `_mcumgr._udp.local` |
//! | `_mcumgr._udp.local`, `_rune._sub._mcumgr._udp.local` | PTR | the device's `NAME._mcumgr._udp.local` |
//! | `NAME._mcumgr._udp.local` | SRV | the port of SMP, and `NAME.local` |
//! | `NAME._mcumgr._udp.local` | TXT | `txtvers=1`, `board`, `abi`, `mode`, which is `open` or `locked` |
//! | `NAME.local` | A | the address |
//!
//! Who asks for the service gets all of the board in one reply. `NAME` must be the board's alone, as with digits of its
//! hardware address, so nothing is probed.
#![no_std]
#![forbid(unsafe_code)]

mod name;
mod query;
mod reply;
mod responder;

pub use responder::{Reply, Responder, To};

/// The group to join.
pub const GROUP: [u8; 4] = [224, 0, 0, 251];
/// The UDP port of questions, and of replies to all.
pub const PORT: u16 = 5353;
/// The hop limit of replies.
pub const HOP_LIMIT: u8 = 255;
/// Most bytes of a reply.
pub const REPLY_BYTES: usize = 640;

/// A part of a name, or a short text: 1 to 63 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label<'a>(&'a str);

impl<'a> Label<'a> {
    /// Most bytes of one.
    pub const BYTES: usize = 63;

    /// `None` where it is empty or too long.
    pub const fn new(text: &'a str) -> Option<Self> {
        match text.len() {
            1..=Self::BYTES => Some(Self(text)),
            _ => None,
        }
    }

    /// The text.
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

/// What is said of a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject<'a> {
    /// What it is called on its network; no other board there has this name.
    pub name: Label<'a>,
    /// What kind of board it is.
    pub board: Label<'a>,
    /// Version of the contract with runes that it keeps.
    pub abi: u16,
    /// Whether requests must be signed: `open` or `locked`.
    pub mode: Label<'a>,
    /// The UDP port of SMP.
    pub port: u16,
    /// Of IPv4.
    pub address: [u8; 4],
}
