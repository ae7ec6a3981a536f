//! Affine functions of loop variables, and the addresses made of them.

use std::ops::{Add, Mul};

use super::{BufferId, Var};

/// A constant plus a sum of variables, each times a constant.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Affine {
    /// The constant part.
    pub constant: i32,
    /// Variables with their factors, none zero, by rising variable: the outermost loop first.
    pub terms: Vec<(Var, i32)>,
}

impl Affine {
    /// A single variable.
    pub(crate) fn var(var: Var) -> Self {
        Self {
            constant: 0,
            terms: vec![(var, 1)],
        }
    }

    /// The value, if no variable is part of it.
    pub fn as_constant(&self) -> Option<i32> {
        self.terms.is_empty().then_some(self.constant)
    }
}

impl From<u32> for Affine {
    fn from(constant: u32) -> Self {
        Self::from(constant as i32)
    }
}

impl From<i32> for Affine {
    fn from(constant: i32) -> Self {
        Self {
            constant,
            terms: Vec::new(),
        }
    }
}

impl From<&Affine> for Affine {
    fn from(other: &Affine) -> Self {
        other.clone()
    }
}

impl<T: Into<Affine>> Add<T> for Affine {
    type Output = Affine;
    fn add(mut self, other: T) -> Affine {
        let other = other.into();
        self.constant += other.constant;
        for (var, factor) in other.terms {
            match self.terms.binary_search_by_key(&var, |t| t.0) {
                Ok(at) => {
                    self.terms[at].1 += factor;
                    if self.terms[at].1 == 0 {
                        self.terms.remove(at);
                    }
                }
                Err(at) => self.terms.insert(at, (var, factor)),
            }
        }
        self
    }
}

impl<T: Into<Affine>> Add<T> for &Affine {
    type Output = Affine;
    fn add(self, other: T) -> Affine {
        self.clone() + other
    }
}

impl Mul<u32> for Affine {
    type Output = Affine;
    fn mul(mut self, factor: u32) -> Affine {
        let factor = factor as i32;
        if factor == 0 {
            return Affine::default();
        }
        self.constant *= factor;
        for term in &mut self.terms {
            term.1 *= factor;
        }
        self
    }
}

impl Mul<u32> for &Affine {
    type Output = Affine;
    fn mul(self, factor: u32) -> Affine {
        self.clone() * factor
    }
}

/// A place in a buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The buffer.
    pub buffer: BufferId,
    /// Bytes from its start.
    pub offset: Affine,
}

impl Address {
    /// The place so many bytes further on.
    #[must_use]
    pub fn plus(&self, bytes: u32) -> Self {
        Self {
            buffer: self.buffer,
            offset: &self.offset + bytes,
        }
    }
}

/// A buffer as an array of several dimensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The buffer.
    pub buffer: BufferId,
    /// Bytes of one element.
    pub element: u32,
    /// Bytes from one index of a dimension to the next.
    pub strides: Vec<u32>,
}

impl View {
    /// A dense array, the last dimension contiguous.
    pub fn new(buffer: BufferId, element: u32, shape: &[u32]) -> Self {
        let mut strides = vec![element; shape.len()];
        for d in (1..shape.len()).rev() {
            strides[d - 1] = strides[d] * shape[d];
        }
        Self {
            buffer,
            element,
            strides,
        }
    }

    /// The place of an element; indices left out at the end are zero.
    pub fn at<const N: usize>(&self, index: [&Affine; N]) -> Address {
        assert!(N <= self.strides.len(), "no more indices than dimensions");
        let offset = index
            .iter()
            .zip(&self.strides)
            .fold(Affine::default(), |sum, (i, stride)| sum + *i * *stride);
        Address {
            buffer: self.buffer,
            offset,
        }
    }
}
