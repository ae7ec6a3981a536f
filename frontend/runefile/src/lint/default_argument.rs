//! Law, where it is turned on: an argument is only written to change its value.

use rune_ir::diag::{Code, Diagnostic, Safety};

use super::Subject;

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for (id, _) in subject.own() {
        for (spec, bound) in subject.args(id) {
            let (Some(span), true) = (bound.span, spec.default.as_ref() == Some(&bound.value))
            else {
                continue;
            };
            let mut diagnostic = Diagnostic::new(
                Code::DefaultArgument,
                span,
                format!("`--{}` has this value anyway", spec.name),
            )
            .at("the default");
            diagnostic
                .fixes
                .extend(subject.without_argument(id, span, Safety::Safe));
            found.push(diagnostic);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{fixed, found, none};
    use rune_ir::diag::Code;

    const LAW: Code = Code::DefaultArgument;

    fn rand(args: &str) -> String {
        format!("CAPABILITY<F32[4]> RAND a{args}\nOUT SERIAL\nRUN a serial")
    }

    #[test]
    fn defaults_are_found_and_removed() {
        assert_eq!(found(LAW, &rand(" --max 1 --min 0.5")).len(), 1);
        assert_eq!(fixed(LAW, &rand(" --max 1 --min 0.5")), rand(" --min 0.5"));
    }

    #[test]
    fn other_values_are_fine() {
        none(LAW, &rand(" --max 2"));
    }
}
