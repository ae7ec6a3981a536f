//! SOFTMAX over the last dimension.
//!
//! f32: exponentials are kept in the result until their sum is known. Integers, in gemmlowp's fixed point
//! (a number with n integer bits is an i32 over 2^(31 - n)): the exponential of each of the 256
//! differences is a table made here; only the reciprocal of their sum is computed at run time.

use rune_ir::{
    graph::{DataType, Node},
    quant::{self, SoftmaxParams},
};

use super::{
    Context,
    exp::expf,
    float::{at_least, canonical},
    is_signed,
    requantize::clamp,
};
use crate::nest::{Address, Affine, BufferId, Builder, Expr, Kernel, Load, Op, Role, Store, Ty};

/// Integer bits of a sum of exponentials.
const SUM_BITS: u32 = 12;

pub(super) fn softmax(context: &mut Context, node: &Node, beta: f32) -> Result<Kernel, String> {
    let (x, from) = context.input(node, 0);
    let (_, to) = context.output(node);
    let depth = *x.shape.last().ok_or("it has no dimension")?;
    let rows = x.elements() as u32 / depth;
    let mut f = Builder::new("softmax");
    f.operand(Role::Read, "x", from);
    if x.ty == DataType::F32 {
        f.operand(Role::Write, "y", to);
        f.each("row", rows, |f, row| {
            float_row(f, (from, to), row, depth, beta);
        });
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
        let shift = Expr::I32(SUM_BITS as i32 + 31 - 8) - zeros;
        let shift = f.value("shift", Expr::op(Op::I64ExtendI32S, [shift]));
        let half = Expr::op(Op::I64Shl, [Expr::I64(1), shift.clone()]) >> Expr::I64(1);
        let half = f.value("half", half);
        f.each("i", self.depth, |f, i| {
            let e = self.exponential(f, row, i, &greatest);
            let product = wide(e) * reciprocal.clone() + Expr::I64(1 << 30);
            let scaled = ((product >> Expr::I64(31)) + half.clone()) >> shift.clone();
            let result = Expr::op(Op::I32WrapI64, [scaled]) + Expr::I32(least);
            let result = clamp(f, result, (least, least + 255));
            f.store(Store::I8, self.at(self.to, row, i), result);
        });
    }
}

fn wide(x: Expr) -> Expr {
    Expr::op(Op::I64ExtendI32S, [x])
}

/// 1 / (1 + x) for an I32 x in 0..1, as an I64; both without integer bits.
///
/// Newton's method on half of 1 + x, from 48/17 - 32/17 of it, in numbers with 2 integer bits.
pub(super) fn reciprocal(f: &mut Builder, x: Expr) -> Expr {
    const BITS: i64 = 29;
    const FORTY_EIGHT_17THS: i64 = 1_515_870_810;
    const THIRTY_TWO_17THS: i64 = 1_010_580_540;
    let high = |a: Expr, b: Expr| (a * b + Expr::I64(1 << 30)) >> Expr::I64(31);
    let half = wide((x >> Expr::I32(1)) + Expr::I32(1 << 30));
    let half = f.value("denominator", half);
    let start = high(half.clone(), Expr::I64(-THIRTY_TWO_17THS)) + Expr::I64(FORTY_EIGHT_17THS);
    let guess = f.accumulator("guess", start);
    f.each("step", 3, |f, _| {
        let error = Expr::I64(1 << BITS) - high(half.clone(), guess.clone());
        let correction = high(guess.clone(), error) * Expr::I64(4);
        f.set(&guess, guess.clone() + correction);
    });
    // 1 itself does not fit and becomes the greatest number.
    let doubled = f.value("doubled", guess * Expr::I64(2));
    let most = Expr::I64(i32::MAX.into());
    let over = Expr::op(Op::I64LtS, [most.clone(), doubled.clone()]);
    f.value("reciprocal", most.or_else(over, doubled))
}

/// The exponential of a difference of two inputs, not above zero, without integer bits.
fn exponential(difference: i32, params: SoftmaxParams) -> i32 {
    if difference < params.least_difference {
        return 0;
    }
    let scaled = (i64::from(difference) << params.left_shift) as i32;
    exponential_of_fixed(high(scaled, params.multiplier))
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
