//! The core of devices on a bench: a board with a clock of its own, sensors made by hand, and runes of every sort.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bench;
mod calls;
mod grants;
mod hostile;
mod images;
mod json;
#[path = "../runes/mod.rs"]
mod runes;
mod schedules;
mod sensors;
