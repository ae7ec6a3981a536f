//! Operators one after the other, of which sums leave any NaN where nothing tells it from others: what is handed out has
//! the evaluator's bits.

use rune_codegen::kernels::Simd;
use rune_ir::{
    graph::{DataType, Graph, TensorId},
    op::{Activation, Binary, Op},
};

use super::{Model, Random, agree, machine::Machine};

/// Adds an operator that reads a tensor of a shape; gives what it makes.
fn grow(m: &mut Model, x: TensorId, shape: [u32; 4]) -> (TensorId, [u32; 4]) {
    let [_, height, width, depth] = shape;
    let activation = m.random.activation();
    let taps = [m.random.within(1, 3), m.random.within(1, 3)];
    let kind = m.random.within(0, 11);
    let (op, inputs, to) = match kind {
        0..=5 => {
            let (window, [rows, columns]) = m.window([height, width], taps, false);
            let outputs = if kind < 2 {
                depth
            } else {
                m.random.within(1, 9)
            };
            let to = [1, rows, columns, outputs];
            let (of, axis, op) = match kind {
                0 | 1 => {
                    let op = Op::DepthwiseConv2d { window, activation };
                    ([1, taps[0], taps[1], outputs], 3, op)
                }
                2 | 3 => {
                    let op = Op::Conv2d { window, activation };
                    ([outputs, taps[0], taps[1], depth], 0, op)
                }
                _ => {
                    let op = Op::FullyConnected {
                        activation,
                        asymmetric: false,
                    };
                    let (weights, bias) = m.weights(DataType::F32, &[outputs, depth], 0);
                    let to = [1, height, width, outputs];
                    let y = m.output(DataType::F32, &to);
                    m.node(op, vec![Some(x), Some(weights), bias], vec![y]);
                    return (y, to);
                }
            };
            let (weights, bias) = m.weights(DataType::F32, &of, axis);
            (op, vec![Some(x), Some(weights), bias], to)
        }
        6 | 7 => {
            let size = taps;
            let (window, [rows, columns]) = m.window([height, width], size, false);
            let op = if kind == 6 {
                Op::MaxPool2d {
                    window,
                    size,
                    activation,
                }
            } else {
                Op::AveragePool2d {
                    window,
                    size,
                    activation,
                }
            };
            (op, vec![Some(x)], [1, rows, columns, depth])
        }
        8 => (Op::Add { activation }, vec![Some(x), Some(x)], shape),
        9 => {
            let (op, activation) = m.random.pick(&[
                (Binary::Sub, activation),
                (Binary::Mul, activation),
                (Binary::Maximum, Activation::None),
            ]);
            (Op::Binary { op, activation }, vec![Some(x), Some(x)], shape)
        }
        // These hand on the bits that they are given.
        10 => (Op::Reshape, vec![Some(x)], [1, width, height, depth]),
        _ => {
            let before = vec![0, 1, 0, 0];
            let to = [1, height + 2, width, depth];
            (Op::Pad { before }, vec![Some(x)], to)
        }
    };
    let y = m.output(DataType::F32, &to);
    m.node(op, inputs, vec![y]);
    (y, to)
}

fn draw(mut m: Model) -> (Graph, Random) {
    let [height, width, depth] = [4, 5, 9].map(|most| m.random.within(1, most));
    let mut shape = [1, height, width, depth];
    let mut last = m.input(DataType::F32, &shape);
    let mut made = Vec::new();
    for _ in 0..m.random.within(2, 5) {
        (last, shape) = grow(&mut m, last, shape);
        made.push(last);
    }
    let mut outputs = vec![last];
    if m.random.chance(4) {
        outputs.push(m.random.pick(&made));
    }
    m.hand_out(outputs)
}

#[test]
fn nans_that_nothing_tells_apart() {
    let sums = ["conv_2d", "depthwise_conv_2d", "fully_connected"];
    let (mut agreed, mut any, mut canonical) = (0, 0, 0);
    for seed in 1..400 {
        let (graph, mut random) = draw(Model::new(seed));
        if !agree(&graph, &mut random, &format!("seed {seed}")) {
            continue;
        }
        agreed += 1;
        let machine = Machine::new(&graph, Simd::Off).unwrap();
        for kernel in &machine.compiled.kernels {
            let text = kernel.to_string();
            if sums.iter().any(|name| text.contains(name)) {
                *(if text.contains("NaN") {
                    &mut canonical
                } else {
                    &mut any
                }) += 1;
            }
        }
    }
    assert!(agreed > 200, "only {agreed} models obey the laws");
    assert!(any > 100 && canonical > 100, "{any} and {canonical}");
}
