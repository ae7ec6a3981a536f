//! Convolution and fully connected operators of signed bytes for processors that multiply two pairs of 16-bit halves
//! and add both products in one instruction, such as a Cortex-M7.
//!
//! Four bytes of a word are widened to two words of halves, bytes 0 and 2, and bytes 1 and 3: of elements and of weights
//! alike, so that nothing has to be put in order. The elements under all taps of a window are widened once, for all
//! output channels, into words that are neighbours; of weights, which stay bytes, each word is used for two positions.
//! 2 positions by 2 channels are four sums, four words of elements, two of weights, and two pointers: with where the loop
//! ends, that is what 14 registers hold. The weights of a channel lie behind its constants, so that the loop over channels
//! has one pointer for both: with two it ran out of registers, which was 7 % of the example of gestures in an image. A single position, as in a fully connected operator, takes 4 channels at a time
//! and its elements from where they are.
//!
//! Instructions of the inner loop of a full tile for each product, moves between registers and the stack not counted:
//! 1.125, of one position by 4 channels 1.44.
//!
//! Beyond the image lie zero points ([`Rows`]), so the zero point of x is part of the bias.

use rune_ir::{
    graph::{DataType, Node},
    op::Activation,
    quant,
};

use super::{
    Context,
    border::{self, Rows},
    conv::Shape,
    geometry::Geometry,
    integer::Integer,
    linear::{self, Arithmetic, Channels, Order},
};
use crate::{
    kernels::Simd,
    nest::{Address, Affine, BufferId, Builder, Expr, Kernel, Load, Op, Role, Store, Ty, View},
};

/// Positions that are computed together, if there are several.
const POSITIONS: u32 = 2;
/// Channels that are computed together for several positions, and for one.
const CHANNELS: [u32; 2] = [2, 4];
/// Words in one round of a loop.
const ROUND: u32 = 8;
/// Words of elements that are widened one after the other without a loop.
const STRAIGHT: u32 = 8;

/// Most bytes of a channel's weights that lie beside its constants: with one pointer all channels of a block are
/// reached, at most 4095 bytes from it.
const BESIDE_BYTES: u32 = 960;

/// Taps of a depthwise convolution that are written one after the other.
const MOST_TAPS: u32 = 4;

/// Whether this schedule computes the sums of a node: of signed bytes, weights without a zero point.
pub(super) fn serves(context: &Context, node: &Node) -> bool {
    let [x, weights] = [0, 1].map(|index| context.tensor(node, index));
    let zero = |points: &[i32]| points.iter().all(|zero| *zero == 0);
    context.simd == Simd::Dsp
        && [x, weights].iter().all(|t| t.ty == DataType::I8)
        && weights
            .quantization
            .as_ref()
            .is_some_and(|q| zero(&q.zero_point))
}

/// As [`gemm::kernel`](super::gemm::kernel).
pub(super) fn kernel(
    shape: &Shape,
    context: &mut Context,
    node: &Node,
    name: &str,
    element: &dyn Fn(usize, usize) -> usize,
    of: &dyn Fn(usize) -> usize,
) -> Result<Kernel, String> {
    let geometry = shape.geometry;
    let (rows, columns) = (geometry.rows, geometry.columns);
    let outputs = shape.outputs;
    let depth = rows.taps * columns.taps * shape.depth;
    let words = depth.div_ceil(4);
    let positions = POSITIONS.min(columns.output);
    let across = CHANNELS[usize::from(positions == 1)].min(outputs);
    // One position's elements are read once for 4 channels, and may stay bytes.
    let taps = rows.taps * columns.taps;
    let is_direct = positions == 1 && taps == 1 && depth.is_multiple_of(4);
    let order: Order = (0..outputs as usize).map(Some).collect();
    let value = context.value(node, 1)?;
    let beside = |channel: usize| {
        let mut bytes: Vec<u8> = (0..depth as usize)
            .map(|i| value[element(channel, i)])
            .collect();
        // What fills up the last word multiplies to zero.
        bytes.resize(words as usize * 4, 0);
        bytes
    };
    let channels = Channels {
        order: &order,
        of,
        clipped: false,
        vector: false,
        dsp: true,
        beside: (words * 4 <= BESIDE_BYTES).then_some(&beside),
    };
    let bias = linear::bias(context, node)?;
    let arithmetic = Integer::new(context, node, bias, &channels)?;
    let weights = if arithmetic.beside(&0.into()).is_some() {
        None
    } else {
        let count = u64::from(outputs) * u64::from(words * 4);
        let packed = linear::pack_weights(context, node, count, |emit| {
            for block in order.chunks(across as usize) {
                for word in 0..words {
                    for channel in block {
                        for i in word * 4..word * 4 + 4 {
                            let inside = (i < depth).then_some(i as usize);
                            emit(channel.zip(inside).map(|(c, i)| element(c, i)));
                        }
                    }
                }
            }
        })?;
        Some(packed)
    };
    let zero = quant::affine(context.tensor(node, 0))?.1 as u8;
    let image = Rows::new(context, node, geometry, zero)?;
    let (_, to) = context.output(node);
    let halves = (!is_direct).then(|| context.scratch("halves", words * 8 * positions));
    // The elements under one row of taps are neighbours, where none is left out between them.
    let joined = columns.dilation == 1;
    let run = if joined {
        columns.taps * shape.depth
    } else {
        shape.depth
    };
    let bytes =
        (!is_direct && !run.is_multiple_of(4)).then(|| context.scratch("elements", words * 4));
    let mut f = Builder::new(name);
    image.declare(&mut f);
    for (buffer, name) in [(halves, "halves"), (bytes, "elements")] {
        if let Some(buffer) = buffer {
            f.operand(Role::Write, name, buffer);
        }
    }
    if let Some(weights) = weights {
        f.operand(Role::Read, "w", weights);
    }
    arithmetic.declare(&mut f);
    f.operand(Role::Write, "y", to);
    let schedule = Schedule {
        shape,
        image: &image,
        arithmetic: &arithmetic,
        weights,
        y: View::new(
            to,
            1,
            &[geometry.batch, rows.output * columns.output, outputs],
        ),
        words,
        across,
        run: Run {
            rows: rows.taps,
            columns: if joined { 1 } else { columns.taps },
            bytes: run,
        },
        halves,
        bytes,
    };
    image.start(&mut f);
    if let Some(buffer) = bytes {
        // What fills up the last word multiplies with zero, but is written before it is read.
        let offset = 0.into();
        f.fill(Address { buffer, offset }, 0, words * 4);
    }
    f.each("n", geometry.batch, |f, batch| {
        image.image(f, batch);
        f.each("oy", rows.output, |f, row| {
            image.enter(f, batch, row);
            let whole = columns.output / positions * positions;
            f.range("ox", 0, whole, positions, |f, column| {
                schedule.tile(f, [batch, row, column], positions);
            });
            if whole < columns.output {
                schedule.tile(f, [batch, row, &whole.into()], columns.output - whole);
            }
        });
    });
    Ok(f.finish())
}

/// The elements under all taps, as runs of neighbours.
#[derive(Clone, Copy)]
struct Run {
    /// Rows of taps.
    rows: u32,
    /// Runs in a row.
    columns: u32,
    /// Bytes of a run.
    bytes: u32,
}

struct Schedule<'a> {
    shape: &'a Shape,
    image: &'a Rows,
    arithmetic: &'a Integer,
    /// In the order block, word, channel, where they are not beside the constants of their channels.
    weights: Option<BufferId>,
    /// [batch, position, channel].
    y: View,
    /// Words of bytes of a position's elements, and of a channel's weights.
    words: u32,
    /// Channels of a block.
    across: u32,
    run: Run,
    /// In the order word, position: bytes 0 and 2, then bytes 1 and 3.
    halves: Option<BufferId>,
    /// The elements of one position, where runs are no whole words.
    bytes: Option<BufferId>,
}

impl Schedule<'_> {
    /// The results of neighbouring positions.
    fn tile(&self, f: &mut Builder, at: [&Affine; 3], positions: u32) {
        let [batch, row, column] = at;
        for position in 0..positions {
            self.widen(f, [batch, row, &(column + position)], position, positions);
        }
        let first = row * self.shape.geometry.columns.output + column;
        let outputs = self.shape.outputs;
        let full = outputs / self.across;
        let block = |f: &mut Builder, index: &Affine, channels: u32| {
            let channel = index * self.across;
            let sums = self.sums(f, at, &channel, channels, positions);
            for p in 0..positions {
                let sums: Vec<Expr> = sums.iter().map(|s| s[p as usize].clone()).collect();
                let to = self.y.at([batch, &(&first + p), &channel]);
                self.arithmetic.finish(f, &sums, &channel, &to, channels);
            }
        };
        f.each("block", full, |f, index| block(f, index, self.across));
        let rest = outputs - full * self.across;
        if rest > 0 {
            block(f, &full.into(), rest);
        }
    }

    /// Widens the elements of one of the positions.
    fn widen(&self, f: &mut Builder, at: [&Affine; 3], position: u32, positions: u32) {
        let Some(halves) = self.halves else {
            return;
        };
        let put = |f: &mut Builder, from: &Address, word: &Affine| {
            let x = f.value("x", Expr::Load(Load::Whole(Ty::I32), from.clone()));
            let to = Address {
                buffer: halves,
                offset: word * (8 * positions) + 8 * position,
            };
            f.store(Store::Whole, to.clone(), Expr::op(Op::Sxtb16, [x.clone()]));
            f.store(Store::Whole, to.plus(4), Expr::op(Op::Sxtb16Ror8, [x]));
        };
        let Run {
            rows,
            columns,
            bytes,
        } = self.run;
        f.each("ky", rows, |f, ky| {
            f.each("kx", columns, |f, kx| {
                let from = self.image.at(at, [ky, kx]);
                let run = ky * columns + kx;
                if let Some(buffer) = self.bytes {
                    let offset = &run * bytes;
                    border::copy(f, &Address { buffer, offset }, &from, bytes, false);
                } else {
                    let first = &run * (bytes / 4);
                    straight(f, bytes / 4, |f, i| {
                        put(f, &moved(&from, i, 4), &(&first + i));
                    });
                }
            });
        });
        if let Some(buffer) = self.bytes {
            let offset = 0.into();
            let from = Address { buffer, offset };
            straight(f, self.words, |f, i| {
                put(f, &moved(&from, i, 4), i);
            });
        }
    }

    /// The sums of the channels of a block for each position.
    fn sums(
        &self,
        f: &mut Builder,
        at: [&Affine; 3],
        channel: &Affine,
        channels: u32,
        positions: u32,
    ) -> Vec<Vec<Expr>> {
        let mut start = |c: u32| -> Vec<Expr> {
            let start = self.arithmetic.start(&(channel + c));
            let start = if positions > 1 {
                f.value("bias", start)
            } else {
                start
            };
            (0..positions)
                .map(|_| f.accumulator("sum", start.clone()))
                .collect()
        };
        let sums: Vec<Vec<Expr>> = (0..channels).map(&mut start).collect();
        let step = |f: &mut Builder, word: &Affine| {
            let x: Vec<[Expr; 2]> = (0..positions)
                .map(|p| {
                    let halves = if let Some(buffer) = self.halves {
                        let offset = word * (8 * positions) + 8 * p;
                        let from = Address { buffer, offset };
                        [0, 4].map(|half| Expr::Load(Load::Whole(Ty::I32), from.plus(half)))
                    } else {
                        let from = self.image.at(at, [&0.into(), &0.into()]);
                        halves_of(f, "x", &moved(&from, word, 4))
                    };
                    halves.map(|half| f.value("x", half))
                })
                .collect();
            for (c, sums) in (0..).zip(&sums) {
                let weights = match (self.weights, self.arithmetic.beside(&(channel + c))) {
                    (Some(buffer), _) => Address {
                        buffer,
                        offset: channel * (self.words * 4) + word * (channels * 4) + c * 4,
                    },
                    (None, beside) => moved(&beside.expect("weights are somewhere"), word, 4),
                };
                let w = halves_of(f, "w", &weights).map(|half| f.value("w", half));
                for half in 0..2 {
                    for (x, sum) in x.iter().zip(sums) {
                        let products = [x[half].clone(), w[half].clone(), sum.clone()];
                        f.set(sum, Expr::op(Op::Smlad, products));
                    }
                }
            }
        };
        rounds(f, self.words, ROUND, step);
        sums
    }
}

/// The place so many times `bytes` further on.
fn moved(at: &Address, by: &Affine, bytes: u32) -> Address {
    Address {
        buffer: at.buffer,
        offset: &at.offset + by * bytes,
    }
}

/// The bytes of a word as two words of halves.
fn halves_of(f: &mut Builder, name: &'static str, at: &Address) -> [Expr; 2] {
    let word = f.value(name, Expr::Load(Load::Whole(Ty::I32), at.clone()));
    [Op::Sxtb16, Op::Sxtb16Ror8].map(|op| Expr::op(op, [word.clone()]))
}

/// Runs `body` for every index below `count`, one after the other where they are few.
fn straight(f: &mut Builder, count: u32, body: impl FnMut(&mut Builder, &Affine)) {
    let round = if count <= STRAIGHT { count } else { ROUND };
    rounds(f, count, round, body);
}

/// Runs `body` for every index below `count`, so many in one round of a loop.
pub(super) fn rounds(
    f: &mut Builder,
    count: u32,
    round: u32,
    mut body: impl FnMut(&mut Builder, &Affine),
) {
    let whole = count / round * round;
    f.range("k", 0, whole, round, |f, first| {
        for i in 0..round {
            body(f, &(first + i));
        }
    });
    for i in whole..count {
        body(f, &i.into());
    }
}

/// A depthwise convolution with one result for each channel, if this schedule computes it: four channels at a time, the
/// products of halves by themselves. Weights are halves in memory, of each four channels in the order 0, 2, 1, 3.
pub(super) fn depthwise(
    context: &mut Context,
    node: &Node,
    geometry: &Geometry,
    activation: Activation,
) -> Result<Option<Kernel>, String> {
    let (y, to) = context.output(node);
    let channels = y.shape[3];
    if !serves(context, node) || !channels.is_multiple_of(4) {
        return Ok(None);
    }
    let Geometry { rows, columns, .. } = *geometry;
    let taps = rows.taps * columns.taps;
    let order: Order = (0..channels as usize).map(Some).collect();
    let constants = Channels {
        order: &order,
        of: &|element| element % channels as usize,
        clipped: false,
        vector: false,
        dsp: true,
        beside: None,
    };
    let arithmetic = linear::arithmetic(context, node, activation, &constants)?;
    let value = context.value(node, 1)?;
    let mut packed = Vec::with_capacity(value.len() * 2);
    for first in (0..channels).step_by(4) {
        for tap in 0..taps {
            for channel in [0, 2, 1, 3] {
                let weight = value[(tap * channels + first + channel) as usize];
                packed.extend_from_slice(&i16::from(weight.cast_signed()).to_le_bytes());
            }
        }
    }
    let weights = context.constant(&context.tensor(node, 1).name, packed);
    let zero = quant::affine(context.tensor(node, 0))?.1 as u8;
    let image = Rows::new(context, node, *geometry, zero)?;
    let y = View::new(
        to,
        1,
        &[geometry.batch, rows.output, columns.output, channels],
    );
    let mut f = Builder::new("depthwise_conv_2d");
    image.declare(&mut f);
    f.operand(Role::Read, "w", weights);
    arithmetic.declare(&mut f);
    f.operand(Role::Write, "y", to);
    image.start(&mut f);
    let results = |f: &mut Builder, at: [&Affine; 3], block: &Affine| {
        let channel = block * 4;
        let sums: [Expr; 4] =
            [0, 1, 2, 3].map(|c| f.accumulator("sum", arithmetic.start(&(&channel + c))));
        let tap = |f: &mut Builder, ky: &Affine, kx: &Affine| {
            let x = image.at(at, [ky, kx]);
            let x = halves_of(f, "x", &moved(&x, block, 4)).map(|half| f.value("x", half));
            let offset = block * (taps * 8) + (ky * columns.taps + kx) * 8;
            let w = Address {
                buffer: weights,
                offset,
            };
            for (half, x) in (0..).zip(x) {
                let w = Expr::Load(Load::Whole(Ty::I32), w.plus(half * 4));
                let w = f.value("w", w);
                for (op, c) in [(Op::Smlabb, half), (Op::Smlatt, half + 2)] {
                    let sum = &sums[c as usize];
                    f.set(sum, Expr::op(op, [x.clone(), w.clone(), sum.clone()]));
                }
            }
        };
        if taps <= MOST_TAPS {
            for ky in 0..rows.taps {
                for kx in 0..columns.taps {
                    tap(f, &ky.into(), &kx.into());
                }
            }
        } else {
            f.each("ky", rows.taps, |f, ky| {
                rounds(f, columns.taps, ROUND.min(columns.taps), |f, kx| {
                    tap(f, ky, kx);
                });
            });
        }
        let to = y.at([at[0], at[1], at[2], &channel]);
        arithmetic.finish(f, &sums, &channel, &to, 4);
    };
    f.each("n", geometry.batch, |f, batch| {
        image.image(f, batch);
        f.each("oy", rows.output, |f, row| {
            image.enter(f, batch, row);
            f.each("ox", columns.output, |f, column| {
                f.each("block", channels / 4, |f, block| {
                    results(f, [batch, row, column], block);
                });
            });
        });
    });
    Ok(Some(f.finish()))
}
