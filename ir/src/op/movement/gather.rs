//! Operators that find elements by computed indices: GATHER, `GATHER_ND`, `SCATTER_ND`, `EMBEDDING_LOOKUP`,
//! `DYNAMIC_UPDATE_SLICE`.
//!
//! TFLite refuses an index outside its dimension; here it is taken as the nearest inside.

use super::index::{self, element, index_values, indices, inside, is_index, moved, place};
use crate::{
    graph::{DataType, Graph, Node, Tensor},
    op::operand::{self, Operands},
    quant::row_scales,
};

fn two_to_one<'g>(
    graph: &'g Graph,
    node: &Node,
) -> Result<(&'g Tensor, &'g Tensor, &'g Tensor), String> {
    let operands = Operands::new(graph, node, (2, 2))?;
    Ok((operands.input(0), operands.input(1), operands.output))
}

/// Elements of x along `axis` by indices, of which each index of the first `batch_dims` dimensions has
/// its own.
pub(super) fn check_gather(
    graph: &Graph,
    node: &Node,
    axis: u32,
    batch_dims: u32,
) -> Result<(), String> {
    let (x, by, output) = two_to_one(graph, node)?;
    operand::same_type(x, output)?;
    is_index(by)?;
    let axis = index::axis(axis, x)?;
    let batch_dims = batch_dims as usize;
    if batch_dims > axis || batch_dims > by.shape.len() {
        return Err(format!("{batch_dims} dimensions are too many for batches"));
    }
    operand::shape(
        by,
        &[&x.shape[..batch_dims], &by.shape[batch_dims..]].concat(),
    )?;
    operand::shape(
        output,
        &[
            &x.shape[..axis],
            &by.shape[batch_dims..],
            &x.shape[axis + 1..],
        ]
        .concat(),
    )
}

pub(super) fn gather(
    graph: &Graph,
    node: &Node,
    axis: u32,
    batch_dims: u32,
    [value, by_value]: [&[u8]; 2],
) -> Vec<u8> {
    let (x, by, output) = two_to_one(graph, node).expect("checked");
    let (axis, batch_dims) = (axis as usize, batch_dims as usize);
    let by_value = index_values(by, by_value);
    let within = axis + by.shape.len() - batch_dims;
    moved(x, value, &output.shape, |index| {
        let which = [&index[..batch_dims], &index[axis..within]].concat();
        let found = inside(by_value[place(&which, &by.shape)], x.shape[axis]);
        [&index[..axis], &[found], &index[within..]].concat()
    })
}

/// How many dimensions each index of a tensor of indices names, if x has so many.
fn named(by: &Tensor, x: &[u32]) -> Result<usize, String> {
    is_index(by)?;
    match by.shape.last() {
        Some(named) if *named as usize <= x.len() => Ok(*named as usize),
        _ => Err(format!(
            "`{}` of shape {:?} does not name places in {x:?}",
            by.name, by.shape
        )),
    }
}

/// The index that the last dimension of a tensor of indices spells.
fn spelt(by: &Tensor, values: &[i64], at: &[usize], named: usize, x: &[u32]) -> Vec<usize> {
    let start = place(at, &by.shape) * named;
    let values = values[start..][..named].iter().zip(x);
    values.map(|(i, dim)| inside(*i, *dim)).collect()
}

/// Slices of x that the last dimension of the second input names.
pub(super) fn check_gather_nd(graph: &Graph, node: &Node) -> Result<(), String> {
    let (x, by, output) = two_to_one(graph, node)?;
    operand::same_type(x, output)?;
    let named = named(by, &x.shape)?;
    let outer = &by.shape[..by.shape.len() - 1];
    operand::shape(output, &[outer, &x.shape[named..]].concat())
}

pub(super) fn gather_nd(graph: &Graph, node: &Node, [value, by_value]: [&[u8]; 2]) -> Vec<u8> {
    let (x, by, output) = two_to_one(graph, node).expect("checked");
    let named = named(by, &x.shape).expect("checked");
    let by_value = index_values(by, by_value);
    let outer = by.shape.len() - 1;
    moved(x, value, &output.shape, |index| {
        let mut source = spelt(by, &by_value, &index[..outer], named, &x.shape);
        source.extend_from_slice(&index[outer..]);
        source
    })
}

/// Inputs: indices, updates. Zeros, to the slices of which that the indices name the updates are added,
/// one after the other. Integers wrap; of truth values the sum is true where one of them is.
pub(super) fn check_scatter_nd(graph: &Graph, node: &Node) -> Result<(), String> {
    let (by, updates, output) = two_to_one(graph, node)?;
    operand::same_type(updates, output)?;
    let summed = [
        DataType::F32,
        DataType::I8,
        DataType::U8,
        DataType::I16,
        DataType::I32,
        DataType::I64,
        DataType::Bool,
    ];
    if !summed.contains(&output.ty) {
        return Err(format!("`{}` is of type {}", output.name, output.ty));
    }
    let named = named(by, &output.shape)?;
    let outer = &by.shape[..by.shape.len() - 1];
    operand::shape(updates, &[outer, &output.shape[named..]].concat())
}

pub(super) fn scatter_nd(graph: &Graph, node: &Node, [by_value, value]: [&[u8]; 2]) -> Vec<u8> {
    let (by, updates, output) = two_to_one(graph, node).expect("checked");
    let named = named(by, &output.shape).expect("checked");
    let by_value = index_values(by, by_value);
    let outer = by.shape.len() - 1;
    let targets = indices(&updates.shape).map(|index| {
        let mut target = spelt(by, &by_value, &index[..outer], named, &output.shape);
        target.extend_from_slice(&index[outer..]);
        place(&target, &output.shape)
    });
    if output.ty == DataType::F32 {
        let mut sums = vec![0.0f32; output.elements()];
        for (target, update) in targets.zip(operand::floats(value)) {
            sums[target] += update;
        }
        return operand::float_bytes(sums);
    }
    let mut sums = vec![0i64; output.elements()];
    for (target, update) in targets.zip(operand::wide_integers(output.ty, value)) {
        sums[target] = match output.ty {
            DataType::Bool => sums[target] | update,
            DataType::Element(_) => sums[target].wrapping_add(update),
        };
    }
    operand::wide_integer_bytes(output.ty, sums)
}

/// Inputs: indices `[n]`, a table `[rows, ...]`. Output: rows `[n, ...]`; of a table of I8 with an F32
/// result, each element times the scale of the table, or of its row.
pub(super) fn check_embedding_lookup(graph: &Graph, node: &Node) -> Result<(), String> {
    let (by, table, output) = two_to_one(graph, node)?;
    let [count] = by.shape[..] else {
        return Err(format!("`{}` has the shape {:?}", by.name, by.shape));
    };
    is_index(by)?;
    index::axis(0, table)?;
    operand::shape(output, &[&[count], &table.shape[1..]].concat())?;
    if (table.ty, output.ty) == (DataType::I8, DataType::F32) {
        row_scales(table).map(|_| ())
    } else {
        operand::same_type(table, output)
    }
}

pub(super) fn embedding_lookup(
    graph: &Graph,
    node: &Node,
    [by_value, value]: [&[u8]; 2],
) -> Vec<u8> {
    let (by, table, output) = two_to_one(graph, node).expect("checked");
    let by_value = index_values(by, by_value);
    let rows = |index: &[usize]| inside(by_value[index[0]], table.shape[0]);
    if table.ty == output.ty {
        return moved(table, value, &output.shape, |index| {
            [&[rows(index)], &index[1..]].concat()
        });
    }
    let scales = row_scales(table).expect("checked");
    operand::float_bytes(indices(&output.shape).map(|index| {
        let row = rows(&index);
        let q = element(table, value, &[&[row], &index[1..]].concat())[0] as i8;
        f32::from(q) * scales[row]
    }))
}

/// Inputs: x, an update no larger, and where in x its first element goes: moved so that all of it is
/// inside.
pub(super) fn check_dynamic_update_slice(graph: &Graph, node: &Node) -> Result<(), String> {
    let operands = Operands::new(graph, node, (3, 3))?;
    let [x, update, start] = [0, 1, 2].map(|i| operands.input(i));
    operand::same_type(x, operands.output)?;
    operand::same_type(x, update)?;
    operand::same_shape(x, operands.output)?;
    is_index(start)?;
    operand::shape(start, &[x.shape.len() as u32])?;
    let fits = update.shape.len() == x.shape.len()
        && update
            .shape
            .iter()
            .zip(&x.shape)
            .all(|(part, all)| part <= all);
    if fits {
        Ok(())
    } else {
        Err(format!(
            "`{}` of shape {:?} is no part of {:?}",
            update.name, update.shape, x.shape
        ))
    }
}

pub(super) fn dynamic_update_slice(
    graph: &Graph,
    node: &Node,
    [value, update_value, start_value]: [&[u8]; 3],
) -> Vec<u8> {
    let operands = Operands::new(graph, node, (3, 3)).expect("checked");
    let [x, update, start] = [0, 1, 2].map(|i| operands.input(i));
    let room = x
        .shape
        .iter()
        .zip(&update.shape)
        .map(|(all, part)| all - part + 1);
    let start: Vec<usize> = index_values(start, start_value)
        .into_iter()
        .zip(room)
        .map(|(i, room)| inside(i, room))
        .collect();
    let size = x.ty.size() as usize;
    let mut result = value.to_vec();
    for index in indices(&update.shape) {
        let target: Vec<usize> = index.iter().zip(&start).map(|(i, s)| i + s).collect();
        let at = place(&target, &x.shape) * size;
        result[at..at + size].copy_from_slice(element(update, update_value, &index));
    }
    result
}
