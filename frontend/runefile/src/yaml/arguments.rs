//! The arguments of a stage, which mean what the same text means in the text form.

use rune_ir::diag::{Code, Diagnostic, Spanned};

use super::{
    Reader,
    document::{Kind, Node, Scalar, Style},
};
use crate::{
    fmt::text as spell,
    grammar::{self, Form},
    tree::{Argument, Value},
    values::{self, ValueFault, shorten},
};

impl Reader {
    /// The arguments of a map, those at fault left out. A list of lists is an argument given several times.
    pub(super) fn arguments(&mut self, node: &Node) -> Vec<Argument> {
        let mut args = Vec::new();
        for (key, node) in self.map(node, "a map of arguments").unwrap_or_default() {
            let Some(name) = self.text(key, "the name of an argument") else {
                continue;
            };
            if !grammar::is_argument(&name.value) {
                self.fault(
                    Diagnostic::new(
                        Code::BadField,
                        key.span,
                        format!(
                            "`{}` cannot be the name of an argument",
                            shorten(&name.value)
                        ),
                    )
                    .at("expected a name")
                    .hint("a name is letters, digits, `_` and `-`, and begins with a letter"),
                );
                continue;
            }
            let nodes: &[Node] = match &node.kind {
                Kind::List(items)
                    if !items.is_empty()
                        && items.iter().all(|i| matches!(i.kind, Kind::List(_))) =>
                {
                    items
                }
                Kind::List(_) | Kind::Scalar(_) | Kind::Map(_) => std::slice::from_ref(node),
            };
            for node in nodes {
                args.extend(self.value(node).map(|(value, text)| Argument {
                    name: name.clone(),
                    value: Spanned::new(value, node.span),
                    text,
                }));
            }
        }
        args
    }

    /// A value, and how the text form spells it.
    fn value(&mut self, node: &Node) -> Option<(Value, String)> {
        match &node.kind {
            Kind::Scalar(scalar) if scalar.is_null() => {
                self.fault(
                    Diagnostic::new(Code::BadValue, node.span, "this argument has no value")
                        .at("a value is missing here")
                        .hint("write one after the `:`, or `\"\"` for an empty text"),
                );
                None
            }
            Kind::Scalar(scalar) => self.single(scalar, node),
            Kind::List(items) => {
                let items: Option<Vec<_>> = items.iter().map(|item| self.item(item)).collect();
                let items = items?;
                let spelt: Vec<String> = items.iter().map(|i| spell::item(&i.value)).collect();
                let text = format!("[{}]", spelt.join(", "));
                Some((Value::List(items.into_iter().collect()), text))
            }
            Kind::Map(_) => {
                let hint = "an argument is a number, a text, a list of texts, or a resource";
                self.wrong_type(node, "a value", hint);
                None
            }
        }
    }

    fn single(&mut self, scalar: &Scalar, node: &Node) -> Option<(Value, String)> {
        // The reference system trimmed every text; in quotes blanks are meant.
        let text = match scalar.style {
            Style::Plain | Style::Block => scalar.text.trim(),
            Style::Quoted | Style::Text => scalar.text.as_str(),
        };
        let as_text = || Some((Value::Text(text.to_owned()), spell::value(text)));
        if scalar.style == Style::Text {
            return as_text();
        }
        if scalar.style == Style::Plain
            && let Some(number) = yaml_integer(text)
        {
            return Some((Value::Integer(number), number.to_string()));
        }
        let number = match form(text) {
            Form::Integer => values::integer(text).map(Value::Integer),
            Form::Float => values::float(text).map(Value::Float),
            Form::Reference => Ok(Value::Reference(text[1..].to_owned())),
            Form::Text => return as_text(),
        };
        match number {
            Ok(value) => Some((value, text.to_owned())),
            Err(ValueFault {
                message,
                label,
                hint,
                ..
            }) => {
                let hint = hint.replace("put the value in quotes", "write `!!str` before it");
                self.fault(
                    Diagnostic::new(Code::BadValue, node.span, message)
                        .at(label)
                        .hint(hint),
                );
                None
            }
        }
    }

    /// An item of a list, which stays text.
    fn item(&mut self, node: &Node) -> Option<Spanned<String>> {
        let scalar = match &node.kind {
            Kind::Scalar(scalar) => scalar,
            Kind::List(_) | Kind::Map(_) => {
                let hint = "the items of a list are texts and numbers";
                self.wrong_type(node, "a text", hint);
                return None;
            }
        };
        if scalar.style == Style::Plain && form(&scalar.text) == Form::Reference {
            self.fault(
                Diagnostic::new(
                    Code::BadValue,
                    node.span,
                    "a resource cannot be an item of a list",
                )
                .at("stands for a whole value only")
                .hint(format!(
                    "put it in quotes if it is text: `\"{}\"`",
                    scalar.text
                )),
            );
            return None;
        }
        Some(Spanned::new(scalar.text.clone(), node.span))
    }
}

/// What a text would be as a value, `$` before a keyword being a reference too.
pub(super) fn form(text: &str) -> Form {
    match text.strip_prefix('$') {
        Some(name) if grammar::is_yaml_name(name) => Form::Reference,
        _ => grammar::form(text),
    }
}

/// A whole number in one of the forms that YAML has and the text form has not.
pub(super) fn yaml_integer(text: &str) -> Option<i64> {
    if let Some(hex) = text.strip_prefix("0x") {
        return i64::from_str_radix(hex, 16)
            .ok()
            .filter(|_| !hex.starts_with(['+', '-']));
    }
    if let Some(octal) = text.strip_prefix("0o") {
        return i64::from_str_radix(octal, 8)
            .ok()
            .filter(|_| !octal.starts_with(['+', '-']));
    }
    let digits = text.strip_prefix('+')?;
    digits
        .parse()
        .ok()
        .filter(|_| !digits.starts_with(['+', '-']))
}
