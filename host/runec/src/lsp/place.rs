//! What stands where in a Runefile: one walk of the tree, which every feature reads.

use rune_ir::{diag::Span, env::Env};
use rune_runefile::{
    Format, Tree, order,
    tree::{Argument, Instruction, Keyword, Role, Types, Value, Word},
};

/// A piece of a Runefile and what it means.
#[derive(Clone, Debug)]
pub(crate) struct Part<'t> {
    pub(crate) span: Span,
    pub(crate) what: What<'t>,
    /// Which instruction of the tree it is of.
    pub(crate) instruction: usize,
}

impl Part<'_> {
    /// The instruction of `tree` that it is of.
    pub(crate) fn instruction<'a>(&self, tree: &'a Tree) -> &'a Instruction {
        &tree.instructions[self.instruction]
    }
}

/// What a piece of a Runefile means.
#[derive(Clone, Debug)]
pub(crate) enum What<'t> {
    /// The word that an instruction begins with, or `REPLACE` before it.
    Keyword(Keyword),
    /// What `FROM` or `FOR` names.
    Image(&'t str),
    /// The key of a label.
    LabelKey(&'t str),
    /// The value of a label.
    LabelValue(&'t str),
    /// The kind of a capability or an output. An `OUT` without a name is called by it.
    Kind {
        role: Role,
        word: &'t str,
        is_name: bool,
    },
    /// A block, by its name in the catalogue or its path.
    Block(&'t str),
    /// The file of a model or a resource.
    File(&'t str),
    /// The name of a stage, a resource or a layer.
    Name { symbol: Symbol<'t>, use_: Use },
    /// The number of an output, after the name of its stage.
    Port { stage: &'t str, port: u32 },
    /// The type of a tensor.
    Type,
    /// The name of an argument, dashes left out.
    Argument(&'t Argument),
    /// The value of an argument.
    Value(&'t Argument),
}

/// What a name stands for. Stages and resources have spaces of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Symbol<'t> {
    Stage(&'t str),
    Resource(&'t str),
    Alias(&'t str),
}

impl<'t> Symbol<'t> {
    pub(crate) fn name(self) -> &'t str {
        match self {
            Self::Stage(name) | Self::Resource(name) | Self::Alias(name) => name,
        }
    }
}

/// What a name is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// To give something this name.
    Definition,
    /// To mean what has this name.
    Reference,
}

/// Every piece of a Runefile that means something by itself, by rising start; none overlap.
pub(crate) fn parts<'t>(tree: &'t Tree, env: &dyn Env) -> Vec<Part<'t>> {
    let mut walk = Walk {
        parts: Vec::new(),
        instruction: 0,
        has_keywords: tree.format == Format::Text,
    };
    for (index, instruction) in tree.instructions.iter().enumerate() {
        walk.instruction = index;
        walk.instruction(instruction, env);
    }
    walk.parts.sort_by_key(|part| part.span);
    walk.parts
}

/// The piece at a byte, or the one that ends there.
pub(crate) fn at<'p, 't>(parts: &'p [Part<'t>], offset: usize) -> Option<&'p Part<'t>> {
    let offset = offset as u32;
    let touching = |part: &&Part<'_>| part.span.start <= offset && offset <= part.span.end;
    // Where two touch, the one that begins here is meant.
    parts.iter().rfind(touching)
}

struct Walk<'t> {
    parts: Vec<Part<'t>>,
    instruction: usize,
    has_keywords: bool,
}

impl<'t> Walk<'t> {
    fn add(&mut self, span: Span, what: What<'t>) {
        self.parts.push(Part {
            span,
            what,
            instruction: self.instruction,
        });
    }

    fn keyword(&mut self, at: Span, keyword: Keyword) {
        if self.has_keywords {
            let end = at.start + keyword.name().len() as u32;
            self.add(Span { end, ..at }, What::Keyword(keyword));
        }
    }

    fn name(&mut self, span: Span, symbol: Symbol<'t>, use_: Use) {
        self.add(span, What::Name { symbol, use_ });
    }

    fn instruction(&mut self, instruction: &'t Instruction, env: &dyn Env) {
        match instruction {
            Instruction::From(from) => {
                self.keyword(from.span, Keyword::From);
                self.add(from.image.span, What::Image(&from.image.value));
                if let Some(alias) = &from.alias {
                    self.name(alias.span, Symbol::Alias(&alias.value), Use::Definition);
                }
            }
            Instruction::For(device) => {
                self.keyword(device.span, Keyword::For);
                self.add(device.image.span, What::Image(&device.image.value));
            }
            Instruction::Label(label) => {
                self.keyword(label.span, Keyword::Label);
                for (key, value) in &label.pairs {
                    self.add(key.span, What::LabelKey(&key.value));
                    self.add(value.span, What::LabelValue(&key.value));
                }
            }
            Instruction::Resource(resource) => {
                self.keyword(resource.span, Keyword::Resource);
                if let Some(path) = &resource.path {
                    self.add(path.span, What::File(&path.value));
                }
                let name = &resource.name;
                self.name(name.span, Symbol::Resource(&name.value), Use::Definition);
                self.arguments(&resource.args);
            }
            Instruction::Set(set) => {
                self.keyword(set.span, Keyword::Set);
                let stage = &set.stage;
                self.name(stage.span, Symbol::Stage(&stage.value), Use::Reference);
                self.arguments(&set.args);
            }
            Instruction::Stage(stage) => {
                if let Some(replace) = stage.replace {
                    self.keyword(replace, Keyword::Replace);
                }
                let role = stage.role.value;
                self.keyword(stage.role.span, role.keyword());
                self.types(stage.types.as_ref());
                let ordered = order(stage, env);
                self.what(role, ordered.what, ordered.name.is_none());
                if let Some(name) = ordered.name {
                    self.name(name.span, Symbol::Stage(&name.text), Use::Definition);
                }
                self.arguments(&stage.args);
            }
            Instruction::Run(run) => {
                self.keyword(run.span, Keyword::Run);
                for stage in run.steps.iter().flat_map(|step| &step.stages) {
                    let name = &stage.name;
                    self.name(name.span, Symbol::Stage(&name.value), Use::Reference);
                    if let Some(port) = stage.port {
                        let (stage, port, span) = (name.value.as_str(), port.value, port.span);
                        self.add(span, What::Port { stage, port });
                    }
                }
            }
            Instruction::Faulty(faulty) => {
                if let Some(keyword) = faulty.keyword {
                    self.keyword(faulty.span, keyword);
                }
            }
        }
    }

    /// The kind or path of a stage.
    fn what(&mut self, role: Role, word: &'t Word, is_name: bool) {
        let text = word.text.as_str();
        let what = match role {
            Role::Capability | Role::Out => What::Kind {
                role,
                word: text,
                is_name: is_name && role == Role::Out,
            },
            Role::ProcBlock => What::Block(text),
            Role::Model => match text.strip_prefix('$') {
                Some(name) => What::Name {
                    symbol: Symbol::Resource(name),
                    use_: Use::Reference,
                },
                None => What::File(text),
            },
        };
        let sign = matches!(what, What::Name { .. }) as u32;
        let start = word.span.start + sign;
        self.add(Span { start, ..word.span }, what);
    }

    fn types(&mut self, types: Option<&'t Types>) {
        let Some(types) = types else { return };
        for ty in types.before.iter().chain(types.after.iter().flatten()) {
            self.add(ty.span, What::Type);
        }
    }

    fn arguments(&mut self, args: &'t [Argument]) {
        for arg in args {
            self.add(arg.name.span, What::Argument(arg));
            let span = arg.value.span;
            match &arg.value.value {
                Value::Reference(name) => {
                    let start = span.end - name.len() as u32;
                    self.name(
                        Span { start, ..span },
                        Symbol::Resource(name),
                        Use::Reference,
                    );
                }
                Value::Integer(_) | Value::Float(_) | Value::Text(_) | Value::List(_) => {
                    self.add(span, What::Value(arg));
                }
            }
        }
    }
}
