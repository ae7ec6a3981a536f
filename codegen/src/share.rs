//! Which buffers of a program lie in each other although both are in use: parts in their whole, where a
//! kernel would only move them, and results over what they are made of.

use rune_ir::{
    arena::Side,
    layout::{Layout, Lifetime, Plan as Places},
};

use crate::{
    nest::{Buffer, BufferId, Kernel, Role},
    plan::Plan,
    program::{Action, Program, Step},
};

/// Gives every buffer that is in use for a while an offset.
pub(crate) fn place(program: &Program, lives: &[(BufferId, Lifetime)]) -> Layout {
    let lifetimes: Vec<Lifetime> = lives.iter().map(|(_, life)| *life).collect();
    let mut ties = Ties::new(program, lives, &lifetimes);
    ties.parts(program);
    let whole = ties.places.clone();
    ties.results(program);
    let layout = ties.places.place();
    if layout.bytes == layout.bound {
        return layout;
    }
    // Results that lie elsewhere may leave fewer gaps.
    let apart = whole.place();
    if apart.bytes < layout.bytes {
        return Layout {
            bound: layout.bound,
            proven: apart.bytes <= layout.bound,
            ..apart
        };
    }
    layout
}

/// Leaves out of the kernels what moves bytes to where they are.
pub(crate) fn settle(steps: &mut [Step], plan: &Plan) {
    for step in steps {
        if let Action::Kernel(kernel) = &mut step.action {
            kernel.settle(&|buffer| plan.address(buffer));
        }
    }
}

struct Ties<'a> {
    lives: &'a [(BufferId, Lifetime)],
    /// The position of each buffer in `lives`.
    index: Side<Buffer, Option<usize>>,
    /// The steps that write each buffer.
    writers: Side<Buffer, Vec<u32>>,
    places: Places<'a>,
}

impl<'a> Ties<'a> {
    fn new(
        program: &Program,
        lives: &'a [(BufferId, Lifetime)],
        lifetimes: &'a [Lifetime],
    ) -> Self {
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
            places: Places::new(lifetimes),
        }
    }

    /// Lays parts in their whole, be it that the whole is made of them (CONCATENATION) or they of it
    /// (SPLIT). From then on both hold the same: nobody else writes to either.
    fn parts(&mut self, program: &Program) {
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
                    self.places.tie(from, to, moved.to_at);
                } else if moved.to_at == 0 && moved.bytes == self.lives[to].1.bytes {
                    self.places.tie(to, from, moved.from_at);
                }
            }
        }
    }

    /// Lays the result of a kernel over an operand that it alone still needs, the largest first.
    fn results(&mut self, program: &Program) {
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
                    .collect();
                inputs.sort_by_key(|(bytes, from, _)| (std::cmp::Reverse(*bytes), *from));
                for (_, from, input) in inputs {
                    if kernel.may_replace(input, output) && self.places.tie(to, from, 0) {
                        break;
                    }
                }
            }
        }
    }
}

/// The kernels with their steps.
fn kernels(program: &Program) -> impl Iterator<Item = (u32, &Kernel)> {
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
