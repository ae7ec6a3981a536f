//! Law: a reshape moves no element. It makes no picture of channels first out of one of channels last.

use rune_ir::diag::{Code, Diagnostic};

use super::Subject;

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for (id, _) in subject.own() {
        if subject.block(id) != Some("reshape") {
            continue;
        }
        let (Some(from), Some(to)) = (subject.input(id, 0), subject.output(id, 0)) else {
            continue;
        };
        let (from, to) = (from.shape(), to.shape());
        let (Some([h, w, c]), Some([first, y, x])) = (picture(&from), picture(&to)) else {
            continue;
        };
        let channels_last = (2..=4).contains(&c) && h > 4 && w > 4;
        if channels_last && first == c && [y, x] == [h, w] {
            let name = subject.called(id);
            found.push(
                Diagnostic::new(
                    Code::ChannelOrder,
                    subject.name(id),
                    format!("`{name}` reads a picture of [{h}, {w}, {c}] as [{c}, {h}, {w}], which mixes rows and channels"),
                )
                .at("moves no element")
                .note("A reshape keeps the elements in their order: the first channel becomes the first rows.")
                .hint("convert the model with channels last (NHWC), as TensorFlow Lite has them"),
            );
        }
    }
}

/// The dimensions of a picture, a batch of one left out.
fn picture(shape: &[u32]) -> Option<[u32; 3]> {
    match *shape {
        [a, b, c] | [1, a, b, c] => Some([a, b, c]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{found, none};
    use rune_ir::diag::Code;

    const LAW: Code = Code::ChannelOrder;

    fn pipeline(shape: &str) -> String {
        format!(
            "CAPABILITY<U8[8, 6, 3]> IMAGE a\nPROC_BLOCK runicos/reshape b --shape {shape}\nOUT SERIAL\nRUN a b serial"
        )
    }

    #[test]
    fn channels_in_front_are_found() {
        assert_eq!(found(LAW, &pipeline("1,3,8,6")).len(), 1);
        assert_eq!(found(LAW, &pipeline("3,8,6")).len(), 1);
    }

    #[test]
    fn other_shapes_are_fine() {
        none(LAW, &pipeline("1,8,6,3"));
        none(LAW, &pipeline("144"));
    }
}
