//! What a lint looks at, and the questions lints ask of it.

use rune_ir::{
    arena::Side,
    args::{ArgSpec, Bound, BoundArg},
    check::{Analysis, Loaded, specs},
    diag::{Fix, Safety, Span},
    env::Env,
    graph::Graph,
    pipeline::{Edge, Pipeline, Stage, StageId, StageKind},
    ty::{PartialType, TensorType},
};

use super::edit;
use crate::{
    Layer,
    tree::{self, Instruction, Tree},
};

/// A Runefile and all that is known of it.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// Its text.
    pub text: &'a str,
    /// What it says itself, without what it inherits.
    pub tree: &'a Tree,
    /// The layers below it.
    pub below: &'a [Layer],
    /// All of its stages, inherited ones too.
    pub pipeline: &'a Pipeline,
    /// What the files of its stages turned out to be.
    pub loaded: &'a Side<Stage, Loaded>,
    /// Arguments and types, as far as they are known.
    pub analysis: &'a Analysis,
    /// What it sees.
    pub env: &'a dyn Env,
}

impl<'a> Subject<'a> {
    /// The stages that this file defines.
    pub(crate) fn own(&self) -> impl Iterator<Item = (StageId, &'a Stage)> + use<'a> {
        let file = self.tree.file;
        let stages = self.pipeline.stages.iter();
        stages.filter(move |(_, s)| s.span.file == file)
    }

    /// The instruction that makes a stage; `None` for one of another file.
    pub(crate) fn written(&self, stage: &Stage) -> Option<&'a tree::Stage> {
        edit::stage_at(self.tree, stage.span)
    }

    /// The whole instruction around a place of this file.
    pub(crate) fn instruction(&self, place: Span) -> Option<Span> {
        let mut spans = self.tree.instructions.iter().map(Instruction::span);
        spans.rfind(|s| s.file == place.file && s.start <= place.start && place.start <= s.end)
    }

    /// The resources that this file defines.
    pub(crate) fn resources(&self) -> impl Iterator<Item = &'a tree::Resource> + use<'a> {
        let resource = |i: &'a Instruction| {
            if let Instruction::Resource(resource) = i {
                Some(resource)
            } else {
                None
            }
        };
        self.tree.instructions.iter().filter_map(resource)
    }

    /// The last part of the name of a block of the catalogue: `fft` for `runicos/fft`.
    pub(crate) fn block(&self, id: StageId) -> Option<&'a str> {
        match &self.pipeline.stages[id].kind {
            StageKind::Block(path) => path.value.strip_prefix("runicos/"),
            StageKind::Capability(_) | StageKind::Model { .. } | StageKind::Output(_) => None,
        }
    }

    /// The graph of a model.
    pub(crate) fn model(&self, id: StageId) -> Option<&'a Graph> {
        match &self.loaded[id] {
            Loaded::Model(graph) => Some(graph),
            Loaded::None | Loaded::Block(_) | Loaded::Open(_) | Loaded::Failed => None,
        }
    }

    /// What a stage's arguments may be and are, those without a value left out.
    pub(crate) fn args(&self, id: StageId) -> Vec<(ArgSpec, &'a BoundArg)> {
        let specs = specs(&self.pipeline.stages[id], &self.loaded[id]).unwrap_or_default();
        let bound = self.analysis.args[id].iter();
        specs
            .into_iter()
            .zip(bound)
            .filter_map(|(spec, bound)| Some((spec, bound.as_ref()?)))
            .collect()
    }

    /// The value of an argument of this canonical name, written or not.
    pub(crate) fn arg(&self, id: StageId, name: &str) -> Option<&'a BoundArg> {
        let args = self.args(id).into_iter();
        args.filter(|(spec, _)| spec.name == name)
            .map(|(_, b)| b)
            .next()
    }

    /// The value of a whole number.
    pub(crate) fn integer(&self, id: StageId, name: &str) -> Option<i64> {
        match self.arg(id, name)?.value {
            Bound::Integer(n) => Some(n),
            Bound::Float(_) | Bound::Text(_) | Bound::List(_) | Bound::Bytes(_) => None,
        }
    }

    /// The value of a number.
    pub(crate) fn float(&self, id: StageId, name: &str) -> Option<f64> {
        match self.arg(id, name)?.value {
            Bound::Float(x) => Some(x),
            Bound::Integer(_) | Bound::Text(_) | Bound::List(_) | Bound::Bytes(_) => None,
        }
    }

    /// The value of a text.
    pub(crate) fn text_arg(&self, id: StageId, name: &str) -> Option<&'a str> {
        match &self.arg(id, name)?.value {
            Bound::Text(text) => Some(text),
            Bound::Integer(_) | Bound::Float(_) | Bound::List(_) | Bound::Bytes(_) => None,
        }
    }

    /// The only edge into a stage.
    pub(crate) fn source(&self, id: StageId) -> Option<Edge> {
        match self.pipeline.stages[id].inputs.as_slice() {
            [edge] => Some(*edge),
            _ => None,
        }
    }

    /// The stages before this one, the nearest first, as long as each is fed by only one.
    pub(crate) fn upstream(&self, id: StageId) -> impl Iterator<Item = StageId> + use<'a> {
        let subject = *self;
        // In a circle, which is an error, this would not end.
        let most = self.pipeline.stages.len();
        let next = move |id: &StageId| subject.source(*id).map(|e| e.from);
        std::iter::successors(next(&id), next).take(most)
    }

    /// All that is known of the type of an input, if its shape and element type are.
    pub(crate) fn input(&self, id: StageId, index: usize) -> Option<TensorType> {
        self.analysis.inputs[id]
            .get(index)
            .and_then(PartialType::complete)
    }

    /// The type of an output.
    pub(crate) fn output(&self, id: StageId, index: usize) -> Option<TensorType> {
        self.analysis.outputs[id]
            .get(index)
            .and_then(PartialType::complete)
    }

    /// What of a stage to point at: its name.
    pub(crate) fn name(&self, id: StageId) -> Span {
        self.pipeline.stages[id].name.span
    }

    /// The name of a stage.
    pub(crate) fn called(&self, id: StageId) -> &'a str {
        &self.pipeline.stages[id].name.value
    }

    /// The fix that takes out the argument whose name and value lie at `span`.
    pub(crate) fn without_argument(&self, id: StageId, span: Span, safety: Safety) -> Option<Fix> {
        let stage = self.written(&self.pipeline.stages[id])?;
        let argument = stage
            .args
            .iter()
            .find(|a| a.name.span.to(a.value.span) == span)?;
        Some(Fix {
            title: format!("remove `--{}`", argument.name.value),
            edits: vec![edit::remove_argument(self.text, stage, argument)?],
            safety,
        })
    }

    /// The fix that takes out a stage that is fed by one and whose result is what it is fed: its
    /// instruction, and its name in every RUN. `None` where that would leave a RUN with too few steps, or
    /// a name in it has more to it.
    pub(crate) fn without_stage(&self, id: StageId, title: String, safety: Safety) -> Option<Fix> {
        let stage = &self.pipeline.stages[id];
        let mut edits = vec![edit::remove_instruction(self.tree, self.text, stage.span)?];
        let mut count = 0;
        for instruction in &self.tree.instructions {
            let Instruction::Run(run) = instruction else {
                continue;
            };
            for (index, step) in run.steps.iter().enumerate() {
                if step.stages.iter().all(|s| s.name.value != stage.name.value) {
                    continue;
                }
                let between = index > 0 && index + 1 < run.steps.len();
                let picked = step.stages.len() > 1 || step.stages[0].port.is_some();
                if picked || !between {
                    return None;
                }
                let start = run.steps[index - 1].span.end as usize;
                let end = step.span.end as usize;
                let gap = &self.text[start..step.span.start as usize];
                if gap.contains('#') {
                    return None;
                }
                count += 1;
                edits.push(rune_ir::diag::Edit {
                    span: Span::new(step.span.file, start, end),
                    text: String::new(),
                });
            }
        }
        edits.sort_by_key(|e| e.span.start);
        (count == 1).then_some(Fix {
            title,
            edits,
            safety,
        })
    }
}
