//! Verified pipeline to WebAssembly.
//!
//! [`compile`] reads as the list of phases: steps over buffers, blocks selected for linking, one static
//! memory plan, and the module assembled with every address known.

mod call;
mod describe;
mod emit;
mod encode;
mod features;
pub mod graph;
pub mod kernels;
pub mod link;
mod memory;
pub mod model;
pub mod nest;
pub mod passes;
mod plan;
mod program;
pub mod report;
mod routine;
mod share;

use std::sync::Arc;

use rune_ir::{
    block::Block,
    check::{TypedKind, Verified},
    diag::{Code, Diagnostic, Span},
};

pub use kernels::Simd;

/// How hard to optimise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Level {
    /// Operators as they stand in the model.
    O0,
    /// The graph passes before the kernels.
    #[default]
    O1,
}

impl Level {
    /// Whether graph passes run.
    pub fn optimises(self) -> bool {
        self > Self::O0
    }
}

/// What to compile to.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// How hard to optimise.
    pub level: Level,
    /// Which vector instructions to use.
    pub simd: Simd,
    /// The base images of the rune, for the manifest.
    pub bases: Vec<rune_abi::Base>,
    /// Whether the rune tells its host when each stage begins and ends.
    pub marks: bool,
    /// Whether the steps and loop nests are wanted as text.
    pub text: bool,
    /// Whether constants that only kernels read get a memory of their own, the module's second, which may lie in
    /// flash: for the translation to C. Such a module is no rune, as those have one memory.
    pub flash: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            level: Level::default(),
            simd: Simd::On,
            bases: Vec::new(),
            marks: false,
            text: false,
            flash: false,
        }
    }
}

/// A compiled rune.
#[derive(Clone, Debug)]
pub struct Output {
    /// The module.
    pub wasm: Vec<u8>,
    /// Its manifest.
    pub manifest: rune_abi::Manifest,
    /// Its steps and loop nests as text, if they are wanted.
    pub text: String,
    /// What it costs, and which stage each byte is for.
    pub report: report::Report,
}

/// Compiles a pipeline.
///
/// # Errors
/// The one thing that keeps it from being a rune: a block that cannot be linked, or too much memory.
pub fn compile(verified: &Verified, options: &Options) -> Result<Output, Box<Diagnostic>> {
    let mut manifest = describe::manifest(verified, options)?;
    let mut program = program::build(verified, options)
        .map_err(|(stage, error)| unsupported(verified, stage, &error))?;
    let selection = link::select(&requests(&program.blocks, &program.steps, verified))
        .map_err(|error| blame(verified, &program, &error))?;
    let whole = verified.pipeline().whole;
    let needs = (selection.stack_bytes(), selection.state_bytes());
    let plan = plan::plan(&program, needs, options.flash).ok_or_else(|| too_large(whole))?;
    share::settle(&mut program.steps, &plan);
    let (wasm, report) = emit::module(
        &program,
        verified,
        &selection,
        &plan,
        options,
        &mut manifest,
    )
    .map_err(|reason| Box::new(Diagnostic::new(Code::TooLarge, whole, reason)))?;
    Ok(Output {
        wasm,
        manifest,
        text: if options.text {
            program.text(verified)
        } else {
            String::new()
        },
        report,
    })
}

/// One request per block, its instances in the order of the steps.
fn requests<'a>(
    blocks: &'a [Arc<Block>],
    steps: &[program::Step],
    verified: &'a Verified,
) -> Vec<link::Request<'a>> {
    let mut requests: Vec<link::Request<'a>> = blocks
        .iter()
        .map(|b| link::Request {
            object: &b.object,
            instances: Vec::new(),
        })
        .collect();
    for step in steps {
        if let (
            program::Action::Block(call),
            TypedKind::Block {
                instance, snapshot, ..
            },
        ) = (&step.action, &verified.stages()[step.stage].kind)
        {
            requests[call.block].instances.push(link::InstanceRequest {
                export: &instance.export,
                snapshot,
            });
        }
    }
    requests
}

fn unsupported(verified: &Verified, stage: usize, error: &kernels::Unsupported) -> Box<Diagnostic> {
    let stage = &verified.stages()[stage];
    let span = verified.pipeline().stages[stage.id].name.span;
    Box::new(
        Diagnostic::new(
            Code::UnsupportedModel,
            span,
            format!("cannot compile the model of `{}`: {error}", stage.name),
        )
        .at("this model"),
    )
}

fn too_large(span: Span) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            Code::TooLarge,
            span,
            "the rune needs more than 2 GiB of memory",
        )
        .at("this pipeline")
        .hint("make the largest tensors smaller"),
    )
}

/// Points a link error at the first stage that uses the block.
fn blame(
    verified: &Verified,
    program: &program::Program,
    error: &link::LinkError,
) -> Box<Diagnostic> {
    let stage = program.steps.iter().find_map(|step| match &step.action {
        program::Action::Block(call) if call.block == error.request => {
            Some(&verified.stages()[step.stage])
        }
        program::Action::Block(_)
        | program::Action::Read { .. }
        | program::Action::Kernel(_)
        | program::Action::Write { .. } => None,
    });
    let (span, name) = stage.map_or((verified.pipeline().whole, ""), |s| {
        (verified.pipeline().stages[s.id].name.span, s.name.as_str())
    });
    Box::new(
        Diagnostic::new(
            Code::BlockLink,
            span,
            format!("the block of `{name}` cannot be linked: {error}"),
        )
        .at("this stage")
        .maybe_hint(error.hint.clone()),
    )
}
