//! What a rune and whoever runs it agree on: element types, capability and output kinds,
//! import names, the manifest, and fault codes. `no_std`, no dependencies.
//!
//! `docs/abi.md` is the prose form of this crate.
#![no_std]

#[cfg(any(test, feature = "encode"))]
extern crate alloc;

mod capability;
mod element;
mod fault;
pub mod image;
mod manifest;
mod module;

pub use capability::{
    CAPABILITIES, CapabilityKind, KindSpec, OUTPUTS, OutputKind, ParamSpec, ParamType,
};
pub use element::ElementType;
pub use fault::Fault;
pub use manifest::*;
pub use module::{CallResult, Import, ValType, WasmFeatures, export, section};

/// Version of the contract between a rune and its runtime. A rune names the version it needs
/// and a runtime refuses any other.
pub const ABI_VERSION: u16 = 1;
