//! `RESIZE_BILINEAR`: for each position of the result, the four neighbours and their weights by tables of
//! rows and of columns; channels in vectors where there are enough of F32 or I8.

use rune_ir::{
    graph::{DataType, Node, Tensor},
    quant::{Blend, Sampling},
};

use super::{
    Context,
    copy::{shifted, start},
    float::canonical,
};
use crate::nest::{Address, Affine, BufferId, Builder, Expr, Kernel, Load, Op, Role, Store, Ty};

/// Bytes of an entry of a table: the places of both neighbours, and the weight of the second.
const ENTRY: u32 = 12;

/// The table of one dimension, whose elements are so many bytes apart.
fn table<W: Copy>(blends: &[Blend<W>], stride: u32, weight: fn(W) -> [u8; 4]) -> Vec<u8> {
    let entry = |b: &Blend<W>| {
        let [low, high] = [b.low, b.high].map(|i| (i * stride).to_le_bytes());
        [low, high, weight(b.weight)]
    };
    blends.iter().flat_map(entry).flatten().collect()
}

/// The tables of rows and columns.
fn tables(x: &Tensor, y: &Tensor, sampling: Sampling) -> [Vec<u8>; 2] {
    let stride = [x.shape[2] * x.shape[3], x.shape[3]].map(|n| n * x.ty.size());
    [1, 2].map(|d| {
        let (from, to, stride) = (x.shape[d], y.shape[d], stride[d - 1]);
        if [DataType::F32, DataType::U8].contains(&x.ty) {
            table(&sampling.floats(from, to), stride, f32::to_le_bytes)
        } else {
            table(&sampling.integers(from, to), stride, i32::to_le_bytes)
        }
    })
}

/// `RESIZE_BILINEAR`.
pub(super) fn bilinear(context: &mut Context, node: &Node, sampling: Sampling) -> Kernel {
    let (x, from) = context.input(node, 0);
    let (y, to) = context.output(node);
    let mut f = Builder::new("resize_bilinear");
    f.operand(Role::Read, "x", from);
    f.operand(Role::Write, "y", to);
    let [rows, columns] = tables(x, y, sampling);
    let [rows, columns] = [("rows", rows), ("columns", columns)].map(|(name, data)| {
        let table = context.constant(name, data);
        f.operand(Role::Read, name, table);
        table
    });
    let element = x.ty.size();
    let [image_from, image_to] = [x, y].map(|t| t.shape[1..].iter().product::<u32>() * element);
    let depth = x.shape[3];
    let arithmetic = Arithmetic { ty: x.ty };
    let lanes = arithmetic.lanes();
    let vectors = if context.simd.has_vectors() {
        depth / lanes * lanes
    } else {
        0
    };
    f.each("n", x.shape[0], |f, n| {
        f.each("oy", y.shape[1], |f, oy| {
            let row = Neighbours::read(f, rows, oy);
            f.each("ox", y.shape[2], |f, ox| {
                let column = Neighbours::read(f, columns, ox);
                let corners = [
                    (&row.low, &column.low),
                    (&row.low, &column.high),
                    (&row.high, &column.low),
                    (&row.high, &column.high),
                ];
                let corners = corners
                    .map(|(row, column)| shifted(&start(from), n * image_from + row + column));
                let pixel = oy * y.shape[2] + ox;
                let to = shifted(&start(to), n * image_to + pixel * (depth * element));
                for (vector, first, end, step) in
                    [(true, 0, vectors, lanes), (false, vectors, depth, 1)]
                {
                    if first == end {
                        continue;
                    }
                    let weights = [&row, &column].map(|n| arithmetic.weight(f, n, vector));
                    f.range("c", first, end, step, |f, c| {
                        let corners = corners.each_ref().map(|at| shifted(at, c * element));
                        arithmetic.blend(f, &corners, &weights, &shifted(&to, c * element), vector);
                    });
                }
            });
        });
    });
    f.finish()
}

/// An entry of a table.
struct Neighbours {
    low: Affine,
    high: Affine,
    weight: Address,
}

impl Neighbours {
    fn read(f: &mut Builder, table: BufferId, i: &Affine) -> Self {
        let at = shifted(&start(table), i * ENTRY);
        let mut place =
            |name, field| f.index(name, Expr::Load(Load::Whole(Ty::I32), at.plus(field)));
        Self {
            low: place("low", 0),
            high: place("high", 4),
            weight: at.plus(8),
        }
    }
}

/// How one element type is blended.
#[derive(Clone, Copy)]
struct Arithmetic {
    ty: DataType,
}

impl Arithmetic {
    /// Channels in a vector: more than there are where none is used.
    fn lanes(self) -> u32 {
        match self.ty {
            DataType::F32 => 4,
            DataType::I8 => 8,
            DataType::Bool | DataType::Element(_) => u32::MAX,
        }
    }

    /// The weights of the first and of the second neighbour.
    fn weight(self, f: &mut Builder, neighbours: &Neighbours, vector: bool) -> [Expr; 2] {
        let float = [DataType::F32, DataType::U8].contains(&self.ty);
        let load = match (float, vector) {
            (true, false) => Load::Whole(Ty::F32),
            (true, true) => Load::Splat32(Ty::F32x4),
            (false, false) => Load::Whole(Ty::I32),
            (false, true) => Load::Splat32(Ty::I32x4),
        };
        let second = Expr::Load(load, neighbours.weight.clone());
        let second = if self.ty == DataType::I16 {
            Expr::op(Op::I64ExtendI32S, [second])
        } else {
            second
        };
        let second = f.value("second", second);
        let one = if float {
            Expr::real(second.ty(), 1.0)
        } else {
            Expr::constant(second.ty(), 1024)
        };
        let first = f.value("first", one - second.clone());
        [first, second]
    }

    /// Writes the blend of the elements in four corners: one, or a vector of them.
    fn blend(
        self,
        f: &mut Builder,
        corners: &[Address; 4],
        [[upper, lower], [left, right]]: &[[Expr; 2]; 2],
        to: &Address,
        vector: bool,
    ) {
        let sides = [(upper, left), (lower, left), (upper, right), (lower, right)];
        let order = [0, 2, 1, 3];
        let sum = |f: &mut Builder, part: &dyn Fn(Expr) -> Expr, values: &[Expr; 4]| {
            let products = order.iter().zip(sides);
            let products = products.map(|(corner, (row, column))| {
                part(values[*corner].clone()) * row.clone() * column.clone()
            });
            let sum = products.reduce(|a, b| a + b).expect("four corners");
            f.value("sum", sum)
        };
        let loaded = |load: Load| corners.each_ref().map(|at| Expr::Load(load, at.clone()));
        match (self.ty, vector) {
            (DataType::F32, _) => {
                let ty = if vector { Ty::F32x4 } else { Ty::F32 };
                let sum = sum(f, &|x| x, &loaded(Load::Whole(ty)));
                let sum = canonical(f, sum);
                f.store(Store::Whole, to.clone(), sum);
            }
            (DataType::U8, _) => {
                let convert = |x| Expr::op(Op::F32ConvertI32S, [x]);
                let sum = sum(f, &convert, &loaded(Load::U8));
                let rounded = Expr::op(Op::I32TruncSatF32S, [sum + Expr::f32(0.5)]);
                f.store(Store::I8, to.clone(), rounded);
            }
            (DataType::I8, true) => {
                let wide = loaded(Load::I8x8).map(|x| f.value("x", x));
                let halves = [Op::I32x4ExtendLowI16x8S, Op::I32x4ExtendHighI16x8S].map(|op| {
                    let sum = sum(f, &|x| Expr::op(op, [x]), &wide);
                    rounded(sum)
                });
                let words = Expr::op(Op::I16x8NarrowI32x4S, halves);
                let words = f.value("words", words);
                let bytes = Expr::op(Op::I8x16NarrowI16x8S, [words.clone(), words]);
                f.store(Store::Lane { bytes: 8, lane: 0 }, to.clone(), bytes);
            }
            (DataType::I8, false) => {
                let sum = sum(f, &|x| x, &loaded(Load::I8));
                f.store(Store::I8, to.clone(), rounded(sum));
            }
            _ => {
                let convert = |x| Expr::op(Op::I64ExtendI32S, [x]);
                let sum = sum(f, &convert, &loaded(Load::I16));
                let narrow = Expr::op(Op::I32WrapI64, [rounded(sum)]);
                f.store(Store::I16, to.clone(), narrow);
            }
        }
    }
}

/// A sum in units of 2^-20 as a whole number, halves away from zero.
fn rounded(sum: Expr) -> Expr {
    let wide = sum.ty() == Ty::I64;
    // Vectors are shifted by an I32.
    let bits = |n: i32| {
        if wide {
            Expr::I64(n.into())
        } else {
            Expr::I32(n)
        }
    };
    let half = Expr::constant(sum.ty(), 1 << 19);
    // Of a sum below zero, one less than a half is added.
    let sign = sum.clone() >> bits(if wide { 63 } else { 31 });
    (sum + half + sign) >> bits(20)
}
