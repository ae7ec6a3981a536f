//! The arguments of a model: the format it is declared in, and those that nothing reads.

use rune_ir::diag::{Code, Diagnostic, Severity, Spanned};

use crate::{
    tree::{Argument, Value},
    values::shorten,
};

/// The formats of the reference system, in its order.
const FORMATS: [&str; 4] = ["onnx", "tensorflow", "tensorflow-js", "tensorflow-lite"];

/// Checks the arguments of model `name` other than shapes, of which none changes the rune: what a file is,
/// its content decides. `bytes` is the file, empty where it cannot be had.
pub(crate) fn check(name: &str, args: &[&Argument], bytes: &[u8]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut unused: Vec<&Spanned<String>> = Vec::new();
    for arg in args {
        if arg.name.value != "format" {
            unused.push(&arg.name);
            continue;
        }
        let word = match &arg.value.value {
            Value::Text(word) => word.as_str(),
            Value::Integer(_) | Value::Float(_) | Value::List(_) | Value::Reference(_) => &arg.text,
        };
        if !FORMATS.contains(&word) {
            found.push(unknown(name, word, arg));
        } else if let Some(actual) = format_of(bytes).filter(|actual| *actual != word) {
            let mut contradiction = Diagnostic::new(
                Code::ModelFormat,
                arg.value.span,
                format!("model \"{name}\" is declared as {word}, and its file is {actual}"),
            )
            .at("not what the file is")
            .note("The content of the file decides.")
            .hint(format!("write `{actual}`, or leave the format out"));
            contradiction.severity = Severity::Warning;
            found.push(contradiction);
        }
    }
    if let [first, others @ ..] = unused.as_slice() {
        let names: Vec<&str> = unused.iter().map(|n| n.value.as_str()).collect();
        let mut diagnostic = Diagnostic::new(
            Code::UnusedArgument,
            first.span,
            format!("Unused arguments for {name}: {}", names.join(", ")),
        )
        .at("a model does not read this");
        for other in others {
            diagnostic = diagnostic.also(other.span, "nor this");
        }
        found.push(diagnostic.hint("leave them out; a model takes `format`, `input` and `output`"));
    }
    found
}

fn unknown(name: &str, word: &str, arg: &Argument) -> Diagnostic {
    let word = shorten(word);
    Diagnostic::new(
        Code::ModelFormat,
        arg.value.span,
        format!(
            "Expected the format to be one of {}, but found \"{word}\"",
            FORMATS.join(", ")
        ),
    )
    .at(format!("Invalid format for \"{name}\""))
    .hint("leave it out; the content of the file tells its format")
}

/// The format of a file by how it begins, where that is certain.
fn format_of(bytes: &[u8]) -> Option<&'static str> {
    let is_json = || bytes.trim_ascii_start().starts_with(b"{");
    match bytes {
        [_, _, _, _, b'T', b'F', b'L', b'3', ..] => Some("tensorflow-lite"),
        _ if is_json() => Some("tensorflow-js"),
        _ => None,
    }
}
