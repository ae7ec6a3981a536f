//! `CONV_2D`: a kernel over rows, columns and input channels for each output channel, summed in the order
//! kernel row, kernel column, input channel.

use super::{Activation, Window, linear, operand, operand::Operands};
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
    window.check(
        [height, width],
        [kernel_height, kernel_width],
        [out_height, out_width],
    )?;
    linear::check(graph, node, &operands, channels)
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
    linear::evaluate(
        graph,
        node,
        activation,
        channels,
        values,
        |result, pairs| {
            let (position, channel) = (result / channels, result % channels);
            let (row, column) = (position / out_width, position % out_width);
            let (batch, row) = (row / out_height, row % out_height);
            for (kernel_row, y) in window.taps(0, row, kernel_height, height) {
                for (kernel_column, x) in window.taps(1, column, kernel_width, width) {
                    let at_x = ((batch * height + y) * width + x) * depth;
                    let at_w = ((channel * kernel_height + kernel_row) * kernel_width
                        + kernel_column)
                        * depth;
                    pairs.extend((0..depth).map(|c| (at_x + c, at_w + c)));
                }
            }
        },
    )
}
