//! Memory that `init` freed again: read from the list it left, and taken out of the frozen arena.

use std::ops::Range;

/// The freed ranges of a frozen arena as offsets, rising and apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Freed(Vec<Range<u32>>);

/// Every live run keeps its offset modulo this, and with it every alignment up to it.
const ALIGN: u32 = 16;

impl Freed {
    /// Reads the list whose first node is at address `head`, 0 for none. Each node lies in the range it
    /// frees: the bytes of the range, then the address of the next node, which is a higher one, or 0.
    ///
    /// # Errors
    /// A sentence on the first node that is not so.
    pub(super) fn read(arena: &[u8], base: u32, head: u32) -> Result<Self, String> {
        let mut ranges: Vec<Range<u32>> = Vec::new();
        let mut node = head;
        while node != 0 {
            let wrong = |why: &str| Err(format!("its list of freed memory is wrong: {why}"));
            let length = arena.len() as u32;
            let word = |offset: u32| {
                let bytes = arena.get(offset as usize..)?.first_chunk()?;
                Some(u32::from_le_bytes(*bytes))
            };
            let Some(start) = node.checked_sub(base).filter(|s| *s < length) else {
                return wrong("a range lies outside the frozen arena");
            };
            if !start.is_multiple_of(8) {
                return wrong("the address of a range is not a multiple of 8");
            }
            // Rising, the list ends: it cannot go on beyond the arena.
            if ranges.last().is_some_and(|last| start < last.end) {
                return wrong("the ranges overlap or do not rise");
            }
            let (Some(bytes), Some(next)) = (word(start), word(start + 4)) else {
                return wrong("a range lies outside the frozen arena");
            };
            if bytes == 0 || !bytes.is_multiple_of(8) {
                return wrong("the bytes of a range are not a multiple of 8");
            }
            let Some(end) = start.checked_add(bytes).filter(|e| *e <= length) else {
                return wrong("a range ends outside the frozen arena");
            };
            ranges.push(start..end);
            node = next;
        }
        Ok(Self(ranges))
    }

    /// Whether the byte at an offset was freed.
    pub(super) fn contains(&self, offset: u32) -> bool {
        let at = self.0.partition_point(|range| range.end <= offset);
        self.0.get(at).is_some_and(|range| range.contains(&offset))
    }
}

/// Where everything that was not freed lies once the rest is taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Compaction {
    /// The live runs by rising offset, each with its new offset.
    runs: Vec<(Range<u32>, u32)>,
}

impl Compaction {
    /// Moves the live runs of an arena of `length` bytes together.
    pub(super) fn new(freed: &Freed, length: u32) -> Self {
        let mut runs = Vec::new();
        let (mut start, mut next) = (0, 0u32);
        for range in freed
            .0
            .iter()
            .cloned()
            .chain(std::iter::once(length..length))
        {
            if start < range.start || range.end == 0 {
                let gap = start.wrapping_sub(next) % ALIGN;
                runs.push((start..range.start, next + gap));
                next += gap + range.start - start;
            }
            start = range.end;
        }
        Self { runs }
    }

    /// The new offset of what was at an offset, or just past the end of a live run; `None` if it was freed.
    pub(super) fn offset(&self, offset: u32) -> Option<u32> {
        let at = self.runs.partition_point(|(run, _)| run.start <= offset);
        let (run, new) = &self.runs[at.checked_sub(1)?];
        (offset <= run.end).then(|| new + offset - run.start)
    }

    /// The live bytes where they now lie, zeros between them.
    pub(super) fn apply(&self, arena: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (run, new) in &self.runs {
            bytes.resize(*new as usize, 0);
            bytes.extend_from_slice(&arena[run.start as usize..run.end as usize]);
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: u32 = 0x1000;

    /// An arena of rising bytes with these nodes: offset, bytes, next address.
    fn arena(nodes: &[(u32, u32, u32)]) -> Vec<u8> {
        let mut arena: Vec<u8> = (0..128).collect();
        for (at, bytes, next) in nodes {
            let at = *at as usize;
            arena[at..at + 4].copy_from_slice(&bytes.to_le_bytes());
            arena[at + 4..at + 8].copy_from_slice(&next.to_le_bytes());
        }
        arena
    }

    fn read(nodes: &[(u32, u32, u32)], head: u32) -> Result<Freed, String> {
        Freed::read(&arena(nodes), BASE, head)
    }

    #[test]
    fn live_runs_move_together_and_keep_their_alignment() {
        let nodes = [(8, 32, BASE + 40), (40, 8, BASE + 88), (88, 40, 0)];
        let freed = read(&nodes, BASE + 8).unwrap();
        assert!(!freed.contains(7) && freed.contains(8) && freed.contains(47));
        assert!(!freed.contains(48) && freed.contains(127) && !freed.contains(128));
        let compaction = Compaction::new(&freed, 128);
        // 0..8 stays; 48..88 is aligned to 16 and so is its new place.
        assert_eq!(compaction.runs, [(0..8, 0), (48..88, 16)]);
        let bytes = compaction.apply(&arena(&nodes));
        assert_eq!(bytes.len(), 56);
        assert_eq!(bytes[7..17], [7, 0, 0, 0, 0, 0, 0, 0, 0, 48]);
        assert_eq!(compaction.offset(48), Some(16));
        assert_eq!(compaction.offset(50), Some(18));
        assert_eq!(compaction.offset(88), Some(56), "one past the end");
        assert_eq!(compaction.offset(8), Some(8), "one past the end");
        assert_eq!(compaction.offset(9), None);
        assert_eq!(compaction.offset(47), None);
        assert_eq!(compaction.offset(128), None);
    }

    #[test]
    fn without_freed_memory_nothing_moves() {
        let freed = read(&[], 0).unwrap();
        let compaction = Compaction::new(&freed, 128);
        assert_eq!(compaction.apply(&arena(&[])), arena(&[]));
        assert_eq!(compaction.offset(0), Some(0));
        assert_eq!(compaction.offset(128), Some(128));
        let empty = Compaction::new(&freed, 0);
        assert_eq!(empty.apply(&[]), [0; 0]);
        assert_eq!(empty.offset(0), Some(0));
    }

    #[test]
    fn a_wrong_list_is_an_error_and_ends() {
        for (nodes, head, why) in [
            (&[][..], 8, "outside the frozen arena"),
            (&[], BASE + 128, "outside the frozen arena"),
            (&[], BASE + 4, "not a multiple of 8"),
            (&[(8, 0, 0)], BASE + 8, "not a multiple of 8"),
            (&[(8, 12, 0)], BASE + 8, "not a multiple of 8"),
            (&[(8, 128, 0)], BASE + 8, "ends outside"),
            (&[(8, u32::MAX - 7, 0)], BASE + 8, "ends outside"),
            (&[(8, 8, BASE + 8)], BASE + 8, "do not rise"),
            (&[(8, 16, BASE + 16), (16, 8, 0)], BASE + 8, "do not rise"),
            (
                &[(32, 8, BASE + 8), (8, 8, BASE + 32)],
                BASE + 32,
                "do not rise",
            ),
        ] {
            let error = read(nodes, head).expect_err(why);
            assert!(error.contains(why), "{error}");
        }
        // In an arena of half a node.
        assert!(Freed::read(&[0; 4], BASE, BASE).is_err());
    }

    #[test]
    fn no_list_is_too_strange() {
        let mut seed = 0x9e37_79b9_u32;
        let mut random = |n: u32| {
            seed ^= seed << 13;
            seed ^= seed >> 17;
            seed ^= seed << 5;
            seed % n
        };
        let mut right = 0;
        for _ in 0..20_000 {
            let nodes: Vec<_> = (0..random(6))
                .map(|_| {
                    (
                        8 * random(15),
                        8 * random(4),
                        (BASE + 8 * random(17)) * random(3).min(1),
                    )
                })
                .collect();
            let head = BASE + 8 * random(16);
            let Ok(freed) = read(&nodes, head) else {
                continue;
            };
            right += 1;
            let compaction = Compaction::new(&freed, 128);
            let arena = arena(&nodes);
            let bytes = compaction.apply(&arena);
            for offset in 0..128 {
                let new = compaction.offset(offset);
                if freed.contains(offset) {
                    let is_end = compaction.runs.iter().any(|(run, _)| run.end == offset);
                    assert_eq!(new.is_some(), is_end);
                } else {
                    let new = new.expect("live");
                    assert_eq!(bytes[new as usize], arena[offset as usize]);
                    assert_eq!(new % ALIGN, offset % ALIGN);
                }
            }
        }
        assert!(right > 500, "{right} lists were right");
    }
}
