//! CONCATENATION and PACK put tensors one after the other along a dimension, SPLIT(_V) and UNPACK take
//! them apart. That dimension is new in the result of PACK, and gone from those of UNPACK.
//!
//! CONCATENATION of U8 gives each element the meaning it has, if scale or zero point of the result are
//! others: round(q * (s / s')) with the zero points, in f32 as TFLite's reference kernel computes it.

use super::index::{axis, element, indices, moved, one_meaning};
use crate::{
    graph::{DataType, Graph, Node, Tensor},
    op::operand::{self, Operands},
    quant,
};

/// Any number of inputs, one output.
fn joined<'g>(graph: &'g Graph, node: &Node) -> Result<(Vec<&'g Tensor>, &'g Tensor), String> {
    let operands = Operands::new(graph, node, (1, usize::MAX))?;
    let inputs: Vec<&Tensor> = operands.inputs.iter().flatten().copied().collect();
    if inputs.len() < operands.inputs.len() {
        return Err("an input is left out".to_owned());
    }
    for input in &inputs {
        operand::same_type(input, operands.output)?;
    }
    Ok((inputs, operands.output))
}

/// One input, any number of outputs.
fn taken_apart<'g>(graph: &'g Graph, node: &Node) -> Result<(&'g Tensor, Vec<&'g Tensor>), String> {
    let operands = Operands::of(graph, node, (1, 1), (1, usize::MAX), 0)?;
    for output in &operands.outputs {
        operand::same_type(operands.input(0), output)?;
    }
    Ok((operands.input(0), operands.outputs))
}

/// The parts have the shape of the whole, but for the axis, along which they fill it.
fn fill(parts: &[&Tensor], whole: &Tensor, at: u32) -> Result<(), String> {
    let at = axis(at, whole)?;
    let mut sum = 0;
    for part in parts {
        let mut due = whole.shape.clone();
        due[at] = part.shape.get(at).copied().unwrap_or(0);
        operand::shape(part, &due)?;
        sum += u64::from(due[at]);
    }
    if sum == u64::from(whole.shape[at]) {
        Ok(())
    } else {
        Err(format!(
            "its parts have {sum} elements along axis {at}, but `{}` has the shape {:?}",
            whole.name, whole.shape
        ))
    }
}

/// The parts are as many as the whole is long along the axis, and have its shape without it.
fn stack(parts: &[&Tensor], whole: &Tensor, at: u32) -> Result<(), String> {
    let at = axis(at, whole)?;
    let mut due = whole.shape.clone();
    if due.remove(at) as usize != parts.len() {
        return Err(format!(
            "its {} parts are not the elements of `{}` along axis {at}, which has the shape {:?}",
            parts.len(),
            whole.name,
            whole.shape
        ));
    }
    parts.iter().try_for_each(|part| operand::shape(part, &due))
}

pub(super) fn check_concatenation(graph: &Graph, node: &Node, axis: u32) -> Result<(), String> {
    let (inputs, output) = joined(graph, node)?;
    fill(&inputs, output, axis)?;
    for input in inputs {
        if output.ty == DataType::U8 && output.quantization.is_some() {
            quant::affine(input)?;
            quant::affine(output)?;
        } else if output.ty == DataType::I8 {
            one_meaning(input, output)?;
        }
    }
    Ok(())
}

pub(super) fn concatenation(
    graph: &Graph,
    node: &Node,
    axis: u32,
    values: &[Option<&[u8]>],
) -> Vec<u8> {
    let (inputs, output) = joined(graph, node).expect("checked");
    let axis = axis as usize;
    let values: Vec<Vec<u8>> = inputs
        .iter()
        .zip(values.iter().flatten())
        .map(|(input, value)| rescaled(input, output, value))
        .collect();
    let mut result = Vec::new();
    for mut index in indices(&output.shape) {
        let mut part = 0;
        while index[axis] >= inputs[part].shape[axis] as usize {
            index[axis] -= inputs[part].shape[axis] as usize;
            part += 1;
        }
        result.extend_from_slice(element(inputs[part], &values[part], &index));
    }
    result
}

/// A value with the scale and zero point of another tensor, where that is U8 and has them.
fn rescaled(from: &Tensor, to: &Tensor, value: &[u8]) -> Vec<u8> {
    if to.ty != DataType::U8 || to.quantization.is_none() {
        return value.to_vec();
    }
    let ((scale, zero_point), (to_scale, to_zero_point)) = (
        quant::affine(from).expect("checked"),
        quant::affine(to).expect("checked"),
    );
    if (scale, zero_point) == (to_scale, to_zero_point) {
        return value.to_vec();
    }
    let factor = scale * (1.0 / to_scale);
    let bias = -(zero_point as f32) * factor;
    let rescale = |q: &u8| {
        let rounded = (f32::from(*q) * factor + bias).round() as i32;
        rounded.saturating_add(to_zero_point).clamp(0, 255) as u8
    };
    value.iter().map(rescale).collect()
}

pub(super) fn check_split(graph: &Graph, node: &Node, axis: u32) -> Result<(), String> {
    let (x, outputs) = taken_apart(graph, node)?;
    fill(&outputs, x, axis)
}

pub(super) fn split(graph: &Graph, node: &Node, axis: u32, value: &[u8]) -> Vec<Vec<u8>> {
    let (x, outputs) = taken_apart(graph, node).expect("checked");
    let axis = axis as usize;
    let mut start = 0;
    let mut parts = Vec::new();
    for output in outputs {
        parts.push(moved(x, value, &output.shape, |index| {
            let mut index = index.to_vec();
            index[axis] += start;
            index
        }));
        start += output.shape[axis] as usize;
    }
    parts
}

pub(super) fn check_pack(graph: &Graph, node: &Node, axis: u32) -> Result<(), String> {
    let (inputs, output) = joined(graph, node)?;
    stack(&inputs, output, axis)
}

pub(super) fn pack(graph: &Graph, node: &Node, axis: u32, values: &[Option<&[u8]>]) -> Vec<u8> {
    let (inputs, output) = joined(graph, node).expect("checked");
    let mut result = Vec::new();
    for mut index in indices(&output.shape) {
        let part = index.remove(axis as usize);
        let value = values[part].expect("inputs are present");
        result.extend_from_slice(element(inputs[part], value, &index));
    }
    result
}

pub(super) fn check_unpack(graph: &Graph, node: &Node, axis: u32) -> Result<(), String> {
    let (x, outputs) = taken_apart(graph, node)?;
    stack(&outputs, x, axis)
}

pub(super) fn unpack(graph: &Graph, node: &Node, axis: u32, value: &[u8]) -> Vec<Vec<u8>> {
    let (x, outputs) = taken_apart(graph, node).expect("checked");
    let part = |(part, output): (usize, &&Tensor)| {
        moved(x, value, &output.shape, |index| {
            let mut index = index.to_vec();
            index.insert(axis as usize, part);
            index
        })
    };
    outputs.iter().enumerate().map(part).collect()
}
