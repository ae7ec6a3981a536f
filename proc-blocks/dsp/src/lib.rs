//! Signal processing that several blocks share.
#![cfg_attr(target_arch = "wasm32", no_std)]
