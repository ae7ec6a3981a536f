//! Pipelines for the checker, made by hand of a few words.

use std::{fmt::Write, sync::Arc};

use rune_abi::{CapabilityKind, OutputKind};
use rune_ir::{
    arena::{Arena, Side},
    args::{ArgSpec, ArgType, Argument, Bound, Value},
    block::{
        Block, BlockEngine, DimExpr, InitError, Instance, Many, Port, PortDim, PortElement,
        RunningBlock, Signature, Snapshot,
    },
    check::{Loaded, OpenModel, Verified, verify},
    diag::{Diagnostic, FileId, Span, Spanned},
    graph::{DataType, Graph, Tensor},
    object::Object,
    pipeline::{Edge, Pipeline, Stage, StageId, StageKind},
    ty::{Dim, ElementType, PartialType, TensorType},
};

/// Accepts every instance.
struct Engine;

impl BlockEngine for Engine {
    /// Each output is all inputs, one after the other.
    fn shape(&self, _: &Block, question: &Instance) -> Result<Vec<Vec<Dim>>, InitError> {
        let elements: u64 = question.inputs.iter().map(TensorType::elements).sum();
        let elements = u32::try_from(elements).unwrap();
        if elements > 100 {
            return Err(InitError::Refused(format!("{elements} are too many")));
        }
        Ok(vec![vec![Dim::Exact(elements)]; question.outputs.len()])
    }

    fn snapshot(&self, _: &Block, _: &Instance) -> Result<Arc<Snapshot>, InitError> {
        Ok(Arc::default())
    }

    fn start(&self, _: &Block, _: &Instance) -> Result<Box<dyn RunningBlock>, InitError> {
        Err(InitError::Broken("not for running".to_owned()))
    }
}

/// A pipeline in the making: its text exists only so that spans point into it.
#[derive(Default)]
pub(crate) struct Builder {
    text: String,
    pub(crate) stages: Vec<(Stage, Loaded, Vec<String>)>,
}

impl Builder {
    fn place(&mut self, words: &str) -> Span {
        let start = self.text.len();
        let _ = write!(self.text, "{words} ");
        Span::new(FileId(0), start, start + words.len())
    }

    /// A stage; `from` names what feeds it (`a.1` is output 1 of `a`), and `types` is as in `F32[2] -> _`.
    pub(crate) fn stage(
        mut self,
        name: &str,
        kind: &str,
        from: &str,
        types: &str,
        args: &str,
    ) -> Self {
        let span = self.place(kind);
        let (kind, loaded) = match (kind, CapabilityKind::from_name(kind)) {
            (_, Some(kind)) => (
                StageKind::Capability(Spanned::new(kind, span)),
                Loaded::None,
            ),
            ("SERIAL", _) => (
                StageKind::Output(Spanned::new(OutputKind::Serial, span)),
                Loaded::None,
            ),
            (model, _) if model.starts_with("model ") => (
                StageKind::Model {
                    path: Spanned::new("m.tflite".to_owned(), span),
                    bytes: Arc::new([]),
                },
                Loaded::Model(Arc::new(model_of(&model[6..]))),
            ),
            (model, _) if model.starts_with("open ") => (
                StageKind::Model {
                    path: Spanned::new("m.tflite".to_owned(), span),
                    bytes: Arc::new([]),
                },
                Loaded::Open(Arc::new(OpenOf::new(&model[5..]))),
            ),
            (signature, _) => (
                StageKind::Block(Spanned::new("block".to_owned(), span)),
                Loaded::Block(Arc::new(Block {
                    bytes: Arc::new([]),
                    signature: signature_of(signature),
                    object: Object::default(),
                })),
            ),
        };
        let mut declared = |side: &str| -> Option<Vec<Spanned<PartialType>>> {
            let types = split(side);
            (!types.is_empty()).then(|| {
                types
                    .iter()
                    .map(|t| Spanned::new(type_of(t), self.place(t)))
                    .collect()
            })
        };
        let (inputs, outputs) = types.split_once("->").unwrap_or(("", types));
        let (declared_inputs, declared_outputs) = (declared(inputs), declared(outputs));
        let args = args
            .split_whitespace()
            .map(|arg| {
                let (name, value) = arg.split_once('=').unwrap();
                Argument {
                    name: Spanned::new(name.to_owned(), self.place(name)),
                    value: Spanned::new(
                        value
                            .parse()
                            .map_or(Value::Text(value.to_owned()), Value::Integer),
                        self.place(value),
                    ),
                    text: value.to_owned(),
                }
            })
            .collect();
        let name = Spanned::new(name.to_owned(), self.place(name));
        let stage = Stage {
            span: span.to(name.span),
            name,
            kind,
            inputs: Vec::new(),
            declared_inputs,
            declared_outputs,
            args,
        };
        let from = from.split_whitespace().map(str::to_owned).collect();
        self.stages.push((stage, loaded, from));
        self
    }

    pub(crate) fn out(self, from: &str) -> Self {
        self.stage("out", "SERIAL", from, "", "")
    }

    /// Checks it with its stages in the order that `keys` sorts them into.
    pub(crate) fn check(mut self, keys: &[u32]) -> Checked {
        let mut order: Vec<usize> = (0..self.stages.len()).collect();
        order.sort_by_key(|i| keys.get(*i).copied().unwrap_or_default());
        let names: Vec<String> = order
            .iter()
            .map(|i| self.stages[*i].0.name.value.clone())
            .collect();
        let (mut stages, mut files) = (Arena::default(), Vec::new());
        for i in order {
            let (mut stage, loaded, from) = self.stages[i].clone();
            for step in from {
                let (name, port) = step.split_once('.').unwrap_or((&step, "0"));
                let index = names.iter().position(|n| n == name).unwrap();
                stage.inputs.push(Edge {
                    from: StageId::from_index(index),
                    port: port.parse().unwrap(),
                    source: self.place(&step),
                    span: self.place(&step),
                });
            }
            stages.push(stage);
            files.push(loaded);
        }
        let whole = Span::new(FileId(0), 0, self.text.len());
        let pipeline = Pipeline {
            stages,
            whole,
            ..Pipeline::default()
        };
        let loaded = Side::new(&pipeline.stages, |id, _| files[id.index()].clone());
        let (verified, found) = verify(pipeline, &loaded, &Engine);
        for diagnostic in &found {
            for label in std::iter::once(&diagnostic.primary).chain(&diagnostic.secondary) {
                let Span { start, end, .. } = label.span;
                assert!(start <= end && end <= whole.end, "{diagnostic:?}");
            }
        }
        assert_eq!(
            verified.is_some(),
            !rune_ir::diag::has_errors(&found),
            "a result exactly when there is no error: {found:?}"
        );
        Checked { verified, found }
    }

    pub(crate) fn codes(self) -> String {
        self.check(&[]).codes()
    }

    pub(crate) fn types(self, name: &str) -> String {
        let checked = self.check(&[]);
        assert!(checked.verified.is_some(), "{:#?}", checked.found);
        checked.types(name)
    }
}

pub(crate) struct Checked {
    pub(crate) verified: Option<Verified>,
    pub(crate) found: Vec<Diagnostic>,
}

impl Checked {
    /// `in, in -> out`, as the edges see them.
    pub(crate) fn types(&self, name: &str) -> String {
        let stages = self.verified.as_ref().unwrap().stages();
        let stage = stages.iter().find(|s| s.name == name).unwrap();
        let inputs: Vec<String> = stage.inputs.iter().map(|i| i.ty.to_string()).collect();
        let outputs: Vec<String> = stage.outputs.iter().map(ToString::to_string).collect();
        format!("{} -> {}", inputs.join(", "), outputs.join(", "))
    }

    pub(crate) fn codes(&self) -> String {
        let mut codes: Vec<&str> = self.found.iter().map(|d| d.code.number()).collect();
        codes.sort_unstable();
        codes.join(" ")
    }

    /// All that is said, in the order of the text.
    pub(crate) fn said(&self) -> Vec<String> {
        let mut said: Vec<String> = self
            .found
            .iter()
            .map(|d| format!("{} {}", d.code, d.message))
            .collect();
        said.sort();
        said
    }
}

/// The items of a list with brackets in them.
fn split(list: &str) -> Vec<String> {
    let mut items = vec![String::new()];
    let mut depth = 0;
    for c in list.chars() {
        depth += i32::from(c == '[') - i32::from(c == ']');
        if c == ',' && depth == 0 {
            items.push(String::new());
        } else if let Some(last) = items.last_mut() {
            last.push(c);
        }
    }
    items
        .iter()
        .map(|i| i.trim().to_owned())
        .filter(|i| !i.is_empty())
        .collect()
}

/// `F32[2, <=n]`: the word and the dimensions.
fn parts(text: &str) -> (&str, Option<Vec<&str>>) {
    match text.trim_end_matches(']').split_once('[') {
        Some((word, dims)) => (
            word,
            Some(
                dims.split(',')
                    .map(str::trim)
                    .filter(|d| !d.is_empty())
                    .collect(),
            ),
        ),
        None => (text, None),
    }
}

fn element_of(word: &str) -> Option<ElementType> {
    ElementType::ALL.into_iter().find(|e| e.to_string() == word)
}

pub(crate) fn type_of(text: &str) -> PartialType {
    let (word, dims) = parts(text);
    let dim = |d: &&str| match d.strip_prefix("<=") {
        _ if *d == "_" => None,
        Some(bound) => Some(Dim::AtMost(bound.parse().unwrap())),
        None => Some(Dim::Exact(d.parse().unwrap())),
    };
    PartialType {
        element: element_of(word),
        dims: dims.map(|dims| dims.iter().map(dim).collect()),
    }
}

/// A model of one input whose output has the input's dimensions where it has `_`; it takes no batch of 13.
#[derive(Debug)]
struct OpenOf {
    output: String,
    inputs: Vec<(DataType, Vec<Option<u32>>)>,
}

impl OpenOf {
    /// `F32[_, 2] -> F32[_, 1]`.
    fn new(text: &str) -> Self {
        let (input, output) = text.split_once("->").unwrap();
        let (word, dims) = parts(input.trim());
        let dims = dims.unwrap().iter().map(|d| d.parse().ok()).collect();
        Self {
            output: output.trim().to_owned(),
            inputs: vec![(DataType::Element(element_of(word).unwrap()), dims)],
        }
    }
}

impl OpenModel for OpenOf {
    fn inputs(&self) -> &[(DataType, Vec<Option<u32>>)] {
        &self.inputs
    }

    fn outputs(&self) -> usize {
        1
    }

    fn with(&self, shapes: &[Vec<u32>]) -> Result<Arc<Graph>, String> {
        if shapes[0][0] == 13 {
            return Err("a batch of 13 brings bad luck".to_owned());
        }
        let mut given = shapes[0].iter();
        let (word, dims) = parts(&self.output);
        let dims: Vec<String> = dims
            .unwrap()
            .iter()
            .map(|d| d.replace('_', &given.next().unwrap().to_string()))
            .collect();
        let text = format!("F32{:?} -> {word}[{}]", shapes[0], dims.join(", "));
        Ok(Arc::new(model_of(&text)))
    }
}

/// `F32[1, 2] -> BOOL[1]`.
fn model_of(text: &str) -> Graph {
    let mut graph = Graph::default();
    let (inputs, outputs) = text.split_once("->").unwrap();
    for (side, is_input) in [(inputs, true), (outputs, false)] {
        for port in split(side) {
            let (word, dims) = parts(&port);
            let mut tensor = Tensor {
                name: port.clone(),
                ty: element_of(word).map_or(DataType::Bool, DataType::Element),
                shape: dims.unwrap().iter().map(|d| d.parse().unwrap()).collect(),
                quantization: None,
                data: None,
            };
            // A graph without nodes has constant outputs.
            tensor.data = (!is_input).then(|| vec![0; tensor.bytes()].into());
            let id = graph.tensors.push(tensor);
            if is_input {
                graph.inputs.push(id);
            } else {
                graph.outputs.push(id);
            }
        }
    }
    graph
}

/// `T[n, ...s] -> F32[<=n]`, `+` after the last input for many of it; T is F32 or U8, D is F64 or I8, and
/// `count` is an integer argument, 3 by default.
fn signature_of(text: &str) -> Signature {
    let expr = |text: &str| -> DimExpr {
        let factor = |word: &str| {
            word.parse()
                .map_or_else(|_| DimExpr::Name(word.to_owned()), DimExpr::Number)
        };
        match text.split_once('*') {
            Some((a, b)) => DimExpr::Mul(Box::new(factor(a)), Box::new(factor(b))),
            None => match text.split_once('-') {
                Some((a, b)) => DimExpr::Sub(Box::new(factor(a)), Box::new(factor(b))),
                None => factor(text),
            },
        }
    };
    let ports = |side: &str| -> Vec<Port> {
        split(side)
            .iter()
            .map(|port| {
                let (many, port) = match port.strip_suffix('+') {
                    Some(port) => (true, port),
                    None => (false, port.as_str()),
                };
                let (word, dims) = parts(port);
                Port {
                    name: word.to_lowercase(),
                    doc: String::new(),
                    many: many.then_some(Many::OneOrMore),
                    element: match word {
                        "T" => PortElement::Variable(0),
                        "D" => PortElement::Variable(1),
                        word => PortElement::Fixed(element_of(word).unwrap()),
                    },
                    dims: dims
                        .unwrap()
                        .iter()
                        .map(|d| match (d.strip_prefix("<="), d.strip_prefix("...")) {
                            (Some(bound), _) => PortDim::AtMost(expr(bound)),
                            (_, Some("")) => PortDim::Any,
                            (_, Some(rest)) => match rest.strip_prefix("<=") {
                                Some(rest) => PortDim::RestAtMost(rest.to_owned()),
                                None => PortDim::Rest(rest.to_owned()),
                            },
                            (None, None) if *d == "?" => PortDim::Told,
                            (None, None) => PortDim::One(expr(d)),
                        })
                        .collect(),
                }
            })
            .collect()
    };
    let (inputs, outputs) = text.split_once("->").unwrap();
    Signature {
        name: "block".to_owned(),
        version: "1.0.0".to_owned(),
        doc: String::new(),
        category: None,
        example: String::new(),
        types: vec![
            ("T".to_owned(), vec![ElementType::F32, ElementType::U8]),
            ("D".to_owned(), vec![ElementType::F64, ElementType::I8]),
        ],
        inputs: ports(inputs),
        outputs: ports(outputs),
        args: vec![ArgSpec {
            name: "count".to_owned(),
            aliases: Vec::new(),
            ty: ArgType::Integer {
                min: 0,
                max: 1 << 40,
            },
            default: Some(Bound::Integer(3)),
            optional: false,
            unit: String::new(),
            doc: String::new(),
        }],
    }
}

pub(crate) fn new() -> Builder {
    Builder::default()
}

/// `RAW<given> -> block -> SERIAL`.
pub(crate) fn block(given: &str, signature: &str) -> Builder {
    new()
        .stage("x", "RAW", "", given, "")
        .stage("b", signature, "x", "", "")
        .out("b")
}
