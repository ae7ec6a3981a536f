//! What a rune wrote: read out of its memory, and kept for the time of a call.

use alloc::{boxed::Box, vec};
use core::{
    fmt::{self, Write},
    ops::Range,
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
#[repr(C)]
struct Known {
    /// Where a record is one tensor that has the same shape in every call, as most are.
    plain: Option<Plain>,
    /// The call that wrote to it last, by its number.
    call: u32,
    /// Where the record of that call begins in the room that outputs share, if it is not a plain one.
    begin: usize,
    index: usize,
    tensors: Box<[KnownTensor]>,
    view: OutputView<'static>,
}

/// An output of one tensor that has the same shape in every call, with room for its elements.
#[derive(Debug)]
struct Plain {
    fixed: Fixed,
    elements: Box<[u8]>,
}

/// A tensor of an output.
#[derive(Debug)]
struct KnownTensor {
    ty: TensorType,
    /// Where it has the same shape in every call, and its elements are numbers: then only these are kept.
    fixed: Option<Fixed>,
}

/// The shape of a tensor that has the same in every call.
#[derive(Clone, Debug)]
struct Fixed {
    /// Of its elements.
    bytes: u32,
    /// All words of its description behind the address: bytes, rank, dimensions.
    words: Box<[u32]>,
    /// Bytes of that description, with the address.
    description: u32,
}

impl KnownTensor {
    fn new(ty: TensorType) -> Self {
        let dims = ty.dims();
        let is_fixed = dims.iter().all(|dim| matches!(dim, Dim::Exact(_)));
        let fixed = (is_fixed && ty.element() != ElementType::Utf8).then(|| Fixed {
            bytes: ty.bytes(),
            description: (3 + dims.len() as u32) * 4,
            words: [ty.bytes(), dims.len() as u32]
                .into_iter()
                .chain(dims.iter().map(|dim| dim.bound()))
                .collect(),
        });
        Self { ty, fixed }
    }
}

impl Fixed {
    /// Where the elements lie of the tensor whose description is at `at`. `None` where it has another shape, or
    /// something lies outside memory: what is wrong is for [`tensor`] to say.
    fn place(&self, memory: &[u8], at: u32) -> Option<Range<usize>> {
        let record = memory
            .get(at as usize..)?
            .get(..self.description as usize)?;
        let ([address, shape @ ..], _) = record.as_chunks::<4>() else {
            return None;
        };
        let mut words = shape.iter().zip(&self.words);
        if words.any(|(written, known)| u32::from_le_bytes(*written) != *known) {
            return None;
        }
        let start = u32::from_le_bytes(*address) as usize;
        let place = start..start.checked_add(self.bytes as usize)?;
        (place.end <= memory.len()).then_some(place)
    }
}

impl Known {
    fn new((index, view): (usize, OutputView<'static>)) -> Self {
        let tensors = view.tensors.iter().map(|feed| KnownTensor::new(feed.ty));
        let tensors: Box<[_]> = tensors.collect();
        let plain = match &*tensors {
            [
                KnownTensor {
                    fixed: Some(fixed), ..
                },
            ] => Some(Plain {
                elements: vec![0; fixed.bytes as usize].into(),
                fixed: fixed.clone(),
            }),
            _ => None,
        };
        Self {
            plain,
            call: 0,
            begin: 0,
            index,
            tensors,
            view,
        }
    }
}

/// The records of one call, copied out of a rune's memory into memory of a size fixed when the rune was loaded.
#[derive(Debug)]
pub(crate) struct Records {
    /// One record after the other, but for plain ones; a record is the dimensions of its tensors, where they are not
    /// fixed, each with the elements behind them. A string is its length and its bytes.
    bytes: Box<[u8]>,
    used: usize,
    outputs: Box<[Known]>,
    /// The number of the call, from 1: an output of another number was not written to.
    call: u32,
    /// Some output was written to.
    has_any: bool,
}

impl Records {
    /// Room for one record of each output, with so many bytes of strings together.
    pub(crate) fn new(manifest: &ManifestView<'static>, text_bytes: u32) -> Self {
        let outputs: Box<[_]> = manifest
            .outputs
            .iter()
            .enumerate()
            .map(Known::new)
            .collect();
        let tensors = outputs.iter().filter(|output| output.plain.is_none());
        let room = tensors.flat_map(|output| &output.tensors).map(|tensor| {
            let words = tensor.ty.dims().len() * 4;
            if tensor.ty.element() == ElementType::Utf8 {
                words + tensor.ty.elements() as usize * 4
            } else {
                words + tensor.ty.bytes() as usize
            }
        });
        Self {
            bytes: vec![0; room.sum::<usize>() + text_bytes as usize].into(),
            used: 0,
            outputs,
            call: 1,
            has_any: false,
        }
    }

    /// The next call begins.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.used = 0;
        self.has_any = false;
        match self.call.checked_add(1) {
            Some(call) => self.call = call,
            None => self.begin_anew(),
        }
    }

    #[cold]
    #[inline(never)]
    fn begin_anew(&mut self) {
        self.call = 1;
        for output in &mut self.outputs {
            output.call = 0;
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        !self.has_any
    }

    /// Copies the record at `at` for an output, where it is one tensor that has the same shape in every call, as most
    /// outputs of most runes; gives the bytes of its elements. `None` where nothing was done: for
    /// [`take_any`](Self::take_any).
    pub(crate) fn take_plain(&mut self, memory: &[u8], index: u32, at: u32) -> Option<u32> {
        let elements = self.place(memory, index, at)?;
        self.take_elements(index, &memory[elements])
    }

    /// Where the elements of the record at `at` lie, if it is such a one.
    #[inline(never)]
    pub(crate) fn place(&self, memory: &[u8], index: u32, at: u32) -> Option<Range<usize>> {
        let output = self.outputs.get(index as usize)?;
        output.plain.as_ref()?.fixed.place(memory, at)
    }

    /// Copies the elements of such a record. `None` where nothing was done, since they are not the output's, or it was
    /// written to before.
    #[inline]
    pub(crate) fn take_elements(&mut self, index: u32, written: &[u8]) -> Option<u32> {
        let output = self.outputs.get_mut(index as usize)?;
        let Plain { elements, .. } = output.plain.as_mut()?;
        if output.call == self.call || elements.len() != written.len() {
            return None;
        }
        output.call = self.call;
        self.has_any = true;
        // One number needs no function.
        if let ([a, b, c, d], [e, f, g, h]) = (&mut **elements, written) {
            (*a, *b, *c, *d) = (*e, *f, *g, *h);
        } else {
            elements.copy_from_slice(written);
        }
        Some(written.len() as u32)
    }

    /// The name of an output.
    pub(crate) fn name(&self, index: u32) -> Option<&'static str> {
        Some(self.outputs.get(index as usize)?.view.name)
    }

    /// Copies the record at `at` for an output whatever it is; gives the bytes of its tensors.
    #[inline(never)]
    pub(crate) fn take_any(
        &mut self,
        memory: &[u8],
        index: u32,
        at: u32,
    ) -> Result<u32, Misuse<'static>> {
        let output = self.outputs.get_mut(index as usize);
        let output = output.ok_or(Misuse::NoOutput(index))?;
        let name = output.view.name;
        if output.call == self.call {
            return Err(Misuse::WrittenTwice(name));
        }
        output.call = self.call;
        output.begin = self.used;
        self.has_any = true;
        let mut room = Room {
            bytes: &mut self.bytes,
            used: &mut self.used,
        };
        let (mut left, mut total) = (memory.len(), 0u32);
        let mut at = u64::from(at);
        for KnownTensor { ty, fixed } in &output.tensors {
            let fixed = fixed.as_ref().and_then(|fixed| {
                let place = fixed.place(memory, u32::try_from(at).ok()?)?;
                Some((fixed, &memory[place]))
            });
            let taken = match fixed {
                Some((fixed, elements)) => {
                    at += u64::from(fixed.description);
                    room.push(elements).map(|()| elements.len() as u32)
                }
                None => room.tensor(memory, *ty, &mut at, &mut left),
            };
            match taken {
                Ok(bytes) => total = total.saturating_add(bytes),
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
    ) -> Result<u32, RecordError> {
        let tensor = tensor(memory, ty, at)?;
        for dim in tensor.dims() {
            self.push(&dim.to_le_bytes())?;
        }
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
    dims: TensorDims<'a>,
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

/// Where the dimensions of a tensor are.
#[derive(Clone, Copy, Debug)]
enum TensorDims<'a> {
    /// Behind two other words, see [`Fixed`].
    Known(&'a [u32]),
    /// With its elements, as bytes.
    Kept(&'a [u8]),
}

impl<'a> Tensor<'a> {
    /// The outermost first.
    pub fn dims(&self) -> impl Iterator<Item = u32> + use<'a> {
        let (known, kept) = match self.dims {
            TensorDims::Known(words) => (words.get(2..).unwrap_or_default(), &[][..]),
            TensorDims::Kept(bytes) => (&[][..], bytes),
        };
        let kept = kept.chunks_exact(4).map(word);
        known.iter().copied().chain(kept)
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

    /// The elements, where all that was written is one tensor of numbers that has the same shape in every call.
    pub fn numbers(&self) -> Option<&'a [u8]> {
        match &*self.records.outputs {
            [Known { plain, .. }] => plain.as_ref().map(|plain| &*plain.elements),
            _ => None,
        }
    }

    /// The records, in the order of the manifest's outputs.
    pub fn records(&self) -> impl Iterator<Item = Record<'a>> + use<'a> {
        let Records {
            bytes,
            outputs,
            call,
            ..
        } = self.records;
        let written = outputs.iter().filter(|output| output.call == *call);
        written.map(move |output| Record {
            output,
            bytes: match &output.plain {
                Some(plain) => &plain.elements,
                None => &bytes[output.begin..],
            },
        })
    }

    /// Prints it as a line of JSON without its end, see [`json`].
    pub fn line(&self, out: &mut impl Write) -> fmt::Result {
        out.write_str("{")?;
        json::separated(out, self.records(), |out, record| {
            let name = record.output().name;
            json::output(out, name, record.tensors(), |out, tensor| {
                json::tensor(out, tensor.element, tensor.dims(), tensor.elements)
            })
        })?;
        out.write_str("}")
    }
}

/// What one call of a rune wrote to one output.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    output: &'a Known,
    /// Its first tensor, and what is behind it.
    bytes: &'a [u8],
}

impl<'a> Record<'a> {
    /// The index of the output.
    pub const fn index(&self) -> usize {
        self.output.index
    }

    /// The output.
    pub const fn output(&self) -> &'a OutputView<'static> {
        &self.output.view
    }

    /// Its tensors, in the order of the manifest.
    pub fn tensors(&self) -> impl Iterator<Item = Tensor<'a>> + use<'a> {
        let mut rest = self.bytes;
        let tensors = self.output.tensors.iter();
        tensors.map(move |tensor| tensor.next(&mut rest))
    }
}

impl KnownTensor {
    /// The next tensor of a record, which goes behind it.
    #[inline]
    fn next<'a>(&'a self, rest: &mut &'a [u8]) -> Tensor<'a> {
        let Some(Fixed { bytes, words, .. }) = &self.fixed else {
            return next_of_any(self.ty, rest);
        };
        let (elements, behind) = rest.split_at_checked(*bytes as usize).unwrap_or_default();
        *rest = behind;
        Tensor {
            element: self.ty.element(),
            dims: TensorDims::Known(words),
            elements: Elements::Numbers(elements),
        }
    }
}

/// The same of one whose shape is kept with it.
#[inline(never)]
fn next_of_any<'a>(ty: TensorType, rest: &mut &'a [u8]) -> Tensor<'a> {
    let element = ty.element();
    let (dims, behind) = rest.split_at(ty.dims().len() * 4);
    let count: u32 = dims.chunks_exact(4).map(word).product();
    let bytes = if element == ElementType::Utf8 {
        let mut end = 0;
        for _ in 0..count {
            end += 4 + word(&behind[end..end + 4]) as usize;
        }
        end
    } else {
        (count * element.size()) as usize
    };
    let (elements, behind) = behind.split_at(bytes);
    *rest = behind;
    Tensor {
        element,
        dims: TensorDims::Kept(dims),
        elements: if element == ElementType::Utf8 {
            Elements::Texts(Texts { bytes: elements })
        } else {
            Elements::Numbers(elements)
        },
    }
}

#[cfg(test)]
mod tests {
    use alloc::{borrow::ToOwned, vec, vec::Vec};

    use rune_abi::{
        ABI_VERSION, Dim, ElementType, Feed, Manifest, ManifestView, Output, OutputKind,
        TensorType, Version, WasmFeatures,
    };

    use super::{Misuse, Records};

    /// A rune with an output of one number.
    fn records() -> Records {
        let manifest = Manifest {
            abi_version: ABI_VERSION,
            features: WasmFeatures(0),
            security_counter: 0,
            memory_bytes: 64,
            stack_bytes: 0,
            name: "number".to_owned(),
            version: Version {
                major: 1,
                minor: 0,
                patch: 0,
            },
            bases: vec![],
            capabilities: vec![],
            outputs: vec![Output {
                kind: OutputKind::Serial,
                name: "serial".to_owned(),
                params: vec![],
                tensors: vec![Feed {
                    from: "x".to_owned(),
                    ty: TensorType::new(ElementType::U32, &[Dim::Exact(1)]).unwrap(),
                }],
            }],
            models: vec![],
            stages: vec![],
        };
        let bytes = manifest.to_bytes().unwrap().leak();
        Records::new(&ManifestView::parse(bytes).unwrap(), 0)
    }

    #[test]
    fn numbers_of_calls_begin_anew_at_their_end() {
        let memory: Vec<u8> = [16u32, 4, 1, 1, 7]
            .iter()
            .flat_map(|w| w.to_le_bytes())
            .collect();
        let mut records = records();
        for call in [u32::MAX, 1, 2] {
            if call == u32::MAX {
                records.call = call;
            }
            assert!(records.is_empty());
            assert_eq!(records.take_plain(&memory, 0, 0), Some(4));
            assert!(!records.is_empty());
            // Once a call, by each of the ways.
            assert_eq!(records.take_plain(&memory, 0, 0), None);
            assert_eq!(records.take_elements(0, &[1, 2, 3, 4]), None);
            let twice = records.take_any(&memory, 0, 0);
            assert_eq!(twice, Err(Misuse::WrittenTwice("serial")));
            assert_eq!(records.call, call);
            records.clear();
        }
    }
}
