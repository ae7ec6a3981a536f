//! Depthwise convolution of signed bytes in vectors, all taps of the window one after the other.
//!
//! The zero point of x is part of the bias and lies in what [`Rows`] adds around the image, so elements are
//! multiplied as they are. A product of bytes is at most 2^14, so the products of a few taps can be added in
//! 16 bits: of as many as the weights of every channel allow. With eight channels for two positions side by
//! side, 9 taps take about 0.6 instructions for each product. Where eight does not divide the channels, the
//! last eight are computed together, some of them twice.

use std::collections::BTreeMap;

use rune_ir::{
    graph::{DataType, Node},
    op::Activation,
    quant,
};

use super::{
    Context,
    border::{self, Rows},
    geometry::Geometry,
    linear::{self, Channels, Order},
};
use crate::nest::{Address, Affine, BufferId, Builder, Expr, Kernel, Load, Op, Role, View};

/// Channels that are computed together.
const CHANNELS: u32 = 8;
/// More taps than this are a loop.
const MOST_TAPS: u32 = 32;
/// A sum of so many times 128 fits 16 bits.
const ROOM: u32 = 255;

/// The kernel, if this schedule can compute the node, whose multiplier is 1.
pub(super) fn depthwise(
    context: &mut Context,
    node: &Node,
    geometry: &Geometry,
    activation: Activation,
) -> Result<Option<Kernel>, String> {
    let (x, _) = context.input(node, 0);
    let (y, to) = context.output(node);
    let channels = y.shape[3];
    let taps = geometry.rows.taps * geometry.columns.taps;
    if x.ty != DataType::I8
        || !linear::vectors(context.simd)
        || channels < CHANNELS
        || taps > MOST_TAPS
    {
        return Ok(None);
    }
    let groups = groups(context.value(node, 1)?, channels);
    let blocks = channels.div_ceil(CHANNELS);
    let order: Order = (0..blocks)
        .map(|block| (block * CHANNELS).min(channels - CHANNELS))
        .flat_map(|first| (first..first + CHANNELS).map(|c| Some(c as usize)))
        .collect();
    let arithmetic = linear::arithmetic(
        context,
        node,
        activation,
        &Channels {
            order: &order,
            of: &|element| element % channels as usize,
            clipped: false,
            vector: true,
            dsp: false,
            beside: None,
        },
    )?;
    let count = u64::from(blocks * CHANNELS * taps);
    let weights = linear::pack_weights(context, node, count, |emit| {
        for block in order.chunks(CHANNELS as usize) {
            for tap in 0..taps as usize {
                let at = |channel| tap * channels as usize + channel;
                for channel in block {
                    emit(channel.map(at));
                }
            }
        }
    })?;
    let zero_point = quant::affine(x)?.1;
    let rows = Rows::new(context, node, *geometry, zero_point as u8)?;
    let columns = geometry.columns.output;
    let shape = [geometry.batch, geometry.rows.output, columns, channels];
    let y = View::new(to, 1, &shape);
    let mut f = Builder::new("depthwise_conv_2d");
    rows.declare(&mut f);
    f.operand(Role::Read, "w", weights);
    arithmetic.declare(&mut f);
    f.operand(Role::Write, "y", to);
    let positions = if columns.is_multiple_of(2) || columns > 8 {
        2
    } else {
        1
    };
    let schedule = Schedule {
        rows: &rows,
        weights,
        groups: &groups,
        taps: geometry.columns.taps,
    };
    rows.start(&mut f);
    let row_of = |f: &mut Builder, batch: &Affine, row: &Affine| {
        rows.enter(f, batch, row);
        f.each("block", blocks, |f, block| {
            let channel = if channels.is_multiple_of(CHANNELS) {
                block * CHANNELS
            } else {
                let first = Expr::from(&(block * CHANNELS));
                let last = Expr::I32((channels - CHANNELS) as i32);
                let beyond = last.clone().lt(first.clone());
                f.index("c", last.or_else(beyond, first))
            };
            border::tiles(f, "ox", columns, positions, |f, column| {
                let starts = [0, 1].map(|half| arithmetic.start(&(block * 2 + half)));
                let position = [batch, row, column];
                let sums = schedule.sums(f, position, positions, block, &channel, &starts);
                for (i, sums) in (0..).zip(&sums) {
                    let at = y.at([batch, row, &(column + i), &channel]);
                    arithmetic.finish(f, sums, &(block * 2), &at, CHANNELS);
                }
            });
        });
    };
    f.each("n", geometry.batch, |f, batch| {
        rows.image(f, batch);
        f.each("oy", geometry.rows.output, |f, row| row_of(f, batch, row));
    });
    Ok(Some(f.finish()))
}

/// The taps in groups, of which the products can be added in 16 bits.
fn groups(weights: &[u8], channels: u32) -> Vec<Vec<u32>> {
    let sizes: Vec<Vec<u32>> = weights
        .chunks_exact(channels as usize)
        .map(|tap| {
            let size = |weight: &u8| u32::from(weight.cast_signed().unsigned_abs());
            tap.iter().map(size).collect()
        })
        .collect();
    let mut groups: Vec<(Vec<u32>, Vec<u32>)> = Vec::new();
    for (tap, sizes) in (0..).zip(&sizes) {
        let fits = |sums: &[u32]| sums.iter().zip(sizes).all(|(a, b)| a + b <= ROOM);
        match groups.iter_mut().find(|(_, sums)| fits(sums)) {
            Some((taps, sums)) => {
                taps.push(tap);
                sums.iter_mut().zip(sizes).for_each(|(a, b)| *a += b);
            }
            None => groups.push((vec![tap], sizes.clone())),
        }
    }
    groups.into_iter().map(|(taps, _)| taps).collect()
}

struct Schedule<'a> {
    rows: &'a Rows,
    /// In the order block, tap, channel.
    weights: BufferId,
    groups: &'a [Vec<u32>],
    /// Taps of a row of the window.
    taps: u32,
}

impl Schedule<'_> {
    /// For each of `positions` neighbours the sums of eight channels, in two vectors.
    fn sums(
        &self,
        f: &mut Builder,
        [batch, row, column]: [&Affine; 3],
        positions: u32,
        block: &Affine,
        channel: &Affine,
        starts: &[Expr; 2],
    ) -> Vec<Vec<Expr>> {
        let taps: u32 = self.groups.iter().map(|g| g.len() as u32).sum();
        let mut sums: Vec<Vec<Expr>> = Vec::new();
        for _ in 0..positions {
            sums.push(
                starts
                    .iter()
                    .map(|s| f.accumulator("sum", s.clone()))
                    .collect(),
            );
        }
        // Elements under two windows are loaded once.
        let mut loaded: BTreeMap<(u32, i32), Expr> = BTreeMap::new();
        for group in self.groups {
            let mut products: Vec<Option<Expr>> = vec![None; positions as usize];
            for tap in group {
                let (tap_row, tap_column) = (tap / self.taps, tap % self.taps);
                let offset = block * (taps * CHANNELS) + tap * CHANNELS;
                let buffer = self.weights;
                let weight = Expr::Load(Load::I8x8, Address { buffer, offset });
                let weight = f.value("w", weight);
                for (i, product) in (0..).zip(&mut products) {
                    let mut at = self.rows.at(
                        [batch, row, &(column + i)],
                        [&tap_row.into(), &tap_column.into()],
                    );
                    at.offset = at.offset + channel;
                    let x = loaded
                        .entry((tap_row, at.offset.constant))
                        .or_insert_with(|| f.value("x", Expr::Load(Load::I8x8, at)))
                        .clone();
                    let one = x * weight.clone();
                    *product = Some(match product.take() {
                        None => one,
                        Some(sum) => sum + one,
                    });
                }
            }
            for (product, sums) in products.into_iter().zip(&sums) {
                let product = product.expect("a group has a tap");
                let product = f.value("product", product);
                let extend = [Op::I32x4ExtendLowI16x8S, Op::I32x4ExtendHighI16x8S];
                for (op, sum) in extend.into_iter().zip(sums) {
                    let wide = Expr::op(op, [product.clone()]);
                    f.set(sum, sum.clone() + wide);
                }
            }
        }
        sums
    }
}
