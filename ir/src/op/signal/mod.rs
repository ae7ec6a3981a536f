//! The signal operators of TensorFlow Lite Micro, which prepare sound for models, and its circular buffer.
//!
//! What TensorFlow Lite Micro leaves as it was in memory is zero here: a frame or a stack that is not whole
//! yet, and energies that were not asked for.

mod bank;
mod fft;
mod stream;
pub mod tables;

use std::fmt;

use self::bank::Bank;
use super::{operand, operand::Operands};
use crate::{
    graph::{DataType, Graph, Node, State, Tensor},
    ty::ElementType,
};

const I16: DataType = DataType::Element(ElementType::I16);
const U32: DataType = DataType::Element(ElementType::U32);
const U64: DataType = DataType::Element(ElementType::U64);

/// A signal operator. `x` is its first input; all is I16 where nothing else is said.
#[derive(Clone, Debug, PartialEq)]
pub enum Signal {
    /// Inputs: x [..., n], weights [m] with x a multiple of m. Output: x times weights by 2^shift.
    Window {
        /// At most 31.
        shift: u32,
    },
    /// Input: x [n]. Outputs: x times a power of two, the power (I32 []).
    FftAutoScale,
    /// Input: x [..., n] (I16, I32 or F32), n at most `length`. Output: [..., length + 2], its bins.
    Rfft {
        /// Even, half of it a product of 2, 3 and 5.
        length: u32,
    },
    /// Input: x [..., length + 2] (I16, I32 or F32). Output: [..., length].
    Irfft {
        /// Even, half of it a product of 2, 3 and 5.
        length: u32,
    },
    /// Input: x [2 n], of n complex bins. Output: U32 [n].
    Energy {
        /// The first bin whose energy is computed.
        start: u32,
        /// The bin behind the last.
        end: u32,
    },
    /// Inputs: x U32 [n], weights, unweights, and constant for each channel and one before: the first
    /// element of x, the first weight, the number of both. Output: U64 [channels].
    FilterBank {
        /// How many sums there are.
        channels: u32,
    },
    /// Inputs: x U64 [n], I32 []. Output: U32 [n], the root of x by two to the second.
    SquareRoot,
    /// Input: x U32 [n]. Outputs: U32 [n] without noise, U32 [n] the noise, which is the variable.
    SpectralSubtraction(SpectralSubtraction),
    /// Inputs: x U32 [n], noise U32 [n], gains [125] or more. Output: U32 [n].
    Pcan {
        /// By what power of two the product of x and its gain is divided; at most 63.
        shift: u32,
    },
    /// Input: x U32 [n]. Output: [n], the scaled logarithm.
    Log {
        /// By what power of two x is multiplied before; at most 31.
        correction_bits: u32,
        /// By how many 65536ths the logarithm is multiplied.
        scale: i32,
    },
    /// Input: x [..., n * step]. Outputs: [..., n, size], Bool [] whether frames are whole. Variables: a
    /// history for each row, I32 [] the steps seen.
    Framer {
        /// Elements of a frame.
        size: u32,
        /// Elements from one frame to the next.
        step: u32,
        /// Whether frames reach back before the first element, over zeros.
        filled: bool,
    },
    /// Input: x [channels]. Outputs: [channels * depth], Bool [] whether the stack is whole. Variables:
    /// the stack, I32 [] how many of it count.
    Stacker {
        /// Elements of x.
        channels: u32,
        /// How often more the first x counts.
        left: u32,
        /// The x in a stack behind `left` and the one.
        right: u32,
        /// How many x a stack is behind the one before.
        step: u32,
    },
    /// Input: x [..., n, size] (I16 or F32). Output: [..., n * step]. Variable: [rows, size].
    OverlapAdd {
        /// Elements from one frame to the next.
        step: u32,
    },
    /// Input: x [..., n]. Output: the same by `length` elements later. Variable: [rows, length + n].
    Delay {
        /// By how many elements of a row.
        length: u32,
    },
    /// Input: x I8 [1, 1, w, d]. Output: I8 [1, slots, w, d], the latest of x. Variable: of the same shape.
    CircularBuffer {
        /// How many x there are in the output.
        slots: u32,
    },
}

/// Attributes of `SignalFilterBankSpectralSubtraction`. Factors are over 2^bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpectralSubtraction {
    /// For even and for odd channels: the factors of the signal and of the noise so far.
    pub smoothing: [[u32; 2]; 2],
    /// By what power of two the noise is more precise than the signal; at most 31.
    pub smoothing_bits: u32,
    /// Whether the noise is never above the signal.
    pub clamping: bool,
    /// What is left of the signal at least.
    pub min_signal_remaining: u32,
    /// At most 63.
    pub bits: u32,
}

/// What an operator keeps between calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What it is.
    pub name: &'static str,
    /// Of its elements.
    pub ty: DataType,
    /// The outermost first.
    pub shape: Vec<u32>,
    /// Every byte of it before the first call.
    pub initial: u8,
}

impl Signal {
    /// The operator's name, as TensorFlow Lite Micro spells it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Window { .. } => "SignalWindow",
            Self::FftAutoScale => "SignalFftAutoScale",
            Self::Rfft { .. } => "SignalRfft",
            Self::Irfft { .. } => "SignalIrfft",
            Self::Energy { .. } => "SignalEnergy",
            Self::FilterBank { .. } => "SignalFilterBank",
            Self::SquareRoot => "SignalFilterBankSquareRoot",
            Self::SpectralSubtraction(_) => "SignalFilterBankSpectralSubtraction",
            Self::Pcan { .. } => "SignalPCAN",
            Self::Log { .. } => "SignalFilterBankLog",
            Self::Framer { .. } => "SignalFramer",
            Self::Stacker { .. } => "SignalStacker",
            Self::OverlapAdd { .. } => "SignalOverlapAdd",
            Self::Delay { .. } => "SignalDelay",
            Self::CircularBuffer { .. } => "CIRCULAR_BUFFER",
        }
    }

    /// The type and shape of each output, given the first input.
    ///
    /// # Errors
    /// An input of another shape than the operator takes, or attributes that do not fit it, as a clause.
    pub fn results(&self, x: &Tensor) -> Result<Vec<(DataType, Vec<u32>)>, String> {
        let shape = x.shape.clone();
        let vector = |ty| only(x).map(|_| vec![(ty, x.shape.clone())]);
        Ok(match self {
            Self::Window { shift } => {
                at_most("shift", *shift, 31)?;
                row(x)?;
                vec![(I16, shape)]
            }
            Self::FftAutoScale => {
                only(x)?;
                vec![(I16, shape), (DataType::I32, Vec::new())]
            }
            Self::Rfft { length } => {
                check_length(*length)?;
                at_most("signal", row(x)?, *length)?;
                vec![(x.ty, with_last(x, *length + 2))]
            }
            Self::Irfft { length } => {
                check_length(*length)?;
                exactly("signal's bins", row(x)?, *length + 2)?;
                vec![(x.ty, with_last(x, *length))]
            }
            Self::Energy { start, end } => {
                let bins = only(x)? / 2;
                at_most("end", *end, bins)?;
                at_most("start", *start, *end)?;
                vec![(U32, vec![bins])]
            }
            Self::FilterBank { channels } => {
                only(x)?;
                vec![(U64, vec![*channels])]
            }
            Self::SquareRoot | Self::Pcan { .. } => {
                if let Self::Pcan { shift } = self {
                    at_most("shift", *shift, 63)?;
                }
                vector(U32)?
            }
            Self::SpectralSubtraction(attributes) => {
                at_most("smoothing bits", attributes.smoothing_bits, 31)?;
                at_most("bits", attributes.bits, 63)?;
                only(x)?;
                vec![(U32, shape.clone()), (U32, shape)]
            }
            Self::Log {
                correction_bits, ..
            } => {
                at_most("correction bits", *correction_bits, 31)?;
                vector(I16)?
            }
            Self::Framer { size, step, .. } => {
                let frames = row(x)? / step.max(&1);
                let mut shape = with_last(x, frames);
                shape.push(*size);
                self.keeps(x)?;
                vec![(I16, shape), (DataType::Bool, Vec::new())]
            }
            Self::Stacker { channels, .. } => {
                exactly("input", only(x)?, *channels)?;
                let stack = self.keeps(x)?.swap_remove(0);
                vec![(I16, stack.shape), (DataType::Bool, Vec::new())]
            }
            Self::OverlapAdd { step } => {
                let size = row(x)?;
                at_least_one("step", *step)?;
                at_most("step", *step, size)?;
                let [outer @ .., frames, _] = &x.shape[..] else {
                    return Err(format!("`{}` has one dimension", x.name));
                };
                let mut shape = outer.to_vec();
                shape.push(product([*frames, *step])?);
                vec![(x.ty, shape)]
            }
            Self::Delay { .. } => {
                self.keeps(x)?;
                vec![(I16, shape)]
            }
            Self::CircularBuffer { slots } => {
                let [1, 1, width, depth] = shape[..] else {
                    return Err(format!(
                        "`{}` has the shape {shape:?} where [1, 1, w, d] is due",
                        x.name
                    ));
                };
                vec![(DataType::I8, vec![1, *slots, width, depth])]
            }
        })
    }

    /// What the operator keeps, in the order of its variables, given the first input.
    ///
    /// # Errors
    /// As [`results`](Self::results).
    pub fn keeps(&self, x: &Tensor) -> Result<Vec<Kept>, String> {
        let kept = |name, ty, shape, initial| Kept {
            name,
            ty,
            shape,
            initial,
        };
        Ok(match self {
            Self::SpectralSubtraction(_) => vec![kept("noise", U32, x.shape.clone(), 0)],
            Self::Framer { size, step, filled } => {
                let length = row(x)?;
                at_least_one("frame", *size)?;
                at_least_one("step", *step)?;
                if !length.is_multiple_of(*step) || (*filled && step > size) {
                    return Err(format!(
                        "its frames of {size} elements by {step} do not fit rows of {length}"
                    ));
                }
                let history = if *filled {
                    *size
                } else {
                    product([size.div_ceil(*step), *step])?
                };
                vec![
                    kept("history", I16, vec![rows(x), history], 0),
                    kept("seen", DataType::I32, Vec::new(), 0),
                ]
            }
            Self::Stacker {
                channels,
                left,
                right,
                step,
            } => {
                let depth = u64::from(*left) + u64::from(*right) + 1;
                let depth = u32::try_from(depth).map_err(|_| "its stack is too large")?;
                at_least_one("step", *step)?;
                at_most("step", *step, depth)?;
                vec![
                    kept("stack", I16, vec![product([*channels, depth])?], 0),
                    kept("count", DataType::I32, Vec::new(), 0xFF),
                ]
            }
            Self::OverlapAdd { .. } => {
                let [.., frames, size] = x.shape[..] else {
                    return Err(format!("`{}` has one dimension", x.name));
                };
                vec![kept("sums", x.ty, vec![rows(x) / frames.max(1), size], 0)]
            }
            Self::Delay { length } => {
                let history = row(x)?.checked_add(*length);
                let history = history.ok_or("its delay is too long")?;
                vec![kept("history", I16, vec![rows(x), history], 0)]
            }
            Self::CircularBuffer { .. } => {
                let (ty, shape) = self.results(x)?.swap_remove(0);
                let zero_point = x.quantization.as_ref().and_then(|q| q.zero_point.first());
                let initial = zero_point.map_or(0, |z| *z as u8);
                vec![kept("history", ty, shape, initial)]
            }
            Self::Window { .. }
            | Self::FftAutoScale
            | Self::Rfft { .. }
            | Self::Irfft { .. }
            | Self::Energy { .. }
            | Self::FilterBank { .. }
            | Self::SquareRoot
            | Self::Pcan { .. }
            | Self::Log { .. } => Vec::new(),
        })
    }

    /// Steps that a framer must see before a frame is whole.
    pub fn steps_needed(size: u32, step: u32, filled: bool) -> i32 {
        if filled {
            1
        } else {
            size.div_ceil(step) as i32
        }
    }

    /// The types of the inputs, of the first after that of `x`.
    fn inputs(&self, x: DataType) -> &'static [DataType] {
        match self {
            Self::Window { .. } => &[I16, I16],
            Self::Rfft { .. } | Self::Irfft { .. } if x == DataType::F32 => &[DataType::F32],
            Self::Rfft { .. } | Self::Irfft { .. } if x == DataType::I32 => &[DataType::I32],
            Self::OverlapAdd { .. } if x == DataType::F32 => &[DataType::F32],
            Self::FftAutoScale
            | Self::Rfft { .. }
            | Self::Irfft { .. }
            | Self::Energy { .. }
            | Self::Framer { .. }
            | Self::Stacker { .. }
            | Self::OverlapAdd { .. }
            | Self::Delay { .. } => &[I16],
            Self::FilterBank { .. } => &[U32, I16, I16, I16, I16, I16],
            Self::SquareRoot => &[U64, DataType::I32],
            Self::SpectralSubtraction(_) | Self::Log { .. } => &[U32],
            Self::Pcan { .. } => &[U32, U32, I16],
            Self::CircularBuffer { .. } => &[DataType::I8],
        }
    }

    pub(super) fn check(&self, graph: &Graph, node: &Node) -> Result<(), String> {
        let first = node.inputs.first().copied().flatten();
        let x = first.and_then(|id| graph.tensors.get(id));
        let x = x.ok_or("it has no input")?;
        let types = self.inputs(x.ty);
        let (results, kept) = (self.results(x)?, self.keeps(x)?);
        let count = (types.len(), types.len());
        let outputs = (results.len(), results.len());
        let operands = Operands::of(graph, node, count, outputs, kept.len())?;
        for (index, ty) in types.iter().enumerate() {
            of_type(operands.input(index), *ty)?;
        }
        for (output, (ty, shape)) in operands.outputs.iter().zip(&results) {
            of_type(output, *ty)?;
            operand::shape(output, shape)?;
        }
        for (variable, kept) in operands.variables.iter().zip(&kept) {
            if variable.ty != kept.ty || variable.shape != kept.shape {
                return Err(format!(
                    "`{}` is {}{:?} where {}{:?} is due",
                    variable.name, variable.ty, variable.shape, kept.ty, kept.shape
                ));
            }
        }
        self.check_others(&operands)
    }

    /// The laws on inputs behind the first.
    fn check_others(&self, operands: &Operands) -> Result<(), String> {
        let x = operands.input(0);
        match self {
            Self::Window { .. } => {
                let [weights] = operand::dims(operands.input(1))?;
                if (x.elements()).is_multiple_of(weights) {
                    Ok(())
                } else {
                    Err(format!(
                        "`{}` has {} elements for {weights} weights",
                        x.name,
                        x.elements()
                    ))
                }
            }
            Self::FilterBank { channels } => {
                let [weights] = operand::dims(operands.input(1))?;
                operand::same_shape(operands.input(1), operands.input(2))?;
                let table = |index: usize| {
                    let tensor = operands.input(index);
                    let data = tensor.data.as_deref();
                    let data = data.ok_or_else(|| format!("`{}` is not constant", tensor.name))?;
                    Ok::<Vec<i16>, String>(read(data))
                };
                let bank = Bank {
                    energy_starts: table(3)?,
                    weight_starts: table(4)?,
                    widths: table(5)?,
                };
                bank.check(*channels as usize, x.elements(), weights)
            }
            Self::SquareRoot => operand::shape(operands.input(1), &[]),
            Self::Pcan { .. } => {
                operand::same_shape(x, operands.input(1))?;
                let [gains] = operand::dims(operands.input(2))?;
                if gains >= bank::GAINS {
                    Ok(())
                } else {
                    Err(format!("it has {gains} gains of {}", bank::GAINS))
                }
            }
            Self::CircularBuffer { .. } => match (&x.quantization, &operands.output.quantization) {
                (Some(a), Some(b)) if a.scale != b.scale || a.zero_point != b.zero_point => {
                    operand::same_affine(x, operands.output)
                }
                _ => Ok(()),
            },
            Self::FftAutoScale
            | Self::Rfft { .. }
            | Self::Irfft { .. }
            | Self::Energy { .. }
            | Self::SpectralSubtraction(_)
            | Self::Log { .. }
            | Self::Framer { .. }
            | Self::Stacker { .. }
            | Self::OverlapAdd { .. }
            | Self::Delay { .. } => Ok(()),
        }
    }

    pub(super) fn evaluate(
        &self,
        graph: &Graph,
        node: &Node,
        values: &[Option<&[u8]>],
        state: &mut State,
    ) -> Vec<Vec<u8>> {
        let value = |index: usize| values[index].expect("an operand of a checked node has a value");
        let x = &graph.tensors[node.inputs[0].expect("checked")];
        let row = x.shape.last().map_or(1, |d| *d as usize);
        let mut kept: Vec<Vec<u8>> = node.variables.iter().map(|id| state[*id].clone()).collect();
        let results = match self {
            Self::Window { shift } => {
                vec![write(bank::window(
                    &read(value(0)),
                    &read(value(1)),
                    *shift,
                ))]
            }
            Self::FftAutoScale => {
                let (scaled, bits) = bank::fft_auto_scale(&read(value(0)));
                vec![write(scaled), write(vec![bits])]
            }
            Self::Rfft { length } => vec![transform(x.ty, value(0), row, *length, false)],
            Self::Irfft { length } => vec![transform(x.ty, value(0), row, *length, true)],
            Self::Energy { start, end } => {
                vec![write(bank::energy(
                    &read(value(0)),
                    row / 2,
                    (*start, *end),
                ))]
            }
            Self::FilterBank { channels } => {
                let bank = Bank {
                    energy_starts: read(value(3)),
                    weight_starts: read(value(4)),
                    widths: read(value(5)),
                };
                let weights: [Vec<i16>; 2] = [read(value(1)), read(value(2))];
                let weights = [&weights[0][..], &weights[1][..]];
                let energies: Vec<u32> = read(value(0));
                let sums = bank::filter_bank(&bank, &energies, weights, *channels as usize);
                vec![write(sums)]
            }
            Self::SquareRoot => {
                let bits: Vec<i32> = read(value(1));
                let x: Vec<u64> = read(value(0));
                let roots = x.iter().map(|x| bank::square_root(*x, bits[0]));
                vec![write(roots.collect::<Vec<_>>())]
            }
            Self::SpectralSubtraction(attributes) => {
                let mut noise: Vec<u32> = read(&kept[0]);
                let signal: Vec<u32> = read(value(0));
                let signal = bank::spectral_subtraction(attributes, &signal, &mut noise);
                kept[0] = write(noise);
                vec![write(signal), kept[0].clone()]
            }
            Self::Pcan { shift } => {
                let (x, noise): (Vec<u32>, Vec<u32>) = (read(value(0)), read(value(1)));
                let gains: Vec<i16> = read(value(2));
                let x = x.iter().zip(&noise);
                let x = x.map(|(x, noise)| bank::pcan(*x, *noise, &gains, *shift));
                vec![write(x.collect::<Vec<_>>())]
            }
            Self::Log {
                correction_bits,
                scale,
            } => {
                let corrections = tables::log_corrections();
                let x: Vec<u32> = read(value(0));
                let log = |x: &u32| bank::logarithm(*x, *correction_bits, *scale, &corrections);
                vec![write(x.iter().map(log).collect::<Vec<_>>())]
            }
            Self::Framer { size, step, filled } => {
                let (mut histories, mut seen) = (read(&kept[0]), read::<i32>(&kept[1]));
                let frames = stream::Frames {
                    row,
                    size: *size as usize,
                    step: *step as usize,
                    needed: Self::steps_needed(*size, *step, *filled),
                };
                let (frames, whole) =
                    stream::framer(&read(value(0)), &frames, &mut histories, &mut seen[0]);
                kept = vec![write(histories), write(seen)];
                vec![write(frames), vec![u8::from(whole)]]
            }
            Self::Stacker {
                left, right, step, ..
            } => {
                let (mut stack, mut count) = (read(&kept[0]), read::<i32>(&kept[1]));
                let shape = (*left as i32, (*left + *right + 1) as i32, *step as i32);
                let (result, whole) =
                    stream::stacker(&read(value(0)), shape, &mut stack, &mut count[0]);
                kept = vec![write(stack), write(count)];
                vec![write(result), vec![u8::from(whole)]]
            }
            Self::OverlapAdd { step } => {
                let frames = x.shape[x.shape.len() - 2] as usize;
                let shape = (frames, row, *step as usize);
                if x.ty == DataType::F32 {
                    vec![overlap::<f32>(value(0), shape, &mut kept[0])]
                } else {
                    vec![overlap::<i16>(value(0), shape, &mut kept[0])]
                }
            }
            Self::Delay { .. } => {
                let mut histories = read(&kept[0]);
                let result = stream::delay(&read(value(0)), row, &mut histories);
                kept[0] = write(histories);
                vec![write(result)]
            }
            Self::CircularBuffer { .. } => {
                stream::push(&mut kept[0], value(0));
                vec![kept[0].clone()]
            }
        };
        for (id, kept) in node.variables.iter().zip(kept) {
            state[*id] = kept;
        }
        results
    }
}

/// The transform of each row.
fn transform(ty: DataType, bytes: &[u8], row: usize, length: u32, inverse: bool) -> Vec<u8> {
    fn rows<T: Element + fft::Number>(
        bytes: &[u8],
        row: usize,
        length: u32,
        inverse: bool,
    ) -> Vec<u8> {
        let transform = if inverse { fft::irfft } else { fft::rfft };
        let x: Vec<T> = read(bytes);
        let rows = x.chunks_exact(row).flat_map(|row| transform(row, length));
        write(rows.collect::<Vec<T>>())
    }
    if ty == DataType::F32 {
        rows::<f32>(bytes, row, length, inverse)
    } else if ty == DataType::I32 {
        rows::<i32>(bytes, row, length, inverse)
    } else {
        rows::<i16>(bytes, row, length, inverse)
    }
}

fn overlap<T: Element + stream::Overlap>(
    bytes: &[u8],
    shape: (usize, usize, usize),
    kept: &mut Vec<u8>,
) -> Vec<u8> {
    let mut sums: Vec<T> = read(kept);
    let result = stream::overlap_add(&read(bytes), shape, &mut sums);
    *kept = write(sums);
    write(result)
}

/// A number in memory.
trait Element: Copy {
    fn of(bytes: &[u8]) -> Self;
    fn bytes(self) -> impl AsRef<[u8]>;
}

macro_rules! elements {
    ($($ty:ident)*) => {$(
        impl Element for $ty {
            fn of(bytes: &[u8]) -> Self {
                Self::from_le_bytes(bytes.try_into().expect("a chunk of its size"))
            }
            fn bytes(self) -> impl AsRef<[u8]> {
                self.to_le_bytes()
            }
        }
    )*};
}
elements!(i16 i32 u32 u64);

impl Element for f32 {
    fn of(bytes: &[u8]) -> Self {
        Self::from_le_bytes(bytes.try_into().expect("a chunk of its size"))
    }
    fn bytes(self) -> impl AsRef<[u8]> {
        operand::float_bytes([self])
    }
}

fn read<T: Element>(bytes: &[u8]) -> Vec<T> {
    bytes.chunks_exact(size_of::<T>()).map(T::of).collect()
}

fn write<T: Element>(elements: Vec<T>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size_of_val(&elements[..]));
    for element in elements {
        bytes.extend_from_slice(element.bytes().as_ref());
    }
    bytes
}

fn of_type(tensor: &Tensor, ty: DataType) -> Result<(), String> {
    if tensor.ty == ty {
        Ok(())
    } else {
        Err(format!(
            "`{}` is of type {}, not {ty}",
            tensor.name, tensor.ty
        ))
    }
}

/// The last dimension.
fn row(x: &Tensor) -> Result<u32, String> {
    let last = x.shape.last().copied();
    last.ok_or_else(|| format!("`{}` has no dimension", x.name))
}

/// The only dimension.
fn only(x: &Tensor) -> Result<u32, String> {
    operand::dims::<1>(x)?;
    row(x)
}

/// Rows along the last dimension.
fn rows(x: &Tensor) -> u32 {
    let outer = &x.shape[..x.shape.len().saturating_sub(1)];
    // A tensor has fewer elements than fit.
    outer.iter().fold(1, |n, d| n.wrapping_mul(*d))
}

fn with_last(x: &Tensor, last: u32) -> Vec<u32> {
    let mut shape = x.shape.clone();
    if let Some(d) = shape.last_mut() {
        *d = last;
    }
    shape
}

fn product([a, b]: [u32; 2]) -> Result<u32, String> {
    a.checked_mul(b)
        .ok_or_else(|| format!("it has {a} times {b} elements"))
}

fn at_most(what: &str, given: u32, most: u32) -> Result<(), String> {
    if given <= most {
        Ok(())
    } else {
        Err(format!("its {what} is {given} where {most} is the most"))
    }
}

fn at_least_one(what: &str, given: u32) -> Result<(), String> {
    if given > 0 {
        Ok(())
    } else {
        Err(format!("its {what} is 0"))
    }
}

fn exactly(what: &str, given: u32, due: u32) -> Result<(), String> {
    if given == due {
        Ok(())
    } else {
        Err(format!(
            "its {what} has {given} elements where {due} are due"
        ))
    }
}

/// Longest transform, which is longer than any of sound.
const MAX_LENGTH: u32 = 1 << 16;

fn check_length(length: u32) -> Result<(), String> {
    let half = length / 2;
    if length.is_multiple_of(2) && length <= MAX_LENGTH && tables::radices(half).is_some() {
        Ok(())
    } else {
        Err(format!(
            "its length {length} is not up to {MAX_LENGTH} and twice a product of 2, 3 and 5"
        ))
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Window { shift } | Self::Pcan { shift } => write!(f, " shift {shift}"),
            Self::FftAutoScale | Self::SquareRoot => Ok(()),
            Self::Rfft { length } | Self::Irfft { length } | Self::Delay { length } => {
                write!(f, " length {length}")
            }
            Self::Energy { start, end } => write!(f, " from {start} to {end}"),
            Self::FilterBank { channels } => write!(f, " channels {channels}"),
            Self::SpectralSubtraction(SpectralSubtraction {
                smoothing: [even, odd],
                smoothing_bits,
                clamping,
                min_signal_remaining,
                bits,
            }) => {
                write!(f, " smoothing {even:?} {odd:?} << {smoothing_bits}")?;
                write!(f, " remaining {min_signal_remaining} >> {bits}")?;
                f.write_str(if *clamping { " clamped" } else { "" })
            }
            Self::Log {
                correction_bits,
                scale,
            } => write!(f, " << {correction_bits} scale {scale}"),
            Self::Framer { size, step, filled } => {
                write!(f, " size {size} step {step}")?;
                f.write_str(if *filled { " filled" } else { "" })
            }
            Self::Stacker {
                left, right, step, ..
            } => write!(f, " left {left} right {right} step {step}"),
            Self::OverlapAdd { step } => write!(f, " step {step}"),
            Self::CircularBuffer { slots } => write!(f, " slots {slots}"),
        }
    }
}
