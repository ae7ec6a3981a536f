//! Why a line is no instruction, in words: turns what pest expected into a diagnostic.

use std::ops::Range;

use pest::{
    Parser,
    error::{Error, ErrorVariant, InputLocation},
};
use rune_ir::diag::{Code, Diagnostic, Edit, FileId, Fix, Safety, Span, did_you_mean};

use crate::{
    foreign,
    grammar::{Grammar, Rule},
    tree::{Keyword, Word},
    values::shorten,
};

/// Says why `line`, which begins at byte `base` of `file`, does not parse.
pub(crate) fn line(file: FileId, line: &str, base: usize, error: &Error<Rule>) -> Diagnostic {
    let at = match error.location {
        InputLocation::Pos(at) | InputLocation::Span((at, _)) => at,
    };
    let place = |start: usize, end: usize| Span::new(file, base + start, base + end);
    if let Some(fault) = typographic(line, place(0, line.len())) {
        return fault;
    }
    if let Some((offset, c)) = odd_character(line, at) {
        return odd(c, place(offset, offset + c.len_utf8()));
    }
    let (head, head_start) = first_word(line);
    let Some(keyword) = Keyword::from_name(head) else {
        return unknown_instruction(head, place(head_start, head_start + head.len()));
    };
    let rules: &[Rule] = match &error.variant {
        ErrorVariant::ParsingError { positives, .. } => positives,
        ErrorVariant::CustomError { .. } => &[],
    };
    let stop = Stop {
        keyword,
        before: line[..at].trim_end_matches([' ', '\t']),
        word: found(&line[at..], rules),
        rules,
    };
    let expected = nouns(rules, keyword);
    let found = match stop.word {
        "" => "the end of the line".to_owned(),
        " " | "\t" => "a blank".to_owned(),
        word => format!("`{}`", shorten(word)),
    };
    let message = match expected.split_last() {
        None => format!("this {} cannot be read at {found}", keyword.name()),
        Some((only, [])) => format!("expected {only}, found {found}"),
        Some((last, rest)) => format!("expected {} or {last}, found {found}", rest.join(", ")),
    };
    Diagnostic::new(Code::Syntax, place(at, at + stop.word.len()), message)
        .at(expected
            .first()
            .map_or(String::new(), |e| format!("expected {e}")))
        .note(format!("The form is `{}`.", keyword.form()))
        .maybe_hint(stop.hint())
        .maybe_fix(stop.fix(line, at, base, file))
}

/// Whether a line stops where a stage's name was to come.
pub(crate) fn is_nameless(line: &str, error: &Error<Rule>) -> bool {
    let InputLocation::Pos(at) = error.location else {
        return false;
    };
    let is_expected = match &error.variant {
        ErrorVariant::ParsingError { positives, .. } => positives.contains(&Rule::second),
        ErrorVariant::CustomError { .. } => false,
    };
    let rest = line[at..].trim_start();
    is_expected && (rest.is_empty() || rest.starts_with('#'))
}

/// A Runefile in YAML under the name of one that is not.
pub(crate) fn is_yaml(field: &str, span: Span) -> Diagnostic {
    Diagnostic::new(
        Code::UnknownInstruction,
        span,
        format!("`{field}` is no instruction"),
    )
    .at("this is the YAML form")
    .hint("a file in the YAML form is named `Runefile.yml`: rename it")
}

/// What stands where parsing stopped: a word, or one sign where signs are expected.
fn found<'t>(rest: &'t str, rules: &[Rule]) -> &'t str {
    const SIGNS: [char; 6] = ['<', '>', '[', ']', ',', '='];
    if rest.starts_with([' ', '\t']) {
        return &rest[..1];
    }
    let word = &rest[..word_len(rest)];
    let structure = [
        Rule::angle,
        Rule::arrow,
        Rule::comma,
        Rule::dim,
        Rule::square,
        Rule::tensor,
        Rule::type_list,
    ];
    if !rules.iter().any(|r| structure.contains(r)) || word.starts_with("->") {
        return word;
    }
    let end = if word.starts_with(SIGNS) {
        1
    } else {
        word.find(SIGNS).unwrap_or(word.len())
    };
    &word[..end]
}

/// What was expected, each thing once, in the order of the grammar; the end of the line last.
fn nouns(rules: &[Rule], keyword: Keyword) -> Vec<&'static str> {
    let mut rules = rules.to_vec();
    rules.sort_by_key(|r| (*r == Rule::EOI, *r));
    let mut nouns: Vec<&str> = Vec::new();
    for rule in rules {
        let noun = match (rule, keyword) {
            (Rule::word, Keyword::Capability) => Some("a kind and a name"),
            (Rule::word, Keyword::ProcBlock | Keyword::Model) => Some("a path and a name"),
            (Rule::word, Keyword::Out) => Some("a kind"),
            _ => rule.noun(),
        };
        if let Some(noun) = noun
            && !nouns.contains(&noun)
        {
            nouns.push(noun);
        }
    }
    nouns
}

/// The place where a line stops making sense.
struct Stop<'t> {
    keyword: Keyword,
    /// The line up to there.
    before: &'t str,
    /// What stands there.
    word: &'t str,
    /// What could have stood there.
    rules: &'t [Rule],
}

impl Stop<'_> {
    fn expects(&self, rules: &[Rule]) -> bool {
        self.rules.iter().any(|r| rules.contains(r))
    }

    /// What to try.
    fn hint(&self) -> Option<String> {
        let Self { before, word, .. } = *self;
        let argument = self.expects(&[Rule::argument, Rule::flag]);
        let is_quoted = word.starts_with(['"', '\'']);
        let last = before.rsplit([' ', '\t']).next().unwrap_or_default();
        Some(match self.keyword {
            Keyword::Replace if Keyword::from_name(word).is_some() => {
                "stages are replaced; a LABEL or RESOURCE takes the place of one below by its name alone, and RUNs add up"
                    .to_owned()
            }
            _ if Keyword::from_name(word).is_some() => {
                format!("one instruction per line: begin a new line before `{word}`")
            }
            _ if is_quoted && word.len() > 1 => {
                "a string ends at its closing quote; write `\\\"` for a quote inside it".to_owned()
            }
            _ if word == "\\" => {
                "the `\\` that continues a line is its last character; a comment goes on a line of its own"
                    .to_owned()
            }
            _ if argument && word.starts_with(['—', '–', '−']) => format!(
                "write two plain dashes: `--{}`",
                shorten(word.trim_start_matches(['—', '–', '−', '-']))
            ),
            _ if argument && word.contains('=') && name_prefix(word).is_some() => {
                format!("the name of an argument has two dashes: `--{}`", shorten(word))
            }
            _ if argument && self.type_after_kind().is_some() => format!(
                "the type comes right after the keyword: `{}{}`",
                self.keyword.name(),
                self.type_after_kind().unwrap_or_default()
            ),
            _ if self.expects(&[Rule::second]) && word.is_empty() => format!(
                "give it a name, by which a RUN calls it: `{} {}`",
                before.trim_start(),
                stem(last).to_lowercase()
            ),
            _ if self.expects(&[Rule::angle]) && !word.starts_with(',') && name_prefix(word).is_some() && !self.expects(&[Rule::square]) => {
                "the `<` is not closed: write `>` behind the type".to_owned()
            }
            _ if self.expects(&[Rule::dims, Rule::angle]) && word.starts_with('(') => {
                "dimensions stand in square brackets: `F32[1, 3]`".to_owned()
            }
            _ if self.expects(&[Rule::square]) && word == ">" => {
                "the `[` is not closed: write `]` before the `>`".to_owned()
            }
            _ if self.expects(&[Rule::square, Rule::comma]) && !self.expects(&[Rule::dim]) && self.is_type() && word.starts_with(|c: char| c.is_ascii_digit() || c == '_') => {
                "a comma stands between dimensions: `[128, 3]`".to_owned()
            }
            Keyword::From if self.expects(&[Rule::image]) && !word.is_empty() => {
                "the order is `name@version#part`, each part once".to_owned()
            }
            Keyword::Label => {
                "write each pair without blanks: `key=value` or `key=\"two words\"`".to_owned()
            }
            Keyword::Resource if word.starts_with('$') => {
                "write the name without `$`; the sign belongs to where it is used".to_owned()
            }
            Keyword::Run if word.starts_with('[') => "groups do not nest".to_owned(),
            Keyword::Run if word.contains('/') => {
                "a step is the name of a stage, which stands behind its path".to_owned()
            }
            Keyword::Run if is_separator(word) || word.contains(',') => {
                "write the stages one after another, with blanks between them".to_owned()
            }
            _ if word.starts_with('-') && self.expects(&[Rule::word, Rule::second]) => {
                "arguments come after the name".to_owned()
            }
            _ if word.starts_with('-') && word.len() > 2 && argument && !word.starts_with("--") => {
                format!("a long argument has two dashes: `-{}`", shorten(word))
            }
            _ if word.starts_with('-') && argument => {
                "the name of an argument is letters, digits, `_` and `-`, and begins with a letter"
                    .to_owned()
            }
            _ if self.expects(&[Rule::dim]) && before.ends_with('[') && word == "]" => {
                "a type without brackets is one element; `_` leaves a dimension open".to_owned()
            }
            _ if self.expects(&[Rule::dim]) => {
                match word.split_once(['x', 'X', '*']) {
                    Some((a, b)) if !a.is_empty() && !b.is_empty() => {
                        format!("a comma stands between dimensions: `{a}, {b}`")
                    }
                    _ if matches!(word, "None" | "-1" | "?") => {
                        "a rune works on one sample at a time: leave the dimension of the batch out, or write 1; `_` is a dimension that is open".to_owned()
                    }
                    _ => "a dimension is a number, `<=` and a number, or `_` where it is open".to_owned(),
                }
            }
            _ if word.is_empty() && before.ends_with(',') => "leave out the last comma".to_owned(),
            _ if word.starts_with(',') => {
                "a comma stands right after an item, and another item follows it".to_owned()
            }
            _ if in_brackets(before) => {
                "an item with blanks or brackets in it goes in quotes, and commas stand between items"
                    .to_owned()
            }
            _ if argument && !word.is_empty() && before.contains(" -") => {
                if last.starts_with('-') {
                    "a value with blanks in it goes in quotes".to_owned()
                } else {
                    format!(
                        "a value with blanks in it goes in quotes, and a list has commas: `{},{}`",
                        shorten(last),
                        shorten(word)
                    )
                }
            }
            _ if argument && !word.is_empty() && !word.starts_with('-') => {
                if [Keyword::Model, Keyword::ProcBlock, Keyword::Resource].contains(&self.keyword) {
                    "a path with blanks in it goes in quotes; after the name only arguments follow: `--name value`"
                } else {
                    "after the name only arguments follow: `--name value`"
                }
                .to_owned()
            }
            _ if self.expects(&[Rule::step, Rule::a_name, Rule::stage_ref]) && !word.is_empty() => {
                NAME_RULE.to_owned()
            }
            Keyword::From
            | Keyword::For
            | Keyword::Resource
            | Keyword::Set
            | Keyword::Replace
            | Keyword::Capability
            | Keyword::ProcBlock
            | Keyword::Model
            | Keyword::Run
            | Keyword::Out => return None,
        })
    }
}

impl Stop<'_> {
    /// Whether it lies in a type.
    fn is_type(&self) -> bool {
        let open = self.before.rfind('<');
        open.is_some_and(|open| !self.before[open..].contains('>'))
    }

    /// The type that stands behind a kind or path rather than the keyword.
    fn type_after_kind(&self) -> Option<&str> {
        let start = self.before.find('<')?;
        let end = self.before.rfind('>')? + 1;
        let is_behind = self.before[..start].trim_start().contains([' ', '\t']);
        (is_behind && end == self.before.len()).then_some(&self.before[start..end])
    }

    /// The change that makes the line an instruction, tried out, where there is one way to do so.
    fn fix(&self, line: &str, at: usize, base: usize, file: FileId) -> Option<Fix> {
        let (from, to) = (self.before.len(), at + self.word.len());
        let is_name = name_prefix(self.word).is_some();
        let is_flag = self.word.starts_with(['-', '—', '–', '−']) || self.word.contains('=');
        let is_argument = self.expects(&[Rule::argument, Rule::flag]) && self.word.len() > 2;
        let (title, edits) = if self.keyword == Keyword::Run {
            ("leave out what stands between the stages", separators(line))
        } else if is_argument && is_flag {
            let name = self.word.trim_start_matches(['-', '—', '–', '−']);
            let dashes = self.word.len() - name.len();
            ("write two dashes", vec![(at..at + dashes, "--".to_owned())])
        } else if self.word == ">" && self.expects(&[Rule::square]) {
            ("close the bracket", vec![(at..at, "]".to_owned())])
        } else if self.is_type() && self.expects(&[Rule::angle]) && is_name {
            ("close the type", vec![(from..from, ">".to_owned())])
        } else if self.is_type() && self.expects(&[Rule::square]) {
            ("write the comma", vec![(from..from, ",".to_owned())])
        } else if self.is_type() && self.expects(&[Rule::dim]) && !self.word.is_empty() {
            let dims = self.word.replace(['x', 'X', '*'], ", ");
            ("write a comma between them", vec![(at..to, dims)])
        } else {
            return None;
        };
        let mut repaired = line.to_owned();
        for (range, text) in edits.iter().rev() {
            repaired.replace_range(range.clone(), text);
        }
        (!edits.is_empty() && Grammar::parse(Rule::lone_line, &repaired).is_ok()).then(|| Fix {
            title: title.to_owned(),
            edits: edits
                .into_iter()
                .map(|(range, text)| Edit {
                    span: Span::new(file, base + range.start, base + range.end),
                    text,
                })
                .collect(),
            safety: Safety::Safe,
        })
    }
}

/// Whether a word of a RUN only stands between two stages.
fn is_separator(word: &str) -> bool {
    ["->", "=>", "→", "|", "|>", ">", ">>", "<-", ","].contains(&word) || word.starts_with("->")
}

/// What stands between the stages of a RUN and need not: signs, and commas outside brackets.
fn separators(line: &str) -> Vec<(Range<usize>, String)> {
    let end = line.find(" #").unwrap_or(line.len());
    let mut edits = Vec::new();
    let mut depth = 0i32;
    let mut at = 0;
    for part in line[..end].split_inclusive([' ', '\t']) {
        let word = part.trim_end_matches([' ', '\t']);
        depth += word.matches('[').count() as i32;
        depth -= word.matches(']').count() as i32;
        if depth == 0 && is_separator(word) {
            edits.push((at..at + part.len(), String::new()));
        } else if depth == 0 && word.ends_with(',') {
            edits.push((at + word.len() - 1..at + word.len(), String::new()));
        }
        at += part.len();
    }
    edits
}

/// The name of a file without folders and ending, as far as it can be a name.
fn stem(path: &str) -> &str {
    let file = path.rsplit(['/', '#']).next().unwrap_or(path);
    name_prefix(file).unwrap_or("name")
}

/// `RESOURCE` with one word and no `--text`.
pub(crate) fn resource_without_name(word: &Word) -> Diagnostic {
    Diagnostic::new(
        Code::Syntax,
        Span {
            start: word.span.end,
            ..word.span
        },
        "expected a name, found the end of the line",
    )
    .at("expected a name")
    .note(format!("The form is `{}`.", Keyword::Resource.form()))
    .hint(format!(
        "give it a name, by which arguments call it: `RESOURCE {} name`",
        shorten(&word.text)
    ))
}

/// What a name may be.
pub(crate) const NAME_RULE: &str =
    "a name is letters, digits, `_` and `-`, begins with a letter or `_`, and is no keyword";

/// Whether a `[` of an argument's value is still open at the end of `before`.
fn in_brackets(before: &str) -> bool {
    let open = before.rfind('[');
    open.is_some_and(|open| before[..open].contains('-') && !before[open..].contains(']'))
}

/// A line that begins with a word that is no keyword.
fn unknown_instruction(head: &str, span: Span) -> Diagnostic {
    let upper = head.to_uppercase().replace('-', "_");
    let known = Keyword::ALL.map(Keyword::name);
    let diagnostic = Diagnostic::new(
        Code::UnknownInstruction,
        span,
        format!("`{}` is no instruction", shorten(head)),
    );
    if known.contains(&upper.as_str()) {
        return diagnostic
            .at("keywords are written in upper case")
            .hint(format!("write `{upper}`"))
            .fix(Fix::new(
                Safety::Safe,
                format!("write `{upper}`"),
                span,
                upper.clone(),
            ));
    }
    if head.starts_with('-') {
        return diagnostic
            .at("an argument cannot begin a line")
            .hint("end the line above with `\\` to go on here");
    }
    if let Some(here) = foreign::docker(head) {
        return diagnostic
            .at("an instruction of Dockerfiles")
            .note(format!("The instructions are {}.", known.join(", ")))
            .hint(here);
    }
    diagnostic
        .at("unknown instruction")
        .note(format!("The instructions are {}.", known.join(", ")))
        .maybe_hint(did_you_mean(head, known).map(|k| format!("did you mean `{k}`?")))
}

/// A character that looks like a blank or like nothing, and is neither.
fn odd(c: char, span: Span) -> Diagnostic {
    let name = match c {
        '\0' => "a NUL character",
        '\u{A0}' | '\u{202F}' => "a no-break space",
        '\u{FEFF}' => "a byte order mark",
        '\u{200B}' | '\u{2060}' => "a space of no width",
        _ => "an invisible character",
    };
    Diagnostic::new(
        Code::Syntax,
        span,
        format!("{name} (U+{:04X}) stands outside quotes", u32::from(c)),
    )
    .at("invisible here")
    .hint(if c == '\0' {
        "a Runefile is plain text; this may be another kind of file"
    } else {
        "write a plain blank in its place, or put the text in quotes"
    })
    .maybe_fix(
        matches!(c, '\u{A0}' | '\u{202F}')
            .then(|| Fix::new(Safety::Safe, "write a plain blank", span, " ")),
    )
}

/// The first character of the word at `at` that the grammar calls odd.
fn odd_character(line: &str, at: usize) -> Option<(usize, char)> {
    let word = &line[at..at + word_len(&line[at..])];
    word.char_indices()
        .filter(|(_, c)| !c.is_ascii_graphic())
        .find(|(_, c)| Grammar::parse(Rule::odd, c.encode_utf8(&mut [0; 4])).is_ok())
        .map(|(offset, c)| (at + offset, c))
}

/// Quotation marks of prose where straight ones are meant; `span` is the place of `text`.
pub(crate) fn typographic(text: &str, span: Span) -> Option<Diagnostic> {
    let mut in_quotes = None;
    let mut marks: Vec<(Span, &'static str, char)> = Vec::new();
    let mut before = ' ';
    for (offset, c) in text.char_indices() {
        match (in_quotes, foreign::straight(c)) {
            (None, _) if c == '#' && before.is_ascii_whitespace() => break,
            (None, _) if c == '"' || c == '\'' => in_quotes = Some(c),
            (Some(quote), _) if c == quote && before != '\\' => in_quotes = None,
            (None, Some(straight)) => {
                let start = span.start as usize + offset;
                marks.push((
                    Span::new(span.file, start, start + c.len_utf8()),
                    straight,
                    c,
                ));
            }
            (_, _) => {}
        }
        before = c;
    }
    let (place, straight, c) = *marks.first()?;
    Some(
        Diagnostic::new(
            Code::BadValue,
            place,
            format!("`{c}` is not the quotation mark of Runefiles"),
        )
        .at("an editor for prose may have made this")
        .hint(format!("write `{straight}` on both sides"))
        .fix(Fix {
            title: "write plain quotation marks".to_owned(),
            edits: marks
                .iter()
                .map(|(span, straight, _)| Edit {
                    span: *span,
                    text: (*straight).to_owned(),
                })
                .collect(),
            safety: Safety::Safe,
        }),
    )
}

/// The text is not UTF-8 from byte `offset` on.
pub(crate) fn invalid_utf8(file: FileId, bytes: &[u8], offset: usize) -> Diagnostic {
    let utf16 = bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]);
    Diagnostic::new(
        Code::InvalidUtf8,
        Span::new(file, offset, offset),
        format!(
            "the Runefile is not UTF-8 text: byte {offset} is 0x{:02x}",
            bytes.get(offset).copied().unwrap_or_default()
        ),
    )
    .at("not UTF-8 from here on")
    .hint(if utf16 {
        "this looks like UTF-16; save the file as UTF-8"
    } else {
        "save the file as UTF-8"
    })
}

/// A string without its closing quote.
pub(crate) fn unclosed_string(raw: &str, span: Span) -> Diagnostic {
    let quote = &raw[..1];
    let first_line = raw.split(['\r', '\n']).next().unwrap_or(raw);
    let span = Span {
        end: span.start + first_line.len() as u32,
        ..span
    };
    Diagnostic::new(Code::BadValue, span, "this string is not closed")
        .at(format!("no `{quote}` ends it on this line"))
        .hint(format!("add `{quote}` at the end of the text"))
}

/// An argument without a value.
pub(crate) fn missing_value(flag: &str, span: Span, comment_follows: bool) -> Diagnostic {
    Diagnostic::new(Code::BadValue, span, format!("`{flag}` has no value"))
        .at("a value is missing after this")
        .hint(if comment_follows {
            "`#` after a blank begins a comment; put the value in quotes if the `#` belongs to it"
                .to_owned()
        } else {
            format!("every argument has one: `{flag} value`, or `{flag}=value` for one that begins with dashes")
        })
}

/// Blanks beside the `=` of an argument.
pub(crate) fn blanks_at_equals(flag: &str, value: &str, span: Span, flag_end: u32) -> Diagnostic {
    Diagnostic::new(
        Code::BadValue,
        span,
        format!("`{flag}` and its value are apart"),
    )
    .at("no blanks beside `=`")
    .hint(format!("write `{flag}={}`", shorten(value)))
    .fix(Fix::new(
        Safety::Safe,
        "leave out the blanks",
        Span {
            start: flag_end,
            ..span
        },
        "=",
    ))
}

/// The name a word begins with, if it begins with one: `fft` of `fft.1,`.
pub(crate) fn name_prefix(word: &str) -> Option<&str> {
    let end = word
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'))
        .unwrap_or(word.len());
    let name = &word[..end];
    let first = name.as_bytes().first()?;
    (first.is_ascii_alphabetic() || (*first == b'_' && name.len() > 1)).then_some(name)
}

/// The first word of a line and where it begins; a keyword ends at `<`.
fn first_word(line: &str) -> (&str, usize) {
    let start = line.len() - line.trim_start_matches([' ', '\t']).len();
    let word = &line[start..start + word_len(&line[start..])];
    (word.split('<').next().unwrap_or(word), start)
}

/// Bytes up to the next blank or end of line.
fn word_len(text: &str) -> usize {
    text.find([' ', '\t', '\r', '\n']).unwrap_or(text.len())
}
