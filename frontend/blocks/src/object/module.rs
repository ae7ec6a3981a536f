//! A module's sections as tables, with the place in the file of everything that moving it changes.

use std::{collections::BTreeMap, ops::Range};

use rune_ir::object::{FunctionType, Machine};
use wasmparser::{
    BinaryReader, ConstExpr, DataKind, ElementItems, ElementKind, ExternalKind, FuncType,
    KnownCustom, Name, Operator, Parser, Payload, ValType, Validator, WasmFeatures,
};

use super::{
    ObjectError,
    symbols::{DataSymbol, Place, readable, width},
};

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
