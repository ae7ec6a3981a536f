//! Law: labels are distinct, not empty, and without blanks around them.
//!
//! Words that stand for a class nobody uses (`unknown`, `n/a`, `???`) may come again.

use std::collections::HashSet;

use rune_ir::{
    args::{Argument, Bound, BoundArg, List, Value},
    diag::{Code, Diagnostic, Fix, Safety, Span},
    pipeline::Stage,
};

use super::Subject;

/// Labels that lists repeat on purpose.
const FILLERS: [&str; 7] = [
    "background",
    "n/a",
    "none",
    "other",
    "reserved",
    "unknown",
    "unused",
];

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for (id, stage) in subject.own() {
        if subject.block(id) != Some("label") {
            continue;
        }
        if let Some(arg) = subject.arg(id, "labels") {
            items(subject, stage, arg, found);
        }
    }
}

/// Reports the first item of each kind of fault.
fn items(subject: &Subject<'_>, stage: &Stage, arg: &BoundArg, found: &mut Vec<Diagnostic>) {
    let (Bound::List(items), Some(span)) = (&arg.value, arg.span) else {
        return;
    };
    let written = written(stage, span);
    let place = |index: usize| written.and_then(|list| list.place(index));
    let at = |index: usize| place(index).unwrap_or(span);
    let report = |index: usize, message: String, label: &str| {
        Diagnostic::new(Code::LabelItems, at(index), message).at(label)
    };
    if let Some(index) = items.iter().position(|i| i.trim().is_empty()) {
        let message = format!("the label of class {index} is empty");
        found.push(report(index, message, "empty"));
    }
    let padded = |i: &String| !i.trim().is_empty() && i.trim() != i;
    if let Some(index) = items.iter().position(padded) {
        let message = format!("the label of class {index} has blanks around it");
        let mut diagnostic = report(index, message, "blanks are part of it");
        let span = at(index);
        let text = &subject.text[span.start as usize..span.end as usize];
        let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''));
        if let Some(quote) = quote.filter(|_| place(index).is_some() && !text.contains('\\')) {
            let text = format!("{quote}{}{quote}", items[index].trim());
            let fix = Fix::new(Safety::Unsafe, "remove the blanks", span, text);
            diagnostic = diagnostic.fix(fix);
        }
        found.push(diagnostic);
    }
    let mut seen = HashSet::with_capacity(items.len());
    let again = items
        .iter()
        .position(|item| !seen.insert(item.as_str()) && !is_filler(item));
    if let Some(second) = again {
        let item = &items[second];
        let first = items.iter().position(|i| i == item).unwrap_or(second);
        let message = format!("classes {first} and {second} have the same label `{item}`");
        let mut diagnostic = report(second, message, "the same again");
        if let Some(first) = place(second).and(place(first)) {
            diagnostic = diagnostic.also(first, "here first");
        }
        found.push(diagnostic);
    }
}

fn is_filler(item: &str) -> bool {
    let plain = item.trim().to_lowercase();
    FILLERS.contains(&plain.as_str()) || !plain.chars().any(char::is_alphanumeric)
}

/// The list that is the value of the argument at `span`, where it is written in the Runefile.
fn written(stage: &Stage, span: Span) -> Option<&List> {
    let is_it = |a: &&Argument| a.name.span.to(a.value.span) == span;
    match &stage.args.iter().find(is_it)?.value.value {
        Value::List(list) => Some(list),
        Value::Integer(_) | Value::Float(_) | Value::Text(_) | Value::Resource(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{fixed, found, none};
    use rune_ir::diag::Code;

    const LAW: Code = Code::LabelItems;

    fn labels(list: &str) -> String {
        format!(
            "CAPABILITY<U32> RAND a\nPROC_BLOCK runicos/label l --labels {list}\nOUT SERIAL\nRUN a l serial"
        )
    }

    #[test]
    fn each_fault_is_found() {
        for (list, what) in [
            ("a,b,a", "classes 0 and 2"),
            ("a,\"\",b", "class 1 is empty"),
            ("a,\" b\"", "class 1 has blanks"),
        ] {
            let found = found(LAW, &labels(list));
            assert!(
                found.len() == 1 && found[0].contains(what),
                "{list}: {found:?}"
            );
        }
        assert_eq!(fixed(LAW, &labels("a,\" b\"")), labels("a,\"b\""));
    }

    #[test]
    fn fillers_may_come_again() {
        none(LAW, &labels("???,cat,???,unknown,Unknown,unknown"));
    }
}
