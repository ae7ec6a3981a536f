//! The words before a place in a text that need not be right: what completion goes by.

/// An instruction up to some place in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line<'t> {
    /// The words that are complete, signs of groups left out.
    pub(crate) words: Vec<&'t str>,
    /// What has been written of the word at the place, a quote at its start left out.
    pub(crate) partial: &'t str,
    /// The place is between `<` and `>`.
    pub(crate) in_types: bool,
}

/// The instruction that byte `offset` is in, up to there; `None`: it is in a comment.
pub(crate) fn before(text: &str, offset: usize) -> Option<Line<'_>> {
    words(&text[start(text, offset)..offset])
}

/// The flags of the instruction around byte `offset`, those after it too.
pub(crate) fn flags(text: &str, offset: usize) -> Vec<&str> {
    let rest = &text[offset..];
    let end = rest.find(['\n', '\r']).unwrap_or(rest.len());
    let line = &text[start(text, offset)..offset + end];
    let flags = line.split_ascii_whitespace().filter(|w| w.starts_with('-'));
    flags
        .map(|w| w.trim_start_matches('-').split('=').next().unwrap_or(""))
        .collect()
}

/// Where the instruction begins that byte `offset` is in, the lines before that go on counted.
fn start(text: &str, offset: usize) -> usize {
    let line_start = |end: usize| text[..end].rfind(['\n', '\r']).map_or(0, |at| at + 1);
    let mut start = line_start(offset);
    let mut first = start;
    while first > 0 {
        let before = text[..first]
            .strip_suffix("\r\n")
            .unwrap_or(&text[..first - 1]);
        first = line_start(before.len());
        let line = before[first..].trim();
        if line.starts_with('#') {
            continue;
        }
        if !line.ends_with('\\') {
            break;
        }
        start = first;
    }
    start
}

fn words(text: &str) -> Option<Line<'_>> {
    let is_blank = |c: char| c.is_whitespace();
    let keyword = text
        .trim_start()
        .split(|c: char| !c.is_ascii_alphabetic() && c != '_')
        .next();
    let is_run = keyword == Some("RUN");
    let mut words = Vec::new();
    let mut rest = text;
    loop {
        rest = rest
            .trim_start_matches(|c: char| is_blank(c) || is_run && matches!(c, '[' | ']' | ','));
        if let Some(next) = continued(rest) {
            rest = next;
            continue;
        }
        if rest.is_empty() {
            return Some(Line {
                words,
                partial: rest,
                in_types: false,
            });
        }
        if rest.starts_with('#') {
            rest = &rest[rest.find('\n')?..];
            continue;
        }
        if words.len() <= 2 && rest.starts_with('<') {
            let Some(end) = rest.find('>') else {
                let at = rest.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                return Some(Line {
                    words,
                    partial: &rest[at.map_or(0, |at| at + 1)..],
                    in_types: true,
                });
            };
            rest = &rest[end + 1..];
            continue;
        }
        let end = if let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) {
            let Some(end) = rest[1..].find(quote) else {
                return Some(Line {
                    words,
                    partial: &rest[1..],
                    in_types: false,
                });
            };
            end + 2
        } else {
            let ends = |c: char| {
                is_blank(c)
                    || words.is_empty() && c == '<'
                    || is_run && matches!(c, '[' | ']' | ',')
            };
            match rest.find(ends) {
                Some(end) => end,
                None => {
                    return Some(Line {
                        words,
                        partial: rest,
                        in_types: false,
                    });
                }
            }
        };
        words.push(&rest[..end]);
        rest = &rest[end..];
    }
}

/// What follows a `\` at the end of a line.
fn continued(text: &str) -> Option<&str> {
    let rest = text.strip_prefix('\\')?.trim_start_matches([' ', '\t']);
    rest.starts_with(['\n', '\r']).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> (Vec<&str>, &str, bool) {
        let Line {
            words,
            partial,
            in_types,
        } = before(text, text.len()).unwrap();
        (words, partial, in_types)
    }

    #[test]
    fn words_end_at_blanks_and_signs() {
        assert_eq!(line(""), (vec![], "", false));
        assert_eq!(line("FROM a\nCAP"), (vec![], "CAP", false));
        assert_eq!(line("MODEL ./a"), (vec!["MODEL"], "./a", false));
        assert_eq!(line("MODEL \"./a b"), (vec!["MODEL"], "./a b", false));
        assert_eq!(
            line("MODEL \"a b\" c "),
            (vec!["MODEL", "\"a b\"", "c"], "", false)
        );
        assert_eq!(line("CAPABILITY<U8[2], F"), (vec!["CAPABILITY"], "F", true));
        assert_eq!(
            line("CAPABILITY<U8> RAN"),
            (vec!["CAPABILITY"], "RAN", false)
        );
        assert_eq!(
            line("RUN [a, b.1] c"),
            (vec!["RUN", "a", "b.1"], "c", false)
        );
    }

    #[test]
    fn a_line_goes_on_after_a_backslash_and_comments() {
        let text = "RUN a\nOUT \\  \n # why\n  SERIAL \\\r\n --";
        assert_eq!(line(text), (vec!["OUT", "SERIAL"], "--", false));
        assert_eq!(before("RUN # a", 7), None);
        assert_eq!(line("# a\nRUN b"), (vec!["RUN"], "b", false));
    }

    #[test]
    fn flags_are_those_of_the_whole_line() {
        let text = "A --b 1 \\\n -c=2 --d 3\n--e";
        assert_eq!(flags(text, 12), ["b", "c", "d"]);
    }
}
