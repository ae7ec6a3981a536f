//! Law: nothing is computed twice. Two stages of one block or model differ in arguments, types or inputs.

use std::collections::BTreeMap;

use rune_ir::{
    args::{Bound, BoundArg},
    diag::{Code, Diagnostic},
    pipeline::{Stage, StageId, StageKind},
};

use super::Subject;

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    // Only stages that read the same first can be the same.
    let mut readers: BTreeMap<(StageId, u32), Vec<StageId>> = BTreeMap::new();
    for (id, stage) in subject.pipeline.stages.iter() {
        let Some(input) = stage.inputs.first() else {
            continue;
        };
        let before = readers.entry((input.from, input.port)).or_default();
        let mut others = before.iter().map(|id| (*id, &subject.pipeline.stages[*id]));
        let same = others.find(|(other, first)| {
            stage.span.file == subject.tree.file
                && is_same_file(first, stage)
                && feeds(first) == feeds(stage)
                && values(subject, *other) == values(subject, id)
                && subject.analysis.outputs[*other] == subject.analysis.outputs[id]
        });
        let same = same.map(|(first, _)| first);
        before.push(id);
        if let Some(first) = same {
            let (name, other) = (subject.called(id), subject.called(first));
            found.push(
                Diagnostic::new(
                    Code::DuplicateStage,
                    subject.name(id),
                    format!("`{name}` computes what `{other}` computes"),
                )
                .at("the same again")
                .also(subject.name(first), "computed here first")
                .hint(format!(
                    "feed `{other}` to what reads `{name}`, and leave out `{name}`"
                )),
            );
        }
    }
}

fn is_same_file(a: &Stage, b: &Stage) -> bool {
    match (&a.kind, &b.kind) {
        (StageKind::Block(a), StageKind::Block(b)) => a.value == b.value,
        (StageKind::Model { bytes: a, .. }, StageKind::Model { bytes: b, .. }) => a == b,
        _ => false,
    }
}

fn feeds(stage: &Stage) -> Vec<(StageId, u32)> {
    stage.inputs.iter().map(|e| (e.from, e.port)).collect()
}

fn values<'a>(subject: &Subject<'a>, id: StageId) -> Vec<Option<&'a Bound>> {
    let args: &'a [Option<BoundArg>] = &subject.analysis.args[id];
    args.iter().map(|a| a.as_ref().map(|a| &a.value)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{found, none};
    use rune_ir::diag::Code;

    const LAW: Code = Code::DuplicateStage;

    fn pipeline(first: &str, second: &str) -> String {
        format!("CAPABILITY<F32[4]> RAND a\n{first} b\n{second} c\nOUT SERIAL\nRUN a [b, c] serial")
    }

    #[test]
    fn the_second_of_two_that_are_alike_is_found() {
        let softmax = "PROC_BLOCK runicos/softmax";
        let found_here = found(LAW, &pipeline(softmax, "PROC_BLOCK softmax"));
        assert!(
            found_here.len() == 1 && found_here[0].starts_with("4: "),
            "{found_here:?}"
        );
        assert_eq!(
            found(LAW, &pipeline("MODEL net.tflite", "MODEL net.tflite")).len(),
            1
        );
    }

    #[test]
    fn other_arguments_are_another_stage() {
        let modulo = "PROC_BLOCK runicos/modulo";
        none(
            LAW,
            &pipeline(modulo, modulo).replace(" c\n", " c --modulus 2\n"),
        );
        none(LAW, &pipeline("MODEL net.tflite", "MODEL softmax.tflite"));
    }
}
