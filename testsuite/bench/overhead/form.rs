//! How a result is passed on: as it is, as JSON, as protobuf. Both sides use the same libraries where there are any.

use prost::Message as _;
use rune_abi::Manifest;
use rune_runtime::{Elements, Record, serial};
use serde::Serialize;

/// A way of passing a result on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    Struct,
    Json,
    Protobuf,
}

impl Form {
    pub(crate) const ALL: [Self; 3] = [Self::Struct, Self::Json, Self::Protobuf];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Struct => "struct",
            Self::Json => "JSON",
            Self::Protobuf => "protobuf",
        }
    }

    /// Takes a result in this form, and gives something that depends on it.
    pub(crate) fn consume(self, answer: &impl Answer) -> f64 {
        match self {
            Self::Struct => answer.number(),
            Self::Json => answer.json().len() as f64,
            Self::Protobuf => answer.protobuf().len() as f64,
        }
    }
}

/// A result of one tensor.
pub(crate) trait Answer {
    /// Its first element, or the length of its text.
    fn number(&self) -> f64;
    fn json(&self) -> String;
    fn protobuf(&self) -> Vec<u8>;
}

/// What a native pipeline gives.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    Floats(&'a [f32]),
    Text(&'a str),
}

#[derive(Serialize)]
struct Line<'a> {
    serial: [Tensor<'a>; 1],
}

#[derive(Serialize)]
struct Tensor<'a> {
    element_type: &'static str,
    dimensions: &'a [u32],
    elements: Numbers<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Numbers<'a> {
    Floats(&'a [f32]),
    Texts([&'a str; 1]),
}

/// The message, as `message Result { string element_type = 1; repeated uint32 dimensions = 2; bytes numbers = 3;
/// repeated string texts = 4; }`.
#[derive(prost::Message)]
struct Message {
    #[prost(string, tag = "1")]
    element_type: String,
    #[prost(uint32, repeated, tag = "2")]
    dimensions: Vec<u32>,
    #[prost(bytes = "vec", tag = "3")]
    numbers: Vec<u8>,
    #[prost(string, repeated, tag = "4")]
    texts: Vec<String>,
}

impl Answer for Value<'_> {
    fn number(&self) -> f64 {
        match self {
            Self::Floats(floats) => f64::from(floats[0]),
            Self::Text(text) => text.len() as f64,
        }
    }

    fn json(&self) -> String {
        let (element_type, dimensions, elements) = match self {
            Self::Floats(f) => ("f32", &[1, 1][..], Numbers::Floats(f)),
            Self::Text(text) => ("utf8", &[1][..], Numbers::Texts([text])),
        };
        let tensor = Tensor {
            element_type,
            dimensions,
            elements,
        };
        let line = Line { serial: [tensor] };
        serde_json::to_string(&line).expect("it is JSON")
    }

    fn protobuf(&self) -> Vec<u8> {
        let message = match self {
            Self::Floats(floats) => Message {
                element_type: "f32".to_owned(),
                dimensions: vec![1, 1],
                numbers: floats.iter().flat_map(|f| f.to_le_bytes()).collect(),
                texts: vec![],
            },
            Self::Text(text) => Message {
                element_type: "utf8".to_owned(),
                dimensions: vec![1],
                numbers: vec![],
                texts: vec![(*text).to_owned()],
            },
        };
        message.encode_to_vec()
    }
}

/// What a call of a rune wrote.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Records<'a> {
    pub(crate) manifest: &'a Manifest,
    pub(crate) records: &'a [Record],
}

impl Answer for Records<'_> {
    fn number(&self) -> f64 {
        match &self.records[0].tensors[0].elements {
            Elements::Numbers(bytes) => {
                let bytes = bytes[..4].try_into().expect("four bytes");
                f64::from(f32::from_le_bytes(bytes))
            }
            Elements::Texts(texts) => texts[0].len() as f64,
        }
    }

    fn json(&self) -> String {
        serial::line(self.manifest, self.records)
    }

    fn protobuf(&self) -> Vec<u8> {
        let tensor = &self.records[0].tensors[0];
        let (numbers, texts) = match &tensor.elements {
            Elements::Numbers(bytes) => (bytes.clone(), vec![]),
            Elements::Texts(texts) => (vec![], texts.clone()),
        };
        let message = Message {
            element_type: tensor.element.name().to_owned(),
            dimensions: tensor.dims.clone(),
            numbers,
            texts,
        };
        message.encode_to_vec()
    }
}
