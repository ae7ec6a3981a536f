//! What stages say by themselves: written types, model files, the arguments of capabilities.

use std::sync::Arc;

use super::{End, Inference, Known, Why, shape::merge_declared};
use crate::{
    check::{Arity, Loaded, check_size, structure::plural},
    diag::{Code, Diagnostic, Span},
    pipeline::{StageId, StageKind},
    ty::PartialType,
};

impl Inference<'_> {
    /// Writes down what each stage says by itself.
    pub(super) fn seed(&mut self) {
        for id in self.order.clone() {
            let stage = &self.pipeline.stages[id];
            if let StageKind::Model { path, .. } = &stage.kind {
                match &self.loaded[id] {
                    Loaded::Model(graph) => {
                        let graph = graph.clone();
                        self.of_graph(id, End::Input, &graph, path.span);
                        self.of_graph(id, End::Output, &graph, path.span);
                    }
                    Loaded::Open(model) => self.of_open_model(id, &model.clone(), path.span),
                    Loaded::None | Loaded::Block(_) | Loaded::Failed => {}
                }
            }
            self.declare(id, End::Input);
            self.declare(id, End::Output);
            if let StageKind::Capability(kind) = &stage.kind {
                self.capability(id, kind.value, kind.span);
                self.contradictions(id, kind.value);
            }
        }
    }

    /// Says that a model has a port of truth values, which no stage gives or takes.
    pub(super) fn boolean(&mut self, id: StageId, end: End, index: usize, span: Span) {
        let name = &self.pipeline.stages[id].name.value;
        let side = if end == End::Input { "input" } else { "output" };
        self.found.push(
            Diagnostic::new(
                Code::UnsupportedModel,
                span,
                format!("{side} {index} of `{name}` is of booleans, which no stage has"),
            )
            .at("this file")
            .hint("convert the model with a cast to a number at this end"),
        );
        self.silent[id] = true;
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
            End::Input => {
                let arity = Arity::new(stage, &self.loaded[id], &self.args[id]);
                let fixed = arity.inputs.filter(|i| i.start() == i.end());
                fixed.map_or(stage.inputs.len(), |i| *i.end())
            }
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
                through: Arc::default(),
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
                        declared: written.value.dims.is_some().then_some(written.span),
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
}
