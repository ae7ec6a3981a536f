//! Law, where it is turned on: a FROM says which version of its image it means.

use rune_ir::diag::{Code, Diagnostic};

use super::Subject;
use crate::tree::Instruction;

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for instruction in &subject.tree.instructions {
        let Instruction::From(from) = instruction else {
            continue;
        };
        let image = from.image.value.as_str();
        let name = image.split(['@', '#']).next().unwrap_or(image);
        // A file is what it is.
        if !subject.env.has_image(name) {
            continue;
        }
        let version = image.split_once('@').map(|(_, rest)| rest);
        if version.is_some_and(|v| !v.starts_with("latest")) {
            continue;
        }
        found.push(
            Diagnostic::new(
                Code::UnpinnedFrom,
                from.image.span,
                format!("`{image}` means whatever version is the latest"),
            )
            .at("no version")
            .hint(format!("write the version: `FROM {name}@1.0.0`")),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{found_whole, none_whole};
    use rune_ir::diag::Code;

    const LAW: Code = Code::UnpinnedFrom;

    const REST: &str = "CAPABILITY<F32[4]> RAND a\nOUT SERIAL\nRUN a serial";

    #[test]
    fn images_without_a_version_are_found() {
        for image in ["runicos/base", "runicos/base@latest"] {
            assert_eq!(found_whole(LAW, &format!("FROM {image}\n{REST}")).len(), 1);
        }
    }

    #[test]
    fn a_version_is_enough() {
        none_whole(LAW, &format!("FROM runicos/base@1.0.0\n{REST}"));
    }
}
