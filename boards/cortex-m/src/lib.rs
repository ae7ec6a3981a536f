//! What the firmware of boards with a Cortex-M7 has in common, and is not a chip's.
//!
//! [`Images`] is engine two: it runs images, runes as machine code, where they lie in flash. What is between it and an
//! image is in [`gate`]: a few instructions that enter an image, and handlers of exceptions that come back from it.
//! [`fault`] has the reasons of a runtime that failed, [`mpu`] the regions of the protection unit, [`stack`] marks the
//! stack. What touches registers of the processor is here, what touches those of a chip is the board's.
//!
//! A linker script gives `_fault_stack`, the end of a stack for handlers whose own may be broken; and for [`fault`]
//! `_kept`, a place that a reset leaves alone, and `_stack_end` and `_stack_start`.
#![no_std]
#![allow(
    clippy::result_large_err,
    reason = "an error is of a fixed size: it has no other place"
)]

extern crate alloc;

#[cfg(feature = "reasons")]
pub mod fault;
pub mod gate;
#[expect(
    clippy::inline_always,
    reason = "firmware is compiled for size, and these are a part of every call"
)]
mod images;
#[expect(
    clippy::inline_always,
    reason = "firmware is compiled for size, and these are a part of every call"
)]
pub mod mpu;
#[cfg(feature = "reasons")]
pub mod stack;
#[cfg(feature = "crash")]
pub mod state;

pub use images::{Images, Loaded};
