//! What may be written at a place, also on a line that is not finished.

use std::{collections::BTreeSet, fs, path::Path};

use rune_abi::{CAPABILITIES, CapabilityKind, OUTPUTS, OutputKind};
use rune_ir::{
    args::{ArgSpec, ArgType},
    ty::ElementType,
};
use rune_runefile::{
    Format,
    tree::{Instruction, Keyword, Role},
};

use super::{
    analysis::Analysis,
    hover,
    line::{self, Line},
    words,
};
use crate::reference;

/// Something that may be written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    /// The text that takes the place of what has been written of the word.
    pub(crate) text: String,
    pub(crate) kind: Kind,
    /// A few words beside it.
    pub(crate) detail: String,
    /// What it means, in Markdown; of a block it is looked up when asked for.
    pub(crate) doc: Option<String>,
}

/// What sort of thing may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Keyword,
    Image,
    Peripheral,
    Block,
    Stage,
    Resource,
    Argument,
    Value,
    Type,
    File,
    Folder,
    Label,
}

/// What may be written at a byte, and how many bytes before it that takes the place of.
pub(crate) fn complete(analysis: &Analysis, offset: usize) -> (Vec<Item>, usize) {
    let none = (Vec::new(), 0);
    if analysis.tree().format != Format::Text {
        return none;
    }
    let Some(line) = line::before(analysis.text(), offset) else {
        return none;
    };
    let partial = line.partial;
    let mut completer = Completer {
        analysis,
        given: line::flags(analysis.text(), offset),
        partial,
        items: Vec::new(),
        taken: partial.len(),
    };
    completer.line(&line);
    (completer.items, completer.taken)
}

/// The page of a block of the catalogue, in Markdown.
pub(crate) fn block_page(analysis: &Analysis, name: &str) -> Option<String> {
    let bytes = analysis.env().block(name)?;
    let block = analysis.memo.block(&bytes).ok()?;
    Some(reference::page(&block.signature))
}

struct Completer<'a> {
    analysis: &'a Analysis,
    given: Vec<&'a str>,
    partial: &'a str,
    items: Vec<Item>,
    taken: usize,
}

impl<'a> Completer<'a> {
    fn add(&mut self, kind: Kind, text: impl Into<String>, detail: impl Into<String>) {
        self.with_doc(kind, text, detail, None);
    }

    fn with_doc(
        &mut self,
        kind: Kind,
        text: impl Into<String>,
        detail: impl Into<String>,
        doc: Option<String>,
    ) {
        self.items.push(Item {
            text: text.into(),
            kind,
            detail: detail.into(),
            doc,
        });
    }

    fn line(&mut self, line: &Line<'a>) {
        if line.in_types {
            for element in ElementType::ALL {
                self.add(Kind::Type, element.name().to_uppercase(), "element type");
            }
            return;
        }
        let words = match line.words.as_slice() {
            ["REPLACE"] => return self.keywords(&ROLES.map(Role::keyword)),
            ["REPLACE", words @ ..] => words,
            words => words,
        };
        let Some((first, words)) = words.split_first() else {
            return self.keywords(&Keyword::ALL);
        };
        let Some(keyword) = Keyword::from_name(first) else {
            return;
        };
        match keyword {
            Keyword::From | Keyword::For => match words {
                [] => {
                    self.images();
                    self.files(&["Runefile", "rune", "yml", "yaml"]);
                }
                [_] if keyword == Keyword::From => self.add(Kind::Keyword, "AS", "name the base"),
                _ => {}
            },
            Keyword::Label => {
                for (key, doc) in words::LABELS {
                    let doc = Some(doc.to_owned());
                    self.with_doc(Kind::Label, format!("{key}="), "label", doc);
                }
            }
            Keyword::Resource => match words {
                [] => self.files(&[]),
                ["--type" | "-t"] | [.., "--type" | "-t"] => {
                    for ty in ["string", "binary"] {
                        self.add(Kind::Value, ty, "type of resource");
                    }
                }
                _ => {
                    for (flag, doc) in [
                        ("--type", "string or binary"),
                        ("--text", "the text itself"),
                    ] {
                        if !self.given.contains(&&flag[2..]) {
                            self.add(Kind::Argument, flag, doc);
                        }
                    }
                }
            },
            Keyword::Set => match words {
                [] => self.stages(),
                [stage, rest @ ..] => {
                    let specs = self.analysis.stage(stage);
                    let specs = specs.map(|(id, stage)| self.analysis.specs(id, stage));
                    self.arguments(&specs.unwrap_or_default(), rest);
                }
            },
            Keyword::Run => self.steps(),
            Keyword::Capability => self.stage(Role::Capability, words),
            Keyword::ProcBlock => self.stage(Role::ProcBlock, words),
            Keyword::Model => self.stage(Role::Model, words),
            Keyword::Out => self.stage(Role::Out, words),
            Keyword::Replace => {}
        }
    }

    fn keywords(&mut self, keywords: &[Keyword]) {
        for keyword in keywords {
            let doc = Some(words::keyword_page(*keyword));
            self.with_doc(Kind::Keyword, keyword.name(), keyword.form(), doc);
        }
    }

    fn images(&mut self) {
        for image in rune_catalogue::images() {
            let doc = Some(words::image_page(image));
            self.with_doc(Kind::Image, image.name.clone(), "image", doc);
        }
    }

    /// The words after the keyword of an instruction that defines a stage.
    fn stage(&mut self, role: Role, words: &[&str]) {
        let Some((what, rest)) = words.split_first() else {
            return self.kinds(role);
        };
        let is_named = match rest.split_first() {
            Some((name, _)) => !name.starts_with('-'),
            None => role == Role::Out,
        };
        if !is_named && rest.is_empty() && !self.partial.starts_with('-') {
            // A name to begin with.
            let last = what.rsplit(['/', '#']).next().unwrap_or(what);
            let name: String = last.split('.').next().unwrap_or(last).to_lowercase();
            let is_free = self.analysis.stage(&name).is_none();
            if is_free && name.starts_with(|c: char| c.is_ascii_alphabetic()) {
                self.add(Kind::Stage, name, "a name");
            }
            return;
        }
        let rest = match rest.split_first() {
            Some((name, rest)) if !name.starts_with('-') => rest,
            _ => rest,
        };
        let specs = self.specs(role, what);
        self.arguments(&specs, rest);
    }

    /// What a stage of this kind or path takes.
    fn specs(&self, role: Role, what: &str) -> Vec<ArgSpec> {
        let params = match role {
            Role::Capability => CapabilityKind::from_name(what).map(|kind| kind.spec().params),
            Role::Out => OutputKind::from_name(what).map(|kind| kind.spec().params),
            Role::Model => None,
            Role::ProcBlock => {
                let env = self.analysis.env();
                let path = env.resolve_block(what.trim_matches(['"', '\'']));
                let bytes = path.and_then(|path| match env.block(&path) {
                    Some(bytes) => Some(bytes),
                    None => match env.folder_block(&path, false) {
                        Some(built) => built.ok(),
                        None => env.file(&path).ok(),
                    },
                });
                let block = bytes.and_then(|bytes| self.analysis.memo.block(&bytes).ok());
                return block.map_or_else(Vec::new, |block| block.signature.args.clone());
            }
        };
        params.into_iter().flatten().map(ArgSpec::from).collect()
    }

    fn kinds(&mut self, role: Role) {
        match role {
            Role::Capability => {
                for spec in CAPABILITIES {
                    let doc = words::kind_page(role, spec.name);
                    self.with_doc(Kind::Peripheral, spec.name, spec.doc, doc);
                }
            }
            Role::Out => {
                for spec in OUTPUTS {
                    let doc = words::kind_page(role, spec.name);
                    self.with_doc(Kind::Peripheral, spec.name, spec.doc, doc);
                }
            }
            Role::ProcBlock => {
                for name in rune_catalogue::blocks() {
                    self.add(Kind::Block, name, "block");
                }
                self.files(&["wasm"]);
            }
            Role::Model => {
                self.files(&["tflite"]);
                self.resources();
            }
        }
    }

    fn arguments(&mut self, specs: &[ArgSpec], rest: &[&str]) {
        let named = |flag: &str| {
            let name = flag.trim_start_matches('-');
            specs.iter().find(|spec| spec.is_named(name))
        };
        if let Some((flag, value)) = self.partial.split_once('=')
            && flag.starts_with('-')
        {
            self.taken = value.len();
            self.values(named(flag));
            return;
        }
        if let Some(flag) = rest
            .last()
            .filter(|word| word.starts_with("--") && !word.contains('='))
            && !self.partial.starts_with("--")
        {
            return self.values(named(flag));
        }
        let given = std::mem::take(&mut self.given);
        let own = self.partial.trim_start_matches('-');
        for spec in specs {
            let is_given = given.iter().any(|flag| *flag != own && spec.is_named(flag));
            if !is_given {
                let detail = if spec.unit.is_empty() {
                    spec.expects()
                } else {
                    format!("{}, in {}", spec.expects(), spec.unit)
                };
                let doc = Some(reference::argument(spec));
                self.with_doc(Kind::Argument, format!("--{}", spec.name), detail, doc);
            }
        }
    }

    fn values(&mut self, spec: Option<&ArgSpec>) {
        let Some(spec) = spec else {
            return self.resources();
        };
        match &spec.ty {
            ArgType::Text { words } if !words.is_empty() => {
                for word in words {
                    self.add(Kind::Value, word, &spec.name);
                }
            }
            ArgType::Bool => {
                for word in ["true", "false"] {
                    self.add(Kind::Value, word, &spec.name);
                }
            }
            ArgType::Text { .. } | ArgType::List | ArgType::Bytes => self.resources(),
            ArgType::Integer { .. } | ArgType::Float { .. } => {}
        }
    }

    fn resources(&mut self) {
        let analysis = self.analysis;
        let mut names = BTreeSet::new();
        for layer in &analysis.checked.layers {
            names.extend(layer.tree.instructions.iter().filter_map(|i| match i {
                Instruction::Resource(resource) => Some(resource.name.value.as_str()),
                _ => None,
            }));
        }
        for name in names {
            self.add(Kind::Resource, format!("${name}"), "resource");
        }
    }

    fn stages(&mut self) {
        let analysis = self.analysis;
        for (_, stage) in analysis.stages() {
            self.add(Kind::Stage, &stage.name.value, hover::what(stage));
        }
    }

    /// Stages, or the outputs of one after its point.
    fn steps(&mut self) {
        let Some((name, port)) = self.partial.split_once('.') else {
            return self.stages();
        };
        let Some((id, _)) = self.analysis.stage(name) else {
            return;
        };
        self.taken = port.len();
        let analysis = self.analysis;
        for (port, ty) in analysis.outputs(id).iter().enumerate() {
            self.add(Kind::Value, port.to_string(), ty.to_string());
        }
    }

    /// Files whose names end so, any where nothing is given, and folders, of the folder that has been written.
    fn files(&mut self, ends: &[&str]) {
        let folder = match self.partial.rfind('/') {
            Some(at) => &self.partial[..=at],
            None => "",
        };
        let root = self.analysis.path.parent().unwrap_or(Path::new(""));
        let Ok(entries) = fs::read_dir(root.join(if folder.is_empty() { "." } else { folder }))
        else {
            return;
        };
        let names = entries.filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            let is_folder = entry.path().is_dir();
            let is_wanted = is_folder
                || ends.is_empty()
                || ends
                    .iter()
                    .any(|end| name == *end || name.ends_with(&format!(".{end}")));
            (is_wanted && !name.starts_with('.')).then_some((name, is_folder))
        });
        let names: BTreeSet<(String, bool)> = names.take(MOST_FILES).collect();
        let prefix = if folder.is_empty() { "./" } else { folder };
        for (name, is_folder) in names {
            if is_folder {
                self.add(Kind::Folder, format!("{prefix}{name}/"), "folder");
            } else if root.join(format!("{prefix}{name}")) != self.analysis.path {
                self.add(Kind::File, format!("{prefix}{name}"), "file");
            }
        }
    }
}

/// Files of a folder that are offered.
const MOST_FILES: usize = 1000;

const ROLES: [Role; 4] = [Role::Capability, Role::ProcBlock, Role::Model, Role::Out];
