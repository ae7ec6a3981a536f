//! Changes of the text that an editor offers: fixes of what was found, and the canonical form.

use std::ops::Range;

use lsp_types::{CodeAction, CodeActionKind, TextEdit, WorkspaceEdit};
use rune_ir::diag::{Diagnostic, Edit, Fix, Safety, Span};
use rune_runefile::{Format, fmt};

use super::{
    analysis::{Analysis, OWN},
    diagnostics, edits, uri,
};

/// Every safe fix at once.
const FIX_ALL: CodeActionKind = CodeActionKind::SOURCE_FIX_ALL;

/// What may be done about a range of bytes. `only` are the kinds asked for, none standing for all.
pub(crate) fn actions(
    analysis: &Analysis,
    range: &Range<usize>,
    only: Option<&[CodeActionKind]>,
) -> Vec<CodeAction> {
    let wanted = |kind: &CodeActionKind| {
        let under = |wanted: &CodeActionKind| {
            let rest = kind.as_str().strip_prefix(wanted.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        only.is_none_or(|only| only.iter().any(|o| o.as_str().is_empty() || under(o)))
    };
    let mut actions = Vec::new();
    if wanted(&CodeActionKind::QUICKFIX) {
        let touches = |found: &&Diagnostic| {
            let span = found.primary.span;
            let (start, end) = (span.start as usize, span.end as usize);
            span.file == OWN && start <= range.end && range.start <= end
        };
        for found in analysis.checked.diagnostics.iter().filter(touches) {
            for (index, fix) in found.fixes.iter().enumerate() {
                actions.extend(fix_action(analysis, found, fix, index == 0));
            }
        }
    }
    if wanted(&FIX_ALL) {
        let edits = safe_edits(analysis);
        if !edits.is_empty() {
            actions.extend(action(
                analysis,
                "fix all that is safe to fix",
                FIX_ALL,
                &edits,
            ));
        }
    }
    if wanted(&CodeActionKind::REFACTOR_REWRITE) {
        let edits = canonical(analysis);
        if !edits.is_empty() {
            let kind = CodeActionKind::REFACTOR_REWRITE;
            let changes = edit_of(analysis, edits);
            actions.extend(changes.map(|edit| CodeAction {
                title: "write canonical form".to_owned(),
                kind: Some(kind),
                edit: Some(edit),
                ..CodeAction::default()
            }));
        }
    }
    actions
}

fn fix_action(
    analysis: &Analysis,
    found: &Diagnostic,
    fix: &Fix,
    is_first: bool,
) -> Option<CodeAction> {
    let action = action(analysis, &fix.title, CodeActionKind::QUICKFIX, &fix.edits)?;
    Some(CodeAction {
        diagnostics: Some(vec![diagnostics::one(analysis, found)]),
        is_preferred: Some(is_first && fix.safety == Safety::Safe),
        ..action
    })
}

fn action(
    analysis: &Analysis,
    title: &str,
    kind: CodeActionKind,
    edits: &[Edit],
) -> Option<CodeAction> {
    if edits.iter().any(|edit| edit.span.file != OWN) {
        return None;
    }
    let edits = edits.iter().map(|edit| TextEdit {
        range: analysis.lines.range(analysis.text(), edit.span),
        new_text: edit.text.clone(),
    });
    Some(CodeAction {
        title: title.to_owned(),
        kind: Some(kind),
        edit: Some(edit_of(analysis, edits.collect())?),
        ..CodeAction::default()
    })
}

fn edit_of(analysis: &Analysis, edits: Vec<TextEdit>) -> Option<WorkspaceEdit> {
    let uri = uri::of(&analysis.path)?;
    #[expect(
        clippy::mutable_key_type,
        reason = "the protocol's own map; a URI is not changed in it"
    )]
    let changes = [(uri, edits)].into_iter().collect();
    Some(WorkspaceEdit {
        changes: Some(changes),
        ..WorkspaceEdit::default()
    })
}

/// The first safe fix of every finding, unless an earlier one changes the same text.
fn safe_edits(analysis: &Analysis) -> Vec<Edit> {
    let mut edits: Vec<Edit> = Vec::new();
    for found in &analysis.checked.diagnostics {
        let Some(fix) = found.fixes.first().filter(|fix| fix.safety == Safety::Safe) else {
            continue;
        };
        let meets = |a: Span, b: Span| a.start < b.end && b.start < a.end || a == b;
        let clashes =
            |new: &Edit| new.span.file != OWN || edits.iter().any(|old| meets(old.span, new.span));
        if !fix.edits.iter().any(clashes) {
            edits.extend(fix.edits.iter().cloned());
        }
    }
    edits.sort_by_key(|edit| edit.span);
    edits
}

/// The changes that bring the text into canonical form; none where it is, or cannot be read.
pub(crate) fn canonical(analysis: &Analysis) -> Vec<TextEdit> {
    if analysis.tree().format != Format::Text {
        return Vec::new();
    }
    let text = analysis.text();
    match fmt::format(OWN, text.as_bytes(), analysis.env()) {
        Ok(formatted) => edits::between(text, &formatted, &analysis.lines),
        Err(_) => Vec::new(),
    }
}
