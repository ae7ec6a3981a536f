//! Comments that ignore findings: `# runec: ignore[CODE]` and `# runec: ignore-file[CODE]`.
//!
//! A comment behind an instruction is about that instruction, one on a line of its own about the next, and
//! `ignore-file`, before the first instruction, about the whole file. In the brackets stand numbers or names
//! of codes. What ignores nothing is a finding itself, with a fix that takes it out.

use rune_ir::diag::{Code, Diagnostic, Edit, Fix, Safety, Span, Spanned, did_you_mean};

use super::{edit, levels::is_configurable};
use crate::tree::Tree;

/// What a comment asks for.
struct Request {
    /// The comment.
    comment: Span,
    /// Bytes of the text in which findings are ignored; `None`: there is no instruction it could be about.
    scope: Option<std::ops::Range<u32>>,
    /// The words in the brackets.
    words: Vec<Spanned<String>>,
    /// It says `ignore-file` where that does not count.
    late: bool,
}

/// Takes out the findings of a file that its comments ignore, and adds those about the comments themselves,
/// if `report`. That a comment ignores nothing is only said if `complete`: whatever there is to find has
/// been looked for.
pub fn apply(tree: &Tree, text: &str, complete: bool, report: bool, found: &mut Vec<Diagnostic>) {
    for &comment in &tree.comments {
        let Some(asked) = read(tree, text, comment) else {
            continue;
        };
        match asked {
            Ok(request) => obey(tree, text, &request, complete, report, found),
            Err(fault) if report => found.push(fault),
            Err(_) => {}
        }
    }
}

/// What a comment asks for; `None`: it is for people.
fn read(tree: &Tree, text: &str, comment: Span) -> Option<Result<Request, Diagnostic>> {
    let raw = text.get(comment.start as usize..comment.end as usize)?;
    let body = raw.strip_prefix('#')?.trim_start();
    let rest = body.strip_prefix("runec:")?.trim_start();
    let at = |part: &str| comment.start as usize + (part.as_ptr() as usize - raw.as_ptr() as usize);
    let unclear = || {
        Diagnostic::new(
            Code::UnusedIgnore,
            comment,
            "this comment asks for nothing that exists",
        )
        .at("not understood")
        .hint(
            "write `# runec: ignore[CODE]`, or `# runec: ignore-file[CODE]` above all instructions",
        )
    };
    let (file, list) = if let Some(list) = rest.strip_prefix("ignore-file[") {
        (true, list)
    } else if let Some(list) = rest.strip_prefix("ignore[") {
        (false, list)
    } else {
        return Some(Err(unclear()));
    };
    let Some((list, _)) = list.split_once(']') else {
        return Some(Err(unclear()));
    };
    let words: Vec<Spanned<String>> = list
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .map(|word| {
            let start = at(word);
            let span = Span::new(comment.file, start, start + word.len());
            Spanned::new(word.to_owned(), span)
        })
        .collect();
    if words.is_empty() {
        return Some(Err(unclear()));
    }
    let first = tree.instructions.first().map(|i| i.span().start);
    let late = file && first.is_some_and(|first| comment.start > first);
    let scope = if file {
        (!late).then_some(0..u32::MAX)
    } else {
        instruction(tree, text, comment)
    };
    Some(Ok(Request {
        comment,
        scope,
        words,
        late,
    }))
}

/// The bytes of the instruction that a comment is about.
fn instruction(tree: &Tree, text: &str, comment: Span) -> Option<std::ops::Range<u32>> {
    let line = edit::line_start(text, comment.start as usize);
    let alone = text[line..comment.start as usize].trim().is_empty();
    let mut spans = tree.instructions.iter().map(crate::tree::Instruction::span);
    let around = spans
        .clone()
        .find(|s| s.start < comment.start && comment.start < s.end);
    let span = match around {
        Some(span) => Some(span),
        None if alone => spans.find(|s| s.start > comment.start),
        None => spans.rfind(|s| s.start < comment.start && s.end as usize > line),
    };
    // What is missing is reported where the instruction ends.
    span.map(|s| s.start..s.end + 1)
}

fn obey(
    tree: &Tree,
    text: &str,
    request: &Request,
    complete: bool,
    report: bool,
    found: &mut Vec<Diagnostic>,
) {
    let mut complaints = Vec::new();
    for word in &request.words {
        let complain = |message: String, at: &str| {
            Diagnostic::new(Code::UnusedIgnore, word.span, message)
                .at(at)
                .fix(Fix {
                    title: "remove it".to_owned(),
                    edits: vec![removal(text, request, word)],
                    safety: Safety::Safe,
                })
        };
        let Some(code) = Code::from_text(&word.value) else {
            let known = Code::ALL.iter().filter(|c| is_configurable(**c));
            let known = known.flat_map(|c| [c.number(), c.name()]);
            let near = did_you_mean(&word.value, known);
            let message = format!("there is no code `{}` to ignore", word.value);
            complaints.push(
                complain(message, "unknown code")
                    .maybe_hint(near.map(|n| format!("did you mean `{n}`?"))),
            );
            continue;
        };
        if !is_configurable(code) {
            let message = format!("`{}` is an error, and errors cannot be ignored", word.value);
            complaints.push(complain(message, "an error"));
            continue;
        }
        if request.late {
            complaints.push(
                complain(
                    "`ignore-file` stands below an instruction, and so ignores nothing".to_owned(),
                    "too late",
                )
                .hint("put the comment above the first instruction"),
            );
            continue;
        }
        let before = found.len();
        if let Some(scope) = &request.scope {
            found.retain(|d| {
                let span = d.primary.span;
                d.code != code || span.file != tree.file || !scope.contains(&span.start)
            });
        }
        if found.len() == before && complete {
            let message = format!("there is no {code} here to ignore");
            complaints.push(complain(message, "ignores nothing"));
        }
    }
    if report {
        found.extend(complaints);
    }
}

/// Takes out one word of a comment, or all of the comment where it has no other.
fn removal(text: &str, request: &Request, word: &Spanned<String>) -> Edit {
    if request.words.len() == 1 {
        return edit::remove_comment(text, request.comment);
    }
    // The comma goes with it: the one behind it, or before the last.
    let mut span = word.span;
    let last = request.words.last().is_some_and(|w| w.span == word.span);
    if last {
        let before = &text[..span.start as usize];
        span.start = before.trim_end_matches([' ', '\t', ',']).len() as u32;
    } else {
        let after = &text[span.end as usize..];
        let rest = after.trim_start_matches([' ', '\t', ',']);
        span.end += (after.len() - rest.len()) as u32;
    }
    Edit {
        span,
        text: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use rune_ir::diag::FileId;

    use super::*;
    use crate::parse;

    /// What is left of findings of these codes at these lines, counted from 0, by the comments of a text.
    fn left(text: &str, found: &[(Code, usize)]) -> Vec<String> {
        let (tree, faults) = parse(FileId(0), text.as_bytes());
        assert!(faults.is_empty(), "{faults:#?}");
        let place = |line: usize| {
            let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
            Span::new(FileId(0), start + 1, start + 2)
        };
        let mut found: Vec<Diagnostic> = found
            .iter()
            .map(|(code, line)| Diagnostic::new(*code, place(*line), "a finding"))
            .collect();
        apply(&tree, text, true, true, &mut found);
        found
            .iter()
            .map(|d| {
                let at = text[..d.primary.span.start as usize].matches('\n').count();
                format!("{} {at} {}", d.code, d.message)
            })
            .collect()
    }

    #[test]
    fn a_comment_is_about_its_line_or_the_next_instruction() {
        let text = "FROM a\nOUT SERIAL a # runec: ignore[R1001]\n# runec: ignore[shadowed-name, R1002] why\n\
                    # more\nOUT SERIAL b\nOUT SERIAL c\n";
        let (a, b) = (Code::ShadowedName, Code::UnusedResource);
        let found = [(a, 1), (b, 1), (a, 4), (b, 4), (a, 5)];
        assert_eq!(
            left(text, &found),
            ["R1002 1 a finding", "R1001 5 a finding"]
        );
    }

    #[test]
    fn a_comment_above_all_is_about_the_file() {
        let text = "# runec: ignore-file[R1001]\nFROM a\nOUT SERIAL a\n";
        assert!(left(text, &[(Code::ShadowedName, 1), (Code::ShadowedName, 2)]).is_empty());
        let text = "FROM a\n# runec: ignore-file[R1001]\nOUT SERIAL a\n";
        let left = left(text, &[(Code::ShadowedName, 2)]);
        assert_eq!(left.len(), 2);
        assert!(left[1].contains("stands below"), "{left:?}");
    }

    #[test]
    fn a_comment_inside_an_instruction_is_about_it() {
        let text = "FROM a\nCAPABILITY RAND b \\\n  # runec: ignore[R1001]\n  --n 3\nOUT SERIAL\n";
        assert!(left(text, &[(Code::ShadowedName, 1)]).is_empty());
    }

    #[test]
    fn what_ignores_nothing_is_reported() {
        let text = "FROM a # runec: ignore[R1001, unused-resorce, R0101]\n# runec: forget[R1001]\n";
        let left = left(text, &[]);
        assert_eq!(
            left,
            [
                "R1000 0 there is no R1001 here to ignore",
                "R1000 0 there is no code `unused-resorce` to ignore",
                "R1000 0 `R0101` is an error, and errors cannot be ignored",
                "R1000 1 this comment asks for nothing that exists",
            ]
        );
    }

    #[test]
    fn fixes_take_out_a_word_or_the_comment() {
        for (text, after) in [
            ("FROM a # runec: ignore[R1001]\n", "FROM a\n"),
            ("# runec: ignore[R1001]\nFROM a\n", "FROM a\n"),
            (
                "FROM a # runec: ignore[R1001 , R1002]\n",
                "FROM a # runec: ignore[R1002]\n",
            ),
        ] {
            let (tree, _) = parse(FileId(0), text.as_bytes());
            let mut found = Vec::new();
            apply(&tree, text, true, true, &mut found);
            assert_eq!(edit::apply(text, &found[0].fixes[0].edits), after);
        }
        let text = "FROM a # runec: ignore[R1001, R1002]\n";
        let (tree, _) = parse(FileId(0), text.as_bytes());
        let mut found = Vec::new();
        apply(&tree, text, true, true, &mut found);
        let last = edit::apply(text, &found[1].fixes[0].edits);
        assert_eq!(last, "FROM a # runec: ignore[R1001]\n");
    }
}
