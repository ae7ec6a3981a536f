//! A module's sections as tables, with the place in the file of everything that moving it changes.

use std::{collections::BTreeMap, ops::Range};

use rune_ir::object::{Encoding, FunctionType, Machine};
use wasmparser::{
    BinaryReader, ConstExpr, DataKind, ElementItems, ElementKind, ExternalKind, FuncType,
    KnownCustom, Linking, Name, Operator, Parser, Payload, RelocationEntry, RelocationType,
    SymbolFlags, SymbolInfo, ValType, Validator, WasmFeatures,
};

use super::{ObjectError, leb};

/// What a block may use: what a rune may, and the long form of table numbers that linkers write.
const FEATURES: WasmFeatures = WasmFeatures::WASM1
    .union(WasmFeatures::GC_TYPES)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::BULK_MEMORY_OPT)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::SIMD)
    .union(WasmFeatures::CALL_INDIRECT_OVERLONG);

/// A 32-bit constant in the file.
pub(super) struct Constant {
    pub(super) value: i32,
    /// The whole expression, `end` included.
    pub(super) range: Range<usize>,
}

/// Limits of the memory or table.
pub(super) struct Limits {
    pub(super) min: u32,
    pub(super) max: Option<u32>,
    /// Where they are written, flags first.
    pub(super) range: Range<usize>,
}

pub(super) struct Global {
    pub(super) mutable: bool,
    /// Its first value, where that is an `i32.const`.
    pub(super) init: Option<Constant>,
}

/// The one element segment.
pub(super) struct Elements {
    pub(super) base: Constant,
    pub(super) functions: Vec<u32>,
}

/// A data segment.
pub(super) struct Segment<'a> {
    pub(super) name: &'a str,
    /// The power of two it was aligned to.
    pub(super) align: u32,
    pub(super) base: Constant,
    pub(super) bytes: &'a [u8],
    /// Where the bytes lie in the file.
    pub(super) start: usize,
}

impl Segment<'_> {
    pub(super) fn address(&self) -> u32 {
        self.base.value as u32
    }
}

/// Where a data symbol lies in the module's memory.
#[derive(Clone, Copy)]
pub(super) struct DataSymbol<'a> {
    pub(super) name: &'a str,
    pub(super) address: u32,
    pub(super) size: u32,
    /// Its segment; none for what the linker itself defines.
    pub(super) segment: Option<usize>,
}

/// A place in the file that a relocation names, checked against the bytes there.
pub(super) struct Place {
    pub(super) at: usize,
    pub(super) encoding: Encoding,
    pub(super) names: Named,
}

/// What a [`Place`] holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    Function(u32),
    /// The table slot of this function.
    Slot(u32),
    Type(u32),
    /// The address of this symbol, plus an offset.
    Address(usize, i32),
    Global(u32),
    Table,
}

/// A valid module of the kind a block may be.
pub(super) struct Module<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) types: Vec<FunctionType>,
    /// The type of each function.
    pub(super) signatures: Vec<u32>,
    /// Names of functions, readable where the name section has them.
    pub(super) names: BTreeMap<u32, String>,
    /// Where each body lies, without the length before it.
    pub(super) bodies: Vec<Range<usize>>,
    pub(super) memory: Option<Limits>,
    pub(super) table: Option<Limits>,
    pub(super) globals: Vec<Global>,
    /// The global that holds the stack pointer.
    pub(super) stack_pointer: Option<u32>,
    pub(super) exports: Vec<(&'a str, ExternalKind, u32)>,
    pub(super) elements: Option<Elements>,
    pub(super) segments: Vec<Segment<'a>>,
    /// By symbol number; none where the symbol is no data symbol.
    pub(super) symbols: Vec<Option<DataSymbol<'a>>>,
    /// Whether there is a `linking` section.
    pub(super) linked: bool,
    /// Whether a compiler of C or Rust signed it.
    pub(super) compiled: bool,
    /// Places in function bodies, by rising position.
    pub(super) code: Vec<Place>,
    /// Places in data segments, by rising position.
    pub(super) data: Vec<Place>,
}

/// What the symbol table says, as read.
enum Symbol<'a> {
    Function(u32),
    Global(u32),
    Table,
    Data(DataSymbol<'a>),
    Undefined(&'a str),
    Other,
}

impl<'a> Module<'a> {
    /// Validates a module and reads its sections.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, ObjectError> {
        refuse_unfit(bytes)?;
        Validator::new_with_features(FEATURES).validate_all(bytes)?;
        let mut module = Self {
            bytes,
            types: Vec::new(),
            signatures: Vec::new(),
            names: BTreeMap::new(),
            bodies: Vec::new(),
            memory: None,
            table: None,
            globals: Vec::new(),
            stack_pointer: None,
            exports: Vec::new(),
            elements: None,
            segments: Vec::new(),
            symbols: Vec::new(),
            linked: false,
            compiled: false,
            code: Vec::new(),
            data: Vec::new(),
        };
        let mut sections = 0;
        let mut code_section = (usize::MAX, 0);
        let mut data_section = (usize::MAX, 0);
        let mut linking = None;
        let mut relocations = Vec::new();
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload?;
            let ordinal = sections;
            sections += usize::from(payload.as_section().is_some());
            #[expect(
                clippy::wildcard_enum_match_arm,
                reason = "validation leaves no section but these and the version"
            )]
            match payload {
                Payload::TypeSection(reader) => {
                    for ty in reader.into_iter_err_on_gc_types() {
                        module.types.push(function_type(&ty?)?);
                    }
                }
                Payload::FunctionSection(reader) => {
                    module.signatures = reader.into_iter().collect::<Result<_, _>>()?;
                }
                Payload::TableSection(reader) => {
                    for table in reader.into_iter_with_offsets() {
                        // The element type is one byte: only `funcref` is valid without references.
                        let (at, table) = table?;
                        let at = at as usize + 1;
                        module.table = Some(limits(bytes, at, table.ty.initial, table.ty.maximum)?);
                    }
                }
                Payload::MemorySection(reader) => {
                    for memory in reader.into_iter_with_offsets() {
                        let (at, memory) = memory?;
                        let found = limits(bytes, at as usize, memory.initial, memory.maximum)?;
                        module.memory = Some(found);
                    }
                }
                Payload::GlobalSection(reader) => {
                    for global in reader {
                        let global = global?;
                        module.globals.push(Global {
                            mutable: global.ty.mutable,
                            init: constant(&global.init_expr)?,
                        });
                    }
                }
                Payload::ExportSection(reader) => {
                    for export in reader {
                        let export = export?;
                        module
                            .exports
                            .push((export.name, export.kind, export.index));
                    }
                }
                Payload::ElementSection(reader) => {
                    for element in reader {
                        module.element(&element?)?;
                    }
                }
                Payload::CodeSectionStart {
                    unchecked_range: range,
                    ..
                } => {
                    code_section = (ordinal, range.start as usize);
                }
                Payload::CodeSectionEntry(body) => {
                    let range = body.range();
                    module.bodies.push(range.start as usize..range.end as usize);
                }
                Payload::DataSection(reader) => {
                    data_section = (ordinal, reader.range().start as usize);
                    for segment in reader {
                        module.segment(&segment?)?;
                    }
                }
                Payload::CustomSection(reader) => match reader.as_known() {
                    KnownCustom::Linking(reader) => linking = Some(reader),
                    KnownCustom::Reloc(reader) => relocations.push(reader),
                    KnownCustom::Name(reader) => module.read_names(reader),
                    KnownCustom::Producers(_) => module.compiled = true,
                    _ => match reader.name() {
                        "target_features" => module.compiled = true,
                        "linking" => {
                            return Err(ObjectError::new("the linking section is damaged"));
                        }
                        name if name.starts_with("reloc.") => {
                            return Err(ObjectError::new(format!("section {name} is damaged")));
                        }
                        _ => {}
                    },
                },
                _ => {}
            }
        }
        if let Some(linking) = linking {
            module.linked = true;
            let symbols = module.read_linking(&linking)?;
            for reader in relocations {
                // Relocations of debug sections say nothing about what runs.
                let section = reader.section_index() as usize;
                let (in_code, start) = if section == code_section.0 {
                    (true, code_section.1)
                } else if section == data_section.0 {
                    (false, data_section.1)
                } else {
                    continue;
                };
                for entry in reader.entries() {
                    let place = module.place(&entry?, start, &symbols)?;
                    if in_code {
                        module.code.push(place);
                    } else {
                        module.data.push(place);
                    }
                }
            }
            module.code.sort_by_key(|p| p.at);
            module.data.sort_by_key(|p| p.at);
        }
        module.refuse_overlaps()?;
        Ok(module)
    }

    /// Whether static memory or table slots are there, and nothing to tell what names them.
    pub(super) fn is_stripped(&self) -> bool {
        !self.linked && (!self.segments.is_empty() || self.elements.is_some())
    }

    /// What to call a function in a message.
    pub(super) fn function_name(&self, function: u32) -> String {
        let name = self.names.get(&function);
        name.map_or_else(|| format!("function {function}"), Clone::clone)
    }

    fn element(&mut self, element: &wasmparser::Element<'_>) -> Result<(), ObjectError> {
        let at = element.range.start;
        let (ElementKind::Active { offset_expr, .. }, ElementItems::Functions(functions), None) =
            (&element.kind, &element.items, &self.elements)
        else {
            return Err(ObjectError::new(format!(
                "an element segment other than the one list of functions (byte {at})"
            )));
        };
        let base = constant(offset_expr)?
            .ok_or_else(|| ObjectError::new("the table's place is not a number"))?;
        let functions = functions
            .clone()
            .into_iter()
            .collect::<Result<Vec<_>, _>>()?;
        let mut sorted = functions.clone();
        sorted.sort_unstable();
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(ObjectError::new("a function has two table slots"));
        }
        self.elements = Some(Elements { base, functions });
        Ok(())
    }

    fn segment(&mut self, data: &wasmparser::Data<'a>) -> Result<(), ObjectError> {
        let DataKind::Active { offset_expr, .. } = &data.kind else {
            return Err(ObjectError::new("a passive data segment"));
        };
        let base = constant(offset_expr)?
            .ok_or_else(|| ObjectError::new("the place of a data segment is not a number"))?;
        if (base.value as u32)
            .checked_add(data.data.len() as u32)
            .is_none()
        {
            return Err(ObjectError::new("a data segment leaves 32-bit memory"));
        }
        self.segments.push(Segment {
            name: "",
            align: 16,
            base,
            bytes: data.data,
            start: data.range.end as usize - data.data.len(),
        });
        Ok(())
    }

    /// Takes the names of functions. The section is for messages alone, so damage in it is no error.
    fn read_names(&mut self, reader: wasmparser::NameSectionReader<'a>) {
        for part in reader {
            let Ok(Name::Function(map)) = part else {
                continue;
            };
            for naming in map.into_iter().map_while(Result::ok) {
                self.names.insert(naming.index, readable(naming.name));
            }
        }
    }

    fn read_linking(
        &mut self,
        reader: &wasmparser::LinkingSectionReader<'a>,
    ) -> Result<Vec<Symbol<'a>>, ObjectError> {
        let mut found = Vec::new();
        for part in reader.subsections() {
            match part? {
                Linking::SegmentInfo(infos) => {
                    for (i, info) in infos.into_iter().enumerate() {
                        let info = info?;
                        let align = 1u32.checked_shl(info.alignment).unwrap_or(0);
                        match self.segments.get_mut(i) {
                            Some(segment) if align != 0 => {
                                segment.name = info.name;
                                segment.align = align;
                            }
                            _ => {
                                return Err(ObjectError::new(format!(
                                    "the linking section describes segment {i} wrongly"
                                )));
                            }
                        }
                    }
                }
                Linking::SymbolTable(symbols) => {
                    for symbol in symbols {
                        found.push(self.symbol(symbol?)?);
                    }
                }
                Linking::InitFuncs(functions) if functions.count() > 0 => {
                    return Err(ObjectError::new(
                        "static constructors do not run in a block",
                    ));
                }
                Linking::InitFuncs(_)
                | Linking::ComdatInfo(_)
                | Linking::TargetArch(_)
                | Linking::Unknown { .. } => {}
            }
        }
        self.symbols = found
            .iter()
            .map(|symbol| match symbol {
                Symbol::Data(data) => Some(*data),
                Symbol::Function(_)
                | Symbol::Global(_)
                | Symbol::Table
                | Symbol::Undefined(_)
                | Symbol::Other => None,
            })
            .collect();
        Ok(found)
    }

    fn symbol(&mut self, symbol: SymbolInfo<'a>) -> Result<Symbol<'a>, ObjectError> {
        Ok(match symbol {
            SymbolInfo::Func { flags, name, .. } if flags.contains(SymbolFlags::UNDEFINED) => {
                Symbol::Undefined(name.unwrap_or("a function"))
            }
            SymbolInfo::Func { index, name, .. } => {
                if let Some(name) = name {
                    self.names.entry(index).or_insert_with(|| readable(name));
                }
                Symbol::Function(index)
            }
            SymbolInfo::Global { index, name, .. } => {
                if name == Some("__stack_pointer") {
                    let known = self.globals.get(index as usize);
                    if !known.is_some_and(|g| g.mutable && g.init.is_some()) {
                        return Err(ObjectError::new("__stack_pointer is no mutable i32 global"));
                    }
                    self.stack_pointer = Some(index);
                }
                Symbol::Global(index)
            }
            SymbolInfo::Table { index: 0, .. } => Symbol::Table,
            SymbolInfo::Data {
                name, symbol: None, ..
            } => Symbol::Undefined(name),
            SymbolInfo::Data {
                flags,
                name,
                symbol: Some(at),
            } if flags.contains(SymbolFlags::ABSOLUTE) => Symbol::Data(DataSymbol {
                name,
                address: at.offset,
                size: 0,
                segment: None,
            }),
            SymbolInfo::Data {
                name,
                symbol: Some(at),
                ..
            } => {
                let segment = at.index as usize;
                let fits = self
                    .segments
                    .get(segment)
                    .filter(|s| u64::from(at.offset) + u64::from(at.size) <= s.bytes.len() as u64);
                let Some(found) = fits else {
                    return Err(ObjectError::new(format!(
                        "data symbol `{}` lies outside its segment",
                        readable(name)
                    )));
                };
                Symbol::Data(DataSymbol {
                    name,
                    address: found.address() + at.offset,
                    size: at.size,
                    segment: Some(segment),
                })
            }
            SymbolInfo::Section { .. } | SymbolInfo::Event { .. } | SymbolInfo::Table { .. } => {
                Symbol::Other
            }
        })
    }

    /// Resolves one relocation of the section whose contents start at `start`, and checks that the
    /// place holds what it must.
    fn place(
        &self,
        entry: &RelocationEntry,
        start: usize,
        symbols: &[Symbol<'a>],
    ) -> Result<Place, ObjectError> {
        let at = start.saturating_add(entry.offset as usize);
        let wrong = |what: &str| {
            let kind = entry.ty;
            ObjectError::new(format!("relocation {kind:?} at byte {at}: {what}"))
        };
        let encoding = encoding(entry.ty).ok_or_else(|| {
            wrong("not of a static 32-bit module; link without -pie, -shared and threads")
        })?;
        let names = if entry.ty == RelocationType::TypeIndexLeb {
            Named::Type(entry.index)
        } else {
            let addend = i32::try_from(entry.addend).map_err(|_| wrong("offset too large"))?;
            match symbols.get(entry.index as usize) {
                Some(Symbol::Function(f)) if entry.ty == RelocationType::FunctionIndexLeb => {
                    Named::Function(*f)
                }
                Some(Symbol::Function(f)) => Named::Slot(*f),
                Some(Symbol::Global(g)) => Named::Global(*g),
                Some(Symbol::Table) => Named::Table,
                Some(Symbol::Data(_)) => Named::Address(entry.index as usize, addend),
                Some(Symbol::Undefined(name)) => {
                    return Err(wrong(&format!("`{}` is defined nowhere", readable(name))));
                }
                Some(Symbol::Other) | None => return Err(wrong("names no symbol of use")),
            }
        };
        let expected = match (entry.ty, names) {
            (RelocationType::FunctionIndexLeb, Named::Function(f)) => Some(f),
            (RelocationType::TypeIndexLeb, Named::Type(t)) => Some(t),
            (RelocationType::GlobalIndexLeb, Named::Global(g)) => Some(g),
            (RelocationType::TableNumberLeb, Named::Table) => Some(0),
            (
                RelocationType::TableIndexSleb | RelocationType::TableIndexI32,
                Named::Slot(function),
            ) => self.elements.as_ref().and_then(|table| {
                let position = table.functions.iter().position(|f| *f == function)?;
                Some((table.base.value as u32).wrapping_add(position as u32))
            }),
            (
                RelocationType::MemoryAddrLeb
                | RelocationType::MemoryAddrSleb
                | RelocationType::MemoryAddrI32,
                Named::Address(symbol, addend),
            ) => self.symbols[symbol].map(|s| s.address.wrapping_add_signed(addend)),
            _ => return Err(wrong("names a symbol of another kind")),
        };
        let rest = self.bytes.get(at..).unwrap_or_default();
        let held = match encoding {
            Encoding::Leb | Encoding::Sleb => leb::read_padded(rest),
            Encoding::Word => rest.first_chunk().map(|word| u32::from_le_bytes(*word)),
        };
        if held.is_none() || held != expected {
            return Err(wrong("the place does not hold what the relocation says"));
        }
        Ok(Place {
            at,
            encoding,
            names,
        })
    }

    /// Refuses data segments that share bytes, and places that do.
    fn refuse_overlaps(&self) -> Result<(), ObjectError> {
        let mut segments: Vec<_> = self
            .segments
            .iter()
            .filter(|s| !s.bytes.is_empty())
            .map(|s| (s.address(), s.address() + s.bytes.len() as u32))
            .collect();
        segments.sort_unstable();
        if let Some(pair) = segments.windows(2).find(|pair| pair[1].0 < pair[0].1) {
            let at = pair[1].0;
            return Err(ObjectError::new(format!(
                "data segments overlap at address {at}"
            )));
        }
        for places in [&self.code, &self.data] {
            if let Some(pair) = places
                .windows(2)
                .find(|pair| pair[1].at < pair[0].at + width(pair[0].encoding))
            {
                let at = pair[1].at;
                return Err(ObjectError::new(format!(
                    "relocations overlap at byte {at}"
                )));
            }
        }
        Ok(())
    }
}

/// How a relocation's place is written, for the kinds a static 32-bit module has.
fn encoding(kind: RelocationType) -> Option<Encoding> {
    use RelocationType as R;
    match kind {
        R::FunctionIndexLeb
        | R::MemoryAddrLeb
        | R::TypeIndexLeb
        | R::GlobalIndexLeb
        | R::TableNumberLeb => Some(Encoding::Leb),
        R::TableIndexSleb | R::MemoryAddrSleb => Some(Encoding::Sleb),
        R::TableIndexI32 | R::MemoryAddrI32 => Some(Encoding::Word),
        R::FunctionOffsetI32
        | R::SectionOffsetI32
        | R::EventIndexLeb
        | R::MemoryAddrRelSleb
        | R::TableIndexRelSleb
        | R::GlobalIndexI32
        | R::MemoryAddrLeb64
        | R::MemoryAddrSleb64
        | R::MemoryAddrI64
        | R::MemoryAddrRelSleb64
        | R::TableIndexSleb64
        | R::TableIndexI64
        | R::MemoryAddrTlsSleb
        | R::FunctionOffsetI64
        | R::MemoryAddrLocrelI32
        | R::TableIndexRelSleb64
        | R::MemoryAddrTlsSleb64
        | R::FunctionIndexI32 => None,
    }
}

/// Bytes a relocated place takes.
pub(super) fn width(encoding: Encoding) -> usize {
    match encoding {
        Encoding::Leb | Encoding::Sleb => leb::PADDED,
        Encoding::Word => 4,
    }
}

/// A symbol's name as its author wrote it.
pub(super) fn readable(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

/// Says in our words what the validator would refuse in its own.
fn refuse_unfit(bytes: &[u8]) -> Result<(), ObjectError> {
    let (mut memories, mut tables) = (0, 0);
    for payload in Parser::new(0).parse_all(bytes) {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the validator judges the rest"
        )]
        let what = match payload? {
            Payload::CustomSection(c) if c.name() == "dylink.0" || c.name() == "dylink" => {
                "it is position-independent; link without -shared and -pie".into()
            }
            Payload::ImportSection(imports) => match imports.into_imports().next() {
                Some(import) => {
                    let import = import?;
                    format!("it imports `{}` from `{}`", import.name, import.module)
                }
                None => continue,
            },
            Payload::StartSection { .. } => "it has a start function".into(),
            Payload::MemorySection(reader) => {
                memories += reader.count();
                if memories > 1 {
                    "it has several memories".into()
                } else if reader
                    .into_iter()
                    .any(|m| m.is_ok_and(|m| m.memory64 || m.shared))
                {
                    "its memory is 64-bit or shared".into()
                } else {
                    continue;
                }
            }
            Payload::TableSection(reader) => {
                tables += reader.count();
                if tables <= 1 {
                    continue;
                }
                "it has several tables".into()
            }
            Payload::Version { encoding, .. } if encoding != wasmparser::Encoding::Module => {
                "it is a component, not a module".into()
            }
            _ => continue,
        };
        return Err(ObjectError::new(format!(
            "a block cannot be linked when {what}"
        )));
    }
    Ok(())
}

fn function_type(ty: &FuncType) -> Result<FunctionType, ObjectError> {
    let machine = |types: &[ValType]| {
        types
            .iter()
            .map(|ty| match ty {
                ValType::I32 => Ok(Machine::I32),
                ValType::I64 => Ok(Machine::I64),
                ValType::F32 => Ok(Machine::F32),
                ValType::F64 => Ok(Machine::F64),
                ValType::V128 => Ok(Machine::V128),
                ValType::Ref(_) => Err(ObjectError::new("a function takes or gives a reference")),
            })
            .collect::<Result<Vec<_>, _>>()
    };
    Ok(FunctionType {
        params: machine(ty.params())?,
        results: machine(ty.results())?,
    })
}

/// The value of `i32.const N; end`; none for another expression.
fn constant(expression: &ConstExpr<'_>) -> Result<Option<Constant>, ObjectError> {
    let range = expression.get_binary_reader().range();
    let range = range.start as usize..range.end as usize;
    let mut operators = expression.get_operators_reader();
    Ok(match (operators.read()?, operators.read()) {
        (Operator::I32Const { value }, Ok(Operator::End)) => Some(Constant { value, range }),
        _ => None,
    })
}

/// Limits that are written at `at`: flags, least, greatest.
fn limits(bytes: &[u8], at: usize, min: u64, max: Option<u64>) -> Result<Limits, ObjectError> {
    let narrow = |n: u64| {
        u32::try_from(n).map_err(|_| ObjectError::new(format!("limits too large (byte {at})")))
    };
    let mut reader = BinaryReader::new(bytes.get(at..).unwrap_or_default(), at as u64);
    reader.read_u8()?;
    reader.read_var_u32()?;
    if max.is_some() {
        reader.read_var_u32()?;
    }
    Ok(Limits {
        min: narrow(min)?,
        max: max.map(narrow).transpose()?,
        range: at..reader.original_position() as usize,
    })
}
