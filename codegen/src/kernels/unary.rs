//! Operators on one tensor, element by element: RELU, RELU6, LOGISTIC, QUANTIZE, DEQUANTIZE and `Op::Unary`; and
//! `ADD_N` and SELECT, which move along all their inputs alike.
//!
//! From 8 bits to 8 bits any function is a table of 256 results, computed here. F32 is in vectors where the
//! function is a few instructions.

use rune_ir::{
    graph::{DataType, Node, Tensor},
    op::{self, Activation, Unary},
    quant::{self, Lookup, RescaleParams, Rounding, SigmoidParams},
};

use super::{
    Context,
    binary::scaled,
    element::{self, element},
    exp::{either, expf},
    float::{activate, canonical},
    linear::vectors,
    map::{self, Input, Step},
    real::{self, rounded},
    requantize::{Factor, clamp, offset_and_clamp},
};
use crate::nest::{Address, Affine, BufferId, Builder, Expr, Kernel, Load, Op, Role, Store, Ty};

/// RELU and RELU6.
pub(super) fn relu(
    context: &mut Context,
    node: &Node,
    activation: Activation,
) -> Result<Kernel, String> {
    let name = if activation == Activation::Relu {
        "relu"
    } else {
        "relu6"
    };
    if context.tensor(node, 0).ty != DataType::F32 {
        return rescale(context, node, name, activation, false);
    }
    Ok(map_floats(context, node, name, true, |f, x| {
        activate(f, activation, x)
    }))
}

/// LOGISTIC.
pub(super) fn logistic(context: &mut Context, node: &Node) -> Result<Kernel, String> {
    if context.tensor(node, 0).ty != DataType::F32 {
        return look_up(context, node, "logistic");
    }
    Ok(map_floats(context, node, "logistic", true, |f, x| {
        let ty = x.ty();
        let real = |value: f32| Expr::real(ty, value);
        let x = f.value("x", x);
        // Far below zero the exponential itself is the result.
        let small = f.value("small", x.clone().lt(real(-9.0)));
        let minus = Expr::op(either(&x, Op::F32Neg, Op::F32x4Neg), [x.clone()]);
        let e = expf(f, x.or_else(small.clone(), minus));
        let e = f.value("e", e);
        let logistic = real(1.0) / (e.clone() + real(1.0));
        e.or_else(small, logistic)
    }))
}

/// QUANTIZE.
pub(super) fn quantize(context: &mut Context, node: &Node) -> Result<Kernel, String> {
    if context.tensor(node, 0).ty != DataType::F32 {
        return rescale(context, node, "quantize", Activation::None, false);
    }
    let y = output_of(context, node);
    let (scale, zero_point) = quant::affine(y)?;
    let (least, most) = quant::element_range(y.ty)?;
    Ok(map_scalars(context, node, "quantize", |f, x| {
        let rounded = rounded(f, x / Expr::f32(scale));
        // Clamped before the zero point is added, so that the sum fits.
        let q = clamp(f, rounded, (least - zero_point, most - zero_point));
        q + Expr::I32(zero_point)
    }))
}

/// DEQUANTIZE.
pub(super) fn dequantize(context: &mut Context, node: &Node) -> Result<Kernel, String> {
    let (scale, zero_point) = quant::affine(context.tensor(node, 0))?;
    Ok(map_scalars(context, node, "dequantize", |_, x| {
        let x = x - Expr::I32(zero_point);
        Expr::op(Op::F32ConvertI32S, [x]) * Expr::f32(scale)
    }))
}

/// `Op::Unary`.
pub(super) fn unary(context: &mut Context, node: &Node, op: Unary) -> Result<Kernel, String> {
    let name = op.name().to_lowercase();
    let x = context.tensor(node, 0);
    let is = |ops: &[Unary]| ops.contains(&op);
    if op == Unary::ZerosLike {
        let (y, to) = context.output(node);
        let mut f = Builder::new(&name);
        f.operand(Role::Write, "y", to);
        f.fill(element(to, &Affine::from(0), 1), 0, y.bytes() as u32);
        Ok(f.finish())
    } else if op == Unary::Cast {
        let (from, to) = (x.ty, output_of(context, node).ty);
        let function = |f: &mut Builder, x| cast(f, x, from, to);
        Ok(map_scalars(context, node, &name, function))
    } else if x.ty == DataType::F32 {
        let vectors = real::in_vectors(op);
        Ok(map_floats(context, node, &name, vectors, |f, x| {
            real::unary(f, op, x)
        }))
    } else if is(&[Unary::Neg, Unary::LogicalNot, Unary::Sign])
        || op == Unary::Abs && (x.ty == DataType::I32 || x.quantization.is_none())
    {
        Ok(map_scalars(context, node, &name, |f, x| plain(f, op, x)))
    } else if is(&[Unary::Abs, Unary::ReluN1To1, Unary::Relu0To1]) {
        rescale(context, node, &name, Activation::None, op == Unary::Abs)
    } else if matches!(op, Unary::LeakyRelu { .. }) {
        leaky(context, node)
    } else {
        look_up(context, node, &name)
    }
}

/// A function of integers as they are.
fn plain(f: &mut Builder, op: Unary, x: Expr) -> Expr {
    let zero = Expr::constant(x.ty(), 0);
    let x = f.value("x", x);
    if op == Unary::Neg {
        zero - x
    } else if op == Unary::LogicalNot {
        Expr::op(Op::I32Eqz, [x])
    } else if op == Unary::Sign {
        let above = zero.clone().lt(x.clone());
        above - x.lt(zero)
    } else {
        let below = x.clone().lt(zero.clone());
        (zero - x.clone()).or_else(below, x)
    }
}

/// A number as one of type `to`; an F32 may be a NaN that is not canonical.
fn cast(f: &mut Builder, x: Expr, from: DataType, to: DataType) -> Expr {
    let x = f.value("x", x);
    let is = |ty: Ty| x.ty() == ty;
    if to == DataType::F32 {
        return if is(Ty::F32) {
            canonical(f, x)
        } else if is(Ty::I64) {
            Expr::op(Op::F32ConvertI64S, [x])
        } else if from == DataType::U32 {
            Expr::op(Op::F32ConvertI32U, [x])
        } else {
            Expr::op(Op::F32ConvertI32S, [x])
        };
    }
    if to == DataType::Bool {
        return if is(Ty::F32) {
            Expr::op(Op::F32Ne, [x, Expr::f32(0.0)])
        } else if is(Ty::I64) {
            Expr::op(Op::I64Ne, [x, Expr::I64(0)])
        } else {
            Expr::op(Op::I32Ne, [x, Expr::I32(0)])
        };
    }
    if is(Ty::F32) {
        let number = x.clone().equals(x.clone());
        if to == DataType::I64 {
            let cut = Expr::op(Op::I64TruncSatF32S, [x]);
            return cut.or_else(number, Expr::I64(i64::MAX));
        }
        if to == DataType::U32 {
            let cut = f.value("cut", Expr::op(Op::I64TruncSatF32S, [x]));
            let most = Expr::I64(u32::MAX.into());
            let over = most.clone().lt(cut.clone());
            let cut = f.value("cut", most.clone().or_else(over, cut));
            let below = cut.clone().lt(Expr::I64(0));
            let cut = Expr::I64(0).or_else(below, cut).or_else(number, most);
            return Expr::op(Op::I32WrapI64, [cut]);
        }
        let cut = Expr::op(Op::I32TruncSatF32S, [x]);
        let (least, most) = if to == DataType::U16 {
            (0, i32::from(u16::MAX))
        } else {
            quant::element_range(to).expect("an integer type")
        };
        let cut = if to == DataType::I32 {
            cut
        } else {
            clamp(f, cut, (least, most))
        };
        return cut.or_else(number, Expr::I32(most));
    }
    match (is(Ty::I64), to == DataType::I64) {
        (true, false) => Expr::op(Op::I32WrapI64, [x]),
        (false, true) if from == DataType::U32 => Expr::op(Op::I64ExtendI32U, [x]),
        (false, true) => Expr::op(Op::I64ExtendI32S, [x]),
        _ => x,
    }
}

fn output_of<'a>(context: &Context<'a>, node: &Node) -> &'a Tensor {
    &context.graph.tensors[node.outputs[0]]
}

/// Applies a function to every element as `element::load` gives it.
fn map_scalars(
    context: &mut Context,
    node: &Node,
    name: &str,
    function: impl Fn(&mut Builder, Expr) -> Expr,
) -> Kernel {
    map_scalars_with(context, node, name, &[], function)
}

/// As [`map_scalars`], with constants that the function reads.
fn map_scalars_with(
    context: &mut Context,
    node: &Node,
    name: &str,
    constants: &[(&'static str, BufferId)],
    function: impl Fn(&mut Builder, Expr) -> Expr,
) -> Kernel {
    let body = map::elements(context, node, |f, mut inputs| {
        let x = inputs.pop().expect("one input");
        function(f, x)
    });
    let step = Step {
        width: 1,
        body: &body,
    };
    map::kernel(context, node, name, constants, &[step])
}

/// Applies a function of F32, and of F32x4 where it is `in_vectors`, to every element; what it gives is made
/// canonical.
fn map_floats(
    context: &mut Context,
    node: &Node,
    name: &str,
    in_vectors: bool,
    function: impl Fn(&mut Builder, Expr) -> Expr,
) -> Kernel {
    let one = map::elements(context, node, |f, mut inputs| {
        let x = inputs.pop().expect("one input");
        let y = function(f, x);
        canonical(f, y)
    });
    let four = |f: &mut Builder, inputs: &[Input], to: Address| {
        let y = function(f, inputs[0].floats());
        let y = canonical(f, y);
        f.store(Store::Whole, to, y);
    };
    let steps = [
        Step {
            width: 4,
            body: &four,
        },
        Step {
            width: 1,
            body: &one,
        },
    ];
    let steps = if in_vectors && vectors(context.simd) {
        &steps[..]
    } else {
        &steps[1..]
    };
    map::kernel(context, node, name, &[], steps)
}

/// Looks every byte up in a table of bytes.
fn by_table(context: &mut Context, node: &Node, name: &str, table: &[u8; 256]) -> Kernel {
    let table = context.constant("table", table.to_vec());
    let body = |f: &mut Builder, inputs: &[Input], to: Address| {
        let q = f.index("q", Expr::Load(Load::U8, inputs[0].at.clone()));
        f.store(Store::I8, to, Expr::Load(Load::U8, element(table, &q, 1)));
    };
    let step = Step {
        width: 1,
        body: &body,
    };
    map::kernel(context, node, name, &[("table", table)], &[step])
}

/// Each byte of a type as an integer, in the order of the bytes.
fn byte_values(ty: DataType) -> [i32; 256] {
    std::array::from_fn(|byte| {
        if ty == DataType::I8 {
            i32::from(byte as u8 as i8)
        } else {
            byte as i32
        }
    })
}

/// Integers, or their sizes, as integers of another scale.
fn rescale(
    context: &mut Context,
    node: &Node,
    name: &str,
    activation: Activation,
    sizes: bool,
) -> Result<Kernel, String> {
    let params = quant::rescale_params(context.graph, node, activation)?;
    let RescaleParams {
        input_zero_point,
        requantization,
        output_zero_point,
        range,
    } = params;
    let (x, y) = (context.tensor(node, 0), output_of(context, node));
    if x.ty.size() == 1 && y.ty.size() == 1 {
        let factor = Factor::new(requantization, Rounding::Twice);
        let table = byte_values(x.ty).map(|x| {
            let shifted = x - input_zero_point;
            let rescaled = factor.apply_twice(if sizes { shifted.abs() } else { shifted });
            rescaled
                .saturating_add(output_zero_point)
                .clamp(range.0, range.1) as u8
        });
        return Ok(by_table(context, node, name, &table));
    }
    let wide = y.ty == DataType::I32;
    Ok(map_scalars(context, node, name, |f, x| {
        let shifted = x - Expr::I32(input_zero_point);
        let shifted = if sizes {
            plain(f, Unary::Abs, shifted)
        } else {
            shifted
        };
        let result = scaled(f, shifted, requantization);
        if wide {
            return saturating_offset(f, result, output_zero_point);
        }
        offset_and_clamp(f, result, output_zero_point, range)
    }))
}

/// `x` plus a zero point, saturating at 32 bits.
fn saturating_offset(f: &mut Builder, x: Expr, zero_point: i32) -> Expr {
    let wide = |x: Expr| Expr::op(Op::I64ExtendI32S, [x]);
    let sum = f.value("sum", wide(x) + Expr::I64(zero_point.into()));
    let (least, most) = (Expr::I64(i32::MIN.into()), Expr::I64(i32::MAX.into()));
    let below = sum.clone().lt(least.clone());
    let sum = f.value("sum", least.or_else(below, sum));
    let above = most.clone().lt(sum.clone());
    Expr::op(Op::I32WrapI64, [most.or_else(above, sum)])
}

/// `LEAKY_RELU` of quantised integers.
fn leaky(context: &mut Context, node: &Node) -> Result<Kernel, String> {
    const NAME: &str = "leaky_relu";
    let params = quant::slope_params(context.graph, node)?;
    let x = context.tensor(node, 0);
    let sign = if params.negates { -1 } else { 1 };
    if x.ty.size() == 1 {
        let [above, below] =
            [params.above, params.below].map(|by| Factor::new(by, Rounding::Twice));
        let table = byte_values(x.ty).map(|x| {
            let x = x - params.zero_points[0];
            let result = if x >= 0 {
                above.apply_twice(x)
            } else {
                sign * below.apply_twice(x)
            };
            let (least, most) = params.range;
            result
                .saturating_add(params.output_zero_point)
                .clamp(least, most) as u8
        });
        return Ok(by_table(context, node, NAME, &table));
    }
    Ok(map_scalars(context, node, NAME, |f, x| {
        let x = f.value("x", x - Expr::I32(params.zero_points[0]));
        let above = scaled(f, x.clone(), params.above);
        let below = scaled(f, x.clone(), params.below) * Expr::I32(sign);
        let result = below.or_else(x.lt(Expr::I32(0)), above);
        offset_and_clamp(f, result, params.output_zero_point, params.range)
    }))
}

/// A function of reals on quantised integers.
fn look_up(context: &mut Context, node: &Node, name: &str) -> Result<Kernel, String> {
    match quant::lookup(context.graph, node)? {
        Lookup::Bytes(table) => Ok(by_table(context, node, name, &table)),
        Lookup::Words(table) => {
            let bytes = table.iter().flat_map(|w| w.to_le_bytes()).collect();
            let table = context.constant("table", bytes);
            Ok(map_scalars_with(
                context,
                node,
                name,
                &[("table", table)],
                |f, x| {
                    let x = f.value("x", x);
                    let entry = (x.clone() >> Expr::I32(7)) + Expr::I32(256);
                    let at = element(table, &f.index("entry", entry), 2);
                    let low = f.value("low", Expr::Load(Load::I16, at.clone()));
                    let high = Expr::Load(Load::I16, at.plus(2));
                    // The difference is one of 16 bits.
                    let slope = ((high - low.clone()) << Expr::I32(16)) >> Expr::I32(16);
                    let part = x & Expr::I32(127);
                    low + ((slope * part + Expr::I32(64)) >> Expr::I32(7))
                },
            ))
        }
        Lookup::Sigmoid(params) => {
            let bytes = quant::SIGMOID.iter().flat_map(|w| w.to_le_bytes());
            let table = context.constant("sigmoid", bytes.collect());
            let tanh = !matches!(node.op, op::Op::Logistic);
            Ok(map_scalars_with(
                context,
                node,
                name,
                &[("sigmoid", table)],
                |f, x| sigmoid(f, params, tanh, x, table),
            ))
        }
    }
}

/// TANH or LOGISTIC of an I16, as [`SigmoidParams`] says.
fn sigmoid(f: &mut Builder, params: SigmoidParams, tanh: bool, x: Expr, table: BufferId) -> Expr {
    let SigmoidParams { multiplier, shift } = params;
    let x = Expr::op(Op::I64ExtendI32S, [x]) * Expr::I64(multiplier.into());
    let half = (1i64 << shift) >> 1;
    let x = (x + Expr::I64(half)) >> Expr::I64(shift.into());
    let x = f.value("x", Expr::op(Op::I32WrapI64, [x]));
    let size = plain(f, Unary::Abs, x.clone());
    let size = f.value("size", size);
    let (fraction, saturated) = if tanh {
        (8, 65535 << 8)
    } else {
        (9, 32767 << 10)
    };
    let entry = size.clone() >> Expr::I32(fraction);
    let entry = f.value("entry", entry);
    let far = f.value("far", Expr::I32(254).lt(entry.clone()));
    let kept = Expr::I32(254).or_else(far.clone(), entry);
    let at = element(table, &f.index("kept", kept), 2);
    let low = f.value("low", Expr::Load(Load::U16, at.clone()));
    let step = Expr::Load(Load::U16, at.plus(2)) - low.clone();
    let part = size & Expr::I32((1 << fraction) - 1);
    let curve = (low << Expr::I32(fraction)) + part * step;
    let curve = f.value("curve", Expr::I32(saturated).or_else(far, curve));
    let below = x.lt(Expr::I32(0));
    // The middle, what rounds, and how far to shift; below zero the curve is mirrored.
    let (middle, rounds, shift) = if tanh {
        (1 << 23, 128, 8)
    } else {
        (0, 512, 10)
    };
    let mirrored = if tanh { 1 << 23 } else { 1 << 25 };
    let above = curve.clone() + Expr::I32(rounds - middle);
    let mirrored = Expr::I32(mirrored + rounds - 1) - curve;
    mirrored.or_else(below, above) >> Expr::I32(shift)
}

/// `ADD_N`.
pub(super) fn add_n(context: &mut Context, node: &Node) -> Result<Kernel, String> {
    let (y, to) = context.output(node);
    let mut f = Builder::new("add_n");
    let inputs: Vec<BufferId> = (0..node.inputs.len())
        .map(|i| context.input(node, i).1)
        .collect();
    for input in &inputs {
        f.operand(Role::Read, "x", *input);
    }
    f.operand(Role::Write, "y", to);
    let ty = y.ty;
    let quantized = (ty == DataType::I8)
        .then(|| quant::sum_params(context.graph, node, Activation::None))
        .transpose()?;
    let count = y.elements() as u32;
    let in_vectors = if vectors(context.simd) && ty == DataType::F32 {
        count / 4 * 4
    } else {
        0
    };
    f.range("i", 0, in_vectors, 4, |f, i| {
        let four = |buffer: &BufferId| Expr::Load(Load::Whole(Ty::F32x4), element(*buffer, i, 4));
        let sum = inputs.iter().map(four).reduce(|a, b| a + b);
        let sum = canonical(f, sum.expect("there are inputs"));
        f.store(Store::Whole, element(to, i, 4), sum);
    });
    f.range("i", in_vectors, count, 1, |f, i| {
        let elements = inputs.iter().map(|buffer| element::get(ty, *buffer, i));
        let result = if let Some(params) = &quantized {
            let (zero_point, factor) = params.inputs[0];
            let mut sum = f.accumulator("sum", Expr::I32(0));
            // One element of 0 counts besides.
            for x in elements.chain([Expr::I32(0)]) {
                let shifted = (x - Expr::I32(zero_point)) << Expr::I32(params.left_shift as i32);
                let x = scaled(f, shifted, factor);
                sum = f.value("sum", sum + x);
            }
            let sum = scaled(f, sum, params.output);
            offset_and_clamp(f, sum, params.output_zero_point, params.range)
        } else {
            let sum = elements.reduce(|a, b| a + b).expect("there are inputs");
            if ty == DataType::F32 {
                canonical(f, sum)
            } else {
                sum
            }
        };
        f.store(element::store(ty), element(to, i, ty.size()), result);
    });
    Ok(f.finish())
}

/// SELECT and `SELECT_V2`.
pub(super) fn select(context: &mut Context, node: &Node, rows: bool) -> Kernel {
    let y = output_of(context, node);
    let body = map::elements(context, node, |_, inputs| {
        let [condition, a, b] = [0, 1, 2].map(|i: usize| inputs[i].clone());
        a.or_else(condition, b)
    });
    let mut condition = context.tensor(node, 0).shape.clone();
    if rows {
        condition.resize(y.shape.len(), 1);
    }
    let [a, b] = [1, 2].map(|i| &context.tensor(node, i).shape[..]);
    let step = Step {
        width: 1,
        body: &body,
    };
    map::kernel_of(context, node, "select", &[&condition, a, b], &[], &[step])
}
