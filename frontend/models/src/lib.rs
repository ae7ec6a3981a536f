//! Model bytes to tensor graph: reads TensorFlow Lite files.
//!
//! The file is not trusted: every access to it is checked, the work and the memory it can ask for grow
//! with its own size, and the graph that comes out has passed [`Graph::check`](rune_ir::graph::Graph::check).

mod error;
mod flatbuffer;
mod foreign;
mod operator;
mod outline;
mod schema;
mod tensor;

pub use error::{ImportError, ImportErrorKind};
pub use outline::{Outline, OutlineOperator, OutlineTensor, outline};

use error::{unreadable, unsupported_form};
use flatbuffer::{Field, Vector};
use rune_ir::graph::{Graph, GraphError, TensorId};
use tensor::Tensors;

/// Reads the first subgraph of a TensorFlow Lite model. Only tensors that its inputs, outputs and operators
/// name are in the graph; constants that are but attributes (the shape of a RESHAPE, the paddings of a
/// PAD) are not.
///
/// # Errors
/// A damaged file, by the table and its offset; an operator or a form of one that is not supported, by
/// the operator's position, its name and the tensor it writes; a tensor of a form that is not, by its name.
pub fn import(file: &[u8]) -> Result<Graph, ImportError> {
    let model = root(file)?;
    let codes = model
        .operator_codes()?
        .ok_or_else(|| unreadable("it has no operator codes"))?;
    let subgraph: schema::SubGraph = model
        .subgraphs()?
        .ok_or_else(|| unreadable("it has no subgraph"))?
        .get(0)
        .ok_or_else(|| unreadable("its first subgraph points outside the file"))?;
    let mut tensors = Tensors::new(file, model.buffers()?, subgraph.tensors()?);
    let mut graph = Graph {
        inputs: ends(&mut tensors, subgraph.inputs()?, "input")?,
        ..Graph::default()
    };
    let mut names = Vec::new();
    if let Some(operators) = subgraph.operators()? {
        for (index, operator) in operators.iter().enumerate() {
            let operator = operator
                .ok_or_else(|| unreadable(format!("operator {index} points outside the file")))?;
            let (node, name) = operator::import(&mut tensors, &codes, index, operator)?;
            graph.nodes.push(node);
            names.push(name);
        }
    }
    graph.outputs = ends(&mut tensors, subgraph.outputs()?, "output")?;
    graph.tensors = tensors.finish();
    graph.check().map_err(|GraphError { node, message }| {
        let place = node.map_or(String::new(), |node| format!("{}: ", names[node]));
        unsupported_form(place + &message)
    })?;
    Ok(graph)
}

/// The root table of a TensorFlow Lite file.
fn root(file: &[u8]) -> Result<schema::Model<'_>, ImportError> {
    if file.get(4..8) != Some(schema::IDENTIFIER) {
        return Err(match foreign::tell(file) {
            Some(foreign) => ImportError {
                advice: Some(foreign.advice),
                ..unreadable(format!("it is {}, not a TensorFlow Lite model", foreign.is))
            },
            None => unreadable("it is not a TensorFlow Lite model: bytes 4 to 8 are not `TFL3`"),
        });
    }
    schema::Model::read(file, 0)
        .ok_or_else(|| unreadable("its first offset points outside the file"))
}

/// The inputs or outputs of the subgraph, which are tensors of fixed size.
fn ends(
    tensors: &mut Tensors,
    indices: Option<Vector<i32>>,
    what: &str,
) -> Result<Vec<TensorId>, ImportError> {
    let mut ids = Vec::new();
    for index in indices.iter().flat_map(Vector::iter).flatten() {
        if ids.len() == MAX_ENDS {
            return Err(unsupported_form(format!(
                "the model has more than {MAX_ENDS} {what}s"
            )));
        }
        tensors.expect_fixed(index)?;
        ids.push(tensors.import(index)?);
    }
    if ids.is_empty() {
        return Err(unsupported_form(format!("the model has no {what}")));
    }
    Ok(ids)
}

/// Most inputs or outputs of a model.
const MAX_ENDS: usize = 64;
