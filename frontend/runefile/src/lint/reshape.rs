//! The fix of an implicit reshape (R0304): the type that is wanted, written at the stage that reads it.

use rune_ir::diag::{Code, Diagnostic, Fix, Safety, Span};

use super::Subject;
use crate::tree::Role;

/// Adds fixes to the reshapes among `found`.
pub(super) fn fix(subject: &Subject<'_>, found: &mut [Diagnostic]) {
    let reshapes = found.iter_mut().filter(|d| d.code == Code::ImplicitReshape);
    for diagnostic in reshapes {
        if let Some(fix) = type_of_reader(subject, diagnostic.primary.span) {
            diagnostic.fixes.push(fix);
        }
    }
}

/// Writes the types of the one stage that the step at `edge` feeds, if it has none and one input.
fn type_of_reader(subject: &Subject<'_>, edge: Span) -> Option<Fix> {
    let mut readers = subject
        .own()
        .filter(|(_, stage)| stage.inputs.iter().any(|e| e.span == edge));
    let (Some((id, stage)), None) = (readers.next(), readers.next()) else {
        return None;
    };
    let written = subject.written(stage)?;
    let takes_types = matches!(written.role.value, Role::ProcBlock | Role::Model);
    if !takes_types || written.types.is_some() || stage.declared_inputs.is_some() {
        return None;
    }
    subject.source(id)?;
    let input = subject.input(id, 0)?;
    let outputs = vec!["_"; subject.analysis.outputs[id].len()].join(", ");
    let keyword = written.role.span;
    let end = keyword.end as usize;
    Some(Fix::new(
        Safety::Safe,
        format!("write that `{}` reads {input}", stage.name.value),
        Span::new(keyword.file, end, end),
        format!("<{input} -> {outputs}>"),
    ))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{fixed, none};
    use rune_ir::diag::Code;

    #[test]
    fn the_type_is_written_at_the_reader() {
        let text = |ty: &str| {
            format!(
                "CAPABILITY<F32[4, 1]> RAND a\nMODEL{ty} net.tflite net\nOUT SERIAL\nRUN a net serial"
            )
        };
        let declared = text("<F32[4] -> _>");
        assert_eq!(fixed(Code::ImplicitReshape, &text("")), declared);
        none(Code::ImplicitReshape, &declared);
    }
}
