//! `UNIDIRECTIONAL_SEQUENCE_LSTM` without peepholes, projection and layer normalisation. For each step of a
//! sequence four gates are made of x and the hidden state h:
//! i, f, o = logistic(W x + R h + b), g = tanh(W x + R h + b); then c = f c + i g and h = o tanh(c), which is
//! also the result. c and h are kept from call to call.
//!
//! F32: a gate is (b + W x) + R h, each product of matrices summed from +0.0 by rising column;
//! logistic(x) = 1 / (1 + exp(-x)), tanh(x) = (1 - e) / (1 + e) with e = exp(-2 |x|), of x's sign; c is f c plus
//! g i, then clipped.
//! I8 and I16: as the files beside say, with [`quant::LstmParams`].

mod fixed;
mod points;

use super::{arithmetic, linear, operand, operand::Operands};
use crate::{
    graph::{DataType, Graph, Node, State},
    quant::{self, LstmParams, Rounding, Sum},
};

/// The sizes of an LSTM.
#[derive(Clone, Copy, Debug)]
pub struct Steps {
    /// Sequences.
    pub batch: u32,
    /// Steps of each.
    pub time: u32,
    /// Elements of x in a step.
    pub inputs: u32,
    /// Cells, and elements of a result.
    pub cells: u32,
}

/// The attributes of an LSTM.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lstm {
    /// Whether steps are the first dimension of input and output, and sequences the second.
    pub time_major: bool,
    /// The greatest size of a cell; none if it is 0.
    pub clip: f32,
}

/// x; weights of x for the gates i, f, g, o; weights of h for them; their biases.
const INPUTS: (usize, usize) = (13, 13);

/// Checks a node and gives its sizes.
pub(super) fn check(graph: &Graph, node: &Node, lstm: Lstm) -> Result<Steps, String> {
    let operands = Operands::of(graph, node, INPUTS, (1, 1), 2)?;
    let x = operands.input(0);
    let [first, second, inputs] = operand::dims(x)?;
    let (batch, time) = if lstm.time_major {
        (second, first)
    } else {
        (first, second)
    };
    let [cells, _] = operand::dims(operands.input(1))?;
    let [first, second, inputs_, cells_] = [first, second, inputs, cells].map(|n| n as u32);
    operand::same_type(x, operands.output)?;
    operand::shape(operands.output, &[first, second, cells_])?;
    let forms = [
        (DataType::F32, DataType::F32, DataType::F32, DataType::F32),
        (DataType::I8, DataType::I8, DataType::I32, DataType::I16),
        (DataType::I16, DataType::I8, DataType::I64, DataType::I16),
    ];
    let form = forms.into_iter().find(|form| form.0 == x.ty);
    let (_, of_weights, of_bias, of_cell) =
        form.ok_or_else(|| format!("`{}` is of type {}", x.name, x.ty))?;
    for gate in 0..4 {
        for (weights, columns) in [(1 + gate, inputs_), (5 + gate, cells_)] {
            let weights = operands.input(weights);
            operand::shape(weights, &[cells_, columns])?;
            if weights.ty != of_weights {
                return Err(format!(
                    "the weights `{}` are of type {}",
                    weights.name, weights.ty
                ));
            }
        }
        linear::bias(Some(operands.input(9 + gate)), cells, &[of_bias])?;
    }
    for (state, ty) in operands.variables.iter().zip([x.ty, of_cell]) {
        let kept: usize = state.shape.iter().map(|d| *d as usize).product();
        if kept != batch * cells || state.ty != ty {
            return Err(format!(
                "`{}` is of type {} and shape {:?}, not {batch} times {cells} of {ty}",
                state.name, state.ty, state.shape
            ));
        }
    }
    if !(lstm.clip.is_finite() && lstm.clip >= 0.0) {
        return Err(format!("its cells are clipped at {}", lstm.clip));
    }
    if x.ty != DataType::F32 {
        quant::lstm_params(graph, node, lstm.clip)?;
    }
    Ok(Steps {
        batch: batch as u32,
        time: time as u32,
        inputs: inputs_,
        cells: cells_,
    })
}

pub(super) fn evaluate(
    graph: &Graph,
    node: &Node,
    lstm: Lstm,
    values: &[Option<&[u8]>],
    state: &mut State,
) -> Vec<u8> {
    let steps = check(graph, node, lstm).expect("checked");
    let ty = graph.tensors[node.inputs[0].expect("checked")].ty;
    let value = |i: usize| values[i].expect("a present operand has a value");
    let [hidden, cell] = [0, 1].map(|i| node.variables[i]);
    let of_cell = graph.variables[cell].ty;
    if ty == DataType::F32 {
        let values: Vec<Vec<f32>> = (0..13).map(|i| operand::floats(value(i))).collect();
        let [mut h, mut c] = [hidden, cell].map(|id| operand::floats(&state[id]));
        let y = run(steps, lstm, &values[0], &mut h, &mut c, &mut |x, h, c| {
            float_step(&values, lstm.clip, x, h, c);
        });
        state[hidden] = operand::float_bytes(h);
        state[cell] = operand::float_bytes(c);
        return operand::float_bytes(y);
    }
    let params = quant::lstm_params(graph, node, lstm.clip).expect("checked");
    let numbers = |ty: DataType, bytes: &[u8]| operand::wide_integers(ty, bytes);
    let types = |i: usize| graph.tensors[node.inputs[i].expect("checked")].ty;
    let values: Vec<Vec<i64>> = (0..13).map(|i| numbers(types(i), value(i))).collect();
    let mut h = numbers(ty, &state[hidden]);
    let mut c = numbers(of_cell, &state[cell]);
    let y = run(steps, lstm, &values[0], &mut h, &mut c, &mut |x, h, c| {
        integer_step(&values, &params, ty == DataType::I16, x, h, c);
    });
    state[hidden] = operand::wide_integer_bytes(ty, h);
    state[cell] = operand::wide_integer_bytes(of_cell, c);
    operand::wide_integer_bytes(ty, y)
}

/// Makes, of x in a step, the next hidden state and cells of the last.
type Step<'a, T> = &'a mut dyn FnMut(&[T], &mut [T], &mut [T]);

/// Runs every step, and gives the hidden state after each.
fn run<T: Copy + Default>(
    steps: Steps,
    lstm: Lstm,
    x: &[T],
    h: &mut [T],
    c: &mut [T],
    step: Step<'_, T>,
) -> Vec<T> {
    let [batch, time, inputs, cells] =
        [steps.batch, steps.time, steps.inputs, steps.cells].map(|n| n as usize);
    let mut y = vec![T::default(); batch * time * cells];
    for t in 0..time {
        for b in 0..batch {
            let at = if lstm.time_major {
                t * batch + b
            } else {
                b * time + t
            };
            let h = &mut h[b * cells..][..cells];
            step(&x[at * inputs..][..inputs], h, &mut c[b * cells..][..cells]);
            y[at * cells..][..cells].copy_from_slice(h);
        }
    }
    y
}

fn float_step(values: &[Vec<f32>], clip: f32, x: &[f32], h: &mut [f32], c: &mut [f32]) {
    let product = |weights: &[f32], cell: usize, of: &[f32]| {
        let row = &weights[cell * of.len()..][..of.len()];
        row.iter().zip(of).fold(0.0, |sum, (w, x)| sum + w * x)
    };
    let gates: [Vec<f32>; 4] = std::array::from_fn(|gate| {
        let sum = |cell: usize| {
            values[9 + gate][cell]
                + product(&values[1 + gate], cell, x)
                + product(&values[5 + gate], cell, h)
        };
        (0..c.len()).map(sum).collect()
    });
    let [i, f, g, o] = gates;
    for cell in 0..c.len() {
        let kept = logistic(f[cell]) * c[cell] + tanh(g[cell]) * logistic(i[cell]);
        c[cell] = if clip > 0.0 {
            clipped(kept, clip)
        } else {
            kept
        };
        h[cell] = logistic(o[cell]) * tanh(c[cell]);
    }
}

fn clipped(x: f32, most: f32) -> f32 {
    let x = if most < x { most } else { x };
    if x < -most { -most } else { x }
}

fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + libm::expf(-x))
}

fn tanh(x: f32) -> f32 {
    let e = libm::expf(-2.0 * x.abs());
    ((1.0 - e) / (1.0 + e)).copysign(x)
}

/// I8: products are requantised twice-rounded, functions are of fixed point, and powers of two divide with
/// halves away from zero. I16: products are requantised with reduced multipliers, functions are interpolated
/// between points, and products of gates are requantised like the rest.
fn integer_step(
    values: &[Vec<i64>],
    params: &LstmParams,
    wide: bool,
    x: &[i64],
    h: &mut [i64],
    c: &mut [i64],
) {
    let saturated = |x: i32| x.clamp(-32768, 32767);
    let product = |weights: &[i64], cell: usize, of: &[i64], zero_point: i32| {
        let row = &weights[cell * of.len()..][..of.len()];
        let add =
            |sum: i64, (w, x): (&i64, &i64)| sum.wrapping_add(w * (x - i64::from(zero_point)));
        row.iter().zip(of).fold(0, add)
    };
    let how = if wide {
        Sum::LongReduced
    } else {
        Sum::Short(Rounding::Twice)
    };
    let gates: [Vec<i32>; 4] = std::array::from_fn(|gate| {
        let [of_x, of_h] = params.gates[gate];
        let sum = |cell: usize| {
            let x = product(&values[1 + gate], cell, x, params.input_zero_point)
                .wrapping_add(values[9 + gate][cell]);
            let h = product(&values[5 + gate], cell, h, params.hidden_zero_point);
            let x = saturated(arithmetic::scale(x, of_x, how));
            let h = arithmetic::scale(h, of_h, how);
            saturated(
                x + if wide {
                    saturated(h)
                } else {
                    h.clamp(-65536, 65535)
                },
            )
        };
        (0..c.len()).map(sum).collect()
    });
    let logistic = if wide {
        points::logistic
    } else {
        fixed::logistic
    };
    // Bits before the point.
    let tanh = |x: i32, bits: u32| {
        if wide {
            points::tanh(x, bits)
        } else {
            fixed::tanh(x, bits)
        }
    };
    let cell_bits = 15 - params.cell_bits;
    let twice = |x: i32, factor| arithmetic::requantize(x, factor, Rounding::Twice);
    let [i, f, g, o] = gates;
    for cell in 0..c.len() {
        let forgotten = logistic(f[cell]) * c[cell] as i32;
        let added = logistic(i[cell]) * tanh(g[cell], 3);
        let [forgotten, added] = if wide {
            let [one, other] = powers(params.cell_bits);
            [
                saturated(twice(forgotten, one)),
                saturated(twice(added, other)),
            ]
        } else {
            [
                arithmetic::divide_by_power(forgotten, 15),
                arithmetic::divide_by_power(added, 30 - params.cell_bits),
            ]
        };
        let mut kept = saturated(forgotten + added);
        if params.clip > 0 {
            kept = kept.clamp(-params.clip, params.clip);
        }
        c[cell] = kept.into();
        let result = twice(logistic(o[cell]) * tanh(kept, cell_bits), params.hidden)
            .saturating_add(params.hidden_zero_point);
        h[cell] = if wide {
            saturated(result)
        } else {
            result.clamp(-128, 127)
        }
        .into();
    }
}

/// The factors 2^-15 and 2^(`bits` - 30).
fn powers(bits: u32) -> [quant::Requantization; 2] {
    [-15, bits as i32 - 30].map(|power| quant::Requantization {
        multiplier: 1 << 30,
        shift: power + 1,
    })
}
