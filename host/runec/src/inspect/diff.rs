//! What a reviewer must know of a new rune: what changed against the old one, the gravest first.

use std::fmt::Write as _;

use rune_abi::{Capability, Manifest, Output, Param, Version};
use rune_codegen::{
    graph::{Graph, Stage},
    report::Cost,
};
use serde_json::{Value, json};

use super::{
    Rune, hex, short,
    text::{params, value},
};
use crate::device::count;

/// The changes from one rune to another.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Diff {
    /// Names and versions of both.
    names: [(String, Version); 2],
    /// Digests of both files.
    digests: [[u8; 32]; 2],
    /// What changed, by topic, then in the order of the new rune.
    changes: Vec<Change>,
}

/// One thing that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Change {
    topic: Topic,
    weight: Weight,
    sign: Sign,
    text: String,
}

/// What a change is about, in the order a reviewer asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Topic {
    /// What a rune may do that it might not do before, and the reverse.
    Permissions,
    /// Names, types and parameters of what it reads and writes.
    Interface,
    /// Base images, version, security counter, instruction sets.
    Requirements,
    Models,
    Stages,
    Size,
}

impl Topic {
    const ALL: [Self; 6] = [
        Self::Permissions,
        Self::Interface,
        Self::Requirements,
        Self::Models,
        Self::Stages,
        Self::Size,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Permissions => "permissions",
            Self::Interface => "interface",
            Self::Requirements => "requirements",
            Self::Models => "models",
            Self::Stages => "stages",
            Self::Size => "size",
        }
    }
}

/// What a change means for those who use the rune, as semantic versions count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// The same results, at another cost.
    Patch,
    /// Results may differ, or there are more of them.
    Feature,
    /// Whoever runs it or reads its output has to change something.
    Breaking,
}

impl Weight {
    const fn name(self) -> &'static str {
        match self {
            Self::Patch => "patch",
            Self::Feature => "feature",
            Self::Breaking => "breaking",
        }
    }
}

/// Whether something is new, gone, other, or asks for a second look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    Added,
    Removed,
    Changed,
    Alarm,
}

impl Sign {
    const fn mark(self) -> char {
        match self {
            Self::Added => '+',
            Self::Removed => '-',
            Self::Changed => '~',
            Self::Alarm => '!',
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::Alarm => "alarm",
        }
    }
}

impl Diff {
    /// Compares two runes.
    pub(crate) fn new(old: &Rune, new: &Rune) -> Self {
        let mut diff = Self {
            names: [old, new].map(|r| (r.manifest.name.clone(), r.manifest.version)),
            digests: [old.digest, new.digest],
            changes: Vec::new(),
        };
        diff.capabilities(&old.manifest, &new.manifest);
        diff.outputs(&old.manifest, &new.manifest);
        diff.imports(&old.imports, &new.imports);
        diff.requirements(&old.manifest, &new.manifest);
        diff.models(&old.manifest, &new.manifest);
        if let (Ok(old), Ok(new)) = (&old.graph, &new.graph) {
            diff.stages(old, new);
        }
        diff.sizes(old, new);
        diff.changes.sort_by_key(|c| c.topic);
        diff
    }

    /// Whether whoever runs the rune and reads its output may go on as before.
    pub(crate) fn is_same_interface(&self) -> bool {
        let mut topics = self.changes.iter().map(|c| c.topic);
        !topics.any(|t| matches!(t, Topic::Permissions | Topic::Interface))
    }

    fn add(&mut self, topic: Topic, weight: Weight, sign: Sign, text: String) {
        self.changes.push(Change {
            topic,
            weight,
            sign,
            text,
        });
    }

    fn capabilities(&mut self, old: &Manifest, new: &Manifest) {
        let text = |c: &Capability| {
            let kind = c.kind.spec().name;
            format!("reads {kind} `{}`, {}", c.name, c.ty)
        };
        let same = |a: &Capability, b: &Capability| a.name == b.name && a.kind == b.kind;
        let (gone, kept, came) = matched(&old.capabilities, &new.capabilities, same);
        for capability in came {
            self.add(
                Topic::Permissions,
                Weight::Breaking,
                Sign::Added,
                text(capability),
            );
        }
        for capability in gone {
            self.add(
                Topic::Permissions,
                Weight::Breaking,
                Sign::Removed,
                text(capability),
            );
        }
        for (a, b) in kept {
            let name = format!("{} `{}`", b.kind.spec().name, b.name);
            if a.ty != b.ty {
                let text = format!("{name} is {}, was {}", b.ty, a.ty);
                self.add(Topic::Interface, Weight::Breaking, Sign::Changed, text);
            }
            self.params(&name, &a.params, &b.params);
        }
    }

    fn outputs(&mut self, old: &Manifest, new: &Manifest) {
        let types = |o: &Output| {
            let types = o.tensors.iter().map(|t| t.ty.to_string());
            types.collect::<Vec<_>>().join(", ")
        };
        let text = |o: &Output| {
            let kind = o.kind.spec().name;
            format!("writes {kind} `{}`, {}", o.name, types(o))
        };
        let same = |a: &Output, b: &Output| a.name == b.name && a.kind == b.kind;
        let (gone, kept, came) = matched(&old.outputs, &new.outputs, same);
        for output in came {
            self.add(
                Topic::Permissions,
                Weight::Feature,
                Sign::Added,
                text(output),
            );
        }
        for output in gone {
            self.add(
                Topic::Permissions,
                Weight::Breaking,
                Sign::Removed,
                text(output),
            );
        }
        for (a, b) in kept {
            let name = format!("{} `{}`", b.kind.spec().name, b.name);
            if types(a) != types(b) {
                let text = format!("{name} gets {}, got {}", types(b), types(a));
                self.add(Topic::Interface, Weight::Breaking, Sign::Changed, text);
            }
            self.params(&name, &a.params, &b.params);
        }
    }

    fn params(&mut self, name: &str, old: &[Param], new: &[Param]) {
        let same = |a: &Param, b: &Param| a.name == b.name;
        let (gone, kept, came) = matched(old, new, same);
        let mut add = |sign, text| self.add(Topic::Interface, Weight::Breaking, sign, text);
        for param in came {
            add(
                Sign::Added,
                format!("{name} has {}", params(std::slice::from_ref(param))),
            );
        }
        for param in gone {
            add(
                Sign::Removed,
                format!("{name} had {}", params(std::slice::from_ref(param))),
            );
        }
        for (a, b) in kept.into_iter().filter(|(a, b)| a.value != b.value) {
            let (now, was) = (value(&b.value), value(&a.value));
            add(
                Sign::Changed,
                format!("{name} has {} {now}, had {was}", b.name),
            );
        }
    }

    /// Imports that do not follow from capabilities and outputs: what a rune tells its host.
    fn imports(&mut self, old: &[String], new: &[String]) {
        let follows = |name: &String| ["read", "write", "fault"].contains(&name.as_str());
        let (gone, _, came) = matched(old, new, |a, b| a == b);
        for import in came.into_iter().filter(|i| !follows(i)) {
            let text = format!("calls `{import}` of its host");
            self.add(Topic::Permissions, Weight::Feature, Sign::Added, text);
        }
        for import in gone.into_iter().filter(|i| !follows(i)) {
            let text = format!("calls `{import}` of its host");
            self.add(Topic::Permissions, Weight::Patch, Sign::Removed, text);
        }
    }

    fn requirements(&mut self, old: &Manifest, new: &Manifest) {
        let topic = Topic::Requirements;
        let (gone, kept, came) = matched(&old.bases, &new.bases, |a, b| a.name == b.name);
        for base in came {
            let text = format!("built on {} {}", base.name, base.version);
            self.add(topic, Weight::Breaking, Sign::Added, text);
        }
        for base in gone {
            let text = format!("built on {} {}", base.name, base.version);
            self.add(topic, Weight::Patch, Sign::Removed, text);
        }
        for (a, b) in kept.into_iter().filter(|(a, b)| a.version != b.version) {
            let text = format!("built on {} {}, was {}", b.name, b.version, a.version);
            self.add(topic, Weight::Feature, Sign::Changed, text);
        }
        if old.abi_version != new.abi_version {
            let text = format!(
                "needs version {} of the contract, needed {}",
                new.abi_version, old.abi_version
            );
            self.add(topic, Weight::Breaking, Sign::Changed, text);
        }
        let (was, is) = (old.security_counter, new.security_counter);
        if is < was {
            let text = format!(
                "security counter {is}, was {was}: a device that has run the old rune refuses the new one"
            );
            self.add(topic, Weight::Breaking, Sign::Alarm, text);
        } else if is > was {
            let text = format!("security counter {is}, was {was}: the old rune cannot come back");
            self.add(topic, Weight::Patch, Sign::Changed, text);
        }
        for name in new
            .features
            .names()
            .filter(|n| !old.features.names().any(|o| o == *n))
        {
            let text = format!("uses {name}: an engine without it refuses the new rune");
            self.add(topic, Weight::Breaking, Sign::Added, text);
        }
        for name in old
            .features
            .names()
            .filter(|n| !new.features.names().any(|o| o == *n))
        {
            self.add(topic, Weight::Patch, Sign::Removed, format!("uses {name}"));
        }
    }

    fn models(&mut self, old: &Manifest, new: &Manifest) {
        let shapes = |m: &rune_abi::Model| {
            let types = |types: &[rune_abi::TensorType]| {
                let types = types.iter().map(ToString::to_string);
                types.collect::<Vec<_>>().join(", ")
            };
            format!("{} -> {}", types(&m.inputs), types(&m.outputs))
        };
        let (gone, kept, came) = matched(&old.models, &new.models, |a, b| a.name == b.name);
        for model in came {
            let text = format!(
                "`{}` sha256:{}, {}",
                model.name,
                short(&model.sha256),
                shapes(model)
            );
            self.add(Topic::Models, Weight::Feature, Sign::Added, text);
        }
        for model in gone {
            let text = format!(
                "`{}` sha256:{}, {}",
                model.name,
                short(&model.sha256),
                shapes(model)
            );
            self.add(Topic::Models, Weight::Feature, Sign::Removed, text);
        }
        for (a, b) in kept {
            let mut facts = Vec::new();
            if a.sha256 != b.sha256 {
                facts.push(format!(
                    "is another file: sha256:{}, was {}",
                    short(&b.sha256),
                    short(&a.sha256)
                ));
            }
            if shapes(a) != shapes(b) {
                facts.push(format!("is {}, was {}", shapes(b), shapes(a)));
            }
            if !facts.is_empty() {
                let text = format!("`{}` {}", b.name, facts.join("; "));
                self.add(Topic::Models, Weight::Feature, Sign::Changed, text);
            }
        }
    }

    fn stages(&mut self, old: &Graph, new: &Graph) {
        // What is read, written and inferred by models has been told.
        let tells = |s: &&Stage| s.kind == "block";
        let only = |graph: &Graph| {
            graph
                .stages
                .iter()
                .filter(tells)
                .cloned()
                .collect::<Vec<_>>()
        };
        let (before, after) = (only(old), only(new));
        let (gone, _, came) = matched(&before, &after, |a, b| a.name == b.name);
        for stage in came {
            let text = format!("`{}`, {}", stage.name, stage.what);
            self.add(Topic::Stages, Weight::Feature, Sign::Added, text);
        }
        for stage in gone {
            let text = format!("`{}`, {}", stage.name, stage.what);
            self.add(Topic::Stages, Weight::Feature, Sign::Removed, text);
        }
        let (_, kept, _) = matched(&old.stages, &new.stages, |a, b| a.name == b.name);
        for (a, b) in kept {
            let mut facts = Vec::new();
            if b.kind == "block" && a.what != b.what {
                facts.push(format!("is {}, was {}", b.what, a.what));
            }
            if b.kind == "block" {
                facts.extend(arguments(&a.args, &b.args));
            }
            let feeds = |s: &Stage| {
                let feeds = s.inputs.iter().map(|(from, _)| feed(from));
                feeds.collect::<Vec<_>>().join(", ")
            };
            if feeds(a) != feeds(b) {
                facts.push(format!("reads {}, read {}", feeds(b), feeds(a)));
            }
            if b.kind == "block" && a.outputs != b.outputs {
                facts.push(format!(
                    "gives {}, gave {}",
                    b.outputs.join(", "),
                    a.outputs.join(", ")
                ));
            }
            for fact in facts {
                let text = format!("`{}` {fact}", b.name);
                self.add(Topic::Stages, Weight::Feature, Sign::Changed, text);
            }
        }
    }

    fn sizes(&mut self, old: &Rune, new: &Rune) {
        let totals = [
            ("file", old.file_bytes, new.file_bytes),
            (
                "memory",
                u64::from(old.manifest.memory_bytes),
                u64::from(new.manifest.memory_bytes),
            ),
            (
                "stack",
                u64::from(old.manifest.stack_bytes),
                u64::from(new.manifest.stack_bytes),
            ),
        ];
        for (what, was, is) in totals.into_iter().filter(|(_, was, is)| was != is) {
            let text = format!("{what} {} bytes, {}", count(is), change(was, is));
            self.add(Topic::Size, Weight::Patch, Sign::Changed, text);
        }
        let (Ok(old), Ok(new)) = (&old.graph, &new.graph) else {
            return;
        };
        for stage in &new.report.stages {
            let before = old.report.stages.iter().find(|s| s.name == stage.name);
            let before = before.map(|s| s.cost).unwrap_or_default();
            let facts = costs(&before, &stage.cost);
            if !facts.is_empty() {
                let text = format!("`{}` {}", stage.name, facts.join(", "));
                self.add(Topic::Size, Weight::Patch, Sign::Changed, text);
            }
        }
    }

    /// The heaviest change, if there is any.
    fn weight(&self) -> Option<Weight> {
        self.changes.iter().map(|c| c.weight).max()
    }

    /// What the version says, and what it should say.
    fn advice(&self) -> String {
        let [(_, old), (_, new)] = &self.names;
        let Some(weight) = self.weight() else {
            return if self.digests[0] == self.digests[1] {
                "the files are the same".to_owned()
            } else {
                "nothing that matters changed".to_owned()
            };
        };
        let due = next(*old, weight);
        let why = match weight {
            Weight::Breaking => "something breaks for whoever runs it or reads its output",
            Weight::Feature => "its results may differ",
            Weight::Patch => "only its cost differs",
        };
        let order = |v: &Version| (v.major, v.minor, v.patch);
        let verdict = if order(new) >= order(&due) {
            format!("{old} to {new} says so")
        } else if order(new) < order(old) {
            format!("{new} goes back from {old}; {due} would say so")
        } else {
            format!("{old} to {new} does not say so; write `LABEL version={due}`")
        };
        format!("{} change: {why}; {verdict}", weight.name())
    }

    /// What `runec diff` prints.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        let [(old, was), (new, is)] = &self.names;
        // Writing to a string does not fail.
        let _ = writeln!(out, "{old} {was} -> {new} {is}");
        for topic in Topic::ALL {
            let mut changes = self.changes.iter().filter(|c| c.topic == topic).peekable();
            if changes.peek().is_some() {
                let _ = writeln!(
                    out,
                    "\n{}{}",
                    topic.name()[..1].to_uppercase(),
                    &topic.name()[1..]
                );
            }
            for change in changes {
                let _ = writeln!(out, "  {} {}", change.sign.mark(), change.text);
            }
        }
        let _ = writeln!(out, "\nVersion: {}", self.advice());
        out
    }

    /// What `runec diff --json` prints.
    pub(crate) fn json(&self) -> Value {
        let side = |i: usize| {
            let (name, version) = &self.names[i];
            json!({ "name": name, "version": version.to_string(), "sha256": hex(&self.digests[i]) })
        };
        let changes = self.changes.iter().map(|c| {
            json!({
                "topic": c.topic.name(),
                "weight": c.weight.name(),
                "sign": c.sign.name(),
                "text": c.text,
            })
        });
        json!({
            "version": 1,
            "old": side(0),
            "new": side(1),
            "same_interface": self.is_same_interface(),
            "weight": self.weight().map(Weight::name),
            "advice": self.advice(),
            "changes": changes.collect::<Vec<_>>(),
        })
    }
}

/// What only the old has, what both have, and what only the new has.
type Matched<'a, T> = (Vec<&'a T>, Vec<(&'a T, &'a T)>, Vec<&'a T>);

fn matched<'a, T>(old: &'a [T], new: &'a [T], same: impl Fn(&T, &T) -> bool) -> Matched<'a, T> {
    let gone = old.iter().filter(|a| !new.iter().any(|b| same(a, b)));
    let kept = new
        .iter()
        .filter_map(|b| Some((old.iter().find(|a| same(a, b))?, b)));
    let came = new.iter().filter(|b| !old.iter().any(|a| same(a, b)));
    (gone.collect(), kept.collect(), came.collect())
}

/// Each argument that is not what it was.
fn arguments(old: &[(String, String)], new: &[(String, String)]) -> Vec<String> {
    let (gone, kept, came) = matched(old, new, |a, b| a.0 == b.0);
    let gone = gone
        .into_iter()
        .map(|(name, was)| format!("has no `--{name}`, had {was}"));
    let kept = kept.into_iter().filter(|(a, b)| a.1 != b.1);
    let kept = kept.map(|(a, b)| format!("has `--{} {}`, had {}", b.0, b.1, a.1));
    let came = came
        .into_iter()
        .map(|(name, is)| format!("has `--{name} {is}`"));
    gone.chain(kept).chain(came).collect()
}

/// `x` for the first output of a stage, `x.1` for the second.
fn feed(from: &str) -> &str {
    from.strip_suffix(".0").unwrap_or(from)
}

/// `code +120, weights -4`: what a stage costs more or less.
fn costs(old: &Cost, new: &Cost) -> Vec<String> {
    let names = Cost::NAMES.map(|name| if name == "arena" { "tensors" } else { name });
    let parts = names
        .into_iter()
        .zip(old.parts().into_iter().zip(new.parts()));
    parts
        .filter(|(_, (was, is))| was != is)
        .map(|(name, (was, is))| format!("{name} {}", change(was.into(), is.into())))
        .collect()
}

fn change(was: u64, is: u64) -> String {
    let sign = if is < was { '-' } else { '+' };
    format!("{sign}{}", count(is.abs_diff(was)))
}

/// The least version that says of a change what it is; before 1.0 the second number counts for the first.
fn next(old: Version, weight: Weight) -> Version {
    let Version {
        major,
        minor,
        patch,
    } = old;
    let up = u16::saturating_add;
    match (weight, major) {
        (Weight::Breaking, 0) => Version {
            major,
            minor: up(minor, 1),
            patch: 0,
        },
        (Weight::Breaking, _) => Version {
            major: up(major, 1),
            minor: 0,
            patch: 0,
        },
        (Weight::Feature, 1..) => Version {
            major,
            minor: up(minor, 1),
            patch: 0,
        },
        (Weight::Feature | Weight::Patch, _) => Version {
            major,
            minor,
            patch: up(patch, 1),
        },
    }
}
