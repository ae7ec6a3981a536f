//! The outline of a Runefile, what folds, and what a selection grows to.

use std::collections::BTreeMap;

use lsp_types::{
    DocumentSymbol, FoldingRange, FoldingRangeKind, Range, SelectionRange, SymbolKind,
};
use rune_ir::{diag::Span, pipeline::Stage};
use rune_runefile::tree::{Instruction, Role};

use super::{
    analysis::Analysis,
    place::{self, What},
};

/// What each instruction that defines something is called.
#[expect(deprecated, reason = "a field of the protocol that has to be given")]
pub(crate) fn symbols(analysis: &Analysis) -> Vec<DocumentSymbol> {
    let text = analysis.text();
    let range = |span: Span| analysis.lines.range(text, span);
    let parts = analysis.parts();
    // Where each instruction that defines a stage names it.
    let mut names: BTreeMap<usize, Span> = BTreeMap::new();
    for part in &parts {
        let is_name = match &part.what {
            What::Name { use_, .. } => *use_ == place::Use::Definition,
            What::Kind { is_name, .. } => *is_name,
            _ => false,
        };
        if is_name {
            names.entry(part.instruction).or_insert(part.span);
        }
    }
    let stages: BTreeMap<Span, &Stage> = analysis
        .stages()
        .map(|(_, stage)| (stage.name.span, stage))
        .collect();
    let symbol = |(index, instruction): (usize, &Instruction)| {
        let (kind, name, at, detail) = match instruction {
            Instruction::From(from) => (
                SymbolKind::MODULE,
                from.image.value.clone(),
                from.image.span,
                "FROM".to_owned(),
            ),
            Instruction::Resource(resource) => (
                SymbolKind::FILE,
                resource.name.value.clone(),
                resource.name.span,
                resource
                    .path
                    .as_ref()
                    .map_or_else(String::new, |path| path.value.clone()),
            ),
            Instruction::Stage(stage) => {
                let at = *names.get(&index)?;
                let known = stages.get(&at)?;
                let kind = match stage.role.value {
                    Role::Capability => SymbolKind::EVENT,
                    Role::ProcBlock => SymbolKind::FUNCTION,
                    Role::Model => SymbolKind::CLASS,
                    Role::Out => SymbolKind::INTERFACE,
                };
                (
                    kind,
                    known.name.value.clone(),
                    at,
                    super::hover::what(known),
                )
            }
            Instruction::Run(run) => (
                SymbolKind::OPERATOR,
                "RUN".to_owned(),
                run.span,
                steps(analysis.slice(run.span)),
            ),
            Instruction::For(_)
            | Instruction::Label(_)
            | Instruction::Set(_)
            | Instruction::Faulty(_) => return None,
        };
        Some(DocumentSymbol {
            name,
            detail: Some(detail).filter(|detail| !detail.is_empty()),
            kind,
            tags: None,
            deprecated: None,
            range: range(span(instruction).to(at)),
            selection_range: range(at),
            children: None,
        })
    };
    let instructions = analysis.tree().instructions.iter().enumerate();
    instructions.filter_map(symbol).collect()
}

/// The steps of a RUN on one line.
fn steps(run: &str) -> String {
    let words = run
        .split_ascii_whitespace()
        .skip(1)
        .filter(|word| *word != "\\");
    words.take(20).collect::<Vec<_>>().join(" ")
}

/// The whole of an instruction.
pub(crate) fn span(instruction: &Instruction) -> Span {
    match instruction {
        Instruction::From(from) => from.span,
        Instruction::For(device) => device.span,
        Instruction::Label(label) => label.span,
        Instruction::Resource(resource) => resource.span,
        Instruction::Stage(stage) => stage.span,
        Instruction::Set(set) => set.span,
        Instruction::Run(run) => run.span,
        Instruction::Faulty(faulty) => faulty.span,
    }
}

/// Instructions of several lines, and rows of comments.
pub(crate) fn folding(analysis: &Analysis) -> Vec<FoldingRange> {
    let line = |offset: u32| analysis.lines.line(offset as usize).0 as u32;
    let fold = |start, end, kind| FoldingRange {
        start_line: start,
        end_line: end,
        kind,
        ..FoldingRange::default()
    };
    let instructions = analysis.tree().instructions.iter().map(span);
    let mut folds: Vec<FoldingRange> = instructions
        .map(|span| (line(span.start), line(span.end)))
        .filter(|(start, end)| start < end)
        .map(|(start, end)| fold(start, end, None))
        .collect();
    let mut row: Option<(u32, u32)> = None;
    let lines = analysis.tree().comments.iter().map(|span| line(span.start));
    for line in lines.map(Some).chain([None]) {
        match (&mut row, line) {
            (Some((_, last)), Some(line)) if *last + 1 == line => *last = line,
            _ => {
                if let Some((start, end)) = row.filter(|(start, end)| start < end) {
                    folds.push(fold(start, end, Some(FoldingRangeKind::Comment)));
                }
                row = line.map(|line| (line, line));
            }
        }
    }
    folds.sort_by_key(|fold| fold.start_line);
    folds
}

/// The word at a byte, the instruction around it, and the whole text.
pub(crate) fn selection(analysis: &Analysis, offset: usize) -> SelectionRange {
    let tree = analysis.tree();
    let parts = analysis.parts();
    let holds = |span: &Span| span.start as usize <= offset && offset <= span.end as usize;
    let word = place::at(&parts, offset).map(|part| part.span);
    let instruction = tree.instructions.iter().map(span).find(holds);
    let whole = Span::new(super::analysis::OWN, 0, analysis.text().len());
    let range = |span| analysis.lines.range(analysis.text(), span);
    let mut selection = SelectionRange {
        range: range(whole),
        parent: None,
    };
    for inner in [instruction, word].into_iter().flatten() {
        let range: Range = range(inner);
        if range != selection.range {
            selection = SelectionRange {
                range,
                parent: Some(Box::new(selection)),
            };
        }
    }
    selection
}
