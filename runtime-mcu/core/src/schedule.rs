//! When a rune is called, and when one that failed is started anew.

use core::time::Duration;

/// When a rune is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// As soon as it has input.
    Input,
    /// At equal distances.
    Every(Duration),
    /// When somebody asks for it.
    Trigger,
}

impl Schedule {
    /// How long after a call was due the next one is, now that it has ended so long after that, and how many were
    /// missed: those after which another is due already. `None` where calls are not at equal distances.
    pub fn step(self, since_due: Duration) -> Option<(Duration, u64)> {
        let Self::Every(period) = self else {
            return None;
        };
        let period_ns = period.as_nanos().max(1);
        let late = since_due.saturating_sub(period).as_nanos();
        let missed = u64::try_from(late / period_ns).unwrap_or(u64::MAX);
        let step = period_ns.saturating_mul(u128::from(missed) + 1);
        let step = u64::try_from(step).unwrap_or(u64::MAX);
        Some((Duration::from_nanos(step), missed))
    }
}

/// How long a rune that failed waits before it is started anew: twice as long each time, until it has recovered.
#[derive(Clone, Debug)]
pub struct Backoff {
    wait: Duration,
}

impl Backoff {
    /// The first wait, and the longest.
    pub const WAITS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_mins(1));
    /// A rune that ran for so long has recovered.
    pub const RECOVERED: Duration = Duration::from_mins(1);

    /// Of a rune that has not failed yet.
    pub const fn new() -> Self {
        Self {
            wait: Self::WAITS.0,
        }
    }

    /// How long it waits after it failed, having run for so long.
    pub fn failed(&mut self, ran: Duration) -> Duration {
        if ran >= Self::RECOVERED {
            *self = Self::new();
        }
        let wait = self.wait;
        self.wait = (wait * 2).min(Self::WAITS.1);
        wait
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn calls_that_were_missed_are_left_out_and_counted() {
        let schedule = Schedule::Every(ms(100));
        for (ended, step, missed) in [(3, 100, 0), (150, 100, 0), (200, 200, 1), (399, 300, 2)] {
            assert_eq!(
                schedule.step(ms(ended)),
                Some((ms(step), missed)),
                "{ended}"
            );
        }
        assert_eq!(Schedule::Input.step(ms(5)), None);
        assert_eq!(Schedule::Trigger.step(ms(5)), None);
        // Nothing is out of range.
        assert!(schedule.step(Duration::MAX).is_some());
        assert!(
            Schedule::Every(Duration::ZERO)
                .step(Duration::MAX)
                .is_some()
        );
    }

    #[test]
    fn a_rune_waits_twice_as_long_until_it_has_recovered() {
        let mut backoff = Backoff::new();
        let waits = [(); 9].map(|()| backoff.failed(ms(1)).as_millis());
        assert_eq!(
            waits,
            [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]
        );
        assert_eq!(backoff.failed(Backoff::RECOVERED), ms(500));
        assert_eq!(backoff.failed(ms(1)), ms(1000));
    }
}
