//! One version of a document and all that is known of it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rune_ir::{
    args::ArgSpec,
    check::{self, Loaded},
    diag::{FileId, Span},
    env::Env,
    pipeline::{Stage, StageId},
    ty::PartialType,
};
use rune_runefile::Tree;

use super::{
    place::{Part, parts},
    position::Lines,
};
use crate::{
    driver::{self, Checked},
    memo::{Memo, Run},
    world::Input,
};

/// A version of a document, checked.
pub(crate) struct Analysis {
    pub(crate) path: PathBuf,
    pub(crate) version: i32,
    pub(crate) lines: Arc<Lines>,
    pub(crate) checked: Checked,
    /// What it sees.
    pub(crate) input: Input,
    pub(crate) memo: Memo,
    /// The runs of blocks that it waits for: until they are done, less is known.
    pub(crate) waits: Vec<Run>,
}

/// The document itself, among the files of its layers.
pub(crate) const OWN: FileId = FileId(0);

impl Analysis {
    /// Checks a text as the file at `path` would be. Nothing is built, and no block is run that is not known.
    pub(crate) fn new(
        path: &Path,
        version: i32,
        text: &str,
        lines: Arc<Lines>,
        memo: &Memo,
    ) -> Self {
        let memo = memo.without_running();
        let mut input = Input::new(path, text.as_bytes().to_vec());
        input.world = input.world.with_memo(memo.clone());
        let mut request = input.request();
        request.memo = memo.clone();
        let checked = driver::analyse(&request);
        Self {
            path: path.to_owned(),
            version,
            lines,
            checked,
            input: Input {
                bytes: Vec::new(),
                ..input
            },
            waits: memo.put_off(),
            memo,
        }
    }

    pub(crate) fn text(&self) -> &str {
        self.checked.sources.text(OWN)
    }

    pub(crate) fn tree(&self) -> &Tree {
        self.checked.tree()
    }

    pub(crate) fn env(&self) -> &dyn Env {
        &self.input.world
    }

    /// The pieces of the text that mean something.
    pub(crate) fn parts(&self) -> Vec<Part<'_>> {
        parts(self.tree(), self.env())
    }

    /// The text of a span of the document.
    pub(crate) fn slice(&self, span: Span) -> &str {
        let range = span.start as usize..span.end as usize;
        self.text().get(range).unwrap_or_default()
    }

    /// A stage by its name.
    pub(crate) fn stage(&self, name: &str) -> Option<(StageId, &Stage)> {
        let (_, analysis) = self.checked.stages.as_ref()?;
        let mut stages = analysis.pipeline.stages.iter();
        stages.find(|(_, stage)| stage.name.value == name)
    }

    /// The names of all stages, inherited ones among them.
    pub(crate) fn stages(&self) -> impl Iterator<Item = (StageId, &Stage)> {
        let analysis = self.checked.stages.iter().map(|(_, analysis)| analysis);
        analysis.flat_map(|analysis| analysis.pipeline.stages.iter())
    }

    /// What the file of a stage turned out to be.
    pub(crate) fn loaded(&self, id: StageId) -> &Loaded {
        match &self.checked.stages {
            Some((loaded, _)) => &loaded[id],
            None => &Loaded::None,
        }
    }

    /// What is known of the outputs of a stage.
    pub(crate) fn outputs(&self, id: StageId) -> &[PartialType] {
        let analysis = self.checked.stages.as_ref().map(|(_, a)| a);
        analysis.map_or(&[], |a| &a.outputs[id])
    }

    /// What is known of the inputs of a stage.
    pub(crate) fn inputs(&self, id: StageId) -> &[PartialType] {
        let analysis = self.checked.stages.as_ref().map(|(_, a)| a);
        analysis.map_or(&[], |a| &a.inputs[id])
    }

    /// The arguments that a stage takes.
    pub(crate) fn specs(&self, id: StageId, stage: &Stage) -> Vec<ArgSpec> {
        check::specs(stage, self.loaded(id)).unwrap_or_default()
    }
}
