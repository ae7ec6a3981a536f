//! The signal operators of TensorFlow Lite Micro and its circular buffer.

mod bank;
mod fft;
mod stream;

use rune_ir::{graph::Node, op::signal::Signal};

use super::Context;
use crate::nest::{Expr, Kernel};

/// The kernel of a signal operator.
pub(super) fn kernel(context: &mut Context, node: &Node, signal: &Signal) -> Kernel {
    match signal {
        Signal::Window { shift } => bank::window(context, node, *shift),
        Signal::FftAutoScale => bank::fft_auto_scale(context, node),
        Signal::Rfft { length } => fft::rfft(context, node, *length),
        Signal::Irfft { length } => fft::irfft(context, node, *length),
        Signal::Energy { start, end } => bank::energy(context, node, *start, *end),
        Signal::FilterBank { channels } => bank::filter_bank(context, node, *channels),
        Signal::SquareRoot => bank::square_root(context, node),
        Signal::SpectralSubtraction(attributes) => {
            bank::spectral_subtraction(context, node, attributes)
        }
        Signal::Pcan { shift } => bank::pcan(context, node, *shift),
        Signal::Log {
            correction_bits,
            scale,
        } => bank::logarithm(context, node, *correction_bits, *scale),
        Signal::Framer { size, step, filled } => {
            let needed = Signal::steps_needed(*size, *step, *filled);
            stream::framer(context, node, (*size, *step), needed)
        }
        Signal::Stacker {
            channels,
            left,
            step,
            ..
        } => stream::stacker(context, node, *channels, *left, *step),
        Signal::OverlapAdd { step } => stream::overlap_add(context, node, *step),
        Signal::Delay { length } => stream::delay(context, node, *length),
        Signal::CircularBuffer { .. } => stream::circular_buffer(context, node),
    }
}

/// The low 16 bits of an I32, as a signed number.
fn wrapped(x: Expr) -> Expr {
    (x << Expr::I32(16)) >> Expr::I32(16)
}
