//! F32 as integers of its own scale, for products with integer weights. What is written is q less the zero
//! point, in 16 bits, so that the sums need no more of it than the scale.

use super::{
    dot::{SECOND, UPPER},
    float::{at_least, at_most},
};
use crate::nest::{Address, Affine, Builder, Expr, Op, Store, Ty};

/// Elements of a round, in vectors.
const UNROLLED: u32 = 4;

/// Quantises the `count` elements that `read` gives: element `i` goes to `to` + 2 `i`, the scale to `scale`.
/// `read` takes a type: F32, or F32x4 where elements are neighbours and `vector` says so.
pub(super) fn quantize(
    f: &mut Builder,
    (count, vector): (u32, bool),
    asymmetric: bool,
    read: &dyn Fn(&Affine, Ty) -> Expr,
    to: &Address,
    scale: Address,
) {
    let whole = if vector { count / 8 * 8 } else { 0 };
    let [least, most] = range(f, (count, whole), read);
    let (inverse, zero_point, range) = if asymmetric {
        let (inverse, zero_point) = affine(f, &least, &most, scale);
        (inverse, Some(zero_point), (-128, 127))
    } else {
        (symmetric(f, &least, &most, scale), None, (-127, 127))
    };
    let at = |i: &Affine| Address {
        buffer: to.buffer,
        offset: &to.offset + i * 2,
    };
    let offset = zero_point.clone().map(|zero_point| {
        let real = Expr::op(Op::F32ConvertI32S, [zero_point]);
        f.value("offset", real)
    });
    if whole > 0 {
        let spread = |f: &mut Builder, x: &Expr| {
            let vector = Expr::op(Op::F32x4Splat, [x.clone()]);
            f.value("v", vector)
        };
        let inverse = spread(f, &inverse);
        let offset = offset.as_ref().map(|offset| spread(f, offset));
        let zero_point = zero_point.as_ref().map(|zero_point| {
            let vector = Expr::op(Op::I16x8Splat, [zero_point.clone()]);
            f.value("zeros", vector)
        });
        f.range("i", 0, whole, 8, |f, i| {
            let [low, high] = [0, 4].map(|part| {
                let scaled = read(&(i + part), Ty::F32x4) * inverse.clone();
                let real = match &offset {
                    Some(offset) => offset.clone() + scaled,
                    None => scaled,
                };
                rounded(f, real)
            });
            let (least, most) = range;
            let bound = |bound: i32| Expr::constant(Ty::I16x8, bound.into());
            let q = Expr::op(Op::I16x8NarrowI32x4S, [low, high]);
            let q = Expr::op(Op::I16x8MaxS, [q, bound(least)]);
            let q = Expr::op(Op::I16x8MinS, [q, bound(most)]);
            let q = match &zero_point {
                Some(zero_point) => q - zero_point.clone(),
                None => q,
            };
            f.store(Store::Whole, at(i), q);
        });
    }
    f.range("i", whole, count, 1, |f, i| {
        let scaled = read(i, Ty::F32) * inverse.clone();
        let real = match &offset {
            Some(offset) => offset.clone() + scaled,
            None => scaled,
        };
        let q = rounded(f, real);
        let q = super::requantize::clamp(f, q, range);
        let q = match &zero_point {
            Some(zero_point) => q - zero_point.clone(),
            None => q,
        };
        f.store(Store::I16, at(i), q);
    });
}

/// The least and the greatest element, of which NaN is neither unless it is the first. Vectors, which take the
/// first `whole`, may find a zero of another sign; neither scale nor zero point depends on it.
fn range(
    f: &mut Builder,
    (count, whole): (u32, u32),
    read: &dyn Fn(&Affine, Ty) -> Expr,
) -> [Expr; 2] {
    let first = read(&Affine::from(0), Ty::F32);
    let ends = if whole == 0 {
        let least = f.accumulator("least", first);
        let most = f.accumulator("most", least.clone());
        [least, most]
    } else {
        let first = Expr::op(Op::F32x4Splat, [first]);
        let least = f.accumulator("least", first);
        let most = f.accumulator("most", least.clone());
        f.unrolled("i", (&0.into(), &whole.into()), 4, UNROLLED, |f, i| {
            let x = f.value("x", read(i, Ty::F32x4));
            f.set(&least, at_most(least.clone(), x.clone()));
            f.set(&most, at_least(most.clone(), x));
        });
        let folds: [fn(Expr, Expr) -> Expr; 2] = [at_most, at_least];
        let mut folds = folds.into_iter();
        [least, most].map(|end| {
            let fold = folds.next().expect("one for each end");
            let end = f.value("end", fold(end.clone(), end.shuffle_self(UPPER)));
            let end = fold(end.clone(), end.shuffle_self(SECOND));
            let bits = end.lanes(Ty::I32x4).first();
            f.accumulator("end", Expr::op(Op::F32ReinterpretI32, [bits]))
        })
    };
    let [least, most] = &ends;
    f.range("i", whole.max(1), count, 1, |f, i| {
        let x = f.value("x", read(i, Ty::F32));
        let below = x.clone().lt(least.clone());
        f.set(least, x.clone().or_else(below, least.clone()));
        let above = most.clone().lt(x.clone());
        f.set(most, x.or_else(above, most.clone()));
    });
    ends
}

/// The factor to the greatest size of 127; stores the scale, 1 where all is zero.
fn symmetric(f: &mut Builder, least: &Expr, most: &Expr, scale: Address) -> Expr {
    let size = |x: &Expr| Expr::op(Op::F32Abs, [x.clone()]);
    let (low, high) = (f.value("low", size(least)), f.value("high", size(most)));
    let greatest = high.clone().or_else(low.clone().lt(high), low);
    let greatest = f.value("greatest", greatest);
    let none = greatest.clone().equals(Expr::f32(0.0));
    let of_one = greatest.clone() / Expr::f32(127.0);
    f.store(Store::Whole, scale, Expr::f32(1.0).or_else(none, of_one));
    f.value("inverse", Expr::f32(127.0) / greatest)
}

/// The factor to and the zero point in -128 to 127; stores the scale, 1 where all is zero.
fn affine(f: &mut Builder, least: &Expr, most: &Expr, scale: Address) -> (Expr, Expr) {
    let zero = || Expr::f32(0.0);
    let above = zero().lt(least.clone());
    let least = f.value("least", zero().or_else(above, least.clone()));
    let below = most.clone().lt(zero());
    let most = f.value("most", zero().or_else(below, most.clone()));
    let none = least.clone().equals(most.clone());
    let real = Expr::f64;
    let wide = |x: &Expr| Expr::op(Op::F64PromoteF32, [x.clone()]);
    let exact = f.value("exact", (wide(&most) - wide(&least)) / real(255.0));
    let low = f.value("low", wide(&least) / exact.clone());
    let high = f.value("high", wide(&most) / exact.clone());
    let size = |x: &Expr| Expr::op(Op::F64Abs, [x.clone()]);
    let from_least = (real(128.0) + size(&low)).lt(real(127.0) + size(&high));
    let point = (real(-128.0) - low).or_else(from_least, real(127.0) - high);
    let point = f.value("point", point);
    // The binary64 before 0.5, as in `rounded`.
    let half = Expr::op(
        Op::F64Copysign,
        [real(0.499_999_999_999_999_94), point.clone()],
    );
    let point = Expr::op(Op::I32TruncSatF64S, [point + half]);
    let point = super::requantize::clamp(f, point, (-128, 127));
    let point = f.value("zero", point);
    let narrow = f.value("scale", Expr::op(Op::F32DemoteF64, [exact]));
    let nothing = narrow.clone().equals(zero());
    let inverse = zero().or_else(nothing, Expr::f32(1.0) / narrow.clone());
    let inverse = f.value("inverse", inverse);
    f.store(Store::Whole, scale, Expr::f32(1.0).or_else(none, narrow));
    (inverse, point)
}

/// F32 or F32x4 to the nearest integer, halves away from zero, saturating; 0 for NaN.
fn rounded(f: &mut Builder, x: Expr) -> Expr {
    let x = f.value("real", x);
    // Adding the float before 0.5 and cutting off; exactly 0.5 would round the float before it up to 1.
    let half = Expr::real(x.ty(), f32::from_bits(0x3eff_ffff));
    if x.ty() == Ty::F32 {
        let half = Expr::op(Op::F32Copysign, [half, x.clone()]);
        return Expr::op(Op::I32TruncSatF32S, [x + half]);
    }
    let sign = Expr::constant(Ty::I32x4, i32::MIN.into());
    let half = x.clone().or_else(sign, half);
    Expr::op(Op::I32x4TruncSatF32x4S, [x + half])
}
