//! What becomes of the sum of products of one result: bias, scale, activation, storing. For the forms that
//! `conv.rs` has no schedule for.

use rune_ir::{
    graph::{DataType, Node},
    op::Activation,
    quant::{self, Reduced, Requantization, Rounding, Sum},
};

use super::{
    Context, element,
    float::{activate, canonical},
    requantize::{Factor, FactorExprs, Parts, clamp, offset_and_clamp, requantize},
};
use crate::nest::{Address, Affine, BufferId, Builder, Expr, Load, Op, Role, Store, Ty};

/// How sums become results.
pub(super) struct Finish {
    /// One for each channel.
    bias: Option<(DataType, BufferId)>,
    how: How,
}

enum How {
    Float(Activation),
    /// Scales of channels, and whether the run's is multiplied to it first.
    Hybrid(Activation, BufferId, bool),
    Short {
        factors: Factors,
        rounding: Rounding,
        zero_point: i32,
        range: (i32, i32),
        ty: DataType,
    },
    Long {
        factors: LongFactors,
        range: (i32, i32),
    },
}

/// Factors of 32-bit sums.
enum Factors {
    Common(Factor),
    /// The parts of each channel's, one after the other.
    Table(Parts, BufferId),
}

/// Factors of 64-bit sums: (sum * multiplier + 2^(shift - 1)) >> shift.
enum LongFactors {
    Common(i32, u32),
    /// Multiplier and shift of each channel.
    Table(BufferId),
}

impl Finish {
    /// Of an operator on x, weights and perhaps bias.
    pub(super) fn new(
        context: &mut Context,
        node: &Node,
        activation: Activation,
        axis: usize,
        joint: bool,
    ) -> Result<Self, String> {
        let (x, weights) = (context.tensor(node, 0), context.tensor(node, 1));
        let channels = weights.shape[axis] as usize;
        let bias = match node.inputs.get(2) {
            Some(Some(_)) => {
                let (tensor, buffer) = context.input(node, 2);
                Some((tensor.ty, buffer))
            }
            _ => None,
        };
        let how = if x.ty == DataType::F32 && weights.ty == DataType::F32 {
            How::Float(activation)
        } else if x.ty == DataType::F32 {
            let scales = quant::hybrid_scales(context.graph, node, axis, channels)?;
            let bytes = scales.into_iter().flat_map(f32::to_le_bytes).collect();
            How::Hybrid(activation, context.constant("scales", bytes), joint)
        } else if x.ty == DataType::I16 {
            let params = quant::wide_params(context.graph, node)?;
            match params.sum {
                Sum::Short(rounding) => How::Short {
                    factors: Factors::new(context, &params.requantization, rounding),
                    rounding,
                    zero_point: 0,
                    range: params.range,
                    ty: DataType::I16,
                },
                sum @ (Sum::LongOnce | Sum::LongReduced) => How::Long {
                    factors: LongFactors::new(context, &params.requantization, sum)?,
                    range: params.range,
                },
            }
        } else {
            let params = quant::linear_params(context.graph, node)?;
            How::Short {
                factors: Factors::new(context, &params.requantization, params.rounding),
                rounding: params.rounding,
                zero_point: params.output_zero_point,
                range: params.range,
                ty: x.ty,
            }
        };
        Ok(Self { bias, how })
    }

    /// Of a product of two matrices of one type; `scale` is of the second where the first is quantised.
    pub(super) fn product(context: &mut Context, node: &Node) -> Result<Self, String> {
        let (x, y) = (context.tensor(node, 0), context.tensor(node, 1));
        let how = if x.ty == DataType::F32 && y.ty == DataType::F32 {
            How::Float(Activation::None)
        } else if x.ty == DataType::F32 {
            let scale = quant::hybrid_scales(context.graph, node, 0, 1)?[0];
            let scales = context.constant("scale", scale.to_le_bytes().to_vec());
            How::Hybrid(Activation::None, scales, true)
        } else {
            let params = quant::matrix_params(context.graph, node)?;
            let factors = [params.requantization];
            match params.sum {
                Sum::Short(rounding) => How::Short {
                    factors: Factors::new(context, &factors, rounding),
                    rounding,
                    zero_point: params.output_zero_point,
                    range: params.range,
                    ty: x.ty,
                },
                sum @ (Sum::LongOnce | Sum::LongReduced) => How::Long {
                    factors: LongFactors::new(context, &factors, sum)?,
                    range: params.range,
                },
            }
        };
        Ok(Self { bias: None, how })
    }

    /// Whether sums have 64 bits.
    pub(super) fn is_long(&self) -> bool {
        matches!(self.how, How::Long { .. })
    }

    /// Says which constants the kernel reads.
    pub(super) fn declare(&self, f: &mut Builder) {
        if let Some((_, bias)) = self.bias {
            f.operand(Role::Read, "bias", bias);
        }
        let table = match &self.how {
            How::Hybrid(_, scales, _) => Some(scales),
            How::Short {
                factors: Factors::Table(_, table),
                ..
            }
            | How::Long {
                factors: LongFactors::Table(table),
                ..
            } => Some(table),
            How::Float(_) | How::Short { .. } | How::Long { .. } => None,
        };
        if let Some(table) = table {
            f.operand(Role::Read, "scales", *table);
        }
    }

    /// Stores the result of a sum of a channel. `run` is the scale of what was quantised.
    pub(super) fn store(
        &self,
        f: &mut Builder,
        sum: Expr,
        channel: &Affine,
        run: Option<Expr>,
        to: Address,
    ) {
        match &self.how {
            How::Float(activation) => self.store_real(f, sum, channel, *activation, to),
            How::Hybrid(activation, scales, joint) => {
                let sum = Expr::op(Op::F32ConvertI32S, [sum]);
                let scale = Expr::Load(Load::Whole(Ty::F32), element::element(*scales, channel, 4));
                let run = run.expect("a run was quantised");
                let real = if *joint {
                    sum * (run * scale)
                } else {
                    sum * scale * run
                };
                self.store_real(f, real, channel, *activation, to);
            }
            How::Short {
                factors,
                rounding,
                zero_point,
                range,
                ty,
            } => {
                let sum = self.biased(sum, channel);
                let sum = f.value("sum", sum);
                let factor = factors.of(channel);
                let q = requantize(f, sum, &factor, *rounding);
                let q = offset_and_clamp(f, q, *zero_point, *range);
                f.store(element::store(*ty), to, q);
            }
            How::Long { factors, range } => {
                let sum = self.biased(sum, channel);
                let q = factors.scale(f, sum, channel);
                let q = clamp(f, q, *range);
                f.store(Store::I16, to, q);
            }
        }
    }

    fn store_real(
        &self,
        f: &mut Builder,
        sum: Expr,
        channel: &Affine,
        activation: Activation,
        to: Address,
    ) {
        let biased = self.biased(sum, channel);
        let activated = activate(f, activation, biased);
        let result = canonical(f, activated);
        f.store(Store::Whole, to, result);
    }

    fn biased(&self, sum: Expr, channel: &Affine) -> Expr {
        let Some((ty, bias)) = self.bias else {
            return sum;
        };
        sum + element::get(ty, bias, channel)
    }
}

impl Factors {
    fn new(context: &mut Context, factors: &[Requantization], rounding: Rounding) -> Self {
        let factors: Vec<Factor> = factors.iter().map(|r| Factor::new(*r, rounding)).collect();
        if factors.iter().all(|f| *f == factors[0]) {
            return Self::Common(factors[0]);
        }
        let parts = Parts::of(&factors);
        let fields = factors.into_iter().flat_map(|f| parts.fields(f));
        let bytes = fields.flat_map(i32::to_le_bytes).collect();
        Self::Table(parts, context.constant("factors", bytes))
    }

    fn of(&self, channel: &Affine) -> FactorExprs {
        match self {
            Self::Common(factor) => FactorExprs::constant(Ty::I32, *factor),
            Self::Table(parts, buffer) => parts.exprs((0..parts.count()).map(|field| {
                let offset = channel * (4 * parts.count()) + 4 * field;
                let at = Address {
                    buffer: *buffer,
                    offset,
                };
                Expr::Load(Load::Whole(Ty::I32), at)
            })),
        }
    }
}

impl LongFactors {
    fn new(context: &mut Context, factors: &[Requantization], sum: Sum) -> Result<Self, String> {
        let pairs = factors.iter().map(|factor| pair(*factor, sum));
        let pairs: Vec<(i32, u32)> = pairs.collect::<Result<_, _>>()?;
        if pairs.iter().all(|p| *p == pairs[0]) {
            return Ok(Self::Common(pairs[0].0, pairs[0].1));
        }
        let bytes = pairs
            .into_iter()
            .flat_map(|(multiplier, shift)| [multiplier, shift as i32]);
        let bytes = bytes.flat_map(i32::to_le_bytes).collect();
        Ok(Self::Table(context.constant("factors", bytes)))
    }

    fn scale(&self, f: &mut Builder, sum: Expr, channel: &Affine) -> Expr {
        let (multiplier, shift, half) = match self {
            Self::Common(multiplier, shift) => (
                Expr::I64((*multiplier).into()),
                Expr::I64((*shift).into()),
                Expr::I64(1 << (shift - 1)),
            ),
            Self::Table(buffer) => {
                let field = |at: u32| {
                    let at = element::element(*buffer, channel, 8).plus(4 * at);
                    Expr::op(Op::I64ExtendI32S, [Expr::Load(Load::Whole(Ty::I32), at)])
                };
                let shift = f.value("shift", field(1));
                let half = Expr::op(Op::I64Shl, [Expr::I64(1), shift.clone() - Expr::I64(1)]);
                (field(0), shift, half)
            }
        };
        let scaled = (sum * multiplier + half) >> shift;
        Expr::op(Op::I32WrapI64, [scaled])
    }
}

/// Multiplier and shift of a factor of 64-bit sums.
fn pair(factor: Requantization, sum: Sum) -> Result<(i32, u32), String> {
    if sum == Sum::LongReduced {
        let Reduced { multiplier, shift } = quant::reduced(factor)?;
        return Ok((multiplier, shift));
    }
    Ok((factor.multiplier, (31 - factor.shift) as u32))
}

/// A 64-bit sum times a factor with a multiplier of 16 bits, as an I32.
pub(super) fn reduced_scaled(sum: Expr, factor: Requantization) -> Result<Expr, String> {
    let (multiplier, shift) = pair(factor, Sum::LongReduced)?;
    let half = Expr::I64(1 << (shift - 1));
    let scaled = (sum * Expr::I64(multiplier.into()) + half) >> Expr::I64(shift.into());
    Ok(Expr::op(Op::I32WrapI64, [scaled]))
}
