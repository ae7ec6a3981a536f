//! Convolution of f32 in vectors where a window has few elements: all steps of a sum one after the other, each
//! element taken from the image by a load that fills a vector with it.
//!
//! Nothing is gathered, so a tile need not be a row: of positions below and beside each other, those are
//! computed together that make the fewest tiles.

use rune_ir::{
    graph::{DataType, Node},
    op::Activation,
};

use super::{
    Context,
    border::{self, Rows},
    conv::{Block, Shape},
    gemm,
    geometry::Geometry,
    linear::{self, Arithmetic, Channels, LANES, Order},
};
use crate::nest::{Address, Affine, BufferId, Builder, Expr, Kernel, Role, View};

/// Elements of a window, at most: each is code of its own.
const MOST: u32 = 16;

/// Whether this schedule computes a convolution in vectors: windows of several rows, which otherwise would
/// be gathered, with few elements.
pub(super) fn serves(shape: &Shape, ty: DataType) -> bool {
    let Geometry { rows, columns, .. } = shape.geometry;
    ty == DataType::F32 && rows.taps > 1 && rows.taps * columns.taps * shape.depth <= MOST
}

/// As [`gemm::kernel`].
pub(super) fn kernel(
    shape: &Shape,
    context: &mut Context,
    node: &Node,
    (name, activation): (&str, Activation),
    element: &dyn Fn(usize, usize) -> usize,
    of: &dyn Fn(usize) -> usize,
) -> Result<Kernel, String> {
    let Shape {
        geometry, outputs, ..
    } = *shape;
    let order: Order = gemm::order(outputs);
    let channels = Channels {
        order: &order,
        of,
        clipped: false,
        vector: true,
        dsp: false,
        beside: None,
    };
    let arithmetic = linear::arithmetic(context, node, activation, &channels)?;
    let steps = geometry.rows.taps * geometry.columns.taps * shape.depth;
    let weights = gemm::pack(shape, context, node, (&order, 1, steps), element)?;
    let rows = Rows::new(context, node, geometry, 0)?;
    let (_, to) = context.output(node);
    let [down, across] = [geometry.rows.output, geometry.columns.output];
    let mut f = Builder::new(name);
    rows.declare(&mut f);
    f.operand(Role::Read, "w", weights);
    arithmetic.declare(&mut f);
    f.operand(Role::Write, "y", to);
    let (full, block, rest) = shape.blocks(LANES);
    let size = tile(&geometry, gemm::positions(block), rows.all_at_once());
    let schedule = Schedule {
        shape,
        rows: &rows,
        arithmetic: &*arithmetic,
        weights,
        y: View::new(to, 4, &[geometry.batch, down, across, outputs]),
        size,
    };
    rows.start(&mut f);
    f.each("n", geometry.batch, |f, batch| {
        rows.image(f, batch);
        border::tiles(f, "oy", down, size[0], |f, row| {
            if !rows.all_at_once() {
                rows.enter(f, batch, row);
            }
            border::tiles(f, "ox", across, size[1], |f, column| {
                let position = [batch, row, column];
                f.each("block", full, |f, index| {
                    schedule.block(f, position, block, &(index * block.vectors));
                });
                if let Some(rest) = rest {
                    schedule.block(f, position, rest, &(full * block.vectors).into());
                }
            });
        });
    });
    Ok(f.finish())
}

/// Rows and columns of up to `most` positions that make the fewest tiles; of equals the least high, whose
/// elements are nearest. Where there is one row of windows at a time, it is one high.
fn tile(geometry: &Geometry, most: u32, all_at_once: bool) -> [u32; 2] {
    let [down, across] = [geometry.rows.output, geometry.columns.output];
    let high = if all_at_once { most.min(down) } else { 1 };
    let sizes = (1..=high).map(|rows| [rows, (most / rows).min(across)]);
    let tiles =
        |size: &[u32; 2]| u64::from(down.div_ceil(size[0])) * u64::from(across.div_ceil(size[1]));
    sizes.min_by_key(tiles).unwrap_or([1, 1])
}

struct Schedule<'a> {
    shape: &'a Shape,
    rows: &'a Rows,
    arithmetic: &'a dyn Arithmetic,
    /// In the order block, step, channel.
    weights: BufferId,
    /// [batch, row, column, channel].
    y: View,
    /// Rows and columns of a tile.
    size: [u32; 2],
}

impl Schedule<'_> {
    /// The results of a tile for the channels of a block, which begins with vector `vector`.
    fn block(
        &self,
        f: &mut Builder,
        [batch, row, column]: [&Affine; 3],
        block: Block,
        vector: &Affine,
    ) {
        let Geometry { rows, columns, .. } = self.shape.geometry;
        let depth = self.shape.depth;
        let positions: Vec<[Affine; 2]> = (0..self.size[0])
            .flat_map(|r| (0..self.size[1]).map(move |c| [row + r, column + c]))
            .collect();
        let sums: Vec<Vec<Expr>> = positions
            .iter()
            .map(|_| {
                (0..block.vectors)
                    .map(|v| f.accumulator("sum", self.arithmetic.start(&(vector + v))))
                    .collect()
            })
            .collect();
        let steps = rows.taps * columns.taps * depth;
        for step in 0..steps {
            let tap = step / depth;
            let taps = [tap / columns.taps, tap % columns.taps].map(Affine::from);
            let x: Vec<Address> = positions
                .iter()
                .map(|[row, column]| {
                    let tap = self.rows.at([batch, row, column], taps.each_ref());
                    tap.plus(step % depth * 4)
                })
                .collect();
            let offset = vector * (steps * LANES * 4) + step * block.vectors * LANES * 4;
            let weights = Address {
                buffer: self.weights,
                offset,
            };
            let holds = [row, column, vector]
                .into_iter()
                .find(|a| !a.terms.is_empty());
            f.apart(holds.filter(|_| step > 0), |f| {
                self.arithmetic.broadcast(f, &x, &weights, &sums, 1);
            });
        }
        for ([row, column], sums) in positions.iter().zip(&sums) {
            let at = self.y.at([batch, row, column, &(vector * LANES)]);
            self.arithmetic.finish(f, sums, vector, &at, block.results);
        }
    }
}
