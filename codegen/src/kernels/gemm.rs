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
    conv::{Block, Shape},
    linear::{self, Arithmetic, Channels, LANES, Order},
    rows::{self, Rows},
};
use crate::nest::{Address, Affine, BufferId, Builder, Expr, Kernel, Role, View};

/// Sums that a tile keeps in locals.
const SUMS: u32 = 8;
/// Steps whose elements are loaded at once.
const LOADED: u32 = 4;
/// Steps in one round of the loop over elements.
const ROUND: u32 = 8;

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
    let order: Order = (0..outputs.next_multiple_of(LANES))
        .map(|c| (c < outputs).then_some(c as usize))
        .collect();
    let channels = Channels {
        order: &order,
        of,
        clipped: false,
        vector: true,
    };
    let arithmetic = linear::arithmetic(context, node, activation, &channels)?;
    let taps = geometry.rows.taps * geometry.columns.taps;
    let depth = taps * shape.depth;
    let gathered = taps > 1 || geometry.is_clipped();
    let unit = arithmetic.unit();
    let padded = depth.next_multiple_of(if gathered { LOADED * unit } else { unit });
    let (full, block, rest) = shape.blocks(LANES);
    let count = order.len() as u64 * u64::from(padded);
    let weights = linear::pack_weights(context, node, count, |emit| {
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
    })?;
    let x = context.tensor(node, 0);
    let zero = match x.ty {
        DataType::F32 => 0,
        _ => quant::affine(x)?.1 as u8,
    };
    let rows = Rows::new(context, node, geometry, zero)?;
    let size = x.ty.size();
    let (_, to) = context.output(node);
    let columns = geometry.columns.output;
    let positions = (SUMS / block.vectors).min(4).min(columns);
    let gather = gathered.then(|| context.scratch("elements", positions * padded * size));
    let view = [geometry.batch, geometry.rows.output, columns, outputs];
    let y = View::new(to, size, &view);
    let mut f = Builder::new(name);
    rows.declare(&mut f);
    if let Some(buffer) = gather {
        f.operand(Role::Write, "elements", buffer);
        // What fills up the last octet multiplies with zero, but is written before it is read.
        let offset = 0.into();
        f.fill(Address { buffer, offset }, 0, positions * padded * size);
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
    rows.each(&mut f, &mut |f, batch, row| {
        rows::tiles(f, "ox", columns, positions, |f, column| {
            let elements: Vec<Address> = (0..positions)
                .map(|i| match gather {
                    Some(buffer) => {
                        let offset = (i * padded * size).into();
                        let to = Address { buffer, offset };
                        gather_one(f, (shape, &rows, size), [batch, row, &(column + i)], &to);
                        to
                    }
                    None => rows.at([batch, row, &(column + i)], [&0.into(), &0.into()]),
                })
                .collect();
            let mut write = |f: &mut Builder, index: &Affine, here: Block| {
                let vector = index * block.vectors;
                let sums = product.sums(f, &elements, here, &vector);
                for (i, sums) in (0..).zip(&sums) {
                    let channel = &vector * LANES;
                    let at = y.at([batch, row, &(column + i), &channel]);
                    arithmetic.finish(f, sums, &vector, &at, here.results);
                }
            };
            f.each("block", full, |f, index| write(f, index, block));
            if let Some(rest) = rest {
                write(f, &full.into(), rest);
            }
        });
    });
    Ok(f.finish())
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
    let mut run = |f: &mut Builder, row: &Affine, column: &Affine| {
        let to = Address {
            buffer: to.buffer,
            offset: &to.offset + row * (runs * length) + column * length,
        };
        rows::copy(f, &to, &rows.at(position, [row, column]), length);
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
