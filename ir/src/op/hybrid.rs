//! F32 with I8 weights: what is multiplied is quantised first, to eight bits of its own scale, the sums
//! are of integers, and each is scaled back.

/// A run of F32 as integers: real = `scale` * (q - zero point).
pub(super) struct Quantized {
    /// q less the zero point.
    pub(super) values: Vec<i32>,
    /// The scale.
    pub(super) scale: f32,
}

/// The least and the greatest element, of which NaN is neither.
fn range(run: &[f32]) -> (f32, f32) {
    run.iter().fold((run[0], run[0]), |(least, most), x| {
        (
            if *x < least { *x } else { least },
            if most < *x { *x } else { most },
        )
    })
}

/// To the nearest integer, halves away from zero, saturating.
fn rounded(x: f32) -> i32 {
    libm::roundf(x) as i32
}

/// Quantises a run.
///
/// Symmetric: the scale is greatest size / 127, the zero point 0, and q is x times 127 / greatest size.
/// Asymmetric: the range, widened to have 0 in it, becomes -128 to 127. The scale is taken in f64 and then
/// rounded to f32; the zero point follows from the end whose error is less, in f64, and is rounded; q is
/// zero point + x * (1 / scale). A run of zeros has the scale 1.
pub(super) fn quantize(run: &[f32], asymmetric: bool) -> Quantized {
    let (least, most) = range(run);
    if !asymmetric {
        let size = if least.abs() < most.abs() {
            most.abs()
        } else {
            least.abs()
        };
        if size == 0.0 {
            return zeros(run);
        }
        let inverse = 127.0 / size;
        return Quantized {
            values: run
                .iter()
                .map(|x| rounded(x * inverse).clamp(-127, 127))
                .collect(),
            scale: size / 127.0,
        };
    }
    let least = if 0.0 < least { 0.0 } else { least };
    let most = if most < 0.0 { 0.0 } else { most };
    if least == most {
        return zeros(run);
    }
    let (least, most) = (f64::from(least), f64::from(most));
    let scale = (most - least) / 255.0;
    let from_least = 128.0 + (least / scale).abs() < 127.0 + (most / scale).abs();
    let real = if from_least {
        -128.0 - least / scale
    } else {
        127.0 - most / scale
    };
    let zero_point = libm::round(real).clamp(-128.0, 127.0) as i32;
    let scale = scale as f32;
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    let q = |x: &f32| rounded(zero_point as f32 + x * inverse).clamp(-128, 127);
    Quantized {
        values: run.iter().map(|x| q(x) - zero_point).collect(),
        scale,
    }
}

fn zeros(run: &[f32]) -> Quantized {
    Quantized {
        values: vec![0; run.len()],
        scale: 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_scaled_to_its_range() {
        let q = quantize(&[-1.0, 0.5, 0.25, 0.0], false);
        assert_eq!((q.values, q.scale), (vec![-127, 64, 32, 0], 1.0 / 127.0));
        let q = quantize(&[0.0, 2.55], true);
        assert_eq!((q.values, q.scale), (vec![0, 255], 0.01));
        let q = quantize(&[-2.55, 0.0], true);
        assert_eq!(q.values, [-255, 0]);
    }

    #[test]
    fn zeros_and_what_is_no_number_stay_in_range() {
        for asymmetric in [false, true] {
            assert_eq!(quantize(&[0.0, -0.0], asymmetric).values, [0, 0]);
            for run in [
                [f32::NAN, 1.0],
                [1.0, f32::INFINITY],
                [f32::MIN, f32::MAX],
                [1e-45, -1e-45],
            ] {
                let q = quantize(&run, asymmetric);
                assert!(q.values.iter().all(|v| v.abs() <= 255), "{run:?}");
            }
        }
    }
}
