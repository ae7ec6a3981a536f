//! The exponential of an f32, bit for bit that of `libm::expf`.
//!
//! The algorithm is FreeBSD's `e_expf.c` as libm has it: x = k * ln 2 + r with |r| <= 0.5 ln 2, a rational
//! approximation of exp(r), and the result scaled by 2^k. Every case is computed without branches and
//! selected: for k = 0 the reduction leaves x as it is.

use crate::nest::{Builder, Expr, Op, Ty};

const LN2_HIGH: f32 = f32::from_bits(0x3f31_7200);
const LN2_LOW: f32 = f32::from_bits(0x35bf_be8e);
const INVERSE_LN2: f32 = f32::from_bits(0x3fb8_aa3b);
const P1: f32 = f32::from_bits(0x3e2a_aa8f);
const P2: f32 = f32::from_bits(0xbb35_5215);
/// 0.5 ln 2 and 1.5 ln 2: above these k is not 0, and not of size 1.
const HALF_LN2: f32 = f32::from_bits(0x3eb1_7218);
const THREE_HALF_LN2: f32 = f32::from_bits(0x3f85_1592);
/// Up to this 1 + x is the result.
const TINY: f32 = f32::from_bits(0x3900_0000);
/// From here on the result is infinite, or zero.
const OVERFLOW: f32 = f32::from_bits(0x42b1_7218);
const UNDERFLOW: f32 = f32::from_bits(0xc2cf_f1b5);

/// The instruction for one f32, or that for four.
pub(super) fn either(x: &Expr, one: Op, four: Op) -> Op {
    if x.ty() == Ty::F32x4 { four } else { one }
}

/// Whether `x`, F32 or F32x4, is above a bound.
pub(super) fn above(x: &Expr, bound: f32) -> Expr {
    let op = either(x, Op::F32Gt, Op::F32x4Gt);
    Expr::op(op, [x.clone(), Expr::real(x.ty(), bound)])
}

/// Whether `x`, F32 or F32x4, is at least a bound.
pub(super) fn at_least(x: &Expr, bound: f32) -> Expr {
    let op = either(x, Op::F32Ge, Op::F32x4Ge);
    Expr::op(op, [x.clone(), Expr::real(x.ty(), bound)])
}

/// The size of `x`, F32 or F32x4.
pub(super) fn size_of(f: &mut Builder, x: &Expr) -> Expr {
    let op = either(x, Op::F32Abs, Op::F32x4Abs);
    f.value("size", Expr::op(op, [x.clone()]))
}

/// `size` with the sign of `like`, F32 or F32x4 both.
pub(super) fn signed(size: Expr, like: &Expr) -> Expr {
    if like.ty() == Ty::F32 {
        return Expr::op(Op::F32Copysign, [size, like.clone()]);
    }
    let magnitude = Expr::constant(Ty::I32x4, i32::MAX.into());
    size.or_else(magnitude, like.clone())
}

/// `x` cut off to an integer, and that as an F32 again, or F32x4.
pub(super) fn cut_off(f: &mut Builder, x: Expr) -> [Expr; 2] {
    let cut = either(&x, Op::I32TruncSatF32S, Op::I32x4TruncSatF32x4S);
    let convert = either(&x, Op::F32ConvertI32S, Op::F32x4ConvertI32x4S);
    let k = f.value("k", Expr::op(cut, [x]));
    let multiple = f.value("kf", Expr::op(convert, [k.clone()]));
    [k, multiple]
}

/// The F32 or F32x4 of these bits.
pub(super) fn of_bits(bits: Expr) -> Expr {
    if bits.ty() == Ty::I32 {
        Expr::op(Op::F32ReinterpretI32, [bits])
    } else {
        bits.lanes(Ty::F32x4)
    }
}

/// exp(x) of an F32, or of each lane of an F32x4; some NaN for NaN.
pub(super) fn expf(f: &mut Builder, x: Expr) -> Expr {
    let ty = x.ty();
    let real = |value: f32| Expr::real(ty, value);
    let x = f.value("x", x);
    let size = size_of(f, &x);
    // Halves away from zero; its absolute value is at most 150 where it matters.
    let nearest = x.clone() * real(INVERSE_LN2) + signed(real(0.5), &x);
    let one = signed(real(1.0), &x).or_else(above(&size, HALF_LN2), real(0.0));
    let k = nearest.or_else(above(&size, THREE_HALF_LN2), one);
    let [k, multiple] = cut_off(f, k);
    let high = f.value("hi", x.clone() - multiple.clone() * real(LN2_HIGH));
    let low = f.value("lo", multiple * real(LN2_LOW));
    let r = f.value("r", high.clone() - low.clone());
    let rr = f.value("rr", r.clone() * r.clone());
    let c = r.clone() - rr.clone() * (rr * real(P2) + real(P1));
    let c = f.value("c", c);
    let fraction = r * c.clone() / (real(2.0) - c);
    let y = (fraction - low + high) + real(1.0);
    let scaled = scale(f, y, &k);
    let tiny = Expr::op(either(&size, Op::F32Le, Op::F32x4Le), [size, real(TINY)]);
    let result = f.value("exp", (x.clone() + real(1.0)).or_else(tiny, scaled));
    let overflow = at_least(&x, OVERFLOW);
    let result = f.value("exp", real(f32::INFINITY).or_else(overflow, result));
    let underflow = Expr::op(either(&x, Op::F32Le, Op::F32x4Le), [x, real(UNDERFLOW)]);
    real(0.0).or_else(underflow, result)
}

/// `y` * 2^`k` for a `y` near 1 and a `k` in -150..=128, rounded once: where 2^k is not a normal number, a
/// power that leaves `y` exact goes first.
fn scale(f: &mut Builder, y: Expr, k: &Expr) -> Expr {
    let integer = |value| Expr::constant(k.ty(), value);
    let large = f.value("large", integer(127).lt(k.clone()));
    let small = f.value("small", k.clone().lt(integer(-126)));
    let power = |exponent: i32| {
        let power = f32::from_bits((exponent + 127).cast_unsigned() << 23);
        Expr::real(y.ty(), power)
    };
    let first = power(127).or_else(large.clone(), power(-102).or_else(small.clone(), power(0)));
    let taken = integer(127).or_else(large, integer(-102).or_else(small, integer(0)));
    let rest = (k.clone() - taken + integer(127)) << Expr::I32(23);
    y * first * of_bits(rest)
}

#[cfg(test)]
mod tests {
    use rune_ir::arena::Arena;
    use wasm_encoder::{
        CodeSection, ExportKind, ExportSection, FunctionSection, MemorySection, MemoryType, Module,
        TypeSection,
    };

    use super::*;
    use crate::nest::{Address, Affine, Buffer, Links, Load, Role, Store};

    /// A module whose function `f` replaces the f32 at address 0 by its exponential.
    fn module() -> Vec<u8> {
        let mut buffers = Arena::default();
        let buffer = buffers.push(Buffer {
            name: "x".to_owned(),
            bytes: 4,
            align: 4,
            data: None,
            initial: None,
        });
        let offset = Affine::from(0);
        let at = Address { buffer, offset };
        let mut f = Builder::new("exp");
        f.operand(Role::Write, "x", buffer);
        let e = expf(&mut f, Expr::Load(Load::Whole(Ty::F32), at.clone()));
        f.store(Store::Whole, at, e);
        let mut types = TypeSection::new();
        types.ty().function([], []);
        let mut functions = FunctionSection::new();
        functions.function(0);
        let mut memories = MemorySection::new();
        memories.memory(MemoryType {
            minimum: 1,
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
        let mut exports = ExportSection::new();
        exports.export("m", ExportKind::Memory, 0);
        exports.export("f", ExportKind::Func, 0);
        let mut code = CodeSection::new();
        code.raw(&f.finish().code().body(&Links {
            place: &|_| 0.into(),
            intrinsics: 0,
        }));
        let mut module = Module::new();
        module
            .section(&types)
            .section(&functions)
            .section(&memories);
        module.section(&exports).section(&code);
        module.finish()
    }

    #[test]
    fn gives_the_bits_of_libm() {
        let engine = wasmi::Engine::default();
        let module = wasmi::Module::new(&engine, module()).unwrap();
        let mut store = wasmi::Store::new(&engine, ());
        let instance = wasmi::Instance::new(&mut store, &module, &[]).unwrap();
        let memory = instance.get_memory(&store, "m").unwrap();
        let function = instance.get_typed_func::<(), ()>(&store, "f").unwrap();
        let mut check = |bits: u32| {
            memory.write(&mut store, 0, &bits.to_le_bytes()).unwrap();
            function.call(&mut store, ()).unwrap();
            let mut result = [0; 4];
            memory.read(&store, 0, &mut result).unwrap();
            let expected = libm::expf(f32::from_bits(bits));
            let actual = f32::from_le_bytes(result);
            assert!(
                expected.to_bits() == actual.to_bits() || expected.is_nan() && actual.is_nan(),
                "exp({}) is {expected}, not {actual}",
                f32::from_bits(bits),
            );
        };
        // Around every bound of the algorithm, zeros, denormals, infinities, NaNs; then a sweep of all floats.
        let bounds = [
            HALF_LN2,
            THREE_HALF_LN2,
            TINY,
            OVERFLOW,
            UNDERFLOW,
            0.0,
            87.336_55,
            88.0,
            1.0,
            100.0,
        ];
        for bound in bounds.into_iter().chain([f32::INFINITY, f32::MIN_POSITIVE]) {
            for near in 0..64 {
                let bits = bound.to_bits().wrapping_add(near).wrapping_sub(32);
                check(bits);
                check(bits ^ 1 << 31);
            }
        }
        for bits in (0..u32::MAX).step_by(19_937) {
            check(bits);
        }
        // And the range in which the result is neither 0 nor infinite, densely.
        for i in 0..200_000 {
            check((i as f32 * 1e-3 - 105.0).to_bits());
        }
    }
}
