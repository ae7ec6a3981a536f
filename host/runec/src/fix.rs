//! Applies the fixes of diagnostics to a Runefile, again and again until there is nothing more to fix.

use std::collections::BTreeMap;

use rune_ir::diag::{Code, Diagnostic, Edit, FileId, Fix, Safety, Severity};
use rune_runefile::lint::{apply_edits, is_configurable};

use crate::driver::{self, Checked, Request};

/// Most times a Runefile is checked and fixed. Each takes what the one before left, or what it brought up.
const MOST_ROUNDS: usize = 10;

/// A Runefile after fixes.
pub struct Fixed {
    /// Its text.
    pub text: String,
    /// What is known of it now.
    pub checked: Checked,
    /// What was done, in order: what it was about, and the title of the fix.
    pub applied: Vec<(Code, String)>,
}

/// Applies every fix of at most this safety, the first of each diagnostic. Fixes that overlap wait for the
/// next round, and one that would bring up an error is left out. A text that is not UTF-8 stays as it is.
pub fn fix(request: &Request<'_>, limit: Safety) -> Fixed {
    let mut checked = driver::analyse(request);
    let mut applied = Vec::new();
    let Ok(mut text) = std::str::from_utf8(request.bytes).map(str::to_owned) else {
        let text = String::from_utf8_lossy(request.bytes).into_owned();
        return Fixed {
            text,
            checked,
            applied,
        };
    };
    let study = |text: &str| {
        driver::analyse(&Request {
            bytes: text.as_bytes(),
            ..request.clone()
        })
    };
    for _ in 0..MOST_ROUNDS {
        let round = chosen(&checked.diagnostics, limit);
        if round.is_empty() {
            break;
        }
        let whole = apply(&text, &round);
        let after = study(&whole);
        let step = if is_worse(&after, &checked) {
            harmless(&text, &checked, &round, &study)
        } else {
            Some((round, whole, after))
        };
        let Some((done, new, after)) = step else {
            break;
        };
        applied.extend(done.iter().map(|(code, fix)| (*code, fix.title.clone())));
        (text, checked) = (new, after);
    }
    Fixed {
        text,
        checked,
        applied,
    }
}

/// Fixes, the text after them, and what is known of it.
type Step<'f> = (Vec<(Code, &'f Fix)>, String, Checked);

/// Of fixes that together bring up an error, those that do not, with the text and what is known of it after
/// them; `None`: each one does. Halves are tried as a whole, so few culprits cost few checks.
fn harmless<'f>(
    text: &str,
    before: &Checked,
    round: &[(Code, &'f Fix)],
    study: &impl Fn(&str) -> Checked,
) -> Option<Step<'f>> {
    let halves = |part: &[(Code, &'f Fix)]| {
        let (first, second) = part.split_at(part.len() / 2);
        [second.to_vec(), first.to_vec()]
    };
    let mut good: Option<Step<'f>> = None;
    let mut parts: Vec<_> = halves(round).into();
    while let Some(part) = parts.pop() {
        if part.is_empty() {
            continue;
        }
        let mut trial = good
            .as_ref()
            .map_or_else(Vec::new, |(done, ..)| Vec::clone(done));
        trial.extend(&part);
        let new = apply(text, &trial);
        let after = study(&new);
        if !is_worse(&after, before) {
            good = Some((trial, new, after));
        } else if part.len() > 1 {
            parts.extend(halves(&part));
        }
    }
    good
}

/// The fixes to apply at once: of each diagnostic the first that is safe enough, and none that overlaps one
/// before it.
fn chosen(diagnostics: &[Diagnostic], limit: Safety) -> Vec<(Code, &Fix)> {
    let mut taken: Vec<&Edit> = Vec::new();
    let mut chosen = Vec::new();
    for diagnostic in diagnostics {
        let Some(fix) = diagnostic.fixes.iter().find(|f| is_fitting(f, limit)) else {
            continue;
        };
        let free = |edit: &Edit| !taken.iter().any(|t| overlap(t, edit));
        if fix.edits.iter().all(free) {
            taken.extend(&fix.edits);
            chosen.push((diagnostic.code, fix));
        }
    }
    chosen
}

/// Whether a fix is one of this file, and safe enough.
fn is_fitting(fix: &Fix, limit: Safety) -> bool {
    let own = |e: &Edit| e.span.file == FileId::default();
    fix.safety <= limit && !fix.edits.is_empty() && fix.edits.iter().all(own)
}

/// How many diagnostics have a fix that is only left out because it is not safe.
pub fn held_back(diagnostics: &[Diagnostic]) -> usize {
    let with = |limit| {
        let fitting = |d: &&Diagnostic| d.fixes.iter().any(|f| is_fitting(f, limit));
        diagnostics.iter().filter(fitting).count()
    };
    with(Safety::Unsafe) - with(Safety::Safe)
}

/// Whether two edits touch the same bytes, or insert at the same place.
fn overlap(a: &Edit, b: &Edit) -> bool {
    let (a, b) = (a.span, b.span);
    a.start == b.start || (a.start < b.end && b.start < a.end)
}

fn apply(text: &str, round: &[(Code, &Fix)]) -> String {
    let edits: Vec<Edit> = round.iter().flat_map(|(_, f)| f.edits.clone()).collect();
    apply_edits(text, &edits)
}

/// Whether there are more errors of some code than before; a denied lint is no error here.
fn is_worse(after: &Checked, before: &Checked) -> bool {
    let count = |checked: &Checked| {
        let mut count: BTreeMap<Code, usize> = BTreeMap::new();
        for d in &checked.diagnostics {
            if d.severity == Severity::Error && !is_configurable(d.code) {
                *count.entry(d.code).or_default() += 1;
            }
        }
        count
    };
    let before = count(before);
    count(after)
        .iter()
        .any(|(code, n)| *n > before.get(code).copied().unwrap_or(0))
}
