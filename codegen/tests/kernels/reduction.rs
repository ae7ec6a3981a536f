//! Models drawn at random of reductions, of what goes along a dimension, of rows and of boxes.

use rune_ir::{
    graph::DataType,
    op::{Along, Detection, Normalize, Op, Reduce, Reduction},
};

use super::{TYPES, check, random::Model};

/// A shape of up to four dimensions.
fn shape(m: &mut Model, most: u32) -> Vec<u32> {
    let rank = m.random.within(1, 4);
    (0..rank).map(|_| m.random.within(1, most)).collect()
}

#[test]
fn reductions() {
    check(300, |mut m| {
        let ty = m.random.pick(&TYPES);
        let mut shape = shape(&mut m, 6);
        if m.random.chance(2) {
            // Wide enough for vectors.
            *shape.last_mut().unwrap() = m.random.within(1, 45);
        }
        let how = m.random.pick(&[
            Reduction::Mean,
            Reduction::Sum,
            Reduction::Product,
            Reduction::Max,
            Reduction::Min,
        ]);
        let axes: Vec<u32> = (0..shape.len() as u32)
            .filter(|_| m.random.chance(2))
            .collect();
        let keep = m.random.chance(2);
        let due: Vec<u32> = (0..)
            .zip(&shape)
            .filter(|(d, _)| keep || !axes.contains(d))
            .map(|(d, size)| if axes.contains(&d) { 1 } else { *size })
            .collect();
        let x = m.input(ty, &shape);
        let y = if matches!(how, Reduction::Max | Reduction::Min) {
            m.output_like(x, &due)
        } else {
            m.output(ty, &due)
        };
        m.finish(Op::Reduce(Reduce { how, axes }), vec![Some(x)], y)
    });
}

#[test]
fn extremes_and_running_sums() {
    check(200, |mut m| {
        let ty = m.random.pick(&TYPES);
        let shape = shape(&mut m, 9);
        let axis = m.random.within(0, shape.len() as u32 - 1);
        let x = m.input(ty, &shape);
        if m.random.chance(2) && ty != DataType::U8 {
            let y = m.output(ty, &shape);
            let sum = Along::CumSum {
                axis,
                exclusive: m.random.chance(2),
                reverse: m.random.chance(2),
            };
            return m.finish(Op::Along(sum), vec![Some(x)], y);
        }
        let mut due = shape;
        due.remove(axis as usize);
        let to = m.random.pick(&[DataType::I32, DataType::I64]);
        let y = m.output(to, &due);
        let greatest = m.random.chance(2);
        m.finish(Op::Along(Along::Arg { greatest, axis }), vec![Some(x)], y)
    });
}

#[test]
fn rows() {
    check(200, |mut m| {
        let ty = m.random.pick(&TYPES);
        let shape = shape(&mut m, 20);
        let x = m.input(ty, &shape);
        let y = m.output(ty, &shape);
        let op = m.random.pick(&[Normalize::LogSoftmax, Normalize::L2]);
        if let Some(q) = m.quantization(y) {
            let (scale, zero_point) = match (op, ty) {
                (Normalize::LogSoftmax, DataType::I8) => (1.0 / 16.0, 127),
                (Normalize::LogSoftmax, _) => (1.0 / 16.0, 255),
                (Normalize::L2, DataType::I8) => (1.0 / 128.0, 0),
                (Normalize::L2, _) => (1.0 / 128.0, 128),
            };
            (q.scale, q.zero_point) = (vec![scale], vec![zero_point]);
        }
        m.finish(Op::Normalize(op), vec![Some(x)], y)
    });
}

#[test]
fn greatest_of_rows() {
    check(100, |mut m| {
        let ty = m.random.pick(&TYPES);
        let (rows, depth) = (m.random.within(1, 4), m.random.within(1, 12));
        let count = m.random.within(1, depth);
        let x = m.input(ty, &[rows, depth]);
        let values = m.output_like(x, &[rows, count]);
        let indices = m.tensor(DataType::I32, &[rows, count], None, None);
        m.finish_all(Op::Along(Along::TopK), vec![Some(x)], vec![values, indices])
    });
}

#[test]
fn boxes() {
    check(100, |mut m| {
        let ty = m.random.pick(&[DataType::F32, DataType::U8]);
        let (boxes, classes) = (m.random.within(1, 12), m.random.within(1, 4));
        let background = u32::from(m.random.chance(2));
        let detection = Detection {
            scales: [10.0, 10.0, 5.0, 5.0],
            classes,
            most: m.random.within(1, 8),
            classes_each: m.random.within(1, 3),
            per_class: m.random.within(1, 8),
            regular: m.random.chance(2),
            score: m.random.real(),
            overlap: m.random.real().abs().max(0.01),
        };
        let width = m.random.within(4, 6);
        let encodings = m.input(ty, &[1, boxes, width]);
        let scores = m.input(ty, &[1, boxes, classes + background]);
        let anchors = m.input(ty, &[boxes, 4]);
        let slots = detection.most * detection.classes_each;
        let shapes: [&[u32]; 4] = [&[1, slots, 4], &[1, slots], &[1, slots], &[1]];
        let outputs = shapes.map(|shape| m.tensor(DataType::F32, shape, None, None));
        m.finish_all(
            Op::Detection(detection),
            vec![Some(encodings), Some(scores), Some(anchors)],
            outputs.into(),
        )
    });
}
