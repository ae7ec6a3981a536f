//! A Runefile after names are resolved: stages, the edges between them, and what was written about each.

use std::sync::Arc;

use rune_abi::{CapabilityKind, OutputKind};

use crate::{
    arena::{Arena, Id},
    args::Argument,
    diag::{Span, Spanned},
    ty::PartialType,
};

/// Names one stage.
pub type StageId = Id<Stage>;

/// A whole Runefile with its layers flattened.
#[derive(Clone, Debug, Default)]
pub struct Pipeline {
    /// Name of the rune: its LABEL `name`, else the name of its folder or file.
    pub name: String,
    /// The base image.
    pub image: Option<Spanned<String>>,
    /// The images of the devices the rune must fit, as written, those of the lowest layer first; all are in
    /// the catalogue.
    pub devices: Vec<Spanned<String>>,
    /// `LABEL` pairs in the order written.
    pub labels: Vec<(Spanned<String>, Spanned<String>)>,
    /// Capabilities, blocks, models and outputs, in the order written.
    pub stages: Arena<Stage>,
    /// Span of the whole text, for findings about what is not there.
    pub whole: Span,
    /// Stages, edges, arguments or types are missing because what was written was at fault, which has
    /// been reported: a finding that something is missing may only follow from that.
    pub partial: bool,
}

/// One capability, block, model or output.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Its name, with the place it is defined.
    pub name: Spanned<String>,
    /// What it is.
    pub kind: StageKind,
    /// What feeds it, in order; each edge knows the RUN step that made it.
    pub inputs: Vec<Edge>,
    /// Types written for its inputs; `None`: none were written.
    pub declared_inputs: Option<Vec<Spanned<PartialType>>>,
    /// Types written for its outputs; `None`: none were written.
    pub declared_outputs: Option<Vec<Spanned<PartialType>>>,
    /// Arguments as written, in order, names not yet checked.
    pub args: Vec<Argument>,
    /// The whole instruction.
    pub span: Span,
}

/// What a stage is.
#[derive(Clone, Debug)]
pub enum StageKind {
    /// A source of data; the span is the kind's word.
    Capability(Spanned<CapabilityKind>),
    /// A processing block; the path is canonical (`runicos/label`) or a file's.
    Block(Spanned<String>),
    /// A model file's path as written, with its bytes.
    Model {
        /// The path, relative to the Runefile.
        path: Spanned<String>,
        /// The file.
        bytes: Arc<[u8]>,
    },
    /// A sink; the span is the kind's word.
    Output(Spanned<OutputKind>),
}

/// A tensor that flows into a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Who makes it.
    pub from: StageId,
    /// Which of its outputs.
    pub port: u32,
    /// Where the maker and its output are named.
    pub source: Span,
    /// The step of the RUN, or the OUT, that says so.
    pub span: Span,
}
