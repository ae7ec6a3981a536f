//! SOFTMAX over the last dimension.
//!
//! f32: exponentials are kept in the result until their sum is known. Integers, in gemmlowp's fixed point
//! (a number with n integer bits is an i32 over 2^(31 - n)): the exponential of each of the 256
//! differences of bytes is a table made here; only the reciprocal of their sum is computed at run time.
//! I16: both functions are tables, between whose entries lie straight lines.

use rune_ir::{
    graph::{DataType, Node},
    quant::{self, Rounding, SoftmaxParams},
};

use super::{
    Context, element,
    exp::expf,
    fixed::{reciprocal, wide},
    float::{at_least, canonical},
    is_signed,
    requantize::{Factor, FactorExprs, clamp, requantize},
};
use crate::nest::{Address, Affine, BufferId, Builder, Expr, Kernel, Load, Op, Role, Store, Ty};

/// Integer bits of a sum of exponentials.
pub(super) const SUM_BITS: u32 = 12;

pub(super) fn softmax(context: &mut Context, node: &Node, beta: f32) -> Result<Kernel, String> {
    let (x, from) = context.input(node, 0);
    let (y, to) = context.output(node);
    let depth = *x.shape.last().ok_or("it has no dimension")?;
    let rows = x.elements() as u32 / depth;
    let mut f = Builder::new("softmax");
    f.operand(Role::Read, "x", from);
    if x.ty == DataType::F32 {
        f.operand(Role::Write, "y", to);
        f.each("row", rows, |f, row| {
            float_row(f, (from, to), row, depth, beta);
        });
    } else if x.ty == DataType::I16 {
        wide_rows(context, node, &mut f, beta)?;
    } else {
        let params = quant::softmax_params(context.graph, node, beta)?;
        let table = (0..256).flat_map(|d| exponential(-d, params).to_le_bytes());
        let table = context.constant("exponentials", table.collect());
        f.operand(Role::Read, "table", table);
        f.operand(Role::Write, "y", to);
        let row = IntegerRow {
            from,
            to,
            table,
            signed: is_signed(x),
            result: y.ty,
            depth,
        };
        f.each("row", rows, |f, index| row.write(f, index));
    }
    Ok(f.finish())
}

fn float_row(
    f: &mut Builder,
    (from, to): (BufferId, BufferId),
    row: &Affine,
    depth: u32,
    beta: f32,
) {
    let at = |buffer, i: &Affine| Address {
        buffer,
        offset: (row * depth + i) * 4,
    };
    let load = |buffer, i: &Affine| Expr::Load(Load::Whole(Ty::F32), at(buffer, i));
    let greatest = f.accumulator("greatest", Expr::f32(f32::MIN));
    f.each("i", depth, |f, i| {
        let x = f.value("x", load(from, i));
        f.set(&greatest, at_least(greatest.clone(), x));
    });
    let sum = f.accumulator("sum", Expr::f32(0.0));
    f.each("i", depth, |f, i| {
        let difference = load(from, i) - greatest.clone();
        let scaled = if beta == 1.0 {
            difference
        } else {
            difference * Expr::f32(beta)
        };
        let e = expf(f, scaled);
        let e = f.value("e", e);
        f.store(Store::Whole, at(to, i), e.clone());
        f.set(&sum, sum.clone() + e);
    });
    f.each("i", depth, |f, i| {
        let result = canonical(f, load(to, i) / sum.clone());
        f.store(Store::Whole, at(to, i), result);
    });
}

/// What the code for a row of integers needs.
struct IntegerRow {
    from: BufferId,
    to: BufferId,
    /// The exponential of minus each index.
    table: BufferId,
    signed: bool,
    /// The type of results.
    result: DataType,
    depth: u32,
}

impl IntegerRow {
    fn at(&self, buffer: BufferId, row: &Affine, i: &Affine) -> Address {
        Address {
            buffer,
            offset: row * self.depth + i,
        }
    }

    fn load(&self, row: &Affine, i: &Affine) -> Expr {
        let load = if self.signed { Load::I8 } else { Load::U8 };
        Expr::Load(load, self.at(self.from, row, i))
    }

    /// The exponential of element `i` less the greatest.
    fn exponential(&self, f: &mut Builder, row: &Affine, i: &Affine, greatest: &Expr) -> Expr {
        let below = f.index("below", greatest.clone() - self.load(row, i));
        let offset = below * 4;
        let buffer = self.table;
        Expr::Load(Load::Whole(Ty::I32), Address { buffer, offset })
    }

    fn write(&self, f: &mut Builder, row: &Affine) {
        let least = if self.signed { -128 } else { 0 };
        let greatest = f.accumulator("greatest", Expr::I32(least));
        f.each("i", self.depth, |f, i| {
            let x = f.value("x", self.load(row, i));
            let more = greatest.clone().lt(x.clone());
            f.set(&greatest, x.or_else(more, greatest.clone()));
        });
        let sum = f.accumulator("sum", Expr::I32(0));
        f.each("i", self.depth, |f, i| {
            let e = self.exponential(f, row, i, &greatest);
            // Exponentials are not negative, but rounding may carry into the sign.
            let rounded = e + Expr::I32(1 << (SUM_BITS - 1));
            let scaled = Expr::op(Op::I32ShrU, [rounded, Expr::I32(SUM_BITS as i32)]);
            f.set(&sum, sum.clone() + scaled);
        });
        // sum = 2^(SUM_BITS - zeros) * (1 + fraction).
        let zeros = f.value("zeros", Expr::op(Op::I32Clz, [sum.clone()]));
        let fraction = (sum << zeros.clone()) & Expr::I32(i32::MAX);
        let reciprocal = reciprocal(f, fraction);
        let bits = 8 * self.result.size() as i32;
        let (least, most) = if self.result == DataType::U8 {
            (0, 255)
        } else {
            (-1 << (bits - 1), (1 << (bits - 1)) - 1)
        };
        let shift = Expr::I32(SUM_BITS as i32 + 31 - bits) - zeros;
        let shift = f.value("shift", Expr::op(Op::I64ExtendI32S, [shift]));
        let half = Expr::op(Op::I64Shl, [Expr::I64(1), shift.clone()]) >> Expr::I64(1);
        let half = f.value("half", half);
        f.each("i", self.depth, |f, i| {
            let e = self.exponential(f, row, i, &greatest);
            let product = wide(e) * reciprocal.clone() + Expr::I64(1 << 30);
            let scaled = ((product >> Expr::I64(31)) + half.clone()) >> shift.clone();
            let result = Expr::op(Op::I32WrapI64, [scaled]) + Expr::I32(least);
            let result = clamp(f, result, (least, most));
            let index = row * self.depth + i;
            let at = element::element(self.to, &index, self.result.size());
            element::put(f, self.result, &at, result);
        });
    }
}

/// The rows of a SOFTMAX on I16.
fn wide_rows(context: &mut Context, node: &Node, f: &mut Builder, beta: f32) -> Result<(), String> {
    let (x, from) = context.input(node, 0);
    let (_, to) = context.output(node);
    let depth = *x.shape.last().ok_or("it has no dimension")?;
    let params = quant::softmax16_params(context.graph, node, beta)?;
    let mut table = |name, entries: Vec<i16>| {
        let bytes = entries.into_iter().flat_map(i16::to_le_bytes);
        context.constant(name, bytes.collect())
    };
    let exponentials = table("exponentials", params.exponentials);
    let reciprocals = table("reciprocals", params.reciprocals);
    f.operand(Role::Read, "exponentials", exponentials);
    f.operand(Role::Read, "reciprocals", reciprocals);
    f.operand(Role::Write, "y", to);
    let factor = Factor::new(params.requantization, Rounding::Twice);
    let factor = FactorExprs::constant(Ty::I32, factor);
    f.each("row", x.elements() as u32 / depth, |f, row| {
        let get = |buffer, i: &Affine| element::get(x.ty, buffer, &(row * depth + i));
        let to_at = |i: &Affine| element::element(to, &(row * depth + i), 2);
        let greatest = f.accumulator("greatest", Expr::I32(-32768));
        f.each("i", depth, |f, i| {
            let x = f.value("x", get(from, i));
            let more = greatest.clone().lt(x.clone());
            f.set(&greatest, x.or_else(more, greatest.clone()));
        });
        let sum = f.accumulator("sum", Expr::I32(0));
        f.each("i", depth, |f, i| {
            let difference = get(from, i) - greatest.clone();
            let scaled = requantize(f, difference, &factor, Rounding::Twice);
            // A scaled difference is not above 0, so that this cannot overflow.
            let e = look_up(f, exponentials, scaled + Expr::I32(32767));
            element::put(f, DataType::I16, &to_at(i), e.clone());
            f.set(&sum, sum.clone() + e);
        });
        // The highest bit moved to bit 30, and then sixteen bits kept.
        let zeros = f.value("zeros", Expr::op(Op::I32Clz, [sum.clone()]));
        let normal = wide(sum << (zeros.clone() - Expr::I32(1))) + Expr::I64(1 << 13);
        let normal = Expr::op(Op::I32WrapI64, [normal >> Expr::I64(14)]);
        let reciprocal = look_up(f, reciprocals, normal - Expr::I32((1 << 15) + (1 << 16)));
        let reciprocal = f.value("reciprocal", wide(reciprocal));
        let shift = f.value("shift", wide(Expr::I32(31) - zeros));
        let half = Expr::op(Op::I64Shl, [Expr::I64(1), shift.clone()]) >> Expr::I64(1);
        let half = f.value("half", half);
        f.each("i", depth, |f, i| {
            let product = wide(get(to, i)) * reciprocal.clone() + half.clone();
            let result = Expr::op(Op::I32WrapI64, [product >> shift.clone()]);
            let result = clamp(f, result, (0, 32767));
            element::put(f, DataType::I16, &to_at(i), result);
        });
    });
    Ok(())
}

/// The value of a table at `x`, brought into I16, on the line between two entries.
fn look_up(f: &mut Builder, table: BufferId, x: Expr) -> Expr {
    let x = clamp(f, x, (-32768, 32767));
    let x = f.value("x", x);
    let index = f.index("entry", (x.clone() >> Expr::I32(7)) + Expr::I32(256));
    let entry = |index: &Affine| element::get(DataType::I16, table, index);
    let base = f.value("base", entry(&index));
    let slope = entry(&(&index + 1)) - base.clone();
    let part = slope * (x & Expr::I32(127)) + Expr::I32(64);
    f.value("line", base + (part >> Expr::I32(7)))
}

/// The exponential of a difference of two inputs, not above zero, without integer bits.
pub(super) fn exponential(difference: i32, params: SoftmaxParams) -> i32 {
    if difference < params.least_difference {
        return 0;
    }
    exponential_of_fixed(scaled_difference(difference, params))
}

/// A difference of two inputs in fixed point with 5 integer bits.
pub(super) fn scaled_difference(difference: i32, params: SoftmaxParams) -> i32 {
    let shifted = (i64::from(difference) << params.left_shift) as i32;
    high(shifted, params.multiplier)
}

/// (a * b + 2^30) >> 31; never of twice the least integer here.
fn high(a: i32, b: i32) -> i32 {
    ((i64::from(a) * i64::from(b) + (1 << 30)) >> 31) as i32
}

/// x / 2^n, halves away from zero.
fn rounded_quotient(x: i32, n: u32) -> i32 {
    let half = 1i64 << (n - 1);
    ((i64::from(x) + half - i64::from(x < 0)) >> n) as i32
}

/// exp(x) for x <= 0 with 5 integer bits.
fn exponential_of_fixed(x: i32) -> i32 {
    /// exp(-1/8) and 1/3, without integer bits.
    const EXP_MINUS_EIGHTH: i32 = 1_895_147_668;
    const THIRD: i32 = 715_827_883;
    /// exp(-2^n) for n from -2 up.
    const FACTORS: [i32; 7] = [
        1_672_461_947,
        1_302_514_674,
        790_015_084,
        290_630_308,
        39_332_535,
        720_401,
        242,
    ];
    const QUARTER: i32 = 1 << 24;
    if x == 0 {
        return i32::MAX;
    }
    // x = r - q: r in -1/4..0 and q whole quarters.
    let r = (x & (QUARTER - 1)) - QUARTER;
    let q = r - x;
    // Taylor around -1/8, t = r + 1/8: 1 + t + t^2/2 + t^3/6 + t^4/24.
    let t = (r << SoftmaxParams::INTEGER_BITS) + (1 << 28);
    let t2 = high(t, t);
    let t3 = high(t2, t);
    let t4 = rounded_quotient(high(t2, t2), 2);
    let tail = rounded_quotient(high(t4 + t3, THIRD) + t2, 1);
    let near = EXP_MINUS_EIGHTH + high(EXP_MINUS_EIGHTH, t + tail);
    (0..)
        .zip(FACTORS)
        .filter(|(n, _)| q & (QUARTER << n) != 0)
        .fold(near, |e, (_, factor)| high(e, factor))
}
