//! Verified pipeline to WebAssembly.

pub mod kernels;
pub mod nest;
