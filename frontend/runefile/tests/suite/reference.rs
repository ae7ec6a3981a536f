//! The snippets of the reference system's text era, against what its own parser and analyser said of them.
//!
//! Where we differ, [`DIFFERENT`] says why; a case that is listed and does not differ fails too.

use std::{fs, path::PathBuf, sync::Arc};

use rune_ir::{
    diag::{Code, FileId, Spanned},
    env::Env,
    ty::PartialType,
};
use rune_runefile::{
    Layer, lower, parse,
    tree::{Argument, Instruction, Role, Stage, Value},
};

use crate::world::root;

/// Cases where we differ on purpose, by their number from 0, with the reason.
const DIFFERENT: &[(usize, &str)] = &[
    (8, "one instruction per line"),
    (
        12,
        "trap fixed: `.5` is a number, and quotes are not part of a text",
    ),
    (14, "trap fixed: quotes are not part of a text"),
    (15, "trap fixed: quotes and escapes are not part of a text"),
    (18, "values: blanks may follow the commas of a list"),
    (21, "trap fixed: `.5` is a number"),
    (23, "trap fixed: a text may begin with a digit"),
    (24, "trap fixed: a text may begin with a digit"),
    (26, "trap fixed: `-0` is a number"),
    (34, "the reference panics on `_`"),
    (35, "types are optional"),
    (
        36,
        "names may have dashes, as in the reference's later YAML form",
    ),
    (
        37,
        "the same fault, found when the two words are told apart, not while parsing",
    ),
    (
        38,
        "the same fault, found when the two words are told apart, not while parsing",
    ),
    (
        39,
        "unknown capabilities are found here, not by a compiler behind",
    ),
    (40, "an unknown element type is an error, not a warning"),
    (41, "the same fault, with a message of its own"),
    (45, "what a path means is for the world outside to say"),
    (46, "paths may be in quotes"),
    (
        47,
        "a model's `--input` is a shape, compared with the declared type",
    ),
    (51, "the same fault, with a message of its own"),
    (55, "cycles are found by the checks of the whole pipeline"),
    (56, "one instruction per line: RUN is no name"),
    (
        57,
        "unknown outputs are found here, not by a compiler behind",
    ),
    (59, "a dimension of 0 is an error"),
    (62, "an unknown element type is an error, not a warning"),
];

/// A world in which everything exists, as it did for the reference's parser.
struct Everything;

impl Env for Everything {
    fn file(&self, _path: &str) -> Result<Arc<[u8]>, String> {
        Ok(Arc::from([]))
    }
    fn block(&self, _name: &str) -> Option<Arc<[u8]>> {
        None
    }
    fn resolve_block(&self, name: &str) -> Option<String> {
        Some(name.to_owned())
    }
    fn blocks(&self) -> Vec<String> {
        Vec::new()
    }
    fn has_image(&self, _name: &str) -> bool {
        true
    }
    fn images(&self) -> Vec<String> {
        Vec::new()
    }
}

fn folder() -> PathBuf {
    let models = std::env::var_os("RUNE_MODELS");
    let models = models.map_or_else(|| root().join("../shared/models"), PathBuf::from);
    models.join("reference")
}

/// What the reference said of each case: its source as a Rust literal, then a line per finding.
fn reference(out: &str) -> Vec<(String, Vec<String>)> {
    let mut cases: Vec<(String, Vec<String>)> = Vec::new();
    for line in out.lines() {
        if let Some(source) = line.strip_prefix("=== ") {
            cases.push((source.to_owned(), Vec::new()));
        } else if let Some((_, said)) = cases.last_mut() {
            said.push(normal(line.trim_start()));
        }
    }
    cases
}

/// A line of the reference's in the form ours have: element types in upper case with dimensions, parse
/// errors and diagnostics without their place.
fn normal(line: &str) -> String {
    if line.starts_with("PARSE-ERR") {
        return "PARSE-ERR".to_owned();
    }
    if line.starts_with("DIAG") {
        return line.split(" labels=").next().unwrap_or(line).to_owned();
    }
    let mut out = line.to_owned();
    for name in ["f32", "i16"] {
        out = out.replace(&format!(" {name}"), &format!(" {}", name.to_uppercase()));
    }
    for (bare, full) in [
        (" F32 ", " F32[1] "),
        (" F32->F32 ", " F32[1]->F32[1] "),
        (" Utf8 ", " _[1] "),
        (" Q32[", " _["),
    ] {
        out = out.replace(bare, full);
    }
    out.trim_end().to_owned()
}

/// What we say of a source, in the same form.
fn ours(source: &str) -> Vec<String> {
    let (tree, faults) = parse(FileId(0), source.as_bytes());
    let unparsed = |code: Code| {
        matches!(
            code,
            Code::Syntax | Code::UnknownInstruction | Code::BadValue
        )
    };
    if faults.iter().any(|d| unparsed(d.code)) {
        return vec!["PARSE-ERR".to_owned()];
    }
    let mut said: Vec<String> = tree.instructions.iter().map(statement).collect();
    let (_, found) = lower(&[Layer::own(tree)], &Everything, "case");
    let findings = faults.iter().chain(&found);
    said.extend(
        findings
            .filter(|d| d.code != Code::OldWordOrder)
            .map(|d| format!("DIAG {:?}: {}", d.severity, d.message)),
    );
    diagnostics_sorted(said)
}

/// The statements as they stand, and the diagnostics behind them in order of their text.
fn diagnostics_sorted(mut said: Vec<String>) -> Vec<String> {
    let statements = said.iter().take_while(|s| !s.starts_with("DIAG")).count();
    said[statements..].sort();
    said
}

fn statement(instruction: &Instruction) -> String {
    match instruction {
        Instruction::From(from) => format!("FROM {}", path(&from.image.value)),
        Instruction::Run(run) => {
            let steps = run.steps.iter().flat_map(|s| &s.stages);
            format!("RUN {:?}", steps.map(|s| &s.name.value).collect::<Vec<_>>())
        }
        Instruction::Stage(stage) => stage_statement(stage),
        Instruction::For(_)
        | Instruction::Set(_)
        | Instruction::Label(_)
        | Instruction::Resource(_)
        | Instruction::Faulty(_) => {
            unreachable!("the reference has no such instruction, and a faulty line ends earlier")
        }
    }
}

/// Every snippet is in the reference's word order: name, then kind or path.
fn stage_statement(stage: &Stage) -> String {
    let first = &stage.first.text;
    let second = stage.second.as_ref().map_or("", |w| &w.text);
    let types = stage.types.as_ref().map_or(String::new(), |types| {
        let all = types.before.iter().chain(types.after.iter().flatten());
        all.map(ty).collect::<Vec<_>>().join("->")
    });
    let args: Vec<String> = stage.args.iter().map(argument).collect();
    let args = args.join("; ");
    match stage.role.value {
        Role::Capability => format!("CAP {first} kind={second} {types} [{args}]"),
        Role::ProcBlock => format!("PB {first} {} {types} [{args}]", path(second)),
        Role::Model => format!("MODEL {first} file={second} {types} {args}")
            .trim_end()
            .to_owned(),
        Role::Out => format!("OUT {first}"),
    }
}

fn ty(ty: &Spanned<PartialType>) -> String {
    ty.value.to_string()
}

/// `base@version#part` as the reference prints it.
fn path(path: &str) -> String {
    let (rest, part) = match path.split_once('#') {
        Some((rest, part)) => (rest, Some(part)),
        None => (path, None),
    };
    let (base, version) = match rest.split_once('@') {
        Some((base, version)) => (base, Some(version)),
        None => (rest, None),
    };
    format!("{base:?}/{part:?}/{version:?}")
}

fn argument(arg: &Argument) -> String {
    let name = &arg.name.value;
    match &arg.value.value {
        Value::Integer(n) => format!("{name}={:?}", format!("lit:Integer({n})")),
        Value::Float(x) => format!("{name}={:?}", format!("lit:Float({x:?})")),
        Value::Text(text) => format!("{name}={:?}", format!("lit:String({text:?})")),
        Value::List(items) => {
            let items = items.texts();
            format!("{name}={:?}", format!("list:{items:?}"))
        }
        Value::Reference(resource) => format!("{name}=${resource}"),
    }
}

#[test]
fn the_snippets_mean_what_they_meant() {
    let folder = folder();
    let (Ok(cases), Ok(said)) = (
        fs::read_to_string(folder.join("runefile-cases.in")),
        fs::read_to_string(folder.join("runefile-cases.v0.3.out")),
    ) else {
        eprintln!("skipped: there is no {}", folder.display());
        return;
    };
    let said = reference(&said);
    let cases: Vec<&str> = cases.split("\n----\n").collect();
    assert_eq!(cases.len(), said.len());
    let mut wrong = Vec::new();
    for (i, (source, (literal, theirs))) in cases.iter().zip(&said).enumerate() {
        // The text of the last case ends with a line end, and the reference shows its sources as literals.
        assert_eq!(&format!("{source:?}"), literal, "case {i}");
        let (ours, theirs) = (ours(source), diagnostics_sorted(theirs.clone()));
        let reason = DIFFERENT
            .iter()
            .find(|(n, _)| *n == i)
            .map(|(_, reason)| *reason);
        match (ours == theirs, reason) {
            (true, None) | (false, Some(_)) => {}
            (true, Some(reason)) => wrong.push(format!("{i} is the same, yet listed: {reason}")),
            (false, None) => wrong.push(format!(
                "{i} {source:?}\n  reference: {}\n  ours:      {}",
                theirs.join("\n             "),
                ours.join("\n             ")
            )),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_examples_of_the_reference_are_runefiles() {
    let Ok(folder) = fs::read_dir(folder().join("v0.3")) else {
        eprintln!("skipped: there is no {}/v0.3", folder().display());
        return;
    };
    for entry in folder {
        let path = entry.expect("a readable folder").path();
        let bytes = fs::read(&path).expect("a readable Runefile");
        let (tree, faults) = parse(FileId(0), &bytes);
        assert_eq!(faults, [], "{}", path.display());
        let (pipeline, found) = lower(&[Layer::own(tree)], &Everything, "example");
        let old = |d: &rune_ir::diag::Diagnostic| d.code == Code::OldWordOrder;
        assert!(found.iter().all(old), "{}: {found:#?}", path.display());
        let pipeline = pipeline.expect("a pipeline");
        assert!(!pipeline.partial);
        // A chain: every stage but the capability reads exactly one other.
        let edges: usize = pipeline.stages.values().map(|s| s.inputs.len()).sum();
        assert_eq!(edges, pipeline.stages.len() - 1, "{}", path.display());
    }
}
