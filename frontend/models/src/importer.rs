//! A model's subgraphs as graphs: operators in turn, each with the shapes of what it writes; those on
//! constants are folded where shapes of others hang on them.

use std::collections::BTreeMap;

use rune_ir::{
    arena::Arena,
    graph::{Graph, GraphError, Node, TensorId, Variable, VariableId},
    op::{self, share_variables},
};

use crate::{
    Open,
    error::{ImportError, ImportErrorKind, unreadable, unsupported_form},
    flatbuffer::Vector,
    operator::{self, Read},
    schema,
    tensor::{Handle, Tensors, check_size},
};

/// Most inputs or outputs of a model.
const MAX_ENDS: usize = 64;
/// Most operators, those of a subgraph counted each time it is used.
const MAX_OPERATORS: usize = 1 << 16;
/// Most subgraphs inside each other.
const MAX_DEPTH: usize = 8;
/// Most bytes that operators keep between calls by their attributes, not by tensors of the file.
const MAX_KEPT: usize = 1 << 24;
/// Most bytes of a result that is folded here rather than by the compiler's passes: shapes, axes and the like.
const FOLDED: usize = 1024;

/// What all subgraphs of a file share.
pub(crate) struct Importer<'a> {
    file: &'a [u8],
    codes: Vector<'a, schema::OperatorCode<'a>>,
    buffers: Option<Vector<'a, schema::Buffer<'a>>>,
    subgraphs: Vector<'a, schema::SubGraph<'a>>,
    /// The variables of all, while no subgraph is being read.
    pub(crate) variables: Arena<Variable>,
    /// Those that `VAR_HANDLE` names, by container and name.
    pub(crate) named_variables: BTreeMap<Handle, VariableId>,
    /// How many graphs are inside operators.
    pub(crate) bodies: usize,
    /// What is not supported, so far.
    faults: Vec<ImportError>,
    repairs: Vec<String>,
    operators_left: usize,
    /// How many bytes of constants may still be computed: so many for each byte of the file.
    constants_left: usize,
    kept_left: usize,
    /// How many operators of the subgraph come behind the one that is being read.
    behind: usize,
    depth: usize,
}

impl<'a> Importer<'a> {
    pub(crate) fn new(file: &'a [u8], model: &schema::Model<'a>) -> Result<Self, ImportError> {
        Ok(Self {
            file,
            codes: model
                .operator_codes()?
                .ok_or_else(|| unreadable("it has no operator codes"))?,
            buffers: model.buffers()?,
            subgraphs: model
                .subgraphs()?
                .ok_or_else(|| unreadable("it has no subgraph"))?,
            variables: Arena::default(),
            named_variables: BTreeMap::new(),
            bodies: 0,
            faults: Vec::new(),
            repairs: Vec::new(),
            operators_left: MAX_OPERATORS,
            constants_left: file.len() * MAX_GROWTH,
            kept_left: MAX_KEPT,
            behind: 0,
            depth: 0,
        })
    }

    /// Counts bytes that an operator keeps.
    pub(crate) fn keep(&mut self, bytes: usize) -> Result<(), ImportError> {
        let left = self.kept_left.checked_sub(bytes);
        self.kept_left = left.ok_or_else(|| {
            unsupported_form(format!("more than {MAX_KEPT} bytes are kept between calls"))
        })?;
        Ok(())
    }

    /// How many operators of the subgraph come behind the one that is being read.
    pub(crate) fn behind(&self) -> usize {
        self.behind
    }

    /// Whether something was found that is not supported, so that graphs may be none.
    pub(crate) fn has_faults(&self) -> bool {
        !self.faults.is_empty()
    }

    /// The first subgraph, and those its operators name.
    pub(crate) fn whole(mut self, shapes: &[Option<Vec<u32>>]) -> Result<Graph, ImportError> {
        let graph = self.subgraph(0, shapes)?;
        let mut faults = self.faults.into_iter();
        if let Some(first) = faults.next() {
            return Err(ImportError {
                others: faults.map(|f| f.message).collect(),
                ..first
            });
        }
        let mut graph = graph;
        graph.variables = self.variables;
        share_variables(&mut graph);
        graph
            .check()
            .map_err(|GraphError { node, message }| match node {
                Some(node) => unsupported_form(format!(
                    "operator {node} ({}): {message}",
                    graph.nodes[node].op.name()
                )),
                None => unsupported_form(message),
            })?;
        graph.repairs = self.repairs;
        Ok(graph)
    }

    /// What the first subgraph leaves open of its inputs, if it does.
    pub(crate) fn open(&self) -> Result<Option<Open>, ImportError> {
        let subgraph = self
            .subgraphs
            .get(0)
            .ok_or_else(|| unreadable("its first subgraph points outside the file"))?;
        let mut tensors = Tensors::new(self.file, self.buffers, subgraph.tensors()?);
        let inputs = ends(subgraph.inputs()?, "input", 0)?;
        let inputs: Vec<_> = inputs
            .into_iter()
            .map(|index| tensors.open_type(index))
            .collect::<Result<_, _>>()?;
        let open = inputs.iter().any(|(_, dims)| dims.contains(&None));
        let outputs = ends(subgraph.outputs()?, "output", 0)?.len();
        Ok(open.then_some(Open { inputs, outputs }))
    }

    /// A subgraph whose inputs have these shapes, as far as they are given. Faults of its operators are kept
    /// for [`whole`](Self::whole) to tell, so that the graph may be none.
    pub(crate) fn subgraph(
        &mut self,
        index: usize,
        shapes: &[Option<Vec<u32>>],
    ) -> Result<Graph, ImportError> {
        let subgraph = self
            .subgraphs
            .get(index)
            .ok_or_else(|| unreadable(format!("subgraph {index} is not in the file")))?;
        if self.depth == MAX_DEPTH {
            return Err(unsupported_form(format!(
                "more than {MAX_DEPTH} subgraphs lie inside each other"
            )));
        }
        self.depth += 1;
        let mut tensors = Tensors::new(self.file, self.buffers, subgraph.tensors()?);
        tensors.graph.variables = std::mem::take(&mut self.variables);
        let inputs = ends(subgraph.inputs()?, "input", index)?;
        for (place, input) in inputs.iter().enumerate() {
            tensors.fix(*input, shapes.get(place).and_then(Option::as_deref))?;
        }
        tensors.graph.inputs = import_all(&mut tensors, &inputs)?;
        for id in tensors.graph.inputs.clone() {
            check_size(tensors.get(id))?;
            tensors.write(id)?;
        }
        if let Some(operators) = subgraph.operators()? {
            for (position, operator) in operators.iter().enumerate() {
                let operator = operator.ok_or_else(|| {
                    unreadable(format!("operator {position} points outside the file"))
                })?;
                self.operators_left = self.operators_left.checked_sub(1).ok_or_else(|| {
                    unsupported_form(format!("it has more than {MAX_OPERATORS} operators"))
                })?;
                self.behind = operators.len() - position - 1;
                match self.operator(&mut tensors, position, operator) {
                    Err(fault) if fault.kind != ImportErrorKind::Unreadable => {
                        self.faults.push(fault);
                    }
                    other => other?,
                }
            }
        }
        if self.faults.is_empty() {
            let outputs = ends(subgraph.outputs()?, "output", index)?;
            tensors.graph.outputs = import_all(&mut tensors, &outputs)?;
        }
        self.depth -= 1;
        let mut graph = tensors.graph;
        self.variables = std::mem::take(&mut graph.variables);
        self.repairs.append(&mut graph.repairs);
        Ok(graph)
    }

    /// How many bytes of constants may still be computed.
    pub(crate) fn constants_left(&self) -> usize {
        self.constants_left
    }

    /// Counts constants that are computed here, if there may be so many.
    fn may_define(&mut self, values: &[Vec<u8>]) -> bool {
        let left = self
            .constants_left
            .checked_sub(values.iter().map(Vec::len).sum());
        self.constants_left = left.unwrap_or(self.constants_left);
        left.is_some()
    }

    /// Reads one operator into the graph of `tensors`.
    fn operator(
        &mut self,
        tensors: &mut Tensors<'a>,
        position: usize,
        operator: schema::Operator<'a>,
    ) -> Result<(), ImportError> {
        let codes = self.codes;
        let code = operator.opcode_index()?.unwrap_or(0);
        let code = codes.get(code as usize).ok_or_else(|| {
            unreadable(format!(
                "operator {position} is of code {code}, which is not there"
            ))
        })?;
        let name = operator::describe(tensors, position, &operator, &code)?;
        let in_place = |e: ImportError| ImportError {
            message: format!("{name}: {}", e.message),
            ..e
        };
        let Some(read) = operator::reader(&operator::operator_name(&code)?) else {
            return Err(ImportError {
                kind: ImportErrorKind::UnsupportedOperator,
                message: format!("{name} is not supported"),
                advice: None,
                others: Vec::new(),
            });
        };
        let mut reader = operator::Reader::new(self, tensors, operator)?;
        let node = match read(&mut reader).map_err(in_place)? {
            Read::Op(op) => reader.node(op).map_err(in_place)?,
            Read::Values(values) => {
                let outputs = reader.results().map_err(in_place)?;
                if !self.may_define(&values) {
                    return Err(in_place(unsupported_form(
                        "the file makes too many constants of little",
                    )));
                }
                return define(tensors, &outputs, values).map_err(in_place);
            }
            Read::Done => return Ok(()),
        };
        let graph = &mut tensors.graph;
        op::check(graph, &node).map_err(|message| in_place(unsupported_form(message)))?;
        if let Some(values) = folded(graph, &node)
            && self.may_define(&values)
        {
            return define(tensors, &node.outputs, values).map_err(in_place);
        }
        let outputs = node.outputs.clone();
        graph.nodes.push(node);
        let mut outputs = outputs.into_iter();
        outputs.try_for_each(|id| tensors.write(id).map_err(in_place))
    }
}

/// Most bytes of computed constants for each byte of the file.
const MAX_GROWTH: usize = 6;

/// Makes constants of what an operator writes.
fn define(
    tensors: &mut Tensors,
    outputs: &[TensorId],
    values: Vec<Vec<u8>>,
) -> Result<(), ImportError> {
    for (id, value) in outputs.iter().zip(values) {
        tensors.write(*id)?;
        let tensor = &mut tensors.graph.tensors[*id];
        if value.len() != tensor.bytes() {
            return Err(unsupported_form(format!(
                "`{}` has {} bytes where {} are due",
                tensor.name,
                tensor.bytes(),
                value.len()
            )));
        }
        tensor.data = Some(value.into());
    }
    Ok(())
}

/// What a node computes, if its inputs are constant and its results small.
fn folded(graph: &Graph, node: &Node) -> Option<Vec<Vec<u8>>> {
    if !node.variables.is_empty() || !node.op.ends() {
        return None;
    }
    let constant = |id: &Option<TensorId>| match id {
        None => Some(None),
        Some(id) => graph.tensors[*id].data.as_deref().map(Some),
    };
    let values: Vec<Option<&[u8]>> = node.inputs.iter().map(constant).collect::<Option<_>>()?;
    let bytes: usize = node
        .outputs
        .iter()
        .map(|id| graph.tensors[*id].bytes())
        .sum();
    (bytes <= FOLDED).then(|| op::evaluate(graph, node, &values, &mut graph.state()))
}

/// The inputs or outputs of a subgraph, by their tensors' indices. Only the first must have some.
fn ends(
    indices: Option<Vector<i32>>,
    what: &str,
    subgraph: usize,
) -> Result<Vec<i32>, ImportError> {
    let indices: Vec<i32> = indices
        .iter()
        .flat_map(Vector::iter)
        .flatten()
        .take(MAX_ENDS + 1)
        .collect();
    if indices.len() > MAX_ENDS {
        return Err(unsupported_form(format!(
            "the model has more than {MAX_ENDS} {what}s"
        )));
    }
    if indices.is_empty() && subgraph == 0 {
        return Err(unsupported_form(format!("the model has no {what}")));
    }
    Ok(indices)
}

fn import_all(tensors: &mut Tensors, indices: &[i32]) -> Result<Vec<TensorId>, ImportError> {
    indices.iter().map(|index| tensors.import(*index)).collect()
}
