//! How many lines each output produced and what became of them.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::SeqCst},
};

use super::sink::Line;

/// What became of what a rune wrote to one output. When the sinks have been
/// [finished](crate::Router::finish), `produced` is `written + dropped + failed`; before, the rest waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SinkCounters {
    /// Records that the rune wrote, one a call at most.
    pub produced: u64,
    /// Records that the sink took.
    pub written: u64,
    /// Bytes of these, as lines with their ends.
    pub bytes: u64,
    /// Records that were left out because the queue was full.
    pub dropped: u64,
    /// Records that could not be written, or were still waiting when time was up.
    pub failed: u64,
    /// How often a record was tried again.
    pub retries: u64,
}

/// What has become of lines.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    Produced,
    Written,
    Dropped,
    Failed,
    Retried,
}

#[derive(Debug, Default)]
struct Meter {
    produced: AtomicU64,
    written: AtomicU64,
    bytes: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
    retries: AtomicU64,
}

/// The counters of all outputs of an instance, to be read from any thread.
#[derive(Clone, Debug)]
pub struct Meters(Arc<[Meter]>);

impl Meters {
    pub(super) fn new(outputs: usize) -> Self {
        Self((0..outputs).map(|_| Meter::default()).collect())
    }

    /// The counters of an output by its place in the manifest; zeros if there is no such output.
    pub fn read(&self, output: usize) -> SinkCounters {
        let Some(meter) = self.0.get(output) else {
            return SinkCounters::default();
        };
        // What is counted last is read first, so that no sum is ever larger than what was produced.
        let settled = |count: &AtomicU64| count.load(SeqCst);
        SinkCounters {
            written: settled(&meter.written),
            bytes: settled(&meter.bytes),
            dropped: settled(&meter.dropped),
            failed: settled(&meter.failed),
            retries: settled(&meter.retries),
            produced: settled(&meter.produced),
        }
    }

    pub(super) fn count(&self, line: &Line, fate: Fate) {
        for (output, bytes) in &line.parts {
            let Some(meter) = self.0.get(*output) else {
                continue;
            };
            let count = match fate {
                Fate::Produced => &meter.produced,
                Fate::Written => {
                    meter.bytes.fetch_add(*bytes, SeqCst);
                    &meter.written
                }
                Fate::Dropped => &meter.dropped,
                Fate::Failed => &meter.failed,
                Fate::Retried => &meter.retries,
            };
            count.fetch_add(1, SeqCst);
        }
    }
}
