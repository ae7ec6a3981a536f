//! The way of a Runefile through the compiler, in one readable list.

use std::{collections::BTreeMap, sync::Arc};

use rune_catalogue::Image;
use rune_codegen::{Options, Output};
use rune_ir::{
    arena::Side,
    block::Block,
    check::{self, Loaded, Verified},
    diag::{Code, Diagnostic, FileId, Severity, Sources, Span, has_errors},
    env::{Env, Unbuilt},
    pipeline::{Pipeline, Stage, StageKind},
};
use rune_models::ImportError;
use rune_runefile::{
    Format, Layer, Tree,
    lint::{self, Subject},
};

use crate::{
    config::Config,
    device::{self, Target},
    interface::{self, Stages},
    memo::Memo,
};

/// What became of one Runefile.
#[derive(Debug)]
pub struct Compilation<T> {
    /// The texts that diagnostics point into.
    pub sources: Sources,
    /// Everything found, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// The result. There is none when a diagnostic is an error; nor of a check that came upon a block
    /// whose folder is yet to be built.
    pub output: Option<T>,
}

/// All that is known of one Runefile, be it right or wrong.
#[derive(Debug)]
pub struct Checked {
    /// The texts that diagnostics point into.
    pub sources: Sources,
    /// Everything found, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// What the Runefile says, and then each layer below it: that at `i` is file `i` of `sources`.
    pub layers: Vec<Layer>,
    /// What each stage's file turned out to be, and what followed; `None` where no stage could be read.
    pub stages: Option<Stages>,
    /// The rune, where it was compiled to see that it fits its devices, and how.
    pub output: Option<Box<(Options, Output)>>,
}

impl Checked {
    /// What the Runefile asked for says.
    pub fn tree(&self) -> &Tree {
        &self.layers[0].tree
    }

    /// The pipeline, where no diagnostic is an error.
    pub fn verified(&self) -> Option<&Verified> {
        let (_, analysis) = self.stages.as_ref()?;
        let verified = analysis.verified.as_ref()?;
        (!has_errors(&self.diagnostics)).then_some(verified)
    }
}

/// A Runefile to check, and what with.
#[derive(Clone)]
pub struct Request<'a> {
    /// The path to show in messages; its end tells the form, text or YAML.
    pub path: &'a str,
    /// The rune's name where no LABEL gives one.
    pub name: &'a str,
    /// The Runefile.
    pub bytes: &'a [u8],
    /// What it sees.
    pub env: &'a dyn Env,
    /// The id that [`Env::layer`] would give this file; empty: it is in no file.
    pub id: &'a str,
    /// Whether blocks whose folder is not built are built. Otherwise such a block gets a warning, and the
    /// rest is checked as far as it does not depend on it.
    pub build: bool,
    /// What is known already; a fresh one knows nothing.
    pub memo: Memo,
    /// A device the rune must fit besides those it names.
    pub device: Option<&'static Image>,
    /// How to compile where only the finished rune tells whether it fits its devices; `None`: that is left
    /// open.
    pub fit: Option<Options>,
    /// What the project says about findings. Of a build, lints count only where they are denied.
    pub config: Arc<Config>,
}

impl<'a> Request<'a> {
    /// A request that builds nothing.
    pub fn new(path: &'a str, name: &'a str, bytes: &'a [u8], env: &'a dyn Env) -> Self {
        Self {
            path,
            name,
            bytes,
            env,
            id: "",
            build: false,
            memo: Memo::new(),
            device: None,
            fit: None,
            config: Arc::default(),
        }
    }
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
    let request = Request {
        build: true,
        fit: Some(options.clone()),
        ..Request::new(path, name, bytes, env)
    };
    generate(analyse(&request), options)
}

/// Compiles what has been checked; what was compiled with these options to see that it fits is not compiled again.
pub fn generate(mut checked: Checked, options: &Options) -> Compilation<Output> {
    let fitted = checked.output.take();
    let compiled = checked.verified().map(|verified| match fitted {
        Some(fitted) if fitted.0 == *options => Ok(fitted.1),
        _ => build(verified, options),
    });
    let mut diagnostics = checked.diagnostics;
    let output = compiled.and_then(|result| result.map_err(|found| diagnostics.push(*found)).ok());
    Compilation {
        sources: checked.sources,
        diagnostics,
        output,
    }
}

/// Compiles a pipeline on the base image it names.
///
/// # Errors
/// The one thing that keeps it from being a rune.
pub fn build(verified: &Verified, options: &Options) -> Result<Output, Box<Diagnostic>> {
    let options = Options {
        bases: bases(verified),
        ..options.clone()
    };
    rune_codegen::compile(verified, &options)
}

/// Checks what the devices of a pipeline have, and compiles it where only that tells whether it fits them.
fn fit(
    analysis: &check::Analysis,
    request: &Request<'_>,
    found: &mut Vec<Diagnostic>,
) -> Option<Box<(Options, Output)>> {
    let targets = Target::all(&analysis.pipeline, request.device);
    found.extend(device::interface(analysis, &targets));
    let options = request.fit.as_ref()?;
    let verified = analysis.verified.as_ref()?;
    if has_errors(found) || !targets.iter().any(Target::has_limits) {
        return None;
    }
    match build(verified, options) {
        Ok(output) => {
            found.extend(device::size(&analysis.pipeline, &output, &targets));
            Some(Box::new((options.clone(), output)))
        }
        Err(fault) => {
            found.push(*fault);
            None
        }
    }
}

/// Checks the bytes of a Runefile as a build would, and builds nothing.
pub fn check(path: &str, name: &str, bytes: &[u8], env: &dyn Env) -> Compilation<Verified> {
    let checked = analyse(&Request {
        config: Arc::new(Config::default().for_build()),
        fit: Some(Options::default()),
        ..Request::new(path, name, bytes, env)
    });
    Compilation {
        output: checked.verified().cloned(),
        sources: checked.sources,
        diagnostics: checked.diagnostics,
    }
}

/// Checks a Runefile and keeps all that is learnt on the way.
pub fn analyse(request: &Request<'_>) -> Checked {
    let Request {
        path,
        bytes,
        env,
        id,
        ..
    } = *request;
    let mut sources = Sources::default();
    let file = sources.add(path, String::from_utf8_lossy(bytes));
    let (tree, mut diagnostics) = request.memo.read(Format::of(path), file, bytes);
    let own = Layer {
        id: id.to_owned(),
        ..Layer::own(tree)
    };
    let (layers, found) = rune_runefile::read_layers(own, env, &mut sources);
    diagnostics.extend(found);
    let (stages, found) = study(&layers, &layers, request);
    diagnostics.extend(found);
    let mut output = None;
    if let Some(stages) = &stages {
        let is_open = diagnostics.iter().any(|d| d.code == Code::CannotInfer);
        let study = |part: &[Layer]| study(part, &layers, request).0;
        let changed = interface::check(&layers, stages, is_open, study);
        if !changed.is_empty() {
            diagnostics.retain(|d| !interface::may_follow(d.code));
            diagnostics.extend(changed);
        }
        output = fit(&stages.1, request, &mut diagnostics);
    }
    rune_runefile::say_where_inherited(&layers, &mut diagnostics);
    lint(
        &layers,
        stages.as_ref(),
        &mut sources,
        request,
        &mut diagnostics,
    );
    // Fixes are written in the words of the text form.
    let is_text = |file: FileId| {
        let layer = layers.get(file.0 as usize);
        layer.is_none_or(|layer| layer.tree.format == Format::Text)
    };
    for diagnostic in &mut diagnostics {
        let fixes = &mut diagnostic.fixes;
        fixes.retain(|fix| fix.edits.iter().all(|edit| is_text(edit.span.file)));
    }
    diagnostics.sort_by_key(|d| (d.primary.span.file, d.primary.span.start));
    Checked {
        sources,
        diagnostics,
        layers,
        stages,
        output,
    }
}

/// Adds what lints find, takes out what comments ignore, and gives everything the severity that the
/// configuration says; adds what is wrong with that.
fn lint(
    layers: &[Layer],
    stages: Option<&Stages>,
    sources: &mut Sources,
    request: &Request<'_>,
    found: &mut Vec<Diagnostic>,
) {
    let own = &layers[0].tree;
    let mut complete = false;
    if let Some((loaded, analysis)) = stages {
        let targets = Target::all(&analysis.pipeline, request.device);
        let is_sized = request.fit.is_some() || !targets.iter().any(Target::has_limits);
        complete = is_sized && analysis.verified.is_some() && !has_errors(found);
        let subject = Subject {
            text: sources.text(own.file),
            tree: own,
            below: &layers[1..],
            pipeline: &analysis.pipeline,
            loaded,
            analysis,
            env: request.env,
        };
        lint::run(&subject, found);
    }
    for layer in layers {
        let is_own = layer.tree.file == own.file;
        let text = sources.text(layer.tree.file);
        lint::apply_ignores(&layer.tree, text, complete, is_own, found);
    }
    let config = &request.config;
    if request.build {
        config.levels.clone().for_build().apply(found);
    } else {
        config.levels.apply(found);
    }
    found.extend(config.faults(sources));
}

/// Lowers and checks the layers of `part`, which is the lower end of `layers`.
fn study(
    part: &[Layer],
    layers: &[Layer],
    request: &Request<'_>,
) -> (Option<Stages>, Vec<Diagnostic>) {
    let env = part[0].env(request.env);
    let (pipeline, mut diagnostics) = rune_runefile::lower(part, env, request.name);
    let stages = pipeline.map(|mut pipeline| {
        let loaded = load(&pipeline, layers, request, &mut diagnostics);
        // What only an unbuilt block could tell is not missed.
        pipeline.partial |= diagnostics.iter().any(|d| d.code == Code::BlockBuild);
        let (analysis, found) = check::analyse(Arc::new(pipeline), &loaded, &request.memo);
        diagnostics.extend(found);
        (loaded, analysis)
    });
    (stages, diagnostics)
}

/// Reads the files of models and blocks, each as the layer sees it that names it. A block that a layer uses
/// twice is read once.
fn load(
    pipeline: &Pipeline,
    layers: &[Layer],
    request: &Request<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Side<Stage, Loaded> {
    let mut blocks: BTreeMap<(FileId, String), Result<Arc<Block>, Fault>> = BTreeMap::new();
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
                let imported = request.memo.model(bytes);
                (path, imported.map_err(|error| refused(&path.value, error)))
            }
            StageKind::Block(path) => {
                let block = blocks
                    .entry((path.span.file, path.value.clone()))
                    .or_insert_with(|| {
                        let layer = &layers[path.span.file.0 as usize];
                        read_block(&path.value, layer.env(request.env), request)
                    });
                (path, block.clone().map(Loaded::Block))
            }
        };
        loaded.unwrap_or_else(|fault| {
            diagnostics.push(fault(path.span));
            Loaded::Failed
        })
    })
}

/// A diagnostic that lacks only its place.
type Fault = Arc<dyn Fn(Span) -> Diagnostic + Send + Sync>;

/// A file that is at fault as a whole.
fn fault(code: Code, message: String) -> Fault {
    Arc::new(move |span| Diagnostic::new(code, span, message.clone()).at("this file"))
}

/// A model that cannot be used: everything that is wrong with it, and what to do about it.
fn refused(path: &str, error: ImportError) -> Fault {
    let message = format!("cannot use model `{path}`: {}", error.message);
    let fault = fault(error.kind.code(), message);
    Arc::new(move |span| {
        let (shown, rest) = error.others.split_at(error.others.len().min(FAULTS));
        let mut diagnostic = shown.iter().fold(fault(span), Diagnostic::note);
        if !rest.is_empty() {
            diagnostic = diagnostic.note(format!("and {} more like these", rest.len()));
        }
        diagnostic.maybe_hint(error.advice.map(str::to_owned))
    })
}

/// Most faults of a model that are told, beside the first.
const FAULTS: usize = 20;

/// A block of the catalogue, of a folder of sources, or of a file.
fn read_block(path: &str, env: &dyn Env, request: &Request<'_>) -> Result<Arc<Block>, Fault> {
    let mut label = "this file";
    let bytes = match (env.block(path), env.folder_block(path, request.build)) {
        (Some(bytes), _) => bytes,
        (None, Some(Ok(bytes))) => {
            label = "this folder";
            bytes
        }
        (None, Some(Err(unbuilt))) => return Err(not_built(path, unbuilt)),
        (None, None) => env
            .file(path)
            .map_err(|reason| fault(Code::FileMissing, reason))?,
    };
    request.memo.block(&bytes).map_err(|error| -> Fault {
        let path = path.to_owned();
        Arc::new(move |span| {
            let message = format!("cannot use block `{path}`: {error}");
            Diagnostic::new(Code::BlockInvalid, span, message)
                .at(label)
                .hint(error.hint())
        })
    })
}

/// That a folder gave no module: a warning where it only has not been built.
fn not_built(path: &str, unbuilt: Unbuilt) -> Fault {
    let path = path.to_owned();
    Arc::new(move |span| match unbuilt.clone() {
        Unbuilt::NotYet => {
            let message =
                format!("block `{path}` is not built, so what follows from it is not checked");
            let mut found = Diagnostic::new(Code::BlockBuild, span, message)
                .at("this folder, as it is now")
                .hint("`runec build` builds it");
            found.severity = Severity::Warning;
            found
        }
        Unbuilt::Failed(failure) => {
            let message = format!("cannot build block `{path}`: {}", failure.reason);
            let mut found = Diagnostic::new(Code::BlockBuild, span, message).at("this folder");
            (found.notes, found.hints) = (failure.notes, failure.hints);
            found
        }
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
