//! What goes along one dimension: `ARG_MAX`, `ARG_MIN`, CUMSUM and `TOPK_V2`.

use rune_ir::{
    graph::{DataType, Node},
    op::Along,
    quant::{self, Rounding, RunningSumParams},
};

use super::{
    Context, element,
    float::canonical,
    requantize::{Factor, FactorExprs, offset_and_clamp, requantize},
};
use crate::nest::{Address, Affine, BufferId, Builder, Expr, Kernel, Op, Role, Store, Ty};

/// A dimension of a dense tensor.
#[derive(Clone, Copy)]
struct Rows {
    /// Indices of the dimensions before it, together.
    outer: u32,
    count: u32,
    /// Elements of the dimensions behind it.
    inner: u32,
}

impl Rows {
    fn new(shape: &[u32], axis: u32) -> Self {
        let axis = axis as usize;
        Self {
            outer: shape[..axis].iter().product(),
            count: shape[axis],
            inner: shape[axis + 1..].iter().product(),
        }
    }

    /// Runs `body` with the place of the first element of each row.
    fn each(self, f: &mut Builder, body: impl FnOnce(&mut Builder, &Affine, &Affine)) {
        f.each("outer", self.outer, |f, outer| {
            f.each("inner", self.inner, |f, inner| body(f, outer, inner));
        });
    }

    /// Element `i` of a row.
    fn at(self, row: [&Affine; 2], i: &Affine) -> Affine {
        (row[0] * self.count + i) * self.inner + row[1]
    }
}

fn place(buffer: BufferId, index: &Affine, ty: DataType) -> Address {
    Address {
        buffer,
        offset: index * ty.size(),
    }
}

pub(super) fn along(context: &mut Context, node: &Node, op: Along) -> Result<Kernel, String> {
    match op {
        Along::Arg { greatest, axis } => Ok(arg(context, node, greatest, axis)),
        Along::CumSum {
            axis,
            exclusive,
            reverse,
        } => cumsum(context, node, axis, exclusive, reverse),
        Along::TopK => top_k(context, node),
    }
}

/// `ARG_MAX` (`greatest`) and `ARG_MIN`.
fn arg(context: &mut Context, node: &Node, greatest: bool, axis: u32) -> Kernel {
    let (x, from) = context.input(node, 0);
    let (y, to) = context.output(node);
    let rows = Rows::new(&x.shape, axis);
    let mut f = Builder::new(if greatest { "arg_max" } else { "arg_min" });
    f.operand(Role::Read, "x", from);
    f.operand(Role::Write, "y", to);
    rows.each(&mut f, |f, outer, inner| {
        let load = |i: &Affine| {
            let at = rows.at([outer, inner], i);
            element::at(x.ty, &place(from, &at, x.ty))
        };
        let best = f.accumulator("best", load(&0.into()));
        let index = f.accumulator("index", Expr::I32(0));
        f.range("i", 1, rows.count, 1, |f, i| {
            let x = f.value("x", load(i));
            let better = if greatest {
                best.clone().lt(x.clone())
            } else {
                x.clone().lt(best.clone())
            };
            let better = f.value("better", better);
            f.set(&best, x.or_else(better.clone(), best.clone()));
            f.set(&index, Expr::from(i).or_else(better, index.clone()));
        });
        let result = if y.ty == DataType::I64 {
            Expr::op(Op::I64ExtendI32S, [index])
        } else {
            index
        };
        let at = outer * rows.inner + inner;
        element::put(f, y.ty, &place(to, &at, y.ty), result);
    });
    f.finish()
}

/// CUMSUM.
fn cumsum(
    context: &mut Context,
    node: &Node,
    axis: u32,
    exclusive: bool,
    reverse: bool,
) -> Result<Kernel, String> {
    let (x, from) = context.input(node, 0);
    let (_, to) = context.output(node);
    let ty = x.ty;
    let rows = Rows::new(&x.shape, axis);
    let params = if ty == DataType::I8 {
        Some(quant::running_sum_params(context.graph, node)?)
    } else {
        None
    };
    let start = match (params, ty) {
        (Some(params), _) => Expr::I32(-params.input_zero_point << RunningSumParams::LEFT_SHIFT),
        (None, DataType::F32) => Expr::f32(0.0),
        (None, DataType::I64) => Expr::I64(0),
        (None, _) => Expr::I32(0),
    };
    let mut f = Builder::new("cumsum");
    f.operand(Role::Read, "x", from);
    f.operand(Role::Write, "y", to);
    rows.each(&mut f, |f, outer, inner| {
        let sum = f.accumulator("sum", start);
        f.each("i", rows.count, |f, i| {
            let i = if reverse {
                f.index("back", Expr::I32(rows.count as i32 - 1) - Expr::from(i))
            } else {
                i.clone()
            };
            let at = rows.at([outer, inner], &i);
            let x = element::at(ty, &place(from, &at, ty));
            let x = match params {
                Some(params) => {
                    (x - Expr::I32(params.input_zero_point))
                        << Expr::I32(RunningSumParams::LEFT_SHIFT as i32)
                }
                None => x,
            };
            // Loaded before the result is stored, which may lie in the same place.
            let more = f.value("more", sum.clone() + x);
            let result = if exclusive { sum.clone() } else { more.clone() };
            let result = match params {
                Some(params) => {
                    let factor = Factor::new(params.output, Rounding::Twice);
                    let factor = FactorExprs::constant(Ty::I32, factor);
                    let scaled = requantize(f, result, &factor, Rounding::Twice);
                    offset_and_clamp(f, scaled, params.output_zero_point, params.range)
                }
                None if ty == DataType::F32 => canonical(f, result),
                None => result,
            };
            element::put(f, ty, &place(to, &at, ty), result);
            f.set(&sum, more);
        });
    });
    Ok(f.finish())
}

/// `TOPK_V2`: for each place of a row the best element that was not taken.
fn top_k(context: &mut Context, node: &Node) -> Result<Kernel, String> {
    let (x, from) = context.input(node, 0);
    let (values, to) = context.output_at(node, 0);
    let (_, indices) = context.output_at(node, 1);
    let depth = *x.shape.last().ok_or("it has no dimension")?;
    let count = *values.shape.last().ok_or("it has no dimension")?;
    let rows = x.elements() as u32 / depth;
    let taken = context.scratch("taken", depth);
    let mut f = Builder::new("topk_v2");
    f.operand(Role::Read, "x", from);
    f.operand(Role::Write, "y", to);
    f.operand(Role::Write, "indices", indices);
    f.operand(Role::Write, "taken", taken);
    let flag = |i: &Affine| place(taken, i, DataType::Bool);
    f.each("row", rows, |f, row| {
        f.fill(flag(&0.into()), 0, depth);
        f.each("k", count, |f, k| {
            let element = |i: &Affine| place(from, &(row * depth + i), x.ty);
            let zero = element::at(x.ty, &element(&0.into()));
            let best = f.accumulator("best", zero);
            let index = f.accumulator("index", Expr::I32(-1));
            f.each("i", depth, |f, i| {
                let free = element::at(DataType::Bool, &flag(i)).equals(Expr::I32(0));
                f.branch(
                    free,
                    |f| {
                        let x = f.value("x", element::at(x.ty, &element(i)));
                        let none = index.clone().lt(Expr::I32(0));
                        let better = best.clone().lt(x.clone());
                        let better = f.value("better", Expr::I32(1).or_else(none, better));
                        f.set(&best, x.or_else(better.clone(), best.clone()));
                        f.set(&index, Expr::from(i).or_else(better, index.clone()));
                    },
                    |_| {},
                );
            });
            let found = f.index("found", index);
            f.store(Store::I8, flag(&found), Expr::I32(1));
            let slot = row * count + k;
            f.copy(place(to, &slot, x.ty), element(&found), x.ty.size());
            let at = place(indices, &slot, DataType::I32);
            f.store(Store::Whole, at, Expr::from(&found));
        });
    });
    Ok(f.finish())
}
