//! What a Runefile says, without where and how: found out in other ways than the formatter's own.

use rune_ir::diag::{Code, FileId};
use rune_runefile::{
    Tree, parse,
    tree::{Argument, Instruction, Role, Stage, Value, WordForm},
};

use crate::world::{compile, show_pipeline, show_tree};

/// The tree, the pipeline and what is wrong with it; an old word order is not.
pub(crate) fn facts(bytes: &[u8]) -> String {
    let (tree, pipeline, found) = compile(bytes);
    let mut out = tree_facts(&tree);
    show_tree(&tree, &mut out).expect("a string takes everything");
    if let Some(pipeline) = &pipeline {
        show_pipeline(pipeline, &mut out).expect("a string takes everything");
    }
    let codes = found.iter().map(|d| d.code.number());
    let mut codes: Vec<_> = codes
        .filter(|c| *c != Code::OldWordOrder.number())
        .collect();
    codes.sort_unstable();
    out + &codes.join(" ")
}

/// The instructions, the two words of a stage in the order of the alphabet, be they in quotes or not.
pub(crate) fn tree_facts(tree: &Tree) -> String {
    let mut instructions = tree.instructions.clone();
    for instruction in &mut instructions {
        match instruction {
            Instruction::Stage(stage) => plain_stage(stage),
            Instruction::Set(set) => set.args.iter_mut().for_each(plain_argument),
            Instruction::Resource(resource) => resource.args.iter_mut().for_each(plain_argument),
            Instruction::From(_)
            | Instruction::For(_)
            | Instruction::Label(_)
            | Instruction::Run(_)
            | Instruction::Faulty(_) => {}
        }
    }
    without_places(&format!("{instructions:#?}\n"))
}

fn plain_stage(stage: &mut Stage) {
    if let (Role::ProcBlock | Role::Model, Some(types)) = (stage.role.value, &mut stage.types)
        && let (2, None) = (types.before.len(), &types.after)
    {
        types.after = types.before.pop().map(|output| vec![output]);
    }
    for word in [Some(&mut stage.first), stage.second.as_mut()] {
        if let Some(word) = word.filter(|word| word.form == WordForm::Path) {
            word.form = WordForm::Quoted;
        }
    }
    if let Some(second) = &mut stage.second
        && second.text < stage.first.text
    {
        std::mem::swap(second, &mut stage.first);
    }
    stage.args.iter_mut().for_each(plain_argument);
}

fn plain_argument(arg: &mut Argument) {
    if !matches!(arg.value.value, Value::Integer(_) | Value::Float(_)) {
        arg.text.clear();
    }
}

/// Debug output without its spans.
fn without_places(shown: &str) -> String {
    let lines = shown.lines().filter(|line| {
        let line = line.trim_start();
        !["start: ", "end: "]
            .iter()
            .any(|name| line.starts_with(name))
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

/// The comments of a text.
pub(crate) fn comments(text: &str) -> Vec<String> {
    let (tree, _) = parse(FileId(0), text.as_bytes());
    let spans = tree.comments.iter();
    spans
        .map(|s| text[s.start as usize..s.end as usize].trim_end_matches([' ', '\t']))
        .map(str::to_owned)
        .collect()
}
