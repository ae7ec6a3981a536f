//! Model bytes to tensor graph: reads TensorFlow Lite files.
//!
//! The file is not trusted: every access to it is checked, the work and the memory it can ask for grow
//! with its own size, and the graph that comes out has passed [`Graph::check`](rune_ir::graph::Graph::check).

mod error;
mod flatbuffer;
mod flexbuffer;
mod foreign;
mod importer;
mod operator;
mod outline;
mod schema;
mod stored;
mod tensor;

pub use error::{ImportError, ImportErrorKind};
pub use outline::{Outline, OutlineOperator, OutlineTensor, outline};

use error::unreadable;
use flatbuffer::Field;
use rune_ir::graph::{DataType, Graph};

/// Reads a TensorFlow Lite model. Only tensors that its inputs, outputs and operators name are in the graph;
/// constants that are but attributes (the shape of a RESHAPE, the paddings of a PAD) are not.
///
/// # Errors
/// A damaged file, by the table and its offset; every operator, or form of one, that is not supported, by
/// the operator's position, its name and the tensor it writes; a tensor of a form that is not, by its name.
pub fn import(file: &[u8]) -> Result<Graph, ImportError> {
    import_with(file, &[])
}

/// As [`import`], with the shape of each input for which `shapes` has one. Those agree with the dimensions that
/// the file does not leave open.
///
/// # Errors
/// As [`import`]; and a shape that does not agree.
pub fn import_with(file: &[u8], shapes: &[Option<Vec<u32>>]) -> Result<Graph, ImportError> {
    let model = root(file)?;
    importer::Importer::new(file, &model)?.whole(shapes)
}

/// The inputs of a model whose file leaves dimensions of some open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// The element type of each input and its dimensions, `None` for one that is open.
    pub inputs: Vec<(DataType, Vec<Option<u32>>)>,
    /// How many outputs it has.
    pub outputs: usize,
}

/// What a file leaves open; `None` where it fixes every dimension of its inputs.
///
/// # Errors
/// A damaged file, or an input of a form that is not supported.
pub fn open(file: &[u8]) -> Result<Option<Open>, ImportError> {
    let model = root(file)?;
    importer::Importer::new(file, &model)?.open()
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
