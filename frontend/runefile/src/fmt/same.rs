//! Whether two Runefiles say the same in different form.

use rune_ir::{diag::Spanned, env::Env};

use super::{
    atoms::{arrow, canonical_order},
    layout::Comment,
};
use crate::tree::{Argument, Instruction, Stage, Step, Tree, Types, Value};

/// Whether two trees, each with its text, are without fault, have the same comments, and say the same in the
/// same order. Where things stand, how they are spelt, in which order the words of a stage are written, and
/// whether an arrow stands between two types make no difference.
pub(super) fn same(a: (&Tree, &str), b: (&Tree, &str), env: &dyn Env) -> bool {
    let comments = |(tree, text)| comments(tree, text);
    let instructions = |a: &Tree, b: &Tree| {
        pairwise(&a.instructions, &b.instructions, |a, b| {
            instruction(a, b, env)
        })
    };
    !a.0.flawed && !b.0.flawed && comments(a).eq(comments(b)) && instructions(a.0, b.0)
}

fn comments<'t>(tree: &'t Tree, text: &'t str) -> impl Iterator<Item = &'t str> {
    tree.comments
        .iter()
        .map(|span| Comment::new(text, *span).text)
}

fn pairwise<T>(a: &[T], b: &[T], same: impl Fn(&T, &T) -> bool) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
}

fn instruction(a: &Instruction, b: &Instruction, env: &dyn Env) -> bool {
    match (a, b) {
        (Instruction::From(a), Instruction::From(b)) => {
            a.image.value == b.image.value && optional(a.alias.as_ref(), b.alias.as_ref(), text)
        }
        (Instruction::For(a), Instruction::For(b)) => text(&a.image, &b.image),
        (Instruction::Label(a), Instruction::Label(b)) => {
            pairwise(&a.pairs, &b.pairs, |(key, value), (other, its)| {
                text(key, other) && text(value, its)
            })
        }
        (Instruction::Resource(a), Instruction::Resource(b)) => {
            optional(a.path.as_ref(), b.path.as_ref(), text)
                && text(&a.name, &b.name)
                && pairwise(&a.args, &b.args, argument)
        }
        (Instruction::Stage(a), Instruction::Stage(b)) => stage(a, b, env),
        (Instruction::Set(a), Instruction::Set(b)) => {
            text(&a.stage, &b.stage) && pairwise(&a.args, &b.args, argument)
        }
        (Instruction::Run(a), Instruction::Run(b)) => pairwise(&a.steps, &b.steps, step),
        _ => false,
    }
}

fn text(a: &Spanned<String>, b: &Spanned<String>) -> bool {
    a.value == b.value
}

fn optional<T>(a: Option<&T>, b: Option<&T>, same: impl Fn(&T, &T) -> bool) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => same(a, b),
        (None, None) => true,
        _ => false,
    }
}

fn stage(a: &Stage, b: &Stage, env: &dyn Env) -> bool {
    let words = |stage| {
        let ordered = canonical_order(stage, env);
        let word = |word: &crate::tree::Word| (word.text.clone(), word.form);
        (word(ordered.what), ordered.name.map(word))
    };
    let (role, other) = (a.role.value, b.role.value);
    role == other
        && a.replace.is_some() == b.replace.is_some()
        && words(a) == words(b)
        && optional(a.types.as_ref(), b.types.as_ref(), |a, b| {
            arrow(role, a) == arrow(role, b) && types(a).eq(types(b))
        })
        && pairwise(&a.args, &b.args, argument)
}

fn types(types: &Types) -> impl Iterator<Item = &rune_ir::ty::PartialType> {
    let all = types.before.iter().chain(types.after.iter().flatten());
    all.map(|ty| &ty.value)
}

fn argument(a: &Argument, b: &Argument) -> bool {
    let value = match (&a.value.value, &b.value.value) {
        (Value::List(a), Value::List(b)) => a.texts() == b.texts(),
        // Where a text is wanted, a number counts as it is written.
        (Value::Integer(_) | Value::Float(_), _) => {
            a.value.value == b.value.value && a.text == b.text
        }
        (a, b) => a == b,
    };
    text(&a.name, &b.name) && value
}

fn step(a: &Step, b: &Step) -> bool {
    pairwise(&a.stages, &b.stages, |a, b| {
        let port = |port: &Option<Spanned<u32>>| port.as_ref().map(|port| port.value);
        text(&a.name, &b.name) && port(&a.port) == port(&b.port)
    })
}
