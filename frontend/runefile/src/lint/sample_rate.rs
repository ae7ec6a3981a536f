//! Law: a block that is told a sample rate is told that of what it is fed.
//!
//! The rate begins at a SOUND or ACCEL, is changed by `resample` and by a `fir` that decimates, and ends
//! where something other than samples in time comes out.

use rune_abi::CapabilityKind;
use rune_ir::{
    diag::{Code, Diagnostic, Fix, Safety, Span},
    pipeline::{StageId, StageKind},
};

use super::Subject;

/// Blocks whose output is at the times of their input.
const IN_TIME: [&str; 8] = [
    "audio-float-conversion",
    "biquad",
    "cast",
    "fir",
    "frame",
    "image-normalization",
    "normalize",
    "resample",
];

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for (id, _) in subject.own() {
        let Some((argument, said)) = told(subject, id) else {
            continue;
        };
        let Some((origin, up, down)) = rate(subject, id) else {
            continue;
        };
        if (said * down as f64 - up as f64).abs() <= 1e-6 * up as f64 {
            continue;
        }
        let rate = up as f64 / down as f64;
        let bound = subject.arg(id, argument);
        let place = bound.and_then(|b| b.span);
        let source = subject.called(origin);
        let mut diagnostic = Diagnostic::new(
            Code::SampleRate,
            place.unwrap_or(subject.name(id)),
            format!("`{}` expects {said} Hz, and is fed {rate} Hz", subject.called(id)),
        )
        .at(if place.is_some() {
            "another rate"
        } else {
            "the default is another rate"
        })
        .also(subject.name(origin), format!("`{source}` sets the rate"))
        .hint(format!(
            "write `--{argument} {rate}`, or put a `runicos/resample` before it if its model was trained at {said} Hz"
        ));
        if up % down == 0 {
            diagnostic
                .fixes
                .extend(fix(subject, id, place, argument, up / down));
        }
        found.push(diagnostic);
    }
}

/// The argument that says a block's rate, and what it says.
fn told(subject: &Subject<'_>, id: StageId) -> Option<(&'static str, f64)> {
    let argument = match subject.block(id)? {
        "audio-frontend" | "mel-spectrogram" | "mfcc" | "biquad" | "fir" => "hz",
        "spectrogram" => "sample-rate",
        // Its ratio alone matters, yet both are in Hz.
        "resample" => return None,
        _ => return None,
    };
    let integer = subject.integer(id, argument).map(|n| n as f64);
    let said = integer.or_else(|| subject.float(id, argument))?;
    (said > 0.0).then_some((argument, said))
}

/// The capability that a block's samples come from, and their rate as a fraction.
fn rate(subject: &Subject<'_>, id: StageId) -> Option<(StageId, u64, u64)> {
    let (mut up, mut down) = (1u64, 1u64);
    for before in subject.upstream(id) {
        if let StageKind::Capability(kind) = &subject.pipeline.stages[before].kind {
            if !matches!(kind.value, CapabilityKind::Sound | CapabilityKind::Accel) {
                return None;
            }
            let hz = u64::try_from(subject.integer(before, "hz")?).ok()?;
            return Some((before, up.checked_mul(hz)?, down));
        }
        let block = subject.block(before)?;
        let count = |name| {
            subject
                .integer(before, name)
                .and_then(|n| u64::try_from(n).ok())
        };
        match block {
            "resample" => {
                up = up.checked_mul(count("to")?)?;
                down = down.checked_mul(count("from")?)?;
            }
            "fir" => down = down.checked_mul(count("decimate")?)?,
            _ if IN_TIME.contains(&block) => {}
            _ => return None,
        }
    }
    None
}

/// Writes the rate in the place of what is written, or behind the instruction.
fn fix(
    subject: &Subject<'_>,
    id: StageId,
    place: Option<Span>,
    argument: &str,
    rate: u64,
) -> Option<Fix> {
    let stage = subject.written(&subject.pipeline.stages[id])?;
    let title = format!("write `--{argument} {rate}`");
    let Some(place) = place else {
        let end = stage.span.end as usize;
        let end = Span::new(stage.span.file, end, end);
        return Some(Fix::new(
            Safety::Unsafe,
            title,
            end,
            format!(" --{argument} {rate}"),
        ));
    };
    let written = stage
        .args
        .iter()
        .find(|a| a.name.span.to(a.value.span) == place)?;
    Some(Fix::new(
        Safety::Unsafe,
        title,
        written.value.span,
        rate.to_string(),
    ))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{fixed, found, none};
    use rune_ir::diag::Code;

    const LAW: Code = Code::SampleRate;

    fn sound(hz: &str, blocks: &str, names: &str) -> String {
        format!("CAPABILITY<I16[1600]> SOUND a{hz}\n{blocks}OUT SERIAL\nRUN a {names} serial")
    }

    #[test]
    fn a_default_that_differs_is_found_and_written() {
        let text = sound(" --hz 8000", "PROC_BLOCK runicos/audio-frontend b\n", "b");
        let found = found(LAW, &text);
        assert!(
            found.len() == 1 && found[0].contains("expects 16000 Hz, and is fed 8000 Hz"),
            "{found:?}"
        );
        let fixed = fixed(LAW, &text);
        assert!(
            fixed.contains("PROC_BLOCK runicos/audio-frontend b --hz 8000\n"),
            "{fixed}"
        );
        none(LAW, &fixed);
    }

    #[test]
    fn what_is_written_is_changed() {
        let text = sound("", "PROC_BLOCK runicos/audio-frontend b --hz 8000\n", "b");
        assert!(fixed(LAW, &text).contains("b --hz 16000\n"));
    }

    #[test]
    fn a_resample_in_between_counts() {
        let resample = "PROC_BLOCK runicos/resample r --from 48000 --to 16000\n";
        let text = sound(
            " --hz 48000",
            &format!("{resample}PROC_BLOCK runicos/audio-frontend b\n"),
            "r b",
        );
        none(LAW, &text);
        let text = sound(
            "",
            &format!("{resample}PROC_BLOCK runicos/audio-frontend b\n"),
            "r b",
        );
        assert_eq!(found(LAW, &text).len(), 1);
    }
}
