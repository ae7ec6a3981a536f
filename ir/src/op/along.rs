//! What goes along one dimension of a tensor.

use super::{arg, cumsum, top_k};
use crate::graph::{Graph, Node};

/// An operator that goes along one dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Along {
    /// Input: x. Output: I32 or I64 without dimension `axis`: where along it the extreme is.
    Arg {
        /// Whether the greatest is looked for, or the least.
        greatest: bool,
        /// The dimension.
        axis: u32,
    },
    /// Input: x. Output: of the same shape; running sums along `axis`.
    CumSum {
        /// The dimension.
        axis: u32,
        /// Whether an element is not part of its own sum.
        exclusive: bool,
        /// Whether sums begin at the end.
        reverse: bool,
    },
    /// Input: x [..., d]. Outputs: the k greatest elements of each row [..., k], and their indices as I32.
    TopK,
}

impl Along {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Arg { greatest: true, .. } => "ARG_MAX",
            Self::Arg { .. } => "ARG_MIN",
            Self::CumSum { .. } => "CUMSUM",
            Self::TopK => "TOPK_V2",
        }
    }

    pub(super) fn check(self, graph: &Graph, node: &Node) -> Result<(), String> {
        match self {
            Self::Arg { axis, .. } => arg::check(graph, node, axis),
            Self::CumSum { axis, .. } => cumsum::check(graph, node, axis),
            Self::TopK => top_k::check(graph, node),
        }
    }

    pub(super) fn evaluate(self, graph: &Graph, node: &Node, x: &[u8]) -> Vec<Vec<u8>> {
        match self {
            Self::Arg { greatest, axis } => vec![arg::evaluate(graph, node, greatest, axis, x)],
            Self::CumSum {
                axis,
                exclusive,
                reverse,
            } => vec![cumsum::evaluate(graph, node, axis, exclusive, reverse, x)],
            Self::TopK => top_k::evaluate(graph, node, x).into(),
        }
    }
}
