//! Counters of one span of time, which add up.

use crate::Failure;

/// What the calls of a rune came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Calls that wrote output.
    pub with_output: u64,
    /// Calls that ended well and wrote nothing.
    pub without_output: u64,
    /// Failed calls by kind, at the kind's number; [`Counters::failed`] reads one.
    pub failures: [u64; Failure::ALL.len()],
    /// Samples of capabilities that were lost because the rune did not read them in time.
    pub overruns: u64,
    /// Times the rune was started: once, and again after each failure that stopped it.
    pub starts: u64,
}

impl Counters {
    /// No calls.
    pub const fn new() -> Self {
        Self {
            with_output: 0,
            without_output: 0,
            failures: [0; Failure::ALL.len()],
            overruns: 0,
            starts: 0,
        }
    }

    /// Calls that failed in this way.
    pub const fn failed(&self, kind: Failure) -> u64 {
        self.failures[kind as usize]
    }

    /// Calls that failed in any way.
    pub fn failed_calls(&self) -> u64 {
        self.failures.iter().fold(0, |n, k| n.saturating_add(*k))
    }

    /// All calls.
    pub fn calls(&self) -> u64 {
        self.with_output
            .saturating_add(self.without_output)
            .saturating_add(self.failed_calls())
    }

    /// Adds what came in another span.
    pub fn merge(&mut self, other: &Self) {
        add(&mut self.with_output, other.with_output);
        add(&mut self.without_output, other.without_output);
        for (mine, theirs) in self.failures.iter_mut().zip(other.failures) {
            add(mine, theirs);
        }
        add(&mut self.overruns, other.overruns);
        add(&mut self.starts, other.starts);
    }
}

/// What was written to one output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Writes {
    /// Records taken.
    pub records: u64,
    /// Bytes of the tensors of these records.
    pub bytes: u64,
    /// Records that the rune wrote and the sink did not get.
    pub dropped: u64,
}

impl Writes {
    /// Nothing written.
    pub const fn new() -> Self {
        Self {
            records: 0,
            bytes: 0,
            dropped: 0,
        }
    }

    /// Adds what came in another span.
    pub fn merge(&mut self, other: &Self) {
        add(&mut self.records, other.records);
        add(&mut self.bytes, other.bytes);
        add(&mut self.dropped, other.dropped);
    }
}

/// How many durations there were, and their sum, least and greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    pub(crate) count: u64,
    pub(crate) sum: u64,
    /// `u64::MAX` where there is none.
    pub(crate) min: u64,
    pub(crate) max: u64,
}

impl Summary {
    /// Of no durations.
    pub const fn new() -> Self {
        Self {
            count: 0,
            sum: 0,
            min: u64::MAX,
            max: 0,
        }
    }

    /// Takes one duration; 0 counts as 1 ns.
    #[inline]
    pub fn record(&mut self, ns: u64) {
        let ns = ns.max(1);
        add(&mut self.count, 1);
        add(&mut self.sum, ns);
        // Seldom: a comparison is less than to store what was there.
        if ns < self.min {
            self.min = ns;
        }
        if ns > self.max {
            self.max = ns;
        }
    }

    /// Adds what came in another span.
    pub fn merge(&mut self, other: &Self) {
        add(&mut self.count, other.count);
        add(&mut self.sum, other.sum);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// How many.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// All of them together.
    pub const fn sum_ns(&self) -> u64 {
        self.sum
    }

    /// The shortest, exactly.
    pub fn min_ns(&self) -> Option<u64> {
        (self.count > 0).then_some(self.min)
    }

    /// The longest, exactly.
    pub fn max_ns(&self) -> Option<u64> {
        (self.count > 0).then_some(self.max)
    }

    /// The mean, rounded down.
    pub fn mean_ns(&self) -> Option<u64> {
        self.sum.checked_div(self.count)
    }
}

impl Default for Summary {
    fn default() -> Self {
        Self::new()
    }
}

/// Adds and stays at the end of the range rather than begin anew.
#[inline]
pub(crate) fn add(counter: &mut u64, n: u64) {
    *counter = counter.saturating_add(n);
}
