//! Type inference: what each capability, block, model and written type says about its tensors flows along
//! the edges until nothing changes.
//!
//! Facts flow forward as far as they go; only when that stops does one step flow backward, from a reader
//! to a maker that nothing else decides. So a type that a stage has by itself is never replaced by what a
//! later stage would like, and the result does not depend on the order of the lines.

mod block;
mod report;
mod seed;
mod shape;

use crate::{
    arena::Side,
    args::BoundArg,
    check::{Loaded, arity, check_size, edge_name, structure::Structure},
    diag::{Code, Diagnostic, Span},
    pipeline::{Pipeline, Stage, StageId, StageKind},
    ty::{Dim, ElementType, PartialType, TensorType},
};
use rune_abi::CapabilityKind;
use shape::{Fit, fit, join};

/// Bound arguments of every stage.
pub(super) type Args = Side<Stage, Vec<Option<BoundArg>>>;

/// The types of every live stage.
pub(super) struct Types {
    /// As each reader sees them.
    pub(super) inputs: Side<Stage, Vec<TensorType>>,
    /// As each maker gives them.
    pub(super) outputs: Side<Stage, Vec<TensorType>>,
    /// What each block's type variables are bound to.
    pub(super) variables: Side<Stage, Vec<ElementType>>,
}

/// Why something is what it is.
#[derive(Clone, Debug)]
struct Why {
    span: Span,
    /// What follows the type in a sentence: "is written here".
    text: String,
    /// Stages the fact came through since.
    through: Vec<String>,
}

/// What is known about one tensor at one end of an edge.
#[derive(Clone, Debug, Default)]
struct Known {
    ty: PartialType,
    why_element: Option<Why>,
    why_dims: Option<Why>,
    /// A type is written for it, so a reshape to it is asked for.
    declared: Option<Span>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Input,
    Output,
}

struct Inference<'a> {
    pipeline: &'a Pipeline,
    loaded: &'a Side<Stage, Loaded>,
    args: &'a Args,
    order: &'a [StageId],
    inputs: Side<Stage, Vec<Known>>,
    outputs: Side<Stage, Vec<Known>>,
    variables: Side<Stage, Variables>,
    /// Stages about which an error was reported; nothing more is said about them.
    silent: Side<Stage, bool>,
    found: &'a mut Vec<Diagnostic>,
    changed: bool,
}

/// What the variables of a block's signature are bound to.
#[derive(Clone, Debug, Default)]
struct Variables {
    elements: Vec<Option<(ElementType, Why)>>,
    dims: Vec<(String, Dim, Why)>,
    rests: Vec<(String, Vec<Dim>, Why)>,
}

/// Finds every type of the live stages; `None` if some could not be found, which has been reported.
pub(super) fn infer(
    pipeline: &Pipeline,
    loaded: &Side<Stage, Loaded>,
    args: &Args,
    faulty: &Side<Stage, bool>,
    structure: &Structure,
    found: &mut Vec<Diagnostic>,
) -> Option<Types> {
    let before = crate::diag::has_errors(found);
    let mut inference = Inference {
        pipeline,
        loaded,
        args,
        order: &structure.order,
        inputs: Side::new(&pipeline.stages, |_, s| {
            vec![Known::default(); s.inputs.len()]
        }),
        outputs: Side::new(&pipeline.stages, |id, s| {
            let ports = pipeline
                .stages
                .values()
                .flat_map(|r| &r.inputs)
                .filter(|e| e.from == id)
                .map(|e| e.port as usize + 1)
                .max();
            let count = arity(s, &loaded[id]).1.or(ports).unwrap_or(1);
            vec![Known::default(); count]
        }),
        variables: Side::new(&pipeline.stages, |id, _| match &loaded[id] {
            Loaded::Block(block) => Variables {
                elements: vec![None; block.signature.types.len()],
                ..Variables::default()
            },
            Loaded::None | Loaded::Model(_) | Loaded::Failed => Variables::default(),
        }),
        silent: Side::new(&pipeline.stages, |id, s| {
            let (inputs, _) = arity(s, &loaded[id]);
            let fed = inputs.is_none_or(|n| n == s.inputs.len());
            matches!(loaded[id], Loaded::Failed) || faulty[id] || !fed
        }),
        found,
        changed: false,
    };
    inference.seed();
    inference.solve();
    inference.lint_reshapes();
    let types = inference.finish();
    let failed = !before && crate::diag::has_errors(found);
    if failed { None } else { types }
}

impl Inference<'_> {
    /// Lets facts flow until nothing changes.
    fn solve(&mut self) {
        loop {
            self.changed = false;
            for &id in self.order {
                for index in 0..self.inputs[id].len() {
                    self.forward(id, index);
                }
                self.stage(id);
            }
            if self.changed {
                continue;
            }
            // One step back, from the last stage that can decide an open maker.
            for &id in self.order.iter().rev() {
                for index in 0..self.inputs[id].len() {
                    self.backward(id, index);
                    if self.changed {
                        break;
                    }
                }
                if self.changed {
                    break;
                }
            }
            if !self.changed {
                return;
            }
        }
    }

    /// From a maker to input `index` of a reader.
    fn forward(&mut self, reader: StageId, index: usize) {
        let edge = self.pipeline.stages[reader].inputs[index];
        if self.silent[reader] || self.silent[edge.from] {
            return;
        }
        let Some(maker) = self.outputs[edge.from].get(edge.port as usize).cloned() else {
            return;
        };
        let through = self.pipeline.stages[edge.from].name.value.clone();
        let mut known = self.inputs[reader][index].clone();
        match (maker.ty.element, known.ty.element) {
            (Some(given), None) => {
                known.ty.element = Some(given);
                known.why_element = maker.why_element.as_ref().map(|w| w.passed(&through));
                self.changed = true;
            }
            (Some(given), Some(wanted)) if given != wanted => {
                return self.element_mismatch(reader, index, &maker, &known);
            }
            (_, _) => {}
        }
        match (&maker.ty.dims, &known.ty.dims) {
            (Some(given), None) => {
                let pattern = self
                    .pattern(reader, End::Input, index)
                    .map(|p| p.dims.clone());
                let fitted = match &pattern {
                    Some(pattern) => fit(pattern, given),
                    None => Some(given.clone()),
                };
                match fitted {
                    Some(dims) => {
                        known.ty.dims = Some(dims);
                        known.why_dims = maker.why_dims.as_ref().map(|w| w.passed(&through));
                        self.changed = true;
                    }
                    None => return self.shape_mismatch(reader, index, &maker, &known),
                }
            }
            (Some(given), Some(wanted)) => match join(wanted, given) {
                Some((joined, _)) => {
                    if joined != *wanted {
                        known.ty.dims = Some(joined);
                        self.changed = true;
                    }
                }
                None => return self.shape_mismatch(reader, index, &maker, &known),
            },
            (None, _) => {}
        }
        self.inputs[reader][index] = known;
    }

    /// From input `index` of a reader to its maker, where the maker is open.
    fn backward(&mut self, reader: StageId, index: usize) {
        let edge = self.pipeline.stages[reader].inputs[index];
        if self.silent[reader] || self.silent[edge.from] {
            return;
        }
        let known = self.inputs[reader][index].clone();
        let Some(maker) = self.outputs[edge.from].get(edge.port as usize).cloned() else {
            return;
        };
        let through = self.pipeline.stages[reader].name.value.clone();
        let pattern = self
            .pattern(edge.from, End::Output, edge.port as usize)
            .map(|p| p.dims.clone());
        let mut next = maker.clone();
        if let (None, Some(element)) = (maker.ty.element, known.ty.element) {
            next.ty.element = Some(element);
            next.why_element = known.why_element.as_ref().map(|w| w.passed(&through));
            self.changed = true;
        }
        match (&maker.ty.dims, &known.ty.dims) {
            (None, Some(wanted)) => {
                let fitted = match &pattern {
                    Some(pattern) => fit(pattern, wanted),
                    None => Some(wanted.clone()),
                };
                if let Some(dims) = fitted {
                    next.ty.dims = Some(dims);
                    next.why_dims = known.why_dims.as_ref().map(|w| w.passed(&through));
                    self.changed = true;
                }
            }
            (Some(given), Some(wanted)) if given.iter().any(Option::is_none) => {
                if let Some((joined, _)) = join(given, wanted)
                    && joined != *given
                {
                    next.ty.dims = Some(joined);
                    next.why_dims = known.why_dims.as_ref().map(|w| w.passed(&through));
                    self.changed = true;
                }
            }
            (_, _) => {}
        }
        self.outputs[edge.from][edge.port as usize] = next;
    }

    /// Applies what a stage itself relates: a block's signature; RAW's length once its element is known.
    fn stage(&mut self, id: StageId) {
        if self.silent[id] {
            return;
        }
        match &self.pipeline.stages[id].kind {
            StageKind::Capability(kind) if kind.value == CapabilityKind::Raw => {
                self.capability(id, kind.value, kind.span);
            }
            StageKind::Block(path) => {
                if let Loaded::Block(block) = &self.loaded[id] {
                    let block = block.clone();
                    let (name, span) = (path.value.clone(), path.span);
                    self.block(id, &block.signature, &name, span);
                }
            }
            StageKind::Capability(_) | StageKind::Model { .. } | StageKind::Output(_) => {}
        }
    }

    fn ends(&self, id: StageId, end: End) -> &[Known] {
        match end {
            End::Input => &self.inputs[id],
            End::Output => &self.outputs[id],
        }
    }

    fn ends_mut(&mut self, id: StageId, end: End) -> &mut [Known] {
        match end {
            End::Input => &mut self.inputs[id],
            End::Output => &mut self.outputs[id],
        }
    }

    /// Warns where shapes differ by more than a leading batch of one and nobody wrote the shape.
    fn lint_reshapes(&mut self) {
        for &id in self.order {
            for (index, edge) in self.pipeline.stages[id].inputs.iter().enumerate() {
                if self.silent[id] || self.silent[edge.from] {
                    continue;
                }
                let Some(maker) = self.outputs[edge.from].get(edge.port as usize) else {
                    continue;
                };
                let known = &self.inputs[id][index];
                let (Some(given), Some(wanted)) = (&maker.ty.dims, &known.ty.dims) else {
                    continue;
                };
                let reshaped = join(wanted, given).is_some_and(|(_, fit)| fit == Fit::Units);
                if reshaped && maker.declared.is_none() && known.declared.is_none() {
                    let reader = &self.pipeline.stages[id];
                    self.found.push(
                        Diagnostic::new(
                            Code::ImplicitReshape,
                            edge.span,
                            format!(
                                "{} of `{}` is read as {} by `{}`",
                                maker.ty,
                                edge_name(self.pipeline, edge),
                                known.ty,
                                reader.name.value
                            ),
                        )
                        .at("reshaped here")
                        .note("Only dimensions of 1 differ, so no element moves.")
                        .hint(format!(
                            "write the type you mean at `{}` to say that this is wanted",
                            reader.name.value
                        )),
                    );
                }
            }
        }
    }

    /// Takes the finished types, or says which are open.
    fn finish(&mut self) -> Option<Types> {
        // Around a fault types stay open because of it, and that is no news.
        let failed = self.silent.clone();
        let mut complete = true;
        for &id in self.order {
            for end in [End::Input, End::Output] {
                for index in 0..self.ends(id, end).len() {
                    let known = self.ends(id, end)[index].clone();
                    let Some(ty) = known.ty.complete() else {
                        complete = false;
                        if !self.pipeline.partial && !self.reaches(id, &failed) {
                            self.open(id, end, &known);
                        }
                        continue;
                    };
                    let name = self.pipeline.stages[id].name.span;
                    let span = known.why_dims.as_ref().map_or(name, |w| w.span);
                    let errors = self.found.len();
                    if !self.silent[id] && end == End::Output {
                        check_size(&ty, span, self.found);
                    }
                    complete &= self.found.len() == errors;
                }
            }
        }
        if !complete {
            return None;
        }
        let take = |known: &Vec<Known>| {
            known
                .iter()
                .filter_map(|k| k.ty.complete())
                .collect::<Vec<_>>()
        };
        let variables = Side::new(&self.pipeline.stages, |id, _| {
            self.variables[id]
                .elements
                .iter()
                .filter_map(|v| v.as_ref().map(|(e, _)| *e))
                .collect()
        });
        Some(Types {
            inputs: Side::new(&self.pipeline.stages, |id, _| take(&self.inputs[id])),
            outputs: Side::new(&self.pipeline.stages, |id, _| take(&self.outputs[id])),
            variables,
        })
    }

    /// Whether a stage is joined by edges, in whatever direction, with one of `marked`.
    fn reaches(&self, id: StageId, marked: &Side<Stage, bool>) -> bool {
        let mut seen = Side::filled(&self.pipeline.stages, false);
        let mut work = vec![id];
        while let Some(id) = work.pop() {
            if marked[id] {
                return true;
            }
            if std::mem::replace(&mut seen[id], true) {
                continue;
            }
            work.extend(self.pipeline.stages[id].inputs.iter().map(|e| e.from));
            let readers = self.pipeline.stages.iter();
            work.extend(
                readers
                    .filter(|(_, s)| s.inputs.iter().any(|e| e.from == id))
                    .map(|(reader, _)| reader),
            );
        }
        false
    }
}
