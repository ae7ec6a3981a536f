//! Edits of a text that leave the rest of it as it was: whole lines, arguments and comments taken out.

use rune_ir::{
    diag::{Edit, Span},
    env::Env,
};

use crate::{
    order::order,
    tree::{Argument, Instruction, Stage, Tree, Word},
};

/// First byte of the line with byte `at`.
pub(crate) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind(['\n', '\r']).map_or(0, |i| i + 1)
}

/// First byte of the line after that with byte `at`, or the end.
fn next_line(text: &str, at: usize) -> usize {
    let Some(end) = text[at..].find(['\n', '\r']).map(|i| at + i) else {
        return text.len();
    };
    end + if text[end..].starts_with("\r\n") {
        2
    } else {
        1
    }
}

fn remove(span: Span, start: usize, end: usize) -> Edit {
    Edit {
        span: Span::new(span.file, start, end),
        text: String::new(),
    }
}

/// Takes out an instruction with its line; what else is on the line stays. `None` where a comment inside of
/// it would be lost.
pub(crate) fn remove_instruction(tree: &Tree, text: &str, span: Span) -> Option<Edit> {
    let inside = |c: &Span| span.start < c.start && c.start < span.end;
    if tree.comments.iter().any(inside) {
        return None;
    }
    let (start, end) = (span.start as usize, span.end as usize);
    let line = line_start(text, start);
    let next = next_line(text, end);
    let before = text[line..start].trim().is_empty();
    let after = text[end..next].trim_start();
    Some(if before && after.is_empty() {
        remove(span, line, next)
    } else {
        remove(span, start, next - after.len())
    })
}

/// Takes out a comment: its line where it stands alone, else with the blanks before it.
pub(crate) fn remove_comment(text: &str, comment: Span) -> Edit {
    let (start, end) = (comment.start as usize, comment.end as usize);
    let line = line_start(text, start);
    if text[line..start].trim().is_empty() {
        return remove(comment, line, next_line(text, end));
    }
    let blank = text[..start].trim_end_matches([' ', '\t']).len();
    remove(comment, blank.max(line), end)
}

/// Takes out an argument with what parts it from the word before. `None` where a comment stands between.
pub(crate) fn remove_argument(text: &str, stage: &Stage, argument: &Argument) -> Option<Edit> {
    let dashes = text[..argument.name.span.start as usize]
        .trim_end_matches('-')
        .len();
    let before = text[..dashes].trim_end_matches([' ', '\t', '\\', '\n', '\r']);
    let start = before.len();
    let is_comment = before[line_start(text, start)..]
        .trim_start()
        .starts_with('#');
    if is_comment || start <= stage.first.span.start as usize {
        return None;
    }
    let end = argument.value.span.end as usize;
    Some(remove(argument.value.span, start, end))
}

/// The text after edits, which do not overlap, in any order.
pub fn apply(text: &str, edits: &[Edit]) -> String {
    let mut edits: Vec<&Edit> = edits.iter().collect();
    edits.sort_by_key(|e| e.span.start);
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for edit in edits {
        out.push_str(&text[done..edit.span.start as usize]);
        out.push_str(&edit.text);
        done = edit.span.end as usize;
    }
    out.push_str(&text[done..]);
    out
}

/// The instruction of a tree that makes the stage with this span.
pub(crate) fn stage_at(tree: &Tree, span: Span) -> Option<&Stage> {
    let mut stages = tree.instructions.iter().filter_map(|i| {
        if let Instruction::Stage(stage) = i {
            Some(stage)
        } else {
            None
        }
    });
    stages.find(|stage| stage.span == span)
}

/// The word of a block or model that is its path.
pub(crate) fn path<'t>(stage: &'t Stage, env: &dyn Env) -> &'t Word {
    order(stage, env).what
}

#[cfg(test)]
mod tests {
    use rune_ir::diag::FileId;

    use super::*;
    use crate::parse;

    #[test]
    fn instructions_go_with_their_lines_and_leave_comments() {
        for (text, after) in [
            ("FROM a\n  OUT SERIAL  \nRUN b c\n", "FROM a\nRUN b c\n"),
            ("FROM a\r\nOUT SERIAL # why\r\n", "FROM a\r\n# why\r\n"),
            ("FROM a\nOUT SERIAL", "FROM a\n"),
        ] {
            let (tree, _) = parse(FileId(0), text.as_bytes());
            let edit = remove_instruction(&tree, text, tree.instructions[1].span()).unwrap();
            assert_eq!(apply(text, &[edit]), after);
        }
        let text = "FROM a\nOUT SERIAL b \\\n# why\n --c 3\n";
        let (tree, _) = parse(FileId(0), text.as_bytes());
        assert_eq!(
            remove_instruction(&tree, text, tree.instructions[1].span()),
            None
        );
    }

    #[test]
    fn arguments_go_with_what_is_before_them() {
        for (text, nth, after) in [
            (
                "OUT SERIAL b --c 3 --d=[4, 5]\n",
                0,
                "OUT SERIAL b --d=[4, 5]\n",
            ),
            ("OUT SERIAL b --c 3 --d=[4, 5]\n", 1, "OUT SERIAL b --c 3\n"),
            (
                "OUT SERIAL b \\\n  --c 3\nFROM a\n",
                0,
                "OUT SERIAL b\nFROM a\n",
            ),
            (
                "OUT SERIAL b --c 3 \\\n  -d 4 # e\n",
                1,
                "OUT SERIAL b --c 3 # e\n",
            ),
        ] {
            let (tree, _) = parse(FileId(0), text.as_bytes());
            let stage = stage_at(&tree, tree.instructions[0].span()).unwrap();
            let edit = remove_argument(text, stage, &stage.args[nth]).unwrap();
            assert_eq!(apply(text, &[edit]), after);
        }
        let text = "OUT SERIAL b \\\n  # why\n  --c 3\n";
        let (tree, _) = parse(FileId(0), text.as_bytes());
        let stage = stage_at(&tree, tree.instructions[0].span()).unwrap();
        assert_eq!(remove_argument(text, stage, &stage.args[0]), None);
    }
}
