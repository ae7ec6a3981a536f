//! Step one of starting a rune: its bytes against the contract, by reading alone.

use rune_abi::{
    ABI_VERSION, Import, Manifest, ManifestView, ParamType, ValType, Value, WasmFeatures, export,
    section,
};
use wasmparser::{
    DataKind, Encoding, Export, ExternalKind, FuncType, FunctionBody, Operator, Parser, Payload,
    TypeRef, ValidPayload, Validator, types::Types,
};

use crate::LoadError;

const PAGE: u64 = 1 << 16;
/// Most entries of a table; a rune needs one per function whose address is taken.
pub(crate) const TABLE_ENTRIES: u32 = 1 << 16;

/// What the check found out.
pub(crate) struct Checked {
    pub(crate) manifest: Manifest,
    /// The functions the module imports.
    pub(crate) imports: Vec<Import>,
}

/// Checks a module against every rule of `docs/abi.md` that can be seen without running it.
pub(crate) fn check(bytes: &[u8]) -> Result<Checked, LoadError> {
    if !bytes.starts_with(b"\0asm") {
        return Err(LoadError::Module {
            offset: 0,
            what: r"it does not begin with `\0asm`".to_owned(),
        });
    }
    let section = manifest_section(bytes)?;
    let view = ManifestView::parse(section).map_err(LoadError::Manifest)?;
    if view.abi_version != ABI_VERSION {
        return Err(LoadError::AbiVersion(view.abi_version));
    }
    let manifest = view.to_owned();
    parameters(&manifest)?;
    let module = Module::read(bytes, manifest.features)?;
    let imports = module.imports(&manifest)?;
    module.exports(imports.len())?;
    module.memory(manifest.memory_bytes)?;
    module.tables()?;
    module.manifest_function(imports.len(), section)?;
    Ok(Checked { manifest, imports })
}

/// The parameters of capabilities and outputs are those of the contract's table, with values it allows. As no
/// row of it takes free text, a rune cannot name a file, a device or an address of its host.
fn parameters(manifest: &Manifest) -> Result<(), LoadError> {
    let capabilities = manifest.capabilities.iter().map(|c| {
        let spec = c.kind.spec();
        (spec.name, &c.name, spec.params, &c.params)
    });
    let outputs = manifest.outputs.iter().map(|o| {
        let spec = o.kind.spec();
        (spec.name, &o.name, spec.params, &o.params)
    });
    for (kind, stage, specs, params) in capabilities.chain(outputs) {
        for (index, param) in params.iter().enumerate() {
            let place = format!("parameter `{}` of {kind} `{stage}`", param.name);
            if params[..index].iter().any(|p| p.name == param.name) {
                return contract(format!("{place} is in its manifest twice"));
            }
            match &param.value {
                Value::Text(text) if names_resource(text) => {
                    return contract(format!(
                        "{place} is {text:?}: a rune names nothing of its host, which is for flags and policies"
                    ));
                }
                Value::Text(_) | Value::Integer(_) | Value::Float(_) => {}
            }
            let Some(spec) = specs.iter().find(|s| s.name == param.name) else {
                return contract(format!("{place} is not in the contract"));
            };
            let fits = match (spec.ty, &param.value) {
                (ParamType::Integer(least, most), Value::Integer(n)) => (least..=most).contains(n),
                (ParamType::Float(least, most), Value::Float(x)) => (least..=most).contains(x),
                (ParamType::Float(least, most), Value::Integer(n)) => {
                    (least..=most).contains(&(*n as f64))
                }
                (ParamType::Word(words), Value::Text(text)) => {
                    words.iter().any(|w| w.eq_ignore_ascii_case(text))
                }
                _ => false,
            };
            if !fits {
                return contract(format!("{place} is not a value that the contract allows"));
            }
        }
    }
    Ok(())
}

/// Whether a text looks like a path, a device, a URL or a topic: each has a separator that no word has.
fn names_resource(text: &str) -> bool {
    text.starts_with(['.', '~']) || text.contains(['/', '\\', ':', '#', '+', '$'])
}

fn contract<T>(what: impl Into<String>) -> Result<T, LoadError> {
    Err(LoadError::Contract(what.into()))
}

fn malformed(error: &wasmparser::BinaryReaderError) -> LoadError {
    LoadError::Module {
        offset: error.offset(),
        // Some messages have several lines.
        what: error
            .message()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" "),
    }
}

/// The content of the one manifest section.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "two of many sections matter"
)]
fn manifest_section(bytes: &[u8]) -> Result<&[u8], LoadError> {
    let mut found = vec![];
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(|e| malformed(&e))? {
            Payload::Version {
                encoding: Encoding::Component,
                ..
            } => return contract("it is a component, not a core module"),
            Payload::CustomSection(custom) if custom.name() == section::MANIFEST => {
                found.push(custom.data());
            }
            _ => {}
        }
    }
    match found[..] {
        [one] => Ok(one),
        [] => contract("it has no section `rune.manifest`"),
        _ => contract("it has more than one section `rune.manifest`"),
    }
}

/// A valid module, taken apart as far as the contract looks into it.
struct Module<'a> {
    imports: Vec<wasmparser::Import<'a>>,
    exports: Vec<Export<'a>>,
    bodies: Vec<FunctionBody<'a>>,
    /// Active data: where it goes and what it is.
    data: Vec<(u32, &'a [u8])>,
    types: Types,
}

impl<'a> Module<'a> {
    /// Validates a module with exactly these features and takes it apart.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the validator saw the others"
    )]
    fn read(bytes: &'a [u8], features: WasmFeatures) -> Result<Self, LoadError> {
        let mut validator = Validator::new_with_features(validated_with(features));
        let mut buffers = wasmparser::FuncValidatorAllocations::default();
        let (mut imports, mut exports, mut bodies, mut data) = (vec![], vec![], vec![], vec![]);
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload.map_err(|e| malformed(&e))?;
            match validator.payload(&payload).map_err(|e| malformed(&e))? {
                ValidPayload::Ok | ValidPayload::Parser(_) => {}
                ValidPayload::Func(function, body) => {
                    let mut function = function.into_validator(buffers);
                    function.validate(&body).map_err(|e| malformed(&e))?;
                    buffers = function.into_allocations();
                }
                ValidPayload::End(types) => {
                    return Ok(Self {
                        imports,
                        exports,
                        bodies,
                        data,
                        types,
                    });
                }
            }
            match payload {
                Payload::ImportSection(reader) => {
                    for import in reader.into_imports() {
                        imports.push(import.map_err(|e| malformed(&e))?);
                    }
                }
                Payload::ExportSection(reader) => {
                    for export in reader {
                        exports.push(export.map_err(|e| malformed(&e))?);
                    }
                }
                Payload::StartSection { .. } => return contract("it has a start section"),
                Payload::CodeSectionEntry(body) => bodies.push(body),
                Payload::DataSection(reader) => {
                    for segment in reader {
                        let segment = segment.map_err(|e| malformed(&e))?;
                        if let DataKind::Active { offset_expr, .. } = segment.kind {
                            let mut offset = offset_expr.get_operators_reader();
                            let Ok(Operator::I32Const { value }) = offset.read() else {
                                return contract("a data segment has a computed address");
                            };
                            data.push((value as u32, segment.data));
                        }
                    }
                }
                _ => {}
            }
        }
        Err(LoadError::Module {
            offset: bytes.len() as u64,
            what: "the module has no end".to_owned(),
        })
    }

    fn function_type(&self, index: u32) -> &FuncType {
        let types = self.types.as_ref();
        self.types[types.core_function_at(index)].unwrap_func()
    }

    /// The imports, if they are a subset of what the contract offers and the manifest speaks of.
    fn imports(&self, manifest: &Manifest) -> Result<Vec<Import>, LoadError> {
        let mut found: Vec<Import> = vec![];
        for import in &self.imports {
            let path = format!("`{}.{}`", import.module, import.name);
            let known = (import.module == Import::MODULE)
                .then(|| Import::from_name(import.name))
                .flatten();
            let (Some(known), TypeRef::Func(_)) = (known, import.ty) else {
                return contract(format!("it imports {path}, which is not in the contract"));
            };
            // Only functions get here, so an import's place is its function index.
            let (params, results) = known.signature();
            if !is_type(self.function_type(found.len() as u32), params, results) {
                return contract(format!("it imports {path} with another signature"));
            }
            if found.contains(&known) {
                return contract(format!("it imports {path} twice"));
            }
            if known == Import::Read && manifest.capabilities.is_empty() {
                return contract("it imports `read`, and its manifest names no capability");
            }
            if known == Import::Write && manifest.outputs.is_empty() {
                return contract("it imports `write`, and its manifest names no output");
            }
            found.push(known);
        }
        Ok(found)
    }

    /// The exports are exactly those of the contract.
    fn exports(&self, imported: usize) -> Result<(), LoadError> {
        for name in [export::MEMORY, export::MANIFEST, export::CALL] {
            if !self.exports.iter().any(|e| e.name == name) {
                return contract(format!("it does not export `{name}`"));
            }
        }
        for Export { name, kind, index } in self.exports.iter().copied() {
            let results: &[ValType] = match name {
                export::MEMORY if kind == ExternalKind::Memory => continue,
                export::MANIFEST | export::CALL => &[ValType::I32],
                export::RESET => &[],
                export::MEMORY => return contract("its export `memory` is not a memory"),
                _ => {
                    return contract(format!("it exports `{name}`, which is not in the contract"));
                }
            };
            if kind != ExternalKind::Func
                || (index as usize) < imported
                || !is_type(self.function_type(index), &[], results)
            {
                return contract(format!(
                    "its export `{name}` is not a function of its own of the contract's type"
                ));
            }
        }
        Ok(())
    }

    /// The one memory has exactly the size the manifest says.
    fn memory(&self, bytes: u32) -> Result<(), LoadError> {
        let types = self.types.as_ref();
        if types.memory_count() != 1 {
            return contract("it does not have exactly one memory");
        }
        let memory = types.memory_at(0);
        let pages = u64::from(bytes).div_ceil(PAGE);
        if memory.initial != pages || memory.maximum != Some(pages) {
            let most = memory.maximum.map_or("any".to_owned(), |n| n.to_string());
            return contract(format!(
                "its memory is {} to {most} pages and its manifest says {pages}",
                memory.initial
            ));
        }
        Ok(())
    }

    /// No table is larger than a runtime makes.
    fn tables(&self) -> Result<(), LoadError> {
        let types = self.types.as_ref();
        for index in 0..types.table_count() {
            let entries = types.table_at(index).initial;
            if entries > u64::from(TABLE_ENTRIES) {
                return contract(format!(
                    "it has a table of {entries} entries and the limit is {TABLE_ENTRIES}"
                ));
            }
        }
        Ok(())
    }

    /// `_manifest` is `i32.const P; end`, and the bytes at `P` are the manifest.
    fn manifest_function(&self, imported: usize, section: &[u8]) -> Result<(), LoadError> {
        let export = self.exports.iter().find(|e| e.name == export::MANIFEST);
        let body = export
            .and_then(|e| (e.index as usize).checked_sub(imported))
            .and_then(|i| self.bodies.get(i));
        let Some(address) = body.and_then(constant_body) else {
            return contract("its function `_manifest` is not exactly one constant");
        };
        let (start, end) = (
            u64::from(address),
            u64::from(address) + section.len() as u64,
        );
        let mut touching = self.data.iter().filter(|(at, bytes)| {
            let at = u64::from(*at);
            at < end && start < at + bytes.len() as u64
        });
        let held = match (touching.next(), touching.next()) {
            (Some((at, bytes)), None) => address
                .checked_sub(*at)
                .and_then(|skip| bytes.get(skip as usize..)?.get(..section.len())),
            _ => None,
        };
        if held == Some(section) {
            Ok(())
        } else {
            contract("what `_manifest` points at is not the section `rune.manifest`")
        }
    }
}

/// The constant that a function body consists of, if it does.
fn constant_body(body: &FunctionBody<'_>) -> Option<u32> {
    if body.get_locals_reader().ok()?.get_count() != 0 {
        return None;
    }
    let mut operators = body.get_operators_reader().ok()?;
    match (
        operators.read().ok()?,
        operators.read().ok()?,
        operators.eof(),
    ) {
        (Operator::I32Const { value }, Operator::End, true) => Some(value as u32),
        _ => None,
    }
}

fn is_type(ty: &FuncType, params: &[ValType], results: &[ValType]) -> bool {
    let same = |have: &[wasmparser::ValType], want: &[ValType]| {
        have.iter().copied().eq(want.iter().map(|w| match w {
            ValType::I32 => wasmparser::ValType::I32,
        }))
    };
    same(ty.params(), params) && same(ty.results(), results)
}

/// WebAssembly 1.0 and these features, nothing else.
fn validated_with(features: WasmFeatures) -> wasmparser::WasmFeatures {
    use wasmparser::WasmFeatures as Parser;
    // The second is wasmparser's name for having references at all; tables of functions need it.
    let base = Parser::FLOATS | Parser::GC_TYPES;
    [
        (WasmFeatures::MUTABLE_GLOBALS, Parser::MUTABLE_GLOBAL),
        (WasmFeatures::SIGN_EXT, Parser::SIGN_EXTENSION),
        (
            WasmFeatures::SATURATING_FLOAT_TO_INT,
            Parser::SATURATING_FLOAT_TO_INT,
        ),
        (WasmFeatures::BULK_MEMORY, Parser::BULK_MEMORY),
        (WasmFeatures::MULTI_VALUE, Parser::MULTI_VALUE),
        (WasmFeatures::SIMD, Parser::SIMD),
        (WasmFeatures::RELAXED_SIMD, Parser::RELAXED_SIMD),
    ]
    .into_iter()
    .filter(|(feature, _)| features.contains(*feature))
    .fold(base, |all, (_, bit)| all | bit)
}
