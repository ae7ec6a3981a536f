//! `RunicOS` without a chip: what a board needs to run runes, and what it shares with the runtime for Linux.
//!
//! A rune, a module or an image of machine code, is started in two steps. [`check`] reads its bytes where they lie, in flash, and compares them with the
//! contract of `docs/abi.md`; [`grant`] compares what its manifest asks for with the [`Table`] of the board and a
//! [`Policy`], and refuses with everything that is missing. Then an [`Engine`] makes an instance, and a [`Scheduler`]
//! calls it: what it wrote goes to the [`Board`] that the scheduler was given.
//!
//! Memory is taken when a rune is added or started anew, never during a call that ends well.
#![no_std]
#![forbid(unsafe_code)]
#![allow(
    clippy::result_large_err,
    reason = "an error is of a fixed size: it has no other place"
)]

extern crate alloc;

mod board;
mod call;
mod check;
mod engine;
pub mod json;
mod module;
mod rand;
mod record;
mod schedule;
mod scheduler;
mod signature;
mod source;
mod text;

pub use board::{Gives, Grant, Missing, Policy, Range, Refusal, Sensor, Table, grant};
pub use call::{CallError, Cause, LOG_LINES, Misuse, Saga, sample};
pub use check::{Breach, Checked, Imports, LoadError, ParamFault, TABLE_ENTRIES, check};
pub use engine::{
    Either, Engine, Engines, Host, Instance, Interpreter, Lent, Limits, Running, StartError,
    Stopped, place,
};
pub use rand::{Rand, RandError};
pub use record::{Dims, Record, RecordError, Tensor, TensorView, Texts, Written, tensors};
pub use schedule::{Backoff, Schedule};
pub use scheduler::{AddError, Board, Failed, Id, Phase, Progress, Scheduler, Unit};
pub use source::{Adapted, Device, Read, Source, SourceError, Taken};
pub use text::{LINE_BYTES, Log, Text, printable};

/// A clock that only goes forward.
pub trait Clock: Clone + 'static {
    /// Nanoseconds since some moment.
    fn now_ns(&self) -> u64;
}

impl Clock for fn() -> u64 {
    fn now_ns(&self) -> u64 {
        self()
    }
}
