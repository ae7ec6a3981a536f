//! Reads FlatBuffers: every access is checked against the file, and nothing is copied.
//!
//! A table is a list of fields, each absent or at an offset its *vtable* gives; numbers lie in the table,
//! the rest behind offsets. All numbers are little-endian and may lie at any address.

use std::{fmt, marker::PhantomData};

/// A place where the file contradicts the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    table: &'static str,
    field: &'static str,
    offset: usize,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            table,
            field,
            offset,
        } = self;
        write!(
            f,
            "`{field}` of the {table} at byte {offset} points outside the file"
        )
    }
}

/// What a field can be.
pub(crate) trait Field<'a>: Sized {
    /// Bytes it takes where it stands.
    const SIZE: usize;
    /// Reads it at `at`, or finds that it lies outside the file.
    fn read(file: &'a [u8], at: usize) -> Option<Self>;
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl<'a> Field<'a> for $number {
            const SIZE: usize = size_of::<Self>();
            fn read(file: &'a [u8], at: usize) -> Option<Self> {
                let bytes = file.get(at..)?.first_chunk()?;
                Some(Self::from_le_bytes(*bytes))
            }
        }
    )*};
}
numbers!(i8 u8 u16 i32 u32 f32 i64 u64);

/// Follows the offset at `at`, which counts from its own place.
fn follow(file: &[u8], at: usize) -> Option<usize> {
    at.checked_add(u32::read(file, at)? as usize)
}

/// Several fields of one type; all of them lie inside the file.
#[derive(Clone, Copy)]
pub(crate) struct Vector<'a, T> {
    file: &'a [u8],
    start: usize,
    len: usize,
    of: PhantomData<fn() -> T>,
}

impl<'a, T: Field<'a>> Field<'a> for Vector<'a, T> {
    const SIZE: usize = 4;
    fn read(file: &'a [u8], at: usize) -> Option<Self> {
        let at = follow(file, at)?;
        let len = u32::read(file, at)? as usize;
        let start = at + 4;
        let end = start.checked_add(len.checked_mul(T::SIZE)?)?;
        (end <= file.len()).then_some(Self {
            file,
            start,
            len,
            of: PhantomData,
        })
    }
}

impl<'a, T: Field<'a>> Vector<'a, T> {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// One of them, unless `index` is too large or it points outside the file.
    pub(crate) fn get(&self, index: usize) -> Option<T> {
        (index < self.len)
            .then(|| T::read(self.file, self.start + index * T::SIZE))
            .flatten()
    }

    /// All of them, each unless it points outside the file.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Option<T>> {
        (0..self.len).map(|i| self.get(i))
    }
}

impl<'a> Vector<'a, u8> {
    /// The bytes.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        &self.file[self.start..self.start + self.len]
    }
}

/// A table whose fields are not yet given types.
#[derive(Clone, Copy)]
pub(crate) struct Table<'a> {
    file: &'a [u8],
    at: usize,
    vtable: usize,
    vtable_len: usize,
}

impl<'a> Field<'a> for Table<'a> {
    const SIZE: usize = 4;
    fn read(file: &'a [u8], at: usize) -> Option<Self> {
        let at = follow(file, at)?;
        let back = i32::read(file, at)?;
        let vtable = usize::try_from(i64::try_from(at).ok()? - i64::from(back)).ok()?;
        let vtable_len = usize::from(u16::read(file, vtable)?);
        (vtable + vtable_len <= file.len()).then_some(Self {
            file,
            at,
            vtable,
            vtable_len,
        })
    }
}

impl<'a> Table<'a> {
    /// The field of this id, or `None` if it is absent.
    pub(crate) fn field<T: Field<'a>>(
        &self,
        table: &'static str,
        id: usize,
        field: &'static str,
    ) -> Result<Option<T>, Malformed> {
        // Two words, the sizes of vtable and table, come before the offsets.
        let slot = (id + 2) * 2;
        if slot + 2 > self.vtable_len {
            return Ok(None);
        }
        let malformed = Malformed {
            table,
            field,
            offset: self.at,
        };
        match u16::read(self.file, self.vtable + slot).ok_or(malformed)? {
            0 => Ok(None),
            offset => T::read(self.file, self.at + usize::from(offset))
                .map(Some)
                .ok_or(malformed),
        }
    }
}

/// Declares tables: for each a reader, with a method for each field by its id in the format. A method
/// gives `None` where the file leaves the field out.
macro_rules! tables {
    ($a:lifetime $($(#[$doc:meta])* $table:ident { $($id:literal $field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(crate) struct $table<$a>($crate::flatbuffer::Table<$a>);

        impl<$a> $crate::flatbuffer::Field<$a> for $table<$a> {
            const SIZE: usize = 4;
            fn read(file: &$a [u8], at: usize) -> Option<Self> {
                $crate::flatbuffer::Field::read(file, at).map(Self)
            }
        }

        impl<$a> From<$crate::flatbuffer::Table<$a>> for $table<$a> {
            fn from(table: $crate::flatbuffer::Table<$a>) -> Self {
                Self(table)
            }
        }

        impl<$a> $table<$a> {
            $(pub(crate) fn $field(&self) -> Result<Option<$type>, $crate::flatbuffer::Malformed> {
                self.0.field(stringify!($table), $id, stringify!($field))
            })*
        }
    )*};
}
pub(crate) use tables;
