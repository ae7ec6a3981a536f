//! Operators on one tensor, element by element: RELU, RELU6, LOGISTIC, QUANTIZE, DEQUANTIZE.
//!
//! From 8 bits to 8 bits any of them is a table of 256 results, computed here.

use rune_ir::{
    graph::{DataType, Node, Tensor},
    op::Activation,
    quant::{self, Rounding},
};

use super::{
    Context,
    element::element,
    exp::expf,
    float::{activate, canonical},
    is_signed,
    linear::vectors,
    requantize::{Factor, clamp},
};
use crate::nest::{Builder, Expr, Kernel, Load, Op, Role, Store, Ty};

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
        let table = rescale_table(context, node, activation)?;
        return Ok(by_table(context, node, name, table));
    }
    Ok(map_floats(context, node, name, |f, x| {
        let x = activate(f, activation, x);
        canonical(f, x)
    }))
}

/// LOGISTIC.
pub(super) fn logistic(context: &mut Context, node: &Node) -> Result<Kernel, String> {
    if context.tensor(node, 0).ty != DataType::F32 {
        let table = quant::logistic_table(context.graph, node)?;
        return Ok(by_table(context, node, "logistic", table));
    }
    let (x, from) = context.input(node, 0);
    let (_, to) = context.output(node);
    let mut f = Builder::new("logistic");
    f.operand(Role::Read, "x", from);
    f.operand(Role::Write, "y", to);
    f.each("i", x.elements() as u32, |f, i| {
        let x = f.value("x", Expr::Load(Load::Whole(Ty::F32), element(from, i, 4)));
        // Far below zero the exponential itself is the result.
        let small = f.value("small", x.clone().lt(Expr::f32(-9.0)));
        let minus = Expr::op(Op::F32Neg, [x.clone()]);
        let e = expf(f, x.or_else(small.clone(), minus));
        let e = f.value("e", e);
        let logistic = Expr::f32(1.0) / (e.clone() + Expr::f32(1.0));
        let logistic = canonical(f, e.or_else(small, logistic));
        f.store(Store::Whole, element(to, i, 4), logistic);
    });
    Ok(f.finish())
}

/// QUANTIZE.
pub(super) fn quantize(context: &mut Context, node: &Node) -> Result<Kernel, String> {
    let (x, from) = context.input(node, 0);
    if x.ty != DataType::F32 {
        let table = rescale_table(context, node, Activation::None)?;
        return Ok(by_table(context, node, "quantize", table));
    }
    let (y, to) = context.output(node);
    let (scale, zero_point) = quant::affine(y)?;
    let (least, most) = quant::element_range(y.ty)?;
    let mut f = Builder::new("quantize");
    f.operand(Role::Read, "x", from);
    f.operand(Role::Write, "y", to);
    f.each("i", x.elements() as u32, |f, i| {
        let x = Expr::Load(Load::Whole(Ty::F32), element(from, i, 4));
        let x = f.value("x", x / Expr::f32(scale));
        // Adding the float before 0.5 and cutting off rounds halves away from zero; exactly 0.5 would
        // round the float before it up to 1.
        let half = Expr::f32(f32::from_bits(0x3eff_ffff));
        let half = Expr::op(Op::F32Copysign, [half, x.clone()]);
        let rounded = Expr::op(Op::I32TruncSatF32S, [x + half]);
        // Clamped before the zero point is added, so that the sum fits.
        let q = clamp(f, rounded, (least - zero_point, most - zero_point));
        f.store(Store::I8, element(to, i, 1), q + Expr::I32(zero_point));
    });
    Ok(f.finish())
}

/// DEQUANTIZE.
pub(super) fn dequantize(context: &mut Context, node: &Node) -> Result<Kernel, String> {
    let (x, from) = context.input(node, 0);
    let (_, to) = context.output(node);
    let (scale, zero_point) = quant::affine(x)?;
    let load = if is_signed(x) { Load::I8 } else { Load::U8 };
    let mut f = Builder::new("dequantize");
    f.operand(Role::Read, "x", from);
    f.operand(Role::Write, "y", to);
    f.each("i", x.elements() as u32, |f, i| {
        let x = Expr::Load(load, element(from, i, 1)) - Expr::I32(zero_point);
        let real = Expr::op(Op::F32ConvertI32S, [x]) * Expr::f32(scale);
        f.store(Store::Whole, element(to, i, 4), real);
    });
    Ok(f.finish())
}

/// Applies a function of F32 or F32x4 to every element.
fn map_floats(
    context: &mut Context,
    node: &Node,
    name: &str,
    function: impl Fn(&mut Builder, Expr) -> Expr,
) -> Kernel {
    let (x, from) = context.input(node, 0);
    let (_, to) = context.output(node);
    let mut f = Builder::new(name);
    f.operand(Role::Read, "x", from);
    f.operand(Role::Write, "y", to);
    let count = x.elements() as u32;
    let in_vectors = if vectors(context.simd) {
        count / 4 * 4
    } else {
        0
    };
    for (first, end, step, ty) in [
        (0, in_vectors, 4, Ty::F32x4),
        (in_vectors, count, 1, Ty::F32),
    ] {
        f.range("i", first, end, step, |f, i| {
            let x = Expr::Load(Load::Whole(ty), element(from, i, 4));
            let y = function(f, x);
            f.store(Store::Whole, element(to, i, 4), y);
        });
    }
    f.finish()
}

/// Looks every byte up in a table.
fn by_table(context: &mut Context, node: &Node, name: &str, table: [u8; 256]) -> Kernel {
    let (x, from) = context.input(node, 0);
    let (_, to) = context.output(node);
    let table = context.constant("table", table.to_vec());
    let mut f = Builder::new(name);
    f.operand(Role::Read, "x", from);
    f.operand(Role::Read, "table", table);
    f.operand(Role::Write, "y", to);
    f.each("i", x.elements() as u32, |f, i| {
        let q = f.index("q", Expr::Load(Load::U8, element(from, i, 1)));
        let result = Expr::Load(Load::U8, element(table, &q, 1));
        f.store(Store::I8, element(to, i, 1), result);
    });
    f.finish()
}

/// For each input byte the output byte of a node that only changes scale.
fn rescale_table(
    context: &Context,
    node: &Node,
    activation: Activation,
) -> Result<[u8; 256], String> {
    let params = quant::rescale_params(context.graph, node, activation)?;
    let factor = Factor::new(params.requantization, Rounding::Twice);
    let input: &Tensor = context.tensor(node, 0);
    Ok(std::array::from_fn(|byte| {
        let x = if is_signed(input) {
            i32::from(byte as u8 as i8)
        } else {
            byte as i32
        };
        let rescaled = factor.apply_twice(x - params.input_zero_point);
        rescaled
            .saturating_add(params.output_zero_point)
            .clamp(params.range.0, params.range.1) as u8
    }))
}
