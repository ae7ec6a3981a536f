//! SERIAL on a host: one line of JSON per call.

use std::fmt::{Display, LowerExp, Write};

use rune_abi::{ElementType, Manifest};

use super::{Elements, Record, Tensor, sink::Line};

/// What one call wrote, without a line end:
/// `{"serial": [{"element_type": "utf8", "dimensions": [1], "elements": ["Ring"]}]}`.
///
/// The keys are the names of the outputs, in the order of the manifest. Numbers have the fewest digits that
/// read back as the same value of their type; floats always have a point or an exponent, and those JSON
/// cannot say are "NaN", "inf" and "-inf".
pub fn line(manifest: &Manifest, records: &[Record]) -> String {
    let mut line = Line::default();
    write(manifest, records, |_| true, &mut line);
    line.text.pop();
    line.text
}

/// The line of those outputs, with its end; no text where they have no record. How many of its bytes are an
/// output's: what is between two is the one's before which it stands, and the end the last one's.
pub(super) fn write(
    manifest: &Manifest,
    records: &[Record],
    has: impl Fn(usize) -> bool,
    line: &mut Line,
) {
    let Line { text: json, parts } = line;
    json.clear();
    parts.clear();
    json.push('{');
    let mut counted = 0;
    for (index, output) in manifest.outputs.iter().enumerate() {
        let record = records.iter().find(|r| r.output == index && has(index));
        let Some(record) = record else { continue };
        if json.len() > 1 {
            json.push_str(", ");
        }
        text(json, &output.name);
        json.push_str(": [");
        separated(json, &record.tensors, tensor);
        json.push(']');
        parts.push((index, (json.len() - counted) as u64));
        counted = json.len();
    }
    json.push_str("}\n");
    if let Some((_, bytes)) = parts.last_mut() {
        *bytes += 2;
    }
}

fn tensor(json: &mut String, tensor: &Tensor) {
    json.push_str("{\"element_type\": ");
    text(json, tensor.element.name());
    json.push_str(", \"dimensions\": [");
    separated(json, &tensor.dims, |json, dim| integer(json, dim));
    json.push_str("], \"elements\": [");
    match &tensor.elements {
        Elements::Texts(texts) => separated(json, texts, |json, t| text(json, t)),
        Elements::Numbers(bytes) => {
            let size = tensor.element.size() as usize;
            separated(json, bytes.chunks_exact(size), |json, bytes| {
                number(json, tensor.element, bytes);
            });
        }
    }
    json.push_str("]}");
}

fn separated<T>(
    json: &mut String,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut String, T),
) {
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            json.push_str(", ");
        }
        write(json, item);
    }
}

fn text(json: &mut String, text: &str) {
    // Nearly every text is as it is.
    let is_plain = |b: u8| matches!(b, b' '..=b'~') && !matches!(b, b'"' | b'\\');
    if text.bytes().all(is_plain) {
        json.push('"');
        json.push_str(text);
        json.push('"');
        return;
    }
    json.push_str(&serde_json::to_string(text).expect("a string is always JSON"));
}

/// One number; `bytes` are as many as the element has.
fn number(json: &mut String, element: ElementType, bytes: &[u8]) {
    macro_rules! read {
        ($type:ty) => {
            <$type>::from_le_bytes(bytes.try_into().expect("the bytes of one element"))
        };
    }
    match element {
        ElementType::U8 => integer(json, &read!(u8)),
        ElementType::I8 => integer(json, &read!(i8)),
        ElementType::U16 => integer(json, &read!(u16)),
        ElementType::I16 => integer(json, &read!(i16)),
        ElementType::U32 => integer(json, &read!(u32)),
        ElementType::I32 => integer(json, &read!(i32)),
        ElementType::U64 => integer(json, &read!(u64)),
        ElementType::I64 => integer(json, &read!(i64)),
        ElementType::F32 => float(json, read!(f32)),
        ElementType::F64 => float(json, read!(f64)),
        ElementType::Utf8 => unreachable!("strings are `Elements::Texts`"),
    }
}

fn integer(json: &mut String, n: &dyn Display) {
    write!(json, "{n}").expect("a string takes everything");
}

/// A float in one of its two shortest spellings: with an exponent below 1e-5 and from 1e16 on.
fn float<T: Copy + Into<f64> + Display + LowerExp>(json: &mut String, number: T) {
    let x: f64 = number.into();
    match x.abs() {
        _ if x.is_nan() => json.push_str("\"NaN\""),
        _ if x == f64::INFINITY => json.push_str("\"inf\""),
        _ if x == f64::NEG_INFINITY => json.push_str("\"-inf\""),
        0.0 | 1e-5..1e16 => {
            let begin = json.len();
            write!(json, "{number}").expect("a string takes everything");
            // A whole number keeps a point, so that it still looks like a float.
            if !json[begin..].contains('.') {
                json.push_str(".0");
            }
        }
        _ => write!(json, "{number:e}").expect("a string takes everything"),
    }
}
