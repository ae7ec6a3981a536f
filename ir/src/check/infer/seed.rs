//! What stages say by themselves: written types, model files, the arguments of capabilities.

use super::{
    End, Inference, Known, Why,
    shape::{join, merge_declared},
};
use crate::{
    args::{Bound, BoundArg},
    check::{Loaded, arity, check_size, structure::plural},
    diag::{Code, Diagnostic, Span},
    graph::DataType,
    pipeline::{StageId, StageKind},
    ty::{Dim, PartialType, TensorType},
};
use rune_abi::CapabilityKind;

impl Inference<'_> {
    /// Writes down what each stage says by itself.
    pub(super) fn seed(&mut self) {
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
                            text: "is in the model's file".to_owned(),
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
                self.bounded_capability(id);
                self.sample_size(id, kind.value);
            }
        }
    }

    /// Takes in the types written for one end of a stage.
    pub(super) fn declare(&mut self, id: StageId, end: End) {
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
                        plural(count, side),
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
                text: "is written here".to_owned(),
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

    pub(super) fn declared_wrong(
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
    pub(super) fn capability(&mut self, id: StageId, kind: CapabilityKind, span: Span) {
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
                            Diagnostic::new(Code::ArgumentRange, s.unwrap_or(span), format!("{bytes} bytes are not a whole number of {element} elements of {} bytes", element.size()))
                                .at("the last bytes would be left over")
                                .hint(format!("give a multiple of {}", element.size())),
                        );
                        self.silent[id] = true;
                        (None, None)
                    }
                    (_, _) => (None, None),
                }
            }
        };
        let text = match place {
            Some(_) => "follows from the arguments".to_owned(),
            None => format!("is what {} gives", spec.name),
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
                text: format!("is what {} gives", spec.name),
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
            Some(written) => {
                if let Some((joined, _)) = join(written, &dims) {
                    self.changed |= joined != *written;
                    known.ty.dims = Some(joined);
                } else if !self.silent[id] {
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
            }
        }
    }

    /// A capability fills its tensor or has no data: nothing would say how much of a bound is there.
    fn bounded_capability(&mut self, id: StageId) {
        let known = &self.outputs[id][0];
        let bounded = |d: &Option<Dim>| matches!(d, Some(Dim::AtMost(_)));
        if let (Some(span), Some(dims)) = (known.declared, &known.ty.dims)
            && dims.iter().any(bounded)
        {
            let found = Diagnostic::new(
                Code::BadDimension,
                span,
                format!(
                    "{} has a bounded dimension, but a capability always fills its tensor",
                    known.ty
                ),
            );
            self.found.push(
                found
                    .at("`<=` is for what a block makes")
                    .hint("write the exact number"),
            );
            self.silent[id] = true;
        }
    }

    /// Warns about `--sample-size`, which old Runefiles have, where it is neither the number of samples
    /// nor their duration in milliseconds.
    fn sample_size(&mut self, id: StageId, kind: CapabilityKind) {
        if kind != CapabilityKind::Sound {
            return;
        }
        let integer = |name: &str| {
            let index = kind.spec().params.iter().position(|p| p.name == name)?;
            match self.args[id].get(index)?.as_ref()? {
                BoundArg {
                    value: Bound::Integer(n),
                    span,
                } => Some((*n, *span)),
                BoundArg { .. } => None,
            }
        };
        let (Some((size, Some(span))), Some((hz, _)), Some((samples, _))) =
            (integer("sample-size"), integer("hz"), integer("samples"))
        else {
            return;
        };
        if size != samples && size.saturating_mul(hz) != samples.saturating_mul(1000) {
            self.found.push(
                Diagnostic::new(
                    Code::ContradictingArguments,
                    span,
                    format!("`--sample-size {size}` contradicts `--samples {samples}`"),
                )
                .at("this has no effect")
                .note(format!(
                    "{samples} samples at {hz} Hz last {} ms.",
                    samples as f64 * 1000.0 / hz as f64
                ))
                .hint("remove `--sample-size`: one call reads `--samples`"),
            );
        }
    }
}
