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
    pub(crate) extent: Extent,
}

/// The sum of some durations, the least and the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    sum: Counter,
    /// `u64::MAX` where there is none.
    pub(crate) min: u64,
    pub(crate) max: u64,
}

impl Extent {
    /// Of no durations.
    pub(crate) const NONE: Self = Self {
        sum: Counter::ZERO,
        min: u64::MAX,
        max: 0,
    };

    /// Of more than no durations.
    pub(crate) const fn new(sum: u64, min: u64, max: u64) -> Self {
        let sum = Counter::new(sum);
        Self { sum, min, max }
    }

    pub(crate) const fn sum(&self) -> u64 {
        self.sum.get()
    }

    /// Takes one duration below 4.3 seconds, which is not 0.
    #[inline(always)]
    pub(crate) fn record(&mut self, ns: u32) {
        self.sum.add(ns);
        let ns = ns.into();
        // Seldom: a comparison is less than to store what was there.
        if ns < self.min {
            self.min = ns;
        }
        if ns > self.max {
            self.max = ns;
        }
    }

    /// Takes one duration, which is not 0.
    pub(crate) fn record_long(&mut self, ns: u64) {
        self.merge(&Self::new(ns, ns, ns));
    }

    /// Adds what came in another span.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.sum.add_long(other.sum());
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }
}

impl Summary {
    /// Of no durations.
    pub const fn new() -> Self {
        Self {
            count: 0,
            extent: Extent::NONE,
        }
    }

    /// Takes one duration; 0 counts as 1 ns.
    #[inline]
    pub fn record(&mut self, ns: u64) {
        add(&mut self.count, 1);
        self.extent.record_long(ns.max(1));
    }

    /// Adds what came in another span.
    pub fn merge(&mut self, other: &Self) {
        add(&mut self.count, other.count);
        self.extent.merge(&other.extent);
    }

    /// How many.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// All of them together.
    pub const fn sum_ns(&self) -> u64 {
        self.extent.sum()
    }

    /// The shortest, exactly.
    pub fn min_ns(&self) -> Option<u64> {
        (self.count > 0).then_some(self.extent.min)
    }

    /// The longest, exactly.
    pub fn max_ns(&self) -> Option<u64> {
        (self.count > 0).then_some(self.extent.max)
    }

    /// The mean, rounded down.
    pub fn mean_ns(&self) -> Option<u64> {
        self.extent.sum().checked_div(self.count)
    }
}

impl Default for Summary {
    fn default() -> Self {
        Self::new()
    }
}

/// Adds and stays at the end of the range rather than begin anew.
pub(crate) fn add(counter: &mut u64, n: u64) {
    *counter = counter.saturating_add(n);
}

/// What every call counts, in two halves: to a processor of 32 bits that is an addition, and a jump which is seldom
/// taken. It stays at the end of its range too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counter {
    low: u32,
    high: u32,
}

impl Counter {
    pub(crate) const ZERO: Self = Self { low: 0, high: 0 };

    pub(crate) const fn new(n: u64) -> Self {
        Self {
            low: n as u32,
            high: (n >> 32) as u32,
        }
    }

    pub(crate) const fn get(self) -> u64 {
        (self.high as u64) << 32 | self.low as u64
    }

    #[inline(always)]
    pub(crate) fn count(&mut self) {
        match self.low.checked_add(1) {
            Some(low) => self.low = low,
            None => self.carry(),
        }
    }

    #[cold]
    #[inline(never)]
    fn carry(&mut self) {
        self.add_long(1);
    }

    #[inline(always)]
    pub(crate) fn add(&mut self, n: u32) {
        match self.low.checked_add(n) {
            Some(low) => self.low = low,
            None => self.add_long(n.into()),
        }
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn add_long(&mut self, n: u64) {
        *self = Self::new(self.get().saturating_add(n));
    }
}

#[cfg(test)]
mod tests {
    use super::Counter;

    #[test]
    fn halves_carry_and_stay_at_their_end() {
        let ends = [0, u64::from(u32::MAX), u64::MAX - 1, u64::MAX];
        for start in ends {
            let mut counter = Counter::new(start);
            assert_eq!(counter.get(), start);
            counter.count();
            assert_eq!(counter.get(), start.saturating_add(1));
            for n in [0, 1, u32::MAX] {
                let mut counter = Counter::new(start);
                counter.add(n);
                assert_eq!(counter.get(), start.saturating_add(n.into()));
            }
        }
    }
}
