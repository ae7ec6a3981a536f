//! What sensors give against what runes get.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(
    clippy::result_large_err,
    reason = "a refusal holds its reasons without an allocator"
)]

mod image;
mod manifest;
mod motion;
mod refusals;
mod sound;
mod stream;
mod support;
