//! A block's code in relocatable form: functions, data and table slots that can be moved and dropped
//! one by one. Function bodies are opaque bytes with places to patch.

use crate::arena::{Arena, Id};

/// A machine type of a parameter, result, or local.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Machine {
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
    /// 32-bit float.
    F32,
    /// 64-bit float.
    F64,
    /// 128-bit vector.
    V128,
}

/// Parameters and results of a function.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionType {
    /// Parameters.
    pub params: Vec<Machine>,
    /// Results.
    pub results: Vec<Machine>,
}

/// Names a function of an object.
pub type FunctionId = Id<Function>;
/// Names a data symbol of an object.
pub type DatumId = Id<Datum>;

/// One function.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// Its name in the object, for messages; may be mangled.
    pub name: String,
    /// Its type.
    pub ty: FunctionType,
    /// The body: declarations of locals and instructions, without the length before them.
    pub body: Vec<u8>,
    /// What to patch in the body, by rising offset.
    pub relocations: Vec<Relocation>,
}

/// One data symbol: a piece of static data that moves as a whole. Symbols that overlap, such as string
/// literals that share a tail, are one datum. A linker's own symbol, such as `__heap_base`, is a
/// writable datum without bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Datum {
    /// Its name in the object, for messages.
    pub name: String,
    /// Where it lay in the object's own memory.
    pub address: u32,
    /// Its bytes; all zero for uninitialised data.
    pub bytes: Vec<u8>,
    /// The power of two its address must be a multiple of.
    pub align: u32,
    /// Whether it was in a section that code may write.
    pub writable: bool,
    /// What to patch in the bytes, by rising offset.
    pub relocations: Vec<Relocation>,
}

/// A place that holds an index or address, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relocation {
    /// First byte of the place, in the body or datum.
    pub offset: u32,
    /// How the number is written there.
    pub encoding: Encoding,
    /// What it names.
    pub target: Target,
}

/// How a patched number is written. Linkers pad LEB128 to five bytes, people do not; whoever patches
/// a body asks the bytes how long the number is and writes the new one as short as it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Unsigned LEB128, an immediate of an instruction.
    Leb,
    /// Signed LEB128, an immediate of an instruction.
    Sleb,
    /// Four bytes, little-endian.
    Word,
}

/// What a patched number names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Index of a function.
    Function(FunctionId),
    /// Slot of a function in the table.
    Slot(FunctionId),
    /// Index of a type in [`Object::types`].
    Type(u32),
    /// Address of a datum, plus an offset.
    Address(DatumId, i32),
    /// Index of the global that holds the stack pointer.
    StackPointer,
    /// Index of the function table.
    Table,
}

/// A whole block.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Object {
    /// Types that code names.
    pub types: Vec<FunctionType>,
    /// Functions.
    pub functions: Arena<Function>,
    /// Data symbols, by rising address, not overlapping.
    pub data: Arena<Datum>,
    /// The functions in the object's own table, from [`table_base`](Self::table_base) up.
    pub table: Vec<FunctionId>,
    /// Slot of the first.
    pub table_base: u32,
    /// Exported functions by name.
    pub exports: Vec<(String, FunctionId)>,
}

impl Object {
    /// The datum that holds `address` of the object's own memory, and the offset in it. The address
    /// just past a datum belongs to it where no other datum begins.
    pub fn datum_at(&self, address: u32) -> Option<(DatumId, i32)> {
        self.data
            .iter()
            .rev()
            .filter(|(_, datum)| !datum.bytes.is_empty())
            .map(|(id, datum)| (id, datum, address.wrapping_sub(datum.address)))
            .find(|(_, datum, offset)| {
                address >= datum.address && *offset as usize <= datum.bytes.len()
            })
            .map(|(id, _, offset)| (id, offset as i32))
    }
}
