//! Runes in a sandbox: what is refused, what runs, what stops, where results go, and what the program says.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod cli;
mod consent;
mod devices;
mod hostile;
#[cfg(feature = "http")]
mod http;
mod install;
mod load;
#[cfg(feature = "mqtt")]
mod mqtt;
mod offer;
mod outputs;
mod policy;
mod run;
#[path = "../../../../runtime-mcu/core/tests/runes/mod.rs"]
mod runes;
mod serve;
mod signature;
mod sources;
mod support;
mod watching;
