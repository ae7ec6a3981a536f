//! A stage of the pipeline to the instructions that say the same.

use rune_ir::{
    diag::{Code, Diagnostic, Span, Spanned, did_you_mean},
    ty::{Dim, ElementType, PartialType},
};

use super::{
    Entries, Reader,
    document::{Kind, Node, Style},
    entry, field, lost,
};
use crate::{
    grammar,
    tree::{Instruction, Keyword, Role, Run, Set, Stage, StageRef, Step, Types, Word, WordForm},
    values::{self, shorten},
};

/// The keys that say what a stage is.
const KINDS: [(&str, Role); 4] = [
    ("capability", Role::Capability),
    ("proc-block", Role::ProcBlock),
    ("model", Role::Model),
    ("out", Role::Out),
];
/// Keys of a stage.
const STAGE: [&str; 9] = [
    "capability",
    "proc-block",
    "model",
    "out",
    "inputs",
    "input-types",
    "outputs",
    "args",
    "replace",
];
/// Keys of a type.
const TYPE: [&str; 2] = ["type", "dimensions"];

impl Reader {
    /// Adds the instructions of a stage: what it is, and what feeds it. A stage without a kind is one of a
    /// layer below.
    pub(super) fn stage(&mut self, name: &Spanned<String>, node: &Node) {
        let span = name.span.to(node.span);
        let Some(entries) = self.map(node, "a stage") else {
            let lost = lost(Keyword::ProcBlock, Some(name.value.clone()), span);
            return self.instructions.push(lost);
        };
        self.keys(entries, "a stage", &STAGE);
        let inputs = field(entries, "inputs").and_then(|inputs| self.inputs(inputs));
        let kinds: Vec<(&Node, Role, &Node)> = KINDS
            .iter()
            .filter_map(|(key, role)| {
                let (key, value) = entry(entries, key)?;
                Some((key, *role, value))
            })
            .collect();
        let instruction = match kinds.as_slice() {
            [] => self.inherited(name, entries, inputs.is_some(), span),
            [(key, role, what)] => {
                let role = Spanned::new(*role, key.span);
                let count = inputs.as_ref().map_or(0, |run| run.stages.len());
                let stage = self.own(name, role, what, entries, count);
                Some(stage.map_or_else(
                    || lost(role.value.keyword(), Some(name.value.clone()), span),
                    |stage| Instruction::Stage(Stage { span, ..stage }),
                ))
            }
            [(first, ..), (second, ..), ..] => {
                self.fault(
                    Diagnostic::new(
                        Code::BadField,
                        second.span,
                        format!("\"{}\" is two kinds of stage at once", name.value),
                    )
                    .at("a second kind")
                    .also(first.span, "the first kind")
                    .hint("make two stages of it, or leave out one of the two"),
                );
                Some(lost(Keyword::ProcBlock, Some(name.value.clone()), span))
            }
        };
        self.instructions.extend(instruction);
        if let Some(step) = inputs
            && !step.stages.is_empty()
        {
            let target = StageRef {
                name: name.clone(),
                port: None,
                span: name.span,
            };
            let span = step.span;
            let target = Step {
                stages: vec![target],
                span: name.span,
            };
            let steps = vec![step, target];
            self.instructions
                .push(Instruction::Run(Run { steps, span }));
        }
    }

    /// A stage of a layer below, which gets arguments or inputs.
    fn inherited(
        &mut self,
        name: &Spanned<String>,
        entries: &Entries,
        is_fed: bool,
        span: Span,
    ) -> Option<Instruction> {
        let names = KINDS.map(|(key, _)| key);
        let meant = entries.iter().find_map(|(key, _)| {
            let text = &key.scalar()?.text;
            let near = did_you_mean(text, names).filter(|_| !STAGE.contains(&text.as_str()))?;
            Some((key, near))
        });
        let args = field(entries, "args").filter(|_| meant.is_none());
        if let Some(args) = args {
            let args = self.arguments(args);
            let stage = name.clone();
            return Some(Instruction::Set(Set { stage, args, span }));
        }
        if meant.is_none() && is_fed {
            return None;
        }
        let at = meant.map_or(name.span, |(key, _)| key.span);
        self.fault(
            Diagnostic::new(
                Code::BadField,
                at,
                format!("\"{}\" does not say what it is", name.value),
            )
            .at(format!("expected one of {}", names.join(", ")))
            .hint(match meant {
                Some((_, near)) => format!("did you mean `{near}`?"),
                None => "add a line such as `model: ./model.tflite`".to_owned(),
            }),
        );
        Some(lost(Keyword::ProcBlock, Some(name.value.clone()), span))
    }

    /// A stage with a kind. `count` is how many inputs it has.
    fn own(
        &mut self,
        name: &Spanned<String>,
        role: Spanned<Role>,
        what: &Node,
        entries: &Entries,
        count: usize,
    ) -> Option<Stage> {
        let expected = match role.value {
            Role::Capability | Role::Out => "a kind",
            Role::ProcBlock | Role::Model => "a path",
        };
        let types = self.types(role.value, entries, count);
        let args = field(entries, "args").map_or(Vec::new(), |args| self.arguments(args));
        let replace = match entry(entries, "replace") {
            None => None,
            Some((key, value)) => match value.scalar().map(|s| s.text.as_str()) {
                Some("true") => Some(key.span.to(value.span)),
                Some("false") => None,
                _ => {
                    self.wrong_type(value, "true or false", "write `replace: true`");
                    None
                }
            },
        };
        let node = what;
        let what = self.text(node, expected)?;
        let is_text = node.scalar().is_some_and(|s| s.style == Style::Text);
        if role.value == Role::Model
            && !is_text
            && let Some(resource) = what.value.strip_prefix('$')
            && !grammar::is_yaml_name(resource)
        {
            self.fault(
                Diagnostic::new(
                    Code::BadField,
                    what.span,
                    format!("`{}` is not the name of a resource", shorten(&what.value)),
                )
                .at("expected a name after `$`")
                .note("Resource names always start with a \"$\", and go on with a letter or `_`.")
                .hint("write `$` and the name of a resource, or `./` before the path of a file"),
            );
            return None;
        }
        let first = Word {
            // Whether or not the text could be a name: here it is a path or kind.
            form: if is_text {
                WordForm::Quoted
            } else {
                WordForm::Path
            },
            text: what.value,
            span: what.span,
        };
        let second = Word {
            text: name.value.clone(),
            form: WordForm::Name,
            span: name.span,
        };
        Some(Stage {
            replace,
            role,
            types,
            first,
            second: Some(second),
            args,
            span: name.span,
        })
    }

    /// The list of inputs as a step.
    fn inputs(&mut self, node: &Node) -> Option<Step> {
        let items = match &node.kind {
            Kind::List(items) => items.as_slice(),
            Kind::Scalar(scalar) if scalar.is_null() => &[],
            Kind::Scalar(_) | Kind::Map(_) => {
                let hint = "write a list, also of one: `inputs: [fft]`";
                self.wrong_type(node, "a list of stages", hint);
                return None;
            }
        };
        let stages = items.iter().filter_map(|item| self.input(item)).collect();
        Some(Step {
            stages,
            span: node.span,
        })
    }

    fn input(&mut self, node: &Node) -> Option<StageRef> {
        let text = node.scalar().map_or("", |s| s.text.as_str());
        let (name, port) = match text.split_once('.') {
            Some((name, port)) => (name, Some(port)),
            None => (text, None),
        };
        let number = port.map(|p| {
            let digits = !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit());
            p.parse::<u32>().ok().filter(|_| digits)
        });
        if !grammar::is_yaml_name(name) || number == Some(None) {
            let what = node.describe();
            self.fault(
                Diagnostic::new(
                    Code::BadField,
                    node.span,
                    format!("Expected something like \"fft\" or \"fft.2\", found {what}"),
                )
                .at("not the name of a stage")
                .hint(
                    "write the name of a stage; after a `.`, which of its outputs, counted from 0",
                ),
            );
            return None;
        }
        let part = |from: usize, to: usize| {
            // A name is where its text is, unless escapes or an alias stand in between.
            let whole = node.span.end - node.span.start == text.len() as u32;
            if whole {
                Span {
                    start: node.span.start + from as u32,
                    end: node.span.start + to as u32,
                    ..node.span
                }
            } else {
                node.span
            }
        };
        Some(StageRef {
            name: Spanned::new(name.to_owned(), part(0, name.len())),
            port: number
                .flatten()
                .map(|n| Spanned::new(n, part(name.len() + 1, text.len()))),
            span: node.span,
        })
    }

    /// The types of outputs, and of inputs where they are given.
    fn types(&mut self, role: Role, entries: &Entries, count: usize) -> Option<Types> {
        let outputs = match entry(entries, "outputs") {
            Some((_, node)) => Some((self.type_list(node)?, node.span)),
            None => None,
        };
        let inputs = match entry(entries, "input-types") {
            Some((key, node)) if outputs.is_none() => {
                self.fault(
                    Diagnostic::new(
                        Code::MissingField,
                        key.span.to(node.span),
                        "missing field `outputs`",
                    )
                    .at("types of inputs alone")
                    .hint("add `outputs: [{type: _}]`"),
                );
                return None;
            }
            Some((_, node)) => Some((self.type_list(node)?, node.span)),
            None => None,
        };
        let (outputs, mut span) = outputs.filter(|(types, _)| !types.is_empty())?;
        let open = || Spanned::new(PartialType::default(), span);
        let (before, after) = match (role, inputs) {
            (Role::Capability | Role::Out, None) => (outputs, None),
            (_, Some((inputs, at))) if !inputs.is_empty() => {
                span = span.to(at);
                (inputs, Some(outputs))
            }
            _ => (vec![open(); count.max(1)], Some(outputs)),
        };
        Some(Types {
            before,
            after,
            span,
        })
    }

    fn type_list(&mut self, node: &Node) -> Option<Vec<Spanned<PartialType>>> {
        match &node.kind {
            Kind::List(items) => items.iter().map(|item| self.tensor(item)).collect(),
            Kind::Scalar(scalar) if scalar.is_null() => Some(Vec::new()),
            Kind::Scalar(_) | Kind::Map(_) => {
                let hint =
                    "write a list, also of one: `outputs: [{type: F32, dimensions: [1, 4]}]`";
                self.wrong_type(node, "a list of types", hint);
                None
            }
        }
    }

    fn tensor(&mut self, node: &Node) -> Option<Spanned<PartialType>> {
        let Kind::Map(entries) = &node.kind else {
            let hint = "write `{type: F32, dimensions: [1, 4]}`";
            self.wrong_type(node, "a type", hint);
            return None;
        };
        self.keys(entries, "a type", &TYPE);
        let at = Span {
            end: node.span.start,
            ..node.span
        };
        let name = self.required(entries, "type", at, "type: F32")?;
        let name = self.text(name, "an element type")?;
        let element = match name.value.as_str() {
            "_" => None,
            _ => Some(self.element(&name)?),
        };
        let dims = match field(entries, "dimensions") {
            Some(dims) => Some(self.dims(dims)?),
            // As in the text form: a bare element type is one element, a bare `_` any tensor.
            None => element.map(|_| vec![Some(Dim::Exact(1))]),
        };
        Some(Spanned::new(PartialType { element, dims }, node.span))
    }

    fn element(&mut self, name: &Spanned<String>) -> Option<ElementType> {
        let element = ElementType::from_name(&name.value.to_lowercase());
        if element.is_none() {
            let known = ElementType::ALL.map(ElementType::name);
            let near = match name.value.to_lowercase().as_str() {
                "str" | "string" => Some("UTF8"),
                "float" | "float32" => Some("F32"),
                other => did_you_mean(other, known),
            };
            self.fault(
                Diagnostic::new(
                    Code::UnknownElementType,
                    name.span,
                    format!("Unknown element type, \"{}\"", shorten(&name.value)),
                )
                .at("no such element type")
                .note(format!("The element types are {}.", known.join(" ")))
                .maybe_hint(near.map(|n| format!("did you mean `{n}`?"))),
            );
        }
        element
    }

    fn dims(&mut self, node: &Node) -> Option<Vec<Option<Dim>>> {
        let Kind::List(items) = &node.kind else {
            let hint = "write a list, also of one: `dimensions: [4]`";
            self.wrong_type(node, "a list of dimensions", hint);
            return None;
        };
        let limit = rune_abi::limit::RANK;
        if items.len() > limit {
            self.fault(
                Diagnostic::new(
                    Code::BadDimension,
                    node.span,
                    format!("a tensor of {} dimensions", items.len()),
                )
                .at(format!("a tensor has at most {limit}")),
            );
            return None;
        }
        let mut dims = Vec::with_capacity(items.len());
        for item in items {
            self.dim(item, &mut dims)?;
        }
        Some(dims)
    }

    /// Adds a dimension, open or not; `None`: it is faulty.
    fn dim(&mut self, node: &Node, dims: &mut Vec<Option<Dim>>) -> Option<()> {
        let text = node.scalar().map_or("", |s| s.text.as_str());
        let digits = text.strip_prefix("<=").unwrap_or(text).trim_start();
        let is_dim = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        if !is_dim && text != "_" {
            let hint = "a dimension is a number, `<=` and a number, or `_` where it is open";
            self.wrong_type(node, "a dimension", hint);
            return None;
        }
        match values::dim(text) {
            Ok(dim) => {
                dims.push(dim);
                Some(())
            }
            Err(fault) => {
                self.fault(
                    Diagnostic::new(Code::BadDimension, node.span, fault.message)
                        .at(fault.label)
                        .hint(fault.hint),
                );
                None
            }
        }
    }
}
