//! The last lines of a rune, in bounded memory.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

/// Lines that are kept.
const LINES: usize = 1000;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number; each line has the next.
    pub number: u64,
    /// Milliseconds since 1970.
    pub unix_ms: u64,
    /// From 1 (error) to 5 (trace).
    pub level: u32,
    /// What it says.
    pub text: String,
}

/// The last lines.
#[derive(Debug, Default)]
pub struct Log(Mutex<VecDeque<Entry>>);

impl Log {
    pub(super) fn push(&self, level: u32, text: &str) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = lines.back().map_or(0, |last| last.number + 1);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        lines.push_back(Entry {
            number,
            unix_ms: now.map_or(0, |t| t.as_millis() as u64),
            level,
            text: text.to_owned(),
        });
        if lines.len() > LINES {
            lines.pop_front();
        }
    }

    /// The lines from a number on that are still kept.
    pub(super) fn since(&self, number: u64) -> Vec<Entry> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines
            .iter()
            .filter(|line| line.number >= number)
            .cloned()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_with_their_numbers() {
        let log = Log::default();
        for n in 0..LINES + 5 {
            log.push(3, &n.to_string());
        }
        let all = log.since(0);
        assert_eq!((all.len(), all[0].text.as_str()), (LINES, "5"));
        assert_eq!(log.since(LINES as u64 + 4).len(), 1);
        assert!(log.since(LINES as u64 + 5).is_empty());
    }
}
