//! Hammer, the program `hmr`: keys, signatures of runes and images, and the devices that run them. How a device is reached
//! is in [`link`], what it can be asked in [`client`], what is done with it in [`deploy`], and how it is found in [`find`];
//! what is known of many is in [`monitor`]. What a device is given of a Runefile or of what a registry has is in [`source`].
#![forbid(unsafe_code)]

pub mod cli;
pub mod client;
mod cmd;
pub mod deploy;
pub mod find;
pub mod link;
pub mod monitor;
pub mod source;

/// Bytes as hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // A string takes everything.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
