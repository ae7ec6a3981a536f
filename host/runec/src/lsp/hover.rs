//! What a word under the cursor is: types, documentation, the insides of models.

use std::fmt::Write;

use rune_ir::{
    args::ArgSpec,
    check::Loaded,
    diag::{Diagnostic, Span},
    graph::{Graph, Quantization},
    pipeline::{Stage, StageId, StageKind},
    ty::PartialType,
};
use rune_runefile::tree::Instruction;

use super::{
    analysis::{Analysis, OWN},
    place::{Part, Symbol, What, at},
    words,
};
use crate::reference;

/// What there is to say of the piece at a byte, in Markdown, and which piece that is.
pub(crate) fn hover(analysis: &Analysis, offset: usize) -> Option<(Span, String)> {
    let parts = analysis.parts();
    let part = at(&parts, offset);
    let mut pages: Vec<String> = part
        .and_then(|part| page(analysis, part))
        .into_iter()
        .collect();
    let is_here = |found: &&Diagnostic| {
        let span = found.primary.span;
        span.file == OWN && span.start as usize <= offset && offset <= span.end as usize
    };
    let mut span = part.map(|part| part.span);
    for found in analysis.checked.diagnostics.iter().filter(is_here) {
        let code = found.code;
        pages.push(format!(
            "{code} `{}`: {}. `runec explain {code}` says more.",
            code.name(),
            code.summary()
        ));
        span = span.or(Some(found.primary.span));
    }
    Some((span?, pages.join("\n\n---\n\n"))).filter(|(_, text)| !text.is_empty())
}

fn page(analysis: &Analysis, part: &Part<'_>) -> Option<String> {
    match &part.what {
        What::Keyword(keyword) => Some(words::keyword_page(*keyword)),
        What::Image(name) => {
            let name = name.split(['@', '#']).next()?;
            Some(words::image_page(rune_catalogue::image(name)?))
        }
        What::LabelKey(key) | What::LabelValue(key) => {
            let (_, doc) = words::LABELS.iter().find(|(name, _)| name == key)?;
            Some(format!("**{key}** (label)\n\n{doc}"))
        }
        What::Kind { role, word, .. } => words::kind_page(*role, word),
        What::Block(_) => match analysis.loaded(stage_here(analysis, part)?.0) {
            Loaded::Block(block) => Some(reference::page(&block.signature)),
            Loaded::None | Loaded::Model(_) | Loaded::Open(_) | Loaded::Failed => None,
        },
        What::File(path) => match stage_here(analysis, part) {
            Some((id, _)) => model_page(analysis, path, id),
            None => file_page(analysis, path),
        },
        What::Name { symbol, .. } => name_page(analysis, *symbol),
        What::Port { stage, port } => {
            let (id, _) = analysis.stage(stage)?;
            let ty = analysis.outputs(id).get(*port as usize)?;
            Some(format!("Output {port} of `{stage}`: `{ty}`"))
        }
        What::Type => type_page(analysis, part),
        What::Argument(arg) | What::Value(arg) => {
            let spec = spec(analysis, part, &arg.name.value)?;
            Some(reference::argument(&spec))
        }
    }
}

/// The stage that the instruction of a part defines.
fn stage_here<'a>(analysis: &'a Analysis, part: &Part<'_>) -> Option<(StageId, &'a Stage)> {
    let Instruction::Stage(written) = part.instruction(analysis.tree()) else {
        return None;
    };
    analysis
        .stages()
        .find(|(_, stage)| stage.span == written.span)
}

/// The argument of a name that the instruction of a part takes.
fn spec(analysis: &Analysis, part: &Part<'_>, name: &str) -> Option<ArgSpec> {
    let (id, stage) = match part.instruction(analysis.tree()) {
        Instruction::Set(set) => analysis.stage(&set.stage.value)?,
        _ => stage_here(analysis, part)?,
    };
    let mut specs = analysis.specs(id, stage).into_iter();
    specs.find(|spec| spec.is_named(name))
}

fn name_page(analysis: &Analysis, symbol: Symbol<'_>) -> Option<String> {
    match symbol {
        Symbol::Stage(name) => {
            let (id, stage) = analysis.stage(name)?;
            let mut page = format!("**{name}** ({})", what(stage));
            if stage.span.file != OWN {
                let file = analysis.checked.sources.name(stage.span.file);
                let _ = write!(page, ", inherited from `{file}`");
            }
            let _ = write!(page, "\n\n{}", interface(analysis, id));
            if let StageKind::Model { path, .. } = &stage.kind
                && let Some(model) = model_page(analysis, &path.value, id)
            {
                let _ = write!(page, "\n\n{model}");
            }
            Some(page)
        }
        Symbol::Resource(name) => {
            let resources = analysis.tree().instructions.iter().filter_map(|i| match i {
                Instruction::Resource(resource) => Some(resource),
                _ => None,
            });
            let resource = resources.into_iter().find(|r| r.name.value == name)?;
            let what = match &resource.path {
                Some(path) => file_page(analysis, &path.value)?,
                None => format!("`${name}`: a text"),
            };
            Some(what)
        }
        Symbol::Alias(name) => Some(format!(
            "**{name}** (layer)\n\nThe name of the layer below."
        )),
    }
}

/// What a stage is, in words.
pub(crate) fn what(stage: &Stage) -> String {
    match &stage.kind {
        StageKind::Capability(kind) => format!("capability {}", kind.value.spec().name),
        StageKind::Output(kind) => format!("output {}", kind.value.spec().name),
        StageKind::Block(path) => format!("block `{}`", path.value),
        StageKind::Model { path, .. } => format!("model `{}`", path.value),
    }
}

/// What a stage takes and gives, as far as it is known, in Markdown.
fn interface(analysis: &Analysis, id: StageId) -> String {
    let list = |types: &[PartialType]| {
        let types: Vec<String> = types.iter().map(ToString::to_string).collect();
        types.join(", ")
    };
    let (inputs, outputs) = (analysis.inputs(id), analysis.outputs(id));
    let text = match (inputs, outputs) {
        ([], []) => "nothing is known of its types yet".to_owned(),
        ([], outputs) => list(outputs),
        (inputs, []) => format!("{} ->", list(inputs)),
        (inputs, outputs) => format!("{} -> {}", list(inputs), list(outputs)),
    };
    format!("```runefile\n{text}\n```")
}

fn type_page(analysis: &Analysis, part: &Part<'_>) -> Option<String> {
    let (id, stage) = stage_here(analysis, part)?;
    let declared = |types: &Option<Vec<rune_ir::diag::Spanned<PartialType>>>| {
        let mut types = types.iter().flatten();
        types.position(|ty| ty.span == part.span)
    };
    let (side, index, known) = if let Some(index) = declared(&stage.declared_inputs) {
        ("Input", index, analysis.inputs(id).get(index))
    } else {
        let index = declared(&stage.declared_outputs)?;
        ("Output", index, analysis.outputs(id).get(index))
    };
    let known = known?;
    let bytes = known
        .complete()
        .map_or_else(String::new, |ty| format!(", {} bytes", ty.bytes()));
    Some(format!(
        "{side} {index} of `{}`: `{known}`{bytes}",
        stage.name.value
    ))
}

fn file_page(analysis: &Analysis, path: &str) -> Option<String> {
    let bytes = analysis.env().file(path).ok()?;
    Some(format!("`{path}`: a file of {} bytes", bytes.len()))
}

/// A model: inputs and outputs, operators and parameters.
fn model_page(analysis: &Analysis, path: &str, id: StageId) -> Option<String> {
    let graph = match analysis.loaded(id) {
        Loaded::Model(graph) => Some(graph.clone()),
        Loaded::Open(model) => model.smallest(),
        Loaded::None | Loaded::Block(_) | Loaded::Failed => None,
    };
    let Some(graph) = graph else {
        return file_page(analysis, path);
    };
    let mut page = format!("**{path}** (model)\n");
    for (what, ends) in [("input", &graph.inputs), ("output", &graph.outputs)] {
        for (index, id) in ends.iter().enumerate() {
            let tensor = &graph.tensors[*id];
            let shape: Vec<String> = tensor.shape.iter().map(ToString::to_string).collect();
            let _ = write!(
                page,
                "\n- {what} {index} `{}`: `{}[{}]`",
                tensor.name,
                tensor.ty,
                shape.join(", ")
            );
            let quantization = tensor
                .quantization
                .as_ref()
                .and_then(Quantization::per_tensor);
            if let Some((scale, zero)) = quantization {
                let _ = write!(page, ", scale {scale}, zero point {zero}");
            }
        }
    }
    let (operators, parameters) = (operators(&graph), parameters(&graph));
    let _ = write!(
        page,
        "\n\nOperators: {operators}. Parameters: {parameters}."
    );
    Some(page)
}

/// How many there are of each operator, in the order they first appear.
fn operators(graph: &Graph) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for node in &graph.nodes {
        let name = node.op.name();
        match counts.iter_mut().find(|(other, _)| *other == name) {
            Some((_, count)) => *count += 1,
            None => counts.push((name, 1)),
        }
    }
    let counts: Vec<String> = counts
        .iter()
        .map(|(name, n)| format!("{n} {name}"))
        .collect();
    if counts.is_empty() {
        "none".to_owned()
    } else {
        counts.join(", ")
    }
}

fn parameters(graph: &Graph) -> usize {
    let constants = graph.tensors.values().filter(|t| t.data.is_some());
    constants.map(rune_ir::graph::Tensor::elements).sum()
}
