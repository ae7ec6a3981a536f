//! PAD: the result filled with zeros or zero points, then the rows of x copied into it.

use rune_ir::{
    graph::{DataType, Node},
    quant,
};

use super::Context;
use crate::nest::{Address, Affine, Builder, Kernel, Role};

/// Dimensions of x that a kernel loops over, outermost first.
struct Outer {
    count: u32,
    from_stride: u32,
    to_stride: u32,
}

pub(super) fn pad(context: &mut Context, node: &Node, before: &[u32]) -> Result<Kernel, String> {
    let (x, from) = context.input(node, 0);
    let (y, to) = context.output(node);
    let byte = if x.ty == DataType::F32 {
        0
    } else {
        quant::affine(y)?.1 as u8
    };
    // Rows: the innermost dimension and those around it as far as nothing is added inside them.
    let (mut from_stride, mut to_stride) = (x.ty.size(), x.ty.size());
    let (mut row, mut start) = (x.ty.size(), 0);
    let mut outer = Vec::new();
    for d in (0..x.shape.len()).rev() {
        if row == to_stride {
            row = to_stride * x.shape[d];
        } else {
            outer.insert(
                0,
                Outer {
                    count: x.shape[d],
                    from_stride,
                    to_stride,
                },
            );
        }
        start += before[d] * to_stride;
        from_stride *= x.shape[d];
        to_stride *= y.shape[d];
    }
    let mut f = Builder::new("pad");
    f.operand(Role::Read, "x", from);
    f.operand(Role::Write, "y", to);
    let place = |buffer, offset| Address { buffer, offset };
    f.fill(place(to, 0.into()), byte, y.bytes() as u32);
    let copy = &|f: &mut Builder, from_offset: Affine, to_offset: Affine| {
        f.copy(place(to, to_offset), place(from, from_offset), row);
    };
    nest(&mut f, &outer, (0.into(), start.into()), copy);
    Ok(f.finish())
}

/// Loops over `dims` and runs `body` with the offsets they add to `offsets`.
fn nest(
    f: &mut Builder,
    dims: &[Outer],
    offsets: (Affine, Affine),
    body: &dyn Fn(&mut Builder, Affine, Affine),
) {
    let Some((dim, inner)) = dims.split_first() else {
        return body(f, offsets.0, offsets.1);
    };
    f.each("d", dim.count, |f, i| {
        let from = offsets.0 + i * dim.from_stride;
        let to = offsets.1 + i * dim.to_stride;
        nest(f, inner, (from, to), body);
    });
}
