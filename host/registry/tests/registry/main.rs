//! Pushing to registries of the test and pulling from them: right ones, and those that mean harm.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

mod hostile;
mod known;
mod roundtrip;
mod support;
