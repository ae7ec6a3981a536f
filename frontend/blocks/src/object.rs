//! A block's bytes as a relocatable [`Object`], and as the same module elsewhere in memory.
//!
//! A block is what `wasm-ld --no-entry --gc-sections --emit-relocs` writes: an executable module that
//! still says, in its `linking` and `reloc.*` sections, which places of its code and data hold an
//! address or a table slot (format: "Linking.md" of the WebAssembly tool conventions). Places that hold
//! an index need no such help: decoding the instructions finds them all, and the relocations must agree.
//! Every place must hold what its relocation says it holds, so a section that was edited, compressed or
//! misread does not get past [`read`].

mod build;
mod leb;
mod module;
mod rebase;
mod symbols;

use std::fmt;

use rune_ir::object::Object;

pub use rebase::Shift;

/// Why a module cannot be taken apart or moved: one sentence with the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectError(String);

impl ObjectError {
    fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for ObjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ObjectError {}

impl From<wasmparser::BinaryReaderError> for ObjectError {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Self(format!("{} (byte {})", error.message(), error.offset()))
    }
}

/// Takes a block apart into functions, data symbols and table slots that move one by one.
///
/// # Errors
/// The module is not valid with the features a rune may use, imports something, has a start function,
/// is position-independent, keeps no relocations though it uses static memory, or has relocations that
/// are unknown, out of place, or contradict the bytes.
pub fn read(bytes: &[u8]) -> Result<Object, ObjectError> {
    build::object(&module::Module::parse(bytes)?)
}

/// The same module with its memory, table and stack elsewhere: every address moves by `shift.memory`,
/// every table slot by `shift.table`, the stack by `shift.stack`. Limits grow by as much. Linking
/// sections, which would no longer be true, are left out; other custom sections stay.
///
/// # Errors
/// As [`read`]; and the shift takes something out of 32 bits.
pub fn rebase(bytes: &[u8], shift: Shift) -> Result<Vec<u8>, ObjectError> {
    rebase::rebase(&module::Module::parse(bytes)?, shift)
}
