//! The same module at other addresses, as a list of edits to its bytes.

use std::ops::Range;

use rune_ir::object::Encoding;
use wasmparser::{ExternalKind, Parser, Payload};

use super::{
    ObjectError, leb,
    module::{Limits, Module},
    symbols::{Named, Place},
};

/// Bytes in a page of memory.
const PAGE: u64 = 1 << 16;

/// How far the parts of a module move, all upwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shift {
    /// Bytes that static data and heap move.
    pub memory: u32,
    /// Slots that the table's functions move.
    pub table: u32,
    /// Bytes that the stack moves.
    pub stack: u32,
}

/// A piece of the file and what to write instead.
struct Edit {
    range: Range<usize>,
    bytes: Vec<u8>,
}

/// Writes the module anew, moved by `shift`.
pub(super) fn rebase(module: &Module<'_>, shift: Shift) -> Result<Vec<u8>, ObjectError> {
    if module.is_stripped() {
        return Err(super::build::unrelocated());
    }
    let mut edits = Vec::new();
    for place in module.code.iter().chain(&module.data) {
        edits.extend(moved_place(module, place, shift)?);
    }
    for segment in &module.segments {
        let end = segment.address() as u64 + segment.bytes.len() as u64;
        if end + u64::from(shift.memory) > u64::from(u32::MAX) {
            return Err(too_far());
        }
        let range = segment.base.range.clone();
        edits.push(constant(range, segment.address() + shift.memory));
    }
    if let Some(elements) = &module.elements {
        let slot = (elements.base.value as u32)
            .checked_add(shift.table)
            .ok_or_else(too_far)?;
        edits.push(constant(elements.base.range.clone(), slot));
    }
    edits.extend(moved_globals(module, shift)?);
    if let Some(memory) = &module.memory {
        let bytes = u64::from(shift.memory.max(shift.stack));
        let pages = bytes.div_ceil(PAGE) as u32;
        edits.push(limits(memory, pages, 1 << 16)?);
    }
    if let Some(table) = &module.table {
        edits.push(limits(table, shift.table, u32::MAX)?);
    }
    edits.sort_by_key(|edit| edit.range.start);
    apply(module.bytes, &edits)
}

fn too_far() -> ObjectError {
    ObjectError::new("the module does not fit in 32 bits where it is moved")
}

/// `i32.const value; end`.
fn constant(range: Range<usize>, value: u32) -> Edit {
    let mut bytes = vec![0x41];
    leb::push_signed(&mut bytes, value as i32);
    bytes.push(0x0b);
    Edit { range, bytes }
}

fn moved_place(
    module: &Module<'_>,
    place: &Place,
    shift: Shift,
) -> Result<Option<Edit>, ObjectError> {
    let value = match place.names {
        Named::Slot(function) => {
            let table = module.elements.as_ref().ok_or_else(too_far)?;
            let position = table.functions.iter().position(|f| *f == function);
            let position = position.ok_or_else(too_far)? as u32;
            (table.base.value as u32)
                .wrapping_add(position)
                .wrapping_add(shift.table)
        }
        Named::Address(symbol, addend) => {
            let symbol = module.symbols[symbol].as_ref().ok_or_else(too_far)?;
            let by = match symbol.name {
                "__stack_low" | "__stack_high" => shift.stack,
                _ => shift.memory,
            };
            symbol.address.wrapping_add_signed(addend).wrapping_add(by)
        }
        Named::Function(_) | Named::Type(_) | Named::Global(_) | Named::Table => return Ok(None),
    };
    let bytes = match place.encoding {
        Encoding::Leb => leb::padded_unsigned(value).to_vec(),
        Encoding::Sleb => leb::padded_signed(value as i32).to_vec(),
        Encoding::Word => value.to_le_bytes().to_vec(),
    };
    let range = place.at..place.at + bytes.len();
    Ok(Some(Edit { range, bytes }))
}

/// The stack pointer, and the addresses that the linker exports for the host to see.
fn moved_globals(module: &Module<'_>, shift: Shift) -> Result<Vec<Edit>, ObjectError> {
    let exported = module.exports.iter().filter_map(|(name, kind, index)| {
        let address = matches!(*name, "__heap_base" | "__data_end")
            && *kind == ExternalKind::Global
            && Some(*index) != module.stack_pointer;
        address.then_some((*index, shift.memory))
    });
    let mut moves: Vec<_> = exported
        .chain(module.stack_pointer.map(|index| (index, shift.stack)))
        .collect();
    moves.sort_unstable();
    moves.dedup();
    let mut edits = Vec::new();
    for (index, by) in moves {
        if let Some(init) = &module.globals[index as usize].init {
            let value = (init.value as u32).checked_add(by).ok_or_else(too_far)?;
            edits.push(constant(init.range.clone(), value));
        }
    }
    Ok(edits)
}

fn limits(limits: &Limits, more: u32, most: u32) -> Result<Edit, ObjectError> {
    let grow = |n: u32| {
        n.checked_add(more)
            .filter(|n| *n <= most)
            .ok_or_else(too_far)
    };
    let mut bytes = vec![u8::from(limits.max.is_some())];
    leb::push_unsigned(&mut bytes, grow(limits.min)?);
    if let Some(max) = limits.max {
        leb::push_unsigned(&mut bytes, max.saturating_add(more).min(most));
    }
    Ok(Edit {
        range: limits.range.clone(),
        bytes,
    })
}

/// Copies the file section by section with the edits made; each edit lies within one section.
fn apply(bytes: &[u8], edits: &[Edit]) -> Result<Vec<u8>, ObjectError> {
    let mut edits = edits.iter().peekable();
    let mut out = bytes[..8].to_vec();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        if let Payload::CustomSection(custom) = &payload
            && (custom.name() == "linking" || custom.name().starts_with("reloc."))
        {
            continue;
        }
        let Some((id, range)) = payload.as_section() else {
            continue;
        };
        let (mut at, end) = (range.start as usize, range.end as usize);
        let mut section = Vec::with_capacity(end - at);
        while let Some(edit) = edits.next_if(|edit| edit.range.start < end) {
            section.extend_from_slice(&bytes[at..edit.range.start]);
            section.extend_from_slice(&edit.bytes);
            at = edit.range.end;
        }
        section.extend_from_slice(&bytes[at..end]);
        out.push(id);
        leb::push_unsigned(&mut out, section.len() as u32);
        out.extend_from_slice(&section);
    }
    Ok(out)
}
