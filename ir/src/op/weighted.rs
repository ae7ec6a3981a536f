//! Operators that multiply by weights, or matrices with each other, and have no variant of their own.

use std::fmt;

use super::{Activation, Filters, Lstm, Steps, Window, batch_mat_mul, lstm, svdf, transpose_conv};
use crate::graph::{Graph, Node, State};

/// What multiplies by weights beside `FULLY_CONNECTED` and the convolutions.
#[derive(Clone, Debug, PartialEq)]
pub enum Weighted {
    /// Inputs: x [n, h, w, i], weights [o, kh, kw, i], bias [o] or none. Output: [n, oh, ow, o]. The window
    /// moves over the output, a step for each element of x, whose product with the kernel is added there.
    TransposeConv {
        /// How the kernel moves over the output; not dilated.
        window: Window,
        /// Applied to the result.
        activation: Activation,
    },
    /// Inputs: x [..., r, k], y [..., k, c], whose leading dimensions broadcast. Output: [..., r, c].
    BatchMatMul {
        /// Whether the last two dimensions of x and of y are swapped.
        swapped: [bool; 2],
        /// Whether F32 beside an I8 y is quantised with a zero point.
        asymmetric: bool,
    },
    /// Inputs: x [n, i], weights of features [f, i], of time [f, m], bias [u] or none. Output: [n, u].
    /// Variable: what each filter gave in the last m calls, [n, f, m].
    Svdf {
        /// Filters of a unit.
        rank: u32,
        /// Applied to the result.
        activation: Activation,
    },
    /// Inputs: x [n, t, i], four times weights [c, i], four times weights [c, c], four biases [c].
    /// Output: [n, t, c]. Variables: the hidden state [n, c] and the cells [n, c].
    Lstm(Lstm),
}

impl Weighted {
    /// The operator's name, as TFLite spells it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::TransposeConv { .. } => "TRANSPOSE_CONV",
            Self::BatchMatMul { .. } => "BATCH_MATMUL",
            Self::Svdf { .. } => "SVDF",
            Self::Lstm(_) => "UNIDIRECTIONAL_SEQUENCE_LSTM",
        }
    }

    /// Checks the operands and that the attributes fit them.
    pub(super) fn check(&self, graph: &Graph, node: &Node) -> Result<(), String> {
        match self {
            Self::TransposeConv { window, .. } => transpose_conv::check(graph, node, window),
            Self::BatchMatMul { swapped, .. } => batch_mat_mul::check(graph, node, *swapped),
            Self::Svdf { rank, activation } => {
                svdf::check(graph, node, *rank, *activation).map(|_| ())
            }
            Self::Lstm(lstm) => lstm::check(graph, node, *lstm).map(|_| ()),
        }
    }

    /// The sizes of a checked SVDF.
    ///
    /// # Errors
    /// What [`op::check`](super::check) says of the node.
    pub fn filters(
        graph: &Graph,
        node: &Node,
        rank: u32,
        activation: Activation,
    ) -> Result<Filters, String> {
        svdf::check(graph, node, rank, activation)
    }

    /// The sizes of a checked LSTM.
    ///
    /// # Errors
    /// What [`op::check`](super::check) says of the node.
    pub fn steps(graph: &Graph, node: &Node, lstm: Lstm) -> Result<Steps, String> {
        lstm::check(graph, node, lstm)
    }

    /// The values of the outputs.
    pub(super) fn evaluate(
        &self,
        graph: &Graph,
        node: &Node,
        values: &[Option<&[u8]>],
        state: &mut State,
    ) -> Vec<Vec<u8>> {
        vec![match self {
            Self::TransposeConv { window, activation } => {
                transpose_conv::evaluate(graph, node, window, *activation, values)
            }
            Self::BatchMatMul {
                swapped,
                asymmetric,
            } => {
                let value = |i: usize| values[i].expect("an operand that is present has a value");
                batch_mat_mul::evaluate(graph, node, *swapped, *asymmetric, [value(0), value(1)])
            }
            Self::Svdf { rank, activation } => {
                svdf::evaluate(graph, node, (*rank, *activation), values, state)
            }
            Self::Lstm(lstm) => lstm::evaluate(graph, node, *lstm, values, state),
        }]
    }
}

impl fmt::Display for Weighted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flag = |f: &mut fmt::Formatter<'_>, flag: bool, name| {
            if flag { write!(f, " {name}") } else { Ok(()) }
        };
        match self {
            Self::TransposeConv { window, activation } => write!(f, "{window}{activation}"),
            Self::BatchMatMul {
                swapped: [x, y],
                asymmetric,
            } => {
                flag(f, *x, "x swapped")?;
                flag(f, *y, "y swapped")?;
                flag(f, *asymmetric, "asymmetric")
            }
            Self::Svdf { rank, activation } => write!(f, " rank {rank}{activation}"),
            Self::Lstm(Lstm { time_major, clip }) => {
                flag(f, *time_major, "time major")?;
                if *clip > 0.0 {
                    write!(f, " clip {clip}")
                } else {
                    Ok(())
                }
            }
        }
    }
}
