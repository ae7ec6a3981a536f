//! What a model file says it holds, whether this compiler can compile it or not.

use std::collections::BTreeMap;

use rune_ir::layout::{Lifetime, place};

use crate::{
    error::{ImportError, unreadable, unsupported_form},
    flatbuffer::Vector,
    operator, schema,
};

/// Most tensors, operators and operands of one that are read; files of real models have far fewer.
const MOST: usize = 1 << 16;

/// A model as its file describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Outline {
    /// What the converter wrote about it, mostly its own name; may be empty.
    pub description: String,
    /// How many subgraphs there are; the rest is about the first.
    pub subgraphs: usize,
    /// Every tensor that has a place in the file.
    pub tensors: Vec<OutlineTensor>,
    /// The operators in execution order.
    pub operators: Vec<OutlineOperator>,
    /// What the caller gives, as positions in [`tensors`](Self::tensors).
    pub inputs: Vec<usize>,
    /// What the caller gets.
    pub outputs: Vec<usize>,
}

/// One tensor of an [`Outline`].
#[derive(Clone, Debug, PartialEq)]
pub struct OutlineTensor {
    /// Its name; need not be unique.
    pub name: String,
    /// Its element type, by the name of our types where it is one of them, else by the format's.
    pub element: String,
    /// Its dimensions, -1 for one that is open.
    pub shape: Vec<i32>,
    /// Bytes of its data if it is constant.
    pub constant: Option<u64>,
    /// Bits of one element; `None` for a type without a size.
    bits: Option<u32>,
    /// Scale and zero point of the first of its scales, and how many there are.
    pub quantization: Option<(f32, i64, usize)>,
}

/// One operator of an [`Outline`].
#[derive(Clone, Debug, PartialEq)]
pub struct OutlineOperator {
    /// Its name, as TFLite spells it.
    pub name: String,
    /// Whether the compiler has it in some form.
    pub known: bool,
    /// Its operands, as positions in [`Outline::tensors`]; those left out are left out.
    pub inputs: Vec<usize>,
    /// What it writes.
    pub outputs: Vec<usize>,
    /// Multiplications with addition that it does; `None` where its kind is not counted that way and is
    /// not cheap either.
    pub macs: Option<u64>,
}

impl OutlineTensor {
    /// Number of elements, an open dimension counting as 1.
    pub fn elements(&self) -> u64 {
        let dims = self.shape.iter().map(|d| u64::try_from(*d).unwrap_or(1));
        dims.fold(1, u64::saturating_mul)
    }

    /// Bytes it takes; 0 for a type without a size.
    pub fn bytes(&self) -> u64 {
        let bits = u64::from(self.bits.unwrap_or(0));
        self.elements().saturating_mul(bits).div_ceil(8)
    }
}

impl Outline {
    /// Numbers in constants that operators read, each constant counted once.
    pub fn parameters(&self) -> u64 {
        let read: std::collections::BTreeSet<usize> = self
            .operators
            .iter()
            .flat_map(|o| o.inputs.iter().copied())
            .filter(|t| self.tensors[*t].constant.is_some())
            .collect();
        let elements = read.into_iter().map(|t| self.tensors[t].elements());
        elements.fold(0, u64::saturating_add)
    }

    /// Multiplications with addition of all operators that are counted that way.
    pub fn macs(&self) -> u64 {
        let each = self.operators.iter().filter_map(|o| o.macs);
        each.fold(0, u64::saturating_add)
    }

    /// Bytes that hold every tensor that is not constant while it is alive, operators run in the order
    /// written; `None` where that is more than 4 GiB. The compiler, which fuses operators, may need less.
    pub fn activation_bytes(&self) -> Option<u64> {
        let mut lives: BTreeMap<usize, (u32, u32)> = BTreeMap::new();
        let end = self.operators.len() as u32 + 1;
        let mut alive = |tensor: usize, at: u32| {
            let life = lives.entry(tensor).or_insert((at, at));
            *life = (life.0.min(at), life.1.max(at));
        };
        for (tensors, at) in [(&self.inputs, 0), (&self.outputs, end)] {
            for tensor in tensors {
                alive(*tensor, at);
            }
        }
        for (index, operator) in self.operators.iter().enumerate() {
            for tensor in operator.inputs.iter().chain(&operator.outputs) {
                alive(*tensor, index as u32 + 1);
            }
        }
        let lifetimes: Option<Vec<Lifetime>> = lives
            .iter()
            .filter(|(t, _)| self.tensors[**t].constant.is_none())
            .map(|(t, (first, last))| {
                Some(Lifetime {
                    bytes: u32::try_from(self.tensors[*t].bytes()).ok()?,
                    first: *first,
                    last: *last,
                })
            })
            .collect();
        Some(place(&lifetimes?).bytes)
    }
}

/// Reads what a TensorFlow Lite file says it holds. Asks less of the file than [`import`](crate::import):
/// operators may be of any kind and tensors of any type.
///
/// # Errors
/// A damaged file, by the table and its offset, or one larger than any model.
pub fn outline(file: &[u8]) -> Result<Outline, ImportError> {
    let model = crate::root(file)?;
    let codes = model.operator_codes()?;
    let subgraphs = model
        .subgraphs()?
        .ok_or_else(|| unreadable("it has no subgraph"))?;
    let subgraph = subgraphs
        .get(0)
        .ok_or_else(|| unreadable("its first subgraph points outside the file"))?;
    let buffers = model.buffers()?;
    let mut tensors = Vec::new();
    if let Some(tables) = subgraph.tensors()? {
        limit(tables.len(), "tensors")?;
        for (index, table) in tables.iter().enumerate() {
            let table = table
                .ok_or_else(|| unreadable(format!("tensor {index} points outside the file")))?;
            tensors.push(tensor(index, &table, buffers.as_ref())?);
        }
    }
    let known = |indices: Option<Vector<'_, i32>>| -> Result<Vec<usize>, ImportError> {
        let indices: Vec<i32> = indices.iter().flat_map(Vector::iter).flatten().collect();
        limit(indices.len(), "operands")?;
        indices
            .into_iter()
            .filter(|i| *i != -1)
            .map(|i| {
                let position = usize::try_from(i).ok().filter(|i| *i < tensors.len());
                position.ok_or_else(|| unreadable(format!("tensor {i} is not there")))
            })
            .collect()
    };
    let mut operators = Vec::new();
    if let Some(tables) = subgraph.operators()? {
        limit(tables.len(), "operators")?;
        for (index, table) in tables.iter().enumerate() {
            let table = table
                .ok_or_else(|| unreadable(format!("operator {index} points outside the file")))?;
            let code = codes
                .as_ref()
                .and_then(|c| c.get(table.opcode_index().ok()?.unwrap_or(0) as usize))
                .ok_or_else(|| unreadable(format!("operator {index} has no code")))?;
            let (inputs, outputs) = (known(table.inputs()?)?, known(table.outputs()?)?);
            let name = operator::operator_name(&code)?;
            operators.push(OutlineOperator {
                macs: macs(&name, &tensors, &inputs, &outputs),
                known: operator::reader(&name).is_some(),
                name,
                inputs,
                outputs,
            });
        }
    }
    let (inputs, outputs) = (known(subgraph.inputs()?)?, known(subgraph.outputs()?)?);
    let description = model.description()?.map_or(&[][..], |d| d.bytes());
    Ok(Outline {
        description: String::from_utf8_lossy(&description[..description.len().min(200)])
            .into_owned(),
        subgraphs: subgraphs.len(),
        inputs,
        outputs,
        tensors,
        operators,
    })
}

fn limit(count: usize, what: &str) -> Result<(), ImportError> {
    if count > MOST {
        return Err(unsupported_form(format!(
            "it has {count} {what}, more than {MOST}"
        )));
    }
    Ok(())
}

fn tensor(
    index: usize,
    table: &schema::Tensor<'_>,
    buffers: Option<&Vector<'_, schema::Buffer<'_>>>,
) -> Result<OutlineTensor, ImportError> {
    let name = crate::tensor::name(index, table)?;
    let number = table.element()?.unwrap_or(0);
    let (element, bits) = match schema::element(number) {
        Ok(ty) => (ty.to_string(), Some(ty.size() * 8)),
        Err(name) => {
            let bits = match number {
                1 | 18 => Some(16),
                8 => Some(64),
                17 => Some(4),
                _ => None,
            };
            (name, bits)
        }
    };
    // The shape with open dimensions, where there is one.
    let open = table.shape_signature()?.filter(|s| s.len() > 0);
    let shape = match open {
        Some(shape) => Some(shape),
        None => table.shape()?,
    };
    let shape: Vec<i32> = shape.iter().flat_map(Vector::iter).flatten().collect();
    if shape.len() > MOST {
        return Err(unreadable(format!(
            "`{name}` has {} dimensions",
            shape.len()
        )));
    }
    let buffer = table.buffer()?.unwrap_or(0) as usize;
    let data = match buffers.filter(|_| buffer != 0).and_then(|b| b.get(buffer)) {
        Some(buffer) => buffer.data()?.map_or(0, |d| d.len() as u64),
        None => 0,
    };
    let quantization = match table.quantization()? {
        Some(q) => match q.scale()?.filter(|s| s.len() > 0) {
            Some(scale) => {
                let zero = q.zero_point()?.and_then(|z| z.get(0)).unwrap_or(0);
                scale.get(0).map(|first| (first, zero, scale.len()))
            }
            None => None,
        },
        None => None,
    };
    Ok(OutlineTensor {
        name,
        element,
        bits,
        shape,
        constant: (data > 0).then_some(data),
        quantization,
    })
}

/// Multiplications with addition, by the shapes of weights and results.
fn macs(name: &str, tensors: &[OutlineTensor], inputs: &[usize], outputs: &[usize]) -> Option<u64> {
    let dims = |index: Option<&usize>| -> Vec<u64> {
        let shape = index.map_or(&[][..], |i| &tensors[*i].shape);
        shape
            .iter()
            .map(|d| u64::try_from(*d).unwrap_or(1))
            .collect()
    };
    let product = |dims: &[u64]| dims.iter().copied().fold(1, u64::saturating_mul);
    let (x, weights) = (dims(inputs.first()), dims(inputs.get(1)));
    let out = product(&dims(outputs.first()));
    let per_result = match (name, weights.as_slice()) {
        // Of each output channel, all taps over all input channels.
        ("CONV_2D", [_, taps @ ..]) => product(taps),
        ("CONV_3D", [d, h, w, i, _]) => product(&[*d, *h, *w, *i]),
        ("DEPTHWISE_CONV_2D", [_, h, w, _]) => h.saturating_mul(*w),
        ("FULLY_CONNECTED", [.., i]) => *i,
        ("BATCH_MATMUL", _) => *x.last()?,
        // Here each input, not each result, meets all taps of all output channels.
        ("TRANSPOSE_CONV", [o, h, w, _]) => {
            let x = product(&dims(inputs.get(2)));
            return Some(x.saturating_mul(product(&[*o, *h, *w])));
        }
        (
            "LSTM"
            | "UNIDIRECTIONAL_SEQUENCE_LSTM"
            | "BIDIRECTIONAL_SEQUENCE_LSTM"
            | "RNN"
            | "UNIDIRECTIONAL_SEQUENCE_RNN"
            | "BIDIRECTIONAL_SEQUENCE_RNN"
            | "SVDF"
            | "WHILE"
            | "IF"
            | "CALL"
            | "CUSTOM"
            | "RFFT2D",
            _,
        ) => return None,
        _ => return Some(0),
    };
    Some(out.saturating_mul(per_result))
}
