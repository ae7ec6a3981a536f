//! Law, for `runec lint --publish`: a rune that others find says its name, version, purpose and licence.

use rune_ir::diag::{Code, Diagnostic, Span};

use super::Subject;
use crate::tree::Instruction;

/// What a registry shows of a rune.
const WANTED: [&str; 4] = ["name", "version", "description", "license"];

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let from = subject
        .tree
        .instructions
        .iter()
        .find(|i| matches!(i, Instruction::From(_)));
    let start = Span {
        end: subject.tree.whole.start,
        ..subject.tree.whole
    };
    let place = from.map_or(start, Instruction::span);
    let labels = &subject.pipeline.labels;
    let missing: Vec<&str> = WANTED
        .into_iter()
        .filter(|wanted| !labels.iter().any(|(key, _)| key.value == *wanted))
        .collect();
    if missing.is_empty() {
        return;
    }
    let example = |key: &&str| match *key {
        "name" => format!("name={}", subject.pipeline.name),
        "version" => "version=0.1.0".to_owned(),
        "license" => "license=MIT".to_owned(),
        key => format!("{key}=\"...\""),
    };
    let pairs: Vec<String> = missing.iter().map(example).collect();
    found.push(
        Diagnostic::new(
            Code::Unpublishable,
            place,
            format!("a published rune has the LABELs {}", missing.join(", ")),
        )
        .at("they are missing")
        .hint(format!("add `LABEL {}`", pairs.join(" "))),
    );
}

#[cfg(test)]
mod tests {
    use super::super::testing::{found, none};
    use rune_ir::diag::Code;

    const LAW: Code = Code::Unpublishable;

    const REST: &str = "CAPABILITY<F32[4]> RAND a\nOUT SERIAL\nRUN a serial";

    #[test]
    fn what_is_missing_is_named() {
        let found = found(LAW, &format!("LABEL name=a license=MIT\n{REST}"));
        assert!(
            found.len() == 1 && found[0].contains("version, description"),
            "{found:?}"
        );
    }

    #[test]
    fn all_four_are_enough() {
        let labels = "LABEL name=a license=MIT version=1.0.0 description=\"An example\"";
        none(LAW, &format!("{labels}\n{REST}"));
    }
}
