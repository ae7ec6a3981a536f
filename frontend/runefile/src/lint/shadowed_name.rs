//! Law: a name means one thing. It is no keyword in another case, no kind or block that something else here
//! is, no resource that its stage does not use, and no other name but for case or `_` and `-`.

use std::collections::BTreeMap;

use rune_abi::{CapabilityKind, OutputKind};
use rune_ir::{
    diag::{Code, Diagnostic, Span},
    pipeline::{Stage, StageId, StageKind},
};

use super::Subject;
use crate::tree::Value;

/// Keywords that make a line read wrong when a stage has such a name. `label`, `model` and `out` do not.
const KEYWORDS: [&str; 9] = [
    "as",
    "capability",
    "for",
    "from",
    "proc-block",
    "replace",
    "resource",
    "run",
    "set",
];

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    let mut words: BTreeMap<String, Vec<StageId>> = BTreeMap::new();
    for (id, stage) in subject.pipeline.stages.iter() {
        words.entry(plain(&stage.name.value)).or_default().push(id);
        if let StageKind::Block(path) = &stage.kind {
            let word = path.value.rsplit('/').next().unwrap_or(&path.value);
            words.entry(word.to_owned()).or_default().push(id);
        }
    }
    for (id, stage) in subject.own() {
        let name = stage.name.value.as_str();
        if let Some((other, place)) = meant(subject, &words, id, name) {
            let mut diagnostic = Diagnostic::new(
                Code::ShadowedName,
                stage.name.span,
                format!("the name `{name}` also means {other}"),
            )
            .at("a name that misleads")
            .hint("give the stage a name that says what it does");
            if let Some(place) = place {
                diagnostic = diagnostic.also(place, "the other meaning");
            }
            found.push(diagnostic);
        }
    }
}

/// What else a stage's name means, and where that is said.
///
/// `words` has the stages that each word means: as their name, or as the last part of their block's.
fn meant(
    subject: &Subject<'_>,
    words: &BTreeMap<String, Vec<StageId>>,
    id: StageId,
    name: &str,
) -> Option<(String, Option<Span>)> {
    let stage = &subject.pipeline.stages[id];
    let plain = plain(name);
    if KEYWORDS.contains(&plain.as_str()) {
        let keyword = plain.to_uppercase().replace('-', "_");
        return Some((format!("the instruction {keyword}"), None));
    }
    let kind =
        CapabilityKind::from_name(name).or_else(|| CapabilityKind::from_name(&name.to_uppercase()));
    if let (StageKind::Capability(own), Some(kind)) = (&stage.kind, kind)
        && own.value != kind
    {
        let kind = kind.spec().name;
        return Some((format!("the capability {kind}"), None));
    }
    if !matches!(stage.kind, StageKind::Output(_))
        && OutputKind::from_name(&name.to_uppercase()).is_some()
    {
        return Some((format!("the output {}", name.to_uppercase()), None));
    }
    let others = words.get(&plain).into_iter().flatten();
    for other in others.filter(|other| **other != id) {
        let other = &subject.pipeline.stages[*other];
        let place = other.name.span;
        if let StageKind::Block(path) = &other.kind
            && path.value.rsplit('/').next() == Some(plain.as_str())
            && other.name.value != name
            && !is_block(stage, &path.value)
        {
            return Some((format!("the block `{}`", path.value), Some(path.span)));
        }
        if self::plain(&other.name.value) == plain && place < stage.name.span {
            return Some((format!("the stage `{}`", other.name.value), Some(place)));
        }
    }
    resource(subject, stage, name)
}

fn is_block(stage: &Stage, path: &str) -> bool {
    matches!(&stage.kind, StageKind::Block(own) if own.value == path)
}

/// A resource of the stage's name that the stage does not use.
fn resource(subject: &Subject<'_>, stage: &Stage, name: &str) -> Option<(String, Option<Span>)> {
    let resource = subject.resources().find(|r| r.name.value == name)?;
    let written = subject.written(stage)?;
    let reference = Value::Reference(name.to_owned());
    let path = format!("${name}");
    let uses = written.args.iter().any(|a| a.value.value == reference)
        || written.first.text == path
        || written.second.as_ref().is_some_and(|w| w.text == path);
    (!uses).then(|| (format!("the resource `{path}`"), Some(resource.name.span)))
}

/// A name in lower case, with `-` for `_`.
fn plain(name: &str) -> String {
    name.to_lowercase().replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{found, none};
    use rune_ir::diag::Code;

    const LAW: Code = Code::ShadowedName;

    #[test]
    fn misleading_names_are_found() {
        for (text, what) in [
            (
                "CAPABILITY SOUND image -n 4\nOUT SERIAL\nRUN image serial",
                "IMAGE",
            ),
            (
                "CAPABILITY SOUND run -n 4\nOUT SERIAL\nRUN run serial",
                "RUN",
            ),
            (
                "CAPABILITY<F32[4]> RAND a\nPROC_BLOCK runicos/softmax normalize\n\
                 PROC_BLOCK runicos/normalize b\nOUT SERIAL\nRUN a normalize b serial",
                "the block `runicos/normalize`",
            ),
            (
                "CAPABILITY<F32[4]> RAND a\nCAPABILITY<F32> RAND A\nOUT SERIAL\nRUN [a, A] serial",
                "`a`",
            ),
            (
                "RESOURCE labels.txt a\nCAPABILITY<U32> RAND a\nPROC_BLOCK runicos/label l --labels $a\n\
                 OUT SERIAL\nRUN a l serial",
                "$a",
            ),
        ] {
            let found = found(LAW, text);
            assert!(
                found.len() == 1 && found[0].contains(what),
                "{text}\n{found:?}"
            );
        }
    }

    #[test]
    fn names_after_what_they_are_are_fine() {
        none(
            LAW,
            "CAPABILITY<F32[4]> RAND rand\nPROC_BLOCK runicos/normalize normalize\nOUT SERIAL\nRUN rand normalize serial",
        );
        none(
            LAW,
            "RESOURCE labels.txt l\nCAPABILITY<U32> RAND a\nPROC_BLOCK runicos/label l --labels $l\nOUT SERIAL\nRUN a l serial",
        );
    }
}
