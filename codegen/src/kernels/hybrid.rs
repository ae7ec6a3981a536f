//! F32 as integers of its own scale, for products with integer weights. What is written is q less the zero
//! point, in 16 bits, so that the sums need no more of it than the scale.

use crate::nest::{Address, Affine, Builder, Expr, Op, Store, Ty};

/// Quantises the `count` elements that `read` gives: element `i` goes to `to` + 2 `i`, the scale to `scale`.
pub(super) fn quantize(
    f: &mut Builder,
    count: u32,
    asymmetric: bool,
    read: &dyn Fn(&Affine) -> Expr,
    to: &Address,
    scale: Address,
) {
    let first = read(&Affine::from(0));
    let least = f.accumulator("least", first);
    let most = f.accumulator("most", least.clone());
    f.range("i", 1, count, 1, |f, i| {
        let x = f.value("x", read(i));
        let below = x.clone().lt(least.clone());
        f.set(&least, x.clone().or_else(below, least.clone()));
        let above = most.clone().lt(x.clone());
        f.set(&most, x.or_else(above, most.clone()));
    });
    let (inverse, zero_point, range) = if asymmetric {
        let (inverse, zero_point) = affine(f, &least, &most, scale);
        (inverse, Some(zero_point), (-128, 127))
    } else {
        (symmetric(f, &least, &most, scale), None, (-127, 127))
    };
    f.each("i", count, |f, i| {
        let scaled = read(i) * inverse.clone();
        let real = match &zero_point {
            Some(zero_point) => Expr::op(Op::F32ConvertI32S, [zero_point.clone()]) + scaled,
            None => scaled,
        };
        let q = rounded(f, real);
        let q = super::requantize::clamp(f, q, range);
        let q = match &zero_point {
            Some(zero_point) => q - zero_point.clone(),
            None => q,
        };
        let at = Address {
            buffer: to.buffer,
            offset: &to.offset + i * 2,
        };
        f.store(Store::I16, at, q);
    });
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

/// To the nearest integer, halves away from zero, saturating; 0 for NaN.
fn rounded(f: &mut Builder, x: Expr) -> Expr {
    debug_assert_eq!(x.ty(), Ty::F32, "a float");
    let x = f.value("real", x);
    // Adding the float before 0.5 and cutting off; exactly 0.5 would round the float before it up to 1.
    let half = Expr::f32(f32::from_bits(0x3eff_ffff));
    let half = Expr::op(Op::F32Copysign, [half, x.clone()]);
    Expr::op(Op::I32TruncSatF32S, [x + half])
}
