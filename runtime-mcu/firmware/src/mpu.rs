//! Regions of the protection unit of Armv7-M: powers of two, of which eighths can be left out.

use core::ops::Range;

/// A region, enabled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Region {
    /// Where it begins, a multiple of its size.
    pub base: u32,
    /// Its size as a power of two, from [`Region::LEAST`] to 32.
    pub bits: u8,
    /// Bit `i` leaves out its `i`-th eighth; none of a region below [`Region::DIVIDED`].
    pub off: u8,
}

impl Region {
    /// The size of the smallest, as a power of two.
    pub const LEAST: u8 = 5;
    /// The size of the smallest of which eighths can be left out.
    pub const DIVIDED: u8 = 8;

    /// A whole one.
    pub const fn whole(base: u32, bits: u8) -> Self {
        Self { base, bits, off: 0 }
    }

    /// What goes into the RBAR for the region of a number.
    pub const fn address(self, number: u8) -> u32 {
        self.base | 1 << 4 | number as u32
    }

    /// What goes into the RASR, with these attributes.
    pub const fn attributes(self, attributes: u32) -> u32 {
        attributes | (self.off as u32) << 8 | (self.bits as u32 - 1) << 1 | 1
    }
}

/// What [`cover`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cover {
    /// Regions it takes.
    pub regions: usize,
    /// Bytes that they cover beside what was wanted.
    pub wasted: u32,
}

/// Covers bytes with as few regions as can be, in `regions`, which touch nothing outside of `within`. `None` where there
/// are not enough regions, or no bytes are wanted, or not all of them lie within.
pub fn cover(wanted: Range<u32>, within: Range<u32>, regions: &mut [Region]) -> Option<Cover> {
    // In steps of the smallest region, so that the end of all addresses is a number too.
    let (start, end) = (wanted.start / STEP, wanted.end.div_ceil(STEP));
    let limits = within.start.div_ceil(STEP)..within.end / STEP;
    if wanted.is_empty() || start < limits.start || end > limits.end {
        return None;
    }
    let mut from = start;
    let mut at = start;
    let mut count = 0;
    while at < end {
        let place = regions.get_mut(count)?;
        let candidates = (0..=32 - Region::LEAST)
            .rev()
            .filter_map(|bits| candidate(at, end, &limits, bits));
        // The one that reaches farthest makes for the fewest; of equal ones the last is taken, which is the smallest.
        let (begins, reach, region) = candidates
            .max_by_key(|(begins, reach, _)| ((*reach).min(end), *begins, u32::MAX - reach))?;
        if count == 0 {
            from = begins;
        }
        count += 1;
        *place = region;
        at = reach;
    }
    let covered = (at - from).wrapping_mul(STEP);
    Some(Cover {
        regions: count,
        wasted: covered.wrapping_sub(wanted.end - wanted.start),
    })
}

/// Bytes of the smallest region.
const STEP: u32 = 1 << Region::LEAST;

/// The region of a size that covers the step at `at` and as much behind it as it may and is wanted: where that begins
/// and ends. All is in steps.
fn candidate(at: u32, end: u32, limits: &Range<u32>, bits: u8) -> Option<(u32, u32, Region)> {
    let size = 1 << bits;
    let is_divided = bits + Region::LEAST >= Region::DIVIDED;
    let unit = if is_divided { size / 8 } else { size };
    let base = at & !(size - 1);
    let begins = at & !(unit - 1);
    let last = end.next_multiple_of(unit).min(base + size);
    let reach = last.min(limits.end & !(unit - 1));
    if begins < limits.start || reach <= at {
        return None;
    }
    let (first, behind) = ((begins - base) / unit, (reach - base) / unit);
    let on = (1u32 << behind) - (1 << first);
    let region = Region {
        base: base * STEP,
        bits: bits + Region::LEAST,
        off: if is_divided { !on as u8 } else { 0 },
    };
    Some((begins, reach, region))
}

/// The size and the alignment of an allocation that holds so many bytes and that so many regions cover to the byte: one,
/// or two, for which the alignment is an eighth. `None` where it would be larger than half of all addresses.
pub const fn allocation(bytes: usize, regions: usize) -> Option<(usize, usize)> {
    if bytes > 1 << 31 {
        return None;
    }
    let least = 1 << Region::DIVIDED;
    let size = if bytes < least {
        least
    } else {
        bytes.next_power_of_two()
    };
    let unit = size / 8;
    let align = if regions < 2 { size } else { unit };
    Some((bytes.next_multiple_of(unit), align))
}

#[cfg(test)]
mod tests {
    use std::{ops::Range, vec::Vec};

    use super::{Cover, Region, allocation, cover};

    /// The bytes that regions cover, as ranges, rising and joined.
    fn covered(regions: &[Region]) -> Vec<Range<u64>> {
        let mut parts: Vec<Range<u64>> = vec![];
        for Region { base, bits, off } in regions {
            let size = 1u64 << bits;
            assert!((Region::LEAST..=32).contains(bits));
            assert_eq!(
                u64::from(*base) % size,
                0,
                "a base is a multiple of the size"
            );
            assert!(*bits >= Region::DIVIDED || *off == 0);
            let unit = size / 8;
            for i in (0..8).filter(|i| off >> i & 1 == 0) {
                let from = u64::from(*base) + i * unit;
                parts.push(from..from + unit);
            }
        }
        parts.sort_by_key(|part| part.start);
        let mut joined: Vec<Range<u64>> = vec![];
        for part in parts {
            match joined.last_mut() {
                Some(last) if last.end >= part.start => last.end = last.end.max(part.end),
                _ => joined.push(part),
            }
        }
        joined
    }

    /// Checks every law of a cover. Gives it.
    fn check(wanted: &Range<u32>, within: &Range<u32>, most: usize) -> Option<Cover> {
        let mut regions = [Region::default(); 8];
        let found = cover(wanted.clone(), within.clone(), &mut regions[..most])?;
        let all = covered(&regions[..found.regions]);
        assert_eq!(all.len(), 1, "{wanted:?} {within:?}: one piece");
        let all = &all[0];
        let bytes = |r: &Range<u32>| u64::from(r.start)..u64::from(r.end);
        let (wanted, within) = (bytes(wanted), bytes(within));
        assert!(
            all.start <= wanted.start && all.end >= wanted.end,
            "{wanted:?} in {all:?}"
        );
        assert!(
            all.start >= within.start && all.end <= within.end,
            "{all:?} in {within:?}"
        );
        let wasted = (all.end - all.start) - (wanted.end - wanted.start);
        assert_eq!(u64::from(found.wasted), wasted, "{wanted:?} {all:?}");
        Some(found)
    }

    /// Numbers that repeat.
    struct Numbers(u64);

    impl Numbers {
        fn next(&mut self, below: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0 % below
        }
    }

    #[test]
    fn what_is_covered_is_what_is_wanted_and_nothing_outside() {
        let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
        let (mut found, mut none) = (0, 0);
        for _ in 0..200_000 {
            let bits = numbers.next(24) + 3;
            let from = numbers.next(1 << 32);
            let length = numbers.next(1 << bits) + 1;
            let bits = numbers.next(20);
            let slack = numbers.next(1 << bits);
            let start = from & !(numbers.next(2) * 0xFFF);
            let end = (start + length).min(u64::from(u32::MAX));
            let (lower, upper) = (
                start.saturating_sub(slack),
                (end + slack).min(u64::from(u32::MAX)),
            );
            let most = numbers.next(9) as usize;
            match check(
                &(start as u32..end as u32),
                &(lower as u32..upper as u32),
                most,
            ) {
                Some(_) => found += 1,
                None => none += 1,
            }
        }
        assert!(found > 10_000 && none > 10_000, "{found} {none}");
    }

    #[test]
    fn an_allocation_is_covered_to_the_byte() {
        let mut numbers = Numbers(77);
        for _ in 0..50_000 {
            let bits = numbers.next(20) + 4;
            let bytes = numbers.next(1 << bits) as usize + 1;
            for most in 1..3 {
                let (size, align) = allocation(bytes, most).unwrap();
                assert!(size >= bytes && size - bytes < (bytes / 4).max(256));
                let base = numbers.next(1 << 31) as usize / align * align;
                let range = base as u32..(base + size) as u32;
                let found = check(&range, &range, most);
                assert_eq!(
                    found.map(|found| found.wasted),
                    Some(0),
                    "{bytes} {range:?}"
                );
            }
        }
        assert_eq!(allocation(1, 1), Some((32, 256)));
        assert_eq!(allocation(usize::MAX, 1), None);
    }

    #[test]
    fn one_region_covers_whatever_lies_in_a_slot_that_is_aligned_to_its_size() {
        let mut numbers = Numbers(5);
        let slot = 0x6020_0000..0x6040_0000;
        for _ in 0..50_000 {
            let from = slot.start + numbers.next(2 << 20) as u32;
            let end = from + 1 + numbers.next(u64::from(slot.end - from)) as u32;
            assert!(
                check(&(from..end), &slot, 1).is_some(),
                "{from:#x} {end:#x}"
            );
            // An image lies at its start, and an eighth of what is wanted is the most that is wasted, or a small part.
            let image = slot.start..end;
            let wasted = check(&image, &slot, 1).unwrap().wasted;
            assert!(
                wasted < ((end - slot.start) / 4).max(32),
                "{end:#x} {wasted}"
            );
        }
    }

    #[test]
    fn what_cannot_be_covered_is_not() {
        let mut regions = [Region::default(); 8];
        for (wanted, within) in [
            (10..10, 0..100),
            (10..20, 11..100),
            (10..20, 0..19),
            // No region is smaller than 32 bytes.
            (10..20, 10..20),
        ] {
            assert_eq!(cover(wanted, within, &mut regions), None);
        }
        assert_eq!(cover(32..64, 32..64, &mut []), None);
        let found = cover(32..64, 32..64, &mut regions);
        assert_eq!(
            found,
            Some(Cover {
                regions: 1,
                wasted: 0
            })
        );
        assert_eq!(regions[0], Region::whole(32, 5));
        assert_eq!(regions[0].address(3), 32 | 0x13);
        assert_eq!(regions[0].attributes(1 << 28), 1 << 28 | 4 << 1 | 1);
    }
}
