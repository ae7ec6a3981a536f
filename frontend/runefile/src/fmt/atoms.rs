//! An instruction as a row of atoms.

use rune_ir::{
    diag::{Span, Spanned},
    env::Env,
    ty::PartialType,
};

use super::{
    layout::{Atom, Join},
    text,
};
use crate::{
    fault::name_prefix,
    order::{self, Ordered},
    tree::{Argument, Instruction, Resource, Role, Run, Stage, Step, Types, Value, Word, WordForm},
    values,
};

/// The atoms of an instruction, its keyword first; none where it is faulty. Values are written as in the
/// text they are from, if there is one.
pub(super) fn atoms(instruction: &Instruction, text: Option<&str>, env: &dyn Env) -> Vec<Atom> {
    let mut row = Row {
        text,
        env,
        atoms: Vec::new(),
    };
    match instruction {
        Instruction::From(from) => {
            row.keyword("FROM", from.span);
            row.push(Join::Word, &from.image.value, from.image.span);
            if let Some(alias) = &from.alias {
                row.push(Join::Word, &format!("AS {}", alias.value), alias.span);
            }
        }
        Instruction::For(device) => {
            row.keyword("FOR", device.span);
            row.push(Join::Word, &device.image.value, device.image.span);
        }
        Instruction::Label(label) => {
            row.keyword("LABEL", label.span);
            for (key, value) in &label.pairs {
                let text = row.written(value.span, || text::label(&value.value));
                row.push(Join::Argument, &format!("{}={text}", key.value), value.span);
            }
        }
        Instruction::Resource(resource) => row.resource(resource),
        Instruction::Stage(stage) => row.stage(stage),
        Instruction::Set(set) => {
            row.keyword("SET", set.span);
            row.push(Join::Word, &set.stage.value, set.stage.span);
            row.arguments(&set.args, false);
        }
        Instruction::Run(run) => row.run(run),
        Instruction::Faulty(_) => {}
    }
    row.atoms
}

/// The kind or path of a stage and its name, for the canonical order. Words of which the one that would be
/// the name cannot be one stay as they are: the instruction is faulty, and must stay so in the same way.
pub(super) fn canonical_order<'t>(stage: &'t Stage, env: &dyn Env) -> Ordered<'t> {
    let ordered = order::order(stage, env);
    if ordered.swapped && ordered.name.is_some_and(|n| n.form != WordForm::Name) {
        Ordered {
            what: &stage.first,
            name: stage.second.as_ref(),
            swapped: false,
        }
    } else {
        ordered
    }
}

/// How many of a stage's types come before the arrow, all written in one row; `None`: there is no arrow.
pub(super) fn arrow(role: Role, types: &Types) -> Option<usize> {
    let two_sided = matches!(role, Role::ProcBlock | Role::Model);
    match &types.after {
        Some(_) => Some(types.before.len()),
        // The old form `<in, out>`.
        None if two_sided && types.before.len() == 2 => Some(1),
        None => None,
    }
}

/// Collects atoms.
struct Row<'a> {
    text: Option<&'a str>,
    env: &'a dyn Env,
    atoms: Vec<Atom>,
}

impl<'a> Row<'a> {
    fn push(&mut self, join: Join, text: &str, span: Span) {
        self.atoms.push(Atom {
            text: text.to_owned(),
            join,
            end: span.end as usize,
        });
    }

    /// The first atom. It ends where the instruction begins, so that no comment is before it.
    fn keyword(&mut self, word: &str, instruction: Span) {
        self.push(
            Join::Word,
            word,
            Span {
                end: instruction.start,
                ..instruction
            },
        );
    }

    /// Adds to the last atom.
    fn glue(&mut self, text: &str, span: Span) {
        if let Some(last) = self.atoms.last_mut() {
            last.text.push_str(text);
            last.end = span.end as usize;
        }
    }

    /// What is written at a place of the text, if there is one.
    fn raw(&self, span: Span) -> Option<&'a str> {
        self.text?.get(span.start as usize..span.end as usize)
    }

    /// A word or string: as written, or as made.
    fn written(&self, span: Span, make: impl FnOnce() -> String) -> String {
        self.raw(span).map_or_else(make, text::tidy)
    }

    fn resource(&mut self, resource: &Resource) {
        self.keyword("RESOURCE", resource.span);
        if let Some(path) = &resource.path {
            let text = self.written(path.span, || text::word(&path.value));
            self.push(Join::Word, &text, path.span);
        }
        self.push(Join::Word, &resource.name.value, resource.name.span);
        self.arguments(&resource.args, false);
    }

    fn stage(&mut self, stage: &Stage) {
        let role = stage.role.value;
        let keyword = role.keyword().name();
        match stage.replace {
            Some(_) => {
                self.keyword("REPLACE", stage.span);
                self.glue(&format!(" {keyword}"), stage.role.span);
            }
            None => self.keyword(keyword, stage.span),
        }
        if let Some(types) = &stage.types {
            self.types(role, types);
        }
        let Ordered { what, name, .. } = canonical_order(stage, self.env);
        let text = self.written(what.span, || match name {
            Some(name) if self.reads_swapped(role, what, name) => unmistakable(role, what),
            _ => made(what),
        });
        self.push(Join::Word, &text, what.span);
        if let Some(name) = name {
            let text = self.written(name.span, || made(name));
            self.push(Join::Word, &text, name.span);
        }
        self.arguments(&stage.args, role == Role::Model);
    }

    /// Whether a name after a path or kind would be taken for the path or kind.
    fn reads_swapped(&self, role: Role, what: &Word, name: &Word) -> bool {
        let read = |word: &Word| {
            let mut word = word.clone();
            if word.form == WordForm::Path && name_prefix(&word.text) == Some(&word.text) {
                word.form = WordForm::Name;
            }
            word
        };
        let stage = Stage {
            replace: None,
            role: Spanned::new(role, what.span),
            types: None,
            first: read(what),
            second: Some(read(name)),
            args: Vec::new(),
            span: what.span,
        };
        order::order(&stage, self.env).swapped
    }

    fn types(&mut self, role: Role, types: &Types) {
        let arrow = arrow(role, types);
        let all: Vec<_> = types
            .before
            .iter()
            .chain(types.after.iter().flatten())
            .collect();
        for (i, ty) in all.iter().enumerate() {
            let mut text = self.tensor(ty);
            if i + 1 < all.len() && arrow != Some(i + 1) {
                text.push(',');
            }
            if i == 0 {
                self.glue(&format!("<{text}"), ty.span);
            } else if arrow == Some(i) {
                self.push(Join::Part, &format!("-> {text}"), ty.span);
            } else {
                self.push(Join::Part, &text, ty.span);
            }
        }
        self.glue(">", types.span);
    }

    /// A type; one element is written as `F32` where it was so written.
    fn tensor(&self, ty: &Spanned<PartialType>) -> String {
        match (self.raw(ty.span), ty.value.element) {
            (Some(raw), Some(element)) if !raw.contains('[') => element.to_string(),
            _ => ty.value.to_string(),
        }
    }

    /// Arguments; those of a model may be shapes.
    fn arguments(&mut self, args: &[Argument], of_model: bool) {
        for arg in args {
            let name = &arg.name;
            let before = self
                .text
                .and_then(|text| text.get(..name.span.start as usize));
            let two = name.value.len() > 1 || before.is_some_and(|text| text.ends_with("--"));
            let dashes = if two { "--" } else { "-" };
            self.push(
                Join::Argument,
                &format!("{dashes}{}", name.value),
                name.span,
            );
            let shape = of_model && ["input", "output"].contains(&name.value.as_str());
            self.value(arg, shape);
        }
    }

    /// The value of the argument whose flag is the last atom.
    fn value(&mut self, arg: &Argument, shape: bool) {
        let span = arg.value.span;
        let Value::List(items) = &arg.value.value else {
            let text = self.written(span, || plain(arg));
            return self.first_of_value(&text, span);
        };
        let texts = items
            .iter()
            .map(|item| self.written(item.span, || text::item(item.value)));
        let texts: Vec<String> = texts.collect();
        let boxed = self
            .raw(span)
            .map_or(shape || items.len() < 2, |raw| raw.starts_with('['));
        let (open, join) = if boxed {
            ("[", Join::Part)
        } else {
            ("", Join::Close)
        };
        if items.is_empty() {
            self.first_of_value(open, span);
        }
        for (i, (mut text, item)) in texts.into_iter().zip(items.iter()).enumerate() {
            // After a break, this would be a comment.
            let unbroken = text.starts_with('#');
            if i + 1 < items.len() {
                text.push(',');
            }
            if i == 0 {
                self.first_of_value(&format!("{open}{text}"), item.span);
            } else if unbroken {
                self.glue(&text, item.span);
            } else {
                self.push(join, &text, item.span);
            }
        }
        self.glue(if boxed { "]" } else { "" }, span);
    }

    /// The beginning of a value, after its flag and a blank, or `=` where the value demands it.
    fn first_of_value(&mut self, text: &str, span: Span) {
        let is_flag = text
            .strip_prefix("--")
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()));
        let between = if is_flag || text.starts_with(['#', '=']) {
            "="
        } else {
            " "
        };
        self.glue(between, span);
        self.glue(text, span);
    }

    fn run(&mut self, run: &Run) {
        self.keyword("RUN", run.span);
        for Step { stages, span } in &run.steps {
            let last = stages.len().saturating_sub(1);
            for (i, stage) in stages.iter().enumerate() {
                let port = stage.port.as_ref();
                let port = port.map_or_else(String::new, |port| format!(".{}", port.value));
                let group = last > 0;
                let open = if group && i == 0 { "[" } else { "" };
                let close = match i {
                    _ if !group => "",
                    i if i == last => "]",
                    _ => ",",
                };
                let join = if i == 0 { Join::Word } else { Join::Part };
                let text = format!("{open}{}{port}{close}", stage.name.value);
                self.push(join, &text, if i == last { *span } else { stage.span });
            }
        }
    }
}

/// A word made from its text.
fn made(word: &Word) -> String {
    match word.form {
        WordForm::Quoted => text::quote(&word.text),
        WordForm::Name | WordForm::Path => text::word(&word.text),
    }
}

/// A path or kind made from its text so that it is not taken for a name.
fn unmistakable(role: Role, what: &Word) -> String {
    match role {
        // A word that cannot be a kind would become another.
        Role::Capability | Role::Out if what.text.contains(|c: char| !c.is_alphanumeric()) => {
            what.text.clone()
        }
        Role::Capability | Role::Out => what.text.to_uppercase(),
        Role::ProcBlock | Role::Model => text::quote(&what.text),
    }
}

/// A value that is no list, made from what it is.
fn plain(arg: &Argument) -> String {
    match &arg.value.value {
        // Where a text is wanted, a number counts as it is written.
        Value::Integer(n) if is_integer(&arg.text, *n) => arg.text.clone(),
        Value::Float(x) if is_float(&arg.text, *x) => arg.text.clone(),
        Value::Integer(n) => n.to_string(),
        Value::Float(x) => format!("{x:?}"),
        Value::Text(text) => text::value(text),
        Value::Reference(name) => format!("${name}"),
        // Lists have been dealt with.
        Value::List(_) => String::new(),
    }
}

/// Whether a text is a whole number, as a Runefile has them, and this one.
fn is_integer(text: &str, n: i64) -> bool {
    !text.starts_with('+') && values::integer(text) == Ok(n)
}

/// Whether a text is a number with a point or an exponent, as a Runefile has them, and this one.
fn is_float(text: &str, x: f64) -> bool {
    let known = |b: u8| b.is_ascii_digit() || b"+-.eE".contains(&b);
    let signs = text.contains(['.', 'e', 'E']) && !text.starts_with('+');
    signs && text.bytes().all(known) && values::float(text) == Ok(x)
}
