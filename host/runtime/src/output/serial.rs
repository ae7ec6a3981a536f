//! SERIAL on a host: one line of JSON per call.

use std::fmt::Write;

use rune_abi::{ElementType, Manifest};

use super::{Elements, Record, Tensor};

/// What one call wrote, without a line end:
/// `{"serial": [{"element_type": "utf8", "dimensions": [1], "elements": ["Ring"]}]}`.
///
/// The keys are the names of the outputs, in the order of the manifest. Numbers have the fewest digits that
/// read back as the same value of their type; floats always have a point or an exponent, and those JSON
/// cannot say are "NaN", "inf" and "-inf".
pub fn line(manifest: &Manifest, records: &[Record]) -> String {
    parts(manifest, &records.iter().collect::<Vec<_>>()).0
}

/// The line, and for each output in it how many of its bytes are that output's; what is between them is the
/// output's before which it stands, and the end the last one's, with a line end that is not there yet.
pub(super) fn parts(manifest: &Manifest, records: &[&Record]) -> (String, Vec<(usize, u64)>) {
    let mut json = String::from("{");
    let mut parts: Vec<(usize, u64)> = vec![];
    let mut counted = 0;
    for (index, output) in manifest.outputs.iter().enumerate() {
        let Some(record) = records.iter().find(|r| r.output == index) else {
            continue;
        };
        if json.len() > 1 {
            json.push_str(", ");
        }
        text(&mut json, &output.name);
        json.push_str(": [");
        separated(&mut json, &record.tensors, tensor);
        json.push(']');
        parts.push((index, (json.len() - counted) as u64));
        counted = json.len();
    }
    json.push('}');
    if let Some((_, bytes)) = parts.last_mut() {
        *bytes += 2;
    }
    (json, parts)
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
        ElementType::F32 => {
            let x = read!(f32);
            float(json, f64::from(x), &format!("{x}"), &format!("{x:e}"));
        }
        ElementType::F64 => {
            let x = read!(f64);
            float(json, x, &format!("{x}"), &format!("{x:e}"));
        }
        ElementType::Utf8 => unreachable!("strings are `Elements::Texts`"),
    }
}

fn integer(json: &mut String, n: &dyn std::fmt::Display) {
    write!(json, "{n}").expect("a string takes everything");
}

/// A float in one of its two shortest spellings: with an exponent below 1e-5 and from 1e16 on.
fn float(json: &mut String, x: f64, decimal: &str, exponent: &str) {
    match x.abs() {
        _ if x.is_nan() => json.push_str("\"NaN\""),
        _ if x == f64::INFINITY => json.push_str("\"inf\""),
        _ if x == f64::NEG_INFINITY => json.push_str("\"-inf\""),
        0.0 | 1e-5..1e16 => {
            json.push_str(decimal);
            // A whole number keeps a point, so that it still looks like a float.
            if !decimal.contains('.') {
                json.push_str(".0");
            }
        }
        _ => json.push_str(exponent),
    }
}
