//! A pipeline as a picture: what to draw, whatever it is drawn with.

mod dot;
mod layout;
pub mod memory;
mod mermaid;
mod svg;

use rune_codegen::graph::Graph;
use rune_ir::{
    check::Analysis,
    pipeline::{Stage, StageKind},
    ty::PartialType,
};

/// Most characters of a stage's arguments that are drawn.
const ARGUMENTS: usize = 36;

/// Stages and the tensors between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Name of the rune.
    pub title: String,
    /// The stages.
    pub nodes: Vec<Node>,
    /// The tensors; no circle among them.
    pub edges: Vec<Edge>,
}

/// One stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// Its kind, block or file.
    pub what: String,
    /// Its arguments as written, cut where they are long; may be empty.
    pub arguments: String,
}

/// What a stage is, which decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// A source of data.
    Capability,
    /// A processing block.
    Block,
    /// A model.
    Model,
    /// A sink.
    Output,
}

impl Role {
    /// Every role, in the order data flows.
    const ALL: [Self; 4] = [Self::Capability, Self::Block, Self::Model, Self::Output];

    /// The word for it, which is a class in SVG and Mermaid.
    fn name(self) -> &'static str {
        match self {
            Self::Capability => "capability",
            Self::Block => "block",
            Self::Model => "model",
            Self::Output => "output",
        }
    }

    /// Fill and line for light pages, fill and line for dark ones.
    fn colours(self) -> [&'static str; 4] {
        match self {
            Self::Capability => ["#e3f4ea", "#2f8f5b", "#17382a", "#5cc48d"],
            Self::Block => ["#eef1f5", "#6b7a90", "#262d38", "#93a3ba"],
            Self::Model => ["#ece8fb", "#6b4fd0", "#2a2250", "#a893f5"],
            Self::Output => ["#fdeedd", "#c5741c", "#42290d", "#eba45a"],
        }
    }
}

/// One tensor that flows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Position of the maker in [`Picture::nodes`].
    pub from: usize,
    /// Position of the reader.
    pub to: usize,
    /// Its type as the reader sees it, with the maker's port before it where that is not the first.
    pub label: String,
}

impl Picture {
    /// Draws what is known of a pipeline without circles.
    pub fn new(analysis: &Analysis) -> Self {
        let pipeline = &analysis.pipeline;
        let mut edges = Vec::new();
        for (id, stage) in pipeline.stages.iter() {
            for (index, edge) in stage.inputs.iter().enumerate() {
                let ty = analysis.inputs[id].get(index);
                edges.push(Edge {
                    from: edge.from.index(),
                    to: id.index(),
                    label: label(edge.port, ty),
                });
            }
        }
        Self {
            title: pipeline.name.clone(),
            nodes: pipeline.stages.values().map(node).collect(),
            edges,
        }
    }

    /// Draws what a rune says of itself.
    pub fn of_rune(name: &str, graph: &Graph) -> Self {
        let mut edges = Vec::new();
        for (to, stage) in graph.stages.iter().enumerate() {
            for (from, ty) in &stage.inputs {
                let (maker, port) = from.rsplit_once('.').unwrap_or((from, "0"));
                if let Some(from) = graph.stages.iter().position(|s| s.name == maker) {
                    let port = port.parse().unwrap_or(0);
                    let label = numbered(port, ty);
                    edges.push(Edge { from, to, label });
                }
            }
        }
        // A rune is read from outside: edges that do not lead on, as all of a sound one do, are left out.
        edges.retain(|e| e.from < e.to);
        let nodes = graph.stages.iter().map(|stage| {
            let role = Role::ALL.into_iter().find(|r| r.name() == stage.kind);
            let first = stage.what.split(' ').next().unwrap_or("");
            let what = match role {
                Some(Role::Model) => "model",
                _ => first.split('@').next().unwrap_or(""),
            };
            let arguments: Vec<String> = stage
                .args
                .iter()
                .map(|(name, value)| format!("{name} {value}"))
                .collect();
            Node {
                name: stage.name.clone(),
                role: role.unwrap_or(Role::Block),
                // Of a block without version and digest; of a model nothing but its digest is known.
                what: what.to_owned(),
                arguments: shorten(&arguments.join(", "), ARGUMENTS),
            }
        });
        Self {
            title: name.to_owned(),
            nodes: nodes.collect(),
            edges,
        }
    }

    /// In the language of Graphviz.
    pub fn dot(&self) -> String {
        dot::draw(self)
    }

    /// In the language of Mermaid, which pages in Markdown draw.
    pub fn mermaid(&self) -> String {
        mermaid::draw(self)
    }

    /// As an SVG file that needs nothing else, for light and dark pages.
    pub fn svg(&self) -> String {
        svg::draw(self)
    }
}

fn node(stage: &Stage) -> Node {
    let (role, what) = match &stage.kind {
        StageKind::Capability(kind) => (Role::Capability, kind.value.spec().name.to_owned()),
        StageKind::Block(path) => (Role::Block, path.value.clone()),
        StageKind::Model { path, .. } => {
            let file = path.value.rsplit('/').next().unwrap_or(&path.value);
            (Role::Model, file.to_owned())
        }
        StageKind::Output(kind) => (Role::Output, kind.value.spec().name.to_owned()),
    };
    let arguments: Vec<String> = stage
        .args
        .iter()
        .map(|a| {
            // A list of 100,000 labels is not walked to its end.
            let value: String = a.text.chars().take(ARGUMENTS).collect();
            format!("{} {value}", a.name.value)
        })
        .collect();
    Node {
        name: stage.name.value.clone(),
        role,
        what,
        arguments: shorten(&arguments.join(", "), ARGUMENTS),
    }
}

fn label(port: u32, ty: Option<&PartialType>) -> String {
    let ty = ty.map_or_else(|| "?".to_owned(), ToString::to_string);
    numbered(port, &ty)
}

/// A type, after the port where that is not the first.
fn numbered(port: u32, ty: &str) -> String {
    if port == 0 {
        ty.to_owned()
    } else {
        format!(".{port} {ty}")
    }
}

/// A text cut to so many characters, on one line.
fn shorten(text: &str, most: usize) -> String {
    let mut short: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(most)
        .collect();
    if text.chars().nth(most).is_some() {
        short.pop();
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fan-in, a fan-out, an edge that skips a layer, and names that need escapes.
    pub(super) fn sample() -> Picture {
        let node = |name: &str, role, what: &str, arguments: &str| Node {
            name: name.to_owned(),
            role,
            what: what.to_owned(),
            arguments: arguments.to_owned(),
        };
        let edge = |from, to, label: &str| Edge {
            from,
            to,
            label: label.to_owned(),
        };
        Picture {
            title: "a <sample> & \"more\"".to_owned(),
            nodes: vec![
                node("audio", Role::Capability, "SOUND", "hz 16000"),
                node("motion", Role::Capability, "ACCEL", ""),
                node("features", Role::Block, "runicos/audio-frontend", ""),
                node("net", Role::Model, "key\"word<1>.tflite", ""),
                node("serial", Role::Output, "SERIAL", ""),
            ],
            edges: vec![
                edge(0, 2, "I16[16000]"),
                edge(2, 3, "I8[1, 49, 40]"),
                edge(1, 3, "F32[128, 3]"),
                edge(3, 4, "I8[<=6]"),
                edge(0, 4, "I16[16000]"),
            ],
        }
    }

    #[test]
    fn long_texts_are_cut_by_characters() {
        assert_eq!(shorten("äöüß", 4), "äöüß");
        assert_eq!(shorten("äöüßa", 4), "äöü…");
        assert_eq!(shorten("a\nb", 4), "a b");
    }
}
