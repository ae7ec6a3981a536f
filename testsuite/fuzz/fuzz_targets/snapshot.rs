//! A record of Saga, read as from a device nobody trusts: refused with a place, or consistent and exported whole.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use rune_exporters::{
    json,
    metrics::{self, Format, Rune},
};
use rune_saga::Snapshot;

fuzz_target!(|record: &[u8]| {
    let snapshot = match Snapshot::decode(record) {
        Ok(snapshot) => snapshot,
        Err(error) => {
            assert!(error.offset <= record.len(), "{error}");
            return;
        }
    };
    let stages = snapshot.stages().map(|stage| stage.total);
    for histogram in stages.chain([snapshot.latency.clone(), snapshot.interval_latency.clone()]) {
        let counted = histogram.buckets().map(|b| b.count);
        assert_eq!(counted.fold(0, u64::saturating_add), histogram.count());
        let middle = histogram.quantile_ns(0.5);
        assert!(histogram.min_ns() <= middle && middle <= histogram.max_ns());
    }
    json::snapshot(&snapshot);
    let rune = Rune {
        saga: Some(snapshot),
        ..Rune::default()
    };
    let mut text = vec![];
    let runes = BTreeMap::from([("fuzzed".to_owned(), rune)]);
    metrics::write(&mut text, Format::OpenMetrics, &runes, None).expect("memory takes everything");
    let text = String::from_utf8(text).expect("metrics are text");
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let mut series: Vec<&str> = samples.filter_map(|s| Some(s.rsplit_once(' ')?.0)).collect();
    let all = series.len();
    series.sort_unstable();
    series.dedup();
    assert_eq!(series.len(), all, "a series comes twice");
});
