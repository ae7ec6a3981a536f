//! From a module's tables to an object: every place gets an owner that moves as a whole.

use std::{cmp::Reverse, ops::Range};

use rune_ir::{
    arena::{Arena, Id},
    object::{Datum, DatumId, Encoding, Function, Object, Relocation, Target},
};
use wasmparser::{BinaryReader, BlockType, ExternalKind, FunctionBody, Operator};

use super::{
    ObjectError, leb,
    module::Module,
    symbols::{Named, Place, readable, width},
};

/// The block in pieces.
pub(super) fn object(module: &Module<'_>) -> Result<Object, ObjectError> {
    if module.is_stripped() {
        return Err(unrelocated());
    }
    let (mut data, homes) = data(module)?;
    let scope = Scope { module, homes };
    scope.relocate_data(&mut data)?;
    let mut functions = Arena::default();
    let mut places = module.code.iter().peekable();
    for (index, body) in module.bodies.iter().enumerate() {
        functions.push(scope.function(index as u32, body, &mut places)?);
    }
    if let Some(stray) = places.next() {
        return Err(outside(stray, "every function"));
    }
    Ok(Object {
        types: module.types.clone(),
        functions,
        data,
        table: module.elements.as_ref().map_or_else(Vec::new, |elements| {
            elements
                .functions
                .iter()
                .map(|f| Id::from_index(*f as usize))
                .collect()
        }),
        table_base: module.elements.as_ref().map_or(0, |e| e.base.value as u32),
        exports: module
            .exports
            .iter()
            .filter(|(_, kind, _)| *kind == ExternalKind::Func)
            .map(|(name, _, index)| ((*name).to_owned(), Id::from_index(*index as usize)))
            .collect(),
    })
}

/// Where each symbol's bytes went: the datum and the offset in it.
type Homes = Vec<Option<(DatumId, u32)>>;

/// A symbol on its way to a datum, or several that overlap.
struct Piece {
    segment: Option<usize>,
    address: u32,
    end: u32,
    symbols: Vec<usize>,
}

/// Cuts the data segments along their symbols. Bytes under no symbol are out of every code's reach.
fn data(module: &Module<'_>) -> Result<(Arena<Datum>, Homes), ObjectError> {
    let mut symbols: Vec<_> = module
        .symbols
        .iter()
        .enumerate()
        .filter_map(|(index, symbol)| Some((index, symbol.as_ref()?)))
        .collect();
    // The linker's own symbols come last, so that they part no data.
    symbols.sort_by_key(|(index, s)| (s.segment.is_none(), s.address, Reverse(s.size), *index));
    let mut pieces: Vec<Piece> = Vec::new();
    for (index, symbol) in symbols {
        let end = symbol.address + symbol.size;
        match pieces.last_mut() {
            Some(last) if symbol.segment.is_some() && symbol.address < last.end => {
                last.end = last.end.max(end);
                last.symbols.push(index);
            }
            _ => pieces.push(Piece {
                segment: symbol.segment,
                address: symbol.address,
                end,
                symbols: vec![index],
            }),
        }
    }
    pieces.sort_by_key(|piece| (piece.address, piece.end));
    let mut arena = Arena::default();
    let mut homes = vec![None; module.symbols.len()];
    for (position, piece) in pieces.iter().enumerate() {
        let next = pieces[position + 1..].iter().find(|p| p.segment.is_some());
        let datum = datum(module, piece, next)?;
        let id = arena.push(datum);
        for &index in &piece.symbols {
            homes[index] = module.symbols[index]
                .as_ref()
                .map(|symbol| (id, symbol.address - piece.address));
        }
    }
    Ok((arena, homes))
}

fn datum(module: &Module<'_>, piece: &Piece, next: Option<&Piece>) -> Result<Datum, ObjectError> {
    let name = piece
        .symbols
        .first()
        .and_then(|index| module.symbols[*index].as_ref())
        .map_or_else(String::new, |symbol| readable(symbol.name));
    let Some(segment) = piece.segment.map(|index| &module.segments[index]) else {
        return Ok(Datum {
            name,
            address: piece.address,
            bytes: Vec::new(),
            align: 1,
            writable: true,
            relocations: Vec::new(),
        });
    };
    let start = (piece.address - segment.address()) as usize;
    let bytes = segment.bytes[start..(piece.end - segment.address()) as usize].to_vec();
    if bytes.is_empty() {
        // What follows is padding, or else the symbol was written without its size.
        let end = match next {
            Some(next) if next.segment == piece.segment => {
                (next.address - segment.address()) as usize
            }
            _ => segment.bytes.len(),
        };
        let gap = &segment.bytes[start..end];
        if gap.len() >= segment.align as usize || gap.iter().any(|b| *b != 0) {
            return Err(ObjectError::new(format!(
                "data symbol `{name}` has no size"
            )));
        }
    }
    Ok(Datum {
        name,
        address: piece.address,
        // Alignment is kept for the segment alone. A symbol's own divides its address.
        align: (1 << piece.address.trailing_zeros().min(31)).min(segment.align),
        writable: !bytes.is_empty() && !read_only(segment.name),
        bytes,
        relocations: Vec::new(),
    })
}

/// Whether a section of this name holds constants.
fn read_only(section: &str) -> bool {
    [".rodata", ".data.rel.ro"].iter().any(|constants| {
        section
            .strip_prefix(constants)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

fn outside(place: &Place, what: &str) -> ObjectError {
    ObjectError::new(format!(
        "a relocation at byte {} lies outside {what}",
        place.at
    ))
}

/// What relocations are resolved against.
struct Scope<'m, 'a> {
    module: &'m Module<'a>,
    homes: Homes,
}

impl Scope<'_, '_> {
    fn relocate_data(&self, data: &mut Arena<Datum>) -> Result<(), ObjectError> {
        for place in &self.module.data {
            let segment = self.module.segments.iter().find(|s| {
                place.at >= s.start && place.at + width(place.encoding) <= s.start + s.bytes.len()
            });
            let Some(segment) = segment else {
                return Err(outside(place, "every data segment"));
            };
            if place.encoding != Encoding::Word {
                return Err(outside(place, "code"));
            }
            let address = segment.address() + (place.at - segment.start) as u32;
            // Nothing reaches bytes that no symbol covers, so nobody will ask for this one.
            let Some(owner) = owner(data, address) else {
                continue;
            };
            let datum = &mut data[owner];
            let offset = address - datum.address;
            if offset as usize + width(place.encoding) > datum.bytes.len() {
                return Err(outside(place, &format!("`{}`", datum.name)));
            }
            let target = self.target(place.names)?;
            datum.relocations.push(Relocation {
                offset,
                encoding: place.encoding,
                target,
            });
        }
        // Segments need not lie in the file in the order of their addresses.
        for id in data.ids() {
            data[id].relocations.sort_by_key(|r| r.offset);
        }
        Ok(())
    }

    fn target(&self, names: Named) -> Result<Target, ObjectError> {
        Ok(match names {
            Named::Function(f) => Target::Function(Id::from_index(f as usize)),
            Named::Slot(f) => Target::Slot(Id::from_index(f as usize)),
            Named::Type(t) => Target::Type(t),
            Named::Address(symbol, addend) => {
                let (datum, offset) = self.homes[symbol].expect("a data symbol has a home");
                let offset = i32::try_from(offset)
                    .ok()
                    .and_then(|o| o.checked_add(addend));
                let offset = offset
                    .ok_or_else(|| ObjectError::new("an address lies too far from its symbol"))?;
                Target::Address(datum, offset)
            }
            Named::Global(g) if Some(g) == self.module.stack_pointer => Target::StackPointer,
            Named::Global(g) => {
                return Err(ObjectError::new(format!(
                    "global {g} is not the stack pointer"
                )));
            }
            Named::Table => Target::Table,
        })
    }

    /// One function. Its relocations are the indices its instructions hold, and those places of the
    /// relocation section that hold an address or a slot.
    fn function<'p>(
        &self,
        index: u32,
        range: &Range<usize>,
        places: &mut std::iter::Peekable<impl Iterator<Item = &'p Place>>,
    ) -> Result<Function, ObjectError> {
        let module = self.module;
        let name = module.function_name(index);
        let bytes = &module.bytes[range.clone()];
        let reader = BinaryReader::new(bytes, range.start as u64);
        let mut operators = FunctionBody::new(reader).get_operators_reader()?;
        let mut relocations = Vec::new();
        let start = operators.original_position() as usize;
        if let Some(stray) = places.next_if(|place| place.at < start) {
            return Err(outside(stray, &format!("the instructions of `{name}`")));
        }
        let mut constant = false;
        while !operators.eof() {
            let (operator, at) = operators.read_with_offset()?;
            let at = at as usize;
            let end = operators.original_position() as usize;
            let indices = self
                .indices(&operator, at)
                .map_err(|what| ObjectError::new(format!("`{name}` at byte {at}: {what}")))?;
            let relocated = places.peek().is_some_and(|place| place.at < end);
            // Without relocations memory may be reached through parameters alone. What a compiler made
            // also has a stack and statics; of what a person wrote, a number for an address tells.
            let unmovable = module.compiled || (constant && is_load(module.bytes, at));
            if !module.linked && unmovable && touches_memory(module.bytes, at) {
                return Err(unrelocated());
            }
            constant = matches!(operator, Operator::I32Const { .. });
            for (at, named) in &indices {
                relocations.push(Relocation {
                    offset: (at - range.start) as u32,
                    encoding: Encoding::Leb,
                    target: self.target(*named)?,
                });
            }
            while let Some(place) = places.next_if(|place| relocated && place.at < end) {
                let holds = match place.names {
                    Named::Function(_) | Named::Type(_) | Named::Global(_) | Named::Table => {
                        indices.contains(&(place.at, place.names))
                    }
                    Named::Slot(_) | Named::Address(..) => {
                        immediate(module.bytes, at, place.encoding) == Some(place.at)
                    }
                };
                if !holds || place.at + width(place.encoding) > end {
                    return Err(outside(place, &format!("an operand of `{name}`")));
                }
                if matches!(place.names, Named::Slot(_) | Named::Address(..)) {
                    relocations.push(Relocation {
                        offset: (place.at - range.start) as u32,
                        encoding: place.encoding,
                        target: self.target(place.names)?,
                    });
                }
            }
        }
        let ty = module.signatures[index as usize] as usize;
        Ok(Function {
            name,
            ty: module.types[ty].clone(),
            body: bytes.to_vec(),
            relocations,
        })
    }

    /// The indices that the instruction at `at` holds, each with its place.
    fn indices(
        &self,
        operator: &Operator<'_>,
        at: usize,
    ) -> Result<Vec<(usize, Named)>, &'static str> {
        let after = |at: usize| {
            let rest = self.module.bytes.get(at..).unwrap_or_default();
            at + leb::length(rest).unwrap_or(0)
        };
        #[expect(clippy::wildcard_enum_match_arm, reason = "the rest holds no index")]
        Ok(match operator {
            Operator::Call { function_index } => vec![(at + 1, Named::Function(*function_index))],
            Operator::CallIndirect { type_index, .. } => {
                if !self.module.linked {
                    return Err("an indirect call in a module linked without --emit-relocs");
                }
                vec![
                    (at + 1, Named::Type(*type_index)),
                    (after(at + 1), Named::Table),
                ]
            }
            Operator::Block {
                blockty: BlockType::FuncType(ty),
            }
            | Operator::Loop {
                blockty: BlockType::FuncType(ty),
            }
            | Operator::If {
                blockty: BlockType::FuncType(ty),
            } => {
                vec![(at + 1, Named::Type(*ty))]
            }
            Operator::GlobalGet { global_index } | Operator::GlobalSet { global_index } => {
                if Some(*global_index) != self.module.stack_pointer {
                    return Err(if self.module.linked {
                        "it uses a global other than __stack_pointer"
                    } else {
                        "it uses a global; link with --emit-relocs, and keep state in the state arena"
                    });
                }
                vec![(at + 1, Named::Global(*global_index))]
            }
            _ => Vec::new(),
        })
    }
}

/// The datum whose bytes hold `address`.
fn owner(data: &Arena<Datum>, address: u32) -> Option<DatumId> {
    let (mut low, mut high) = (0, data.len());
    while low < high {
        let middle = usize::midpoint(low, high);
        if data[Id::from_index(middle)].address <= address {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    // Data without bytes may lie at the same address, before or behind the one with them.
    (0..low)
        .rev()
        .map(Id::from_index)
        .find(|id| !data[*id].bytes.is_empty())
        .filter(|id| ((address - data[*id].address) as usize) < data[*id].bytes.len())
}

/// Where the instruction at `at` keeps its constant (for a signed place) or the offset of its memory
/// access (for an unsigned one), by the binary format of the core specification.
fn immediate(bytes: &[u8], at: usize, encoding: Encoding) -> Option<usize> {
    let rest = bytes.get(at..)?;
    match (encoding, rest.first()?) {
        (Encoding::Sleb, 0x41) => Some(at + 1),
        (Encoding::Leb, 0x28..=0x3e) => Some(at + 1 + leb::length(&rest[1..])?),
        (Encoding::Leb, 0xfd) if is_vector_access(&rest[1..]) => {
            let opcode = 1 + leb::length(&rest[1..])?;
            Some(at + opcode + leb::length(rest.get(opcode..)?)?)
        }
        _ => None,
    }
}

/// Whether a vector instruction (its bytes behind the prefix) loads or stores.
fn is_vector_access(bytes: &[u8]) -> bool {
    matches!(bytes, [0..=11 | 84..=93, ..])
}

fn is_load(bytes: &[u8], at: usize) -> bool {
    matches!(
        bytes.get(at..),
        Some([0x28..=0x35, ..] | [0xfd, 0..=10 | 92 | 93, ..])
    )
}

fn touches_memory(bytes: &[u8], at: usize) -> bool {
    match bytes.get(at..) {
        Some([0x28..=0x40, ..]) => true,
        Some([0xfd, rest @ ..]) => is_vector_access(rest),
        Some([0xfc, 10 | 11, ..]) => true,
        _ => false,
    }
}

/// The error for a module whose relocations are missing.
pub(super) fn unrelocated() -> ObjectError {
    ObjectError::new(
        "it uses memory but was linked without --emit-relocs, so nothing in it can be moved",
    )
}
