//! The shape of a rune as a WebAssembly module: names of imports, exports and sections,
//! and the features its code may use.

/// A value type in a signature of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValType {
    /// 32-bit integer; addresses and lengths too.
    I32,
}

/// The functions a rune may import from module [`Import::MODULE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Import {
    /// `read(cap, ptr, len) -> i32`: fills `len` bytes with the next sample of capability `cap`
    /// (its index in the manifest). Returns `len`, [`Import::END`] when there is no more data,
    /// or a negative fault.
    Read,
    /// `write(out, ptr) -> i32`: takes one record for output `out`: for each tensor of that
    /// output in the manifest, in order: u32 address, u32 length in bytes, u32 rank, and `rank`
    /// u32 dimensions. Returns 0 or a negative fault.
    Write,
    /// `log(level, ptr, len)`: a line of UTF-8 text; level 1 error to 5 trace.
    Log,
    /// `fault(code, ptr, len)`: says why `_call` is about to return `code`.
    Fault,
    /// `mark(stage, phase)`: stage `stage` of the manifest begins (phase 0) or ends (phase 1).
    Mark,
}

impl Import {
    /// The module every import comes from.
    pub const MODULE: &'static str = "runicos";
    /// What `read` returns when a capability has no more data.
    pub const END: i32 = 0;
    /// Every import.
    pub const ALL: [Self; 5] = [Self::Read, Self::Write, Self::Log, Self::Fault, Self::Mark];

    /// The name in the import section.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Log => "log",
            Self::Fault => "fault",
            Self::Mark => "mark",
        }
    }

    /// The import of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|i| i.name() == name)
    }

    /// Parameters and results.
    pub const fn signature(self) -> (&'static [ValType], &'static [ValType]) {
        const I: ValType = ValType::I32;
        match self {
            Self::Read => (&[I, I, I], &[I]),
            Self::Write => (&[I, I], &[I]),
            Self::Log | Self::Fault => (&[I, I, I], &[]),
            Self::Mark => (&[I, I], &[]),
        }
    }
}

/// Names of a rune's exports.
pub mod export {
    /// The one linear memory.
    pub const MEMORY: &str = "memory";
    /// `() -> i32`: exactly `i32.const P; end`, the address of the manifest in memory.
    pub const MANIFEST: &str = "_manifest";
    /// `() -> i32`: runs the pipeline once, see [`CallResult`](super::CallResult).
    pub const CALL: &str = "_call";
    /// `()`: puts all state back to what it was at the start. Absent where there is no state.
    pub const RESET: &str = "_reset";
}

/// Names of custom sections.
pub mod section {
    /// The manifest in a rune.
    pub const MANIFEST: &str = "rune.manifest";
    /// The typed pipeline in a rune, for tools.
    pub const GRAPH: &str = "rune.graph";
    /// A signature of all that stands before the signatures, with its key. A module's last sections.
    pub const SIGNATURE: &str = "rune.signature";
    /// The Runefiles a rune was built from and the files they name, for a rune built on top of it.
    pub const SOURCE: &str = "rune.source";
    /// Arguments, docs and signature in a block.
    pub const BLOCK: &str = "rune.block";
}

/// What `_call` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallResult {
    /// Every output of this call was written.
    Output,
    /// The call ended well but wrote nothing this time.
    NoOutput,
    /// A capability has no more data.
    EndOfData,
    /// The call failed with this code.
    Fault(i32),
}

impl CallResult {
    /// Reads the number `_call` returned; a positive number outside the contract is a fault.
    pub const fn from_code(code: i32) -> Self {
        match code {
            0 => Self::Output,
            1 => Self::NoOutput,
            2 => Self::EndOfData,
            code => Self::Fault(code),
        }
    }
}

/// The WebAssembly features a rune's code uses, as the bits of the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct WasmFeatures(pub u32);

impl WasmFeatures {
    /// `mutable-globals`.
    pub const MUTABLE_GLOBALS: Self = Self(1);
    /// `sign-ext`.
    pub const SIGN_EXT: Self = Self(1 << 1);
    /// `nontrapping-fptoint`.
    pub const SATURATING_FLOAT_TO_INT: Self = Self(1 << 2);
    /// `bulk-memory` (copy and fill only).
    pub const BULK_MEMORY: Self = Self(1 << 3);
    /// `multi-value`.
    pub const MULTI_VALUE: Self = Self(1 << 4);
    /// `simd128`.
    pub const SIMD: Self = Self(1 << 5);
    /// `relaxed-simd`.
    pub const RELAXED_SIMD: Self = Self(1 << 6);
    /// Every bit this version knows.
    pub const ALL: Self = Self(0x7f);
    /// Each feature and what WebAssembly calls it.
    pub const NAMES: [(Self, &'static str); 7] = [
        (Self::MUTABLE_GLOBALS, "mutable-globals"),
        (Self::SIGN_EXT, "sign-ext"),
        (Self::SATURATING_FLOAT_TO_INT, "nontrapping-fptoint"),
        (Self::BULK_MEMORY, "bulk-memory"),
        (Self::MULTI_VALUE, "multi-value"),
        (Self::SIMD, "simd128"),
        (Self::RELAXED_SIMD, "relaxed-simd"),
    ];

    /// Whether every bit of `other` is set here.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The names of the features that are set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let names = Self::NAMES.into_iter();
        names
            .filter(move |(feature, _)| self.contains(*feature))
            .map(|(_, name)| name)
    }

    /// The bits of both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
