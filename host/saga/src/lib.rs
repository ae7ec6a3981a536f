//! What `rune-saga` recorded, in the formats of other programs: metrics for Prometheus and whoever else reads
//! OpenMetrics, and traces for Perfetto and Chrome; besides, the load of the process and the system.
#![forbid(unsafe_code)]

pub mod json;
pub mod load;
pub mod metrics;
pub mod trace;
