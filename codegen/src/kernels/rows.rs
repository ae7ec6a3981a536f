//! `LOG_SOFTMAX` and `L2_NORMALIZATION`: what makes each row over the last dimension of the same row.

use rune_ir::{
    graph::{DataType, Node, Tensor},
    op::Normalize,
    quant::{self, Rounding, SoftmaxParams},
};

use super::{
    Context, element,
    exp::expf,
    fixed::{divide_by_power, high, inverse_square_root, logarithm, wide},
    float::{at_least, canonical},
    linear::vectors,
    requantize::{Factor, FactorExprs, clamp, requantize},
    softmax::{SUM_BITS, exponential, scaled_difference},
};
use crate::nest::{Address, Affine, BufferId, Builder, Expr, Kernel, Load, Op, Role, Store, Ty};

/// Rows of a dense tensor and where its results go.
struct Rows<'a> {
    x: &'a Tensor,
    from: BufferId,
    to: BufferId,
    depth: u32,
}

impl<'a> Rows<'a> {
    fn new(context: &mut Context<'a>, node: &Node) -> Result<Self, String> {
        let (x, from) = context.input(node, 0);
        let (_, to) = context.output(node);
        Ok(Self {
            x,
            from,
            to,
            depth: *x.shape.last().ok_or("it has no dimension")?,
        })
    }

    fn count(&self) -> u32 {
        self.x.elements() as u32 / self.depth
    }

    fn at(&self, buffer: BufferId, row: &Affine, i: &Affine) -> Address {
        Address {
            buffer,
            offset: (row * self.depth + i) * self.x.ty.size(),
        }
    }

    fn load(&self, row: &Affine, i: &Affine) -> Expr {
        element::at(self.x.ty, &self.at(self.from, row, i))
    }

    fn store(&self, f: &mut Builder, row: &Affine, i: &Affine, value: Expr) {
        element::put(f, self.x.ty, &self.at(self.to, row, i), value);
    }

    /// Replaces every element of a row of f32 by what `function` makes of it, F32 or F32x4.
    fn map_floats(
        &self,
        f: &mut Builder,
        row: &Affine,
        in_vectors: bool,
        function: impl Fn(Expr) -> Expr,
    ) {
        let whole = if in_vectors { self.depth / 4 * 4 } else { 0 };
        for (first, end, step, ty) in [(0, whole, 4, Ty::F32x4), (whole, self.depth, 1, Ty::F32)] {
            f.range("i", first, end, step, |f, i| {
                let x = Expr::Load(Load::Whole(ty), self.at(self.from, row, i));
                let y = canonical(f, function(x));
                f.store(Store::Whole, self.at(self.to, row, i), y);
            });
        }
    }
}

/// The same value in every lane of `ty`.
fn spread(ty: Ty, x: &Expr) -> Expr {
    if ty == Ty::F32x4 {
        Expr::op(Op::F32x4Splat, [x.clone()])
    } else {
        x.clone()
    }
}

pub(super) fn normalize(
    context: &mut Context,
    node: &Node,
    op: Normalize,
) -> Result<Kernel, String> {
    match op {
        Normalize::LogSoftmax => log_softmax(context, node),
        Normalize::L2 => l2_normalization(context, node),
    }
}

/// `LOG_SOFTMAX`.
fn log_softmax(context: &mut Context, node: &Node) -> Result<Kernel, String> {
    let rows = Rows::new(context, node)?;
    let simd = vectors(context.simd);
    let mut f = Builder::new("log_softmax");
    f.operand(Role::Read, "x", rows.from);
    if rows.x.ty == DataType::F32 {
        f.operand(Role::Write, "y", rows.to);
        f.each("row", rows.count(), |f, row| {
            log_of_floats(f, &rows, row, simd);
        });
        return Ok(f.finish());
    }
    let params = quant::log_softmax_params(context.graph, node)?;
    let table = |of: &dyn Fn(i32) -> i32| (0..256).flat_map(|d| of(-d).to_le_bytes()).collect();
    let exponentials = table(&|d| {
        let e = exponential(d, params.softmax);
        ((i64::from(e) + (1 << (SUM_BITS - 1))) >> SUM_BITS) as i32
    });
    let exponentials = context.constant("exponentials", exponentials);
    let scaled = table(&|d| scaled_difference(d, params.softmax));
    let scaled = context.constant("scaled", scaled);
    f.operand(Role::Read, "exponentials", exponentials);
    f.operand(Role::Read, "scaled", scaled);
    f.operand(Role::Write, "y", rows.to);
    let (least, most) = quant::element_range(rows.x.ty)?;
    let entry = |buffer, d: &Affine| {
        let offset = d * 4;
        Expr::Load(Load::Whole(Ty::I32), Address { buffer, offset })
    };
    let reverse = Factor::new(params.reverse, Rounding::Twice);
    let reverse = FactorExprs::constant(Ty::I32, reverse);
    f.each("row", rows.count(), |f, row| {
        let greatest = f.accumulator("greatest", Expr::I32(least));
        f.each("i", rows.depth, |f, i| {
            let x = f.value("x", rows.load(row, i));
            let more = greatest.clone().lt(x.clone());
            f.set(&greatest, x.or_else(more, greatest.clone()));
        });
        let sum = f.accumulator("sum", Expr::I32(0));
        f.each("i", rows.depth, |f, i| {
            let below = f.index("below", greatest.clone() - rows.load(row, i));
            f.set(&sum, sum.clone() + entry(exponentials, &below));
        });
        let log = logarithm(f, sum);
        let limit = requantize(
            f,
            log.clone() + Expr::I32(i32::MIN),
            &reverse,
            Rounding::Twice,
        );
        let limit = f.value("limit", limit);
        let floor = Expr::I32(params.softmax.least_difference - 1);
        let low = limit.clone().lt(floor.clone());
        let limit = f.value("limit", floor.or_else(low, limit));
        f.each("i", rows.depth, |f, i| {
            let below = f.index("below", greatest.clone() - rows.load(row, i));
            let difference = entry(scaled, &below) - log.clone();
            let shift = Expr::I64(i64::from(31 - SoftmaxParams::INTEGER_BITS - 4));
            let result = divide_by_power(f, difference, shift) + Expr::I32(most);
            let result = clamp(f, result, (least, most));
            let result = f.value("result", result);
            let fits = limit.clone().lt(Expr::I32(0) - Expr::from(&below));
            rows.store(f, row, i, result.or_else(fits, Expr::I32(least)));
        });
    });
    Ok(f.finish())
}

fn log_of_floats(f: &mut Builder, rows: &Rows, row: &Affine, simd: bool) {
    let greatest = f.accumulator("greatest", Expr::f32(f32::MIN));
    f.each("i", rows.depth, |f, i| {
        let x = f.value("x", rows.load(row, i));
        f.set(&greatest, at_least(greatest.clone(), x));
    });
    let sum = f.accumulator("sum", Expr::f32(0.0));
    f.each("i", rows.depth, |f, i| {
        let e = expf(f, rows.load(row, i) - greatest.clone());
        f.set(&sum, sum.clone() + e);
    });
    let log = log_of_at_least_one(f, sum);
    rows.map_floats(f, row, simd, |x| {
        let ty = x.ty();
        x - spread(ty, &greatest) - spread(ty, &log)
    });
}

/// The natural logarithm of a number from 1 up, or of NaN: `libm::logf` there, bit for bit.
///
/// x = 2^k * (1 + t) with 1 + t between the root of 1/2 and that of 2; log(1 + t) comes of a polynomial in
/// t / (2 + t), and is added to the k-fold log(2) in two parts.
fn log_of_at_least_one(f: &mut Builder, x: Expr) -> Expr {
    const LN2_HIGH: f32 = f32::from_bits(0x3f31_7180);
    const LN2_LOW: f32 = f32::from_bits(0x3717_f7d1);
    const POLYNOMIAL: [u32; 4] = [0x3f2a_aaaa, 0x3ecc_ce13, 0x3e91_e9ee, 0x3e78_9e26];
    const ROOT_HALF: i32 = 0x3f35_04f3;
    const ONE: i32 = 0x3f80_0000;
    let x = f.value("x", x);
    let bits = Expr::op(Op::I32ReinterpretF32, [x.clone()]);
    let bits = f.value("bits", bits + Expr::I32(ONE - ROOT_HALF));
    let k = (bits.clone() >> Expr::I32(23)) - Expr::I32(127);
    let k = f.value("k", Expr::op(Op::F32ConvertI32S, [k]));
    let mantissa = (bits & Expr::I32(0x007f_ffff)) + Expr::I32(ROOT_HALF);
    let t = Expr::op(Op::F32ReinterpretI32, [mantissa]) - Expr::f32(1.0);
    let t = f.value("t", t);
    let s = f.value("s", t.clone() / (Expr::f32(2.0) + t.clone()));
    let z = f.value("z", s.clone() * s.clone());
    let w = f.value("w", z.clone() * z.clone());
    let [p1, p2, p3, p4] = POLYNOMIAL.map(Expr::F32);
    let even = w.clone() * (p2 + w.clone() * p4);
    let odd = z * (p1 + w * p3);
    let half_square = Expr::f32(0.5) * t.clone() * t.clone();
    let half_square = f.value("half_square", half_square);
    let log = s * (half_square.clone() + (odd + even)) + k.clone() * Expr::f32(LN2_LOW)
        - half_square
        + t
        + k * Expr::f32(LN2_HIGH);
    let number = x.clone().equals(x.clone());
    f.value("log", log.or_else(number, x))
}

/// `L2_NORMALIZATION`.
fn l2_normalization(context: &mut Context, node: &Node) -> Result<Kernel, String> {
    const LEAST_NORM: f32 = 1e-6;
    let rows = Rows::new(context, node)?;
    let simd = vectors(context.simd);
    let ty = rows.x.ty;
    let mut f = Builder::new("l2_normalization");
    f.operand(Role::Read, "x", rows.from);
    f.operand(Role::Write, "y", rows.to);
    if ty == DataType::F32 {
        f.each("row", rows.count(), |f, row| {
            let sum = f.accumulator("sum", Expr::f32(0.0));
            f.each("i", rows.depth, |f, i| {
                let x = f.value("x", rows.load(row, i));
                f.set(&sum, sum.clone() + x.clone() * x);
            });
            let norm = f.value("norm", Expr::op(Op::F32Sqrt, [sum]));
            let norm = f.value("norm", at_least(norm, Expr::f32(LEAST_NORM)));
            rows.map_floats(f, row, simd, |x| {
                let ty = x.ty();
                x / spread(ty, &norm)
            });
        });
        return Ok(f.finish());
    }
    let (_, zero_point) = quant::affine(rows.x)?;
    let (least, most) = quant::element_range(ty)?;
    let signed = ty == DataType::I8;
    f.each("row", rows.count(), |f, row| {
        let centred = |i: &Affine| rows.load(row, i) - Expr::I32(zero_point);
        let sum = f.accumulator("sum", Expr::I32(0));
        f.each("i", rows.depth, |f, i| {
            let x = f.value("x", centred(i));
            f.set(&sum, sum.clone() + x.clone() * x);
        });
        let [multiplier, shift] = inverse_square_root(f, sum);
        // The results of I8 are scaled by 2^7 as far as that leaves no shift to the right, those of U8
        // always.
        let (left, right) = if signed {
            let rest = f.value("rest", Expr::I32(7) - shift);
            let below = f.value("below", rest.clone().lt(Expr::I32(0)));
            let left = Expr::I32(0).or_else(below.clone(), rest.clone());
            let right = (Expr::I32(0) - rest).or_else(below, Expr::I32(0));
            (f.value("left", left), right)
        } else {
            (Expr::I32(7), shift)
        };
        let right = f.value("right", wide(right));
        f.each("i", rows.depth, |f, i| {
            let x = high(f, centred(i) << left.clone(), multiplier.clone());
            let quotient = divide_by_power(f, x, right.clone());
            let middle = if signed { 0 } else { 128 };
            let result = clamp(f, quotient + Expr::I32(middle), (least, most));
            rows.store(f, row, i, result);
        });
    });
    Ok(f.finish())
}
