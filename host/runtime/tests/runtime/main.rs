//! Runes in a sandbox: what is refused, what runs, what stops, and what the program says of it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod cli;
mod hostile;
mod load;
mod policy;
mod run;
mod support;
