//! Type inference: what each capability, block, model and written type says about its tensors flows along
//! the edges until nothing changes.
//!
//! Facts flow forward as far as they go; only when that stops does one step flow backward, from a reader
//! to a maker that nothing else decides. So a type that a stage has by itself is never replaced by what a
//! later stage would like, and the result does not depend on the order of the lines.

use rune_abi::CapabilityKind;

use crate::{
    arena::Side,
    args::{Bound, BoundArg},
    block::{DimExpr, Port, PortDim, PortElement, Signature},
    check::{Loaded, arity, check_size, edge_name, structure::Structure},
    diag::{Code, Diagnostic, Span},
    graph::DataType,
    pipeline::{Edge, Pipeline, Stage, StageId, StageKind},
    ty::{Dim, ElementType, PartialType, TensorType},
};

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
            matches!(loaded[id], Loaded::Failed) || inputs.is_some_and(|n| n != s.inputs.len())
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
    /// Writes down what each stage says by itself.
    fn seed(&mut self) {
        for &id in self.order {
            let stage = &self.pipeline.stages[id];
            if let Loaded::Model(graph) = &self.loaded[id] {
                let graph = graph.clone();
                let StageKind::Model { path, .. } = &stage.kind else {
                    continue;
                };
                for (end, ids) in [(End::Input, &graph.inputs), (End::Output, &graph.outputs)] {
                    for (i, tensor) in ids.iter().enumerate().take(self.ends(id, end).len()) {
                        let tensor = &graph.tensors[*tensor];
                        let DataType::Element(element) = tensor.ty else {
                            continue;
                        };
                        let ty = TensorType::new(element, &tensor.shape);
                        let why = Why {
                            span: path.span,
                            text: format!("the model's file says {ty}"),
                            through: Vec::new(),
                        };
                        self.ends_mut(id, end)[i] = Known {
                            ty: ty.into(),
                            why_element: Some(why.clone()),
                            why_dims: Some(why),
                            declared: None,
                        };
                    }
                }
            }
            self.declare(id, End::Input);
            self.declare(id, End::Output);
            if let StageKind::Capability(kind) = &stage.kind {
                self.capability(id, kind.value, kind.span);
            }
        }
    }

    /// Takes in the types written for one end of a stage.
    fn declare(&mut self, id: StageId, end: End) {
        let stage = &self.pipeline.stages[id];
        let declared = match end {
            End::Input => &stage.declared_inputs,
            End::Output => &stage.declared_outputs,
        };
        let Some(declared) = declared else { return };
        let count = match end {
            End::Input => arity(stage, &self.loaded[id])
                .0
                .unwrap_or(stage.inputs.len()),
            End::Output => self.outputs[id].len(),
        };
        if declared.len() != count && !self.silent[id] {
            let span = declared.first().map_or(stage.span, |first| {
                declared.iter().fold(first.span, |s, d| s.to(d.span))
            });
            let side = if end == End::Input { "input" } else { "output" };
            self.found.push(
                Diagnostic::new(
                    Code::TypeCount,
                    span,
                    format!(
                        "`{}` has {}, but {} written",
                        stage.name.value,
                        super::structure::plural(count, side),
                        match declared.len() {
                            1 => "1 type is".to_owned(),
                            n => format!("{n} types are"),
                        }
                    ),
                )
                .at(format!("one type for each {side}")),
            );
            self.silent[id] = true;
            return;
        }
        for (i, written) in declared.iter().enumerate().take(self.ends(id, end).len()) {
            if let Some(complete) = written.value.complete() {
                let errors = self.found.len();
                check_size(&complete, written.span, self.found);
                if self.found.len() > errors {
                    self.silent[id] = true;
                    continue;
                }
            }
            let known = self.ends(id, end)[i].clone();
            let why = Why {
                span: written.span,
                text: format!("{} is written here", written.value),
                through: Vec::new(),
            };
            let merged = merge_declared(&known.ty, &written.value);
            match merged {
                Some(ty) => {
                    let why_element = if written.value.element.is_some() {
                        Some(why.clone())
                    } else {
                        known.why_element
                    };
                    let why_dims = if written.value.dims.is_some() {
                        Some(why)
                    } else {
                        known.why_dims
                    };
                    self.ends_mut(id, end)[i] = Known {
                        ty,
                        why_element,
                        why_dims,
                        declared: Some(written.span),
                    };
                }
                None => self.declared_wrong(id, end, i, &known, written.span, &written.value),
            }
        }
    }

    fn declared_wrong(
        &mut self,
        id: StageId,
        end: End,
        index: usize,
        known: &Known,
        span: Span,
        written: &PartialType,
    ) {
        let stage = &self.pipeline.stages[id];
        let side = if end == End::Input { "input" } else { "output" };
        let StageKind::Model { path, .. } = &stage.kind else {
            return;
        };
        self.found.push(
            Diagnostic::new(
                Code::ModelTypeMismatch,
                span,
                format!(
                    "{side} {index} of `{}` is {} in the model's file, but written as {written}",
                    stage.name.value, known.ty
                ),
            )
            .at(format!("the file says {}", known.ty))
            .also(path.span, "this file")
            .hint(format!(
                "write `{}`, or leave the type out: it follows from the file",
                known.ty
            )),
        );
        self.silent[id] = true;
    }

    /// What a capability's kind and parameters say about its tensor.
    fn capability(&mut self, id: StageId, kind: CapabilityKind, span: Span) {
        let spec = kind.spec();
        let args = &self.args[id];
        let integer = |name: &str| -> Option<(u32, Option<Span>)> {
            let index = spec.params.iter().position(|p| p.name == name)?;
            match args.get(index)?.as_ref()? {
                BoundArg {
                    value: Bound::Integer(n),
                    span,
                } => Some((u32::try_from(*n).ok()?, *span)),
                BoundArg { .. } => None,
            }
        };
        let word = |name: &str| -> Option<String> {
            let index = spec.params.iter().position(|p| p.name == name)?;
            match args.get(index)?.as_ref()? {
                BoundArg {
                    value: Bound::Text(text),
                    ..
                } => Some(text.clone()),
                BoundArg { .. } => None,
            }
        };
        let (dims, place): (Option<Vec<Option<Dim>>>, Option<Span>) = match kind {
            CapabilityKind::Rand => integer("samples")
                .map_or((None, None), |(n, s)| (Some(vec![Some(Dim::Exact(n))]), s)),
            CapabilityKind::Sound => {
                let samples = integer("samples").or_else(|| {
                    let ((hz, _), (ms, s)) = (integer("hz")?, integer("sample-duration-ms")?);
                    Some(((u64::from(hz) * u64::from(ms) / 1000).try_into().ok()?, s))
                });
                samples.map_or((None, None), |(n, s)| (Some(vec![Some(Dim::Exact(n))]), s))
            }
            CapabilityKind::Accel => {
                let samples = integer("samples");
                (
                    Some(vec![
                        samples.map(|(n, _)| Dim::Exact(n)),
                        Some(Dim::Exact(3)),
                    ]),
                    samples.and_then(|(_, s)| s),
                )
            }
            CapabilityKind::Image => {
                let channels = if word("pixel-format").is_some_and(|w| w == "GrayScale") {
                    1
                } else {
                    3
                };
                let side = |name| integer(name).map(|(n, _)| Dim::Exact(n));
                let place = integer("width")
                    .and_then(|(_, s)| s)
                    .zip(integer("height").and_then(|(_, s)| s))
                    .map(|(a, b)| a.to(b));
                (
                    Some(vec![
                        side("height"),
                        side("width"),
                        Some(Dim::Exact(channels)),
                    ]),
                    place,
                )
            }
            CapabilityKind::Raw => {
                let element = self.outputs[id][0].ty.element;
                match (integer("length"), element) {
                    (Some((bytes, s)), Some(element)) if bytes % element.size() == 0 => {
                        (Some(vec![Some(Dim::Exact(bytes / element.size()))]), s)
                    }
                    (Some((bytes, s)), Some(element)) => {
                        self.found.push(
                            Diagnostic::new(Code::ContradictingArguments, s.unwrap_or(span), format!("{bytes} bytes are not a whole number of {element} elements of {} bytes", element.size()))
                                .at("the last bytes would be left over"),
                        );
                        (None, None)
                    }
                    (_, _) => (None, None),
                }
            }
        };
        let text = match place {
            Some(_) => "the arguments say so".to_owned(),
            None => format!("{} gives it", spec.name),
        };
        let why = Why {
            span: place.unwrap_or(span),
            text,
            through: Vec::new(),
        };
        let declared = self.outputs[id][0].clone();
        if let Some(element) = declared.ty.element
            && !spec.elements.contains(&element)
        {
            let list: Vec<String> = spec.elements.iter().map(ToString::to_string).collect();
            let at = declared.why_element.as_ref().map_or(span, |w| w.span);
            self.found.push(
                Diagnostic::new(
                    Code::TypeMismatch,
                    at,
                    format!("{} gives {}, not {element}", spec.name, list.join(", ")),
                )
                .at(format!("{} cannot give this", spec.name))
                .also(span, "this capability")
                .hint(format!("write {} here, or leave the type out", list[0])),
            );
            self.silent[id] = true;
            return;
        }
        let known = &mut self.outputs[id][0];
        if known.ty.element.is_none() && spec.elements.len() == 1 {
            known.ty.element = Some(spec.elements[0]);
            known.why_element = Some(Why {
                span,
                text: format!("{} gives {}", spec.name, spec.elements[0]),
                through: Vec::new(),
            });
            self.changed = true;
        }
        let Some(dims) = dims else { return };
        match &known.ty.dims {
            None => {
                known.ty.dims = Some(dims);
                known.why_dims = Some(why);
                self.changed = true;
            }
            Some(written) => match join(written, &dims) {
                Some((joined, _)) => {
                    if known.ty.dims.as_ref() != Some(&joined) {
                        known.ty.dims = Some(joined);
                        self.changed = true;
                    }
                }
                None if !self.silent[id] => {
                    let said = PartialType {
                        element: known.ty.element,
                        dims: Some(dims),
                    };
                    let written_at = known.why_dims.as_ref().map_or(span, |w| w.span);
                    let ty = known.ty.clone();
                    self.found.push(
                        Diagnostic::new(
                            Code::ShapeMismatch,
                            written_at,
                            format!("{} gives {said} here, but its type is {ty}", spec.name),
                        )
                        .at(format!("{ty} by this"))
                        .also(why.span, format!("{said} by this"))
                        .hint(format!("write {said}, or leave the type out")),
                    );
                    self.silent[id] = true;
                }
                None => {}
            },
        }
    }

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
                self.capability(id, kind.value, kind.span)
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

    /// Binds the variables of a block's signature and fills in what follows.
    fn block(&mut self, id: StageId, signature: &Signature, path: &str, span: Span) {
        let integers = integer_args(signature, &self.args[id]);
        for end in [End::Input, End::Output] {
            let ports = if end == End::Input {
                &signature.inputs
            } else {
                &signature.outputs
            };
            for (index, port) in ports.iter().enumerate().take(self.ends(id, end).len()) {
                let known = self.ends(id, end)[index].clone();
                self.bind_element(id, signature, port, end, index, &known, path, span);
                if self.silent[id] {
                    return;
                }
                let Some(dims) = known
                    .ty
                    .dims
                    .as_ref()
                    .and_then(|d| d.iter().copied().collect::<Option<Vec<Dim>>>())
                else {
                    continue;
                };
                let why = known.why_dims.clone().unwrap_or_else(|| Why {
                    span,
                    text: "the block's signature".to_owned(),
                    through: Vec::new(),
                });
                let dims: Vec<Option<Dim>> = dims.into_iter().map(Some).collect();
                let Some(dims) = fit(&port.dims, &dims) else {
                    return self.port_mismatch(id, port, end, index, &known, span, None);
                };
                self.bind_dims(id, &port.dims, &dims, &why);
            }
        }
        for end in [End::Input, End::Output] {
            let ports = if end == End::Input {
                &signature.inputs
            } else {
                &signature.outputs
            };
            for (index, port) in ports.iter().enumerate().take(self.ends(id, end).len()) {
                self.apply_port(id, signature, port, end, index, &integers, path, span);
                if self.silent[id] {
                    return;
                }
            }
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one place of a signature takes this many words to name"
    )]
    fn bind_element(
        &mut self,
        id: StageId,
        signature: &Signature,
        port: &Port,
        end: End,
        index: usize,
        known: &Known,
        path: &str,
        span: Span,
    ) {
        let Some(element) = known.ty.element else {
            return;
        };
        let why = known.why_element.clone().unwrap_or_else(|| Why {
            span,
            text: "the block's signature".to_owned(),
            through: Vec::new(),
        });
        match port.element {
            PortElement::Fixed(fixed) if fixed == element => {}
            PortElement::Fixed(fixed) => self.block_element(
                id,
                end,
                index,
                path,
                span,
                &format!("{fixed}"),
                element,
                &why,
            ),
            PortElement::Variable(variable) => {
                let (name, allowed) = &signature.types[variable];
                if !allowed.contains(&element) {
                    let list: Vec<String> = allowed.iter().map(ToString::to_string).collect();
                    return self.block_element(
                        id,
                        end,
                        index,
                        path,
                        span,
                        &list.join(", "),
                        element,
                        &why,
                    );
                }
                match self.variables[id].elements[variable].clone() {
                    None => {
                        self.variables[id].elements[variable] = Some((element, why));
                        self.changed = true;
                    }
                    Some((bound, _)) if bound == element => {}
                    Some((bound, first)) => {
                        let stage = &self.pipeline.stages[id];
                        self.found.push(
                            Diagnostic::new(Code::TypeMismatch, stage.name.span, format!("`{}` gives the element type it is fed, but that is {bound} on one side and {element} on the other", stage.name.value))
                                .at(format!("`{path}` has one element type `{name}` on both sides"))
                                .also(first.span, format!("{bound}: {}", first.text))
                                .also(why.span, format!("{element}: {}", why.text))
                                .hint(format!("make both sides {bound} or both {element}")),
                        );
                        self.silent[id] = true;
                    }
                }
            }
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one place of a signature takes this many words to name"
    )]
    fn block_element(
        &mut self,
        id: StageId,
        end: End,
        index: usize,
        path: &str,
        span: Span,
        wants: &str,
        element: ElementType,
        why: &Why,
    ) {
        let stage = &self.pipeline.stages[id];
        let (verb, at) = match end {
            End::Input => (
                "takes",
                stage.inputs.get(index).map_or(stage.name.span, |e| e.span),
            ),
            End::Output => ("gives", stage.name.span),
        };
        let mut diagnostic = Diagnostic::new(
            Code::TypeMismatch,
            at,
            format!("`{}` {verb} {wants}, not {element}", stage.name.value),
        )
        .at(format!("this is {element}"))
        .also(span, format!("`{path}` {verb} {wants}"));
        if why.span != at {
            diagnostic = diagnostic.also(why.span, why.text.clone());
        }
        diagnostic = why.noted(diagnostic);
        self.found.push(diagnostic.hint(format!(
            "put a stage before it that gives {wants}, or use another block"
        )));
        self.silent[id] = true;
    }

    fn bind_dims(&mut self, id: StageId, pattern: &[PortDim], dims: &[Option<Dim>], why: &Why) {
        let rest_at = pattern.iter().position(|p| matches!(p, PortDim::Rest(_)));
        let after = rest_at.map_or(0, |at| pattern.len() - at - 1);
        let variables = &mut self.variables[id];
        let mut next = 0;
        for item in pattern {
            match item {
                PortDim::Rest(name) => {
                    let end = dims.len() - after;
                    if !variables.rests.iter().any(|(n, ..)| n == name)
                        && let Some(rest) = dims[next..end]
                            .iter()
                            .copied()
                            .collect::<Option<Vec<Dim>>>()
                    {
                        variables.rests.push((name.clone(), rest, why.clone()));
                        self.changed = true;
                    }
                    next = end;
                }
                PortDim::One(DimExpr::Name(name)) | PortDim::AtMost(DimExpr::Name(name)) => {
                    if let Some(dim) = dims[next]
                        && !variables.dims.iter().any(|(n, ..)| n == name)
                    {
                        variables.dims.push((name.clone(), dim, why.clone()));
                        self.changed = true;
                    }
                    next += 1;
                }
                PortDim::One(_) | PortDim::AtMost(_) => next += 1,
            }
        }
    }

    /// Computes what the bound variables say about one port and compares or writes it.
    #[expect(
        clippy::too_many_arguments,
        reason = "one place of a signature takes this many words to name"
    )]
    fn apply_port(
        &mut self,
        id: StageId,
        signature: &Signature,
        port: &Port,
        end: End,
        index: usize,
        integers: &[(String, i64)],
        path: &str,
        span: Span,
    ) {
        let known = self.ends(id, end)[index].clone();
        let mut next = known.clone();
        let element = match port.element {
            PortElement::Fixed(element) => Some((
                element,
                Why {
                    span,
                    text: format!("`{path}` gives {element}"),
                    through: Vec::new(),
                },
            )),
            PortElement::Variable(variable) => self.variables[id].elements[variable].clone(),
        };
        if let (None, Some((element, why))) = (known.ty.element, element) {
            next.ty.element = Some(element);
            next.why_element = Some(why.passed(&self.pipeline.stages[id].name.value));
            self.changed = true;
        }
        match self.dims_of(id, &port.dims, integers) {
            Err(reason) => {
                let stage = &self.pipeline.stages[id];
                self.found.push(
                    Diagnostic::new(
                        Code::ShapeMismatch,
                        stage.name.span,
                        format!("`{}` cannot work on this shape: {reason}", stage.name.value),
                    )
                    .at(format!("`{path}` wants {}", show_port(signature, port)))
                    .hint("change the shape that feeds it, or an argument"),
                );
                self.silent[id] = true;
                return;
            }
            Ok(None) => {}
            Ok(Some((dims, why))) => {
                let computed: Vec<Option<Dim>> = dims.into_iter().map(Some).collect();
                match &known.ty.dims {
                    None => {
                        next.ty.dims = Some(computed);
                        next.why_dims = Some(why.map_or_else(
                            || Why {
                                span,
                                text: format!("`{path}` gives {}", show_port(signature, port)),
                                through: Vec::new(),
                            },
                            |w| w.passed(&self.pipeline.stages[id].name.value),
                        ));
                        self.changed = true;
                    }
                    Some(have) => match join(have, &computed) {
                        Some((joined, _)) => {
                            if joined != *have {
                                next.ty.dims = Some(joined);
                                self.changed = true;
                            }
                        }
                        None => {
                            let computed = PartialType {
                                element: next.ty.element,
                                dims: Some(computed),
                            };
                            return self.port_mismatch(
                                id,
                                port,
                                end,
                                index,
                                &known,
                                span,
                                Some(&computed),
                            );
                        }
                    },
                }
            }
        }
        self.ends_mut(id, end)[index] = next;
    }

    /// The dimensions of a port if its variables are bound, with the reason of the first of them.
    fn dims_of(
        &self,
        id: StageId,
        pattern: &[PortDim],
        integers: &[(String, i64)],
    ) -> Result<Option<(Vec<Dim>, Option<Why>)>, String> {
        let variables = &self.variables[id];
        let mut dims = Vec::new();
        let mut why = None;
        for item in pattern {
            match item {
                PortDim::Rest(name) => match variables.rests.iter().find(|(n, ..)| n == name) {
                    Some((_, rest, reason)) => {
                        dims.extend(rest.iter().copied());
                        why = why.or_else(|| Some(reason.clone()));
                    }
                    None => return Ok(None),
                },
                PortDim::One(expr) | PortDim::AtMost(expr) => {
                    let mut at_most = matches!(item, PortDim::AtMost(_));
                    let mut lookup = |name: &str| {
                        if let Some((_, dim, reason)) =
                            variables.dims.iter().find(|(n, ..)| n == name)
                        {
                            at_most |= matches!(dim, Dim::AtMost(_));
                            why = why.take().or_else(|| Some(reason.clone()));
                            return Some(i64::from(dim.bound()));
                        }
                        integers.iter().find(|(n, _)| n == name).map(|(_, v)| *v)
                    };
                    let Some(value) = expr.value(&mut lookup)? else {
                        return Ok(None);
                    };
                    let value = u32::try_from(value)
                        .ok()
                        .filter(|v| *v > 0)
                        .ok_or_else(|| format!("a dimension would be {value}"))?;
                    dims.push(if at_most {
                        Dim::AtMost(value)
                    } else {
                        Dim::Exact(value)
                    });
                }
            }
        }
        Ok(Some((dims, why)))
    }

    fn pattern(&self, id: StageId, end: End, index: usize) -> Option<&Port> {
        let Loaded::Block(block) = &self.loaded[id] else {
            return None;
        };
        match end {
            End::Input => block.signature.inputs.get(index),
            End::Output => block.signature.outputs.get(index),
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

    fn element_mismatch(&mut self, reader: StageId, index: usize, maker: &Known, known: &Known) {
        let edge = self.pipeline.stages[reader].inputs[index];
        let wants = known.ty.element.map_or_else(String::new, |e| e.to_string());
        let gives = maker.ty.element.map_or_else(String::new, |e| e.to_string());
        let diagnostic = self.mismatch(
            Code::TypeMismatch,
            reader,
            &edge,
            maker,
            known,
            (&maker.why_element, &known.why_element),
        );
        let hint = match (maker.ty.element, known.ty.element) {
            (Some(ElementType::Utf8), _) | (_, Some(ElementType::Utf8)) => format!(
                "text and numbers do not mix: `{}` cannot feed `{}`",
                edge_name(self.pipeline, &edge),
                self.pipeline.stages[reader].name.value
            ),
            (_, _) => format!(
                "put a block between them that turns {gives} into {wants}, or change the type of one of them"
            ),
        };
        self.found.push(diagnostic.hint(hint));
        self.silent[reader] = true;
    }

    fn shape_mismatch(&mut self, reader: StageId, index: usize, maker: &Known, known: &Known) {
        let edge = self.pipeline.stages[reader].inputs[index];
        let mut wanted = known.clone();
        let mut diagnostic =
            if let (None, Some(port)) = (&known.ty.dims, self.pattern(reader, End::Input, index)) {
                let Loaded::Block(block) = &self.loaded[reader] else {
                    return;
                };
                let wants = show_port(&block.signature, port);
                let stage = &self.pipeline.stages[reader];
                Diagnostic::new(
                    Code::ShapeMismatch,
                    edge.span,
                    format!(
                        "`{}` wants {wants}, but `{}` gives {}",
                        stage.name.value,
                        edge_name(self.pipeline, &edge),
                        maker.ty
                    ),
                )
                .at(format!("{} comes from here", maker.ty))
                .also(
                    stage.name.span,
                    format!("`{}` wants {wants}", stage.name.value),
                )
            } else {
                wanted.ty.element = wanted.ty.element.or(maker.ty.element);
                self.mismatch(
                    Code::ShapeMismatch,
                    reader,
                    &edge,
                    maker,
                    &wanted,
                    (&maker.why_dims, &known.why_dims),
                )
            };
        let count = |ty: &PartialType| ty.complete().map(|t| t.elements());
        diagnostic = match (count(&maker.ty), count(&wanted.ty)) {
            (Some(have), Some(want)) if have == want => diagnostic.hint("both have the same number of elements in another order of dimensions, which is never converted silently"),
            (Some(have), Some(want)) => diagnostic.note(format!("{have} elements are given and {want} are wanted.")).hint(self.repair(&edge, want, have)),
            (_, _) => diagnostic.hint("change the type or the arguments of one of them"),
        };
        self.found.push(diagnostic);
        self.silent[reader] = true;
    }

    /// The smallest change that would make a maker give `want` elements.
    fn repair(&self, edge: &Edge, want: u64, have: u64) -> String {
        let maker = &self.pipeline.stages[edge.from];
        match &maker.kind {
            StageKind::Capability(kind) => match kind.value {
                CapabilityKind::Accel if want % 3 == 0 => format!(
                    "let `{}` give as many: `--samples {}`",
                    maker.name.value,
                    want / 3
                ),
                CapabilityKind::Image => {
                    format!("change `--width` and `--height` of `{}`", maker.name.value)
                }
                CapabilityKind::Rand | CapabilityKind::Sound => format!(
                    "let `{}` give as many: `--samples {want}`",
                    maker.name.value
                ),
                CapabilityKind::Raw | CapabilityKind::Accel => {
                    format!("change the type of `{}`", maker.name.value)
                }
            },
            StageKind::Block(_) | StageKind::Model { .. } | StageKind::Output(_) => format!(
                "put a block between them that makes {want} elements of {have}, or change what feeds `{}`",
                maker.name.value
            ),
        }
    }

    fn mismatch(
        &self,
        code: Code,
        reader: StageId,
        edge: &Edge,
        maker: &Known,
        known: &Known,
        whys: (&Option<Why>, &Option<Why>),
    ) -> Diagnostic {
        let stage = &self.pipeline.stages[reader];
        let from = edge_name(self.pipeline, edge);
        let mut diagnostic = Diagnostic::new(
            code,
            edge.span,
            format!(
                "`{}` wants {}, but `{from}` gives {}",
                stage.name.value, known.ty, maker.ty
            ),
        )
        .at(format!("{} comes from here", maker.ty));
        let mut shown = vec![edge.span];
        for (why, ty) in [(whys.0, &maker.ty), (whys.1, &known.ty)] {
            if let Some(why) = why
                && !shown.contains(&why.span)
            {
                shown.push(why.span);
                diagnostic = diagnostic.also(why.span, format!("{ty}: {}", why.text));
            }
        }
        for why in [whys.0, whys.1].into_iter().flatten() {
            diagnostic = why.noted(diagnostic);
        }
        diagnostic
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one place of a signature takes this many words to name"
    )]
    fn port_mismatch(
        &mut self,
        id: StageId,
        port: &Port,
        end: End,
        index: usize,
        known: &Known,
        span: Span,
        computed: Option<&PartialType>,
    ) {
        let stage = &self.pipeline.stages[id];
        let Loaded::Block(block) = &self.loaded[id] else {
            return;
        };
        let says = computed.map_or_else(|| show_port(&block.signature, port), ToString::to_string);
        let name = &stage.name.value;
        let (message, at) = match (end, stage.inputs.get(index)) {
            (End::Input, Some(edge)) => (
                format!(
                    "`{name}` wants {says}, but `{}` gives {}",
                    edge_name(self.pipeline, edge),
                    known.ty
                ),
                edge.span,
            ),
            (_, _) => (
                format!(
                    "`{name}` gives {says} as `{}`, but {} is wanted",
                    port.name, known.ty
                ),
                stage.name.span,
            ),
        };
        let mut diagnostic = Diagnostic::new(Code::ShapeMismatch, at, message)
            .at(format!("{} is not {says}", known.ty))
            .also(
                span,
                format!(
                    "the block's signature says {}",
                    show_port(&block.signature, port)
                ),
            );
        if let Some(why) = &known.why_dims {
            if why.span != at {
                diagnostic = diagnostic.also(why.span, format!("{}: {}", known.ty, why.text));
            }
            diagnostic = why.noted(diagnostic);
        }
        self.found
            .push(diagnostic.hint("change the type written here, or the arguments of the block"));
        self.silent[id] = true;
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
        let mut complete = true;
        for &id in self.order {
            for end in [End::Input, End::Output] {
                for index in 0..self.ends(id, end).len() {
                    let known = self.ends(id, end)[index].clone();
                    match known.ty.complete() {
                        Some(ty) => {
                            let span = known
                                .why_dims
                                .as_ref()
                                .map_or(self.pipeline.stages[id].name.span, |w| w.span);
                            let errors = self.found.len();
                            if !self.silent[id] && end == End::Output {
                                check_size(&ty, span, self.found);
                            }
                            complete &= self.found.len() == errors;
                        }
                        None => {
                            complete = false;
                            self.open(id, end, &known);
                        }
                    }
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

    /// Reports a type that nothing decides, once, at the first stage of the chain; stages after it follow.
    fn open(&mut self, id: StageId, end: End, known: &Known) {
        let stage = &self.pipeline.stages[id];
        let upstream_open = stage.inputs.iter().any(|e| self.silent[e.from]);
        if self.silent[id] || upstream_open || end == End::Input {
            self.silent[id] = true;
            return;
        }
        let what = match (known.ty.element, &known.ty.dims) {
            (None, None) => "the type",
            (None, Some(_)) => "the element type",
            (Some(_), _) => "the shape",
        };
        let mut diagnostic = Diagnostic::new(
            Code::CannotInfer,
            stage.name.span,
            format!("cannot infer {what} of `{}`", stage.name.value),
        )
        .at(match (known.ty.element, &known.ty.dims) {
            (None, None) => "nothing says what this is".to_owned(),
            _ => format!("known so far: {}", known.ty),
        });
        diagnostic = match &stage.kind {
            StageKind::Capability(kind) => {
                let name = kind.value.spec().name;
                let example = match kind.value {
                    CapabilityKind::Rand | CapabilityKind::Raw => "F32[1]",
                    CapabilityKind::Sound => "I16[16000]",
                    CapabilityKind::Accel => "F32[128, 3]",
                    CapabilityKind::Image => "U8[96, 96, 3]",
                };
                diagnostic.hint(format!(
                    "write the type here, such as `CAPABILITY<{example}> {name} {}`",
                    stage.name.value
                ))
            }
            StageKind::Block(_) | StageKind::Model { .. } | StageKind::Output(_) => {
                diagnostic.hint("write its type here: `<input -> output>` after the keyword")
            }
        };
        self.found.push(diagnostic);
        self.silent[id] = true;
    }
}

impl Why {
    /// The same reason, one stage further.
    fn passed(&self, stage: &str) -> Self {
        let mut through = self.through.clone();
        if through.last().is_none_or(|last| last != stage) && through.len() < 8 {
            through.push(stage.to_owned());
        }
        Self {
            through,
            ..self.clone()
        }
    }

    /// Adds the way the fact came, where it came through other stages.
    fn noted(&self, diagnostic: Diagnostic) -> Diagnostic {
        if self.through.len() < 2 {
            return diagnostic;
        }
        let names: Vec<String> = self.through.iter().map(|s| format!("`{s}`")).collect();
        diagnostic.note(format!(
            "This comes through {}: {}.",
            names.join(", "),
            self.text
        ))
    }
}

impl DimExpr {
    /// The value where `lookup` knows every name; an error where a quotient is not exact or overflows.
    pub fn value(
        &self,
        lookup: &mut dyn FnMut(&str) -> Option<i64>,
    ) -> Result<Option<i64>, String> {
        let (a, b) = match self {
            Self::Number(n) => return Ok(Some(*n)),
            Self::Name(name) => return Ok(lookup(name)),
            Self::Add(a, b)
            | Self::Sub(a, b)
            | Self::Mul(a, b)
            | Self::Div(a, b)
            | Self::FloorDiv(a, b)
            | Self::CeilDiv(a, b) => (a, b),
        };
        let (Some(a), Some(b)) = (a.value(lookup)?, b.value(lookup)?) else {
            return Ok(None);
        };
        let value = match self {
            Self::Number(_) | Self::Name(_) => None,
            Self::Add(..) => a.checked_add(b),
            Self::Sub(..) => a.checked_sub(b),
            Self::Mul(..) => a.checked_mul(b),
            Self::Div(..) if b == 0 || a.checked_rem(b) != Some(0) => {
                return Err(format!("{a} is not a multiple of {b}"));
            }
            Self::Div(..) => a.checked_div(b),
            Self::FloorDiv(..) => a.checked_div_euclid(b),
            Self::CeilDiv(..) if b > 0 => a.checked_add(b - 1).map(|n| n.div_euclid(b)),
            Self::CeilDiv(..) => None,
        };
        value
            .map(Some)
            .ok_or_else(|| format!("`{self}` cannot be computed for {a} and {b}"))
    }
}

/// Values of the integer arguments, by name, for dimension expressions.
fn integer_args(signature: &Signature, args: &[Option<BoundArg>]) -> Vec<(String, i64)> {
    signature
        .args
        .iter()
        .zip(args)
        .filter_map(|(spec, arg)| match arg {
            Some(BoundArg {
                value: Bound::Integer(n),
                ..
            }) => Some((spec.name.clone(), *n)),
            Some(_) | None => None,
        })
        .collect()
}

/// A port as its signature spells it.
fn show_port(signature: &Signature, port: &Port) -> String {
    let element = match port.element {
        PortElement::Fixed(element) => element.to_string(),
        PortElement::Variable(index) => signature.types[index].0.clone(),
    };
    let dims: Vec<String> = port.dims.iter().map(ToString::to_string).collect();
    format!("{element}[{}]", dims.join(", "))
}

/// How two shapes that hold the same elements differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    /// Not at all.
    Same,
    /// By leading dimensions of 1.
    Batch,
    /// By dimensions of 1 elsewhere.
    Units,
}

const ONE: Option<Dim> = Some(Dim::Exact(1));

/// Whether two shapes hold the same elements in the same order; gives the first, with its open dimensions
/// filled in from the second.
fn join(a: &[Option<Dim>], b: &[Option<Dim>]) -> Option<(Vec<Option<Dim>>, Fit)> {
    fn unify(a: &[Option<Dim>], b: &[Option<Dim>]) -> Option<Vec<Option<Dim>>> {
        (a.len() == b.len()).then_some(())?;
        a.iter()
            .zip(b)
            .map(|(a, b)| {
                if a.is_none() || b.is_none() || a == b {
                    Some(a.or(*b))
                } else {
                    None
                }
            })
            .collect()
    }
    let lead = |dims: &[Option<Dim>]| dims.iter().take_while(|d| **d == ONE).count();
    if let Some(joined) = unify(a, b) {
        return Some((joined, Fit::Same));
    }
    let (longer, shorter) = if a.len() > b.len() { (a, b) } else { (b, a) };
    let extra = longer.len() - shorter.len();
    if extra > 0 && lead(longer) >= extra {
        let tail = &longer[extra..];
        let (a_tail, b_tail) = if a.len() > b.len() {
            (tail, b)
        } else {
            (a, tail)
        };
        if let Some(joined) = unify(a_tail, b_tail) {
            let head = if a.len() > b.len() { &a[..extra] } else { &[] };
            return Some(([head, &joined[..]].concat(), Fit::Batch));
        }
    }
    let units = |dims: &[Option<Dim>]| {
        dims.iter()
            .copied()
            .filter(|d| *d != ONE)
            .collect::<Vec<_>>()
    };
    let mut joined = unify(&units(a), &units(b))?.into_iter();
    Some((
        a.iter()
            .map(|d| {
                if *d == ONE {
                    ONE
                } else {
                    joined.next().flatten()
                }
            })
            .collect(),
        Fit::Units,
    ))
}

/// The shape with the rank a pattern wants: unchanged, without or with leading ones, or without any ones.
fn fit(pattern: &[PortDim], dims: &[Option<Dim>]) -> Option<Vec<Option<Dim>>> {
    let fixed = pattern
        .iter()
        .filter(|p| !matches!(p, PortDim::Rest(_)))
        .count();
    if fixed < pattern.len() {
        return (dims.len() >= fixed).then(|| dims.to_vec());
    }
    if dims.len() == fixed {
        return Some(dims.to_vec());
    }
    if dims.len() < fixed {
        let mut padded = vec![ONE; fixed - dims.len()];
        padded.extend_from_slice(dims);
        return Some(padded);
    }
    let extra = dims.len() - fixed;
    if dims[..extra].iter().all(|d| *d == ONE) {
        return Some(dims[extra..].to_vec());
    }
    let mut units: Vec<Option<Dim>> = dims.iter().copied().filter(|d| *d != ONE).collect();
    while units.len() < fixed {
        units.insert(0, ONE);
    }
    (units.len() == fixed).then_some(units)
}

/// What a written type makes of a known one: the written shape where it holds the same elements.
fn merge_declared(known: &PartialType, written: &PartialType) -> Option<PartialType> {
    let element = match (known.element, written.element) {
        (Some(a), Some(b)) if a != b => return None,
        (a, b) => b.or(a),
    };
    let dims = match (&known.dims, &written.dims) {
        (Some(known), Some(written)) => Some(join(written, known)?.0),
        (known, written) => written.clone().or_else(|| known.clone()),
    };
    Some(PartialType { element, dims })
}
