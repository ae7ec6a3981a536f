//! Law: the length of a Fourier transform has no prime factor above 13. With one it is computed as a
//! convolution, which takes several times as long.

use rune_ir::{
    diag::{Code, Diagnostic},
    pipeline::StageId,
};

use super::Subject;

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for (id, stage) in subject.own() {
        let Some((length, place)) = length(subject, id) else {
            continue;
        };
        if is_fast(length) {
            continue;
        }
        let (below, above) = neighbours(length);
        let name = subject.called(id);
        found.push(
            Diagnostic::new(
                Code::SlowTransform,
                place.unwrap_or(stage.name.span),
                format!("`{name}` transforms {length} samples, which has a prime factor above 13"),
            )
            .at("several times slower than its neighbours")
            .hint(format!("{below} or {above} samples are fast")),
        );
    }
}

/// How many samples a block transforms, and where that is written.
fn length(subject: &Subject<'_>, id: StageId) -> Option<(u64, Option<rune_ir::diag::Span>)> {
    match subject.block(id)? {
        "fft" => Some((subject.input(id, 0)?.elements(), None)),
        "stft" | "mel-spectrogram" | "mfcc" => {
            let fft = u64::try_from(subject.integer(id, "fft")?).ok()?;
            Some((fft, subject.arg(id, "fft")?.span))
        }
        _ => None,
    }
}

fn is_fast(mut length: u64) -> bool {
    for prime in [2, 3, 5, 7, 11, 13] {
        while length > 1 && length.is_multiple_of(prime) {
            length /= prime;
        }
    }
    length <= 1
}

/// The nearest fast lengths below and above.
fn neighbours(length: u64) -> (u64, u64) {
    let below = (1..length).rev().find(|n| is_fast(*n)).unwrap_or(1);
    // A power of two is always near enough.
    let above = (length..=length.next_power_of_two())
        .find(|n| is_fast(*n))
        .unwrap_or(length);
    (below, above)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{found, none};
    use rune_ir::diag::Code;

    const LAW: Code = Code::SlowTransform;

    fn fft(n: u32) -> String {
        format!(
            "CAPABILITY<I16[{n}]> SOUND a\nPROC_BLOCK runicos/fft b\nOUT SERIAL\nRUN a b serial"
        )
    }

    #[test]
    fn large_primes_are_found() {
        assert_eq!(found(LAW, &fft(1009)).len(), 1);
        assert_eq!(found(LAW, &fft(2 * 17)).len(), 1);
        assert_eq!(super::neighbours(1009), (1008, 1014));
    }

    #[test]
    fn products_of_small_primes_are_fine() {
        for n in [1, 150, 480, 512, 1001, 16000] {
            none(LAW, &fft(n));
        }
    }
}
