//! The one map of a packet.

use minicbor::{Decoder, data::Type};

use crate::Unreadable;

/// Values within each other that are skipped.
const NESTING: u32 = 8;

/// A map with names as keys, read whole once. Of a name that comes twice the first value counts.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'b> {
    body: &'b [u8],
}

impl<'b> Fields<'b> {
    /// The map of a packet, with nothing behind it. A request without arguments may have none at all.
    ///
    /// # Errors
    /// It is no map with names, or something is behind it.
    pub fn new(body: &'b [u8]) -> Result<Self, Unreadable> {
        let map = Self { body };
        let end = map.walk(|_, _| false)?;
        (end == body.len()).then_some(map).ok_or(Unreadable)
    }

    /// Shows each name, with a decoder in front of its value, until one is the right one; gives where that was the end.
    fn walk(
        self,
        mut is_right: impl FnMut(&'b str, &Decoder<'b>) -> bool,
    ) -> Result<usize, Unreadable> {
        if self.body.is_empty() {
            return Ok(0);
        }
        let mut decoder = Decoder::new(self.body);
        let mut left = decoder.map()?;
        while more(&mut decoder, &mut left)? {
            let name = decoder.str()?;
            if is_right(name, &decoder) {
                break;
            }
            skip(&mut decoder, NESTING)?;
        }
        Ok(decoder.position())
    }

    /// A decoder in front of the value of a name; of null it is as if the name were not there.
    pub fn at(self, wanted: &str) -> Option<Decoder<'b>> {
        let mut found = None;
        let walked = self.walk(|name, decoder| {
            let is_right = name == wanted;
            if is_right {
                found = Some(decoder.clone());
            }
            is_right
        });
        walked.ok()?;
        found.filter(|decoder| !matches!(decoder.datatype(), Ok(Type::Null | Type::Undefined)))
    }

    /// A text that must be there.
    ///
    /// # Errors
    /// It is something else, or not there.
    pub fn text(self, name: &str) -> Result<&'b str, Unreadable> {
        self.optional_text(name)?.ok_or(Unreadable)
    }

    /// A text.
    ///
    /// # Errors
    /// It is something else.
    pub fn optional_text(self, name: &str) -> Result<Option<&'b str>, Unreadable> {
        let found = self.at(name);
        Ok(found.map(|mut value| value.str()).transpose()?)
    }

    /// Bytes that must be there.
    ///
    /// # Errors
    /// It is something else, or not there.
    pub fn bytes(self, name: &str) -> Result<&'b [u8], Unreadable> {
        self.optional_bytes(name)?.ok_or(Unreadable)
    }

    /// Bytes.
    ///
    /// # Errors
    /// It is something else.
    pub fn optional_bytes(self, name: &str) -> Result<Option<&'b [u8]>, Unreadable> {
        let found = self.at(name);
        Ok(found.map(|mut value| value.bytes()).transpose()?)
    }

    /// A number that must be there.
    ///
    /// # Errors
    /// It is something else, or not there.
    pub fn number(self, name: &str) -> Result<u32, Unreadable> {
        self.optional_number(name)?.ok_or(Unreadable)
    }

    /// A number.
    ///
    /// # Errors
    /// It is something else.
    pub fn optional_number(self, name: &str) -> Result<Option<u32>, Unreadable> {
        let found = self.at(name);
        Ok(found.map(|mut value| value.u32()).transpose()?)
    }

    /// A truth, or a number in its stead; false where there is none.
    ///
    /// # Errors
    /// It is something else.
    pub fn flag(self, name: &str) -> Result<bool, Unreadable> {
        let Some(mut value) = self.at(name) else {
            return Ok(false);
        };
        if value.datatype()? == Type::Bool {
            return Ok(value.bool()?);
        }
        Ok(value.u32()? != 0)
    }
}

/// Whether a list has one item more; of one without a length until its end.
pub(crate) fn more(decoder: &mut Decoder<'_>, left: &mut Option<u64>) -> Result<bool, Unreadable> {
    match left {
        Some(0) => Ok(false),
        Some(left) => {
            *left -= 1;
            Ok(true)
        }
        None => {
            let is_end = decoder.datatype()? == Type::Break;
            if is_end {
                decoder.set_position(decoder.position() + 1);
            }
            Ok(!is_end)
        }
    }
}

/// Skips one value.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the other types hold no others, or do not come"
)]
fn skip(decoder: &mut Decoder<'_>, nesting: u32) -> Result<(), Unreadable> {
    let nesting = nesting.checked_sub(1).ok_or(Unreadable)?;
    match decoder.datatype()? {
        kind @ (Type::Map | Type::MapIndef | Type::Array | Type::ArrayIndef) => {
            let is_map = matches!(kind, Type::Map | Type::MapIndef);
            let mut left = if is_map {
                decoder.map()?
            } else {
                decoder.array()?
            };
            while more(decoder, &mut left)? {
                skip(decoder, nesting)?;
                if is_map {
                    skip(decoder, nesting)?;
                }
            }
        }
        Type::Tag => {
            decoder.tag()?;
            skip(decoder, nesting)?;
        }
        Type::BytesIndef | Type::StringIndef | Type::Break | Type::Unknown(_) => {
            return Err(Unreadable);
        }
        _ => decoder.skip()?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(body: &[u8]) -> Result<std::vec::Vec<&str>, Unreadable> {
        let mut names = std::vec![];
        let map = Fields::new(body)?;
        map.walk(|name, _| {
            names.push(name);
            false
        })?;
        Ok(names)
    }

    #[test]
    fn values_are_found_by_name_and_type() {
        // {"t": "x", "b": h'01', "n": 300, "f": true, "g": 1, "z": null, "t": "y"}
        let body =
            b"\xa7\x61t\x61x\x61b\x41\x01\x61n\x19\x01\x2c\x61f\xf5\x61g\x01\x61z\xf6\x61t\x61y";
        let map = Fields::new(body).unwrap();
        assert_eq!((map.text("t"), map.bytes("b")), (Ok("x"), Ok(&[1][..])));
        assert_eq!(
            (map.number("n"), map.flag("f"), map.flag("g")),
            (Ok(300), Ok(true), Ok(true))
        );
        assert_eq!(
            (map.optional_number("z"), map.flag("?")),
            (Ok(None), Ok(false))
        );
        assert_eq!(
            (map.text("?"), map.number("t")),
            (Err(Unreadable), Err(Unreadable))
        );
        assert_eq!(
            (map.flag("t"), map.bytes("t")),
            (Err(Unreadable), Err(Unreadable))
        );
    }

    #[test]
    fn what_is_not_asked_for_is_skipped() {
        // {"a": [1, {"x": null}], "b": 1.5, "c": h'00', "d": 0("t")}, with and without lengths.
        let body = b"\xa4\x61a\x82\x01\xa1\x61x\xf6\x61b\xf9\x3e\x00\x61c\x41\x00\x61d\xc0\x61t";
        assert_eq!(names(body).unwrap(), ["a", "b", "c", "d"]);
        let body = b"\xbf\x61a\x9f\x01\xbf\x61x\xf6\xff\xff\x61b\xf5\xff";
        assert_eq!(names(body).unwrap(), ["a", "b"]);
        assert_eq!(names(b""), Ok(std::vec![]));
    }

    #[test]
    fn what_is_no_map_is_unreadable() {
        let deep = [&b"\xa1\x61a"[..], &[0x81; 20], b"\x00"].concat();
        for body in [
            &b"\x00"[..],
            b"\xa1\x01\x00",
            b"\xa1\x61a",
            b"\xa0\x00",
            b"\xbf\x61a\x00",
            b"\xa1\x61a\xff",
            b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff\x61a\x00",
            b"\xa1\x61a\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
            &deep,
        ] {
            assert_eq!(names(body), Err(Unreadable), "{body:02x?}");
        }
    }
}
