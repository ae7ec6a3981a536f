//! The reference of the blocks, made of their signatures: Markdown for the book, lists for the terminal, JSON
//! for programs.
#![expect(
    clippy::format_push_string,
    reason = "a page is made for a person to read; one string more costs nothing"
)]

use std::fmt::Write;

use rune_ir::{
    args::{ArgSpec, ArgType, Bound},
    block::{Category, Many, Port, PortElement, Signature},
    ty::ElementType,
};
use serde_json::{Value, json};

/// The width of lists.
const COLUMNS: usize = 100;

/// What stands for a category where a signature names none, and comes last.
const OTHER: &str = "other";

/// The page of one block in Markdown: title, summary, example, ports, arguments, and the rest of its text.
pub fn page(signature: &Signature) -> String {
    let (summary, text) = split(&signature.doc);
    let mut page = format!("# {}\n\n", signature.name);
    if !summary.is_empty() {
        page += &format!("{summary}\n\n");
    }
    if !signature.example.is_empty() {
        page += &format!("```runefile\n{}\n```\n\n", signature.example);
    }
    page += "| | name | type | what |\n|---|---|---|---|\n";
    for (what, ports) in [("input", &signature.inputs), ("output", &signature.outputs)] {
        for port in ports {
            let ty = code(&port_type(signature, port)) + &count(port);
            let row = [what, &code(&port.name), &ty, &port.doc].map(cell);
            page += &format!("| {} |\n", row.join(" | "));
        }
    }
    page.push('\n');
    for (name, allowed) in &signature.types {
        page += &format!("{}\n", variable(name, allowed));
    }
    if !signature.types.is_empty() {
        page.push('\n');
    }
    if signature.args.is_empty() {
        page += "It takes no arguments.\n";
    } else {
        page += "| argument | takes | default | what |\n|---|---|---|---|\n";
        for arg in &signature.args {
            let row = [names(arg), takes(arg), default(arg), arg.doc.clone()].map(|c| cell(&c));
            page += &format!("| {} |\n", row.join(" | "));
        }
    }
    if !text.is_empty() {
        page += &format!("\n{text}\n");
    }
    page
}

/// The page of one block for a terminal: as [`page`], with lists in place of tables.
pub fn manual(signature: &Signature) -> String {
    let (summary, text) = split(&signature.doc);
    let mut page = format!("# {}\n\n", signature.name);
    if !summary.is_empty() {
        page += &format!("{}\n\n", wrap(&summary, COLUMNS).join("\n"));
    }
    if !signature.example.is_empty() {
        page += &format!("    {}\n\n", signature.example);
    }
    for (what, ports) in [
        ("Inputs", &signature.inputs),
        ("Outputs", &signature.outputs),
    ] {
        page += &format!("{what}\n");
        for port in ports {
            let ty = port_type(signature, port) + &count(port);
            page += &item(&port.name, &ty, &port.doc);
        }
        page.push('\n');
    }
    for (name, allowed) in &signature.types {
        page += &format!("{}\n", plain(&variable(name, allowed)));
    }
    if !signature.types.is_empty() {
        page.push('\n');
    }
    if signature.args.is_empty() {
        page += "It takes no arguments.\n";
    } else {
        page += "Arguments\n";
        for arg in &signature.args {
            let default = match default(arg).as_str() {
                "required" => "required".to_owned(),
                default => format!("default {default}"),
            };
            page += &item(&names(arg), &format!("{}; {default}", takes(arg)), &arg.doc);
        }
    }
    if !text.is_empty() {
        page += &format!("\n{text}\n");
    }
    page
}

/// A term and what it is on one line, and what there is to say of it below.
fn item(term: &str, what: &str, doc: &str) -> String {
    let mut item = format!("  {}  {}\n", plain(term), plain(what));
    let lines = wrap(doc, COLUMNS - 6);
    for line in lines.iter().filter(|line| !line.is_empty()) {
        item += &format!("      {line}\n");
    }
    item
}

/// Without the marks of code.
fn plain(text: &str) -> String {
    text.replace('`', "")
}

/// A table of blocks for each category, in Markdown; a name links to `folder` + name + `.md`.
pub fn index(signatures: &[Signature], folder: &str) -> String {
    let mut index = String::new();
    for (category, signatures) in by_category(signatures) {
        index += &format!(
            "## {}\n\n| block | what | inputs | outputs |\n|---|---|---|---|\n",
            title(category)
        );
        for signature in signatures {
            let ports = |ports: &[Port]| {
                let types = ports
                    .iter()
                    .map(|p| code(&port_type(signature, p)) + &count(p));
                types.collect::<Vec<_>>().join(", ")
            };
            let row = [
                format!("[{0}]({folder}{0}.md)", signature.name),
                split(&signature.doc).0,
                ports(&signature.inputs),
                ports(&signature.outputs),
            ]
            .map(|c| cell(&c));
            index += &format!("| {} |\n", row.join(" | "));
        }
        index.push('\n');
    }
    index.truncate(index.trim_end().len());
    index.push('\n');
    index
}

/// A list of blocks for a terminal: by category, a line each.
pub fn list(signatures: &[Signature]) -> String {
    let width = signatures.iter().map(|s| s.name.len()).max().unwrap_or(0);
    let mut list = String::new();
    for (category, signatures) in by_category(signatures) {
        let gap = if list.is_empty() { "" } else { "\n" };
        list += &format!("{gap}{}\n", title(category));
        for signature in signatures {
            let indent = " ".repeat(width + 4);
            let lines = wrap(&split(&signature.doc).0, COLUMNS - indent.len());
            let summary = lines.join(&format!("\n{indent}"));
            list += format!("  {:width$}  {summary}", signature.name).trim_end();
            list.push('\n');
        }
    }
    list
}

/// A block as one JSON object.
pub fn json(signature: &Signature) -> Value {
    let ports = |ports: &[Port]| -> Vec<Value> {
        let port = |p: &Port| {
            let many = p.many.as_ref().map(|many| match many {
                Many::OneOrMore => Value::from(true),
                Many::Argument(name) => name.clone().into(),
            });
            json!({ "name": p.name, "type": port_type(signature, p), "many": many, "doc": p.doc })
        };
        ports.iter().map(port).collect()
    };
    let types: serde_json::Map<String, Value> = signature
        .types
        .iter()
        .map(|(name, allowed)| {
            let allowed: Vec<Value> = allowed.iter().map(|e| e.name().into()).collect();
            (name.clone(), allowed.into())
        })
        .collect();
    let args: Vec<Value> = signature.args.iter().map(json_arg).collect();
    json!({
        "name": signature.name,
        "version": signature.version,
        "category": signature.category.map(Category::name),
        "summary": split(&signature.doc).0,
        "doc": signature.doc,
        "example": signature.example,
        "types": types,
        "inputs": ports(&signature.inputs),
        "outputs": ports(&signature.outputs),
        "args": args,
    })
}

fn json_arg(arg: &ArgSpec) -> Value {
    let (ty, min, max, words) = match &arg.ty {
        // The ends of the type are no range.
        ArgType::Integer { min, max } => (
            "integer",
            Some(*min).filter(|n| *n != i64::MIN).map(Value::from),
            Some(*max).filter(|n| *n != i64::MAX).map(Value::from),
            None,
        ),
        ArgType::Float { min, max } => (
            "float",
            Some(*min).filter(|x| *x > -3.0e38).map(Value::from),
            Some(*max).filter(|x| *x < 3.0e38).map(Value::from),
            None,
        ),
        ArgType::Text { words } => {
            let words = (!words.is_empty()).then(|| Value::from(words.clone()));
            ("string", None, None, words)
        }
        ArgType::Bool => ("bool", None, None, None),
        ArgType::List => ("strings", None, None, None),
        ArgType::Bytes => ("bytes", None, None, None),
    };
    let default = arg.default.as_ref().map(|default| -> Value {
        match default {
            Bound::Integer(n) if arg.ty == ArgType::Bool => (*n != 0).into(),
            Bound::Integer(n) => (*n).into(),
            Bound::Float(x) => (*x).into(),
            Bound::Text(text) => text.clone().into(),
            Bound::List(items) => items.to_vec().into(),
            Bound::Bytes(bytes) => String::from_utf8_lossy(bytes).into(),
        }
    });
    json!({
        "name": arg.name,
        "aliases": arg.aliases,
        "type": ty,
        "default": default,
        "min": min,
        "max": max,
        "words": words,
        "unit": arg.unit,
        "doc": arg.doc,
    })
}

/// The first sentence of a text in Markdown, on one line, and what follows it.
fn split(doc: &str) -> (String, &str) {
    let doc = doc.trim();
    let first = doc.split_once("\n\n").map_or(doc, |(first, _)| first);
    // A full stop inside a word or a number ends nothing, nor does one before a small letter (`e.g. this`).
    let end = first
        .match_indices('.')
        .map(|(at, _)| at + 1)
        .find(|end| {
            let mut rest = first[*end..].chars();
            rest.next().is_none_or(char::is_whitespace)
                && rest
                    .find(|c| !c.is_whitespace())
                    .is_none_or(|c| !c.is_lowercase())
        })
        .unwrap_or(first.len());
    let words: Vec<&str> = doc[..end].split_whitespace().collect();
    (words.join(" "), doc[end..].trim())
}

/// A text as lines of at most `width` characters, where its words allow it.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        if line.is_empty() {
            *line += word;
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            *line += " ";
            *line += word;
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// A category as a heading.
fn title(category: &str) -> String {
    let mut letters = category.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// The blocks of each category, those without one last; by name.
fn by_category(signatures: &[Signature]) -> impl Iterator<Item = (&str, Vec<&Signature>)> {
    let categories = Category::ALL.map(Some).into_iter().chain([None]);
    categories.filter_map(|category| {
        let mut of: Vec<&Signature> = signatures
            .iter()
            .filter(|s| s.category == category)
            .collect();
        of.sort_by(|a, b| a.name.cmp(&b.name));
        (!of.is_empty()).then(|| (category.map_or(OTHER, Category::name), of))
    })
}

/// The type of a port as a signature writes it: `T[n, 3]`.
pub fn port_type(signature: &Signature, port: &Port) -> String {
    let element = match port.element {
        PortElement::Fixed(element) => element.to_string(),
        PortElement::Variable(index) => signature.types[index].0.clone(),
    };
    let dims: Vec<String> = port.dims.iter().map(ToString::to_string).collect();
    format!("{element}[{}]", dims.join(", "))
}

/// How many tensors a port stands for, where that is not one.
fn count(port: &Port) -> String {
    match &port.many {
        None => String::new(),
        Some(Many::OneOrMore) => ", one or more".to_owned(),
        Some(Many::Argument(name)) => format!(", as many as `--{name}`"),
    }
}

/// "`T` is I16 or F32."
fn variable(name: &str, allowed: &[ElementType]) -> String {
    let all: Vec<String> = allowed.iter().map(ToString::to_string).collect();
    let mut line = format!("`{name}` is ");
    match all.split_last() {
        Some((last, [])) => line += last,
        Some((last, rest)) => {
            // Writing to a string does not fail.
            let _ = write!(line, "{} or {last}", rest.join(", "));
        }
        None => {}
    }
    line + "."
}

/// `--count`, `-n`
/// An argument in two sentences of Markdown: its names, what it takes and what it is when not given; then what
/// it means.
pub fn argument(arg: &ArgSpec) -> String {
    let default = match default(arg).as_str() {
        "required" if arg.optional => "optional".to_owned(),
        "required" => "required".to_owned(),
        default => format!("default {default}"),
    };
    let mut text = format!("{}: {}; {default}.", names(arg), takes(arg));
    if !arg.doc.is_empty() {
        text += &format!(" {}", arg.doc);
    }
    text
}

fn names(arg: &ArgSpec) -> String {
    let all = std::iter::once(&arg.name).chain(&arg.aliases);
    let all: Vec<String> = all.map(|name| code(&format!("--{name}"))).collect();
    all.join(", ")
}

fn takes(arg: &ArgSpec) -> String {
    let takes = match &arg.ty {
        ArgType::Text { words } if !words.is_empty() => {
            let words: Vec<String> = words.iter().map(|w| code(w)).collect();
            words.join(", ")
        }
        ArgType::Float { min, max } if *min > -3.0e38 && *max >= 3.0e38 => {
            format!("a number of at least {}", number(*min))
        }
        ArgType::Float { min, max } if *min > -3.0e38 => {
            format!("a number from {} to {}", number(*min), number(*max))
        }
        ArgType::Integer { .. }
        | ArgType::Float { .. }
        | ArgType::Text { .. }
        | ArgType::Bool
        | ArgType::List
        | ArgType::Bytes => arg.expects(),
    };
    if arg.unit.is_empty() {
        takes
    } else {
        format!("{takes}, in {}", arg.unit)
    }
}

fn default(arg: &ArgSpec) -> String {
    match &arg.default {
        None => "required".to_owned(),
        Some(Bound::Integer(n)) if arg.ty == ArgType::Bool => code(&(*n != 0).to_string()),
        Some(Bound::Integer(n)) => code(&n.to_string()),
        Some(Bound::Float(x)) => code(&number(*x)),
        Some(Bound::Text(text)) if text.is_empty() => "none".to_owned(),
        Some(Bound::Text(text)) => code(text),
        Some(Bound::List(items)) if items.is_empty() => "none".to_owned(),
        Some(Bound::List(items)) => code(&items.join(",")),
        Some(Bound::Bytes(bytes)) if bytes.is_empty() => "none".to_owned(),
        Some(Bound::Bytes(bytes)) => code(&String::from_utf8_lossy(bytes)),
    }
}

/// A number without a row of zeros.
fn number(x: f64) -> String {
    if x.abs() >= 1e9 || (x != 0.0 && x.abs() < 1e-6) {
        format!("{x:e}")
    } else {
        x.to_string()
    }
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

/// A text as the cell of a table: on one line, its bars not those of the table.
fn cell(text: impl AsRef<str>) -> String {
    let words: Vec<&str> = text.as_ref().split_whitespace().collect();
    words.join(" ").replace('|', "\\|")
}
