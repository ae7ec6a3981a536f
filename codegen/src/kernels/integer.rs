//! Quantised integers: the arithmetic of weighted sums, exact modulo 2^32.
//!
//! With vectors, a step takes two neighbouring elements of x, copies the pair to four lanes and
//! multiplies it with the pairs of four channels: `dot` of 16-bit lanes adds both products. Weights stay
//! bytes in memory and are widened when they are loaded. Where no window is clipped the zero point of x
//! is part of the bias, elsewhere it is subtracted from each element.

use rune_ir::{
    graph::Node,
    quant::{self, LinearParams},
};

use super::{
    Context, is_signed,
    linear::{self, Arithmetic, Channels},
    requantize::{Factor, FactorExprs, Parts, offset_and_clamp, requantize},
    rescale::Rescale,
};
use crate::nest::{Address, Affine, BufferId, Builder, Expr, Load, Op, Role, Store, Ty};

/// Sums of products of 8-bit integers.
pub(super) struct Integer {
    ty: Ty,
    signed: bool,
    /// Zero point to subtract from each x, if not in the bias.
    input_zero_point: i32,
    params: LinearParams,
    /// The factor of all channels, if they have the same.
    common: Option<Factor>,
    /// For each vector the fields of [`Self::fields`], each with one i32 per lane, and what lies beside them.
    table: Option<BufferId>,
    /// Bytes beside the fields of each vector.
    beside: u32,
    has_bias: bool,
    /// What the factors in the table consist of.
    parts: Parts,
    /// The factors in a form that is faster, where sums are small enough for it.
    rescale: Option<Rescale>,
}

impl Integer {
    pub(super) fn new(
        context: &mut Context,
        node: &Node,
        bias: Option<&[u8]>,
        channels: &Channels,
    ) -> Result<Self, String> {
        let params = quant::linear_params(context.graph, node)?;
        let x = context.tensor(node, 0);
        let signed = is_signed(x);
        let factors: Vec<Factor> = params
            .requantization
            .iter()
            .map(|r| Factor::new(*r, params.rounding))
            .collect();
        let mut biases = vec![0i32; factors.len()];
        if let Some(bias) = bias {
            for (to, from) in biases.iter_mut().zip(bias.chunks_exact(4)) {
                *to = i32::from_le_bytes([from[0], from[1], from[2], from[3]]);
            }
        }
        let rescale = if channels.vector || channels.dsp {
            let bounds = bounds(context, node, &params, &biases, channels)?;
            Rescale::new(
                &params.requantization,
                &bounds,
                params.rounding,
                params.output_zero_point,
                params.range.0 >= params.output_zero_point,
            )
        } else {
            None
        };
        if !channels.clipped {
            for (element, weight) in context.value(node, 1)?.iter().enumerate() {
                let weight = if signed {
                    i32::from(*weight as i8)
                } else {
                    i32::from(*weight)
                };
                let product = (weight - params.weight_zero_point) * params.input_zero_point;
                let bias = &mut biases[(channels.of)(element)];
                *bias = bias.wrapping_sub(product);
            }
        }
        let common = factors
            .iter()
            .all(|f| *f == factors[0])
            .then_some(factors[0]);
        let has_bias = biases.iter().any(|b| *b != 0);
        let parts = Parts::of(&factors);
        let fields = |channel: usize| {
            let mut fields = Vec::new();
            if has_bias {
                fields.push(biases[channel]);
            }
            if let Some(rescale) = &rescale {
                fields.extend(rescale.fields(channel));
            } else if common.is_none() {
                fields.extend(parts.fields(factors[channel]));
            }
            fields
        };
        let count = fields(0).len();
        let beside = channels.beside.filter(|_| count > 0);
        debug_assert!(
            beside.is_none() || !channels.vector,
            "one channel in a vector"
        );
        let mut beside_bytes = 0;
        let table = (count > 0).then(|| {
            let mut bytes = Vec::new();
            for lanes in channels
                .order
                .chunks(linear::lanes(channels.vector) as usize)
            {
                let values = lanes
                    .iter()
                    .map(|c| c.map_or(vec![0; count], fields))
                    .collect::<Vec<_>>();
                for field in 0..count {
                    bytes.extend(values.iter().flat_map(|lane| lane[field].to_le_bytes()));
                }
                if let (Some(beside), &[Some(channel)]) = (beside, lanes) {
                    let more = beside(channel);
                    beside_bytes = more.len() as u32;
                    bytes.extend(more);
                }
            }
            context.constant("channels", bytes)
        });
        Ok(Self {
            ty: if channels.vector { Ty::I32x4 } else { Ty::I32 },
            signed,
            input_zero_point: if channels.clipped {
                params.input_zero_point
            } else {
                0
            },
            params,
            common,
            table,
            beside: beside_bytes,
            has_bias,
            parts,
            rescale,
        })
    }

    /// Fields of the table.
    fn fields(&self) -> u32 {
        let factor = match &self.rescale {
            Some(rescale) => rescale.count(),
            None if self.common.is_some() => 0,
            None => self.parts.count(),
        };
        u32::from(self.has_bias) + factor
    }

    /// Field `field` of a vector's channels.
    fn field(&self, vector: &Affine, field: u32) -> Expr {
        let at = self.at(vector, field).expect("a field is in the table");
        Expr::Load(Load::Whole(self.ty), at)
    }

    /// What lies beside the constants of a channel, of equally many bytes for each; `None` where nothing does.
    pub(super) fn beside(&self, channel: &Affine) -> Option<Address> {
        let at = self.at(channel, self.fields());
        at.filter(|_| self.beside > 0)
    }

    /// Where field `field` of a vector is, or behind the last.
    fn at(&self, vector: &Affine, field: u32) -> Option<Address> {
        let bytes = 4 * self.lanes();
        let offset = vector * (self.fields() * bytes + self.beside) + field * bytes;
        let buffer = self.table?;
        Some(Address { buffer, offset })
    }

    fn factor(&self, vector: &Affine) -> FactorExprs {
        if let Some(factor) = self.common {
            return FactorExprs::constant(self.ty, factor);
        }
        let first = u32::from(self.has_bias);
        let fields = first..first + self.parts.count();
        self.parts
            .exprs(fields.map(|field| self.field(vector, field)))
    }

    /// Eight bytes as 16-bit lanes, or one as an i32, less a zero point.
    fn widened(&self, at: Address, zero_point: i32) -> Expr {
        let load = match (self.ty, self.signed) {
            (Ty::I32x4, true) => Load::I8x8,
            (Ty::I32x4, false) => Load::U8x8,
            (_, true) => Load::I8,
            (_, false) => Load::U8,
        };
        less(Expr::Load(load, at), zero_point)
    }

    /// The elements of x at a place for every channel of a vector: one, or a pair.
    fn spread(&self, at: Address, elements: u32) -> Expr {
        if self.ty == Ty::I32 {
            return self.widened(at, self.input_zero_point);
        }
        let load = if elements == 2 {
            Load::Splat16
        } else {
            Load::Splat8
        };
        let extend = if self.signed {
            Op::I16x8ExtendLowI8x16S
        } else {
            Op::I16x8ExtendLowI8x16U
        };
        let x = Expr::op(extend, [Expr::Load(load, at)]);
        less(x, self.input_zero_point)
    }
}

/// The greatest size of the sum of each channel.
fn bounds(
    context: &Context,
    node: &Node,
    params: &LinearParams,
    biases: &[i32],
    channels: &Channels,
) -> Result<Vec<u64>, String> {
    let signed = is_signed(context.tensor(node, 0));
    let (least, most) = if signed { (-128, 127) } else { (0, 255) };
    let zero_point = params.input_zero_point;
    let largest = u64::from(
        (least - zero_point)
            .unsigned_abs()
            .max((most - zero_point).unsigned_abs()),
    );
    let mut bounds: Vec<u64> = biases.iter().map(|b| b.unsigned_abs().into()).collect();
    for (element, weight) in context.value(node, 1)?.iter().enumerate() {
        let weight = if signed {
            i32::from(*weight as i8)
        } else {
            i32::from(*weight)
        };
        let size = (weight - params.weight_zero_point).unsigned_abs();
        bounds[(channels.of)(element)] += u64::from(size) * largest;
    }
    Ok(bounds)
}

/// `x` less a constant.
fn less(x: Expr, zero_point: i32) -> Expr {
    if zero_point == 0 {
        return x;
    }
    let zero_point = Expr::constant(x.ty(), zero_point.into());
    x - zero_point
}

impl Arithmetic for Integer {
    fn lanes(&self) -> u32 {
        linear::lanes(self.ty.is_vector())
    }

    fn unit(&self) -> u32 {
        if self.ty.is_vector() { 2 } else { 1 }
    }

    fn load(&self, f: &mut Builder, at: &Address) -> Expr {
        f.value("x8", self.widened(at.clone(), self.input_zero_point))
    }

    fn add(&self, f: &mut Builder, x: Vec<Expr>, weights: &Address, sums: &[Vec<Expr>]) {
        let bytes = self.unit() * self.lanes();
        let zero_point = self.params.weight_zero_point;
        let shared: Vec<Expr> = (0..sums[0].len() as u32)
            .map(|v| self.widened(weights.plus(v * bytes), zero_point))
            .map(|w| if x.len() > 1 { f.value("w", w) } else { w })
            .collect();
        for (x, sums) in x.into_iter().zip(sums) {
            let x = f.value("x", x);
            for (sum, weight) in sums.iter().zip(&shared) {
                let product = if self.ty.is_vector() {
                    Expr::op(Op::I32x4DotI16x8S, [x.clone(), weight.clone()])
                } else {
                    x.clone() * weight.clone()
                };
                f.set(sum, sum.clone() + product);
            }
        }
    }

    fn declare(&self, f: &mut Builder) {
        if let Some(table) = self.table {
            f.operand(Role::Read, "channels", table);
        }
    }

    fn start(&self, vector: &Affine) -> Expr {
        if self.has_bias {
            self.field(vector, 0)
        } else {
            Expr::constant(self.ty, 0)
        }
    }

    fn broadcast(
        &self,
        f: &mut Builder,
        x: &[Address],
        weights: &Address,
        sums: &[Vec<Expr>],
        elements: u32,
    ) {
        let x = x
            .iter()
            .map(|at| self.spread(at.clone(), elements))
            .collect();
        self.add(f, x, weights, sums);
    }

    fn lanewise(&self, f: &mut Builder, x: &[Address], weights: &Address, sums: &[Vec<Expr>]) {
        let zero_point = self.params.weight_zero_point;
        // Eight 16-bit lanes make two vectors of sums.
        let vectors = if self.ty.is_vector() { 2 } else { 1 };
        for first in (0..sums[0].len()).step_by(vectors) {
            let bytes = first as u32 * self.lanes();
            let weight = self.widened(weights.plus(bytes), zero_point);
            let weight = f.value("w", weight);
            for (x, sums) in x.iter().zip(sums) {
                let x = self.widened(x.plus(bytes), self.input_zero_point);
                if !self.ty.is_vector() {
                    let sum = &sums[first];
                    f.set(sum, sum.clone() + x * weight.clone());
                    continue;
                }
                let halves = &sums[first..first + 2];
                if self.signed {
                    // At most 255 * 128 in size: fits 16 bits, and one multiplication is cheaper than two.
                    let product = Expr::op(Op::I16x8Mul, [x, weight.clone()]);
                    let product = f.value("product", product);
                    let extend = [Op::I32x4ExtendLowI16x8S, Op::I32x4ExtendHighI16x8S];
                    for (op, sum) in extend.into_iter().zip(halves) {
                        f.set(sum, sum.clone() + Expr::op(op, [product.clone()]));
                    }
                } else {
                    let x = f.value("x", x);
                    let multiply = [Op::I32x4ExtMulLowI16x8S, Op::I32x4ExtMulHighI16x8S];
                    for (op, sum) in multiply.into_iter().zip(halves) {
                        let product = Expr::op(op, [x.clone(), weight.clone()]);
                        f.set(sum, sum.clone() + product);
                    }
                }
            }
        }
    }

    fn finish(&self, f: &mut Builder, sums: &[Expr], vector: &Affine, to: &Address, results: u32) {
        let LinearParams {
            rounding,
            range,
            output_zero_point,
            ..
        } = self.params;
        let mut rescaled = Vec::new();
        if let Some(rescale) = &self.rescale {
            for (v, sum) in (0..).zip(sums) {
                let first = u32::from(self.has_bias);
                let field = |field| self.field(&(vector + v), first + field);
                let q = rescale.apply(f, sum.clone(), field);
                rescaled.push(f.value("q", q));
            }
            if self.ty == Ty::I32 {
                for (v, q) in (0..).zip(rescaled) {
                    let q = offset_and_clamp(f, q, 0, range);
                    f.store(Store::I8, to.plus(v), q);
                }
                return;
            }
            let bytes = narrow(f, &rescaled, 0, range, self.signed);
            store_bytes(f, to, bytes, results);
            return;
        }
        for (v, sum) in (0..).zip(sums) {
            let factor = self.factor(&(vector + v));
            let q = requantize(f, sum.clone(), &factor, rounding);
            if self.ty == Ty::I32 {
                let q = offset_and_clamp(f, q, output_zero_point, range);
                f.store(Store::I8, to.plus(v), q);
            } else {
                rescaled.push(f.value("q", q));
            }
        }
        if !rescaled.is_empty() {
            let bytes = narrow(f, &rescaled, output_zero_point, range, self.signed);
            store_bytes(f, to, bytes, results);
        }
    }
}

/// Up to four vectors of i32, each plus `zero_point`, as bytes in `range`; what fills up repeats.
pub(super) fn narrow(
    f: &mut Builder,
    vectors: &[Expr],
    zero_point: i32,
    range: (i32, i32),
    signed: bool,
) -> Expr {
    let mut half = |pair: &[Expr]| {
        let (low, high) = (pair[0].clone(), pair[pair.len() - 1].clone());
        let both = Expr::op(Op::I16x8NarrowI32x4S, [low, high]);
        if zero_point == 0 {
            return f.value("half", both);
        }
        let zero_point = Expr::constant(Ty::I16x8, zero_point.into());
        f.value("half", Expr::op(Op::I16x8AddSatS, [both, zero_point]))
    };
    let low = half(&vectors[..vectors.len().min(2)]);
    let high = if vectors.len() > 2 {
        half(&vectors[2..])
    } else {
        low.clone()
    };
    let (op, max, min, all) = if signed {
        (
            Op::I8x16NarrowI16x8S,
            Op::I8x16MaxS,
            Op::I8x16MinS,
            (-128, 127),
        )
    } else {
        (
            Op::I8x16NarrowI16x8U,
            Op::I8x16MaxU,
            Op::I8x16MinU,
            (0, 255),
        )
    };
    let bound = |value: i32| Expr::constant(Ty::I8x16, value.into());
    let mut bytes = Expr::op(op, [low, high]);
    if range.0 > all.0 {
        bytes = Expr::op(max, [bytes, bound(range.0)]);
    }
    if range.1 < all.1 {
        bytes = Expr::op(min, [bytes, bound(range.1)]);
    }
    bytes
}

/// Writes the first `count` bytes of a vector.
pub(super) fn store_bytes(f: &mut Builder, to: &Address, bytes: Expr, count: u32) {
    if count == 16 {
        f.store(Store::Whole, to.clone(), bytes);
        return;
    }
    let bytes = f.value("bytes", bytes);
    let mut done = 0;
    while done < count {
        // The largest power of two that is left; earlier ones were larger, so it is aligned in the vector.
        let size = 1 << (count - done).ilog2();
        let how = Store::Lane {
            bytes: size as u8,
            lane: (done / size) as u8,
        };
        f.store(how, to.plus(done), bytes.clone());
        done += size;
    }
}
