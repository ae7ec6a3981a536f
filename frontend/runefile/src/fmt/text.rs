//! Words and strings: as they were written, in one kind of quotes where that is certain, or made from their
//! text alone.

/// A word or string as written: `'...'` becomes `"..."` where nothing inside has to change, and lines of a
/// string that goes on end in `\` and nothing else.
pub(super) fn tidy(raw: &str) -> String {
    let Some(quote @ ('"' | '\'')) = raw.chars().next() else {
        return raw.to_owned();
    };
    let raw: Vec<&str> = raw
        .split('\n')
        .map(|line| {
            let cut = line.trim_end_matches([' ', '\t']);
            if cut.ends_with('\\') { cut } else { line }
        })
        .collect();
    let raw = raw.join("\n");
    match raw.strip_prefix('\'').and_then(|r| r.strip_suffix('\'')) {
        Some(inside) if quote == '\'' && !inside.contains(['"', '\\']) => format!("\"{inside}\""),
        _ => raw,
    }
}

/// A text as a string in quotes.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || is_odd(c) => {
                out.extend(c.escape_unicode());
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A path or kind, in quotes if it needs them.
pub(crate) fn word(text: &str) -> String {
    bare_or_quoted(text, |text| {
        !text.starts_with(['"', '\'', '-', '<', '[', '#', '='])
    })
}

/// The value of a LABEL, in quotes if it needs them.
pub(super) fn label(text: &str) -> String {
    bare_or_quoted(text, |text| !text.starts_with(['"', '\'']))
}

/// An item of a list of either form, in quotes if it needs them.
pub(crate) fn item(text: &str) -> String {
    bare_or_quoted(text, |text| {
        !text.starts_with(['"', '\'', '[', '#', '$', '='])
            && !text.starts_with("--")
            && !text.contains([',', ']'])
    })
}

/// A text that is the value of an argument, in quotes if it needs them or would be a number without.
pub(crate) fn value(text: &str) -> String {
    let looks_like_number = || {
        let digits = text.strip_prefix('-').unwrap_or(text);
        digits.starts_with(|c: char| c == '.' || c.is_ascii_digit())
            && digits.parse::<f64>().is_ok()
    };
    if looks_like_number() {
        quote(text)
    } else {
        item(text)
    }
}

/// A text as it is if it is one word and `may` stand bare, otherwise in quotes.
fn bare_or_quoted(text: &str, may: impl Fn(&str) -> bool) -> String {
    let plain = |c: char| !c.is_control() && !is_odd(c) && c != ' ';
    // At the end of a line, a `\` would join it to the next.
    if !text.is_empty() && text.chars().all(plain) && !text.ends_with('\\') && may(text) {
        text.to_owned()
    } else {
        quote(text)
    }
}

/// Characters beside control characters that look like blanks, or like nothing, and are neither.
fn is_odd(c: char) -> bool {
    matches!(
        c,
        '\u{A0}' | '\u{2000}'
            ..='\u{200F}'
                | '\u{2028}'
                | '\u{2029}'
                | '\u{202F}'
                | '\u{205F}'
                | '\u{2060}'
                | '\u{3000}'
                | '\u{FEFF}'
    )
}
