//! Operators that find elements by computed indices: GATHER, `GATHER_ND`, `SCATTER_ND`, `EMBEDDING_LOOKUP`,
//! `DYNAMIC_UPDATE_SLICE`.

use rune_ir::{
    graph::{DataType, Node, Tensor},
    quant::row_scales,
};

use super::{
    Context,
    copy::{self, Dim, Strided, shifted, start, strides},
    float::canonical,
};
use crate::nest::{Address, Affine, BufferId, Builder, Expr, Kernel, Load, Op, Role, Store, Ty};

/// A tensor of indices, where it is.
#[derive(Clone, Copy)]
struct Indices<'a> {
    tensor: &'a Tensor,
    buffer: BufferId,
}

impl<'a> Indices<'a> {
    fn new(context: &mut Context<'a>, f: &mut Builder, node: &Node, input: usize) -> Self {
        let (tensor, buffer) = context.input(node, input);
        f.operand(Role::Read, "indices", buffer);
        Self { tensor, buffer }
    }

    /// Index `at` of the tensor, or the nearest of so many elements if there is no such one.
    fn inside(self, f: &mut Builder, at: &Affine, elements: u32) -> Affine {
        let ty = if self.tensor.ty == DataType::I64 {
            Ty::I64
        } else {
            Ty::I32
        };
        let place = shifted(&start(self.buffer), at * self.tensor.ty.size());
        let index = f.value("index", Expr::Load(Load::Whole(ty), place));
        let [first, last] = [0, elements - 1].map(|i| Expr::constant(ty, i.into()));
        let below = index.clone().lt(first.clone());
        let least = f.value("least", first.or_else(below, index));
        let above = last.clone().lt(least.clone());
        let inside = last.or_else(above, least);
        let inside = if ty == Ty::I64 {
            Expr::op(Op::I32WrapI64, [inside])
        } else {
            inside
        };
        f.index("inside", inside)
    }

    /// The bytes to the slice that the indices from `at` on name, one for each of the first dimensions of
    /// a tensor.
    fn slice(self, f: &mut Builder, at: &Affine, of: &Tensor) -> Affine {
        let named = self.tensor.shape[self.tensor.shape.len() - 1];
        let strides = strides(&of.shape, of.ty.size());
        (0..named).fold(Affine::default(), |sum, d| {
            let elements = of.shape[d as usize];
            sum + self.inside(f, &(at + d), elements) * strides[d as usize]
        })
    }

    /// How many slices the indices name.
    fn slices(self) -> u32 {
        let outer = self.tensor.shape.len() - 1;
        self.tensor.shape[..outer].iter().product()
    }

    /// How many dimensions each of them names.
    fn named(self) -> u32 {
        self.tensor.shape[self.tensor.shape.len() - 1]
    }
}

/// GATHER.
pub(super) fn gather(context: &mut Context, node: &Node, axis: u32, batch_dims: u32) -> Kernel {
    let mut f = Builder::new("gather");
    let (x, from) = context.input(node, 0);
    f.operand(Role::Read, "x", from);
    let by = Indices::new(context, &mut f, node, 1);
    let (_, to) = context.output(node);
    f.operand(Role::Write, "y", to);
    let (axis, batch_dims) = (axis as usize, batch_dims as usize);
    let batches: u32 = x.shape[..batch_dims].iter().product();
    let outer: u32 = x.shape[batch_dims..axis].iter().product();
    let indices: u32 = by.tensor.shape[batch_dims..].iter().product();
    let row = x.shape[axis + 1..].iter().product::<u32>() * x.ty.size();
    let elements = x.shape[axis];
    f.each("b", batches, |f, b| {
        f.each("o", outer, |f, o| {
            f.each("i", indices, |f, i| {
                let inside = by.inside(f, &(b * indices + i), elements);
                let outer = b * outer + o;
                let from = shifted(&start(from), &outer * (elements * row) + inside * row);
                let to = shifted(&start(to), outer * (indices * row) + i * row);
                copy::run(f, &from, &to, row, context.simd);
            });
        });
    });
    f.finish()
}

/// `GATHER_ND`.
pub(super) fn gather_nd(context: &mut Context, node: &Node) -> Kernel {
    let mut f = Builder::new("gather_nd");
    let (x, from) = context.input(node, 0);
    f.operand(Role::Read, "x", from);
    let by = Indices::new(context, &mut f, node, 1);
    let (y, to) = context.output(node);
    f.operand(Role::Write, "y", to);
    let row = y.bytes() as u32 / by.slices();
    f.each("i", by.slices(), |f, i| {
        let from = shifted(&start(from), by.slice(f, &(i * by.named()), x));
        copy::run(f, &from, &shifted(&start(to), i * row), row, context.simd);
    });
    f.finish()
}

/// `SCATTER_ND`.
pub(super) fn scatter_nd(context: &mut Context, node: &Node) -> Kernel {
    let mut f = Builder::new("scatter_nd");
    let by = Indices::new(context, &mut f, node, 0);
    let (updates, from) = context.input(node, 1);
    f.operand(Role::Read, "updates", from);
    let (y, to) = context.output(node);
    f.operand(Role::Write, "y", to);
    let (element, ty) = (y.ty.size(), y.ty);
    let row = updates.elements() as u32 / by.slices();
    f.fill(start(to), 0, y.bytes() as u32);
    f.each("i", by.slices(), |f, i| {
        let target = shifted(&start(to), by.slice(f, &(i * by.named()), y));
        f.each("j", row, |f, j| {
            let update = shifted(&start(from), (i * row + j) * element);
            add(f, &shifted(&target, j * element), &update, ty);
        });
    });
    f.finish()
}

/// Adds an element of one of the types that [`scatter_nd`] takes to another.
fn add(f: &mut Builder, to: &Address, from: &Address, ty: DataType) {
    let (load, store) = match ty.size() {
        1 => (Load::U8, Store::I8),
        2 => (Load::U16, Store::I16),
        8 => (Load::Whole(Ty::I64), Store::Whole),
        _ if ty == DataType::F32 => (Load::Whole(Ty::F32), Store::Whole),
        _ => (Load::Whole(Ty::I32), Store::Whole),
    };
    let [old, update] = [to, from].map(|at| Expr::Load(load, at.clone()));
    let sum = if ty == DataType::F32 {
        canonical(f, old + update)
    } else if ty == DataType::Bool {
        old | update
    } else {
        old + update
    };
    f.store(store, to.clone(), sum);
}

/// `EMBEDDING_LOOKUP`.
pub(super) fn embedding_lookup(context: &mut Context, node: &Node) -> Result<Kernel, String> {
    let mut f = Builder::new("embedding_lookup");
    let by = Indices::new(context, &mut f, node, 0);
    let (table, from) = context.input(node, 1);
    f.operand(Role::Read, "table", from);
    let (y, to) = context.output(node);
    f.operand(Role::Write, "y", to);
    let (rows, count) = (table.shape[0], y.shape[0]);
    let row = table.elements() as u32 / rows;
    if table.ty == y.ty {
        let row = row * y.ty.size();
        f.each("i", count, |f, i| {
            let inside = by.inside(f, i, rows);
            let from = shifted(&start(from), inside * row);
            copy::run(f, &from, &shifted(&start(to), i * row), row, context.simd);
        });
        return Ok(f.finish());
    }
    let scales = row_scales(table)?;
    let of_rows = scales.iter().any(|s| *s != scales[0]).then(|| {
        let bytes = scales.iter().flat_map(|s| s.to_le_bytes()).collect();
        context.constant("scales", bytes)
    });
    if let Some(buffer) = of_rows {
        f.operand(Role::Read, "scales", buffer);
    }
    f.each("i", count, |f, i| {
        let inside = by.inside(f, i, rows);
        let scale = match of_rows {
            Some(buffer) => {
                let at = shifted(&start(buffer), &inside * 4);
                f.value("scale", Expr::Load(Load::Whole(Ty::F32), at))
            }
            None => Expr::f32(scales[0]),
        };
        f.each("j", row, |f, j| {
            let q = Expr::Load(Load::I8, shifted(&start(from), &inside * row + j));
            let real = Expr::op(Op::F32ConvertI32S, [q]) * scale.clone();
            f.store(Store::Whole, shifted(&start(to), (i * row + j) * 4), real);
        });
    });
    Ok(f.finish())
}

/// `DYNAMIC_UPDATE_SLICE`.
pub(super) fn dynamic_update_slice(context: &mut Context, node: &Node) -> Kernel {
    let mut f = Builder::new("dynamic_update_slice");
    let (x, from) = context.input(node, 0);
    f.operand(Role::Read, "x", from);
    let (update, update_from) = context.input(node, 1);
    f.operand(Role::Read, "update", update_from);
    let by = Indices::new(context, &mut f, node, 2);
    let (_, to) = context.output(node);
    f.operand(Role::Write, "y", to);
    copy::run(
        &mut f,
        &start(from),
        &start(to),
        x.bytes() as u32,
        context.simd,
    );
    let element = x.ty.size();
    let [update_strides, to_strides] = [update, x].map(|t| strides(&t.shape, element));
    let mut at = Affine::default();
    let mut dims = Vec::new();
    for (d, count) in update.shape.iter().enumerate() {
        let room = x.shape[d] - count + 1;
        if room > 1 {
            at = at + by.inside(&mut f, &(d as u32).into(), room) * to_strides[d];
        }
        dims.push(Dim {
            count: *count,
            from: update_strides[d] as i32,
            to: to_strides[d],
        });
    }
    let movement = Strided {
        element,
        from: start(update_from),
        to: shifted(&start(to), at),
        dims,
    };
    movement.write(&mut f, context.simd);
    f.finish()
}
