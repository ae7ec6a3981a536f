//! Law: a list of more than 32 items is a file of its own, one item a line, named by a RESOURCE.

use rune_ir::diag::{Code, Diagnostic};

use super::Subject;
use crate::tree::{Instruction, Value};

/// Most items that are read at a glance.
const MOST: usize = 32;

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for instruction in &subject.tree.instructions {
        let Instruction::Stage(stage) = instruction else {
            continue;
        };
        for arg in &stage.args {
            let Value::List(items) = &arg.value.value else {
                continue;
            };
            // Numbers are coefficients, which no file of labels could hold.
            let is_number = |i: &str| i.parse::<f64>().is_ok();
            if items.len() <= MOST || items.texts().iter().all(|i| is_number(i)) {
                continue;
            }
            let name = &arg.name.value;
            found.push(
                Diagnostic::new(
                    Code::LongList,
                    arg.name.span,
                    format!("`--{name}` has {} items", items.len()),
                )
                .at("a long list")
                .hint(format!(
                    "put them into a file, one a line: `RESOURCE {name}.txt {name}`, and write `--{name} ${name}`"
                )),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{found, none};
    use rune_ir::diag::Code;

    fn labels(count: usize) -> String {
        let list: Vec<String> = (0..count).map(|i| format!("class{i}")).collect();
        let list = list.join(",");
        format!(
            "CAPABILITY<U32> RAND a\nPROC_BLOCK runicos/label l --labels {list}\nOUT SERIAL\nRUN a l serial"
        )
    }

    #[test]
    fn lists_are_long_from_33_on() {
        none(Code::LongList, &labels(32));
        assert!(found(Code::LongList, &labels(33))[0].contains("33 items"));
    }
}
