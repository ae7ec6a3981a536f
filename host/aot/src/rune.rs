//! What an image takes over from its rune.

use std::collections::BTreeMap;

use rune_abi::{Import, ManifestView, export, section};
use wasmparser::{KnownCustom, Name, Parser, Payload, TypeRef};

use crate::Error;

/// What of a rune is in its image, beside its code.
pub(crate) struct Facts {
    pub(crate) manifest: Vec<u8>,
    /// The section `rune.graph`; nothing where there is none.
    pub(crate) graph: Vec<u8>,
    pub(crate) memory_bytes: u32,
    pub(crate) imports: Vec<Import>,
    pub(crate) resets: bool,
    /// Whether the module is of the form of the compiler in which constants have a memory of their own: there the records
    /// of fixed tensors are data that nobody writes.
    pub(crate) keeps_records: bool,
    pub(crate) names: Names,
}

/// Names of functions by their index.
#[derive(Default)]
pub(crate) struct Names(BTreeMap<u32, String>);

impl Facts {
    /// The graph of the rune, all else of the module that is compiled.
    pub(crate) fn read(rune: &[u8], module: &[u8]) -> Result<Self, Error> {
        let graph = custom(rune, section::GRAPH)?.unwrap_or_default();
        let manifest = custom(module, section::MANIFEST)?.ok_or_else(|| {
            Error::Rune(format!("the rune has no section `{}`", section::MANIFEST))
        })?;
        let memory_bytes = ManifestView::parse(&manifest)
            .map_err(|error| Error::Rune(format!("the manifest is damaged: {error}")))?
            .to_owned()
            .memory_bytes;
        let mut facts = Self {
            manifest,
            graph,
            memory_bytes,
            imports: Vec::new(),
            resets: false,
            keeps_records: false,
            names: Names::default(),
        };
        facts.take(module)?;
        Ok(facts)
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the translation looks at all else"
    )]
    fn take(&mut self, module: &[u8]) -> Result<(), Error> {
        let mut calls = false;
        for payload in Parser::new(0).parse_all(module) {
            match payload.map_err(|error| damaged(&error))? {
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        let import = import.map_err(|error| damaged(&error))?;
                        let known = (import.module == Import::MODULE)
                            .then(|| Import::from_name(import.name))
                            .flatten();
                        let known = known.filter(|_| {
                            matches!(import.ty, TypeRef::Func(_) | TypeRef::FuncExact(_))
                        });
                        self.imports.push(known.ok_or_else(|| {
                            Error::Rune(format!(
                                "the rune imports `{}` of `{}`, which no runtime has",
                                import.name, import.module
                            ))
                        })?);
                    }
                }
                Payload::ExportSection(exports) => {
                    for export in exports {
                        let export = export.map_err(|error| damaged(&error))?;
                        calls |= export.name == export::CALL;
                        self.resets |= export.name == export::RESET;
                    }
                }
                Payload::MemorySection(memories) => self.keeps_records = memories.count() > 1,
                Payload::CustomSection(custom) => {
                    if let KnownCustom::Name(names) = custom.as_known() {
                        self.names.take(names);
                    }
                }
                _ => {}
            }
        }
        if !calls {
            let reason = format!("the rune exports no `{}`", export::CALL);
            return Err(Error::Rune(reason));
        }
        Ok(())
    }
}

impl Names {
    /// Names are for people: those that are damaged are left out.
    fn take(&mut self, names: wasmparser::NameSectionReader<'_>) {
        for functions in names.flatten() {
            if let Name::Function(functions) = functions {
                let functions = functions.into_iter().flatten();
                self.0
                    .extend(functions.map(|name| (name.index, name.name.to_owned())));
            }
        }
    }

    /// Puts the names of the module in place of those in C, `f7` or a part of it, `f7.part.0`.
    pub(crate) fn apply(&self, functions: Vec<(u32, String)>) -> Vec<(u32, String)> {
        let name = |text: String| {
            let own = text.strip_prefix('f').unwrap_or_default();
            let digits = own.find(|c: char| !c.is_ascii_digit()).unwrap_or(own.len());
            let index = own[..digits].parse().ok();
            match index.and_then(|index: u32| self.0.get(&index)) {
                Some(name) => format!("{name}{}", &own[digits..]),
                None => text,
            }
        };
        let functions = functions.into_iter();
        functions.map(|(at, text)| (at, name(text))).collect()
    }
}

/// What a module has in a section of its own.
fn custom(module: &[u8], name: &str) -> Result<Option<Vec<u8>>, Error> {
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::CustomSection(custom) = payload.map_err(|error| damaged(&error))?
            && custom.name() == name
        {
            return Ok(Some(custom.data().to_vec()));
        }
    }
    Ok(None)
}

fn damaged(error: &wasmparser::Error) -> Error {
    Error::Rune(format!("the module is damaged: {error}"))
}
