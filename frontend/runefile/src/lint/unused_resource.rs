//! Law: every RESOURCE is used by an argument or as the path of a model.

use rune_ir::diag::{Code, Diagnostic, Fix, Safety};

use super::{Subject, edit};
use crate::tree::{Argument, Instruction, Tree, Value};

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for resource in subject.resources() {
        let name = resource.name.value.as_str();
        // One that is defined again is for the layers below.
        let below = subject.below.iter().map(|layer| &layer.tree);
        if below.chain([subject.tree]).any(|tree| is_used(tree, name)) {
            continue;
        }
        let mut diagnostic = Diagnostic::new(
            Code::UnusedResource,
            resource.name.span,
            format!("nothing uses the resource `{name}`"),
        )
        .at("never used")
        .hint(format!("write `${name}` where its content is wanted"));
        let edit = edit::remove_instruction(subject.tree, subject.text, resource.span);
        diagnostic.fixes.extend(edit.map(|edit| Fix {
            title: "remove the RESOURCE".to_owned(),
            edits: vec![edit],
            // A layer above, which is not seen from here, may use it.
            safety: Safety::Unsafe,
        }));
        found.push(diagnostic);
    }
}

fn is_used(tree: &Tree, name: &str) -> bool {
    let by = |args: &[Argument]| {
        args.iter()
            .any(|a| matches!(&a.value.value, Value::Reference(n) if n == name))
    };
    tree.instructions.iter().any(|i| match i {
        Instruction::Stage(stage) => {
            let words = std::iter::once(&stage.first).chain(&stage.second);
            by(&stage.args)
                || words
                    .into_iter()
                    .any(|w| w.text.strip_prefix('$') == Some(name))
        }
        Instruction::Set(set) => by(&set.args),
        Instruction::From(_)
        | Instruction::For(_)
        | Instruction::Label(_)
        | Instruction::Resource(_)
        | Instruction::Run(_)
        | Instruction::Faulty(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{fixed, found, none};
    use rune_ir::diag::Code;

    const LAW: Code = Code::UnusedResource;
    const REST: &str = "CAPABILITY<F32[4]> RAND a\nOUT SERIAL\nRUN a serial\n";

    #[test]
    fn one_that_nothing_uses_is_removed() {
        let text = format!("RESOURCE labels.txt l\n{REST}");
        assert_eq!(found(LAW, &text).len(), 1);
        assert_eq!(fixed(LAW, &text), REST);
    }

    #[test]
    fn uses_count_also_where_something_is_missing() {
        none(
            LAW,
            "RESOURCE model.tflite m\nCAPABILITY<F32[4]> RAND a\nMODEL $m net\nOUT SERIAL\nRUN a net serial",
        );
        none(
            LAW,
            &format!("RESOURCE labels.txt l\nPROC_BLOCK nonsense x --a <\n{REST}"),
        );
    }
}
