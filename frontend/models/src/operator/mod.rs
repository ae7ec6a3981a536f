//! Operators of the file as nodes: attributes out of options, constant operands and shapes. Families of them
//! have files of their own; this is what these share.

mod decode;
mod elementwise;
mod linear;
mod movement;
mod reduction;
mod shapes;
mod signal;
mod slicing;

use rune_ir::{
    graph::{Node, Tensor, TensorId, VariableId},
    op::{Activation, Op, Window},
};

use crate::{
    error::{ImportError, unreadable, unsupported_form},
    flatbuffer::{Table, Vector},
    importer::Importer,
    schema::{self, Padding},
    tensor::Tensors,
};

/// As many operands as an operator may have.
const MAX_OPERANDS: usize = 1024;
/// As many dimensions as a tensor may have.
const MAX_RANK: usize = 8;

/// What an operator comes to.
pub(crate) enum Read {
    /// A node on the inputs, outputs and variables that the reader has left.
    Op(Op),
    /// The values of its outputs, which are constant.
    Values(Vec<Vec<u8>>),
    /// Nothing more: it has done what it does here.
    Done,
}

/// Reads the attributes of an operator. It takes those inputs that are attributes out of the reader, says
/// what shape each output has and which variables there are.
pub(crate) type ReadOp = for<'r, 't, 'a> fn(&'r mut Reader<'t, 'a>) -> Result<Read, ImportError>;

/// How an operator is read, by its name; `None` for one that is not supported.
pub(crate) fn reader(name: &str) -> Option<ReadOp> {
    let families = [
        linear::reader,
        reduction::reader,
        movement::reader,
        slicing::reader,
        shapes::reader,
        elementwise::reader,
        signal::reader,
        decode::reader,
    ];
    families.into_iter().find_map(|family| family(name))
}

/// What messages call an operator: its position, its name, and what it writes.
pub(crate) fn describe(
    tensors: &Tensors,
    position: usize,
    operator: &schema::Operator,
    code: &schema::OperatorCode,
) -> Result<String, ImportError> {
    let writes = match operands(operator.outputs()?).first() {
        Some(output) => format!(", writes `{}`", tensors.name(*output)?),
        None => String::new(),
    };
    Ok(format!(
        "operator {position} ({}{writes})",
        operator_name(code)?
    ))
}

/// The number of a builtin operator. Numbers above 127 are in the newer field alone, and old files have
/// only the other.
fn builtin(code: &schema::OperatorCode) -> Result<i32, ImportError> {
    let deprecated = code.deprecated_builtin_code()?.unwrap_or(0);
    Ok(code.builtin_code()?.unwrap_or(0).max(deprecated.into()))
}

/// The name of an operator; of one that is not builtin, `CUSTOM` and its own.
pub(crate) fn operator_name(code: &schema::OperatorCode) -> Result<String, ImportError> {
    let name = schema::operator_name(builtin(code)?);
    Ok(match code.custom_code()? {
        Some(custom) if name == "CUSTOM" => {
            format!("CUSTOM {}", String::from_utf8_lossy(custom.bytes()))
        }
        _ => name,
    })
}

/// The operands of an operator by their tensors' indices. Some are left out where there are too many for
/// any operator, which its law then finds.
fn operands(indices: Option<Vector<i32>>) -> Vec<i32> {
    let indices = indices.iter().flat_map(Vector::iter).flatten();
    indices.take(MAX_OPERANDS).collect()
}

/// An operator whose attributes are being read.
pub(crate) struct Reader<'t, 'a> {
    importer: &'t mut Importer<'a>,
    tensors: &'t mut Tensors<'a>,
    operator: schema::Operator<'a>,
    /// Operands that become inputs of the node; those that are attributes are taken out.
    inputs: Vec<i32>,
    outputs: Vec<i32>,
    /// Variables of the node.
    variables: Vec<VariableId>,
}

impl<'t, 'a> Reader<'t, 'a> {
    pub(crate) fn new(
        importer: &'t mut Importer<'a>,
        tensors: &'t mut Tensors<'a>,
        operator: schema::Operator<'a>,
    ) -> Result<Self, ImportError> {
        Ok(Self {
            importer,
            tensors,
            operator,
            inputs: operands(operator.inputs()?),
            outputs: operands(operator.outputs()?),
            variables: Vec::new(),
        })
    }

    /// The node of `op` on the operands that are left.
    pub(crate) fn node(&mut self, op: Op) -> Result<Node, ImportError> {
        let inputs = std::mem::take(&mut self.inputs);
        let inputs = inputs.into_iter().map(|index| {
            let present = (index != -1).then_some(index);
            present.map(|index| self.tensors.import(index)).transpose()
        });
        Ok(Node {
            op,
            inputs: inputs.collect::<Result<_, _>>()?,
            outputs: self.results()?,
            variables: std::mem::take(&mut self.variables),
        })
    }

    /// What the operator writes.
    pub(crate) fn results(&mut self) -> Result<Vec<TensorId>, ImportError> {
        let outputs = self.outputs.iter();
        outputs.map(|index| self.tensors.import(*index)).collect()
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

    /// An input that the operator must have.
    fn input(&mut self, input: usize) -> Result<&Tensor, ImportError> {
        match self.optional(input)? {
            Some(id) => Ok(self.tensors.get(id)),
            None => Err(unreadable(format!("it lacks input {input}"))),
        }
    }

    /// An input that may be left out.
    fn optional(&mut self, input: usize) -> Result<Option<TensorId>, ImportError> {
        match self.inputs.get(input) {
            None | Some(-1) => Ok(None),
            Some(&index) => self.tensors.import(index).map(Some),
        }
    }

    /// The elements of an input that is an attribute: a constant of I32 or I64 of at most `most` elements. It is
    /// no input of the node; inputs behind it move up.
    fn take_integers(&mut self, input: usize, most: usize) -> Result<Vec<i64>, ImportError> {
        if self.inputs.get(input).is_none_or(|index| *index == -1) {
            return Err(unreadable(format!("it lacks input {input}")));
        }
        let index = self.inputs.remove(input);
        self.tensors.integers(index, most)
    }

    /// The output, of an operator that has one.
    fn output(&mut self) -> Result<&Tensor, ImportError> {
        let &[output] = &self.outputs[..] else {
            return Err(unreadable(format!("it has {} outputs", self.outputs.len())));
        };
        let id = self.tensors.import(output)?;
        Ok(self.tensors.get(id))
    }

    /// Says what shape an output has, by the law of the operator.
    fn set_shape(&mut self, output: usize, shape: Vec<u32>) -> Result<(), ImportError> {
        let index = self.outputs.get(output).copied();
        let index = index.ok_or_else(|| unreadable(format!("it lacks output {output}")))?;
        self.tensors.set_shape(index, shape)
    }

    /// Says that the only output has the shape of an input.
    fn keep_shape(&mut self, input: usize) -> Result<(), ImportError> {
        let shape = self.input(input)?.shape.clone();
        self.set_shape(0, shape)
    }

    /// Dimensions 1 and 2 of an input.
    fn input_dims(&mut self, input: usize) -> Result<[u32; 2], ImportError> {
        rows_and_columns(self.input(input)?)
    }

    /// The window of `taps` rows and columns on input 0, and how many positions it has.
    fn window(
        &mut self,
        taps: [u32; 2],
        stride: [Option<i32>; 2],
        dilation: [Option<i32>; 2],
        padding: Option<i8>,
    ) -> Result<(Window, [u32; 2]), ImportError> {
        let stride = positive(stride.map(|s| s.unwrap_or(0)), "stride")?;
        let dilation = positive(dilation.map(|d| d.unwrap_or(1)), "dilation")?;
        let padding = schema::padding(padding.unwrap_or(0))
            .map_err(|padding| unsupported_form(format!("its padding is {padding}")))?;
        let input = self.input_dims(0)?;
        let (mut pad, mut positions) = ([0; 2], [0; 2]);
        for axis in 0..2 {
            let [taps, stride, dilation, input] =
                [taps, stride, dilation, input].map(|a| u64::from(a[axis]));
            let span = taps.saturating_sub(1) * dilation + 1;
            let count = match padding {
                Padding::Same => input.div_ceil(stride),
                Padding::Valid => (input + 1).saturating_sub(span).div_ceil(stride),
            };
            if padding == Padding::Same {
                let needed = (count.saturating_sub(1) * stride + span).saturating_sub(input);
                pad[axis] = u32::try_from(needed / 2)
                    .map_err(|_| unsupported_form("its window is too large"))?;
            }
            // No more than there are rows or columns.
            positions[axis] = count as u32;
        }
        let window = Window {
            stride,
            dilation,
            pad,
        };
        Ok((window, positions))
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
