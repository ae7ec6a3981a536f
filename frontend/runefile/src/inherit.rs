//! What a layer may do to the stages of the layers below it: replace one, or set its arguments.

use rune_ir::{
    diag::{Code, Diagnostic, Fix, Safety, Span, Spanned},
    pipeline::{Pipeline, Stage, StageId, StageKind},
};

use crate::{
    names::{self, Names},
    order::Ordered,
    tree,
    values::shorten,
};

/// The stages so far; those of another file than the instruction at hand are inherited.
#[derive(Clone, Copy)]
pub(crate) struct Below<'p> {
    pub(crate) stages: &'p Names<StageId>,
    pub(crate) pipeline: &'p Pipeline,
}

impl Below<'_> {
    /// The inherited stage that this one replaces, or none where it is a new one. An error where it may be
    /// neither.
    pub(crate) fn replaced_by(
        self,
        written: &tree::Stage,
        ordered: &Ordered<'_>,
        name: &Spanned<String>,
        kind: &StageKind,
    ) -> Result<Option<StageId>, Box<Diagnostic>> {
        let Some(id) = self.stages.get(&name.value).copied() else {
            let is_mistake = written.replace.is_some() && !self.stages.is_lost(&name.value);
            return if is_mistake {
                Err(Box::new(self.unknown(name, "replace")))
            } else {
                Ok(None)
            };
        };
        let before = &self.pipeline.stages[id];
        let first = before.name.span;
        Err(Box::new(
            match (written.replace, first.file != name.span.file) {
                (Some(_), true) if role(&before.kind) == role(kind) => return Ok(Some(id)),
                (Some(_), true) => other_role(name, before, kind),
                (Some(replace), false) => own(name, replace.to(name.span), first)
                    .at("REPLACE is for stages of a layer below")
                    .hint("keep one of the two lines"),
                (None, true) => taken_below(written, ordered, name, first),
                (None, false) => names::duplicate("stage", name, first).hint(rename(ordered, name)),
            },
        ))
    }

    /// The inherited stage whose arguments a SET sets; none where something faulty may define it.
    pub(crate) fn set_by(self, set: &tree::Set) -> Result<Option<StageId>, Box<Diagnostic>> {
        let name = &set.stage;
        let Some(id) = self.stages.get(&name.value).copied() else {
            return if self.stages.is_lost(&name.value) {
                Ok(None)
            } else {
                Err(Box::new(self.unknown(name, "set arguments of")))
            };
        };
        let first = self.pipeline.stages[id].name.span;
        if first.file != name.span.file {
            return Ok(Some(id));
        }
        Err(Box::new(
            own(name, name.span, first)
                .at("SET is for stages of a layer below")
                .hint("write the arguments there"),
        ))
    }

    /// Says that no layer below defines `name`.
    fn unknown(self, name: &Spanned<String>, verb: &str) -> Diagnostic {
        let inherited = || {
            let stages = self.pipeline.stages.values();
            let below = stages.filter(|s| s.name.span.file != name.span.file);
            below.map(|s| s.name.value.as_str())
        };
        let near = self.stages.nearest(&name.value, inherited());
        let some: Vec<&str> = inherited().take(20).collect();
        let diagnostic = Diagnostic::new(
            Code::NotInherited,
            name.span,
            format!("there is no `{}` to {verb}", shorten(&name.value)),
        )
        .at("no layer below defines this stage");
        match near {
            Some(near) => diagnostic.hint(format!("did you mean `{near}`?")),
            None if some.is_empty() => diagnostic
                .note("The base of this Runefile defines no stage.")
                .hint("REPLACE and SET change what a `FROM ./other/Runefile` brings"),
            None => diagnostic.note(format!("The inherited stages are {}.", some.join(", "))),
        }
    }
}

/// What a kind of stage takes and gives, in words: one stands only where another of the same stood.
fn role(kind: &StageKind) -> &'static str {
    match kind {
        StageKind::Capability(_) => "a capability, which takes nothing",
        StageKind::Block(_) | StageKind::Model { .. } => "a block or model, which takes and gives",
        StageKind::Output(_) => "an output, which gives nothing",
    }
}

fn other_role(name: &Spanned<String>, before: &Stage, after: &StageKind) -> Diagnostic {
    Diagnostic::new(
        Code::InterfaceChanged,
        name.span,
        format!("`{}` cannot be replaced by this", name.value),
    )
    .at(format!("this is {}", role(after)))
    .also(before.name.span, format!("this is {}", role(&before.kind)))
    .hint("a stage is replaced by one of the same interface; give this one another name to add it")
}

/// Says that a stage to change is of the same Runefile.
fn own(name: &Spanned<String>, span: Span, first: Span) -> Diagnostic {
    Diagnostic::new(
        Code::NotInherited,
        span,
        format!(
            "`{}` is not inherited: this Runefile defines it",
            name.value
        ),
    )
    .also(first, "defined here")
}

/// How to have two stages of one name.
fn rename(ordered: &Ordered<'_>, name: &Spanned<String>) -> String {
    match ordered.name {
        Some(_) => "give one of them another name".to_owned(),
        None => format!(
            "give this output a name of its own: `OUT {} second_{}`",
            ordered.what.text, name.value
        ),
    }
}

/// Says that a layer below has a stage of this name.
fn taken_below(
    written: &tree::Stage,
    ordered: &Ordered<'_>,
    name: &Spanned<String>,
    first: Span,
) -> Diagnostic {
    let duplicate = names::duplicate("stage", name, first);
    let what = &ordered.what.text;
    let Some(word) = ordered.name else {
        return duplicate
            .hint("the layer below has this output, so this line can go")
            .hint(format!("to have both, {}", rename(ordered, name)));
    };
    let keyword = written.role.value.keyword().name();
    let start = Span {
        end: written.span.start,
        ..written.span
    };
    duplicate
        .hint(format!(
            "to put this in place of the inherited stage, write `REPLACE {keyword} {what} {}`",
            word.text
        ))
        .hint("to have both, give this one another name")
        .fix(Fix::new(
            Safety::Unsafe,
            "replace the inherited stage",
            start,
            "REPLACE ",
        ))
}
