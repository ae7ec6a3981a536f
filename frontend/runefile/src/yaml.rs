//! The YAML form of a Runefile, version 1, to the same [`Tree`] as the text form, and back.
//!
//! `docs/book/yaml.md` describes it. What a key says becomes the instruction of the text form that says
//! the same, with places in the YAML: `inputs` of a stage become a RUN that ends in it.

mod arguments;
mod document;
mod stage;
mod write;

use std::collections::BTreeMap;

use rune_ir::diag::{Code, Diagnostic, FileId, Span, Spanned, did_you_mean};

use self::document::{Kind, Node, Style};
use crate::{
    fmt::text as spell,
    format::Format,
    grammar,
    tree::{Argument, Faulty, For, From, Instruction, Keyword, Label, Resource, Tree, Value},
    values::shorten,
};

pub(crate) use write::{arguments, quoted, scalar, text, types};

/// Keys of the document.
const TOP: [&str; 7] = [
    "version",
    "image",
    "as",
    "for",
    "labels",
    "pipeline",
    "resources",
];
/// Keys of a resource.
const RESOURCE: [&str; 3] = ["path", "inline", "type"];

/// Reads the YAML form. Never fails: what is at fault is reported and left out, and the rest counts.
pub(crate) fn read(file: FileId, text: &str) -> (Tree, Vec<Diagnostic>) {
    let (document, found) = document::read(file, text);
    let mut reader = Reader {
        whole: Span::new(file, 0, text.len()),
        is_cut: !found.is_empty(),
        flawed: !found.is_empty(),
        found,
        instructions: Vec::new(),
    };
    reader.document(document.root.as_ref());
    let tree = Tree {
        file,
        whole: reader.whole,
        instructions: reader.instructions,
        comments: document.comments,
        flawed: reader.flawed,
        format: Format::Yaml,
    };
    (tree, reader.found)
}

/// A map's entries; those with the same key are all in.
type Entries = [(Node, Node)];

/// Turns nodes into instructions and collects what is wrong.
struct Reader {
    whole: Span,
    /// The text is not YAML from some place on: what is missing may be there.
    is_cut: bool,
    flawed: bool,
    found: Vec<Diagnostic>,
    instructions: Vec<Instruction>,
}

impl Reader {
    fn fault(&mut self, diagnostic: Diagnostic) {
        self.flawed = true;
        self.found.push(diagnostic);
    }

    /// Reports that a node is not what belongs there, in the words of the reference compiler.
    fn wrong_type(&mut self, node: &Node, expected: &str, hint: &str) {
        let message = format!("invalid type: {}, expected {expected}", node.describe());
        self.fault(
            Diagnostic::new(Code::BadField, node.span, message)
                .at(format!("expected {expected}"))
                .hint(hint),
        );
    }

    fn document(&mut self, root: Option<&Node>) {
        let start = Span {
            end: self.whole.start,
            ..self.whole
        };
        let (entries, at): (&Entries, Span) = match root.map(|node| (&node.kind, node)) {
            Some((Kind::Map(entries), node)) => (entries, node.span),
            Some((Kind::Scalar(scalar), _)) if scalar.is_null() => (&[], start),
            None => (&[], start),
            Some((_, node)) => {
                let is_text = matches!(&node.kind, Kind::Scalar(s) if s.text.starts_with("FROM "));
                let hint = if is_text {
                    "this is the text form: a file in it is named `Runefile`"
                } else {
                    "a Runefile in YAML begins with `version: 1`, `image: runicos/base` and `pipeline:`"
                };
                self.wrong_type(node, "a map of version, image and pipeline", hint);
                return;
            }
        };
        let at = Span {
            end: at.start,
            ..at
        };
        self.keys(entries, "a Runefile", &TOP);
        if let Some(version) = self.required(entries, "version", at, "version: 1") {
            self.version(version);
        }
        self.image(entries, at);
        if let Some(devices) = field(entries, "for") {
            self.devices(devices);
        }
        if let Some(labels) = field(entries, "labels") {
            self.labels(labels);
        }
        if let Some(resources) = field(entries, "resources") {
            self.resources(resources);
        }
        let example = "pipeline:` with the stages below it, such as `audio: {capability: SOUND}";
        if let Some(pipeline) = self.required(entries, "pipeline", at, example) {
            self.pipeline(pipeline);
        }
    }

    /// Reports keys that nobody reads, and keys that come twice.
    fn keys(&mut self, entries: &Entries, owner: &str, known: &[&str]) {
        let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
        for (key, _) in entries {
            let Kind::Scalar(scalar) = &key.kind else {
                self.wrong_type(key, "a key", "a key is a word before a `:`");
                continue;
            };
            let name = scalar.text.as_str();
            if let Some(first) = seen.get(name) {
                self.fault(
                    Diagnostic::new(
                        Code::BadField,
                        key.span,
                        format!("duplicate field `{}`", shorten(name)),
                    )
                    .at("given again here")
                    .also(*first, "first given here")
                    .hint("keep one of the two"),
                );
                continue;
            }
            seen.insert(name, key.span);
            if !known.contains(&name) {
                let near = did_you_mean(name, known.iter().copied());
                self.found.push(
                    Diagnostic::new(
                        Code::UnknownField,
                        key.span,
                        format!("unknown field `{}`", shorten(name)),
                    )
                    .at("nothing reads this")
                    .note(format!("The fields of {owner} are {}.", known.join(", ")))
                    .maybe_hint(near.map(|n| format!("did you mean `{n}`?")))
                    .maybe_hint((name == "<<").then(|| {
                        "maps are not merged: write these fields out, each with an alias if it is long"
                            .to_owned()
                    })),
                );
            }
        }
    }

    /// A field that must be there; `at` is where it would be.
    fn required<'n>(
        &mut self,
        entries: &'n Entries,
        name: &str,
        at: Span,
        example: &str,
    ) -> Option<&'n Node> {
        let node = field(entries, name);
        if node.is_none() && !self.is_cut {
            self.fault(
                Diagnostic::new(Code::MissingField, at, format!("missing field `{name}`"))
                    .at(format!("`{name}` is missing here"))
                    .hint(format!("add `{example}`")),
            );
        }
        node
    }

    fn version(&mut self, node: &Node) {
        let scalar = node.scalar();
        if scalar.is_some_and(|s| s.style == Style::Plain && s.text == "1") {
            return;
        }
        let is_number =
            scalar.is_some_and(|s| s.style == Style::Plain && s.text.parse::<i64>().is_ok());
        let what = if is_number { "value" } else { "type" };
        self.fault(
            Diagnostic::new(
                Code::BadField,
                node.span,
                format!(
                    "invalid {what}: {}, expected version to be 1",
                    node.describe()
                ),
            )
            .at("expected 1")
            .hint("write `version: 1`; it is the version of the format, not of the rune"),
        );
    }

    /// `image` and `as`.
    fn image(&mut self, entries: &Entries, at: Span) {
        let Some((key, node)) = entry(entries, "image") else {
            self.required(entries, "image", at, "image: runicos/base");
            // So that nobody says a second time that there is no base.
            self.instructions.push(lost(Keyword::From, None, at));
            return;
        };
        let span = key.span.to(node.span);
        let Some(image) = self.image_name(node) else {
            self.instructions.push(lost(Keyword::From, None, span));
            return;
        };
        let alias = field(entries, "as").and_then(|alias| self.name(alias, "the alias"));
        self.instructions
            .push(Instruction::From(From { image, alias, span }));
    }

    /// The name or path of an image.
    fn image_name(&mut self, node: &Node) -> Option<Spanned<String>> {
        let text = self.text(node, "the name of an image")?;
        if grammar::is_image(&text.value) {
            return Some(text);
        }
        self.fault(
            Diagnostic::new(
                Code::BadField,
                node.span,
                format!("unable to parse the path `{}`", shorten(&text.value)),
            )
            .at("not the name of an image")
            .hint("the order is `name@version#part`, each part once and without blanks"),
        );
        None
    }

    fn devices(&mut self, node: &Node) {
        let single;
        let items = match &node.kind {
            Kind::List(items) => items.as_slice(),
            Kind::Scalar(_) | Kind::Map(_) => {
                single = [node.clone()];
                &single
            }
        };
        for item in items {
            if let Some(image) = self.image_name(item) {
                let span = item.span;
                self.instructions
                    .push(Instruction::For(For { image, span }));
            }
        }
    }

    fn labels(&mut self, node: &Node) {
        let Some(entries) = self.map(node, "a map of labels") else {
            return;
        };
        for (key, value) in entries {
            let Some(name) = self.text(key, "the name of a label") else {
                continue;
            };
            if !grammar::is_label(&name.value) {
                self.fault(
                    Diagnostic::new(
                        Code::BadField,
                        key.span,
                        format!("`{}` cannot be the name of a label", shorten(&name.value)),
                    )
                    .at("expected a name")
                    .hint("write letters, digits and `_ - . /`"),
                );
                continue;
            }
            if let Some(value) = self.text(value, "a text") {
                let span = name.span.to(value.span);
                let pairs = vec![(name, value)];
                self.instructions
                    .push(Instruction::Label(Label { pairs, span }));
            }
        }
    }

    fn resources(&mut self, node: &Node) {
        let Some(entries) = self.map(node, "a map of resources") else {
            return;
        };
        let mut seen = BTreeMap::new();
        for (key, value) in entries {
            if self.is_repeated(&mut seen, key) {
                continue;
            }
            if let Some(name) = self.name(key, "a resource") {
                let span = key.span.to(value.span);
                let resource = self.resource(name.clone(), value, span);
                self.instructions.push(resource.map_or_else(
                    || lost(Keyword::Resource, Some(name.value), span),
                    Instruction::Resource,
                ));
            }
        }
    }

    fn resource(&mut self, name: Spanned<String>, node: &Node, span: Span) -> Option<Resource> {
        let entries = self.map(node, "a map with `path` or `inline`")?;
        self.keys(entries, "a resource", &RESOURCE);
        let path = match field(entries, "path") {
            Some(path) => Some(self.text(path, "a path")?),
            None => None,
        };
        let mut args = Vec::new();
        for (argument, key) in [("text", "inline"), ("type", "type")] {
            let Some((key, node)) = entry(entries, key) else {
                continue;
            };
            // An empty text is a text.
            let empty = matches!(&node.kind, Kind::Scalar(s) if s.text.is_empty() && s.style != Style::Plain);
            let value = if empty {
                Spanned::new(String::new(), node.span)
            } else {
                self.text(node, "a text")?
            };
            args.push(Argument {
                name: Spanned::new(argument.to_owned(), key.span),
                text: spell::value(&value.value),
                value: Spanned::new(Value::Text(value.value), value.span),
            });
        }
        Some(Resource {
            path,
            name,
            args,
            span,
        })
    }

    fn pipeline(&mut self, node: &Node) {
        let Some(entries) = self.map(node, "a map of stages") else {
            return;
        };
        let mut seen = BTreeMap::new();
        for (key, value) in entries {
            if self.is_repeated(&mut seen, key) {
                continue;
            }
            if let Some(name) = self.name(key, "a stage") {
                self.stage(&name, value);
            }
        }
    }

    /// Whether an entry before has the same name, which is reported; otherwise notes it.
    fn is_repeated<'n>(&mut self, seen: &mut BTreeMap<&'n str, Span>, key: &'n Node) -> bool {
        let Some(text) = key.scalar().map(|s| s.text.as_str()) else {
            return false;
        };
        let Some(first) = seen.get(text).copied() else {
            seen.insert(text, key.span);
            return false;
        };
        self.fault(
            Diagnostic::new(
                Code::DuplicateName,
                key.span,
                format!("The name \"{}\" is defined multiple times", shorten(text)),
            )
            .at("Redefined here")
            .also(first, "The first definition is here")
            .hint("give one of them another name"),
        );
        true
    }

    /// A map's entries, or a complaint.
    fn map<'n>(&mut self, node: &'n Node, expected: &str) -> Option<&'n Entries> {
        match &node.kind {
            Kind::Map(entries) => Some(entries),
            Kind::Scalar(scalar) if scalar.is_null() => Some(&[]),
            Kind::Scalar(_) | Kind::List(_) => {
                let hint = "write `key: value` lines below it, further to the right";
                self.wrong_type(node, expected, hint);
                None
            }
        }
    }

    /// The text of a scalar, or a complaint.
    fn text(&mut self, node: &Node, expected: &str) -> Option<Spanned<String>> {
        if let Some(scalar) = node.scalar()
            && !(scalar.text.is_empty() && scalar.style != Style::Text)
        {
            return Some(Spanned::new(scalar.text.clone(), node.span));
        }
        self.wrong_type(node, expected, "write one value on the line of its key");
        None
    }

    /// A scalar that can be a name, or a complaint.
    fn name(&mut self, node: &Node, what: &str) -> Option<Spanned<String>> {
        let name = self.text(node, "a name")?;
        if grammar::is_yaml_name(&name.value) {
            return Some(name);
        }
        let shown = shorten(&name.value);
        let bare = name
            .value
            .strip_prefix('$')
            .filter(|n| grammar::is_yaml_name(n));
        self.fault(
            Diagnostic::new(
                Code::BadField,
                name.span,
                format!("\"{shown}\" should be a valid identifier"),
            )
            .at(format!("not a name for {what}"))
            .hint(match bare {
                Some(bare) => format!("write `{bare}`; the `$` belongs to where it is used"),
                None => "a name is letters, digits, `_` and `-`, and begins with a letter or `_`"
                    .to_owned(),
            }),
        );
        None
    }
}

/// An instruction that could not be made, which has been reported.
fn lost(keyword: Keyword, name: Option<String>, span: Span) -> Instruction {
    Instruction::Faulty(Faulty {
        keyword: Some(keyword),
        names: name.into_iter().collect(),
        span,
    })
}

fn is_key(node: &Node, name: &str) -> bool {
    matches!(&node.kind, Kind::Scalar(scalar) if scalar.text == name)
}

/// The first entry of a key.
fn entry<'n>(entries: &'n Entries, name: &str) -> Option<&'n (Node, Node)> {
    entries.iter().find(|(key, _)| is_key(key, name))
}

/// The value of the first entry of a key.
fn field<'n>(entries: &'n Entries, name: &str) -> Option<&'n Node> {
    entry(entries, name).map(|(_, value)| value)
}
