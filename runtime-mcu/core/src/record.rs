//! What a rune wrote: read out of its memory, and kept for the time of a call.

use alloc::{boxed::Box, vec};
use core::fmt::{self, Write};

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
    dims: Dims,
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
pub fn tensors(
    memory: &[u8],
    types: impl IntoIterator<Item = TensorType>,
    at: u32,
) -> impl Iterator<Item = Result<TensorView<'_>, RecordError>> {
    let mut at = u64::from(at);
    types.into_iter().map(move |ty| tensor(memory, ty, &mut at))
}

fn tensor<'a>(
    memory: &'a [u8],
    ty: TensorType,
    at: &mut u64,
) -> Result<TensorView<'a>, RecordError> {
    let mut word = || {
        let word = slice(memory, *at, 4)
            .map(word)
            .ok_or(RecordError::Outside)?;
        *at += 4;
        Ok(word)
    };
    let (address, length, rank) = (word()?, word()?, word()?);
    let planned = ty.dims();
    if rank as usize != planned.len() {
        return Err(RecordError::Rank(rank, ty));
    }
    let mut dims = Dims {
        rank: rank as u8,
        dims: [0; limit::RANK],
    };
    let mut fits = true;
    let mut elements = 1u64;
    for (dim, plan) in dims.dims.iter_mut().zip(planned) {
        *dim = word()?;
        fits &= match plan {
            Dim::Exact(n) => dim == n,
            Dim::AtMost(n) => *dim <= *n,
        };
        // What fits has no more elements than the type, and that is a small number.
        elements = elements.wrapping_mul(u64::from(*dim));
    }
    let element = ty.element();
    if !fits || u64::from(length) != elements * u64::from(element.size()) {
        return Err(RecordError::Size { length, dims, ty });
    }
    let bytes = slice(memory, u64::from(address), u64::from(length))
        .ok_or(RecordError::TensorOutside(ty))?;
    Ok(TensorView {
        element,
        dims,
        bytes,
        memory,
    })
}

impl<'a> TensorView<'a> {
    /// The outermost first.
    pub fn dims(&self) -> &[u32] {
        self.dims.as_slice()
    }

    /// Its strings. All strings of a record together are no longer than `left`, at first the length of memory, so
    /// that many of them that lie at one place cannot fill that of others.
    pub fn texts(&self, left: &mut usize) -> impl Iterator<Item = Result<&'a str, RecordError>> {
        let memory = self.memory;
        self.bytes.chunks_exact(8).map(move |pair| {
            let (at, len) = (word(&pair[..4]), word(&pair[4..]));
            let bytes = slice(memory, u64::from(at), u64::from(len));
            let bytes = bytes.ok_or(RecordError::TextOutside)?;
            *left = left
                .checked_sub(bytes.len())
                .ok_or(RecordError::TextsTooLong)?;
            core::str::from_utf8(bytes).map_err(|_| RecordError::NotUtf8)
        })
    }
}

fn slice(memory: &[u8], at: u64, len: u64) -> Option<&[u8]> {
    memory.get(usize::try_from(at).ok()?..usize::try_from(at.checked_add(len)?).ok()?)
}

/// The number of four bytes.
fn word(bytes: &[u8]) -> u32 {
    bytes
        .first_chunk()
        .map_or(0, |word| u32::from_le_bytes(*word))
}

/// An output, as far as the manifest would have to be read for it in every call.
#[derive(Debug)]
struct Known {
    view: OutputView<'static>,
    tensors: Box<[KnownTensor]>,
    /// Of a record of one tensor that has the same shape in every call all words but the first, the address.
    plain: Box<[u32]>,
    /// Where the record of this call begins.
    begin: Option<usize>,
}

/// A tensor of an output.
#[derive(Debug)]
struct KnownTensor {
    ty: TensorType,
    /// Where it has the same shape in every call, and its elements are numbers: then only these are kept.
    fixed: Option<Fixed>,
}

/// The shape of a tensor that has the same in every call.
#[derive(Debug)]
struct Fixed {
    /// Of its elements.
    bytes: u32,
    /// As they lie in a record.
    dims: Box<[u8]>,
}

impl KnownTensor {
    fn new(ty: TensorType) -> Self {
        let mut dims = ty.dims().iter();
        let is_fixed = dims.all(|dim| matches!(dim, Dim::Exact(_)));
        let fixed = (is_fixed && ty.element() != ElementType::Utf8).then(|| {
            let mut dims = vec![0; ty.dims().len() * 4].into_boxed_slice();
            for (place, dim) in dims.chunks_exact_mut(4).zip(ty.dims()) {
                place.copy_from_slice(&dim.bound().to_le_bytes());
            }
            Fixed {
                bytes: ty.bytes(),
                dims,
            }
        });
        Self { ty, fixed }
    }
}

impl Fixed {
    /// The elements of the tensor whose record lies at `at`, which goes behind it. `None` where it has another shape, or
    /// something lies outside memory: what is wrong is for [`tensor`] to say.
    fn elements<'m>(&self, memory: &'m [u8], at: &mut u64) -> Option<&'m [u8]> {
        let record = memory.get(usize::try_from(*at).ok()?..)?;
        let (head, rest) = record.split_first_chunk::<12>()?;
        let dims = rest.get(..self.dims.len())?;
        let ([address, length, rank], _) = head.as_chunks::<4>() else {
            return None;
        };
        let mut words = dims.chunks_exact(4).zip(self.dims.chunks_exact(4));
        let is_same = u32::from_le_bytes(*length) == self.bytes
            && u32::from_le_bytes(*rank) as usize * 4 == dims.len()
            && words.all(|(written, known)| word(written) == word(known));
        let rest = memory.get(u32::from_le_bytes(*address) as usize..)?;
        let elements = rest.get(..self.bytes as usize).filter(|_| is_same)?;
        *at += 12 + dims.len() as u64;
        Some(elements)
    }
}

impl Known {
    fn new(view: OutputView<'static>) -> Self {
        let tensors = view.tensors.iter().map(|feed| KnownTensor::new(feed.ty));
        let tensors: Box<[_]> = tensors.collect();
        let plain = match &*tensors {
            [KnownTensor { ty, fixed: Some(_) }] => {
                let dims = ty.dims().iter().map(|dim| dim.bound());
                [ty.bytes(), ty.dims().len() as u32]
                    .into_iter()
                    .chain(dims)
                    .collect()
            }
            _ => Box::default(),
        };
        Self {
            view,
            tensors,
            plain,
            begin: None,
        }
    }

    /// The elements of the record at `at`, where it is one tensor of the shape that it always has. `None` where it is
    /// another, or lies outside memory.
    #[inline]
    fn elements<'m>(&self, memory: &'m [u8], at: u32) -> Option<&'m [u8]> {
        let (bytes, _) = self.plain.split_first()?;
        let record = memory.get(at as usize..)?;
        let record = record.get(..self.plain.len() * 4 + 4)?;
        let (address, shape) = record.split_first_chunk::<4>()?;
        let mut words = shape.as_chunks::<4>().0.iter().zip(&self.plain);
        if words.any(|(written, known)| u32::from_le_bytes(*written) != *known) {
            return None;
        }
        let rest = memory.get(u32::from_le_bytes(*address) as usize..)?;
        rest.get(..*bytes as usize)
    }
}

/// The records of one call, copied out of a rune's memory into memory of a size fixed when the rune was loaded.
#[derive(Debug)]
pub(crate) struct Records {
    /// One record after the other; a record is the dimensions of its tensors, where they are not fixed, each with the
    /// elements behind them. A string is its length and its bytes.
    bytes: Box<[u8]>,
    used: usize,
    outputs: Box<[Known]>,
    /// How many were written to.
    count: usize,
}

impl Records {
    /// Room for one record of each output, with so many bytes of strings together.
    pub(crate) fn new(manifest: &ManifestView<'static>, text_bytes: u32) -> Self {
        let tensors = manifest.outputs.iter().flat_map(|o| o.tensors.iter());
        let room = tensors.map(|feed| {
            let words = feed.ty.dims().len() * 4;
            if feed.ty.element() == ElementType::Utf8 {
                words + feed.ty.elements() as usize * 4
            } else {
                words + feed.ty.bytes() as usize
            }
        });
        Self {
            bytes: vec![0; room.sum::<usize>() + text_bytes as usize].into(),
            used: 0,
            outputs: manifest.outputs.iter().map(Known::new).collect(),
            count: 0,
        }
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        self.used = 0;
        if self.count > 0 {
            self.count = 0;
            for output in &mut self.outputs {
                output.begin = None;
            }
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Copies the record at `at` for an output; gives the bytes of its tensors.
    #[inline]
    pub(crate) fn take(
        &mut self,
        memory: &[u8],
        index: u32,
        at: u32,
    ) -> Result<u64, Misuse<'static>> {
        match self.take_plain(memory, index, at) {
            Some(bytes) => Ok(bytes.into()),
            None => self.take_any(memory, index, at),
        }
    }

    /// The same for most outputs of most runes. `None` where nothing was done.
    #[inline]
    fn take_plain(&mut self, memory: &[u8], index: u32, at: u32) -> Option<u32> {
        let output = self.outputs.get_mut(index as usize)?;
        let elements = output.elements(memory, at)?;
        let room = self.bytes.get_mut(self.used..)?;
        let room = room.get_mut(..elements.len())?;
        if output.begin.is_some() {
            return None;
        }
        output.begin = Some(self.used);
        self.count += 1;
        self.used += elements.len();
        // One number needs no function.
        match (
            room.first_chunk_mut::<4>(),
            elements.first_chunk::<4>(),
            elements.len(),
        ) {
            (Some(room), Some(number), 4) => *room = *number,
            _ => room.copy_from_slice(elements),
        }
        Some(elements.len() as u32)
    }

    /// The same for whatever an output takes.
    #[inline(never)]
    fn take_any(&mut self, memory: &[u8], index: u32, at: u32) -> Result<u64, Misuse<'static>> {
        let Self {
            bytes,
            used,
            outputs,
            count,
        } = self;
        let output = outputs.get_mut(index as usize);
        let output = output.ok_or(Misuse::NoOutput(index))?;
        let name = output.view.name;
        if output.begin.is_some() {
            return Err(Misuse::WrittenTwice(name));
        }
        output.begin = Some(*used);
        *count += 1;
        let mut room = Room { bytes, used };
        let (mut left, mut total) = (memory.len(), 0);
        let mut at = u64::from(at);
        for known in &output.tensors {
            let fixed = known.fixed.as_ref();
            let taken = match fixed.and_then(|fixed| fixed.elements(memory, &mut at)) {
                Some(elements) => room.push(elements).map(|()| elements.len() as u64),
                None => room.tensor(memory, known.ty, &mut at, &mut left),
            };
            match taken {
                Ok(bytes) => total += bytes,
                Err(error) => return Err(Misuse::Record(name, error)),
            }
        }
        Ok(total)
    }
}

/// Where records are copied to.
struct Room<'r> {
    bytes: &'r mut [u8],
    used: &'r mut usize,
}

impl Room<'_> {
    /// Copies a tensor whatever it is, whose description lies at `at`, which goes behind it; gives its bytes.
    #[inline(never)]
    fn tensor(
        &mut self,
        memory: &[u8],
        ty: TensorType,
        at: &mut u64,
        left: &mut usize,
    ) -> Result<u64, RecordError> {
        let tensor = tensor(memory, ty, at)?;
        for dim in tensor.dims() {
            self.push(&dim.to_le_bytes())?;
        }
        if tensor.element != ElementType::Utf8 {
            self.push(tensor.bytes)?;
            return Ok(tensor.bytes.len() as u64);
        }
        let mut total = 0;
        for text in tensor.texts(left) {
            let text = text?.as_bytes();
            self.push(&(text.len() as u32).to_le_bytes())?;
            self.push(text)?;
            total += text.len() as u64;
        }
        Ok(total)
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), RecordError> {
        let end = *self.used + bytes.len();
        let room = self.bytes.get_mut(*self.used..end);
        room.ok_or(RecordError::TooLarge)?.copy_from_slice(bytes);
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
        self.dims.chunks_exact(4).map(word)
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
    pub fn outputs(&self) -> impl Iterator<Item = (usize, OutputView<'static>)> {
        let outputs = self.records.outputs.iter().enumerate();
        outputs.filter_map(|(index, output)| output.begin.map(|_| (index, output.view)))
    }

    /// The tensors of the record of an output, in the order of the manifest; none where it has no record.
    pub fn tensors(&self, index: usize) -> impl Iterator<Item = Tensor<'a>> {
        let output = self.records.outputs.get(index);
        let begin = output.and_then(|output| Some((output, output.begin?)));
        let (tensors, begin) = begin.map_or((&[][..], 0), |(output, at)| (&output.tensors, at));
        let mut rest = &self.records.bytes[begin..];
        tensors.iter().map(move |KnownTensor { ty, fixed }| {
            let element = ty.element();
            if let Some(Fixed { bytes, dims }) = fixed {
                let elements;
                (elements, rest) = rest.split_at(*bytes as usize);
                return Tensor {
                    element,
                    dims,
                    elements: Elements::Numbers(elements),
                };
            }
            let dims;
            (dims, rest) = rest.split_at(ty.dims().len() * 4);
            let count: u32 = dims.chunks_exact(4).map(word).product();
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
