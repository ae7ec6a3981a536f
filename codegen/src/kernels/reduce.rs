//! MEAN, SUM, `REDUCE_PROD`, `REDUCE_MAX`, `REDUCE_MIN`, `REDUCE_ALL` and `REDUCE_ANY`.
//!
//! Neighbouring dimensions that are all reduced, or all kept, count as one. Where the innermost is kept
//! (a mean over rows and columns), vectors hold neighbouring results; elsewhere each result is a scalar
//! loop, as its order is fixed for f32.

use rune_ir::{
    graph::{DataType, Node, Tensor},
    op::{Reduce, Reduction},
    quant::{self, ReducedProductParams, ReducedSumParams, Rounding},
};

use super::{
    Context, element,
    float::{at_least, at_most, canonical},
    integer::{narrow, store_bytes},
    is_signed,
    linear::vectors,
    requantize::{Factor, FactorExprs, offset_and_clamp, requantize},
};
use crate::nest::{Address, Affine, Builder, Expr, Kernel, Load, Op, Role, Store, Ty};

/// How elements become one number; one for each width of neighbouring results that are made at once.
trait Reducer {
    /// Accumulators before the first element.
    fn start(&self) -> Vec<Expr>;
    /// With the elements at `at` too.
    fn add(&self, f: &mut Builder, sums: &[Expr], at: &Address);
    /// Writes the results.
    fn finish(&self, f: &mut Builder, sums: &[Expr], to: &Address);
}

/// A dimension, or several that behave as one.
#[derive(Clone, Copy, Debug)]
struct Span {
    count: u32,
    /// Elements of the input from one index to the next.
    from: u32,
    /// Elements of the output likewise; 0 where it is reduced.
    to: u32,
}

pub(super) fn reduce(context: &mut Context, node: &Node, op: &Reduce) -> Result<Kernel, String> {
    let Reduce { how, axes } = op;
    let how = *how;
    let (x, from) = context.input(node, 0);
    let (y, to) = context.output(node);
    let count = (x.elements() / y.elements()) as u32;
    let widths = reducers(context, node, how, count)?;
    let name = node.op.name().to_ascii_lowercase();
    let mut f = Builder::new(&name);
    f.operand(Role::Read, "x", from);
    f.operand(Role::Write, "y", to);
    let spans = spans(&x.shape, axes);
    let (reduced, mut kept): (Vec<Span>, Vec<Span>) = spans.iter().partition(|s| s.to == 0);
    // Results that are neighbours and whose elements are.
    let inner = kept.pop_if(|s| s.from == 1).map_or(1, |s| s.count);
    let loops = Loops {
        size: x.ty.size(),
        reduced,
        inner,
        widths: widths
            .into_iter()
            .filter(|(width, _)| *width == 1 || vectors(context.simd))
            .collect(),
    };
    let start = |buffer| Address {
        buffer,
        offset: Affine::default(),
    };
    over(
        &mut f,
        &kept,
        loops.size,
        &start(from),
        &start(to),
        &mut |f, from, to| {
            loops.results(f, from, to);
        },
    );
    Ok(f.finish())
}

/// The dimensions as few spans, the outermost first; none is of one element.
fn spans(shape: &[u32], axes: &[u32]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let (mut from, mut to) = (1, 1);
    for (d, count) in shape.iter().enumerate().rev() {
        if *count == 1 {
            continue;
        }
        let reduced = axes.contains(&(d as u32));
        match spans.last_mut() {
            Some(outer) if (outer.to == 0) == reduced => outer.count *= count,
            _ => spans.push(Span {
                count: *count,
                from,
                to: if reduced { 0 } else { to },
            }),
        }
        from *= count;
        if !reduced {
            to *= count;
        }
    }
    spans.reverse();
    spans
}

/// Runs `body` for each index of `spans` with the places it then is at.
fn over(
    f: &mut Builder,
    spans: &[Span],
    size: u32,
    from: &Address,
    to: &Address,
    body: &mut dyn FnMut(&mut Builder, &Address, &Address),
) {
    let [span, rest @ ..] = spans else {
        return body(f, from, to);
    };
    f.each("i", span.count, |f, i| {
        let from = moved(from, i, span.from * size);
        let to = moved(to, i, span.to * size);
        over(f, rest, size, &from, &to, body);
    });
}

fn moved(at: &Address, by: &Affine, bytes: u32) -> Address {
    Address {
        buffer: at.buffer,
        offset: &at.offset + by * bytes,
    }
}

/// What is inside the loops over kept dimensions.
struct Loops {
    size: u32,
    reduced: Vec<Span>,
    inner: u32,
    /// Widths of neighbouring results, falling, last 1.
    widths: Vec<(u32, Box<dyn Reducer>)>,
}

impl Loops {
    fn results(&self, f: &mut Builder, from: &Address, to: &Address) {
        let mut done = 0;
        for (width, reducer) in &self.widths {
            let end = done + (self.inner - done) / width * width;
            f.range("c", done, end, *width, |f, c| {
                let (from, to) = (moved(from, c, self.size), moved(to, c, self.size));
                let sums = reducer.start();
                let sums: Vec<_> = sums.into_iter().map(|s| f.accumulator("sum", s)).collect();
                over(
                    f,
                    &self.reduced,
                    self.size,
                    &from,
                    &from,
                    &mut |f, at, _| {
                        reducer.add(f, &sums, at);
                    },
                );
                reducer.finish(f, &sums, &to);
            });
            done = end;
        }
    }
}

/// How many results each computes at once, with what computes them.
type Reducers = Vec<(u32, Box<dyn Reducer>)>;

/// The reducers of a node by their widths, falling, the last 1.
fn reducers(
    context: &Context,
    node: &Node,
    how: Reduction,
    count: u32,
) -> Result<Reducers, String> {
    let x = context.tensor(node, 0);
    let small = [DataType::I8, DataType::U8, DataType::I16].contains(&x.ty);
    let bytes = x.ty.size() == 1;
    Ok(match how {
        _ if x.ty == DataType::F32 => [(16, 4), (4, 1), (1, 0)]
            .map(|(width, vectors)| -> (u32, Box<dyn Reducer>) {
                (
                    width,
                    Box::new(Floats {
                        how,
                        vectors,
                        count,
                    }),
                )
            })
            .into(),
        Reduction::Mean | Reduction::Sum if small => {
            let params = quant::reduced_sum_params(context.graph, node, how, count)?;
            let sum = |vectors| -> Box<dyn Reducer> {
                Box::new(QuantizedSum {
                    ty: x.ty,
                    params,
                    vectors,
                })
            };
            if bytes {
                vec![(16, sum(4)), (8, sum(2)), (1, sum(0))]
            } else {
                vec![(1, sum(0))]
            }
        }
        Reduction::Product if small && x.quantization.is_some() => {
            let params = quant::reduced_product_params(context.graph, node, count)?;
            vec![(1, Box::new(QuantizedProduct { ty: x.ty, params }))]
        }
        Reduction::Max | Reduction::Min if bytes => {
            let greatest = how == Reduction::Max;
            let signed = is_signed(x);
            vec![
                (16, Box::new(ExtremeBytes { greatest, signed })),
                (1, scalar(x, how, count)),
            ]
        }
        Reduction::Mean
        | Reduction::Sum
        | Reduction::Product
        | Reduction::Max
        | Reduction::Min
        | Reduction::All
        | Reduction::Any => vec![(1, scalar(x, how, count))],
    })
}

fn scalar(x: &Tensor, how: Reduction, count: u32) -> Box<dyn Reducer> {
    Box::new(Integers {
        ty: x.ty,
        how,
        count,
    })
}

/// F32, or so many F32x4.
struct Floats {
    how: Reduction,
    /// 0 for a scalar.
    vectors: u32,
    count: u32,
}

impl Floats {
    fn ty(&self) -> Ty {
        if self.vectors == 0 {
            Ty::F32
        } else {
            Ty::F32x4
        }
    }
}

impl Reducer for Floats {
    fn start(&self) -> Vec<Expr> {
        let start = match self.how {
            Reduction::Product => 1.0,
            Reduction::Max => f32::MIN,
            Reduction::Min => f32::MAX,
            Reduction::Mean | Reduction::Sum | Reduction::All | Reduction::Any => 0.0,
        };
        vec![Expr::real(self.ty(), start); self.vectors.max(1) as usize]
    }

    fn add(&self, f: &mut Builder, sums: &[Expr], at: &Address) {
        for (i, sum) in (0..).zip(sums) {
            let x = Expr::Load(Load::Whole(self.ty()), at.plus(16 * i));
            let with = match self.how {
                Reduction::Product => sum.clone() * x,
                Reduction::Max => at_least(sum.clone(), f.value("x", x)),
                Reduction::Min => at_most(sum.clone(), f.value("x", x)),
                Reduction::Mean | Reduction::Sum | Reduction::All | Reduction::Any => {
                    sum.clone() + x
                }
            };
            f.set(sum, with);
        }
    }

    fn finish(&self, f: &mut Builder, sums: &[Expr], to: &Address) {
        for (i, sum) in (0..).zip(sums) {
            let result = if self.how == Reduction::Mean {
                sum.clone() / Expr::real(self.ty(), self.count as f32)
            } else {
                sum.clone()
            };
            let result = canonical(f, result);
            f.store(Store::Whole, to.plus(16 * i), result);
        }
    }
}

/// MEAN or SUM of I8, U8 or I16: I32, or I32x4 of bytes.
struct QuantizedSum {
    ty: DataType,
    params: ReducedSumParams,
    /// 0 for a scalar.
    vectors: u32,
}

impl Reducer for QuantizedSum {
    /// The zero points are taken off beforehand.
    fn start(&self) -> Vec<Expr> {
        let ty = if self.vectors == 0 {
            Ty::I32
        } else {
            Ty::I32x4
        };
        let start = i64::from(self.params.input_offset.wrapping_neg());
        vec![Expr::constant(ty, start); self.vectors.max(1) as usize]
    }

    fn add(&self, f: &mut Builder, sums: &[Expr], at: &Address) {
        if self.vectors == 0 {
            f.set(&sums[0], sums[0].clone() + element::at(self.ty, at));
            return;
        }
        let load = if self.ty == DataType::I8 {
            Load::I8x8
        } else {
            Load::U8x8
        };
        for (i, pair) in (0..).zip(sums.chunks(2)) {
            let x = f.value("x", Expr::Load(load, at.plus(8 * i)));
            let halves = [Op::I32x4ExtendLowI16x8S, Op::I32x4ExtendHighI16x8S];
            for (sum, extend) in pair.iter().zip(halves) {
                f.set(sum, sum.clone() + Expr::op(extend, [x.clone()]));
            }
        }
    }

    fn finish(&self, f: &mut Builder, sums: &[Expr], to: &Address) {
        let ReducedSumParams {
            requantization,
            output_zero_point,
            range,
            ..
        } = self.params;
        let factor = Factor::new(requantization, Rounding::Twice);
        let factor = FactorExprs::constant(sums[0].ty(), factor);
        let rescaled: Vec<_> = sums
            .iter()
            .map(|sum| {
                let rescaled = requantize(f, sum.clone(), &factor, Rounding::Twice);
                f.value("rescaled", rescaled)
            })
            .collect();
        if self.vectors == 0 {
            let result = offset_and_clamp(f, rescaled[0].clone(), output_zero_point, range);
            element::put(f, self.ty, to, result);
        } else {
            let signed = self.ty == DataType::I8;
            let bytes = narrow(f, &rescaled, output_zero_point, range, signed);
            store_bytes(f, to, bytes, 4 * self.vectors);
        }
    }
}

/// `REDUCE_PROD` of I8 or I16 with a scale: the product as an I64 that fits 32 bits, and whether there is none.
struct QuantizedProduct {
    ty: DataType,
    params: ReducedProductParams,
}

impl QuantizedProduct {
    fn scaled(&self, x: Expr) -> Expr {
        let ReducedProductParams {
            multiplier, shift, ..
        } = self.params;
        let product = x * Expr::I64(multiplier.into()) + Expr::I64(1 << (shift - 1));
        Expr::op(Op::I32WrapI64, [product >> Expr::I64(shift.into())])
    }
}

impl Reducer for QuantizedProduct {
    fn start(&self) -> Vec<Expr> {
        vec![Expr::I64(1), Expr::I32(1)]
    }

    fn add(&self, f: &mut Builder, sums: &[Expr], at: &Address) {
        let x = element::at(self.ty, at) - Expr::I32(self.params.input_zero_point);
        let x = f.value("x", Expr::op(Op::I64ExtendI32S, [x]));
        let (product, first) = (sums[0].clone(), sums[1].clone());
        let more = Expr::op(Op::I64ExtendI32S, [self.scaled(product * x.clone())]);
        f.set(&sums[0], x.or_else(first, more));
        f.set(&sums[1], Expr::I32(0));
    }

    fn finish(&self, f: &mut Builder, sums: &[Expr], to: &Address) {
        let ReducedProductParams {
            output_zero_point,
            range,
            ..
        } = self.params;
        let scaled = self.scaled(sums[0].clone());
        let result = offset_and_clamp(f, scaled, output_zero_point, range);
        element::put(f, self.ty, to, result);
    }
}

/// `REDUCE_MAX` or `REDUCE_MIN` of sixteen bytes.
struct ExtremeBytes {
    greatest: bool,
    signed: bool,
}

impl Reducer for ExtremeBytes {
    fn start(&self) -> Vec<Expr> {
        let (least, most) = if self.signed { (-128, 127) } else { (0, 255) };
        let start = if self.greatest { least } else { most };
        vec![Expr::constant(Ty::I8x16, start)]
    }

    fn add(&self, f: &mut Builder, sums: &[Expr], at: &Address) {
        let op = match (self.greatest, self.signed) {
            (true, true) => Op::I8x16MaxS,
            (true, false) => Op::I8x16MaxU,
            (false, true) => Op::I8x16MinS,
            (false, false) => Op::I8x16MinU,
        };
        let x = Expr::Load(Load::Whole(Ty::I8x16), at.clone());
        f.set(&sums[0], Expr::op(op, [sums[0].clone(), x]));
    }

    fn finish(&self, f: &mut Builder, sums: &[Expr], to: &Address) {
        f.store(Store::Whole, to.clone(), sums[0].clone());
    }
}

/// Integers and booleans that no scale gives a meaning, one result at a time: as I64 for a MEAN and for I64, as
/// I32 otherwise.
struct Integers {
    ty: DataType,
    how: Reduction,
    count: u32,
}

impl Integers {
    fn is_wide(&self) -> bool {
        self.ty == DataType::I64 || self.how == Reduction::Mean
    }

    fn constant(&self, value: i64) -> Expr {
        let ty = if self.is_wide() { Ty::I64 } else { Ty::I32 };
        Expr::constant(ty, value)
    }
}

impl Reducer for Integers {
    fn start(&self) -> Vec<Expr> {
        let (least, most) = if self.ty == DataType::I64 {
            (i64::MIN, i64::MAX)
        } else {
            (i32::MIN.into(), i32::MAX.into())
        };
        vec![self.constant(match self.how {
            Reduction::Mean | Reduction::Sum | Reduction::Any => 0,
            Reduction::Product | Reduction::All => 1,
            Reduction::Max => least,
            Reduction::Min => most,
        })]
    }

    fn add(&self, f: &mut Builder, sums: &[Expr], at: &Address) {
        let x = element::at(self.ty, at);
        let x = if self.is_wide() && x.ty() == Ty::I32 {
            Expr::op(Op::I64ExtendI32S, [x])
        } else {
            x
        };
        let sum = sums[0].clone();
        let with = match self.how {
            Reduction::Mean | Reduction::Sum => sum + x,
            Reduction::Product => sum * x,
            Reduction::Max => {
                let x = f.value("x", x);
                x.clone().or_else(sum.clone().lt(x), sum)
            }
            Reduction::Min => {
                let x = f.value("x", x);
                x.clone().or_else(x.lt(sum.clone()), sum)
            }
            Reduction::All => sum.or_else(x, Expr::I32(0)),
            Reduction::Any => Expr::I32(1).or_else(x, sum),
        };
        f.set(&sums[0], with);
    }

    fn finish(&self, f: &mut Builder, sums: &[Expr], to: &Address) {
        let sum = sums[0].clone();
        let result = if self.how == Reduction::Mean {
            sum / Expr::I64(self.count.into())
        } else {
            sum
        };
        let result = if result.ty() == Ty::I64 && self.ty != DataType::I64 {
            Expr::op(Op::I32WrapI64, [result])
        } else {
            result
        };
        element::put(f, self.ty, to, result);
    }
}
