//! Operators that move elements and compute nothing, or almost: where each element of a result comes from.

mod blocks;
mod gather;
pub(super) mod index;
mod join;
mod mirror_pad;
mod resize;
mod slice;
mod transpose;

use std::fmt::{self, Display, Formatter};

use crate::{
    graph::{Graph, Node},
    quant::Sampling,
};
pub use slice::Stretch;

/// How elements are moved.
#[derive(Clone, Debug, PartialEq)]
pub enum Movement {
    /// Input: x. Output: x with mirrored elements around it.
    MirrorPad {
        /// Elements before each dimension; those after follow from the output's shape.
        before: Vec<u32>,
        /// Whether the elements at the edges are mirrored too.
        edge: bool,
    },
    /// Inputs: any number. Output: one after the other along a dimension.
    Concatenation {
        /// The dimension.
        axis: u32,
    },
    /// Inputs: any number, of one shape. Output: one after the other along a new dimension.
    Pack {
        /// The new dimension.
        axis: u32,
    },
    /// Input: x. Outputs: its parts along a dimension.
    Split {
        /// The dimension.
        axis: u32,
    },
    /// Input: x. Outputs: its elements along a dimension, without that.
    Unpack {
        /// The dimension.
        axis: u32,
    },
    /// Input: x. Output: elements at even steps; dimensions of 1 come and go.
    StridedSlice {
        /// Which, in each dimension of x.
        stretches: Vec<Stretch>,
    },
    /// Input: x. Output: x with its dimensions in another order.
    Transpose {
        /// For each dimension of the output, that of x.
        order: Vec<u32>,
    },
    /// Input: x. Output: x with dimensions of 1, and missing outer ones, repeated.
    BroadcastTo,
    /// Input: x [n, h, w, c]. Output: [n, h / b, w / b, c * b * b].
    SpaceToDepth {
        /// Rows and columns of a block.
        block: u32,
    },
    /// Input: x [n, h, w, c]. Output: [n, h * b, w * b, c / b / b].
    DepthToSpace {
        /// Rows and columns of a block.
        block: u32,
    },
    /// Input: x [n, ..]. Output: [n * blocks, ..], positions in a block as batches.
    SpaceToBatchNd {
        /// The size of a block, from the second dimension on.
        block: Vec<u32>,
        /// Zeros before each of those dimensions.
        before: Vec<u32>,
    },
    /// Input: x [n, ..]. Output: [n / blocks, ..], batches as positions in a block.
    BatchToSpaceNd {
        /// The size of a block, from the second dimension on.
        block: Vec<u32>,
        /// Elements left out before each of those dimensions.
        before: Vec<u32>,
    },
    /// Input: x [n, h, w, c]. Output: [n, oh, ow, c].
    ResizeBilinear {
        /// How positions lie on each other.
        sampling: Sampling,
    },
    /// Input: x [n, h, w, c]. Output: [n, oh, ow, c].
    ResizeNearestNeighbor {
        /// How positions lie on each other.
        sampling: Sampling,
    },
    /// Inputs: x, indices. Output: the elements of x along a dimension that the indices name.
    Gather {
        /// The dimension.
        axis: u32,
        /// How many dimensions x and the indices have in common.
        batch_dims: u32,
    },
    /// Inputs: x, indices [.., n]. Output: the slices of x that the last dimension names.
    GatherNd,
    /// Inputs: indices [.., n], updates. Output: zeros, to slices of which updates are added.
    ScatterNd,
    /// Inputs: indices [n], a table. Output: the rows of the table that the indices name; of I8 as F32.
    EmbeddingLookup,
    /// Inputs: x, an update, where its first element goes. Output: x with the update in it.
    DynamicUpdateSlice,
}

impl Movement {
    /// The operator's name, as TFLite spells it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::MirrorPad { .. } => "MIRROR_PAD",
            Self::Concatenation { .. } => "CONCATENATION",
            Self::Pack { .. } => "PACK",
            Self::Split { .. } => "SPLIT",
            Self::Unpack { .. } => "UNPACK",
            Self::StridedSlice { .. } => "STRIDED_SLICE",
            Self::Transpose { .. } => "TRANSPOSE",
            Self::BroadcastTo => "BROADCAST_TO",
            Self::SpaceToDepth { .. } => "SPACE_TO_DEPTH",
            Self::DepthToSpace { .. } => "DEPTH_TO_SPACE",
            Self::SpaceToBatchNd { .. } => "SPACE_TO_BATCH_ND",
            Self::BatchToSpaceNd { .. } => "BATCH_TO_SPACE_ND",
            Self::ResizeBilinear { .. } => "RESIZE_BILINEAR",
            Self::ResizeNearestNeighbor { .. } => "RESIZE_NEAREST_NEIGHBOR",
            Self::Gather { .. } => "GATHER",
            Self::GatherNd => "GATHER_ND",
            Self::ScatterNd => "SCATTER_ND",
            Self::EmbeddingLookup => "EMBEDDING_LOOKUP",
            Self::DynamicUpdateSlice => "DYNAMIC_UPDATE_SLICE",
        }
    }

    pub(super) fn check(&self, graph: &Graph, node: &Node) -> Result<(), String> {
        match self {
            Self::MirrorPad { before, edge } => mirror_pad::check(graph, node, before, *edge),
            Self::Concatenation { axis } => join::check_concatenation(graph, node, *axis),
            Self::Pack { axis } => join::check_pack(graph, node, *axis),
            Self::Split { axis } => join::check_split(graph, node, *axis),
            Self::Unpack { axis } => join::check_unpack(graph, node, *axis),
            Self::StridedSlice { stretches } => slice::check(graph, node, stretches),
            Self::Transpose { order } => transpose::check(graph, node, order),
            Self::BroadcastTo => transpose::check_broadcast(graph, node),
            Self::SpaceToDepth { block } => blocks::check_space_to_depth(graph, node, *block),
            Self::DepthToSpace { block } => blocks::check_depth_to_space(graph, node, *block),
            Self::SpaceToBatchNd { block, before } => {
                blocks::check_space_to_batch(graph, node, block, before)
            }
            Self::BatchToSpaceNd { block, before } => {
                blocks::check_batch_to_space(graph, node, block, before)
            }
            Self::ResizeBilinear { .. } => resize::check_bilinear(graph, node),
            Self::ResizeNearestNeighbor { .. } => resize::check_nearest(graph, node),
            Self::Gather { axis, batch_dims } => {
                gather::check_gather(graph, node, *axis, *batch_dims)
            }
            Self::GatherNd => gather::check_gather_nd(graph, node),
            Self::ScatterNd => gather::check_scatter_nd(graph, node),
            Self::EmbeddingLookup => gather::check_embedding_lookup(graph, node),
            Self::DynamicUpdateSlice => gather::check_dynamic_update_slice(graph, node),
        }
    }

    pub(super) fn evaluate(
        &self,
        graph: &Graph,
        node: &Node,
        values: &[Option<&[u8]>],
    ) -> Vec<Vec<u8>> {
        let value = |index: usize| values[index].expect("an operand that is present has a value");
        vec![match self {
            Self::Split { axis } => return join::split(graph, node, *axis, value(0)),
            Self::Unpack { axis } => return join::unpack(graph, node, *axis, value(0)),
            Self::MirrorPad { before, edge } => {
                mirror_pad::evaluate(graph, node, before, *edge, value(0))
            }
            Self::Concatenation { axis } => join::concatenation(graph, node, *axis, values),
            Self::Pack { axis } => join::pack(graph, node, *axis, values),
            Self::StridedSlice { stretches } => slice::evaluate(graph, node, stretches, value(0)),
            Self::Transpose { order } => transpose::evaluate(graph, node, order, value(0)),
            Self::BroadcastTo => transpose::broadcast(graph, node, value(0)),
            Self::SpaceToDepth { block } => blocks::space_to_depth(graph, node, *block, value(0)),
            Self::DepthToSpace { block } => blocks::depth_to_space(graph, node, *block, value(0)),
            Self::SpaceToBatchNd { block, before } => {
                blocks::space_to_batch(graph, node, block, before, value(0))
            }
            Self::BatchToSpaceNd { block, before } => {
                blocks::batch_to_space(graph, node, block, before, value(0))
            }
            Self::ResizeBilinear { sampling } => resize::bilinear(graph, node, *sampling, value(0)),
            Self::ResizeNearestNeighbor { sampling } => {
                resize::nearest(graph, node, *sampling, value(0))
            }
            Self::Gather { axis, batch_dims } => {
                gather::gather(graph, node, *axis, *batch_dims, [value(0), value(1)])
            }
            Self::GatherNd => gather::gather_nd(graph, node, [value(0), value(1)]),
            Self::ScatterNd => gather::scatter_nd(graph, node, [value(0), value(1)]),
            Self::EmbeddingLookup => gather::embedding_lookup(graph, node, [value(0), value(1)]),
            Self::DynamicUpdateSlice => {
                gather::dynamic_update_slice(graph, node, [value(0), value(1), value(2)])
            }
        }]
    }
}

/// The attributes.
impl Display for Movement {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::MirrorPad { before, edge } => {
                let edge = if *edge { " with the edge" } else { "" };
                write!(f, " before {before:?}{edge}")
            }
            Self::Concatenation { axis }
            | Self::Pack { axis }
            | Self::Split { axis }
            | Self::Unpack { axis } => write!(f, " axis {axis}"),
            Self::StridedSlice { stretches } => {
                let texts: Vec<_> = stretches.iter().map(Stretch::to_string).collect();
                write!(f, " [{}]", texts.join(", "))
            }
            Self::Transpose { order } => write!(f, " order {order:?}"),
            Self::SpaceToDepth { block } | Self::DepthToSpace { block } => {
                write!(f, " block {block}")
            }
            Self::SpaceToBatchNd { block, before } | Self::BatchToSpaceNd { block, before } => {
                write!(f, " block {block:?} before {before:?}")
            }
            Self::ResizeBilinear { sampling } | Self::ResizeNearestNeighbor { sampling } => {
                if sampling.align_corners {
                    f.write_str(" corners aligned")?;
                }
                if sampling.half_pixel_centers {
                    f.write_str(" centers at halves")?;
                }
                Ok(())
            }
            Self::Gather { axis, batch_dims } => {
                write!(f, " axis {axis}")?;
                if *batch_dims > 0 {
                    write!(f, " batch dimensions {batch_dims}")?;
                }
                Ok(())
            }
            Self::BroadcastTo
            | Self::GatherNd
            | Self::ScatterNd
            | Self::EmbeddingLookup
            | Self::DynamicUpdateSlice => Ok(()),
        }
    }
}
