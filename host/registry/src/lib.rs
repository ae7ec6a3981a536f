//! Runes in OCI registries: what an artifact is made of, the local [`Store`] of artifacts, which is an OCI image layout,
//! and, with the feature `http`, a [`Client`] that pushes to registries and pulls from them.
//!
//! Nothing that a registry says is believed: sizes are bounded before anything is fetched, digests are checked before
//! anything is used, and what is fetched lies beside the store until then.
#![forbid(unsafe_code)]

mod artifact;
#[cfg(feature = "http")]
mod auth;
#[cfg(feature = "http")]
mod client;
mod digest;
mod error;
#[cfg(feature = "http")]
mod http;
mod lock;
mod manifest;
mod reference;
mod store;

pub use artifact::{Artifact, Image, Named, Platform, SourceFile, SourceKind, media};
#[cfg(feature = "http")]
pub use client::{Client, Options, Progress};
pub use digest::Digest;
pub use error::Error;
pub use lock::{Lock, LockError};
pub use manifest::{Descriptor, Index, Manifest};
pub use reference::{Reference, ReferenceError};
pub use store::Store;
