//! What a rune wrote, as JSON: one line per call, `{"serial": [{"element_type": "utf8", "dimensions": [1],
//! "elements": ["Ring"]}]}`, the same bytes on every runtime.
//!
//! The keys are the names of the outputs, in the order of the manifest. Numbers have the fewest digits that read back
//! as the same value of their type; floats always have a point or an exponent, and those JSON cannot say are "NaN",
//! "inf" and "-inf".

use core::fmt::{self, Display, LowerExp, Write};

use rune_abi::ElementType;

/// The elements of a tensor, in row-major order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elements<'a, T> {
    /// Numbers, little-endian.
    Numbers(&'a [u8]),
    /// Strings.
    Texts(T),
}

/// A name, and what it stands for: the tensors of an output.
pub fn output<W: Write, T>(
    out: &mut W,
    name: &str,
    tensors: impl IntoIterator<Item = T>,
    write: impl FnMut(&mut W, T) -> fmt::Result,
) -> fmt::Result {
    text(out, name)?;
    out.write_str(": [")?;
    separated(out, tensors, write)?;
    out.write_str("]")
}

/// One tensor.
pub fn tensor<'t, W: Write, T: IntoIterator<Item = &'t str>>(
    out: &mut W,
    element: ElementType,
    dims: impl IntoIterator<Item = u32>,
    elements: Elements<'_, T>,
) -> fmt::Result {
    out.write_str("{\"element_type\": ")?;
    text(out, element.name())?;
    out.write_str(", \"dimensions\": [")?;
    separated(out, dims, |out, dim| write!(out, "{dim}"))?;
    out.write_str("], \"elements\": [")?;
    match elements {
        Elements::Texts(texts) => separated(out, texts, |out, t| text(out, t))?,
        Elements::Numbers(bytes) => {
            let numbers = bytes.chunks_exact(element.size() as usize);
            separated(out, numbers, |out, bytes| number(out, element, bytes))?;
        }
    }
    out.write_str("]}")
}

/// Items with a comma between.
pub fn separated<W: Write, T>(
    out: &mut W,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut W, T) -> fmt::Result,
) -> fmt::Result {
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            out.write_str(", ")?;
        }
        write(out, item)?;
    }
    Ok(())
}

/// A string.
pub fn text(out: &mut impl Write, text: &str) -> fmt::Result {
    out.write_str("\"")?;
    let mut rest = text;
    // Whatever is between two characters that must be escaped goes out at once.
    while let Some(at) = rest.find(|c: char| c < ' ' || c == '"' || c == '\\') {
        out.write_str(&rest[..at])?;
        match rest.as_bytes()[at] {
            b'"' => out.write_str("\\\"")?,
            b'\\' => out.write_str("\\\\")?,
            b'\n' => out.write_str("\\n")?,
            b'\r' => out.write_str("\\r")?,
            b'\t' => out.write_str("\\t")?,
            0x08 => out.write_str("\\b")?,
            0x0c => out.write_str("\\f")?,
            control => write!(out, "\\u{control:04x}")?,
        }
        rest = &rest[at + 1..];
    }
    out.write_str(rest)?;
    out.write_str("\"")
}

/// One number; `bytes` are as many as the element has.
fn number(out: &mut impl Write, element: ElementType, bytes: &[u8]) -> fmt::Result {
    macro_rules! read {
        ($type:ty) => {
            <$type>::from_le_bytes(bytes.try_into().map_err(|_| fmt::Error)?)
        };
    }
    match element {
        ElementType::U8 => write!(out, "{}", read!(u8)),
        ElementType::I8 => write!(out, "{}", read!(i8)),
        ElementType::U16 => write!(out, "{}", read!(u16)),
        ElementType::I16 => write!(out, "{}", read!(i16)),
        ElementType::U32 => write!(out, "{}", read!(u32)),
        ElementType::I32 => write!(out, "{}", read!(i32)),
        ElementType::U64 => write!(out, "{}", read!(u64)),
        ElementType::I64 => write!(out, "{}", read!(i64)),
        ElementType::F32 => float(out, read!(f32)),
        ElementType::F64 => float(out, read!(f64)),
        // Strings are no numbers.
        ElementType::Utf8 => Err(fmt::Error),
    }
}

/// A float in one of its two shortest spellings: with an exponent below 1e-5 and from 1e16 on.
fn float<T: Copy + Into<f64> + Display + LowerExp>(out: &mut impl Write, number: T) -> fmt::Result {
    let x: f64 = number.into();
    match x.abs() {
        _ if x.is_nan() => out.write_str("\"NaN\""),
        _ if x == f64::INFINITY => out.write_str("\"inf\""),
        _ if x == f64::NEG_INFINITY => out.write_str("\"-inf\""),
        0.0 | 1e-5..1e16 => {
            let mut digits = Digits {
                out,
                has_point: false,
            };
            write!(digits, "{number}")?;
            // A whole number keeps a point, so that it still looks like a float.
            if digits.has_point {
                Ok(())
            } else {
                out.write_str(".0")
            }
        }
        _ => write!(out, "{number:e}"),
    }
}

/// Passes text on, and sees whether a point is in it.
struct Digits<'a, W> {
    out: &'a mut W,
    has_point: bool,
}

impl<W: Write> Write for Digits<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.has_point |= text.contains('.');
        self.out.write_str(text)
    }
}
