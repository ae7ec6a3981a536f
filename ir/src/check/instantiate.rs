//! Makes each stage concrete: picks a block's variant and runs its `init`; checks a model's graph.

use std::sync::Arc;

use rune_abi::ParamSpec;

use crate::{
    arena::Side,
    args::{Bound, BoundArg},
    block::{Block, BlockEngine, InitError, Instance, Snapshot},
    check::{
        Input, Loaded, TypedKind, TypedStage,
        infer::{Args, Types},
        structure::Structure,
    },
    diag::{Code, Diagnostic, Span},
    pipeline::{Pipeline, Stage, StageKind},
};

/// The stages in execution order; `None` if one has no file, which has been reported.
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
                    args: args[id].iter().flatten().map(|a| a.value.clone()).collect(),
                    inputs: types.ports[id][0].clone(),
                    outputs: types.ports[id][1].clone(),
                };
                match snapshot(block, &instance, stage, path.span, &path.value, engine) {
                    Ok(snapshot) => TypedKind::Block {
                        path: path.value.clone(),
                        block: block.clone(),
                        instance,
                        snapshot: Arc::new(snapshot),
                    },
                    Err(diagnostic) => {
                        found.push(*diagnostic);
                        continue;
                    }
                }
            }
            (StageKind::Model { path, bytes }, Loaded::Model(graph)) => {
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
                TypedKind::Model {
                    path: path.value.clone(),
                    graph: graph.clone(),
                    digest: crate::digest(bytes),
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
    Some(stages)
}

/// Parameters that have a value, by name.
fn params(specs: &[ParamSpec], args: &[Option<BoundArg>]) -> Vec<(String, Bound)> {
    specs
        .iter()
        .zip(args)
        .filter_map(|(spec, arg)| Some((spec.name.to_owned(), arg.as_ref()?.value.clone())))
        .collect()
}

fn snapshot(
    block: &Block,
    instance: &Instance,
    stage: &Stage,
    span: Span,
    path: &str,
    engine: &dyn BlockEngine,
) -> Result<Snapshot, Box<Diagnostic>> {
    let fault = |code, message: String| Box::new(Diagnostic::new(code, span, message));
    engine
        .snapshot(block, instance)
        .map_err(|error| match error {
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
                Box::new(match args {
                    Some(args) => diagnostic.also(args, "its arguments"),
                    None => diagnostic,
                })
            }
            InitError::AddressDependent(what) => Box::new(
                fault(
                    Code::BlockAddress,
                    format!("init of block `{path}` depends on its address: {what}"),
                )
                .at("cannot be run while compiling")
                .hint("keep pointers as pointers: do not hash, scale or print them in init"),
            ),
            InitError::Broken(what) => Box::new(
                fault(
                    Code::BlockInvalid,
                    format!("block `{path}` broke while compiling: {what}"),
                )
                .at("this block"),
            ),
        })
}
