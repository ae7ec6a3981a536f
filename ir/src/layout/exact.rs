//! The exact search: either a placement below a height, or the proof that there is none.
//!
//! Shapes that fit whatever the others do are set aside first. The rest is placed by rising offsets,
//! each on top of what it stands on, for every plan can be pushed down into one like that. A branch ends
//! where some step no longer has room for what is still to come, or where something was passed by that
//! would have fitted below.

use super::{
    Placement, greedy,
    shape::{Conflicts, Shapes},
};

/// Work in all, in sections of shapes looked at: some 100 ms.
const WORK: u64 = 40_000_000;

/// Most shapes to be searched, which is also the depth of the recursion.
const MOST: usize = 200;

/// Lowers `best` as far as it can. Whether no plan is lower.
pub(super) fn search(shapes: &Shapes, conflicts: &Conflicts, best: &mut Placement) -> bool {
    // The bound is where the answer most often lies.
    match below(shapes, conflicts, shapes.bound, &mut (WORK / 4)) {
        Answer::Found(found) => {
            *best = found;
            return true;
        }
        Answer::Impossible if best.height == shapes.bound + 1 => return true,
        Answer::Impossible | Answer::Unknown => {}
    }
    let mut work = WORK;
    loop {
        match below(shapes, conflicts, best.height - 1, &mut work) {
            Answer::Found(found) => *best = found,
            Answer::Impossible => return true,
            Answer::Unknown => return false,
        }
    }
}

/// What a search for a placement of some height comes to.
enum Answer {
    /// This one.
    Found(Placement),
    /// There is none.
    Impossible,
    /// Too much work to tell.
    Unknown,
}

/// Looks for a placement not higher than `height`.
fn below(shapes: &Shapes, conflicts: &Conflicts, height: u64, work: &mut u64) -> Answer {
    let (kept, aside) = reduce(shapes, conflicts, height);
    let mut offsets: Vec<Option<u64>> = vec![None; shapes.all.len()];
    let mut numbers: Vec<Option<usize>> = vec![None; shapes.all.len()];
    for part in parts(shapes, kept) {
        let is_flat = |i: &usize| shapes.all[*i].is_flat();
        if part.len() > MOST || !part.iter().all(is_flat) {
            return Answer::Unknown;
        }
        let mut search = Search::new(shapes, conflicts, &part, &mut numbers, height, work);
        match search.run(0, 0) {
            Some(true) => {
                for (i, at) in part.iter().zip(search.offset) {
                    offsets[*i] = Some(at);
                }
            }
            Some(false) => return Answer::Impossible,
            None => return Answer::Unknown,
        }
    }
    for i in aside.into_iter().rev() {
        offsets[i] = Some(greedy::lowest(conflicts, i, &offsets));
    }
    let offsets: Vec<u64> = offsets.into_iter().map(|o| o.unwrap_or(0)).collect();
    let tops = offsets.iter().zip(&shapes.all).map(|(at, s)| at + s.height);
    let height = tops.max().unwrap_or(0);
    Answer::Found(Placement { offsets, height })
}

/// Sets shapes aside that find a place below `height` wherever those are that are left; in this order,
/// so the last of them finds a place among those that stay.
fn reduce(shapes: &Shapes, conflicts: &Conflicts, height: u64) -> (Vec<usize>, Vec<usize>) {
    let count = shapes.all.len();
    // Offsets that the others could take from each.
    let mut taken: Vec<i64> = (0..count)
        .map(|i| {
            let all = conflicts.of(i).iter();
            all.map(|c| c.high - c.low - 1).sum()
        })
        .collect();
    let fits = |i: usize, taken: i64| {
        let room = height as i64 - shapes.all[i].height as i64 + 1;
        taken < room
    };
    let mut is_aside: Vec<bool> = (0..count).map(|i| fits(i, taken[i])).collect();
    let mut aside: Vec<usize> = (0..count).filter(|i| is_aside[*i]).collect();
    let mut next = 0;
    while let Some(&gone) = aside.get(next) {
        next += 1;
        for c in conflicts.of(gone) {
            let other = c.other as usize;
            taken[other] -= c.high - c.low - 1;
            if !is_aside[other] && fits(other, taken[other]) {
                is_aside[other] = true;
                aside.push(other);
            }
        }
    }
    let kept = (0..count).filter(|i| !is_aside[*i]).collect();
    (kept, aside)
}

/// Shapes in parts that no step joins.
fn parts(shapes: &Shapes, mut kept: Vec<usize>) -> Vec<Vec<usize>> {
    kept.sort_by_key(|i| (shapes.all[*i].first, *i));
    let mut parts: Vec<Vec<usize>> = Vec::new();
    let mut last = None;
    for i in kept {
        let shape = &shapes.all[i];
        match parts.last_mut() {
            Some(part) if last >= Some(shape.first) => part.push(i),
            _ => parts.push(vec![i]),
        }
        last = last.max(Some(shape.last));
    }
    parts
}

/// What a shape takes in one section of time.
#[derive(Clone, Copy)]
struct Cell {
    section: usize,
    size: u64,
}

/// A placement that grows by rising offsets. Shapes are numbered anew.
struct Search<'a> {
    height: u64,
    work: &'a mut u64,
    /// What each shape takes, section by section.
    cells: Vec<Vec<Cell>>,
    /// How high each is.
    tops: Vec<u64>,
    /// For each shape, what is in use at the same time, and how far above it that must be.
    above: Vec<Vec<(usize, u64)>>,
    /// The same in all sections, and first in number.
    twin: Vec<Option<usize>>,
    /// Where each is, or could be at the lowest.
    offset: Vec<u64>,
    is_placed: Vec<bool>,
    placed: usize,
    /// What is still to be placed in each section.
    to_come: Vec<u64>,
}

impl<'a> Search<'a> {
    fn new(
        shapes: &Shapes,
        conflicts: &Conflicts,
        part: &[usize],
        numbers: &mut [Option<usize>],
        height: u64,
        work: &'a mut u64,
    ) -> Self {
        for (new, old) in part.iter().enumerate() {
            numbers[*old] = Some(new);
        }
        let above = part.iter().map(|i| {
            let met = conflicts.of(*i).iter();
            // What the other must keep from this is how high this is where they meet.
            met.filter_map(|c| Some((numbers[c.other as usize]?, (-c.low) as u64)))
                .collect()
        });
        let above: Vec<Vec<(usize, u64)>> = above.collect();
        for old in part {
            numbers[*old] = None;
        }
        let pieces = || part.iter().flat_map(|i| &shapes.all[*i].pieces);
        let mut steps: Vec<u64> = pieces()
            .flat_map(|p| [u64::from(p.first), u64::from(p.last) + 1])
            .collect();
        steps.sort_unstable();
        steps.dedup();
        let section = |step: u64| steps.partition_point(|s| *s < step);
        let mut to_come = vec![0; steps.len()];
        let mut cells = Vec::new();
        for i in part {
            let mut sizes = vec![0; steps.len()];
            for piece in &shapes.all[*i].pieces {
                let end = section(u64::from(piece.last) + 1);
                for size in &mut sizes[section(u64::from(piece.first))..end] {
                    *size = piece.size.max(*size);
                }
            }
            let own = sizes.into_iter().enumerate().filter(|(_, size)| *size > 0);
            let own: Vec<Cell> = own.map(|(section, size)| Cell { section, size }).collect();
            for cell in &own {
                to_come[cell.section] += cell.size;
            }
            cells.push(own);
        }
        let same = |a: usize, b: usize| {
            let pairs = cells[a].iter().zip(&cells[b]);
            cells[a].len() == cells[b].len()
                && pairs
                    .into_iter()
                    .all(|(a, b)| (a.section, a.size) == (b.section, b.size))
        };
        let twin = (0..part.len())
            .map(|i| (0..i).rev().find(|j| same(*j, i)))
            .collect();
        Self {
            height,
            work,
            tops: part.iter().map(|i| shapes.all[*i].height).collect(),
            above,
            twin,
            offset: vec![0; part.len()],
            is_placed: vec![false; part.len()],
            placed: 0,
            to_come,
            cells,
        }
    }

    /// Places the rest at `least` or above, and at `least` only what has a number from `number` on. `None`:
    /// too much work.
    fn run(&mut self, least: u64, number: usize) -> Option<bool> {
        let count = self.tops.len();
        if self.placed == count {
            return Some(true);
        }
        if !self.has_room(least)? {
            return Some(false);
        }
        // Whatever stands above the top of something that could lie below it could be lower.
        let rest = || (0..count).filter(|i| !self.is_placed[*i]);
        let lid = rest().map(|i| self.offset[i] + self.tops[i]).min();
        let mut next: Vec<usize> = rest()
            .filter(|i| Some(self.offset[*i]) < lid)
            .filter(|i| (self.offset[*i], *i) >= (least, number))
            .filter(|i| self.twin[*i].is_none_or(|twin| self.is_placed[twin]))
            .collect();
        next.sort_by_key(|i| {
            let area: u64 = self.cells[*i].iter().map(|c| c.size).sum();
            (self.offset[*i], std::cmp::Reverse(area), *i)
        });
        for i in next {
            let undo = self.put(i);
            if self.run(self.offset[i], i + 1)? {
                return Some(true);
            }
            self.take(i, undo);
        }
        Some(false)
    }

    /// Whether every section has room for what is still to come in it, all of it at `least` or above and
    /// on top of what is there.
    fn has_room(&mut self, least: u64) -> Option<bool> {
        let mut floor = vec![u64::MAX; self.to_come.len()];
        let mut work = floor.len() as u64;
        for (i, cells) in self.cells.iter().enumerate() {
            if self.is_placed[i] {
                continue;
            }
            let at = self.offset[i].max(least);
            if at + self.tops[i] > self.height {
                return Some(false);
            }
            work += cells.len() as u64;
            for cell in cells {
                floor[cell.section] = floor[cell.section].min(at);
            }
        }
        *self.work = self.work.checked_sub(work)?;
        let mut sections = floor.iter().zip(&self.to_come);
        Some(sections.all(|(floor, to_come)| *to_come == 0 || floor + to_come <= self.height))
    }

    /// Places a shape where it is lowest. Gives what that changed.
    fn put(&mut self, i: usize) -> Vec<(usize, u64)> {
        self.is_placed[i] = true;
        self.placed += 1;
        for cell in &self.cells[i] {
            self.to_come[cell.section] -= cell.size;
        }
        let mut undo = Vec::new();
        for &(other, distance) in &self.above[i] {
            let at = self.offset[i] + distance;
            if !self.is_placed[other] && self.offset[other] < at {
                undo.push((other, self.offset[other]));
                self.offset[other] = at;
            }
        }
        undo
    }

    /// Takes a shape out again.
    fn take(&mut self, i: usize, undo: Vec<(usize, u64)>) {
        for (other, at) in undo {
            self.offset[other] = at;
        }
        for cell in &self.cells[i] {
            self.to_come[cell.section] += cell.size;
        }
        self.placed -= 1;
        self.is_placed[i] = false;
    }
}
