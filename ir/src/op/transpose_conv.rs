//! `TRANSPOSE_CONV`: each element of x times the kernel of an output channel is added to the output where
//! the window stands. A result is summed in the order row of x, column of x, input channel.

use super::{
    Activation, Window, linear,
    linear::{Form, Hybrid},
    operand,
    operand::Operands,
};
use crate::graph::{Graph, Node};

pub(super) fn check(graph: &Graph, node: &Node, window: &Window) -> Result<(), String> {
    let operands = Operands::new(graph, node, linear::INPUTS)?;
    let (x, weights) = (operands.input(0), operands.input(1));
    let [batch, height, width, depth] = operand::dims(x)?;
    let [channels, kernel_height, kernel_width, kernel_depth] = operand::dims(weights)?;
    let [_, out_height, out_width, _] = operand::dims(operands.output)?;
    if depth != kernel_depth {
        return Err(format!(
            "`{}` has {depth} channels, but the weights `{}` take {kernel_depth}",
            x.name, weights.name
        ));
    }
    let due = [batch, out_height, out_width, channels].map(|d| d as u32);
    operand::shape(operands.output, &due)?;
    if window.dilation != [1, 1] {
        return Err("its window is dilated".to_owned());
    }
    // It moves over the output, and stands once for each element of x.
    window.check(
        [out_height, out_width],
        [kernel_height, kernel_width],
        [height, width],
    )?;
    if linear::form(x, weights, operands.output)? == Form::Hybrid {
        return Err(format!(
            "the weights `{}` are integers, but `{}` is not",
            weights.name, x.name
        ));
    }
    linear::check(graph, node, &operands, 0, channels)
}

pub(super) fn evaluate(
    graph: &Graph,
    node: &Node,
    window: &Window,
    activation: Activation,
    values: &[Option<&[u8]>],
) -> Vec<u8> {
    let operands = Operands::new(graph, node, linear::INPUTS).expect("checked");
    let [_, height, width, depth] = operand::dims(operands.input(0)).expect("checked");
    let [channels, kernel_height, kernel_width, _] =
        operand::dims(operands.input(1)).expect("checked");
    let [_, out_height, out_width, _] = operand::dims(operands.output).expect("checked");
    // No F32 beside integers comes here.
    let hybrid = Hybrid {
        axis: 0,
        runs: 1,
        asymmetric: false,
        joint: true,
    };
    linear::evaluate(
        graph,
        node,
        activation,
        channels,
        hybrid,
        values,
        |result, pairs| {
            let (position, channel) = (result / channels, result % channels);
            let (out_row, out_column) = (position / out_width, position % out_width);
            let (batch, out_row) = (out_row / out_height, out_row % out_height);
            for row in 0..height {
                let Some(kernel_row) = tap(window, 0, row, out_row, kernel_height) else {
                    continue;
                };
                for column in 0..width {
                    let Some(kernel_column) = tap(window, 1, column, out_column, kernel_width)
                    else {
                        continue;
                    };
                    let at_x = ((batch * height + row) * width + column) * depth;
                    let at_w = ((channel * kernel_height + kernel_row) * kernel_width
                        + kernel_column)
                        * depth;
                    pairs.extend((0..depth).map(|c| (at_x + c, at_w + c)));
                }
            }
        },
    )
}

/// The tap of the window, of `taps` rows (`axis` 0) or columns (1), that lies on row or column `out` of the
/// output when it stands at position `position`.
fn tap(window: &Window, axis: usize, position: usize, out: usize, taps: usize) -> Option<usize> {
    let [stride, pad] = [window.stride, window.pad].map(|a| a[axis] as usize);
    (out + pad)
        .checked_sub(position * stride)
        .filter(|tap| *tap < taps)
}
