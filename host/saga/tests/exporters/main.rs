//! What is exported follows its formats, says what was recorded, and is what dashboards and alert rules ask for.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::print_stderr, reason = "a test says that it is skipped")]

mod dashboards;
mod metrics;
