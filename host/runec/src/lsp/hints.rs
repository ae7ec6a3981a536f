//! Inlay hints: the types that nobody wrote.

use std::ops::Range;

use lsp_types::{InlayHint, InlayHintKind, InlayHintLabel};
use rune_ir::{diag::Span, ty::PartialType};
use rune_runefile::{Format, tree::Instruction};

use super::{
    analysis::{Analysis, OWN},
    place::{Symbol, Use, What},
};

/// The types within a range of bytes: of what each step of a RUN gives, and of stages that have none written.
pub(crate) fn hints(analysis: &Analysis, range: &Range<usize>) -> Vec<InlayHint> {
    let mut hints = Vec::new();
    if analysis.tree().format != Format::Text {
        return hints;
    }
    let mut hint = |at: u32, label: String| {
        if range.start <= at as usize && at as usize <= range.end {
            hints.push(InlayHint {
                position: analysis.lines.position(analysis.text(), at as usize),
                label: InlayHintLabel::String(label),
                kind: Some(InlayHintKind::TYPE),
                text_edits: None,
                tooltip: None,
                padding_left: None,
                padding_right: None,
                data: None,
            });
        }
    };
    for (id, stage) in analysis.stages() {
        let is_typed = stage.declared_inputs.is_some() || stage.declared_outputs.is_some();
        if stage.span.file != OWN || is_typed {
            continue;
        }
        let written = |i: &&Instruction| matches!(i, Instruction::Stage(s) if s.span == stage.span);
        let Some(Instruction::Stage(written)) = analysis.tree().instructions.iter().find(written)
        else {
            continue;
        };
        let (inputs, outputs) = (analysis.inputs(id), analysis.outputs(id));
        if let Some(label) = types(inputs, outputs) {
            hint(written.role.span.end, label);
        }
    }
    let parts = analysis.parts();
    for (index, part) in parts.iter().enumerate() {
        let What::Name {
            symbol: Symbol::Stage(name),
            use_: Use::Reference,
        } = part.what
        else {
            continue;
        };
        if !matches!(part.instruction(analysis.tree()), Instruction::Run(_)) {
            continue;
        }
        let port: Option<(u32, Span)> = match parts.get(index + 1) {
            Some(next) => match next.what {
                What::Port { port, .. } => Some((port, next.span)),
                _ => None,
            },
            None => None,
        };
        let (port, span) = port.unwrap_or((0, part.span));
        let ty = analysis
            .stage(name)
            .and_then(|(id, _)| analysis.outputs(id).get(port as usize));
        if let Some(ty) = ty.filter(|ty| is_known(ty)) {
            hint(span.end, format!(": {ty}"));
        }
    }
    hints
}

/// `<in -> out>`, where something is known.
fn types(inputs: &[PartialType], outputs: &[PartialType]) -> Option<String> {
    if !inputs.iter().chain(outputs).any(is_known) || outputs.is_empty() {
        return None;
    }
    let list = |types: &[PartialType]| {
        let types: Vec<String> = types.iter().map(ToString::to_string).collect();
        types.join(", ")
    };
    Some(if inputs.is_empty() {
        format!("<{}>", list(outputs))
    } else {
        format!("<{} -> {}>", list(inputs), list(outputs))
    })
}

fn is_known(ty: &PartialType) -> bool {
    ty.element.is_some() || ty.dims.is_some()
}
