//! The edges of a pipeline, from the RUN instructions and from outputs that none of them names.

use std::collections::BTreeSet;

use rune_ir::{
    diag::{Code, Diagnostic, Span},
    pipeline::{Edge, Pipeline, Stage, StageId, StageKind},
};

use crate::{
    format::Format,
    names::Names,
    tree::{Instruction, Keyword, Run, StageRef, Step, Tree},
    values::shorten,
};

/// Makes an edge between every two neighbours of a RUN: each stage of the right step is fed by every stage
/// of the left one, in order. Several RUNs add up, those of the lowest layer first. An output that no RUN
/// names is fed by the last step of the last RUN of its layer or one below, or else of the next layer above.
///
/// `trees` has the lowest layer first, and `homes` how high above it each stage is defined.
pub(crate) fn wire(
    trees: &[&Tree],
    stages: &Names<StageId>,
    homes: &[usize],
    pipeline: &mut Pipeline,
    found: &mut Vec<Diagnostic>,
) {
    let mut runs: Vec<(&Run, Format, Vec<StageId>)> = Vec::new();
    // How many RUNs each layer and those below have.
    let mut counts = Vec::with_capacity(trees.len());
    for tree in trees {
        runs.extend(tree.instructions.iter().filter_map(|i| match i {
            Instruction::Run(run) => Some((run, tree.format, Vec::new())),
            Instruction::From(_)
            | Instruction::For(_)
            | Instruction::Set(_)
            | Instruction::Label(_)
            | Instruction::Resource(_)
            | Instruction::Stage(_)
            | Instruction::Faulty(_) => None,
        }));
        counts.push(runs.len());
    }
    let named = named(trees, &runs);
    // In YAML an output says what feeds it.
    let is_open = |id: StageId, s: &Stage| {
        matches!(s.kind, StageKind::Output(_))
            && trees[homes[id.index()]].format == Format::Text
            && !named.contains(s.name.value.as_str())
    };
    for (id, _) in pipeline.stages.iter().filter(|(id, s)| is_open(*id, s)) {
        let last = counts[homes[id.index()]..].iter().find(|n| **n > 0);
        if let Some(count) = last {
            runs[count - 1].2.push(id);
        }
    }
    let mut wiring = Wiring {
        stages,
        unknown: BTreeSet::new(),
        pipeline,
        found,
        format: Format::Text,
    };
    for (run, format, open) in &runs {
        wiring.format = *format;
        wiring.run(run, open);
    }
}

/// Every name that stands in a RUN, or may.
fn named<'t>(trees: &[&'t Tree], runs: &[(&'t Run, Format, Vec<StageId>)]) -> BTreeSet<&'t str> {
    let mut named: BTreeSet<&str> = runs
        .iter()
        .flat_map(|(run, ..)| run.steps.iter().flat_map(|s| &s.stages))
        .map(|stage| stage.name.value.as_str())
        .collect();
    for instruction in trees.iter().flat_map(|tree| &tree.instructions) {
        if let Instruction::Faulty(faulty) = instruction
            && faulty.keyword == Some(Keyword::Run)
        {
            named.extend(faulty.names.iter().map(String::as_str));
        }
    }
    named
}

/// A stage that a step names, and which of its outputs.
#[derive(Clone, Copy)]
struct Place {
    id: StageId,
    port: u32,
    span: Span,
}

struct Wiring<'w> {
    stages: &'w Names<StageId>,
    /// Unknown names that have been reported.
    unknown: BTreeSet<&'w str>,
    pipeline: &'w mut Pipeline,
    found: &'w mut Vec<Diagnostic>,
    /// The form of the RUN at hand.
    format: Format,
}

impl<'w> Wiring<'w> {
    /// Reports a fault that leaves out an edge.
    fn hole(&mut self, diagnostic: Diagnostic) {
        self.pipeline.partial = true;
        self.found.push(diagnostic);
    }

    /// Wires one RUN, whose last step also feeds the outputs of `open`.
    fn run(&mut self, run: &'w Run, open: &[StageId]) {
        if self.is_of_strangers(run) {
            return;
        }
        let steps: Vec<Vec<Place>> = run.steps.iter().map(|s| self.find(s, run)).collect();
        let Some((last, before)) = steps.split_last() else {
            self.hole(
                Diagnostic::new(Code::EmptyRun, run.span, "A RUN instruction can't be empty")
                    .at("names no stage")
                    .hint("name the stages in the order data flows: `RUN input model serial`"),
            );
            return;
        };
        for pair in steps.windows(2) {
            self.join(&pair[0], &pair[1]);
        }
        let sources: Vec<Place> = last
            .iter()
            .copied()
            .filter(|p| !self.is_output(p.id))
            .collect();
        if open.is_empty() {
            self.unread(&run.steps[run.steps.len() - 1]);
        }
        for id in open {
            let span = self.pipeline.stages[*id].span;
            for from in &sources {
                self.feed(*id, from, span);
            }
        }
        let feeds_nothing = open.is_empty() || sources.is_empty();
        if before.is_empty() && !last.is_empty() && feeds_nothing {
            self.hole(
                Diagnostic::new(
                    Code::EmptyRun,
                    run.span,
                    "this RUN has only one step, which feeds nothing",
                )
                .at("joins nothing")
                .hint("name at least two steps, such as `RUN input serial`"),
            );
        }
    }

    /// Makes each stage of `left` feed each of `right`.
    fn join(&mut self, left: &[Place], right: &[Place]) {
        for from in left
            .iter()
            .filter(|p| self.is_output(p.id))
            .copied()
            .collect::<Vec<_>>()
        {
            let name = self.name(from.id);
            self.hole(
                Diagnostic::new(
                    Code::NoOutputs,
                    from.span,
                    format!("The \"{name}\" stage doesn't have any outputs"),
                )
                .at("an output gives nothing to the next step")
                .hint("an output comes last in a RUN"),
            );
        }
        for to in right {
            if matches!(self.pipeline.stages[to.id].kind, StageKind::Capability(_)) {
                let name = self.name(to.id);
                self.hole(
                    Diagnostic::new(
                        Code::NoInputs,
                        to.span,
                        format!("The \"{name}\" stage doesn't accept any inputs"),
                    )
                    .at("a capability takes nothing from the step before")
                    .hint("a capability comes first in a RUN; begin another RUN with it"),
                );
                continue;
            }
            for from in left {
                if !self.is_output(from.id) {
                    let span = match self.format {
                        Format::Text => to.span,
                        // There the edge is written as an input.
                        Format::Yaml => from.span,
                    };
                    self.feed(to.id, from, span);
                }
            }
        }
    }

    fn feed(&mut self, to: StageId, from: &Place, span: Span) {
        self.pipeline.stages[to].inputs.push(Edge {
            from: from.id,
            port: from.port,
            source: from.span,
            span,
        });
    }

    fn is_output(&self, id: StageId) -> bool {
        matches!(self.pipeline.stages[id].kind, StageKind::Output(_))
    }

    fn name(&self, id: StageId) -> String {
        self.pipeline.stages[id].name.value.clone()
    }

    /// The stages of a step that are known; the others are reported, each name once.
    fn find(&mut self, step: &'w Step, run: &Run) -> Vec<Place> {
        let mut places = Vec::with_capacity(step.stages.len());
        for stage in &step.stages {
            let name = stage.name.value.as_str();
            if let Some(id) = self.stages.get(name) {
                places.push(Place {
                    id: *id,
                    port: stage.port.map_or(0, |p| p.value),
                    span: stage.span,
                });
            } else {
                self.pipeline.partial = true;
                if !self.stages.is_lost(name) && self.unknown.insert(name) {
                    self.found.push(self.unknown_stage(stage, run));
                }
            }
        }
        places
    }

    /// Whether a RUN of several steps names no stage at all, which is reported: it looks like a command.
    fn is_of_strangers(&mut self, run: &'w Run) -> bool {
        let names = || run.steps.iter().flat_map(|s| &s.stages).map(|s| &s.name);
        let is_strange = |name: &str| {
            self.stages.get(name).is_none()
                && !self.stages.is_lost(name)
                && self.stages.suggestion(name).is_none()
                && Keyword::from_name(name).is_none()
        };
        let is_command = self.format == Format::Text
            && names().count() > 1
            && self.pipeline.stages.values().next().is_some()
            && names().all(|name| is_strange(&name.value));
        if let (true, Some(first)) = (is_command, names().next()) {
            let last = run.steps.last().map_or(first.span, |step| step.span);
            let stages = self.pipeline.stages.values().take(20);
            let known: Vec<&str> = stages.map(|s| s.name.value.as_str()).collect();
            self.hole(
                Diagnostic::new(
                    Code::UnknownStage,
                    first.span.to(last),
                    format!("Can't find \"{}\", nor any other stage of this RUN", shorten(&first.value)),
                )
                .at("no instruction defines these stages")
                .note(format!("The stages are {}.", known.join(", ")))
                .hint("RUN says which stage feeds which: `RUN input model serial`; it runs no command, and what a rune needs is built into it"),
            );
        }
        is_command
    }

    fn unknown_stage(&self, stage: &StageRef, run: &Run) -> Diagnostic {
        let name = stage.name.value.as_str();
        let shown = shorten(name);
        let (message, at) = match (self.format, run.steps.last()) {
            (Format::Yaml, Some(Step { stages, .. })) if !stages.contains(stage) => {
                let reader = stages.first().map_or("", |s| s.name.value.as_str());
                (
                    format!("Unable to find \"{shown}\" to use as an input for \"{reader}\""),
                    "the pipeline has no such stage",
                )
            }
            (Format::Text | Format::Yaml, _) => (
                format!("Can't find \"{shown}\""),
                "no instruction defines this stage",
            ),
        };
        let diagnostic = Diagnostic::new(Code::UnknownStage, stage.name.span, message).at(at);
        if Keyword::from_name(name).is_some() {
            return diagnostic.hint(format!(
                "one instruction per line: begin a new line before `{name}`"
            ));
        }
        if let Some(near) = self.stages.suggestion(name) {
            return diagnostic.hint(format!("did you mean `{near}`?"));
        }
        let stages = self.pipeline.stages.values().take(20);
        let known: Vec<&str> = stages.map(|s| s.name.value.as_str()).collect();
        diagnostic.note(if known.is_empty() {
            "No stage is defined.".to_owned()
        } else {
            format!("The stages are {}.", known.join(", "))
        })
    }

    /// Reports outputs that the last step of a RUN picks and nothing reads.
    fn unread(&mut self, step: &Step) {
        for stage in &step.stages {
            if let Some(port) = &stage.port {
                let name = &stage.name.value;
                self.hole(
                    Diagnostic::new(
                        Code::Syntax,
                        stage.span,
                        format!(
                            "output {} of `{name}` is picked, and no step reads it",
                            port.value
                        ),
                    )
                    .at("last in this RUN")
                    .hint(format!(
                        "write `{name}`, or add the step that reads this output"
                    )),
                );
            }
        }
    }
}
