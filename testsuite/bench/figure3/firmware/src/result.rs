//! How results are passed on, and what their receiver makes of them.

use alloc::{string::String, vec::Vec};

use prost::Message as _;
use rune_core::{Tensor, json::Elements};

/// A way of passing a result on.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    /// As it is.
    Struct,
    /// Encoded by who has it, and decoded by who gets it.
    Protobuf,
}

/// A tensor of one result, as `message Result { string element_type = 1; repeated uint32 dimensions = 2; bytes numbers
/// = 3; repeated string texts = 4; }`.
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

/// Takes results, and keeps what shows that all modes give the same: of each tensor the first four bytes of its
/// numbers, or of its first text.
#[derive(Default)]
pub(crate) struct Receiver {
    sum: u32,
    sent: Message,
    received: Message,
    wire: Vec<u8>,
}

impl Receiver {
    /// Of all that came.
    pub(crate) fn sum(&self) -> u32 {
        self.sum
    }

    /// Takes the first bytes of a tensor.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        let word = match bytes.first_chunk() {
            Some(word) => u32::from_le_bytes(*word),
            None => bytes
                .iter()
                .fold(0, |word, byte| word << 8 | u32::from(*byte)),
        };
        self.sum = self.sum.rotate_left(5) ^ word;
    }

    pub(crate) fn tensor(&mut self, tensor: Tensor<'_>, form: Form) {
        match form {
            Form::Struct => match tensor.elements {
                Elements::Numbers(bytes) => self.take(bytes),
                Elements::Texts(mut texts) => self.take(texts.next().unwrap_or("").as_bytes()),
            },
            Form::Protobuf => {
                let sent = &mut self.sent;
                sent.clear();
                sent.element_type.push_str(tensor.element.name());
                sent.dimensions.extend(tensor.dims());
                match tensor.elements {
                    Elements::Numbers(bytes) => sent.numbers.extend_from_slice(bytes),
                    Elements::Texts(texts) => sent.texts.extend(texts.map(String::from)),
                }
                self.wire.clear();
                sent.encode(&mut self.wire)
                    .expect("a vector takes everything");
                self.received.clear();
                let decoded = self.received.merge(&*self.wire);
                decoded.expect("what was encoded can be decoded");
                let Message { numbers, texts, .. } = core::mem::take(&mut self.received);
                match texts.first() {
                    Some(text) => self.take(text.as_bytes()),
                    None => self.take(&numbers),
                }
                self.received.numbers = numbers;
                self.received.texts = texts;
            }
        }
    }
}
