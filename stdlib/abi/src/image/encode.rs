//! Writing an image.

use alloc::{string::String, vec, vec::Vec};

use super::{
    Containment, FORMAT_VERSION, FirstRead, HEADER_BYTES, ImageView, KEEPS_RECORDS, MAGIC,
    READS_FIRST, RESETS, Target, field,
};
use crate::{ABI_VERSION, Import};

/// An image that is to be written. Its code must not depend on where it or its constants lie.
#[derive(Clone, Debug)]
pub struct Image {
    /// The processor it is for.
    pub target: Target,
    /// What keeps it within its memory.
    pub containment: Containment,
    /// The functions it asks for.
    pub imports: Vec<Import>,
    /// Whether there is something to reset.
    pub resets: bool,
    /// The sample that every call begins with reading, which its host reads for it.
    pub first_read: Option<FirstRead>,
    /// Whether what describes a record never changes, where its tensors have the same shape in every call.
    pub keeps_records: bool,
    /// Bytes of its block of RAM.
    pub block_bytes: u32,
    /// Where memory begins in the block, a multiple of 16, and how many bytes it has.
    pub memory: (u32, u32),
    /// Bytes of its stack, a multiple of 8.
    pub stack_bytes: u32,
    /// The manifest of the rune.
    pub manifest: Vec<u8>,
    /// Constants and code as the linker has laid them out, one after the other: they reach each other by distance.
    pub linked: Vec<u8>,
    /// How many of these bytes are constants: the code begins after them, at a multiple of [`ImageView::CODE_ALIGN`].
    pub constant_bytes: u32,
    /// Where the entry is, from the start of the code.
    pub entry: u32,
    /// Functions by where they begin, from the start of the code, rising.
    pub functions: Vec<(u32, String)>,
    /// SHA-256 of the section `rune.graph`.
    pub graph_digest: [u8; 32],
}

impl Image {
    /// The image, without signatures; `sha256` computes the digest of parts, one after the other.
    pub fn encode(&self, sha256: impl FnOnce([&[u8]; 2]) -> [u8; 32]) -> Vec<u8> {
        let mut out = vec![0; HEADER_BYTES];
        out.extend_from_slice(&self.manifest);
        let manifest = (HEADER_BYTES, self.manifest.len());
        out.resize(out.len().next_multiple_of(ImageView::CODE_ALIGN), 0);
        let constants = (out.len(), self.constant_bytes as usize);
        out.extend_from_slice(&self.linked);
        let start = constants.0 + constants.1;
        let code = (start, out.len() - start);
        out.resize(out.len().next_multiple_of(4), 0);
        let functions = (out.len(), self.table(&mut out));
        let mut put = |at: usize, word: u32| out[at..at + 4].copy_from_slice(&word.to_le_bytes());
        put(field::TARGET, self.target.number());
        put(field::CONTAINMENT, self.containment.number());
        put(field::LENGTH, (functions.0 + functions.1) as u32);
        let bits = self.imports.iter().map(|import| super::bit(*import));
        put(field::IMPORTS, bits.fold(0, |a, b| a | b));
        let resets = if self.resets { RESETS } else { 0 };
        let reads_first = self.first_read.map_or(0, |_| READS_FIRST);
        let keeps_records = if self.keeps_records { KEEPS_RECORDS } else { 0 };
        put(field::FLAGS, resets | reads_first | keeps_records);
        if let Some(read) = self.first_read {
            put(field::FIRST_READ, read.capability);
            put(field::FIRST_READ + 4, read.at);
            put(field::FIRST_READ + 8, read.bytes);
        }
        put(field::BLOCK, self.block_bytes);
        put(field::MEMORY_AT, self.memory.0);
        put(field::MEMORY, self.memory.1);
        put(field::STACK, self.stack_bytes);
        put(field::ENTRY, code.0 as u32 + self.entry);
        let parts = [
            (field::MANIFEST, manifest),
            (field::CONSTANTS, constants),
            (field::CODE, code),
            (field::FUNCTIONS, functions),
        ];
        for (at, (from, len)) in parts {
            put(at, from as u32);
            put(at + 4, len as u32);
        }
        out[..8].copy_from_slice(&MAGIC);
        out[field::VERSION..field::CONTRACT].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        out[field::CONTRACT..field::TARGET].copy_from_slice(&ABI_VERSION.to_le_bytes());
        out[field::GRAPH..super::DIGEST].copy_from_slice(&self.graph_digest);
        let digest = sha256([&out[..super::DIGEST], &out[HEADER_BYTES..]]);
        out[super::DIGEST..HEADER_BYTES].copy_from_slice(&digest);
        out
    }

    /// Writes the table of functions: their number, for each the start of its code and of its name in the table and the
    /// length of the name, and the names. Gives its length.
    fn table(&self, out: &mut Vec<u8>) -> usize {
        let start = out.len();
        let mut put = |word: usize| out.extend_from_slice(&(word as u32).to_le_bytes());
        put(self.functions.len());
        let mut at = 4 + 12 * self.functions.len();
        for (place, name) in &self.functions {
            put(*place as usize);
            put(at);
            put(name.len());
            at += name.len();
        }
        for (_, name) in &self.functions {
            out.extend_from_slice(name.as_bytes());
        }
        out.len() - start
    }
}
