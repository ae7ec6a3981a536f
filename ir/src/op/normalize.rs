//! What makes each row over the last dimension of the same row.

use super::{l2_normalization, log_softmax};
use crate::graph::{Graph, Node};

/// An operator on each row. Input: x. Output: of the same type and shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Normalize {
    /// The logarithm of a softmax.
    LogSoftmax,
    /// The row divided by its length.
    L2,
}

impl Normalize {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::LogSoftmax => "LOG_SOFTMAX",
            Self::L2 => "L2_NORMALIZATION",
        }
    }

    pub(super) fn check(self, graph: &Graph, node: &Node) -> Result<(), String> {
        match self {
            Self::LogSoftmax => log_softmax::check(graph, node),
            Self::L2 => l2_normalization::check(graph, node),
        }
    }

    pub(super) fn evaluate(self, graph: &Graph, node: &Node, x: &[u8]) -> Vec<u8> {
        match self {
            Self::LogSoftmax => log_softmax::evaluate(graph, node, x),
            Self::L2 => l2_normalization::evaluate(graph, node, x),
        }
    }
}
