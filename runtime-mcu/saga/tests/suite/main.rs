//! Laws of histograms and records, on many random ones.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod histogram;
mod random;
mod record;
