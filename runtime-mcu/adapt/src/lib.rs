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
//!
//! What is adapted, what is refused and what it costs is in `docs/decisions/0021-adapting-sensors.md`.
//!
//! ```
//! use rune_abi::CapabilityView;
//! use rune_adapt::{Plan, Rate, SampleFormat, SoundSource, Source, Stream, plan};
//!
//! /// Calls `run` with every window that a rune hears of a stereo sound card.
//! fn listen(
//!     capability: &CapabilityView<'_>,
//!     periods: impl Iterator<Item = (u64, Vec<u8>)>,
//!     mut run: impl FnMut(&[u8]),
//! ) -> Result<(), Box<dyn std::error::Error>> {
//!     let card = Source::Sound(SoundSource {
//!         rate: Rate::hz(44_100),
//!         channels: 2,
//!         format: SampleFormat::S16,
//!     });
//!     let Plan::Stream(plan) = plan(capability, &card)? else {
//!         unreachable!("a sound card gives a stream");
//!     };
//!     let mut stream = Stream::new(plan, vec![0.0; plan.words()], vec![0; plan.ring_bytes()])?;
//!     let mut window = vec![0; plan.window_bytes()];
//!     for (nanoseconds, bytes) in periods {
//!         stream.push(&bytes, Some(nanoseconds));
//!         while stream.read(&mut window)?.is_some() {
//!             run(&window);
//!         }
//!     }
//!     Ok(())
//! }
//! ```
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
