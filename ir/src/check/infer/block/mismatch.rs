//! What is said when a stage does not fit the signature of its block.

use super::Said;
use crate::{
    block::{DimExpr, Port, PortDim, PortElement, Signature},
    check::{
        edge_name,
        infer::{End, Inference, Known, Why, shape::fit},
    },
    diag::{Code, Diagnostic, Span},
    pipeline::StageId,
    ty::{Dim, ElementType, PartialType},
};

impl Inference<'_> {
    #[expect(
        clippy::too_many_arguments,
        reason = "one place of a signature takes this many words to name"
    )]
    pub(super) fn block_element(
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
        let verb = verb(end);
        let mut declared = stage.declared_inputs.iter().chain(&stage.declared_outputs);
        let is_written_here = declared.any(|types| types.iter().any(|t| t.span == why.span));
        let at = match end {
            _ if is_written_here => why.span,
            End::Input => stage.inputs.get(index).map_or(stage.name.span, |e| e.span),
            End::Output => stage.name.span,
        };
        let mut diagnostic = Diagnostic::new(
            Code::TypeMismatch,
            at,
            format!("`{}` {verb} {wants}, not {element}", stage.name.value),
        )
        .at(format!("this is {element}"))
        .also(span, format!("`{path}` {verb} {wants}"));
        if why.span != at {
            diagnostic = diagnostic.also(why.span, format!("{element} {}", why.text));
        }
        diagnostic = why.noted(diagnostic);
        let hint = match end {
            _ if is_written_here => "write another type here, or leave it out".to_owned(),
            End::Input => {
                format!("put a stage before it that gives {wants}, or use another block")
            }
            End::Output => format!(
                "put a stage after `{}` that makes {element} of it, or use another block",
                stage.name.value
            ),
        };
        self.found.push(diagnostic.hint(hint));
        self.silent[id] = true;
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one place of a signature takes this many words to name"
    )]
    pub(super) fn port_mismatch(
        &mut self,
        id: StageId,
        signature: &Signature,
        port: &Port,
        end: End,
        index: usize,
        known: &Known,
        span: Span,
        said: Option<Vec<Said>>,
    ) {
        let stage = &self.pipeline.stages[id];
        let (dims, whys): (Vec<_>, Vec<_>) = said.into_iter().flatten().unzip();
        let computed = PartialType {
            element: known.ty.element,
            dims: Some(dims.iter().copied().map(Some).collect()),
        };
        let says = if dims.is_empty() {
            show_port(signature, port)
        } else {
            computed.to_string()
        };
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
                if port.dims.contains(&PortDim::Told) {
                    format!("the block itself tells {says} of these inputs")
                } else {
                    format!("the block's signature says {}", show_port(signature, port))
                },
            );
        if let Some(why) = &known.why_dims {
            if why.span != at {
                diagnostic = diagnostic.also(why.span, format!("{} {}", known.ty, why.text));
            }
            diagnostic = why.noted(diagnostic);
        }
        // Where the first dimension that differs comes from.
        let have = known
            .ty
            .dims
            .as_deref()
            .and_then(|have| fit(&port.dims, have));
        let differs = |(i, dim): (usize, &Dim)| {
            let have = have.as_ref().and_then(|h| h.get(i));
            have.is_none_or(|have| have.is_some_and(|have| have != *dim))
        };
        if let Some(why) = dims
            .iter()
            .enumerate()
            .position(differs)
            .and_then(|i| whys[i].as_ref())
            && known.why_dims.as_ref().is_none_or(|w| w.span != why.span)
        {
            diagnostic = diagnostic.also(why.span, format!("{says} follows from this"));
        }
        let is_bound = |dim: &Option<Dim>| matches!(dim, Some(Dim::AtMost(_)));
        let bounded = known.ty.dims.iter().flatten().any(is_bound);
        let argument = port.dims.iter().find_map(|dim| match dim {
            PortDim::One(DimExpr::Name(name)) | PortDim::AtMost(DimExpr::Name(name)) => {
                signature.args.iter().find(|a| a.name == *name)
            }
            PortDim::One(_)
            | PortDim::AtMost(_)
            | PortDim::Rest(_)
            | PortDim::RestAtMost(_)
            | PortDim::Any
            | PortDim::Told => None,
        });
        let hint = match argument {
            _ if bounded && end == End::Input => {
                format!("`{name}` has no `<=` here: it takes tensors that are always full")
            }
            Some(arg) => format!("change `--{}` of `{name}`, or the type", arg.name),
            None => "change the type written here, or what feeds the block".to_owned(),
        };
        self.found.push(diagnostic.hint(hint));
        self.silent[id] = true;
    }
}

/// What a block does at an end, in a sentence.
pub(super) fn verb(end: End) -> &'static str {
    match end {
        End::Input => "takes",
        End::Output => "gives",
    }
}

/// A port as its signature spells it.
pub(in crate::check::infer) fn show_port(signature: &Signature, port: &Port) -> String {
    let element = match port.element {
        PortElement::Fixed(element) => element.to_string(),
        PortElement::Variable(index) => signature.types[index].0.clone(),
    };
    let dims: Vec<String> = port.dims.iter().map(ToString::to_string).collect();
    format!("{element}[{}]", dims.join(", "))
}
