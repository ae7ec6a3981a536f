//! Which of an instruction's two words is the kind or path, and which the name.
//!
//! Runefiles have been written in both orders; each still means what it meant.

use rune_abi::CapabilityKind;
use rune_ir::{
    diag::{Code, Diagnostic, Edit, Fix, Safety},
    env::Env,
};

use crate::{
    fault::NAME_RULE,
    fmt, grammar,
    tree::{Role, Stage, Word, WordForm},
    values::shorten,
};

/// The words of an instruction by what they mean.
#[derive(Clone, Copy, Debug)]
pub struct Ordered<'t> {
    /// The kind or path.
    pub what: &'t Word,
    /// The name; `None`: an `OUT` without one.
    pub name: Option<&'t Word>,
    /// The name stands first, which is an old order.
    pub swapped: bool,
}

/// Tells kind or path from name. The kind or path comes first, unless the words themselves say otherwise:
/// for a capability, only the second is a known kind in upper case; for a block or model, only the second
/// looks like a path, or, both being bare words, only the second is in the catalogue.
pub fn order<'t>(stage: &'t Stage, env: &dyn Env) -> Ordered<'t> {
    let first = &stage.first;
    let swapped = stage
        .second
        .as_ref()
        // What could be a name and is called a path is of the YAML form, which says which is which.
        .filter(|_| !(first.form == WordForm::Path && grammar::is_name(&first.text)))
        .is_some_and(|second| match stage.role.value {
            Role::Capability => is_upper_kind(second) && !is_upper_kind(first),
            Role::ProcBlock => {
                is_path(second) && !is_path(first)
                    || !is_path(second) && !is_path(first) && {
                        let known = |w: &Word| env.resolve_block(&w.text).is_some();
                        known(second) && !known(first)
                    }
            }
            Role::Model => is_path(second) && !is_path(first),
            Role::Out => false,
        });
    match (&stage.second, swapped) {
        (Some(second), true) => Ordered {
            what: second,
            name: Some(first),
            swapped,
        },
        (second, _) => Ordered {
            what: first,
            name: second.as_ref(),
            swapped: false,
        },
    }
}

/// Whether a word can only be a path: quoted, or with one of `/ . @ # $`.
fn is_path(word: &Word) -> bool {
    word.form == WordForm::Quoted || word.text.contains(['/', '.', '@', '#', '$'])
}

fn is_upper_kind(word: &Word) -> bool {
    CapabilityKind::from_name(&word.text).is_some()
        && !word.text.bytes().any(|b| b.is_ascii_lowercase())
}

/// The lint on an old word order, with the line as it is written today.
pub(crate) fn old_order(stage: &Stage, ordered: &Ordered<'_>, env: &dyn Env) -> Diagnostic {
    let what = match stage.role.value {
        Role::Capability | Role::Out => "kind",
        Role::ProcBlock | Role::Model => "path",
    };
    let name = ordered.name.unwrap_or(ordered.what);
    Diagnostic::new(
        Code::OldWordOrder,
        name.span.to(ordered.what.span),
        format!("the {what} comes before the name"),
    )
    .at("an old word order")
    .hint(format!("write `{}`", fmt::line(stage, env)))
    .fix(Fix {
        title: format!("put the {what} first"),
        edits: vec![
            Edit {
                span: name.span,
                text: written(ordered.what),
            },
            Edit {
                span: ordered.what.span,
                text: written(name),
            },
        ],
        safety: Safety::Safe,
    })
}

/// A word as the text has it.
fn written(word: &Word) -> String {
    match word.form {
        WordForm::Name | WordForm::Path => word.text.clone(),
        WordForm::Quoted => fmt::text::quote(&word.text),
    }
}

/// Says that a word cannot be a name.
pub(crate) fn bad_name(word: &Word, role: Role) -> Diagnostic {
    Diagnostic::new(
        Code::Syntax,
        word.span,
        format!("`{}` cannot be a name", shorten(&word.text)),
    )
    .at("expected a name")
    .note(format!("The form is `{}`.", role.keyword().form()))
    .hint(NAME_RULE)
}
