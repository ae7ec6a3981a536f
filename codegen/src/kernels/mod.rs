//! The operators of a model as kernels: for each node of a graph, a loop nest specialised to its shapes,
//! its constants and its quantisation.
//!
//! Every schedule gives the bits of `rune_ir`'s evaluation: an f32 sum is never reordered, vectors hold
//! independent outputs. Integer arithmetic is derived here anew from the laws in `rune_ir::op`.

mod along;
mod batch_mat_mul;
mod binary;
mod border;
mod canonical;
mod constants;
mod control;
mod conv;
mod copy;
mod depthwise;
mod detection;
mod direct;
mod dot;
mod dsp;
mod element;
mod exp;
mod fixed;
mod float;
mod gather;
mod gemm;
mod general;
mod geometry;
mod hybrid;
mod integer;
mod linear;
mod lstm;
mod map;
mod movement;
mod pool;
mod quotient;
mod real;
mod reduce;
mod requantize;
mod rescale;
mod resize;
mod rows;
mod scale;
mod seen;
mod signal;
mod softmax;
mod svdf;
mod taps;
mod transcendental;
mod unary;

use std::fmt;

use rune_ir::{
    arena::{Arena, Side},
    graph::{DataType, Graph, Node, Tensor, TensorId, Variable},
    op::{Activation, Binary, Op, Weighted},
};

pub(crate) use canonical::canonicalise;

use constants::Constants;

use crate::nest::{Buffer, BufferId, Kernel};

/// Which vector instructions kernels may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Simd {
    /// None.
    Off,
    /// 128-bit, with the same results as without.
    #[default]
    On,
    /// 128-bit, and products of f32 sums of weighted inputs fused with their sums where the machine can.
    Relaxed,
    /// Pairs of 16-bit halves in words, by the [intrinsics](rune_c::Intrinsic) of a Cortex-M7, with the same results as
    /// without: for the translation to C.
    Dsp,
}

/// A model as kernels.
#[derive(Clone, Debug, PartialEq)]
pub struct Compiled {
    /// To be called in this order.
    pub kernels: Vec<Kernel>,
    /// Where each output of the graph then is: a buffer of a kernel, a constant, or an input.
    pub outputs: Vec<BufferId>,
}

/// A node that no kernel computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// The operator.
    pub operator: &'static str,
    /// Why not, as a clause.
    pub reason: String,
}

impl Simd {
    /// Whether there are 128-bit vectors.
    pub fn has_vectors(self) -> bool {
        matches!(self, Self::On | Self::Relaxed)
    }
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.operator, self.reason)
    }
}

impl std::error::Error for Unsupported {}

/// Turns a graph into kernels that read `inputs`, one buffer per input of the graph. New buffers, for
/// tensors, constants and scratch, are added to `buffers`; equal constants share one.
///
/// # Errors
/// A node that breaks a law of its operator, or whose weights are not constant.
pub fn compile(
    graph: &Graph,
    inputs: &[BufferId],
    buffers: &mut Arena<Buffer>,
    simd: Simd,
) -> Result<Compiled, Unsupported> {
    let mut kernels = Vec::new();
    let outputs = each(graph, inputs, buffers, simd, &mut |kernel, _| {
        kernels.push(kernel);
    })?;
    Ok(Compiled { kernels, outputs })
}

/// Who is given each kernel once it is written, in order, with all the buffers it uses.
pub(crate) type Take<'a> = dyn FnMut(Kernel, &Arena<Buffer>) + 'a;

/// As [`compile`], but hands over each kernel before the next one is written. Gives the outputs.
///
/// # Errors
/// As [`compile`].
pub(crate) fn each(
    graph: &Graph,
    inputs: &[BufferId],
    buffers: &mut Arena<Buffer>,
    simd: Simd,
    take: &mut Take<'_>,
) -> Result<Vec<BufferId>, Unsupported> {
    let variables = Side::new(&graph.variables, |_, variable| {
        buffers.push(Buffer {
            name: variable.name.clone(),
            bytes: variable.initial.len() as u32,
            align: 16,
            data: None,
            initial: Some(variable.initial.to_vec()),
        })
    });
    let mut constants = Constants::of(buffers);
    each_of_body(
        graph,
        inputs,
        &variables,
        buffers,
        &mut constants,
        simd,
        take,
    )
}

/// As [`each`], of a graph whose variables have their places.
fn each_of_body(
    graph: &Graph,
    inputs: &[BufferId],
    variables: &Side<Variable, BufferId>,
    buffers: &mut Arena<Buffer>,
    constants: &mut Constants,
    simd: Simd,
    take: &mut Take<'_>,
) -> Result<Vec<BufferId>, Unsupported> {
    let mut places = Side::filled(&graph.tensors, None);
    for (tensor, buffer) in graph.inputs.iter().zip(inputs) {
        places[*tensor] = Some(*buffer);
    }
    let mut context = Context {
        graph,
        buffers,
        constants,
        places,
        variables,
        seen: seen::seen(graph),
        simd,
    };
    for node in &graph.nodes {
        let unsupported = |reason| Unsupported {
            operator: node.op.name(),
            reason,
        };
        rune_ir::op::check(graph, node).map_err(unsupported)?;
        for kernel in context.node(node).map_err(unsupported)? {
            take(kernel, context.buffers);
        }
    }
    Ok(graph.outputs.iter().map(|id| context.place(*id)).collect())
}

/// What writing a kernel needs beside its node. Nodes have passed their operator's check.
struct Context<'a> {
    graph: &'a Graph,
    buffers: &'a mut Arena<Buffer>,
    constants: &'a mut Constants,
    places: Side<Tensor, Option<BufferId>>,
    variables: &'a Side<Variable, BufferId>,
    /// Whether anything can tell the NaNs of a tensor apart.
    seen: Side<Tensor, bool>,
    simd: Simd,
}

impl<'a> Context<'a> {
    /// The kernels of a node, to be run in this order: none where its result is another name for its input.
    fn node(&mut self, node: &Node) -> Result<Vec<Kernel>, String> {
        // Families of several kernels, or of none, return from here.
        Ok(vec![match &node.op {
            Op::Reshape => {
                self.alias(node, 0, 0)?;
                return Ok(Vec::new());
            }
            Op::FullyConnected {
                activation,
                asymmetric,
            } if !general::is_plain(self, node) => {
                general::fully_connected(self, node, *activation, *asymmetric)?
            }
            Op::Conv2d { window, activation }
                if !general::is_plain(self, node)
                    || self.tensor(node, 0).shape[3] != self.tensor(node, 1).shape[3] =>
            {
                general::conv_2d(self, node, window, *activation)?
            }
            Op::DepthwiseConv2d { window, activation } if !general::is_plain(self, node) => {
                general::depthwise_conv_2d(self, node, window, *activation)?
            }
            Op::FullyConnected { activation, .. } => {
                conv::fully_connected(self, node, *activation)?
            }
            Op::Conv2d { window, activation } => conv::conv_2d(self, node, window, *activation)?,
            Op::DepthwiseConv2d { window, activation } => {
                depthwise::depthwise_conv_2d(self, node, window, *activation)?
            }
            Op::MaxPool2d {
                window,
                size,
                activation,
            } => pool::max(self, node, window, *size, *activation)?,
            Op::AveragePool2d {
                window,
                size,
                activation,
            } => pool::average(self, node, window, *size, *activation)?,
            Op::Softmax { beta } => softmax::softmax(self, node, *beta)?,
            Op::Add { activation } => binary::binary(self, node, Binary::Add, *activation)?,
            Op::Binary { op, activation } => binary::binary(self, node, *op, *activation)?,
            Op::Unary(op) => unary::unary(self, node, *op)?,
            Op::AddN => unary::add_n(self, node)?,
            Op::Select { rows } => unary::select(self, node, *rows),
            Op::Relu => unary::relu(self, node, Activation::Relu)?,
            Op::Relu6 => unary::relu(self, node, Activation::Relu6)?,
            Op::Logistic => unary::logistic(self, node)?,
            Op::Quantize => unary::quantize(self, node)?,
            Op::Dequantize => unary::dequantize(self, node)?,
            Op::Pad { before } => movement::pad(self, node, before),
            Op::Movement(movement) => movement::kernel(self, node, movement)?,
            Op::Signal(signal) => signal::kernel(self, node, signal),
            Op::L2Pool2d {
                window,
                size,
                activation,
            } => pool::l2(self, node, window, *size, *activation)?,
            Op::Reduce(reduce) => reduce::reduce(self, node, reduce)?,
            Op::Along(along) => along::along(self, node, *along)?,
            Op::Normalize(normalize) => rows::normalize(self, node, *normalize)?,
            Op::Detection(detection) => detection::detection(self, node, detection),
            Op::Control(control) => control::control(self, node, control)?,
            Op::Access(access) => control::access(self, node, *access),
            Op::Weighted(op) => match op {
                Weighted::TransposeConv { window, activation } => {
                    general::transpose_conv(self, node, window, *activation)?
                }
                Weighted::BatchMatMul {
                    swapped,
                    asymmetric,
                } => batch_mat_mul::batch_mat_mul(self, node, *swapped, *asymmetric)?,
                Weighted::Svdf { rank, activation } => svdf::svdf(self, node, *rank, *activation)?,
                Weighted::Lstm(of_node) => lstm::lstm(self, node, *of_node)?,
            },
        }])
    }

    /// Makes an output of a node another name for one of its inputs.
    fn alias(&mut self, node: &Node, output: usize, input: usize) -> Result<(), String> {
        let input = node.inputs[input].ok_or("it lacks an input")?;
        self.places[node.outputs[output]] = Some(self.place(input));
        Ok(())
    }

    /// Where a tensor is: given, computed, constant, or computed from now on.
    fn place(&mut self, id: TensorId) -> BufferId {
        if let Some(buffer) = self.places[id] {
            return buffer;
        }
        let tensor = &self.graph.tensors[id];
        let buffer = match &tensor.data {
            Some(data) => self.constant(&tensor.name, data.to_vec()),
            None => self.buffers.push(Buffer {
                name: tensor.name.clone(),
                bytes: tensor.bytes() as u32,
                align: 16,
                data: None,
                initial: None,
            }),
        };
        self.places[id] = Some(buffer);
        buffer
    }

    /// A constant; an equal one there already is serves again.
    fn constant(&mut self, name: &str, data: Vec<u8>) -> BufferId {
        self.constants.buffer(self.buffers, name, data)
    }

    /// Memory that one kernel needs while it runs.
    fn scratch(&mut self, name: &str, bytes: u32) -> BufferId {
        self.buffers.push(Buffer {
            name: name.to_owned(),
            bytes,
            align: 16,
            data: None,
            initial: None,
        })
    }

    /// The kernels of a graph inside an operator, which reads `inputs`.
    fn body(&mut self, graph: &Graph, inputs: &[BufferId]) -> Result<Compiled, String> {
        let mut kernels = Vec::new();
        let outputs = each_of_body(
            graph,
            inputs,
            self.variables,
            self.buffers,
            self.constants,
            self.simd,
            &mut |kernel, _| kernels.push(kernel),
        )
        .map_err(|error| error.to_string())?;
        Ok(Compiled { kernels, outputs })
    }

    /// What a node keeps between calls, and where that is.
    fn variable(&mut self, node: &Node, index: usize) -> (&'a Variable, BufferId) {
        let id = node.variables[index];
        (&self.graph.variables[id], self.variables[id])
    }

    /// An input of a node, and where it is.
    fn input(&mut self, node: &Node, index: usize) -> (&'a Tensor, BufferId) {
        let id = node.inputs[index].expect("a checked node has its inputs");
        (&self.graph.tensors[id], self.place(id))
    }

    /// A tensor that a node reads.
    fn tensor(&self, node: &Node, index: usize) -> &'a Tensor {
        let id = node.inputs[index].expect("a checked node has its inputs");
        &self.graph.tensors[id]
    }

    /// The first output of a node, and where it is.
    fn output(&mut self, node: &Node) -> (&'a Tensor, BufferId) {
        self.output_at(node, 0)
    }

    /// An output of a node, and where it is.
    fn output_at(&mut self, node: &Node, index: usize) -> (&'a Tensor, BufferId) {
        let id = node.outputs[index];
        (&self.graph.tensors[id], self.place(id))
    }

    /// The bytes of an input that must be constant.
    fn value(&self, node: &Node, index: usize) -> Result<&'a [u8], String> {
        let tensor = self.tensor(node, index);
        tensor
            .data
            .as_deref()
            .ok_or_else(|| format!("`{}` is computed where it must be constant", tensor.name))
    }
}

/// Whether the elements of a quantised tensor are signed.
fn is_signed(tensor: &Tensor) -> bool {
    tensor.ty == DataType::I8
}
