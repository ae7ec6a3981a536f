//! A Runefile in the other form: the same stages, edges, arguments, labels and layers, with its comments.
//!
//! A comment on a line of its own goes before the part it stood before, one at the end of a line to the line
//! of the same part. One that stood inside something the other form writes in one piece goes before that.
#![allow(
    clippy::wildcard_enum_match_arm,
    clippy::format_push_string,
    reason = "each place is about one or two of the many instructions; a line of its own costs nothing here"
)]

use std::collections::{BTreeMap, BTreeSet};

use rune_abi::OutputKind;
use rune_ir::{
    diag::{Code, Diagnostic, Severity, Span, Spanned},
    env::Env,
};

use crate::{
    fmt,
    format::Format,
    layers::Base,
    lower::UNCHECKED,
    names,
    order::{bad_name, order},
    shapes,
    tree::{
        Argument, From, Instruction, Keyword, Role, Run, Stage, StageRef, Step, Tree, Value,
        WordForm,
    },
    yaml,
};

/// A Runefile in its other form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Converted {
    /// The text.
    pub text: String,
    /// The comments that stand elsewhere than they stood, by their places in the text before.
    pub moved: Vec<Span>,
}

/// Writes a tree, which was read without fault from `text`, in the other form than it is in.
///
/// # Errors
/// What keeps an instruction from meaning anything in either form, such as a type too many.
pub fn convert(tree: &Tree, text: &str, env: &dyn Env) -> Result<Converted, Vec<Diagnostic>> {
    let instructions = tree.instructions.iter();
    let mut faults: Vec<Diagnostic> = instructions.flat_map(|i| faults(i, env)).collect();
    faults.extend(base_fault(tree));
    faults.extend(repeated_names(tree, env));
    faults.extend(idle_runs(tree, env));
    if !faults.is_empty() {
        return Err(faults);
    }
    let comments = Comments::new(tree, text);
    match tree.format {
        Format::Text => Ok(to_yaml(tree, comments, env)),
        Format::Yaml => match unfed(tree) {
            faults if faults.is_empty() => Ok(to_text(&without_keywords(tree), comments, env)),
            faults => Err(faults),
        },
    }
}

/// Outputs of a tree in YAML that nothing feeds: in the text form something would.
fn unfed(tree: &Tree) -> Vec<Diagnostic> {
    let targets: BTreeSet<&str> = runs(tree)
        .filter_map(|run| run.steps.last())
        .flat_map(|step| &step.stages)
        .map(|stage| stage.name.value.as_str())
        .collect();
    // Without any RUN there is nothing that could.
    let instructions = if targets.is_empty() {
        &[]
    } else {
        tree.instructions.as_slice()
    };
    instructions
        .iter()
        .filter_map(|i| match i {
            Instruction::Stage(Stage {
                role,
                second: Some(name),
                ..
            }) if role.value == Role::Out && !targets.contains(name.text.as_str()) => Some(
                Diagnostic::new(
                    Code::UnreachableOutput,
                    name.span,
                    format!("nothing is written to `{}`", name.text),
                )
                .at("no stage feeds this output")
                .hint("name what feeds it: `inputs: [...]`"),
            ),
            _ => None,
        })
        .collect()
}

fn runs(tree: &Tree) -> impl Iterator<Item = &Run> {
    tree.instructions.iter().filter_map(|i| match i {
        Instruction::Run(run) => Some(run),
        _ => None,
    })
}

/// A tree in which no name is a keyword of the text form: such a name gets lower case, and `_` after it
/// where that is taken.
fn without_keywords(tree: &Tree) -> Tree {
    let mut taken: BTreeSet<String> = BTreeSet::new();
    for instruction in &tree.instructions {
        match instruction {
            Instruction::Stage(stage) => taken.extend(stage.second.iter().map(|w| w.text.clone())),
            Instruction::Resource(resource) => drop(taken.insert(resource.name.value.clone())),
            _ => {}
        }
    }
    let renamed = |name: &str| -> Option<String> {
        Keyword::from_name(name)?;
        let mut new = name.to_lowercase();
        while taken.contains(&new) {
            new.push('_');
        }
        Some(new)
    };
    let rename = |name: &mut String| {
        if let Some(new) = renamed(name) {
            *name = new;
        }
    };
    let mut tree = tree.clone();
    for instruction in &mut tree.instructions {
        let args = match instruction {
            Instruction::Stage(stage) => {
                if let Some(word) = &mut stage.second {
                    rename(&mut word.text);
                }
                if stage.role.value == Role::Model
                    && let Some(new) = stage.first.text.strip_prefix('$').and_then(renamed)
                {
                    stage.first.text = format!("${new}");
                }
                &mut stage.args
            }
            Instruction::Set(set) => {
                rename(&mut set.stage.value);
                &mut set.args
            }
            Instruction::Resource(resource) => {
                rename(&mut resource.name.value);
                continue;
            }
            Instruction::Run(run) => {
                for stage in run.steps.iter_mut().flat_map(|step| &mut step.stages) {
                    rename(&mut stage.name.value);
                }
                continue;
            }
            _ => continue,
        };
        for arg in args {
            if let Value::Reference(name) = &mut arg.value.value
                && let Some(new) = renamed(name)
            {
                arg.text = format!("${new}");
                *name = new;
            }
        }
    }
    tree
}

/// That a tree has no base, or more than one.
fn base_fault(tree: &Tree) -> Option<Diagnostic> {
    let mut bases = tree.instructions.iter().filter_map(|i| match i {
        Instruction::From(from) => Some(from.span),
        _ => None,
    });
    let start = Span {
        end: tree.whole.start,
        ..tree.whole
    };
    match (bases.next(), bases.next()) {
        (Some(_), None) => None,
        (None, _) => Some(
            Diagnostic::new(Code::MissingFrom, start, "No base image specified")
                .at("expected a FROM")
                .hint("begin the Runefile with `FROM runicos/base`"),
        ),
        (Some(first), Some(second)) => Some(
            Diagnostic::new(Code::DuplicateFrom, second, "Base image already specified")
                .at("Duplicate defined here")
                .also(first, "Original defined here")
                .hint("keep one FROM; a Runefile has one base image"),
        ),
    }
}

/// Stages, and resources, that have one name, and stages of this Runefile that it sets: the YAML form has room
/// for one entry of a name.
fn repeated_names(tree: &Tree, env: &dyn Env) -> Vec<Diagnostic> {
    let mut seen: BTreeMap<(&str, String), Span> = BTreeMap::new();
    let mut found = Vec::new();
    for instruction in &tree.instructions {
        let (what, name) = match instruction {
            Instruction::Stage(stage) => {
                let ordered = order(stage, env);
                let span = ordered.name.unwrap_or(ordered.what).span;
                ("stage", Spanned::new(stage_name(stage, env), span))
            }
            Instruction::Resource(resource) => ("resource", resource.name.clone()),
            _ => continue,
        };
        match seen.get(&(what, name.value.clone())) {
            Some(first) => found.push(names::duplicate(what, &name, *first)),
            None => drop(seen.insert((what, name.value), name.span)),
        }
    }
    for instruction in &tree.instructions {
        if let Instruction::Set(set) = instruction
            && let Some(first) = seen.get(&("stage", set.stage.value.clone()))
        {
            found.push(
                Diagnostic::new(
                    Code::NotInherited,
                    set.stage.span,
                    format!(
                        "`{}` is not inherited: this Runefile defines it",
                        set.stage.value
                    ),
                )
                .at("SET is for stages of a layer below")
                .also(*first, "defined here")
                .hint("write the arguments there"),
            );
        }
    }
    found
}

/// RUNs that join nothing, and outputs of a stage that their last step picks and nothing reads: neither is an
/// input of any stage.
fn idle_runs(tree: &Tree, env: &dyn Env) -> Vec<Diagnostic> {
    if tree.format == Format::Yaml {
        return Vec::new();
    }
    let all: Vec<&Run> = runs(tree).collect();
    let steps = all.iter().flat_map(|run| &run.steps);
    let named: BTreeSet<&str> = steps
        .flat_map(|step| &step.stages)
        .map(|stage| stage.name.value.as_str())
        .collect();
    let is_open = |i: &Instruction| {
        matches!(i, Instruction::Stage(stage) if stage.role.value == Role::Out
            && !named.contains(stage_name(stage, env).as_str()))
    };
    let feeds_open = tree.instructions.iter().any(is_open);
    let mut found = Vec::new();
    for (i, run) in all.iter().enumerate() {
        if feeds_open && i + 1 == all.len() && !run.steps.is_empty() {
            continue;
        }
        let picked = run.steps.last().into_iter().flat_map(|step| &step.stages);
        if run.steps.len() < 2 {
            found.push(
                Diagnostic::new(Code::EmptyRun, run.span, "this RUN feeds nothing")
                    .at("joins nothing")
                    .hint("name at least two steps, such as `RUN input serial`"),
            );
        } else if let Some(stage) = picked.into_iter().find(|stage| stage.port.is_some()) {
            let message = format!(
                "an output of `{}` is picked, and no step reads it",
                stage.name.value
            );
            found.push(
                Diagnostic::new(Code::Syntax, stage.span, message)
                    .at("last in this RUN")
                    .hint(format!("write `{}`", stage.name.value)),
            );
        }
    }
    found
}

/// What makes an instruction mean nothing.
fn faults(instruction: &Instruction, env: &dyn Env) -> Vec<Diagnostic> {
    let Instruction::Stage(stage) = instruction else {
        return Vec::new();
    };
    let (_, mut found) = shapes::declared(stage);
    found.retain(|d| d.severity == Severity::Error);
    let name = order(stage, env).name;
    found.extend(
        name.filter(|word| word.form != WordForm::Name)
            .map(|word| bad_name(word, stage.role.value)),
    );
    found
}

/// The comments of a Runefile by the instruction they belong to.
struct Comments<'t> {
    /// On lines before an instruction.
    before: BTreeMap<usize, Vec<&'t str>>,
    /// At the end of its first line.
    beside: BTreeMap<usize, &'t str>,
    /// After the last.
    after: Vec<&'t str>,
    moved: Vec<Span>,
}

impl<'t> Comments<'t> {
    fn new(tree: &Tree, text: &'t str) -> Self {
        let mut comments = Self {
            before: BTreeMap::new(),
            beside: BTreeMap::new(),
            after: Vec::new(),
            moved: Vec::new(),
        };
        // In YAML a RUN is a part of its stage.
        let is_own = |i: &Instruction| {
            tree.format == Format::Text
                || !matches!(i, Instruction::Run(_) | Instruction::Faulty(_))
        };
        let mut owners: Vec<(usize, Span)> = tree
            .instructions
            .iter()
            .enumerate()
            .filter(|(_, i)| is_own(i))
            .map(|(index, i)| (index, i.span()))
            .collect();
        owners.sort_by_key(|(_, span)| span.start);
        for span in &tree.comments {
            let (start, end) = (span.start as usize, span.end as usize);
            let words = text[start..end].trim_end();
            let line = text[..start].rfind(['\n', '\r']).map_or(0, |n| n + 1);
            let is_alone = text[line..start]
                .trim_matches(['\u{FEFF}', ' ', '\t'])
                .is_empty();
            let next = owners.partition_point(|(_, o)| (o.start as usize) < start);
            let last = next.checked_sub(1).map(|i| owners[i]);
            let inside = last.filter(|(_, o)| start < o.end as usize);
            // The line of the comment is that of an instruction's first or, in the text form, last part.
            let beside = last.filter(|(_, o)| {
                let from = if tree.format == Format::Text && inside.is_none() {
                    o.end
                } else {
                    o.start
                };
                !is_alone && line <= from as usize
            });
            if let Some((owner, _)) = beside
                && !comments.beside.contains_key(&owner)
            {
                comments.beside.insert(owner, words);
            } else if let Some((owner, _)) = inside.or(beside) {
                comments.moved.push(*span);
                comments.before.entry(owner).or_default().push(words);
            } else {
                if !is_alone {
                    comments.moved.push(*span);
                }
                match owners.get(next) {
                    Some((owner, _)) => comments.before.entry(*owner).or_default().push(words),
                    None => comments.after.push(words),
                }
            }
        }
        comments
    }

    /// Writes the comments before an instruction.
    fn write_before(&mut self, out: &mut String, indent: &str, index: usize) {
        for comment in self.before.remove(&index).unwrap_or_default() {
            *out += &format!("{indent}{comment}\n");
        }
    }

    /// Writes the first line of an instruction, or all of it, with the comment beside it.
    fn write_line(&mut self, out: &mut String, line: &str, index: usize) {
        match self.beside.remove(&index) {
            Some(comment) => *out += &format!("{line}  {comment}\n"),
            None => *out += &format!("{line}\n"),
        }
    }

    /// Writes what is left.
    fn write_after(mut self, out: &mut String) -> Vec<Span> {
        let left = std::mem::take(&mut self.before).into_values().flatten();
        let left: Vec<&str> = left
            .chain(std::mem::take(&mut self.beside).into_values())
            .collect();
        for comment in left.into_iter().chain(std::mem::take(&mut self.after)) {
            *out += &format!("{comment}\n");
        }
        self.moved
    }
}

/// A stage's entry in the pipeline: what is said of it in several instructions.
#[derive(Default)]
struct Entry<'t> {
    /// Where it is defined.
    stage: Option<(usize, &'t Stage)>,
    /// Arguments that are set.
    sets: Vec<usize>,
    args: Vec<&'t Argument>,
    inputs: Vec<String>,
    runs: Vec<usize>,
}

fn to_yaml(tree: &Tree, mut comments: Comments<'_>, env: &dyn Env) -> Converted {
    let mut out = String::new();
    let all = || tree.instructions.iter().enumerate();
    if let Some(first) = tree.instructions.first()
        && let Instruction::From(_) = first
    {
        comments.write_before(&mut out, "", 0);
    }
    out += "version: 1\n";
    for (index, instruction) in all() {
        if let Instruction::From(from) = instruction {
            comments.write_before(&mut out, "", index);
            let line = format!("image: {}", yaml::scalar(&from.image.value));
            comments.write_line(&mut out, &line, index);
            if let Some(alias) = &from.alias {
                out += &format!("as: {}\n", yaml::scalar(&alias.value));
            }
        }
    }
    let mut title = Some("for:\n");
    for (index, instruction) in all() {
        if let Instruction::For(device) = instruction {
            out += title.take().unwrap_or("");
            comments.write_before(&mut out, "  ", index);
            let line = format!("  - {}", yaml::scalar(&device.image.value));
            comments.write_line(&mut out, &line, index);
        }
    }
    let mut title = Some("labels:\n");
    for (index, instruction) in all() {
        if let Instruction::Label(label) = instruction {
            out += title.take().unwrap_or("");
            comments.write_before(&mut out, "  ", index);
            for (key, value) in &label.pairs {
                let line = format!(
                    "  {}: {}",
                    yaml::scalar(&key.value),
                    yaml::scalar(&value.value)
                );
                comments.write_line(&mut out, &line, index);
            }
        }
    }
    resources(&mut out, tree, &mut comments);
    out += "\npipeline:\n";
    let (names, entries) = entries(tree, env);
    for (i, name) in names.iter().enumerate() {
        if i > 0 {
            out.push('\n');
        }
        entry(&mut out, name, &entries[name.as_str()], &mut comments, env);
    }
    if names.is_empty() {
        out.truncate(out.len() - 1);
        out += " {}\n";
    }
    let moved = comments.write_after(&mut out);
    Converted { text: out, moved }
}

fn resources(out: &mut String, tree: &Tree, comments: &mut Comments<'_>) {
    let mut title = Some("\nresources:\n");
    for (index, instruction) in tree.instructions.iter().enumerate() {
        let Instruction::Resource(resource) = instruction else {
            continue;
        };
        *out += title.take().unwrap_or("");
        comments.write_before(out, "  ", index);
        let line = format!("  {}:", yaml::scalar(&resource.name.value));
        comments.write_line(out, &line, index);
        if let Some(path) = &resource.path {
            *out += &format!("    path: {}\n", yaml::scalar(&path.value));
        }
        for arg in &resource.args {
            let key = match arg.name.value.as_str() {
                "text" => "inline",
                other => other,
            };
            let text = match &arg.value.value {
                Value::Text(text) => text,
                Value::Integer(_) | Value::Float(_) | Value::List(_) | Value::Reference(_) => {
                    &arg.text
                }
            };
            yaml::text(out, "    ", key, text);
        }
    }
}

/// The stages of the pipeline in the order they are first defined, set or fed.
fn entries<'t>(tree: &'t Tree, env: &dyn Env) -> (Vec<String>, BTreeMap<String, Entry<'t>>) {
    let mut names = Vec::new();
    let mut entries: BTreeMap<String, Entry<'_>> = BTreeMap::new();
    let mut at = |name: &str, change: &mut dyn FnMut(&mut Entry<'t>)| {
        if !entries.contains_key(name) {
            names.push(name.to_owned());
        }
        change(entries.entry(name.to_owned()).or_default());
    };
    let mut runs: Vec<(usize, &Run)> = Vec::new();
    for (index, instruction) in tree.instructions.iter().enumerate() {
        match instruction {
            Instruction::Stage(stage) => at(&stage_name(stage, env), &mut |entry| {
                entry.stage = Some((index, stage));
            }),
            Instruction::Set(set) => at(&set.stage.value, &mut |entry| {
                entry.sets.push(index);
                entry.args.extend(&set.args);
            }),
            Instruction::Run(run) => runs.push((index, run)),
            Instruction::From(_)
            | Instruction::For(_)
            | Instruction::Label(_)
            | Instruction::Resource(_)
            | Instruction::Faulty(_) => {}
        }
    }
    let named: BTreeSet<&str> = runs
        .iter()
        .flat_map(|(_, run)| run.steps.iter().flat_map(|s| &s.stages))
        .map(|stage| stage.name.value.as_str())
        .collect();
    let outputs: Vec<String> = tree
        .instructions
        .iter()
        .filter_map(|i| match i {
            Instruction::Stage(stage) if stage.role.value == Role::Out => {
                Some(stage_name(stage, env))
            }
            _ => None,
        })
        .collect();
    for (i, (index, run)) in runs.iter().enumerate() {
        let mut target = None;
        for pair in run.steps.windows(2) {
            for to in &pair[1].stages {
                target = Some(to.name.value.clone());
                at(&to.name.value, &mut |entry| {
                    entry.inputs.extend(pair[0].stages.iter().map(input));
                });
            }
        }
        // An output that no RUN names is fed by the last step of the last.
        if let (true, Some(last)) = (i + 1 == runs.len(), run.steps.last()) {
            for open in outputs.iter().filter(|o| !named.contains(o.as_str())) {
                target.get_or_insert_with(|| open.clone());
                let sources = last.stages.iter();
                let sources = sources.filter(|s| !outputs.contains(&s.name.value));
                at(open, &mut |entry| {
                    entry.inputs.extend(sources.clone().map(input));
                });
            }
        }
        if let Some(target) = target {
            at(&target, &mut |entry| entry.runs.push(*index));
        }
    }
    (names, entries)
}

fn entry(
    out: &mut String,
    name: &str,
    entry: &Entry<'_>,
    comments: &mut Comments<'_>,
    env: &dyn Env,
) {
    const INDENT: &str = "    ";
    let owner = entry.stage.map(|(index, _)| index).into_iter();
    let mut owners = owner.chain(entry.sets.iter().copied());
    let first = owners.next();
    for index in first.into_iter().chain(owners.clone()) {
        comments.write_before(out, "  ", index);
    }
    let title = format!("  {}:", yaml::scalar(name));
    match first {
        Some(index) => comments.write_line(out, &title, index),
        None => *out += &format!("{title}\n"),
    }
    if let Some((_, stage)) = entry.stage {
        if stage.replace.is_some() {
            *out += &format!("{INDENT}replace: true\n");
        }
        let what = order(stage, env).what;
        let key = match stage.role.value {
            Role::Capability => "capability",
            Role::ProcBlock => "proc-block",
            Role::Model => "model",
            Role::Out => "out",
        };
        let is_file = what.form == WordForm::Quoted && what.text.starts_with('$');
        let what = if is_file {
            format!("!!str {}", yaml::quoted(&what.text))
        } else {
            yaml::scalar(&what.text)
        };
        *out += &format!("{INDENT}{key}: {what}\n");
    }
    for (i, index) in entry.runs.iter().enumerate() {
        comments.write_before(out, INDENT, *index);
        if i > 0
            && let Some(comment) = comments.beside.remove(index)
        {
            *out += &format!("{INDENT}{comment}\n");
        }
    }
    if !entry.inputs.is_empty() {
        let line = format!("{INDENT}inputs: [{}]", entry.inputs.join(", "));
        match entry.runs.first() {
            Some(index) => comments.write_line(out, &line, *index),
            None => *out += &format!("{line}\n"),
        }
    }
    if let Some((_, stage)) = entry.stage {
        types(out, stage, entry.inputs.len());
    }
    let own = entry.stage.iter().flat_map(|(_, stage)| &stage.args);
    let args: Vec<&Argument> = own.chain(entry.args.iter().copied()).collect();
    if !args.is_empty() {
        *out += &format!("{INDENT}args:\n");
        yaml::arguments(out, "      ", &args);
    }
}

/// The types of a stage; those of inputs only where they say anything.
fn types(out: &mut String, stage: &Stage, inputs: usize) {
    let Some(types) = &stage.types else { return };
    let (before, after) = match (&types.after, types.before.as_slice()) {
        (Some(after), before) => (before, after.as_slice()),
        // The old form `<in, out>`.
        (None, [input, output]) => (std::slice::from_ref(input), std::slice::from_ref(output)),
        (None, outputs) => (&[][..], outputs),
    };
    let is_open = |ty: &Spanned<rune_ir::ty::PartialType>| {
        ty.value.element.is_none() && ty.value.dims.is_none()
    };
    let says_nothing = before.iter().all(is_open) && before.len() == inputs.max(1);
    if !before.is_empty() && !says_nothing {
        *out += "    input-types:\n";
        yaml::types(out, "      ", before);
    }
    *out += "    outputs:\n";
    yaml::types(out, "      ", after);
}

fn stage_name(stage: &Stage, env: &dyn Env) -> String {
    let ordered = order(stage, env);
    match ordered.name {
        Some(name) => name.text.clone(),
        None => default_name(&ordered.what.text),
    }
}

/// What an output without a name is called.
fn default_name(kind: &str) -> String {
    let known = OutputKind::from_name(kind);
    known.map_or(kind, |k| k.spec().name).to_lowercase()
}

fn input(stage: &StageRef) -> String {
    match &stage.port {
        Some(port) => format!("{}.{}", stage.name.value, port.value),
        None => stage.name.value.clone(),
    }
}

fn to_text(tree: &Tree, mut comments: Comments<'_>, env: &dyn Env) -> Converted {
    let rank = |instruction: &Instruction| match instruction {
        Instruction::From(_) => 0,
        Instruction::For(_) => 1,
        Instruction::Label(_) => 2,
        Instruction::Resource(_) => 3,
        Instruction::Stage(_) | Instruction::Set(_) => 4,
        Instruction::Run(_) | Instruction::Faulty(_) => 5,
    };
    let mut out = String::new();
    let mut last = None;
    for wanted in 0..5 {
        for (index, instruction) in tree.instructions.iter().enumerate() {
            if rank(instruction) != wanted {
                continue;
            }
            if last.is_some_and(|last| last != wanted && wanted >= 3) {
                out.push('\n');
            }
            last = Some(wanted);
            comments.write_before(&mut out, "", index);
            let instruction = match instruction {
                Instruction::Stage(stage) => Instruction::Stage(words(stage, env)),
                // What the YAML form takes for the base image is the base image.
                Instruction::From(from) if is_unchecked(from, env) => {
                    let mut from = from.clone();
                    UNCHECKED.clone_into(&mut from.image.value);
                    Instruction::From(from)
                }
                other => other.clone(),
            };
            let printed = print(instruction, env);
            let line = printed.trim_end_matches('\n');
            // A comment would end up inside of what goes on.
            if line.contains('\n')
                && let Some(comment) = comments.beside.remove(&index)
            {
                out += &format!("{comment}\n");
            }
            comments.write_line(&mut out, line, index);
        }
    }
    let runs = chains(tree);
    if !runs.is_empty() {
        out.push('\n');
    }
    for run in runs {
        out += &print(Instruction::Run(run), env);
    }
    let moved = comments.write_after(&mut out);
    Converted { text: out, moved }
}

/// Whether an image does not exist, of which the YAML form only warns.
fn is_unchecked(from: &From, env: &dyn Env) -> bool {
    let image = &from.image.value;
    let name = image.split(['@', '#']).next().unwrap_or("");
    Base::of(image) == Base::Image && !env.has_image(name)
}

fn print(instruction: Instruction, env: &dyn Env) -> String {
    let tree = Tree {
        instructions: vec![instruction],
        ..Tree::default()
    };
    fmt::print(&tree, env)
}

/// A stage whose words mean in the text form what they meant.
fn words(stage: &Stage, env: &dyn Env) -> Stage {
    let mut stage = stage.clone();
    let second = stage.second.as_ref().map(|word| word.text.as_str());
    if stage.role.value == Role::ProcBlock && env.resolve_block(&stage.first.text).is_none() {
        // So that nobody takes its name for the path.
        stage.first.form = WordForm::Quoted;
    }
    if stage.role.value == Role::Out && second == Some(&default_name(&stage.first.text)) {
        stage.second = None;
    }
    stage
}

/// The RUNs of a tree in as few lines as go through: one that begins where another ends, and has no other
/// input, goes on with it.
fn chains(tree: &Tree) -> Vec<Run> {
    let mut chains: Vec<Run> = Vec::new();
    let mut ends: BTreeMap<&str, usize> = BTreeMap::new();
    for instruction in &tree.instructions {
        let Instruction::Run(run) = instruction else {
            continue;
        };
        let [inputs, target] = run.steps.as_slice() else {
            chains.push(run.clone());
            continue;
        };
        let joined = match inputs.stages.as_slice() {
            [only] => ends.remove(only.name.value.as_str()).map(|i| (i, only)),
            _ => None,
        };
        let index = if let Some((index, only)) = joined {
            let steps: &mut Vec<Step> = &mut chains[index].steps;
            if let Some(last) = steps.last_mut() {
                last.stages = vec![only.clone()];
            }
            steps.push(target.clone());
            index
        } else {
            chains.push(run.clone());
            chains.len() - 1
        };
        if let [only] = target.stages.as_slice() {
            ends.insert(&only.name.value, index);
        }
    }
    chains
}
