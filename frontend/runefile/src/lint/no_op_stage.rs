//! Law: a block changes what it is fed.

use rune_ir::{
    args::Bound,
    diag::{Code, Diagnostic, Safety},
    pipeline::StageId,
    ty::ElementType,
};

use super::Subject;

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for (id, stage) in subject.own() {
        let Some(why) = why(subject, id) else {
            continue;
        };
        let name = subject.called(id);
        let mut diagnostic = Diagnostic::new(
            Code::NoOpStage,
            stage.name.span,
            format!("`{name}` gives what it is fed"),
        )
        .at(why)
        .hint(format!("leave out `{name}`"));
        // A type that is written here may be what another stage got its own from.
        if stage.declared_inputs.is_none() && stage.declared_outputs.is_none() {
            let fix = subject.without_stage(id, format!("remove `{name}`"), Safety::Unsafe);
            diagnostic.fixes.extend(fix);
        }
        found.push(diagnostic);
    }
}

/// Why a block changes nothing.
fn why(subject: &Subject<'_>, id: StageId) -> Option<String> {
    let block = subject.block(id)?;
    let (from, to) = (subject.input(id, 0)?, subject.output(id, 0)?);
    subject.source(id)?;
    let same = from == to;
    let empty = |name: &str| {
        let value = subject.arg(id, name).map(|a| &a.value);
        value.is_none_or(|v| matches!(v, Bound::List(items) if items.is_empty()))
    };
    let default = |name: &str, value: f64| subject.float(id, name) == Some(value);
    let why = match block {
        "cast" if same => format!("it is {from} already"),
        "reshape" | "image-resize" | "crop" if same => format!("it has this shape already: {from}"),
        "concat" => "one part is the whole".to_owned(),
        "split" if subject.integer(id, "parts") == Some(1) => "one part is the whole".to_owned(),
        "grayscale" if same => "it has one channel already".to_owned(),
        "resample" if subject.integer(id, "from") == subject.integer(id, "to") => {
            "both rates are the same".to_owned()
        }
        "normalize" if from.elements() == 1 => "one element stays as it is".to_owned(),
        "image-normalization"
            if from.element == ElementType::F32
                && empty("mean")
                && empty("std")
                && default("low", 0.0)
                && default("high", 1.0) =>
        {
            "floats are taken to lie between 0 and 1 already".to_owned()
        }
        _ => return None,
    };
    Some(why)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{fixed, found, none};
    use rune_ir::diag::Code;

    const LAW: Code = Code::NoOpStage;

    fn pipeline(blocks: &str, names: &str) -> String {
        format!("CAPABILITY<F32[2, 2]> RAND a\n{blocks}OUT SERIAL\nRUN a {names}serial")
    }

    #[test]
    fn blocks_without_effect_are_found_and_removed() {
        for block in [
            "runicos/reshape b --shape 2,2",
            "runicos/concat b",
            "runicos/image-normalization b",
        ] {
            let text = pipeline(&format!("PROC_BLOCK {block}\n"), "b ");
            assert_eq!(found(LAW, &text).len(), 1, "{text}");
            assert_eq!(fixed(LAW, &text), pipeline("", ""));
        }
        let cast = pipeline("PROC_BLOCK<_ -> F32[2, 2]> runicos/cast b\n", "b ");
        assert_eq!(found(LAW, &cast).len(), 1);
    }

    #[test]
    fn blocks_with_an_effect_are_fine() {
        none(
            LAW,
            &pipeline("PROC_BLOCK runicos/reshape b --shape 4\n", "b "),
        );
        none(
            LAW,
            &pipeline("PROC_BLOCK runicos/image-normalization b --high 2\n", "b "),
        );
        none(
            LAW,
            &pipeline("PROC_BLOCK<_ -> U8[2, 2]> runicos/cast b\n", "b "),
        );
    }
}
