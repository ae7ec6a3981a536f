//! Sums of products of neighbours in memory, one sum at a time: for operands in any types and layouts that
//! the schedules of `conv.rs` do not pack.
//!
//! Sums of integers are exact modulo 2^32 or 2^64, so with vectors they are taken in eight lanes at once.
//! A sum of F32 is taken element by element, as its order is part of the operator.

use rune_ir::graph::DataType;

use super::element;
use crate::nest::{Address, Affine, Builder, Expr, Lanes, Load, Op, Ty};

/// Products of 16 by 8 bits that a 32-bit lane surely holds, in all eight lanes: each adds two of at most 2^22.
const SHORT: u32 = 255 * 8;

/// Vectors of products in one round of a loop, where there are several rounds.
const UNROLLED: u32 = 4;

/// The upper half of a vector in the place of the lower.
pub(super) const UPPER: Lanes = [8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7];
/// The second 32-bit lane in the place of the first.
pub(super) const SECOND: Lanes = [4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11];

/// How products are taken and summed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dot {
    /// The types of what is multiplied: F32 both, or integers of 8 or 16 bits.
    pub(super) types: [DataType; 2],
    /// Subtracted from each; 0 beside 16 bits.
    pub(super) zeros: [i32; 2],
    /// Whether the sum has 64 bits.
    pub(super) long: bool,
    /// Whether vectors may be used.
    pub(super) vector: bool,
    /// Products of a whole sum.
    pub(super) products: u32,
}

/// A sum that is being taken.
#[derive(Debug)]
pub(super) struct Running {
    scalar: Expr,
    vector: Option<Expr>,
}

impl Dot {
    /// The type of the sum.
    fn ty(&self) -> Ty {
        if self.types[0] == DataType::F32 {
            Ty::F32
        } else if self.long {
            Ty::I64
        } else {
            Ty::I32
        }
    }

    /// The sum of nothing.
    pub(super) fn zero(&self) -> Expr {
        Expr::constant(self.ty(), 0)
    }

    /// Whether sums of runs of so many neighbours are taken in vectors.
    fn in_vectors(&self, run: u32) -> bool {
        self.vector && self.types[0] != DataType::F32 && run >= 8
    }

    /// Whether 32 bits hold what a lane of a vector sums.
    fn fits(&self) -> bool {
        !self.long || (self.products <= SHORT && self.types[1] != DataType::I16)
    }

    /// A sum that starts with `first`, to which runs of `run` neighbours will be added.
    pub(super) fn start(&self, f: &mut Builder, first: Expr, run: u32) -> Running {
        let scalar = f.accumulator("sum", first);
        let vector = self.in_vectors(run).then(|| {
            let ty = if self.fits() { Ty::I32x4 } else { Ty::I64x2 };
            f.accumulator("sums", Expr::constant(ty, 0))
        });
        Running { scalar, vector }
    }

    /// Adds the products of `run` neighbours at `x` and at `w`.
    pub(super) fn add(&self, f: &mut Builder, sum: &Running, x: &Address, w: &Address, run: u32) {
        let sizes = self.types.map(DataType::size);
        let at = |i: &Affine| {
            let place = |a: &Address, size: u32| Address {
                buffer: a.buffer,
                offset: &a.offset + i * size,
            };
            [place(x, sizes[0]), place(w, sizes[1])]
        };
        let mut done = 0;
        if let Some(sums) = &sum.vector {
            done = run / 8 * 8;
            if self.fits() || self.types[1] == DataType::I16 {
                let times = if done > 8 * UNROLLED { UNROLLED } else { 1 };
                f.unrolled("i", (&0.into(), &done.into()), 8, times, |f, i| {
                    let product = self.products(f, at(i), sums.ty());
                    f.set(sums, sums.clone() + product);
                });
            } else {
                for first in (0..done).step_by(SHORT as usize) {
                    let part = f.accumulator("part", Expr::constant(Ty::I32x4, 0));
                    f.range("i", first, done.min(first + SHORT), 8, |f, i| {
                        let product = self.products(f, at(i), Ty::I32x4);
                        f.set(&part, part.clone() + product);
                    });
                    let halves = [Op::I64x2ExtendLowI32x4S, Op::I64x2ExtendHighI32x4S];
                    for half in halves {
                        f.set(sums, sums.clone() + Expr::op(half, [part.clone()]));
                    }
                }
            }
        }
        f.range("i", done, run, 1, |f, i| {
            let [x, w] = self.scalars(at(i));
            let product = x * w;
            let product = if self.long {
                Expr::op(Op::I64ExtendI32S, [product])
            } else {
                product
            };
            f.set(&sum.scalar, sum.scalar.clone() + product);
        });
    }

    /// The sum.
    pub(super) fn total(&self, f: &mut Builder, sum: Running) -> Expr {
        let Some(sums) = sum.vector else {
            return sum.scalar;
        };
        let folded = if sums.ty() == Ty::I32x4 && self.long {
            let halves = [Op::I64x2ExtendLowI32x4S, Op::I64x2ExtendHighI32x4S];
            let [low, high] = halves.map(|half| Expr::op(half, [sums.clone()]));
            f.value("folded", low + high)
        } else {
            sums
        };
        let folded = folded.clone() + folded.shuffle_self(UPPER);
        if self.long {
            return sum.scalar + folded.first();
        }
        let folded = f.value("folded", folded);
        sum.scalar + (folded.clone() + folded.shuffle_self(SECOND)).first()
    }

    /// One element of each operand, less its zero point.
    fn scalars(&self, at: [Address; 2]) -> [Expr; 2] {
        let [x, w] = at;
        let load = |i: usize, at: Address| {
            let loaded = Expr::Load(element::load(self.types[i]), at);
            less(loaded, self.zeros[i])
        };
        [load(0, x), load(1, w)]
    }

    /// The products of eight elements of each operand, added up to lanes of `ty`.
    fn products(&self, f: &mut Builder, at: [Address; 2], ty: Ty) -> Expr {
        let [x, w] = at;
        let load = |i: usize, at: Address| {
            let how = if self.types[i] == DataType::I8 {
                Load::I8x8
            } else if self.types[i] == DataType::U8 {
                Load::U8x8
            } else {
                Load::Whole(Ty::I16x8)
            };
            less(Expr::Load(how, at), self.zeros[i])
        };
        let [x, w] = [load(0, x), load(1, w)];
        if ty == Ty::I32x4 {
            return Expr::op(Op::I32x4DotI16x8S, [x, w]);
        }
        let (x, w) = (f.value("x", x), f.value("w", w));
        let widened = [Op::I32x4ExtMulLowI16x8S, Op::I32x4ExtMulHighI16x8S].map(|multiply| {
            let products = f.value("products", Expr::op(multiply, [x.clone(), w.clone()]));
            let [low, high] = [Op::I64x2ExtendLowI32x4S, Op::I64x2ExtendHighI32x4S]
                .map(|extend| Expr::op(extend, [products.clone()]));
            low + high
        });
        let [low, high] = widened;
        low + high
    }
}

/// `x` less a constant.
fn less(x: Expr, zero_point: i32) -> Expr {
    if zero_point == 0 {
        return x;
    }
    let zero_point = Expr::constant(x.ty(), zero_point.into());
    x - zero_point
}
