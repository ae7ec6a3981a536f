//! `BATCH_MATMUL`: the product of matrices, the last two dimensions of each operand; the others broadcast.
//! A result is summed by rising column of x.
//!
//! F32 beside an I8 y is quantised row by row, as `FULLY_CONNECTED` does; of integers a sum is taken and
//! scaled as [`quant::MatrixParams`] says.

use super::{arithmetic, hybrid, linear, operand, operand::Operands};
use crate::{
    graph::{DataType, Graph, Node, Tensor},
    quant,
};

const INPUTS: (usize, usize) = (2, 2);

/// Batches, rows and columns of the two operands and the result, and which matrices make which.
#[derive(Clone, Debug)]
pub struct Product {
    /// Rows of x and the result.
    pub rows: usize,
    /// Columns of x and rows of y.
    pub depth: usize,
    /// Columns of y and the result.
    pub columns: usize,
    /// For each leading dimension of the result its size, and how many matrices of x and of y are from one
    /// index to the next.
    pub batches: Vec<[usize; 3]>,
    /// The shape of the result.
    shape: Vec<u32>,
}

impl Product {
    /// The product of matrices of which `x` and `y` consist, swapped or not.
    ///
    /// # Errors
    /// Shapes that do not fit each other.
    pub fn new(x: &Tensor, y: &Tensor, swapped: [bool; 2]) -> Result<Self, String> {
        let [(x_rest, rows, depth), (y_rest, y_rows, columns)] =
            [matrix(x, swapped[0])?, matrix(y, swapped[1])?];
        if depth != y_rows {
            return Err(format!(
                "`{}` has {depth} columns, but `{}` {y_rows} rows",
                x.name, y.name
            ));
        }
        let rank = x_rest.len().max(y_rest.len());
        let dim =
            |rest: &[u32], d: usize| (d + rest.len()).checked_sub(rank).map_or(1, |d| rest[d]);
        let mut batches = Vec::new();
        for d in 0..rank {
            batches.push(match [dim(x_rest, d), dim(y_rest, d)] {
                [a, b] if a == b || b == 1 => a,
                [1, b] => b,
                [a, b] => {
                    return Err(format!(
                        "dimension {d} is {a} of `{}` and {b} of `{}`",
                        x.name, y.name
                    ));
                }
            });
        }
        let mut shape = batches.clone();
        shape.extend([rows as u32, columns as u32]);
        super::check_shape("the product", &shape)?;
        let steps = |rest: &[u32], d: usize| {
            let inner = d + 1..rank;
            let step: usize = inner.map(|d| dim(rest, d) as usize).product();
            if dim(rest, d) == 1 { 0 } else { step }
        };
        Ok(Self {
            rows,
            depth,
            columns,
            batches: (0..rank)
                .map(|d| [batches[d] as usize, steps(x_rest, d), steps(y_rest, d)])
                .collect(),
            shape,
        })
    }

    /// Which matrix of each operand every matrix of the product is made of, in order.
    fn pairs(&self) -> impl Iterator<Item = [usize; 2]> {
        let count = self.batches.iter().map(|[size, ..]| size).product();
        (0..count).map(move |batch| {
            let (mut left, mut pair) = (batch, [0, 0]);
            for [size, step_x, step_y] in self.batches.iter().rev() {
                let index = left % size;
                left /= size;
                pair[0] += index * step_x;
                pair[1] += index * step_y;
            }
            pair
        })
    }

    /// The shape of the product.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn shape(x: &Tensor, y: &Tensor, swapped: [bool; 2]) -> Result<Vec<u32>, String> {
        Self::new(x, y, swapped).map(|product| product.shape)
    }
}

/// The leading dimensions of a tensor, and rows and columns of its matrices.
fn matrix(tensor: &Tensor, swapped: bool) -> Result<(&[u32], usize, usize), String> {
    match &tensor.shape[..] {
        [rest @ .., a, b] if swapped => Ok((rest, *b as usize, *a as usize)),
        [rest @ .., a, b] => Ok((rest, *a as usize, *b as usize)),
        shape => Err(format!("`{}` has {} dimensions", tensor.name, shape.len())),
    }
}

pub(super) fn check(graph: &Graph, node: &Node, swapped: [bool; 2]) -> Result<(), String> {
    let operands = Operands::new(graph, node, INPUTS)?;
    let (x, y) = (operands.input(0), operands.input(1));
    operand::same_type(x, operands.output)?;
    operand::shape(operands.output, &Product::shape(x, y, swapped)?)?;
    match (x.ty, y.ty) {
        (DataType::F32, DataType::F32) => Ok(()),
        (DataType::F32, DataType::I8) => {
            let scales = quant::hybrid_scales(graph, node, 0, 1);
            scales.map(|_| ())
        }
        (DataType::I8 | DataType::I16, DataType::I8) | (DataType::I16, DataType::I16) => {
            quant::matrix_params(graph, node).map(|_| ())
        }
        (of_x, of_y) => Err(format!(
            "`{}` is of type {of_x}, but `{}` of type {of_y}",
            x.name, y.name
        )),
    }
}

pub(super) fn evaluate(
    graph: &Graph,
    node: &Node,
    swapped: [bool; 2],
    asymmetric: bool,
    [x, y]: [&[u8]; 2],
) -> Vec<u8> {
    let operands = Operands::new(graph, node, INPUTS).expect("checked");
    let (of_x, of_y) = (operands.input(0), operands.input(1));
    let product = Product::new(of_x, of_y, swapped).expect("checked");
    let Product {
        rows,
        depth,
        columns,
        ..
    } = product;
    // Where the elements of row `r` of x and of column `c` of y lie, for element `k` of the sum.
    let at_x = |matrix: usize, r: usize, k: usize| {
        matrix * rows * depth
            + if swapped[0] {
                k * rows + r
            } else {
                r * depth + k
            }
    };
    let at_y = |matrix: usize, c: usize, k: usize| {
        matrix * depth * columns
            + if swapped[1] {
                c * depth + k
            } else {
                k * columns + c
            }
    };
    let results = || {
        product.pairs().flat_map(move |[a, b]| {
            (0..rows).flat_map(move |r| (0..columns).map(move |c| (a, b, r, c)))
        })
    };
    let integers = |tensor: &Tensor, bytes: &[u8]| {
        if tensor.ty == DataType::I16 {
            linear::halves(bytes)
        } else {
            operand::small_integers(tensor.ty, bytes)
        }
    };
    if of_x.ty == DataType::F32 && of_y.ty == DataType::F32 {
        let (x, y) = (operand::floats(x), operand::floats(y));
        return operand::float_bytes(results().map(|(a, b, r, c)| {
            (0..depth).fold(0.0, |sum, k| sum + x[at_x(a, r, k)] * y[at_y(b, c, k)])
        }));
    }
    if of_x.ty == DataType::F32 {
        let scale = quant::hybrid_scales(graph, node, 0, 1).expect("checked")[0];
        let (x, y) = (operand::floats(x), integers(of_y, y));
        let row = |a: usize, r: usize| {
            let row: Vec<f32> = (0..depth).map(|k| x[at_x(a, r, k)]).collect();
            hybrid::quantize(&row, asymmetric)
        };
        let matrices = of_x.elements() / (rows * depth);
        let quantized: Vec<_> = (0..matrices * rows)
            .map(|i| row(i / rows, i % rows))
            .collect();
        return operand::float_bytes(results().map(|(a, b, r, c)| {
            let row = &quantized[a * rows + r];
            let sum = (0..depth).fold(0i32, |sum, k| {
                sum.wrapping_add(row.values[k] * y[at_y(b, c, k)])
            });
            sum as f32 * (row.scale * scale)
        }));
    }
    let params = quant::matrix_params(graph, node).expect("checked");
    let (x, y) = (integers(of_x, x), integers(of_y, y));
    let [x_zero, y_zero] = params.zero_points;
    let elements = results().map(|(a, b, r, c)| {
        let sum = (0..depth).fold(0i64, |sum, k| {
            let product =
                i64::from(x[at_x(a, r, k)] - x_zero) * i64::from(y[at_y(b, c, k)] - y_zero);
            sum.wrapping_add(product)
        });
        arithmetic::scale(sum, params.requantization, params.sum)
            .saturating_add(params.output_zero_point)
    });
    if of_x.ty == DataType::I16 {
        linear::half_bytes(elements, params.range)
    } else {
        operand::small_integer_bytes(elements, params.range)
    }
}
