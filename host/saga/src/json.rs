//! A snapshot as JSON, for programs that read no metrics.

use rune_saga::{Counters, Failure, Histogram, Snapshot, Summary, Writes};
use serde_json::{Map, Value, json};

/// Everything a snapshot says: durations in nanoseconds, sizes in bytes. What stands in an `interval` came since the
/// last heartbeat, `interval_ns` ago; all else since recording began.
pub fn snapshot(rune: &Snapshot<'_>) -> Value {
    let stages: Vec<Value> = rune
        .stages()
        .map(|s| json!({ "name": s.name, "ns": durations(&s.total), "interval": { "ns": summary(&s.interval) } }))
        .collect();
    let outputs: Vec<Value> = rune
        .outputs()
        .map(|o| {
            let mut output = Map::from_iter([("name".to_owned(), json!(o.name))]);
            output.extend(writes(&o.total));
            output.insert("interval".to_owned(), json!(writes(&o.interval)));
            Value::Object(output)
        })
        .collect();
    json!({
        "name": rune.name,
        "version": rune.version.to_string(),
        "digest": rune.digest.map(|b| format!("{b:02x}")).concat(),
        "uptime_ns": rune.uptime_ns,
        "heartbeats": rune.beats,
        "interval_ns": rune.interval_ns,
        "memory_peak_bytes": rune.memory_peak_bytes,
        "total": counters(&rune.total),
        "interval": counters(&rune.interval),
        "latency_ns": durations(&rune.latency),
        "interval_latency_ns": durations(&rune.interval_latency),
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

fn writes(writes: &Writes) -> Map<String, Value> {
    let counts = [
        ("records", writes.records),
        ("bytes", writes.bytes),
        ("dropped", writes.dropped),
    ];
    let named = counts
        .into_iter()
        .map(|(name, n)| (name.to_owned(), json!(n)));
    named.collect()
}

fn summary(summary: &Summary) -> Value {
    json!({
        "count": summary.count(),
        "mean": summary.mean_ns(),
        "min": summary.min_ns(),
        "max": summary.max_ns(),
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
