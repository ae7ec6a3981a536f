//! A snapshot as JSON, for programs that read no metrics.

use rune_saga::{Counters, Failure, Histogram, Snapshot};
use serde_json::{Map, Value, json};

/// Everything a snapshot says: durations in nanoseconds, sizes in bytes. Counters are those since recording began
/// (`total`) and since the last heartbeat (`interval`).
pub fn snapshot(rune: &Snapshot<'_>) -> Value {
    let stages: Vec<Value> = rune
        .stages()
        .map(|s| json!({ "name": s.name, "ns": durations(&s.total) }))
        .collect();
    let outputs: Vec<Value> = rune
        .outputs()
        .map(|o| {
            json!({
                "name": o.name,
                "records": o.total.records,
                "bytes": o.total.bytes,
                "dropped": o.total.dropped,
            })
        })
        .collect();
    json!({
        "name": rune.name,
        "version": rune.version.to_string(),
        "digest": rune.digest.map(|b| format!("{b:02x}")).concat(),
        "uptime_ns": rune.uptime_ns,
        "memory_peak_bytes": rune.memory_peak_bytes,
        "total": counters(&rune.total),
        "interval": counters(&rune.interval),
        "latency_ns": durations(&rune.latency),
        "stages": stages,
        "outputs": outputs,
    })
}

fn counters(counters: &Counters) -> Value {
    let failures: Map<String, Value> = Failure::ALL
        .into_iter()
        .filter(|kind| counters.failed(*kind) > 0)
        .map(|kind| (kind.name().to_owned(), json!(counters.failed(kind))))
        .collect();
    json!({
        "calls": counters.calls(),
        "with_output": counters.with_output,
        "without_output": counters.without_output,
        "failed": counters.failed_calls(),
        "failures": failures,
        "starts": counters.starts,
        "overruns": counters.overruns,
    })
}

fn durations(histogram: &Histogram) -> Value {
    json!({
        "count": histogram.count(),
        "mean": histogram.summary().mean_ns(),
        "min": histogram.min_ns(),
        "p50": histogram.quantile_ns(0.5),
        "p90": histogram.quantile_ns(0.9),
        "p99": histogram.quantile_ns(0.99),
        "max": histogram.max_ns(),
    })
}
