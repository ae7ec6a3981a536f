//! What is in a rune, read from its bytes alone: nothing in them is run, and nothing of them is believed
//! before it is checked.

mod diff;
mod image;
mod json;
mod text;

use std::path::Path;

use rune_abi::{Manifest, ManifestView, export, section};
use rune_codegen::{Options, graph::Graph};
use wasmparser::{ExternalKind, Parser, Payload, Validator, WasmFeatures};

pub(crate) use diff::Diff;
pub(crate) use image::Machine;
pub(crate) use json::json;
pub(crate) use text::text;

use crate::{driver, driver::Request, world::Input};

/// Size of a page of memory.
const PAGE: u64 = 1 << 16;

/// What is in a rune.
#[derive(Clone, Debug, PartialEq)]
pub struct Rune {
    /// What it says of itself to its runtime.
    pub manifest: Manifest,
    /// SHA-256 of the file.
    pub digest: [u8; 32],
    /// Bytes of the file.
    pub file_bytes: u64,
    /// The parts of the file, which add up to it.
    pub parts: Vec<Part>,
    /// How many functions it has of its own.
    pub functions: u32,
    /// Bytes of their bodies.
    pub code_bytes: u64,
    /// The imports of its module, by name.
    pub imports: Vec<String>,
    /// Pages of 64 KiB that its memory takes.
    pub pages: u64,
    /// Whether what it was built from is inside.
    pub has_source: bool,
    /// Its stages and what they cost, or why that is not known.
    pub graph: Result<Graph, String>,
}

/// A part of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is: a section, or `frame` for all that is none.
    pub name: String,
    /// How many bytes.
    pub bytes: u64,
}

impl Rune {
    /// Reads a rune.
    ///
    /// # Errors
    /// One sentence: these bytes are no rune, or a damaged one.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        if !bytes.starts_with(b"\0asm") {
            return Err(foreign(bytes));
        }
        let damaged =
            |error: wasmparser::BinaryReaderError| format!("the module is damaged: {error}");
        Validator::new_with_features(features())
            .validate_all(bytes)
            .map_err(damaged)?;
        let mut module = Module::default();
        for payload in Parser::new(0).parse_all(bytes) {
            module.take(payload.map_err(damaged)?).map_err(damaged)?;
        }
        if module.is_block {
            return Err("it is a block, not a rune; `runec blocks FILE` shows it".to_owned());
        }
        let manifest = module.manifest.ok_or_else(|| {
            format!(
                "it is a WebAssembly module, but no rune: it has no section `{}`",
                section::MANIFEST
            )
        })?;
        let manifest = ManifestView::parse(manifest)
            .map_err(|error| format!("its manifest is damaged: {error}"))?
            .to_owned();
        if !module.exports_call {
            return Err(format!("it exports no function `{}`", export::CALL));
        }
        if module.pages * PAGE < u64::from(manifest.memory_bytes) {
            return Err("its memory is smaller than its manifest says".to_owned());
        }
        let graph = match module.graph {
            Some(graph) => graph_of(graph, &manifest, module.code_bytes),
            None => Err(format!("it has no section `{}`", section::GRAPH)),
        };
        let named: u64 = module.parts.iter().map(|p| p.bytes).sum();
        let file_bytes = bytes.len() as u64;
        module.parts.push(Part {
            name: "frame".to_owned(),
            bytes: file_bytes - named,
        });
        Ok(Self {
            manifest,
            digest: rune_ir::digest(bytes),
            file_bytes,
            parts: module.parts,
            functions: module.functions,
            code_bytes: module.code_bytes,
            imports: module.imports,
            pages: module.pages,
            has_source: module.has_source,
            graph,
        })
    }

    /// Bytes of the file that a device keeps: all but the sources, which are stripped before.
    pub(crate) fn deployed_bytes(&self) -> u64 {
        let sources = self.parts.iter().filter(|p| p.name == section::SOURCE);
        self.file_bytes - sources.map(|p| p.bytes).sum::<u64>()
    }
}

/// Reads what a rune says of its stages, and checks that it speaks of this module.
fn graph_of(text: &[u8], manifest: &Manifest, code_bytes: u64) -> Result<Graph, String> {
    let of = |reason: String| format!("its section `{}` cannot be used: {reason}", section::GRAPH);
    let text = std::str::from_utf8(text).map_err(|_| of("it is no text".to_owned()))?;
    let graph = Graph::parse(text).map_err(of)?;
    let memory: u64 = graph.report.memory.iter().map(|r| u64::from(r.bytes)).sum();
    let stages: Vec<&str> = graph.stages.iter().map(|s| s.name.as_str()).collect();
    if memory != u64::from(manifest.memory_bytes)
        || graph.report.code() != code_bytes
        || stages != manifest.stages
    {
        return Err(of("it is of another module".to_owned()));
    }
    Ok(graph)
}

/// What bytes are that are no module.
fn foreign(bytes: &[u8]) -> String {
    if bytes.get(4..8) == Some(b"TFL3") {
        "it is a model, not a rune; `runec model FILE` shows it".to_owned()
    } else if bytes.is_empty() {
        "it is empty".to_owned()
    } else {
        "it is no rune: it does not begin as a WebAssembly module does".to_owned()
    }
}

/// What a rune may use at most.
fn features() -> WasmFeatures {
    WasmFeatures::FLOATS
        | WasmFeatures::GC_TYPES
        | WasmFeatures::MUTABLE_GLOBAL
        | WasmFeatures::SIGN_EXTENSION
        | WasmFeatures::SATURATING_FLOAT_TO_INT
        | WasmFeatures::BULK_MEMORY
        | WasmFeatures::MULTI_VALUE
        | WasmFeatures::SIMD
        | WasmFeatures::RELAXED_SIMD
}

/// What was found in a module so far.
#[derive(Default)]
struct Module<'a> {
    parts: Vec<Part>,
    functions: u32,
    code_bytes: u64,
    imports: Vec<String>,
    pages: u64,
    manifest: Option<&'a [u8]>,
    graph: Option<&'a [u8]>,
    exports_call: bool,
    has_source: bool,
    is_block: bool,
}

impl<'a> Module<'a> {
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "the other payloads, and those to come, tell nothing that is shown"
    )]
    fn take(&mut self, payload: Payload<'a>) -> Result<(), wasmparser::BinaryReaderError> {
        let mut part = |name: &str, range: std::ops::Range<u64>| {
            self.parts.push(Part {
                name: name.to_owned(),
                bytes: range.end - range.start,
            });
        };
        match payload {
            Payload::CodeSectionStart {
                unchecked_range: range,
                count,
                ..
            } => {
                part("code", range);
                self.functions = count;
            }
            Payload::CodeSectionEntry(body) => {
                let range = body.range();
                self.code_bytes += range.end - range.start;
            }
            Payload::DataSection(data) => part("data", data.range()),
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    self.imports.push(import?.name.to_owned());
                }
            }
            Payload::MemorySection(memories) => {
                for memory in memories {
                    self.pages = memory?.initial;
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    let export = export?;
                    let is_function = export.kind == ExternalKind::Func;
                    self.exports_call |= is_function && export.name == export::CALL;
                }
            }
            Payload::CustomSection(custom) => {
                part(
                    custom.name(),
                    custom.data_offset()..custom.data_offset() + custom.data().len() as u64,
                );
                match custom.name() {
                    section::MANIFEST => self.manifest = Some(custom.data()),
                    section::GRAPH => self.graph = Some(custom.data()),
                    section::SOURCE => self.has_source = true,
                    section::BLOCK => self.is_block = true,
                    _ => {}
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Why there is no rune to look at.
pub(crate) enum Failure {
    /// The Runefile has errors, which have been shown.
    Errors(Box<driver::Compilation<rune_codegen::Output>>),
    /// One sentence about a file that is no rune.
    NoRune(String),
    /// One sentence about a file that cannot be read.
    Unreadable(String),
}

/// Opens a rune, or builds one from a Runefile or the folder of one, writing nothing.
pub(crate) fn open(path: &Path) -> Result<Rune, Failure> {
    let input = Input::open(path).map_err(Failure::Unreadable)?;
    let shown = path.display();
    let is_text = std::str::from_utf8(&input.bytes).is_ok_and(|t| !t.contains('\0'));
    let read = |bytes: &[u8]| {
        Rune::read(bytes)
            .map_err(|reason| Failure::NoRune(format!("cannot show {shown}: {reason}")))
    };
    if !is_text || input.bytes.is_empty() {
        return read(&input.bytes);
    }
    // What it would fit is told by what is shown, so a device it names is no reason to show nothing.
    let request = Request {
        build: true,
        ..input.request()
    };
    let compiled = driver::generate(driver::analyse(&request), &Options::default());
    match &compiled.output {
        Some(output) => read(&output.wasm),
        None => Err(Failure::Errors(Box::new(compiled))),
    }
}

/// The first half of a digest, as `rune.graph` has it.
fn short(digest: &[u8; 32]) -> String {
    hex(&digest[..8])
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
