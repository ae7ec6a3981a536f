//! The layers of a rune: a Runefile, what its `FROM` names, and so on down to a base image.

use std::{fmt, sync::Arc};

use rune_ir::{
    diag::{Code, Diagnostic, FileId, Sources},
    env::Env,
};

use crate::{
    parse,
    tree::{From, Instruction, Tree},
    values::shorten,
};

/// How many Runefiles may lie on each other, the one asked for counted.
pub const MAX_LAYERS: usize = 16;

/// One Runefile of a chain in which each lies on the next.
#[derive(Clone)]
pub struct Layer {
    /// What it says.
    pub tree: Tree,
    /// The same for two layers exactly where they are the same file; empty: not known.
    pub id: String,
    /// What it sees; `None`: it is the Runefile asked for, and whoever asked knows.
    pub env: Option<Arc<dyn Env>>,
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layer")
            .field("tree", &self.tree)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Layer {
    /// The Runefile asked for.
    pub fn own(tree: Tree) -> Self {
        Self {
            tree,
            id: String::new(),
            env: None,
        }
    }

    /// What it sees, `own` being what the Runefile asked for sees.
    pub fn env<'e>(&'e self, own: &'e dyn Env) -> &'e dyn Env {
        self.env.as_deref().unwrap_or(own)
    }
}

/// What the word after `FROM` names, told from its text alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    /// An image of the catalogue.
    Image,
    /// A file or a folder.
    Path,
    /// An image of a registry.
    Registry,
}

impl Base {
    /// A path begins with `.` or `/`, or its last part is the name of a Runefile or a rune. What begins with
    /// a scheme or the name of a host, or has a tag, is of a registry.
    pub(crate) fn of(image: &str) -> Self {
        let last = image.rsplit('/').next().unwrap_or(image);
        let is_file = last == "Runefile"
            || [".Runefile", ".rune", ".yml", ".yaml"]
                .iter()
                .any(|end| last.ends_with(end));
        if image.contains("://") {
            return Self::Registry;
        }
        if ["./", "../", "/"]
            .iter()
            .any(|start| image.starts_with(start))
            || [".", ".."].contains(&image)
            || is_file
        {
            return Self::Path;
        }
        let is_host = image
            .split_once('/')
            .is_some_and(|(host, _)| host.contains(['.', ':']) || host == "localhost");
        if is_host || image.contains(':') {
            Self::Registry
        } else {
            Self::Image
        }
    }
}

/// Puts below `own`, which is all there is, what its `FROM` names, and what that names, and so on. Each text
/// is added to `sources`, in the order of the layers.
pub fn read_layers(
    own: Layer,
    env: &dyn Env,
    sources: &mut Sources,
) -> (Vec<Layer>, Vec<Diagnostic>) {
    let mut layers = vec![own];
    let mut found = Vec::new();
    while let Some(top) = layers.last()
        && let Some(from) = base(&top.tree)
        && Base::of(&from.image.value) != Base::Image
    {
        match below(&layers, from, env, sources) {
            Ok((layer, faults)) => {
                layers.push(layer);
                found.extend(faults);
            }
            Err(fault) => {
                found.push(*fault);
                break;
            }
        }
    }
    (layers, found)
}

/// The first `FROM` of a Runefile.
pub(crate) fn base(tree: &Tree) -> Option<&From> {
    tree.instructions.iter().find_map(|i| match i {
        Instruction::From(from) => Some(from),
        _ => None,
    })
}

/// The layer that `from`, of the last of `layers`, names.
fn below(
    layers: &[Layer],
    from: &From,
    env: &dyn Env,
    sources: &mut Sources,
) -> Result<(Layer, Vec<Diagnostic>), Box<Diagnostic>> {
    let path = &from.image.value;
    let fault = |code, message: String| Diagnostic::new(code, from.image.span, message);
    let top = &layers[layers.len() - 1];
    let layer = top.env(env).layer(path).map_err(|reason| {
        Box::new(
            fault(
                Code::LayerUnusable,
                format!("cannot use `{}` as a base", shorten(path)),
            )
            .at(reason),
        )
    })?;
    let file = sources.add(&layer.name, String::from_utf8_lossy(&layer.bytes));
    debug_assert_eq!(file, FileId(layers.len() as u32), "a file for each layer");
    let (tree, found) = parse(file, &layer.bytes);
    let layer = Layer {
        tree,
        id: layer.id,
        env: Some(layer.env),
    };
    Ok((layer, found))
}
