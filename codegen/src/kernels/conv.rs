//! `CONV_2D`, `FULLY_CONNECTED`, and depthwise convolution with a depth multiplier: one schedule.
//!
//! A fully connected operator is a convolution of one tap over its rows, a depthwise convolution with a
//! multiplier is one convolution of one input channel for each input channel (a *group*). One group in
//! vectors is a product of matrices ([`gemm`]). Else output channels are taken in blocks of up to four
//! vectors; for a block, tiles of up to four neighbouring positions are computed with all their sums in
//! locals: 2 positions by 16 channels, or 4 by 8. The reduction is a loop over kernel rows and, since the
//! elements of a row of a kernel without dilation are neighbours in memory, one over the elements of a row.
//!
//! Instructions of the inner loop of a full tile for each product, moves between locals not counted (a
//! test counts them): f32 in vectors 0.8, i8 in vectors 0.4, scalar, in tiles of 2 by 4, 3.3.

use rune_ir::{
    graph::{DataType, Node},
    op::{Activation, Op, Window},
};

use super::{
    Context, Simd, direct, dsp, gemm,
    geometry::{Geometry, Tile},
    linear::{self, Arithmetic, Channels, Order},
};
use crate::nest::{Address, Affine, BufferId, Builder, Expr, Kernel, Role, View};

/// Sums that a tile keeps in locals, and those of f32 where 32 registers are for them alone.
const SUMS: [u32; 2] = [8, 16];
/// Vectors of a block at most.
const MOST: u32 = 4;
/// Steps of a sum in one round of a loop, where vectors may be used: such machines have room for it.
const UNROLLED: u32 = 4;

pub(super) fn fully_connected(
    context: &mut Context,
    node: &Node,
    activation: Activation,
) -> Result<Kernel, String> {
    let x = context.tensor(node, 0);
    let weights = context.tensor(node, 1);
    let [outputs, depth] = [weights.shape[0], weights.shape[1]];
    let shape = Shape {
        geometry: Geometry::every(x.elements() as u32 / depth),
        depth,
        outputs,
        groups: 1,
        most: MOST,
    };
    shape.kernel(context, node, "fully_connected", activation)
}

pub(super) fn conv_2d(
    context: &mut Context,
    node: &Node,
    window: &Window,
    activation: Activation,
) -> Result<Kernel, String> {
    let x = context.tensor(node, 0);
    let (y, _) = context.output(node);
    let weights = context.tensor(node, 1);
    let taps = [weights.shape[1], weights.shape[2]];
    let shape = Shape {
        geometry: Geometry::new(window, taps, x, y)?,
        depth: x.shape[3],
        outputs: weights.shape[0],
        groups: 1,
        most: MOST,
    };
    shape.kernel(context, node, "conv_2d", activation)
}

/// A depthwise convolution with several output channels for each input channel, or one input channel.
pub(super) fn grouped(
    context: &mut Context,
    node: &Node,
    window: &Window,
    activation: Activation,
) -> Result<Kernel, String> {
    let x = context.tensor(node, 0);
    let (y, _) = context.output(node);
    let weights = context.tensor(node, 1);
    let taps = [weights.shape[1], weights.shape[2]];
    let groups = x.shape[3];
    let shape = Shape {
        geometry: Geometry::new(window, taps, x, y)?,
        depth: 1,
        outputs: weights.shape[3] / groups,
        groups,
        most: MOST,
    };
    shape.kernel(context, node, "depthwise_conv_2d", activation)
}

/// A convolution, or several of one geometry on the channels of one tensor.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) geometry: Geometry,
    /// Input channels of a group.
    pub(super) depth: u32,
    /// Output channels of a group.
    pub(super) outputs: u32,
    groups: u32,
    /// Vectors of a block at most.
    most: u32,
}

/// The elements of x that a row of the kernel multiplies, as runs of neighbours.
#[derive(Clone, Copy)]
struct Runs {
    /// One run for the whole row, or one for each of its taps.
    joined: bool,
    /// Runs in a row.
    count: u32,
    /// Elements of a run.
    length: u32,
}

/// Output channels computed together.
#[derive(Clone, Copy)]
pub(super) struct Block {
    pub(super) vectors: u32,
    /// Channels, which may end inside the last vector.
    pub(super) results: u32,
}

impl Shape {
    fn runs(&self, unit: u32) -> Runs {
        let columns = self.geometry.columns;
        // A clipped run may begin at any tap, which must not tear the elements of a step apart.
        let whole_steps = self.depth.is_multiple_of(unit) || !columns.is_clipped();
        let joined =
            columns.taps == 1 || (columns.dilation == 1 && self.groups == 1 && whole_steps);
        Runs {
            joined,
            count: if joined { 1 } else { columns.taps },
            length: if joined {
                columns.taps * self.depth
            } else {
                self.depth
            },
        }
    }

    /// The blocks of a group: how many full ones, and what remains.
    pub(super) fn blocks(&self, lanes: u32) -> (u32, Block, Option<Block>) {
        let vectors = self.outputs.div_ceil(lanes);
        // A size that leaves nothing over, or else the largest.
        let even = (2..=self.most)
            .rev()
            .find(|v| self.outputs.is_multiple_of(v * lanes));
        let size = even.unwrap_or(self.most).min(vectors);
        let full = self.outputs / (size * lanes);
        let done = full * size * lanes;
        let block = |results: u32| Block {
            vectors: results.div_ceil(lanes),
            results,
        };
        let rest = self.outputs - done;
        (full, block(size * lanes), (rest > 0).then(|| block(rest)))
    }

    fn kernel(
        &self,
        context: &mut Context,
        node: &Node,
        name: &str,
        activation: Activation,
    ) -> Result<Kernel, String> {
        // A vector of one channel would be no faster.
        let vector = linear::vectors(context.simd) && self.outputs > 1;
        let lanes = linear::lanes(vector);
        let padded = self.outputs.next_multiple_of(lanes);
        let order: Order = (0..self.groups * padded)
            .map(|i| (i / padded, i % padded))
            .map(|(group, i)| (i < self.outputs).then(|| (group * self.outputs + i) as usize))
            .collect();
        let taps = self.geometry.rows.taps * self.geometry.columns.taps;
        let elements = (taps * self.depth) as usize;
        let channels = (self.groups * self.outputs) as usize;
        // Weights are OHWI, those of a depthwise convolution HWO.
        let depthwise = matches!(node.op, Op::DepthwiseConv2d { .. });
        let element = move |channel: usize, element: usize| {
            if depthwise {
                element * channels + channel
            } else {
                channel * elements + element
            }
        };
        let of = move |element: usize| {
            if depthwise {
                element % channels
            } else {
                element / elements
            }
        };
        // Beyond the image gemm multiplies with zero, which changes no sum of finite numbers.
        let finite = context.tensor(node, 1).ty != DataType::F32
            || !self.geometry.is_clipped()
            || context.value(node, 1)?.chunks_exact(4).all(is_finite);
        if self.groups == 1 && dsp::serves(context, node) {
            return dsp::kernel(self, context, node, name, &element, &of);
        }
        if vector && self.groups == 1 && finite {
            let schedule = if direct::serves(self, context.tensor(node, 0).ty) {
                direct::kernel
            } else {
                gemm::kernel
            };
            return schedule(self, context, node, (name, activation), &element, &of);
        }
        let has_floats = context.simd == Simd::Dsp && context.tensor(node, 0).ty == DataType::F32;
        let sums = SUMS[usize::from(has_floats)];
        let shape = Self {
            // A single position has only channels to be computed beside each other.
            most: if has_floats && self.geometry.columns.output == 1 {
                sums
            } else {
                self.most
            },
            ..*self
        };
        let channels = Channels {
            order: &order,
            of: &of,
            clipped: self.geometry.is_clipped(),
            vector,
            dsp: false,
            beside: None,
        };
        let arithmetic = linear::arithmetic(context, node, activation, &channels)?;
        let runs = self.runs(arithmetic.unit());
        let steps = runs.length.next_multiple_of(arithmetic.unit());
        let in_channel = u64::from(self.geometry.rows.taps * runs.count) * u64::from(steps);
        let count = order.len() as u64 * in_channel;
        let weights = linear::pack_weights(context, node, count, |emit| {
            shape.pack(
                &order,
                lanes,
                runs,
                arithmetic.unit(),
                &mut |channel, at| {
                    emit(channel.zip(at).map(|(channel, at)| element(channel, at)));
                },
            );
        })?;
        let (x, from) = context.input(node, 0);
        let (_, to) = context.output(node);
        let size = x.ty.size();
        let mut f = Builder::new(name);
        f.operand(Role::Read, "x", from);
        f.operand(Role::Read, "w", weights);
        arithmetic.declare(&mut f);
        f.operand(Role::Write, "y", to);
        let (rows, columns) = (self.geometry.rows, self.geometry.columns);
        let view = |buffer, [rows, columns]: [u32; 2], channels: u32| {
            let shape = [self.geometry.batch, rows, columns, self.groups * channels];
            View::new(buffer, size, &shape)
        };
        let schedule = Schedule {
            shape: &shape,
            sums,
            times: if linear::vectors(context.simd) {
                UNROLLED
            } else {
                1
            },
            runs,
            arithmetic: &*arithmetic,
            x: view(from, [rows.input, columns.input], self.depth),
            y: view(to, [rows.output, columns.output], self.outputs),
            weights,
        };
        schedule.write(&mut f);
        Ok(f.finish())
    }

    /// Names the weights in the order of memory: block, kernel row, run, step, vector, lane, element of the
    /// step; each by its channel and its number in the kernel, where there are such.
    fn pack(
        &self,
        order: &Order,
        lanes: u32,
        runs: Runs,
        unit: u32,
        emit: &mut dyn FnMut(Option<usize>, Option<usize>),
    ) {
        let (full, block, rest) = self.blocks(lanes);
        let rows = self.geometry.rows.taps;
        for group in order.chunks(self.outputs.next_multiple_of(lanes) as usize) {
            let mut group = group;
            for block in (0..full).map(|_| block).chain(rest) {
                let (channels, after) = group.split_at((block.vectors * lanes) as usize);
                group = after;
                for run in 0..rows * runs.count {
                    for step in (0..runs.length).step_by(unit as usize) {
                        for channel in channels {
                            for i in step..step + unit {
                                let at = (run * runs.length + i) as usize;
                                emit(*channel, (i < runs.length).then_some(at));
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Whether an f32 is neither infinite nor a NaN.
fn is_finite(bytes: &[u8]) -> bool {
    f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]).is_finite()
}

/// A kernel being scheduled.
struct Schedule<'a> {
    shape: &'a Shape,
    /// Sums that a tile keeps in locals.
    sums: u32,
    /// Steps of a sum in one round of a loop.
    times: u32,
    runs: Runs,
    arithmetic: &'a dyn Arithmetic,
    /// [batch, row, column, channel].
    x: View,
    /// [batch, row, column, channel].
    y: View,
    /// In the order of [`Shape::pack`].
    weights: BufferId,
}

/// Where a block's channels and their constants are.
struct Place {
    block: Block,
    /// Group, in input channels as a group has that many.
    input: Affine,
    /// First output channel.
    output: Affine,
    /// Number of the first vector.
    vector: Affine,
}

/// One run of elements of x and their weights.
struct Run {
    /// Row of the kernel.
    row: Affine,
    /// Column of the kernel it begins with.
    column: Affine,
    /// Its number among the runs of the kernel.
    number: Affine,
    /// The first of its elements that is inside, and one past the last.
    bounds: (Affine, Affine),
}

impl Schedule<'_> {
    fn write(&self, f: &mut Builder) {
        let shape = self.shape;
        let lanes = self.arithmetic.lanes();
        let (full, block, rest) = shape.blocks(lanes);
        let vectors = shape.outputs.div_ceil(lanes);
        f.each("group", shape.groups, |f, group| {
            let place = |index: &Affine, block: Block, size: u32| Place {
                block,
                input: group * shape.depth,
                output: group * shape.outputs + index * (size * lanes),
                vector: group * vectors + index * size,
            };
            f.each("block", full, |f, index| {
                self.block(f, &place(index, block, block.vectors));
            });
            if let Some(rest) = rest {
                let index = Affine::from(full);
                self.block(f, &place(&index, rest, block.vectors));
            }
        });
    }

    fn block(&self, f: &mut Builder, place: &Place) {
        let columns = (self.sums / place.block.vectors).min(4);
        let geometry = &self.shape.geometry;
        geometry.tiles(f, columns, &mut |f, tile| self.tile(f, place, tile));
    }

    fn tile(&self, f: &mut Builder, place: &Place, tile: &Tile) {
        let vectors = place.block.vectors;
        let sums: Vec<Vec<Expr>> = (0..tile.columns)
            .map(|_| {
                (0..vectors)
                    .map(|v| f.accumulator("sum", self.arithmetic.start(&(&place.vector + v))))
                    .collect()
            })
            .collect();
        let Runs {
            joined,
            count,
            length,
        } = self.runs;
        let (first, end) = &tile.column_taps;
        f.range("ky", &tile.row_taps.0, &tile.row_taps.1, 1, |f, ky| {
            if joined {
                // The run of a clipped row lacks whole taps.
                let taps = self.shape.geometry.columns.taps;
                let depth = length / taps;
                let run = Run {
                    row: ky.clone(),
                    column: 0.into(),
                    number: ky.clone(),
                    bounds: (first * depth, end * depth),
                };
                self.run(f, place, tile, &run, &sums);
            } else {
                f.range("kx", first, end, 1, |f, kx| {
                    let run = Run {
                        row: ky.clone(),
                        column: kx.clone(),
                        number: ky * count + kx,
                        bounds: (0.into(), length.into()),
                    };
                    self.run(f, place, tile, &run, &sums);
                });
            }
        });
        for (i, sums) in (0..).zip(&sums) {
            let column = &tile.column + i;
            let to = self.y.at([&tile.batch, &tile.row, &column, &place.output]);
            let results = place.block.results;
            self.arithmetic.finish(f, sums, &place.vector, &to, results);
        }
    }

    /// Adds the products of one run of elements.
    fn run(&self, f: &mut Builder, place: &Place, tile: &Tile, run: &Run, sums: &[Vec<Expr>]) {
        let unit = self.arithmetic.unit();
        // Bytes of weights: of one element for a vector and for the block, of all for a vector.
        let lane_bytes = self.arithmetic.lanes() * self.x.element;
        let element_bytes = place.block.vectors * lane_bytes;
        let length = self.runs.length.next_multiple_of(unit);
        let vector_bytes = self.shape.geometry.rows.taps * self.runs.count * length * lane_bytes;
        let weights = &place.vector * vector_bytes + &run.number * (length * element_bytes);
        let step = |f: &mut Builder, k: &Affine, elements: u32| {
            let x: Vec<Address> = (0..sums.len() as u32)
                .map(|i| self.element(place, tile, i, run, k))
                .collect();
            let weights = Address {
                buffer: self.weights,
                offset: &weights + k * element_bytes,
            };
            self.arithmetic.broadcast(f, &x, &weights, sums, elements);
        };
        let (from, to) = &run.bounds;
        match to.as_constant() {
            // The last element of an odd run, where a step takes two.
            Some(to) if !(to as u32).is_multiple_of(unit) => {
                let whole = Affine::from(to - 1);
                f.unrolled("k", (from, &whole), unit, self.times, |f, k| {
                    step(f, k, unit);
                });
                step(f, &(to - 1).into(), 1);
            }
            _ => f.unrolled("k", (from, to), unit, self.times, |f, k| step(f, k, unit)),
        }
    }

    /// Element `k` of a run, for position `i` of a tile.
    fn element(&self, place: &Place, tile: &Tile, i: u32, run: &Run, k: &Affine) -> Address {
        let Geometry { rows, columns, .. } = self.shape.geometry;
        let row = &tile.row * rows.stride + &run.row * rows.dilation + -(rows.pad as i32);
        let column = (&tile.column + i) * columns.stride
            + &run.column * columns.dilation
            + -(columns.pad as i32);
        let channel = &place.input + k;
        self.x.at([&tile.batch, &row, &column, &channel])
    }
}
