//! SERIAL on a host: one line of JSON per call.

use std::fmt;

use rune_abi::Manifest;
use rune_core::json;

use super::{Elements, Record, Tensor, sink::Line};

/// What one call wrote, without a line end:
/// `{"serial": [{"element_type": "utf8", "dimensions": [1], "elements": ["Ring"]}]}`.
///
/// How numbers and texts are written is in [`rune_core::json`].
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
        json::output(json, &output.name, &record.tensors, tensor)
            .expect("a string takes everything");
        parts.push((index, (json.len() - counted) as u64));
        counted = json.len();
    }
    json.push_str("}\n");
    if let Some((_, bytes)) = parts.last_mut() {
        *bytes += 2;
    }
}

fn tensor(json: &mut String, tensor: &Tensor) -> fmt::Result {
    let elements = match &tensor.elements {
        Elements::Numbers(bytes) => json::Elements::Numbers(bytes),
        Elements::Texts(texts) => json::Elements::Texts(texts.iter().map(String::as_str)),
    };
    json::tensor(json, tensor.element, tensor.dims.iter().copied(), elements)
}
