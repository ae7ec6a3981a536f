//! Reads the options of custom operators, which are `FlexBuffers`: maps of numbers by name, read from the end.
//!
//! A number in a map is as wide as all of the map's numbers are. A map begins, from its first value
//! backwards, with its size, the width of its keys' offsets and the offset of its keys; after the values
//! comes a byte for the type of each. Offsets count backwards from where they stand. Every access is
//! checked against the bytes, and nothing is copied.

/// A map of values by name.
#[derive(Clone, Copy)]
pub(crate) struct Map<'a> {
    bytes: &'a [u8],
    values: Values,
    keys: Values,
    len: usize,
}

/// Where some values of one width begin.
#[derive(Clone, Copy)]
struct Values {
    at: usize,
    width: usize,
}

impl Values {
    /// The place of one of them.
    fn place(self, index: usize) -> Option<usize> {
        self.at.checked_add(index.checked_mul(self.width)?)
    }
}

/// The kinds of values that options are made of, by their numbers in the format.
mod kind {
    pub(super) const INT: u8 = 1;
    pub(super) const UINT: u8 = 2;
    pub(super) const FLOAT: u8 = 3;
    pub(super) const INDIRECT_INT: u8 = 6;
    pub(super) const INDIRECT_UINT: u8 = 7;
    pub(super) const INDIRECT_FLOAT: u8 = 8;
    pub(super) const MAP: u8 = 9;
    pub(super) const BOOL: u8 = 26;
}

/// A number as the format has it.
#[derive(Clone, Copy)]
enum Number {
    Int(i64),
    Uint(u64),
    Float(f64),
    Bool(bool),
}

impl<'a> Map<'a> {
    /// The map that `bytes` are, unless they are something else or point outside themselves.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let [rest @ .., packed, width] = bytes else {
            return None;
        };
        let (packed, width) = (*packed, usize::from(*width));
        if packed >> 2 != kind::MAP {
            return None;
        }
        let at = follow(bytes, rest.len().checked_sub(width)?, width)?;
        let width = 1 << (packed & 3);
        let len = usize::try_from(unsigned(bytes, at.checked_sub(width)?, width)?).ok()?;
        let keys_width = unsigned(bytes, at.checked_sub(2 * width)?, width)?;
        let keys = Values {
            at: follow(bytes, at.checked_sub(3 * width)?, width)?,
            width: usize::try_from(keys_width).ok()?,
        };
        let values = Values { at, width };
        // The types, a byte each, are the last that must be there.
        let end = values.place(len)?.checked_add(len)?;
        let keys_end = keys.place(len)?;
        (end <= bytes.len() && keys_end <= bytes.len()).then_some(Self {
            bytes,
            values,
            keys,
            len,
        })
    }

    /// The names, as far as they lie inside the bytes.
    #[cfg(test)]
    pub(crate) fn names(&self) -> impl Iterator<Item = &'a [u8]> {
        (0..self.len).filter_map(|index| self.name(index))
    }

    /// The whole number of this name; `None` if it is absent, no number, or not whole.
    pub(crate) fn int(&self, name: &str) -> Option<i64> {
        match self.number(name)? {
            Number::Int(value) => Some(value),
            Number::Uint(value) => i64::try_from(value).ok(),
            Number::Bool(value) => Some(i64::from(value)),
            #[expect(clippy::cast_possible_truncation, reason = "a whole number below 2^53")]
            Number::Float(value) => {
                (value.fract() == 0.0 && value.abs() < 9e15).then_some(value as i64)
            }
        }
    }

    /// The number of this name; `None` if it is absent or no number.
    pub(crate) fn float(&self, name: &str) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "that is what is asked for")]
        Some(match self.number(name)? {
            Number::Int(value) => value as f64,
            Number::Uint(value) => value as f64,
            Number::Float(value) => value,
            Number::Bool(value) => f64::from(u8::from(value)),
        })
    }

    /// The truth value of this name, where a number counts as true unless it is 0; `None` if it is absent
    /// or neither.
    pub(crate) fn bool(&self, name: &str) -> Option<bool> {
        Some(match self.number(name)? {
            Number::Int(value) => value != 0,
            Number::Uint(value) => value != 0,
            Number::Float(value) => value != 0.0,
            Number::Bool(value) => value,
        })
    }

    /// The name at a position, without the zero byte that ends it.
    #[cfg(test)]
    fn name(&self, index: usize) -> Option<&'a [u8]> {
        let at = follow(self.bytes, self.keys.place(index)?, self.keys.width)?;
        let rest = self.bytes.get(at..)?;
        Some(&rest[..rest.iter().position(|&byte| byte == 0)?])
    }

    /// Whether the name at a position is this one; it looks no further than that takes.
    fn is(&self, index: usize, name: &str) -> Option<bool> {
        let at = follow(self.bytes, self.keys.place(index)?, self.keys.width)?;
        let rest = self.bytes.get(at..)?.strip_prefix(name.as_bytes());
        Some(rest.is_some_and(|rest| rest.first() == Some(&0)))
    }

    /// The number of this name.
    fn number(&self, name: &str) -> Option<Number> {
        let index = (0..self.len).find(|&index| self.is(index, name) == Some(true))?;
        let packed = *self.bytes.get(self.values.place(self.len)? + index)?;
        let at = self.values.place(index)?;
        let inline = self.values.width;
        let far = || Some((follow(self.bytes, at, inline)?, 1 << (packed & 3)));
        let (kind, (at, width)) = match packed >> 2 {
            kind::INDIRECT_INT => (kind::INT, far()?),
            kind::INDIRECT_UINT => (kind::UINT, far()?),
            kind::INDIRECT_FLOAT => (kind::FLOAT, far()?),
            kind => (kind, (at, inline)),
        };
        Some(match kind {
            kind::INT => Number::Int(signed(self.bytes, at, width)?),
            kind::UINT => Number::Uint(unsigned(self.bytes, at, width)?),
            kind::FLOAT => Number::Float(float(self.bytes, at, width)?),
            kind::BOOL => Number::Bool(unsigned(self.bytes, at, width)? != 0),
            _ => return None,
        })
    }
}

/// The place that the offset at `at` names.
fn follow(bytes: &[u8], at: usize, width: usize) -> Option<usize> {
    at.checked_sub(usize::try_from(unsigned(bytes, at, width)?).ok()?)
}

/// The number of `width` bytes at `at`, where the format knows such a width.
fn unsigned(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let bytes = bytes.get(at..)?;
    Some(match width {
        1 => u64::from(*bytes.first()?),
        2 => u64::from(u16::from_le_bytes(*bytes.first_chunk()?)),
        4 => u64::from(u32::from_le_bytes(*bytes.first_chunk()?)),
        8 => u64::from_le_bytes(*bytes.first_chunk()?),
        _ => return None,
    })
}

/// The same, in two's complement.
fn signed(bytes: &[u8], at: usize, width: usize) -> Option<i64> {
    let shift = u32::try_from(64_usize.checked_sub(8 * width)?).ok()?;
    Some((unsigned(bytes, at, width)? << shift).cast_signed() >> shift)
}

/// The binary floating-point number of `width` bytes; half precision, which no writer makes, is none.
fn float(bytes: &[u8], at: usize, width: usize) -> Option<f64> {
    let bytes = bytes.get(at..)?;
    match width {
        4 => Some(f64::from(f32::from_le_bytes(*bytes.first_chunk()?))),
        8 => Some(f64::from_le_bytes(*bytes.first_chunk()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `{"T": 7, "a": true, "f": 0.5, "neg": -3}` as the `flatbuffers` package of Python writes it.
    const NARROW: &[u8] = &[
        84, 0, 97, 0, 102, 0, 110, 101, 103, 0, 4, 11, 10, 9, 8, 0, 5, 0, 0, 0, 1, 0, 0, 0, 4, 0,
        0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 63, 253, 255, 255, 255, 6, 106, 14, 6, 20, 38, 1,
    ];

    /// `{"big": 1 << 40, "d": 0.1, "s": "hello", "v": [1, 2, 3], "i": -70000}`, likewise.
    const WIDE: &[u8] = &[
        98, 105, 103, 0, 100, 0, 115, 0, 5, 104, 101, 108, 108, 111, 0, 118, 0, 3, 1, 2, 3, 4, 4,
        4, 105, 0, 5, 27, 24, 5, 24, 16, 5, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 154, 153, 153, 153, 153, 153, 185, 63, 144, 238,
        254, 255, 255, 255, 255, 255, 71, 0, 0, 0, 0, 0, 0, 0, 70, 0, 0, 0, 0, 0, 0, 0, 7, 15, 7,
        20, 40, 45, 39, 1,
    ];

    const EMPTY: &[u8] = &[0, 0, 1, 0, 0, 36, 1];

    #[test]
    fn numbers_are_found_by_name() {
        let map = Map::read(NARROW).unwrap();
        assert_eq!(map.int("T"), Some(7));
        assert_eq!(map.float("T"), Some(7.0));
        assert_eq!(map.bool("T"), Some(true));
        assert_eq!(map.bool("a"), Some(true));
        assert_eq!(map.int("a"), Some(1));
        assert_eq!(map.float("f"), Some(0.5));
        assert_eq!(map.int("f"), None);
        assert_eq!(map.int("neg"), Some(-3));
        assert_eq!(map.float("neg"), Some(-3.0));
        for absent in ["", "ne", "nega", "n", "t"] {
            assert_eq!(map.int(absent), None, "{absent}");
        }
        let names: Vec<_> = map.names().collect();
        assert_eq!(names, [&b"T"[..], b"a", b"f", b"neg"]);
    }

    #[test]
    fn wide_numbers_and_values_that_are_no_numbers() {
        let map = Map::read(WIDE).unwrap();
        assert_eq!(map.int("big"), Some(1 << 40));
        assert_eq!(map.float("d"), Some(0.1));
        assert_eq!(map.int("i"), Some(-70_000));
        assert_eq!(map.int("s"), None);
        assert_eq!(map.float("v"), None);
        assert_eq!(map.bool("v"), None);
    }

    #[test]
    fn an_empty_map_has_nothing() {
        let map = Map::read(EMPTY).unwrap();
        assert_eq!(map.int("T"), None);
        assert_eq!(map.names().count(), 0);
    }

    #[test]
    fn what_is_no_map_is_none() {
        for bytes in [&[][..], &[0], &[0, 0], &[5, 4, 1], &[3, 36, 1], &[0; 9]] {
            assert!(Map::read(bytes).is_none(), "{bytes:?}");
        }
    }

    #[test]
    fn numbers_behind_offsets() {
        // The value -2 at 0 in two bytes, the name `k`, its offset; then the map.
        let bytes = [0xFE, 0xFF, b'k', 0, 1, 3, 1, 1, 1, 9, 25, 2, 36, 1];
        let map = Map::read(&bytes).unwrap();
        assert_eq!(map.int("k"), Some(-2));
    }

    /// Asks for everything there is to ask for.
    fn ask(bytes: &[u8]) {
        if let Some(map) = Map::read(bytes) {
            for name in ["T", "a", "f", "neg", "big", "d", "s", "v", "i", ""] {
                let _ = (map.int(name), map.float(name), map.bool(name));
            }
            assert!(map.names().all(|name| name.len() < bytes.len()));
        }
    }

    #[test]
    fn damaged_bytes_never_panic() {
        for whole in [NARROW, WIDE, EMPTY] {
            for len in 0..whole.len() {
                ask(&whole[..len]);
                ask(&whole[len..]);
            }
            let mut bytes = whole.to_vec();
            for at in 0..bytes.len() {
                for value in 0..=u8::MAX {
                    bytes[at] = value;
                    ask(&bytes);
                }
                bytes[at] = whole[at];
            }
            // Two bytes at once, from a fixed sequence.
            let mut state = 0x9E37_79B9_u32;
            let mut next = |below: usize| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as usize % below
            };
            for _ in 0..100_000 {
                let places = [next(whole.len()), next(whole.len())];
                for at in places {
                    bytes[at] = u8::try_from(next(256)).unwrap();
                }
                ask(&bytes);
                for at in places {
                    bytes[at] = whole[at];
                }
            }
        }
    }
}
