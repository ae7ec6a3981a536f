//! Models of files: read as they are, or once the pipeline says what their files leave open.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use rune_ir::{
    check::{Loaded, OpenModel},
    graph::{DataType, Graph},
};
use rune_models::{ImportError, ImportErrorKind, Open};

/// Reads a model.
///
/// # Errors
/// As [`rune_models::import`]. What is wrong with the shapes of a model that leaves some open is not told
/// before the pipeline fixes them.
pub(crate) fn load(bytes: &Arc<[u8]>) -> Result<Loaded, ImportError> {
    let Some(open) = rune_models::open(bytes)? else {
        return rune_models::import(bytes).map(|graph| Loaded::Model(Arc::new(graph)));
    };
    let file = OpenFile {
        bytes: bytes.clone(),
        open,
        known: Mutex::default(),
    };
    let one = |dims: &Vec<Option<u32>>| dims.iter().map(|d| d.unwrap_or(1)).collect();
    let smallest: Vec<Vec<u32>> = file.open.inputs.iter().map(|(_, dims)| one(dims)).collect();
    match file.import(&smallest) {
        Err(error) if error.kind != ImportErrorKind::UnsupportedForm => Err(error),
        _ => Ok(Loaded::Open(Arc::new(file))),
    }
}

/// Graphs by the shapes of their inputs.
type Known = BTreeMap<Vec<Vec<u32>>, Result<Arc<Graph>, String>>;

/// A file that leaves dimensions open, and the graphs it gave so far.
struct OpenFile {
    bytes: Arc<[u8]>,
    open: Open,
    known: Mutex<Known>,
}

/// Most shapes that are remembered.
const KEPT: usize = 8;

impl OpenFile {
    fn import(&self, shapes: &[Vec<u32>]) -> Result<Graph, ImportError> {
        let shapes: Vec<Option<Vec<u32>>> = shapes.iter().cloned().map(Some).collect();
        rune_models::import_with(&self.bytes, &shapes)
    }
}

impl fmt::Debug for OpenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {} bytes", self.open, self.bytes.len())
    }
}

impl OpenModel for OpenFile {
    fn inputs(&self) -> &[(DataType, Vec<Option<u32>>)] {
        &self.open.inputs
    }

    fn outputs(&self) -> usize {
        self.open.outputs
    }

    fn with(&self, shapes: &[Vec<u32>]) -> Result<Arc<Graph>, String> {
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(shapes) {
            return known.clone();
        }
        let graph = self
            .import(shapes)
            .map(Arc::new)
            .map_err(|error| error.to_string());
        let mut known = lock();
        if known.len() == KEPT {
            known.pop_first();
        }
        known.insert(shapes.to_vec(), graph.clone());
        graph
    }
}
