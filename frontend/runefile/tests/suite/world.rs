//! The world the tests compile in, and how they show what came out.

use std::{fmt::Write, path::PathBuf, sync::Arc};

use rune_ir::{
    args::Value,
    diag::{Diagnostic, Sources, Span},
    env::{self, Env},
    pipeline::{Pipeline, StageKind},
    ty::PartialType,
};
use rune_runefile::{
    Format, Layer, Tree, lower, read, read_layers,
    tree::{Faulty, Instruction},
};

use crate::layers;

/// A small catalogue and a few files, all in memory.
pub(crate) struct World;

const BLOCKS: [&str; 5] = [
    "runicos/fft",
    "runicos/label",
    "runicos/modulo",
    "runicos/most-confident-indices",
    "runicos/normalize",
];
const FILES: [&str; 7] = [
    "/home/me/labels.txt",
    "./m.tflite",
    "./model.tflite",
    "./my model.tflite",
    "model.tflite",
    "labels.txt",
    "weights.bin",
];

impl Env for World {
    fn file(&self, path: &str) -> Result<Arc<[u8]>, String> {
        if FILES.contains(&path) {
            Ok(path.as_bytes().into())
        } else {
            Err(format!("there is no file {path}"))
        }
    }

    fn layer(&self, path: &str) -> Result<env::Layer, String> {
        layers::known(path)
    }

    fn block(&self, _name: &str) -> Option<Arc<[u8]>> {
        None
    }

    fn resolve_block(&self, name: &str) -> Option<String> {
        let alias = name
            .strip_prefix("hotg-ai/rune#proc_blocks/")
            .map(|x| format!("runicos/{}", x.replace('_', "-")));
        let bare = (!name.contains('/')).then(|| format!("runicos/{name}"));
        let name = alias.or(bare).unwrap_or_else(|| name.to_owned());
        let known = BLOCKS.contains(&name.as_str()) || name.starts_with("./");
        known.then_some(name)
    }

    fn blocks(&self) -> Vec<String> {
        BLOCKS.map(str::to_owned).to_vec()
    }

    fn has_image(&self, name: &str) -> bool {
        ["base", "linux", "portenta-h7", "web"]
            .iter()
            .any(|last| name.strip_prefix("runicos/") == Some(last))
    }

    fn images(&self) -> Vec<String> {
        vec!["runicos/base".to_owned()]
    }
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Parses and lowers a text, and what it lies on, in [`World`].
pub(crate) fn compile(bytes: &[u8]) -> (Tree, Option<Pipeline>, Vec<Diagnostic>) {
    compile_as(Format::Text, bytes)
}

/// Reads a text of either form and lowers it in [`World`].
pub(crate) fn compile_as(
    format: Format,
    bytes: &[u8],
) -> (Tree, Option<Pipeline>, Vec<Diagnostic>) {
    let mut sources = Sources::default();
    let file = sources.add("Runefile", String::from_utf8_lossy(bytes));
    let (tree, mut found) = read(format, file, bytes);
    let (layers, more) = read_layers(Layer::own(tree.clone()), &World, &mut sources);
    found.extend(more);
    let (pipeline, more) = lower(&layers, &World, "test");
    found.extend(more);
    (tree, pipeline, found)
}

/// Everything that came out of a text, one fact a line.
pub(crate) fn show(bytes: &[u8]) -> String {
    let (tree, pipeline, found) = compile(bytes);
    let mut out = String::new();
    show_tree(&tree, &mut out).expect("a string takes everything");
    if let Some(pipeline) = &pipeline {
        show_pipeline(pipeline, &mut out).expect("a string takes everything");
    }
    for diagnostic in &found {
        show_diagnostic(bytes, diagnostic, &mut out).expect("a string takes everything");
    }
    out
}

/// What a pipeline does not show.
pub(crate) fn show_tree(tree: &Tree, out: &mut String) -> std::fmt::Result {
    for instruction in &tree.instructions {
        match instruction {
            Instruction::From(from) => {
                write!(out, "from {}", from.image.value)?;
                if let Some(alias) = &from.alias {
                    write!(out, " as {}", alias.value)?;
                }
                writeln!(out)?;
            }
            Instruction::Label(label) => {
                for (key, value) in &label.pairs {
                    writeln!(out, "label {} = {:?}", key.value, value.value)?;
                }
            }
            Instruction::Resource(resource) => writeln!(
                out,
                "resource {} = {:?}",
                resource.name.value,
                resource.path.as_ref().map_or("text", |p| &p.value)
            )?,
            Instruction::Faulty(Faulty { keyword, names, .. }) => {
                let keyword = keyword.map_or("line", |k| k.name());
                writeln!(out, "faulty {keyword}: {}", names.join(" "))?;
            }
            Instruction::For(device) => writeln!(out, "for {}", device.image.value)?,
            Instruction::Set(set) => {
                let args = set.args.iter().map(|a| a.name.value.as_str());
                writeln!(
                    out,
                    "set {}: {}",
                    set.stage.value,
                    args.collect::<Vec<_>>().join(" ")
                )?;
            }
            Instruction::Stage(_) | Instruction::Run(_) => {}
        }
    }
    Ok(())
}

pub(crate) fn show_pipeline(pipeline: &Pipeline, out: &mut String) -> std::fmt::Result {
    for stage in pipeline.stages.values() {
        write!(out, "{} = ", stage.name.value)?;
        match &stage.kind {
            StageKind::Capability(kind) => write!(out, "capability {}", kind.value.spec().name)?,
            StageKind::Block(path) => write!(out, "block {}", path.value)?,
            StageKind::Model { path, bytes } => {
                write!(out, "model {} ({} bytes)", path.value, bytes.len())?;
            }
            StageKind::Output(kind) => write!(out, "output {}", kind.value.spec().name)?,
        }
        for arg in &stage.args {
            write!(out, " --{} {}", arg.name.value, value(&arg.value.value))?;
        }
        if stage.declared_inputs.is_some() || stage.declared_outputs.is_some() {
            let list =
                |types: &Option<Vec<_>>| types.as_ref().map_or(String::new(), |t| types_of(t));
            write!(
                out,
                " <{} -> {}>",
                list(&stage.declared_inputs),
                list(&stage.declared_outputs)
            )?;
        }
        if !stage.inputs.is_empty() {
            let inputs: Vec<String> = stage
                .inputs
                .iter()
                .map(|e| format!("{}.{}", pipeline.stages[e.from].name.value, e.port))
                .collect();
            write!(out, " reads {}", inputs.join(", "))?;
        }
        writeln!(out)?;
    }
    if pipeline.partial {
        writeln!(out, "partial")?;
    }
    Ok(())
}

fn types_of(types: &[rune_ir::diag::Spanned<PartialType>]) -> String {
    let types: Vec<String> = types.iter().map(|t| t.value.to_string()).collect();
    types.join(", ")
}

fn value(value: &Value) -> String {
    match value {
        Value::Integer(n) => n.to_string(),
        Value::Float(x) => format!("{x:?}"),
        Value::Text(text) => format!("{text:?}"),
        Value::List(items) => {
            format!("{:?}", items.texts())
        }
        Value::Resource(bytes) => format!("resource of {} bytes", bytes.len()),
    }
}

fn show_diagnostic(text: &[u8], d: &Diagnostic, out: &mut String) -> std::fmt::Result {
    let severity = d.severity.name();
    let (code, place, at) = (d.code, place(text, d.primary.span), &d.primary.message);
    writeln!(out, "{severity} {code} {}", d.message)?;
    writeln!(out, "  {place} {at}")?;
    for label in &d.secondary {
        writeln!(out, "  {} {}", self::place(text, label.span), label.message)?;
    }
    for note in &d.notes {
        writeln!(out, "  note: {note}")?;
    }
    for hint in &d.hints {
        writeln!(out, "  hint: {hint}")?;
    }
    Ok(())
}

/// Line, column in characters, and the text there.
fn place(text: &[u8], span: Span) -> String {
    let before = String::from_utf8_lossy(&text[..span.start as usize]).into_owned();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    let under = String::from_utf8_lossy(&text[span.start as usize..span.end as usize]);
    format!("{line}:{column} {under:?}")
}
