//! [`Tree`] to [`Pipeline`]: names resolved, files fetched, stages made. The edges are made in `wiring`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rune_abi::{CAPABILITIES, CapabilityKind, OUTPUTS, OutputKind};
use rune_ir::{
    args,
    diag::{Code, Diagnostic, Severity, Span, Spanned, did_you_mean, has_errors},
    env::Env,
    pipeline::{Pipeline, Stage, StageId, StageKind},
};

use crate::{
    foreign,
    format::Format,
    inherit::Below,
    layers::{Base, Layer},
    model_format,
    names::{self, Names},
    order::{Ordered, bad_name, old_order, order},
    resources::{self, Resource},
    shapes,
    tree::{self, Instruction, Keyword, Role, Tree, Word, WordForm},
    values::shorten,
    wiring,
};

/// Makes the pipeline that layers describe, the Runefile asked for first and each lying on the next, as
/// [`read_layers`](crate::read_layers) gives them. `env` is what the first sees, and `name` the rune's name
/// unless it has a `LABEL name=...`.
///
/// Stages of lower layers come before those of higher ones, and a stage that is replaced keeps its place: the
/// pipeline of the layers below is the beginning of the pipeline of all.
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
///
/// # Panics
/// If there is no layer.
pub fn lower(layers: &[Layer], env: &dyn Env, name: &str) -> (Option<Pipeline>, Vec<Diagnostic>) {
    let mut lowering = Lowering {
        env,
        pipeline: Pipeline {
            name: name.to_owned(),
            whole: layers[0].tree.whole,
            partial: layers.iter().any(|layer| layer.tree.flawed),
            ..Pipeline::default()
        },
        found: Vec::new(),
        stages: Names::default(),
        words: layers.iter().flat_map(|layer| words(&layer.tree)).collect(),
        homes: Vec::new(),
        resources: Names::default(),
    };
    // The topmost declaration of a resource counts, so these go from the top.
    for layer in layers {
        lowering.env = layer.env(env);
        lowering.declare_resources(&layer.tree);
    }
    for (height, layer) in layers.iter().rev().enumerate() {
        lowering.env = layer.env(env);
        lowering.header(&layer.tree, height == 0, height + 1 == layers.len());
        lowering.make_stages(&layer.tree, height);
        lowering.set_arguments(&layer.tree);
    }
    let Lowering {
        mut pipeline,
        mut found,
        stages,
        homes,
        ..
    } = lowering;
    let trees: Vec<&Tree> = layers.iter().rev().map(|layer| &layer.tree).collect();
    wiring::wire(&trees, &stages, &homes, &mut pipeline, &mut found);
    found.sort_by_key(|d| d.primary.span);
    let faulty = pipeline.partial || has_errors(&found);
    let pipeline = (!pipeline.stages.is_empty() || !faulty).then_some(pipeline);
    (pipeline, found)
}

struct Lowering<'e> {
    /// What the layer at hand sees.
    env: &'e dyn Env,
    pipeline: Pipeline,
    found: Vec<Diagnostic>,
    stages: Names<StageId>,
    /// Where each word stands that may be the name of a stage.
    words: BTreeMap<String, Span>,
    /// How high above the lowest layer each stage was first defined.
    homes: Vec<usize>,
    resources: Names<Resource>,
}

/// Labels that say which rune it is: a layer above is another rune.
const IDENTITY: [&str; 3] = ["name", "version", "security-counter"];

impl Lowering<'_> {
    /// Reports a fault that leaves a hole in the pipeline.
    fn hole(&mut self, diagnostic: Diagnostic) {
        self.pipeline.partial = true;
        self.found.push(diagnostic);
    }

    /// The base image, the devices and the labels. What a layer below says of them has been gathered.
    fn header(&mut self, tree: &Tree, is_lowest: bool, is_own: bool) {
        self.drop_labels_below(tree);
        let mut maybe_lost = tree.flawed && tree.instructions.is_empty();
        let mut base: Option<&tree::From> = None;
        for instruction in &tree.instructions {
            match instruction {
                Instruction::From(from) => match base {
                    Some(first) => self.found.push(
                        Diagnostic::new(
                            Code::DuplicateFrom,
                            from.span,
                            "Base image already specified",
                        )
                        .at("Duplicate defined here")
                        .also(first.image.span, "Original defined here")
                        .hint("keep one FROM; a Runefile has one base image")
                        .maybe_hint(self.is_device_of(first, from).then(|| {
                            format!(
                                "to have it checked that the rune fits a device, write `FOR {}`",
                                from.image.value
                            )
                        })),
                    ),
                    None => base = Some(from),
                },
                Instruction::For(device) => {
                    let known = |d: &Spanned<String>| d.value == device.image.value;
                    if self.has_image(&device.image, Keyword::For)
                        && !self.pipeline.devices.iter().any(known)
                    {
                        self.pipeline.devices.push(device.image.clone());
                    }
                }
                Instruction::Label(label) => {
                    for (key, value) in &label.pairs {
                        self.label(key, value, is_own);
                    }
                }
                // What is no instruction may be a FROM, misspelt.
                Instruction::Faulty(faulty) => {
                    maybe_lost |= matches!(faulty.keyword, None | Some(Keyword::From));
                }
                Instruction::Resource(_)
                | Instruction::Stage(_)
                | Instruction::Set(_)
                | Instruction::Run(_) => {}
            }
        }
        match base {
            Some(from) if Base::of(&from.image.value) == Base::Image => {
                let mut image = from.image.clone();
                if tree.format == Format::Yaml && !self.env.has_image(image_name(&image)) {
                    self.found.push(unchecked_image(&image));
                    UNCHECKED.clone_into(&mut image.value);
                } else {
                    self.has_image(&image, Keyword::From);
                }
                self.pipeline.image = Some(image);
            }
            // Nothing below could be read, which has been reported: it may define any name.
            Some(_) if is_lowest => {
                self.pipeline.partial = true;
                self.stages.lose_all();
                self.resources.lose_all();
            }
            Some(_) => {}
            None if !maybe_lost => {
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
            None => {}
        }
    }

    /// Whether a second FROM looks like the device that the rune is for.
    fn is_device_of(&self, first: &tree::From, second: &tree::From) -> bool {
        let name = image_name(&second.image);
        name != image_name(&first.image) && self.env.has_image(name)
    }

    /// Takes out the labels of layers below whose keys this layer has too.
    fn drop_labels_below(&mut self, tree: &Tree) {
        let labels = tree.instructions.iter().filter_map(|i| match i {
            Instruction::Label(label) => Some(label),
            Instruction::From(_)
            | Instruction::For(_)
            | Instruction::Resource(_)
            | Instruction::Set(_)
            | Instruction::Stage(_)
            | Instruction::Run(_)
            | Instruction::Faulty(_) => None,
        });
        let keys: BTreeSet<&str> = labels
            .flat_map(|label| &label.pairs)
            .map(|(key, _)| key.value.as_str())
            .collect();
        self.pipeline
            .labels
            .retain(|(key, _)| !keys.contains(key.value.as_str()));
    }

    /// Takes in a label.
    fn label(&mut self, key: &Spanned<String>, value: &Spanned<String>, is_own: bool) {
        if IDENTITY.contains(&key.value.as_str()) && !is_own {
            return;
        }
        if key.value == "name" {
            self.pipeline.name.clone_from(&value.value);
        }
        self.pipeline.labels.push((key.clone(), value.clone()));
    }

    /// Checks that the catalogue has an image; a version and a part are kept and not looked at.
    fn has_image(&mut self, image: &Spanned<String>, keyword: Keyword) -> bool {
        let name = image_name(image);
        let is_known = self.env.has_image(name);
        if !is_known {
            let known = self.env.images();
            let short = |k: &&str| k.rsplit('/').next() == Some(name);
            let near = did_you_mean(name, known.iter().map(String::as_str))
                .or_else(|| known.iter().map(String::as_str).find(short));
            let what = if keyword == Keyword::For {
                "device"
            } else {
                "base image"
            };
            let beside = format!("./{}", image.value);
            let is_beside = keyword == Keyword::From && self.env.layer(&beside).is_ok();
            self.found.push(
                Diagnostic::new(
                    Code::UnknownImage,
                    image.span,
                    format!("there is no {what} `{}`", shorten(name)),
                )
                .at("not in the catalogue")
                .note(format!("The {what}s are {}.", known.join(", ")))
                .maybe_hint(
                    is_beside.then(|| format!("for what lies beside, write `FROM {beside}`")),
                )
                .maybe_hint(near.map(|n| format!("did you mean `{n}`?"))),
            );
        }
        is_known
    }

    fn declare_resources(&mut self, tree: &Tree) {
        for instruction in &tree.instructions {
            match instruction {
                Instruction::Resource(resource) => {
                    let name = &resource.name;
                    match self.resources.place(&name.value) {
                        Some(first) if first.file == name.span.file => {
                            self.found.push(names::duplicate("resource", name, first));
                        }
                        // A layer above has another.
                        Some(_) => {}
                        None => {
                            let (resource, found) = resources::read(resource, self.env);
                            self.pipeline.partial |= resource.bytes.is_none();
                            self.found.extend(found);
                            self.resources.declare(name, resource);
                        }
                    }
                }
                Instruction::Faulty(faulty) => {
                    for name in &faulty.names {
                        self.resources.lose(name);
                        self.stages.lose(name);
                    }
                    // A stage without a name may be any that is missed.
                    if faulty.names.is_empty()
                        && matches!(
                            faulty.keyword,
                            Some(Keyword::Capability | Keyword::ProcBlock | Keyword::Model)
                        )
                    {
                        self.stages.lose_all();
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

    /// The bytes of a model's file, or a diagnostic at its path.
    fn model_file(&mut self, path: &Spanned<String>) -> Option<Arc<[u8]>> {
        let bytes = self.env.file(&path.value);
        bytes
            .map_err(|reason| {
                self.found
                    .push(resources::unreadable(path, "model", reason));
            })
            .ok()
    }

    fn make_stages(&mut self, tree: &Tree, height: usize) {
        for instruction in &tree.instructions {
            if let Instruction::Stage(stage) = instruction {
                let ordered = order(stage, self.env);
                if ordered.swapped {
                    self.found.push(old_order(stage, &ordered, self.env));
                }
                self.stage(stage, &ordered, height);
            }
        }
    }

    /// Makes one stage, or replaces one, unless it has no name, no kind, or the name of another.
    fn stage(&mut self, written: &tree::Stage, ordered: &Ordered<'_>, height: usize) {
        let name = self.stage_name(written, ordered);
        let kind = self.kind(written.role.value, ordered);
        let (Some(name), Some(kind)) = (name.clone(), kind) else {
            self.pipeline.partial = true;
            if let Some(name) = name {
                self.stages.lose(&name.value);
            }
            return;
        };
        let inherited = match self.below().replaced_by(written, ordered, &name, &kind) {
            Ok(inherited) => inherited,
            Err(diagnostic) => {
                self.stages.lose(&name.value);
                return self.hole(*diagnostic);
            }
        };
        let (mut declared, faults) = shapes::declared(written);
        for fault in faults {
            self.pipeline.partial |= fault.severity == Severity::Error;
            self.found.push(fault);
        }
        if let StageKind::Model { bytes, .. } = &kind {
            let unread = std::mem::take(&mut declared.args);
            self.found
                .extend(model_format::check(&name.value, &unread, bytes));
        }
        let args = declared
            .args
            .iter()
            .filter_map(|a| self.argument(a))
            .collect();
        let stage = Stage {
            name: name.clone(),
            kind,
            inputs: Vec::new(),
            declared_inputs: declared.inputs,
            declared_outputs: declared.outputs,
            args,
            span: written.span,
        };
        let id = if let Some(id) = inherited {
            self.pipeline.stages[id] = stage;
            id
        } else {
            self.homes.push(height);
            self.pipeline.stages.push(stage)
        };
        self.stages.declare(&name, id);
    }

    /// Gives inherited stages the arguments that a layer sets.
    fn set_arguments(&mut self, tree: &Tree) {
        for instruction in &tree.instructions {
            let Instruction::Set(set) = instruction else {
                continue;
            };
            match self.below().set_by(set) {
                Ok(Some(id)) => {
                    let args: Vec<_> = set.args.iter().filter_map(|a| self.argument(a)).collect();
                    self.pipeline.stages[id].args.extend(args);
                }
                Ok(None) => {}
                Err(diagnostic) => self.hole(*diagnostic),
            }
        }
    }

    fn below(&self) -> Below<'_> {
        Below {
            stages: &self.stages,
            pipeline: &self.pipeline,
        }
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
                        Some(self.binary(name, word.span)?)
                    }
                    _ => self.model_file(&text),
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

    /// The bytes `$name` stands for as a model.
    fn binary(&mut self, name: &str, span: Span) -> Option<Arc<[u8]>> {
        let text = self.resources.get(name).and_then(|resource| resource.text);
        if let Some(text) = text {
            self.hole(resources::not_binary(name, span, text));
            return None;
        }
        self.resource(name, span)
    }

    /// The bytes `$name` stands for; `None`: nothing declares it or its file cannot be had, which is
    /// reported.
    fn resource(&mut self, name: &str, span: Span) -> Option<Arc<[u8]>> {
        if let Some(resource) = self.resources.get(name) {
            return resource.bytes.clone();
        }
        if let Some(stage) = self.words.get(name).copied() {
            self.hole(resources::not_a_resource(name, span, stage));
        } else if !self.resources.is_lost(name) {
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

/// The words of a Runefile that may be names of stages, with their places.
fn words(tree: &Tree) -> impl Iterator<Item = (String, Span)> {
    let stages = tree.instructions.iter().filter_map(|i| match i {
        Instruction::Stage(stage) => Some(stage),
        Instruction::From(_)
        | Instruction::For(_)
        | Instruction::Label(_)
        | Instruction::Resource(_)
        | Instruction::Set(_)
        | Instruction::Run(_)
        | Instruction::Faulty(_) => None,
    });
    stages
        .flat_map(|stage| [Some(&stage.first), stage.second.as_ref()])
        .flatten()
        .filter(|word| word.form == WordForm::Name)
        .map(|word| (word.text.clone(), word.span))
}

/// What a rune is based on whose YAML names an image that does not exist.
pub(crate) const UNCHECKED: &str = "runicos/base";

/// The name of an image without version and part.
fn image_name(image: &Spanned<String>) -> &str {
    image.value.split(['@', '#']).next().unwrap_or("")
}

/// Says that an image does not exist where the reference system never looked.
fn unchecked_image(image: &Spanned<String>) -> Diagnostic {
    let mut diagnostic = Diagnostic::new(
        Code::UnknownImage,
        image.span,
        format!("there is no base image `{}`", shorten(&image.value)),
    )
    .at(format!("taken for {UNCHECKED}"))
    .hint(format!("write `image: {UNCHECKED}`"));
    diagnostic.severity = Severity::Warning;
    diagnostic
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
    let sensor = foreign::sensor(&word.text);
    let is_kind = |s: &&Word| CapabilityKind::from_name(&s.text).is_some();
    // A name may well be a kind in lower case, so that it says nothing beside a kind in upper case.
    let swapped = second.filter(|s| is_kind(s) && (is_upper(s) || !is_upper(word)));
    let hint = if let Some(start) = word.text.find('<') {
        Some(format!(
            "the type comes right after the keyword: `CAPABILITY{}`",
            shorten(&word.text[start..])
        ))
    } else if let Some(kind) = swapped {
        Some(format!(
            "the kind comes first: `CAPABILITY {} {}`",
            kind.text, word.text
        ))
    } else if let Some((kind, why)) = sensor {
        Some(format!("write `{kind}`{why}"))
    } else {
        did_you_mean(&word.text, names).map(|n| format!("did you mean `{}`?", n.to_uppercase()))
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
            None if did_you_mean(&word.text, OUTPUTS.iter().map(|s| s.name)).is_none() => Some(
                "write `OUT SERIAL`: the program that runs the rune gets its results, and passes them on".to_owned(),
            ),
            None => did_you_mean(&word.text, names)
                .map(|n| format!("did you mean `{}`?", n.to_uppercase())),
        })
}
