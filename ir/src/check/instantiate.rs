//! Makes each stage concrete: picks a block's variant and runs its `init`; checks a model's graph.

use rune_abi::ParamSpec;

use crate::{
    arena::Side,
    args::{Bound, BoundArg},
    block::{BlockEngine, InitError, Instance},
    check::{
        Input, Loaded, TypedKind, TypedStage,
        infer::{Args, Types},
        structure::Structure,
    },
    diag::{Code, Diagnostic, Span},
    graph::Graph,
    pipeline::{Pipeline, Stage, StageKind},
};

/// The stages in execution order; `None` if one has no file, which has been reported, or a block is yet to run.
pub(super) fn stages(
    pipeline: &Pipeline,
    loaded: &Side<Stage, Loaded>,
    args: &Args,
    structure: &Structure,
    types: &Types,
    engine: &dyn BlockEngine,
    found: &mut Vec<Diagnostic>,
) -> Option<Vec<TypedStage>> {
    let mut position = Side::filled(&pipeline.stages, usize::MAX);
    let mut stages = Vec::new();
    let mut late = false;
    for &id in &structure.order {
        let stage = &pipeline.stages[id];
        let inputs = stage
            .inputs
            .iter()
            .zip(&types.inputs[id])
            .map(|(edge, ty)| Input {
                stage: position[edge.from],
                port: edge.port as usize,
                ty: ty.clone(),
            })
            .collect();
        let kind = match (&stage.kind, &loaded[id]) {
            (StageKind::Capability(kind), _) => TypedKind::Capability {
                kind: kind.value,
                params: params(kind.value.spec().params, &args[id]),
            },
            (StageKind::Output(kind), _) => TypedKind::Output {
                kind: kind.value,
                params: params(kind.value.spec().params, &args[id]),
            },
            (StageKind::Block(path), Loaded::Block(block)) => {
                let instance = Instance {
                    export: block.signature.export(&types.variables[id]),
                    args: values(&args[id]),
                    inputs: types.ports[id][0].clone(),
                    outputs: types.ports[id][1].clone(),
                };
                match engine.snapshot(block, &instance) {
                    Ok(snapshot) => TypedKind::Block {
                        path: path.value.clone(),
                        block: block.clone(),
                        instance,
                        snapshot,
                    },
                    Err(InitError::Later) => {
                        late = true;
                        continue;
                    }
                    Err(error) => {
                        let subject = Subject {
                            stage,
                            path: &path.value,
                            span: path.span,
                            export: "init",
                        };
                        found.push(subject.fault(error));
                        continue;
                    }
                }
            }
            (StageKind::Model { path, bytes }, Loaded::Model(_) | Loaded::Open(_)) => {
                let graph = types.models[id].as_ref()?;
                if let Err(error) = graph.check() {
                    found.push(
                        Diagnostic::new(
                            Code::UnsupportedModel,
                            path.span,
                            format!("cannot use model `{}`: {error}", path.value),
                        )
                        .at("this file"),
                    );
                    continue;
                }
                found.extend(repaired(graph, &path.value, path.span));
                TypedKind::Model {
                    path: path.value.clone(),
                    graph: graph.clone(),
                    file: bytes.clone(),
                }
            }
            (StageKind::Block(_) | StageKind::Model { .. }, _) => return None,
        };
        position[id] = stages.len();
        stages.push(TypedStage {
            id,
            name: stage.name.value.clone(),
            kind,
            inputs,
            outputs: types.outputs[id].clone(),
        });
    }
    (!late).then_some(stages)
}

/// Most repairs of one model that are told.
const REPAIRS: usize = 8;

/// Says what of a model's file was put right.
fn repaired(graph: &Graph, path: &str, span: Span) -> Option<Diagnostic> {
    let (first, others) = graph.repairs.split_first()?;
    let message = format!("model `{path}` is read otherwise than it is written: {first}");
    let diagnostic = Diagnostic::new(Code::RepairedModel, span, message).at("this file");
    let (shown, rest) = others.split_at(others.len().min(REPAIRS));
    let diagnostic = shown.iter().fold(diagnostic, Diagnostic::note);
    Some(if rest.is_empty() {
        diagnostic
    } else {
        diagnostic.note(format!("and {} more like these", rest.len()))
    })
}

/// Parameters that have a value, by name.
fn params(specs: &[ParamSpec], args: &[Option<BoundArg>]) -> Vec<(String, Bound)> {
    specs
        .iter()
        .zip(args)
        .filter_map(|(spec, arg)| Some((spec.name.to_owned(), arg.as_ref()?.value.clone())))
        .collect()
}

/// The values of arguments, in order.
pub(super) fn values(args: &[Option<BoundArg>]) -> Vec<Bound> {
    args.iter().flatten().map(|a| a.value.clone()).collect()
}

/// A block that code of its own ran for while compiling.
pub(super) struct Subject<'a> {
    pub(super) stage: &'a Stage,
    /// Of the block, as written.
    pub(super) path: &'a str,
    /// Where the path is written.
    pub(super) span: Span,
    /// What was called.
    pub(super) export: &'a str,
}

impl Subject<'_> {
    /// What to say when it failed.
    pub(super) fn fault(&self, error: InitError) -> Diagnostic {
        let Self {
            stage,
            path,
            span,
            export,
        } = self;
        let fault = |code, message: String| Diagnostic::new(code, *span, message);
        match error {
            InitError::Later => self.broke("it has not run"),
            InitError::Refused(reason) => {
                let args = stage
                    .args
                    .iter()
                    .map(|a| a.name.span.to(a.value.span))
                    .reduce(Span::to);
                let diagnostic = fault(
                    Code::BlockInit,
                    format!("`{}` refuses this: {reason}", stage.name.value),
                )
                .at("said by the block itself");
                match args {
                    Some(args) => diagnostic.also(args, "its arguments"),
                    None => diagnostic,
                }
            }
            InitError::AddressDependent(what) => fault(
                Code::BlockAddress,
                format!("{export} of block `{path}` depends on its address: {what}"),
            )
            .at("cannot be run while compiling")
            .hint(format!(
                "keep pointers as pointers: do not hash, scale or print them in {export}"
            )),
            InitError::Endless(what) => self.broke(&what).hint(format!(
                "look for a loop in `{export}` that does not end; data that takes so long to make is made before and given as a RESOURCE"
            )),
            InitError::Trapped(what) => self.broke(&what).hint(format!(
                "a panic, a failed check or no more memory for what it keeps ends in a trap; call `{export}` in a test of the block with these arguments to see which"
            )),
            InitError::Broken(what) => self
                .broke(&what)
                .hint("the block has to change: `docs/abi.md` has the rules, and the SDK keeps them by itself"),
        }
    }

    fn broke(&self, what: &str) -> Diagnostic {
        let message = format!("block `{}` broke while compiling: {what}", self.path);
        Diagnostic::new(Code::BlockInvalid, self.span, message).at("this block")
    }
}
