//! `BATCH_MATMUL`: loops over the leading dimensions, around the product of two matrices.
//!
//! F32 with vectors takes four columns of y at once where they are neighbours. Other sums are taken one by
//! one along rows of x and of y transposed, for which an operand that lies otherwise is transposed first.

use rune_ir::{
    graph::{DataType, Node},
    op::Product,
    quant,
};

use super::{Context, dot::Dot, element, float::canonical, hybrid, linear::vectors, scale::Finish};
use crate::nest::{Address, Affine, BufferId, Builder, Expr, Kernel, Load, Role, Store, Ty};

pub(super) fn batch_mat_mul(
    context: &mut Context,
    node: &Node,
    swapped: [bool; 2],
    asymmetric: bool,
) -> Result<Kernel, String> {
    let finish = Finish::product(context, node)?;
    let (x, from_x) = context.input(node, 0);
    let (y, from_y) = context.input(node, 1);
    let (z, to) = context.output(node);
    let product = Product::new(x, y, swapped)?;
    let [rows, depth, columns] = [product.rows, product.depth, product.columns].map(|n| n as u32);
    let mut f = Builder::new("batch_matmul");
    f.operand(Role::Read, "x", from_x);
    f.operand(Role::Read, "y", from_y);
    finish.declare(&mut f);
    f.operand(Role::Write, "z", to);
    let floats = x.ty == DataType::F32 && y.ty == DataType::F32;
    let size = z.ty.size();
    let matrices = |elements: usize, of_one: u32| elements as u32 / of_one;
    // x row by row.
    let mut left = Side {
        ty: x.ty,
        buffer: from_x,
    };
    let mut scales = None;
    if x.ty == DataType::F32 && !floats {
        let count = matrices(x.elements(), depth);
        let quantized = context.scratch("quantized", 2 * x.elements() as u32);
        let of_rows = context.scratch("scales", 4 * count);
        f.operand(Role::Write, "q", quantized);
        f.operand(Role::Write, "s", of_rows);
        f.each("m", count / rows, |f, m| {
            f.each("r", rows, |f, r| {
                let read = |k: &Affine, ty: Ty| {
                    let at = m * (rows * depth)
                        + if swapped[0] {
                            k * rows + r
                        } else {
                            r * depth + k
                        };
                    Expr::Load(Load::Whole(ty), element::element(from_x, &at, 4))
                };
                let row = m * rows + r;
                let at = element::element(quantized, &row, 2 * depth);
                let scale = element::element(of_rows, &row, 4);
                let vector = vectors(context.simd) && !swapped[0];
                hybrid::quantize(f, (depth, vector), asymmetric, &read, &at, scale);
            });
        });
        left = Side {
            ty: DataType::I16,
            buffer: quantized,
        };
        scales = Some(of_rows);
    } else if swapped[0] {
        left.buffer = transposed(
            context,
            &mut f,
            left,
            matrices(x.elements(), rows * depth),
            depth,
            rows,
        );
    }
    let in_lanes = floats && vectors(context.simd) && !swapped[1] && columns >= 4;
    let mut right = Side {
        ty: y.ty,
        buffer: from_y,
    };
    // y column by column, unless the lanes of vectors are columns.
    if !swapped[1] && !in_lanes {
        right.buffer = transposed(
            context,
            &mut f,
            right,
            matrices(y.elements(), depth * columns),
            depth,
            columns,
        );
    }
    let zeros = if x.ty == DataType::F32 {
        [0, 0]
    } else {
        quant::matrix_params(context.graph, node)?.zero_points
    };
    let dot = Dot {
        types: [left.ty, right.ty],
        zeros,
        long: finish.is_long(),
        vector: vectors(context.simd),
        products: depth,
    };
    let at = |side: Side, matrix: &Affine, of_one: u32, offset: Affine| {
        let offset = matrix * of_one + offset;
        element::element(side.buffer, &offset, side.ty.size())
    };
    let body = &mut |f: &mut Builder, [a, b, c]: [&Affine; 3]| {
        f.each("r", rows, |f, r| {
            let row = at(left, a, rows * depth, r * depth);
            let target = |column: &Affine| {
                let offset = (c * rows + r) * columns + column;
                element::element(to, &offset, size)
            };
            let mut done = 0;
            if in_lanes {
                done = columns / 4 * 4;
                f.range("c", 0, done, 4, |f, column| {
                    let sum = f.accumulator("sum", Expr::real(Ty::F32x4, 0.0));
                    f.each("k", depth, |f, k| {
                        let x = Address {
                            buffer: row.buffer,
                            offset: &row.offset + k * 4,
                        };
                        let y = at(right, b, depth * columns, k * columns + column);
                        let x = Expr::Load(Load::Splat32(Ty::F32x4), x);
                        let y = Expr::Load(Load::Whole(Ty::F32x4), y);
                        f.set(&sum, sum.clone() + x * y);
                    });
                    let result = canonical(f, sum);
                    f.store(Store::Whole, target(column), result);
                });
            }
            f.range("c", done, columns, 1, |f, column| {
                let zero = dot.zero();
                let total = if in_lanes {
                    let sum = f.accumulator("sum", zero);
                    f.each("k", depth, |f, k| {
                        let x = Address {
                            buffer: row.buffer,
                            offset: &row.offset + k * 4,
                        };
                        let y = at(right, b, depth * columns, k * columns + column);
                        let [x, y] = [x, y].map(|at| Expr::Load(Load::Whole(Ty::F32), at));
                        f.set(&sum, sum.clone() + x * y);
                    });
                    sum
                } else {
                    let sum = dot.start(f, zero, depth);
                    dot.add(
                        f,
                        &sum,
                        &row,
                        &at(right, b, depth * columns, column * depth),
                        depth,
                    );
                    dot.total(f, sum)
                };
                let scale = scales.map(|s| {
                    Expr::Load(
                        Load::Whole(Ty::F32),
                        element::element(s, &(a * rows + r), 4),
                    )
                });
                finish.store(f, total, &0.into(), scale, target(column));
            });
        });
    };
    batches(
        &mut f,
        &product.batches,
        &[0.into(), 0.into(), 0.into()],
        body,
    );
    Ok(f.finish())
}

/// An operand's elements.
#[derive(Clone, Copy)]
struct Side {
    ty: DataType,
    buffer: BufferId,
}

/// Runs `body` for every matrix of the result, with the numbers of the matrices of x, y and the result.
fn batches(
    f: &mut Builder,
    dims: &[[usize; 3]],
    at: &[Affine; 3],
    body: &mut dyn FnMut(&mut Builder, [&Affine; 3]),
) {
    let Some(([size, of_x, of_y], rest)) = dims.split_first() else {
        return body(f, at.each_ref());
    };
    let below: usize = rest.iter().map(|d| d[0]).product();
    f.each("b", *size as u32, |f, b| {
        let [x, y, z] = at;
        let next = [
            x + b * *of_x as u32,
            y + b * *of_y as u32,
            z + b * below as u32,
        ];
        batches(f, rest, &next, body);
    });
}

/// The matrices of an operand with `rows` and `columns` swapped, made where they are needed.
fn transposed(
    context: &mut Context,
    f: &mut Builder,
    side: Side,
    matrices: u32,
    rows: u32,
    columns: u32,
) -> BufferId {
    if rows == 1 || columns == 1 {
        return side.buffer;
    }
    let size = side.ty.size();
    let bytes = matrices * rows * columns * size;
    let place = |m: usize, r: usize, c: usize| {
        ((m * columns as usize + c) * rows as usize + r) * size as usize
    };
    if let Some(data) = context.buffers[side.buffer].data.clone() {
        let mut swapped = vec![0; data.len()];
        for (i, element) in data.chunks_exact(size as usize).enumerate() {
            let (row, c) = (i / columns as usize, i % columns as usize);
            let to = place(row / rows as usize, row % rows as usize, c);
            swapped[to..to + size as usize].copy_from_slice(element);
        }
        let buffer = context.constant("transposed", swapped);
        f.operand(Role::Read, "t", buffer);
        return buffer;
    }
    let buffer = context.scratch("transposed", bytes);
    f.operand(Role::Write, "t", buffer);
    f.each("m", matrices, |f, m| {
        f.each("r", rows, |f, r| {
            f.each("c", columns, |f, c| {
                let value = element::get(side.ty, side.buffer, &((m * rows + r) * columns + c));
                let to = element::element(buffer, &((m * columns + c) * rows + r), size);
                f.store(element::store(side.ty), to, value);
            });
        });
    });
    buffer
}
