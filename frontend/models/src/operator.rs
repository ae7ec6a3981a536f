//! Operators of the file as nodes: attributes out of options, constant operands and shapes.

use rune_ir::{
    graph::{Node, Tensor},
    op::{Activation, Op, Window},
};

use crate::{
    error::{ImportError, ImportErrorKind, unreadable, unsupported_form},
    flatbuffer::{Table, Vector},
    schema::{self, Padding},
    tensor::Tensors,
};

/// More operands than an operator has, and as many dimensions as a tensor.
const MAX_OPERANDS: usize = 8;

/// The node of an operator, and what messages call it: its position, its name, and what it writes.
pub(crate) fn import<'a>(
    tensors: &mut Tensors<'a>,
    codes: &Vector<'a, schema::OperatorCode<'a>>,
    index: usize,
    operator: schema::Operator<'a>,
) -> Result<(Node, String), ImportError> {
    let code = operator.opcode_index()?.unwrap_or(0);
    let code = codes.get(code as usize).ok_or_else(|| {
        unreadable(format!(
            "operator {index} is of code {code}, which is not there"
        ))
    })?;
    let outputs = operands(operator.outputs()?);
    let writes = match outputs.first() {
        Some(output) => format!(", writes `{}`", tensors.name(*output)?),
        None => String::new(),
    };
    let name = format!("operator {index} ({}{writes})", operator_name(&code)?);
    let in_place = |e: ImportError| ImportError {
        message: format!("{name}: {}", e.message),
        ..e
    };
    let mut reader = Reader {
        tensors,
        operator,
        inputs: operands(operator.inputs()?),
        outputs,
    };
    let op = reader
        .op(builtin(&code)?)
        .map_err(in_place)?
        .ok_or_else(|| ImportError {
            kind: ImportErrorKind::UnsupportedOperator,
            message: format!("{name} is not supported"),
            advice: None,
        })?;
    let node = reader.node(op).map_err(in_place)?;
    Ok((node, name))
}

/// The number of a builtin operator. Numbers above 127 are in the newer field alone, and old files have
/// only the other.
pub(crate) fn builtin(code: &schema::OperatorCode) -> Result<i32, ImportError> {
    let deprecated = code.deprecated_builtin_code()?.unwrap_or(0);
    Ok(code.builtin_code()?.unwrap_or(0).max(deprecated.into()))
}

pub(crate) fn operator_name(code: &schema::OperatorCode) -> Result<String, ImportError> {
    let name = schema::operator_name(builtin(code)?);
    Ok(match code.custom_code()? {
        Some(custom) if name == "CUSTOM" => {
            format!("CUSTOM {}", String::from_utf8_lossy(custom.bytes()))
        }
        _ => name,
    })
}

/// Whether a builtin operator is one that [`Reader::op`] reads.
pub(crate) fn is_known(builtin: i32) -> bool {
    matches!(
        builtin,
        0 | 1 | 3 | 4 | 6 | 9 | 14 | 17 | 19 | 21 | 22 | 25 | 34 | 114
    )
}

/// The operands of an operator by their tensors' indices. Some are left out where there are too many for
/// any operator, which its law then finds.
fn operands(indices: Option<Vector<i32>>) -> Vec<i32> {
    let indices = indices.iter().flat_map(Vector::iter).flatten();
    indices.take(MAX_OPERANDS).collect()
}

/// An operator whose attributes are being read.
struct Reader<'t, 'a> {
    tensors: &'t mut Tensors<'a>,
    operator: schema::Operator<'a>,
    /// Operands that become inputs of the node; those that are attributes are taken out.
    inputs: Vec<i32>,
    outputs: Vec<i32>,
}

impl<'a> Reader<'_, 'a> {
    /// The operation of a builtin operator, or `None` for one that is not supported.
    fn op(&mut self, builtin: i32) -> Result<Option<Op>, ImportError> {
        if !is_known(builtin) {
            return Ok(None);
        }
        Ok(Some(match builtin {
            0 => self.add()?,
            1 => {
                let (window, size, activation) = self.pool_2d()?;
                Op::AveragePool2d {
                    window,
                    size,
                    activation,
                }
            }
            3 => self.conv_2d()?,
            4 => self.depthwise_conv_2d()?,
            6 => Op::Dequantize,
            9 => self.fully_connected()?,
            14 => Op::Logistic,
            17 => {
                let (window, size, activation) = self.pool_2d()?;
                Op::MaxPool2d {
                    window,
                    size,
                    activation,
                }
            }
            19 => Op::Relu,
            21 => Op::Relu6,
            22 => self.reshape()?,
            25 => self.softmax()?,
            34 => self.pad()?,
            114 => Op::Quantize,
            _ => return Ok(None),
        }))
    }

    /// The node of `op` on the operands that are left.
    fn node(self, op: Op) -> Result<Node, ImportError> {
        let Self {
            tensors,
            inputs,
            outputs,
            ..
        } = self;
        let mut import = |index: i32| tensors.import(index);
        let unless_left_out = |index: i32| (index != -1).then_some(index);
        Ok(Node {
            op,
            inputs: inputs
                .into_iter()
                .map(|index| unless_left_out(index).map(&mut import).transpose())
                .collect::<Result<_, _>>()?,
            outputs: outputs.into_iter().map(import).collect::<Result<_, _>>()?,
        })
    }

    /// The options, which are of this number where they are there.
    fn options<T: From<Table<'a>>>(&self, number: u8) -> Result<Option<T>, ImportError> {
        let Some(options) = self.operator.builtin_options()? else {
            return Ok(None);
        };
        match self.operator.builtin_options_type()?.unwrap_or(0) {
            0 => Ok(None),
            given if given == number => Ok(Some(options.into())),
            given => Err(unreadable(format!(
                "its options are of number {given}, not {number}"
            ))),
        }
    }

    fn expect_options<T: From<Table<'a>>>(&self, number: u8) -> Result<T, ImportError> {
        self.options(number)?
            .ok_or_else(|| unreadable("it has no options"))
    }

    fn add(&self) -> Result<Op, ImportError> {
        let options: Option<schema::AddOptions> = self.options(11)?;
        let fused = match options {
            Some(options) => options.fused_activation_function()?,
            None => None,
        };
        Ok(Op::Add {
            activation: activation(fused)?,
        })
    }

    fn softmax(&self) -> Result<Op, ImportError> {
        let options: schema::SoftmaxOptions = self.expect_options(9)?;
        Ok(Op::Softmax {
            beta: options.beta()?.unwrap_or(0.0),
        })
    }

    fn fully_connected(&mut self) -> Result<Op, ImportError> {
        let mut fused = Activation::None;
        if let Some(options) = self.options::<schema::FullyConnectedOptions>(8)? {
            fused = activation(options.fused_activation_function()?)?;
            if options.weights_format()?.unwrap_or(0) != 0 {
                return Err(unsupported_form("its weights are shuffled"));
            }
        }
        Ok(Op::FullyConnected { activation: fused })
    }

    fn conv_2d(&mut self) -> Result<Op, ImportError> {
        let o: schema::Conv2DOptions = self.expect_options(1)?;
        let stride = [o.stride_h()?, o.stride_w()?];
        let dilation = [o.dilation_h_factor()?, o.dilation_w_factor()?];
        let taps = self.input_dims(1)?;
        Ok(Op::Conv2d {
            window: self.window(taps, stride, dilation, o.padding()?)?,
            activation: activation(o.fused_activation_function()?)?,
        })
    }

    fn depthwise_conv_2d(&mut self) -> Result<Op, ImportError> {
        let o: schema::DepthwiseConv2DOptions = self.expect_options(2)?;
        let stride = [o.stride_h()?, o.stride_w()?];
        let dilation = [o.dilation_h_factor()?, o.dilation_w_factor()?];
        let taps = self.input_dims(1)?;
        Ok(Op::DepthwiseConv2d {
            window: self.window(taps, stride, dilation, o.padding()?)?,
            activation: activation(o.fused_activation_function()?)?,
        })
    }

    fn pool_2d(&mut self) -> Result<(Window, [u32; 2], Activation), ImportError> {
        let o: schema::Pool2DOptions = self.expect_options(5)?;
        let stride = [o.stride_h()?, o.stride_w()?];
        let size = [o.filter_height()?, o.filter_width()?];
        let size = positive(size.map(|s| s.unwrap_or(0)), "window")?;
        let window = self.window(size, stride, [None; 2], o.padding()?)?;
        Ok((window, size, activation(o.fused_activation_function()?)?))
    }

    /// The window of `taps` rows and columns that `padding` makes of the shapes of input and output.
    fn window(
        &mut self,
        taps: [u32; 2],
        stride: [Option<i32>; 2],
        dilation: [Option<i32>; 2],
        padding: Option<i8>,
    ) -> Result<Window, ImportError> {
        let stride = positive(stride.map(|s| s.unwrap_or(0)), "stride")?;
        let dilation = positive(dilation.map(|d| d.unwrap_or(1)), "dilation")?;
        let padding = schema::padding(padding.unwrap_or(0))
            .map_err(|padding| unsupported_form(format!("its padding is {padding}")))?;
        let input = self.input_dims(0)?;
        let output = rows_and_columns(self.output()?)?;
        let mut pad = [0; 2];
        for axis in 0..2 {
            let [taps, stride, dilation, input, output] =
                [taps, stride, dilation, input, output].map(|a| u64::from(a[axis]));
            let span = taps.saturating_sub(1) * dilation + 1;
            let positions = match padding {
                Padding::Same => input.div_ceil(stride),
                Padding::Valid => (input + 1).saturating_sub(span).div_ceil(stride),
            };
            if positions != output {
                let what = ["rows", "columns"][axis];
                return Err(unsupported_form(format!(
                    "its window gives {positions} {what}, but its output has {output}"
                )));
            }
            if padding == Padding::Same {
                let needed = (positions.saturating_sub(1) * stride + span).saturating_sub(input);
                pad[axis] = u32::try_from(needed / 2)
                    .map_err(|_| unsupported_form("its window is too large"))?;
            }
        }
        Ok(Window {
            stride,
            dilation,
            pad,
        })
    }

    /// The output has its shape already; what the operator says of it must agree.
    fn reshape(&mut self) -> Result<Op, ImportError> {
        let said = self.said_shape()?;
        let output = &self.output()?.shape;
        let agrees = |said: &[i64]| {
            let fits = |(said, is): (&i64, &u32)| *said == -1 || *said == i64::from(*is);
            said.len() == output.len() && said.iter().zip(output).all(fits)
                // How old converters write that the result is a scalar.
                || (said == [0] && output.is_empty())
        };
        match said {
            Some(said) if !agrees(&said) => Err(unsupported_form(format!(
                "it reshapes to {said:?}, but its output has the shape {output:?}"
            ))),
            _ => Ok(Op::Reshape),
        }
    }

    /// The shape that a RESHAPE names: by its second operand, or else by its options.
    fn said_shape(&mut self) -> Result<Option<Vec<i64>>, ImportError> {
        if let Some(&shape) = self.inputs.get(1) {
            self.inputs.remove(1);
            return self.tensors.integers(shape, MAX_OPERANDS).map(Some);
        }
        let Some(options) = self.options::<schema::ReshapeOptions>(17)? else {
            return Ok(None);
        };
        let Some(shape) = options.new_shape()? else {
            return Ok(None);
        };
        // One more than a tensor may have, so that a longer one does not agree.
        let dims = shape.iter().flatten().take(MAX_OPERANDS + 1);
        Ok(Some(dims.map(i64::from).collect()))
    }

    fn pad(&mut self) -> Result<Op, ImportError> {
        let &[x, paddings] = &self.inputs[..] else {
            return Err(unreadable(format!("it has {} inputs", self.inputs.len())));
        };
        self.inputs.truncate(1);
        let paddings = self.tensors.integers(paddings, 2 * MAX_OPERANDS)?;
        let x = self.tensors.import(x)?;
        let output = self.output()?.shape.clone();
        let x = &self.tensors.get(x).shape;
        let grown = |(from, around): (&u32, &[i64])| {
            let sum: i64 = around.iter().map(|n| n.clamp(&-1, &MAX_PADDING)).sum();
            u32::try_from(i64::from(*from) + sum).ok()
        };
        let due: Option<Vec<u32>> = x.iter().zip(paddings.chunks(2)).map(grown).collect();
        let before: Result<Vec<u32>, _> = paddings
            .iter()
            .step_by(2)
            .map(|n| u32::try_from(*n))
            .collect();
        match before {
            Ok(before)
                if paddings.len() == 2 * x.len()
                    && paddings.iter().all(|n| *n >= 0)
                    && due.as_ref() == Some(&output) =>
            {
                Ok(Op::Pad { before })
            }
            _ => Err(unsupported_form(format!(
                "it puts {paddings:?} elements around the shape {x:?} and gets {output:?}"
            ))),
        }
    }

    fn output(&mut self) -> Result<&Tensor, ImportError> {
        let &[output] = &self.outputs[..] else {
            return Err(unreadable(format!("it has {} outputs", self.outputs.len())));
        };
        let id = self.tensors.import(output)?;
        Ok(self.tensors.get(id))
    }

    /// Dimensions 1 and 2 of an input.
    fn input_dims(&mut self, input: usize) -> Result<[u32; 2], ImportError> {
        let index = self.inputs.get(input).copied().unwrap_or(-1);
        let id = self.tensors.import(index)?;
        rows_and_columns(self.tensors.get(id))
    }
}

/// Dimensions 1 and 2.
fn rows_and_columns(tensor: &Tensor) -> Result<[u32; 2], ImportError> {
    match tensor.shape[..] {
        [_, rows, columns, _] => Ok([rows, columns]),
        _ => Err(unsupported_form(format!(
            "`{}` has {} dimensions",
            tensor.name,
            tensor.shape.len()
        ))),
    }
}

/// More elements than any padding adds.
const MAX_PADDING: i64 = 1 << 32;

fn activation(number: Option<i8>) -> Result<Activation, ImportError> {
    schema::activation(number.unwrap_or(0))
        .map_err(|name| unsupported_form(format!("its fused activation is {name}")))
}

fn positive(numbers: [i32; 2], what: &str) -> Result<[u32; 2], ImportError> {
    match numbers.map(u32::try_from) {
        [Ok(a @ 1..), Ok(b @ 1..)] => Ok([a, b]),
        _ => Err(unsupported_form(format!("its {what} is {numbers:?}"))),
    }
}
