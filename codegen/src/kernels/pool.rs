//! `MAX_POOL_2D`, `AVERAGE_POOL_2D` and `L2_POOL_2D`: for each position and channel, a loop over the taps inside.
//!
//! Vectors hold neighbouring channels: four of f32, up to sixteen bytes of a maximum, eight bytes of an average,
//! which are added in 16 bits as long as windows are small enough for it.

use rune_ir::{
    graph::{DataType, Node},
    op::{Activation, Window},
    quant,
};

use super::{
    Context, element,
    float::{activate, at_least, canonical},
    geometry::{Geometry, Tile},
    integer::narrow,
    is_signed,
    linear::vectors,
    requantize::clamp,
};
use crate::nest::{Address, Affine, Builder, Expr, Kernel, Load, Op, Role, Store, Ty, View};

/// Taps in one round of a loop, in vectors.
const UNROLLED: u32 = 4;

/// Taps of a window that, in vectors, is taken without a loop.
const WINDOW: u32 = 12;
/// Taps of all channels of a window that are taken without a loop.
const WINDOWS: u32 = 24;

/// How the taps of a window become one number, in one width of channels.
trait Pool {
    /// Before the first tap.
    fn start(&self) -> Expr;
    /// With one tap more.
    fn add(&self, f: &mut Builder, sum: Expr, at: Address) -> Expr;
    /// Writes the result of `count` taps.
    fn finish(&self, f: &mut Builder, sum: Expr, count: Expr, to: Address);
}

pub(super) fn max(
    context: &mut Context,
    node: &Node,
    window: &Window,
    size: [u32; 2],
    activation: Activation,
) -> Result<Kernel, String> {
    let (y, _) = context.output(node);
    if y.ty == DataType::F32 {
        let widths = floats(Taken::Greatest, activation);
        return kernel(context, node, "max_pool_2d", window, size, &widths);
    }
    let range = quant::activation_range(y, activation)?;
    let pool = |ty, bytes: u32| -> (u32, Box<dyn Pool>) {
        let count = bytes / y.ty.size();
        let pool = Largest {
            ty,
            element: y.ty,
            range,
            bytes: bytes as u8,
        };
        (count, Box::new(pool))
    };
    let vector = if y.ty == DataType::I16 {
        Ty::I16x8
    } else {
        Ty::I8x16
    };
    let widths = [
        pool(vector, 16),
        pool(vector, 8),
        pool(vector, 4),
        pool(Ty::I32, y.ty.size()),
    ];
    kernel(context, node, "max_pool_2d", window, size, &widths)
}

pub(super) fn average(
    context: &mut Context,
    node: &Node,
    window: &Window,
    size: [u32; 2],
    activation: Activation,
) -> Result<Kernel, String> {
    let (y, _) = context.output(node);
    if y.ty == DataType::F32 {
        let widths = floats(Taken::Mean, activation);
        return kernel(context, node, "average_pool_2d", window, size, &widths);
    }
    let range = quant::activation_range(y, activation)?;
    let mean: Box<dyn Pool> = Box::new(Mean {
        element: y.ty,
        range,
    });
    let signed = is_signed(y);
    // A sum of so many bytes fits 16 bits.
    let most = if signed { 255 } else { 128 };
    if y.ty == DataType::I16 || size[0].saturating_mul(size[1]) > most {
        return kernel(context, node, "average_pool_2d", window, size, &[(1, mean)]);
    }
    let means = Box::new(Means { signed, range });
    let widths = [(8, means as Box<dyn Pool>), (1, mean)];
    kernel(context, node, "average_pool_2d", window, size, &widths)
}

/// `L2_POOL_2D`, of f32 alone.
pub(super) fn l2(
    context: &mut Context,
    node: &Node,
    window: &Window,
    size: [u32; 2],
    activation: Activation,
) -> Result<Kernel, String> {
    let widths = floats(Taken::Length, activation);
    kernel(context, node, "l2_pool_2d", window, size, &widths)
}

/// A pool of f32 in its widths.
fn floats(pool: Taken, activation: Activation) -> [(u32, Box<dyn Pool>); 2] {
    [(4, Ty::F32x4), (1, Ty::F32)].map(|(width, ty)| -> (u32, Box<dyn Pool>) {
        let floats = Floats {
            ty,
            activation,
            pool,
        };
        (width, Box::new(floats))
    })
}

/// The kernel of a pool that takes channels in these widths, the largest first and last 1.
fn kernel(
    context: &mut Context,
    node: &Node,
    name: &str,
    window: &Window,
    size: [u32; 2],
    widths: &[(u32, Box<dyn Pool>)],
) -> Result<Kernel, String> {
    let (x, from) = context.input(node, 0);
    let (y, to) = context.output(node);
    let geometry = Geometry::new(window, size, x, y)?;
    let Geometry { rows, columns, .. } = geometry;
    let channels = x.shape[3];
    let view = |buffer, [rows, columns]: [u32; 2]| {
        let shape = [geometry.batch, rows, columns, channels];
        View::new(buffer, x.ty.size(), &shape)
    };
    let from_view = view(from, [rows.input, columns.input]);
    let to_view = view(to, [rows.output, columns.output]);
    let mut f = Builder::new(name);
    f.operand(Role::Read, "x", from);
    f.operand(Role::Write, "y", to);
    let simd = vectors(context.simd);
    let taps = size[0].saturating_mul(size[1]);
    let chunk =
        |f: &mut Builder, (pool, times): (&dyn Pool, u32), tile: &Tile, channel: &Affine| {
            let sum = f.accumulator("pooled", pool.start());
            let (row_taps, column_taps) = (&tile.row_taps, &tile.column_taps);
            // Small windows are no loops at all.
            let high = if times > 1 && taps <= WINDOW {
                size[0]
            } else {
                1
            };
            f.unrolled("ky", (&row_taps.0, &row_taps.1), 1, high, |f, ky| {
                let row = &tile.row * rows.stride + ky + -(rows.pad as i32);
                let bounds = (&column_taps.0, &column_taps.1);
                f.unrolled("kx", bounds, 1, times, |f, kx| {
                    let column = &tile.column * columns.stride + kx + -(columns.pad as i32);
                    let at = from_view.at([&tile.batch, &row, &column, channel]);
                    let more = pool.add(f, sum.clone(), at);
                    f.set(&sum, more);
                });
            });
            let number =
                |taps: &(Affine, Affine)| match (taps.0.as_constant(), taps.1.as_constant()) {
                    (Some(from), Some(to)) => Expr::I32(to - from),
                    _ => Expr::from(&taps.1) - Expr::from(&taps.0),
                };
            let count = match (number(row_taps), number(column_taps)) {
                (Expr::I32(rows), Expr::I32(columns)) => Expr::I32(rows * columns),
                (rows, columns) => rows * columns,
            };
            let at = to_view.at([&tile.batch, &tile.row, &tile.column, channel]);
            pool.finish(f, sum, count, at);
        };
    geometry.tiles(&mut f, 1, &mut |f, tile| {
        let mut done = 0;
        for (width, pool) in widths {
            if *width > 1 && !simd {
                continue;
            }
            let end = channels / width * width;
            let times = if *width > 1 { UNROLLED } else { 1 };
            let chunks = end.saturating_sub(done) / width;
            let together = if *width > 1 && chunks.saturating_mul(taps) <= WINDOWS {
                chunks.max(1)
            } else {
                1
            };
            f.unrolled(
                "c",
                (&done.into(), &end.into()),
                *width,
                together,
                |f, c| {
                    chunk(f, (&**pool, times), tile, c);
                },
            );
            done = end;
        }
    });
    Ok(f.finish())
}

/// What is taken of a window.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taken {
    Greatest,
    Mean,
    /// The root of the mean of squares.
    Length,
}

/// A pool of F32 or F32x4.
struct Floats {
    ty: Ty,
    activation: Activation,
    pool: Taken,
}

impl Pool for Floats {
    fn start(&self) -> Expr {
        let greatest = self.pool == Taken::Greatest;
        Expr::real(self.ty, if greatest { f32::MIN } else { 0.0 })
    }

    fn add(&self, f: &mut Builder, sum: Expr, at: Address) -> Expr {
        let x = Expr::Load(Load::Whole(self.ty), at);
        match self.pool {
            Taken::Greatest => at_least(sum, f.value("x", x)),
            Taken::Mean => sum + x,
            Taken::Length => {
                let x = f.value("x", x);
                sum + x.clone() * x
            }
        }
    }

    fn finish(&self, f: &mut Builder, sum: Expr, count: Expr, to: Address) {
        let pooled = if self.pool == Taken::Greatest {
            sum
        } else if let Expr::I32(count) = count {
            sum / Expr::real(self.ty, count as f32)
        } else {
            let count = Expr::op(Op::F32ConvertI32S, [count]);
            sum / if self.ty.is_vector() {
                Expr::op(Op::F32x4Splat, [count])
            } else {
                count
            }
        };
        let root = if self.ty.is_vector() {
            Op::F32x4Sqrt
        } else {
            Op::F32Sqrt
        };
        let pooled = if self.pool == Taken::Length {
            Expr::op(root, [pooled])
        } else {
            pooled
        };
        let activated = activate(f, self.activation, pooled);
        let result = canonical(f, activated);
        f.store(Store::Whole, to, result);
    }
}

/// The maximum of I8, U8 or I16, as I32, I8x16 or I16x8.
struct Largest {
    ty: Ty,
    element: DataType,
    range: (i32, i32),
    /// How many.
    bytes: u8,
}

impl Largest {
    /// The greater, or the less, of two vectors.
    fn op(&self, greater: bool) -> Op {
        match (self.element, greater) {
            (DataType::I8, true) => Op::I8x16MaxS,
            (DataType::I8, false) => Op::I8x16MinS,
            (DataType::I16, true) => Op::I16x8MaxS,
            (DataType::I16, false) => Op::I16x8MinS,
            (_, true) => Op::I8x16MaxU,
            (_, false) => Op::I8x16MinU,
        }
    }
}

impl Pool for Largest {
    /// The lower end of the range, as whatever is less would be clamped to it.
    fn start(&self) -> Expr {
        Expr::constant(self.ty, self.range.0.into())
    }

    fn add(&self, f: &mut Builder, sum: Expr, at: Address) -> Expr {
        if self.ty == Ty::I32 {
            let x = f.value("x", element::at(self.element, &at));
            let less = x.clone().lt(sum.clone());
            sum.or_else(less, x)
        } else {
            let load = match self.bytes {
                4 => Load::Zero32(self.ty),
                8 => Load::Zero64(self.ty),
                _ => Load::Whole(self.ty),
            };
            Expr::op(self.op(true), [sum, Expr::Load(load, at)])
        }
    }

    fn finish(&self, f: &mut Builder, sum: Expr, _: Expr, to: Address) {
        let most = Expr::constant(self.ty, self.range.1.into());
        if self.ty == Ty::I32 {
            let more = most.clone().lt(sum.clone());
            element::put(f, self.element, &to, most.or_else(more, sum));
        } else {
            let result = Expr::op(self.op(false), [sum, most]);
            let how = match self.bytes {
                bytes @ (4 | 8) => Store::Lane { bytes, lane: 0 },
                _ => Store::Whole,
            };
            f.store(how, to, result);
        }
    }
}

/// The mean of integers, halves away from zero.
struct Mean {
    element: DataType,
    range: (i32, i32),
}

impl Pool for Mean {
    fn start(&self) -> Expr {
        Expr::I32(0)
    }

    fn add(&self, _: &mut Builder, sum: Expr, at: Address) -> Expr {
        sum + element::at(self.element, &at)
    }

    fn finish(&self, f: &mut Builder, sum: Expr, count: Expr, to: Address) {
        let count = f.value("count", count);
        let half = f.value("half", count.clone() >> Expr::I32(1));
        let positive = Expr::I32(0).lt(sum.clone());
        let rounding = half.clone().or_else(positive, Expr::I32(0) - half);
        let mean = (sum + rounding) / count;
        let result = clamp(f, mean, self.range);
        element::put(f, self.element, &to, result);
    }
}

/// The means of eight bytes, summed in an I16x8.
struct Means {
    signed: bool,
    range: (i32, i32),
}

impl Pool for Means {
    fn start(&self) -> Expr {
        Expr::constant(Ty::I16x8, 0)
    }

    fn add(&self, _: &mut Builder, sum: Expr, at: Address) -> Expr {
        let load = if self.signed { Load::I8x8 } else { Load::U8x8 };
        sum + Expr::Load(load, at)
    }

    fn finish(&self, f: &mut Builder, sum: Expr, count: Expr, to: Address) {
        // What a sum below zero gets more than half of the count, and the count; a quotient of integers
        // below 2^24 is never rounded up to an integer, so cutting off gives that of integers.
        let splat = |x: Expr| {
            if let Expr::I32(value) = x {
                return Expr::constant(Ty::I32x4, value.into());
            }
            Expr::op(Op::I32x4Splat, [x])
        };
        let (half, minus_twice, count) = if let Expr::I32(count) = count {
            let half = count / 2;
            (Expr::I32(half), Expr::I32(-2 * half), Expr::I32(count))
        } else {
            let count = f.value("count", count);
            let half = f.value("half", count.clone() >> Expr::I32(1));
            let minus_twice = Expr::I32(0) - half.clone() - half.clone();
            (half, minus_twice, count)
        };
        let half = f.value("half", splat(half));
        let minus_twice = f.value("minus_twice", splat(minus_twice));
        let divisor = Expr::op(Op::F32x4ConvertI32x4S, [splat(count)]);
        let divisor = f.value("divisor", divisor);
        let means: Vec<Expr> = [Op::I32x4ExtendLowI16x8S, Op::I32x4ExtendHighI16x8S]
            .into_iter()
            .map(|extend| {
                let x = f.value("x", Expr::op(extend, [sum.clone()]));
                let negative = x.clone() >> Expr::I32(31);
                let rounding =
                    half.clone() + Expr::op(Op::V128And, [negative, minus_twice.clone()]);
                let real = Expr::op(Op::F32x4ConvertI32x4S, [x + rounding]);
                let mean = Expr::op(Op::I32x4TruncSatF32x4S, [real / divisor.clone()]);
                f.value("mean", mean)
            })
            .collect();
        let bytes = narrow(f, &means, 0, self.range, self.signed);
        f.store(Store::Lane { bytes: 8, lane: 0 }, to, bytes);
    }
}
