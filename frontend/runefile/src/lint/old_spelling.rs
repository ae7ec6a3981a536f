//! Law: things are called by the names that the catalogue has today.
//!
//! What a Runefile of the reference system says still means the same; `hotg-ai/...` paths, `_` in names of
//! blocks and arguments, kinds in lower case and `@PixelFormat::` are its spellings.

use rune_abi::{CapabilityKind, OutputKind};
use rune_ir::{
    args::{ArgType, Bound},
    check::specs,
    diag::{Code, Diagnostic, Fix, Safety, Span},
    pipeline::StageKind,
};

use super::{Subject, edit};
use crate::Format;

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    if subject.tree.format == Format::Yaml {
        // The YAML form is the reference system's, and these are its spellings.
        return;
    }
    for (id, stage) in subject.own() {
        let Some(written) = subject.written(stage) else {
            continue;
        };
        let what = edit::path(written, subject.env);
        let today = match &stage.kind {
            StageKind::Capability(kind) => kind_today(&what.text, kind.value),
            StageKind::Output(kind) => output_today(&what.text, kind.value),
            StageKind::Block(path) => {
                is_old_path(&what.text, &path.value).then_some(path.value.as_str())
            }
            StageKind::Model { .. } => None,
        };
        // The name of an output that has none is made of the kind, whatever its case.
        if let Some(today) = today {
            found.push(old(what.span, &what.text, today));
        }
        let specs = specs(stage, &subject.loaded[id]).unwrap_or_default();
        for arg in &written.args {
            let name = &arg.name.value;
            let Some(spec) = specs.iter().find(|s| s.is_named(name)) else {
                continue;
            };
            if name.contains('_') || name.bytes().any(|b| b.is_ascii_uppercase()) {
                let today = name.replace('_', "-").to_lowercase();
                let known = spec.name == today || spec.aliases.contains(&today);
                let today = if known { &today } else { &spec.name };
                found.push(old(arg.name.span, name, today));
            }
            let words = matches!(&spec.ty, ArgType::Text { words } if !words.is_empty());
            if let Some(Bound::Text(word)) = subject.arg(id, &spec.name).map(|a| &a.value)
                && words
                && arg.text.contains("::")
            {
                found.push(old(arg.value.span, &arg.text, word));
            }
        }
    }
}

fn old(place: Span, written: &str, today: &str) -> Diagnostic {
    Diagnostic::new(
        Code::OldSpelling,
        place,
        format!("`{written}` is written `{today}` today"),
    )
    .at("an old spelling")
    .fix(Fix::new(
        Safety::Safe,
        format!("write `{today}`"),
        place,
        today,
    ))
}

/// The name of a kind, where another in lower case is written.
fn kind_today(written: &str, kind: CapabilityKind) -> Option<&'static str> {
    let name = kind.spec().name;
    let upper = !written.bytes().any(|b| b.is_ascii_lowercase());
    (written != name && !upper).then_some(name)
}

fn output_today(written: &str, kind: OutputKind) -> Option<&'static str> {
    let name = kind.spec().name;
    (written != name).then_some(name)
}

/// Whether a path names a block of the catalogue as it was called before. A version is no reason, and
/// neither is a name without `runicos/`.
fn is_old_path(written: &str, path: &str) -> bool {
    let Some(last) = path.strip_prefix("runicos/") else {
        return false;
    };
    let bare = written.split('@').next().unwrap_or(written);
    let bare = bare.strip_prefix("runicos/").unwrap_or(bare);
    bare != last
}

#[cfg(test)]
mod tests {
    use super::super::testing::{fixed, found, none};
    use rune_ir::diag::Code;

    const LAW: Code = Code::OldSpelling;

    fn pipeline(capability: &str, block: &str, out: &str) -> String {
        format!("CAPABILITY<F32[4]> {capability}\nPROC_BLOCK {block}\nOUT {out}\nRUN a b serial")
    }

    #[test]
    fn old_names_are_replaced() {
        let today = pipeline("RAND a --min 0.5", "runicos/normalize b", "SERIAL");
        none(LAW, &today);
        none(LAW, &pipeline("RAND a -n 4", "normalize b", "SERIAL"));
        for (capability, block, out) in [
            ("rand a --min 0.5", "runicos/normalize b", "SERIAL"),
            ("RAND a --Min 0.5", "runicos/normalize b", "SERIAL"),
            (
                "RAND a --min 0.5",
                "hotg-ai/rune#proc_blocks/normalize b",
                "SERIAL",
            ),
            ("RAND a --min 0.5", "runicos/normalize b", "serial"),
        ] {
            let text = pipeline(capability, block, out);
            assert_eq!(found(LAW, &text).len(), 1, "{text}");
            assert_eq!(fixed(LAW, &text), today);
        }
    }

    #[test]
    fn words_lose_their_enum() {
        let image = |format| {
            format!(
                "CAPABILITY<U8[2, 2, 3]> IMAGE a --pixel-format {format}\nOUT SERIAL\nRUN a serial"
            )
        };
        assert_eq!(fixed(LAW, &image("@PixelFormat::BGR")), image("BGR"));
    }
}
