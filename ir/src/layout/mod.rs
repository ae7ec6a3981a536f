//! Where tensors live: one static plan in which tensors that are never alive together share memory.
//!
//! The plan is as small as the most that is alive at once, its [bound](Layout::bound), whenever one of
//! these finds such a plan: greedy placement in several orders, the largest first among them (Pisarchyk
//! and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020); a search that moves
//! what lies on top to the front; and an exact search by rising addresses (after Moffitt, "`MiniMalloc`",
//! 2023), which may also prove that there is none. All are bounded by counted work, never by time, so
//! the same lifetimes get the same plan everywhere.

mod exact;
mod greedy;
mod shape;

use std::collections::BTreeSet;

use shape::Shapes;

/// What every address is a multiple of, and every size rounded up to.
pub const ALIGN: u32 = 16;

/// Most pairs of shapes alive together for which placements are searched; beyond, memory is handed out in
/// the order of time. A pair takes some 24 bytes of the compiler's memory.
const MOST_PAIRS: u64 = 1 << 22;

/// Most lifetimes tied together, for each is compared with each.
const MOST_TIED: usize = 1 << 10;

/// A piece of memory and when it is in use, in steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// How many bytes.
    pub bytes: u32,
    /// The step that first writes it.
    pub first: u32,
    /// The last step that reads or writes it; not before `first`.
    pub last: u32,
}

impl Lifetime {
    /// Whether both are in use in some step.
    pub fn meets(&self, other: &Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// An address for each lifetime, and the bytes they take together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// In the order of the lifetimes, from 0.
    pub offsets: Vec<u64>,
    /// One past the last byte used, rounded up to [`ALIGN`].
    pub bytes: u64,
    /// The most bytes in use in one step: no plan can take less.
    pub bound: u64,
    /// Whether no plan takes less than `bytes`.
    pub proven: bool,
}

/// Plans memory so that no two lifetimes that overlap in time overlap in space.
pub fn place(lifetimes: &[Lifetime]) -> Layout {
    Plan::new(lifetimes).place()
}

/// Lifetimes to be placed, some at a fixed distance from each other.
#[derive(Clone, Debug)]
pub struct Plan<'l> {
    lifetimes: &'l [Lifetime],
    /// The set each is in, as the index of one of its members.
    set: Vec<usize>,
    /// How far behind that member it lies, in bytes.
    distance: Vec<i64>,
    /// The members of each set, at the index it is named after.
    members: Vec<Vec<usize>>,
    /// What may overlap while in use: a lifetime, one it may lie in, and how far behind the begin of that.
    allowed: BTreeSet<(usize, usize, u32)>,
}

impl<'l> Plan<'l> {
    /// All of them free to be anywhere.
    pub fn new(lifetimes: &'l [Lifetime]) -> Self {
        Self {
            lifetimes,
            set: (0..lifetimes.len()).collect(),
            distance: vec![0; lifetimes.len()],
            members: (0..lifetimes.len()).map(|i| vec![i]).collect(),
            allowed: BTreeSet::new(),
        }
    }

    /// Lets `inner` overlap with `host` while both are in use, if it lies `at` bytes behind its begin.
    pub fn allow(&mut self, inner: usize, host: usize, at: u32) {
        self.allowed.insert((inner, host, at));
    }

    /// [Allows](Self::allow) `inner` to lie `at` bytes behind the begin of `host`, and keeps it there.
    /// Whether that is possible: not if they have another distance already, nor if it would lay something
    /// else over one that it is not allowed to overlap with, nor if too many are tied already.
    pub fn tie(&mut self, inner: usize, host: usize, at: u32) -> bool {
        let (moved, kept) = (self.set[inner], self.set[host]);
        // By how much the set of `inner` moves.
        let by = self.distance[host] + i64::from(at) - self.distance[inner];
        if moved == kept {
            return by == 0;
        }
        self.allow(inner, host, at);
        if self.members[moved].len() + self.members[kept].len() > MOST_TIED {
            return false;
        }
        let is_apart = |&(a, b): &(usize, usize)| {
            let (a_ends, b_ends) = (self.ends(a, by), self.ends(b, 0));
            let is_allowed = |inner, host, at: i64| {
                u32::try_from(at).is_ok_and(|at| self.allowed.contains(&(inner, host, at)))
            };
            !self.lifetimes[a].meets(&self.lifetimes[b])
                || a_ends.0 >= b_ends.1
                || b_ends.0 >= a_ends.1
                || is_allowed(a, b, a_ends.0 - b_ends.0)
                || is_allowed(b, a, b_ends.0 - a_ends.0)
        };
        let pairs = self.members[moved]
            .iter()
            .flat_map(|a| self.members[kept].iter().map(|b| (*a, *b)));
        if !pairs.into_iter().all(|pair| is_apart(&pair)) {
            return false;
        }
        for member in std::mem::take(&mut self.members[moved]) {
            self.set[member] = kept;
            self.distance[member] += by;
            self.members[kept].push(member);
        }
        true
    }

    /// The bytes of a lifetime within its set moved by so many bytes.
    fn ends(&self, index: usize, by: i64) -> (i64, i64) {
        let from = self.distance[index] + by;
        (from, from + i64::from(self.lifetimes[index].bytes))
    }

    /// Gives everything an address.
    pub fn place(&self) -> Layout {
        let shapes = Shapes::new(self);
        let mut best = greedy::by_time(&shapes);
        let mut proven = best.height <= shapes.bound;
        if !proven && shapes.pairs() <= MOST_PAIRS {
            let conflicts = shapes.conflicts();
            greedy::search(&shapes, &conflicts, &mut best);
            proven = best.height <= shapes.bound || exact::search(&shapes, &conflicts, &mut best);
        }
        Layout {
            offsets: shapes.addresses(self, &best.offsets),
            bytes: best.height * u64::from(ALIGN),
            bound: shapes.bound * u64::from(ALIGN),
            proven,
        }
    }
}

/// An offset for each shape, and the height they reach, both in units of [`ALIGN`].
#[derive(Clone, Debug)]
struct Placement {
    offsets: Vec<u64>,
    height: u64,
}

#[cfg(test)]
mod tests;
