//! ADD: dimensions that both inputs walk through alike are joined, the innermost is in vectors where both
//! inputs are contiguous along it or the same throughout.
//!
//! Integers take three requantisations for each result, in vectors of eight elements.

use rune_ir::{
    graph::{DataType, Node},
    op::Activation,
    quant::{self, AddParams, Requantization, Rounding},
};

use super::{
    Context,
    float::{activate, canonical},
    integer::narrow,
    is_signed,
    linear::vectors,
    requantize::{Factor, FactorExprs, offset_and_clamp, requantize},
};
use crate::nest::{Address, Affine, BufferId, Builder, Expr, Kernel, Load, Op, Role, Store, Ty};

pub(super) fn add(
    context: &mut Context,
    node: &Node,
    activation: Activation,
) -> Result<Kernel, String> {
    let (a, a_buffer) = context.input(node, 0);
    let (b, b_buffer) = context.input(node, 1);
    let (y, to) = context.output(node);
    let dims = joined(&y.shape, [&a.shape, &b.shape]);
    let simd = vectors(context.simd);
    let mut f = Builder::new("add");
    f.operand(Role::Read, "a", a_buffer);
    f.operand(Role::Read, "b", b_buffer);
    f.operand(Role::Write, "y", to);
    let from = [a_buffer, b_buffer];
    if y.ty == DataType::F32 {
        let widths: &[u32] = if simd { &[4, 1] } else { &[1] };
        walk(
            &mut f,
            &dims,
            4,
            widths,
            from,
            to,
            &|f, inputs, to, width| {
                let ty = if width == 4 { Ty::F32x4 } else { Ty::F32 };
                let [a, b] = inputs.map(|(at, same)| {
                    let load = if same && width == 4 {
                        Load::Splat32(ty)
                    } else {
                        Load::Whole(ty)
                    };
                    Expr::Load(load, at)
                });
                let sum = activate(f, activation, a + b);
                let sum = canonical(f, sum);
                f.store(Store::Whole, to, sum);
            },
        );
    } else {
        let params = quant::add_params(context.graph, node, activation)?;
        let signed = is_signed(y);
        let widths: &[u32] = if simd { &[8, 1] } else { &[1] };
        walk(
            &mut f,
            &dims,
            1,
            widths,
            from,
            to,
            &|f, inputs, to, width| {
                if width == 1 {
                    integer(f, &params, signed, inputs.map(|(at, _)| at), to);
                } else {
                    integers(f, &params, signed, inputs, to);
                }
            },
        );
    }
    Ok(f.finish())
}

/// One dimension of the result, and how many elements each input moves along it.
#[derive(Clone, Debug)]
struct Dim {
    count: u32,
    inputs: [u32; 2],
    output: u32,
}

/// The dimensions of the result, outermost first, those joined that are walked through alike. There is
/// always one.
fn joined(shape: &[u32], inputs: [&[u32]; 2]) -> Vec<Dim> {
    let mut strides = [1, 1];
    let mut output = 1;
    let mut dims: Vec<Dim> = Vec::new();
    for (back, count) in shape.iter().rev().enumerate() {
        let mut moves = [0, 0];
        for input in 0..2 {
            let size = inputs[input].iter().rev().nth(back).copied().unwrap_or(1);
            if size > 1 {
                moves[input] = strides[input];
            }
            strides[input] *= size;
        }
        if *count > 1 {
            match dims.first_mut() {
                Some(inner) if (0..2).all(|i| moves[i] == inner.inputs[i] * inner.count) => {
                    inner.count *= count;
                }
                _ => dims.insert(
                    0,
                    Dim {
                        count: *count,
                        inputs: moves,
                        output,
                    },
                ),
            }
        }
        output *= count;
    }
    if dims.is_empty() {
        dims.push(Dim {
            count: 1,
            inputs: [1, 1],
            output: 1,
        });
    }
    dims
}

/// An input's element, and whether it is the same for all elements of a vector.
type Input = (Address, bool);

/// Writes one step: inputs, output, elements.
type Step<'a> = &'a dyn Fn(&mut Builder, [Input; 2], Address, u32);

/// Loops over `dims`, over the innermost in steps of each of `widths` in turn. `body` computes one step.
fn walk(
    f: &mut Builder,
    dims: &[Dim],
    element: u32,
    widths: &[u32],
    from: [BufferId; 2],
    to: BufferId,
    body: Step,
) {
    let offsets = [Affine::from(0), Affine::from(0), Affine::from(0)];
    walk_from(f, dims, offsets, &|f, inner, offsets| {
        let mut done = 0;
        for width in widths {
            let end = inner.count / width * width;
            f.range("i", done, end, *width, |f, i| {
                let at = |buffer, offset: &Affine, step: u32| Address {
                    buffer,
                    offset: (offset + i * step) * element,
                };
                let input = |n: usize| {
                    let step = inner.inputs[n];
                    (at(from[n], &offsets[n], step), step == 0)
                };
                let to = at(to, &offsets[2], inner.output);
                body(f, [input(0), input(1)], to, *width);
            });
            done = end;
        }
    });
}

/// Loops over all of `dims` but the innermost; `body` gets that and the offsets of inputs and output.
fn walk_from(
    f: &mut Builder,
    dims: &[Dim],
    offsets: [Affine; 3],
    body: &dyn Fn(&mut Builder, &Dim, [Affine; 3]),
) {
    let (dim, inner) = dims.split_first().expect("there is a dimension");
    if inner.is_empty() {
        return body(f, dim, offsets);
    }
    f.each("d", dim.count, |f, i| {
        let steps = [dim.inputs[0], dim.inputs[1], dim.output];
        let mut steps = steps.into_iter();
        let offsets = offsets.map(|o| o + i * steps.next().expect("three steps"));
        walk_from(f, inner, offsets, body);
    });
}

/// A factor in every lane of `ty`.
fn factor(ty: Ty, factor: Requantization) -> FactorExprs {
    FactorExprs::constant(ty, Factor::new(factor, Rounding::Twice))
}

/// The sum of two values less their zero points, not yet offset; I32 or I32x4 as the inputs are.
fn sum(f: &mut Builder, params: &AddParams, inputs: [Expr; 2]) -> Expr {
    let ty = inputs[0].ty();
    let mut scaled = Vec::new();
    for (x, (_, of_input)) in inputs.into_iter().zip(params.inputs) {
        let x = x << Expr::I32(AddParams::LEFT_SHIFT as i32);
        let x = requantize(f, x, &factor(ty, of_input), Rounding::Twice);
        scaled.push(f.value("scaled", x));
    }
    let sum = scaled[0].clone() + scaled[1].clone();
    requantize(f, sum, &factor(ty, params.output), Rounding::Twice)
}

fn integer(f: &mut Builder, params: &AddParams, signed: bool, from: [Address; 2], to: Address) {
    let load = if signed { Load::I8 } else { Load::U8 };
    let [a, b] = from.map(|at| Expr::Load(load, at));
    let [a_zero, b_zero] = params.inputs.map(|(zero_point, _)| Expr::I32(zero_point));
    let sum = sum(f, params, [a - a_zero, b - b_zero]);
    let result = offset_and_clamp(f, sum, params.output_zero_point, params.range);
    f.store(Store::I8, to, result);
}

/// Eight results.
fn integers(f: &mut Builder, params: &AddParams, signed: bool, from: [Input; 2], to: Address) {
    let mut inputs = Vec::new();
    for ((at, same), (zero_point, _)) in from.into_iter().zip(params.inputs) {
        let x = match (same, signed) {
            (false, true) => Expr::Load(Load::I8x8, at),
            (false, false) => Expr::Load(Load::U8x8, at),
            (true, true) => Expr::op(Op::I16x8ExtendLowI8x16S, [Expr::Load(Load::Splat8, at)]),
            (true, false) => Expr::op(Op::I16x8ExtendLowI8x16U, [Expr::Load(Load::Splat8, at)]),
        };
        let x = x - Expr::constant(Ty::I16x8, zero_point.into());
        inputs.push(f.value("x", x));
    }
    let halves = [Op::I32x4ExtendLowI16x8S, Op::I32x4ExtendHighI16x8S];
    let sums = halves.map(|extend| {
        let half = |x: &Expr| Expr::op(extend, [x.clone()]);
        let sum = sum(f, params, [half(&inputs[0]), half(&inputs[1])]);
        f.value("sum", sum)
    });
    let bytes = narrow(f, &sums, params.output_zero_point, params.range, signed);
    f.store(Store::Lane { bytes: 8, lane: 0 }, to, bytes);
}
