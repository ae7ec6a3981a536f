//! Law: there is a label for each class, and a class for each label.
//!
//! A `label` block is fed indices. Where they come from a block that picks among scores, there are as many
//! classes as scores: an index beyond the labels is a fault while the rune runs, and labels beyond the
//! classes mean that list and model belong to different trainings.

use rune_ir::{
    args::Bound,
    diag::{Code, Diagnostic},
    pipeline::StageId,
};

use super::Subject;

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for (id, _) in subject.own() {
        if subject.block(id) != Some("label") {
            continue;
        }
        let Some((count, place)) = labels(subject, id) else {
            continue;
        };
        let Some((maker, classes)) = classes(subject, id) else {
            continue;
        };
        if count == classes {
            continue;
        }
        let name = subject.called(maker);
        let diagnostic = Diagnostic::new(
            Code::LabelCount,
            place.unwrap_or(subject.name(id)),
            format!(
                "there {} {} and {}",
                if count == 1 { "is" } else { "are" },
                many(count, "label", "labels"),
                many(classes, "class", "classes")
            ),
        )
        .at(many(count, "label", "labels"))
        .also(
            subject.name(maker),
            format!("`{name}` picks among {classes}"),
        );
        found.push(if count < classes {
            diagnostic
                .note("An index without a label is a fault while the rune runs.")
                .hint(match named_file(subject, id) {
                    Some(file) => format!("to take them from a file, write `RESOURCE {file} labels` and `--labels $labels`"),
                    None => missing(count, classes),
                })
        } else {
            diagnostic.hint("check that labels and model are from the same training")
        });
    }
}

/// The path of a file that stands where the labels should.
fn named_file<'s>(subject: &'s Subject<'_>, id: StageId) -> Option<&'s str> {
    let Bound::List(items) = &subject.arg(id, "labels")?.value else {
        return None;
    };
    match &items[..] {
        [item]
            if [".txt", ".csv", ".json"]
                .iter()
                .any(|end| item.ends_with(end)) =>
        {
            Some(item)
        }
        _ => None,
    }
}

fn missing(labels: u64, classes: u64) -> String {
    let last = classes - 1;
    if labels == last {
        format!("add the label of class {last}")
    } else {
        format!("add the labels of classes {labels} to {last}")
    }
}

fn many(count: u64, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

/// How many labels a `label` block has, and where they are written.
fn labels(subject: &Subject<'_>, id: StageId) -> Option<(u64, Option<rune_ir::diag::Span>)> {
    let wordlist = subject
        .arg(id, "wordlist")
        .and_then(|arg| match &arg.value {
            Bound::Text(text) => Some((text.trim().lines().count(), arg.span)),
            Bound::Integer(_) | Bound::Float(_) | Bound::List(_) | Bound::Bytes(_) => None,
        });
    let list = subject.arg(id, "labels").and_then(|arg| match &arg.value {
        Bound::List(items) => Some((items.len(), arg.span)),
        Bound::Integer(_) | Bound::Float(_) | Bound::Text(_) | Bound::Bytes(_) => None,
    });
    let filled = |l: &(usize, _)| l.0 > 0;
    let (count, span) = list.filter(filled).or(wordlist.filter(filled))?;
    Some((count as u64, span))
}

/// Who makes the indices a block is fed, and of how many classes.
fn classes(subject: &Subject<'_>, id: StageId) -> Option<(StageId, u64)> {
    for maker in subject.upstream(id) {
        let scores = || subject.input(maker, 0);
        let classes = match subject.block(maker)? {
            "debounce" => continue,
            "most-confident-indices" | "top-k" | "smooth-scores" => scores()?.elements(),
            "argmax" => match subject.text_arg(maker, "axis")? {
                "all" => scores()?.elements(),
                "-1" => u64::from(*scores()?.shape().last()?),
                _ => return None,
            },
            "binary-classification" => 2,
            _ => return None,
        };
        return Some((maker, classes));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::testing::{found, none};
    use rune_ir::diag::Code;

    const LAW: Code = Code::LabelCount;

    fn pipeline(picker: &str, labels: &str) -> String {
        format!(
            "CAPABILITY<F32[4]> RAND a\nPROC_BLOCK {picker} b\nPROC_BLOCK runicos/label l --labels {labels}\n\
             OUT SERIAL\nRUN a b l serial"
        )
    }

    #[test]
    fn too_few_and_too_many_are_found() {
        for picker in ["runicos/most-confident-indices", "runicos/argmax"] {
            let few = found(LAW, &pipeline(picker, "x,y,z"));
            assert!(
                few.len() == 1 && few[0].contains("3 labels and 4 classes"),
                "{few:?}"
            );
            let many = found(LAW, &pipeline(picker, "x,y,z,u,v"));
            assert!(
                many.len() == 1 && many[0].contains("5 labels and 4 classes"),
                "{many:?}"
            );
            none(LAW, &pipeline(picker, "x,y,z,u"));
        }
        let two = found(LAW, &pipeline("runicos/binary-classification", "no"));
        assert!(
            two.len() == 1 && two[0].contains("1 label and 2 classes"),
            "{two:?}"
        );
    }

    #[test]
    fn the_place_is_the_list() {
        let found = found(LAW, &pipeline("runicos/argmax", "x,y"));
        assert!(found[0].starts_with("4: "), "{found:?}");
    }
}
