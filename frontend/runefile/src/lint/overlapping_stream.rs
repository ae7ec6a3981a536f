//! Law: a block that follows a stream from call to call is fed every sample once.
//!
//! With `--hop` less than its window a capability reads some samples again. That is right for what looks at
//! each window by itself, and wrong for a filter or a frontend that has a memory of its own.

use rune_ir::{
    diag::{Code, Diagnostic, Safety},
    pipeline::{StageId, StageKind},
};

use super::Subject;

/// Blocks whose output for a row depends on that row alone.
const ROW_BY_ROW: [&str; 3] = ["audio-float-conversion", "cast", "image-normalization"];

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for (id, _) in subject.own() {
        let follows = match subject.block(id) {
            Some("audio-frontend" | "biquad" | "fir" | "frame") => true,
            Some("resample") => subject.integer(id, "stream") == Some(1),
            _ => false,
        };
        if !follows {
            continue;
        }
        let source = subject.upstream(id).find(|before| {
            !subject
                .block(*before)
                .is_some_and(|b| ROW_BY_ROW.contains(&b))
        });
        let Some((source, hop, window)) = source.and_then(|s| overlap(subject, s)) else {
            continue;
        };
        let (name, from) = (subject.called(id), subject.called(source));
        let place = subject.arg(source, "hop").and_then(|a| a.span);
        let mut diagnostic = Diagnostic::new(
            Code::OverlappingStream,
            subject.name(id),
            format!(
                "`{name}` follows a stream, and is fed {} of every {window} samples again",
                window - hop
            ),
        )
        .at("remembers what it was fed")
        .also(
            place.unwrap_or(subject.name(source)),
            format!("`{from}` goes back after each window"),
        )
        .hint(format!("leave out `--hop`, and read {hop} samples a call"));
        if let Some(place) = place {
            let fix = subject.without_argument(source, place, Safety::Unsafe);
            diagnostic.fixes.extend(fix);
        }
        found.push(diagnostic);
    }
}

/// The hop and the window of a capability whose windows overlap.
fn overlap(subject: &Subject<'_>, id: StageId) -> Option<(StageId, i64, i64)> {
    if !matches!(subject.pipeline.stages[id].kind, StageKind::Capability(_)) {
        return None;
    }
    let hop = subject.integer(id, "hop")?;
    let ty = subject.output(id, 0)?;
    let window = i64::from(*ty.shape().first()?);
    (hop < window).then_some((id, hop, window))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{fixed, found, none};
    use rune_ir::diag::Code;

    const LAW: Code = Code::OverlappingStream;

    fn sound(args: &str, block: &str) -> String {
        format!(
            "CAPABILITY<I16[1600]> SOUND a{args}\nPROC_BLOCK {block}\nOUT SERIAL\nRUN a b serial"
        )
    }

    #[test]
    fn samples_fed_again_are_found() {
        let text = sound(" --hop 800", "runicos/audio-frontend b");
        let found = found(LAW, &text);
        assert!(
            found.len() == 1 && found[0].contains("800 of every 1600"),
            "{found:?}"
        );
        assert_eq!(fixed(LAW, &text), sound("", "runicos/audio-frontend b"));
    }

    #[test]
    fn what_looks_at_windows_may_overlap() {
        none(LAW, &sound(" --hop 800", "runicos/fft b"));
        none(
            LAW,
            &sound(
                " --hop 800",
                "runicos/resample b --from 2 --to 1 --stream false",
            ),
        );
    }
}
