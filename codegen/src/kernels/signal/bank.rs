//! From a window of samples to the logarithms of its bands, by integers. Vectors hold neighbouring samples.

use rune_ir::{
    graph::{DataType, Node},
    op::signal::{SpectralSubtraction, tables},
    ty::ElementType,
};

use super::{
    super::{
        Context,
        element::{element, get},
        linear::vectors,
        requantize::clamp,
    },
    wrapped,
};
use crate::nest::{Address, Affine, Builder, Expr, Kernel, Load, Op, Role, Store, Ty};

const I16: DataType = DataType::Element(ElementType::I16);
const U32: DataType = DataType::Element(ElementType::U32);
const U64: DataType = DataType::Element(ElementType::U64);

/// The 16-bit range.
const RANGE: (i32, i32) = (i16::MIN as i32, i16::MAX as i32);

/// An I32 without a sign, as an I64.
fn unsigned(x: Expr) -> Expr {
    Expr::op(Op::I64ExtendI32U, [x])
}

/// The low half of an I64.
fn low(x: Expr) -> Expr {
    Expr::op(Op::I32WrapI64, [x])
}

fn shift_right(x: Expr, bits: u32) -> Expr {
    if x.ty() == Ty::I32 {
        Expr::op(Op::I32ShrU, [x, Expr::I32(bits as i32)])
    } else {
        Expr::op(Op::I64ShrU, [x, Expr::I64(bits.into())])
    }
}

/// Runs `body` for every index below `count`: for eight at a time where there are vectors, then for one.
fn by_eight(
    f: &mut Builder,
    vectors: bool,
    count: u32,
    mut body: impl FnMut(&mut Builder, &Affine, bool),
) {
    let eights = if vectors { count / 8 * 8 } else { 0 };
    f.range("i", 0u32, eights, 8, |f, i| body(f, i, true));
    f.range("i", eights, count, 1, |f, i| body(f, i, false));
}

pub(super) fn window(context: &mut Context, node: &Node, shift: u32) -> Kernel {
    let (x, from) = context.input(node, 0);
    let (weights, factors) = context.input(node, 1);
    let (_, to) = context.output(node);
    let size = weights.elements() as u32;
    let mut f = Builder::new("window");
    f.operand(Role::Read, "x", from);
    f.operand(Role::Read, "w", factors);
    f.operand(Role::Write, "y", to);
    let shift = Expr::I32(shift as i32);
    let vectors = vectors(context.simd);
    f.each("window", x.elements() as u32 / size, |f, window| {
        by_eight(f, vectors, size, |f, i, eight| {
            let at = window * size + i;
            let (at, place) = (element(from, &at, 2), element(to, &at, 2));
            if eight {
                let x = f.value("x", Expr::Load(Load::Whole(Ty::I16x8), at));
                let w = Expr::Load(Load::Whole(Ty::I16x8), element(factors, i, 2));
                let w = f.value("w", w);
                let half = |op| Expr::op(op, [x.clone(), w.clone()]) >> shift.clone();
                let halves = [Op::I32x4ExtMulLowI16x8S, Op::I32x4ExtMulHighI16x8S].map(half);
                let y = Expr::op(Op::I16x8NarrowI32x4S, halves);
                f.store(Store::Whole, place, y);
            } else {
                let product = Expr::Load(Load::I16, at) * get(I16, factors, i);
                let y = clamp(f, product >> shift.clone(), RANGE);
                f.store(Store::I16, place, y);
            }
        });
    });
    f.finish()
}

pub(super) fn fft_auto_scale(context: &mut Context, node: &Node) -> Kernel {
    let (x, from) = context.input(node, 0);
    let (_, to) = context.output(node);
    let (_, to_bits) = context.output_at(node, 1);
    let count = x.elements() as u32;
    let mut f = Builder::new("fft_auto_scale");
    f.operand(Role::Read, "x", from);
    f.operand(Role::Write, "y", to);
    f.operand(Role::Write, "bits", to_bits);
    let greatest = f.accumulator("greatest", Expr::I32(0));
    f.each("i", count, |f, i| {
        let x = f.value("x", get(I16, from, i));
        let minus = f.value("minus", Expr::I32(0) - x.clone());
        let above = greatest.clone().lt(x.clone());
        let below = greatest.clone().lt(minus.clone());
        let other = wrapped(minus).or_else(below, greatest.clone());
        f.set(&greatest, x.or_else(above, other));
    });
    // The highest bit of a magnitude may come to place 15. Without one there is nothing to scale.
    let clz = Expr::op(Op::I32Clz, [greatest.clone()]);
    let room = f.value("room", clz - Expr::I32(17));
    let none = room.clone().lt(Expr::I32(0));
    let none = none | Expr::op(Op::I32Eqz, [greatest]);
    let bits = f.value("bits", Expr::I32(0).or_else(none, room));
    f.store(
        Store::Whole,
        element(to_bits, &Affine::default(), 4),
        bits.clone(),
    );
    by_eight(&mut f, vectors(context.simd), count, |f, i, eight| {
        let (at, place) = (element(from, i, 2), element(to, i, 2));
        if eight {
            let x = Expr::Load(Load::Whole(Ty::I16x8), at);
            f.store(Store::Whole, place, x << bits.clone());
        } else {
            f.store(Store::I16, place, Expr::Load(Load::I16, at) << bits.clone());
        }
    });
    f.finish()
}

pub(super) fn energy(context: &mut Context, node: &Node, start: u32, end: u32) -> Kernel {
    let (_, from) = context.input(node, 0);
    let (y, to) = context.output(node);
    let bins = y.elements() as u32;
    let mut f = Builder::new("energy");
    f.operand(Role::Read, "x", from);
    f.operand(Role::Write, "y", to);
    for (first, end) in [(0, start), (end, bins)] {
        if first < end {
            f.fill(element(to, &first.into(), 4), 0, (end - first) * 4);
        }
    }
    let fours = if vectors(context.simd) {
        start + (end - start) / 4 * 4
    } else {
        start
    };
    f.range("bin", start, fours, 4, |f, bin| {
        let x = Expr::Load(Load::Whole(Ty::I16x8), element(from, bin, 4));
        let x = f.value("x", x);
        let y = Expr::op(Op::I32x4DotI16x8S, [x.clone(), x]);
        f.store(Store::Whole, element(to, bin, 4), y);
    });
    f.range("bin", fours, end, 1, |f, bin| {
        let at = element(from, bin, 4);
        let parts = [0, 2].map(|part| f.value("x", Expr::Load(Load::I16, at.plus(part))));
        let [real, imaginary] = parts.map(|x| x.clone() * x);
        f.store(Store::Whole, element(to, bin, 4), real + imaginary);
    });
    f.finish()
}

pub(super) fn filter_bank(context: &mut Context, node: &Node, channels: u32) -> Kernel {
    let inputs: Vec<_> = (0..6).map(|input| context.input(node, input).1).collect();
    let [
        energies,
        weights,
        unweights,
        energy_starts,
        weight_starts,
        widths,
    ] = inputs[..]
    else {
        unreachable!("a checked bank has six inputs")
    };
    let (_, to) = context.output(node);
    let names = [
        "x",
        "weights",
        "unweights",
        "x_starts",
        "w_starts",
        "widths",
    ];
    let mut f = Builder::new("filter_bank");
    for (name, input) in names.into_iter().zip(&inputs) {
        f.operand(Role::Read, name, *input);
    }
    f.operand(Role::Write, "y", to);
    // What a channel adds to the next one.
    let carry = f.accumulator("carry", Expr::I64(0));
    let channel = |f: &mut Builder, channel: &Affine, result: Option<Address>| {
        let width = f.index("width", get(I16, widths, channel));
        let energy = f.index("energy", get(I16, energy_starts, channel));
        let weight = f.index("weight", get(I16, weight_starts, channel));
        let sum = f.accumulator("sum", carry.clone());
        f.set(&carry, Expr::I64(0));
        // A channel of no width may start anywhere, but then nothing is read.
        f.range("tap", 0u32, width, 1, |f, tap| {
            let x = f.value("x", unsigned(get(U32, energies, &(&energy + tap))));
            let mut add = |sum: &Expr, weights| {
                let weight = get(I16, weights, &(&weight + tap));
                let weight = Expr::op(Op::I64ExtendI32S, [weight]);
                f.set(sum, sum.clone() + x.clone() * weight);
            };
            if result.is_some() {
                add(&sum, weights);
            }
            add(&carry, unweights);
        });
        if let Some(at) = result {
            f.store(Store::Whole, at, sum);
        }
    };
    channel(&mut f, &Affine::default(), None);
    f.each("channel", channels, |f, c| {
        channel(f, &(c + 1u32), Some(element(to, c, 8)));
    });
    f.finish()
}

pub(super) fn square_root(context: &mut Context, node: &Node) -> Kernel {
    let (x, from) = context.input(node, 0);
    let (_, bits) = context.input(node, 1);
    let (_, to) = context.output(node);
    let mut f = Builder::new("square_root");
    f.operand(Role::Read, "x", from);
    f.operand(Role::Read, "bits", bits);
    f.operand(Role::Write, "y", to);
    let bits = get(DataType::I32, bits, &Affine::default());
    let bits = f.value("bits", bits);
    f.each("i", x.elements() as u32, |f, i| {
        let x = f.value("x", get(U64, from, i));
        // The root of the nearest binary64 is off by one at most.
        let real = Expr::op(Op::F64Sqrt, [Expr::op(Op::F64ConvertI64U, [x.clone()])]);
        let near = f.value("near", Expr::op(Op::I64TruncSatF64S, [real]));
        let most = Expr::I64(0xFFFF_FFFF);
        let beyond = most.clone().lt(near.clone());
        let root = f.accumulator("root", most.clone().or_else(beyond, near));
        let above = |f: &mut Builder, root: Expr| {
            let root = f.value("r", root);
            Expr::op(Op::I64LtU, [x.clone(), root.clone() * root])
        };
        let too_large = above(f, root.clone());
        f.set(&root, root.clone() - unsigned(too_large));
        // Where the next is 2^32, its square wraps to 0.
        let next = f.value("next", root.clone() + Expr::I64(1));
        let too_small = Expr::op(Op::I32Eqz, [above(f, next.clone())]);
        let too_small = too_small & next.clone().lt(Expr::I64(1 << 32));
        f.set(&root, next.or_else(too_small, root.clone()));
        let rest = x.clone() - root.clone() * root.clone();
        let up = root.clone().lt(rest);
        let small = Expr::op(Op::I64LtU, [x.clone(), Expr::I64(1 << 32)]);
        let most = Expr::I64(0xFFFF).or_else(small, most);
        let up = up & root.clone().lt(most);
        let rounded = low(root.clone() + unsigned(up));
        let y = Expr::op(Op::I32ShrU, [rounded, bits.clone()]);
        f.store(Store::Whole, element(to, i, 4), y);
    });
    f.finish()
}

pub(super) fn spectral_subtraction(
    context: &mut Context,
    node: &Node,
    attributes: &SpectralSubtraction,
) -> Kernel {
    let (x, from) = context.input(node, 0);
    let (_, noise) = context.variable(node, 0);
    let (_, to) = context.output(node);
    let (_, to_noise) = context.output_at(node, 1);
    let mut f = Builder::new("spectral_subtraction");
    f.operand(Role::Read, "x", from);
    f.operand(Role::Keep, "noise", noise);
    f.operand(Role::Write, "y", to);
    f.operand(Role::Write, "noise_y", to_noise);
    let factor = |factor: u32| Expr::I64(factor.into());
    let smoothing_bits = attributes.smoothing_bits;
    for (first, [new, old]) in (0u32..).zip(attributes.smoothing) {
        f.range("i", first, x.elements() as u32, 2, |f, i| {
            let x = f.value("x", get(U32, from, i));
            let scaled = f.value("scaled", x.clone() << Expr::I32(smoothing_bits as i32));
            let before = unsigned(get(U32, noise, i)) * factor(old);
            let mixed = unsigned(scaled.clone()) * factor(new) + before;
            let mixed = f.value("mixed", low(shift_right(mixed, attributes.bits)));
            let above = Expr::op(Op::I32LtU, [scaled.clone(), mixed.clone()]);
            let estimate = scaled.clone().or_else(above, mixed.clone());
            let estimate = f.value("estimate", estimate);
            let kept = if attributes.clamping {
                estimate.clone()
            } else {
                mixed
            };
            f.store(Store::Whole, element(noise, i, 4), kept.clone());
            f.store(Store::Whole, element(to_noise, i, 4), kept);
            let floor = unsigned(x) * factor(attributes.min_signal_remaining);
            let floor = f.value("floor", low(shift_right(floor, attributes.bits)));
            let rest = f.value("rest", shift_right(scaled - estimate, smoothing_bits));
            let little = Expr::op(Op::I32LtU, [rest.clone(), floor.clone()]);
            f.store(Store::Whole, element(to, i, 4), floor.or_else(little, rest));
        });
    }
    f.finish()
}

pub(super) fn pcan(context: &mut Context, node: &Node, shift: u32) -> Kernel {
    let (x, from) = context.input(node, 0);
    let (_, noise) = context.input(node, 1);
    let (_, gains) = context.input(node, 2);
    let (_, to) = context.output(node);
    let mut f = Builder::new("pcan");
    f.operand(Role::Read, "x", from);
    f.operand(Role::Read, "noise", noise);
    f.operand(Role::Read, "gains", gains);
    f.operand(Role::Write, "y", to);
    f.each("i", x.elements() as u32, |f, i| {
        let level = f.value("level", get(U32, noise, i));
        let few = Expr::op(Op::I32LtU, [level.clone(), Expr::I32(3)]);
        let few = f.value("few", few);
        let clz = f.value("clz", Expr::op(Op::I32Clz, [level.clone()]));
        // Four gains for each place of the highest bit, of which there are 32; that of 3 begins at 2.
        let interval = Expr::I32(4 * 32 - 6) - clz.clone() * Expr::I32(4);
        let base = f.index("base", level.clone().or_else(few.clone(), interval));
        let gain = |part: u32| get(I16, gains, &(&base + part));
        let start = f.value("start", gain(0));
        // The ten bits below the highest, which is moved out.
        let below = Expr::op(Op::I32ShrU, [level << clz << Expr::I32(1), Expr::I32(22)]);
        let below = f.value("below", below);
        let rising = ((gain(2) * below.clone()) >> Expr::I32(5)) + (gain(1) << Expr::I32(5));
        let rising = (rising * below + Expr::I32(1 << 14)) >> Expr::I32(15);
        let between = wrapped(rising + start.clone());
        let gain = start.or_else(few, between);
        let product = unsigned(get(U32, from, i)) * unsigned(gain);
        let ratio = f.value("ratio", low(shift_right(product, shift)));
        let small = Expr::op(Op::I32LtU, [ratio.clone(), Expr::I32(2 << 12)]);
        let square = shift_right(ratio.clone() * ratio.clone(), 20);
        let y = square.or_else(small, shift_right(ratio, 6) - Expr::I32(1 << 6));
        f.store(Store::Whole, element(to, i, 4), y);
    });
    f.finish()
}

pub(super) fn logarithm(
    context: &mut Context,
    node: &Node,
    correction_bits: u32,
    scale: i32,
) -> Kernel {
    let (x, from) = context.input(node, 0);
    let (_, to) = context.output(node);
    let corrections = tables::log_corrections();
    let corrections = corrections.into_iter().flat_map(u16::to_le_bytes).collect();
    let corrections = context.constant("corrections", corrections);
    let mut f = Builder::new("log");
    f.operand(Role::Read, "x", from);
    f.operand(Role::Read, "corrections", corrections);
    f.operand(Role::Write, "y", to);
    let half = 1 << 15;
    f.each("i", x.elements() as u32, |f, i| {
        let x = get(U32, from, i) << Expr::I32(correction_bits as i32);
        let x = f.value("x", x);
        let none = Expr::op(Op::I32LtU, [x.clone(), Expr::I32(2)]);
        let none = f.value("none", none);
        // What has no logarithm is counted as 2 until the end, so that the table is read inside.
        let x = f.value("x", Expr::I32(2).or_else(none.clone(), x));
        let clz = f.value("clz", Expr::op(Op::I32Clz, [x.clone()]));
        // The sixteen bits below the highest, which is moved out.
        let fraction = shift_right(x << clz.clone() << Expr::I32(1), 16);
        let fraction = f.value("fraction", fraction);
        let segment_bits = 16 - tables::LOG_SEGMENTS_BITS;
        let segment = f.index("segment", shift_right(fraction.clone(), segment_bits));
        let correction = |at: u32| Expr::Load(Load::U16, element(corrections, &(&segment + at), 2));
        let start = f.value("start", correction(0));
        let inside = fraction.clone() & Expr::I32((1 << segment_bits) - 1);
        let part = ((correction(1) - start.clone()) * inside) >> Expr::I32(16);
        let whole = (Expr::I32(31) - clz) << Expr::I32(16);
        let log2 = unsigned(whole + fraction + start + part);
        let natural = log2 * Expr::I64(tables::LN_2.into()) + Expr::I64(half);
        let natural = low(shift_right(natural, 16));
        let scaled = natural * Expr::I32(scale) + Expr::I32(half as i32);
        let scaled = f.value("scaled", shift_right(scaled, 16));
        let large = Expr::I32(RANGE.1).lt(scaled.clone());
        let y = Expr::I32(RANGE.1).or_else(large, scaled);
        f.store(Store::I16, element(to, i, 2), Expr::I32(0).or_else(none, y));
    });
    f.finish()
}
