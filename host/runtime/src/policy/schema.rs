//! The keys of a policy; `docs/schema/policy.json` says the same, and a test compares them.

use std::{
    collections::BTreeMap,
    num::{NonZeroU32, NonZeroU64},
    path::PathBuf,
};

use serde::Deserialize;
use toml::Spanned;

/// A whole policy.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) version: Spanned<u32>,
    /// Ids of keys, one of which must have signed a rune; none: a rune need not be signed.
    #[serde(default)]
    pub(super) signers: Vec<String>,
    #[serde(default)]
    pub(super) limits: Limits,
    /// By the name of the capability in the rune.
    #[serde(default)]
    pub(super) capabilities: BTreeMap<String, Capability>,
    /// By the name of the output in the rune.
    #[serde(default)]
    pub(super) outputs: BTreeMap<String, Output>,
}

/// What a rune may use.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Limits {
    pub(super) memory_bytes: Option<u32>,
    pub(super) call_time_ms: Option<NonZeroU32>,
    pub(super) calls_per_second: Option<NonZeroU32>,
    pub(super) output_bytes_per_second: Option<NonZeroU64>,
}

/// A source bound to a capability.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Capability {
    pub(super) kind: Spanned<String>,
    /// What its parameters must be, by name; others may be anything.
    #[serde(default)]
    pub(super) params: BTreeMap<String, Spanned<Range>>,
    /// Where the files lie.
    #[serde(default)]
    pub(super) folder: PathBuf,
    /// Beneath the folder, one after the other.
    #[serde(default)]
    pub(super) files: Vec<String>,
    pub(super) seed: Option<u64>,
}

/// Allowed values of a parameter, both ends included.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Range {
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) words: Option<Vec<String>>,
}

/// A sink bound to an output.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Output {
    pub(super) kind: Spanned<String>,
    pub(super) sink: Sink,
}

/// Where what a rune writes goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sink {
    /// Standard output, as lines of JSON.
    Stdout,
    /// Nowhere.
    Discard,
}
