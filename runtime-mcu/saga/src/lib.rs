//! Saga: what a rune did, how fast, and how it failed. `no_std`, no allocator, fixed memory; one code
//! for microcontrollers and Linux.
//!
//! The runtime owns a [`Recorder`] for each rune it runs and tells it of calls, stages and outputs as they
//! happen. A recorder keeps two spans apart: everything since it was made (*total*), and what came since the
//! last heartbeat (*interval*). [`Recorder::encode`] writes both as one compact record without disturbing
//! them; [`Recorder::heartbeat`] writes the same record and then begins a new interval, while the totals go
//! on. [`Snapshot::decode`] reads a record, from whatever sender, with every bound checked.
//!
//! # Units
//!
//! Durations are whole nanoseconds, sizes are bytes. Instants are nanoseconds on a monotonic clock of the
//! runtime whose origin is its own affair; only differences leave this crate. Every number is a `u64` and
//! saturates: at its end it stays, and never begins anew.
//!
//! # Memory
//!
//! A [`Stage`] takes about 2.2 KiB, a [`Recorder`] about 4.7 KiB besides its stages and outputs. Who cannot
//! afford all stages gives the recorder fewer, and the later ones are not recorded.
//!
//! ```
//! use rune_saga::{Failure, Outcome, Output, Recorder, Stage};
//!
//! let mut recorder = Recorder::new([const { Stage::new() }; 2], [Output::new()], 0);
//! recorder.stage(0, 1_800);
//! recorder.stage(1, 3_100);
//! recorder.written(0, 96);
//! recorder.call(5_000, Outcome::Output);
//! recorder.call(9_000, Outcome::Failed(Failure::Unreachable));
//! assert_eq!(recorder.total().calls(), 2);
//! assert_eq!(recorder.latency().max_ns(), Some(9_000));
//! ```
#![no_std]
#![forbid(unsafe_code)]
#![expect(
    clippy::inline_always,
    reason = "firmware is compiled for size, and these are a part of every call"
)]

mod counters;
mod failure;
mod histogram;
mod recorder;
mod wire;

pub use counters::{Counters, Summary, Writes};
pub use failure::Failure;
pub use histogram::{Bucket, Histogram};
pub use recorder::{Outcome, Output, Recorder, Stage};
pub use wire::{DecodeError, OutputView, Snapshot, StageView, Subject, TooSmall};
