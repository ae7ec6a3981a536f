//! SVDF: every filter drops the oldest number that it keeps and appends what it makes of x; then units sum over
//! what their filters keep.

use rune_ir::{
    graph::{DataType, Node},
    op::{Activation, Filters, Weighted},
    quant::{self, Rounding},
};

use super::{
    Context,
    dot::Dot,
    element,
    float::{activate, canonical},
    linear::vectors,
    requantize::{Factor, FactorExprs, offset_and_clamp, requantize},
};
use crate::nest::{Address, Affine, Builder, Expr, Kernel, Role, Store, Ty};

pub(super) fn svdf(
    context: &mut Context,
    node: &Node,
    rank: u32,
    activation: Activation,
) -> Result<Kernel, String> {
    let Filters {
        batch,
        inputs,
        filters,
        memory,
        units,
    } = Weighted::filters(context.graph, node, rank, activation)?;
    let (x, from) = context.input(node, 0);
    let (feature, w) = context.input(node, 1);
    let (time, over_time) = context.input(node, 2);
    let bias = match node.inputs.get(3) {
        Some(Some(_)) => Some(context.input(node, 3)),
        _ => None,
    };
    let (state, kept) = context.variable(node, 0);
    let (y, to) = context.output(node);
    let params = (x.ty != DataType::F32)
        .then(|| quant::svdf_params(context.graph, node))
        .transpose()?;
    let mut f = Builder::new("svdf");
    f.operand(Role::Read, "x", from);
    f.operand(Role::Read, "w", w);
    f.operand(Role::Read, "t", over_time);
    if let Some((_, bias)) = bias {
        f.operand(Role::Read, "bias", bias);
    }
    f.operand(Role::Keep, "state", kept);
    f.operand(Role::Write, "y", to);
    let vector = vectors(context.simd);
    let dot = |types: [DataType; 2], zero: i32, products: u32| Dot {
        types,
        zeros: [zero, 0],
        long: false,
        vector,
        products,
    };
    let size = state.ty.size();
    let at = |row: Affine, columns: u32, buffer, size: u32| Address {
        buffer,
        offset: row * (columns * size),
    };
    let of_x = dot(
        [x.ty, feature.ty],
        params.map_or(0, |p| p.input_zero_point),
        inputs,
    );
    f.each("n", batch, |f, n| {
        f.each("f", filters, |f, filter| {
            let memories = at(n * filters + filter, memory, kept, size);
            f.range("m", 1, memory, 1, |f, m| {
                let place = |m: Affine| Address {
                    buffer: kept,
                    offset: &memories.offset + m * size,
                };
                let value = Expr::Load(element::load(state.ty), place(m.clone()));
                f.store(element::store(state.ty), place(m + -1), value);
            });
            let sum = of_x.start(f, of_x.zero(), inputs);
            let row = at(n.clone(), inputs, from, x.ty.size());
            let weights = at(filter.clone(), inputs, w, feature.ty.size());
            of_x.add(f, &sum, &row, &weights, inputs);
            let sum = of_x.total(f, sum);
            let newest = memories.plus((memory - 1) * size);
            match params {
                None => {
                    let value = canonical(f, sum);
                    f.store(Store::Whole, newest, value);
                }
                Some(params) => {
                    let sum = f.value("sum", sum);
                    let factor = FactorExprs::constant(
                        Ty::I32,
                        Factor::new(params.feature, Rounding::Twice),
                    );
                    let q = requantize(f, sum, &factor, Rounding::Twice);
                    let q = offset_and_clamp(f, q, params.state_zero_point, params.state_range);
                    f.store(element::store(state.ty), newest, q);
                }
            }
        });
        let of_time = dot(
            [state.ty, time.ty],
            params.map_or(0, |p| p.state_zero_point),
            memory,
        );
        f.each("u", units, |f, unit| {
            let first = match bias {
                Some((bias, buffer)) => element::get(bias.ty, buffer, unit),
                None => of_time.zero(),
            };
            let sum = f.accumulator("total", first);
            f.each("r", rank, |f, r| {
                let filter = unit * rank + r;
                let memories = at(n * filters + &filter, memory, kept, size);
                let weights = at(filter, memory, over_time, time.ty.size());
                let part = of_time.start(f, of_time.zero(), memory);
                of_time.add(f, &part, &memories, &weights, memory);
                let part = of_time.total(f, part);
                f.set(&sum, sum.clone() + part);
            });
            let result = Address {
                buffer: to,
                offset: (n * units + unit) * y.ty.size(),
            };
            match params {
                None => {
                    let value = activate(f, activation, sum);
                    let value = canonical(f, value);
                    f.store(Store::Whole, result, value);
                }
                Some(params) => {
                    let factor =
                        FactorExprs::constant(Ty::I32, Factor::new(params.output, Rounding::Twice));
                    let q = requantize(f, sum, &factor, Rounding::Twice);
                    let q = offset_and_clamp(f, q, params.output_zero_point, (-128, 127));
                    f.store(Store::I8, result, q);
                }
            }
        });
    });
    Ok(f.finish())
}
