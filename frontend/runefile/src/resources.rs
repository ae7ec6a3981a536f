//! Resources: what `$name` stands for, and as what it may be used.

use std::sync::Arc;

use rune_ir::{
    diag::{Code, Diagnostic, Span, Spanned},
    env::Env,
};

use crate::{
    tree::{self, Value},
    values::shorten,
};

/// What a resource turned out to be.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    /// Its bytes; none where they cannot be had, which has been reported.
    pub(crate) bytes: Option<Arc<[u8]>>,
    /// Where it is said to be text.
    pub(crate) text: Option<Span>,
}

/// Reads a resource, with what is wrong with it.
pub(crate) fn read(resource: &tree::Resource, env: &dyn Env) -> (Resource, Vec<Diagnostic>) {
    let mut found = Vec::new();
    let mut inline: Option<&tree::Argument> = None;
    let mut declared: Option<&tree::Argument> = None;
    for arg in &resource.args {
        let slot = match arg.name.value.as_str() {
            "text" => &mut inline,
            "type" => &mut declared,
            _ => {
                found.push(unknown(arg));
                continue;
            }
        };
        match slot {
            None => *slot = Some(arg),
            Some(first) => found.push(
                Diagnostic::new(
                    Code::DuplicateArgument,
                    arg.name.span,
                    format!("`--{}` is given twice", arg.name.value),
                )
                .at("given again here")
                .also(first.name.span, "first given here")
                .hint("keep one of the two"),
            ),
        }
    }
    let (text, fault) = declared.map_or((None, None), is_text);
    found.extend(fault);
    let bytes = match (&resource.path, inline) {
        (Some(path), Some(inline)) => {
            found.push(both(&resource.name, path, inline));
            None
        }
        (Some(path), None) => file(path, env).map_err(|d| found.push(*d)).ok(),
        (None, Some(inline)) => plain(inline).map_err(|d| found.push(*d)).ok(),
        (None, None) => {
            found.push(
                Diagnostic::new(
                    Code::ResourceSource,
                    resource.name.span,
                    format!(
                        "the resource \"{}\" has neither a file nor a text",
                        resource.name.value
                    ),
                )
                .at("nothing stands behind this name")
                .hint("give it a `path`, or its text as `inline`"),
            );
            None
        }
    };
    (Resource { bytes, text }, found)
}

/// Says that a resource is used as a model, and is text.
pub(crate) fn not_binary(name: &str, at: Span, text: Span) -> Diagnostic {
    Diagnostic::new(
        Code::ResourceType,
        at,
        format!("\"${name}\" should be a binary resource"),
    )
    .at("a model is no text")
    .also(text, "said to be text here")
    .hint("write `binary` as the type of the resource")
}

/// Says that what stands after a `$` is a stage.
pub(crate) fn not_a_resource(name: &str, at: Span, stage: Span) -> Diagnostic {
    Diagnostic::new(
        Code::ResourceType,
        at,
        format!("\"{name}\" is not a resource"),
    )
    .at("`$` stands before the name of a resource")
    .also(stage, "this is a stage")
    .hint(format!(
        "define a resource of that name: `RESOURCE path {name}`"
    ))
}

/// Whether an argument `type` says text, and where.
fn is_text(arg: &tree::Argument) -> (Option<Span>, Option<Diagnostic>) {
    let word = match &arg.value.value {
        Value::Text(word) => word.as_str(),
        Value::Integer(_) | Value::Float(_) | Value::List(_) | Value::Reference(_) => "",
    };
    match word {
        "string" => (Some(arg.value.span), None),
        "binary" => (None, None),
        _ => {
            let fault = Diagnostic::new(
                Code::ArgumentKind,
                arg.value.span,
                format!("the type of a resource is not `{}`", shorten(&arg.text)),
            )
            .at("expected string or binary")
            .hint("write `string` for text, `binary` for anything else");
            (None, Some(fault))
        }
    }
}

fn unknown(arg: &tree::Argument) -> Diagnostic {
    Diagnostic::new(
        Code::UnknownArgument,
        arg.name.span,
        format!("a resource has no argument `{}`", shorten(&arg.name.value)),
    )
    .at("unknown argument")
    .note("It takes --text, --type.")
}

fn both(name: &Spanned<String>, path: &Spanned<String>, inline: &tree::Argument) -> Diagnostic {
    Diagnostic::new(
        Code::ResourceSource,
        inline.name.span.to(inline.value.span),
        format!(
            "The resource \"{}\" can't specify both a \"path\" and \"inline\" default value",
            name.value
        ),
    )
    .at("the text written here")
    .also(path.span, "the file named here")
    .hint("keep one of the two")
}

/// The text of `--text`; a number counts as it is written.
fn plain(arg: &tree::Argument) -> Result<Arc<[u8]>, Box<Diagnostic>> {
    let text = match &arg.value.value {
        Value::Text(text) => text,
        Value::Integer(_) | Value::Float(_) => &arg.text,
        Value::List(_) | Value::Reference(_) => {
            return Err(Box::new(
                Diagnostic::new(
                    Code::ArgumentKind,
                    arg.value.span,
                    "the text of a resource is one text",
                )
                .at("expected a text")
                .hint("put it in quotes; `\\n` ends a line"),
            ));
        }
    };
    Ok(text.as_bytes().into())
}

/// The bytes of a file, or the files of a folder as an archive.
fn file(path: &Spanned<String>, env: &dyn Env) -> Result<Arc<[u8]>, Box<Diagnostic>> {
    let bytes = env
        .archive(&path.value)
        .unwrap_or_else(|| env.file(&path.value));
    bytes.map_err(|reason| Box::new(unreadable(path, "resource", reason)))
}

/// Says that a file cannot be read.
pub(crate) fn unreadable(path: &Spanned<String>, what: &str, reason: String) -> Diagnostic {
    let diagnostic = Diagnostic::new(
        Code::FileMissing,
        path.span,
        format!("cannot read the {what} `{}`", shorten(&path.value)),
    );
    if path.value.contains("://") {
        return diagnostic
            .at("an address, not a file")
            .hint("download it, and name the file; nothing is fetched while compiling");
    }
    diagnostic.at(reason).hint(if path.value.starts_with('~') {
        "only a shell knows `~`; write the path from the folder of the Runefile".to_owned()
    } else if path.value.contains('\\') {
        let slashes = path.value.replace('\\', "/");
        format!("write `/` between folders: `{}`", shorten(&slashes))
    } else {
        "paths are relative to the folder of the Runefile".to_owned()
    })
}
