//! From a pipeline to a [`Verified`] one: arguments bound, every tensor typed, every law checked.
//!
//! The passes, in order: arguments, structure (cycles, counts, reachability), inference, instances. Each
//! reports all it finds; a pass that needs what an earlier one could not give is skipped.

mod infer;
mod instantiate;
mod structure;

use std::{fmt, ops::RangeInclusive, sync::Arc};

use rune_abi::{CapabilityKind, OutputKind};

use crate::{
    arena::Side,
    args::{ArgSpec, Bound, BoundArg, bind},
    block::{Block, BlockEngine, Instance, Many, Signature, Snapshot},
    diag::{Code, Diagnostic, has_errors},
    graph::{DataType, Graph},
    pipeline::{Edge, Pipeline, Stage, StageId, StageKind},
    ty::{PartialType, TensorType},
};

/// What a stage's file turned out to be.
#[derive(Clone, Debug)]
pub enum Loaded {
    /// The stage has no file: a capability or an output.
    None,
    /// A block.
    Block(Arc<Block>),
    /// A model.
    Model(Arc<Graph>),
    /// A model whose file leaves dimensions of its inputs open.
    Open(Arc<dyn OpenModel>),
    /// Its file could not be read, which has been reported; nothing more is said about this stage.
    Failed,
}

/// A model whose file leaves dimensions of its inputs open: the pipeline's types fix them.
pub trait OpenModel: fmt::Debug + Send + Sync {
    /// The element type of each input and its dimensions, `None` for one that is open.
    fn inputs(&self) -> &[(DataType, Vec<Option<u32>>)];
    /// How many outputs it has.
    fn outputs(&self) -> usize;
    /// The model with these shapes of its inputs.
    ///
    /// # Errors
    /// Why it does not take them.
    fn with(&self, shapes: &[Vec<u32>]) -> Result<Arc<Graph>, String>;
}

impl dyn OpenModel {
    /// The model with every open dimension 1, to tell of where no pipeline says what they are.
    pub fn smallest(&self) -> Option<Arc<Graph>> {
        let one = |dims: &Vec<Option<u32>>| dims.iter().map(|d| d.unwrap_or(1)).collect();
        let shapes: Vec<Vec<u32>> = self.inputs().iter().map(|(_, dims)| one(dims)).collect();
        self.with(&shapes).ok()
    }
}

/// All that is known of a pipeline after checking it, be it right or wrong.
#[derive(Clone, Debug)]
pub struct Analysis {
    /// The pipeline.
    pub pipeline: Arc<Pipeline>,
    /// The arguments of each stage, in the order of its [`specs`]; `None`: it was at fault, or is not
    /// given and has no default.
    pub args: Side<Stage, Vec<Option<BoundArg>>>,
    /// What is known of the type of each input, as its reader sees it.
    pub inputs: Side<Stage, Vec<PartialType>>,
    /// What is known of the type of each output.
    pub outputs: Side<Stage, Vec<PartialType>>,
    /// Present exactly when no diagnostic is an error and the pipeline is not partial.
    pub verified: Option<Verified>,
}

/// A pipeline that obeys every law, with all that code generation needs. Only [`analyse`] makes one.
#[derive(Clone, Debug)]
pub struct Verified {
    pipeline: Arc<Pipeline>,
    stages: Vec<TypedStage>,
}

/// A stage with all its types known.
#[derive(Clone, Debug)]
pub struct TypedStage {
    /// The stage in the pipeline.
    pub id: StageId,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: TypedKind,
    /// What feeds it: position of the stage in [`Verified::stages`] and its output.
    pub inputs: Vec<Input>,
    /// Types of its outputs.
    pub outputs: Vec<TensorType>,
}

/// Where an input of a stage comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// Position of the maker in [`Verified::stages`]; always before the reader.
    pub stage: usize,
    /// Which of its outputs.
    pub port: usize,
    /// The type the reader sees: the same elements, perhaps in another shape.
    pub ty: TensorType,
}

/// What a typed stage is.
#[derive(Clone, Debug)]
pub enum TypedKind {
    /// A source.
    Capability {
        /// Its kind.
        kind: CapabilityKind,
        /// Canonical names and values of its parameters, those without a value left out.
        params: Vec<(String, crate::args::Bound)>,
    },
    /// A block.
    Block {
        /// Canonical name.
        path: String,
        /// The block.
        block: Arc<Block>,
        /// Arguments and types.
        instance: Instance,
        /// What `init` left.
        snapshot: Arc<Snapshot>,
    },
    /// A model.
    Model {
        /// The path as written.
        path: String,
        /// The graph as imported, not yet optimised.
        graph: Arc<Graph>,
        /// The file.
        file: Arc<[u8]>,
    },
    /// A sink.
    Output {
        /// Its kind.
        kind: OutputKind,
        /// Canonical names and values of its parameters, those without a value left out.
        params: Vec<(String, crate::args::Bound)>,
    },
}

impl Verified {
    /// The pipeline that was verified.
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// The stages that an output depends on, each after what it reads.
    pub fn stages(&self) -> &[TypedStage] {
        &self.stages
    }
}

/// [`analyse`], where only a pipeline that obeys every law is of use.
pub fn verify(
    pipeline: Pipeline,
    loaded: &Side<Stage, Loaded>,
    engine: &dyn BlockEngine,
) -> (Option<Verified>, Vec<Diagnostic>) {
    let (analysis, found) = analyse(Arc::new(pipeline), loaded, engine);
    (analysis.verified, found)
}

/// Checks a pipeline. `loaded` has what each stage's file turned out to be, and `engine` runs the `init`
/// of blocks. Of a partial pipeline, or one with a block that is yet to run, nothing is reported that may only
/// follow from what is missing.
pub fn analyse(
    pipeline: Arc<Pipeline>,
    loaded: &Side<Stage, Loaded>,
    engine: &dyn BlockEngine,
) -> (Analysis, Vec<Diagnostic>) {
    let (mut analysis, mut found, late) = analyse_whole(pipeline, loaded, engine);
    if analysis.pipeline.partial || late {
        found.retain(|d| !may_follow_from_a_hole(d.code));
        analysis.verified = None;
    }
    (analysis, found)
}

/// Whether a finding may be the mere consequence of a stage, edge, argument or type that is missing.
fn may_follow_from_a_hole(code: Code) -> bool {
    [
        Code::MissingArgument,
        Code::CannotInfer,
        Code::UnusedStage,
        Code::UnreachableOutput,
        Code::InputCount,
        Code::NothingRuns,
        // A block may refuse what it is told too little.
        Code::BlockInit,
    ]
    .contains(&code)
}

/// [`analyse`], reporting as if the pipeline lacked nothing; and whether the `shape` of a block is yet to run.
fn analyse_whole(
    pipeline: Arc<Pipeline>,
    loaded: &Side<Stage, Loaded>,
    engine: &dyn BlockEngine,
) -> (Analysis, Vec<Diagnostic>, bool) {
    let mut found = Vec::new();
    let mut faulty = Side::filled(&pipeline.stages, false);
    let args = Side::new(&pipeline.stages, |id, stage| {
        let before = found.len();
        let bound = bind_stage(stage, &loaded[id], &mut found);
        faulty[id] = has_errors(&found[before..]);
        bound
    });
    let unknown = || Side::filled(&pipeline.stages, Vec::new());
    let mut analysis = Analysis {
        args,
        inputs: unknown(),
        outputs: unknown(),
        verified: None,
        pipeline: pipeline.clone(),
    };
    let args = &analysis.args;
    let Some(structure) = structure::check(&pipeline, loaded, args, &mut found) else {
        return (analysis, found, false);
    };
    let inferred = infer::infer(
        &pipeline, loaded, args, &faulty, &structure, engine, &mut found,
    );
    (analysis.inputs, analysis.outputs) = (inferred.inputs, inferred.outputs);
    if let Some(types) = inferred.types
        && !inferred.late
        && !has_errors(&found)
    {
        let args = &analysis.args;
        let stages = instantiate::stages(
            &pipeline, loaded, args, &structure, &types, engine, &mut found,
        );
        if let Some(stages) = stages
            && !has_errors(&found)
        {
            analysis.verified = Some(Verified { pipeline, stages });
        }
    }
    (analysis, found, inferred.late)
}

/// The specifications of a stage's arguments; `None` where its file failed.
pub fn specs(stage: &Stage, loaded: &Loaded) -> Option<Vec<ArgSpec>> {
    Some(match (&stage.kind, loaded) {
        (StageKind::Capability(kind), _) => {
            kind.value.spec().params.iter().map(ArgSpec::from).collect()
        }
        (StageKind::Output(kind), _) => {
            kind.value.spec().params.iter().map(ArgSpec::from).collect()
        }
        (StageKind::Block(_), Loaded::Block(block)) => block.signature.args.clone(),
        (StageKind::Model { .. }, _) => Vec::new(),
        (
            StageKind::Block(_),
            Loaded::None | Loaded::Model(_) | Loaded::Open(_) | Loaded::Failed,
        ) => return None,
    })
}

fn bind_stage(
    stage: &Stage,
    loaded: &Loaded,
    found: &mut Vec<Diagnostic>,
) -> Vec<Option<BoundArg>> {
    let Some(specs) = specs(stage, loaded) else {
        return Vec::new();
    };
    let (owner, at) = match &stage.kind {
        StageKind::Capability(kind) => {
            (format!("capability {}", kind.value.spec().name), kind.span)
        }
        StageKind::Output(kind) => (format!("output {}", kind.value.spec().name), kind.span),
        StageKind::Block(path) => (format!("block `{}`", path.value), path.span),
        StageKind::Model { path, .. } => ("a model".to_owned(), path.span),
    };
    bind(&specs, &stage.args, &owner, at, found)
}

/// How many inputs and outputs a stage has; `None` where that is not known or not fixed.
struct Arity {
    inputs: Option<RangeInclusive<usize>>,
    outputs: Option<usize>,
}

impl Arity {
    /// Of a stage with these arguments.
    fn new(stage: &Stage, loaded: &Loaded, args: &[Option<BoundArg>]) -> Self {
        let (inputs, outputs) = match (&stage.kind, loaded) {
            (StageKind::Capability(_), _) => (Some(0..=0), Some(1)),
            (StageKind::Output(_), _) => (None, Some(0)),
            (_, Loaded::Block(block)) => {
                let signature = &block.signature;
                let least = signature.inputs.len();
                let most = if signature.takes_many() {
                    least.max(rune_abi::limit::ITEMS)
                } else {
                    least
                };
                (Some(least..=most), outputs(signature, args))
            }
            (_, Loaded::Model(graph)) => {
                let count = graph.inputs.len();
                (Some(count..=count), Some(graph.outputs.len()))
            }
            (_, Loaded::Open(model)) => {
                let count = model.inputs().len();
                (Some(count..=count), Some(model.outputs()))
            }
            (_, Loaded::None | Loaded::Failed) => (None, None),
        };
        Self { inputs, outputs }
    }

    /// Whether a stage with this many edges can be worked on.
    fn is_fed(&self, edges: usize) -> bool {
        self.inputs.as_ref().is_none_or(|i| i.contains(&edges))
    }
}

/// How many outputs a block has; `None` where the argument that says so is at fault.
fn outputs(signature: &Signature, args: &[Option<BoundArg>]) -> Option<usize> {
    let ports = &signature.outputs;
    let Some(Many::Argument(name)) = ports.last().and_then(|p| p.many.as_ref()) else {
        return Some(ports.len());
    };
    let many = integer_arg(signature, args, name)?;
    Some(ports.len() - 1 + usize::try_from(many).ok()?)
}

/// The value of an integer argument of a block.
fn integer_arg(signature: &Signature, args: &[Option<BoundArg>], name: &str) -> Option<i64> {
    let index = signature.args.iter().position(|a| a.name == name)?;
    match args.get(index)?.as_ref()?.value {
        Bound::Integer(n) => Some(n),
        Bound::Float(_) | Bound::Text(_) | Bound::List(_) | Bound::Bytes(_) => None,
    }
}

/// Says that a dimension is zero or a tensor too large, if so.
fn check_size(ty: &TensorType, span: crate::diag::Span, found: &mut Vec<Diagnostic>) {
    let zero = ty.dims.iter().any(|d| d.bound() == 0);
    let elements = ty
        .dims
        .iter()
        .try_fold(1u64, |n, d| n.checked_mul(u64::from(d.bound())));
    let bounded = |d: &&crate::ty::Dim| matches!(d, crate::ty::Dim::AtMost(_));
    let rank = ty.dims.len();
    let (message, label) = if zero {
        let label = "no element fits in here: every dimension is at least 1";
        (format!("{ty} has a dimension of zero"), label.to_owned())
    } else if rank > rune_abi::limit::RANK {
        let label = format!("a tensor has at most {}", rune_abi::limit::RANK);
        (format!("{ty} has {rank} dimensions"), label)
    } else if elements.is_none_or(|n| n > crate::ty::MAX_ELEMENTS) {
        let most = crate::ty::MAX_ELEMENTS;
        let message = format!("{ty} has more than {most} elements");
        (message, "too large".to_owned())
    } else if ty.dims.iter().filter(bounded).count() > 1 {
        let label = "one number of elements cannot tell two dimensions";
        let message = format!("{ty} has more than one bounded dimension");
        (message, label.to_owned())
    } else {
        return;
    };
    found.push(Diagnostic::new(Code::BadDimension, span, message).at(label));
}

/// The step of the RUN that makes an edge, in words: the reader's name and which input.
fn edge_name(pipeline: &Pipeline, edge: &Edge) -> String {
    let from = &pipeline.stages[edge.from].name.value;
    if edge.port == 0 {
        from.clone()
    } else {
        format!("{from}.{}", edge.port)
    }
}
