//! Law: a stage's result depends on what it is fed.
//!
//! The best of one element is always the first, its probability always 1, and a score between 0 and 1 never
//! passes a threshold outside of that.

use rune_abi::CapabilityKind;
use rune_ir::{
    diag::{Code, Diagnostic, Span},
    op::Op,
    pipeline::{StageId, StageKind},
    ty::ElementType,
};

use super::{Subject, softmax_twice::last_operator};

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for (id, stage) in subject.own() {
        let constant = match &stage.kind {
            StageKind::Capability(kind) if kind.value == CapabilityKind::Rand => {
                random(subject, id)
            }
            StageKind::Block(_) => block(subject, id),
            StageKind::Capability(_) | StageKind::Model { .. } | StageKind::Output(_) => None,
        };
        if let Some((place, why)) = constant {
            let name = subject.called(id);
            let place = place.unwrap_or(stage.name.span);
            found.push(
                Diagnostic::new(
                    Code::ConstantResult,
                    place,
                    format!("what `{name}` gives is always the same"),
                )
                .at(why)
                .hint("change what makes it so, or leave the stage out"),
            );
        }
    }
}

/// Where and why a result never changes.
type Constant = Option<(Option<Span>, String)>;

fn random(subject: &Subject<'_>, id: StageId) -> Constant {
    let ty = subject.output(id, 0)?;
    let is_float = matches!(ty.element, ElementType::F32 | ElementType::F64);
    let (min, max) = (subject.float(id, "min")?, subject.float(id, "max")?);
    let place = subject
        .arg(id, "max")?
        .span
        .or(subject.arg(id, "min")?.span);
    (is_float && min == max).then(|| (place, format!("the numbers lie between {min} and {max}")))
}

fn block(subject: &Subject<'_>, id: StageId) -> Constant {
    let input = subject.input(id, 0)?;
    let block = subject.block(id)?;
    let single = input.elements() == 1;
    let of_one = match block {
        "argmax" | "most-confident-indices" => "the best of one element is the first",
        "softmax" => "the probability of one element is 1",
        "std-dev" => "one element has the deviation 0",
        _ => "",
    };
    if single && !of_one.is_empty() {
        return Some((None, of_one.to_owned()));
    }
    let is_float = matches!(input.element, ElementType::F32 | ElementType::F64);
    match block {
        "modulo" if !is_float => {
            let modulus = subject.float(id, "modulus")?;
            let place = subject.arg(id, "modulus")?.span;
            (modulus.abs() == 1.0)
                .then(|| (place, "every whole number is a multiple of 1".to_owned()))
        }
        "threshold" | "binary-classification" if is_float => {
            let threshold = subject.float(id, "threshold")?;
            let compares = block != "threshold"
                || matches!(
                    subject.text_arg(id, "mode"),
                    Some("binary" | "binary-inverse")
                );
            let outside = !(0.0..1.0).contains(&threshold);
            (compares && outside && between_0_and_1(subject, id)).then(|| {
                let place = subject.arg(id, "threshold").and_then(|a| a.span);
                (place, "what is compared lies between 0 and 1".to_owned())
            })
        }
        "smooth-scores" => {
            let threshold = subject.float(id, "threshold")?;
            let place = subject.arg(id, "threshold")?.span;
            (threshold >= 1.0).then(|| (place, "no average is above 1".to_owned()))
        }
        _ => None,
    }
}

/// Whether what feeds a block are probabilities or the like.
fn between_0_and_1(subject: &Subject<'_>, id: StageId) -> bool {
    let Some(edge) = subject.source(id) else {
        return false;
    };
    match (subject.model(edge.from), subject.block(edge.from)) {
        (Some(graph), _) => matches!(
            last_operator(graph, edge.port),
            Some(Op::Softmax { .. } | Op::Logistic)
        ),
        (None, Some(block)) => block == "softmax" || block == "normalize",
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{found, none};
    use rune_ir::diag::Code;

    const LAW: Code = Code::ConstantResult;

    fn pipeline(ty: &str, blocks: &str, names: &str) -> String {
        format!("CAPABILITY<{ty}> RAND a\n{blocks}\nOUT SERIAL\nRUN a {names} serial")
    }

    #[test]
    fn results_that_cannot_change_are_found() {
        for (ty, blocks, names) in [
            ("F32[1]", "PROC_BLOCK runicos/argmax b", "b"),
            ("F32[1]", "PROC_BLOCK runicos/softmax b", "b"),
            ("I32[4]", "PROC_BLOCK runicos/modulo b", "b"),
            (
                "F32[4]",
                "PROC_BLOCK runicos/smooth-scores b --threshold 1",
                "b",
            ),
            (
                "F32[4]",
                "MODEL softmax.tflite m\nPROC_BLOCK runicos/binary-classification b --threshold 50",
                "m b",
            ),
            (
                "F32[4]",
                "PROC_BLOCK runicos/softmax m\nPROC_BLOCK runicos/threshold b --threshold -1",
                "m b",
            ),
        ] {
            let text = pipeline(ty, blocks, names);
            assert_eq!(found(LAW, &text).len(), 1, "{text}");
        }
        assert_eq!(
            found(
                LAW,
                "CAPABILITY<F32> RAND a --max 0\nOUT SERIAL\nRUN a serial"
            )
            .len(),
            1
        );
    }

    #[test]
    fn results_that_can_change_are_fine() {
        for (ty, blocks, names) in [
            ("F32[2]", "PROC_BLOCK runicos/argmax b", "b"),
            ("F32[4]", "PROC_BLOCK runicos/modulo b", "b"),
            (
                "F32[4]",
                "PROC_BLOCK runicos/threshold b --threshold 50",
                "b",
            ),
            (
                "F32[4]",
                "MODEL softmax.tflite m\nPROC_BLOCK runicos/binary-classification b",
                "m b",
            ),
        ] {
            none(LAW, &pipeline(ty, blocks, names));
        }
    }
}
