//! What moves elements and computes nothing.

use rune_ir::{
    graph::{Quantization, Tensor},
    op::{Activation, Movement, Op},
    quant::Sampling,
};

use super::{MAX_OPERANDS, MAX_RANK, Read, ReadOp, Reader, activation};
use crate::{
    error::{ImportError, unreadable, unsupported_form},
    flatbuffer::Vector,
    schema,
};

pub(super) fn reader(name: &str) -> Option<ReadOp> {
    Some(match name {
        "BATCH_TO_SPACE_ND" => |r| r.batch_to_space(),
        "CONCATENATION" => |r| r.concatenation(),
        "DEPTH_TO_SPACE" => |r| r.depth_to_space(),
        "DYNAMIC_UPDATE_SLICE" => |r| r.dynamic_update_slice(),
        "EMBEDDING_LOOKUP" => |r| r.embedding_lookup(),
        "EXPAND_DIMS" => |r| r.expand_dims(),
        "GATHER" => |r| r.gather(),
        "GATHER_ND" => |r| r.gather_nd(),
        "MIRROR_PAD" => |r| r.mirror_pad(),
        "PACK" => |r| r.pack(),
        "PAD" | "PADV2" => |r| r.pad(),
        "RESHAPE" => |r| r.reshape(),
        "RESIZE_BILINEAR" => |r| r.resize_bilinear(),
        "RESIZE_NEAREST_NEIGHBOR" => |r| r.resize_nearest_neighbor(),
        "SCATTER_ND" => |r| r.scatter_nd(),
        "SPACE_TO_BATCH_ND" => |r| r.space_to_batch(),
        "SPACE_TO_DEPTH" => |r| r.space_to_depth(),
        "SPLIT" => |r| r.split(),
        "SPLIT_V" => |r| r.split_v(),
        "SQUEEZE" => |r| r.squeeze(),
        "TRANSPOSE" => |r| r.transpose(),
        "UNPACK" => |r| r.unpack(),
        _ => return None,
    })
}

/// More elements than any padding adds.
const MAX_PADDING: i64 = 1 << 31;

/// An axis among so many, counted from the end where it is below zero.
pub(super) fn axis(axis: i64, rank: usize) -> Result<usize, ImportError> {
    let counted = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(counted)
        .ok()
        .filter(|axis| *axis < rank)
        .ok_or_else(|| unsupported_form(format!("its axis is {axis} of {rank}")))
}

/// Sizes that must not be below zero, or above what any dimension is.
pub(super) fn sizes(numbers: &[i64]) -> Result<Vec<u32>, ImportError> {
    let sizes = numbers.iter().map(|n| u32::try_from(*n));
    sizes
        .collect::<Result<_, _>>()
        .map_err(|_| unsupported_form(format!("its sizes are {numbers:?}")))
}

/// The product of sizes, if it is a size.
fn times(a: u32, b: u32) -> Result<u32, ImportError> {
    a.checked_mul(b)
        .ok_or_else(|| unsupported_form(format!("it makes {a} times {b} of a dimension")))
}

impl Reader<'_, '_> {
    /// What moves elements as `movement` says, or but gives them another shape if that leaves all of them
    /// in their order.
    pub(super) fn moves(&mut self, movement: Movement) -> Result<Read, ImportError> {
        let shape = self.input(0)?.shape.clone();
        let keeps_order = match &movement {
            Movement::Pack { .. } => self.inputs.len() == 1,
            Movement::Split { .. } | Movement::Unpack { .. } => self.outputs.len() == 1,
            Movement::Transpose { order } => {
                let moved = order.iter().filter(|d| shape[**d as usize] != 1);
                moved.is_sorted_by(|a, b| a < b)
            }
            Movement::StridedSlice { stretches } => {
                let mut dims = stretches.iter().zip(&shape);
                dims.all(|(s, dim)| s.count == *dim && (s.step == 1 || s.count == 1))
            }
            Movement::BroadcastTo => {
                let same = self.input(0)?.elements();
                self.output()?.elements() == same
            }
            Movement::SpaceToDepth { block } | Movement::DepthToSpace { block } => *block == 1,
            Movement::MirrorPad { .. }
            | Movement::Concatenation { .. }
            | Movement::SpaceToBatchNd { .. }
            | Movement::BatchToSpaceNd { .. }
            | Movement::ResizeBilinear { .. }
            | Movement::ResizeNearestNeighbor { .. }
            | Movement::Gather { .. }
            | Movement::GatherNd
            | Movement::ScatterNd
            | Movement::EmbeddingLookup
            | Movement::DynamicUpdateSlice => false,
        };
        Ok(Read::Op(if keeps_order {
            Op::Reshape
        } else {
            Op::Movement(movement)
        }))
    }

    fn reshape(&mut self) -> Result<Read, ImportError> {
        if let Some(said) = self.said_shape()? {
            let due = self.resolved(&said)?;
            self.set_shape(0, due)?;
        }
        Ok(Read::Op(Op::Reshape))
    }

    /// The shape that a RESHAPE names: by its second operand, or else by its options.
    fn said_shape(&mut self) -> Result<Option<Vec<i64>>, ImportError> {
        if self.inputs.len() > 1 {
            return self.take_integers(1, MAX_RANK).map(Some);
        }
        let Some(options) = self.options::<schema::ReshapeOptions>(17)? else {
            return Ok(None);
        };
        let Some(shape) = options.new_shape()? else {
            return Ok(None);
        };
        // One more than a tensor may have, so that a longer one does not agree.
        let dims = shape.iter().flatten().take(MAX_RANK + 1);
        Ok(Some(dims.map(i64::from).collect()))
    }

    /// A shape with its open dimension, -1, made what the input's elements leave for it.
    fn resolved(&mut self, said: &[i64]) -> Result<Vec<u32>, ImportError> {
        let (name, elements) = {
            let x = self.input(0)?;
            (x.name.clone(), x.elements() as i64)
        };
        // How old converters write that the result is a scalar.
        if said == [0] && self.output()?.shape.is_empty() {
            return Ok(Vec::new());
        }
        let known = said
            .iter()
            .filter(|d| **d != -1)
            .try_fold(1i64, |n, d| n.checked_mul(*d))
            .filter(|n| *n > 0);
        let open = known.and_then(|known| u32::try_from(elements / known).ok());
        let dim = |d: &i64| {
            if *d == -1 {
                open
            } else {
                u32::try_from(*d).ok()
            }
        };
        said.iter().map(dim).collect::<Option<_>>().ok_or_else(|| {
            unsupported_form(format!(
                "it reshapes the {elements} elements of `{name}` to {said:?}"
            ))
        })
    }

    /// Takes input 1, the elements to be put around each dimension of x: those before it, and the shape that
    /// comes of it.
    fn paddings(&mut self) -> Result<(Vec<u32>, Vec<u32>), ImportError> {
        let paddings = self.take_integers(1, 2 * MAX_RANK)?;
        let x = &self.input(0)?.shape;
        let grown = |(from, around): (&u32, &[i64])| {
            let sum: i64 = around.iter().map(|n| n.clamp(&-1, &MAX_PADDING)).sum();
            u32::try_from(i64::from(*from) + sum).ok()
        };
        let due: Option<Vec<u32>> = x.iter().zip(paddings.chunks(2)).map(grown).collect();
        let before = sizes(&paddings).map(|all| all.into_iter().step_by(2).collect());
        match (before, due) {
            (Ok(before), Some(due)) if paddings.len() == 2 * x.len() => Ok((before, due)),
            _ => Err(unsupported_form(format!(
                "it puts {paddings:?} elements around the shape {x:?}"
            ))),
        }
    }

    fn pad(&mut self) -> Result<Read, ImportError> {
        let (before, due) = self.paddings()?;
        self.set_shape(0, due)?;
        // What stands for zero anyway is not said.
        if let Some(fill) = self.optional(1)? {
            let zero = self.zero()?;
            if self.tensors.get(fill).data.as_deref() == Some(&zero[..]) {
                self.inputs.truncate(1);
            }
        }
        Ok(Read::Op(Op::Pad { before }))
    }

    /// The bytes of what stands for zero in the output: its zero point, or zeros.
    fn zero(&mut self) -> Result<Vec<u8>, ImportError> {
        let output = self.output()?;
        let affine = output
            .quantization
            .as_ref()
            .and_then(Quantization::per_tensor);
        let zero_point = i64::from(affine.map_or(0, |(_, zero_point)| zero_point));
        Ok(zero_point.to_le_bytes()[..output.ty.size() as usize].to_vec())
    }

    fn mirror_pad(&mut self) -> Result<Read, ImportError> {
        let options: schema::MirrorPadOptions = self.expect_options(77)?;
        let edge = match options.mode()?.unwrap_or(0) {
            0 => false,
            1 => true,
            other => return Err(unsupported_form(format!("its mode is {other}"))),
        };
        let (before, due) = self.paddings()?;
        self.set_shape(0, due)?;
        self.moves(Movement::MirrorPad { before, edge })
    }

    fn squeeze(&mut self) -> Result<Read, ImportError> {
        let mut said = Vec::new();
        if let Some(options) = self.options::<schema::SqueezeOptions>(30)? {
            let dims = options.squeeze_dims()?;
            let dims = dims.iter().flat_map(Vector::iter).flatten();
            said = dims.take(MAX_RANK).map(i64::from).collect();
        }
        let shape = self.input(0)?.shape.clone();
        let gone: Vec<usize> = if said.is_empty() {
            (0..shape.len()).filter(|d| shape[*d] == 1).collect()
        } else {
            let dims = said.into_iter().map(|d| axis(d, shape.len()));
            dims.collect::<Result<_, _>>()?
        };
        let left = shape.iter().enumerate().filter(|(d, _)| !gone.contains(d));
        let left = left.map(|(_, dim)| *dim).collect();
        self.set_shape(0, left)?;
        Ok(Read::Op(Op::Reshape))
    }

    fn expand_dims(&mut self) -> Result<Read, ImportError> {
        let [at] = self.take_integers(1, 1)?[..] else {
            return Err(unreadable("its axis is empty"));
        };
        let mut shape = self.input(0)?.shape.clone();
        shape.insert(axis(at, shape.len() + 1)?, 1);
        self.set_shape(0, shape)?;
        Ok(Read::Op(Op::Reshape))
    }

    fn concatenation(&mut self) -> Result<Read, ImportError> {
        let options: schema::ConcatenationOptions = self.expect_options(10)?;
        if activation(options.fused_activation_function()?)? != Activation::None {
            return Err(unsupported_form("it has a fused activation"));
        }
        let mut shape = self.input(0)?.shape.clone();
        let axis = axis(options.axis()?.unwrap_or(0).into(), shape.len())?;
        for input in 1..self.inputs.len() {
            let part = self.input(input)?.shape.get(axis).copied();
            let sum = shape[axis].checked_add(part.unwrap_or(0));
            shape[axis] = sum.ok_or_else(|| unsupported_form("its parts are too long"))?;
        }
        self.set_shape(0, shape)?;
        let axis = axis as u32;
        self.moves(Movement::Concatenation { axis })
    }

    fn split(&mut self) -> Result<Read, ImportError> {
        let [at] = self.take_integers(0, 1)?[..] else {
            return Err(unreadable("its axis is empty"));
        };
        let mut shape = self.input(0)?.shape.clone();
        let axis = axis(at, shape.len())?;
        let parts = self.outputs.len() as u32;
        if parts == 0 || shape[axis] % parts != 0 {
            return Err(unsupported_form(format!(
                "it splits {} elements into {parts} parts",
                shape[axis]
            )));
        }
        shape[axis] /= parts;
        for output in 0..self.outputs.len() {
            self.set_shape(output, shape.clone())?;
        }
        let axis = axis as u32;
        self.moves(Movement::Split { axis })
    }

    fn split_v(&mut self) -> Result<Read, ImportError> {
        let [at] = self.take_integers(2, 1)?[..] else {
            return Err(unreadable("its axis is empty"));
        };
        let parts = self.take_integers(1, MAX_OPERANDS)?;
        let shape = self.input(0)?.shape.clone();
        let axis = axis(at, shape.len())?;
        let known: i64 = parts.iter().map(|n| (*n).clamp(0, MAX_PADDING)).sum();
        let rest = i64::from(shape[axis]) - known;
        let parts = parts.iter().map(|n| if *n == -1 { rest } else { *n });
        let parts = sizes(&parts.collect::<Vec<_>>())?;
        if parts.len() != self.outputs.len() {
            return Err(unsupported_form(format!(
                "it has {} outputs for {} parts",
                self.outputs.len(),
                parts.len()
            )));
        }
        for (output, part) in parts.into_iter().enumerate() {
            let mut shape = shape.clone();
            shape[axis] = part;
            self.set_shape(output, shape)?;
        }
        let axis = axis as u32;
        self.moves(Movement::Split { axis })
    }

    fn pack(&mut self) -> Result<Read, ImportError> {
        let options: Option<schema::PackOptions> = self.options(59)?;
        let at = options.map_or(Ok(None), |o| o.axis())?;
        let mut shape = self.input(0)?.shape.clone();
        let axis = axis(at.unwrap_or(0).into(), shape.len() + 1)?;
        shape.insert(axis, self.inputs.len() as u32);
        self.set_shape(0, shape)?;
        let axis = axis as u32;
        self.moves(Movement::Pack { axis })
    }

    fn unpack(&mut self) -> Result<Read, ImportError> {
        let options: Option<schema::UnpackOptions> = self.options(64)?;
        let at = options.map_or(Ok(None), |o| o.axis())?;
        let mut shape = self.input(0)?.shape.clone();
        let axis = axis(at.unwrap_or(0).into(), shape.len())?;
        shape.remove(axis);
        for output in 0..self.outputs.len() {
            self.set_shape(output, shape.clone())?;
        }
        let axis = axis as u32;
        self.moves(Movement::Unpack { axis })
    }

    fn transpose(&mut self) -> Result<Read, ImportError> {
        let order = self.take_integers(1, MAX_RANK)?;
        let shape = self.input(0)?.shape.clone();
        if order.len() != shape.len() {
            return Err(unsupported_form(format!(
                "it brings {shape:?} into the order {order:?}"
            )));
        }
        let order = order.into_iter().map(|d| axis(d, shape.len()));
        let order: Vec<usize> = order.collect::<Result<_, _>>()?;
        self.set_shape(0, order.iter().map(|d| shape[*d]).collect())?;
        let order = order.into_iter().map(|d| d as u32).collect();
        self.moves(Movement::Transpose { order })
    }

    /// Input 0 as rows and columns of channels, and a size of blocks.
    fn image_and_block(&mut self, block: Option<i32>) -> Result<([u32; 4], u32), ImportError> {
        let x = self.input(0)?;
        let shape = x.shape[..].try_into().map_err(|_| {
            unsupported_form(format!("`{}` has {} dimensions", x.name, x.shape.len()))
        })?;
        match u32::try_from(block.unwrap_or(0)) {
            Ok(block @ 1..) => Ok((shape, block)),
            _ => Err(unsupported_form(format!("its blocks are {block:?}"))),
        }
    }

    fn space_to_depth(&mut self) -> Result<Read, ImportError> {
        let options: schema::SpaceToDepthOptions = self.expect_options(19)?;
        let ([batch, rows, columns, depth], block) = self.image_and_block(options.block_size()?)?;
        let depth = times(times(depth, block)?, block)?;
        self.set_shape(0, vec![batch, rows / block, columns / block, depth])?;
        self.moves(Movement::SpaceToDepth { block })
    }

    fn depth_to_space(&mut self) -> Result<Read, ImportError> {
        let options: schema::DepthToSpaceOptions = self.expect_options(94)?;
        let ([batch, rows, columns, depth], block) = self.image_and_block(options.block_size()?)?;
        let (rows, columns) = (times(rows, block)?, times(columns, block)?);
        self.set_shape(0, vec![batch, rows, columns, depth / block / block])?;
        self.moves(Movement::DepthToSpace { block })
    }

    /// Takes inputs 1 and 2: the size of blocks, and elements before and behind each dimension that has
    /// some.
    fn blocks(&mut self) -> Result<(Vec<u32>, Vec<[u32; 2]>), ImportError> {
        let around = sizes(&self.take_integers(2, 2 * MAX_RANK)?)?;
        let block = sizes(&self.take_integers(1, MAX_RANK)?)?;
        let rank = self.input(0)?.shape.len();
        if block.contains(&0) || around.len() != 2 * block.len() || rank < 1 + block.len() {
            return Err(unsupported_form(format!(
                "it has blocks of {block:?} and {around:?} elements around them"
            )));
        }
        let (around, _) = around.as_chunks();
        Ok((block, around.to_vec()))
    }

    fn space_to_batch(&mut self) -> Result<Read, ImportError> {
        let (block, around) = self.blocks()?;
        let mut shape = self.input(0)?.shape.clone();
        for (d, (block, around)) in block.iter().zip(&around).enumerate() {
            let padded = around
                .iter()
                .try_fold(shape[1 + d], |n, a| n.checked_add(*a));
            let padded = padded.ok_or_else(|| unsupported_form("its paddings are too long"))?;
            if padded % block != 0 {
                return Err(unsupported_form(format!(
                    "{padded} elements are no whole blocks of {block}"
                )));
            }
            shape[1 + d] = padded / block;
            shape[0] = times(shape[0], *block)?;
        }
        self.set_shape(0, shape)?;
        let before = around.into_iter().map(|[before, _]| before).collect();
        self.moves(Movement::SpaceToBatchNd { block, before })
    }

    fn batch_to_space(&mut self) -> Result<Read, ImportError> {
        let (block, around) = self.blocks()?;
        let mut shape = self.input(0)?.shape.clone();
        for (d, (block, around)) in block.iter().zip(&around).enumerate() {
            let whole = times(shape[1 + d], *block)?;
            let cropped = around.iter().try_fold(whole, |n, a| n.checked_sub(*a));
            shape[1 + d] = cropped.ok_or_else(|| {
                unsupported_form(format!("it crops {around:?} of {whole} elements"))
            })?;
            if shape[0] % block != 0 {
                return Err(unsupported_form(format!(
                    "its batches are not whole blocks of {block}"
                )));
            }
            shape[0] /= block;
        }
        self.set_shape(0, shape)?;
        let before = around.into_iter().map(|[before, _]| before).collect();
        self.moves(Movement::BatchToSpaceNd { block, before })
    }

    /// Takes input 1, rows and columns of the output, and says its shape.
    fn resize(&mut self) -> Result<(), ImportError> {
        let size = sizes(&self.take_integers(1, 2)?)?;
        let x = self.input(0)?;
        match (&x.shape[..], &size[..]) {
            (&[batch, _, _, depth], &[rows, columns]) => {
                self.set_shape(0, vec![batch, rows, columns, depth])
            }
            (shape, _) => Err(unsupported_form(format!(
                "it resizes {shape:?} to {size:?}"
            ))),
        }
    }

    fn resize_bilinear(&mut self) -> Result<Read, ImportError> {
        let mut sampling = Sampling::default();
        if let Some(o) = self.options::<schema::ResizeBilinearOptions>(15)? {
            sampling.align_corners = o.align_corners()?.unwrap_or(0) != 0;
            sampling.half_pixel_centers = o.half_pixel_centers()?.unwrap_or(0) != 0;
        }
        self.resize()?;
        self.moves(Movement::ResizeBilinear { sampling })
    }

    fn resize_nearest_neighbor(&mut self) -> Result<Read, ImportError> {
        let mut sampling = Sampling::default();
        if let Some(o) = self.options::<schema::ResizeNearestNeighborOptions>(74)? {
            sampling.align_corners = o.align_corners()?.unwrap_or(0) != 0;
            sampling.half_pixel_centers = o.half_pixel_centers()?.unwrap_or(0) != 0;
        }
        self.resize()?;
        self.moves(Movement::ResizeNearestNeighbor { sampling })
    }

    fn gather(&mut self) -> Result<Read, ImportError> {
        let (mut at, mut batches) = (0, 0);
        if let Some(options) = self.options::<schema::GatherOptions>(23)? {
            at = options.axis()?.unwrap_or(0);
            batches = options.batch_dims()?.unwrap_or(0);
        }
        let [x, by] = [0, 1].map(|i| self.input(i).map(|t| t.shape.clone()));
        let (x, by) = (x?, by?);
        let axis = axis(at.into(), x.len())?;
        let batch_dims = if batches < 0 {
            i64::from(batches) + by.len() as i64
        } else {
            batches.into()
        };
        let batch_dims = usize::try_from(batch_dims)
            .ok()
            .filter(|n| *n <= axis && *n <= by.len())
            .ok_or_else(|| unsupported_form(format!("it has {batches} batch dimensions")))?;
        self.set_shape(0, [&x[..axis], &by[batch_dims..], &x[axis + 1..]].concat())?;
        self.moves(Movement::Gather {
            axis: axis as u32,
            batch_dims: batch_dims as u32,
        })
    }

    /// What the last dimension of a tensor of indices leaves of a shape, for each of the indices.
    fn named(by: &Tensor, of: &[u32]) -> Result<Vec<u32>, ImportError> {
        let (named, outer) = by
            .shape
            .split_last()
            .ok_or_else(|| unsupported_form(format!("`{}` has no dimensions", by.name)))?;
        let inner = of.get(*named as usize..).ok_or_else(|| {
            unsupported_form(format!("`{}` names {named} dimensions of {of:?}", by.name))
        })?;
        Ok([outer, inner].concat())
    }

    fn gather_nd(&mut self) -> Result<Read, ImportError> {
        let x = self.input(0)?.shape.clone();
        let due = Self::named(self.input(1)?, &x)?;
        self.set_shape(0, due)?;
        self.moves(Movement::GatherNd)
    }

    fn scatter_nd(&mut self) -> Result<Read, ImportError> {
        let shape = sizes(&self.take_integers(2, MAX_RANK)?)?;
        self.set_shape(0, shape)?;
        self.moves(Movement::ScatterNd)
    }

    fn embedding_lookup(&mut self) -> Result<Read, ImportError> {
        let by = self.input(0)?.shape.clone();
        let rows = self.input(1)?.shape.get(1..).unwrap_or_default();
        let due = [&by[..], rows].concat();
        self.set_shape(0, due)?;
        self.moves(Movement::EmbeddingLookup)
    }

    fn dynamic_update_slice(&mut self) -> Result<Read, ImportError> {
        self.keep_shape(0)?;
        self.moves(Movement::DynamicUpdateSlice)
    }
}
