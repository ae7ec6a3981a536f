//! `MAX_POOL_2D`, `AVERAGE_POOL_2D` and `L2_POOL_2D`: one number for each window, of the taps inside the
//! tensor.
//!
//! Every window has at least one. F32 maximum: from the least finite number up, so NaN taps are passed
//! over. F32 average: the sum from +0.0 in the order row, column, divided by the count; L2, of F32 alone:
//! the square root of such an average of squares. Integer average: the sum divided by the count, halves
//! away from zero. Input and output of integers have one scale and zero point.

use super::{Activation, Window, arithmetic, operand, operand::Operands};
use crate::{
    graph::{DataType, Graph, Node},
    quant,
};

/// Most taps of a window of bytes, so that their sum fits 31 bits.
const MAX_TAPS: u64 = 1 << 23;

/// The number taken of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pool {
    Max,
    Average,
    /// The root of the average square.
    L2,
}

pub(super) fn check(
    graph: &Graph,
    node: &Node,
    pool: Pool,
    window: &Window,
    size: [u32; 2],
    activation: Activation,
) -> Result<(), String> {
    let operands = Operands::new(graph, node, (1, 1))?;
    let [batch, height, width, depth] = operand::dims(operands.input(0))?;
    let [_, out_height, out_width, _] = operand::dims(operands.output)?;
    let due = [batch, out_height, out_width, depth].map(|d| d as u32);
    operand::shape(operands.output, &due)?;
    if window.dilation != [1, 1] {
        return Err("its window is dilated".to_owned());
    }
    window.check(
        [height, width],
        size.map(|s| s as usize),
        [out_height, out_width],
    )?;
    operand::same_type(operands.input(0), operands.output)?;
    if operands.output.ty == DataType::F32 {
        return Ok(());
    }
    if pool == Pool::L2 {
        return operand::one_of(operands.output, &[DataType::F32]);
    }
    let types = [DataType::I8, DataType::U8, DataType::I16];
    operand::one_of(operands.output, &types)?;
    let taps = u64::from(size[0]) * u64::from(size[1]);
    let most = MAX_TAPS >> (8 * (operands.output.ty.size() - 1));
    if taps > most {
        return Err(format!("its window has {taps} taps, more than {most}"));
    }
    operand::same_affine(operands.input(0), operands.output)?;
    quant::activation_range(operands.output, activation)?;
    Ok(())
}

pub(super) fn evaluate(
    graph: &Graph,
    node: &Node,
    pool: Pool,
    window: &Window,
    size: [u32; 2],
    activation: Activation,
    value: &[u8],
) -> Vec<u8> {
    let operands = Operands::new(graph, node, (1, 1)).expect("checked");
    let [_, height, width, depth] = operand::dims(operands.input(0)).expect("checked");
    let [_, out_height, out_width, _] = operand::dims(operands.output).expect("checked");
    let size = size.map(|s| s as usize);
    let taps = |result: usize| {
        let (position, channel) = (result / depth, result % depth);
        let reads = window.reads(position, [height, width], size, [out_height, out_width]);
        reads.map(move |(_, at)| at * depth + channel)
    };
    let results = 0..operands.output.elements();
    let ty = operands.output.ty;
    if ty == DataType::F32 {
        let x = operand::floats(value);
        operand::float_bytes(results.map(|i| {
            let taps = taps(i).map(|at| x[at]);
            let pooled = match pool {
                Pool::Max => taps.fold(f32::MIN, arithmetic::at_least),
                Pool::Average => {
                    let (sum, count) = taps.fold((0.0, 0), |(sum, n), x| (sum + x, n + 1));
                    sum / count as f32
                }
                Pool::L2 => {
                    let (sum, count) = taps.fold((0.0, 0), |(sum, n), x| (sum + x * x, n + 1));
                    libm::sqrtf(sum / count as f32)
                }
            };
            arithmetic::activate(activation, pooled)
        }))
    } else {
        let x: Vec<i32> = operand::wide_integers(ty, value)
            .into_iter()
            .map(|x| x as i32)
            .collect();
        let range = quant::activation_range(operands.output, activation).expect("checked");
        let integers = results.map(|i| {
            let taps = taps(i).map(|at| x[at]);
            match pool {
                Pool::Max => taps.max().expect("a window has a tap inside"),
                Pool::Average | Pool::L2 => {
                    let (sum, count) = taps.fold((0, 0), |(sum, n), x| (sum + x, n + 1));
                    if sum > 0 {
                        (sum + count / 2) / count
                    } else {
                        (sum - count / 2) / count
                    }
                }
            }
        });
        let (least, most) = range;
        operand::wide_integer_bytes(ty, integers.map(|x| x.clamp(least, most).into()))
    }
}
