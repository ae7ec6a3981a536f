//! Reading a manifest field by field, with every bound checked.

use core::marker::PhantomData;

use super::{
    BaseView, CapabilityView, Dim, FeedView, List, ManifestError, ModelView, OutputView, ParamView,
    TensorType, ValueView, Version, limit,
};
use crate::{CapabilityKind, ElementType, OutputKind};

/// What can stand in a manifest. Implemented here only.
pub trait Decode<'a>: Sized + private::Sealed {
    /// Reads one, or says what is wrong.
    #[doc(hidden)]
    fn decode(r: &mut Reader<'a>) -> Result<Self, ManifestError>;
}

mod private {
    /// Keeps [`Decode`](super::Decode) to this module.
    pub trait Sealed {}
}

/// A place in a manifest that moves forward.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

pub(super) fn error(offset: usize, what: &'static str) -> ManifestError {
    ManifestError { offset, what }
}

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], ManifestError> {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.get(..len));
        let taken = taken.ok_or(error(self.at, "ends too early"))?;
        self.at += len;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], ManifestError> {
        Ok(self
            .take(N)?
            .try_into()
            .expect("`take` gives what it is asked for"))
    }

    pub(super) fn u8(&mut self) -> Result<u8, ManifestError> {
        self.array().map(|[b]| *b)
    }

    pub(super) fn u16(&mut self) -> Result<u16, ManifestError> {
        self.array().map(|b| u16::from_le_bytes(*b))
    }

    pub(super) fn u32(&mut self) -> Result<u32, ManifestError> {
        self.array().map(|b| u32::from_le_bytes(*b))
    }

    pub(super) fn text(&mut self) -> Result<&'a str, ManifestError> {
        let at = self.at;
        let len = usize::from(self.u16()?);
        if len > limit::TEXT {
            return Err(error(at, "text too long"));
        }
        let text = core::str::from_utf8(self.take(len)?)
            .map_err(|e| error(at + 2 + e.valid_up_to(), "text that is not UTF-8"))?;
        if text.chars().any(char::is_control) {
            return Err(error(at, "text with a control character"));
        }
        Ok(text)
    }

    pub(super) fn name(&mut self) -> Result<&'a str, ManifestError> {
        let at = self.at;
        match self.text()? {
            "" => Err(error(at, "empty name")),
            name => Ok(name),
        }
    }

    pub(super) fn list<T: Decode<'a>>(
        &mut self,
        most: usize,
    ) -> Result<List<'a, T>, ManifestError> {
        let count = self.u16()?;
        if usize::from(count) > most {
            return Err(error(self.at - 2, "list too long"));
        }
        let at = self.at;
        for _ in 0..count {
            T::decode(self)?;
        }
        Ok(List {
            bytes: self.bytes,
            at,
            count,
            item: PhantomData,
        })
    }
}

impl private::Sealed for &str {}
impl<'a> Decode<'a> for &'a str {
    fn decode(r: &mut Reader<'a>) -> Result<Self, ManifestError> {
        r.name()
    }
}

impl private::Sealed for Version {}
impl<'a> Decode<'a> for Version {
    fn decode(r: &mut Reader<'a>) -> Result<Self, ManifestError> {
        Ok(Self {
            major: r.u16()?,
            minor: r.u16()?,
            patch: r.u16()?,
        })
    }
}

impl private::Sealed for TensorType {}
impl<'a> Decode<'a> for TensorType {
    fn decode(r: &mut Reader<'a>) -> Result<Self, ManifestError> {
        let at = r.at;
        let element = ElementType::from_tag(r.u8()?).ok_or(error(at, "unknown element type"))?;
        let rank = usize::from(r.u8()?);
        let bounds = r.u8()?;
        if rank > limit::RANK {
            return Err(error(at + 1, "too many dimensions"));
        }
        if u32::from(bounds) >> rank != 0 {
            return Err(error(at + 2, "bound on a dimension that is not there"));
        }
        let mut dims = [Dim::Exact(1); limit::RANK];
        for (i, dim) in dims[..rank].iter_mut().enumerate() {
            let n = r.u32()?;
            *dim = if bounds >> i & 1 == 1 {
                Dim::AtMost(n)
            } else {
                Dim::Exact(n)
            };
        }
        Self::new(element, &dims[..rank]).ok_or(error(at, "empty or too large tensor"))
    }
}

impl private::Sealed for BaseView<'_> {}
impl<'a> Decode<'a> for BaseView<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, ManifestError> {
        Ok(Self {
            name: r.name()?,
            version: Version::decode(r)?,
        })
    }
}

impl private::Sealed for CapabilityView<'_> {}
impl<'a> Decode<'a> for CapabilityView<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, ManifestError> {
        let at = r.at;
        Ok(Self {
            kind: CapabilityKind::from_tag(r.u16()?)
                .ok_or(error(at, "unknown kind of capability"))?,
            name: r.name()?,
            ty: TensorType::decode(r)?,
            params: r.list(limit::ITEMS)?,
        })
    }
}

impl private::Sealed for OutputView<'_> {}
impl<'a> Decode<'a> for OutputView<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, ManifestError> {
        let at = r.at;
        Ok(Self {
            kind: OutputKind::from_tag(r.u16()?).ok_or(error(at, "unknown kind of output"))?,
            name: r.name()?,
            tensors: r.list(limit::ITEMS)?,
            params: r.list(limit::ITEMS)?,
        })
    }
}

impl private::Sealed for FeedView<'_> {}
impl<'a> Decode<'a> for FeedView<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, ManifestError> {
        Ok(Self {
            from: r.name()?,
            ty: TensorType::decode(r)?,
        })
    }
}

impl private::Sealed for ModelView<'_> {}
impl<'a> Decode<'a> for ModelView<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, ManifestError> {
        Ok(Self {
            name: r.name()?,
            sha256: r.array()?,
            inputs: r.list(limit::ITEMS)?,
            outputs: r.list(limit::ITEMS)?,
        })
    }
}

impl private::Sealed for ParamView<'_> {}
impl<'a> Decode<'a> for ParamView<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, ManifestError> {
        let name = r.name()?;
        let at = r.at;
        let value = match r.u8()? {
            0 => ValueView::Integer(i64::from_le_bytes(*r.array()?)),
            1 => ValueView::Float(f64::from_le_bytes(*r.array()?)),
            2 => ValueView::Text(r.text()?),
            _ => return Err(error(at, "unknown kind of value")),
        };
        if matches!(value, ValueView::Float(x) if !x.is_finite()) {
            return Err(error(at + 1, "number that is not finite"));
        }
        Ok(Self { name, value })
    }
}
