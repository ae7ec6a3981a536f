//! The text of single values: strings without their quotes, numbers, dimensions.

use std::ops::Range;

use rune_ir::ty::Dim;

/// A fault inside a value: the bytes it concerns, counted from the value's start, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ValueFault {
    /// Where.
    pub(crate) at: Range<usize>,
    /// What is wrong, without a final full stop.
    pub(crate) message: String,
    /// What to say at the place.
    pub(crate) label: &'static str,
    /// What to try.
    pub(crate) hint: &'static str,
}

/// The text of a quoted string: quotes removed, escapes replaced, a `\` at the end of a line dropped
/// with the line break. An escape that does not exist stays as it is and is reported.
pub(crate) fn unquote(raw: &str) -> (String, Vec<ValueFault>) {
    let inner = &raw[1..raw.len() - 1];
    let mut text = String::with_capacity(inner.len());
    let mut faults = Vec::new();
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let escape = &rest[at..];
        let taken = if let Some((c, taken)) = unescape(escape) {
            text.extend(c);
            taken
        } else {
            let taken = 1 + escape[1..].chars().next().map_or(0, char::len_utf8);
            let start = raw.len() - 1 - escape.len();
            faults.push(ValueFault {
                at: start..start + taken,
                message: format!("`{}` is not an escape", &escape[..taken]),
                label: "unknown escape",
                hint: "write `\\\\` for a backslash; the escapes are \\\\ \\\" \\' \\n \\r \\t and \\u{2713}",
            });
            text.push_str(&escape[..taken]);
            taken
        };
        rest = &escape[taken..];
    }
    text.push_str(rest);
    (text, faults)
}

/// The character an escape at the start of `text` stands for, if any, and the bytes it takes;
/// `None`: there is no such escape.
fn unescape(text: &str) -> Option<(Option<char>, usize)> {
    let rest = &text[1..];
    let plain = |c| Some((Some(c), 2));
    match rest.chars().next()? {
        c @ ('\\' | '"' | '\'') => plain(c),
        'n' => plain('\n'),
        'r' => plain('\r'),
        't' => plain('\t'),
        'u' => {
            let hex = rest[1..].strip_prefix('{')?;
            let (hex, _) = hex.split_once('}')?;
            let well_formed =
                (1..=6).contains(&hex.len()) && hex.bytes().all(|b| b.is_ascii_hexdigit());
            let number = u32::from_str_radix(hex, 16).ok().filter(|_| well_formed)?;
            Some((Some(char::from_u32(number)?), "\\u{}".len() + hex.len()))
        }
        ' ' | '\t' | '\n' | '\r' => {
            let line = rest.trim_start_matches([' ', '\t']);
            let after = line
                .strip_prefix("\r\n")
                .or_else(|| line.strip_prefix(['\n', '\r']))?;
            Some((None, text.len() - after.len()))
        }
        _ => None,
    }
}

/// The whole number a text of digits, with or without a sign, means.
pub(crate) fn integer(text: &str) -> Result<i64, ValueFault> {
    text.parse().map_err(|_| ValueFault {
        at: 0..text.len(),
        message: format!("`{}` does not fit in 64 bits", shorten(text)),
        label: "too large",
        hint: "whole numbers go from -9223372036854775808 to 9223372036854775807; put the value in quotes if it is text",
    })
}

/// The number a text in one of the forms `1.5`, `1.`, `.5` and `1e-3` means.
pub(crate) fn float(text: &str) -> Result<f64, ValueFault> {
    text.parse()
        .ok()
        .filter(|x: &f64| x.is_finite())
        .ok_or_else(|| ValueFault {
            at: 0..text.len(),
            message: format!("`{}` is too large for a number", shorten(text)),
            label: "too large",
            hint: "numbers go up to about 1.7e308; put the value in quotes if it is text",
        })
}

/// The dimension `_`, `3` or `<=3`; `Ok(None)` where it is open.
pub(crate) fn dim(text: &str) -> Result<Option<Dim>, ValueFault> {
    if text == "_" {
        return Ok(None);
    }
    let (digits, bounded) = match text.strip_prefix("<=") {
        Some(digits) => (digits.trim_start_matches([' ', '\t']), true),
        None => (text, false),
    };
    let fault = |message, label, hint| ValueFault {
        at: 0..text.len(),
        message,
        label,
        hint,
    };
    match digits.parse::<u32>() {
        Ok(0) => Err(fault(
            "a dimension of 0 holds no element".to_owned(),
            "at least 1",
            "every dimension is at least 1; `_` leaves one open",
        )),
        Ok(n) if bounded => Ok(Some(Dim::AtMost(n))),
        Ok(n) => Ok(Some(Dim::Exact(n))),
        Err(_) => Err(fault(
            format!("the dimension `{}` is too large", shorten(text)),
            "too large",
            "a tensor holds at most 268435456 elements",
        )),
    }
}

/// At most 40 characters of a text on one line, for a message.
pub(crate) fn shorten(text: &str) -> String {
    let line = text.lines().next().unwrap_or("");
    match line.char_indices().nth(40) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_lose_quotes_and_escapes() {
        let plain = |raw| {
            let (text, faults) = unquote(raw);
            assert_eq!(faults, [], "{raw}");
            text
        };
        assert_eq!(plain(r#""x y""#), "x y");
        assert_eq!(plain(r#""x \" y""#), "x \" y");
        assert_eq!(plain(r"'it\'s \\ \u{2713}\n'"), "it's \\ ✓\n");
        assert_eq!(plain("\"one \\  \r\ntwo\""), "one two");
        assert_eq!(plain("\"\""), "");
    }

    #[test]
    fn wrong_escapes_are_found_where_they_are() {
        let (text, faults) = unquote(r#""é\d \u{110000} \u{} \u{12""#);
        assert_eq!(text, r"é\d \u{110000} \u{} \u{12");
        let at: Vec<_> = faults.iter().map(|f| f.at.clone()).collect();
        assert_eq!(at, [3..5, 6..8, 17..19, 22..24]);
    }

    #[test]
    fn numbers_end_where_they_do_not_fit() {
        assert_eq!(integer("-9223372036854775808"), Ok(i64::MIN));
        assert_eq!(integer("-0"), Ok(0));
        assert!(integer("9223372036854775808").is_err());
        assert_eq!(float(".5"), Ok(0.5));
        assert_eq!(float("1."), Ok(1.0));
        assert_eq!(float("1e-3"), Ok(0.001));
        assert!(float("1e999").is_err());
        assert_eq!(dim("<= 7"), Ok(Some(Dim::AtMost(7))));
        assert!(dim("0").is_err() && dim("4294967296").is_err());
    }
}
