//! What a rune hands out: floats of which every NaN is the canonical one.

use rune_abi::ElementType;

use super::{Simd, element::element, float};
use crate::nest::{BufferId, Builder, Expr, Kernel, Load, Role, Store, Ty};

/// The magnitude of a binary64: all bits but the sign.
const MAGNITUDE: i64 = i64::MAX;
/// The bits of infinity; a magnitude above them is a NaN.
const INFINITY: i64 = 0x7ff0_0000_0000_0000;
/// The bits of the canonical NaN.
const NAN: i64 = 0x7ff8_0000_0000_0000;

/// Copies `bytes` bytes of F32 or F64 from one buffer to another, with the canonical NaN in place of any
/// other.
pub(crate) fn canonicalise(
    ty: ElementType,
    bytes: u32,
    from: BufferId,
    to: BufferId,
    simd: Simd,
) -> Kernel {
    let mut f = Builder::new("canonicalise");
    f.operand(Role::Read, "x", from);
    f.operand(Role::Write, "y", to);
    let size = ty.size();
    let count = bytes / size;
    if ty == ElementType::F32 {
        let vectors = if simd.has_vectors() { count / 4 * 4 } else { 0 };
        for (ty, first, end, step) in [(Ty::F32x4, 0, vectors, 4), (Ty::F32, vectors, count, 1)] {
            f.range("i", first as i32, end as i32, step, |f, i| {
                let x = Expr::Load(Load::Whole(ty), element(from, i, size));
                let y = float::canonical(f, x);
                f.store(Store::Whole, element(to, i, size), y);
            });
        }
    } else {
        assert_eq!(ty, ElementType::F64, "a type that has NaNs");
        f.each("i", count, |f, i| {
            let x = Expr::Load(Load::Whole(Ty::I64), element(from, i, size));
            let x = f.value("x", x);
            let is_nan = Expr::I64(INFINITY).lt(x.clone() & Expr::I64(MAGNITUDE));
            f.store(
                Store::Whole,
                element(to, i, size),
                Expr::I64(NAN).or_else(is_nan, x),
            );
        });
    }
    f.finish()
}
