//! Convolution and fully connected operators in vectors, as products of matrices.
//!
//! Positions side by side make a tile: their elements, of each those under all taps in a row, are taken from
//! the image where one tap sees all of them, and else gathered for the tile. For each block of up to four
//! vectors of output channels all sums of the tile are in locals, 2 positions by 16 channels or 4 by 8. The
//! loop over elements loads those of four steps at once: of a step, four bytes, a shuffle makes a vector. A
//! step of f32 is one element, one of bytes, which are widened to 16 bits, a pair, which `dot` multiplies with
//! the pairs of four channels.
//!
//! Beyond the image lie zeros, or of bytes zero points ([`Rows`]), so the zero point of x is part of the bias.

use rune_ir::{
    graph::{DataType, Node},
    op::Activation,
    quant,
};

use super::{
    Context,
    border::{self, Rows},
    conv::{Block, Shape},
    geometry::Geometry,
    linear::{self, Arithmetic, Channels, LANES, Order},
};
use crate::nest::{Address, Affine, BufferId, Builder, Expr, Kernel, Role, View};

/// Sums that a tile keeps in locals.
const SUMS: u32 = 8;
/// Steps whose elements are loaded at once.
const LOADED: u32 = 4;
/// Steps in one round of the loop over elements.
const ROUND: u32 = 8;
/// Bytes that are gathered at once, if one tile does not take more.
const GATHERED: u32 = 4096;

/// The kernel of one group's convolution. `element` gives the place of a channel's weight by its number, `of`
/// the channel of a place.
pub(super) fn kernel(
    shape: &Shape,
    context: &mut Context,
    node: &Node,
    (name, activation): (&str, Activation),
    element: &dyn Fn(usize, usize) -> usize,
    of: &dyn Fn(usize) -> usize,
) -> Result<Kernel, String> {
    let geometry = shape.geometry;
    let outputs = shape.outputs;
    let order = order(outputs);
    let channels = Channels {
        order: &order,
        of,
        clipped: false,
        vector: true,
        dsp: false,
        beside: None,
    };
    let arithmetic = linear::arithmetic(context, node, activation, &channels)?;
    let taps = geometry.rows.taps * geometry.columns.taps;
    let depth = taps * shape.depth;
    // The elements under one row of taps are neighbours.
    let gathered =
        geometry.rows.taps > 1 || (geometry.columns.taps > 1 && geometry.columns.dilation > 1);
    let unit = arithmetic.unit();
    let padded = depth.next_multiple_of(if gathered { LOADED * unit } else { unit });
    let (full, block, rest) = shape.blocks(LANES);
    let weights = pack(shape, context, node, (&order, unit, padded), element)?;
    let x = context.tensor(node, 0);
    let zero = if x.ty == DataType::F32 {
        0
    } else {
        quant::affine(x)?.1 as u8
    };
    let rows = Rows::new(context, node, geometry, zero)?;
    let size = x.ty.size();
    let (_, to) = context.output(node);
    let columns = geometry.columns.output;
    let most = positions(block);
    let area = if gathered {
        Area::gathered(&geometry, most, padded * size)
    } else {
        Area::row(columns, most)
    };
    let positions = area.tile;
    let gather = gathered.then(|| {
        let bytes = area.rows * area.columns * padded * size;
        (context.scratch("elements", bytes), bytes)
    });
    // An area of several rows is of whole rows, so its positions lie in a row.
    let view = [geometry.batch, geometry.rows.output * columns, outputs];
    let y = View::new(to, size, &view);
    let mut f = Builder::new(name);
    rows.declare(&mut f);
    if let Some((buffer, bytes)) = gather {
        f.operand(Role::Write, "elements", buffer);
        // What fills up the last octet multiplies with zero, but is written before it is read.
        let offset = 0.into();
        f.fill(Address { buffer, offset }, 0, bytes);
    }
    f.operand(Role::Read, "w", weights);
    arithmetic.declare(&mut f);
    f.operand(Role::Write, "y", to);
    let product = Product {
        arithmetic: &*arithmetic,
        size,
        weights,
        depth: if gathered { padded } else { depth },
        padded,
    };
    let write = |f: &mut Builder, elements: &[Address], [batch, position]: [&Affine; 2]| {
        let block_of = |f: &mut Builder, index: &Affine, here: Block| {
            let vector = index * block.vectors;
            let sums = product.sums(f, elements, here, &vector);
            for (i, sums) in (0..).zip(&sums) {
                let channel = &vector * LANES;
                let at = y.at([batch, &(position + i), &channel]);
                arithmetic.finish(f, sums, &vector, &at, here.results);
            }
        };
        f.each("block", full, |f, index| block_of(f, index, block));
        if let Some(rest) = rest {
            block_of(f, &full.into(), rest);
        }
    };
    rows.start(&mut f);
    f.each("n", geometry.batch, |f, batch| {
        rows.image(f, batch);
        border::tiles(f, "oy", geometry.rows.output, area.rows, |f, row| {
            if area.rows == 1 {
                rows.enter(f, batch, row);
            }
            border::tiles(f, "ox", columns, area.columns, |f, column| {
                let first = row * columns + column;
                let Some((buffer, _)) = gather else {
                    border::tiles(f, "i", area.columns, positions, |f, i| {
                        let column = column + i;
                        let elements: Vec<Address> = (0..positions)
                            .map(|i| [batch, row, &(&column + i)].map(Affine::from))
                            .map(|[n, y, x]| rows.at([&n, &y, &x], [&0.into(), &0.into()]))
                            .collect();
                        write(f, &elements, [batch, &(&first + i)]);
                    });
                    return;
                };
                let place = |position: Affine| Address {
                    buffer,
                    offset: position * (padded * size),
                };
                f.each("r", area.rows, |f, r| {
                    let row = row + r;
                    if area.rows > 1 {
                        rows.enter(f, batch, &row);
                    }
                    f.each("i", area.columns, |f, i| {
                        let to = place(r * area.columns + i);
                        let position = [batch, &row, &(column + i)];
                        gather_one(f, (shape, &rows, size), position, &to);
                    });
                });
                border::tiles(f, "p", area.rows * area.columns, positions, |f, p| {
                    let elements: Vec<Address> = (0..positions).map(|i| place(p + i)).collect();
                    write(f, &elements, [batch, &(&first + p)]);
                });
            });
        });
    });
    Ok(f.finish())
}

/// The output channels by vectors.
pub(super) fn order(outputs: u32) -> Order {
    (0..outputs.next_multiple_of(LANES))
        .map(|c| (c < outputs).then_some(c as usize))
        .collect()
}

/// Positions that are computed together with a block.
pub(super) fn positions(block: Block) -> u32 {
    (SUMS / block.vectors).min(4)
}

/// Packs weights in the order block, step, channel, element of the step. Steps take `unit` elements, a
/// channel has `padded` with what fills up the last.
pub(super) fn pack(
    shape: &Shape,
    context: &mut Context,
    node: &Node,
    (order, unit, padded): (&Order, u32, u32),
    element: &dyn Fn(usize, usize) -> usize,
) -> Result<BufferId, String> {
    let depth = shape.geometry.rows.taps * shape.geometry.columns.taps * shape.depth;
    let (full, block, rest) = shape.blocks(LANES);
    let count = order.len() as u64 * u64::from(padded);
    linear::pack_weights(context, node, count, |emit| {
        let mut left = &order[..];
        for block in (0..full).map(|_| block).chain(rest) {
            let (here, after) = left.split_at((block.vectors * LANES) as usize);
            left = after;
            for step in (0..padded).step_by(unit as usize) {
                for channel in here {
                    for i in step..step + unit {
                        let inside = (i < depth).then_some(i as usize);
                        emit(channel.zip(inside).map(|(c, i)| element(c, i)));
                    }
                }
            }
        }
    })
}

/// Positions whose elements are gathered before their sums are taken: what was just written can be read
/// fast only as it was written.
struct Area {
    rows: u32,
    /// All columns, if there are several rows.
    columns: u32,
    /// Positions computed together.
    tile: u32,
}

impl Area {
    /// Part of a row, in tiles of up to `most` positions.
    fn row(columns: u32, most: u32) -> Self {
        Self {
            rows: 1,
            columns,
            tile: most.min(columns),
        }
    }

    /// The area that computes the fewest tiles, of positions that take so many bytes.
    fn gathered(geometry: &Geometry, most: u32, bytes: u32) -> Self {
        let (rows, columns) = (geometry.rows.output, geometry.columns.output);
        let room = (GATHERED / bytes).max(most);
        if columns > room {
            let areas = columns.div_ceil(room / most * most);
            return Self::row(columns.div_ceil(areas).next_multiple_of(most), most);
        }
        let area = |rows| Self {
            rows,
            columns,
            tile: most.min(rows * columns),
        };
        let tiles = |area: &Self| {
            u64::from(rows.div_ceil(area.rows))
                * u64::from((area.rows * columns).div_ceil(area.tile))
        };
        let few = rows.min(room / columns).min(16);
        // Of equal ones the largest, which waits least for what it gathers.
        let best = (1..=few.max(1)).rev().map(area).min_by_key(tiles);
        best.unwrap_or_else(|| area(1))
    }
}

/// Copies the elements under all taps of a window to `to`, one after the other.
fn gather_one(
    f: &mut Builder,
    (shape, rows, size): (&Shape, &Rows, u32),
    position: [&Affine; 3],
    to: &Address,
) {
    let columns = shape.geometry.columns;
    // Neighbouring taps are neighbours in memory, where none is left out between them.
    let (runs, length) = if columns.dilation == 1 {
        (1, columns.taps * shape.depth * size)
    } else {
        (columns.taps, shape.depth * size)
    };
    let run = |f: &mut Builder, row: &Affine, column: &Affine| {
        let to = Address {
            buffer: to.buffer,
            offset: &to.offset + row * (runs * length) + column * length,
        };
        border::copy(f, &to, &rows.at(position, [row, column]), length, true);
    };
    // Few pieces are written one after the other.
    let pieces = shape.geometry.rows.taps * runs * length.div_ceil(16).min(8);
    if pieces <= 16 {
        for row in 0..shape.geometry.rows.taps {
            for column in 0..runs {
                run(f, &row.into(), &column.into());
            }
        }
    } else {
        f.each("ky", shape.geometry.rows.taps, |f, row| {
            f.each("kx", runs, |f, column| run(f, row, column));
        });
    }
}

/// Sums of products of a tile and a block of channels.
struct Product<'a> {
    arithmetic: &'a dyn Arithmetic,
    /// Bytes of an element.
    size: u32,
    /// In the order block, step, channel, element of the step.
    weights: BufferId,
    /// Elements of a position.
    depth: u32,
    /// Weights of a channel.
    padded: u32,
}

impl Product<'_> {
    /// The sums of the channels of `block`, which begins with vector `vector`, for each of these positions.
    fn sums(
        &self,
        f: &mut Builder,
        elements: &[Address],
        block: Block,
        vector: &Affine,
    ) -> Vec<Vec<Expr>> {
        let sums: Vec<Vec<Expr>> = (0..elements.len())
            .map(|_| {
                (0..block.vectors)
                    .map(|v| f.accumulator("sum", self.arithmetic.start(&(vector + v))))
                    .collect()
            })
            .collect();
        let bytes = block.vectors * LANES * self.size;
        let places = |k: &Affine| {
            let x: Vec<Address> = elements
                .iter()
                .map(|at| Address {
                    buffer: at.buffer,
                    offset: &at.offset + k * self.size,
                })
                .collect();
            let weights = Address {
                buffer: self.weights,
                offset: vector * (self.padded * LANES * self.size) + k * bytes,
            };
            (x, weights)
        };
        let unit = self.arithmetic.unit();
        let whole = self.depth / (LOADED * unit) * (LOADED * unit);
        let mut number = 0;
        let mut loaded = Vec::new();
        let bounds = (&Affine::from(0), &Affine::from(whole));
        f.unrolled("k", bounds, unit, ROUND, |f, k| {
            let (x, weights) = places(k);
            let step = number % LOADED;
            if step == 0 {
                loaded = x.iter().map(|at| self.arithmetic.load(f, at)).collect();
            }
            number += 1;
            let x = loaded.iter().map(|x| linear::step(x, step)).collect();
            self.arithmetic.add(f, x, &weights, &sums);
        });
        for k in (whole..self.depth).step_by(unit as usize) {
            let (x, weights) = places(&k.into());
            let elements = (self.depth - k).min(unit);
            self.arithmetic.broadcast(f, &x, &weights, &sums, elements);
        }
        sums
    }
}
