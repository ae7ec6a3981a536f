//! `SVDF`: filters give one number each of x; of the last of these, which are kept, each filter makes a
//! weighted sum, and a unit adds up those of its filters.
//!
//! F32: a filter sums by rising column of x, from +0.0, and over what is kept from the oldest on, from +0.0;
//! a unit starts with its bias, or +0.0, adds its filters in order, and is activated.
//! I8: as [`quant::SvdfParams`] says; the state is I16 or I8, the activation in the range of the result.

use super::{Activation, arithmetic, linear, operand, operand::Operands};
use crate::{
    graph::{DataType, Graph, Node, State},
    quant::{self, Rounding},
};

/// The sizes of an SVDF.
#[derive(Clone, Copy, Debug)]
pub struct Filters {
    /// Rows of x.
    pub batch: u32,
    /// Columns of x.
    pub inputs: u32,
    /// Filters.
    pub filters: u32,
    /// Numbers of each filter that are kept.
    pub memory: u32,
    /// Units.
    pub units: u32,
}

const INPUTS: (usize, usize) = (3, 4);

/// Checks a node and gives its sizes.
pub(super) fn check(
    graph: &Graph,
    node: &Node,
    rank: u32,
    activation: Activation,
) -> Result<Filters, String> {
    let operands = Operands::of(graph, node, INPUTS, (1, 1), 1)?;
    let [x, feature, time] = [0, 1, 2].map(|i| operands.input(i));
    let [batch, inputs] = operand::dims(x)?;
    let [filters, columns] = operand::dims(feature)?;
    let [rows, memory] = operand::dims(time)?;
    if columns != inputs || rows != filters {
        return Err(format!(
            "`{}` of shape {:?} and `{}` of shape {:?} do not fit {inputs} inputs",
            feature.name, feature.shape, time.name, time.shape
        ));
    }
    if rank == 0 || !filters.is_multiple_of(rank as usize) {
        return Err(format!("{filters} filters are not units of {rank}"));
    }
    let units = filters / rank as usize;
    operand::shape(operands.output, &[batch as u32, units as u32])?;
    operand::same_type(x, operands.output)?;
    let state = operands.variables[0];
    let kept: usize = state.shape.iter().map(|d| *d as usize).product();
    if kept != batch * filters * memory {
        return Err(format!(
            "`{}` has the shape {:?} for {batch} times {filters} filters of {memory}",
            state.name, state.shape
        ));
    }
    let due = match (x.ty, feature.ty, time.ty, state.ty) {
        (DataType::F32, DataType::F32, DataType::F32, DataType::F32) => DataType::F32,
        (DataType::I8, DataType::I8, of_time, of_state)
            if of_time == of_state && [DataType::I8, DataType::I16].contains(&of_time) =>
        {
            quant::svdf_params(graph, node)?;
            if ![Activation::None, Activation::Relu].contains(&activation) {
                return Err("its activation is not one of integers".to_owned());
            }
            DataType::I32
        }
        types => return Err(format!("its operands are of the types {types:?}")),
    };
    linear::bias(operands.optional(3), units, &[due])?;
    let [batch, inputs, filters, memory, units] =
        [batch, inputs, filters, memory, units].map(|n| n as u32);
    Ok(Filters {
        batch,
        inputs,
        filters,
        memory,
        units,
    })
}

pub(super) fn evaluate(
    graph: &Graph,
    node: &Node,
    (rank, activation): (u32, Activation),
    values: &[Option<&[u8]>],
    state: &mut State,
) -> Vec<u8> {
    let sizes = check(graph, node, rank, activation).expect("checked");
    let [batch, inputs, filters] = [sizes.batch, sizes.inputs, sizes.filters].map(|n| n as usize);
    let (memory, units, rank) = (sizes.memory as usize, sizes.units as usize, rank as usize);
    let value = |i: usize| values[i].expect("a present operand has a value");
    let bias = values.get(3).copied().flatten();
    let of_x = graph.tensors[node.inputs[0].expect("checked")].ty;
    let kept = &mut state[node.variables[0]];
    if of_x == DataType::F32 {
        let [x, feature, time] = [0, 1, 2].map(|i| operand::floats(value(i)));
        let bias = bias.map_or(vec![0.0; units], operand::floats);
        let mut memories = operand::floats(kept);
        for b in 0..batch {
            for f in 0..filters {
                let newest = (0..inputs).fold(0.0, |sum, i| {
                    sum + x[b * inputs + i] * feature[f * inputs + i]
                });
                remember(
                    &mut memories[(b * filters + f) * memory..][..memory],
                    newest,
                );
            }
        }
        *kept = operand::float_bytes(memories.iter().copied());
        let result = |i: usize| {
            let (b, unit) = (i / units, i % units);
            let sum = (unit * rank..(unit + 1) * rank).fold(bias[unit], |sum, f| {
                let memories = &memories[(b * filters + f) * memory..][..memory];
                sum + (0..memory).fold(0.0, |sum, m| sum + memories[m] * time[f * memory + m])
            });
            arithmetic::activate(activation, sum)
        };
        return operand::float_bytes((0..batch * units).map(result));
    }
    let params = quant::svdf_params(graph, node).expect("checked");
    let of_state = graph.variables[node.variables[0]].ty;
    let numbers = |ty: DataType, bytes: &[u8]| -> Vec<i32> {
        let wide = operand::wide_integers(ty, bytes);
        wide.into_iter().map(|x| x as i32).collect()
    };
    let [x, feature] = [0, 1].map(|i| numbers(DataType::I8, value(i)));
    let time = numbers(of_state, value(2));
    let bias = bias.map_or(vec![0; units], operand::integers);
    let mut memories = numbers(of_state, kept);
    let (least, most) = params.state_range;
    for b in 0..batch {
        for f in 0..filters {
            let sum = (0..inputs).fold(0i32, |sum, i| {
                let product =
                    (x[b * inputs + i] - params.input_zero_point) * feature[f * inputs + i];
                sum.wrapping_add(product)
            });
            let newest = arithmetic::requantize(sum, params.feature, Rounding::Twice)
                .saturating_add(params.state_zero_point)
                .clamp(least, most);
            remember(
                &mut memories[(b * filters + f) * memory..][..memory],
                newest,
            );
        }
    }
    *kept = operand::wide_integer_bytes(of_state, memories.iter().map(|x| i64::from(*x)));
    let result = |i: usize| {
        let (b, unit) = (i / units, i % units);
        let sum = (unit * rank..(unit + 1) * rank).fold(bias[unit], |sum, f| {
            let memories = &memories[(b * filters + f) * memory..][..memory];
            (0..memory).fold(sum, |sum, m| {
                let product =
                    (memories[m] - params.state_zero_point).wrapping_mul(time[f * memory + m]);
                sum.wrapping_add(product)
            })
        });
        arithmetic::requantize(sum, params.output, Rounding::Twice)
            .saturating_add(params.output_zero_point)
    };
    operand::small_integer_bytes((0..batch * units).map(result), (-128, 127))
}

/// Drops the oldest of what a filter keeps and appends the newest.
fn remember<T: Copy>(memory: &mut [T], newest: T) {
    memory.copy_within(1.., 0);
    *memory.last_mut().expect("a filter keeps at least one") = newest;
}
