//! Runes in registries, as people push, pull and build on them.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]
#![allow(clippy::print_stderr, reason = "what is skipped is said")]

mod docker;
mod layers;
mod programs;
#[path = "../../../registry/tests/registry/support.rs"]
#[allow(
    dead_code,
    reason = "the tests of the crate for registries need more of it"
)]
mod server;
mod support;
