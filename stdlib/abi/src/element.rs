//! The element types of tensors that cross a stage boundary.

use core::fmt;

/// The type of one element of a tensor. The number is its tag in every binary form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ElementType {
    /// Unsigned 8-bit integer.
    U8 = 1,
    /// Signed 8-bit integer.
    I8 = 2,
    /// Unsigned 16-bit integer.
    U16 = 3,
    /// Signed 16-bit integer.
    I16 = 4,
    /// Unsigned 32-bit integer.
    U32 = 5,
    /// Signed 32-bit integer.
    I32 = 6,
    /// Unsigned 64-bit integer.
    U64 = 7,
    /// Signed 64-bit integer.
    I64 = 8,
    /// IEEE 754 binary32.
    F32 = 9,
    /// IEEE 754 binary64.
    F64 = 10,
    /// A string: (u32 address, u32 length in bytes) into the rune's memory.
    Utf8 = 11,
}

impl ElementType {
    /// Every element type, in the order of its tags.
    pub const ALL: [Self; 11] = [
        Self::U8,
        Self::I8,
        Self::U16,
        Self::I16,
        Self::U32,
        Self::I32,
        Self::U64,
        Self::I64,
        Self::F32,
        Self::F64,
        Self::Utf8,
    ];

    /// Bytes one element takes in the rune's memory.
    pub const fn size(self) -> u32 {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 | Self::Utf8 => 8,
        }
    }

    /// Alignment in bytes; a string's pair is aligned as its two words are.
    pub const fn align(self) -> u32 {
        match self {
            Self::Utf8 => 4,
            Self::U8
            | Self::I8
            | Self::U16
            | Self::I16
            | Self::U32
            | Self::I32
            | Self::U64
            | Self::I64
            | Self::F32
            | Self::F64 => self.size(),
        }
    }

    /// The name in lower case, as JSON output and block exports spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::U8 => "u8",
            Self::I8 => "i8",
            Self::U16 => "u16",
            Self::I16 => "i16",
            Self::U32 => "u32",
            Self::I32 => "i32",
            Self::U64 => "u64",
            Self::I64 => "i64",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::Utf8 => "utf8",
        }
    }

    /// The type of a name written all in lower or all in upper case.
    pub fn from_name(name: &str) -> Option<Self> {
        let upper = name.bytes().all(|b| !b.is_ascii_lowercase());
        let lower = name.bytes().all(|b| !b.is_ascii_uppercase());
        Self::ALL
            .into_iter()
            .find(|t| (upper || lower) && t.name().eq_ignore_ascii_case(name))
    }

    /// The type of a tag of a binary form.
    pub fn from_tag(tag: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|t| *t as u8 == tag)
    }

    /// Whether this is an integer type.
    pub const fn is_integer(self) -> bool {
        !matches!(self, Self::F32 | Self::F64 | Self::Utf8)
    }
}

impl fmt::Display for ElementType {
    /// Upper case, as a Runefile spells it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::U8 => "U8",
            Self::I8 => "I8",
            Self::U16 => "U16",
            Self::I16 => "I16",
            Self::U32 => "U32",
            Self::I32 => "I32",
            Self::U64 => "U64",
            Self::I64 => "I64",
            Self::F32 => "F32",
            Self::F64 => "F64",
            Self::Utf8 => "UTF8",
        })
    }
}
