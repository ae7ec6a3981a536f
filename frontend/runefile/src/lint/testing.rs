//! What the tests of lints compile in: a few blocks and models by their signatures alone, in memory.
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "tests name the few variants that they make"
)]

use std::sync::Arc;

use rune_abi::Dim;
use rune_ir::{
    arena::Side,
    args::{ArgSpec, ArgType, Bound},
    block::{
        Block, BlockEngine, DimExpr, InitError, Instance, Port, PortDim, PortElement, RunningBlock,
        Signature, Snapshot,
    },
    check::{Loaded, analyse},
    diag::{Code, Diagnostic, FileId, has_errors},
    env::Env,
    graph::{DataType, Graph, Node, Quantization, Tensor},
    op::Op,
    pipeline::StageKind,
    ty::ElementType,
};

use super::{Subject, edit, run};
use crate::{Layer, lower, parse};

/// The findings of one code in a text after `FROM runicos/base`: lines, counted with that one, and messages.
pub(crate) fn found(code: Code, text: &str) -> Vec<String> {
    found_whole(code, &with_from(text))
}

/// As [`found`], of a text that has a FROM of its own.
pub(crate) fn found_whole(code: Code, text: &str) -> Vec<String> {
    let line = |d: &Diagnostic| text[..d.primary.span.start as usize].matches('\n').count() + 1;
    of(code, text)
        .iter()
        .map(|d| format!("{}: {}", line(d), d.message))
        .collect()
}

/// Asserts that there is no finding of a code.
#[track_caller]
pub(crate) fn none(code: Code, text: &str) {
    none_whole(code, &with_from(text));
}

/// As [`none`], of a text that has a FROM of its own.
#[track_caller]
pub(crate) fn none_whole(code: Code, text: &str) {
    let found = found_whole(code, text);
    assert!(found.is_empty(), "{text}\n{found:#?}");
}

/// The text after the first fix of the first finding of a code, without the FROM.
#[track_caller]
pub(crate) fn fixed(code: Code, text: &str) -> String {
    let whole = with_from(text);
    let found = of(code, &whole);
    let fix = found.iter().find_map(|d| d.fixes.first());
    let fix = fix.unwrap_or_else(|| panic!("no fix in {whole}\n{found:#?}"));
    let after = edit::apply(&whole, &fix.edits);
    after.strip_prefix(FROM).expect("the FROM stays").to_owned()
}

const FROM: &str = "FROM runicos/base\n";

fn with_from(text: &str) -> String {
    format!("{FROM}{text}")
}

fn of(code: Code, text: &str) -> Vec<Diagnostic> {
    let (tree, mut found) = parse(FileId(0), text.as_bytes());
    let layers = [Layer::own(tree)];
    let (pipeline, more) = lower(&layers, &World, "test");
    found.extend(more);
    let pipeline = pipeline.expect("the text has stages");
    let loaded = Side::new(&pipeline.stages, |_, stage| match &stage.kind {
        StageKind::Capability(_) | StageKind::Output(_) => Loaded::None,
        StageKind::Block(path) => signature(&path.value).map_or(Loaded::Failed, |signature| {
            Loaded::Block(Arc::new(Block {
                bytes: Arc::from([]),
                signature,
                object: rune_ir::object::Object::default(),
            }))
        }),
        StageKind::Model { path, .. } => Loaded::Model(Arc::new(model(&path.value))),
    });
    let (analysis, more) = analyse(Arc::new(pipeline), &loaded, &Engine);
    found.extend(more);
    let faulty = text.contains("nonsense");
    assert!(faulty || !has_errors(&found), "{text}\n{found:#?}");
    let subject = Subject {
        text,
        tree: &layers[0].tree,
        below: &layers[1..],
        pipeline: &analysis.pipeline,
        loaded: &loaded,
        analysis: &analysis,
        env: &World,
    };
    run(&subject, &mut found);
    found.retain(|d| d.code == code);
    found
}

struct World;

impl Env for World {
    fn file(&self, path: &str) -> Result<Arc<[u8]>, String> {
        // Models of two names are of two contents.
        Ok(format!("one\ntwo\n{path}").into_bytes().into())
    }

    fn block(&self, _name: &str) -> Option<Arc<[u8]>> {
        None
    }

    fn resolve_block(&self, name: &str) -> Option<String> {
        let last = name.rsplit('/').next().unwrap_or(name);
        let path = format!("runicos/{}", last.replace('_', "-"));
        signature(&path).is_some().then_some(path)
    }

    fn blocks(&self) -> Vec<String> {
        Vec::new()
    }

    fn has_image(&self, name: &str) -> bool {
        name.starts_with("runicos/base")
    }

    fn images(&self) -> Vec<String> {
        vec!["runicos/base".to_owned()]
    }
}

/// The blocks: types that variables may have, type of the input, types of the outputs, and arguments as
/// `name=default` or `name!` where there is none, of the kind that the default looks like.
const BLOCKS: &[(&str, &str, &str, &[&str], &str)] = &[
    ("argmax", "f32 u8", "T[...]", &["u32[?]"], "axis=all"),
    (
        "audio-float-conversion",
        "",
        "i16[...s]",
        &["f32[...s]"],
        "",
    ),
    (
        "audio-frontend",
        "",
        "i16[n]",
        &["i8[49]"],
        "hz=16000 window-ms=30 step-ms=20 pcan=1 pcan-strength=0.95 log=1 log-shift=6",
    ),
    (
        "binary-classification",
        "f32 u8",
        "T[...s]",
        &["u32[1]"],
        "threshold=0.5",
    ),
    ("cast", "f32 u8 i8 i16 u32", "T[...s]", &["U[...s]"], ""),
    ("concat", "f32 u8", "T[...s]", &["T[...s]"], ""),
    ("crop", "u8 f32", "T[...]", &["T[?]"], "width! height!"),
    (
        "dequantize",
        "i8 u8",
        "T[...s]",
        &["f32[...s]"],
        "scale!. zero-point=0",
    ),
    ("fft", "i16 f32", "T[n]", &["f32[n]"], ""),
    ("frame", "i16 f32", "T[n]", &["T[length]"], "length! hop=0"),
    (
        "image-normalization",
        "u8 f32",
        "T[...s]",
        &["f32[...s]"],
        "mean=[] std=[] low=0.0 high=1.0",
    ),
    (
        "image-resize",
        "u8 f32",
        "T[...]",
        &["T[?]"],
        "width! height!",
    ),
    (
        "label",
        "u32 u8",
        "T[...s]",
        &["utf8[...s]"],
        "labels=[] wordlist=-",
    ),
    ("modulo", "f32 i32", "T[...s]", &["T[...s]"], "modulus=1.0"),
    (
        "most-confident-indices",
        "f32 u8",
        "T[n]",
        &["u32[count]"],
        "count=1",
    ),
    ("normalize", "f32", "T[...s]", &["T[...s]"], ""),
    (
        "quantize",
        "i8 u8",
        "f32[...s]",
        &["T[...s]"],
        "scale!. zero-point=0",
    ),
    (
        "resample",
        "i16 f32",
        "T[n]",
        &["T[n]"],
        "from! to! stream=true",
    ),
    ("reshape", "f32 u8", "T[...]", &["T[?]"], "shape=[]"),
    (
        "smooth-scores",
        "f32 u8",
        "T[n]",
        &["u32[1]", "f32[1]"],
        "threshold=0.6",
    ),
    ("softmax", "f32", "T[...s]", &["T[...s]"], "axis=all"),
    (
        "threshold",
        "f32 u8",
        "T[...s]",
        &["T[...s]"],
        "threshold=0.5 mode=binary",
    ),
];

fn signature(path: &str) -> Option<Signature> {
    let name = path.strip_prefix("runicos/")?;
    let (_, elements, input, outputs, args) = BLOCKS.iter().find(|b| b.0 == name)?;
    let elements: Vec<ElementType> = elements.split_whitespace().filter_map(element).collect();
    let is_used = |v: &str| input.starts_with(v) || outputs.iter().any(|o| o.starts_with(v));
    let used = |v: &&str| is_used(v) && !elements.is_empty();
    let types: Vec<(String, Vec<ElementType>)> = ["T[", "U["]
        .into_iter()
        .filter(used)
        .map(|v| (v[..1].to_owned(), elements.clone()))
        .collect();
    Some(Signature {
        name: name.to_owned(),
        version: "1.0.0".to_owned(),
        doc: String::new(),
        category: None,
        example: String::new(),
        inputs: vec![port(input)],
        outputs: outputs.iter().map(|o| port(o)).collect(),
        args: args.split_whitespace().map(argument).collect(),
        types,
    })
}

fn element(name: &str) -> Option<ElementType> {
    ElementType::ALL.into_iter().find(|e| e.name() == name)
}

fn port(text: &str) -> Port {
    let (name, dims) = text.split_once('[').expect("a port has dimensions");
    let dims = dims.trim_end_matches(']').split(", ").map(|dim| match dim {
        "..." => PortDim::Any,
        "?" => PortDim::Told,
        "...s" => PortDim::Rest("s".to_owned()),
        number if number.parse::<i64>().is_ok() => {
            PortDim::One(DimExpr::Number(number.parse().expect("just tried")))
        }
        name => PortDim::One(DimExpr::Name(name.to_owned())),
    });
    Port {
        name: "port".to_owned(),
        doc: String::new(),
        element: match (element(name), name) {
            (Some(element), _) => PortElement::Fixed(element),
            (None, "T") => PortElement::Variable(0),
            (None, _) => PortElement::Variable(1),
        },
        dims: dims.collect(),
        many: None,
    }
}

fn argument(text: &str) -> ArgSpec {
    let (name, default) = text.split_once('=').unwrap_or((text, ""));
    let (name, required) = match name.split_once('!') {
        Some((name, kind)) => (name, Some(kind)),
        None => (name, None),
    };
    let any = ArgType::Integer {
        min: -1 << 30,
        max: 1 << 30,
    };
    let float = ArgType::Float {
        min: -1e30,
        max: 1e30,
    };
    let (ty, default) = match (required, default) {
        (Some("."), _) => (float, None),
        (Some(_), _) => (any, None),
        (None, "[]") => (ArgType::List, Some(Bound::List(Arc::from([])))),
        (None, "true") => (ArgType::Bool, Some(Bound::Integer(1))),
        (None, "-") => (ArgType::Text { words: Vec::new() }, None),
        (None, text) => match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(n), _) => (any, Some(Bound::Integer(n))),
            (_, Ok(x)) => (float, Some(Bound::Float(x))),
            _ => (
                ArgType::Text { words: Vec::new() },
                Some(Bound::Text(text.to_owned())),
            ),
        },
    };
    ArgSpec {
        name: name.to_owned(),
        aliases: Vec::new(),
        ty,
        optional: required.is_none(),
        default,
        unit: String::new(),
        doc: String::new(),
    }
}

/// Tells shapes, and runs nothing.
struct Engine;

impl BlockEngine for Engine {
    fn shape(&self, block: &Block, question: &Instance) -> Result<Vec<Vec<Dim>>, InitError> {
        let input = question.inputs[0].shape();
        let list = |index: usize| match &question.args[index] {
            Bound::List(items) => items.iter().map(|i| i.parse().expect("a number")).collect(),
            _ => Vec::new(),
        };
        let size = |index: usize| match question.args[index] {
            Bound::Integer(n) => n as u32,
            _ => 1,
        };
        let shape: Vec<u32> = match block.signature.name.as_str() {
            "argmax" => vec![1],
            "reshape" => list(0),
            // Width and height, and the channels that there were.
            _ => [vec![size(1), size(0)], input[2..].to_vec()].concat(),
        };
        Ok(vec![shape.into_iter().map(Dim::Exact).collect()])
    }

    fn snapshot(&self, _: &Block, _: &Instance) -> Result<Arc<Snapshot>, InitError> {
        Ok(Arc::new(Snapshot::default()))
    }

    fn start(&self, _: &Block, _: &Instance) -> Result<Box<dyn RunningBlock>, InitError> {
        Err(InitError::Broken("nothing runs here".to_owned()))
    }
}

/// `net.tflite`, F32[4] to F32[4]; `softmax.tflite`, which ends in a softmax; `raw.tflite`, which quantises
/// its input by a scale of one; and `int8.tflite`, I8[4] to I8[4], of scale 0.5 and zero point -3.
fn model(path: &str) -> Graph {
    let name = path.trim_start_matches('/');
    let (ty, quantization) = if name == "int8.tflite" {
        let quantization = Quantization {
            scale: vec![0.5],
            zero_point: vec![-3],
            axis: 0,
        };
        (DataType::I8, Some(quantization))
    } else {
        (DataType::F32, None)
    };
    let tensor = |ty, quantization| Tensor {
        name: "tensor".to_owned(),
        ty,
        shape: vec![4],
        quantization,
        data: None,
    };
    let mut graph = Graph::default();
    let input = graph.tensors.push(tensor(ty, quantization.clone()));
    let output = graph.tensors.push(tensor(ty, quantization));
    let mut node = |op, from, to| {
        graph.nodes.push(Node {
            variables: Vec::new(),
            op,
            inputs: vec![Some(from)],
            outputs: vec![to],
        });
    };
    match name {
        "softmax.tflite" => node(Op::Softmax { beta: 1.0 }, input, output),
        "raw.tflite" => {
            let scale = Quantization {
                scale: vec![1.0],
                zero_point: vec![0],
                axis: 0,
            };
            let inner = graph.tensors.push(tensor(DataType::I8, Some(scale)));
            graph.nodes.push(Node {
                variables: Vec::new(),
                op: Op::Quantize,
                inputs: vec![Some(input)],
                outputs: vec![inner],
            });
            graph.nodes.push(Node {
                variables: Vec::new(),
                op: Op::Dequantize,
                inputs: vec![Some(inner)],
                outputs: vec![output],
            });
        }
        _ => node(Op::Relu, input, output),
    }
    graph.inputs = vec![input];
    graph.outputs = vec![output];
    graph
}

#[test]
fn the_table_is_complete_and_in_order() {
    let codes: Vec<Code> = super::LINTS.iter().map(|l| l.code).collect();
    let known = Code::ALL.iter().filter(|c| c.is_lint());
    let known: Vec<Code> = known
        .copied()
        .filter(|c| *c != Code::UnusedIgnore)
        .collect();
    assert_eq!(codes, known);
}
