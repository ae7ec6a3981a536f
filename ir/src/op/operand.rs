//! A node's operands for its law and its evaluation: who they are, and their elements as numbers.

use crate::{
    graph::{DataType, Graph, Node, Tensor, TensorId, Variable, VariableId},
    quant,
    ty::{ElementType, MAX_ELEMENTS},
};

/// The operands of one node whose count, ids and sizes are right.
pub(super) struct Operands<'a> {
    /// In the operator's order.
    pub(super) inputs: Vec<Option<&'a Tensor>>,
    /// The first result, and for most operators the only one.
    pub(super) output: &'a Tensor,
    /// Every result.
    pub(super) outputs: Vec<&'a Tensor>,
    /// What is kept between calls.
    pub(super) variables: Vec<&'a Variable>,
}

impl<'a> Operands<'a> {
    /// The operands of `node`, of which there are `least` to `most` inputs, one output and no variable.
    pub(super) fn new(
        graph: &'a Graph,
        node: &Node,
        inputs: (usize, usize),
    ) -> Result<Self, String> {
        Self::of(graph, node, inputs, (1, 1), 0)
    }

    /// The operands of `node`, of which there are `least` to `most` inputs (the first `least` of them
    /// present), so many outputs, at least one, and `variables` variables.
    pub(super) fn of(
        graph: &'a Graph,
        node: &Node,
        (least, most): (usize, usize),
        (least_outputs, most_outputs): (usize, usize),
        variables: usize,
    ) -> Result<Self, String> {
        let given = node.inputs.len();
        if !(least..=most).contains(&given) || node.inputs[..least].contains(&None) {
            let given = node.inputs.iter().flatten().count();
            return Err(format!("it has {given} inputs, which is not its number"));
        }
        if !(least_outputs..=most_outputs).contains(&node.outputs.len()) || node.outputs.is_empty()
        {
            return Err(format!("it has {} outputs", node.outputs.len()));
        }
        if node.variables.len() != variables {
            return Err(format!("it has {} variables", node.variables.len()));
        }
        let tensor = |id: TensorId| {
            let tensor = graph
                .tensors
                .get(id)
                .ok_or_else(|| format!("it names tensor {id:?}, which is not there"))?;
            check_size(tensor)?;
            Ok::<_, String>(tensor)
        };
        let variable = |id: &VariableId| {
            let there = graph.variables.get(*id);
            there.ok_or_else(|| format!("it names variable {id:?}, which is not there"))
        };
        let outputs: Vec<&Tensor> = node
            .outputs
            .iter()
            .map(|id| tensor(*id))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            inputs: node
                .inputs
                .iter()
                .map(|id| id.map(tensor).transpose())
                .collect::<Result<_, _>>()?,
            output: outputs[0],
            outputs,
            variables: node
                .variables
                .iter()
                .map(variable)
                .collect::<Result<_, _>>()?,
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
    check_shape(&tensor.name, &tensor.shape)
}

/// Checks that no dimension of a shape is 0, and that there are no more elements than any tensor may have.
///
/// # Errors
/// A sentence about the tensor that has the shape, by its name.
pub fn check_shape(name: &str, shape: &[u32]) -> Result<(), String> {
    let elements = shape
        .iter()
        .try_fold(1u64, |n, d| n.checked_mul(u64::from(*d)));
    match elements {
        Some(0) => Err(format!("`{name}` of shape {shape:?} is empty")),
        Some(1..=MAX_ELEMENTS) => Ok(()),
        _ => Err(format!("`{name}` of shape {shape:?} is too large")),
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

/// The element type is one of these.
pub(super) fn one_of(tensor: &Tensor, types: &[DataType]) -> Result<(), String> {
    if types.contains(&tensor.ty) {
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

/// The elements of a tensor of any integer type, or of truth values. U64 above 2^63 wrap.
pub(super) fn wide_integers(ty: DataType, bytes: &[u8]) -> Vec<i64> {
    fn each<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> i64) -> Vec<i64> {
        bytes.as_chunks().0.iter().map(|b| read(*b)).collect()
    }
    match ty {
        DataType::Bool => each(bytes, |[b]| i64::from(b != 0)),
        DataType::Element(element) => match element {
            ElementType::U8 => each(bytes, |[b]| b.into()),
            ElementType::I8 => each(bytes, |[b]| (b as i8).into()),
            ElementType::U16 => each(bytes, |b| u16::from_le_bytes(b).into()),
            ElementType::I16 => each(bytes, |b| i16::from_le_bytes(b).into()),
            ElementType::U32 => each(bytes, |b| u32::from_le_bytes(b).into()),
            ElementType::I32 => each(bytes, |b| i32::from_le_bytes(b).into()),
            ElementType::U64 | ElementType::I64 => each(bytes, i64::from_le_bytes),
            ElementType::F32 | ElementType::F64 | ElementType::Utf8 => {
                unreachable!("{ty} is no integer type")
            }
        },
    }
}

/// The bytes of a tensor of any integer type or of truth values: of each element as many of the lowest as
/// the type has.
pub(super) fn wide_integer_bytes(ty: DataType, elements: impl IntoIterator<Item = i64>) -> Vec<u8> {
    let size = ty.size() as usize;
    let bytes = |x: i64| x.to_le_bytes().into_iter().take(size);
    elements.into_iter().flat_map(bytes).collect()
}

/// The least and greatest value of an integer type.
pub(super) fn integer_range(ty: DataType) -> (i64, i64) {
    let bits = ty.size() * 8;
    match ty {
        DataType::Bool => (0, 1),
        DataType::Element(
            ElementType::U8 | ElementType::U16 | ElementType::U32 | ElementType::U64,
        ) => (
            0,
            i64::try_from(u64::MAX >> (64 - bits)).unwrap_or(i64::MAX),
        ),
        DataType::Element(_) => (i64::MIN >> (64 - bits), i64::MAX >> (64 - bits)),
    }
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
