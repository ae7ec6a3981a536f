//! What `rune-saga` recorded, in the formats of other programs: metrics for Prometheus and whoever else reads
//! OpenMetrics, and traces for Perfetto and Chrome.
#![forbid(unsafe_code)]

pub mod metrics;
pub mod trace;
