//! Signal operators on shapes and attributes drawn at random, for several calls.

use std::sync::Arc;

use rune_codegen::kernels::Simd;
use rune_ir::{
    graph::{DataType, Graph, Node, Tensor, TensorId, Variable},
    op::{
        self, Op,
        signal::{Signal, SpectralSubtraction},
    },
    ty::ElementType,
};

use crate::{machine::Machine, random::Random};

const I16: DataType = DataType::Element(ElementType::I16);
const U32: DataType = DataType::Element(ElementType::U32);
const U64: DataType = DataType::Element(ElementType::U64);

/// A graph of one operator: `constants` are the values of its last inputs.
fn graph(
    signal: Signal,
    inputs: &[(DataType, &[u32])],
    constants: Vec<(DataType, Vec<u8>)>,
) -> Graph {
    let mut graph = Graph::default();
    let mut tensor = |ty: DataType, shape: &[u32], data: Option<Vec<u8>>| {
        let name = format!("t{}", graph.tensors.len());
        graph.tensors.push(Tensor {
            name,
            ty,
            shape: shape.to_vec(),
            quantization: None,
            data: data.map(Arc::from),
        })
    };
    let open: Vec<TensorId> = inputs
        .iter()
        .map(|(ty, shape)| tensor(*ty, shape, None))
        .collect();
    let mut operands: Vec<Option<TensorId>> = open.iter().copied().map(Some).collect();
    for (ty, data) in constants {
        let length = data.len() as u32 / ty.size();
        operands.push(Some(tensor(ty, &[length], Some(data))));
    }
    let x = graph.tensors[open[0]].clone();
    let outputs: Vec<TensorId> = signal
        .results(&x)
        .unwrap()
        .into_iter()
        .map(|(ty, shape)| {
            graph.tensors.push(Tensor {
                name: "y".to_owned(),
                ty,
                shape,
                quantization: None,
                data: None,
            })
        })
        .collect();
    let variables = signal.keeps(&x).unwrap().into_iter().map(|kept| {
        let elements = kept.shape.iter().product::<u32>();
        graph.variables.push(Variable {
            name: kept.name.to_owned(),
            ty: kept.ty,
            initial: vec![kept.initial; (elements * kept.ty.size()) as usize].into(),
            shape: kept.shape,
            quantization: None,
        })
    });
    let node = Node {
        variables: variables.collect(),
        op: Op::Signal(signal),
        inputs: operands,
        outputs: outputs.clone(),
    };
    graph.inputs = open;
    graph.outputs = outputs;
    assert_eq!(op::check(&graph, &node), Ok(()));
    graph.nodes.push(node);
    graph.check().unwrap();
    graph
}

/// Draws models, and runs each for some calls.
fn check(count: u64, draw: impl Fn(&mut Random) -> Graph) {
    for seed in 1..=count {
        let mut random = Random::new(seed);
        let graph = draw(&mut random);
        let calls: Vec<Vec<Vec<u8>>> = (0..5)
            .map(|call| {
                let inputs = graph.inputs.iter().map(|id| &graph.tensors[*id]);
                inputs.map(|t| bytes(&mut random, t, call > 2)).collect()
            })
            .collect();
        let views: Vec<&[Vec<u8>]> = calls.iter().map(|c| &c[..]).collect();
        for simd in [Simd::Off, Simd::On] {
            let machine = Machine::new(&graph, simd).unwrap();
            let mut state = graph.state();
            for (call, actual) in calls.iter().zip(machine.runs(&views)) {
                let expected = graph.run(call, &mut state);
                assert!(
                    expected == actual,
                    "seed {seed}, {simd:?}\n{:?}\n{}",
                    graph.nodes,
                    machine.compiled.kernels[0]
                );
            }
        }
    }
}

/// Floats as any, integers of any magnitude.
fn bytes(random: &mut Random, tensor: &Tensor, wild: bool) -> Vec<u8> {
    if tensor.ty == DataType::F32 {
        return random.bytes(tensor.ty, tensor.elements(), wild);
    }
    let size = tensor.ty.size() as usize;
    let element = |_| {
        let bits = u64::from(random.next()) << 32 | u64::from(random.next());
        let shift = random.within(0, 8 * size as u32 - 1);
        // The top bits, so that the sign is kept.
        let number = (bits.cast_signed() >> (64 - 8 * size)) >> shift;
        number.to_le_bytes()[..size].to_vec()
    };
    (0..tensor.elements()).flat_map(element).collect()
}

/// Integers of two bytes.
fn shorts(numbers: impl IntoIterator<Item = u32>) -> Vec<u8> {
    let bytes = numbers.into_iter().flat_map(|n| (n as u16).to_le_bytes());
    bytes.collect()
}

#[test]
fn transforms() {
    check(60, |random| {
        let ty = random.pick(&[I16, DataType::I32, DataType::F32]);
        let length = random.pick(&[4, 6, 10, 12, 18, 32, 40, 60, 90, 96, 150]);
        let rows = random.within(1, 3);
        if random.chance(2) {
            let shape = [rows, length + 2];
            graph(Signal::Irfft { length }, &[(ty, &shape)], vec![])
        } else {
            let shape = [rows, random.within(1, length)];
            graph(Signal::Rfft { length }, &[(ty, &shape)], vec![])
        }
    });
}

#[test]
fn windows_and_energies() {
    check(60, |random| {
        let (rows, length) = (random.within(1, 3), random.within(1, 40));
        match random.within(0, 2) {
            0 => {
                let shift = random.within(0, 31);
                let inputs = [(I16, &[rows, length][..]), (I16, &[length])];
                graph(Signal::Window { shift }, &inputs, vec![])
            }
            1 => graph(Signal::FftAutoScale, &[(I16, &[length])], vec![]),
            _ => {
                let end = random.within(0, length);
                let start = random.within(0, end);
                graph(
                    Signal::Energy { start, end },
                    &[(I16, &[2 * length])],
                    vec![],
                )
            }
        }
    });
}

#[test]
fn banks() {
    check(60, |random| {
        let (length, channels) = (random.within(1, 40), random.within(1, 9));
        let weights = random.within(1, 30);
        let widths: Vec<u32> = (0..=channels)
            .map(|_| random.within(0, length.min(weights)))
            .collect();
        let mut starts = |of: u32| shorts(widths.iter().map(|w| random.within(0, of - w)));
        let (energy_starts, weight_starts) = (starts(length), starts(weights));
        let inputs = [(U32, &[length][..]), (I16, &[weights]), (I16, &[weights])];
        let tables = [energy_starts, weight_starts, shorts(widths)];
        let tables = tables.map(|table| (I16, table));
        graph(Signal::FilterBank { channels }, &inputs, tables.into())
    });
}

#[test]
fn channels() {
    check(80, |random| {
        let shape = [random.within(1, 40)];
        let x = (U32, &shape[..]);
        match random.within(0, 3) {
            0 => graph(
                Signal::SquareRoot,
                &[(U64, &shape), (DataType::I32, &[])],
                vec![],
            ),
            1 => {
                let mut factors = || [random.next() >> 1, random.next() >> 1];
                let attributes = SpectralSubtraction {
                    smoothing: [factors(), factors()],
                    smoothing_bits: random.within(0, 31),
                    clamping: random.chance(2),
                    min_signal_remaining: random.next() >> 1,
                    bits: random.within(0, 63),
                };
                graph(Signal::SpectralSubtraction(attributes), &[x], vec![])
            }
            2 => {
                let shift = random.within(0, 63);
                graph(Signal::Pcan { shift }, &[x, x, (I16, &[125])], vec![])
            }
            _ => {
                let correction_bits = random.within(0, 31);
                let scale = random.next() as i32;
                let log = Signal::Log {
                    correction_bits,
                    scale,
                };
                graph(log, &[x], vec![])
            }
        }
    });
}

#[test]
fn streams() {
    check(100, |random| {
        let (rows, step) = (random.within(1, 3), random.within(1, 9));
        match random.within(0, 4) {
            0 => {
                let size = random.within(1, 25);
                let filled = size >= step && random.chance(2);
                let shape = [rows, step * random.within(1, 4)];
                let framer = Signal::Framer { size, step, filled };
                graph(framer, &[(I16, &shape)], vec![])
            }
            1 => {
                let (left, right) = (random.within(0, 4), random.within(0, 4));
                let channels = random.within(1, 12);
                let stacker = Signal::Stacker {
                    channels,
                    left,
                    right,
                    step: step.min(left + right + 1),
                };
                graph(stacker, &[(I16, &[channels])], vec![])
            }
            2 => {
                let ty = random.pick(&[I16, DataType::F32]);
                let shape = [rows, random.within(1, 3), random.within(step, 40)];
                graph(Signal::OverlapAdd { step }, &[(ty, &shape)], vec![])
            }
            3 => {
                let length = random.within(0, 20);
                let shape = [rows, random.within(1, 12)];
                graph(Signal::Delay { length }, &[(I16, &shape)], vec![])
            }
            _ => {
                let slots = random.within(1, 6);
                let shape = [1, 1, random.within(1, 3), random.within(1, 9)];
                graph(
                    Signal::CircularBuffer { slots },
                    &[(DataType::I8, &shape)],
                    vec![],
                )
            }
        }
    });
}

/// Attributes and shapes that do not fit each other are refused.
#[test]
fn laws() {
    let x = |ty, shape: &[u32]| Tensor {
        name: "x".to_owned(),
        ty,
        shape: shape.to_vec(),
        quantization: None,
        data: None,
    };
    let framer = |size, step, filled| Signal::Framer { size, step, filled };
    let stacker = |left, right, step| Signal::Stacker {
        channels: 4,
        left,
        right,
        step,
    };
    let refused = [
        (Signal::Rfft { length: 14 }, x(I16, &[14])),
        (Signal::Rfft { length: 7 }, x(I16, &[7])),
        (Signal::Rfft { length: 2 }, x(I16, &[2])),
        (Signal::Rfft { length: 8 }, x(I16, &[9])),
        (
            Signal::Rfft {
                length: u32::MAX - 1,
            },
            x(I16, &[9]),
        ),
        (Signal::Irfft { length: 8 }, x(I16, &[8])),
        (Signal::Window { shift: 32 }, x(I16, &[8])),
        (Signal::Window { shift: 1 }, x(I16, &[])),
        (Signal::Energy { start: 3, end: 2 }, x(I16, &[8])),
        (Signal::Energy { start: 0, end: 5 }, x(I16, &[8])),
        (framer(4, 3, false), x(I16, &[8])),
        (framer(4, 0, false), x(I16, &[8])),
        (framer(0, 4, false), x(I16, &[8])),
        (framer(2, 4, true), x(I16, &[8])),
        (framer(u32::MAX, 4, false), x(I16, &[8])),
        (stacker(1, 1, 4), x(I16, &[4])),
        (stacker(1, 1, 0), x(I16, &[4])),
        (stacker(u32::MAX, 1, 1), x(I16, &[4])),
        (stacker(1, 1, 1), x(I16, &[5])),
        (Signal::OverlapAdd { step: 9 }, x(I16, &[1, 8])),
        (Signal::OverlapAdd { step: 0 }, x(I16, &[1, 8])),
        (Signal::OverlapAdd { step: 2 }, x(I16, &[8])),
        (Signal::Delay { length: u32::MAX }, x(I16, &[8])),
        (
            Signal::CircularBuffer { slots: 2 },
            x(DataType::I8, &[1, 2, 1, 8]),
        ),
    ];
    for (signal, x) in refused {
        let results = signal.results(&x).and_then(|_| signal.keeps(&x));
        assert!(results.is_err(), "{signal:?} of {:?}", x.shape);
    }
}
