//! The `linking` and `reloc.*` sections: symbols, and the places that name them.

use rune_ir::object::Encoding;
use wasmparser::{
    Linking, LinkingSectionReader, RelocationEntry, RelocationType, SymbolFlags, SymbolInfo,
};

use super::{ObjectError, leb, module::Module};

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

/// What the symbol table says, as read.
pub(super) enum Symbol<'a> {
    Function(u32),
    Global(u32),
    Table,
    Data(DataSymbol<'a>),
    Undefined(&'a str),
    Other,
}

impl<'a> Module<'a> {
    /// Takes segments' names and alignments and the symbols; gives the symbols by number.
    pub(super) fn read_linking(
        &mut self,
        reader: &LinkingSectionReader<'a>,
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
    pub(super) fn place(
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
            (RelocationType::GlobalIndexLeb, _) => {
                return Err(wrong(
                    "it is of position-independent code; compile without -fPIC",
                ));
            }
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
