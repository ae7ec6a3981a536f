//! Law: a LABEL key is given once. The last one counts.

use std::collections::BTreeMap;

use rune_ir::diag::{Code, Diagnostic, Edit, Fix, Safety, Span, Spanned};

use super::{Subject, edit};
use crate::tree::{Instruction, Label};

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<&str, (&Label, &Spanned<String>, Span)> = BTreeMap::new();
    for instruction in &subject.tree.instructions {
        let Instruction::Label(label) = instruction else {
            continue;
        };
        for (key, value) in &label.pairs {
            let pair = key.span.to(value.span);
            let Some((first, first_key, first_pair)) = seen.insert(&key.value, (label, key, pair))
            else {
                continue;
            };
            let mut diagnostic = Diagnostic::new(
                Code::DuplicateLabel,
                first_key.span,
                format!("the label `{}` is given twice", key.value),
            )
            .at("without effect")
            .also(key.span, "this one counts");
            if let Some(edit) = removal(subject, first, first_pair) {
                diagnostic = diagnostic.fix(Fix {
                    title: "remove the one without effect".to_owned(),
                    edits: vec![edit],
                    safety: Safety::Safe,
                });
            }
            found.push(diagnostic);
        }
    }
}

/// Takes a pair out of its LABEL, or the LABEL with it.
fn removal(subject: &Subject<'_>, label: &Label, pair: Span) -> Option<Edit> {
    if label.pairs.len() == 1 {
        return edit::remove_instruction(subject.tree, subject.text, label.span);
    }
    let before = &subject.text[..pair.start as usize];
    let start = before.trim_end_matches([' ', '\t']).len();
    Some(Edit {
        span: Span::new(pair.file, start, pair.end as usize),
        text: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{fixed, found, none};
    use rune_ir::diag::Code;

    const LAW: Code = Code::DuplicateLabel;
    const REST: &str = "CAPABILITY<F32[4]> RAND a\nOUT SERIAL\nRUN a serial\n";

    #[test]
    fn the_first_goes() {
        let text = format!("LABEL name=a version=1.0.0\nLABEL name=b\n{REST}");
        assert_eq!(found(LAW, &text).len(), 1);
        assert_eq!(
            fixed(LAW, &text),
            format!("LABEL version=1.0.0\nLABEL name=b\n{REST}")
        );
        let text = format!("LABEL name=a\nLABEL name=b\n{REST}");
        assert_eq!(fixed(LAW, &text), format!("LABEL name=b\n{REST}"));
    }

    #[test]
    fn different_keys_are_fine() {
        none(
            LAW,
            &format!("LABEL name=a version=1.0.0\nLABEL title=a\n{REST}"),
        );
    }
}
