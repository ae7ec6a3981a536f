//! Operators that move elements to places which shapes and attributes decide: boxes of [`copy`], one or
//! several.

use rune_ir::{
    graph::{DataType, Node, Tensor},
    op::{Movement, Stretch},
    quant::{self, Sampling},
};

use super::{
    Context,
    copy::{self, Dim, Strided, start, strides},
    gather, resize,
};
use crate::nest::{Affine, BufferId, Builder, Expr, Kernel, Load, Role, Store, Ty};

/// The kernel of a node that moves elements.
pub(super) fn kernel(
    context: &mut Context,
    node: &Node,
    movement: &Movement,
) -> Result<Kernel, String> {
    Ok(match movement {
        Movement::MirrorPad { before, edge } => mirror_pad(context, node, before, *edge),
        Movement::Concatenation { axis } => join(context, node, "concatenation", *axis, true)?,
        Movement::Pack { axis } => join(context, node, "pack", *axis, false)?,
        Movement::Split { axis } => take_apart(context, node, "split", *axis),
        Movement::Unpack { axis } => take_apart(context, node, "unpack", *axis),
        Movement::StridedSlice { stretches } => slice(context, node, stretches),
        Movement::Transpose { order } => transpose(context, node, order),
        Movement::BroadcastTo => broadcast(context, node),
        Movement::SpaceToDepth { block } => depth(context, node, *block, false),
        Movement::DepthToSpace { block } => depth(context, node, *block, true),
        Movement::SpaceToBatchNd { block, before } => batches(context, node, block, before, false)?,
        Movement::BatchToSpaceNd { block, before } => batches(context, node, block, before, true)?,
        Movement::ResizeBilinear { sampling } => resize::bilinear(context, node, *sampling),
        Movement::ResizeNearestNeighbor { sampling } => nearest(context, node, *sampling),
        Movement::Gather { axis, batch_dims } => gather::gather(context, node, *axis, *batch_dims),
        Movement::GatherNd => gather::gather_nd(context, node),
        Movement::ScatterNd => gather::scatter_nd(context, node),
        Movement::EmbeddingLookup => gather::embedding_lookup(context, node)?,
        Movement::DynamicUpdateSlice => gather::dynamic_update_slice(context, node),
    })
}

/// The names of inputs and outputs of operators with many; those beyond share the last.
const NAMES: [[&str; 9]; 2] = [
    ["x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x"],
    ["y0", "y1", "y2", "y3", "y4", "y5", "y6", "y7", "y"],
];

/// A kernel that moves elements from one buffer to another, begun.
struct Move<'a> {
    f: Builder,
    x: &'a Tensor,
    from: BufferId,
    y: &'a Tensor,
    to: BufferId,
    /// Bytes of an element.
    element: u32,
}

impl<'a> Move<'a> {
    fn new(context: &mut Context<'a>, node: &Node, name: &str) -> Self {
        let (x, from) = context.input(node, 0);
        let (y, to) = context.output(node);
        let mut f = Builder::new(name);
        f.operand(Role::Read, "x", from);
        f.operand(Role::Write, "y", to);
        Self {
            f,
            x,
            from,
            y,
            to,
            element: x.ty.size(),
        }
    }

    /// Bytes between neighbours along each dimension of input and output.
    fn strides(&self) -> (Vec<u32>, Vec<u32>) {
        let of = |tensor: &Tensor| strides(&tensor.shape, self.element);
        (of(self.x), of(self.y))
    }

    /// Moves a box, whose first element comes from and goes to so many bytes behind the start.
    fn boxes(&mut self, context: &Context, from: u32, to: u32, dims: Vec<Dim>) {
        let movement = Strided {
            element: self.element,
            from: start(self.from).plus(from),
            to: start(self.to).plus(to),
            dims,
        };
        movement.write(&mut self.f, context.simd);
    }
}

/// One dimension of a box that keeps its order.
fn dim(count: u32, from: u32, to: u32) -> Dim {
    Dim {
        count,
        from: from as i32,
        to,
    }
}

/// TRANSPOSE.
fn transpose(context: &mut Context, node: &Node, order: &[u32]) -> Kernel {
    let mut m = Move::new(context, node, "transpose");
    let (from, to) = m.strides();
    let dims = order.iter().enumerate();
    let dims = dims.map(|(d, of)| dim(m.y.shape[d], from[*of as usize], to[d]));
    let dims = dims.collect();
    m.boxes(context, 0, 0, dims);
    m.f.finish()
}

/// `BROADCAST_TO` and FILL.
fn broadcast(context: &mut Context, node: &Node) -> Kernel {
    let mut m = Move::new(context, node, "broadcast_to");
    let (from, to) = m.strides();
    let outer = m.y.shape.len() - m.x.shape.len();
    let dims = (0..m.y.shape.len()).map(|d| {
        let repeated = d < outer || m.x.shape[d - outer] == 1;
        let from = if repeated { 0 } else { from[d - outer] };
        dim(m.y.shape[d], from, to[d])
    });
    let dims = dims.collect();
    m.boxes(context, 0, 0, dims);
    m.f.finish()
}

/// SLICE, `STRIDED_SLICE` and `REVERSE_V2`.
fn slice(context: &mut Context, node: &Node, stretches: &[Stretch]) -> Kernel {
    let mut m = Move::new(context, node, "strided_slice");
    let (from, _) = m.strides();
    let taken: Vec<u32> = stretches.iter().map(|s| s.count).collect();
    let to = strides(&taken, m.element);
    let begin = stretches
        .iter()
        .zip(&from)
        .map(|(s, from)| s.begin * from)
        .sum();
    let dims = stretches.iter().zip(&from).zip(&to);
    let dims = dims.map(|((s, from), to)| Dim {
        count: s.count,
        // Of a single element the step does not count, and may be any.
        from: if s.count == 1 {
            0
        } else {
            s.step * *from as i32
        },
        to: *to,
    });
    let dims = dims.collect();
    m.boxes(context, begin, 0, dims);
    m.f.finish()
}

/// CONCATENATION and PACK: the inputs, as far as they lie inside the axis, one after the other in each of
/// the elements outside it; where it `rescales`, with the meaning they had.
fn join(
    context: &mut Context,
    node: &Node,
    name: &str,
    axis: u32,
    rescales: bool,
) -> Result<Kernel, String> {
    let (y, to) = context.output(node);
    let mut f = Builder::new(name);
    let inputs: Vec<_> = (0..node.inputs.len())
        .map(|i| context.input(node, i))
        .collect();
    for (i, (_, from)) in inputs.iter().enumerate() {
        f.operand(Role::Read, NAMES[0][i.min(8)], *from);
    }
    let element = y.ty.size();
    let bytes = |part: &Tensor| part.shape[axis as usize..].iter().product::<u32>() * element;
    let whole: u32 = inputs.iter().map(|(part, _)| bytes(part)).sum();
    f.operand(Role::Write, "y", to);
    let mut begin = 0;
    for (part, from) in inputs {
        let outer: u32 = part.shape[..axis as usize].iter().product();
        let bytes = bytes(part);
        if rescales && let Some(table) = rescaling(part, y)? {
            let table = context.constant("table", table);
            f.operand(Role::Read, "table", table);
            f.each("i", outer, |f, i| {
                f.each("j", bytes, |f, j| {
                    let x = Expr::Load(Load::U8, copy::shifted(&start(from), i * bytes + j));
                    let q = f.index("q", x);
                    let y = Expr::Load(Load::U8, copy::shifted(&start(table), q));
                    let at = copy::shifted(&start(to), i * whole + j);
                    f.store(Store::I8, at.plus(begin), y);
                });
            });
        } else {
            let movement = Strided {
                element,
                from: start(from),
                to: start(to).plus(begin),
                dims: vec![
                    dim(outer, bytes, whole),
                    dim(bytes / element, element, element),
                ],
            };
            movement.write(&mut f, context.simd);
        }
        begin += bytes;
    }
    Ok(f.finish())
}

/// What each U8 becomes that is given another scale and zero point, if they are others.
fn rescaling(from: &Tensor, to: &Tensor) -> Result<Option<Vec<u8>>, String> {
    if to.ty != DataType::U8 || to.quantization.is_none() || from.quantization.is_none() {
        return Ok(None);
    }
    let (of, (scale, zero_point)) = (quant::affine(from)?, quant::affine(to)?);
    if of == (scale, zero_point) {
        return Ok(None);
    }
    let factor = of.0 * (1.0 / scale);
    let bias = -(of.1 as f32) * factor;
    let table = (0..=255u8).map(|q| {
        let real = f32::from(q) * factor + bias;
        // Halves away from zero; adding 0.5 to the float before it would round up.
        let mut whole = real.trunc();
        if (real - whole).abs() >= 0.5 {
            whole += real.signum();
        }
        (f64::from(whole) + f64::from(zero_point)).clamp(0.0, 255.0) as u8
    });
    Ok(Some(table.collect()))
}

/// SPLIT, `SPLIT_V` and UNPACK: [`join`] the other way round.
fn take_apart(context: &mut Context, node: &Node, name: &str, axis: u32) -> Kernel {
    let (x, from) = context.input(node, 0);
    let mut f = Builder::new(name);
    f.operand(Role::Read, "x", from);
    let element = x.ty.size();
    let outer: u32 = x.shape[..axis as usize].iter().product();
    let whole = x.bytes() as u32 / outer;
    let mut begin = 0;
    for i in 0..node.outputs.len() {
        let (part, to) = context.output_at(node, i);
        f.operand(Role::Write, NAMES[1][i.min(8)], to);
        let bytes = part.shape[axis as usize..].iter().product::<u32>() * element;
        let movement = Strided {
            element,
            from: start(from).plus(begin),
            to: start(to),
            dims: vec![
                dim(outer, whole, bytes),
                dim(bytes / element, element, element),
            ],
        };
        movement.write(&mut f, context.simd);
        begin += bytes;
    }
    f.finish()
}

/// `SPACE_TO_DEPTH`, or `DEPTH_TO_SPACE` where `back`.
fn depth(context: &mut Context, node: &Node, block: u32, back: bool) -> Kernel {
    let name = if back {
        "depth_to_space"
    } else {
        "space_to_depth"
    };
    let mut m = Move::new(context, node, name);
    let (mut from, mut to) = m.strides();
    let (wide, deep) = if back { (m.y, m.x) } else { (m.x, m.y) };
    let [batch, rows, columns] = [0, 1, 2].map(|d| deep.shape[d]);
    let depth = wide.shape[3];
    if back {
        std::mem::swap(&mut from, &mut to);
    }
    // Rows and columns of blocks, and of positions in a block.
    let (wide, deep) = (from, to);
    let within = depth * m.element;
    let dims = [
        (batch, wide[0], deep[0]),
        (rows, wide[1] * block, deep[1]),
        (block, wide[1], within * block),
        (columns, wide[2] * block, deep[2]),
        (block, wide[2], within),
        (depth, m.element, m.element),
    ];
    let dims = dims.map(|(count, wide, deep)| {
        let (from, to) = if back { (deep, wide) } else { (wide, deep) };
        dim(count, from, to)
    });
    m.boxes(context, 0, 0, dims.to_vec());
    m.f.finish()
}

/// Most positions in the blocks of padded or cropped dimensions: each has code of its own.
const MOST_POSITIONS: u32 = 256;

/// `SPACE_TO_BATCH_ND`, or `BATCH_TO_SPACE_ND` where `back`: where nothing is added or left out one box, else
/// a box for each position in a block.
fn batches(
    context: &mut Context,
    node: &Node,
    block: &[u32],
    before: &[u32],
    back: bool,
) -> Result<Kernel, String> {
    let name = if back {
        "batch_to_space_nd"
    } else {
        "space_to_batch_nd"
    };
    let mut m = Move::new(context, node, name);
    let (from, to) = m.strides();
    let (wide, many) = if back { (m.y, m.x) } else { (m.x, m.y) };
    let (wide_strides, many_strides) = if back { (&to, &from) } else { (&from, &to) };
    let direction = |(count, wide, many): (u32, u32, u32)| {
        let (from, to) = if back { (many, wide) } else { (wide, many) };
        dim(count, from, to)
    };
    let spatial = block.len();
    let batch = (wide.shape[0], wide_strides[0], many_strides[0]);
    let row = wide.shape[1 + spatial..].iter().product();
    let row = (row, m.element, m.element);
    let exact = |d: usize| before[d] == 0 && wide.shape[1 + d] == many.shape[1 + d] * block[d];
    if (0..spatial).all(exact) {
        let mut dims = vec![batch, row];
        let mut position = wide.shape[0] * many_strides[0];
        for d in (0..spatial).rev() {
            dims.push((block[d], wide_strides[1 + d], position));
            position *= block[d];
            let step = wide_strides[1 + d] * block[d];
            dims.push((many.shape[1 + d], step, many_strides[1 + d]));
        }
        let dims = dims.into_iter().map(direction).collect();
        m.boxes(context, 0, 0, dims);
        return Ok(m.f.finish());
    }
    let positions = block.iter().product::<u32>();
    if positions > MOST_POSITIONS {
        return Err(format!(
            "its blocks of {block:?} have more than {MOST_POSITIONS} positions, and do not fill the shape"
        ));
    }
    if !back {
        let to = start(m.to);
        let zero = zero(m.y);
        copy::fill(&mut m.f, &to, m.y.bytes() as u32, &zero, context.simd);
    }
    for position in 0..positions {
        let (mut many_at, mut wide_at) = (position * batch.0 * many_strides[0], 0);
        let mut dims = vec![batch, row];
        let mut rest = position;
        for d in (0..spatial).rev() {
            let (block, before) = (block[d], before[d]);
            let shift = rest % block;
            rest /= block;
            // Those inside: element e of the many is e * block + shift - before of the wide.
            let first = before.saturating_sub(shift).div_ceil(block);
            let end = (wide.shape[1 + d] + before).saturating_sub(shift);
            let end = end.div_ceil(block).min(many.shape[1 + d]);
            let count = end.saturating_sub(first);
            dims.push((count, wide_strides[1 + d] * block, many_strides[1 + d]));
            many_at += first * many_strides[1 + d];
            wide_at += (first * block + shift).saturating_sub(before) * wide_strides[1 + d];
        }
        if dims.iter().all(|(count, ..)| *count > 0) {
            let dims = dims.into_iter().map(direction).collect();
            let (from, to) = if back {
                (many_at, wide_at)
            } else {
                (wide_at, many_at)
            };
            m.boxes(context, from, to, dims);
        }
    }
    Ok(m.f.finish())
}

/// The bytes of what stands for zero: the zero point of a quantised tensor, else zeros.
fn zero(tensor: &Tensor) -> Vec<u8> {
    let quantised = [DataType::I8, DataType::U8, DataType::I16].contains(&tensor.ty);
    let affine = tensor.quantization.as_ref().filter(|_| quantised);
    let zero_point = affine.and_then(|q| q.zero_point.first()).copied();
    let bytes = i64::from(zero_point.unwrap_or(0)).to_le_bytes();
    bytes[..tensor.ty.size() as usize].to_vec()
}

/// PAD and PADV2.
pub(super) fn pad(context: &mut Context, node: &Node, before: &[u32]) -> Kernel {
    let mut m = Move::new(context, node, "pad");
    let (from, to) = m.strides();
    let computed = match node.inputs.get(1).copied().flatten() {
        None => {
            let to = start(m.to);
            copy::fill(&mut m.f, &to, m.y.bytes() as u32, &zero(m.y), context.simd);
            false
        }
        Some(id) => match context.graph.tensors[id].data.as_deref() {
            Some(value) => {
                let to = start(m.to);
                copy::fill(&mut m.f, &to, m.y.bytes() as u32, value, context.simd);
                false
            }
            None => true,
        },
    };
    if computed {
        let (_, value) = context.input(node, 1);
        m.f.operand(Role::Read, "value", value);
        let everywhere = Strided {
            element: m.element,
            from: start(value),
            to: start(m.to),
            dims: vec![dim(m.y.elements() as u32, 0, m.element)],
        };
        everywhere.write(&mut m.f, context.simd);
    }
    let at = before.iter().zip(&to).map(|(n, stride)| n * stride).sum();
    let dims = (0..to.len()).map(|d| dim(m.x.shape[d], from[d], to[d]));
    let dims = dims.collect();
    m.boxes(context, 0, at, dims);
    m.f.finish()
}

/// `MIRROR_PAD`: a box for each way in which dimensions are mirrored before x, kept, or mirrored behind it.
fn mirror_pad(context: &mut Context, node: &Node, before: &[u32], edge: bool) -> Kernel {
    let mut m = Move::new(context, node, "mirror_pad");
    let (from, to) = m.strides();
    // Of each dimension: elements, the first one's place in x and in y, and the step in x.
    let mut boxes: Vec<Vec<(u32, u32, u32, i32)>> = vec![Vec::new()];
    for (d, before) in before.iter().enumerate() {
        let inner = m.x.shape[d];
        let after = m.y.shape[d] - inner - before;
        let skip = u32::from(!edge);
        let ways = [
            (*before, (before + skip).saturating_sub(1), 0, -1),
            (inner, 0, *before, 1),
            (after, (inner - 1).saturating_sub(skip), before + inner, -1),
        ];
        let ways = ways.into_iter().filter(|(count, ..)| *count > 0);
        let ways: Vec<_> = ways.collect();
        boxes = boxes
            .iter()
            .flat_map(|outer| {
                ways.iter().map(|way| {
                    let mut whole = outer.clone();
                    whole.push(*way);
                    whole
                })
            })
            .collect();
    }
    for ways in boxes {
        let at = |strides: &[u32], place: fn(&(u32, u32, u32, i32)) -> u32| {
            let places = ways.iter().zip(strides);
            places.map(|(way, stride)| place(way) * stride).sum()
        };
        let (from_at, to_at) = (at(&from, |w| w.1), at(&to, |w| w.2));
        let dims = ways.iter().enumerate().map(|(d, way)| Dim {
            count: way.0,
            from: way.3 * from[d] as i32,
            to: to[d],
        });
        let dims = dims.collect();
        m.boxes(context, from_at, to_at, dims);
    }
    m.f.finish()
}

/// `RESIZE_NEAREST_NEIGHBOR`: rows and columns by tables of where they come from.
fn nearest(context: &mut Context, node: &Node, sampling: Sampling) -> Kernel {
    let mut m = Move::new(context, node, "resize_nearest_neighbor");
    let (from, to) = m.strides();
    let mut tables = [1, 2].map(|d| {
        let places = sampling.nearest(m.x.shape[d], m.y.shape[d]);
        places
            .iter()
            .flat_map(|i| (i * from[d]).to_le_bytes())
            .collect()
    });
    let [rows, columns] = [0, 1].map(|d| {
        let table = context.constant(["rows", "columns"][d], std::mem::take(&mut tables[d]));
        m.f.operand(Role::Read, ["rows", "columns"][d], table);
        table
    });
    let place = |f: &mut Builder, table, i: &Affine| {
        let at = copy::shifted(&start(table), i * 4);
        f.index("at", Expr::Load(Load::Whole(Ty::I32), at))
    };
    let (x, y) = (start(m.from), start(m.to));
    m.f.each("n", m.x.shape[0], |f, n| {
        f.each("oy", m.y.shape[1], |f, oy| {
            let row = place(f, rows, oy);
            f.each("ox", m.y.shape[2], |f, ox| {
                let column = place(f, columns, ox);
                let from = copy::shifted(&x, n * from[0] + &row + column);
                let to = copy::shifted(&y, n * to[0] + oy * to[1] + ox * to[2]);
                copy::run(f, &from, &to, m.y.shape[3] * m.element, context.simd);
            });
        });
    });
    m.f.finish()
}
