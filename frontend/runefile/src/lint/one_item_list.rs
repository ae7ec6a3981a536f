//! Law: a list of one item is meant as one. An item with `,`, `;` or `|` in it was meant as several.

use rune_ir::{
    args::{ArgType, Bound, Value},
    diag::{Code, Diagnostic, Fix, Safety},
};

use super::Subject;

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for (id, stage) in subject.own() {
        for (spec, bound) in subject.args(id) {
            let (ArgType::List, Bound::List(items), Some(span)) =
                (&spec.ty, &bound.value, bound.span)
            else {
                continue;
            };
            let written = stage
                .args
                .iter()
                .find(|a| a.name.span.to(a.value.span) == span);
            let Some(written) = written else { continue };
            // A file of one line is another matter.
            if matches!(written.value.value, Value::Resource(_)) {
                continue;
            }
            let [item] = &items[..] else { continue };
            let Some(separator) = [',', ';', '|'].into_iter().find(|s| item.contains(*s)) else {
                continue;
            };
            let parts: Vec<&str> = item.split(separator).map(str::trim).collect();
            let mut diagnostic = Diagnostic::new(
                Code::OneItemList,
                written.value.span,
                format!("`--{}` has one item with `{separator}` in it", spec.name),
            )
            .at("one item")
            .hint("items are parted by commas that stand outside of quotes: `a,b` or `\"a b\",c`");
            let simple = |p: &&str| {
                !p.is_empty()
                    && p.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c))
                    && !p.starts_with('-')
            };
            if parts.len() > 1 && parts.iter().all(simple) {
                diagnostic = diagnostic.fix(Fix::new(
                    Safety::Unsafe,
                    format!("write a list of {} items", parts.len()),
                    written.value.span,
                    parts.join(","),
                ));
            }
            found.push(diagnostic);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{fixed, found, none};
    use rune_ir::diag::Code;

    const LAW: Code = Code::OneItemList;

    fn labels(list: &str) -> String {
        format!(
            "CAPABILITY<U32> RAND a\nPROC_BLOCK runicos/label l --labels {list}\nOUT SERIAL\nRUN a l serial"
        )
    }

    #[test]
    fn quotes_around_commas_are_found() {
        for list in ["\"a, b, c\"", "a;b;c", "['a|b|c']"] {
            assert_eq!(found(LAW, &labels(list)).len(), 1, "{list}");
            assert_eq!(fixed(LAW, &labels(list)), labels("a,b,c"));
        }
    }

    #[test]
    fn one_word_is_one_item() {
        none(LAW, &labels("[one]"));
        none(LAW, &labels("\"one two\""));
        none(LAW, &labels("a,b"));
    }
}
