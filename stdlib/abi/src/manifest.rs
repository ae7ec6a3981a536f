//! The manifest: what a rune needs and what it is, in one little-endian record.
//!
//! [`ManifestView`] checks a record and reads it in place, without an allocator; `Manifest` (feature
//! `encode`) owns one and writes it. The layout, in order:
//!
//! | field | form |
//! |---|---|
//! | magic | `RUNE` |
//! | total length in bytes | u32 |
//! | format version, ABI version | u16, u16 |
//! | Wasm features, security counter, memory bytes, stack bytes | four u32 |
//! | name, version of the rune | text, version |
//! | base images | list of (name: text, version) |
//! | capabilities | list of (kind: u16, name: text, type, list of parameters) |
//! | outputs | list of (kind: u16, name: text, list of (fed by: text, type), list of parameters) |
//! | models | list of (name: text, SHA-256: 32 bytes, list of input types, list of output types) |
//! | stages, in execution order | list of text |
//!
//! A text is a u16 length and UTF-8 without control characters; a version three u16; a list a u16
//! count and its items. A type is a u8 element tag, a u8 rank, a u8 whose bit `i` says that dimension
//! `i` is a bound, and a u32 per dimension. A parameter is (name: text, u8 tag, value): 0 an i64, 1 an
//! f64, 2 a text. Nothing is padded, and nothing follows the last field.

use core::{fmt, iter::FusedIterator, marker::PhantomData};

use crate::{CapabilityKind, ElementType, OutputKind, WasmFeatures};

mod decode;
#[cfg(any(test, feature = "encode"))]
mod encode;

pub use decode::Decode;
use decode::{Reader, error};
#[cfg(any(test, feature = "encode"))]
pub use encode::{Base, Capability, Feed, Manifest, Model, Output, Param, Value};

/// The first four bytes of a manifest.
const MAGIC: [u8; 4] = *b"RUNE";
/// The layout this crate reads and writes.
const FORMAT_VERSION: u16 = 1;

/// What a manifest may hold at most.
pub mod limit {
    /// Bytes of a whole manifest.
    pub const BYTES: usize = 1 << 16;
    /// Bytes of one text.
    pub const TEXT: usize = 1024;
    /// Capabilities, outputs, base images, parameters of one stage, tensors of one stage.
    pub const ITEMS: usize = 64;
    /// Models, and stages.
    pub const STAGES: usize = 1024;
    /// Dimensions of a tensor.
    pub const RANK: usize = 8;
    /// Elements of a tensor, so that every size in bytes fits 31 bits.
    pub const ELEMENTS: u64 = (1 << 28) - 1;
}

/// Where a manifest breaks the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManifestError {
    /// Bytes from the start of the manifest.
    pub offset: usize,
    /// What is wrong there, without a final full stop.
    pub what: &'static str,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {} of the manifest", self.what, self.offset)
    }
}

impl core::error::Error for ManifestError {}

/// A semantic version without labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Version {
    /// Changes when old users break.
    pub major: u16,
    /// Changes when something is added.
    pub minor: u16,
    /// Changes when something is repaired.
    pub patch: u16,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// The text is not one to three numbers below 65536 with points between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionError;

impl core::str::FromStr for Version {
    type Err = VersionError;

    /// `1.2.3`; what is left out at the end is 0.
    fn from_str(text: &str) -> Result<Self, VersionError> {
        let mut numbers = [0; 3];
        let mut parts = text.split('.');
        for (i, number) in numbers.iter_mut().enumerate() {
            match parts.next() {
                Some(part) if part.bytes().all(|b| b.is_ascii_digit()) => {
                    *number = part.parse().map_err(|_| VersionError)?;
                }
                None if i > 0 => {}
                _ => return Err(VersionError),
            }
        }
        let [major, minor, patch] = numbers;
        match parts.next() {
            None => Ok(Self {
                major,
                minor,
                patch,
            }),
            Some(_) => Err(VersionError),
        }
    }
}

/// One dimension of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dim {
    /// Exactly this many.
    Exact(u32),
    /// At most this many; the tensor carries how many there are.
    AtMost(u32),
}

impl Dim {
    /// The number that memory is planned for.
    pub const fn bound(self) -> u32 {
        match self {
            Self::Exact(n) | Self::AtMost(n) => n,
        }
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(n) => write!(f, "{n}"),
            Self::AtMost(n) => write!(f, "<={n}"),
        }
    }
}

/// The type of a tensor that enters or leaves a rune; at most [`limit::RANK`] dimensions, each above
/// zero, and at most [`limit::ELEMENTS`] elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TensorType {
    element: ElementType,
    rank: u8,
    dims: [Dim; limit::RANK],
}

impl TensorType {
    /// The type of these dimensions, the outermost first; `None` if a limit is broken.
    pub fn new(element: ElementType, dims: &[Dim]) -> Option<Self> {
        let mut kept = [Dim::Exact(1); limit::RANK];
        kept.get_mut(..dims.len())?.copy_from_slice(dims);
        let elements = dims
            .iter()
            .try_fold(1u64, |n, d| n.checked_mul(u64::from(d.bound())))?;
        (1..=limit::ELEMENTS).contains(&elements).then_some(Self {
            element,
            rank: dims.len() as u8,
            dims: kept,
        })
    }

    /// Of its elements.
    pub const fn element(&self) -> ElementType {
        self.element
    }

    /// The dimensions, the outermost first; none for a scalar.
    pub fn dims(&self) -> &[Dim] {
        &self.dims[..usize::from(self.rank)]
    }

    /// Elements there is room for.
    pub fn elements(&self) -> u32 {
        self.dims().iter().map(|d| d.bound()).product()
    }

    /// Bytes there is room for.
    pub fn bytes(&self) -> u32 {
        self.elements() * self.element.size()
    }
}

impl fmt::Display for TensorType {
    /// As a Runefile spells it: `F32[<=100, 6]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[", self.element)?;
        for (i, dim) in self.dims().iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{dim}")?;
        }
        f.write_str("]")
    }
}

/// A manifest that was checked whole; reading it cannot fail.
#[derive(Clone, Copy, Debug)]
pub struct ManifestView<'a> {
    /// The contract with the runtime it needs, see [`ABI_VERSION`](crate::ABI_VERSION).
    pub abi_version: u16,
    /// The Wasm features its code uses.
    pub features: WasmFeatures,
    /// Raised when an older rune must not come back.
    pub security_counter: u32,
    /// Exact bytes of memory it uses, from address 0.
    pub memory_bytes: u32,
    /// Bytes of these that are its stack, from address 0.
    pub stack_bytes: u32,
    /// Name of the rune.
    pub name: &'a str,
    /// Version of the rune.
    pub version: Version,
    /// The base images it was built on.
    pub bases: List<'a, BaseView<'a>>,
    /// Where its data comes from; the index is what `read` gets. Names are distinct.
    pub capabilities: List<'a, CapabilityView<'a>>,
    /// Where its results go; the index is what `write` gets. Names are distinct.
    pub outputs: List<'a, OutputView<'a>>,
    /// The models compiled into it.
    pub models: List<'a, ModelView<'a>>,
    /// Its stages in execution order; the index is what `mark` gets.
    pub stages: List<'a, &'a str>,
}

/// A base image a rune was built on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BaseView<'a> {
    /// Its canonical name, such as `runicos/base`.
    pub name: &'a str,
    /// Its version.
    pub version: Version,
}

/// A source of data a rune reads.
#[derive(Clone, Copy, Debug)]
pub struct CapabilityView<'a> {
    /// What it is.
    pub kind: CapabilityKind,
    /// The name of its stage.
    pub name: &'a str,
    /// What one call reads.
    pub ty: TensorType,
    /// Its parameters; names are canonical, an absent one has no value.
    pub params: List<'a, ParamView<'a>>,
}

/// A sink a rune writes to.
#[derive(Clone, Copy, Debug)]
pub struct OutputView<'a> {
    /// What it is.
    pub kind: OutputKind,
    /// The name of its stage.
    pub name: &'a str,
    /// The tensors of one record, in order.
    pub tensors: List<'a, FeedView<'a>>,
    /// Its parameters.
    pub params: List<'a, ParamView<'a>>,
}

/// A tensor of an output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FeedView<'a> {
    /// The stage it comes from.
    pub from: &'a str,
    /// What it is.
    pub ty: TensorType,
}

/// A model compiled into a rune.
#[derive(Clone, Copy, Debug)]
pub struct ModelView<'a> {
    /// The name of its stage.
    pub name: &'a str,
    /// Of the model file as it was.
    pub sha256: &'a [u8; 32],
    /// What it takes.
    pub inputs: List<'a, TensorType>,
    /// What it gives.
    pub outputs: List<'a, TensorType>,
}

/// A parameter of a capability or output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ParamView<'a> {
    /// Canonical name, in kebab case.
    pub name: &'a str,
    /// Its value.
    pub value: ValueView<'a>,
}

/// The value of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueView<'a> {
    /// A whole number.
    Integer(i64),
    /// A finite number.
    Float(f64),
    /// A word.
    Text(&'a str),
}

impl<'a> ManifestView<'a> {
    /// Checks every byte of a manifest; `bytes` must be the manifest and nothing else.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ManifestError> {
        let mut r = Reader { bytes, at: 0 };
        if r.array()? != &MAGIC {
            return Err(error(0, "no magic `RUNE`"));
        }
        if r.u32()? as usize != bytes.len() {
            return Err(error(4, "wrong length"));
        }
        if bytes.len() > limit::BYTES {
            return Err(error(4, "longer than 64 KiB"));
        }
        if r.u16()? != FORMAT_VERSION {
            return Err(error(8, "unknown format version"));
        }
        let abi_version = r.u16()?;
        let features = WasmFeatures(r.u32()?);
        if !WasmFeatures::ALL.contains(features) {
            return Err(error(12, "unknown Wasm feature"));
        }
        let view = Self {
            abi_version,
            features,
            security_counter: r.u32()?,
            memory_bytes: r.u32()?,
            stack_bytes: r.u32()?,
            name: r.name()?,
            version: Version::decode(&mut r)?,
            bases: r.list(limit::ITEMS)?,
            capabilities: r.list(limit::ITEMS)?,
            outputs: r.list(limit::ITEMS)?,
            models: r.list(limit::STAGES)?,
            stages: r.list(limit::STAGES)?,
        };
        if r.at != bytes.len() {
            return Err(error(r.at, "bytes after the end"));
        }
        if view.stack_bytes > view.memory_bytes {
            return Err(error(24, "more stack than memory"));
        }
        let at = view.capabilities.at;
        distinct(view.capabilities.iter().map(|c| c.name))
            .ok_or(error(at, "two capabilities of one name"))?;
        let at = view.outputs.at;
        distinct(view.outputs.iter().map(|o| o.name))
            .ok_or(error(at, "two outputs of one name"))?;
        Ok(view)
    }
}

/// `None` if a name comes twice. Quadratic: there are at most [`limit::ITEMS`].
fn distinct<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Option<()> {
    let mut rest = names;
    while let Some(name) = rest.next() {
        if rest.clone().any(|other| other == name) {
            return None;
        }
    }
    Some(())
}

/// A list inside a manifest, checked when it was parsed.
#[derive(Clone, Copy, Debug)]
pub struct List<'a, T> {
    bytes: &'a [u8],
    /// Of the first item in `bytes`.
    at: usize,
    count: u16,
    item: PhantomData<fn() -> T>,
}

impl<'a, T: Decode<'a>> List<'a, T> {
    /// How many items there are.
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The items in order.
    pub fn iter(&self) -> Items<'a, T> {
        Items {
            reader: Reader {
                bytes: self.bytes,
                at: self.at,
            },
            left: self.count,
            item: PhantomData,
        }
    }

    /// The item at an index; takes time linear in the index.
    pub fn get(&self, index: usize) -> Option<T> {
        self.iter().nth(index)
    }
}

impl<'a> List<'a, ParamView<'a>> {
    /// The value of the parameter of this name.
    pub fn value(&self, name: &str) -> Option<ValueView<'a>> {
        self.iter().find(|p| p.name == name).map(|p| p.value)
    }

    /// The value of this name if it is a whole number.
    pub fn integer(&self, name: &str) -> Option<i64> {
        match self.value(name)? {
            ValueView::Integer(n) => Some(n),
            ValueView::Float(_) | ValueView::Text(_) => None,
        }
    }
}

impl<'a, T: Decode<'a>> IntoIterator for &List<'a, T> {
    type Item = T;
    type IntoIter = Items<'a, T>;

    fn into_iter(self) -> Items<'a, T> {
        self.iter()
    }
}

impl<'a, T: Decode<'a>> IntoIterator for List<'a, T> {
    type Item = T;
    type IntoIter = Items<'a, T>;

    fn into_iter(self) -> Items<'a, T> {
        self.iter()
    }
}

/// The items of a [`List`].
#[derive(Clone, Debug)]
pub struct Items<'a, T> {
    reader: Reader<'a>,
    left: u16,
    item: PhantomData<fn() -> T>,
}

impl<'a, T: Decode<'a>> Iterator for Items<'a, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.left = self.left.checked_sub(1)?;
        // The list decoded once when it was parsed, and its bytes have not changed since.
        T::decode(&mut self.reader).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::from(self.left), Some(usize::from(self.left)))
    }
}

impl<'a, T: Decode<'a>> ExactSizeIterator for Items<'a, T> {}
impl<'a, T: Decode<'a>> FusedIterator for Items<'a, T> {}
