//! Operators that move elements, drawn at random.

use rune_ir::{
    graph::{DataType, Graph, TensorId},
    op::{Movement, Op, Stretch},
    quant::Sampling,
};

use crate::{
    check,
    random::{Model, Random},
};

const TYPES: [DataType; 7] = [
    DataType::F32,
    DataType::I8,
    DataType::U8,
    DataType::I16,
    DataType::I32,
    DataType::I64,
    DataType::Bool,
];

/// A type; mostly one of those that have kernels of their own.
fn ty(m: &mut Model) -> DataType {
    m.random.pick(&TYPES)
}

/// A shape of up to so many dimensions, now and then with a long one.
fn shape(m: &mut Model, most: u32) -> Vec<u32> {
    let rank = m.random.within(1, most);
    let mut shape: Vec<u32> = (0..rank).map(|_| m.random.within(1, 5)).collect();
    if m.random.chance(3) {
        let d = m.random.within(0, rank - 1) as usize;
        shape[d] = m.random.within(6, 70);
    }
    shape
}

fn moved(m: Model, movement: Movement, x: TensorId, y: TensorId) -> (Graph, Random) {
    m.finish(Op::Movement(movement), vec![Some(x)], y)
}

#[test]
fn transpose() {
    check(300, |mut m| {
        let ty = ty(&mut m);
        let mut from = shape(&mut m, 4);
        if m.random.chance(2) {
            // Two long ones, for squares of vectors.
            from = (0..from.len()).map(|_| m.random.within(1, 3)).collect();
            for _ in 0..2 {
                let d = m.random.within(0, from.len() as u32 - 1) as usize;
                from[d] = m.random.within(16, 40);
            }
        }
        let mut order: Vec<u32> = (0..from.len() as u32).collect();
        for d in (1..order.len()).rev() {
            order.swap(d, m.random.within(0, d as u32) as usize);
        }
        let to: Vec<u32> = order.iter().map(|d| from[*d as usize]).collect();
        let x = m.input(ty, &from);
        let y = m.output_like(x, &to);
        moved(m, Movement::Transpose { order }, x, y)
    });
}

#[test]
fn slices() {
    check(300, |mut m| {
        let ty = ty(&mut m);
        let from = shape(&mut m, 4);
        let stretches: Vec<Stretch> = from
            .iter()
            .map(|dim| {
                let step = m.random.pick(&[1, 1, 1, 2, 3, -1, -1, -2]);
                let begin = m.random.within(0, dim - 1);
                let room = if step > 0 { dim - 1 - begin } else { begin };
                let count = 1 + room / i32::unsigned_abs(step);
                Stretch {
                    begin,
                    count: if m.random.chance(2) {
                        count
                    } else {
                        m.random.within(1, count)
                    },
                    step,
                }
            })
            .collect();
        let to: Vec<u32> = stretches.iter().map(|s| s.count).collect();
        let to: Vec<u32> = if m.random.chance(3) {
            to.into_iter().filter(|d| *d > 1).collect()
        } else {
            to
        };
        let x = m.input(ty, &from);
        let y = m.output_like(x, &to);
        moved(m, Movement::StridedSlice { stretches }, x, y)
    });
}

#[test]
fn broadcast() {
    check(200, |mut m| {
        let ty = ty(&mut m);
        let to = shape(&mut m, 4);
        let mut from = to.clone();
        for dim in &mut from {
            if m.random.chance(2) {
                *dim = 1;
            }
        }
        while !from.is_empty() && from[0] == 1 && m.random.chance(2) {
            from.remove(0);
        }
        let x = m.input(ty, &from);
        let y = m.output_like(x, &to);
        moved(m, Movement::BroadcastTo, x, y)
    });
}

#[test]
fn join_and_take_apart() {
    check(300, |mut m| {
        let ty = ty(&mut m);
        let mut whole = shape(&mut m, 4);
        let axis = m.random.within(0, whole.len() as u32 - 1);
        let at = axis as usize;
        let parts = m.random.within(1, 12);
        let stacked = m.random.chance(2);
        let shapes: Vec<Vec<u32>> = (0..parts)
            .map(|_| {
                let mut part = whole.clone();
                if stacked {
                    part.remove(at);
                } else {
                    part[at] = m.random.within(1, 6);
                }
                part
            })
            .collect();
        whole[at] = if stacked {
            parts
        } else {
            shapes.iter().map(|s| s[at]).sum()
        };
        if m.random.chance(2) {
            let inputs: Vec<_> = shapes.iter().map(|s| Some(m.input(ty, s))).collect();
            let first = inputs[0].unwrap();
            let y = if ty == DataType::U8 && m.random.chance(2) {
                m.output(ty, &whole)
            } else {
                m.output_like(first, &whole)
            };
            let movement = if stacked {
                Movement::Pack { axis }
            } else {
                Movement::Concatenation { axis }
            };
            return m.finish(Op::Movement(movement), inputs, y);
        }
        let x = m.input(ty, &whole);
        let outputs: Vec<_> = shapes.iter().map(|s| m.output_like(x, s)).collect();
        let movement = if stacked {
            Movement::Unpack { axis }
        } else {
            Movement::Split { axis }
        };
        m.finish_all(Op::Movement(movement), vec![Some(x)], outputs)
    });
}

#[test]
fn mirrors_and_values_around() {
    check(300, |mut m| {
        let ty = ty(&mut m);
        let from = shape(&mut m, 4);
        let edge = m.random.chance(2);
        let mirrors = m.random.chance(2);
        let mut around = |dim: u32| {
            let most = if mirrors { dim - u32::from(!edge) } else { 3 };
            m.random.within(0, most) * m.random.within(0, 1)
        };
        let before: Vec<u32> = from.iter().map(|dim| around(*dim)).collect();
        let to: Vec<u32> = from
            .iter()
            .zip(&before)
            .map(|(dim, b)| dim + b + around(*dim))
            .collect();
        let x = m.input(ty, &from);
        let y = m.output_like(x, &to);
        if mirrors {
            return moved(m, Movement::MirrorPad { before, edge }, x, y);
        }
        let mut inputs = vec![Some(x)];
        match m.random.within(0, 2) {
            0 => {}
            1 => {
                let value = m.random.bytes(ty, 1, true);
                inputs.push(Some(m.constant_like(x, &[], value)));
            }
            _ => inputs.push(Some(m.input_like(x, &[1]))),
        }
        m.finish(Op::Pad { before }, inputs, y)
    });
}

#[test]
fn blocks() {
    check(300, |mut m| {
        let ty = ty(&mut m);
        let [batch, rows, columns, depth] = [2, 4, 4, 5].map(|most| m.random.within(1, most));
        let back = m.random.chance(2);
        if m.random.chance(2) {
            let block = m.random.within(1, 3);
            let wide = [batch, rows * block, columns * block, depth];
            let deep = [batch, rows, columns, depth * block * block];
            let (from, to) = if back { (deep, wide) } else { (wide, deep) };
            let x = m.input(ty, &from);
            let y = m.output_like(x, &to);
            let movement = if back {
                Movement::DepthToSpace { block }
            } else {
                Movement::SpaceToDepth { block }
            };
            return moved(m, movement, x, y);
        }
        let spatial = m.random.within(1, 2) as usize;
        let block: Vec<u32> = (0..spatial).map(|_| m.random.within(1, 3)).collect();
        let mut many = vec![batch * block.iter().product::<u32>(), rows];
        let mut wide = vec![batch];
        if spatial == 2 {
            many.push(columns);
        }
        let mut before = Vec::new();
        for d in 0..spatial {
            let whole = many[1 + d] * block[d];
            let first = m.random.within(0, (whole - 1).min(4)) * m.random.within(0, 1);
            wide.push(m.random.within(1, whole - first));
            before.push(first);
        }
        many.push(depth);
        wide.push(depth);
        let (from, to) = if back { (many, wide) } else { (wide, many) };
        let x = m.input(ty, &from);
        let y = m.output_like(x, &to);
        let movement = if back {
            Movement::BatchToSpaceNd { block, before }
        } else {
            Movement::SpaceToBatchNd { block, before }
        };
        moved(m, movement, x, y)
    });
}

#[test]
fn resize() {
    check(300, |mut m| {
        let ty = m.random.pick(&TYPES[..4]);
        let [rows, columns, to_rows, to_columns] =
            [6, 6, 9, 9].map(|most| m.random.within(1, most));
        let batch = m.random.within(1, 2);
        let depth = m.random.pick(&[1, 3, 4, 7, 8, 9, 16, 21]);
        let sampling = Sampling {
            align_corners: m.random.chance(3),
            half_pixel_centers: m.random.chance(3),
        };
        let x = m.input(ty, &[batch, rows, columns, depth]);
        let y = m.output_like(x, &[batch, to_rows, to_columns, depth]);
        let movement = if m.random.chance(3) {
            Movement::ResizeNearestNeighbor { sampling }
        } else {
            Movement::ResizeBilinear { sampling }
        };
        moved(m, movement, x, y)
    });
}

/// Indices of any value: those outside count as the nearest inside.
#[test]
fn by_indices() {
    check(300, |mut m| {
        let ty = ty(&mut m);
        let index = m.random.pick(&[DataType::I32, DataType::I64]);
        let from = shape(&mut m, 3);
        match m.random.within(0, 4) {
            0 => {
                let axis = m.random.within(0, from.len() as u32 - 1);
                let batch_dims = m.random.within(0, axis.min(1));
                let (at, batches) = (axis as usize, batch_dims as usize);
                let mut by = from[..batches].to_vec();
                by.extend(shape(&mut m, 2));
                let to = [&from[..at], &by[batches..], &from[at + 1..]].concat();
                let x = m.input(ty, &from);
                let by = m.input(index, &by);
                let y = m.output_like(x, &to);
                let op = Movement::Gather { axis, batch_dims };
                m.finish(Op::Movement(op), vec![Some(x), Some(by)], y)
            }
            kind @ (1 | 2) => {
                let named = m.random.within(1, from.len() as u32);
                let mut by = shape(&mut m, 2);
                let part = [&by[..], &from[named as usize..]].concat();
                by.push(named);
                if kind == 1 {
                    let x = m.input(ty, &from);
                    let by = m.input(index, &by);
                    let y = m.output_like(x, &part);
                    return m.finish(Op::Movement(Movement::GatherNd), vec![Some(x), Some(by)], y);
                }
                let by = m.input(index, &by);
                let updates = m.input(ty, &part);
                let y = m.output_like(updates, &from);
                let inputs = vec![Some(by), Some(updates)];
                m.finish(Op::Movement(Movement::ScatterNd), inputs, y)
            }
            3 => {
                let count = m.random.within(1, 6);
                let by = m.input(index, &[count]);
                let to = [&[count], &from[1..]].concat();
                let hybrid = m.random.chance(2);
                let (table, y) = if hybrid {
                    let table = m.input(DataType::I8, &from);
                    let rows = m.random.pick(&[1, from[0]]);
                    m.scales(table, rows);
                    (table, m.output(DataType::F32, &to))
                } else {
                    let table = m.input(ty, &from);
                    (table, m.output_like(table, &to))
                };
                let inputs = vec![Some(by), Some(table)];
                m.finish(Op::Movement(Movement::EmbeddingLookup), inputs, y)
            }
            _ => {
                let x = m.input(ty, &from);
                let part: Vec<u32> = from.iter().map(|dim| m.random.within(1, *dim)).collect();
                let update = m.input_like(x, &part);
                let start = m.input(index, &[from.len() as u32]);
                let y = m.output_like(x, &from);
                let inputs = vec![Some(x), Some(update), Some(start)];
                m.finish(Op::Movement(Movement::DynamicUpdateSlice), inputs, y)
            }
        }
    });
}
