//! Type inference: what each capability, block, model and written type says about its tensors flows along
//! the edges until nothing changes.
//!
//! Facts flow forward as far as they go; only when that stops does one step flow backward, from a reader
//! to a maker that nothing else decides. So a type that a stage has by itself is never replaced by what a
//! later stage would like. Where several readers could decide a maker, the names of the stages choose, and
//! the result does not depend on the order of the lines. A fact is only ever added, so the work ends.

mod block;
mod capability;
mod model;
mod report;
mod seed;
mod shape;

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    arena::Side,
    args::BoundArg,
    block::{BlockEngine, PortDim},
    check::{
        Arity, Loaded, check_size, edge_name,
        structure::{Structure, readers},
    },
    diag::{Code, Diagnostic, Span},
    graph::Graph,
    pipeline::{Pipeline, Stage, StageId, StageKind},
    ty::{Dim, ElementType, PartialType, TensorType},
};
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
    /// The graph of each model, its open dimensions fixed.
    pub(super) models: Side<Stage, Option<Arc<Graph>>>,
    /// Inputs and outputs of each block in the rank its signature says; those above may be written in another.
    pub(super) ports: Side<Stage, [Vec<TensorType>; 2]>,
}

/// What inference found out.
pub(super) struct Inferred {
    /// What is known of each input, as its reader sees it.
    pub(super) inputs: Side<Stage, Vec<PartialType>>,
    /// What is known of each output.
    pub(super) outputs: Side<Stage, Vec<PartialType>>,
    /// `None` if some type could not be found, which has been reported.
    pub(super) types: Option<Types>,
    /// The `shape` of some block is yet to run.
    pub(super) late: bool,
}

/// Why something is what it is.
#[derive(Clone, Debug)]
struct Why {
    span: Span,
    /// What follows the type in a sentence: "is written here".
    text: String,
    /// Stages the fact came through since.
    through: Arc<[String]>,
}

/// What is known about one tensor at one end of an edge.
#[derive(Clone, Debug, Default)]
struct Known {
    ty: PartialType,
    why_element: Option<Why>,
    why_dims: Option<Why>,
    /// A shape is written for it, so a reshape to it is asked for.
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
    engine: &'a dyn BlockEngine,
    /// The live stages, each after what it reads; by name where that leaves a choice.
    order: Vec<StageId>,
    /// Where each live stage stands in `order`.
    position: Side<Stage, Option<usize>>,
    readers: Side<Stage, Vec<StageId>>,
    inputs: Side<Stage, Vec<Known>>,
    outputs: Side<Stage, Vec<Known>>,
    variables: Side<Stage, Variables>,
    /// The graph of each model, once its dimensions are known.
    models: Side<Stage, Option<Arc<Graph>>>,
    /// Stages about which an error was reported; nothing more is said about them.
    silent: Side<Stage, bool>,
    /// The `shape` of some block is yet to run.
    late: bool,
    found: &'a mut Vec<Diagnostic>,
    /// Positions of the stages that facts may still flow into.
    forward: BTreeSet<usize>,
    /// Positions of the stages that may still decide what feeds them.
    backward: BTreeSet<usize>,
}

/// What the variables of a block's signature are bound to.
#[derive(Clone, Debug, Default)]
struct Variables {
    elements: Vec<Option<(ElementType, Why)>>,
    /// A bounded dimension counts as its bound: a signature says itself where it gives a bound.
    dims: Vec<(String, u32, Why)>,
    /// Here bounds are kept, for `...<=s`.
    rests: Vec<(String, Vec<Dim>, Why)>,
    /// What the block's `shape` told of each output, once it was asked.
    told: Option<Vec<Vec<Dim>>>,
}

/// Finds the types of the live stages.
pub(super) fn infer(
    pipeline: &Pipeline,
    loaded: &Side<Stage, Loaded>,
    args: &Args,
    faulty: &Side<Stage, bool>,
    structure: &Structure,
    engine: &dyn BlockEngine,
    found: &mut Vec<Diagnostic>,
) -> Inferred {
    let before = crate::diag::has_errors(found);
    let order = structure.by_name.clone();
    let mut position = Side::filled(&pipeline.stages, None);
    for (i, id) in order.iter().enumerate() {
        position[*id] = Some(i);
    }
    let mut inference = Inference {
        pipeline,
        loaded,
        args,
        engine,
        forward: (0..order.len()).collect(),
        backward: (0..order.len()).collect(),
        order,
        position,
        readers: readers(pipeline),
        inputs: Side::new(&pipeline.stages, |_, s| {
            vec![Known::default(); s.inputs.len()]
        }),
        outputs: Side::new(&pipeline.stages, |id, s| {
            let arity = Arity::new(s, &loaded[id], &args[id]);
            vec![Known::default(); arity.outputs.unwrap_or(0)]
        }),
        variables: Side::new(&pipeline.stages, |id, _| match &loaded[id] {
            Loaded::Block(block) => Variables {
                elements: vec![None; block.signature.types.len()],
                ..Variables::default()
            },
            Loaded::None | Loaded::Model(_) | Loaded::Open(_) | Loaded::Failed => {
                Variables::default()
            }
        }),
        models: Side::new(&pipeline.stages, |id, _| match &loaded[id] {
            Loaded::Model(graph) => Some(graph.clone()),
            Loaded::None | Loaded::Block(_) | Loaded::Open(_) | Loaded::Failed => None,
        }),
        silent: Side::new(&pipeline.stages, |id, s| {
            let fed = Arity::new(s, &loaded[id], &args[id]).is_fed(s.inputs.len());
            matches!(loaded[id], Loaded::Failed) || faulty[id] || !fed
        }),
        late: false,
        found,
    };
    inference.seed();
    inference.solve();
    inference.lint_reshapes();
    let types = inference.finish();
    let known = |ends: &Side<Stage, Vec<Known>>| {
        Side::new(&pipeline.stages, |id, _| {
            ends[id].iter().map(|k| k.ty.clone()).collect()
        })
    };
    let (inputs, outputs) = (known(&inference.inputs), known(&inference.outputs));
    let late = inference.late;
    let failed = !before && crate::diag::has_errors(found);
    Inferred {
        inputs,
        outputs,
        types: if failed { None } else { types },
        late,
    }
}

impl Inference<'_> {
    /// Lets facts flow until nothing changes.
    fn solve(&mut self) {
        loop {
            if let Some(position) = self.forward.pop_first() {
                let id = self.order[position];
                for index in 0..self.inputs[id].len() {
                    self.forward(id, index);
                }
                self.stage(id);
            } else if let Some(position) = self.backward.pop_last() {
                // One step back, from the last stage that can decide an open maker.
                let id = self.order[position];
                if (0..self.inputs[id].len()).any(|index| self.backward(id, index)) {
                    self.backward.insert(position);
                }
            } else if !self.default_types() && !self.default_dims() {
                return;
            }
        }
    }

    /// Notes that something new is known about a stage, for itself and its readers.
    fn touch(&mut self, id: StageId) {
        let affected = std::iter::once(&id).chain(&self.readers[id]);
        for position in affected.filter_map(|id| self.position[*id]) {
            self.forward.insert(position);
            self.backward.insert(position);
        }
    }

    /// From a maker to input `index` of a reader.
    fn forward(&mut self, reader: StageId, index: usize) {
        let edge = self.pipeline.stages[reader].inputs[index];
        if self.silent[reader] || self.silent[edge.from] {
            return;
        }
        let Some(maker) = self.outputs[edge.from].get(edge.port as usize) else {
            return;
        };
        let through = &self.pipeline.stages[edge.from].name.value;
        let known = &self.inputs[reader][index];
        let mut next = known.clone();
        match (maker.ty.element, known.ty.element) {
            (Some(given), None) => {
                next.ty.element = Some(given);
                next.why_element = maker.why_element.as_ref().map(|w| w.passed(through));
            }
            (Some(given), Some(wanted)) if given != wanted => {
                let (maker, known) = (maker.clone(), next);
                return self.element_mismatch(reader, index, &maker, &known);
            }
            (_, _) => {}
        }
        if let Some(given) = &maker.ty.dims {
            let fitted = match &known.ty.dims {
                Some(wanted) => join(wanted, given).map(|(joined, _)| joined),
                None => match self.pattern(reader, End::Input, index) {
                    Some(port) => fit(&port.dims, given),
                    None => Some(given.clone()),
                },
            };
            let undecided = is_open(given) && known.ty.dims.as_deref().is_none_or(is_open);
            match fitted {
                Some(dims) if known.ty.dims.as_ref() == Some(&dims) => {}
                Some(dims) => {
                    if known.ty.dims.is_none() {
                        next.why_dims = maker.why_dims.as_ref().map(|w| w.passed(through));
                    }
                    next.ty.dims = Some(dims);
                }
                None if undecided => {}
                None => {
                    let maker = maker.clone();
                    return self.shape_mismatch(reader, index, &maker, &next);
                }
            }
        }
        if next.ty != known.ty {
            self.inputs[reader][index] = next;
            self.touch(reader);
        }
    }

    /// From input `index` of a reader to its maker, where the maker is open; says whether it did. The element
    /// type goes first, because the shape may follow from it.
    fn backward(&mut self, reader: StageId, index: usize) -> bool {
        let edge = self.pipeline.stages[reader].inputs[index];
        if self.silent[reader] || self.silent[edge.from] {
            return false;
        }
        let known = &self.inputs[reader][index];
        let Some(maker) = self.outputs[edge.from].get(edge.port as usize) else {
            return false;
        };
        let through = &self.pipeline.stages[reader].name.value;
        if let (None, Some(element)) = (maker.ty.element, known.ty.element) {
            let why = known.why_element.as_ref().map(|w| w.passed(through));
            let maker = &mut self.outputs[edge.from][edge.port as usize];
            maker.ty.element = Some(element);
            maker.why_element = why;
            self.touch(edge.from);
            return true;
        }
        let Some(wanted) = &known.ty.dims else {
            return false;
        };
        let dims = match &maker.ty.dims {
            Some(given) if is_open(given) => join(given, wanted).map(|(joined, _)| joined),
            Some(_) => None,
            None => match self.pattern(edge.from, End::Output, edge.port as usize) {
                // The block's to tell, whoever wants it.
                Some(port) if port.dims.contains(&PortDim::Told) => None,
                Some(port) => fit(&port.dims, wanted),
                None => Some(wanted.clone()),
            },
        };
        if dims.is_none() || dims == maker.ty.dims {
            return false;
        }
        let why = known.why_dims.as_ref().map(|w| w.passed(through));
        let maker = &mut self.outputs[edge.from][edge.port as usize];
        maker.ty.dims = dims;
        maker.why_dims = why;
        self.touch(edge.from);
        true
    }

    /// Applies what a stage itself relates: a capability's arguments, a block's signature.
    fn stage(&mut self, id: StageId) {
        if self.silent[id] {
            return;
        }
        match (&self.pipeline.stages[id].kind, &self.loaded[id]) {
            (StageKind::Capability(kind), _) => self.capability(id, kind.value, kind.span),
            (StageKind::Block(path), Loaded::Block(block)) => {
                self.block(id, block, &path.value, path.span);
            }
            (StageKind::Model { path, .. }, Loaded::Open(model)) => {
                self.open_model(id, &model.clone(), &path.value, path.span);
            }
            (_, _) => {}
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
        for &id in &self.order {
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
                if reshaped && known.declared.is_none() {
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
        let excused = self.around_faults();
        let mut complete = true;
        for id in self.order.clone() {
            for end in [End::Input, End::Output] {
                for index in 0..self.ends(id, end).len() {
                    let known = self.ends(id, end)[index].clone();
                    let Some(ty) = known.ty.complete() else {
                        complete = false;
                        if !self.pipeline.partial && !excused[id] {
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
        let ports = Side::new(&self.pipeline.stages, |id, _| {
            [End::Input, End::Output].map(|end| self.signature_types(id, end))
        });
        Some(Types {
            models: self.models.clone(),
            ports,
            inputs: Side::new(&self.pipeline.stages, |id, _| take(&self.inputs[id])),
            outputs: Side::new(&self.pipeline.stages, |id, _| take(&self.outputs[id])),
            variables,
        })
    }

    /// The stages joined by edges, in whatever direction, with one that an error was reported about.
    fn around_faults(&self) -> Side<Stage, bool> {
        let mut around = Side::filled(&self.pipeline.stages, false);
        let ids = self.pipeline.stages.ids();
        let mut work: Vec<StageId> = ids.filter(|id| self.silent[*id]).collect();
        while let Some(id) = work.pop() {
            if !std::mem::replace(&mut around[id], true) {
                work.extend(self.pipeline.stages[id].inputs.iter().map(|e| e.from));
                work.extend(&self.readers[id]);
            }
        }
        around
    }
}

/// Whether some dimension is not known yet.
fn is_open(dims: &[Option<Dim>]) -> bool {
    dims.contains(&None)
}
