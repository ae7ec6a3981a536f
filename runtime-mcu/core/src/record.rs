//! What a rune wrote: read out of its memory, and kept for the time of a call.

use alloc::{boxed::Box, vec};
use core::{
    borrow::Borrow,
    fmt::{self, Write},
};

use rune_abi::{Dim, ElementType, ManifestView, OutputView, TensorType, limit};

use crate::{
    call::Misuse,
    json::{self, Elements},
};

/// A tensor as it lies in a rune's memory, of the type that its manifest says.
#[derive(Clone, Copy, Debug)]
pub struct TensorView<'a> {
    /// Of its elements.
    pub element: ElementType,
    /// A word for each dimension, the outermost first.
    dims: &'a [u8],
    /// Its elements; of strings their addresses and lengths.
    pub bytes: &'a [u8],
    memory: &'a [u8],
}

/// Dimensions, the outermost first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Dims {
    rank: u8,
    dims: [u32; limit::RANK],
}

impl Dims {
    /// Each of them.
    pub fn as_slice(&self) -> &[u32] {
        &self.dims[..usize::from(self.rank)]
    }
}

impl fmt::Debug for Dims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().fmt(f)
    }
}

/// Why what a rune wrote is no record of its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// It lies outside memory.
    Outside,
    /// A tensor has another number of dimensions.
    Rank(u32, TensorType),
    /// A tensor has another size.
    Size {
        /// In bytes.
        length: u32,
        /// Its dimensions.
        dims: Dims,
        /// What the manifest says.
        ty: TensorType,
    },
    /// A tensor lies outside memory.
    TensorOutside(TensorType),
    /// A string lies outside memory.
    TextOutside,
    /// Its strings together are longer than memory.
    TextsTooLong,
    /// A string is not UTF-8.
    NotUtf8,
    /// It is larger than a device keeps.
    TooLarge,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outside => f.write_str("its record lies outside memory"),
            Self::Rank(rank, ty) => write!(f, "it wrote {rank} dimensions for {ty}"),
            Self::Size { length, dims, ty } => {
                write!(f, "it wrote {length} bytes as {dims:?} for {ty}")
            }
            Self::TensorOutside(ty) => write!(f, "its {ty} lies outside memory"),
            Self::TextOutside => f.write_str("a string lies outside memory"),
            Self::TextsTooLong => f.write_str("its strings are longer than its memory"),
            Self::NotUtf8 => f.write_str("a string is not UTF-8"),
            Self::TooLarge => f.write_str("its strings are longer than its policy allows"),
        }
    }
}

/// The tensors of a record at an address, for an output that takes these types. After an error there is no more.
pub fn tensors<T: Borrow<TensorType>>(
    memory: &[u8],
    types: impl IntoIterator<Item = T>,
    at: u32,
) -> impl Iterator<Item = Result<TensorView<'_>, RecordError>> {
    let mut rest = memory.get(at as usize..).unwrap_or_default();
    let types = types.into_iter();
    types.map(move |ty| tensor(memory, ty.borrow(), &mut rest))
}

/// The tensor whose address, length and dimensions are the next words of a record.
fn tensor<'a>(
    memory: &'a [u8],
    ty: &TensorType,
    rest: &mut &'a [u8],
) -> Result<TensorView<'a>, RecordError> {
    let (head, behind) = rest.split_at_checked(12).ok_or(RecordError::Outside)?;
    let (address, length, rank) = (word(head), word(&head[4..]), word(&head[8..]));
    let planned = ty.dims();
    if rank as usize != planned.len() {
        return Err(RecordError::Rank(rank, *ty));
    }
    let dims = behind.split_at_checked(planned.len() * 4);
    let (dims, behind) = dims.ok_or(RecordError::Outside)?;
    *rest = behind;
    let element = ty.element();
    // What fits has no more elements than the type, and their bytes are a small number.
    let mut bytes = element.size();
    let mut fits = true;
    for (dim, plan) in words(dims).zip(planned) {
        fits &= match plan {
            Dim::Exact(n) => dim == *n,
            Dim::AtMost(n) => dim <= *n,
        };
        bytes = bytes.wrapping_mul(dim);
    }
    if !fits || length != bytes {
        return Err(size(length, dims, ty));
    }
    let bytes = slice(memory, address, length).ok_or(RecordError::TensorOutside(*ty))?;
    Ok(TensorView {
        element,
        dims,
        bytes,
        memory,
    })
}

/// A tensor has another size.
#[cold]
fn size(length: u32, dims: &[u8], ty: &TensorType) -> RecordError {
    let mut all = [0; limit::RANK];
    for (to, dim) in all.iter_mut().zip(words(dims)) {
        *to = dim;
    }
    let dims = Dims {
        rank: (dims.len() / 4) as u8,
        dims: all,
    };
    RecordError::Size {
        length,
        dims,
        ty: *ty,
    }
}

impl<'a> TensorView<'a> {
    /// The outermost first.
    pub fn dims(&self) -> impl Iterator<Item = u32> + use<'a> {
        words(self.dims)
    }

    /// Its strings. All strings of a record together are no longer than `left`, at first the length of memory, so
    /// that many of them that lie at one place cannot fill that of others.
    pub fn texts(&self, left: &mut usize) -> impl Iterator<Item = Result<&'a str, RecordError>> {
        let memory = self.memory;
        self.bytes.chunks_exact(8).map(move |pair| {
            let (at, len) = (word(&pair[..4]), word(&pair[4..]));
            let bytes = slice(memory, at, len).ok_or(RecordError::TextOutside)?;
            *left = left
                .checked_sub(bytes.len())
                .ok_or(RecordError::TextsTooLong)?;
            core::str::from_utf8(bytes).map_err(|_| RecordError::NotUtf8)
        })
    }
}

fn slice(memory: &[u8], at: u32, len: u32) -> Option<&[u8]> {
    memory.get(at as usize..)?.get(..len as usize)
}

/// The number of the first four bytes, which are there.
fn word(bytes: &[u8]) -> u32 {
    bytes
        .first_chunk()
        .map_or(0, |word| u32::from_le_bytes(*word))
}

/// The numbers of bytes.
fn words(bytes: &[u8]) -> impl Iterator<Item = u32> + use<'_> {
    bytes.chunks_exact(4).map(word)
}

/// The records of one call, copied out of a rune's memory into memory of a size fixed when the rune was loaded.
#[derive(Debug)]
pub(crate) struct Records {
    /// One record after the other; a record is the dimensions of its tensors, each with the elements behind them. A
    /// string is its length and its bytes.
    bytes: Box<[u8]>,
    used: usize,
    /// Every output, with its record.
    outputs: Box<[Slot]>,
}

/// An output as its manifest has it, read once, and where its record begins.
#[derive(Debug)]
struct Slot {
    output: OutputView<'static>,
    types: Box<[TensorType]>,
    begin: Option<usize>,
}

impl Records {
    /// Room for one record of each output, with so many bytes of strings together.
    pub(crate) fn new(manifest: &ManifestView<'static>, text_bytes: u32) -> Self {
        let slots = manifest.outputs.iter().map(|output| Slot {
            output,
            types: output.tensors.iter().map(|feed| feed.ty).collect(),
            begin: None,
        });
        let outputs: Box<[Slot]> = slots.collect();
        let room = outputs.iter().flat_map(|slot| &slot.types).map(|ty| {
            let words = ty.dims().len() * 4;
            if ty.element() == ElementType::Utf8 {
                words + ty.elements() as usize * 4
            } else {
                words + ty.bytes() as usize
            }
        });
        Self {
            bytes: vec![0; room.sum::<usize>() + text_bytes as usize].into(),
            used: 0,
            outputs,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.used = 0;
        for slot in &mut self.outputs {
            slot.begin = None;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.outputs.iter().all(|slot| slot.begin.is_none())
    }

    /// Copies the record of an output at `at`; gives the bytes of its tensors.
    pub(crate) fn take(
        &mut self,
        memory: &[u8],
        index: u32,
        at: u32,
    ) -> Result<u32, Misuse<'static>> {
        let slot = self.outputs.get_mut(index as usize);
        let slot = slot.ok_or(Misuse::NoOutput(index))?;
        let name = slot.output.name;
        if slot.begin.is_some() {
            return Err(Misuse::WrittenTwice(name));
        }
        slot.begin = Some(self.used);
        let (mut left, mut total) = (memory.len(), 0);
        let mut room = Room {
            bytes: &mut self.bytes,
            used: &mut self.used,
        };
        for tensor in tensors(memory, &slot.types, at) {
            let taken = tensor.and_then(|tensor| room.take(&tensor, &mut left));
            total += taken.map_err(|error| Misuse::Record(name, error))?;
        }
        Ok(total)
    }
}

/// Where records are copied to.
struct Room<'a> {
    bytes: &'a mut [u8],
    used: &'a mut usize,
}

impl Room<'_> {
    /// Copies a tensor; gives the bytes of its elements.
    fn take(&mut self, tensor: &TensorView<'_>, left: &mut usize) -> Result<u32, RecordError> {
        self.push(tensor.dims)?;
        if tensor.element != ElementType::Utf8 {
            self.push(tensor.bytes)?;
            return Ok(tensor.bytes.len() as u32);
        }
        let mut total = 0;
        for text in tensor.texts(left) {
            let text = text?.as_bytes();
            self.push(&(text.len() as u32).to_le_bytes())?;
            self.push(text)?;
            total += text.len() as u32;
        }
        Ok(total)
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), RecordError> {
        let end = *self.used + bytes.len();
        let room = self.bytes.get_mut(*self.used..end);
        let room = room.ok_or(RecordError::TooLarge)?;
        match (<&mut [u8; 4]>::try_from(&mut *room), bytes.first_chunk()) {
            // A word is most of what is copied, and a call of a function that copies takes longer.
            (Ok(room), Some(word)) => *room = *word,
            _ => room.copy_from_slice(bytes),
        }
        *self.used = end;
        Ok(())
    }
}

/// What one call of a rune wrote.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a> {
    manifest: &'a ManifestView<'static>,
    records: &'a Records,
}

/// A tensor that a rune wrote.
#[derive(Clone, Debug)]
pub struct Tensor<'a> {
    /// Of its elements.
    pub element: ElementType,
    dims: &'a [u8],
    /// Its elements.
    pub elements: Elements<'a, Texts<'a>>,
}

/// Strings that a rune wrote.
#[derive(Clone, Debug)]
pub struct Texts<'a> {
    bytes: &'a [u8],
}

impl<'a> Iterator for Texts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let (len, rest) = self.bytes.split_at_checked(4)?;
        let (text, rest) = rest.split_at_checked(word(len) as usize)?;
        self.bytes = rest;
        core::str::from_utf8(text).ok()
    }
}

impl<'a> Tensor<'a> {
    /// The outermost first.
    pub fn dims(&self) -> impl Iterator<Item = u32> + use<'a> {
        words(self.dims)
    }
}

impl<'a> Written<'a> {
    pub(crate) const fn new(manifest: &'a ManifestView<'static>, records: &'a Records) -> Self {
        Self { manifest, records }
    }

    /// The rune.
    pub const fn manifest(&self) -> &'a ManifestView<'static> {
        self.manifest
    }

    /// The outputs that it wrote to, in the order of the manifest: each with its index.
    pub fn outputs(&self) -> impl Iterator<Item = (usize, &'a OutputView<'static>)> {
        let slots = self.records.outputs.iter().enumerate();
        slots.filter_map(|(index, slot)| slot.begin.map(|_| (index, &slot.output)))
    }

    /// The tensors of the record of an output, in the order of the manifest; none where it has no record.
    pub fn tensors(&self, index: usize) -> impl Iterator<Item = Tensor<'a>> {
        let slot = self.records.outputs.get(index);
        let slot = slot.and_then(|slot| Some((&*slot.types, slot.begin?)));
        let (types, begin) = slot.unwrap_or_default();
        let mut rest = &self.records.bytes[begin..];
        types.iter().map(move |ty| {
            let element = ty.element();
            let dims;
            (dims, rest) = rest.split_at(ty.dims().len() * 4);
            let count: u32 = words(dims).product();
            let elements;
            if element == ElementType::Utf8 {
                let mut end = 0;
                for _ in 0..count {
                    end += 4 + word(&rest[end..end + 4]) as usize;
                }
                let bytes;
                (bytes, rest) = rest.split_at(end);
                elements = Elements::Texts(Texts { bytes });
            } else {
                let bytes;
                (bytes, rest) = rest.split_at((count * element.size()) as usize);
                elements = Elements::Numbers(bytes);
            }
            Tensor {
                element,
                dims,
                elements,
            }
        })
    }

    /// Prints it as a line of JSON without its end, see [`json`].
    pub fn line(&self, out: &mut impl Write) -> fmt::Result {
        out.write_str("{")?;
        json::separated(out, self.outputs(), |out, (index, output)| {
            json::output(out, output.name, self.tensors(index), |out, tensor| {
                json::tensor(out, tensor.element, tensor.dims(), tensor.elements)
            })
        })?;
        out.write_str("}")
    }
}
