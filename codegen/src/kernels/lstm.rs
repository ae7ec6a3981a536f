//! `UNIDIRECTIONAL_SEQUENCE_LSTM`: for each step the sums of all gates go to scratch, their functions are applied
//! in place, then cells and hidden state are moved on. The gates lie in the order i, f, o, g, so that one loop
//! has the three that are logistic.

mod fixed;

use rune_ir::{
    graph::{DataType, Node},
    op::{Lstm, Steps, Weighted},
    quant::{self, LstmParams, Requantization, Rounding},
};

use super::{
    Context,
    dot::Dot,
    element,
    exp::expf,
    float::canonical,
    linear::vectors,
    requantize::{Factor, FactorExprs, clamp, offset_and_clamp, requantize},
    scale::reduced_scaled,
};
use crate::nest::{Address, Affine, BufferId, Builder, Expr, Kernel, Load, Op, Role, Store, Ty};

/// Where gate i, f, g, o of the operator lies.
const PLACES: [u32; 4] = [0, 1, 3, 2];
/// The range of 16 bits.
const HALF: (i32, i32) = (-32768, 32767);

/// Where things are, and what they are.
struct Gates {
    steps: Steps,
    dots: [Dot; 2],
    /// Weights of x and of h, and biases of each, where they are not 0.
    weights: [[BufferId; 2]; 4],
    biases: [[Option<BufferId>; 2]; 4],
    of_biases: DataType,
    of_weights: u32,
    scratch: BufferId,
    /// Of 16-bit integers the points of the logistic function.
    points: Option<BufferId>,
    params: Option<LstmParams>,
    /// The type of x, the hidden state and the result.
    ty: DataType,
}

pub(super) fn lstm(context: &mut Context, node: &Node, lstm: Lstm) -> Result<Kernel, String> {
    let steps = Weighted::steps(context.graph, node, lstm)?;
    let Steps {
        batch,
        time,
        inputs,
        cells,
    } = steps;
    let (x, from) = context.input(node, 0);
    let (_, hidden) = context.variable(node, 0);
    let (of_cell, cell) = context.variable(node, 1);
    let (_, to) = context.output(node);
    let ty = x.ty;
    let params = (ty != DataType::F32)
        .then(|| quant::lstm_params(context.graph, node, lstm.clip))
        .transpose()?;
    let mut f = Builder::new("unidirectional_sequence_lstm");
    f.operand(Role::Read, "x", from);
    let gates = Gates::new(context, node, &mut f, steps, params)?;
    f.operand(Role::Keep, "h", hidden);
    f.operand(Role::Keep, "c", cell);
    f.operand(Role::Write, "gates", gates.scratch);
    f.operand(Role::Write, "y", to);
    let size = ty.size();
    let cell_size = of_cell.ty.size();
    // The outer of the two loops does not matter, as sequences do not meet.
    f.each("b", batch, |f, b| {
        f.each("t", time, |f, t| {
            let step = if lstm.time_major {
                t * batch + b
            } else {
                b * time + t
            };
            let at_x = element::element(from, &step, inputs * size);
            let at_h = element::element(hidden, b, cells * size);
            let at_c = element::element(cell, b, cells * cell_size);
            let at_y = element::element(to, &step, cells * size);
            gates.sums(f, &at_x, &at_h);
            gates.functions(f);
            gates.advance(f, lstm, &at_h, &at_c, &at_y);
        });
    });
    Ok(f.finish())
}

/// Element `i` behind a place.
fn nth(at: &Address, i: &Affine, size: u32) -> Address {
    Address {
        buffer: at.buffer,
        offset: &at.offset + i * size,
    }
}

impl Gates {
    fn new(
        context: &mut Context,
        node: &Node,
        f: &mut Builder,
        steps: Steps,
        params: Option<LstmParams>,
    ) -> Result<Self, String> {
        let x = context.tensor(node, 0);
        let of_weights = context.tensor(node, 1).ty;
        let long = x.ty == DataType::I16;
        let vector = vectors(context.simd);
        let dot = |products| Dot {
            types: [x.ty, of_weights],
            zeros: [0, 0],
            long,
            vector,
            products,
        };
        let mut weights = Vec::new();
        let mut biases = Vec::new();
        for gate in 0..4 {
            let of_x = context.input(node, 1 + gate).1;
            let of_h = context.input(node, 5 + gate).1;
            for buffer in [of_x, of_h] {
                f.operand(Role::Read, "w", buffer);
            }
            weights.push([of_x, of_h]);
            let of_gate = match params {
                // Zero points become a part of what is added to a sum.
                Some(params) if x.ty == DataType::I8 => [
                    Some(offsets(
                        context,
                        node,
                        1 + gate,
                        params.input_zero_point,
                        Some(9 + gate),
                    )?),
                    Some(offsets(
                        context,
                        node,
                        5 + gate,
                        params.hidden_zero_point,
                        None,
                    )?),
                ],
                _ => [Some(context.input(node, 9 + gate).1), None],
            };
            for buffer in of_gate.into_iter().flatten() {
                f.operand(Role::Read, "bias", buffer);
            }
            biases.push(of_gate);
        }
        let bytes = 4 * steps.cells * if x.ty == DataType::F32 { 4 } else { 2 };
        let points = long.then(|| {
            let points = quant::SIGMOID.into_iter().flat_map(u16::to_le_bytes);
            let buffer = context.constant("points", points.collect());
            f.operand(Role::Read, "points", buffer);
            buffer
        });
        Ok(Self {
            steps,
            dots: [dot(steps.inputs), dot(steps.cells)],
            weights: weights.try_into().expect("four gates"),
            biases: biases.try_into().expect("four gates"),
            of_biases: context.tensor(node, 9).ty,
            of_weights: of_weights.size(),
            scratch: context.scratch("gates", bytes),
            points,
            params,
            ty: x.ty,
        })
    }

    /// Element `i` of the gate that lies in place `place`.
    fn gate(&self, place: u32, i: &Affine) -> Address {
        let size = if self.ty == DataType::F32 { 4 } else { 2 };
        element::element(self.scratch, &(i + place * self.steps.cells), size)
    }

    /// Writes the sums of all gates.
    fn sums(&self, f: &mut Builder, x: &Address, h: &Address) {
        for (gate, place) in PLACES.into_iter().enumerate() {
            f.each("c", self.steps.cells, |f, cell| {
                let products = [x, h].into_iter().enumerate().map(|(side, from)| {
                    let dot = &self.dots[side];
                    let run = dot.products;
                    let row =
                        element::element(self.weights[gate][side], cell, run * self.of_weights);
                    let bias = self.biases[gate][side];
                    let bias = bias.map(|bias| element::get(self.of_biases, bias, cell));
                    // A bias of F32 is added to the finished sum, of integers it does not matter.
                    let sum = dot.start(f, dot.zero(), run);
                    dot.add(f, &sum, from, &row, run);
                    let total = dot.total(f, sum);
                    let biased = match bias {
                        Some(bias) => bias + total,
                        None => total,
                    };
                    f.value("product", biased)
                });
                let [of_x, of_h]: [Expr; 2] =
                    products.collect::<Vec<_>>().try_into().expect("two sides");
                let Some(params) = &self.params else {
                    f.store(Store::Whole, self.gate(place, cell), of_x + of_h);
                    return;
                };
                let [factor_x, factor_h] = params.gates[gate];
                let of_x = self.requantized(f, of_x, factor_x);
                let of_x = clamp(f, of_x, HALF);
                let of_x = f.value("x", of_x);
                let of_h = self.requantized(f, of_h, factor_h);
                let range = if self.points.is_some() {
                    HALF
                } else {
                    (-65536, 65535)
                };
                let of_h = clamp(f, of_h, range);
                let sum = clamp(f, of_x + of_h, HALF);
                f.store(Store::I16, self.gate(place, cell), sum);
            });
        }
    }

    fn requantized(&self, f: &mut Builder, sum: Expr, factor: Requantization) -> Expr {
        if self.points.is_some() {
            return reduced_scaled(sum, factor).expect("checked");
        }
        twice(f, sum, factor)
    }

    /// Applies the gates' functions.
    fn functions(&self, f: &mut Builder) {
        let cells = self.steps.cells;
        for (first, count, tanh) in [(0, 3 * cells, false), (3 * cells, cells, true)] {
            f.each("i", count, |f, i| {
                let i = i + first;
                if self.params.is_none() {
                    let at = element::element(self.scratch, &i, 4);
                    let x = Expr::Load(Load::Whole(Ty::F32), at.clone());
                    let y = if tanh {
                        real_tanh(f, x)
                    } else {
                        real_logistic(f, x)
                    };
                    f.store(Store::Whole, at, y);
                    return;
                }
                let at = element::element(self.scratch, &i, 2);
                let x = f.value("x", Expr::Load(Load::I16, at.clone()));
                let y = if tanh {
                    self.tanh(f, x, 3)
                } else {
                    self.logistic(f, x)
                };
                f.store(Store::I16, at, y);
            });
        }
    }

    fn logistic(&self, f: &mut Builder, x: Expr) -> Expr {
        match self.points {
            Some(points) => fixed::logistic_between(f, x, points),
            None => fixed::logistic(f, x),
        }
    }

    /// tanh of an x with `bits` bits before the point.
    fn tanh(&self, f: &mut Builder, x: Expr, bits: u32) -> Expr {
        match self.points {
            Some(points) => fixed::tanh_between(f, x, bits, points),
            None => fixed::tanh(f, x, bits),
        }
    }

    /// Makes the next cells, hidden state and result of the gates.
    fn advance(&self, f: &mut Builder, lstm: Lstm, h: &Address, c: &Address, y: &Address) {
        f.each("c", self.steps.cells, |f, i| {
            let Some(params) = &self.params else {
                self.advance_real(f, lstm.clip, i, [h, c, y]);
                return;
            };
            let gate = |place: u32| Expr::Load(Load::I16, self.gate(place, i));
            let at_c = nth(c, i, 2);
            let forgotten = f.value("forgotten", gate(1) * Expr::Load(Load::I16, at_c.clone()));
            let added = f.value("added", gate(0) * gate(3));
            let [forgotten, added] = if self.points.is_some() {
                let power = |n: i32| Requantization {
                    multiplier: 1 << 30,
                    shift: n + 1,
                };
                let forgotten = twice(f, forgotten, power(-15));
                let forgotten = clamp(f, forgotten, HALF);
                let forgotten = f.value("forgotten", forgotten);
                let added = twice(f, added, power(params.cell_bits as i32 - 30));
                [forgotten, clamp(f, added, HALF)]
            } else {
                [
                    fixed::divide(f, forgotten, 15),
                    fixed::divide(f, added, 30 - params.cell_bits),
                ]
            };
            let most = if params.clip > 0 {
                (-params.clip, params.clip)
            } else {
                HALF
            };
            let kept = clamp(f, forgotten + added, most);
            let kept = f.value("kept", kept);
            f.store(Store::I16, at_c, kept.clone());
            let function = self.tanh(f, kept, 15 - params.cell_bits);
            let product = f.value("product", gate(2) * function);
            let q = twice(f, product, params.hidden);
            let range = if self.ty == DataType::I8 {
                (-128, 127)
            } else {
                HALF
            };
            let q = offset_and_clamp(f, q, params.hidden_zero_point, range);
            let q = f.value("h", q);
            let size = self.ty.size();
            f.store(element::store(self.ty), nth(h, i, size), q.clone());
            f.store(element::store(self.ty), nth(y, i, size), q);
        });
    }

    fn advance_real(&self, f: &mut Builder, clip: f32, i: &Affine, [h, c, y]: [&Address; 3]) {
        let load = |at: Address| Expr::Load(Load::Whole(Ty::F32), at);
        let gate = |place: u32| load(self.gate(place, i));
        let at_c = nth(c, i, 4);
        let mut kept = gate(1) * load(at_c.clone()) + gate(3) * gate(0);
        if clip > 0.0 {
            let bound = |value: f32| Expr::f32(value);
            let x = f.value("kept", kept);
            let above = bound(clip).lt(x.clone());
            let x = f.value("kept", bound(clip).or_else(above, x));
            let below = x.clone().lt(bound(-clip));
            kept = bound(-clip).or_else(below, x);
        }
        let kept = canonical(f, kept);
        let kept = f.value("kept", kept);
        f.store(Store::Whole, at_c, kept.clone());
        let function = real_tanh(f, kept);
        let result = canonical(f, gate(2) * function);
        let result = f.value("h", result);
        f.store(Store::Whole, nth(h, i, 4), result.clone());
        f.store(Store::Whole, nth(y, i, 4), result);
    }
}

/// `x` times a factor, rounded twice.
fn twice(f: &mut Builder, x: Expr, factor: Requantization) -> Expr {
    let factor = FactorExprs::constant(Ty::I32, Factor::new(factor, Rounding::Twice));
    let x = f.value("sum", x);
    requantize(f, x, &factor, Rounding::Twice)
}

/// For each row of 8-bit weights the bias, if there is one, less the zero point times the row's sum.
fn offsets(
    context: &mut Context,
    node: &Node,
    weights: usize,
    zero_point: i32,
    bias: Option<usize>,
) -> Result<BufferId, String> {
    let columns = context.tensor(node, weights).shape[1] as usize;
    let rows = context.value(node, weights)?.chunks_exact(columns);
    let mut offsets: Vec<i32> = rows
        .map(|row| row.iter().map(|w| i32::from(*w as i8)).sum::<i32>())
        .map(|sum: i32| sum.wrapping_mul(zero_point).wrapping_neg())
        .collect();
    if let Some(bias) = bias {
        let (bias, _) = context.value(node, bias)?.as_chunks::<4>();
        for (offset, bias) in offsets.iter_mut().zip(bias) {
            *offset = offset.wrapping_add(i32::from_le_bytes(*bias));
        }
    }
    let bytes = offsets.into_iter().flat_map(i32::to_le_bytes).collect();
    Ok(context.constant("offsets", bytes))
}

/// 1 / (1 + exp(-x)).
fn real_logistic(f: &mut Builder, x: Expr) -> Expr {
    let e = expf(f, Expr::op(Op::F32Neg, [x]));
    Expr::f32(1.0) / (Expr::f32(1.0) + e)
}

/// (1 - e) / (1 + e) with e = exp(-2 |x|), of x's sign.
fn real_tanh(f: &mut Builder, x: Expr) -> Expr {
    let x = f.value("x", x);
    let size = Expr::op(Op::F32Abs, [x.clone()]);
    let e = expf(f, Expr::f32(-2.0) * size);
    let e = f.value("e", e);
    let tanh = (Expr::f32(1.0) - e.clone()) / (Expr::f32(1.0) + e);
    Expr::op(Op::F32Copysign, [tanh, x])
}
