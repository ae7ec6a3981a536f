//! Law: a LABEL that tools read is spelt and written as they read it.
//!
//! `version` is a semantic version (<https://semver.org>), `security-counter` a whole number, and no key is
//! nearly that of a label with a meaning.

use rune_ir::diag::{Code, Diagnostic, Fix, Safety, Spanned, did_you_mean};

use super::Subject;
use crate::tree::Instruction;

/// The keys that have a meaning.
const KEYS: [&str; 9] = [
    "authors",
    "description",
    "documentation",
    "license",
    "name",
    "security-counter",
    "source",
    "title",
    "version",
];

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for instruction in &subject.tree.instructions {
        let Instruction::Label(label) = instruction else {
            continue;
        };
        for (key, value) in &label.pairs {
            found.extend(match key.value.as_str() {
                "version" => version(value),
                "security-counter" => counter(value),
                known if KEYS.contains(&known) => None,
                _ => misspelt(key),
            });
        }
    }
}

fn version(value: &Spanned<String>) -> Option<Diagnostic> {
    let is_known = value.value.parse::<rune_abi::Version>().is_ok();
    let core = value.value.split(['-', '+']).next().unwrap_or("");
    if is_known && core.matches('.').count() == 2 {
        return None;
    }
    let mut diagnostic = Diagnostic::new(
        Code::BadLabel,
        value.span,
        format!("`{}` is no semantic version", value.value),
    )
    .at("expected three numbers, such as 1.2.3");
    if !is_known {
        diagnostic = diagnostic.note("`runec build` refuses it.");
    }
    let plain = value.value.trim_start_matches(['v', 'V']);
    let mut full = plain.to_owned();
    while full.matches('.').count() < 2 {
        full += ".0";
    }
    if full.parse::<rune_abi::Version>().is_err() {
        return Some(diagnostic);
    }
    Some(diagnostic.fix(Fix::new(
        Safety::Unsafe,
        format!("write {full}"),
        value.span,
        full,
    )))
}

fn counter(value: &Spanned<String>) -> Option<Diagnostic> {
    value.value.parse::<u32>().is_err().then(|| {
        Diagnostic::new(
            Code::BadLabel,
            value.span,
            format!("`{}` is no security counter", value.value),
        )
        .at("expected a whole number from 0 to 4294967295")
        .note("`runec build` refuses it.")
    })
}

fn misspelt(key: &Spanned<String>) -> Option<Diagnostic> {
    let spelt = match key.value.to_ascii_lowercase().as_str() {
        "licence" => "license",
        "maintainer" | "author" => "authors",
        lower => KEYS
            .into_iter()
            .find(|k| *k == lower)
            .or_else(|| did_you_mean(lower, KEYS))?,
    };
    Some(
        Diagnostic::new(
            Code::BadLabel,
            key.span,
            format!("no tool reads the label `{}`", key.value),
        )
        .at("unknown key")
        .hint(format!("did you mean `{spelt}`?"))
        .fix(Fix::new(
            Safety::Unsafe,
            format!("write `{spelt}`"),
            key.span,
            spelt,
        )),
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::{fixed, found, none};
    use rune_ir::diag::Code;

    const LAW: Code = Code::BadLabel;

    fn label(pair: &str) -> String {
        format!("LABEL {pair}\nCAPABILITY<F32[4]> RAND a\nOUT SERIAL\nRUN a serial")
    }

    #[test]
    fn faults_are_found_and_corrected() {
        for (wrong, right) in [
            ("version=1.2", "version=1.2.0"),
            ("version=v1.2.3", "version=1.2.3"),
            ("Licence=MIT", "license=MIT"),
            ("descripton=a", "description=a"),
            ("Version=1.0.0", "version=1.0.0"),
        ] {
            assert_eq!(found(LAW, &label(wrong)).len(), 1, "{wrong}");
            assert_eq!(fixed(LAW, &label(wrong)), label(right));
        }
        assert_eq!(found(LAW, &label("security-counter=-1")).len(), 1);
    }

    #[test]
    fn labels_of_ones_own_are_fine() {
        none(
            LAW,
            &label("name=a version=1.2.3 colour=red org.example.team=b"),
        );
    }
}
