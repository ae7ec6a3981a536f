//! `hmr` as people use it.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

mod keys;
mod minisign;
mod refusals;
mod signing;
mod support;
