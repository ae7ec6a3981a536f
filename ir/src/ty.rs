//! Types of tensors between stages: an element type and dimensions, each known or not.

use std::fmt;

pub use rune_abi::{Dim, ElementType};

/// Most elements one tensor may have, so that every size in bytes fits 31 bits.
pub const MAX_ELEMENTS: u64 = rune_abi::limit::ELEMENTS;

/// The type of a tensor, all of it known. No dimensions: a scalar, which is one element.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TensorType {
    /// Of its elements.
    pub element: ElementType,
    /// The outermost first.
    pub dims: Vec<Dim>,
}

impl TensorType {
    /// A type of exact dimensions.
    pub fn new(element: ElementType, dims: &[u32]) -> Self {
        Self {
            element,
            dims: dims.iter().map(|d| Dim::Exact(*d)).collect(),
        }
    }

    /// Elements there is room for; as many as can be counted where there are more.
    pub fn elements(&self) -> u64 {
        let bounds = self.dims.iter().map(|d| u64::from(d.bound()));
        bounds.fold(1, u64::saturating_mul)
    }

    /// Bytes there is room for.
    pub fn bytes(&self) -> u64 {
        self.elements()
            .saturating_mul(u64::from(self.element.size()))
    }

    /// The bound of each dimension.
    pub fn shape(&self) -> Vec<u32> {
        self.dims.iter().map(|d| d.bound()).collect()
    }
}

impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.element)?;
        list(f, &self.dims)
    }
}

/// A type as written or as known so far: any part may be open.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct PartialType {
    /// Of its elements.
    pub element: Option<ElementType>,
    /// The dimensions; each may be open (`_`), or all of them.
    pub dims: Option<Vec<Option<Dim>>>,
}

impl PartialType {
    /// The type if nothing is open.
    pub fn complete(&self) -> Option<TensorType> {
        Some(TensorType {
            element: self.element?,
            dims: self.dims.as_ref()?.iter().copied().collect::<Option<_>>()?,
        })
    }
}

impl From<TensorType> for PartialType {
    fn from(ty: TensorType) -> Self {
        Self {
            element: Some(ty.element),
            dims: Some(ty.dims.into_iter().map(Some).collect()),
        }
    }
}

impl fmt::Display for PartialType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.element {
            Some(element) => write!(f, "{element}")?,
            None => f.write_str("_")?,
        }
        match &self.dims {
            None => Ok(()),
            Some(dims) => list(
                f,
                &dims
                    .iter()
                    .map(|d| d.map_or("_".to_owned(), |d| d.to_string()))
                    .collect::<Vec<_>>(),
            ),
        }
    }
}

fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: &[T]) -> fmt::Result {
    f.write_str("[")?;
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            f.write_str(", ")?;
        }
        write!(f, "{item}")?;
    }
    f.write_str("]")
}
