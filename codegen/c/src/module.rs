//! A module validated and taken apart: what of it the translation needs, with segments and globals evaluated.

use std::collections::BTreeMap;

use wasmparser::{
    ConstExpr, Data, DataKind, Element, ElementItems, ElementKind, ExternalKind, FunctionBody,
    Operator, Parser, Payload, TypeRef, ValType, Validator, WasmFeatures,
};

use crate::{
    Error, Host, Mode, Options,
    intrinsic::{self, INTRINSICS, Intrinsic},
    unit,
};

/// What a rune may use (docs/abi.md), but relaxed SIMD, whose results depend on the machine; and a second memory for
/// constants, whose pages may be bytes.
const FEATURES: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::SIMD)
    .union(WasmFeatures::FLOATS)
    .union(WasmFeatures::GC_TYPES)
    .union(WasmFeatures::MULTI_MEMORY)
    .union(WasmFeatures::CUSTOM_PAGE_SIZES);

const PAGE: u32 = 1 << 16;
/// The most entries of a rune's table.
const TABLE: u64 = 1 << 16;

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Ty {
    I32,
    I64,
    F32,
    F64,
    V128,
}

impl Ty {
    pub(crate) fn of(ty: ValType, offset: u64) -> Result<Self, Error> {
        Ok(match ty {
            ValType::I32 => Self::I32,
            ValType::I64 => Self::I64,
            ValType::F32 => Self::F32,
            ValType::F64 => Self::F64,
            ValType::V128 => Self::V128,
            ValType::Ref(_) => return Err(unsupported("values that are references", offset)),
        })
    }

    /// Its name in C.
    pub(crate) fn c(self) -> &'static str {
        match self {
            Self::I32 => "uint32_t",
            Self::I64 => "uint64_t",
            Self::F32 => "float",
            Self::F64 => "double",
            Self::V128 => "r_v128",
        }
    }

    /// The letter for it in names.
    pub(crate) fn letter(self) -> char {
        match self {
            Self::I32 => 'i',
            Self::I64 => 'l',
            Self::F32 => 'f',
            Self::F64 => 'd',
            Self::V128 => 'v',
        }
    }
}

/// The type of a function.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Signature {
    pub(crate) params: Vec<Ty>,
    pub(crate) results: Vec<Ty>,
}

/// A value known before anything runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Constant {
    I32(u32),
    I64(u64),
    F32(u32),
    F64(u64),
    V128([u8; 16]),
}

pub(crate) struct Import<'a> {
    pub(crate) module: &'a str,
    pub(crate) name: &'a str,
    pub(crate) ty: u32,
}

pub(crate) struct Global {
    pub(crate) ty: Ty,
    pub(crate) mutable: bool,
    pub(crate) initial: Constant,
}

#[derive(Clone, Copy)]
pub(crate) struct Memory {
    /// Pages at the start, and the most there may be.
    pub(crate) pages: u32,
    pub(crate) most: u32,
}

pub(crate) struct Segment<'a> {
    /// Where an active one goes.
    pub(crate) at: Option<u32>,
    /// Whether that is the second memory.
    pub(crate) constant: bool,
    pub(crate) bytes: &'a [u8],
}

/// A validated module.
#[derive(Default)]
pub(crate) struct Module<'a> {
    pub(crate) types: Vec<Signature>,
    pub(crate) imports: Vec<Import<'a>>,
    /// The types of the functions that are not imported.
    pub(crate) functions: Vec<u32>,
    /// The one table, which never changes: functions by index.
    pub(crate) table: Vec<Option<u32>>,
    pub(crate) memory: Option<Memory>,
    /// Bytes of the second memory, which nothing changes.
    pub(crate) constants: Option<u32>,
    pub(crate) globals: Vec<Global>,
    /// Exported functions.
    pub(crate) exports: Vec<(&'a str, u32)>,
    pub(crate) segments: Vec<Segment<'a>>,
    pub(crate) bodies: Vec<FunctionBody<'a>>,
    /// The functions that are intrinsics.
    pub(crate) intrinsics: BTreeMap<u32, Intrinsic>,
    /// Whether anything asks for more memory.
    pub(crate) grows: bool,
}

impl Module<'_> {
    /// What the second memory holds, as runs of bytes by rising address, no two of which meet; zeros are between them.
    pub(crate) fn constant_runs(&self) -> BTreeMap<u32, &[u8]> {
        let mut runs: BTreeMap<u32, &[u8]> = BTreeMap::new();
        for segment in self.segments.iter().filter(|s| s.constant) {
            let (Some(start), false) = (segment.at, segment.bytes.is_empty()) else {
                continue;
            };
            let end = start + segment.bytes.len() as u32;
            // A segment takes the place of what earlier ones put there.
            while let Some((at, bytes)) = runs.range(..end).next_back().map(|(at, b)| (*at, *b)) {
                let last = at + bytes.len() as u32;
                if last <= start {
                    break;
                }
                runs.remove(&at);
                if last > end {
                    runs.insert(end, &bytes[(end - at) as usize..]);
                }
                if at < start {
                    runs.insert(at, &bytes[..(start - at) as usize]);
                    break;
                }
            }
            runs.insert(start, segment.bytes);
        }
        runs
    }

    /// The type of any function.
    pub(crate) fn signature(&self, function: u32) -> &Signature {
        let imported = self.imports.len();
        let ty = match self.imports.get(function as usize) {
            Some(import) => import.ty,
            None => self.functions[function as usize - imported],
        };
        &self.types[ty as usize]
    }
}

/// How memory lies.
pub(crate) struct Layout {
    pub(crate) mode: Mode,
    pub(crate) host: Host,
    /// What the address of memory is a multiple of.
    pub(crate) align: u32,
    /// Bytes at the start; in mode `Mask` a power of two.
    pub(crate) bytes: u32,
    /// Whether there may be more later.
    pub(crate) grows: bool,
    /// Pages as `memory.size` tells them.
    pub(crate) pages: u32,
    pub(crate) most: u32,
}

impl Layout {
    pub(crate) fn new(module: &Module<'_>, options: &Options) -> Result<Self, Error> {
        let name = options.name.as_bytes();
        let starts = name
            .first()
            .is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_');
        let goes_on = name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_');
        if !(starts && goes_on && name.len() <= 64) || unit::keyword(&options.name) {
            return Err(Error::Options("the name is no identifier of C"));
        }
        if options.call_limit == 0 {
            return Err(Error::Options("the limit of calls is 0"));
        }
        if !options.memory_align.is_power_of_two() || options.memory_align > 16 {
            return Err(Error::Options(
                "memory is aligned to no power of two of at most 16",
            ));
        }
        let Memory { pages, most } = module.memory.unwrap_or(Memory { pages: 0, most: 0 });
        // In mode `Mask` the size is part of the code, so memory never grows.
        let grows = module.grows && most > pages && options.mode != Mode::Mask;
        if grows && options.host == Host::Unit {
            return Err(Error::Options("memory that lies in a block cannot grow"));
        }
        let mut bytes = pages * PAGE;
        if let Some(wanted) = options.memory_bytes {
            if module.grows {
                return Err(Error::Options("the size of memory is not fixed: it grows"));
            }
            bytes = bytes.min(wanted);
        }
        for segment in module.segments.iter().filter(|s| !s.constant) {
            let end = segment.at.map(|at| at as usize + segment.bytes.len());
            if end.is_some_and(|end| end > bytes as usize) {
                return Err(Error::Options("the size of memory leaves out data"));
            }
        }
        if options.mode == Mode::Mask {
            bytes = bytes
                .max(1)
                .checked_next_power_of_two()
                .ok_or(Error::Options("memory is too large to be masked"))?;
        }
        Ok(Self {
            mode: options.mode,
            host: options.host,
            align: options.memory_align,
            bytes,
            grows,
            pages,
            most,
        })
    }
}

pub(crate) fn unsupported(what: &str, offset: u64) -> Error {
    Error::Unsupported {
        what: what.to_owned(),
        function: None,
        offset,
    }
}

/// Validates a module and takes it apart.
pub(crate) fn read(wasm: &[u8]) -> Result<Module<'_>, Error> {
    Validator::new_with_features(FEATURES).validate_all(wasm)?;
    let mut module = Module::default();
    for payload in Parser::new(0).parse_all(wasm) {
        section(&mut module, payload?)?;
    }
    intrinsic::check(&module)?;
    module.grows = grows(&module.bodies)?;
    Ok(module)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "other sections hold nothing that runs"
)]
fn section<'a>(module: &mut Module<'a>, payload: Payload<'a>) -> Result<(), Error> {
    match payload {
        Payload::TypeSection(types) => {
            let at = types.range().start;
            for ty in types.into_iter_err_on_gc_types() {
                let ty = ty?;
                let list = |types: &[ValType]| -> Result<Vec<Ty>, Error> {
                    types.iter().map(|t| Ty::of(*t, at)).collect()
                };
                module.types.push(Signature {
                    params: list(ty.params())?,
                    results: list(ty.results())?,
                });
            }
        }
        Payload::ImportSection(imports) => {
            let at = imports.range().start;
            for import in imports.into_imports() {
                let import = import?;
                let TypeRef::Func(ty) = import.ty else {
                    return Err(unsupported("an import that is no function", at));
                };
                module.imports.push(Import {
                    module: import.module,
                    name: import.name,
                    ty,
                });
            }
        }
        Payload::FunctionSection(functions) => {
            for ty in functions {
                module.functions.push(ty?);
            }
        }
        Payload::TableSection(tables) => {
            let at = tables.range().start;
            for table in tables {
                let table = table?;
                if !module.table.is_empty() {
                    return Err(unsupported("a second table", at));
                }
                if table.ty.initial > TABLE {
                    return Err(unsupported("a table of more than 65,536 entries", at));
                }
                module.table = vec![None; table.ty.initial as usize];
            }
        }
        Payload::MemorySection(memories) => {
            let at = memories.range().start;
            for (index, memory) in memories.into_iter().enumerate() {
                let memory = memory?;
                if index == 1 {
                    // Of every size that has an end.
                    let page = 1_u64 << memory.page_size_log2.unwrap_or(PAGE.ilog2());
                    let bytes = memory.initial.checked_mul(page);
                    let bytes = bytes.and_then(|bytes| u32::try_from(bytes).ok());
                    let bytes = bytes.ok_or_else(|| unsupported("a memory of 4 GiB", at))?;
                    module.constants = Some(bytes);
                    continue;
                }
                if index > 1 {
                    return Err(unsupported("a third memory", at));
                }
                if memory.page_size_log2.is_some_and(|log| 1 << log != PAGE) {
                    return Err(unsupported("a memory whose pages have another size", at));
                }
                // The size in bytes is to fit 32 bits, so the last page of 4 GiB is never given.
                let limit = u64::from(u32::MAX / PAGE);
                if memory.initial > limit {
                    return Err(unsupported("a memory of 4 GiB", at));
                }
                module.memory = Some(Memory {
                    pages: memory.initial as u32,
                    most: memory.maximum.unwrap_or(limit).min(limit) as u32,
                });
            }
        }
        Payload::GlobalSection(globals) => {
            let at = globals.range().start;
            for global in globals {
                let global = global?;
                module.globals.push(Global {
                    ty: Ty::of(global.ty.content_type, at)?,
                    mutable: global.ty.mutable,
                    initial: constant(&global.init_expr, at)?,
                });
            }
        }
        Payload::ExportSection(exports) => {
            for export in exports {
                let export = export?;
                if export.kind == ExternalKind::Func {
                    module.exports.push((export.name, export.index));
                }
            }
        }
        Payload::StartSection { range, .. } => {
            return Err(unsupported("a start function", range.start));
        }
        Payload::ElementSection(elements) => {
            for element in elements {
                self::element(module, element?)?;
            }
        }
        Payload::DataSection(segments) => {
            for segment in segments {
                data(module, &segment?)?;
            }
        }
        Payload::CodeSectionEntry(body) => module.bodies.push(body),
        Payload::CustomSection(custom) if custom.name() == INTRINSICS => {
            intrinsic::read(module, custom.data(), custom.data_offset())?;
        }
        _ => {}
    }
    Ok(())
}

/// Puts an active element segment into the table.
fn element(module: &mut Module<'_>, element: Element<'_>) -> Result<(), Error> {
    let at = element.range.start;
    let ElementKind::Active { offset_expr, .. } = element.kind else {
        return Ok(());
    };
    let mut entries = Vec::new();
    match element.items {
        ElementItems::Functions(functions) => {
            for function in functions {
                entries.push(Some(function?));
            }
        }
        ElementItems::Expressions(_, expressions) => {
            for expression in expressions {
                entries.push(reference(&expression?, at)?);
            }
        }
    }
    let start = address(&offset_expr, at)? as usize;
    let place = module.table.get_mut(start..start + entries.len());
    place
        .ok_or(Error::Instantiation { offset: at })?
        .copy_from_slice(&entries);
    Ok(())
}

fn data<'a>(module: &mut Module<'a>, segment: &Data<'a>) -> Result<(), Error> {
    let offset = segment.range.start;
    let (at, constant) = match &segment.kind {
        DataKind::Passive => (None, false),
        DataKind::Active {
            offset_expr,
            memory_index,
        } => (Some(address(offset_expr, offset)?), *memory_index == 1),
    };
    let size = if constant {
        module.constants.unwrap_or(0) as usize
    } else {
        module.memory.map_or(0, |m| m.pages * PAGE) as usize
    };
    if at.is_some_and(|at| at as usize + segment.data.len() > size) {
        return Err(Error::Instantiation { offset });
    }
    module.segments.push(Segment {
        at,
        constant,
        bytes: segment.data,
    });
    Ok(())
}

fn address(expression: &ConstExpr<'_>, offset: u64) -> Result<u32, Error> {
    match constant(expression, offset)? {
        Constant::I32(value) => Ok(value),
        Constant::I64(_) | Constant::F32(_) | Constant::F64(_) | Constant::V128(_) => {
            Err(unsupported("an address that is no i32", offset))
        }
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the rest is no constant of a rune"
)]
fn constant(expression: &ConstExpr<'_>, offset: u64) -> Result<Constant, Error> {
    Ok(match expression.get_operators_reader().read()? {
        Operator::I32Const { value } => Constant::I32(value.cast_unsigned()),
        Operator::I64Const { value } => Constant::I64(value.cast_unsigned()),
        Operator::F32Const { value } => Constant::F32(value.bits()),
        Operator::F64Const { value } => Constant::F64(value.bits()),
        Operator::V128Const { value } => Constant::V128(*value.bytes()),
        _ => return Err(unsupported("a constant that is computed", offset)),
    })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the rest is no function")]
fn reference(expression: &ConstExpr<'_>, offset: u64) -> Result<Option<u32>, Error> {
    match expression.get_operators_reader().read()? {
        Operator::RefFunc { function_index } => Ok(Some(function_index)),
        Operator::RefNull { .. } => Ok(None),
        _ => Err(unsupported("an element that is no function", offset)),
    }
}

fn grows(bodies: &[FunctionBody<'_>]) -> Result<bool, Error> {
    for body in bodies {
        for operator in body.get_operators_reader()? {
            if matches!(operator?, Operator::MemoryGrow { mem: 0 }) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
