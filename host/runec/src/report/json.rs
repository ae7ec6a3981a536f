//! Diagnostics as JSON: one object each, as `docs/schema/diagnostic.json` says.

use rune_ir::diag::{Diagnostic, Fix, Label, Safety, Sources, Span};
use serde_json::{Value, json};

use super::place::Places;

/// The version of the schema, raised when a program that reads the last one would go wrong. New properties do
/// not raise it.
pub const VERSION: u32 = 1;

/// One diagnostic as a JSON object. Lines and columns count from 1, columns in characters; `start` and `end`
/// are bytes.
pub fn diagnostic(sources: &Sources, diagnostic: &Diagnostic) -> Value {
    one(&Places::new(sources), diagnostic)
}

/// The same, for many of one compilation.
pub(super) fn one(places: &Places<'_>, diagnostic: &Diagnostic) -> Value {
    let place = |span: Span| {
        let region = places.region(span);
        json!({
            "file": places.sources().name(span.file),
            "line": region.start.line,
            "column": region.start.column,
            "end_line": region.end.line,
            "end_column": region.end.column,
            "start": region.start.byte,
            "end": region.end.byte,
        })
    };
    let label = |l: &Label| json!({ "message": l.message, "place": place(l.span) });
    let fix = |f: &Fix| {
        let edit = |e: &rune_ir::diag::Edit| json!({ "place": place(e.span), "text": e.text });
        json!({
            "title": f.title,
            "safety": match f.safety { Safety::Safe => "safe", Safety::Unsafe => "unsafe" },
            "edits": f.edits.iter().map(edit).collect::<Vec<_>>(),
        })
    };
    json!({
        "version": VERSION,
        "code": diagnostic.code.number(),
        "name": diagnostic.code.name(),
        "severity": diagnostic.severity.name(),
        "message": diagnostic.message,
        "primary": label(&diagnostic.primary),
        "secondary": diagnostic.secondary.iter().map(label).collect::<Vec<_>>(),
        "notes": diagnostic.notes,
        "hints": diagnostic.hints,
        "fixes": diagnostic.fixes.iter().map(fix).collect::<Vec<_>>(),
        "explain": format!("runec explain {}", diagnostic.code),
    })
}
