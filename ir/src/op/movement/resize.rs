//! `RESIZE_BILINEAR` and `RESIZE_NEAREST_NEIGHBOR`: an image in another number of rows and columns.
//!
//! Of the four neighbours a, b (in the upper row) and c, d, the bilinear result is
//! a(1-y)(1-x) + cy(1-x) + b(1-y)x + dyx, computed in this order, products from the left: in F32 for F32
//! and U8 (plus 0.5, then cut off), in integers with 1024ths for I8 and I16, halves away from zero.

use super::index::{element, indices, moved, one_meaning, one_to_one};
use crate::{
    graph::{DataType, Graph, Node, Tensor},
    op::operand,
    quant::{Blend, Sampling},
};

/// Most rows or columns of a result: there are tables of both.
const MOST: usize = 1 << 16;

fn images<'g>(graph: &'g Graph, node: &Node) -> Result<(&'g Tensor, &'g Tensor), String> {
    let (x, output) = one_to_one(graph, node)?;
    let [batch, _, _, depth] = operand::dims::<4>(x)?;
    let [_, rows, columns, _] = operand::dims::<4>(output)?;
    let due = [batch, rows, columns, depth].map(|d| d as u32);
    operand::shape(output, &due)?;
    if rows.max(columns) > MOST {
        return Err(format!(
            "`{}` of shape {:?} has more than {MOST} rows or columns",
            output.name, output.shape
        ));
    }
    Ok((x, output))
}

pub(super) fn check_nearest(graph: &Graph, node: &Node) -> Result<(), String> {
    images(graph, node).map(|_| ())
}

pub(super) fn nearest(graph: &Graph, node: &Node, sampling: Sampling, value: &[u8]) -> Vec<u8> {
    let (x, output) = images(graph, node).expect("checked");
    let [rows, columns] = [1, 2].map(|d| sampling.nearest(x.shape[d], output.shape[d]));
    moved(x, value, &output.shape, |index| {
        let (row, column) = (rows[index[1]] as usize, columns[index[2]] as usize);
        vec![index[0], row, column, index[3]]
    })
}

pub(super) fn check_bilinear(graph: &Graph, node: &Node) -> Result<(), String> {
    let (x, output) = images(graph, node)?;
    let blended = [DataType::F32, DataType::I8, DataType::U8, DataType::I16];
    if !blended.contains(&x.ty) {
        return Err(format!("`{}` is of type {}", x.name, x.ty));
    }
    one_meaning(x, output)
}

pub(super) fn bilinear(graph: &Graph, node: &Node, sampling: Sampling, value: &[u8]) -> Vec<u8> {
    let (x, output) = images(graph, node).expect("checked");
    match x.ty {
        DataType::F32 => {
            let floats = blended_floats(x, output, sampling, |at| {
                let bytes = element(x, value, at).try_into().expect("four bytes");
                f32::from_le_bytes(bytes)
            });
            operand::float_bytes(floats)
        }
        DataType::U8 => {
            let floats = blended_floats(x, output, sampling, |at| element(x, value, at)[0].into());
            floats.into_iter().map(|y| (y + 0.5) as u8).collect()
        }
        DataType::Bool | DataType::Element(_) => {
            operand::wide_integer_bytes(x.ty, blended_integers(x, output, sampling, value))
        }
    }
}

/// The values of the four neighbours of the element of the result at an index: a, b, c, d.
fn neighbours<W: Copy, T>(
    (row, column): (Blend<W>, Blend<W>),
    index: &[usize],
    read: impl Fn(&[usize]) -> T,
) -> [T; 4] {
    let corners = [
        (row.low, column.low),
        (row.low, column.high),
        (row.high, column.low),
        (row.high, column.high),
    ];
    corners.map(|(row, column)| read(&[index[0], row as usize, column as usize, index[3]]))
}

fn blended_floats(
    x: &Tensor,
    output: &Tensor,
    sampling: Sampling,
    read: impl Fn(&[usize]) -> f32,
) -> Vec<f32> {
    let [rows, columns] = [1, 2].map(|d| sampling.floats(x.shape[d], output.shape[d]));
    indices(&output.shape)
        .map(|index| {
            let (row, column) = (rows[index[1]], columns[index[2]]);
            let [a, b, c, d] = neighbours((row, column), &index, &read);
            let (y, x) = (row.weight, column.weight);
            a * (1.0 - y) * (1.0 - x) + c * y * (1.0 - x) + b * (1.0 - y) * x + d * y * x
        })
        .collect()
}

fn blended_integers(x: &Tensor, output: &Tensor, sampling: Sampling, value: &[u8]) -> Vec<i64> {
    let [rows, columns] = [1, 2].map(|d| sampling.integers(x.shape[d], output.shape[d]));
    let read = |at: &[usize]| operand::wide_integers(x.ty, element(x, value, at))[0];
    indices(&output.shape)
        .map(|index| {
            let (row, column) = (rows[index[1]], columns[index[2]]);
            let [a, b, c, d] = neighbours((row, column), &index, read);
            let (y, x) = (i64::from(row.weight), i64::from(column.weight));
            let (rest_y, rest_x) = (1024 - y, 1024 - x);
            let sum = a * rest_y * rest_x + c * y * rest_x + b * rest_y * x + d * y * x;
            let half = if sum > 0 { 1 << 19 } else { -(1 << 19) };
            (sum + half) / (1 << 20)
        })
        .collect()
}
