//! Lifetimes as shapes in time and space: what is tied is one shape, everything else one each.

use super::{ALIGN, Plan};

/// A rectangle of a shape. Space is counted in units of [`ALIGN`], time in steps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    /// How far behind the shape's offset it begins.
    pub(super) at: u64,
    /// How much space it takes, at least 1.
    pub(super) size: u64,
    /// Its first step.
    pub(super) first: u32,
    /// Its last step.
    pub(super) last: u32,
}

/// Rectangles that move together.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    /// Its rectangles; some may overlap.
    pub(super) pieces: Vec<Piece>,
    /// From its lowest to its highest point.
    pub(super) height: u64,
    /// Its first step.
    pub(super) first: u32,
    /// Its last step.
    pub(super) last: u32,
}

impl Shape {
    fn new(mut pieces: Vec<Piece>) -> Self {
        // What follows in the same place is one.
        pieces.sort_unstable_by_key(|p| (p.at, p.size, p.first));
        pieces.dedup_by(|next, last| {
            let follows = (next.at, next.size) == (last.at, last.size)
                && u64::from(next.first) <= u64::from(last.last) + 1;
            if follows {
                last.last = last.last.max(next.last);
            }
            follows
        });
        let first = pieces.iter().map(|p| p.first).min().unwrap_or(0);
        let last = pieces.iter().map(|p| p.last).max().unwrap_or(0);
        let height = pieces.iter().map(|p| p.at + p.size).max().unwrap_or(0);
        Self {
            pieces,
            height,
            first,
            last,
        }
    }

    /// Whether every rectangle begins at its lowest point.
    pub(super) fn is_flat(&self) -> bool {
        self.pieces.iter().all(|p| p.at == 0)
    }

    /// How many steps it lasts.
    pub(super) fn steps(&self) -> u64 {
        u64::from(self.last - self.first) + 1
    }

    /// Its space in step `step`: the most of what overlaps counts once.
    fn ends(&self, step: u32, spans: &mut Vec<(u64, u64)>) -> u64 {
        spans.clear();
        let alive = |p: &&Piece| (p.first..=p.last).contains(&step);
        spans.extend(
            self.pieces
                .iter()
                .filter(alive)
                .map(|p| (p.at, p.at + p.size)),
        );
        spans.sort_unstable();
        let (mut sum, mut end) = (0, 0);
        for (from, to) in spans.iter() {
            sum += to.saturating_sub(end.max(*from));
            end = end.max(*to);
        }
        sum
    }
}

/// Everything that needs a place.
#[derive(Debug)]
pub(super) struct Shapes {
    /// Each has a height of at least 1.
    pub(super) all: Vec<Shape>,
    /// The most space in use in one step.
    pub(super) bound: u64,
    /// The shape of each lifetime, and its offset in it in bytes; `None` for what takes no space.
    place: Vec<Option<(usize, u64)>>,
}

/// For each shape, where it may not be.
#[derive(Debug)]
pub(super) struct Conflicts {
    begins: Vec<usize>,
    all: Vec<Conflict>,
}

/// That the offset of one shape may not lie strictly between `low` and `high` from that of another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conflict {
    /// The other shape.
    pub(super) other: u32,
    /// Counted from its offset.
    pub(super) low: i64,
    /// Counted from its offset.
    pub(super) high: i64,
}

impl Conflicts {
    /// Those of one shape, by the other's index.
    pub(super) fn of(&self, shape: usize) -> &[Conflict] {
        &self.all[self.begins[shape]..self.begins[shape + 1]]
    }
}

impl Shapes {
    pub(super) fn new(plan: &Plan<'_>) -> Self {
        let unit = u64::from(ALIGN);
        let mut place = vec![None; plan.lifetimes.len()];
        let mut all = Vec::new();
        for members in &plan.members {
            let sized: Vec<usize> = members
                .iter()
                .copied()
                .filter(|i| plan.lifetimes[*i].bytes > 0)
                .collect();
            let Some(lowest) = sized.iter().map(|i| plan.distance[*i]).min() else {
                continue;
            };
            let pieces = sized.iter().map(|i| {
                let life = &plan.lifetimes[*i];
                let from = (plan.distance[*i] - lowest) as u64;
                place[*i] = Some((all.len(), from));
                let at = from / unit;
                Piece {
                    at,
                    size: (from + u64::from(life.bytes)).div_ceil(unit) - at,
                    first: life.first,
                    last: life.last,
                }
            });
            let shape = Shape::new(pieces.collect());
            all.push(shape);
        }
        let bound = bound(&all);
        Self { all, bound, place }
    }

    /// The address of each lifetime.
    pub(super) fn addresses(&self, plan: &Plan<'_>, offsets: &[u64]) -> Vec<u64> {
        let address = |i: usize| {
            self.place[i].map_or(0, |(shape, from)| offsets[shape] * u64::from(ALIGN) + from)
        };
        (0..plan.lifetimes.len()).map(address).collect()
    }

    /// The shapes in the order of their first steps, and of those, which are still in use when each begins.
    fn sweep(&self, mut meet: impl FnMut(usize, &[usize])) {
        let mut order: Vec<usize> = (0..self.all.len()).collect();
        order.sort_by_key(|i| (self.all[*i].first, *i));
        let mut alive: Vec<usize> = Vec::new();
        for i in order {
            let first = self.all[i].first;
            alive.retain(|other| self.all[*other].last >= first);
            meet(i, &alive);
            alive.push(i);
        }
    }

    /// How many pairs of shapes are in use at the same time, in part of their lives; and at most that many
    /// pairs of their pieces.
    pub(super) fn pairs(&self) -> u64 {
        let mut ends: Vec<(u32, bool, u64)> = Vec::new();
        for shape in &self.all {
            let pieces = shape.pieces.len() as u64;
            ends.push((shape.first, false, pieces));
            ends.push((shape.last, true, pieces));
        }
        // What begins in a step comes before what ends in it.
        ends.sort_unstable();
        let (mut alive, mut pairs) = (0u64, 0u64);
        for (_, is_end, pieces) in ends {
            if is_end {
                alive -= pieces;
            } else {
                pairs = pairs.saturating_add(alive.saturating_mul(pieces));
                alive += pieces;
            }
        }
        pairs
    }

    pub(super) fn conflicts(&self) -> Conflicts {
        let mut found: Vec<(u32, Conflict)> = Vec::new();
        self.sweep(|i, alive| {
            for &j in alive {
                for (low, high) in apart(&self.all[i], &self.all[j]) {
                    let (a, b) = (i as u32, j as u32);
                    let conflict = |other, low, high| Conflict { other, low, high };
                    found.push((a, conflict(b, low, high)));
                    found.push((b, conflict(a, -high, -low)));
                }
            }
        });
        found.sort_unstable_by_key(|(shape, c)| (*shape, c.other, c.low));
        let mut begins = vec![0; self.all.len() + 1];
        for (shape, _) in &found {
            begins[*shape as usize + 1] += 1;
        }
        for i in 0..self.all.len() {
            begins[i + 1] += begins[i];
        }
        Conflicts {
            begins,
            all: found.into_iter().map(|(_, c)| c).collect(),
        }
    }
}

/// The distances, from `b` to `a`, at which the two overlap: open intervals, joined where they overlap.
fn apart(a: &Shape, b: &Shape) -> Vec<(i64, i64)> {
    let mut spans: Vec<(i64, i64)> = Vec::new();
    for p in &a.pieces {
        for q in &b.pieces {
            if p.first <= q.last && q.first <= p.last {
                let base = q.at as i64 - p.at as i64;
                spans.push((base - p.size as i64, base + q.size as i64));
            }
        }
    }
    spans.sort_unstable();
    spans.dedup_by(|next, last| {
        let overlap = next.0 < last.1;
        if overlap {
            last.1 = last.1.max(next.1);
        }
        overlap
    });
    spans
}

/// The most space in use in one step. What is in use changes only where a piece begins.
fn bound(all: &[Shape]) -> u64 {
    // (step, amount): what is added in a step, and after the last one taken away.
    let mut changes: Vec<(u64, i64)> = Vec::new();
    let mut spans = Vec::new();
    for shape in all {
        let mut steps: Vec<u64> = shape
            .pieces
            .iter()
            .flat_map(|p| [u64::from(p.first), u64::from(p.last) + 1])
            .collect();
        steps.sort_unstable();
        steps.dedup();
        let mut before = 0;
        for step in steps {
            let now = u32::try_from(step).map_or(0, |step| shape.ends(step, &mut spans)) as i64;
            changes.push((step, now - before));
            before = now;
        }
    }
    changes.sort_unstable_by_key(|(step, amount)| (*step, *amount));
    let (mut alive, mut most) = (0i64, 0i64);
    for (_, amount) in changes {
        alive += amount;
        most = most.max(alive);
    }
    most as u64
}
