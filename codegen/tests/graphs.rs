//! Models of many operators, drawn at random and run as whole runes, give the bits of the evaluator however
//! their tensors share memory; and nothing outside the arena changes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use rune_abi::{CapabilityKind, OutputKind};
use rune_blocks::Wasmi;
use rune_codegen::{Level, Options, Output, Simd, model, report::RegionKind};
use rune_ir::{
    arena::Side,
    check::{self, Loaded, Verified},
    diag::{Span, Spanned},
    graph::{DataType, Graph, Node, Quantization, Tensor, TensorId},
    op::{self, Activation, Movement, Op, Window},
    pipeline::{Edge, Pipeline, Stage, StageId, StageKind},
};

/// A xorshift generator.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as usize % n
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn bytes(&mut self, tensor: &Tensor) -> Vec<u8> {
        if tensor.ty != DataType::F32 {
            return (0..tensor.bytes()).map(|_| self.below(256) as u8).collect();
        }
        let mut real = || (self.below(2001) as f32 - 1000.0) / 100.0;
        (0..tensor.elements())
            .flat_map(|_| real().to_le_bytes())
            .collect()
    }
}

/// A graph that grows operator by operator.
struct Drawing {
    random: Random,
    graph: Graph,
    /// What an operator may read.
    known: Vec<TensorId>,
}

impl Drawing {
    fn tensor(&mut self, ty: DataType, shape: &[u32]) -> TensorId {
        let quantization = (ty != DataType::F32).then(|| Quantization {
            scale: vec![self.random.pick(&[0.1, 0.1, 0.1, 0.05, 1.0 / 256.0])],
            zero_point: vec![if ty == DataType::I8 { -3 } else { 120 }],
            axis: 0,
        });
        self.graph.tensors.push(Tensor {
            name: format!("t{}", self.graph.tensors.len()),
            ty,
            shape: shape.to_vec(),
            quantization,
            data: None,
        })
    }

    /// Adds an operator that reads what is there, if it obeys its laws.
    fn grow(&mut self) {
        // What was made last more often than what was made before.
        let back = self.random.below(4).min(self.random.below(4));
        let x = self.known[self.known.len().saturating_sub(1 + back)];
        let Tensor {
            ty,
            shape,
            quantization,
            ..
        } = self.graph.tensors[x].clone();
        let activation = self.random.pick(&[Activation::None, Activation::Relu]);
        let mut inputs = vec![Some(x)];
        let (mut like, mut parts) = (false, 1);
        let (op, to, dims) = match self.random.below(14) {
            0..=2 => {
                let same = |t: &TensorId| {
                    let other = &self.graph.tensors[*t];
                    other.ty == ty && (other.shape == shape || other.elements() == 1)
                };
                let others: Vec<TensorId> = self.known.iter().copied().filter(same).collect();
                inputs.push(Some(self.random.pick(&others)));
                (Op::Add { activation }, ty, shape)
            }
            3 => (Op::Relu, ty, shape),
            4 => (Op::Relu6, ty, shape),
            5 => (Op::Logistic, ty, shape),
            6 => {
                like = true;
                let elements = shape.iter().product();
                let other = self.random.pick(&[[1, elements], [elements, 1]]);
                (Op::Reshape, ty, other.to_vec())
            }
            7 if ty == DataType::F32 => (Op::Quantize, DataType::I8, shape),
            7 => (Op::Dequantize, DataType::F32, shape),
            8 if shape.len() == 4 => {
                like = true;
                let window = Window {
                    stride: [2, 2],
                    dilation: [1, 1],
                    pad: [0, 0],
                };
                let size = [2, 2];
                let half = |n: u32| (n.max(2) - 2) / 2 + 1;
                let dims = vec![shape[0], half(shape[1]), half(shape[2]), shape[3]];
                let op = if self.random.below(2) == 0 {
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
                (op, ty, dims)
            }
            8 => (Op::Softmax { beta: 1.0 }, ty, shape),
            10 | 11 => {
                like = true;
                let axis = self.random.below(shape.len());
                let fits = |t: &TensorId| {
                    let other = &self.graph.tensors[*t];
                    let mut dims = other.shape.clone();
                    other.ty == ty && dims.len() == shape.len() && {
                        dims[axis] = shape[axis];
                        dims == shape
                    }
                };
                let others: Vec<TensorId> = self.known.iter().copied().filter(fits).collect();
                for _ in 0..=self.random.below(3) {
                    inputs.push(Some(self.random.pick(&others)));
                }
                let count = inputs.iter().flatten();
                let mut dims = shape.clone();
                dims[axis] = count.map(|t| self.graph.tensors[*t].shape[axis]).sum();
                let axis = axis as u32;
                (Op::Movement(Movement::Concatenation { axis }), ty, dims)
            }
            12 | 13 => {
                like = true;
                let axis = self.random.below(shape.len());
                parts = self.random.pick(&[2, 2, 3]);
                let mut dims = shape.clone();
                dims[axis] /= parts as u32;
                let axis = axis as u32;
                (Op::Movement(Movement::Split { axis }), ty, dims)
            }
            _ => {
                like = true;
                let before: Vec<u32> = shape.iter().map(|_| self.random.below(2) as u32).collect();
                let dims = shape.iter().zip(&before).map(|(n, b)| n + b).collect();
                (Op::Pad { before }, ty, dims)
            }
        };
        if dims.contains(&0) {
            return;
        }
        let outputs: Vec<TensorId> = (0..parts).map(|_| self.tensor(to, &dims)).collect();
        if like {
            for y in &outputs {
                self.graph.tensors[*y]
                    .quantization
                    .clone_from(&quantization);
            }
        }
        let node = Node {
            variables: Vec::new(),
            op,
            inputs,
            outputs: outputs.clone(),
        };
        let is_small = self.graph.tensors[outputs[0]].bytes() < 5000;
        if op::check(&self.graph, &node).is_ok() && is_small {
            self.graph.nodes.push(node);
            self.known.extend(outputs);
        }
    }
}

fn draw(seed: u64) -> (Graph, Random) {
    let mut d = Drawing {
        random: Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
        graph: Graph::default(),
        known: Vec::new(),
    };
    for _ in 0..=d.random.below(2) {
        let ty = d.random.pick(&[DataType::F32, DataType::I8, DataType::U8]);
        let shape = [
            1,
            1 + d.random.below(7),
            1 + d.random.below(7),
            1 + d.random.below(6),
        ];
        let input = d.tensor(ty, &shape.map(|n| n as u32));
        d.graph.inputs.push(input);
        d.known.push(input);
    }
    let steps = 2 + d.random.below(16);
    while d.graph.nodes.len() < steps {
        d.grow();
    }
    // The last, and perhaps one from within, which then must be kept.
    let last = *d.known.last().unwrap();
    d.graph.outputs.push(last);
    if d.random.below(2) == 0 {
        let other = d.random.pick(&d.known);
        if other != last && !d.graph.inputs.contains(&other) {
            d.graph.outputs.push(other);
        }
    }
    (d.graph, d.random)
}

/// A pipeline from bytes through the model to the serial port.
fn verified(graph: &Graph) -> Verified {
    let span = Span::default();
    let mut pipeline = Pipeline {
        name: "graph".to_owned(),
        ..Pipeline::default()
    };
    let mut stage = |name: &str, kind, inputs: Vec<(StageId, usize)>| {
        let edge = |(from, port): (StageId, usize)| Edge {
            from,
            port: port as u32,
            source: span,
            span,
        };
        pipeline.stages.push(Stage {
            name: Spanned::new(name.to_owned(), span),
            kind,
            inputs: inputs.into_iter().map(edge).collect(),
            declared_inputs: None,
            declared_outputs: None,
            args: Vec::new(),
            span,
        })
    };
    let capability = StageKind::Capability(Spanned::new(CapabilityKind::Raw, span));
    let sources: Vec<(StageId, usize)> = (0..graph.inputs.len())
        .map(|i| (stage(&format!("x{i}"), capability.clone(), Vec::new()), 0))
        .collect();
    let file = StageKind::Model {
        path: Spanned::new("graph.tflite".to_owned(), span),
        bytes: Arc::from([]),
    };
    let model = stage("model", file, sources);
    let results = (0..graph.outputs.len()).map(|port| (model, port)).collect();
    let serial = StageKind::Output(Spanned::new(OutputKind::Serial, span));
    stage("serial", serial, results);
    let graph = Arc::new(graph.clone());
    let loaded = Side::new(&pipeline.stages, |id, _| {
        if id == model {
            Loaded::Model(graph.clone())
        } else {
            Loaded::None
        }
    });
    let (analysis, found) = check::analyse(Arc::new(pipeline), &loaded, &Wasmi::default());
    let errors: Vec<_> = found.iter().map(|d| &d.message).collect();
    analysis.verified.unwrap_or_else(|| panic!("{errors:?}"))
}

/// What a rune is given, and what it gave.
struct World {
    /// How many tensors its one output has.
    count: usize,
    inputs: Vec<Vec<u8>>,
    outputs: Vec<Vec<u8>>,
}

type Store = wasmi::Store<World>;

struct Rune {
    store: Store,
    memory: wasmi::Memory,
    call: wasmi::TypedFunc<(), i32>,
    arena: std::ops::Range<usize>,
}

impl Rune {
    fn new(output: &Output) -> Self {
        let mut config = wasmi::Config::default();
        config.wasm_custom_page_sizes(true);
        let engine = wasmi::Engine::new(&config);
        let module = wasmi::Module::new(&engine, &output.wasm).unwrap();
        let mut store = Store::new(
            &engine,
            World {
                count: output.manifest.outputs[0].tensors.len(),
                inputs: Vec::new(),
                outputs: Vec::new(),
            },
        );
        let mut linker = wasmi::Linker::new(&engine);
        linker.func_wrap("runicos", "read", read).unwrap();
        linker.func_wrap("runicos", "write", write).unwrap();
        let instance = linker.instantiate_and_start(&mut store, &module).unwrap();
        let region = |kind| output.report.region(kind) as usize;
        let start = region(RegionKind::Stack) + region(RegionKind::State);
        Self {
            memory: instance.get_memory(&store, "memory").unwrap(),
            call: instance.get_typed_func(&store, "_call").unwrap(),
            arena: start..start + region(RegionKind::Arena),
            store,
        }
    }

    /// Calls it once, and asserts that it changed nothing but the arena.
    fn call(&mut self, inputs: &[Vec<u8>]) -> Vec<Vec<u8>> {
        self.store.data_mut().inputs = inputs.to_vec();
        self.store.data_mut().outputs.clear();
        let before = self.memory.data(&self.store).to_vec();
        assert_eq!(self.call.call(&mut self.store, ()).unwrap(), 0);
        let after = self.memory.data(&self.store);
        for (at, (before, after)) in before.iter().zip(after).enumerate() {
            assert!(before == after || self.arena.contains(&at), "{at} changed");
        }
        self.store.data().outputs.clone()
    }
}

fn memory(caller: &wasmi::Caller<'_, World>) -> wasmi::Memory {
    caller.get_export("memory").unwrap().into_memory().unwrap()
}

fn read(mut caller: wasmi::Caller<'_, World>, index: i32, at: i32, len: i32) -> i32 {
    let memory = memory(&caller);
    let value = caller.data().inputs[index as usize].clone();
    assert_eq!(value.len(), len as usize);
    memory.write(&mut caller, at as usize, &value).unwrap();
    len
}

fn write(mut caller: wasmi::Caller<'_, World>, _: i32, record: i32) -> i32 {
    let bytes = memory(&caller).data(&caller).to_vec();
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let mut at = record as usize;
    for _ in 0..caller.data().count {
        let (from, length, rank) = (word(at), word(at + 4), word(at + 8));
        caller
            .data_mut()
            .outputs
            .push(bytes[from..from + length].to_vec());
        at += 12 + 4 * rank;
    }
    0
}

#[test]
fn whole_runes_agree_with_the_evaluator() {
    let (mut shared, mut least, mut gone, mut constants) = (0, 0, 0, 0);
    for seed in 1..=400 {
        let (graph, mut random) = draw(seed);
        graph.check().unwrap();
        let verified = verified(&graph);
        for (level, simd, flash) in [
            (Level::O0, Simd::On, false),
            (Level::O1, Simd::On, false),
            (Level::O1, Simd::Off, false),
            (Level::O0, Simd::On, true),
            (Level::O1, Simd::Off, true),
            (Level::O1, Simd::Dsp, true),
        ] {
            let options = Options {
                level,
                simd,
                flash,
                ..Options::default()
            };
            let output = rune_codegen::compile(&verified, &options).unwrap();
            let mut rune = Rune::new(&output);
            for call in 0..3 {
                let inputs: Vec<Vec<u8>> = graph
                    .inputs
                    .iter()
                    .map(|id| random.bytes(&graph.tensors[*id]))
                    .collect();
                let expected = graph.evaluate(&inputs);
                let actual = rune.call(&inputs);
                assert!(
                    actual == expected,
                    "seed {seed}, {level:?}, {simd:?}, {flash}, call {call}\n{}",
                    output.text
                );
            }
            constants += output.report.flash;
            if flash {
                continue;
            }
            let footprint = model::footprint(&graph, &options).unwrap();
            assert!(footprint.arena >= footprint.bound);
            least += usize::from(footprint.arena == footprint.bound);
            gone += footprint.moved;
            let meet = |a: &model::Resident, b: &model::Resident| {
                a.first <= b.last
                    && b.first <= a.last
                    && a.offset < b.offset + u64::from(b.bytes)
                    && b.offset < a.offset + u64::from(a.bytes)
            };
            let tensors = &footprint.tensors;
            let pairs = tensors.iter().enumerate();
            shared += pairs
                .filter(|(i, a)| tensors[i + 1..].iter().any(|b| meet(a, b)))
                .count();
        }
    }
    assert!(constants > 10_000, "{constants}");
    // The plans share memory as they may, and almost all are as small as what is in use.
    assert!(shared > 1000, "{shared}");
    assert!(gone > 50, "{gone}");
    assert!(least > 1180, "{least}");
}
