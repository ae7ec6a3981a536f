//! Verified pipeline to WebAssembly.
