//! A model as a graph of operators over tensors of known shape.

use std::{fmt, sync::Arc};

use crate::{
    arena::{Arena, Id, Side},
    op::{self, Op},
    ty::ElementType,
};

/// Names one tensor of a [`Graph`].
pub type TensorId = Id<Tensor>;

/// Names one variable of a [`Graph`].
pub type VariableId = Id<Variable>;

/// The element type of a model's tensor. Wider than [`ElementType`](crate::ty::ElementType): models
/// have booleans too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DataType {
    /// One byte, 0 or 1.
    Bool,
    /// A type that stages have too.
    Element(ElementType),
}

impl DataType {
    /// binary32.
    pub const F32: Self = Self::Element(ElementType::F32);
    /// binary64.
    pub const F64: Self = Self::Element(ElementType::F64);
    /// Signed byte.
    pub const I8: Self = Self::Element(ElementType::I8);
    /// Unsigned byte.
    pub const U8: Self = Self::Element(ElementType::U8);
    /// Signed 16-bit integer.
    pub const I16: Self = Self::Element(ElementType::I16);
    /// Unsigned 16-bit integer.
    pub const U16: Self = Self::Element(ElementType::U16);
    /// Signed 32-bit integer.
    pub const I32: Self = Self::Element(ElementType::I32);
    /// Unsigned 32-bit integer.
    pub const U32: Self = Self::Element(ElementType::U32);
    /// Signed 64-bit integer.
    pub const I64: Self = Self::Element(ElementType::I64);
    /// Unsigned 64-bit integer.
    pub const U64: Self = Self::Element(ElementType::U64);

    /// Bytes of one element.
    pub fn size(self) -> u32 {
        match self {
            Self::Bool => 1,
            Self::Element(e) => e.size(),
        }
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.pad("bool"),
            Self::Element(e) => f.pad(e.name()),
        }
    }
}

/// Affine quantisation: real = scale * (q - `zero_point`).
#[derive(Clone, Debug, PartialEq)]
pub struct Quantization {
    /// One scale, or one per index along `axis`. All finite and above zero.
    pub scale: Vec<f32>,
    /// As many as scales.
    pub zero_point: Vec<i32>,
    /// The dimension along which scales differ, where there are several.
    pub axis: u32,
}

impl Quantization {
    /// The scale and zero point of a tensor that has one of each.
    pub fn per_tensor(&self) -> Option<(f32, i32)> {
        match (&self.scale[..], &self.zero_point[..]) {
            ([s], [z]) => Some((*s, *z)),
            _ => None,
        }
    }
}

/// One tensor of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Its name in the model file; need not be unique.
    pub name: String,
    /// Of its elements.
    pub ty: DataType,
    /// The outermost first; empty for a scalar.
    pub shape: Vec<u32>,
    /// How its integers stand for reals.
    pub quantization: Option<Quantization>,
    /// Its value if constant: exactly `bytes()` bytes, little-endian.
    pub data: Option<Arc<[u8]>>,
}

impl Tensor {
    /// Number of elements. Of a shape that a file says and nobody has checked it may be the greatest number.
    pub fn elements(&self) -> usize {
        let dims = self.shape.iter().map(|d| *d as usize);
        // In any order, zero is the product of a shape that has it.
        if self.shape.contains(&0) {
            0
        } else {
            dims.fold(1, usize::saturating_mul)
        }
    }

    /// Number of bytes, as far as there are such numbers.
    pub fn bytes(&self) -> usize {
        self.elements().saturating_mul(self.ty.size() as usize)
    }
}

/// A tensor that keeps its value from call to call, until the rune is reset.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    /// Its name in the model file; need not be unique.
    pub name: String,
    /// Of its elements.
    pub ty: DataType,
    /// The outermost first.
    pub shape: Vec<u32>,
    /// How its integers stand for reals.
    pub quantization: Option<Quantization>,
    /// Its value before the first call: as many bytes as its elements take.
    pub initial: Arc<[u8]>,
}

/// The value of every variable of a graph, as bytes.
pub type State = Side<Variable, Vec<u8>>;

/// One operator applied to tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it computes.
    pub op: Op,
    /// Its operands in the operator's order; `None` for one left out.
    pub inputs: Vec<Option<TensorId>>,
    /// What it writes.
    pub outputs: Vec<TensorId>,
    /// The variables that it reads or changes, in the operator's order.
    pub variables: Vec<VariableId>,
}

/// A model. Nodes stand in an order in which each follows what it reads; a tensor is written at most once.
///
/// The bodies of IF and WHILE are graphs inside their operators. Their nodes name variables of the whole
/// model, of which each body's `variables` is a copy.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Graph {
    /// Every tensor.
    pub tensors: Arena<Tensor>,
    /// What is kept between calls.
    pub variables: Arena<Variable>,
    /// The operators, in execution order.
    pub nodes: Vec<Node>,
    /// What the caller gives.
    pub inputs: Vec<TensorId>,
    /// What the caller gets.
    pub outputs: Vec<TensorId>,
    /// What its file says that cannot be meant, and how it was read, each as a sentence without a capital or
    /// a stop.
    pub repairs: Vec<String>,
}

/// A law of [`Graph`] that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphError {
    /// Position of the operator that breaks it, unless it is the graph's own.
    pub node: Option<usize>,
    /// What is wrong, as a clause.
    pub message: String,
}

impl GraphError {
    fn of_graph(message: String) -> Self {
        Self {
            node: None,
            message,
        }
    }
}

impl fmt::Display for GraphError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.node {
            Some(node) => write!(f, "operator {node}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for GraphError {}

impl Graph {
    /// Checks every law that [`evaluate`](Self::evaluate) and code generation rely on: tensors have a
    /// size and the data of that size; inputs are no constants; each tensor has one writer, before its
    /// readers; variables have a first value; each node passes [`op::check`].
    ///
    /// # Errors
    /// The first broken law.
    pub fn check(&self) -> Result<(), GraphError> {
        for tensor in self.tensors.values() {
            check_tensor(tensor).map_err(GraphError::of_graph)?;
        }
        for variable in self.variables.values() {
            check_variable(variable).map_err(GraphError::of_graph)?;
        }
        let mut known = Side::new(&self.tensors, |_, t| t.data.is_some());
        for id in &self.inputs {
            self.define(&mut known, *id).map_err(GraphError::of_graph)?;
        }
        for (index, node) in self.nodes.iter().enumerate() {
            self.check_node(&mut known, node)
                .map_err(|message| GraphError {
                    node: Some(index),
                    message,
                })?;
        }
        for id in &self.outputs {
            self.expect_known(&known, *id)
                .map_err(GraphError::of_graph)?;
        }
        Ok(())
    }

    fn check_node(&self, known: &mut Side<Tensor, bool>, node: &Node) -> Result<(), String> {
        for id in node.inputs.iter().flatten() {
            self.expect_known(known, *id)?;
        }
        for id in &node.variables {
            let there = self.variables.get(*id);
            there.ok_or_else(|| format!("there is no variable {id:?}"))?;
        }
        op::check(self, node)?;
        for id in &node.outputs {
            self.define(known, *id)?;
        }
        Ok(())
    }

    fn define(&self, known: &mut Side<Tensor, bool>, id: TensorId) -> Result<(), String> {
        let tensor = self.named(id)?;
        if std::mem::replace(&mut known[id], true) {
            return Err(format!("`{}` is given or written twice", tensor.name));
        }
        Ok(())
    }

    fn expect_known(&self, known: &Side<Tensor, bool>, id: TensorId) -> Result<(), String> {
        let tensor = self.named(id)?;
        if known[id] {
            Ok(())
        } else {
            Err(format!(
                "nothing writes `{}` before it is read",
                tensor.name
            ))
        }
    }

    fn named(&self, id: TensorId) -> Result<&Tensor, String> {
        self.tensors
            .get(id)
            .ok_or_else(|| format!("there is no tensor {id:?}"))
    }

    /// The variables before the first call.
    pub fn state(&self) -> State {
        Side::new(&self.variables, |_, v| v.initial.to_vec())
    }

    /// The bytes of each output of a first call, given those of each input.
    ///
    /// # Panics
    /// As [`run`](Self::run).
    pub fn evaluate(&self, inputs: &[Vec<u8>]) -> Vec<Vec<u8>> {
        self.run(inputs, &mut self.state())
    }

    /// The bytes of each output, given those of each input: the oracle, slow and obvious.
    ///
    /// # Panics
    /// A graph that does not pass [`check`](Self::check), inputs that are not as many or not as long
    /// as its own, or the state of another graph.
    pub fn run(&self, inputs: &[Vec<u8>], state: &mut State) -> Vec<Vec<u8>> {
        let mut values = Side::new(&self.tensors, |_, t| t.data.as_deref().map(<[u8]>::to_vec));
        assert_eq!(inputs.len(), self.inputs.len(), "one value for each input");
        for (id, input) in self.inputs.iter().zip(inputs) {
            assert_eq!(input.len(), self.tensors[*id].bytes(), "length of a value");
            values[*id] = Some(input.clone());
        }
        for node in &self.nodes {
            let operands: Vec<_> = node
                .inputs
                .iter()
                .map(|id| id.and_then(|id| values[id].as_deref()))
                .collect();
            let results = op::evaluate(self, node, &operands, state);
            assert_eq!(
                results.len(),
                node.outputs.len(),
                "one value for each output"
            );
            for (id, result) in node.outputs.iter().zip(results) {
                values[*id] = Some(result);
            }
        }
        let value = |id: &TensorId| values[*id].clone().expect("outputs are written");
        self.outputs.iter().map(value).collect()
    }
}

fn check_variable(variable: &Variable) -> Result<(), String> {
    let Variable {
        name, ty, shape, ..
    } = variable;
    op::check_shape(name, shape)?;
    let bytes = shape.iter().map(|d| *d as usize).product::<usize>() * ty.size() as usize;
    if variable.initial.len() == bytes {
        Ok(())
    } else {
        Err(format!(
            "`{name}` begins with {} bytes where {bytes} are due",
            variable.initial.len()
        ))
    }
}

fn check_tensor(tensor: &Tensor) -> Result<(), String> {
    op::check_size(tensor)?;
    match &tensor.data {
        Some(data) if data.len() != tensor.bytes() => Err(format!(
            "`{}` has {} bytes of data where {} are due",
            tensor.name,
            data.len(),
            tensor.bytes()
        )),
        _ => Ok(()),
    }
}
