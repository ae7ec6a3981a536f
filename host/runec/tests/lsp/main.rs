//! The language server as an editor meets it.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

mod client;
mod features;
mod layers;
mod memo;
mod robust;
