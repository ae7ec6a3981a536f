//! What blocks of tensors share: which dimension an axis names, the elements along it, their order, and
//! numbers of any element type.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod axis;
mod lanes;
mod number;
mod ranking;

pub use axis::dimension;
pub use lanes::{Lane, Lanes};
pub use number::Number;
pub use ranking::{greatest, largest};
