//! A rune as machine code: an image that a device runs where it lies in flash.
//!
//! [`ImageView`] checks the header of one and reads it in place; `Image` (feature `encode`) writes it. Everything is
//! little-endian, offsets count from the start of the image, and lengths are in bytes:
//!
//! | at | field | form |
//! |---|---|---|
//! | 0 | magic | `RUNE-IMG` |
//! | 8 | format version, version of the contract | two u16 |
//! | 12 | [target](Target), [containment](Containment), length of the image | three u32 |
//! | 24 | imports: bit `i` for [`Import::ALL`]`[i]`; flags: bit 0, there is something to reset; bit 1, a call begins with a read; bit 2, records keep their place | two u32 |
//! | 32 | RAM: length of the block, where memory begins in it, length of memory, length of the stack | four u32 |
//! | 48 | the entry | u32 |
//! | 52 | manifest, constants, code, functions: offset and length of each | eight u32 |
//! | 84 | the [read](FirstRead) that a call begins with: capability, address, bytes; zeros where it does not | three u32 |
//! | 96 | SHA-256 of the section `rune.graph` of what it was made from: a claim | 32 bytes |
//! | 128 | SHA-256 of the image without these 32 bytes | 32 bytes |
//! | 160 | the four parts, in that order, without overlap | |
//!
//! Signatures follow the image, 96 bytes each, see `docs/abi.md`.
//!
//! **How it runs.** The host takes a *block* of RAM, aligned to [`ImageView::BLOCK_ALIGN`], and a stack; it calls the
//! entry with the block's address in `r0` and an [`Operation`] in `r1`. The code reaches the host by the instruction
//! `svc` only: `svc 0` ends the operation with its result in `r0`, `svc 1` is a trap with a [`Trap`] in `r0`, and `svc
//! 16 + i` asks for `Import::ALL[i]` with the arguments in `r0` to `r2` and gets the answer in `r0`. Whatever else is in
//! a register is lost on the way, but for the stack pointer. Addresses in arguments count from the start of memory.
//!
//! **The ends of a call** need no way to the host of their own. What the header names as its first read the host has done
//! before [`Operation::Call`], with the answer in `r2`. And `svc 0` may write a record before it ends the call: `r1` is
//! the number of the output and one, above [`LAST_ADDRESS_BITS`] bits of its address, or 0. An image whose records *keep
//! their place* promises that what lies at the address of a record is the same in every call, where all its tensors have
//! the same shape in every call: a host that has found it right once may copy the elements from where they were. One that
//! breaks the promise has other elements of its own memory passed on.

use crate::{ABI_VERSION, Import};

#[cfg(any(test, feature = "encode"))]
mod encode;

#[cfg(any(test, feature = "encode"))]
pub use encode::Image;

/// The first eight bytes of an image.
const MAGIC: [u8; 8] = *b"RUNE-IMG";
const FORMAT_VERSION: u16 = 2;
const HEADER_BYTES: usize = 160;
const DIGEST: usize = 128;
const RESETS: u32 = 1;
const READS_FIRST: u32 = 2;
const KEEPS_RECORDS: u32 = 4;
/// Bits of an address in what a call gives back of its last record. Memory is not larger.
pub const LAST_ADDRESS_BITS: u32 = 28;

/// The processor an image is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Cortex-M7 with floats of double precision, passed in registers: `thumbv7em-none-eabihf`, `fpv5-d16`.
    CortexM7,
}

impl Target {
    const ALL: [Self; 1] = [Self::CortexM7];

    const fn number(self) -> u32 {
        match self {
            Self::CortexM7 => 1,
        }
    }

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CortexM7 => "cortex-m7",
        }
    }
}

/// What keeps the code of an image within its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Containment {
    /// The memory protection unit: the code runs unprivileged and has no checks.
    Mpu,
    /// The code, which compares every address: exact WebAssembly. It runs with the rights of the runtime.
    Bounds,
    /// The code, which masks every address. It runs with the rights of the runtime.
    Mask,
}

impl Containment {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Mpu, Self::Bounds, Self::Mask];

    const fn number(self) -> u32 {
        match self {
            Self::Mpu => 1,
            Self::Bounds => 2,
            Self::Mask => 3,
        }
    }

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mpu => "mpu",
            Self::Bounds => "bounds",
            Self::Mask => "mask",
        }
    }

    /// The containment of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.name() == name)
    }

    /// Whether the code is itself the sandbox, so that only a key of class *native* may vouch for it.
    pub const fn is_native(self) -> bool {
        !matches!(self, Self::Mpu)
    }
}

/// What the entry of an image is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Fill the block. Nothing else may come before it.
    Init,
    /// `_call`; its result is what the operation ends with.
    Call,
    /// `_reset`, where there is one.
    Reset,
}

impl Operation {
    /// The number in `r1`.
    pub const fn number(self) -> u32 {
        match self {
            Self::Init => 0,
            Self::Call => 1,
            Self::Reset => 2,
        }
    }
}

/// Numbers of the instruction `svc`.
pub mod service {
    use crate::Import;

    /// The operation ends.
    pub const END: u8 = 0;
    /// The code traps.
    pub const TRAP: u8 = 1;
    /// The first import.
    pub(super) const IMPORTS: u8 = 16;

    /// The number for an import.
    pub const fn of(import: Import) -> u8 {
        let index = match import {
            Import::Read => 0,
            Import::Write => 1,
            Import::Log => 2,
            Import::Fault => 3,
            Import::Mark => 4,
        };
        IMPORTS + index
    }

    /// The import of a number.
    pub fn import(number: u8) -> Option<Import> {
        let index = number.checked_sub(IMPORTS)?;
        Import::ALL.get(usize::from(index)).copied()
    }
}

/// A sample that every call begins with reading: what it would ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstRead {
    /// The number of the capability.
    pub capability: u32,
    /// Where it goes, from the start of memory.
    pub at: u32,
    /// How many bytes it has.
    pub bytes: u32,
}

/// The record that is written at the end of a call, as output and address, by what `svc 0` has in `r1`.
pub const fn last_write(word: u32) -> Option<(u32, u32)> {
    let address = word & ((1 << LAST_ADDRESS_BITS) - 1);
    match (word >> LAST_ADDRESS_BITS).checked_sub(1) {
        Some(output) => Some((output, address)),
        None => None,
    }
}

/// The bit of an import in the header.
fn bit(import: Import) -> u32 {
    1 << (service::of(import) - service::IMPORTS)
}

/// Why code trapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trap {
    /// `unreachable`.
    Unreachable,
    /// An address outside of memory.
    Memory,
    /// An index outside of the table.
    Table,
    /// An entry of the table that is empty.
    Null,
    /// An entry of the table that is another function's type.
    Signature,
    /// A division by zero.
    Division,
    /// A result that no integer is.
    Overflow,
    /// Of no float can be made an integer.
    Conversion,
    /// Too many calls of functions within each other.
    Exhausted,
}

impl Trap {
    /// Each of them, with its number: that of C made of a rune.
    const ALL: [(Self, u32); 9] = [
        (Self::Unreachable, 1),
        (Self::Memory, 2),
        (Self::Division, 3),
        (Self::Overflow, 4),
        (Self::Conversion, 5),
        (Self::Table, 6),
        (Self::Null, 7),
        (Self::Signature, 8),
        (Self::Exhausted, 9),
    ];

    /// The trap of a number in `r0`.
    pub fn from_number(number: u32) -> Option<Self> {
        let found = Self::ALL.into_iter().find(|(_, n)| *n == number);
        found.map(|(trap, _)| trap)
    }
}

/// Where an image breaks the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageError {
    /// Bytes from its start.
    pub offset: usize,
    /// What is wrong there, without a final full stop.
    pub what: &'static str,
}

impl core::fmt::Display for ImageError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} at byte {} of the image", self.what, self.offset)
    }
}

impl core::error::Error for ImageError {}

/// A public key and a signature by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureView<'a> {
    /// An ed25519 public key.
    pub key: &'a [u8; 32],
    /// A signature by it.
    pub signature: &'a [u8; 64],
}

/// An image whose header is right. Its digest, its manifest and its signatures are for who reads it to check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageView<'a> {
    /// With its signatures.
    bytes: &'a [u8],
    target: Target,
    containment: Containment,
    length: usize,
}

/// Fields of the header by their place.
mod field {
    pub(super) const VERSION: usize = 8;
    pub(super) const CONTRACT: usize = 10;
    pub(super) const TARGET: usize = 12;
    pub(super) const CONTAINMENT: usize = 16;
    pub(super) const LENGTH: usize = 20;
    pub(super) const IMPORTS: usize = 24;
    pub(super) const FLAGS: usize = 28;
    pub(super) const BLOCK: usize = 32;
    pub(super) const MEMORY_AT: usize = 36;
    pub(super) const MEMORY: usize = 40;
    pub(super) const STACK: usize = 44;
    pub(super) const ENTRY: usize = 48;
    pub(super) const MANIFEST: usize = 52;
    pub(super) const CONSTANTS: usize = 60;
    pub(super) const CODE: usize = 68;
    pub(super) const FUNCTIONS: usize = 76;
    pub(super) const FIRST_READ: usize = 84;
    pub(super) const GRAPH: usize = 96;
}

impl<'a> ImageView<'a> {
    /// The block of RAM begins at a multiple of this.
    pub const BLOCK_ALIGN: usize = 32;
    /// Code begins at a multiple of this.
    pub const CODE_ALIGN: usize = 32;
    /// Bytes of a signature with its key.
    pub const SIGNATURE_BYTES: usize = 96;
    /// The most signatures.
    pub const SIGNATURES: usize = 16;
    /// The most bytes of the block and of the stack, each.
    pub const RAM_BYTES: u32 = 1 << 28;

    /// Whether bytes begin as an image does.
    pub fn is_one(bytes: &[u8]) -> bool {
        bytes.starts_with(&MAGIC)
    }

    /// Reads the header of an image that is followed by nothing but its signatures.
    ///
    /// # Errors
    /// Where the header breaks the format, names what this version does not know, or says what cannot be.
    pub fn new(bytes: &'a [u8]) -> Result<Self, ImageError> {
        let fail = |offset, what| Err(ImageError { offset, what });
        if !Self::is_one(bytes) {
            return fail(0, "no image begins so");
        }
        if bytes.len() < HEADER_BYTES {
            return fail(bytes.len(), "the header is cut off");
        }
        let word = |at: usize| word(bytes, at);
        let half = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        if half(field::VERSION) != FORMAT_VERSION {
            return fail(field::VERSION, "a format of another version");
        }
        if half(field::CONTRACT) != ABI_VERSION {
            return fail(field::CONTRACT, "a contract of another version");
        }
        let target = word(field::TARGET);
        let Some(target) = Target::ALL.into_iter().find(|t| t.number() == target) else {
            return fail(field::TARGET, "an unknown target");
        };
        let containment = word(field::CONTAINMENT);
        let mut known = Containment::ALL.into_iter();
        let Some(containment) = known.find(|c| c.number() == containment) else {
            return fail(field::CONTAINMENT, "an unknown containment");
        };
        let length = word(field::LENGTH) as usize;
        if length < HEADER_BYTES || length > bytes.len() {
            return fail(field::LENGTH, "another length than it has");
        }
        let signatures = bytes.len() - length;
        if signatures % Self::SIGNATURE_BYTES != 0
            || signatures > Self::SIGNATURES * Self::SIGNATURE_BYTES
        {
            return fail(length, "what follows the image is not signatures");
        }
        if word(field::IMPORTS) >> Import::ALL.len() != 0 {
            return fail(field::IMPORTS, "an unknown import");
        }
        let flags = word(field::FLAGS);
        if flags & !(RESETS | READS_FIRST | KEEPS_RECORDS) != 0 {
            return fail(field::FLAGS, "an unknown flag");
        }
        let reads_first = flags & READS_FIRST != 0;
        let can_read = word(field::IMPORTS) & bit(Import::Read) != 0;
        if reads_first && !can_read {
            return fail(field::FLAGS, "a first read without the import for it");
        }
        let (block, at) = (word(field::BLOCK), word(field::MEMORY_AT));
        if block > Self::RAM_BYTES || block == 0 {
            return fail(field::BLOCK, "a block of such a length");
        }
        let end = at.checked_add(word(field::MEMORY));
        if at % 16 != 0 || end.is_none_or(|end| end > block) {
            return fail(field::MEMORY_AT, "memory outside of its block");
        }
        let stack = word(field::STACK);
        if stack > Self::RAM_BYTES || stack % 8 != 0 || stack == 0 {
            return fail(field::STACK, "a stack of such a length");
        }
        let mut free = HEADER_BYTES as u32;
        for at in [
            field::MANIFEST,
            field::CONSTANTS,
            field::CODE,
            field::FUNCTIONS,
        ] {
            let end = word(at).checked_add(word(at + 4));
            match end {
                Some(end) if word(at) >= free && end as usize <= length => free = end,
                _ => return fail(at, "a part outside of its place"),
            }
        }
        let code = word(field::CODE);
        if code as usize % Self::CODE_ALIGN != 0 {
            return fail(field::CODE, "code that is not aligned");
        }
        let entry = word(field::ENTRY);
        if entry % 2 != 0 || entry < code || entry - code >= word(field::CODE + 4) {
            return fail(field::ENTRY, "an entry outside of the code");
        }
        let first_read = &bytes[field::FIRST_READ..field::GRAPH];
        if !reads_first && first_read.iter().any(|b| *b != 0) {
            return fail(field::FIRST_READ, "something where there is nothing");
        }
        Ok(Self {
            bytes,
            target,
            containment,
            length,
        })
    }

    fn word(&self, at: usize) -> u32 {
        word(self.bytes, at)
    }

    fn part(&self, at: usize) -> core::ops::Range<usize> {
        let from = self.word(at) as usize;
        from..from + self.word(at + 4) as usize
    }

    /// The image and its signatures.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The image without its signatures: what they sign.
    pub fn signed(&self) -> &'a [u8] {
        &self.bytes[..self.length]
    }

    /// The processor it is for.
    pub const fn target(&self) -> Target {
        self.target
    }

    /// What keeps it within its memory.
    pub const fn containment(&self) -> Containment {
        self.containment
    }

    /// The functions it asks for, as it says.
    pub fn imports(&self) -> impl Iterator<Item = Import> {
        let bits = self.word(field::IMPORTS);
        let all = Import::ALL.into_iter().enumerate();
        all.filter_map(move |(index, import)| (bits >> index & 1 == 1).then_some(import))
    }

    /// Whether [`Operation::Reset`] does something.
    pub fn resets(&self) -> bool {
        self.word(field::FLAGS) & RESETS != 0
    }

    /// Whether what describes a record never changes, where its tensors have the same shape in every call.
    pub fn keeps_records(&self) -> bool {
        self.word(field::FLAGS) & KEEPS_RECORDS != 0
    }

    /// What its host reads for it before each call.
    pub fn first_read(&self) -> Option<FirstRead> {
        (self.word(field::FLAGS) & READS_FIRST != 0).then(|| FirstRead {
            capability: self.word(field::FIRST_READ),
            at: self.word(field::FIRST_READ + 4),
            bytes: self.word(field::FIRST_READ + 8),
        })
    }

    /// Bytes of its block of RAM.
    pub fn block_bytes(&self) -> usize {
        self.word(field::BLOCK) as usize
    }

    /// Its memory, within the block.
    pub fn memory(&self) -> core::ops::Range<usize> {
        self.part(field::MEMORY_AT)
    }

    /// Bytes of its stack, a multiple of 8.
    pub fn stack_bytes(&self) -> usize {
        self.word(field::STACK) as usize
    }

    /// Where its entry is, in bytes from the start of the image.
    pub fn entry(&self) -> usize {
        self.word(field::ENTRY) as usize
    }

    /// Where its code is, in bytes from the start of the image.
    pub fn code(&self) -> core::ops::Range<usize> {
        self.part(field::CODE)
    }

    /// Where its constants are, in bytes from the start of the image.
    pub fn constants(&self) -> core::ops::Range<usize> {
        self.part(field::CONSTANTS)
    }

    /// The manifest of the rune it was made from.
    pub fn manifest(&self) -> &'a [u8] {
        &self.bytes[self.part(field::MANIFEST)]
    }

    /// SHA-256 of the graph it was made from, as it says.
    pub fn graph_digest(&self) -> &'a [u8] {
        &self.bytes[field::GRAPH..DIGEST]
    }

    /// SHA-256 of [`digested`](Self::digested), as it says.
    pub fn digest(&self) -> &'a [u8] {
        &self.bytes[DIGEST..HEADER_BYTES]
    }

    /// What its digest is of: these bytes, one after the other.
    pub fn digested(&self) -> [&'a [u8]; 2] {
        [
            &self.bytes[..DIGEST],
            &self.bytes[HEADER_BYTES..self.length],
        ]
    }

    /// Its signatures, in their order.
    pub fn signatures(&self) -> impl Iterator<Item = SignatureView<'a>> {
        let all = self.bytes[self.length..].chunks_exact(Self::SIGNATURE_BYTES);
        all.filter_map(|bytes| {
            let (key, signature) = bytes.split_first_chunk()?;
            let signature = signature.first_chunk()?;
            Some(SignatureView { key, signature })
        })
    }

    /// The function that a place in the code belongs to, the place in bytes from the start of the image.
    pub fn function_at(&self, place: usize) -> Option<&'a str> {
        let code = self.code();
        let place = code.contains(&place).then(|| (place - code.start) as u32)?;
        let table = &self.bytes[self.part(field::FUNCTIONS)];
        let count = read(table, 0)? as usize;
        let entry = |index: usize| {
            let at = index.checked_mul(12)?.checked_add(4)?;
            Some((read(table, at)?, at))
        };
        // The last one that begins at the place or before it; they rise.
        let (mut low, mut high) = (0, count.min(table.len() / 12));
        while low < high {
            let middle = usize::midpoint(low, high);
            if entry(middle)?.0 <= place {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let (_, at) = entry(low.checked_sub(1)?)?;
        let from = read(table, at + 4)? as usize;
        let to = from.checked_add(read(table, at + 8)? as usize)?;
        core::str::from_utf8(table.get(from..to)?).ok()
    }
}

/// A word of bytes that are there.
fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// A word, where there is one.
fn read(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..at.checked_add(4)?)?.first_chunk()?;
    Some(u32::from_le_bytes(*word))
}

#[cfg(test)]
mod tests;
