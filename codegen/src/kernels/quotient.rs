//! DIV of quantised integers: by the reciprocal of the divisor, which for bytes is in a table.

use rune_ir::{
    graph::{DataType, Node},
    op::{Activation, Binary},
    quant::{self, ProductParams},
};

use super::{
    Context,
    binary::{less, name},
    element::element,
    fixed::reciprocal,
    map::{self, Step},
    real::rounded,
    requantize::offset_and_clamp,
};
use crate::nest::{Builder, Expr, Kernel, Load, Op, Ty};

/// Bytes of an entry of the table of reciprocals: the multiplier and the exponent.
const ENTRY: u32 = 8;

pub(super) fn quotient(
    context: &mut Context,
    node: &Node,
    activation: Activation,
) -> Result<Kernel, String> {
    let params = quant::product_params(context.graph, node, activation)?;
    let (a, b) = (context.tensor(node, 0), context.tensor(node, 1));
    let y = &context.graph.tensors[node.outputs[0]];
    let bytes = a.ty.size() == 1;
    let name = name(Binary::Div);
    if !bytes && a.shape == b.shape {
        let scales = [
            quant::affine(a)?.0,
            quant::affine(b)?.0,
            quant::affine(y)?.0,
        ];
        let scalar = map::elements(context, node, |f, inputs| {
            let result = of_reals(f, scales, &inputs);
            offset_and_clamp(f, result, params.output_zero_point, params.range)
        });
        let step = Step {
            width: 1,
            body: &scalar,
        };
        return Ok(map::kernel(context, node, &name, &[], &[step]));
    }
    let table = bytes.then(|| {
        let signed = b.ty == DataType::I8;
        let entries = (0..=u8::MAX).flat_map(|byte| {
            let b = if signed {
                i32::from(byte as i8)
            } else {
                i32::from(byte)
            };
            let (multiplier, exponent) = match (b - params.zero_points[1]).unsigned_abs() {
                0 => (0, 0),
                size => quant::reciprocal(size),
            };
            [multiplier, exponent]
                .into_iter()
                .flat_map(i32::to_le_bytes)
        });
        context.constant("reciprocals", entries.collect())
    });
    let scalar = map::elements(context, node, |f, inputs| {
        let byte = inputs[1].clone() & Expr::I32(255);
        let [a, b] = less(&inputs, params.zero_points);
        let b = f.value("b", b);
        let [multiplier, exponent] = if let Some(table) = table {
            let at = element(table, &f.index("entry", byte), ENTRY);
            [at.clone(), at.plus(4)].map(|at| Expr::Load(Load::Whole(Ty::I32), at))
        } else {
            reciprocal_of(f, &b)
        };
        let below = b.lt(Expr::I32(0));
        let a = f.value("a", a);
        let a = (Expr::I32(0) - a.clone()).or_else(below, a);
        let result = by_reciprocal(f, &params, a, multiplier, exponent);
        offset_and_clamp(f, result, params.output_zero_point, params.range)
    });
    let step = Step {
        width: 1,
        body: &scalar,
    };
    let declare: Vec<_> = table.into_iter().map(|t| ("reciprocals", t)).collect();
    Ok(map::kernel(context, node, &name, &declare, &[step]))
}

/// The multiplier and the exponent of 1 / |b|; the multiplier 0 where b is 0.
fn reciprocal_of(f: &mut Builder, b: &Expr) -> [Expr; 2] {
    let below = b.clone().lt(Expr::I32(0));
    let size = (Expr::I32(0) - b.clone()).or_else(below, b.clone());
    let size = f.value("size", size);
    let zeros = f.value("zeros", Expr::op(Op::I32Clz, [size.clone()]));
    // 0 has 32 leading zeros, which shift by 0.
    let fraction = (size.clone() << zeros.clone()) & Expr::I32(i32::MAX);
    let fraction = f.value("fraction", fraction);
    let multiplier = reciprocal(f, fraction);
    let multiplier = Expr::op(Op::I32WrapI64, [multiplier]);
    let none = Expr::op(Op::I32Eqz, [size]);
    [
        Expr::I32(0).or_else(none, multiplier),
        Expr::I32(31) - zeros,
    ]
}

/// `a` times the reciprocal, times the factor: as far to the left as it goes, rounded after each.
fn by_reciprocal(
    f: &mut Builder,
    params: &ProductParams,
    a: Expr,
    multiplier: Expr,
    exponent: Expr,
) -> Expr {
    let wide = |x: Expr| Expr::op(Op::I64ExtendI32S, [x]);
    let high = |a: Expr, b: Expr| (a * b + Expr::I64(1 << 30)) >> Expr::I64(31);
    let a = f.value("a", a);
    let size = a.clone() ^ (a.clone() >> Expr::I32(31));
    let headroom = Expr::op(Op::I32Clz, [size]) - Expr::I32(1);
    let headroom = f.value("headroom", headroom);
    let unscaled = high(wide(a << headroom.clone()), wide(multiplier));
    let factor = Expr::I64(params.requantization.multiplier.into());
    let scaled = f.value("scaled", high(unscaled, factor));
    // Above zero by the law of the operator; beyond 62 nothing is left either.
    let right = exponent + headroom - Expr::I32(params.requantization.shift);
    let right = f.value("right", right);
    let far = Expr::I32(62).lt(right.clone());
    let right = Expr::op(Op::I64ExtendI32U, [Expr::I32(62).or_else(far, right)]);
    let right = f.value("right", right);
    // Halves away from zero: of the size, which gets its sign back.
    let sign = f.value("sign", scaled.clone() >> Expr::I64(63));
    let size = (scaled ^ sign.clone()) - sign.clone();
    let half = (Expr::I64(1) << right.clone()) >> Expr::I64(1);
    let quotient = (size + half) >> right;
    Expr::op(Op::I32WrapI64, [(quotient ^ sign.clone()) - sign])
}

/// The quotient of the reals that two I16 stand for, as an integer of the third scale; 0 where the divisor is
/// 0.
fn of_reals(f: &mut Builder, scales: [f32; 3], inputs: &[Expr]) -> Expr {
    let [a, b] = less(inputs, [0, 0]);
    let b = f.value("b", b);
    let real = |x: Expr, scale: f32| Expr::f32(scale) * Expr::op(Op::F32ConvertI32S, [x]);
    let quotient = real(a, scales[0]) / real(b.clone(), scales[1]) / Expr::f32(scales[2]);
    let result = rounded(f, quotient);
    Expr::I32(0).or_else(Expr::op(Op::I32Eqz, [b]), result)
}
