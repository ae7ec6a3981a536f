//! Operators on two tensors, element by element: ADD and all of `Op::Binary`.
//!
//! F32 and the 8-bit integers that are added, multiplied or compared by size are in vectors, the rest is not.

use rune_ir::{
    graph::{DataType, Node, Tensor},
    op::{Activation, Binary},
    quant::{self, ProductParams, Requantization, Rounding, SumParams},
};

use super::{
    Context,
    float::{activate, at_least, at_most, canonical},
    integer::narrow,
    is_signed,
    linear::vectors,
    map::{self, Input, Step},
    quotient, real,
    requantize::{Factor, FactorExprs, clamp, offset_and_clamp, requantize},
};
use crate::nest::{Address, Builder, Expr, Kernel, Load, Op, Store, Ty};

pub(super) fn binary(
    context: &mut Context,
    node: &Node,
    op: Binary,
    activation: Activation,
) -> Result<Kernel, String> {
    let a = context.tensor(node, 0);
    if a.ty == DataType::F32 {
        return Ok(floats(context, node, op, activation));
    }
    let bytes = a.ty == DataType::I8 || a.ty == DataType::U8;
    let quantized = bytes || a.ty == DataType::I16 && a.quantization.is_some();
    let scaled = a.quantization.is_some();
    let is = |ops: &[Binary]| ops.contains(&op);
    if is(&[Binary::AddPowers, Binary::SubPowers]) {
        powers(context, node, op, activation)
    } else if is(&[Binary::Add, Binary::Sub, Binary::SquaredDifference]) && quantized {
        sum(context, node, op, activation)
    } else if op == Binary::Mul && quantized {
        product(context, node, activation)
    } else if op == Binary::Div && quantized {
        quotient::quotient(context, node, activation)
    } else if op == Binary::Prelu {
        slope(context, node)
    } else if is(&[Binary::Equal, Binary::NotEqual]) && quantized && scaled
        || op.is_comparison() && bytes && scaled
    {
        compare_scaled(context, node, op)
    } else {
        Ok(plain(context, node, op, activation))
    }
}

/// The name of a kernel in the text form.
pub(super) fn name(op: Binary) -> String {
    op.name().to_lowercase()
}

fn floats(context: &mut Context, node: &Node, op: Binary, activation: Activation) -> Kernel {
    let vectors = vectors(context.simd) && !matches!(op, Binary::Pow | Binary::FloorMod);
    let result = |f: &mut Builder, a: Expr, b: Expr| {
        let result = real::binary(f, op, a, b);
        let activated = activate(f, activation, result);
        canonical(f, activated)
    };
    let scalar = map::elements(context, node, |f, inputs| {
        let [a, b] = pair(f, inputs);
        if op.is_comparison() {
            truth(compare(op, a, b))
        } else {
            result(f, a, b)
        }
    });
    let four = |f: &mut Builder, inputs: &[Input], to: Address| {
        let [a, b] = pair(f, inputs.iter().map(Input::floats).collect());
        if op.is_comparison() {
            let mask = f.value("mask", ones(compare(op, a, b)));
            let words = Expr::op(Op::I16x8NarrowI32x4S, [mask.clone(), mask]);
            let words = f.value("mask", words);
            let bytes = Expr::op(Op::I8x16NarrowI16x8S, [words.clone(), words]);
            f.store(Store::Lane { bytes: 4, lane: 0 }, to, bytes);
        } else {
            let result = result(f, a, b);
            f.store(Store::Whole, to, result);
        }
    };
    let steps = [
        Step {
            width: 4,
            body: &four,
        },
        Step {
            width: 1,
            body: &scalar,
        },
    ];
    let steps = if vectors { &steps[..] } else { &steps[1..] };
    map::kernel(context, node, &name(op), &[], steps)
}

/// Two inputs, each worked out once.
fn pair(f: &mut Builder, inputs: Vec<Expr>) -> [Expr; 2] {
    let mut inputs = inputs.into_iter();
    let mut next = |name| {
        let input = inputs.next().expect("two inputs");
        f.value(name, input)
    };
    [next("a"), next("b")]
}

/// A comparison as a condition or mask, and whether it holds where that does not.
fn compare(op: Binary, a: Expr, b: Expr) -> (Expr, bool) {
    let real = match a.ty() {
        Ty::F32 => Some([Op::F32Le, Op::F32Ge]),
        Ty::F32x4 => Some([Op::F32x4Le, Op::F32x4Ge]),
        Ty::I32 | Ty::I64 | Ty::F64 | Ty::I8x16 | Ty::I16x8 | Ty::I32x4 | Ty::I64x2 => None,
    };
    match (op, real) {
        (Binary::Equal, _) => (a.equals(b), false),
        (Binary::NotEqual, _) => (a.equals(b), true),
        (Binary::Less, _) => (a.lt(b), false),
        (Binary::Greater, _) => (b.lt(a), false),
        (Binary::LessEqual, Some([le, _])) => (Expr::op(le, [a, b]), false),
        (Binary::GreaterEqual, Some([_, ge])) => (Expr::op(ge, [a, b]), false),
        (Binary::LessEqual, None) => (b.lt(a), true),
        (Binary::GreaterEqual, None) => (a.lt(b), true),
        _ => unreachable!("{} is no comparison", op.name()),
    }
}

/// A comparison as 0 or 1.
fn truth((condition, negated): (Expr, bool)) -> Expr {
    if negated {
        Expr::op(Op::I32Eqz, [condition])
    } else {
        condition
    }
}

/// A comparison of vectors as 0 or 1 in each lane.
fn ones((mask, negated): (Expr, bool)) -> Expr {
    let constant = |value: bool| Expr::constant(mask.ty(), value.into());
    constant(!negated).or_else(mask.clone(), constant(negated))
}

/// Integers as they are.
fn plain(context: &mut Context, node: &Node, op: Binary, activation: Activation) -> Kernel {
    let ty = context.tensor(node, 0).ty;
    let scalar = map::elements(context, node, |f, inputs| {
        let [a, b] = pair(f, inputs);
        if op.is_comparison() {
            return truth(compare(op, a, b));
        }
        let result = integer(f, op, ty, a, b);
        clamp_plain(f, ty, activation, result)
    });
    let sixteen = |f: &mut Builder, inputs: &[Input], to: Address| {
        let [a, b] = [0, 1].map(|i: usize| inputs[i].bytes());
        let signed = ty == DataType::I8;
        let op = match (op, signed) {
            (Binary::Maximum, true) => Op::I8x16MaxS,
            (Binary::Maximum, false) => Op::I8x16MaxU,
            (_, true) => Op::I8x16MinS,
            (_, false) => Op::I8x16MinU,
        };
        f.store(Store::Whole, to, Expr::op(op, [a, b]));
    };
    let steps = [
        Step {
            width: 16,
            body: &sixteen,
        },
        Step {
            width: 1,
            body: &scalar,
        },
    ];
    let bytes = ty == DataType::I8 || ty == DataType::U8;
    let in_vectors = bytes && matches!(op, Binary::Maximum | Binary::Minimum);
    let steps = if in_vectors && vectors(context.simd) {
        &steps[..]
    } else {
        &steps[1..]
    };
    map::kernel(context, node, &name(op), &[], steps)
}

/// The function of two integers of a type, as `element::load` gives them; perhaps with bits above the
/// type's.
fn integer(f: &mut Builder, op: Binary, ty: DataType, a: Expr, b: Expr) -> Expr {
    match op {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Maximum => {
            let greater = b.clone().lt(a.clone());
            a.or_else(greater, b)
        }
        Binary::Minimum => {
            let less = a.clone().lt(b.clone());
            a.or_else(less, b)
        }
        Binary::SquaredDifference => {
            let difference = f.value("difference", a - b);
            difference.clone() * difference
        }
        Binary::Div | Binary::FloorDiv | Binary::FloorMod => divide(f, op, &a, &b),
        Binary::Pow => power(f, a, b),
        Binary::LogicalAnd => a & b,
        Binary::LogicalOr => a | b,
        Binary::BitwiseXor => a ^ b,
        Binary::RightShift => {
            let most = ty.size() as i32 * 8 - 1;
            a >> clamp(f, b, (0, most))
        }
        Binary::AddPowers
        | Binary::SubPowers
        | Binary::Prelu
        | Binary::Equal
        | Binary::NotEqual
        | Binary::Greater
        | Binary::GreaterEqual
        | Binary::Less
        | Binary::LessEqual => unreachable!("{} is no plain function", op.name()),
    }
}

/// Quotients and remainders in 64 bits, in which the quotient of 32 bits always fits. A divisor of 0 is
/// replaced, as dividing by it would trap.
fn divide(f: &mut Builder, op: Binary, a: &Expr, b: &Expr) -> Expr {
    let narrow = a.ty() == Ty::I32;
    let wide = |x: &Expr| {
        if narrow {
            Expr::op(Op::I64ExtendI32S, [x.clone()])
        } else {
            x.clone()
        }
    };
    let a = f.value("a", wide(a));
    let b = f.value("b", wide(b));
    let zero = || Expr::I64(0);
    let by_zero = f.value("by_zero", b.clone().equals(zero()));
    let divisor = f.value("divisor", Expr::I64(1).or_else(by_zero.clone(), b.clone()));
    let result = if op == Binary::Div {
        zero().or_else(by_zero, a / divisor)
    } else {
        let rest = f.value("rest", a.clone() % divisor.clone());
        let signs = if op == Binary::FloorDiv {
            a.clone() ^ b
        } else {
            rest.clone() ^ b
        };
        // Where something is left and the signs differ, the quotient is cut off in the wrong direction.
        let left = Expr::op(Op::I64Ne, [rest.clone(), zero()]);
        let off = f.value("off", left & signs.lt(zero()));
        if op == Binary::FloorDiv {
            let off = Expr::op(Op::I64ExtendI32U, [off]);
            zero().or_else(by_zero, a / divisor - off)
        } else {
            let moved = rest.clone() + divisor;
            a.or_else(by_zero, moved.or_else(off, rest))
        }
    };
    if narrow {
        Expr::op(Op::I32WrapI64, [result])
    } else {
        result
    }
}

/// a to the power of b, by squaring, modulo 2^32.
fn power(f: &mut Builder, a: Expr, b: Expr) -> Expr {
    let below = b.clone().lt(Expr::I32(0));
    let exponent = f.accumulator("exponent", Expr::I32(0).or_else(below, b));
    let base = f.accumulator("base", a);
    let power = f.accumulator("power", Expr::I32(1));
    f.repeat(
        |_| exponent.clone(),
        |f| {
            let odd = exponent.clone() & Expr::I32(1);
            let multiplied = power.clone() * base.clone();
            f.set(&power, multiplied.or_else(odd, power.clone()));
            f.set(&base, base.clone() * base.clone());
            let half = Expr::op(Op::I32ShrU, [exponent.clone(), Expr::I32(1)]);
            f.set(&exponent, half);
        },
    );
    power
}

/// An unquantised integer after an activation, for which it wraps to its type first.
fn clamp_plain(f: &mut Builder, ty: DataType, activation: Activation, x: Expr) -> Expr {
    let (least, most) = match activation {
        Activation::None => return x,
        Activation::Relu => (0, None),
        Activation::ReluN1To1 => (-1, Some(1)),
        Activation::Relu6 => (0, Some(6)),
    };
    let mut x = x;
    if x.ty() == Ty::I32 && ty.size() < 4 {
        let above = Expr::I32(32 - 8 * ty.size() as i32);
        x = (x << above.clone()) >> above;
    }
    let constant = |value| Expr::constant(x.ty(), value);
    let (least, most) = (constant(least), most.map(constant));
    let x = f.value("x", x);
    let x = least.clone().or_else(x.clone().lt(least), x);
    let Some(most) = most else { return x };
    let x = f.value("x", x);
    most.clone().or_else(most.lt(x.clone()), x)
}

/// A factor in every lane of `ty`.
fn factor(ty: Ty, factor: Requantization) -> FactorExprs {
    FactorExprs::constant(ty, Factor::new(factor, Rounding::Twice))
}

/// `x`, an I32, times a factor.
pub(super) fn scaled(f: &mut Builder, x: Expr, by: Requantization) -> Expr {
    let x = requantize(f, x, &factor(Ty::I32, by), Rounding::Twice);
    f.value("scaled", x)
}

/// Sums, differences and squared differences of quantised integers.
fn sum(
    context: &mut Context,
    node: &Node,
    op: Binary,
    activation: Activation,
) -> Result<Kernel, String> {
    let params = quant::sum_params(context.graph, node, activation)?;
    let y = context.tensor(node, 0);
    let scalar = map::elements(context, node, |f, inputs| {
        let inputs = inputs.into_iter().zip(params.inputs);
        let shifted = inputs.map(|(x, (zero_point, _))| x - Expr::I32(zero_point));
        let sum = sum_of(f, &params, op, shifted.collect());
        offset_and_clamp(f, sum, params.output_zero_point, params.range)
    });
    let signed = is_signed(y);
    let eight = |f: &mut Builder, inputs: &[Input], to: Address| {
        let zero_points = params.inputs.map(|(zero_point, _)| zero_point);
        let [a, b] = widened(f, inputs, zero_points, signed);
        let halves = [Op::I32x4ExtendLowI16x8S, Op::I32x4ExtendHighI16x8S];
        let sums = halves.map(|extend| {
            let half = |x: &Expr| Expr::op(extend, [x.clone()]);
            let sum = sum_of(f, &params, op, vec![half(&a), half(&b)]);
            f.value("sum", sum)
        });
        let bytes = narrow(f, &sums, params.output_zero_point, params.range, signed);
        f.store(Store::Lane { bytes: 8, lane: 0 }, to, bytes);
    };
    let steps = eight_and_one(&eight, &scalar);
    let in_vectors = y.ty.size() == 1 && vectors(context.simd);
    let steps = if in_vectors { &steps[..] } else { &steps[1..] };
    Ok(map::kernel(context, node, &name(op), &[], steps))
}

fn eight_and_one<'a>(
    eight: &'a dyn Fn(&mut Builder, &[Input], Address),
    scalar: &'a dyn Fn(&mut Builder, &[Input], Address),
) -> [Step<'a>; 2] {
    [
        Step {
            width: 8,
            body: eight,
        },
        Step {
            width: 1,
            body: scalar,
        },
    ]
}

/// Eight bytes of each of two inputs as 16-bit lanes, less their zero points.
fn widened(f: &mut Builder, inputs: &[Input], zero_points: [i32; 2], signed: bool) -> [Expr; 2] {
    [0, 1].map(|i: usize| {
        let at = inputs[i].at.clone();
        let x = match (inputs[i].same, signed) {
            (false, true) => Expr::Load(Load::I8x8, at),
            (false, false) => Expr::Load(Load::U8x8, at),
            (true, true) => Expr::op(Op::I16x8ExtendLowI8x16S, [Expr::Load(Load::Splat8, at)]),
            (true, false) => Expr::op(Op::I16x8ExtendLowI8x16U, [Expr::Load(Load::Splat8, at)]),
        };
        let x = x - Expr::constant(Ty::I16x8, zero_points[i].into());
        f.value("x", x)
    })
}

/// The sum, difference or squared difference of two values less their zero points, not yet offset; I32 or
/// I32x4 as the inputs are.
fn sum_of(f: &mut Builder, params: &SumParams, op: Binary, inputs: Vec<Expr>) -> Expr {
    let ty = inputs[0].ty();
    let mut scaled = Vec::new();
    for (x, (_, of_input)) in inputs.into_iter().zip(params.inputs) {
        let x = if params.left_shift > 0 {
            x << Expr::I32(params.left_shift as i32)
        } else {
            x
        };
        let x = requantize(f, x, &factor(ty, of_input), Rounding::Twice);
        scaled.push(f.value("scaled", x));
    }
    let [a, b] = [0, 1].map(|i: usize| scaled[i].clone());
    let sum = if op == Binary::Add {
        a + b
    } else if op == Binary::Sub {
        a - b
    } else {
        let difference = f.value("difference", a - b);
        difference.clone() * difference
    };
    requantize(f, sum, &factor(ty, params.output), Rounding::Twice)
}

/// ADD and SUB of I16 whose scales are powers of two.
fn powers(
    context: &mut Context,
    node: &Node,
    op: Binary,
    activation: Activation,
) -> Result<Kernel, String> {
    let params = quant::powers_params(context.graph, node, activation)?;
    let scalar = map::elements(context, node, |f, inputs| {
        let mut shifted = Vec::new();
        for (x, shift) in inputs.into_iter().zip(params.shifts) {
            let shift = shift as i32;
            if shift == 0 {
                shifted.push(x);
                continue;
            }
            // To nearest; the 1 taken off below zero moves only what lies on a half.
            let x = f.value("x", x);
            let below = x.clone() >> Expr::I32(31);
            let half = Expr::I32(1 << (shift - 1));
            shifted.push((x + below + half) >> Expr::I32(shift));
        }
        let [a, b] = [0, 1].map(|i: usize| shifted[i].clone());
        let sum = if op == Binary::AddPowers {
            a + b
        } else {
            a - b
        };
        clamp(f, sum, params.range)
    });
    let step = Step {
        width: 1,
        body: &scalar,
    };
    Ok(map::kernel(context, node, &name(op), &[], &[step]))
}

/// MUL of quantised integers.
fn product(context: &mut Context, node: &Node, activation: Activation) -> Result<Kernel, String> {
    let params = quant::product_params(context.graph, node, activation)?;
    let ProductParams {
        zero_points,
        requantization,
        output_zero_point,
        range,
    } = params;
    let scalar = map::elements(context, node, |f, inputs| {
        let [a, b] = less(&inputs, zero_points);
        let result = scaled(f, a * b, requantization);
        offset_and_clamp(f, result, output_zero_point, range)
    });
    let signed = is_signed(context.tensor(node, 0));
    let eight = |f: &mut Builder, inputs: &[Input], to: Address| {
        let [a, b] = widened(f, inputs, zero_points, signed);
        let halves = [Op::I32x4ExtMulLowI16x8S, Op::I32x4ExtMulHighI16x8S];
        let products = halves.map(|multiply| {
            let product = Expr::op(multiply, [a.clone(), b.clone()]);
            let by = factor(Ty::I32x4, requantization);
            let product = requantize(f, product, &by, Rounding::Twice);
            f.value("product", product)
        });
        let bytes = narrow(f, &products, output_zero_point, range, signed);
        f.store(Store::Lane { bytes: 8, lane: 0 }, to, bytes);
    };
    let steps = eight_and_one(&eight, &scalar);
    let in_vectors = context.tensor(node, 0).ty.size() == 1 && vectors(context.simd);
    let steps = if in_vectors { &steps[..] } else { &steps[1..] };
    Ok(map::kernel(context, node, "mul", &[], steps))
}

/// Two inputs less their zero points.
pub(super) fn less(inputs: &[Expr], zero_points: [i32; 2]) -> [Expr; 2] {
    [0, 1].map(|i: usize| {
        let x = inputs[i].clone();
        if zero_points[i] == 0 {
            x
        } else {
            x - Expr::I32(zero_points[i])
        }
    })
}

/// PRELU of quantised integers.
fn slope(context: &mut Context, node: &Node) -> Result<Kernel, String> {
    let params = quant::slope_params(context.graph, node)?;
    let scalar = map::elements(context, node, |f, inputs| {
        let [x, slope] = less(&inputs, params.zero_points);
        let x = f.value("x", x);
        let above = scaled(f, x.clone(), params.above);
        let below = scaled(f, x.clone() * slope, params.below);
        let result = below.or_else(x.lt(Expr::I32(0)), above);
        offset_and_clamp(f, result, params.output_zero_point, params.range)
    });
    let step = Step {
        width: 1,
        body: &scalar,
    };
    Ok(map::kernel(context, node, "prelu", &[], &[step]))
}

/// Comparisons of quantised integers: where both inputs have one scale that tells all of them apart, as they
/// are.
fn compare_scaled(context: &mut Context, node: &Node, op: Binary) -> Result<Kernel, String> {
    let params = quant::comparison_params(context.graph, node)?;
    let [a, b]: [&Tensor; 2] = [0, 1].map(|i| context.tensor(node, i));
    let direct = params[0] == params[1] && a.ty.size() == 1 && {
        let (least, most) = quant::element_range(a.ty)?;
        let by = Factor::new(params[0].1, Rounding::Twice);
        let scaled = |x: i32| by.apply_twice((x - params[0].0) << quant::COMPARISON_SHIFT);
        (least..most).all(|x| scaled(x) < scaled(x + 1))
    };
    let scalar = map::elements(context, node, |f, inputs| {
        if direct {
            let [a, b] = pair(f, inputs);
            return truth(compare(op, a, b));
        }
        let mut values = Vec::new();
        for (x, (zero_point, by)) in inputs.into_iter().zip(params) {
            let shifted = (x - Expr::I32(zero_point)) << Expr::I32(quant::COMPARISON_SHIFT as i32);
            values.push(scaled(f, shifted, by));
        }
        let [a, b] = pair(f, values);
        truth(compare(op, a, b))
    });
    // Signed bytes only: there is no need of the others.
    let sixteen = |f: &mut Builder, inputs: &[Input], to: Address| {
        let [a, b] = pair(f, inputs.iter().map(Input::bytes).collect());
        let results = ones(compare(op, a, b));
        f.store(Store::Whole, to, results);
    };
    let steps = [
        Step {
            width: 16,
            body: &sixteen,
        },
        Step {
            width: 1,
            body: &scalar,
        },
    ];
    let in_vectors = direct && b.ty == DataType::I8 && vectors(context.simd);
    let steps = if in_vectors { &steps[..] } else { &steps[1..] };
    Ok(map::kernel(context, node, &name(op), &[], steps))
}

/// The greater or lesser of two f32 as MAXIMUM and MINIMUM have it: the second where they do not compare.
pub(super) fn extreme(greater: bool, a: Expr, b: Expr) -> Expr {
    if greater {
        at_least(b, a)
    } else {
        at_most(b, a)
    }
}
