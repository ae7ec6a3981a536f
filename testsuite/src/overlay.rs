//! A world for the compiler in which some files are made up.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use rune_ir::env::Env;
use runec::world::World;

/// The catalogue and a folder, with files laid over it.
#[derive(Clone, Debug)]
pub struct Overlay {
    below: World,
    files: BTreeMap<String, Arc<[u8]>>,
}

impl Overlay {
    /// The folder as it is.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            below: World::new(folder),
            files: BTreeMap::new(),
        }
    }

    /// Lays a file over the folder; `path` is as a Runefile writes it.
    #[must_use]
    pub fn with(mut self, path: &str, bytes: impl Into<Arc<[u8]>>) -> Self {
        self.files.insert(path.to_owned(), bytes.into());
        self
    }
}

impl Env for Overlay {
    fn file(&self, path: &str) -> Result<Arc<[u8]>, String> {
        self.files
            .get(path)
            .map_or_else(|| self.below.file(path), |bytes| Ok(bytes.clone()))
    }

    fn archive(&self, path: &str) -> Option<Result<Arc<[u8]>, String>> {
        self.below.archive(path)
    }

    fn block(&self, name: &str) -> Option<Arc<[u8]>> {
        self.below.block(name)
    }

    fn resolve_block(&self, name: &str) -> Option<String> {
        self.below.resolve_block(name)
    }

    fn blocks(&self) -> Vec<String> {
        self.below.blocks()
    }

    fn has_image(&self, name: &str) -> bool {
        self.below.has_image(name)
    }

    fn images(&self) -> Vec<String> {
        self.below.images()
    }
}
