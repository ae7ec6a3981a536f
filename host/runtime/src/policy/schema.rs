//! The keys of a policy; `docs/schema/policy.json` says the same, and a test compares them.

use std::{
    collections::BTreeMap,
    num::{NonZeroU16, NonZeroU32, NonZeroU64},
    path::PathBuf,
};

use serde::Deserialize;
use toml::Spanned;

use crate::{Signer, capability::Sensor, output::sink::WhenFull};

/// A whole policy.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) version: Spanned<u32>,
    /// Keys, one of which must have signed a rune; none: a rune need not be signed.
    #[serde(default)]
    pub(super) signers: Vec<Spanned<Signer>>,
    #[serde(default)]
    pub(super) limits: Limits,
    pub(super) schedule: Option<Spanned<Schedule>>,
    #[serde(default)]
    pub(super) install: Install,
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

/// When a rune is called.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Schedule {
    pub(super) every_ms: Option<NonZeroU32>,
    pub(super) on: Option<On>,
}

/// What calls a rune that no clock calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum On {
    /// Its input: the next call begins as soon as there is any.
    Input,
    /// Somebody who asks for it.
    Trigger,
}

/// How the trial of an installed rune ends.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Install {
    #[serde(default)]
    pub(super) confirm: Confirm,
    pub(super) healthy_after_ms: Option<NonZeroU32>,
}

/// Who confirms a trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Confirm {
    /// A person: `rune confirm`.
    #[default]
    Person,
    /// The server, as soon as it is healthy.
    Healthy,
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
    /// In place of files.
    pub(super) source: Option<Sensor>,
    pub(super) device: Option<String>,
    /// Of the tree of sysfs.
    pub(super) root: Option<PathBuf>,
    /// Frames per second.
    pub(super) rate: Option<f64>,
    pub(super) unit: Option<Spanned<String>>,
    pub(super) scale: Option<f64>,
    pub(super) offset: Option<f64>,
    pub(super) axes: Option<Spanned<String>>,
    pub(super) crop: Option<Spanned<String>>,
    pub(super) baud: Option<u32>,
    #[serde(default)]
    pub(super) channels: Vec<String>,
}

/// Allowed values of a parameter, both ends included.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Range {
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) words: Option<Vec<String>>,
}

/// A sink bound to an output. Which keys go with which sink, `outputs.rs` says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Output {
    pub(super) kind: Spanned<String>,
    pub(super) sink: Spanned<SinkKind>,
    /// Beneath which the file lies.
    pub(super) folder: Option<Spanned<PathBuf>>,
    pub(super) file: Option<Spanned<PathBuf>>,
    pub(super) max_bytes: Option<Spanned<NonZeroU64>>,
    pub(super) keep: Option<Spanned<u32>>,
    pub(super) device: Option<Spanned<PathBuf>>,
    pub(super) baud: Option<Spanned<NonZeroU32>>,
    pub(super) host: Option<Spanned<String>>,
    pub(super) port: Option<Spanned<NonZeroU16>>,
    pub(super) topic: Option<Spanned<String>>,
    pub(super) qos: Option<Spanned<u8>>,
    pub(super) client_id: Option<Spanned<String>>,
    pub(super) login: Option<Spanned<PathBuf>>,
    pub(super) url: Option<Spanned<String>>,
    pub(super) authorization: Option<Spanned<PathBuf>>,
    pub(super) when_full: Option<Spanned<WhenFull>>,
    pub(super) queue_records: Option<Spanned<NonZeroU32>>,
    pub(super) queue_bytes: Option<Spanned<NonZeroU32>>,
    pub(super) timeout_ms: Option<Spanned<NonZeroU32>>,
    pub(super) retries: Option<Spanned<u32>>,
    pub(super) drain_ms: Option<Spanned<u32>>,
}

/// What a sink is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum SinkKind {
    Stdout,
    Discard,
    File,
    Tty,
    Mqtt,
    Http,
}

impl SinkKind {
    /// As a policy writes it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Discard => "discard",
            Self::File => "file",
            Self::Tty => "tty",
            Self::Mqtt => "mqtt",
            Self::Http => "http",
        }
    }
}
