//! Law: a path means the same on every machine. It is relative to the Runefile, and parts are joined by `/`.

use rune_ir::diag::{Code, Diagnostic, Span};

use super::{Subject, edit};
use crate::tree::{Instruction, Role};

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for instruction in &subject.tree.instructions {
        let (path, span) = match instruction {
            Instruction::Resource(resource) => match &resource.path {
                Some(path) => (path.value.as_str(), path.span),
                None => continue,
            },
            Instruction::Stage(stage)
                if matches!(stage.role.value, Role::Model | Role::ProcBlock) =>
            {
                let path = edit::path(stage, subject.env);
                (path.text.as_str(), path.span)
            }
            Instruction::From(from) => (from.image.value.as_str(), from.image.span),
            Instruction::Stage(_)
            | Instruction::For(_)
            | Instruction::Label(_)
            | Instruction::Set(_)
            | Instruction::Run(_)
            | Instruction::Faulty(_) => continue,
        };
        found.extend(finding(path, span));
    }
}

fn finding(path: &str, span: Span) -> Option<Diagnostic> {
    let mut start = path.chars();
    let is_drive = start.next().is_some_and(|c| c.is_ascii_alphabetic())
        && start.next() == Some(':')
        && matches!(start.next(), Some('/' | '\\'));
    let (why, hint) = if path.starts_with('/') || path.starts_with("~/") || is_drive {
        (
            "begins at the root of this machine",
            "put the file beside the Runefile, and write `./` and its name",
        )
    } else if path.contains('\\') {
        (
            "parts are joined by `\\`, which only Windows reads so",
            "write `/`",
        )
    } else {
        return None;
    };
    Some(
        Diagnostic::new(
            Code::MachinePath,
            span,
            "other machines do not have this path",
        )
        .at(why)
        .hint(hint),
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::{found, none};
    use rune_ir::diag::Code;

    const LAW: Code = Code::MachinePath;

    fn resource(path: &str) -> String {
        format!(
            "RESOURCE {path} r\nCAPABILITY<U32> RAND a\nPROC_BLOCK runicos/label l --wordlist $r\nOUT SERIAL\nRUN a l serial"
        )
    }

    #[test]
    fn paths_of_one_machine_are_found() {
        for path in [
            "/data/labels.txt",
            "~/labels.txt",
            "'C:\\\\labels.txt'",
            "data\\labels.txt",
        ] {
            assert_eq!(found(LAW, &resource(path)).len(), 1, "{path}");
        }
        let model = "CAPABILITY<F32[4]> RAND a\nMODEL /net.tflite m\nOUT SERIAL\nRUN a m serial";
        assert_eq!(found(LAW, model).len(), 1);
    }

    #[test]
    fn relative_paths_are_fine() {
        none(LAW, &resource("labels.txt"));
        none(LAW, &resource("./labels.txt"));
        none(LAW, &resource("../labels.txt"));
    }
}
