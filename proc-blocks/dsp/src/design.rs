//! Design of finite impulse responses by the window method.

use alloc::vec::Vec;
use core::f64::consts::PI;

use crate::band::Band;

/// The ideal response of a band, cut to `window` and scaled so that the middle of its first passband has
/// the gain 1 (0 and half the rate count as the middle of a band they bound).
///
/// Sum of `r sinc(r m) - l sinc(l m)` over the passbands `l` to `r`: Oppenheim and Schafer, "Discrete-Time
/// Signal Processing", 7.2.
pub fn response(band: Band, window: &[f64]) -> Vec<f64> {
    let (bands, middle) = match band {
        Band::Low(edge) => ([(0.0, edge), (0.0, 0.0)], 0.0),
        Band::High(edge) => ([(edge, 1.0), (0.0, 0.0)], 1.0),
        Band::Pass(low, high) => ([(low, high), (0.0, 0.0)], 0.5 * (low + high)),
        Band::Stop(low, high) => ([(0.0, low), (high, 1.0)], 0.0),
    };
    let center = 0.5 * (window.len() as f64 - 1.0);
    let (mut taps, mut gain) = (Vec::with_capacity(window.len()), 0.0);
    for (i, w) in window.iter().enumerate() {
        let m = i as f64 - center;
        let ideal: f64 = bands.iter().map(|(l, r)| lobe(*r, m) - lobe(*l, m)).sum();
        gain += w * ideal * libm::cos(PI * m * middle);
        taps.push(w * ideal);
    }
    for tap in &mut taps {
        *tap /= gain;
    }
    taps
}

/// `edge sinc(edge m)`.
fn lobe(edge: f64, m: f64) -> f64 {
    if m == 0.0 {
        edge
    } else {
        libm::sin(PI * edge * m) / (PI * m)
    }
}

/// A symmetric window of `length` points made of cosines: the sum of `terms[k] cos(k x)` for `x` from
/// minus pi to pi. One point is 1.
pub fn cosines(length: usize, terms: &[f64]) -> Vec<f64> {
    let last = length as f64 - 1.0;
    (0..length)
        .map(|i| {
            if length == 1 {
                return 1.0;
            }
            let x = PI * (2.0 * i as f64 / last - 1.0);
            let cosines = terms.iter().enumerate();
            cosines.map(|(k, a)| a * libm::cos(k as f64 * x)).sum()
        })
        .collect()
}

/// The symmetric Kaiser window of `length` points. One point is 1.
pub fn kaiser(length: usize, beta: f64) -> Vec<f64> {
    let last = length as f64 - 1.0;
    (0..length)
        .map(|i| {
            if length == 1 {
                return 1.0;
            }
            let x = 2.0 * i as f64 / last - 1.0;
            bessel_i0(beta * libm::sqrt((1.0 - x * x).max(0.0))) / bessel_i0(beta)
        })
        .collect()
}

/// The modified Bessel function of the first kind and order zero, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let (mut sum, mut term, mut k) = (1.0, 1.0, 1.0);
    while term > sum * 1e-17 {
        term *= (x / (2.0 * k)) * (x / (2.0 * k));
        sum += term;
        k += 1.0;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of `scipy.signal.firwin` and `scipy.signal.windows`.
    #[test]
    fn equals_scipy() {
        let close = |a: &[f64], b: &[f64]| {
            assert_eq!(a.len(), b.len());
            for (a, b) in a.iter().zip(b) {
                assert!((a - b).abs() < 1e-15, "{a} is not {b}");
            }
        };
        close(&kaiser(5, 5.0), &KAISER);
        close(&cosines(5, &[0.54, 0.46]), &[0.08, 0.54, 1.0, 0.54, 0.08]);
        close(&response(Band::Low(0.3), &cosines(5, &[0.54, 0.46])), &LOW);
        close(
            &response(Band::Stop(0.3, 0.6), &cosines(5, &[0.54, 0.46])),
            &STOP,
        );
        assert_eq!(kaiser(1, 5.0), [1.0]);
        assert_eq!(cosines(1, &[0.5, 0.5]), [1.0]);
    }

    const KAISER: [f64; 5] = [
        0.036_710_892_271_286_676,
        0.552_851_769_699_132_4,
        1.0,
        0.552_851_769_699_132_4,
        0.036_710_892_271_286_676,
    ];
    const LOW: [f64; 5] = [
        0.020_103_708_268_285_354,
        0.230_866_681_805_421_94,
        0.498_059_219_852_585_5,
        0.230_866_681_805_421_94,
        0.020_103_708_268_285_354,
    ];
    const STOP: [f64; 5] = [
        0.028_381_186_312_892_253,
        -0.035_365_479_374_792_765,
        1.013_968_586_123_801,
        -0.035_365_479_374_792_765,
        0.028_381_186_312_892_253,
    ];
}
