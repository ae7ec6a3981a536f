//! Law: an argument changes something.

use rune_abi::CapabilityKind;
use rune_ir::{
    diag::{Code, Diagnostic, Safety},
    pipeline::{StageId, StageKind},
    ty::ElementType,
};

use super::Subject;

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for (id, _) in subject.own() {
        for (spec, bound) in subject.args(id) {
            let (Some(span), Some(why)) = (bound.span, why(subject, id, &spec.name)) else {
                continue;
            };
            let mut diagnostic = Diagnostic::new(
                Code::IgnoredArgument,
                span,
                format!("`--{}` changes nothing here", spec.name),
            )
            .at(why);
            diagnostic
                .fixes
                .extend(subject.without_argument(id, span, Safety::Unsafe));
            found.push(diagnostic);
        }
    }
}

/// Why an argument has no effect.
fn why(subject: &Subject<'_>, id: StageId, argument: &str) -> Option<&'static str> {
    if let StageKind::Capability(kind) = &subject.pipeline.stages[id].kind {
        return match (kind.value, argument) {
            (CapabilityKind::Sound, "sample-size") => {
                Some("the window follows from the other arguments")
            }
            (CapabilityKind::Rand, "min" | "max") => {
                let element = subject.output(id, 0)?.element;
                let is_float = matches!(element, ElementType::F32 | ElementType::F64);
                (!is_float).then_some("random integers take their whole range")
            }
            _ => None,
        };
    }
    match (subject.block(id)?, argument) {
        ("spectrogram", "sample-rate") => {
            Some("its filters are those for 16000 Hz, whatever the rate")
        }
        ("audio-frontend", "pcan-strength" | "pcan-offset" | "gain-bits") => {
            (subject.integer(id, "pcan") == Some(0)).then_some("`--pcan false` turns the gain off")
        }
        ("audio-frontend", "log-shift") => (subject.integer(id, "log") == Some(0))
            .then_some("`--log false` turns the logarithm off"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{fixed, found, none};
    use rune_ir::diag::Code;

    const LAW: Code = Code::IgnoredArgument;

    fn rand(ty: &str, args: &str) -> String {
        format!("CAPABILITY<{ty}> RAND a{args}\nOUT SERIAL\nRUN a serial")
    }

    #[test]
    fn ranges_of_integers_are_found_and_removed() {
        let text = rand("U8[4]", " --max 6");
        assert_eq!(found(LAW, &text).len(), 1);
        assert_eq!(fixed(LAW, &text), rand("U8[4]", ""));
    }

    #[test]
    fn other_arguments_are_fine() {
        none(LAW, &rand("F32[4]", " --max 6"));
        none(
            LAW,
            "CAPABILITY<I16[1600]> SOUND a --hz 8000\nOUT SERIAL\nRUN a serial",
        );
    }
}
