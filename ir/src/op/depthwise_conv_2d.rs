//! `DEPTHWISE_CONV_2D`: a kernel over rows and columns for each output channel, summed in the order kernel
//! row, kernel column. With a depth multiplier m, output channel c reads input channel c / m.
//! F32 beside I8 weights is quantised image by image, with a zero point.

use super::{Activation, Window, linear, linear::Hybrid, operand, operand::Operands};
use crate::graph::{Graph, Node};

pub(super) fn check(graph: &Graph, node: &Node, window: &Window) -> Result<(), String> {
    let operands = Operands::new(graph, node, linear::INPUTS)?;
    let (x, weights) = (operands.input(0), operands.input(1));
    let [batch, height, width, depth] = operand::dims(x)?;
    let [one, kernel_height, kernel_width, channels] = operand::dims(weights)?;
    let [_, out_height, out_width, _] = operand::dims(operands.output)?;
    if one != 1 || !channels.is_multiple_of(depth) {
        return Err(format!(
            "the weights `{}` have the shape {:?} for {depth} input channels",
            weights.name, weights.shape
        ));
    }
    let due = [batch, out_height, out_width, channels].map(|d| d as u32);
    operand::shape(operands.output, &due)?;
    window.check(
        [height, width],
        [kernel_height, kernel_width],
        [out_height, out_width],
    )?;
    linear::check(graph, node, &operands, 3, channels)
}

pub(super) fn evaluate(
    graph: &Graph,
    node: &Node,
    window: &Window,
    activation: Activation,
    values: &[Option<&[u8]>],
) -> Vec<u8> {
    let operands = Operands::new(graph, node, linear::INPUTS).expect("checked");
    let [images, height, width, depth] = operand::dims(operands.input(0)).expect("checked");
    let [_, kernel_height, kernel_width, channels] =
        operand::dims(operands.input(1)).expect("checked");
    let [_, out_height, out_width, _] = operand::dims(operands.output).expect("checked");
    let (input, output) = ([height, width], [out_height, out_width]);
    let kernel = [kernel_height, kernel_width];
    let multiplier = channels / depth;
    linear::evaluate(
        graph,
        node,
        activation,
        channels,
        Hybrid {
            axis: 3,
            runs: images,
            asymmetric: true,
            joint: false,
        },
        values,
        |result, pairs| {
            let (position, channel) = (result / channels, result % channels);
            for (tap, at) in window.reads(position, input, kernel, output) {
                pairs.push((at * depth + channel / multiplier, tap * channels + channel));
            }
        },
    )
}
