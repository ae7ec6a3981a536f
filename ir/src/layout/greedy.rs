//! Placement of one shape after the other, each where it fits best among those placed before.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use super::{
    Placement,
    shape::{Conflicts, Shape, Shapes},
};

/// Conflicts looked at in all, beyond the first order: some 30 ms.
const WORK: u64 = 3_000_000;

/// The seed of the moves that are tried; any but 0 does.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// Which of the gaps a shape fits in.
#[derive(Clone, Copy, Debug)]
enum Fit {
    /// The lowest.
    First,
    /// The smallest; beyond everything only where there is no gap.
    Best,
}

/// Hands out memory in the order of time, the smallest free piece that is large enough, and joins what is
/// freed; each shape takes its whole height from its first step to its last. Takes little time for any
/// number of shapes.
pub(super) fn by_time(shapes: &Shapes) -> Placement {
    let mut free = Free::default();
    let mut order: Vec<usize> = (0..shapes.all.len()).collect();
    order.sort_by_key(|i| (shapes.all[*i].first, Reverse(shapes.all[*i].height), *i));
    let mut ends: BTreeSet<(u32, usize)> = BTreeSet::new();
    let mut offsets = vec![0; shapes.all.len()];
    for i in order {
        let shape = &shapes.all[i];
        while let Some((_, done)) = ends
            .first()
            .copied()
            .filter(|(last, _)| *last < shape.first)
        {
            ends.pop_first();
            free.give(offsets[done], shapes.all[done].height);
        }
        offsets[i] = free.take(shape.height);
        ends.insert((shape.last, i));
    }
    Placement {
        offsets,
        height: free.end,
    }
}

/// Memory that was in use and is free.
#[derive(Default)]
struct Free {
    /// Size by offset; no two touch.
    by_offset: BTreeMap<u64, u64>,
    /// (size, offset).
    by_size: BTreeSet<(u64, u64)>,
    /// One past all that was ever in use.
    end: u64,
}

impl Free {
    fn take(&mut self, size: u64) -> u64 {
        if let Some(&(room, at)) = self.by_size.range((size, 0)..).next() {
            self.remove(at, room);
            if room > size {
                self.insert(at + size, room - size);
            }
            return at;
        }
        // What is free at the end grows.
        let last = self
            .by_offset
            .last_key_value()
            .map(|(at, room)| (*at, *room));
        let at = match last {
            Some((at, room)) if at + room == self.end => {
                self.remove(at, room);
                at
            }
            _ => self.end,
        };
        self.end = at + size;
        at
    }

    fn give(&mut self, mut at: u64, mut size: u64) {
        if let Some((before, room)) = self.by_offset.range(..at).next_back() {
            let (before, room) = (*before, *room);
            if before + room == at {
                self.remove(before, room);
                (at, size) = (before, room + size);
            }
        }
        if let Some(room) = self.by_offset.get(&(at + size)).copied() {
            self.remove(at + size, room);
            size += room;
        }
        self.insert(at, size);
    }

    fn insert(&mut self, at: u64, size: u64) {
        self.by_offset.insert(at, size);
        self.by_size.insert((size, at));
    }

    fn remove(&mut self, at: u64, size: u64) {
        self.by_offset.remove(&at);
        self.by_size.remove(&(size, at));
    }
}

/// Tries orders until one reaches the bound: the largest first, others that suit other models, and then
/// those that come of moving to the front what stands out.
pub(super) fn search(shapes: &Shapes, conflicts: &Conflicts, best: &mut Placement) {
    let mut search = Search {
        shapes,
        conflicts,
        busy: Vec::new(),
        work: 0,
    };
    let mut winner: (u64, Vec<usize>) = (u64::MAX, Vec::new());
    for order in orders(shapes, conflicts) {
        for fit in [Fit::First, Fit::Best] {
            if best.height <= shapes.bound || search.work > WORK {
                return;
            }
            let found = search.place(&order, fit);
            if found.height < winner.0 {
                winner = (found.height, order.clone());
            }
            if found.height < best.height {
                *best = found;
            }
        }
    }
    search.climb(winner.1, best);
}

/// What an order goes by, the greatest first: of a shape and its weight, the height of what it meets.
type Measure = fn(&Shape, u64) -> (u64, u64);

/// Orders by several measures, that of the size first.
fn orders(shapes: &Shapes, conflicts: &Conflicts) -> impl Iterator<Item = Vec<usize>> {
    let weight = |i: usize| -> u64 {
        let others = conflicts.of(i).iter();
        others.map(|c| shapes.all[c.other as usize].height).sum()
    };
    let weights: Vec<u64> = (0..shapes.all.len()).map(weight).collect();
    let measures: [Measure; 6] = [
        |s, _| (s.height, !u64::from(s.first)),
        |s, _| (s.height.saturating_mul(s.steps()), s.height),
        |s, _| (s.steps(), s.height),
        |s, weight| (weight, s.height),
        |s, _| (!u64::from(s.first), s.height),
        |s, _| (u64::from(s.last), s.height),
    ];
    measures.into_iter().map(move |measure| {
        let mut order: Vec<usize> = (0..shapes.all.len()).collect();
        order.sort_by_key(|i| (Reverse(measure(&shapes.all[*i], weights[*i])), *i));
        order
    })
}

struct Search<'a> {
    shapes: &'a Shapes,
    conflicts: &'a Conflicts,
    /// Where the shape being placed may not be.
    busy: Vec<(i64, i64)>,
    /// Conflicts looked at.
    work: u64,
}

impl Search<'_> {
    fn place(&mut self, order: &[usize], fit: Fit) -> Placement {
        let count = self.shapes.all.len();
        let mut offsets: Vec<Option<u64>> = vec![None; count];
        let mut height = 0;
        for &i in order {
            self.work += 1 + self.conflicts.of(i).len() as u64;
            let at = offset(self.conflicts, i, &offsets, fit, &mut self.busy);
            offsets[i] = Some(at);
            height = height.max(at + self.shapes.all[i].height);
        }
        Placement {
            offsets: offsets.into_iter().map(|o| o.unwrap_or(0)).collect(),
            height,
        }
    }

    /// Moves what reaches above the best height so far to earlier places in the order, as long as there
    /// is work left; now and then, anything.
    fn climb(&mut self, mut order: Vec<usize>, best: &mut Placement) {
        let mut random = Random(SEED);
        let mut height = u64::MAX;
        let mut last = self.place(&order, Fit::First);
        while best.height > self.shapes.bound && self.work <= WORK {
            let mut next = order.clone();
            let goal = best.height.min(last.height);
            let high: Vec<usize> = (0..next.len())
                .filter(|p| last.offsets[next[*p]] + self.shapes.all[next[*p]].height >= goal)
                .collect();
            let from = if high.is_empty() || random.below(4) == 0 {
                random.below(next.len())
            } else {
                high[random.below(high.len())]
            };
            // Near the front more often than far from it.
            let reach = random.below(from + 1) + 1;
            let to = random.below(reach);
            next[to..=from].rotate_right(1);
            let found = self.place(&next, [Fit::First, Fit::Best][random.below(8) / 7]);
            if found.height < best.height {
                *best = found.clone();
            }
            // What is a little worse is taken now and then, to get out of a valley.
            if found.height <= height || random.below(16) == 0 {
                height = found.height;
                order = next;
                last = found;
            }
        }
    }
}

/// Where a shape fits among those that have an offset. `busy` is room to work in.
pub(super) fn lowest(conflicts: &Conflicts, shape: usize, offsets: &[Option<u64>]) -> u64 {
    offset(conflicts, shape, offsets, Fit::First, &mut Vec::new())
}

fn offset(
    conflicts: &Conflicts,
    shape: usize,
    offsets: &[Option<u64>],
    fit: Fit,
    busy: &mut Vec<(i64, i64)>,
) -> u64 {
    busy.clear();
    busy.extend(conflicts.of(shape).iter().filter_map(|c| {
        let other = offsets[c.other as usize]? as i64;
        Some((other + c.low, other + c.high))
    }));
    busy.sort_unstable();
    let mut at = 0;
    let mut best: Option<(i64, i64)> = None;
    for &(low, high) in busy.iter() {
        if at <= low {
            match fit {
                Fit::First => return at as u64,
                Fit::Best if best.is_none_or(|(room, _)| low - at < room) => {
                    best = Some((low - at, at));
                }
                Fit::Best => {}
            }
        }
        at = at.max(high);
    }
    best.map_or(at, |(_, at)| at) as u64
}

/// A sequence of numbers that looks like chance and is the same everywhere (xorshift).
struct Random(u64);

impl Random {
    /// A number below `n`, which is above 0.
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }
}
