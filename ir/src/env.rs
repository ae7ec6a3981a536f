//! The one window through which the compiler sees the world.

use std::sync::Arc;

/// Everything the compiler may learn from outside itself. Paths are as written in a Runefile, with
/// `/` between parts; what they are relative to is the implementor's business.
pub trait Env: Send + Sync {
    /// The bytes of a file, or one sentence on why they cannot be had.
    fn file(&self, path: &str) -> Result<Arc<[u8]>, String>;
    /// What `FROM path` names where that is no image of the catalogue: a Runefile, a folder with one, or a
    /// rune that carries its sources; or one sentence on why it cannot be had.
    fn layer(&self, path: &str) -> Result<Layer, String> {
        Err(format!("there is no file {path}"))
    }
    /// The same where `FROM reference` names an artifact of a registry; `None`: here they are not known.
    fn fetched(&self, reference: &str) -> Option<Result<Layer, String>> {
        let _ = reference;
        None
    }
    /// The files of a folder as one archive, or one sentence on why there is none; `None` where the path is
    /// no folder. The same files give the same bytes.
    fn archive(&self, path: &str) -> Option<Result<Arc<[u8]>, String>> {
        let _ = path;
        None
    }
    /// The bytes of a precompiled block by canonical name (`runicos/label`).
    fn block(&self, name: &str) -> Option<Arc<[u8]>>;
    /// The module of a block whose path is a folder of sources, built first if `build` allows it; `None`
    /// where the path is no folder.
    fn folder_block(&self, path: &str, build: bool) -> Option<Result<Arc<[u8]>, Unbuilt>> {
        let _ = (path, build);
        None
    }
    /// The canonical name a block's name or alias stands for, if the catalogue has it.
    fn resolve_block(&self, name: &str) -> Option<String>;
    /// The names of every block in the catalogue, for suggestions.
    fn blocks(&self) -> Vec<String>;
    /// Whether the catalogue has a base image of this name.
    fn has_image(&self, name: &str) -> bool;
    /// The names of every base image, for suggestions.
    fn images(&self) -> Vec<String>;
}

/// A Runefile below another.
#[derive(Clone)]
pub struct Layer {
    /// The name to show for it in messages.
    pub name: String,
    /// The same for two layers exactly where they are the same file.
    pub id: String,
    /// The Runefile.
    pub bytes: Arc<[u8]>,
    /// What it sees: its paths are relative to a place of its own.
    pub env: Arc<dyn Env>,
}

/// Why a folder of sources gave no module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unbuilt {
    /// It is not built, and this is not the time to.
    NotYet,
    /// It cannot be built.
    Failed(BuildFailure),
}

/// What is wrong with a folder of sources, in sentences.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildFailure {
    /// What is wrong, in one line without a final full stop.
    pub reason: String,
    /// What else to know, such as what the compiler says.
    pub notes: Vec<String>,
    /// What to try.
    pub hints: Vec<String>,
}
