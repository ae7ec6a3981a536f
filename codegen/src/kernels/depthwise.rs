//! `DEPTHWISE_CONV_2D`: each channel with a kernel of its own.
//!
//! With a multiplier of 1, results and elements of x are neighbours in the same order: vectors hold
//! channels of both. Signed bytes have a schedule of their own ([`taps`]); of others four vectors at a time
//! are computed for two neighbouring positions, which share their weights. Channels that do not fill vectors
//! are computed one by one with weights of their own. Anything else is a convolution per input channel.
//!
//! Instructions of the inner loop of a full tile for each product, moves between locals not counted (a
//! test counts them): f32 in vectors 0.9, i8 in vectors 0.95 with all that makes sums results, scalar, in
//! tiles of 2 by 4, 4.0.

use rune_ir::{
    graph::Node,
    op::{Activation, Window},
};

use super::{
    Context, conv, dsp,
    geometry::{Geometry, Tile},
    linear::{self, Arithmetic, Channels, Order},
    taps,
};
use crate::nest::{Address, Affine, BufferId, Builder, Expr, Kernel, Role, View};

/// Vectors of channels that are computed together.
const VECTORS: u32 = 4;
/// Neighbouring positions that are computed together.
const POSITIONS: u32 = 2;
/// Taps in one round of a loop, in vectors.
const UNROLLED: u32 = 4;

pub(super) fn depthwise_conv_2d(
    context: &mut Context,
    node: &Node,
    window: &Window,
    activation: Activation,
) -> Result<Kernel, String> {
    let (x, from) = context.input(node, 0);
    let (y, to) = context.output(node);
    let weights = context.tensor(node, 1);
    let channels = y.shape[3];
    if channels != x.shape[3] || channels == 1 {
        return conv::grouped(context, node, window, activation);
    }
    let taps = [weights.shape[1], weights.shape[2]];
    let geometry = Geometry::new(window, taps, x, y)?;
    if let Some(kernel) = taps::depthwise(context, node, &geometry, activation)? {
        return Ok(kernel);
    }
    if let Some(kernel) = dsp::depthwise(context, node, &geometry, activation)? {
        return Ok(kernel);
    }
    let mut f = Builder::new("depthwise_conv_2d");
    f.operand(Role::Read, "x", from);
    f.operand(Role::Write, "y", to);
    // A load of integers takes eight channels, of f32 four.
    let group = if x.ty.size() == 1 { 8 } else { 4 };
    let in_vectors = if linear::vectors(context.simd) {
        channels / group * group
    } else {
        0
    };
    for (first, count, vector) in [
        (0, in_vectors, true),
        (in_vectors, channels - in_vectors, false),
    ] {
        if count == 0 {
            continue;
        }
        let order: Order = (first..first + count).map(|c| Some(c as usize)).collect();
        let of = |element: usize| element % channels as usize;
        let constants = Channels {
            order: &order,
            of: &of,
            clipped: geometry.is_clipped(),
            vector,
            dsp: false,
            beside: None,
        };
        let arithmetic = linear::arithmetic(context, node, activation, &constants)?;
        let lanes = linear::lanes(vector);
        let blocks = blocks(count / lanes, if group == 8 && vector { 2 } else { 1 });
        let packed = u64::from(count * taps[0] * taps[1]);
        let weights = linear::pack_weights(context, node, packed, |emit| {
            let mut rest = &order[..];
            for (count, vectors) in &blocks {
                for _ in 0..*count {
                    let (block, after) = rest.split_at((vectors * lanes) as usize);
                    rest = after;
                    for tap in 0..(taps[0] * taps[1]) as usize {
                        let at = |channel| tap * channels as usize + channel;
                        for channel in block {
                            emit(channel.map(at));
                        }
                    }
                }
            }
        })?;
        f.operand(Role::Read, if vector { "w" } else { "w1" }, weights);
        arithmetic.declare(&mut f);
        let view = |buffer, [rows, columns]: [u32; 2]| {
            let shape = [geometry.batch, rows, columns, channels];
            View::new(buffer, x.ty.size(), &shape)
        };
        let (rows, columns) = (geometry.rows, geometry.columns);
        let schedule = Schedule {
            geometry,
            arithmetic: &*arithmetic,
            x: view(from, [rows.input, columns.input]),
            y: view(to, [rows.output, columns.output]),
            weights,
            first,
        };
        let mut done = 0;
        for (count, vectors) in blocks {
            f.each("block", count, |f, block| {
                schedule.block(f, vectors, &(block * vectors + done));
            });
            done += count * vectors;
        }
    }
    Ok(f.finish())
}

/// How many blocks of how many vectors make up `vectors`, a multiple of `least`.
fn blocks(vectors: u32, least: u32) -> Vec<(u32, u32)> {
    // A size that leaves nothing over, or else the largest.
    let even = (least..=VECTORS).rev().step_by(least as usize);
    let size = even
        .clone()
        .find(|v| *v > 1 && vectors.is_multiple_of(*v))
        .unwrap_or(VECTORS)
        .min(vectors);
    let full = vectors / size;
    let rest = vectors - full * size;
    let blocks = [(full, size), (1, rest)];
    blocks.into_iter().filter(|(_, v)| *v > 0).collect()
}

/// The schedule of channels in vectors, or of those that remain.
struct Schedule<'a> {
    geometry: Geometry,
    arithmetic: &'a dyn Arithmetic,
    /// [batch, row, column, channel].
    x: View,
    /// [batch, row, column, channel].
    y: View,
    /// In the order block, tap, vector, lane.
    weights: BufferId,
    /// The channel that packed channel 0 is.
    first: u32,
}

impl Schedule<'_> {
    /// Computes the channels of `vectors` vectors from vector `vector`.
    fn block(&self, f: &mut Builder, vectors: u32, vector: &Affine) {
        let positions = if vectors == 1 { 4 } else { POSITIONS };
        self.geometry.tiles(f, positions, &mut |f, tile| {
            self.tile(f, vectors, vector, tile);
        });
    }

    fn tile(&self, f: &mut Builder, vectors: u32, vector: &Affine, tile: &Tile) {
        let lanes = self.arithmetic.lanes();
        let channel = vector * lanes + self.first;
        let Geometry { rows, columns, .. } = self.geometry;
        let sums: Vec<Vec<Expr>> = (0..tile.columns)
            .map(|_| {
                (0..vectors)
                    .map(|v| f.accumulator("sum", self.arithmetic.start(&(vector + v))))
                    .collect()
            })
            .collect();
        let tap_bytes = vectors * lanes * self.x.element;
        let vector_bytes = rows.taps * columns.taps * lanes * self.x.element;
        let times = if lanes > 1 { UNROLLED } else { 1 };
        f.range("ky", &tile.row_taps.0, &tile.row_taps.1, 1, |f, ky| {
            let row = &tile.row * rows.stride + ky * rows.dilation + -(rows.pad as i32);
            let bounds = (&tile.column_taps.0, &tile.column_taps.1);
            f.unrolled("kx", bounds, 1, times, |f, kx| {
                let x: Vec<Address> = (0..tile.columns)
                    .map(|i| {
                        let column = (&tile.column + i) * columns.stride
                            + kx * columns.dilation
                            + -(columns.pad as i32);
                        self.x.at([&tile.batch, &row, &column, &channel])
                    })
                    .collect();
                let weights = Address {
                    buffer: self.weights,
                    offset: vector * vector_bytes + (ky * columns.taps + kx) * tap_bytes,
                };
                self.arithmetic.lanewise(f, &x, &weights, &sums);
            });
        });
        for (i, sums) in (0..).zip(&sums) {
            let column = &tile.column + i;
            let to = self.y.at([&tile.batch, &tile.row, &column, &channel]);
            self.arithmetic
                .finish(f, sums, vector, &to, vectors * lanes);
        }
    }
}
