//! The elementwise operators in every type, on shapes that broadcast; and functions of f32 over all of its range.

use rune_codegen::kernels::Simd;
use rune_ir::{
    graph::{DataType, Graph, TensorId},
    op::{Activation, Binary, Op, Unary},
};

use crate::{
    check,
    machine::Machine,
    random::{Model, Random},
};

const NUMBERS: [DataType; 6] = [
    DataType::F32,
    DataType::I8,
    DataType::U8,
    DataType::I16,
    DataType::I32,
    DataType::I64,
];

const UNARY: [Unary; 24] = [
    Unary::Abs,
    Unary::Neg,
    Unary::Sign,
    Unary::Sin,
    Unary::Cos,
    Unary::Exp,
    Unary::Log,
    Unary::Sqrt,
    Unary::Rsqrt,
    Unary::Square,
    Unary::Ceil,
    Unary::Floor,
    Unary::Round,
    Unary::LogicalNot,
    Unary::ReluN1To1,
    Unary::Relu0To1,
    Unary::LeakyRelu { alpha: 0.3 },
    Unary::LeakyRelu { alpha: -1.5 },
    Unary::Elu,
    Unary::HardSwish,
    Unary::Tanh,
    Unary::Gelu { approximate: false },
    Unary::Gelu { approximate: true },
    Unary::ZerosLike,
];

const BINARY: [Binary; 23] = [
    Binary::Add,
    Binary::Sub,
    Binary::AddPowers,
    Binary::SubPowers,
    Binary::Mul,
    Binary::Div,
    Binary::FloorDiv,
    Binary::FloorMod,
    Binary::Maximum,
    Binary::Minimum,
    Binary::SquaredDifference,
    Binary::Prelu,
    Binary::Pow,
    Binary::Equal,
    Binary::NotEqual,
    Binary::Greater,
    Binary::GreaterEqual,
    Binary::Less,
    Binary::LessEqual,
    Binary::LogicalAnd,
    Binary::LogicalOr,
    Binary::BitwiseXor,
    Binary::RightShift,
];

/// A shape of up to 6 dimensions, the last long enough for vectors and what is left of them.
fn shape(m: &mut Model) -> Vec<u32> {
    let rank = m.random.within(0, 6);
    let mut shape: Vec<u32> = (0..rank).map(|_| m.random.within(1, 3)).collect();
    if let Some(last) = shape.last_mut() {
        *last = m.random.within(1, 37);
    }
    shape
}

/// A shape that broadcasts to `shape`.
fn part(m: &mut Model, shape: &[u32]) -> Vec<u32> {
    let mut part = shape.to_vec();
    for dim in &mut part {
        if m.random.chance(6) {
            *dim = 1;
        }
    }
    if m.random.chance(5) && !part.is_empty() {
        let front = m.random.within(1, part.len() as u32) as usize;
        part.drain(..front);
    }
    part
}

/// The same scale for all I16, a power of two over another.
fn powers(m: &mut Model, tensors: [TensorId; 3]) {
    let shifted = m.random.within(0, 1) as usize;
    let places = m.random.within(0, 5);
    for (i, id) in tensors.into_iter().enumerate() {
        let exponent = if i == shifted { 12 + places } else { 12 };
        if let Some(q) = m.quantization(id) {
            q.scale = vec![(1u64 << exponent) as f32 / (1u64 << (2 * exponent)) as f32];
        }
    }
}

#[test]
fn binary() {
    for op in BINARY {
        check(40, |mut m| {
            let types = [&NUMBERS[..], &[DataType::Bool]].concat();
            let ty = m.random.pick(&types);
            let full = shape(&mut m);
            let first = if op == Binary::Prelu {
                full.clone()
            } else {
                part(&mut m, &full)
            };
            let second = part(&mut m, &full);
            let due = broadcast(&first, &second);
            let a = m.input(ty, &first);
            let b = m.input(ty, &second);
            let y = m.output(
                if op.is_comparison() {
                    DataType::Bool
                } else {
                    ty
                },
                &due,
            );
            if matches!(op, Binary::AddPowers | Binary::SubPowers) {
                powers(&mut m, [a, b, y]);
            } else if op.is_comparison() && m.random.chance(2) {
                // Often one scale, by which bytes are compared as they are.
                let same = m.quantization(a).clone();
                *m.quantization(b) = same;
            } else if ty == DataType::I16 && m.random.chance(4) {
                for id in [a, b, y] {
                    *m.quantization(id) = None;
                }
            } else if op == Binary::Div
                && let Some(q) = m.quantization(y)
            {
                q.scale[0] *= 100.0;
            }
            let fused = matches!(op, Binary::Add | Binary::Sub | Binary::Mul | Binary::Div);
            let activation = if fused {
                m.random.activation()
            } else {
                Activation::None
            };
            m.finish(Op::Binary { op, activation }, vec![Some(a), Some(b)], y)
        });
    }
}

fn broadcast(a: &[u32], b: &[u32]) -> Vec<u32> {
    let rank = a.len().max(b.len());
    let dim = |shape: &[u32], i: usize| {
        let missing = rank - shape.len();
        if i < missing { 1 } else { shape[i - missing] }
    };
    (0..rank).map(|i| dim(a, i).max(dim(b, i))).collect()
}

#[test]
fn unary() {
    for op in UNARY {
        check(25, |mut m| {
            let types = [&NUMBERS[..], &[DataType::Bool]].concat();
            let ty = m.random.pick(&types);
            let full = shape(&mut m);
            let x = m.input(ty, &full);
            let y = m.output(ty, &full);
            if op == Unary::Tanh && ty == DataType::I16 {
                let scale = m.random.pick(&[1.0 / 4096.0, 1.0 / 2048.0, 0.0003, 0.01]);
                if let Some(q) = m.quantization(x) {
                    q.scale = vec![scale];
                }
                if let Some(q) = m.quantization(y) {
                    q.scale = vec![1.0 / 32768.0];
                }
            } else if m.random.chance(8) {
                *m.quantization(x) = None;
            }
            m.finish(Op::Unary(op), vec![Some(x)], y)
        });
    }
}

#[test]
fn casts() {
    check(150, |mut m| {
        let others = [DataType::Bool, DataType::U16, DataType::U32];
        let types = [&NUMBERS[..], &others].concat();
        let (from, to) = (m.random.pick(&types), m.random.pick(&types));
        let full = shape(&mut m);
        let x = m.input(from, &full);
        let y = m.output(to, &full);
        m.finish(Op::Unary(Unary::Cast), vec![Some(x)], y)
    });
}

#[test]
fn scales_of_wide_integers() {
    check(150, |mut m| {
        let full = shape(&mut m);
        let types = [DataType::I8, DataType::U8, DataType::I16];
        let (from, to) = (m.random.pick(&types), m.random.pick(&types));
        let (op, from, to) = match m.random.within(0, 5) {
            0 => (Op::Relu, from, from),
            1 => (Op::Relu6, from, from),
            2 => (Op::Quantize, from, to),
            3 => (Op::Quantize, DataType::F32, to),
            4 => (Op::Dequantize, from, DataType::F32),
            _ => (Op::Logistic, DataType::I16, DataType::I16),
        };
        let x = m.input(from, &full);
        let y = m.output(to, &full);
        if op == Op::Logistic
            && let Some(q) = m.quantization(y)
        {
            q.scale = vec![1.0 / 32768.0];
        }
        m.finish(op, vec![Some(x)], y)
    });
}

#[test]
fn add_n_and_select() {
    check(80, |mut m| {
        let ty = m.random.pick(&[DataType::F32, DataType::I8, DataType::I32]);
        let full = shape(&mut m);
        let count = m.random.within(2, 5);
        let first = m.input(ty, &full);
        let mut inputs = vec![Some(first)];
        for _ in 1..count {
            let input = m.input(ty, &full);
            let same = m.quantization(first).clone();
            *m.quantization(input) = same;
            inputs.push(Some(input));
        }
        let y = m.output(ty, &full);
        m.finish(Op::AddN, inputs, y)
    });
    check(120, |mut m| {
        let types = [&NUMBERS[..], &[DataType::Bool]].concat();
        let ty = m.random.pick(&types);
        let full = shape(&mut m);
        let rows = m.random.chance(3) && full.len() > 1;
        let condition = if rows {
            vec![full[0]]
        } else {
            part(&mut m, &full)
        };
        let c = m.input(DataType::Bool, &condition);
        let a = m.input(ty, &full);
        let b = if rows {
            m.input(ty, &full)
        } else {
            let part = part(&mut m, &full);
            m.input(ty, &part)
        };
        let y = m.output(ty, &full);
        m.finish(Op::Select { rows }, vec![Some(c), Some(a), Some(b)], y)
    });
}

/// Numbers of an f32 function's inputs at a time.
const BATCH: usize = 1 << 13;

/// What a graph of f32 inputs gives for these bits equals what the evaluator gives.
fn same_bits(graph: &Graph, simd: Simd, bits: &[Vec<u32>], what: &str) {
    let machine = Machine::new(graph, simd).unwrap();
    for chunk in 0..bits[0].len() / BATCH {
        let of = |bits: &Vec<u32>| -> Vec<u8> {
            let chunk = &bits[chunk * BATCH..(chunk + 1) * BATCH];
            chunk.iter().flat_map(|b| b.to_le_bytes()).collect()
        };
        let inputs: Vec<Vec<u8>> = bits.iter().map(of).collect();
        let (expected, actual) = (graph.evaluate(&inputs), machine.run(&inputs));
        let words = |bytes: &[u8]| -> Vec<u32> {
            let words = bytes.as_chunks().0.iter();
            words.map(|w| u32::from_le_bytes(*w)).collect()
        };
        let pairs = words(&expected[0]).into_iter().zip(words(&actual[0]));
        for (i, (expected, actual)) in pairs.enumerate() {
            let at: Vec<f32> = (bits.iter())
                .map(|b| f32::from_bits(b[chunk * BATCH + i]))
                .collect();
            assert_eq!(
                expected,
                actual,
                "{what} of {at:?} is {}, not {}",
                f32::from_bits(expected),
                f32::from_bits(actual)
            );
        }
    }
}

fn function(op: Op, inputs: usize) -> Graph {
    let mut m = Model::new(1);
    let inputs: Vec<Option<TensorId>> = (0..inputs)
        .map(|_| Some(m.input(DataType::F32, &[BATCH as u32])))
        .collect();
    let y = m.output(DataType::F32, &[BATCH as u32]);
    m.finish(op, inputs, y).0
}

#[test]
fn functions_of_one_real_over_all_of_them() {
    for op in UNARY {
        if op == Unary::LogicalNot {
            continue;
        }
        // All signs and exponents with many significands; then the middle densely.
        let all = (0..1 << 16).map(|i: u32| i.wrapping_mul(65_537).wrapping_add(i >> 3));
        let dense = (0..1 << 15).map(|i| ((i as f32 - 16384.0) * 6.103e-4).to_bits());
        let bits: Vec<u32> = all.chain(dense).collect();
        same_bits(&function(Op::Unary(op), 1), Simd::On, &[bits], op.name());
    }
}

#[test]
fn functions_of_two_reals_over_many_of_them() {
    let mut random = Random::new(7);
    let odd = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        2.0,
        -3.0,
        0.5,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        1e-42,
        16_777_217.0,
        f32::MAX,
    ];
    for op in [Binary::Pow, Binary::FloorMod, Binary::FloorDiv] {
        let mut draw = || -> Vec<u32> {
            let each = |_| match random.within(0, 3) {
                0 => random.next(),
                1 => random.pick(&odd).to_bits(),
                _ => (random.real() * 20.0).to_bits(),
            };
            (0..8 * BATCH).map(each).collect()
        };
        let bits = [draw(), draw()];
        let activation = Activation::None;
        let graph = function(Op::Binary { op, activation }, 2);
        same_bits(&graph, Simd::On, &bits, op.name());
    }
}
