//! A node's operands for its law and its evaluation: who they are, and their elements as numbers.

use crate::{
    graph::{DataType, Graph, Node, Tensor, TensorId},
    quant,
    ty::MAX_ELEMENTS,
};

/// The operands of one node whose count, ids and sizes are right.
pub(super) struct Operands<'a> {
    /// In the operator's order.
    pub(super) inputs: Vec<Option<&'a Tensor>>,
    /// The one result.
    pub(super) output: &'a Tensor,
}

impl<'a> Operands<'a> {
    /// The operands of `node`, of which there are `least` to `most` inputs and one output.
    pub(super) fn new(
        graph: &'a Graph,
        node: &Node,
        (least, most): (usize, usize),
    ) -> Result<Self, String> {
        let given = node.inputs.len();
        if !(least..=most).contains(&given) || node.inputs[..least].contains(&None) {
            let given = node.inputs.iter().flatten().count();
            return Err(format!("it has {given} inputs, which is not its number"));
        }
        let [output] = node.outputs[..] else {
            return Err(format!("it has {} outputs", node.outputs.len()));
        };
        let tensor = |id: TensorId| {
            let tensor = graph
                .tensors
                .get(id)
                .ok_or_else(|| format!("it names tensor {id:?}, which is not there"))?;
            check_size(tensor)?;
            Ok::<_, String>(tensor)
        };
        Ok(Self {
            inputs: node
                .inputs
                .iter()
                .map(|id| id.map(tensor).transpose())
                .collect::<Result<_, _>>()?,
            output: tensor(output)?,
        })
    }

    /// An input that every node of the operator has.
    pub(super) fn input(&self, index: usize) -> &'a Tensor {
        self.inputs[index].expect("the count of inputs was checked")
    }

    /// An input that may be left out.
    pub(super) fn optional(&self, index: usize) -> Option<&'a Tensor> {
        self.inputs.get(index).copied().flatten()
    }

    /// Input 0 and the output have one type, F32, I8 or U8, which is given back.
    pub(super) fn number(&self) -> Result<DataType, String> {
        let input = self.input(0);
        number(input)?;
        same_type(input, self.output)?;
        Ok(input.ty)
    }

    /// As [`number`](Self::number), the two having one shape too.
    pub(super) fn elementwise(&self) -> Result<DataType, String> {
        same_shape(self.input(0), self.output)?;
        self.number()
    }
}

/// No dimension is 0, and there are no more elements than any tensor may have.
pub(crate) fn check_size(tensor: &Tensor) -> Result<(), String> {
    let elements = tensor
        .shape
        .iter()
        .try_fold(1u64, |n, d| n.checked_mul(u64::from(*d)));
    match elements {
        Some(0) => Err(format!(
            "`{}` of shape {:?} is empty",
            tensor.name, tensor.shape
        )),
        Some(1..=MAX_ELEMENTS) => Ok(()),
        _ => Err(format!(
            "`{}` of shape {:?} is too large",
            tensor.name, tensor.shape
        )),
    }
}

/// The element type is F32, I8 or U8.
pub(super) fn number(tensor: &Tensor) -> Result<(), String> {
    if [DataType::F32, DataType::I8, DataType::U8].contains(&tensor.ty) {
        Ok(())
    } else {
        Err(format!("`{}` is of type {}", tensor.name, tensor.ty))
    }
}

/// Both have one element type.
pub(super) fn same_type(a: &Tensor, b: &Tensor) -> Result<(), String> {
    if a.ty == b.ty {
        Ok(())
    } else {
        Err(format!(
            "`{}` is of type {}, but `{}` of type {}",
            a.name, a.ty, b.name, b.ty
        ))
    }
}

/// Both have one shape.
pub(super) fn same_shape(a: &Tensor, b: &Tensor) -> Result<(), String> {
    shape(b, &a.shape)
}

/// The tensor has this shape.
pub(super) fn shape(tensor: &Tensor, expected: &[u32]) -> Result<(), String> {
    if tensor.shape == expected {
        Ok(())
    } else {
        Err(format!(
            "`{}` has the shape {:?} where {expected:?} is due",
            tensor.name, tensor.shape
        ))
    }
}

/// The dimensions of a tensor that must have `N` of them.
pub(super) fn dims<const N: usize>(tensor: &Tensor) -> Result<[usize; N], String> {
    let shape: [u32; N] = tensor.shape[..].try_into().map_err(|_| {
        format!(
            "`{}` has {} dimensions where {N} are due",
            tensor.name,
            tensor.shape.len()
        )
    })?;
    Ok(shape.map(|d| d as usize))
}

/// The bias of `channels` channels, if there is one: I32 beside integers, F32 beside F32.
pub(super) fn bias(bias: Option<&Tensor>, channels: usize, x: &Tensor) -> Result<(), String> {
    let Some(bias) = bias else { return Ok(()) };
    let due = if x.ty == DataType::F32 {
        DataType::F32
    } else {
        DataType::I32
    };
    if bias.ty != due {
        return Err(format!(
            "the bias `{}` is of type {}, not {due}",
            bias.name, bias.ty
        ));
    }
    if bias.elements() != channels {
        return Err(format!(
            "the bias `{}` has {} elements for {channels} channels",
            bias.name,
            bias.elements()
        ));
    }
    Ok(())
}

/// The elements of an F32 tensor.
pub(super) fn floats(bytes: &[u8]) -> Vec<f32> {
    words(bytes).map(f32::from_le_bytes).collect()
}

/// The elements of an I32 tensor.
pub(super) fn integers(bytes: &[u8]) -> Vec<i32> {
    words(bytes).map(i32::from_le_bytes).collect()
}

fn words(bytes: &[u8]) -> impl Iterator<Item = [u8; 4]> {
    bytes
        .chunks_exact(4)
        .map(|c| c.try_into().expect("chunks of four bytes"))
}

/// The elements of an I8 or U8 tensor.
pub(super) fn small_integers(ty: DataType, bytes: &[u8]) -> Vec<i32> {
    let widen = |b: &u8| {
        if ty == DataType::I8 {
            i32::from(*b as i8)
        } else {
            i32::from(*b)
        }
    };
    bytes.iter().map(widen).collect()
}

/// The bytes of an F32 tensor, each NaN as the canonical one.
pub(super) fn float_bytes(elements: impl IntoIterator<Item = f32>) -> Vec<u8> {
    let canonical = |x: f32| if x.is_nan() { 0x7fc0_0000 } else { x.to_bits() };
    elements
        .into_iter()
        .flat_map(|x| canonical(x).to_le_bytes())
        .collect()
}

/// The bytes of an I8 or U8 tensor, each element clamped to `range`, which fits the type.
pub(super) fn small_integer_bytes(
    elements: impl IntoIterator<Item = i32>,
    (least, most): (i32, i32),
) -> Vec<u8> {
    elements
        .into_iter()
        .map(|x| x.clamp(least, most) as u8)
        .collect()
}

/// Both are quantised as a whole, with one scale and zero point.
pub(super) fn same_affine(a: &Tensor, b: &Tensor) -> Result<(), String> {
    let (of_a, of_b) = (quant::affine(a)?, quant::affine(b)?);
    if of_a == of_b {
        Ok(())
    } else {
        Err(format!(
            "`{}` has scale and zero point {of_a:?}, but `{}` {of_b:?}",
            a.name, b.name
        ))
    }
}

/// The reals 0 to 1 - 1/256 span the whole element type: scale 1/256, zero point at its least integer.
pub(super) fn unit_affine(tensor: &Tensor) -> Result<(), String> {
    let (scale, zero_point) = quant::affine(tensor)?;
    let (least, _) = quant::element_range(tensor.ty)?;
    if scale == 1.0 / 256.0 && zero_point == least {
        Ok(())
    } else {
        Err(format!(
            "`{}` has scale {scale} and zero point {zero_point}, not 1/256 and {least}",
            tensor.name
        ))
    }
}
