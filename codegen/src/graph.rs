//! The section `rune.graph`: the typed pipeline and what each stage costs, as text for tools and people.
//!
//! One fact a line, so that two can be compared line by line; what belongs to a stage is indented under it:
//!
//! ```text
//! rune-graph 2
//! memory stack 16, arena 80, constants 1284, rest 310
//! peak sine
//! entry 212
//! stage sine = model sha256:0f3a5b7c9d1e2f40
//!   in x.0 F32[1, 1]
//!   out F32[1, 1]
//!   cost code 1210, constants 1284, arena 68
//! ```
//!
//! Amounts of zero are left out. A text or list of more than 80 bytes stands as a digest.

use std::fmt::{self, Write as _};

use rune_ir::{
    args::Bound,
    check::{TypedKind, Verified},
};

use crate::report::{Cost, Peak, Region, RegionKind, Report, SharedCost, StageCost};

/// The first line.
const HEAD: &str = "rune-graph 2";

/// What the section says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// The stages, in execution order.
    pub stages: Vec<Stage>,
    /// What they cost. Of the peak only the stage is known.
    pub report: Report,
}

/// A stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// `capability`, `block`, `model` or `output`.
    pub kind: String,
    /// The kind of a capability or output; name, version and digest of a block; digest of a model.
    pub what: String,
    /// Names and values of its arguments, defaults filled in.
    pub args: Vec<(String, String)>,
    /// What feeds it: `stage.port`, and the type it reads.
    pub inputs: Vec<(String, String)>,
    /// The types it gives.
    pub outputs: Vec<String>,
}

impl Graph {
    /// What to say of a finished rune.
    pub(crate) fn new(verified: &Verified, models: &[rune_abi::Model], report: &Report) -> Self {
        let stages = verified.stages().iter().map(|stage| {
            let (kind, mut what, args) = describe(&stage.kind);
            if let Some(model) = models.iter().find(|m| m.name == stage.name) {
                what = hex(&model.sha256);
            }
            Stage {
                name: stage.name.clone(),
                kind: kind.to_owned(),
                what,
                args,
                inputs: stage
                    .inputs
                    .iter()
                    .map(|i| {
                        let from = &verified.stages()[i.stage].name;
                        (format!("{from}.{}", i.port), i.ty.to_string())
                    })
                    .collect(),
                outputs: stage.outputs.iter().map(ToString::to_string).collect(),
            }
        });
        Self {
            stages: stages.collect(),
            report: Report {
                peak: Peak {
                    stage: report.peak.stage.clone(),
                    buffers: Vec::new(),
                },
                ..report.clone()
            },
        }
    }

    /// Reads the text of a section.
    ///
    /// # Errors
    /// The first line that is not of this format, and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines().enumerate();
        match lines.next() {
            Some((_, HEAD)) => {}
            Some((_, head)) if head.starts_with("rune-graph ") => {
                return Err(format!("`{}` is of another version of Rune", clip(head)));
            }
            _ => return Err("it does not begin with `rune-graph`".to_owned()),
        }
        let mut graph = Self::default();
        for (number, line) in lines {
            graph
                .line(line)
                .ok_or_else(|| format!("line {} is `{}`", number + 1, clip(line)))?;
        }
        Ok(graph)
    }

    /// Takes in one line; `None`: it is of no known form.
    fn line(&mut self, line: &str) -> Option<()> {
        if let Some(fact) = line.strip_prefix("  ") {
            let (word, rest) = fact.split_once(' ')?;
            let stage = self.stages.last_mut()?;
            match word {
                "arg" => stage.args.push(pair(rest)?),
                "in" => stage.inputs.push(pair(rest)?),
                "out" => stage.outputs.push(rest.to_owned()),
                "cost" => self.report.stages.last_mut()?.cost = cost(rest)?,
                _ => return None,
            }
            return Some(());
        }
        let (word, rest) = line.split_once(' ')?;
        match word {
            "memory" => {
                let amounts = amounts(rest, &RegionKind::ALL.map(RegionKind::name))?;
                self.report.memory = RegionKind::ALL
                    .into_iter()
                    .zip(amounts)
                    .map(|(kind, bytes)| Region { kind, bytes })
                    .collect();
            }
            "peak" => rest.clone_into(&mut self.report.peak.stage),
            "entry" => self.report.entry = rest.parse().ok()?,
            "shared" => {
                let (name, rest) = pair(rest)?;
                let cost = cost(&rest)?;
                self.report.shared.push(SharedCost { name, cost });
            }
            "stage" => {
                let (name, rest) = rest.split_once(" = ")?;
                let (kind, what) = pair(rest)?;
                self.stages.push(Stage {
                    name: name.to_owned(),
                    kind,
                    what,
                    ..Stage::default()
                });
                self.report.stages.push(StageCost {
                    name: name.to_owned(),
                    cost: Cost::default(),
                });
            }
            _ => return None,
        }
        Some(())
    }
}

fn pair(text: &str) -> Option<(String, String)> {
    let (first, second) = text.split_once(' ')?;
    Some((first.to_owned(), second.to_owned()))
}

fn cost(text: &str) -> Option<Cost> {
    amounts(text, &Cost::NAMES).map(Cost::from_parts)
}

/// `name bytes, name bytes`, in any order; what is not there is 0.
fn amounts<const N: usize>(text: &str, names: &[&str; N]) -> Option<[u32; N]> {
    let mut amounts = [0; N];
    for part in text.split(", ") {
        let (name, bytes) = part.split_once(' ')?;
        let index = names.iter().position(|n| *n == name)?;
        amounts[index] = bytes.parse().ok()?;
    }
    Some(amounts)
}

/// The beginning of a line that may be anything.
fn clip(line: &str) -> String {
    line.chars().filter(|c| !c.is_control()).take(40).collect()
}

/// The amounts above zero, each after its name.
fn list<'a>(amounts: impl Iterator<Item = (&'a str, u32)>) -> String {
    let shown: Vec<String> = amounts
        .filter(|(_, bytes)| *bytes > 0)
        .map(|(name, bytes)| format!("{name} {bytes}"))
        .collect();
    shown.join(", ")
}

fn costs(cost: &Cost) -> String {
    list(Cost::NAMES.into_iter().zip(cost.parts()))
}

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = &self.report;
        writeln!(f, "{HEAD}")?;
        let memory = report.memory.iter().map(|r| (r.kind.name(), r.bytes));
        writeln!(f, "memory {}", list(memory))?;
        if !report.peak.stage.is_empty() {
            writeln!(f, "peak {}", report.peak.stage)?;
        }
        writeln!(f, "entry {}", report.entry)?;
        for shared in &report.shared {
            writeln!(f, "shared {} {}", word(&shared.name), costs(&shared.cost))?;
        }
        for (stage, cost) in self.stages.iter().zip(&report.stages) {
            writeln!(f, "stage {} = {} {}", stage.name, stage.kind, stage.what)?;
            for (name, value) in &stage.args {
                writeln!(f, "  arg {name} {value}")?;
            }
            for (from, ty) in &stage.inputs {
                writeln!(f, "  in {from} {ty}")?;
            }
            for ty in &stage.outputs {
                writeln!(f, "  out {ty}")?;
            }
            if cost.cost != Cost::default() {
                writeln!(f, "  cost {}", costs(&cost.cost))?;
            }
        }
        Ok(())
    }
}

/// Kind, what it is exactly, and arguments.
fn describe(kind: &TypedKind) -> (&'static str, String, Vec<(String, String)>) {
    match kind {
        TypedKind::Capability { kind, params } => {
            ("capability", kind.spec().name.to_owned(), given(params))
        }
        TypedKind::Output { kind, params } => {
            ("output", kind.spec().name.to_owned(), given(params))
        }
        TypedKind::Block {
            path,
            block,
            instance,
            ..
        } => {
            let version = &block.signature.version;
            let what = format!("{}@{} {}", word(path), word(version), digest(&block.bytes));
            let names = block.signature.args.iter().map(|a| a.name.clone());
            let args = names.zip(instance.args.iter().map(value)).collect();
            ("block", what, args)
        }
        // Its digest is in the manifest.
        TypedKind::Model { .. } => ("model", String::new(), Vec::new()),
    }
}

fn given(params: &[(String, Bound)]) -> Vec<(String, String)> {
    let params = params.iter();
    params.map(|(n, v)| (n.clone(), value(v))).collect()
}

/// A value on one line; a long one by its digest.
fn value(value: &Bound) -> String {
    match value {
        Bound::Integer(n) => n.to_string(),
        Bound::Float(x) => format!("{x:?}"),
        Bound::Text(text) => short(&format!("{text:?}")),
        Bound::List(items) => short(&format!("{items:?}")),
        Bound::Bytes(bytes) => digest(bytes),
    }
}

fn short(text: &str) -> String {
    if text.len() <= 80 {
        text.to_owned()
    } else {
        digest(text.as_bytes())
    }
}

/// The first half of a SHA-256, as text.
fn digest(bytes: &[u8]) -> String {
    hex(&rune_ir::digest(bytes))
}

fn hex(digest: &[u8; 32]) -> String {
    let mut text = String::from("sha256:");
    for byte in &digest[..8] {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A name that comes from a file, without what would end a word or a line.
fn word(name: &str) -> String {
    name.replace(|c: char| c.is_whitespace() || c.is_control(), "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
rune-graph 2
memory stack 16, arena 80, constants 1284, rest 310
peak sine
entry 212
shared runicos/label code 900, tables 12
stage x = capability RAND
  arg max 6.2831855
  out F32[1]
  cost arena 16
stage sine = model sha256:0f3a5b7c9d1e2f40
  in x.0 F32[1, 1]
  out F32[1, 1]
  cost code 1210, constants 1284, arena 64
stage l = block runicos/label@1.0.0 sha256:00
  arg labels [\"a b\", \"c, d\"]
  in sine.0 F32[1]
  out UTF8[1]
stage serial = output SERIAL
  in l.0 UTF8[1]
";

    #[test]
    fn what_is_written_is_read_again() {
        let graph = Graph::parse(TEXT).unwrap();
        assert_eq!(graph.to_string(), TEXT);
        assert_eq!(graph.stages.len(), 4);
        assert_eq!(graph.stages[2].args[0].1, r#"["a b", "c, d"]"#);
        assert_eq!(graph.report.region(RegionKind::Constants), 1284);
        assert_eq!(graph.report.code(), 900 + 1210 + 212);
    }

    #[test]
    fn what_is_damaged_is_an_error() {
        for (from, to) in [
            ("rune-graph 2", "rune-graph 3"),
            ("rune-graph 2", "graph"),
            ("entry 212", "entry x"),
            ("arena 80", "arena -1"),
            ("arena 80", "area 80"),
            ("peak sine\n", "peak sine\n  out F32[1]\n"),
            ("  out F32[1]\n", "  gives F32[1]\n"),
            (" = capability", " capability"),
            ("code 900", "code 99999999999"),
        ] {
            let text = TEXT.replacen(from, to, 1);
            assert_ne!(text, TEXT);
            assert!(Graph::parse(&text).is_err(), "{from} as {to}");
        }
        assert!(Graph::parse("").is_err());
    }
}
