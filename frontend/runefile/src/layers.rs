//! The layers of a rune: a Runefile, what its `FROM` names, and so on down to a base image.

use std::{fmt, sync::Arc};

use rune_ir::{
    diag::{Code, Diagnostic, FileId, Label, Sources},
    env::{self, Env},
};

use crate::{
    format::{Format, read},
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
            || last.starts_with("Runefile.")
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

/// Puts below `own`, which is all there is, what its `FROM` names, and what that names, and so on down to a
/// base image. Each text is added to `sources`, which has that of `own`, in the order of the layers.
///
/// Reports what cannot be read, circles, and more than [`MAX_LAYERS`] layers; the layers down to there are
/// given. Whether the base image exists is left to [`lower`](crate::lower).
pub fn read_layers(
    own: Layer,
    env: &dyn Env,
    sources: &mut Sources,
) -> (Vec<Layer>, Vec<Diagnostic>) {
    let mut layers = vec![own];
    let mut found = Vec::new();
    while let Some(from) = layers.last().and_then(|top| base(&top.tree)) {
        let top = layers[layers.len() - 1].env(env);
        let below = match Base::of(&from.image.value) {
            Base::Image => break,
            Base::Registry => match top.fetched(&from.image.value) {
                Some(layer) => below(&layers, from, Code::LayerInRegistry, layer, sources),
                None => Err(Box::new(in_registry(from, top))),
            },
            Base::Path => {
                let layer = top.layer(&from.image.value);
                below(&layers, from, Code::LayerUnusable, layer, sources)
            }
        };
        match below {
            Ok(layer) => {
                let file = sources.add(&layer.name, String::from_utf8_lossy(&layer.bytes));
                debug_assert_eq!(file, FileId(layers.len() as u32), "a file for each layer");
                let (tree, faults) = read(Format::of(&layer.name), file, &layer.bytes);
                found.extend(faults);
                layers.push(Layer {
                    tree,
                    id: layer.id,
                    env: Some(layer.env),
                });
            }
            Err(fault) => {
                found.push(*fault);
                break;
            }
        }
    }
    (layers, found)
}

/// Adds to what was found in a lower layer where the Runefile asked for brings that layer in.
pub fn say_where_inherited(layers: &[Layer], found: &mut [Diagnostic]) {
    let own = layers[0].tree.file;
    let Some(from) = base(&layers[0].tree) else {
        return;
    };
    for diagnostic in found {
        let mut labels = std::iter::once(&diagnostic.primary).chain(&diagnostic.secondary);
        if labels.all(|label| label.span.file != own) {
            diagnostic.secondary.push(Label {
                span: from.image.span,
                message: "inherited through this".to_owned(),
            });
        }
    }
}

/// The first `FROM` of a Runefile.
pub(crate) fn base(tree: &Tree) -> Option<&From> {
    tree.instructions.iter().find_map(|i| match i {
        Instruction::From(from) => Some(from),
        Instruction::For(_)
        | Instruction::Set(_)
        | Instruction::Label(_)
        | Instruction::Resource(_)
        | Instruction::Stage(_)
        | Instruction::Run(_)
        | Instruction::Faulty(_) => None,
    })
}

/// The layer that `from`, of the last of `layers`, names, unless there is none, for a reason with this code.
fn below(
    layers: &[Layer],
    from: &From,
    code: Code,
    layer: Result<env::Layer, String>,
    sources: &Sources,
) -> Result<env::Layer, Box<Diagnostic>> {
    let path = &from.image.value;
    let fault = |code, message: String| Diagnostic::new(code, from.image.span, message);
    let layer = layer.map_err(|reason| {
        let message = format!("cannot use `{}` as a base", shorten(path));
        Box::new(fault(code, message).at(reason))
    })?;
    let through = |upper: &[Layer]| chain(upper, sources, &layer.name);
    if let Some(first) = layers.iter().position(|l| l.id == layer.id) {
        let found = fault(Code::LayerCycle, format!("`{}` lies on itself", layer.name))
            .at("this FROM closes the circle")
            .note(format!("The circle is {}.", through(&layers[first..])))
            .hint(
                "let one of these Runefiles begin with a base image, such as `FROM runicos/base`",
            );
        return Err(Box::new(found));
    }
    if layers.len() == MAX_LAYERS {
        let found = fault(
            Code::LayerDepth,
            format!("more than {MAX_LAYERS} layers lie on each other"),
        )
        .at("this is one too many")
        .note(format!("The layers are {}.", through(layers)))
        .hint("put some of these Runefiles into one");
        return Err(Box::new(found));
    }
    Ok(layer)
}

/// The names of layers, each with what its `AS` calls the next; of a long chain, both ends.
fn chain(layers: &[Layer], sources: &Sources, last: &str) -> String {
    const ENDS: usize = 4;
    let mut parts = Vec::with_capacity(layers.len() + 1);
    let mut alias: Option<&str> = None;
    let names = layers.iter().map(|layer| sources.name(layer.tree.file));
    for (i, name) in names.chain([last]).enumerate() {
        parts.push(match alias {
            Some(alias) => format!("{alias}: `{name}`"),
            None => format!("`{name}`"),
        });
        let from = layers.get(i).and_then(|layer| base(&layer.tree));
        alias = from.and_then(|from| Some(from.alias.as_ref()?.value.as_str()));
    }
    if parts.len() > 2 * ENDS {
        parts.splice(ENDS..parts.len() - ENDS, ["...".to_owned()]);
    }
    parts.join(" -> ")
}

/// Says that there is no such registry, or that none is read here.
fn in_registry(from: &From, env: &dyn Env) -> Diagnostic {
    let image = &from.image.value;
    let diagnostic = Diagnostic::new(
        Code::LayerInRegistry,
        from.image.span,
        format!(
            "`{}` would be of a registry, and names nothing there",
            shorten(image)
        ),
    )
    .at("neither an image of the catalogue nor a file");
    match image.split_once(':') {
        Some((name, tag)) if env.has_image(name) => {
            diagnostic.hint(format!("a version stands behind an `@`: `FROM {name}@{tag}`"))
        }
        _ => diagnostic
            .note(format!("The base images are {}.", env.images().join(", ")))
            .hint(
                "fetch the Runefile, or the rune with its sources, and name the file: `FROM ./base.rune`",
            ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_told_from_its_text() {
        for (image, base) in [
            ("runicos/base", Base::Image),
            ("runicos/base@1.0.0#part", Base::Image),
            ("base", Base::Image),
            (".", Base::Path),
            ("..", Base::Path),
            ("./base", Base::Path),
            ("../base:1/Runefile", Base::Path),
            ("/srv/base", Base::Path),
            ("Runefile", Base::Path),
            ("parts/Runefile.yml", Base::Path),
            ("parts/mine.Runefile", Base::Path),
            ("built.rune", Base::Path),
            ("oci://ghcr.io/x/y", Base::Registry),
            ("https://example.com/base.rune", Base::Registry),
            ("ghcr.io/x/y:tag", Base::Registry),
            ("localhost/x", Base::Registry),
            ("localhost:5000/x", Base::Registry),
            ("runicos/base:1.0", Base::Registry),
        ] {
            assert_eq!(Base::of(image), base, "{image}");
        }
    }
}
