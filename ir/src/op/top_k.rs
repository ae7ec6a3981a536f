//! `TOPK_V2`: the greatest elements of each row over the last dimension, in falling order, and their
//! indices; of equals the first comes first.

use super::{arg::TYPES, operand, operand::Operands};
use crate::graph::{DataType, Graph, Node, Tensor};

fn operands<'a>(graph: &'a Graph, node: &Node) -> Result<[&'a Tensor; 3], String> {
    let operands = Operands::of(graph, node, (1, 1), (2, 2), 0)?;
    Ok([operands.input(0), operands.output, operands.outputs[1]])
}

pub(super) fn check(graph: &Graph, node: &Node) -> Result<(), String> {
    let [x, values, indices] = operands(graph, node)?;
    let (Some((depth, rows)), Some((count, _))) = (x.shape.split_last(), values.shape.split_last())
    else {
        return Err(format!(
            "`{}` or `{}` has no dimension",
            x.name, values.name
        ));
    };
    if count > depth {
        return Err(format!(
            "`{}` of shape {:?} has no {count} elements in a row",
            x.name, x.shape
        ));
    }
    let due = [rows, &[*count]].concat();
    operand::shape(values, &due)?;
    operand::shape(indices, &due)?;
    operand::same_type(x, values)?;
    operand::one_of(x, &TYPES)?;
    operand::one_of(indices, &[DataType::I32])
}

/// The values and the indices.
pub(super) fn evaluate(graph: &Graph, node: &Node, value: &[u8]) -> [Vec<u8>; 2] {
    let [x, values, _] = operands(graph, node).expect("checked");
    let depth = *x.shape.last().expect("checked") as usize;
    let count = *values.shape.last().expect("checked") as usize;
    let order = if x.ty == DataType::F32 {
        let x = operand::floats(value);
        places(&x, depth, count)
    } else {
        places(&operand::wide_integers(x.ty, value), depth, count)
    };
    let size = x.ty.size() as usize;
    let values = order
        .iter()
        .flat_map(|at| &value[at * size..(at + 1) * size]);
    let indices = order.iter().map(|at| (at % depth) as i64);
    [
        values.copied().collect(),
        operand::wide_integer_bytes(DataType::I32, indices),
    ]
}

/// The places of the first `count` elements of each row in falling order: each time the first that is
/// greater than all others left. (One that is no number is never greater.)
fn places<T: PartialOrd>(x: &[T], depth: usize, count: usize) -> Vec<usize> {
    let mut places = Vec::new();
    for row in (0..x.len()).step_by(depth) {
        let mut left: Vec<usize> = (row..row + depth).collect();
        for _ in 0..count {
            let best = (1..left.len()).fold(
                0,
                |best, i| {
                    if x[left[i]] > x[left[best]] { i } else { best }
                },
            );
            places.push(left.remove(best));
        }
    }
    places
}
