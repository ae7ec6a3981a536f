//! Law: a picture is resized once. Each time it is loses detail and takes time.

use rune_ir::diag::{Code, Diagnostic, Safety};

use super::Subject;

/// Blocks after which a picture has the size that it had.
const SIZE_KEPT: [&str; 4] = ["cast", "grayscale", "image-normalization", "normalize"];

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for (id, _) in subject.own() {
        if subject.block(id) != Some("image-resize") {
            continue;
        }
        let first = subject.upstream(id).find(|before| {
            !subject
                .block(*before)
                .is_some_and(|b| SIZE_KEPT.contains(&b))
        });
        let Some(first) = first.filter(|f| subject.block(*f) == Some("image-resize")) else {
            continue;
        };
        let (name, before) = (subject.called(id), subject.called(first));
        let mut diagnostic = Diagnostic::new(
            Code::ResizedTwice,
            subject.name(id),
            format!("`{name}` resizes what `{before}` has resized"),
        )
        .at("resized again")
        .also(subject.name(first), "resized here")
        .hint(format!(
            "leave out `{before}`: one step to the last size keeps more of the picture"
        ));
        let fix = subject.without_stage(first, format!("remove `{before}`"), Safety::Unsafe);
        diagnostic.fixes.extend(fix);
        found.push(diagnostic);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{fixed, found, none};
    use rune_ir::diag::Code;

    const LAW: Code = Code::ResizedTwice;

    fn pipeline(blocks: &str, names: &str) -> String {
        format!(
            "CAPABILITY<U8[8, 8, 3]> IMAGE a\n{blocks}PROC_BLOCK runicos/image-resize z --width 4 --height 4\n\
             OUT SERIAL\nRUN a {names}z serial"
        )
    }

    #[test]
    fn the_first_of_two_goes() {
        let text = pipeline(
            "PROC_BLOCK runicos/image-resize y --width 6 --height 6\n",
            "y ",
        );
        assert_eq!(found(LAW, &text).len(), 1);
        assert_eq!(fixed(LAW, &text), pipeline("", ""));
    }

    #[test]
    fn once_is_fine_and_so_is_a_crop_in_between() {
        none(LAW, &pipeline("", ""));
        let crop = "PROC_BLOCK runicos/image-resize y --width 6 --height 6\nPROC_BLOCK runicos/crop x --width 5 --height 5\n";
        none(LAW, &pipeline(crop, "y x "));
    }
}
