//! The text form of each kernel, and how many instructions the hottest loops take.

use rune_codegen::{kernels::Simd, nest::Kernel};
use rune_ir::{
    graph::{DataType, Graph, Quantization},
    op::{Activation, Op, Window},
};
use wasmparser::{Operator, Parser, Payload};

use crate::{machine::Machine, random::Model};

const ACTIVATION: Activation = Activation::Relu;

fn text(graph: &Graph, simd: Simd) -> String {
    let machine = Machine::new(graph, simd).unwrap();
    let kernels = machine.compiled.kernels.iter().map(Kernel::to_string);
    let text: String = kernels.collect();
    assert!(text.lines().count() < 250, "{text}");
    text
}

fn window(pad: u32) -> Window {
    Window {
        stride: [1, 1],
        dilation: [1, 1],
        pad: [pad, pad],
    }
}

/// A model of one operator with weights; integers of one scale and zero point each.
fn linear(ty: DataType, op: Op, x: &[u32], weights: &[u32], y: &[u32]) -> Graph {
    let mut m = Model::new(1);
    let quantization = |scale, zero_point| {
        (ty != DataType::F32).then(|| Quantization {
            scale: vec![scale],
            zero_point: vec![zero_point],
            axis: 0,
        })
    };
    let input = m.input(ty, x);
    *m.quantization(input) = quantization(0.5, -3);
    let elements = weights.iter().product::<u32>() as usize;
    let data = m.random.bytes(ty, elements, false);
    let weights = m.tensor(ty, weights, quantization(0.01, 0), Some(data));
    let output = m.tensor(ty, y, quantization(0.25, 7), None);
    m.finish(op, vec![Some(input), Some(weights)], output).0
}

/// A model of one operator on one input.
fn unary(ty: DataType, op: Op, x: &[u32], to: DataType, y: &[u32]) -> Graph {
    let mut m = Model::new(1);
    let input = m.input(ty, x);
    let output = if to == ty && !matches!(op, Op::Logistic | Op::Softmax { .. }) {
        m.output_like(input, y)
    } else {
        m.output(to, y)
    };
    if let Op::Softmax { .. } | Op::Logistic = op {
        m.unit_affine(output);
    }
    m.finish(op, vec![Some(input)], output).0
}

fn fully_connected(ty: DataType, rows: u32, depth: u32, outputs: u32) -> Graph {
    let op = Op::FullyConnected {
        activation: ACTIVATION,
        asymmetric: false,
    };
    linear(ty, op, &[rows, depth], &[outputs, depth], &[rows, outputs])
}

fn depthwise(ty: DataType, channels: u32) -> Graph {
    let op = Op::DepthwiseConv2d {
        window: window(0),
        activation: Activation::None,
    };
    let (x, y) = ([1, 8, 8, channels], [1, 6, 6, channels]);
    linear(ty, op, &x, &[1, 3, 3, channels], &y)
}

#[test]
fn kernels_as_text() {
    let conv = Op::Conv2d {
        window: window(1),
        activation: Activation::None,
    };
    let pool = |max: bool| {
        let (window, size) = (window(0), [2, 2]);
        let activation = Activation::None;
        if max {
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
        }
    };
    let (f32, i8) = (DataType::F32, DataType::I8);
    let [small, large] = [[1, 4, 4, 4], [1, 6, 8, 4]];
    let add = {
        let mut m = Model::new(1);
        let inputs = vec![Some(m.input(i8, &[4, 8])), Some(m.input(i8, &[8]))];
        let y = m.output(i8, &[4, 8]);
        m.finish(
            Op::Add {
                activation: Activation::None,
            },
            inputs,
            y,
        )
        .0
    };
    let pad = Op::Pad {
        before: vec![0, 1, 2, 0],
    };
    let graphs = [
        ("fully_connected", fully_connected(f32, 1, 64, 16)),
        ("fully_connected_i8", fully_connected(i8, 1, 64, 8)),
        ("conv_2d", linear(f32, conv, &small, &[4, 3, 3, 4], &small)),
        ("depthwise_conv_2d", depthwise(f32, 8)),
        (
            "max_pool_2d",
            unary(i8, pool(true), &small, i8, &[1, 3, 3, 4]),
        ),
        (
            "average_pool_2d",
            unary(f32, pool(false), &small, f32, &[1, 3, 3, 4]),
        ),
        (
            "softmax",
            unary(f32, Op::Softmax { beta: 1.0 }, &[1, 4], f32, &[1, 4]),
        ),
        (
            "softmax_i8",
            unary(i8, Op::Softmax { beta: 1.0 }, &[1, 4], i8, &[1, 4]),
        ),
        ("add", add),
        ("relu", unary(f32, Op::Relu, &[10], f32, &[10])),
        ("relu6", unary(f32, Op::Relu6, &[10], f32, &[10])),
        ("logistic", unary(f32, Op::Logistic, &[10], f32, &[10])),
        ("logistic_i8", unary(i8, Op::Logistic, &[10], i8, &[10])),
        ("quantize", unary(f32, Op::Quantize, &[10], i8, &[10])),
        ("dequantize", unary(i8, Op::Dequantize, &[10], f32, &[10])),
        ("pad", unary(f32, pad, &small, f32, &large)),
    ];
    for (name, graph) in &graphs {
        insta::assert_snapshot!(*name, text(graph, Simd::On));
    }
}

/// The instructions of the innermost loop with the most multiplications, without constants and moves
/// between locals: these cost an interpreter or a compiler nothing of their own.
fn hottest(graph: &Graph, simd: Simd) -> usize {
    let module = Machine::new(graph, simd).unwrap().module;
    let free = ["Local", "I32Const", "V128Const"];
    let mut best = (0, 0);
    for payload in Parser::new(0).parse_all(&module) {
        let Payload::CodeSectionEntry(body) = payload.unwrap() else {
            continue;
        };
        // Counts of multiplications and of instructions since the last loop began.
        let mut current = None;
        for operator in body.get_operators_reader().unwrap() {
            let operator = operator.unwrap();
            let name = format!("{operator:?}");
            if let Operator::Loop { .. } = operator {
                current = Some((0, 0));
            } else if let Operator::End = operator {
                best = best.max(current.take().unwrap_or_default());
            } else if let Some((products, instructions)) = &mut current
                && !free.iter().any(|f| name.starts_with(f))
            {
                *instructions += 1;
                *products += usize::from(name.contains("Mul") || name.contains("Dot"));
            }
        }
    }
    best.1
}

#[test]
fn instructions_of_the_hottest_loops() {
    let mut table = Vec::new();
    for (ty, name) in [(DataType::F32, "f32"), (DataType::I8, "i8")] {
        for (simd, step) in [(Simd::Off, [8, 8]), (Simd::On, [32, 32])] {
            let unit = if ty == DataType::I8 && simd == Simd::On {
                2
            } else {
                1
            };
            let dense = hottest(&fully_connected(ty, 4, 64, 64), simd);
            let depthwise = hottest(&depthwise(ty, 64), simd);
            // A round of a loop is four steps of vectors.
            let steps = if simd == Simd::On { 4 } else { 1 };
            let [of_dense, of_depthwise] = [steps * step[0] * unit, step[1]];
            let line = format!(
                "{name} {simd:?}: dense {dense} for {of_dense} products, depthwise {depthwise} for {of_depthwise}"
            );
            table.push(line);
        }
    }
    insta::assert_snapshot!("instructions_of_the_hottest_loops", table.join("\n"));
}
