//! Diagnostics as a SARIF 2.1.0 log, which code scanning services and editors read.

use std::collections::BTreeMap;

use rune_ir::diag::{Code, Diagnostic, FileId, Fix, Label, Severity, Span};
use serde_json::{Map, Value, json};

use super::place::{Places, Region, uri};
use crate::explain;

/// The schema of the form, by the name its authors gave it.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// What relative paths are relative to.
const BASE: &str = "SRCROOT";

/// A log in the making.
#[derive(Debug, Default)]
pub(super) struct Log {
    results: Vec<Value>,
    /// The codes of the results, in the order in which they came.
    rules: Vec<Code>,
    /// The files of the results, in the order in which they came.
    artifacts: Vec<String>,
    /// How often a fingerprint came.
    fingerprints: BTreeMap<String, u32>,
    faults: Vec<String>,
}

impl Log {
    /// Takes in what was found about one Runefile.
    pub(super) fn add(&mut self, places: &Places<'_>, diagnostics: &[Diagnostic]) {
        for diagnostic in diagnostics {
            let result = self.result(places, diagnostic);
            self.results.push(result);
        }
    }

    /// Takes in what is wrong outside any Runefile.
    pub(super) fn fault(&mut self, message: &str) {
        self.faults.push(message.to_owned());
    }

    /// The whole log of a run that ends with this status.
    pub(super) fn finish(&self, status: u8) -> Value {
        let artifact = |path: &String| json!({ "location": location(path), "encoding": "UTF-8" });
        let notification = |text: &String| json!({ "level": "error", "message": { "text": text } });
        json!({
            "$schema": SCHEMA,
            "version": "2.1.0",
            "runs": [{
                "tool": { "driver": {
                    "name": "runec",
                    "semanticVersion": env!("CARGO_PKG_VERSION"),
                    "rules": self.rules.iter().map(|c| rule(*c)).collect::<Vec<_>>(),
                } },
                "invocations": [{
                    "executionSuccessful": self.faults.is_empty(),
                    "exitCode": status,
                    "toolExecutionNotifications":
                        self.faults.iter().map(notification).collect::<Vec<_>>(),
                }],
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {
                    BASE: { "description": { "text": "The folder runec was started in." } },
                },
                "artifacts": self.artifacts.iter().map(artifact).collect::<Vec<_>>(),
                "results": self.results,
            }],
        })
    }

    fn result(&mut self, places: &Places<'_>, diagnostic: &Diagnostic) -> Value {
        let mut result = Map::new();
        let code = diagnostic.code;
        let rule = index_of(&mut self.rules, code);
        result.insert("ruleId".into(), code.number().into());
        result.insert("ruleIndex".into(), rule.into());
        result.insert("level".into(), diagnostic.severity.name().into());
        let mut text = diagnostic.message.clone();
        for sentence in super::advice(diagnostic) {
            text.push('\n');
            text.push_str(&sentence);
        }
        result.insert("message".into(), json!({ "text": text }));
        let primary = self.place(places, &diagnostic.primary);
        result.insert("locations".into(), json!([primary]));
        let related: Vec<Value> = (0..)
            .zip(&diagnostic.secondary)
            .map(|(id, label)| {
                let mut place = self.place(places, label);
                place["id"] = json!(id);
                place
            })
            .collect();
        if !related.is_empty() {
            result.insert("relatedLocations".into(), related.into());
        }
        let fixes: Vec<Value> = diagnostic
            .fixes
            .iter()
            .filter(|fix| !fix.edits.is_empty())
            .map(|fix| self.fix(places, fix))
            .collect();
        if !fixes.is_empty() {
            result.insert("fixes".into(), fixes.into());
        }
        let print = self.fingerprint(places, diagnostic);
        result.insert("partialFingerprints".into(), json!({ "runec/v1": print }));
        Value::Object(result)
    }

    /// A `location`.
    fn place(&mut self, places: &Places<'_>, label: &Label) -> Value {
        let region = places.region(label.span);
        let mut shown = span(region);
        shown["snippet"] = json!({ "text": places.text(region) });
        let mut place = json!({ "physicalLocation": {
            "artifactLocation": self.artifact(places, region.file),
            "region": shown,
        } });
        if !label.message.is_empty() {
            place["message"] = json!({ "text": label.message });
        }
        place
    }

    /// A `fix`; one change for each file, whose pieces come by rising start.
    fn fix(&mut self, places: &Places<'_>, fix: &Fix) -> Value {
        let mut files: BTreeMap<FileId, Vec<(Span, &str)>> = BTreeMap::new();
        for edit in &fix.edits {
            files
                .entry(edit.span.file)
                .or_default()
                .push((edit.span, &edit.text));
        }
        let changes: Vec<Value> = files
            .into_iter()
            .map(|(file, mut edits)| {
                edits.sort_by_key(|(span, _)| (span.start, span.end));
                let pieces: Vec<Value> = edits
                    .iter()
                    .map(|(at, text)| {
                        json!({
                            "deletedRegion": span(places.region(*at)),
                            "insertedContent": { "text": text },
                        })
                    })
                    .collect();
                json!({ "artifactLocation": self.artifact(places, file), "replacements": pieces })
            })
            .collect();
        json!({ "description": { "text": fix.title }, "artifactChanges": changes })
    }

    /// An `artifactLocation` with its place in the list of files.
    fn artifact(&mut self, places: &Places<'_>, file: FileId) -> Value {
        let name = places.sources().name(file).to_owned();
        let mut location = location(&name);
        location["index"] = index_of(&mut self.artifacts, name).into();
        location
    }

    /// What stays the same of a result when lines above it come and go: its code, its file, the text of its
    /// line, and how many like it came before.
    fn fingerprint(&mut self, places: &Places<'_>, diagnostic: &Diagnostic) -> String {
        let region = places.region(diagnostic.primary.span);
        let line = places.line(region.file, region.start.line).trim();
        let (path, _) = uri(places.sources().name(region.file));
        let like = format!("{}\0{path}\0{line}", diagnostic.code);
        let digest = rune_ir::digest(like.as_bytes());
        let word = u64::from_be_bytes(digest[..8].try_into().expect("a digest has 32 bytes"));
        let print = format!("{word:016x}");
        let count = self.fingerprints.entry(print.clone()).or_default();
        *count += 1;
        format!("{print}:{count}")
    }
}

/// The place of an item in a list, at whose end it is put if it is new.
fn index_of<T: PartialEq>(list: &mut Vec<T>, item: T) -> usize {
    if let Some(index) = list.iter().position(|known| *known == item) {
        return index;
    }
    list.push(item);
    list.len() - 1
}

/// An `artifactLocation`.
fn location(path: &str) -> Value {
    match uri(path) {
        (uri, true) => json!({ "uri": uri, "uriBaseId": BASE }),
        (uri, false) => json!({ "uri": uri }),
    }
}

/// A `region`.
fn span(region: Region) -> Value {
    json!({
        "startLine": region.start.line,
        "startColumn": region.start.column,
        "endLine": region.end.line,
        "endColumn": region.end.column,
        "charOffset": region.start.character,
        "charLength": region.end.character - region.start.character,
        "byteOffset": region.start.byte,
        "byteLength": region.end.byte - region.start.byte,
    })
}

/// A `reportingDescriptor`, with the page about the code.
fn rule(code: Code) -> Value {
    let page = explain::page(code).unwrap_or(code.summary());
    let level: Severity = code.severity();
    json!({
        "id": code.number(),
        "name": code.name(),
        "shortDescription": { "text": code.summary() },
        "help": { "text": page, "markdown": page },
        "defaultConfiguration": { "enabled": code.on_by_default(), "level": level.name() },
    })
}
