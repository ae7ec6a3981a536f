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

use rune_abi::{Dim, ElementType, Output};

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
    pub(crate) fn take(
        &mut self,
        memory: &[u8],
        index: usize,
        output: &Output,
        at: u32,
    ) -> Result<(), String> {
        if self.count == self.places.len() {
            self.places.push(Record::default());
        }
        let record = &mut self.places[self.count];
        record.output = index;
        take_tensors(memory, output, at, &mut record.tensors)?;
        self.count += 1;
        Ok(())
    }
}

fn take_tensors(
    memory: &[u8],
    output: &Output,
    at: u32,
    tensors: &mut Vec<Tensor>,
) -> Result<(), String> {
    let mut at = u64::from(at);
    let mut texts_left = memory.len();
    let mut word = || {
        let bytes = slice(memory, at, 4).ok_or("its record lies outside memory")?;
        at += 4;
        Ok::<u32, String>(u32::from_le_bytes(
            bytes.try_into().expect("the slice has four bytes"),
        ))
    };
    tensors.resize_with(output.tensors.len(), || Tensor {
        element: ElementType::U8,
        dims: vec![],
        elements: Elements::Numbers(vec![]),
    });
    for (feed, tensor) in output.tensors.iter().zip(tensors) {
        let (address, length, rank) = (word()?, word()?, word()?);
        let planned = feed.ty.dims();
        if rank as usize != planned.len() {
            return Err(format!("it wrote {rank} dimensions for {}", feed.ty));
        }
        let dims = &mut tensor.dims;
        dims.clear();
        for _ in 0..rank {
            dims.push(word()?);
        }
        let fits = dims.iter().zip(planned).all(|(have, plan)| match plan {
            Dim::Exact(n) => have == n,
            Dim::AtMost(n) => have <= n,
        });
        let elements: u64 = dims.iter().map(|d| u64::from(*d)).product();
        let element = feed.ty.element();
        if !fits || u64::from(length) != elements * u64::from(element.size()) {
            return Err(format!(
                "it wrote {length} bytes as {dims:?} for {}",
                feed.ty
            ));
        }
        let bytes = slice(memory, u64::from(address), u64::from(length))
            .ok_or_else(|| format!("its {} lies outside memory", feed.ty))?;
        tensor.element = element;
        match &mut tensor.elements {
            _ if element == ElementType::Utf8 => {
                let texts = bytes
                    .chunks_exact(8)
                    .map(|pair| take_text(memory, pair, &mut texts_left));
                tensor.elements = Elements::Texts(texts.collect::<Result<_, _>>()?);
            }
            Elements::Numbers(numbers) => {
                numbers.clear();
                numbers.extend_from_slice(bytes);
            }
            Elements::Texts(_) => tensor.elements = Elements::Numbers(bytes.to_vec()),
        }
    }
    Ok(())
}

/// The string of an (address, length) pair. All strings of a record together are no longer than memory, so
/// that many pairs that point at one long text cannot fill the host's.
fn take_text(memory: &[u8], pair: &[u8], left: &mut usize) -> Result<String, String> {
    let word = |at: usize| {
        u64::from(u32::from_le_bytes(
            pair[at..at + 4]
                .try_into()
                .expect("the slice has four bytes"),
        ))
    };
    let bytes = slice(memory, word(0), word(4)).ok_or("a string lies outside memory")?;
    *left = left
        .checked_sub(bytes.len())
        .ok_or("its strings are longer than its memory")?;
    String::from_utf8(bytes.to_vec()).map_err(|_| "a string is not UTF-8".to_owned())
}

fn slice(memory: &[u8], at: u64, len: u64) -> Option<&[u8]> {
    memory.get(usize::try_from(at).ok()?..usize::try_from(at.checked_add(len)?).ok()?)
}
