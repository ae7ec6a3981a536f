//! `ARG_MAX` and `ARG_MIN`: where along a dimension the greatest or least element is, the first of equals.
//!
//! A NaN is passed over, unless it comes first: then it is the one.

use super::{operand, operand::Operands};
use crate::graph::{DataType, Graph, Node};

/// The types that have an order.
pub(super) const TYPES: [DataType; 7] = [
    DataType::F32,
    DataType::I8,
    DataType::U8,
    DataType::I16,
    DataType::I32,
    DataType::I64,
    DataType::Bool,
];

pub(super) fn check(graph: &Graph, node: &Node, axis: u32) -> Result<(), String> {
    let operands = Operands::new(graph, node, (1, 1))?;
    let (x, y) = (operands.input(0), operands.output);
    let axis = axis as usize;
    if axis >= x.shape.len() {
        return Err(format!("`{}` has no dimension {axis}", x.name));
    }
    let mut due = x.shape.clone();
    due.remove(axis);
    operand::shape(y, &due)?;
    operand::one_of(x, &TYPES)?;
    operand::one_of(y, &[DataType::I32, DataType::I64])
}

pub(super) fn evaluate(
    graph: &Graph,
    node: &Node,
    greatest: bool,
    axis: u32,
    value: &[u8],
) -> Vec<u8> {
    let operands = Operands::new(graph, node, (1, 1)).expect("checked");
    let (x, y) = (operands.input(0), operands.output);
    let count = x.shape[axis as usize] as usize;
    let inner: usize = x.shape[axis as usize + 1..]
        .iter()
        .map(|d| *d as usize)
        .product();
    let place = |result: usize, i: usize| (result / inner * count + i) * inner + result % inner;
    let results = (0..y.elements()).map(|result| {
        let index = if x.ty == DataType::F32 {
            let x = operand::floats(value);
            first(count, |i, best| {
                let (x, best) = (x[place(result, i)], x[place(result, best)]);
                if greatest { x > best } else { x < best }
            })
        } else {
            let x = operand::wide_integers(x.ty, value);
            first(count, |i, best| {
                let (x, best) = (x[place(result, i)], x[place(result, best)]);
                if greatest { x > best } else { x < best }
            })
        };
        index as i64
    });
    operand::wide_integer_bytes(y.ty, results)
}

/// The first index that none after it is `better` than.
fn first(count: usize, better: impl Fn(usize, usize) -> bool) -> usize {
    (1..count).fold(0, |best, i| if better(i, best) { i } else { best })
}
