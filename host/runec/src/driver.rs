//! The way of a Runefile through the compiler, in one readable list.

use std::{collections::BTreeMap, sync::Arc};

use rune_blocks::Wasmi;
use rune_codegen::{Options, Output};
use rune_ir::{
    arena::Side,
    block::Block,
    check::{Loaded, Verified, verify},
    diag::{Code, Diagnostic, Severity, Sources, has_errors},
    env::Env,
    pipeline::{Pipeline, Stage, StageKind},
};

/// What became of one Runefile.
#[derive(Debug)]
pub struct Compilation<T> {
    /// The texts that diagnostics point into.
    pub sources: Sources,
    /// Everything found, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// The result; there is one exactly when no diagnostic is an error.
    pub output: Option<T>,
}

/// Compiles the bytes of a Runefile. `path` is shown in messages and `name` is the rune's name where no
/// LABEL gives one.
pub fn compile(
    path: &str,
    name: &str,
    bytes: &[u8],
    env: &dyn Env,
    options: &Options,
) -> Compilation<Output> {
    let checked = check(path, name, bytes, env);
    let mut diagnostics = checked.diagnostics;
    let output = checked.output.and_then(|verified| {
        let options = Options {
            bases: bases(&verified),
            ..options.clone()
        };
        rune_codegen::compile(&verified, &options)
            .map_err(|found| diagnostics.push(*found))
            .ok()
    });
    Compilation {
        sources: checked.sources,
        diagnostics,
        output,
    }
}

/// Checks the bytes of a Runefile, without generating code.
pub fn check(path: &str, name: &str, bytes: &[u8], env: &dyn Env) -> Compilation<Verified> {
    let mut sources = Sources::default();
    let file = sources.add(path, String::from_utf8_lossy(bytes));
    let (tree, mut diagnostics) = rune_runefile::parse(file, bytes);
    let (pipeline, found) = rune_runefile::lower(&tree, name, env);
    diagnostics.extend(found);
    let output = pipeline.and_then(|pipeline| {
        let loaded = load(&pipeline, env, &mut diagnostics);
        let (verified, found) = verify(pipeline, &loaded, &Wasmi::default());
        diagnostics.extend(found);
        verified
    });
    diagnostics.sort_by_key(|d| (d.primary.span.file, d.primary.span.start));
    let output = if has_errors(&diagnostics) {
        None
    } else {
        output
    };
    Compilation {
        sources,
        diagnostics,
        output,
    }
}

/// Reads the files of models and blocks. A file used twice is read once.
fn load(
    pipeline: &Pipeline,
    env: &dyn Env,
    diagnostics: &mut Vec<Diagnostic>,
) -> Side<Stage, Loaded> {
    let mut blocks: BTreeMap<String, Result<Arc<Block>, (Code, String)>> = BTreeMap::new();
    Side::new(&pipeline.stages, |_, stage| {
        let (path, loaded) = match &stage.kind {
            StageKind::Capability(_) | StageKind::Output(_) => return Loaded::None,
            // What lowering could not find has been reported at its path.
            StageKind::Model { path, .. } | StageKind::Block(path)
                if diagnostics
                    .iter()
                    .any(|d| d.severity == Severity::Error && d.primary.span == path.span) =>
            {
                return Loaded::Failed;
            }
            StageKind::Model { path, bytes } => {
                let imported =
                    rune_models::import(bytes).map(|graph| Loaded::Model(Arc::new(graph)));
                (
                    path,
                    imported.map_err(|error| {
                        (
                            error.kind.code(),
                            format!("cannot use model `{}`: {error}", path.value),
                        )
                    }),
                )
            }
            StageKind::Block(path) => {
                let block = blocks
                    .entry(path.value.clone())
                    .or_insert_with(|| read_block(&path.value, env));
                (path, block.clone().map(Loaded::Block))
            }
        };
        loaded.unwrap_or_else(|(code, message)| {
            diagnostics.push(Diagnostic::new(code, path.span, message).at("this file"));
            Loaded::Failed
        })
    })
}

/// A block of the catalogue, or of a file.
fn read_block(path: &str, env: &dyn Env) -> Result<Arc<Block>, (Code, String)> {
    let bytes = match env.block(path) {
        Some(bytes) => bytes,
        None => env
            .file(path)
            .map_err(|reason| (Code::FileMissing, reason))?,
    };
    rune_blocks::read(bytes).map(Arc::new).map_err(|error| {
        (
            Code::BlockInvalid,
            format!("cannot use block `{path}`: {error}"),
        )
    })
}

/// The base image of a pipeline with its version, for the manifest.
fn bases(verified: &Verified) -> Vec<rune_abi::Base> {
    let image = verified
        .pipeline()
        .image
        .as_ref()
        .and_then(|image| rune_catalogue::image(&image.value));
    image
        .into_iter()
        .map(|image| rune_abi::Base {
            name: image.name.clone(),
            version: image.version.parse().unwrap_or_default(),
        })
        .collect()
}
