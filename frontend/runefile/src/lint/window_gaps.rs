//! Law: windows touch or overlap. Where they advance by more than their length, what lies between is never
//! looked at.

use rune_ir::{
    diag::{Code, Diagnostic, Span},
    pipeline::{StageId, StageKind},
};

use super::Subject;

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for (id, stage) in subject.own() {
        let gap = match &stage.kind {
            StageKind::Capability(_) => capability(subject, id),
            StageKind::Block(_) => block(subject, id),
            StageKind::Model { .. } | StageKind::Output(_) => None,
        };
        let Some(Windows {
            length,
            hop,
            unit,
            place,
        }) = gap.filter(|g| g.hop > g.length)
        else {
            continue;
        };
        let name = subject.called(id);
        found.push(
            Diagnostic::new(
                Code::WindowGaps,
                place.unwrap_or(stage.name.span),
                format!("`{name}` looks at {length} of every {hop} {unit}"),
            )
            .at(format!("{} {unit} in between are lost", hop - length))
            .hint(format!(
                "let the windows be at most {length} {unit} apart, or make them longer"
            )),
        );
    }
}

/// Windows of a stream: their length, how far apart they begin, in what, and where that is said.
struct Windows {
    length: i64,
    hop: i64,
    unit: &'static str,
    place: Option<Span>,
}

fn capability(subject: &Subject<'_>, id: StageId) -> Option<Windows> {
    let hop = subject.integer(id, "hop")?;
    let ty = subject.output(id, 0)?;
    // RAW counts bytes, the others rows.
    let raw = matches!(
        &subject.pipeline.stages[id].kind,
        StageKind::Capability(k) if k.value == rune_abi::CapabilityKind::Raw
    );
    let rows = ty.shape().first().copied().unwrap_or(1);
    let length = if raw {
        ty.bytes() as i64
    } else {
        i64::from(rows)
    };
    Some(Windows {
        length,
        hop,
        unit: if raw { "bytes" } else { "samples" },
        place: subject.arg(id, "hop")?.span,
    })
}

fn block(subject: &Subject<'_>, id: StageId) -> Option<Windows> {
    let (length, hop, unit) = match subject.block(id)? {
        "stft" | "mel-spectrogram" | "mfcc" => ("fft", "hop", "samples"),
        "frame" => ("length", "hop", "rows"),
        "audio-frontend" => ("window-ms", "step-ms", "ms"),
        _ => return None,
    };
    Some(Windows {
        length: subject.integer(id, length)?,
        hop: subject.integer(id, hop)?,
        unit,
        place: subject.arg(id, hop)?.span,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{found, none};
    use rune_ir::diag::Code;

    const LAW: Code = Code::WindowGaps;

    fn sound(args: &str, block: &str) -> String {
        format!(
            "CAPABILITY<I16[1600]> SOUND a{args}\nPROC_BLOCK {block}\nOUT SERIAL\nRUN a b serial"
        )
    }

    #[test]
    fn gaps_are_found() {
        for (args, block) in [
            (" --hop 3200", "runicos/audio-frontend b"),
            ("", "runicos/audio-frontend b --step-ms 40"),
            ("", "runicos/frame b --length 16 --hop 20"),
        ] {
            assert_eq!(found(LAW, &sound(args, block)).len(), 1, "{args} {block}");
        }
    }

    #[test]
    fn windows_that_touch_are_fine() {
        none(
            LAW,
            &sound(" --hop 1600", "runicos/frame b --length 16 --hop 16"),
        );
    }
}
