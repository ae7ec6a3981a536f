//! Every operator's kernels, run in an interpreter, give the bits of the evaluator, with and without
//! vectors: on models drawn at random and on the vectors of the reference kernels.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod elementwise;
mod machine;
mod movement;
mod nans;
mod random;
mod reduction;
mod signal;
mod text;
#[path = "../../../frontend/models/tests/vectors/mod.rs"]
mod vectors;

use machine::Machine;
use random::{Model, Random};
use rune_abi::WasmFeatures;
use rune_codegen::kernels::Simd;
use rune_ir::{
    graph::{DataType, Graph},
    op::{self, Activation, Op, Weighted, Window},
};

const TYPES: [DataType; 3] = [DataType::F32, DataType::I8, DataType::U8];

/// Checks that kernels and evaluator agree on a graph; gives whether the graph obeys its laws.
fn agree(graph: &Graph, random: &mut Random, what: &str) -> bool {
    if graph.nodes.iter().any(|n| op::check(graph, n).is_err()) {
        return false;
    }
    let machines = machines(graph);
    for round in 0..2 {
        let inputs: Vec<Vec<u8>> = graph
            .inputs
            .iter()
            .map(|id| &graph.tensors[*id])
            .map(|t| random.bytes(t.ty, t.elements(), round > 0))
            .collect();
        let expected = graph.evaluate(&inputs);
        for (simd, machine) in &machines {
            let actual = machine.run(&inputs);
            let first = expected[0].iter().zip(&actual[0]).position(|(a, b)| a != b);
            assert!(
                expected == actual,
                "{what}, {simd:?}: byte {first:?} of {} differs\n{:?}\n{}",
                expected[0].len(),
                graph.nodes,
                machine.compiled.kernels[0],
            );
        }
    }
    true
}

/// A model with and without vectors, with those of words, and once more with results over operands where they may lie there.
fn machines(graph: &Graph) -> Vec<(Simd, Machine)> {
    let mut machines = Vec::new();
    for simd in [Simd::Off, Simd::On, Simd::Dsp] {
        machines.push((simd, Machine::new(graph, simd).unwrap()));
        let overlaid = Machine::overlaid(graph, simd).unwrap();
        if overlaid.overlaid > 0 {
            machines.push((simd, overlaid));
        }
    }
    machines
}

#[test]
fn vectors_of_the_reference_kernels() {
    let mut cases = 0;
    let mut overlaid = 0;
    for operator in vectors::operators() {
        for case in vectors::load(&operator) {
            cases += 1;
            let what = format!("{operator}, {}", case.name);
            let graph = rune_models::import(&case.model).unwrap();
            for (simd, machine) in machines(&graph) {
                overlaid += machine.overlaid;
                let inputs: Vec<&[Vec<u8>]> = case.calls.iter().map(|c| &c.inputs[..]).collect();
                let mut state = graph.state();
                for (call, actual) in case.calls.iter().zip(machine.runs(&inputs)) {
                    let expected = graph.run(&call.inputs, &mut state);
                    assert!(actual == expected, "{what}, {simd:?}: not as evaluated");
                    let fault = vectors::differences(&graph, &actual, &call.outputs);
                    assert_eq!(fault, None, "{what}, {simd:?}");
                }
            }
        }
    }
    assert!(cases > 350, "only {cases} cases");
    assert!(overlaid > 100, "only {overlaid} results lie over operands");
}

/// Fused products change only the last bits, and only of what sums products.
#[test]
fn relaxed_vectors_stay_close() {
    let mut fused = 0;
    for operator in ["conv_2d", "depthwise_conv_2d", "fully_connected", "softmax"] {
        for case in vectors::load(operator) {
            let graph = rune_models::import(&case.model).unwrap();
            let machine = Machine::new(&graph, Simd::Relaxed).unwrap();
            let relaxed = machine.compiled.kernels.iter();
            fused += relaxed
                .filter(|k| k.features().contains(WasmFeatures::RELAXED_SIMD))
                .count();
            for call in &case.calls {
                let actual = machine.run(&call.inputs);
                let fault = vectors::differences(&graph, &actual, &call.outputs);
                assert_eq!(fault, None, "{operator}, {}", case.name);
            }
        }
    }
    assert!(fused > 20, "only {fused} kernels use fused products");
}

/// A window that is legal but so dilated that addresses would overflow is refused.
#[test]
fn windows_that_reach_too_far_are_refused() {
    let mut m = Model::new(1);
    let x = m.input(DataType::F32, &[1, 8, 8, 4]);
    let (weights, bias) = m.weights(DataType::F32, &[4, 3, 3, 4], 0);
    let y = m.output(DataType::F32, &[1, 1, 1, 4]);
    let window = Window {
        stride: [1, 1],
        dilation: [u32::MAX, 1],
        pad: [0, 0],
    };
    let activation = Activation::None;
    let inputs = vec![Some(x), Some(weights), bias];
    let (graph, _) = m.finish(Op::Conv2d { window, activation }, inputs, y);
    assert_eq!(op::check(&graph, &graph.nodes[0]), Ok(()));
    let error = Machine::new(&graph, Simd::On).err().unwrap();
    assert!(error.to_string().contains("reaches"), "{error}");
}

/// Draws models until `count` of them obeyed the laws.
fn check(count: usize, draw: impl Fn(Model) -> (Graph, Random)) {
    let mut agreed = 0;
    for seed in 1.. {
        let (graph, mut random) = draw(Model::new(seed));
        agreed += usize::from(agree(&graph, &mut random, &format!("seed {seed}")));
        if agreed == count {
            return;
        }
        assert!(seed < 20 * count as u64, "too few models obey the laws");
    }
}

#[test]
fn fully_connected() {
    check(120, |mut m| {
        let ty = m.random.pick(&TYPES);
        let depth = m.random.within(1, 20);
        let (rows, outputs) = (m.random.within(1, 6), m.random.within(1, 40));
        let x = m.input(ty, &[rows, depth]);
        let (weights, bias) = m.weights(ty, &[outputs, depth], 0);
        let y = m.output(ty, &[rows, outputs]);
        let activation = m.random.activation();
        m.finish(
            Op::FullyConnected {
                activation,
                asymmetric: false,
            },
            vec![Some(x), Some(weights), bias],
            y,
        )
    });
}

/// Rows of every length are quantised, with odd floats among them.
#[test]
fn floats_by_bytes() {
    check(200, |mut m| {
        let depth = m.random.within(1, 70);
        let (rows, outputs) = (m.random.within(1, 4), m.random.within(1, 12));
        let asymmetric = m.random.chance(2);
        let x = m.input(DataType::F32, &[rows, depth]);
        if m.random.chance(2) {
            let (weights, _) = m.weights(DataType::I8, &[outputs, depth], 0);
            let y = m.output(DataType::F32, &[rows, outputs]);
            let activation = m.random.activation();
            let op = Op::FullyConnected {
                activation,
                asymmetric,
            };
            return m.finish(op, vec![Some(x), Some(weights), None], y);
        }
        let swapped = [false, m.random.chance(2)];
        let shape = if swapped[1] {
            [outputs, depth]
        } else {
            [depth, outputs]
        };
        let other = m.input(DataType::I8, &shape);
        m.scales(other, 1);
        let y = m.output(DataType::F32, &[rows, outputs]);
        let op = Op::Weighted(Weighted::BatchMatMul {
            swapped,
            asymmetric,
        });
        m.finish(op, vec![Some(x), Some(other)], y)
    });
}

#[test]
fn conv_2d() {
    check(250, |mut m| {
        let ty = m.random.pick(&TYPES);
        let [batch, depth, outputs] = [
            m.random.pick(&[1, 1, 2]),
            m.random.within(1, 9),
            m.random.within(1, 36),
        ];
        let input = [m.random.within(1, 9), m.random.within(1, 9)];
        let taps = [m.random.within(1, 4), m.random.within(1, 4)];
        let (window, [height, width]) = m.window(input, taps, true);
        let x = m.input(ty, &[batch, input[0], input[1], depth]);
        let (weights, bias) = m.weights(ty, &[outputs, taps[0], taps[1], depth], 0);
        let y = m.output(ty, &[batch, height, width, outputs]);
        let activation = m.random.activation();
        m.finish(
            Op::Conv2d { window, activation },
            vec![Some(x), Some(weights), bias],
            y,
        )
    });
}

#[test]
fn depthwise_conv_2d() {
    check(250, |mut m| {
        let ty = m.random.pick(&TYPES);
        let (batch, depth) = (m.random.pick(&[1, 1, 2]), m.random.within(1, 38));
        let multiplier = m.random.pick(&[1, 1, 1, 2, 3, 8]);
        let outputs = depth * multiplier;
        let input = [m.random.within(1, 9), m.random.within(1, 9)];
        let taps = [m.random.within(1, 4), m.random.within(1, 4)];
        let (window, [height, width]) = m.window(input, taps, true);
        let x = m.input(ty, &[batch, input[0], input[1], depth]);
        let (weights, bias) = m.weights(ty, &[1, taps[0], taps[1], outputs], 3);
        let y = m.output(ty, &[batch, height, width, outputs]);
        let activation = m.random.activation();
        m.finish(
            Op::DepthwiseConv2d { window, activation },
            vec![Some(x), Some(weights), bias],
            y,
        )
    });
}

/// Images of which not all is copied or gathered at once.
#[test]
fn windows_on_larger_images() {
    check(60, |mut m| {
        let ty = m.random.pick(&TYPES);
        let depthwise = m.random.chance(2);
        let depth = m.random.pick(&[3, 16, 33]);
        let outputs = if depthwise {
            depth
        } else {
            m.random.pick(&[4, 13])
        };
        let input = [m.random.pick(&[1, 12, 13]), m.random.within(30, 45)];
        let taps = [m.random.within(1, 3).min(input[0]), m.random.within(1, 4)];
        let (window, [height, width]) = m.window(input, taps, true);
        let x = m.input(ty, &[1, input[0], input[1], depth]);
        let y = m.output(ty, &[1, height, width, outputs]);
        let activation = m.random.activation();
        let (shape, axis, op) = if depthwise {
            let op = Op::DepthwiseConv2d { window, activation };
            ([1, taps[0], taps[1], outputs], 3, op)
        } else {
            let op = Op::Conv2d { window, activation };
            ([outputs, taps[0], taps[1], depth], 0, op)
        };
        let (weights, bias) = m.weights(ty, &shape, axis);
        m.finish(op, vec![Some(x), Some(weights), bias], y)
    });
}

#[test]
fn pool_2d() {
    check(200, |mut m| {
        let ty = m.random.pick(&TYPES);
        let (batch, depth) = (m.random.within(1, 2), m.random.within(1, 37));
        let input = [m.random.within(1, 8), m.random.within(1, 8)];
        let size = [m.random.within(1, 4), m.random.within(1, 4)];
        let (window, [height, width]) = m.window(input, size, false);
        let x = m.input(ty, &[batch, input[0], input[1], depth]);
        let y = m.output_like(x, &[batch, height, width, depth]);
        let activation = m.random.activation();
        let op = if m.random.chance(2) {
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
        m.finish(op, vec![Some(x)], y)
    });
}

#[test]
fn softmax() {
    check(150, |mut m| {
        let ty = m.random.pick(&TYPES);
        let shape = [m.random.within(1, 3), m.random.within(1, 70)];
        let x = m.input(ty, &shape);
        let y = m.output(ty, &shape);
        m.unit_affine(y);
        let beta = m.random.pick(&[1.0, 1.0, 0.3, 2.5]);
        m.finish(Op::Softmax { beta }, vec![Some(x)], y)
    });
}

#[test]
fn add() {
    check(200, |mut m| {
        let ty = m.random.pick(&TYPES);
        let rank = m.random.within(1, 4) as usize;
        let shape: Vec<u32> = (0..rank).map(|_| m.random.within(1, 9)).collect();
        let mut inputs = Vec::new();
        for _ in 0..2 {
            let mut part = shape.clone();
            if m.random.chance(3) {
                let d = m.random.within(0, rank as u32 - 1) as usize;
                part[d] = 1;
            }
            if m.random.chance(4) {
                part.remove(0);
            }
            inputs.push(Some(m.input(ty, &part)));
        }
        let y = m.output(ty, &shape);
        let activation = m.random.activation();
        m.finish(Op::Add { activation }, inputs, y)
    });
}

#[test]
fn elementwise() {
    check(200, |mut m| {
        let ty = m.random.pick(&TYPES);
        let shape = [m.random.within(1, 3), m.random.within(1, 30)];
        let (op, to) = match m.random.within(0, 4) {
            0 => (Op::Relu, ty),
            1 => (Op::Relu6, ty),
            2 => (Op::Logistic, ty),
            3 => (Op::Quantize, m.random.pick(&TYPES[1..])),
            _ => (Op::Dequantize, DataType::F32),
        };
        let x = m.input(ty, &shape);
        let y = m.output(to, &shape);
        if op == Op::Logistic {
            m.unit_affine(y);
        }
        m.finish(op, vec![Some(x)], y)
    });
}

#[test]
fn pad() {
    check(100, |mut m| {
        let ty = m.random.pick(&TYPES);
        let rank = m.random.within(1, 4) as usize;
        let shape: Vec<u32> = (0..rank).map(|_| m.random.within(1, 5)).collect();
        let some = |m: &mut Model| m.random.within(0, 2) * m.random.within(0, 1);
        let before: Vec<u32> = (0..rank).map(|_| some(&mut m)).collect();
        let padded: Vec<u32> = shape.iter().zip(&before).map(|(s, b)| s + b).collect();
        let padded: Vec<u32> = padded.iter().map(|p| p + some(&mut m)).collect();
        let x = m.input(ty, &shape);
        let y = m.output_like(x, &padded);
        m.finish(Op::Pad { before }, vec![Some(x)], y)
    });
}
