//! Which buffers of a program lie in each other although both are in use: parts in their whole, where a
//! kernel would only move them, and results over what they are made of.

use rune_ir::{
    arena::Side,
    layout::{Layout, Lifetime, Plan as Places},
};

use crate::{
    nest::{Buffer, BufferId, Role},
    plan::Plan,
    program::{Action, Program, Step},
    routine::Routine,
};

/// Gives every buffer that is in use for a while an offset.
pub(crate) fn place(program: &Program, lives: &[(BufferId, Lifetime)]) -> Layout {
    let lifetimes: Vec<Lifetime> = lives.iter().map(|(_, life)| *life).collect();
    let found = Found::new(program, lives);
    let (parts, results) = (found.parts(program), found.results(program));
    let mut places = Places::new(&lifetimes);
    for (inner, host, at) in parts.iter().chain(&results) {
        places.allow(*inner, *host, *at);
    }
    for (inner, host, at) in &parts {
        places.tie(*inner, *host, *at);
    }
    let apart = places.clone();
    for (inner, host, at) in &results {
        places.tie(*inner, *host, *at);
    }
    let layout = places.place();
    if layout.bytes == layout.bound {
        return layout;
    }
    // Results that lie elsewhere may leave fewer gaps.
    let apart = apart.place();
    if apart.bytes < layout.bytes {
        return Layout {
            bound: layout.bound,
            proven: apart.bytes <= layout.bound,
            ..apart
        };
    }
    layout
}

/// That one of the lives may lie in another, and how many bytes behind its begin.
type Tie = (usize, usize, u32);

/// Leaves out of the kernels what moves bytes to where they are.
pub(crate) fn settle(steps: &mut [Step], plan: &Plan) {
    for step in steps {
        if let Action::Kernel(kernel) = &mut step.action {
            kernel.settle(&|buffer| plan.place(buffer));
        }
    }
}

/// What is known of the buffers of a program.
struct Found<'a> {
    lives: &'a [(BufferId, Lifetime)],
    /// The position of each buffer in `lives`.
    index: Side<Buffer, Option<usize>>,
    /// The steps that write each buffer.
    writers: Side<Buffer, Vec<u32>>,
}

impl<'a> Found<'a> {
    fn new(program: &Program, lives: &'a [(BufferId, Lifetime)]) -> Self {
        let mut index = Side::filled(&program.buffers, None);
        for (at, (id, _)) in lives.iter().enumerate() {
            index[*id] = Some(at);
        }
        let mut writers: Side<Buffer, Vec<u32>> = Side::filled(&program.buffers, Vec::new());
        for (at, step) in (0..).zip(&program.steps) {
            for id in written(step) {
                writers[id].push(at);
            }
        }
        Self {
            lives,
            index,
            writers,
        }
    }

    /// Parts in their whole, be it that the whole is made of them (CONCATENATION) or they of it (SPLIT).
    /// From then on both hold the same: nobody else writes to either.
    fn parts(&self, program: &Program) -> Vec<Tie> {
        let mut ties = Vec::new();
        for (step, kernel) in kernels(program) {
            for moved in kernel.moves() {
                let (Some(from), Some(to)) = (self.index[moved.from], self.index[moved.to]) else {
                    continue;
                };
                let is_source = self.writers[moved.from].iter().all(|s| *s < step);
                if !is_source || self.writers[moved.to] != [step] {
                    continue;
                }
                if moved.from_at == 0 && moved.bytes == self.lives[from].1.bytes {
                    ties.push((from, to, moved.to_at));
                } else if moved.to_at == 0 && moved.bytes == self.lives[to].1.bytes {
                    ties.push((to, from, moved.from_at));
                }
            }
        }
        ties
    }

    /// Results over operands that they alone still need, the largest first.
    fn results(&self, program: &Program) -> Vec<Tie> {
        let mut ties = Vec::new();
        for (step, kernel) in kernels(program) {
            for output in kernel.buffers(Role::Write) {
                let Some(to) = self.index[output] else {
                    continue;
                };
                if self.writers[output] != [step] {
                    continue;
                }
                let ends_here = |id: &BufferId| {
                    let from = self.index[*id]?;
                    let life = &self.lives[from].1;
                    (life.last == step && life.first < step).then_some((life.bytes, from, *id))
                };
                let mut inputs: Vec<(u32, usize, BufferId)> = kernel
                    .buffers(Role::Read)
                    .filter_map(|id| ends_here(&id))
                    .filter(|(_, _, input)| kernel.may_replace(*input, output))
                    .collect();
                inputs.sort_by_key(|(bytes, from, _)| (std::cmp::Reverse(*bytes), *from));
                ties.extend(inputs.into_iter().map(|(_, from, _)| (to, from, 0)));
            }
        }
        ties
    }
}

/// The kernels with their steps.
fn kernels(program: &Program) -> impl Iterator<Item = (u32, &Routine)> {
    (0..)
        .zip(&program.steps)
        .filter_map(|(at, step)| match &step.action {
            Action::Kernel(kernel) => Some((at, kernel)),
            Action::Read { .. } | Action::Block(_) | Action::Write { .. } => None,
        })
}

/// What a step may change.
fn written(step: &Step) -> Vec<BufferId> {
    match &step.action {
        Action::Read { into, .. } => vec![*into],
        Action::Kernel(kernel) => {
            let operands = kernel.operands().iter();
            let changed = operands.filter(|o| o.role != Role::Read);
            changed.map(|o| o.buffer).collect()
        }
        Action::Block(call) => {
            let outputs = call.outputs.iter();
            let outputs = outputs.flat_map(|p| [Some(p.buffer), p.length]);
            let own = [Some(call.descriptors), call.scratch];
            outputs.chain(own).flatten().collect()
        }
        Action::Write { record, .. } => vec![*record],
    }
}

#[cfg(test)]
mod tests {
    use rune_ir::arena::Arena;

    use super::*;
    use crate::{
        kernels::Compiled,
        model,
        nest::{Address, Builder, Expr, Kernel, Load, Store},
        plan,
    };

    /// Buffers, and kernels over them, being written.
    #[derive(Default)]
    struct Sketch {
        buffers: Arena<Buffer>,
        kernels: Vec<Kernel>,
    }

    impl Sketch {
        fn buffer(&mut self, name: &str, bytes: u32) -> BufferId {
            self.buffers.push(Buffer {
                name: name.to_owned(),
                bytes,
                align: 16,
                data: None,
                initial: None,
            })
        }

        /// A kernel that copies pieces: (from, at, to, at, bytes).
        fn copies(&mut self, pieces: &[(BufferId, u32, BufferId, u32, u32)]) {
            let mut f = Builder::new("copies");
            let at = |buffer, offset: u32| Address {
                buffer,
                offset: offset.into(),
            };
            for (from, from_at, to, to_at, bytes) in pieces {
                f.operand(Role::Read, "x", *from);
                f.operand(Role::Write, "y", *to);
                f.copy(at(*to, *to_at), at(*from, *from_at), *bytes);
            }
            self.kernels.push(f.finish());
        }

        /// A kernel that adds one to each byte.
        fn counts(&mut self, from: BufferId, to: BufferId) {
            let mut f = Builder::new("counts");
            f.operand(Role::Read, "x", from);
            f.operand(Role::Write, "y", to);
            f.each("i", self.buffers[to].bytes, |f, i| {
                let place = |buffer| Address {
                    buffer,
                    offset: i.into(),
                };
                let next = Expr::Load(Load::U8, place(from)) + Expr::I32(1);
                f.store(Store::I8, place(to), next);
            });
            self.kernels.push(f.finish());
        }

        /// Bytes of the arena, and how many kernels are left that do something.
        fn place(self, inputs: &[BufferId], outputs: &[BufferId]) -> (u64, usize) {
            let compiled = Compiled {
                kernels: self.kernels,
                outputs: outputs.to_vec(),
            };
            let (mut program, _) = model::program(self.buffers, inputs, compiled);
            let plan = plan::plan(&program, (0, 0), false).unwrap();
            assert!(plan.is_least);
            settle(&mut program.steps, &plan);
            let left = kernels(&program).filter(|(_, k)| !k.is_empty()).count();
            (u64::from(plan.constants_at - plan.arena), left)
        }
    }

    #[test]
    fn what_is_taken_apart_and_joined_again_stays_where_it_is() {
        let mut s = Sketch::default();
        let [x, y] = ["x", "y"].map(|name| s.buffer(name, 64));
        let [a, b, a1, b1] = ["a", "b", "a1", "b1"].map(|name| s.buffer(name, 32));
        s.copies(&[(x, 0, a, 0, 32), (x, 32, b, 0, 32)]);
        s.counts(a, a1);
        s.counts(b, b1);
        s.copies(&[(a1, 0, y, 0, 32), (b1, 0, y, 32, 32)]);
        assert_eq!(s.place(&[x], &[y]), (64, 2));
    }

    #[test]
    fn halves_that_change_places_take_a_copy() {
        let mut s = Sketch::default();
        let [x, y] = ["x", "y"].map(|name| s.buffer(name, 64));
        let [a, b] = ["a", "b"].map(|name| s.buffer(name, 32));
        s.copies(&[(x, 0, a, 0, 32), (x, 32, b, 0, 32)]);
        s.copies(&[(b, 0, y, 0, 32), (a, 0, y, 32, 32)]);
        let (bytes, left) = s.place(&[x], &[y]);
        assert!(bytes <= 128 && left >= 1, "{bytes} {left}");
    }

    #[test]
    fn what_is_needed_later_is_not_written_over() {
        // x is an output too.
        let mut s = Sketch::default();
        let [x, y] = ["x", "y"].map(|name| s.buffer(name, 64));
        s.counts(x, y);
        assert_eq!(s.place(&[x], &[x, y]), (128, 1));
        // The part may lie in x, but not be written over while x is needed.
        let mut s = Sketch::default();
        let x = s.buffer("x", 64);
        let [a, y] = ["a", "y"].map(|name| s.buffer(name, 32));
        s.copies(&[(x, 16, a, 0, 32)]);
        s.counts(a, y);
        assert_eq!(s.place(&[x], &[x, y]), (96, 1));
        // The same twice in one: one of them is copied.
        let mut s = Sketch::default();
        let [x, z] = ["x", "z"].map(|name| s.buffer(name, 32));
        let y = s.buffer("y", 64);
        s.counts(x, z);
        s.copies(&[(z, 0, y, 0, 32), (z, 0, y, 32, 32)]);
        assert_eq!(s.place(&[x], &[y]), (64, 2));
    }
}
