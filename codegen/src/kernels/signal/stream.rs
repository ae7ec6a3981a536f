//! What keeps the elements it has seen: histories are moved on as blocks of bytes.

use rune_ir::graph::{DataType, Node};

use super::super::{
    Context, element::element, element::get, float::canonical, linear::vectors, requantize::clamp,
};
use crate::nest::{Address, Affine, BufferId, Builder, Expr, Kernel, Load, Op, Role, Store, Ty};

/// Moves the `bytes` bytes at `history` on by `new` bytes from `from`.
fn push(f: &mut Builder, history: &Address, bytes: u32, from: Address, new: u32) {
    let rest = bytes - new;
    if rest > 0 {
        f.copy(history.clone(), history.plus(new), rest);
    }
    f.copy(history.plus(rest), from, new);
}

/// The only element of a buffer.
fn only(buffer: BufferId) -> Address {
    Address {
        buffer,
        offset: Affine::default(),
    }
}

pub(super) fn framer(
    context: &mut Context,
    node: &Node,
    (size, step): (u32, u32),
    needed: i32,
) -> Kernel {
    let (x, from) = context.input(node, 0);
    let (histories, history) = context.variable(node, 0);
    let (_, seen) = context.variable(node, 1);
    let (_, to) = context.output(node);
    let (_, to_whole) = context.output_at(node, 1);
    let [rows, length] = histories.shape[..] else {
        unreachable!("a checked framer has a history for each row")
    };
    let frames = x.elements() as u32 / rows / step;
    let mut f = Builder::new("framer");
    f.operand(Role::Read, "x", from);
    f.operand(Role::Keep, "history", history);
    f.operand(Role::Keep, "seen", seen);
    f.operand(Role::Write, "y", to);
    f.operand(Role::Write, "whole", to_whole);
    let before = f.value("before", get(DataType::I32, seen, &Affine::default()));
    f.each("r", rows, |f, r| {
        let history = element(history, r, 2 * length);
        f.each("frame", frames, |f, frame| {
            let at = r * frames + frame;
            let (new, to) = (element(from, &at, 2 * step), element(to, &at, 2 * size));
            push(f, &history, 2 * length, new, 2 * step);
            if needed == 1 {
                return f.copy(to, history.clone(), 2 * size);
            }
            let few = (before.clone() + Expr::from(frame)).lt(Expr::I32(needed - 1));
            f.branch(
                few,
                |f| f.fill(to.clone(), 0, 2 * size),
                |f| f.copy(to.clone(), history.clone(), 2 * size),
            );
        });
    });
    let enough = Expr::I32(needed - 1).lt(before.clone() + Expr::I32(1));
    f.store(Store::I8, only(to_whole), enough);
    let after = f.value("after", before + Expr::I32(frames as i32));
    let all = Expr::I32(needed).lt(after.clone());
    f.store(
        Store::Whole,
        only(seen),
        Expr::I32(needed).or_else(all, after),
    );
    f.finish()
}

pub(super) fn stacker(
    context: &mut Context,
    node: &Node,
    channels: u32,
    left: u32,
    step: u32,
) -> Kernel {
    let (_, from) = context.input(node, 0);
    let (history, stack) = context.variable(node, 0);
    let (_, count) = context.variable(node, 1);
    let (_, to) = context.output(node);
    let (_, to_whole) = context.output_at(node, 1);
    let bytes = history.initial.len() as u32;
    let depth = bytes / (2 * channels);
    let mut f = Builder::new("stacker");
    f.operand(Role::Read, "x", from);
    f.operand(Role::Keep, "stack", stack);
    f.operand(Role::Keep, "count", count);
    f.operand(Role::Write, "y", to);
    f.operand(Role::Write, "whole", to_whole);
    let before = f.value("before", get(DataType::I32, count, &Affine::default()));
    let first = f.value("first", before.clone().lt(Expr::I32(0)));
    let after = before + Expr::I32(1);
    let after = Expr::I32(left as i32 + 1).or_else(first.clone(), after);
    let after = f.value("after", after);
    let new = 2 * channels;
    let push = |f: &mut Builder| push(f, &only(stack), bytes, only(from), new);
    f.branch(first, |f| f.each("i", left + 1, |f, _| push(f)), push);
    let whole = Expr::I32(depth as i32 - 1).lt(after.clone());
    let whole = f.value("whole", whole);
    f.store(Store::I8, only(to_whole), whole.clone());
    f.branch(
        whole,
        |f| {
            f.copy(only(to), only(stack), bytes);
            f.store(
                Store::Whole,
                only(count),
                after.clone() - Expr::I32(step as i32),
            );
        },
        |f| {
            f.fill(only(to), 0, bytes);
            f.store(Store::Whole, only(count), after.clone());
        },
    );
    f.finish()
}

pub(super) fn overlap_add(context: &mut Context, node: &Node, step: u32) -> Kernel {
    let (x, from) = context.input(node, 0);
    let (kept, sums) = context.variable(node, 0);
    let (_, to) = context.output(node);
    let [rows, size] = kept.shape[..] else {
        unreachable!("a checked overlap has sums for each row")
    };
    let frames = x.elements() as u32 / (rows * size);
    let (ty, bytes) = (x.ty, x.ty.size());
    let mut f = Builder::new("overlap_add");
    f.operand(Role::Read, "x", from);
    f.operand(Role::Keep, "sums", sums);
    f.operand(Role::Write, "y", to);
    let lanes = if vectors(context.simd) { 16 / bytes } else { 1 };
    f.each("r", rows, |f, r| {
        f.each("frame", frames, |f, frame| {
            let at = r * frames + frame;
            let row = |buffer, at: &Affine, length: u32, i: &Affine| Address {
                buffer,
                offset: at * (length * bytes) + i * bytes,
            };
            // The first sums are the result, the others move to the front. Behind them it stays zero.
            for (first, count) in [(0, step), (step, size - step)] {
                let wide = count / lanes * lanes;
                for (start, end, lanes) in [(0, wide, lanes), (wide, count, 1)] {
                    f.range("i", start, end, lanes, |f, i| {
                        let place = i + first;
                        let x = row(from, &at, size, &place);
                        let sum = row(sums, r, size, &place);
                        let sum = overlapped(f, x, sum, (ty, lanes));
                        let to = if first == 0 {
                            row(to, &at, step, i)
                        } else {
                            row(sums, r, size, i)
                        };
                        let how = if lanes == 1 && bytes == 2 {
                            Store::I16
                        } else {
                            Store::Whole
                        };
                        f.store(how, to, sum);
                    });
                }
            }
        });
    });
    f.finish()
}

/// The sum of so many elements.
fn overlapped(f: &mut Builder, x: Address, sum: Address, (ty, lanes): (DataType, u32)) -> Expr {
    let load = match (ty == DataType::F32, lanes) {
        (true, 1) => Load::Whole(Ty::F32),
        (true, _) => Load::Whole(Ty::F32x4),
        (false, 1) => Load::I16,
        (false, _) => Load::Whole(Ty::I16x8),
    };
    let [x, sum] = [x, sum].map(|at| Expr::Load(load, at));
    if load.ty() == Ty::I16x8 {
        Expr::op(Op::I16x8AddSatS, [sum, x])
    } else if load.ty() == Ty::I32 {
        clamp(f, sum + x, (i16::MIN.into(), i16::MAX.into()))
    } else {
        canonical(f, sum + x)
    }
}

pub(super) fn delay(context: &mut Context, node: &Node, length: u32) -> Kernel {
    let (x, from) = context.input(node, 0);
    let (_, histories) = context.variable(node, 0);
    let (_, to) = context.output(node);
    let row = *x.shape.last().expect("a checked delay has a dimension");
    let mut f = Builder::new("delay");
    f.operand(Role::Read, "x", from);
    f.operand(Role::Keep, "history", histories);
    f.operand(Role::Write, "y", to);
    f.each("r", x.elements() as u32 / row, |f, r| {
        let history = element(histories, r, 2 * (row + length));
        let new = element(from, r, 2 * row);
        push(f, &history, 2 * (row + length), new, 2 * row);
        f.copy(element(to, r, 2 * row), history, 2 * row);
    });
    f.finish()
}

pub(super) fn circular_buffer(context: &mut Context, node: &Node) -> Kernel {
    let (x, from) = context.input(node, 0);
    let (_, history) = context.variable(node, 0);
    let (y, to) = context.output(node);
    let (bytes, new) = (y.bytes() as u32, x.bytes() as u32);
    let mut f = Builder::new("circular_buffer");
    f.operand(Role::Read, "x", from);
    f.operand(Role::Keep, "history", history);
    f.operand(Role::Write, "y", to);
    push(&mut f, &only(history), bytes, only(from), new);
    f.copy(only(to), only(history), bytes);
    f.finish()
}
