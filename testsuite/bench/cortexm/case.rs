//! What is counted: examples, a model of reference, and a convolution by itself.

use std::{fs, sync::Arc};

use rune_abi::{CapabilityKind, OutputKind};
use rune_blocks::Wasmi;
use rune_codegen::{Output, passes};
use rune_ir::{
    arena::Side,
    check::{self, Loaded, TypedKind, Verified},
    diag::{Span, Spanned},
    graph::{DataType, Graph, Node, Quantization, Tensor},
    op::{Activation, Op, Window},
    pipeline::{Edge, Pipeline, Stage, StageKind},
};
use rune_testsuite::{engines, overlay::Overlay, random::Random, reference_models, root};

/// Calls for which there are samples of their own.
const SAMPLES: usize = 2;

pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) verified: Verified,
    /// Products of elements that are inside of images, where that is not all.
    inside: Option<u64>,
}

impl Case {
    /// Those that there are.
    pub(crate) fn all() -> Vec<Self> {
        let examples = ["sine", "gesture", "digits"].map(|name| {
            let path = root().join("examples").join(name).join("Runefile");
            let checked = engines::check(&path);
            Self::new(name, checked.output.expect("an example is right"))
        });
        let mut all: Vec<Self> = examples.into();
        if let Some(models) = reference_models("kws") {
            let model = fs::read(models.join("kws/kws_ref_model.tflite"));
            let world = Overlay::new(".").with("./m.tflite", model.expect("the model can be read"));
            let text = "FROM runicos/base\nCAPABILITY RAW x\nMODEL ./m.tflite m\nOUT SERIAL\nRUN x m serial\n";
            let checked = engines::check_text(text, &world);
            all.push(Self::new("kws", checked.output.expect("the rune is right")));
        }
        all.push(Self {
            inside: Some(70 * 70 * 8 * 16),
            ..Self::new("conv", convolution())
        });
        all
    }

    fn new(name: &str, verified: Verified) -> Self {
        Self {
            name: name.to_owned(),
            verified,
            inside: None,
        }
    }

    /// Products of a call, as far as they are of weights.
    pub(crate) fn products(&self) -> u64 {
        self.inside
            .unwrap_or_else(|| self.layers().iter().map(|(_, products)| products).sum())
    }

    /// The operators that are kernels, with their products.
    pub(crate) fn layers(&self) -> Vec<(String, u64)> {
        let graphs = self
            .verified
            .stages()
            .iter()
            .filter_map(|stage| match &stage.kind {
                TypedKind::Model { graph, .. } => Some(graph),
                TypedKind::Capability { .. }
                | TypedKind::Block { .. }
                | TypedKind::Output { .. } => None,
            });
        let mut layers = Vec::new();
        for graph in graphs {
            let mut graph = Graph::clone(graph);
            passes::optimise(&mut graph);
            for node in &graph.nodes {
                if !matches!(node.op, Op::Reshape) {
                    layers.push((node.op.name().to_owned(), products(&graph, node)));
                }
            }
        }
        layers
    }
}

/// Samples of all capabilities, as calls read them.
pub(crate) fn samples(output: &Output) -> Vec<u8> {
    let mut random = Random::new(5);
    let mut samples = Vec::new();
    for capability in (0..SAMPLES).flat_map(|_| &output.manifest.capabilities) {
        for _ in 0..capability.ty.elements() {
            let word = random.word();
            if capability.ty.element() == rune_abi::ElementType::F32 {
                let value = f32::from((word >> 16) as u16) / 10_430.0;
                samples.extend(value.to_le_bytes());
            } else {
                samples.extend(&word.to_le_bytes()[..capability.ty.element().size() as usize]);
            }
        }
    }
    samples
}

fn products(graph: &Graph, node: &Node) -> u64 {
    let depthwise = matches!(node.op, Op::DepthwiseConv2d { .. });
    let weighted = depthwise || matches!(node.op, Op::Conv2d { .. } | Op::FullyConnected { .. });
    let weights = node.inputs.get(1).copied().flatten().filter(|_| weighted);
    let Some(weights) = weights.map(|id| &graph.tensors[id]) else {
        return 0;
    };
    let outputs = graph.tensors[node.outputs[0]].elements() as u64;
    let channels = weights.shape[if depthwise { 3 } else { 0 }];
    outputs * weights.elements() as u64 / u64::from(channels)
}

/// 24 x 24 x 8 to 16 channels with windows of 3 x 3, in signed bytes.
fn convolution() -> Verified {
    let mut graph = Graph::default();
    let mut random = Random::new(3);
    let mut tensor = |name: &str, ty, shape: &[u32], scale: &[f32], zero: i32, data| {
        graph.tensors.push(Tensor {
            name: name.to_owned(),
            ty,
            shape: shape.to_vec(),
            quantization: Some(Quantization {
                scale: scale.to_vec(),
                zero_point: vec![zero; scale.len()],
                axis: 0,
            }),
            data,
        })
    };
    let mut bytes =
        |count: usize| -> Arc<[u8]> { (0..count).map(|_| random.word() as u8).collect() };
    let scales: Vec<f32> = (0..16_u8).map(|c| 0.004 + f32::from(c) * 0.0002).collect();
    let sums: Vec<f32> = scales.iter().map(|s| s * 0.05).collect();
    let x = tensor("x", DataType::I8, &[1, 24, 24, 8], &[0.05], -5, None);
    let w = tensor(
        "w",
        DataType::I8,
        &[16, 3, 3, 8],
        &scales,
        0,
        Some(bytes(16 * 72)),
    );
    let bias = (0..16_i32)
        .flat_map(|c| (c * 100 - 700).to_le_bytes())
        .collect();
    let b = tensor("b", DataType::I32, &[16], &sums, 0, Some(bias));
    let y = tensor("y", DataType::I8, &[1, 24, 24, 16], &[0.2], 3, None);
    graph.inputs = vec![x];
    graph.outputs = vec![y];
    graph.nodes = vec![Node {
        op: Op::Conv2d {
            window: Window {
                stride: [1, 1],
                dilation: [1, 1],
                pad: [1, 1],
            },
            activation: Activation::None,
        },
        inputs: vec![Some(x), Some(w), Some(b)],
        outputs: vec![y],
        variables: Vec::new(),
    }];
    pipeline(graph)
}

/// A model from a capability to an output.
fn pipeline(graph: Graph) -> Verified {
    let span = Span::default();
    let mut pipeline = Pipeline {
        name: "model".to_owned(),
        ..Pipeline::default()
    };
    let mut stage = |name: &str, kind, from| {
        let edge = |from| Edge {
            from,
            port: 0,
            source: span,
            span,
        };
        pipeline.stages.push(Stage {
            name: Spanned::new(name.to_owned(), span),
            kind,
            inputs: Option::into_iter(from).map(edge).collect(),
            declared_inputs: None,
            declared_outputs: None,
            args: Vec::new(),
            span,
        })
    };
    let raw = StageKind::Capability(Spanned::new(CapabilityKind::Raw, span));
    let capability = stage("x", raw, None);
    let file = StageKind::Model {
        path: Spanned::new("m.tflite".to_owned(), span),
        bytes: Arc::from([]),
    };
    let model = stage("m", file, Some(capability));
    let serial = StageKind::Output(Spanned::new(OutputKind::Serial, span));
    stage("serial", serial, Some(model));
    let graph = Arc::new(graph);
    let loaded = Side::new(&pipeline.stages, |id, _| {
        if id == model {
            Loaded::Model(graph.clone())
        } else {
            Loaded::None
        }
    });
    let (analysis, _) = check::analyse(Arc::new(pipeline), &loaded, &Wasmi::default());
    analysis.verified.expect("the pipeline is right")
}
