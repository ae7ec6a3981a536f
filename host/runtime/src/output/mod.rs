//! What a rune writes, taken out of its memory, how it is shown and where it goes.

mod count;
mod file;
pub(crate) mod flag;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "mqtt")]
mod mqtt;
mod queue;
pub(crate) mod router;
pub mod serial;
pub(crate) mod sink;
mod stdout;
mod tty;

pub use count::{Meters, SinkCounters};

use rune_abi::{ElementType, Output};
use rune_core::{Misuse, RecordError};

/// What a rune wrote to one output.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// The output's place in the manifest.
    pub output: usize,
    /// Its tensors, in the order of the manifest.
    pub tensors: Vec<Tensor>,
}

impl Record {
    /// Bytes of its tensors.
    pub fn bytes(&self) -> u64 {
        let bytes = |tensor: &Tensor| match &tensor.elements {
            Elements::Numbers(bytes) => bytes.len(),
            Elements::Texts(texts) => texts.iter().map(String::len).sum(),
        };
        self.tensors.iter().map(|t| bytes(t) as u64).sum()
    }
}

/// A tensor a rune wrote.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Of its elements.
    pub element: ElementType,
    /// The outermost first.
    pub dims: Vec<u32>,
    /// In row-major order; texts where `element` is UTF8 and numbers everywhere else.
    pub elements: Elements,
}

/// The elements of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum Elements {
    /// Numbers, little-endian.
    Numbers(Vec<u8>),
    /// Strings.
    Texts(Vec<String>),
}

/// The records of one call. Those of the next one lie in the same memory.
#[derive(Debug, Default)]
pub(crate) struct Records {
    /// The first `count` count; the others are for later calls.
    places: Vec<Record>,
    count: usize,
}

impl Records {
    pub(crate) fn as_slice(&self) -> &[Record] {
        &self.places[..self.count]
    }

    pub(crate) fn clear(&mut self) {
        self.count = 0;
    }

    /// Copies the record at `at` out of a rune's memory, for the output that is `index` in the manifest; says what
    /// breaks the contract if something does.
    #[expect(
        clippy::result_large_err,
        reason = "it is rare, and has what its words need"
    )]
    pub(crate) fn take<'o>(
        &mut self,
        memory: &[u8],
        index: usize,
        output: &'o Output,
        at: u32,
    ) -> Result<(), Misuse<'o>> {
        if self.as_slice().iter().any(|r| r.output == index) {
            return Err(Misuse::WrittenTwice(&output.name));
        }
        if self.count == self.places.len() {
            self.places.push(Record::default());
        }
        let record = &mut self.places[self.count];
        record.output = index;
        take_tensors(memory, output, at, &mut record.tensors)
            .map_err(|error| Misuse::Record(&output.name, error))?;
        self.count += 1;
        Ok(())
    }
}

fn take_tensors(
    memory: &[u8],
    output: &Output,
    at: u32,
    tensors: &mut Vec<Tensor>,
) -> Result<(), RecordError> {
    let mut texts_left = memory.len();
    tensors.resize_with(output.tensors.len(), || Tensor {
        element: ElementType::U8,
        dims: vec![],
        elements: Elements::Numbers(vec![]),
    });
    let types = output.tensors.iter().map(|feed| feed.ty);
    for (view, tensor) in rune_core::tensors(memory, types, at).zip(tensors) {
        let view = view?;
        tensor.element = view.element;
        tensor.dims.clear();
        tensor.dims.extend(view.dims());
        match &mut tensor.elements {
            _ if view.element == ElementType::Utf8 => {
                let texts = view.texts(&mut texts_left);
                let texts = texts.map(|text| text.map(str::to_owned));
                tensor.elements = Elements::Texts(texts.collect::<Result<_, _>>()?);
            }
            Elements::Numbers(numbers) => {
                numbers.clear();
                numbers.extend_from_slice(view.bytes);
            }
            Elements::Texts(_) => tensor.elements = Elements::Numbers(view.bytes.to_vec()),
        }
    }
    Ok(())
}
