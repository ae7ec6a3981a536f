//! A model as a graph of operators over tensors of known shape.

use std::{fmt, sync::Arc};

use crate::{
    arena::{Arena, Id},
    op::Op,
};

/// Names one tensor of a [`Graph`].
pub type TensorId = Id<Tensor>;

/// The element type of a model's tensor. Wider than [`ElementType`](crate::ty::ElementType): models
/// have booleans too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DataType {
    /// One byte, 0 or 1.
    Bool,
    /// A type that stages have too.
    Element(crate::ty::ElementType),
}

impl DataType {
    /// Bytes of one element.
    pub fn size(self) -> u32 {
        match self {
            Self::Bool => 1,
            Self::Element(e) => e.size(),
        }
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.pad("bool"),
            Self::Element(e) => f.pad(e.name()),
        }
    }
}

/// Affine quantisation: real = scale * (q - `zero_point`).
#[derive(Clone, Debug, PartialEq)]
pub struct Quantization {
    /// One scale, or one per index along `axis`. All finite and above zero.
    pub scale: Vec<f32>,
    /// As many as scales.
    pub zero_point: Vec<i32>,
    /// The dimension along which scales differ, where there are several.
    pub axis: u32,
}

impl Quantization {
    /// The scale and zero point of a tensor that has one of each.
    pub fn per_tensor(&self) -> Option<(f32, i32)> {
        match (&self.scale[..], &self.zero_point[..]) {
            ([s], [z]) => Some((*s, *z)),
            _ => None,
        }
    }
}

/// One tensor of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Its name in the model file; need not be unique.
    pub name: String,
    /// Of its elements.
    pub ty: DataType,
    /// The outermost first; empty for a scalar.
    pub shape: Vec<u32>,
    /// How its integers stand for reals.
    pub quantization: Option<Quantization>,
    /// Its value if constant: exactly `bytes()` bytes, little-endian.
    pub data: Option<Arc<[u8]>>,
}

impl Tensor {
    /// Number of elements.
    pub fn elements(&self) -> usize {
        self.shape.iter().map(|d| *d as usize).product()
    }

    /// Number of bytes.
    pub fn bytes(&self) -> usize {
        self.elements() * self.ty.size() as usize
    }
}

/// One operator applied to tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it computes.
    pub op: Op,
    /// Its operands in the operator's order; `None` for one left out.
    pub inputs: Vec<Option<TensorId>>,
    /// What it writes.
    pub outputs: Vec<TensorId>,
}

/// A model. Nodes stand in an order in which each follows what it reads; a tensor is written at most once.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Graph {
    /// Every tensor.
    pub tensors: Arena<Tensor>,
    /// The operators, in execution order.
    pub nodes: Vec<Node>,
    /// What the caller gives.
    pub inputs: Vec<TensorId>,
    /// What the caller gets.
    pub outputs: Vec<TensorId>,
}
