//! Makes what a device's sensor gives into what a rune's capability asks for.
//!
//! A device says what its sensor gives ([`Source`]), a rune's manifest what it reads; [`plan`] compares the
//! two before anything of the rune runs. Either it says how one becomes the other, with the exact memory that
//! takes, or why it cannot, with every reason at once ([`Refusal`]). Then
//!
//! - a [`Stream`] turns sound and readings into windows: samples decoded, channels mixed or axes turned,
//!   brought to the rune's rate, cut with overlap, and stamped with the time of their first frame;
//! - an [`ImagePlan`] turns a picture of one size and pixel format into another, and keeps nothing.
//!
//! The same bytes from a sensor give the same bytes for the rune on every machine, however they are cut on
//! the way in: arithmetic is of integers, or of IEEE 754 binary32 without contraction and in an order of sums
//! that is part of the definition. Nothing here allocates; the caller lends the memory a plan asks for.
#![no_std]
#![forbid(unsafe_code)]

mod buffer;
mod filter;
mod image;
mod motion;
mod plan;
mod rate;
mod refusal;
mod resample;
mod scale;
mod sound;
mod stream;
mod window;

pub use buffer::BufferError;
pub use filter::Response;
pub use image::{Crop, ImagePlan, ImageSource, PixelFormat};
pub use motion::{Axes, Axis, MotionFormat, MotionSource, ScanError, ScanType, Unit};
pub use plan::{Plan, Source, plan};
pub use rate::Rate;
pub use refusal::{Reason, Refusal};
pub use sound::{SampleFormat, SoundSource};
pub use stream::{Counters, Stream, StreamPlan, Window};
