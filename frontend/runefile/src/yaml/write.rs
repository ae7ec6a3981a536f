//! Values as YAML: plain where that is certain, otherwise quoted, so that reading gives them back.
#![allow(
    clippy::format_push_string,
    reason = "a line of its own costs nothing here"
)]

use rune_ir::{
    args::List,
    diag::Spanned,
    ty::{Dim, PartialType},
};

use super::arguments::{form, yaml_integer};
use crate::{
    grammar::Form,
    tree::{Argument, Value},
};

/// Longest line that a list is written on.
const WIDTH: usize = 100;

/// A single value of which only the text counts: a path, a name, the value of a label.
pub(crate) fn scalar(text: &str) -> String {
    match text {
        "" => "!!str \"\"".to_owned(),
        _ if is_plain(text) => text.to_owned(),
        _ => quoted(text),
    }
}

/// `key: value` with a text of one or more lines that is given back exactly.
pub(crate) fn text(out: &mut String, indent: &str, key: &str, text: &str) {
    let body = text.strip_suffix('\n').unwrap_or(text);
    if !is_block(body) {
        *out += &format!("{indent}{key}: {}\n", scalar(text));
        return;
    }
    let keep = if body.len() == text.len() { "-" } else { "" };
    *out += &format!("{indent}{key}: |{keep}\n");
    lines(out, indent, body);
}

/// The lines of a literal block below `indent`.
fn lines(out: &mut String, indent: &str, body: &str) {
    for line in body.split('\n') {
        if line.is_empty() {
            out.push('\n');
        } else {
            *out += &format!("{indent}  {line}\n");
        }
    }
}

/// The arguments of a stage as the lines of a map.
pub(crate) fn arguments(out: &mut String, indent: &str, args: &[&Argument]) {
    for (i, arg) in args.iter().enumerate() {
        let name = arg.name.value.as_str();
        let same = |other: &&&Argument| other.name.value == name;
        let lists: Option<Vec<String>> = args
            .iter()
            .filter(same)
            .map(|arg| match &arg.value.value {
                Value::List(items) => Some(flow(items)),
                Value::Integer(_) | Value::Float(_) | Value::Text(_) | Value::Reference(_) => None,
            })
            .collect();
        if let Some(lists) = lists.filter(|lists| lists.len() > 1) {
            // Given several times: a list of lists.
            if args[..i].iter().all(|before| before.name.value != name) {
                *out += &format!("{indent}{}: [{}]\n", scalar(name), lists.join(", "));
            }
            continue;
        }
        argument(out, indent, arg);
    }
}

fn argument(out: &mut String, indent: &str, arg: &Argument) {
    let key = scalar(&arg.name.value);
    match &arg.value.value {
        Value::Integer(_) | Value::Float(_) => {
            *out += &format!("{indent}{key}: {}\n", arg.text);
        }
        Value::Reference(name) => *out += &format!("{indent}{key}: ${name}\n"),
        Value::Text(text) if text.trim() == text && is_block(text) => {
            *out += &format!("{indent}{key}: |-\n");
            lines(out, indent, text);
        }
        Value::Text(text) => *out += &format!("{indent}{key}: {}\n", value(text)),
        Value::List(items) => {
            let line = flow(items);
            if indent.len() + key.len() + 2 + line.chars().count() <= WIDTH {
                *out += &format!("{indent}{key}: {line}\n");
            } else {
                *out += &format!("{indent}{key}:\n");
                for item in items.texts().iter() {
                    *out += &format!("{indent}  - {}\n", self::item(item));
                }
            }
        }
    }
}

/// A text that is the value of an argument.
fn value(text: &str) -> String {
    if form(text) != Form::Text {
        format!("!!str {}", quoted(text))
    } else if text.is_empty() || yaml_integer(text).is_some() {
        quoted(text)
    } else {
        scalar(text)
    }
}

fn flow(items: &List) -> String {
    let items: Vec<String> = items.texts().iter().map(|i| item(i)).collect();
    format!("[{}]", items.join(", "))
}

/// An item of a list, which is text whatever it looks like.
fn item(text: &str) -> String {
    if text.is_empty() || form(text) == Form::Reference {
        quoted(text)
    } else {
        scalar(text)
    }
}

/// The types of some tensors as the lines of a list.
pub(crate) fn types(out: &mut String, indent: &str, types: &[Spanned<PartialType>]) {
    for ty in types {
        let element = match ty.value.element {
            Some(element) => element.name(),
            None => "_",
        };
        *out += &format!("{indent}- type: {element}\n");
        if let Some(dims) = &ty.value.dims {
            let dim = |dim: &Option<Dim>| dim.map_or("_".to_owned(), |dim| dim.to_string());
            let dims: Vec<String> = dims.iter().map(dim).collect();
            *out += &format!("{indent}  dimensions: [{}]\n", dims.join(", "));
        }
    }
}

/// Whether a text means itself without quotes, also between brackets.
fn is_plain(text: &str) -> bool {
    const SIGNS: &str = "-?:,[]{}#&*!|>'\"%@`=<~";
    let nulls = ["null", "Null", "NULL", "..."];
    let shown = |c: char| c == ' ' || c.is_alphanumeric() || c.is_ascii_graphic();
    !text.is_empty()
        && !text.starts_with(|c| SIGNS.contains(c))
        && !text.ends_with([' ', ':'])
        && !text.starts_with(' ')
        && !nulls.contains(&text)
        && !text.contains([',', '[', ']', '{', '}'])
        && !text.contains(": ")
        && !text.contains(" #")
        && text.chars().all(shown)
}

/// Whether a text of several lines may be a literal block.
fn is_block(text: &str) -> bool {
    let plain = |c: char| c == '\n' || c == ' ' || c.is_alphanumeric() || c.is_ascii_graphic();
    text.contains('\n')
        && !text.starts_with([' ', '\n'])
        && !text.ends_with([' ', '\n'])
        && text
            .split('\n')
            .all(|line| line.is_empty() || !line.trim().is_empty())
        && text.chars().all(plain)
}

/// A text in double quotes.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            ' ' => out.push(c),
            c if c.is_alphanumeric() || c.is_ascii_graphic() => out.push(c),
            c if u32::from(c) <= 0xff => out += &format!("\\x{:02x}", u32::from(c)),
            c if u32::from(c) <= 0xffff => out += &format!("\\u{:04x}", u32::from(c)),
            c => out += &format!("\\U{:08x}", u32::from(c)),
        }
    }
    out.push('"');
    out
}
