//! Law: numbers are normalised once. Of two blocks in a row that both do, the second undoes the first, or
//! scales what is scaled.

use rune_ir::{
    args::Bound,
    diag::{Code, Diagnostic, Safety},
    pipeline::StageId,
};

use super::Subject;

/// Blocks that leave numbers where they are, or only move them.
const MOVING: [&str; 7] = [
    "cast",
    "crop",
    "frame",
    "grayscale",
    "image-resize",
    "reshape",
    "slice",
];

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for (id, _) in subject.own() {
        let again = match subject.block(id) {
            Some("normalize") => true,
            // With a mean and a deviation it takes what lies between 0 and 1.
            Some("image-normalization") => ["mean", "std"].iter().all(|a| is_empty(subject, id, a)),
            _ => false,
        };
        if !again {
            continue;
        }
        let first = subject
            .upstream(id)
            .find(|before| !subject.block(*before).is_some_and(|b| MOVING.contains(&b)));
        let Some(first) = first else { continue };
        if !matches!(
            subject.block(first),
            Some("normalize" | "image-normalization" | "audio-float-conversion")
        ) {
            continue;
        }
        let (name, before) = (subject.called(id), subject.called(first));
        let mut diagnostic = Diagnostic::new(
            Code::NormalizedTwice,
            subject.name(id),
            format!("`{name}` normalises what `{before}` has normalised"),
        )
        .at("normalised again")
        .also(subject.name(first), "normalised here")
        .hint("keep the one that the model was trained with");
        let fix = subject.without_stage(id, format!("remove `{name}`"), Safety::Unsafe);
        diagnostic.fixes.extend(fix);
        found.push(diagnostic);
    }
}

fn is_empty(subject: &Subject<'_>, id: StageId, name: &str) -> bool {
    let value = subject.arg(id, name).map(|a| &a.value);
    value.is_none_or(|v| matches!(v, Bound::List(items) if items.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{fixed, found, none};
    use rune_ir::diag::Code;

    const LAW: Code = Code::NormalizedTwice;

    fn pipeline(blocks: &str, names: &str) -> String {
        format!("CAPABILITY<I16[4]> SOUND a\n{blocks}OUT SERIAL\nRUN a {names} serial")
    }
    const FLOATS: &str = "PROC_BLOCK runicos/audio-float-conversion b\n";

    #[test]
    fn the_second_is_found_and_removed() {
        let text = pipeline(&format!("{FLOATS}PROC_BLOCK runicos/normalize c\n"), "b c");
        assert_eq!(found(LAW, &text).len(), 1);
        assert_eq!(fixed(LAW, &text), pipeline(FLOATS, "b"));
    }

    #[test]
    fn one_is_fine_and_so_is_a_deviation() {
        none(LAW, &pipeline(FLOATS, "b"));
        let text =
            format!("{FLOATS}PROC_BLOCK runicos/image-normalization c --mean 0.5 --std 0.5\n");
        none(LAW, &pipeline(&text, "b c"));
    }
}
