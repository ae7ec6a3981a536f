//! [`Tree`] to [`Pipeline`]: names resolved, files fetched, stages made. The edges are made in `wiring`.

use std::sync::Arc;

use rune_abi::{CAPABILITIES, CapabilityKind, OUTPUTS, OutputKind};
use rune_ir::{
    args,
    diag::{Code, Diagnostic, Severity, Span, Spanned, did_you_mean, has_errors},
    env::Env,
    pipeline::{Pipeline, Stage, StageId, StageKind},
};

use crate::{
    names::{self, Names},
    order::{Ordered, bad_name, old_order, order},
    shapes,
    tree::{self, Instruction, Keyword, Role, Tree, Word, WordForm},
    values::shorten,
    wiring,
};

/// Makes the pipeline a Runefile describes. `name` is the rune's name unless a `LABEL name=...` gives one.
///
/// Reports every name that is unknown or declared twice, every file and block that cannot be had, and every
/// edge that cannot be. What it leaves to the checks of `rune_ir`: whether arguments fit, types, counts of
/// inputs and outputs, cycles, and stages that nothing uses.
///
/// There is a pipeline unless errors left no stage at all, so that checking can go on after an error and find
/// more:
/// - A block that is not in the catalogue keeps its path as written, for which [`Env::block`] has nothing,
///   and a model whose file cannot be had has no bytes. Both have been reported.
/// - Where anything else is missing (a stage, an edge, an argument or a type that was at fault)
///   [`Pipeline::partial`] is set: a finding that something is missing may then follow from that.
pub fn lower(tree: &Tree, name: &str, env: &dyn Env) -> (Option<Pipeline>, Vec<Diagnostic>) {
    let mut lowering = Lowering {
        env,
        pipeline: Pipeline {
            name: name.to_owned(),
            whole: tree.whole,
            partial: tree.flawed,
            ..Pipeline::default()
        },
        found: Vec::new(),
        stages: Names::default(),
        resources: Names::default(),
    };
    lowering.header(tree);
    lowering.declare_resources(tree);
    lowering.make_stages(tree);
    let Lowering {
        mut pipeline,
        mut found,
        stages,
        ..
    } = lowering;
    wiring::wire(tree, &stages, &mut pipeline, &mut found);
    found.sort_by_key(|d| d.primary.span);
    let faulty = pipeline.partial || has_errors(&found);
    let pipeline = (!pipeline.stages.is_empty() || !faulty).then_some(pipeline);
    (pipeline, found)
}

struct Lowering<'e> {
    env: &'e dyn Env,
    pipeline: Pipeline,
    found: Vec<Diagnostic>,
    stages: Names<StageId>,
    /// The bytes of each resource; none where its file cannot be had.
    resources: Names<Option<Arc<[u8]>>>,
}

impl Lowering<'_> {
    /// Reports a fault that leaves a hole in the pipeline.
    fn hole(&mut self, diagnostic: Diagnostic) {
        self.pipeline.partial = true;
        self.found.push(diagnostic);
    }

    /// The base image and the labels.
    fn header(&mut self, tree: &Tree) {
        let mut maybe_lost = tree.flawed && tree.instructions.is_empty();
        for instruction in &tree.instructions {
            match instruction {
                Instruction::From(from) => match &self.pipeline.image {
                    Some(first) => self.found.push(
                        Diagnostic::new(
                            Code::DuplicateFrom,
                            from.span,
                            "Base image already specified",
                        )
                        .at("Duplicate defined here")
                        .also(first.span, "Original defined here")
                        .hint("keep one FROM; a Runefile has one base image"),
                    ),
                    None => self.pipeline.image = Some(self.image(&from.image)),
                },
                Instruction::Label(label) => {
                    for (key, value) in &label.pairs {
                        if key.value == "name" {
                            self.pipeline.name.clone_from(&value.value);
                        }
                        self.pipeline.labels.push((key.clone(), value.clone()));
                    }
                }
                // What is no instruction may be a FROM, misspelt.
                Instruction::Faulty(faulty) => {
                    maybe_lost |= matches!(faulty.keyword, None | Some(Keyword::From));
                }
                Instruction::For(_)
                | Instruction::Resource(_)
                | Instruction::Stage(_)
                | Instruction::Set(_)
                | Instruction::Run(_) => {}
            }
        }
        if self.pipeline.image.is_none() && !maybe_lost {
            let start = Span {
                end: tree.whole.start,
                ..tree.whole
            };
            let image = self.env.images().into_iter().next();
            let image = image.as_deref().unwrap_or("runicos/base");
            self.found.push(
                Diagnostic::new(Code::MissingFrom, start, "No base image specified")
                    .at("expected a FROM")
                    .hint(format!("begin the Runefile with `FROM {image}`")),
            );
        }
    }

    /// Checks that the catalogue has an image; a version and a part are kept and not looked at.
    fn image(&mut self, image: &Spanned<String>) -> Spanned<String> {
        let name = image.value.split(['@', '#']).next().unwrap_or("");
        if !self.env.has_image(name) {
            let known = self.env.images();
            let near = did_you_mean(name, known.iter().map(String::as_str));
            self.found.push(
                Diagnostic::new(
                    Code::UnknownImage,
                    image.span,
                    format!("there is no base image `{}`", shorten(name)),
                )
                .at("not in the catalogue")
                .note(format!("The base images are {}.", known.join(", ")))
                .maybe_hint(near.map(|n| format!("did you mean `{n}`?"))),
            );
        }
        image.clone()
    }

    fn declare_resources(&mut self, tree: &Tree) {
        for instruction in &tree.instructions {
            match instruction {
                Instruction::Resource(resource) => {
                    if let Some(first) = self.resources.place(&resource.name.value) {
                        self.found
                            .push(names::duplicate("resource", &resource.name, first));
                    } else {
                        let bytes = self.content(resource);
                        self.pipeline.partial |= bytes.is_none();
                        self.resources.declare(&resource.name, bytes);
                    }
                }
                Instruction::Faulty(faulty) => {
                    for name in &faulty.names {
                        self.resources.lose(name);
                        self.stages.lose(name);
                    }
                }
                Instruction::From(_)
                | Instruction::For(_)
                | Instruction::Set(_)
                | Instruction::Label(_)
                | Instruction::Stage(_)
                | Instruction::Run(_) => {}
            }
        }
    }

    /// The bytes of a resource: those of its file, or its text.
    fn content(&mut self, resource: &tree::Resource) -> Option<Arc<[u8]>> {
        match &resource.path {
            Some(path) => self.file(path, "resource"),
            None => resource.args.iter().find_map(|a| match &a.value.value {
                tree::Value::Text(text) => Some(Arc::from(text.as_bytes())),
                tree::Value::Integer(_)
                | tree::Value::Float(_)
                | tree::Value::List(_)
                | tree::Value::Reference(_) => None,
            }),
        }
    }

    /// The bytes of a file, or a diagnostic at its path.
    fn file(&mut self, path: &Spanned<String>, what: &str) -> Option<Arc<[u8]>> {
        match self.env.file(&path.value) {
            Ok(bytes) => Some(bytes),
            Err(reason) => {
                self.found.push(
                    Diagnostic::new(
                        Code::FileMissing,
                        path.span,
                        format!("cannot read the {what} `{}`", shorten(&path.value)),
                    )
                    .at(reason)
                    .hint("paths are relative to the folder of the Runefile"),
                );
                None
            }
        }
    }

    fn make_stages(&mut self, tree: &Tree) {
        for instruction in &tree.instructions {
            if let Instruction::Stage(stage) = instruction {
                let ordered = order(stage, self.env);
                if ordered.swapped {
                    self.found.push(old_order(stage, &ordered));
                }
                self.stage(stage, &ordered);
            }
        }
    }

    /// Makes one stage, unless it has no name, no kind, or the name of another.
    fn stage(&mut self, stage: &tree::Stage, ordered: &Ordered<'_>) {
        let name = self.stage_name(stage, ordered);
        let kind = self.kind(stage.role.value, ordered);
        let (Some(name), Some(kind)) = (name.clone(), kind) else {
            self.pipeline.partial = true;
            if let Some(name) = name {
                self.stages.lose(&name.value);
            }
            return;
        };
        if let Some(first) = self.stages.place(&name.value) {
            let diagnostic = names::duplicate("stage", &name, first);
            let hint = match stage.role.value {
                Role::Out if ordered.name.is_none() => {
                    format!(
                        "give this output a name of its own: `OUT {} second_{}`",
                        ordered.what.text, name.value
                    )
                }
                Role::Capability | Role::ProcBlock | Role::Model | Role::Out => {
                    "give one of them another name".to_owned()
                }
            };
            self.hole(diagnostic.hint(hint));
            return;
        }
        let (declared, faults) = shapes::declared(stage);
        for fault in faults {
            self.pipeline.partial |= fault.severity == Severity::Error;
            self.found.push(fault);
        }
        let args = declared
            .args
            .iter()
            .filter_map(|a| self.argument(a))
            .collect();
        let id = self.pipeline.stages.push(Stage {
            name: name.clone(),
            kind,
            inputs: Vec::new(),
            declared_inputs: declared.inputs,
            declared_outputs: declared.outputs,
            args,
            span: stage.span,
        });
        self.stages.declare(&name, id);
    }

    /// The name of a stage; an `OUT` without one is called by its kind.
    fn stage_name(
        &mut self,
        stage: &tree::Stage,
        ordered: &Ordered<'_>,
    ) -> Option<Spanned<String>> {
        let Some(word) = ordered.name else {
            let kind = OutputKind::from_name(&ordered.what.text);
            let name = kind.map_or(ordered.what.text.as_str(), |k| k.spec().name);
            return Some(Spanned::new(name.to_lowercase(), ordered.what.span));
        };
        if word.form != WordForm::Name {
            self.found.push(bad_name(word, stage.role.value));
            return None;
        }
        Some(Spanned::new(word.text.clone(), word.span))
    }

    fn kind(&mut self, role: Role, ordered: &Ordered<'_>) -> Option<StageKind> {
        let word = ordered.what;
        let text = Spanned::new(word.text.clone(), word.span);
        match role {
            Role::Capability => {
                if let Some(kind) = CapabilityKind::from_name(&word.text) {
                    return Some(StageKind::Capability(Spanned::new(kind, word.span)));
                }
                self.found.push(unknown_capability(word, ordered.name));
                // Which word was meant as the kind is not certain, so neither is which is the name.
                self.stages.lose(&word.text);
                None
            }
            Role::Out => {
                if let Some(kind) = OutputKind::from_name(&word.text) {
                    return Some(StageKind::Output(Spanned::new(kind, word.span)));
                }
                self.found.push(unknown_output(word));
                None
            }
            Role::ProcBlock => {
                let block = self.env.resolve_block(&word.text);
                if block.is_none() {
                    let diagnostic = self.unknown_block(word);
                    self.found.push(diagnostic);
                }
                let path = block.unwrap_or(text.value);
                Some(StageKind::Block(Spanned::new(path, word.span)))
            }
            Role::Model => {
                let bytes = match word.text.strip_prefix('$') {
                    Some(name) if word.form != WordForm::Quoted => {
                        Some(self.resource(name, word.span)?)
                    }
                    _ => self.file(&text, "model"),
                };
                Some(StageKind::Model {
                    path: text,
                    bytes: bytes.unwrap_or_else(|| Arc::from([])),
                })
            }
        }
    }

    fn unknown_block(&self, word: &Word) -> Diagnostic {
        let known = self.env.blocks();
        let last = |path: &str| path.rsplit(['/', '#']).next().unwrap_or("").to_owned();
        let wanted = last(&word.text);
        // Nearest by its whole path, or else by its last part: `runicos/lable`, `lable`, `x#lable`.
        let near = did_you_mean(&word.text, known.iter().map(String::as_str)).or_else(|| {
            known
                .iter()
                .map(String::as_str)
                .find(|k| last(k) == wanted)
                .or_else(|| {
                    let near =
                        did_you_mean(&wanted, known.iter().map(|k| &k[k.len() - last(k).len()..]))?;
                    known.iter().map(String::as_str).find(|k| last(k) == near)
                })
        });
        Diagnostic::new(
            Code::UnknownBlock,
            word.span,
            format!("there is no block `{}`", shorten(&word.text)),
        )
        .at("not in the catalogue")
        .note(format!(
            "`runec blocks` lists the {} of the catalogue.",
            known.len()
        ))
        .maybe_hint(near.map(|n| format!("did you mean `{n}`?")))
    }

    /// An argument with its resource, if it names one that is there.
    fn argument(&mut self, arg: &tree::Argument) -> Option<args::Argument> {
        let value = match &arg.value.value {
            tree::Value::Integer(n) => args::Value::Integer(*n),
            tree::Value::Float(x) => args::Value::Float(*x),
            tree::Value::Text(text) => args::Value::Text(text.clone()),
            tree::Value::List(items) => args::Value::List(items.clone()),
            tree::Value::Reference(name) => {
                args::Value::Resource(self.resource(name, arg.value.span)?)
            }
        };
        Some(args::Argument {
            name: arg.name.clone(),
            value: Spanned::new(value, arg.value.span),
            text: arg.text.clone(),
        })
    }

    /// The bytes `$name` stands for; `None`: nothing declares it or its file cannot be had, which is
    /// reported.
    fn resource(&mut self, name: &str, span: Span) -> Option<Arc<[u8]>> {
        if let Some(bytes) = self.resources.get(name) {
            return bytes.clone();
        }
        if !self.resources.is_lost(name) {
            let near = self
                .resources
                .suggestion(name)
                .map(|n| format!("did you mean `${n}`?"));
            let hint = near.unwrap_or_else(|| {
                format!(
                    "define it: `RESOURCE path {name}`, or put the value in quotes if it is text"
                )
            });
            self.hole(
                Diagnostic::new(
                    Code::UnknownResource,
                    span,
                    format!("No definition for \"${name}\""),
                )
                .at("no RESOURCE defines this")
                .hint(hint),
            );
        }
        None
    }
}

/// Names of output kinds that are set aside for later versions.
const RESERVED_OUTPUTS: [&str; 4] = ["BLE", "PIN", "WIFI", "TENSOR"];

/// Says that neither `first` is a capability, nor `second` one in upper case.
fn unknown_capability(first: &Word, second: Option<&Word>) -> Diagnostic {
    let is_upper = |word: &Word| !word.text.bytes().any(|b| b.is_ascii_lowercase());
    // In the old order the kind stands second, and kinds are mostly written in upper case.
    let old_order = second.filter(|second| is_upper(second) && !is_upper(first));
    let word = old_order.unwrap_or(first);
    let known: Vec<&str> = CAPABILITIES.iter().map(|s| s.name).collect();
    let names = CAPABILITIES
        .iter()
        .flat_map(|s| s.aliases.iter().copied().chain([s.name]));
    let hint = match second.filter(|s| CapabilityKind::from_name(&s.text).is_some()) {
        Some(kind) => Some(format!(
            "the kind comes first: `CAPABILITY {} {}`",
            kind.text, word.text
        )),
        None => {
            did_you_mean(&word.text, names).map(|n| format!("did you mean `{}`?", n.to_uppercase()))
        }
    };
    Diagnostic::new(
        Code::UnknownCapability,
        word.span,
        format!("there is no capability `{}`", shorten(&word.text)),
    )
    .at("unknown kind")
    .note("This isn't one of the builtin capabilities.")
    .note(format!("The capabilities are {}.", known.join(", ")))
    .maybe_hint(hint)
}

fn unknown_output(word: &Word) -> Diagnostic {
    let known = OUTPUTS
        .iter()
        .map(|s| s.name)
        .collect::<Vec<_>>()
        .join(", ");
    let names = OUTPUTS
        .iter()
        .flat_map(|s| s.aliases.iter().copied().chain([s.name]));
    let diagnostic = Diagnostic::new(
        Code::UnknownOutput,
        word.span,
        format!("there is no output `{}`", shorten(&word.text)),
    )
    .at("unknown kind");
    let reserved = RESERVED_OUTPUTS
        .iter()
        .find(|r| r.eq_ignore_ascii_case(&word.text));
    let diagnostic = match reserved {
        Some(kind) => diagnostic.note(format!(
            "{kind} is a reserved kind and not an output of this version."
        )),
        None => diagnostic.note("Unknown OUT type."),
    };
    diagnostic
        .note(format!("The outputs are {known}."))
        .maybe_hint(match reserved {
            Some(_) => Some(format!("this version writes to {known}")),
            None => did_you_mean(&word.text, names)
                .map(|n| format!("did you mean `{}`?", n.to_uppercase())),
        })
}
