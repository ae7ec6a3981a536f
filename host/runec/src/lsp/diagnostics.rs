//! Diagnostics in an editor's terms.

use lsp_types::{
    Diagnostic as LspDiagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, DiagnosticTag,
    Location, NumberOrString, Range,
};
use rune_ir::diag::{Code, Diagnostic, Severity, Span};
use serde_json::json;

use super::{
    analysis::{Analysis, OWN},
    names,
    position::Lines,
    uri,
};

/// Everything found, at its place in the document. What was found in a layer below stands where the document
/// names that layer.
pub(crate) fn all(analysis: &Analysis) -> Vec<LspDiagnostic> {
    let found = analysis.checked.diagnostics.iter();
    found.map(|found| one(analysis, found)).collect()
}

/// One finding.
pub(crate) fn one(analysis: &Analysis, found: &Diagnostic) -> LspDiagnostic {
    let primary = &found.primary;
    let mut related = Vec::new();
    let mut tell = |span: Span, message: &str| {
        related.extend(
            location(analysis, span).map(|location| DiagnosticRelatedInformation {
                location,
                message: message.to_owned(),
            }),
        );
    };
    let own = std::iter::once(primary)
        .chain(&found.secondary)
        .find(|label| label.span.file == OWN);
    let is_own = primary.span.file == OWN;
    if !is_own {
        tell(primary.span, &primary.message);
    }
    for label in &found.secondary {
        tell(label.span, &label.message);
    }
    let span = own.map_or(Span::new(OWN, 0, 0), |label| label.span);
    let mut message = found.message.clone();
    let mut line = |prefix: &str, text: &str| {
        if !text.is_empty() {
            message.extend(["\n", prefix, text]);
        }
    };
    line("", &primary.message);
    for note in &found.notes {
        line("note: ", note);
    }
    for hint in &found.hints {
        line("help: ", hint);
    }
    LspDiagnostic {
        range: analysis.lines.range(analysis.text(), span),
        severity: Some(match found.severity {
            Severity::Error => DiagnosticSeverity::ERROR,
            Severity::Warning => DiagnosticSeverity::WARNING,
            Severity::Note => DiagnosticSeverity::INFORMATION,
        }),
        code: Some(NumberOrString::String(found.code.number().to_owned())),
        code_description: None,
        source: Some("runec".to_owned()),
        message,
        related_information: (!related.is_empty()).then_some(related),
        tags: tag(found.code).map(|tag| vec![tag]),
        data: Some(json!({ "name": found.code.name() })),
    }
}

/// How an editor shows what a code is about beside underlining it.
fn tag(code: Code) -> Option<DiagnosticTag> {
    let name = code.name();
    if code == Code::OldWordOrder || name.starts_with("deprecated") {
        Some(DiagnosticTag::DEPRECATED)
    } else if name.starts_with("unused") {
        Some(DiagnosticTag::UNNECESSARY)
    } else {
        None
    }
}

/// A span of any file of an analysis.
pub(crate) fn location(analysis: &Analysis, span: Span) -> Option<Location> {
    Some(Location {
        uri: uri::of(&names::path(analysis, span.file))?,
        range: range(analysis, span),
    })
}

/// A span of any file of an analysis in lines and columns.
pub(crate) fn range(analysis: &Analysis, span: Span) -> Range {
    if span.file == OWN {
        analysis.lines.range(analysis.text(), span)
    } else {
        let text = analysis.checked.sources.text(span.file);
        Lines::new(text, analysis.lines.encoding()).range(text, span)
    }
}
