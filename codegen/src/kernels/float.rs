//! f32: activations, canonical NaNs, and the arithmetic of weighted sums.
//!
//! Vectors hold independent channels, so each sum is taken in the order of its definition: from +0.0,
//! product and sum rounded each time, the bias last.

use rune_ir::op::Activation;

use super::{
    Context, Simd,
    linear::{self, Arithmetic, Channels},
};
use crate::nest::{Address, Affine, BufferId, Builder, Expr, Load, Op, Role, Store, Ty};

/// The bits of the NaN that results have.
const NAN: f32 = f32::from_bits(0x7fc0_0000);

/// `x`, or `bound` if that is greater. NaN stays, and a zero keeps its sign.
pub(super) fn at_least(x: Expr, bound: Expr) -> Expr {
    if x.ty() == Ty::F32x4 {
        // pmax(a, b) is b where a < b, else a.
        return Expr::op(Op::F32x4PMax, [x, bound]);
    }
    bound.clone().or_else(x.clone().lt(bound), x)
}

/// `x`, or `bound` if that is less.
pub(super) fn at_most(x: Expr, bound: Expr) -> Expr {
    if x.ty() == Ty::F32x4 {
        return Expr::op(Op::F32x4PMin, [x, bound]);
    }
    bound.clone().or_else(bound.lt(x.clone()), x)
}

/// `x`, F32 or F32x4, after an activation.
pub(super) fn activate(f: &mut Builder, activation: Activation, x: Expr) -> Expr {
    let real = |value| Expr::real(x.ty(), value);
    let (least, most) = match activation {
        Activation::None => return x,
        Activation::Relu => (real(0.0), None),
        Activation::ReluN1To1 => (real(-1.0), Some(real(1.0))),
        Activation::Relu6 => (real(0.0), Some(real(6.0))),
    };
    let x = f.value("x", x);
    let above = at_least(x, least);
    match most {
        None => above,
        Some(most) => {
            let above = f.value("x", above);
            at_most(above, most)
        }
    }
}

/// `x`, F32 or F32x4, with the canonical NaN in place of any other.
pub(super) fn canonical(f: &mut Builder, x: Expr) -> Expr {
    let x = f.value("x", x);
    let number = x.clone().equals(x.clone());
    let nan = Expr::real(x.ty(), NAN);
    x.or_else(number, nan)
}

/// Writes the first `results` of up to four lanes.
pub(super) fn store(f: &mut Builder, to: &Address, value: Expr, results: u32) {
    let lane = |bytes, lane| Store::Lane { bytes, lane };
    match (value.ty(), results) {
        (Ty::F32, _) | (_, 4) => f.store(Store::Whole, to.clone(), value),
        (_, 1) => f.store(lane(4, 0), to.clone(), value),
        (_, 2) => f.store(lane(8, 0), to.clone(), value),
        _ => {
            let value = f.value("result", value);
            f.store(lane(8, 0), to.clone(), value.clone());
            f.store(lane(4, 2), to.plus(8), value);
        }
    }
}

/// Sums of f32.
pub(super) struct Float {
    ty: Ty,
    relaxed: bool,
    bias: Option<BufferId>,
    activation: Activation,
    canonical: bool,
}

impl Float {
    /// Results are `canonical`, or each NaN of them is any.
    pub(super) fn new(
        context: &mut Context,
        bias: Option<&[u8]>,
        activation: Activation,
        channels: &Channels,
        canonical: bool,
    ) -> Self {
        // A sum that starts at +0.0 is never -0.0, so a bias of zeros of either sign changes no bit.
        let bias = bias.filter(|b| b.chunks(4).any(|b| b[..3] != [0; 3] || b[3] & 0x7f != 0));
        let bias = bias.map(|bias| {
            let packed = channels.order.iter().flat_map(|channel| {
                channel.map_or([0; 4], |c| std::array::from_fn(|i| bias[4 * c + i]))
            });
            context.constant("bias", packed.collect())
        });
        Self {
            ty: if channels.vector { Ty::F32x4 } else { Ty::F32 },
            relaxed: channels.vector && context.simd == Simd::Relaxed,
            bias,
            activation,
            canonical,
        }
    }

    fn weights(&self, weights: &Address, vector: usize) -> Expr {
        let at = weights.plus(vector as u32 * 4 * self.lanes());
        Expr::Load(Load::Whole(self.ty), at)
    }

    /// The number at a place in every lane.
    fn splat(&self, at: &Address) -> Expr {
        let x = Expr::Load(Load::Whole(Ty::F32), at.clone());
        if self.ty.is_vector() {
            // Loaded as a float it stays among the vectors' registers: wasmtime takes what is loaded to fill
            // a vector through those of integers.
            Expr::op(Op::F32x4Splat, [x])
        } else {
            x
        }
    }

    fn add_product(&self, f: &mut Builder, sum: &Expr, x: Expr, weight: Expr) {
        let added = if self.relaxed {
            Expr::op(Op::F32x4RelaxedMadd, [x, weight, sum.clone()])
        } else {
            sum.clone() + x * weight
        };
        f.set(sum, added);
    }
}

impl Arithmetic for Float {
    fn lanes(&self) -> u32 {
        linear::lanes(self.ty.is_vector())
    }

    fn unit(&self) -> u32 {
        1
    }

    fn load(&self, f: &mut Builder, at: &Address) -> Expr {
        f.value("x4", Expr::Load(Load::Whole(self.ty), at.clone()))
    }

    fn add(&self, f: &mut Builder, x: Vec<Expr>, weights: &Address, sums: &[Vec<Expr>]) {
        // What is used once is loaded where it is used.
        let shared: Vec<Expr> = (0..sums[0].len())
            .map(|v| self.weights(weights, v))
            .map(|w| if x.len() > 1 { f.value("w", w) } else { w })
            .collect();
        for (x, sums) in x.into_iter().zip(sums) {
            let x = f.value("x", x);
            for (sum, weight) in sums.iter().zip(&shared) {
                self.add_product(f, sum, x.clone(), weight.clone());
            }
        }
    }

    fn declare(&self, f: &mut Builder) {
        if let Some(bias) = self.bias {
            f.operand(Role::Read, "bias", bias);
        }
    }

    fn start(&self, _: &Affine) -> Expr {
        Expr::real(self.ty, 0.0)
    }

    fn broadcast(
        &self,
        f: &mut Builder,
        x: &[Address],
        weights: &Address,
        sums: &[Vec<Expr>],
        _: u32,
    ) {
        let x = x.iter().map(|at| self.splat(at)).collect();
        self.add(f, x, weights, sums);
    }

    fn lanewise(&self, f: &mut Builder, x: &[Address], weights: &Address, sums: &[Vec<Expr>]) {
        for v in 0..sums[0].len() {
            let weight = self.weights(weights, v);
            let weight = if x.len() > 1 {
                f.value("w", weight)
            } else {
                weight
            };
            for (x, sums) in x.iter().zip(sums) {
                let at = x.plus(v as u32 * 4 * self.lanes());
                let x = Expr::Load(Load::Whole(self.ty), at);
                self.add_product(f, &sums[v], x, weight.clone());
            }
        }
    }

    fn finish(&self, f: &mut Builder, sums: &[Expr], vector: &Affine, to: &Address, results: u32) {
        let step = self.lanes();
        for (v, sum) in (0..).zip(sums) {
            let biased = match self.bias {
                None => sum.clone(),
                Some(buffer) => {
                    let offset = (vector + v) * (4 * step);
                    sum.clone() + Expr::Load(Load::Whole(self.ty), Address { buffer, offset })
                }
            };
            let activated = activate(f, self.activation, biased);
            let result = if self.canonical {
                canonical(f, activated)
            } else {
                activated
            };
            store(
                f,
                &to.plus(v * 4 * step),
                result,
                (results - v * step).min(step),
            );
        }
    }
}
