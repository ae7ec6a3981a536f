//! A histogram of durations in fixed memory: log-linear buckets, eight to the octave.

use crate::{
    Summary,
    counters::{Counter, Extent},
};

/// Each octave has `1 << SUB_BITS` buckets of one width.
const SUB_BITS: u32 = 3;
const SUB: usize = 1 << SUB_BITS;
/// Durations up to `1 << RANGE_BITS` ns have buckets of their own.
const RANGE_BITS: u32 = 36;
/// Those of the range, and one for whatever lies beyond.
const BUCKETS: usize = SUB * (RANGE_BITS - SUB_BITS + 1) as usize + 1;
const BEYOND: usize = BUCKETS - 1;

/// Durations in nanoseconds, counted in 273 buckets of 2.2 KiB together, with their exact sum, minimum
/// and maximum.
///
/// Up to 16 ns every value has its own bucket; above, a bucket is at most an eighth of its lower bound wide,
/// open below and closed above, and every power of two is an upper bound, so that counts up to these
/// are exact. A [quantile](Self::quantile_ns) is off by at most 1/16 (6.25 %) of the true value up to
/// [`RANGE_NS`](Self::RANGE_NS), about 69 s; what is longer is counted together. A duration of 0 counts as 1 ns.
///
/// [`merge`](Self::merge) loses nothing: histograms merged in any order equal one that recorded everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    extent: Extent,
    buckets: [Counter; BUCKETS],
}

/// One bucket of a [`Histogram`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Longest duration it counts; `None` of the bucket beyond the range.
    pub upper_ns: Option<u64>,
    /// How many it counted.
    pub count: u64,
}

impl Histogram {
    /// The longest duration that quantiles tell from longer ones.
    pub const RANGE_NS: u64 = 1 << RANGE_BITS;
    /// Greatest error of a quantile within the range, as a part of the true value.
    pub const RELATIVE_ERROR: f64 = 1.0 / (2 << SUB_BITS) as f64;

    /// Without durations.
    pub const fn new() -> Self {
        Self {
            extent: Extent::NONE,
            buckets: [Counter::ZERO; BUCKETS],
        }
    }

    /// Takes one duration.
    #[inline]
    pub fn record(&mut self, ns: u64) {
        match u32::try_from(ns) {
            Ok(ns) => {
                let ns = ns.max(1);
                self.extent.record(ns);
                self.buckets[index_of_short(ns)].count();
            }
            Err(_) => self.record_long(ns),
        }
    }

    #[cold]
    #[inline(never)]
    fn record_long(&mut self, ns: u64) {
        self.extent.record_long(ns);
        self.buckets[index(ns)].count();
    }

    /// Adds everything another histogram recorded.
    pub fn merge(&mut self, other: &Self) {
        self.extent.merge(&other.extent);
        for (mine, theirs) in self.buckets.iter_mut().zip(other.buckets) {
            mine.add_long(theirs.get());
        }
    }

    /// Count, sum, minimum and maximum, all exact.
    pub fn summary(&self) -> Summary {
        Summary {
            count: self.count(),
            extent: self.extent,
        }
    }

    /// How many were recorded: as many as the buckets have together, so that recording counts once.
    pub fn count(&self) -> u64 {
        self.raw().fold(0, u64::saturating_add)
    }

    /// The shortest, exactly.
    pub fn min_ns(&self) -> Option<u64> {
        self.summary().min_ns()
    }

    /// The longest, exactly.
    pub fn max_ns(&self) -> Option<u64> {
        self.summary().max_ns()
    }

    /// The duration that a part `q` of all do not exceed: of `n` durations in order the one at rank
    /// `ceil(q * n)`, within [`RELATIVE_ERROR`](Self::RELATIVE_ERROR). The ends, `q` of 0 and 1, are exact, `q`
    /// outside is taken for the nearer end. `None` where nothing was recorded.
    pub fn quantile_ns(&self, q: f64) -> Option<u64> {
        let summary = self.summary();
        let (min, max) = (summary.min_ns()?, summary.max_ns()?);
        let rank = ceil(q.clamp(0.0, 1.0) * summary.count as f64);
        if rank <= 1 {
            return Some(min);
        }
        if rank >= summary.count {
            return Some(max);
        }
        let mut seen = 0u64;
        let at = self.raw().position(|count| {
            seen = seen.saturating_add(count);
            seen >= rank
        })?;
        let middle = match upper(at) {
            Some(high) => {
                let low = at.checked_sub(1).and_then(upper).unwrap_or(0);
                low + (high - low).div_ceil(2)
            }
            None => max,
        };
        Some(middle.clamp(min, max))
    }

    /// How many durations were at most `ns` long. Exact for powers of two up to the range, and for every
    /// [upper bound](Bucket::upper_ns); between, those of the bucket that holds `ns` all count.
    pub fn at_most(&self, ns: u64) -> u64 {
        let counted = self.raw().take(index(ns) + 1);
        counted.fold(0, u64::saturating_add)
    }

    /// The buckets that counted something, the shortest durations first.
    pub fn buckets(&self) -> impl Iterator<Item = Bucket> + '_ {
        self.raw()
            .enumerate()
            .filter(|(_, count)| *count > 0)
            .map(|(i, count)| Bucket {
                upper_ns: upper(i),
                count,
            })
    }

    pub(crate) fn raw(&self) -> impl Iterator<Item = u64> + Clone + '_ {
        self.buckets.iter().map(|count| count.get())
    }

    /// Puts a histogram together from what [`raw`](Self::raw) gave, or says what contradicts itself.
    pub(crate) fn from_raw(
        buckets: &[u64; BUCKETS],
        sum: u64,
        min: u64,
        max: u64,
    ) -> Result<Self, &'static str> {
        let count = buckets.iter().fold(0u64, |n, k| n.saturating_add(*k));
        let extent = if count == 0 {
            Extent::NONE
        } else {
            Extent::new(sum, min, max)
        };
        let first = buckets.iter().position(|n| *n > 0);
        let last = buckets.iter().rposition(|n| *n > 0);
        let histogram = Self {
            extent,
            buckets: buckets.map(Counter::new),
        };
        let (Some(first), Some(last)) = (first, last) else {
            return Ok(histogram);
        };
        if min == 0 || min > max || index(min) != first || index(max) != last {
            return Err("minimum or maximum outside its bucket");
        }
        if sum < count.saturating_mul(min) || sum > count.saturating_mul(max) {
            return Err("a sum that its count cannot have");
        }
        Ok(histogram)
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

/// The bucket of a duration.
fn index(ns: u64) -> usize {
    // Buckets are closed above, so it is the duration less one whose leading bits number them.
    let x = ns.saturating_sub(1);
    let shift = (63 - SUB_BITS).saturating_sub(x.leading_zeros());
    let octave = (shift as usize) << SUB_BITS;
    (octave + (x >> shift) as usize).min(BEYOND)
}

/// The same below 4.3 seconds, for one that is not 0: a third of the instructions of a processor of 32 bits.
#[inline]
fn index_of_short(ns: u32) -> usize {
    let x = ns.wrapping_sub(1);
    // The first 16 are not shifted: one of them has 28 zeros before it at least.
    let shift = (31 - SUB_BITS).wrapping_sub((x | (2 * SUB as u32 - 1)).leading_zeros());
    (shift << SUB_BITS).wrapping_add(x >> shift) as usize
}

/// The longest duration of a bucket; `None` of the last.
fn upper(index: usize) -> Option<u64> {
    let shift = (index >> SUB_BITS).saturating_sub(1);
    let leading = (index - (shift << SUB_BITS)) as u64;
    (index < BEYOND).then_some((leading + 1) << shift)
}

/// The least whole number not below `x`, which is not negative. `core` has no `f64::ceil` in Rust 1.85.
fn ceil(x: f64) -> u64 {
    let whole = x as u64;
    whole.saturating_add(u64::from((whole as f64) < x))
}

#[cfg(test)]
mod tests {
    use super::{BEYOND, BUCKETS, Counter, Histogram, SUB, ceil, index, index_of_short, upper};

    #[test]
    fn buckets_follow_each_other_and_are_narrow() {
        let mut low = 0;
        for i in 0..BEYOND {
            let high = upper(i).unwrap();
            assert_eq!((index(low + 1), index(high)), (i, i));
            for ns in [low + 1, high] {
                if let Ok(ns) = u32::try_from(ns) {
                    assert_eq!(index_of_short(ns), i, "{ns}");
                }
            }
            let width = high - low;
            assert!(
                width == 1 || width * SUB as u64 <= low,
                "{low} to {high} is too wide"
            );
            low = high;
        }
        assert_eq!(low, Histogram::RANGE_NS);
        assert_eq!(index(low + 1), BEYOND);
        assert_eq!(index(u64::MAX), BEYOND);
        assert_eq!(index(0), 0);
        assert_eq!(upper(BEYOND), None);
        assert_eq!(BUCKETS, 273);
    }

    #[test]
    fn powers_of_two_are_bounds() {
        let mut histogram = Histogram::new();
        for bit in 0..=36 {
            histogram.record(1 << bit);
            histogram.record((1 << bit) + 1);
        }
        for bit in 1..=36 {
            // 2 = 1 + 1 is both.
            assert_eq!(histogram.at_most(1 << bit), 2 * bit + 1, "2^{bit}");
        }
    }

    #[test]
    fn a_histogram_has_the_size_its_documentation_says() {
        assert_eq!(size_of::<Histogram>(), 2208);
        assert_eq!(Histogram::RELATIVE_ERROR, 0.0625);
    }

    #[test]
    fn numbers_stay_at_their_end() {
        let mut histogram = Histogram::new();
        histogram.buckets[index(7)] = Counter::new(u64::MAX - 1);
        histogram.record(7);
        histogram.record(7);
        histogram.record(u64::MAX);
        histogram.record(u64::MAX);
        assert_eq!(histogram.buckets[index(7)].get(), u64::MAX);
        assert_eq!(histogram.count(), u64::MAX);
        assert_eq!(histogram.summary().sum_ns(), u64::MAX);
        assert_eq!(histogram.at_most(u64::MAX), u64::MAX);
        assert_eq!(histogram.quantile_ns(0.5), Some(7));
        let copy = histogram.clone();
        histogram.merge(&copy);
        assert_eq!(histogram.summary(), copy.summary());
        assert_eq!(histogram.at_most(7), u64::MAX);
    }

    #[test]
    fn ranks_are_rounded_up() {
        for (x, due) in [(0.0, 0), (0.1, 1), (1.0, 1), (1.5, 2), (1e30, u64::MAX)] {
            assert_eq!(ceil(x), due, "{x}");
        }
    }

    #[test]
    fn nothing_has_no_quantiles() {
        let empty = Histogram::new();
        assert_eq!(empty.quantile_ns(0.5), None);
        assert_eq!((empty.min_ns(), empty.max_ns()), (None, None));
        assert_eq!(empty.buckets().count(), 0);
    }
}
