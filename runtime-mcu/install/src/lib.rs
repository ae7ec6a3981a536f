//! Installing runes: uploads, trials, confirming and rolling back, safe when the power is cut. `no_std`, no
//! allocator, fixed memory; one code for microcontrollers and Linux.
//!
//! A device has a pool of slots, one more than the runes it may have. An upload fills a slot and is verified by
//! the runtime; then it belongs to the rune of its name. It is tried, and either confirmed, whereupon the one
//! before is kept to go back to, or rolled back. [`table::TABLE`] has every transition. [`machine`] is pure: it
//! takes an [`Input`] and gives the next [`Pool`] and [`Effect`]s. [`Installer`] carries them out over a
//! [`Storage`], which is flash or a folder of files, and keeps the pool in a [`journal`]. [`nor`] is that storage on
//! NOR flash.
//!
//! # What holds
//!
//! Each input has at most one commit, and a commit has happened or not, whenever the power is cut. Nothing that
//! the last commit still needs is erased before the next. So a device starts with the pool from before the input
//! or from after it. [`Storage`] says what it must promise for that.
//!
//! # Memory
//!
//! A [`Pool`] of 5 slots, 8 floors and 8 strikes takes 1.5 KiB. A step makes one more on the stack, and the
//! journal needs a buffer for one record, [`Pool::RECORD_BYTES`] rounded up to [`BUFFER_ALIGN`].
#![no_std]
#![forbid(unsafe_code)]

mod installer;
pub mod journal;
pub mod machine;
pub mod nor;
mod pool;
mod record;
mod storage;
pub mod table;
mod trial;

pub use installer::{Error, Installer, OpenError, Options, Upload};
pub use journal::{BUFFER_ALIGN, Opening};
pub use machine::{Effect, Input, Limits, Refused, Reply, Start, Step};
pub use pool::{Digest, Entry, Identity, NAME_BYTES, Name, Pool};
pub use record::DecodeError;
pub use storage::{Geometry, ReadFault, Region, Storage};
pub use table::{Event, Phase};
pub use trial::Fate;
