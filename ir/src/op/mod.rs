//! The operators of models: attributes, the laws on their operands, and slow, obvious evaluation.
//!
//! Layout is TFLite's: activations NHWC, convolution weights OHWI, depthwise weights 1HWO,
//! fully-connected weights OI. Integer arithmetic is that of TFLite's *reference* kernels, bit for bit.
//! The order of every f32 sum is part of the operator's definition and said in its file; every operation
//! on f32 is rounded by itself (nothing is fused), and a NaN that an operator computes is stored as the
//! canonical one (operators that only move elements copy what they are given).

mod add_n;
mod along;
mod arg;
mod arithmetic;
mod batch_mat_mul;
mod binary;
mod broadcast;
mod control;
mod conv_2d;
mod cumsum;
mod depthwise_conv_2d;
mod detection;
mod fixed;
mod fully_connected;
mod hybrid;
mod l2_normalization;
mod linear;
mod log_softmax;
mod lstm;
mod movement;
mod normalize;
mod operand;
mod pad;
mod pool_2d;
mod quantize;
mod real;
mod reduce;
mod reshape;
mod select;
pub mod signal;
mod softmax;
mod svdf;
mod top_k;
mod transpose_conv;
mod unary;
mod weighted;
mod window;

use crate::graph::{Graph, Node, State};
pub use binary::Binary;
pub use movement::{Movement, Stretch};
pub use operand::check_shape;
pub(crate) use operand::check_size;
use pool_2d::Pool;
use signal::Signal;
pub use unary::Unary;
pub use {
    along::Along,
    batch_mat_mul::Product,
    control::{Access, Control, share_variables},
    detection::Detection,
    lstm::{Lstm, Steps},
    normalize::Normalize,
    reduce::{Reduce, Reduction},
    svdf::Filters,
    weighted::Weighted,
};

/// A function applied to the result of another operator before it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Activation {
    /// Nothing.
    #[default]
    None,
    /// max(x, 0).
    Relu,
    /// min(max(x, -1), 1).
    ReluN1To1,
    /// min(max(x, 0), 6).
    Relu6,
}

/// How a window moves over the two spatial dimensions of an NHWC tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Rows and columns between two positions; at least 1.
    pub stride: [u32; 2],
    /// Rows and columns between two taps; at least 1. Pooling has 1.
    pub dilation: [u32; 2],
    /// Rows above and columns left of the tensor that count as empty. The output's shape says the rest.
    pub pad: [u32; 2],
}

/// What a [`Node`](crate::graph::Node) computes.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Inputs: x [..., i], weights [o, i], bias [o] or none. Output: [rows, o], any shape of that size.
    FullyConnected {
        /// Applied to the result.
        activation: Activation,
        /// Whether F32 beside I8 weights is quantised with a zero point.
        asymmetric: bool,
    },
    /// Inputs: x [n, h, w, i], weights [o, kh, kw, i], bias [o] or none. Output: [n, oh, ow, o].
    Conv2d {
        /// How the kernel moves.
        window: Window,
        /// Applied to the result.
        activation: Activation,
    },
    /// Inputs: x [n, h, w, i], weights [1, kh, kw, o], bias [o] or none; o is a multiple of i. Output: [n, oh, ow, o].
    DepthwiseConv2d {
        /// How the kernel moves.
        window: Window,
        /// Applied to the result.
        activation: Activation,
    },
    /// Input: x [n, h, w, c]. Output: [n, oh, ow, c].
    MaxPool2d {
        /// How the window moves.
        window: Window,
        /// Rows and columns of the window.
        size: [u32; 2],
        /// Applied to the result.
        activation: Activation,
    },
    /// Input: x [n, h, w, c]. Output: [n, oh, ow, c]; the mean is over taps inside the tensor.
    AveragePool2d {
        /// How the window moves.
        window: Window,
        /// Rows and columns of the window.
        size: [u32; 2],
        /// Applied to the result.
        activation: Activation,
    },
    /// Input: x. Output: the same elements in another shape.
    Reshape,
    /// Input: x. Output: of the same shape; exp(beta * x) normalised over the last dimension.
    Softmax {
        /// The factor in the exponent.
        beta: f32,
    },
    /// Inputs: a, b, of shapes that broadcast to the output's. Output: a + b.
    Add {
        /// Applied to the result.
        activation: Activation,
    },
    /// Inputs: a, b, of shapes that broadcast to the output's.
    Binary {
        /// The function of two elements.
        op: Binary,
        /// Applied to the result of SUB, MUL and DIV; the others have none.
        activation: Activation,
    },
    /// Input: x. Output: a function of each element, of the same shape.
    Unary(Unary),
    /// Inputs: two tensors or more. Output: their sum, of the same shape.
    AddN,
    /// Inputs: condition, a, b, of shapes that broadcast to the output's.
    Select {
        /// Whether the condition has one element for each index of the first dimension.
        rows: bool,
    },
    /// Input: x. Output: max(x, 0), of the same shape.
    Relu,
    /// Input: x. Output: min(max(x, 0), 6), of the same shape.
    Relu6,
    /// Input: x. Output: 1 / (1 + exp(-x)), of the same shape; of F32 below -9, exp(x).
    Logistic,
    /// Input: f32, or an integer to requantise. Output: a quantised integer of the same shape.
    Quantize,
    /// Input: a quantised integer. Output: f32 of the same shape.
    Dequantize,
    /// Inputs: x, and the value of what is added or none: zero, or the zero point. Output: x with elements
    /// added around it.
    Pad {
        /// Elements before each dimension; those after follow from the output's shape.
        before: Vec<u32>,
    },
    /// Of those that move elements, any other.
    Movement(Movement),
    /// A signal operator.
    Signal(Signal),
    /// Input: x [n, h, w, c]. Output: [n, oh, ow, c]; the root of the mean of squares.
    L2Pool2d {
        /// How the window moves.
        window: Window,
        /// Rows and columns of the window.
        size: [u32; 2],
        /// Applied to the result.
        activation: Activation,
    },
    /// MEAN, SUM and their like.
    Reduce(Reduce),
    /// What goes along one dimension.
    Along(Along),
    /// What makes each row of the same row.
    Normalize(Normalize),
    /// Chooses boxes.
    Detection(Detection),
    /// Runs other graphs.
    Control(Control),
    /// Reads or changes a variable.
    Access(Access),
    /// What else multiplies by weights.
    Weighted(Weighted),
}

impl Op {
    /// The operator's name, as TFLite spells it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::FullyConnected { .. } => "FULLY_CONNECTED",
            Self::Conv2d { .. } => "CONV_2D",
            Self::DepthwiseConv2d { .. } => "DEPTHWISE_CONV_2D",
            Self::MaxPool2d { .. } => "MAX_POOL_2D",
            Self::AveragePool2d { .. } => "AVERAGE_POOL_2D",
            Self::Reshape => "RESHAPE",
            Self::Softmax { .. } => "SOFTMAX",
            Self::Add { .. } => "ADD",
            Self::Binary { op, .. } => op.name(),
            Self::Unary(op) => op.name(),
            Self::AddN => "ADD_N",
            Self::Select { rows: true } => "SELECT",
            Self::Select { rows: false } => "SELECT_V2",
            Self::Relu => "RELU",
            Self::Relu6 => "RELU6",
            Self::Logistic => "LOGISTIC",
            Self::Quantize => "QUANTIZE",
            Self::Dequantize => "DEQUANTIZE",
            Self::Pad { .. } => "PAD",
            Self::Movement(movement) => movement.name(),
            Self::Signal(signal) => signal.name(),
            Self::L2Pool2d { .. } => "L2_POOL_2D",
            Self::Reduce(reduce) => reduce.name(),
            Self::Along(along) => along.name(),
            Self::Normalize(normalize) => normalize.name(),
            Self::Detection(_) => "TFLite_Detection_PostProcess",
            Self::Control(control) => control.name(),
            Self::Access(access) => access.name(),
            Self::Weighted(op) => op.name(),
        }
    }
}

impl Op {
    /// Whether evaluation surely ends, in a time that the sizes of the operands bound.
    pub fn ends(&self) -> bool {
        if let Self::Control(control) = self {
            control.ends()
        } else {
            true
        }
    }
}

/// Checks every law that evaluation and code generation rely on: number, types, shapes and quantisation
/// of the operands, and attributes that fit them.
///
/// # Errors
/// The first broken law, as a clause about the node.
pub fn check(graph: &Graph, node: &Node) -> Result<(), String> {
    match &node.op {
        Op::FullyConnected { .. } => fully_connected::check(graph, node),
        Op::Conv2d { window, .. } => conv_2d::check(graph, node, window),
        Op::DepthwiseConv2d { window, .. } => depthwise_conv_2d::check(graph, node, window),
        Op::MaxPool2d {
            window,
            size,
            activation,
        } => pool_2d::check(graph, node, Pool::Max, window, *size, *activation),
        Op::AveragePool2d {
            window,
            size,
            activation,
        } => pool_2d::check(graph, node, Pool::Average, window, *size, *activation),
        Op::L2Pool2d {
            window,
            size,
            activation,
        } => pool_2d::check(graph, node, Pool::L2, window, *size, *activation),
        Op::Reshape => reshape::check(graph, node),
        Op::Softmax { beta } => softmax::check(graph, node, *beta),
        Op::Add { activation } => binary::check(graph, node, Binary::Add, *activation),
        Op::Binary { op, activation } => binary::check(graph, node, *op, *activation),
        Op::Unary(op) => unary::check(graph, node, *op),
        Op::AddN => add_n::check(graph, node),
        Op::Select { rows } => select::check(graph, node, *rows),
        Op::Relu => unary::check_relu(graph, node, Activation::Relu),
        Op::Relu6 => unary::check_relu(graph, node, Activation::Relu6),
        Op::Logistic => unary::check_logistic(graph, node),
        Op::Quantize => quantize::check_quantize(graph, node),
        Op::Dequantize => quantize::check_dequantize(graph, node),
        Op::Pad { before } => pad::check(graph, node, before),
        Op::Movement(movement) => movement.check(graph, node),
        Op::Signal(signal) => signal.check(graph, node),
        Op::Reduce(reduce) => reduce.check(graph, node),
        Op::Along(along) => along.check(graph, node),
        Op::Normalize(normalize) => normalize.check(graph, node),
        Op::Detection(detection) => detection.check(graph, node),
        Op::Control(control) => control.check(graph, node),
        Op::Access(access) => access.check(graph, node),
        Op::Weighted(op) => op.check(graph, node),
    }
}

/// The bytes of each output, given those of each input in order (`None` for one left out). Changes the
/// variables that the node names.
///
/// # Panics
/// A node that does not pass [`check`], a value that is not as long as its tensor, or the state of another
/// graph.
pub fn evaluate(
    graph: &Graph,
    node: &Node,
    values: &[Option<&[u8]>],
    state: &mut State,
) -> Vec<Vec<u8>> {
    let value = |index: usize| values[index].expect("an operand that is present has a value");
    // Families with more than one result, or with state, return from here.
    let result = match &node.op {
        Op::FullyConnected {
            activation,
            asymmetric,
        } => fully_connected::evaluate(graph, node, *activation, *asymmetric, values),
        Op::Conv2d { window, activation } => {
            conv_2d::evaluate(graph, node, window, *activation, values)
        }
        Op::DepthwiseConv2d { window, activation } => {
            depthwise_conv_2d::evaluate(graph, node, window, *activation, values)
        }
        Op::MaxPool2d {
            window,
            size,
            activation,
        } => pool_2d::evaluate(graph, node, Pool::Max, window, *size, *activation, value(0)),
        Op::AveragePool2d {
            window,
            size,
            activation,
        } => pool_2d::evaluate(
            graph,
            node,
            Pool::Average,
            window,
            *size,
            *activation,
            value(0),
        ),
        Op::Reshape => reshape::evaluate(value(0)),
        Op::Softmax { beta } => softmax::evaluate(graph, node, *beta, value(0)),
        Op::Add { activation } => {
            let values = [value(0), value(1)];
            binary::evaluate(graph, node, Binary::Add, *activation, values)
        }
        Op::Binary { op, activation } => {
            binary::evaluate(graph, node, *op, *activation, [value(0), value(1)])
        }
        Op::Unary(op) => unary::evaluate(graph, node, *op, value(0)),
        Op::AddN => add_n::evaluate(graph, node, values),
        Op::Select { rows } => select::evaluate(graph, node, *rows, [value(0), value(1), value(2)]),
        Op::Relu => unary::relu(graph, node, Activation::Relu, value(0)),
        Op::Relu6 => unary::relu(graph, node, Activation::Relu6, value(0)),
        Op::Logistic => unary::logistic(graph, node, value(0)),
        Op::Quantize => quantize::quantize(graph, node, value(0)),
        Op::Dequantize => quantize::dequantize(graph, node, value(0)),
        Op::Pad { before } => {
            let fill = values.get(1).copied().flatten();
            pad::evaluate(graph, node, before, value(0), fill)
        }
        Op::Movement(movement) => return movement.evaluate(graph, node, values),
        Op::Signal(signal) => return signal.evaluate(graph, node, values, state),
        Op::L2Pool2d {
            window,
            size,
            activation,
        } => pool_2d::evaluate(graph, node, Pool::L2, window, *size, *activation, value(0)),
        Op::Reduce(reduce) => reduce.evaluate(graph, node, value(0)),
        Op::Along(along) => return along.evaluate(graph, node, value(0)),
        Op::Normalize(normalize) => normalize.evaluate(graph, node, value(0)),
        Op::Detection(detection) => {
            return detection.evaluate(graph, node, [value(0), value(1), value(2)]);
        }
        Op::Control(control) => return control.evaluate(values, state),
        Op::Access(access) => return access.evaluate(node, values, state),
        Op::Weighted(op) => return op.evaluate(graph, node, values, state),
    };
    vec![result]
}
