//! The few lines in which two texts differ.

use std::time::Duration;

use lsp_types::TextEdit;
use rune_ir::diag::Span;
use similar::{DiffTag, TextDiff};

use super::{analysis::OWN, position::Lines};

/// Longest time to look for the fewest lines; after that any will do.
const PATIENCE: Duration = Duration::from_millis(200);

/// The edits of whole lines that make `new` of `old`.
pub(crate) fn between(old: &str, new: &str, lines: &Lines) -> Vec<TextEdit> {
    let diff = TextDiff::configure().timeout(PATIENCE).diff_lines(old, new);
    let mut starts = vec![0];
    starts.extend(diff.old_slices().iter().scan(0, |at, line| {
        *at += line.len();
        Some(*at)
    }));
    let differing = diff.ops().iter().filter(|op| op.tag() != DiffTag::Equal);
    differing
        .map(|op| {
            let (gone, come) = (op.old_range(), op.new_range());
            let span = Span::new(OWN, starts[gone.start], starts[gone.end]);
            TextEdit {
                range: lines.range(old, span),
                new_text: diff.new_slices()[come].concat(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::position::Encoding;
    use super::*;

    /// What an editor does with edits.
    fn apply(old: &str, edits: &[TextEdit], lines: &Lines) -> String {
        let mut text = old.to_owned();
        for edit in edits.iter().rev() {
            text.replace_range(lines.offsets(old, edit.range), &edit.new_text);
        }
        text
    }

    #[test]
    fn edits_make_the_new_text_and_touch_no_more() {
        let texts = [
            "",
            "a\n",
            "a\nb\nc\nd\n",
            "a\nx\nc\ny\nd",
            "d\nc\nb\na\n",
            "a\nc\n",
        ];
        for old in texts {
            for new in texts {
                let lines = Lines::new(old, Encoding::Utf16);
                let edits = between(old, new, &lines);
                assert_eq!(apply(old, &edits, &lines), new, "{old:?} {new:?}");
                assert_eq!(edits.is_empty(), old == new);
            }
        }
        let old = "a\nb\nc\nd\n";
        let edits = between(old, "a\nB\nc\nD\n", &Lines::new(old, Encoding::Utf8));
        assert_eq!(edits.len(), 2);
    }
}
