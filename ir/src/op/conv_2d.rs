//! `CONV_2D`: a kernel over rows, columns and input channels for each output channel, summed in the order
//! kernel row, kernel column, input channel.
//!
//! Where x has a multiple of the channels that the weights take, it is that many convolutions, each of the
//! output channels of its turn on the input channels of its turn. F32 beside I8 weights is quantised image
//! by image, with a zero point where output channels have scales of their own.

use super::{Activation, Window, linear, linear::Hybrid, operand, operand::Operands};
use crate::graph::{Graph, Node};

pub(super) fn check(graph: &Graph, node: &Node, window: &Window) -> Result<(), String> {
    let operands = Operands::new(graph, node, linear::INPUTS)?;
    let (x, weights) = (operands.input(0), operands.input(1));
    let [batch, height, width, depth] = operand::dims(x)?;
    let [channels, kernel_height, kernel_width, kernel_depth] = operand::dims(weights)?;
    let [_, out_height, out_width, _] = operand::dims(operands.output)?;
    if !depth.is_multiple_of(kernel_depth) || !channels.is_multiple_of(depth / kernel_depth) {
        return Err(format!(
            "`{}` has {depth} channels, but the weights `{}` take {kernel_depth} and give {channels}",
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
    let [images, height, width, depth] = operand::dims(operands.input(0)).expect("checked");
    let [channels, kernel_height, kernel_width, kernel_depth] =
        operand::dims(operands.input(1)).expect("checked");
    let [_, out_height, out_width, _] = operand::dims(operands.output).expect("checked");
    let (input, output) = ([height, width], [out_height, out_width]);
    let kernel = [kernel_height, kernel_width];
    let of_group = channels / (depth / kernel_depth);
    let scales = operands
        .input(1)
        .quantization
        .as_ref()
        .map_or(0, |q| q.scale.len());
    linear::evaluate(
        graph,
        node,
        activation,
        channels,
        Hybrid {
            axis: 0,
            runs: images,
            asymmetric: scales > 1,
            joint: false,
        },
        values,
        |result, pairs| {
            let (position, channel) = (result / channels, result % channels);
            let group = channel / of_group;
            for (tap, at) in window.reads(position, input, kernel, output) {
                let at_x = at * depth + group * kernel_depth;
                let at_w = (channel * kernel_height * kernel_width + tap) * kernel_depth;
                pairs.extend((0..kernel_depth).map(|c| (at_x + c, at_w + c)));
            }
        },
    )
}
