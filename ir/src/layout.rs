//! Where tensors live: one static plan in which tensors that are never alive together share memory.
//!
//! Greedy by size (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020):
//! the largest first, each at the lowest address free during its life.

/// A piece of memory and when it is in use, in steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// How many bytes.
    pub bytes: u32,
    /// A power of two its address must be a multiple of.
    pub align: u32,
    /// The step that first writes it.
    pub first: u32,
    /// The last step that reads or writes it; not before `first`.
    pub last: u32,
}

/// An address for each lifetime, and the bytes they take together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// In the order of the lifetimes, from 0.
    pub offsets: Vec<u64>,
    /// One past the last byte used.
    pub bytes: u64,
}

/// Plans memory so that no two lifetimes that overlap in time overlap in space.
pub fn place(lifetimes: &[Lifetime]) -> Layout {
    let mut order: Vec<usize> = (0..lifetimes.len()).collect();
    order.sort_by_key(|&i| (std::cmp::Reverse(lifetimes[i].bytes), lifetimes[i].first, i));
    let mut offsets = vec![0; lifetimes.len()];
    let mut placed: Vec<usize> = Vec::new();
    let mut end = 0;
    for i in order {
        let new = lifetimes[i];
        // What is alive at the same time, by address.
        let mut busy: Vec<(u64, u64)> = placed
            .iter()
            .filter(|&&p| lifetimes[p].first <= new.last && new.first <= lifetimes[p].last)
            .map(|&p| (offsets[p], offsets[p] + u64::from(lifetimes[p].bytes)))
            .collect();
        busy.sort_unstable();
        let mut at = 0u64;
        for (start, stop) in busy {
            if at + u64::from(new.bytes) <= start {
                break;
            }
            at = at.max(stop).next_multiple_of(u64::from(new.align));
        }
        offsets[i] = at;
        placed.push(i);
        end = end.max(at + u64::from(new.bytes));
    }
    Layout {
        offsets,
        bytes: end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(bytes: u32, first: u32, last: u32) -> Lifetime {
        Lifetime {
            bytes,
            align: 16,
            first,
            last,
        }
    }

    #[test]
    fn a_chain_needs_two_buffers() {
        let layout = place(&[
            life(64, 0, 1),
            life(32, 1, 2),
            life(64, 2, 3),
            life(16, 3, 4),
        ]);
        assert_eq!(layout.bytes, 96);
        assert_eq!(layout.offsets, [0, 64, 0, 64]);
    }

    #[test]
    fn nothing_alive_together_overlaps_and_all_are_aligned() {
        let mut seed = 0x2545_f491_u32;
        let mut random = |n: u32| {
            seed ^= seed << 13;
            seed ^= seed >> 17;
            seed ^= seed << 5;
            seed % n
        };
        for _ in 0..200 {
            let lives: Vec<Lifetime> = (0..random(24))
                .map(|_| {
                    let first = random(12);
                    Lifetime {
                        bytes: random(200),
                        align: 1 << random(5),
                        first,
                        last: first + random(5),
                    }
                })
                .collect();
            let layout = place(&lives);
            for (i, a) in lives.iter().enumerate() {
                let a_range = layout.offsets[i]..layout.offsets[i] + u64::from(a.bytes);
                assert_eq!(a_range.start % u64::from(a.align), 0);
                assert!(a_range.end <= layout.bytes);
                for (j, b) in lives.iter().enumerate().skip(i + 1) {
                    let b_range = layout.offsets[j]..layout.offsets[j] + u64::from(b.bytes);
                    let in_time = a.first <= b.last && b.first <= a.last;
                    let in_space = a_range.start < b_range.end && b_range.start < a_range.end;
                    assert!(!(in_time && in_space), "{a:?} and {b:?} overlap");
                }
            }
        }
    }
}
