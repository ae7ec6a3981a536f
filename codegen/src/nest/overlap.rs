//! What a kernel does to memory, access by access: whether its result may lie over what it reads, and what
//! it only moves from one buffer to another.

use super::{Address, Affine, BufferId, Expr, Kernel, Load, Place, Role, Stmt, Store, Ty, Var};

/// Most pairs of accesses that are compared; a kernel with more gets a place of its own for its result.
const MOST_PAIRS: usize = 1 << 14;

/// Bytes that a kernel moves as they are from one buffer to another, and writes there by nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// The buffer they are in.
    pub from: BufferId,
    /// Their first byte there.
    pub from_at: u32,
    /// The buffer they go to.
    pub to: BufferId,
    /// Their first byte there.
    pub to_at: u32,
    /// How many.
    pub bytes: u32,
}

impl Kernel {
    /// Whether the kernel does the same if `output`, which it writes, begins where `input` does, which it
    /// reads and nobody needs afterwards: whether it reads each byte of `input` before it writes that of
    /// `output`. `false` where that cannot be told from the loops.
    pub fn may_replace(&self, input: BufferId, output: BufferId) -> bool {
        let has = |role, buffer| {
            self.operands
                .iter()
                .any(|o| (o.role, o.buffer) == (role, buffer))
        };
        if !has(Role::Read, input) || !has(Role::Write, output) {
            return false;
        }
        let nest = Accesses::of(&self.body);
        let (Some(reads), Some(writes)) =
            (nest.of_buffer(input, false), nest.of_buffer(output, true))
        else {
            return false;
        };
        reads.len().saturating_mul(writes.len()) <= MOST_PAIRS
            && reads
                .iter()
                .all(|read| writes.iter().all(|write| nest.is_safe(read, write)))
    }

    /// What the kernel only moves: runs of bytes, no two of which touch with the same distance.
    pub fn moves(&self) -> Vec<Move> {
        let mut found: Vec<Move> = Vec::new();
        for statement in &self.body {
            let Some((to, from, bytes)) = moved(statement) else {
                continue;
            };
            let (Some(from_at), Some(to_at)) = (from.offset.as_constant(), to.offset.as_constant())
            else {
                continue;
            };
            let (Ok(from_at), Ok(to_at)) = (u32::try_from(from_at), u32::try_from(to_at)) else {
                continue;
            };
            found.push(Move {
                from: from.buffer,
                from_at,
                to: to.buffer,
                to_at,
                bytes,
            });
        }
        let distance = |m: &Move| i64::from(m.to_at) - i64::from(m.from_at);
        found.sort_by_key(|m| (m.from, m.to, distance(m), m.from_at));
        found.dedup_by(|next, last| {
            let joins = (next.from, next.to, distance(next))
                == (last.from, last.to, distance(last))
                && next.from_at <= last.from_at + last.bytes;
            if joins {
                let end = (next.from_at + next.bytes).max(last.from_at + last.bytes);
                last.bytes = end - last.from_at;
            }
            joins
        });
        if found.is_empty() {
            return found;
        }
        let nest = Accesses::of(&self.body);
        found.retain(|m| nest.writes_only(m));
        found
    }

    /// Leaves out what moves bytes to where they are, with the places that `place` knows.
    pub(crate) fn settle(&mut self, place: &dyn Fn(BufferId) -> Place) {
        settle(&mut self.body, place);
    }

    /// Whether [`settle`](Self::settle) leaves nothing out, whatever the addresses.
    pub(crate) fn is_settled(&self) -> bool {
        !self.is_empty() && is_settled(&self.body)
    }

    /// Whether it does nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.body.is_empty()
    }
}

/// Where a statement moves bytes to as they are, where from, and how many.
pub(super) fn moved(statement: &Stmt) -> Option<(&Address, &Address, u32)> {
    match statement {
        Stmt::Copy { to, from, bytes } => Some((to, from, *bytes)),
        Stmt::Store(store, to, Expr::Load(load, from)) => {
            let bytes = bytes_of_load(*load);
            let is_plain = match (load, store) {
                (Load::Whole(_), Store::Whole)
                | (Load::I8 | Load::U8, Store::I8)
                | (Load::I16 | Load::U16, Store::I16) => true,
                (
                    Load::Zero32(_) | Load::Zero64(_),
                    Store::Lane {
                        bytes: lane,
                        lane: 0,
                    },
                ) => u32::from(*lane) == bytes,
                _ => false,
            };
            is_plain.then_some((to, from, bytes))
        }
        Stmt::Let(..)
        | Stmt::Set(..)
        | Stmt::Store(..)
        | Stmt::Leave(..)
        | Stmt::Fill { .. }
        | Stmt::For { .. }
        | Stmt::If { .. }
        | Stmt::While { .. } => None,
    }
}

fn settle(body: &mut Vec<Stmt>, place: &dyn Fn(BufferId) -> Place) {
    body.retain_mut(|statement| {
        if let Some((to, from, _)) = moved(statement) {
            let first = |at: &Address| {
                let Place { memory, address } = place(at.buffer);
                (memory, i64::from(address) + i64::from(at.offset.constant))
            };
            return to.offset.terms != from.offset.terms || first(to) != first(from);
        }
        match statement {
            Stmt::For { body, .. } => {
                settle(body, place);
                !body.is_empty()
            }
            Stmt::If {
                then, otherwise, ..
            } => {
                settle(then, place);
                settle(otherwise, place);
                !then.is_empty() || !otherwise.is_empty()
            }
            Stmt::While { before, body, .. } => {
                settle(before, place);
                settle(body, place);
                true
            }
            Stmt::Let(..)
            | Stmt::Set(..)
            | Stmt::Store(..)
            | Stmt::Leave(..)
            | Stmt::Fill { .. }
            | Stmt::Copy { .. } => true,
        }
    });
}

fn is_settled(body: &[Stmt]) -> bool {
    body.iter().all(|statement| {
        if let Some((to, from, _)) = moved(statement) {
            return to.offset.terms != from.offset.terms;
        }
        match statement {
            Stmt::For { body, .. } => !body.is_empty() && is_settled(body),
            Stmt::If {
                then, otherwise, ..
            } => {
                (!then.is_empty() || !otherwise.is_empty())
                    && is_settled(then)
                    && is_settled(otherwise)
            }
            Stmt::While { before, body, .. } => is_settled(before) && is_settled(body),
            Stmt::Let(..)
            | Stmt::Set(..)
            | Stmt::Store(..)
            | Stmt::Leave(..)
            | Stmt::Fill { .. }
            | Stmt::Copy { .. } => true,
        }
    })
}

fn bytes_of_load(load: Load) -> u32 {
    match load {
        Load::Whole(ty) => bytes_of(ty),
        Load::I8 | Load::U8 | Load::Splat8 => 1,
        Load::I16 | Load::U16 | Load::Splat16 => 2,
        Load::Splat32(_) | Load::Zero32(_) => 4,
        Load::I8x8 | Load::U8x8 | Load::I16x4 | Load::I32x2 | Load::Zero64(_) => 8,
    }
}

fn bytes_of(ty: Ty) -> u32 {
    match ty {
        Ty::I32 | Ty::F32 => 4,
        Ty::I64 | Ty::F64 => 8,
        Ty::I8x16 | Ty::I16x8 | Ty::I32x4 | Ty::I64x2 | Ty::F32x4 => 16,
    }
}

/// A loop that runs at least once, its bounds constant: `last` is the last value of its variable.
#[derive(Clone, Copy, Debug)]
struct Loop {
    var: Var,
    from: i64,
    last: i64,
    step: i64,
}

/// One read or write, with the loops around it, outermost first, as positions in [`Accesses::loops`].
#[derive(Clone, Debug)]
struct Access<'k> {
    at: &'k Address,
    bytes: u32,
    is_write: bool,
    loops: Vec<usize>,
    /// Whether the loops around it are all known, and the address depends on nothing else.
    is_known: bool,
}

/// Every access of a kernel, in the order of the text.
#[derive(Default)]
struct Accesses<'k> {
    loops: Vec<Loop>,
    all: Vec<Access<'k>>,
    /// The loops around the statement being read, and how many of those around it are not known.
    around: Vec<usize>,
    unknown: usize,
}

impl<'k> Accesses<'k> {
    fn of(body: &'k [Stmt]) -> Self {
        let mut accesses = Self::default();
        accesses.body(body);
        accesses
    }

    fn body(&mut self, body: &'k [Stmt]) {
        for statement in body {
            match statement {
                // A loop that is left has fewer turns than are reckoned with here.
                Stmt::Let(_, e) | Stmt::Set(_, e) | Stmt::Leave(e) => self.expr(e),
                Stmt::Store(store, at, e) => {
                    self.expr(e);
                    let bytes = match store {
                        Store::Whole => bytes_of(e.ty()),
                        Store::I8 => 1,
                        Store::I16 => 2,
                        Store::Lane { bytes, .. } => u32::from(*bytes),
                    };
                    self.access(at, bytes, true);
                }
                Stmt::Fill { at, bytes, .. } => self.access(at, *bytes, true),
                Stmt::Copy { to, from, bytes } => {
                    self.access(from, *bytes, false);
                    self.access(to, *bytes, true);
                }
                Stmt::For {
                    var,
                    from,
                    to,
                    step,
                    body,
                } => match (from.as_constant(), to.as_constant()) {
                    (Some(from), Some(to)) if from >= to || *step <= 0 => {
                        // One that never runs; the builder makes none that count down.
                        debug_assert!(*step > 0, "loops count up");
                    }
                    (Some(from), Some(to)) => {
                        let (from, to, step) = (i64::from(from), i64::from(to), i64::from(*step));
                        self.loops.push(Loop {
                            var: *var,
                            from,
                            last: from + (to - 1 - from) / step * step,
                            step,
                        });
                        self.around.push(self.loops.len() - 1);
                        self.body(body);
                        self.around.pop();
                    }
                    _ => self.unknown_body(body),
                },
                Stmt::If {
                    condition,
                    then,
                    otherwise,
                } => {
                    self.expr(condition);
                    self.body(then);
                    self.body(otherwise);
                }
                Stmt::While {
                    before,
                    condition,
                    body,
                } => {
                    self.unknown += 1;
                    self.body(before);
                    self.expr(condition);
                    self.body(body);
                    self.unknown -= 1;
                }
            }
        }
    }

    fn unknown_body(&mut self, body: &'k [Stmt]) {
        self.unknown += 1;
        self.body(body);
        self.unknown -= 1;
    }

    fn expr(&mut self, e: &'k Expr) {
        match e {
            Expr::Load(load, at) => self.access(at, bytes_of_load(*load), false),
            Expr::Op(_, operands) => operands.iter().for_each(|e| self.expr(e)),
            Expr::Select(parts) | Expr::Bitselect(parts) => {
                parts.iter().for_each(|e| self.expr(e));
            }
            Expr::Shuffle(_, parts) => parts.iter().for_each(|e| self.expr(e)),
            Expr::As(_, inner) | Expr::First(inner) => self.expr(inner),
            Expr::I32(_)
            | Expr::I64(_)
            | Expr::F32(_)
            | Expr::F64(_)
            | Expr::Vector(..)
            | Expr::Var(..) => {}
        }
    }

    fn access(&mut self, at: &'k Address, bytes: u32, is_write: bool) {
        let is_loop = |var: Var| self.around.iter().any(|l| self.loops[*l].var == var);
        self.all.push(Access {
            at,
            bytes,
            is_write,
            is_known: self.unknown == 0 && at.offset.terms.iter().all(|(var, _)| is_loop(*var)),
            loops: self.around.clone(),
        });
    }

    /// The reads or the writes of a buffer with their positions in the text; `None` where one is not known.
    fn of_buffer(&self, buffer: BufferId, is_write: bool) -> Option<Vec<(usize, &Access<'k>)>> {
        let found = self.all.iter().enumerate();
        let found = found.filter(|(_, a)| a.at.buffer == buffer && a.is_write == is_write);
        let found: Vec<_> = found.collect();
        found.iter().all(|(_, a)| a.is_known).then_some(found)
    }

    /// The factor of a loop's variable.
    fn factor(&self, offset: &Affine, index: usize) -> i64 {
        let var = self.loops[index].var;
        let term = offset.terms.iter().find(|(v, _)| *v == var);
        term.map_or(0, |(_, factor)| i64::from(*factor))
    }

    /// Whether no write comes before a read of the same byte, the two buffers having the same address.
    fn is_safe(&self, read: &(usize, &Access<'_>), write: &(usize, &Access<'_>)) -> bool {
        let ((read_order, read), (write_order, write)) = (read, write);
        let pairs = read.loops.iter().zip(&write.loops);
        let common = pairs.take_while(|(a, b)| a == b).count();
        // At first in the same turn of all common loops, if the write stands before the read; else in a
        // later turn of one of them.
        let same = (write_order < read_order).then_some(common);
        let later = (0..common).filter(|level| {
            let l = self.loops[read.loops[*level]];
            l.last > l.from
        });
        same.into_iter().chain(later).all(|level| {
            let above = self.least(read, write, level, common);
            let below = self.least(write, read, level, common);
            above >= i64::from(write.bytes) || below >= i64::from(read.bytes)
        })
    }

    /// The least of the offset of `a` less that of `b`, where the common loops outside `level` are in the
    /// same turn, that at `level` (if it is one of the common loops) is in a later turn for the read.
    fn least(&self, a: &Access<'_>, b: &Access<'_>, level: usize, common: usize) -> i64 {
        let mut least = i64::from(a.at.offset.constant) - i64::from(b.at.offset.constant);
        for index in &a.loops[..level] {
            let l = self.loops[*index];
            let factor = self.factor(&a.at.offset, *index) - self.factor(&b.at.offset, *index);
            least += (factor * l.from).min(factor * l.last);
        }
        if level < common {
            let index = a.loops[level];
            let l = self.loops[index];
            // Which of the two is the read, and so later?
            let (early, late) = (l.from, l.last);
            let turns = [
                (early, early + l.step),
                (early, late),
                (late - l.step, late),
            ];
            let (of_a, of_b) = (
                self.factor(&a.at.offset, index),
                self.factor(&b.at.offset, index),
            );
            let value = |(first, second): (i64, i64)| {
                if a.is_write {
                    of_a * first - of_b * second
                } else {
                    of_a * second - of_b * first
                }
            };
            least += turns.into_iter().map(value).min().unwrap_or(0);
        }
        let start = if level < common { level + 1 } else { common };
        for index in &a.loops[start..] {
            let (factor, l) = (self.factor(&a.at.offset, *index), self.loops[*index]);
            least += (factor * l.from).min(factor * l.last);
        }
        for index in &b.loops[start..] {
            let (factor, l) = (self.factor(&b.at.offset, *index), self.loops[*index]);
            least -= (factor * l.from).max(factor * l.last);
        }
        least
    }

    /// Whether nothing but the moves of one distance writes where they go to.
    fn writes_only(&self, moved: &Move) -> bool {
        let (from, to) = (
            i64::from(moved.to_at),
            i64::from(moved.to_at) + i64::from(moved.bytes),
        );
        let Some(writes) = self.of_buffer(moved.to, true) else {
            return false;
        };
        writes.into_iter().all(|(order, write)| {
            let ends = |factor: i64, l: Loop| (factor * l.from, factor * l.last);
            let (mut least, mut most) = (0, 0);
            for index in &write.loops {
                let (a, b) = ends(self.factor(&write.at.offset, *index), self.loops[*index]);
                least += a.min(b);
                most += a.max(b);
            }
            let at = i64::from(write.at.offset.constant);
            let is_apart = at + most + i64::from(write.bytes) <= from || to <= at + least;
            // The read of a move stands just before its write.
            let is_move = order.checked_sub(1).is_some_and(|read| {
                let read = &self.all[read];
                !read.is_write
                    && write.loops.is_empty()
                    && read.bytes == write.bytes
                    && read.at.buffer == moved.from
                    && i64::from(read.at.offset.constant) - at
                        == i64::from(moved.from_at) - i64::from(moved.to_at)
            });
            is_apart || is_move
        })
    }
}

#[cfg(test)]
mod tests {
    use rune_ir::arena::Arena;

    use super::*;
    use crate::nest::{Buffer, Builder};

    fn buffers() -> [BufferId; 2] {
        let mut arena: Arena<Buffer> = Arena::default();
        ["x", "y"].map(|name| {
            arena.push(Buffer {
                name: name.to_owned(),
                bytes: 1024,
                align: 16,
                data: None,
                initial: None,
            })
        })
    }

    fn place(buffer: BufferId, offset: impl Into<Affine>) -> Address {
        Address {
            buffer,
            offset: offset.into(),
        }
    }

    fn byte(buffer: BufferId, offset: impl Into<Affine>) -> Expr {
        Expr::Load(Load::U8, place(buffer, offset))
    }

    /// Whether `y` may lie over `x` in a kernel with this body.
    fn allows(body: impl FnOnce(&mut Builder, BufferId, BufferId)) -> bool {
        let [x, y] = buffers();
        let mut f = Builder::new("test");
        f.operand(Role::Read, "x", x);
        f.operand(Role::Write, "y", y);
        body(&mut f, x, y);
        f.finish().may_replace(x, y)
    }

    #[test]
    fn what_is_read_before_it_is_written_may_be_replaced() {
        // In vectors, then one by one.
        assert!(allows(|f, x, y| {
            f.range("i", 0, 96, 16, |f, i| {
                let v = Expr::Load(Load::Whole(Ty::I8x16), place(x, i));
                f.store(Store::Whole, place(y, i), v);
            });
            f.range("i", 96, 100, 1, |f, i| {
                f.store(Store::I8, place(y, i), byte(x, i));
            });
        }));
        // Every other byte of each row, rows of other lengths.
        assert!(allows(|f, x, y| {
            f.each("r", 8, |f, r| {
                f.each("c", 4, |f, c| {
                    let sum = byte(x, r * 16 + c * 2) + byte(x, r * 16 + c * 2 + 1u32);
                    f.store(Store::I8, place(y, r * 4 + c), sum);
                });
            });
        }));
        // All of it first.
        assert!(allows(|f, x, y| {
            let sum = f.accumulator("sum", Expr::I32(0));
            f.each("i", 9, |f, i| f.set(&sum, sum.clone() + byte(x, i)));
            f.each("i", 9, |f, i| f.store(Store::I8, place(y, i), sum.clone()));
        }));
        // Four bytes become one.
        assert!(allows(|f, x, y| {
            f.each("i", 9, |f, i| {
                let v = Expr::Load(Load::Whole(Ty::I32), place(x, i * 4));
                f.store(Store::I8, place(y, i), v);
            });
        }));
    }

    #[test]
    fn what_is_read_later_may_not() {
        // One byte becomes four.
        assert!(!allows(|f, x, y| {
            f.each("i", 9, |f, i| {
                f.store(Store::Whole, place(y, i * 4), byte(x, i));
            });
        }));
        // The other way round.
        assert!(!allows(|f, x, y| {
            f.each("i", 9, |f, i| {
                let back = f.index("back", Expr::I32(8) - Expr::from(i));
                f.store(Store::I8, place(y, i), byte(x, back));
            });
        }));
        // Rows and columns swapped.
        assert!(!allows(|f, x, y| {
            f.each("r", 4, |f, r| {
                f.each("c", 4, |f, c| {
                    f.store(Store::I8, place(y, c * 4 + r), byte(x, r * 4 + c));
                });
            });
        }));
        // The neighbour before, which is gone.
        assert!(!allows(|f, x, y| {
            f.range("i", 1, 9, 1, |f, i| {
                let sum = byte(x, i) + byte(x, i + -1);
                f.store(Store::I8, place(y, i), sum);
            });
        }));
        // The same value for all.
        assert!(!allows(|f, x, y| {
            f.each("i", 9, |f, i| f.store(Store::I8, place(y, i), byte(x, 0)));
        }));
        // All of it twice.
        assert!(!allows(|f, x, y| {
            f.each("r", 2, |f, _| {
                f.each("i", 9, |f, i| f.store(Store::I8, place(y, i), byte(x, i)));
            });
        }));
        // As often as something says that is not known.
        assert!(!allows(|f, x, y| {
            let n = f.index("n", byte(x, 0));
            f.range("i", 0, n, 1, |f, i| {
                f.store(Store::I8, place(y, i), byte(x, i));
            });
        }));
        // Something that the kernel does not write, or write only.
        let [x, y] = buffers();
        let mut f = Builder::new("test");
        f.operand(Role::Read, "x", x);
        f.operand(Role::Keep, "y", y);
        f.store(Store::I8, place(y, 0), byte(x, 0));
        let kernel = f.finish();
        assert!(!kernel.may_replace(x, y) && !kernel.may_replace(y, x));
    }

    #[test]
    fn moves_are_found_and_left_out_where_they_do_nothing() {
        let [x, y] = buffers();
        let straight = |f: &mut Builder| {
            f.operand(Role::Read, "x", x);
            f.operand(Role::Write, "y", y);
            // Twenty bytes, the last vector over the one before it.
            for at in [0, 4] {
                let v = Expr::Load(Load::Whole(Ty::I8x16), place(x, at));
                f.store(Store::Whole, place(y, at + 32), v);
            }
            f.copy(place(y, 100), place(x, 200), 300);
        };
        let mut f = Builder::new("test");
        straight(&mut f);
        let mut kernel = f.finish();
        let part = |from_at, to_at, bytes| Move {
            from: x,
            from_at,
            to: y,
            to_at,
            bytes,
        };
        assert_eq!(kernel.moves(), [part(200, 100, 300), part(0, 32, 20)]);
        kernel.settle(&|b| if b == x { 132 } else { 100 }.into());
        assert_eq!(kernel.moves(), [part(200, 100, 300)]);
        kernel.settle(&|b| if b == x { 0 } else { 100 }.into());
        assert!(kernel.is_empty());
        // What something else writes too is not moved, nor what goes there turn by turn.
        let mut f = Builder::new("test");
        straight(&mut f);
        f.each("i", 2, |f, i| {
            f.store(Store::I8, place(y, i + 51u32), Expr::I32(0));
        });
        f.fill(place(y, 399), 0, 1);
        assert_eq!(f.finish().moves(), []);
    }
}
