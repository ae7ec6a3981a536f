//! What multiplies by weights.

use rune_ir::{
    graph::{DataType, Quantization},
    op::{Activation, Lstm, Op, Product, Weighted, Window},
};

use super::{Read, ReadOp, Reader, activation, positive, rows_and_columns};
use crate::{
    error::{ImportError, unreadable, unsupported_form},
    schema::{self, Padding},
};

pub(super) fn reader(name: &str) -> Option<ReadOp> {
    Some(match name {
        "BATCH_MATMUL" => |r| r.batch_mat_mul(),
        "CONV_2D" => |r| r.conv_2d(),
        "DENSIFY" => |r| r.unfolded(),
        "DEPTHWISE_CONV_2D" => |r| r.depthwise_conv_2d(),
        "FULLY_CONNECTED" => |r| r.fully_connected(),
        "SVDF" => |r| r.svdf(),
        "UNIDIRECTIONAL_SEQUENCE_LSTM" => |r| r.lstm(),
        "TRANSPOSE_CONV" => |r| r.transpose_conv(),
        _ => return None,
    })
}

impl Reader<'_, '_> {
    fn fully_connected(&mut self) -> Result<Read, ImportError> {
        let (mut fused, mut keep, mut asymmetric) = (Activation::None, false, false);
        if let Some(options) = self.options::<schema::FullyConnectedOptions>(8)? {
            fused = activation(options.fused_activation_function()?)?;
            keep = flag(options.keep_num_dims()?);
            asymmetric = flag(options.asymmetric_quantize_inputs()?);
            if options.weights_format()?.unwrap_or(0) != 0 {
                return Err(unsupported_form("its weights are shuffled"));
            }
        }
        let weights = self.input(1)?;
        let &[outputs, depth] = &weights.shape[..] else {
            return Err(unsupported_form(format!(
                "its weights `{}` have the shape {:?}",
                weights.name, weights.shape
            )));
        };
        let x = self.input(0)?;
        let (elements, mut shape) = (x.elements(), x.shape.clone());
        match shape.last_mut() {
            Some(last) if keep && *last == depth => *last = outputs,
            _ => shape = vec![(elements / depth.max(1) as usize) as u32, outputs],
        }
        // Converters write other shapes of the same size, too; nobody minds as long as the file fixes them.
        let written = self.output()?.elements() as u64;
        if self.tensors.resized || written != product(&shape) {
            self.set_shape(0, shape)?;
        }
        Ok(Read::Op(Op::FullyConnected {
            activation: fused,
            asymmetric,
        }))
    }

    /// The inputs are the output's shape, the weights and x, then perhaps the bias.
    fn transpose_conv(&mut self) -> Result<Read, ImportError> {
        let o: schema::TransposeConvOptions = self.expect_options(49)?;
        if self.inputs.len() < 3 {
            return Err(unreadable(format!("it has {} inputs", self.inputs.len())));
        }
        let said = self.take_integers(0, 4)?;
        self.inputs.swap(0, 1);
        let dims = said
            .iter()
            .map(|d| u32::try_from(*d))
            .collect::<Result<Vec<_>, _>>();
        let Ok(shape) = dims else {
            return Err(unsupported_form(format!(
                "its output is to have the shape {said:?}"
            )));
        };
        self.set_shape(0, shape)?;
        let stride = positive(
            [o.stride_h()?, o.stride_w()?].map(|s| s.unwrap_or(0)),
            "stride",
        )?;
        let padding = schema::padding(o.padding()?.unwrap_or(0))
            .map_err(|padding| unsupported_form(format!("its padding is {padding}")))?;
        let taps = self.input_dims(1)?;
        let output = rows_and_columns(self.output()?)?;
        let pad = std::array::from_fn(|axis| {
            // As for the convolution that would make x of the output.
            let [taps, stride, output] = [taps, stride, output].map(|a| u64::from(a[axis]));
            let span = output.div_ceil(stride).saturating_sub(1) * stride + taps;
            let pad = span.saturating_sub(output) / 2;
            let pad = if padding == Padding::Same { pad } else { 0 };
            u32::try_from(pad).unwrap_or(u32::MAX)
        });
        let window = Window {
            stride,
            dilation: [1, 1],
            pad,
        };
        Ok(Read::Op(Op::Weighted(Weighted::TransposeConv {
            window,
            activation: activation(o.fused_activation_function()?)?,
        })))
    }

    /// Its constant input as it is: the importer has brought that into the form that the operator would.
    pub(super) fn unfolded(&mut self) -> Result<Read, ImportError> {
        self.keep_shape(0)?;
        let input = self.input(0)?;
        match &input.data {
            Some(data) => Ok(Read::Values(vec![data.to_vec()])),
            None => Err(unsupported_form(format!(
                "`{}` is not constant",
                input.name
            ))),
        }
    }

    /// The inputs are x, weights of features and of time, bias or none, and the state.
    fn svdf(&mut self) -> Result<Read, ImportError> {
        let o: schema::SvdfOptions = self.expect_options(6)?;
        if self.inputs.len() != 5 {
            return Err(unreadable(format!("it has {} inputs", self.inputs.len())));
        }
        self.take_variable(4)?;
        let rank = o.rank()?.unwrap_or(0);
        let Ok(rank @ 1..) = u32::try_from(rank) else {
            return Err(unsupported_form(format!("its rank is {rank}")));
        };
        let filters = self.input(1)?.shape.first().copied().unwrap_or(0);
        let batch = self.input(0)?.shape.first().copied().unwrap_or(0);
        self.set_shape(0, vec![batch, filters / rank])?;
        Ok(Read::Op(Op::Weighted(Weighted::Svdf {
            rank,
            activation: activation(o.fused_activation_function()?)?,
        })))
    }

    /// The inputs are x, weights of x and of the hidden state for four gates, those of peepholes for three,
    /// four biases, weights and bias of a projection, the two states, and perhaps what normalises gates.
    fn lstm(&mut self) -> Result<Read, ImportError> {
        /// The inputs that only other kinds of cell have, with what these are called.
        const OTHERS: [(&[usize], &str); 3] = [
            (&[9, 10, 11], "peepholes"),
            (&[16, 17], "a projection"),
            (&[20, 21, 22, 23], "layer normalisation"),
        ];
        let o: schema::UnidirectionalSequenceLstmOptions = self.expect_options(71)?;
        for (inputs, what) in OTHERS {
            if inputs
                .iter()
                .any(|i| self.inputs.get(*i).is_some_and(|index| *index != -1))
            {
                return Err(unsupported_form(format!("it has {what}")));
            }
        }
        if self.inputs.len() < 20 || self.inputs[1] == -1 {
            return Err(unsupported_form("it has no input gate of its own"));
        }
        if o.fused_activation_function()?.unwrap_or(0) != 4 {
            return Err(unsupported_form("the function of its cells is not tanh"));
        }
        if flag(o.diagonal_recurrent_tensors()?) {
            return Err(unsupported_form("its recurrent weights are diagonal"));
        }
        self.inputs.truncate(20);
        // The later first, so that the earlier keeps its place.
        self.take_variable(19)?;
        self.take_variable(18)?;
        self.variables.swap(0, 1);
        self.inputs.drain(16..);
        self.inputs.drain(9..12);
        let cells = self.input(1)?.shape.first().copied().unwrap_or(0);
        let mut shape = self.input(0)?.shape.clone();
        if let Some(last) = shape.last_mut() {
            *last = cells;
        }
        self.set_shape(0, shape)?;
        Ok(Read::Op(Op::Weighted(Weighted::Lstm(Lstm {
            time_major: flag(o.time_major()?),
            clip: o.cell_clip()?.unwrap_or(0.0),
        }))))
    }

    /// Takes an input that keeps state, which begins at its zero point, out of the inputs.
    fn take_variable(&mut self, input: usize) -> Result<(), ImportError> {
        let index = self.inputs.remove(input);
        let importer = &mut *self.importer;
        let id = self.tensors.variable(index, |bytes| importer.keep(bytes))?;
        let variable = &mut self.tensors.graph.variables[id];
        let zero_point = variable
            .quantization
            .as_ref()
            .and_then(Quantization::per_tensor);
        if let (DataType::I8, Some((_, zero_point))) = (variable.ty, zero_point) {
            variable.initial = vec![zero_point as u8; variable.initial.len()].into();
        }
        self.variables.push(id);
        Ok(())
    }

    fn batch_mat_mul(&mut self) -> Result<Read, ImportError> {
        let (mut swapped, mut asymmetric) = ([false; 2], false);
        if let Some(o) = self.options::<schema::BatchMatMulOptions>(101)? {
            swapped = [flag(o.adj_x()?), flag(o.adj_y()?)];
            asymmetric = flag(o.asymmetric_quantize_inputs()?);
        }
        let [x, y] = [self.input(0)?.clone(), self.input(1)?.clone()];
        let shape = Product::shape(&x, &y, swapped).map_err(unsupported_form)?;
        self.set_shape(0, shape)?;
        Ok(Read::Op(Op::Weighted(Weighted::BatchMatMul {
            swapped,
            asymmetric,
        })))
    }

    fn conv_2d(&mut self) -> Result<Read, ImportError> {
        let o: schema::Conv2DOptions = self.expect_options(1)?;
        let stride = [o.stride_h()?, o.stride_w()?];
        let dilation = [o.dilation_h_factor()?, o.dilation_w_factor()?];
        let taps = self.input_dims(1)?;
        let (window, [rows, columns]) = self.window(taps, stride, dilation, o.padding()?)?;
        let (batch, channels) = (self.input(0)?.shape[0], self.input(1)?.shape[0]);
        self.set_shape(0, vec![batch, rows, columns, channels])?;
        Ok(Read::Op(Op::Conv2d {
            window,
            activation: activation(o.fused_activation_function()?)?,
        }))
    }

    fn depthwise_conv_2d(&mut self) -> Result<Read, ImportError> {
        let o: schema::DepthwiseConv2DOptions = self.expect_options(2)?;
        let stride = [o.stride_h()?, o.stride_w()?];
        let dilation = [o.dilation_h_factor()?, o.dilation_w_factor()?];
        let taps = self.input_dims(1)?;
        let (window, [rows, columns]) = self.window(taps, stride, dilation, o.padding()?)?;
        let (batch, channels) = (self.input(0)?.shape[0], self.input(1)?.shape[3]);
        self.set_shape(0, vec![batch, rows, columns, channels])?;
        Ok(Read::Op(Op::DepthwiseConv2d {
            window,
            activation: activation(o.fused_activation_function()?)?,
        }))
    }
}

fn flag(value: Option<u8>) -> bool {
    value.unwrap_or(0) != 0
}

fn product(shape: &[u32]) -> u64 {
    shape.iter().map(|d| u64::from(*d)).product()
}
