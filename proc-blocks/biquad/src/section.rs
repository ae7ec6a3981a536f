//! Second-order sections and cascades of them.

use alloc::{format, string::String, vec::Vec};

/// The filter `(b[0] + b[1]/z + b[2]/z^2) / (1 + a[0]/z + a[1]/z^2)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Section {
    b: [f64; 3],
    a: [f64; 2],
}

/// What a section remembers of a channel.
pub(crate) type Memory = [f64; 2];

impl Section {
    /// The section with these coefficients, `b` scaled so that the gain at `at` on the unit circle is 1.
    pub(crate) fn new(b: [f64; 3], a: [f64; 2], at: (f64, f64)) -> Self {
        let gain = magnitude([1.0, a[0], a[1]], at) / magnitude(b, at);
        Self {
            b: b.map(|b| b * gain),
            a,
        }
    }

    /// Sections as scipy writes them, six numbers each: `b0,b1,b2,a0,a1,a2`.
    ///
    /// # Errors
    /// Which section is incomplete, not finite, or not stable.
    pub(crate) fn list(numbers: &[f64]) -> Result<Vec<Self>, String> {
        let (sections, rest) = numbers.as_chunks::<6>();
        if !rest.is_empty() {
            return Err(format!(
                "`--sos` holds {} numbers, but each section takes six: b0,b1,b2,a0,a1,a2",
                numbers.len()
            ));
        }
        let read = |(i, &[b0, b1, b2, a0, a1, a2]): (usize, &[f64; 6])| {
            let of = format!("section {} of `--sos`", i + 1);
            if a0 == 0.0 {
                return Err(format!("a0 of {of} is 0"));
            }
            let section = Self {
                b: [b0, b1, b2].map(|b| b / a0),
                a: [a1 / a0, a2 / a0],
            };
            if !section.is_finite() {
                return Err(format!("{of} leaves the range of an f64"));
            }
            if !section.is_stable() {
                return Err(format!("{of} has a pole on or outside the unit circle"));
            }
            Ok(section)
        };
        sections.iter().enumerate().map(read).collect()
    }

    /// Whether every coefficient is finite.
    pub(crate) fn is_finite(&self) -> bool {
        self.b.iter().chain(&self.a).all(|c| c.is_finite())
    }

    /// Whether both poles are inside the unit circle: the triangle of Jury.
    pub(crate) fn is_stable(&self) -> bool {
        self.a[1].abs() < 1.0 && self.a[0].abs() < 1.0 + self.a[1]
    }
}

/// Absolute value of `c[0] + c[1]/z + c[2]/z^2`.
fn magnitude(c: [f64; 3], (re, im): (f64, f64)) -> f64 {
    // 1/z is the mirror image of z, and its square has the double angle.
    let real = c[0] + c[1] * re + c[2] * (re * re - im * im);
    let imaginary = c[1] * im + 2.0 * c[2] * re * im;
    libm::hypot(real, imaginary)
}

/// One sample through all sections.
#[inline]
pub(crate) fn step(sections: &[Section], memory: &mut [Memory], sample: f64) -> f64 {
    let mut x = sample;
    for (Section { b, a }, z) in sections.iter().zip(memory) {
        let y = b[0] * x + z[0];
        // What does not wait for `y` comes first.
        z[0] = (b[1] * x + z[1]) - a[0] * y;
        z[1] = b[2] * x - a[1] * y;
        x = y;
    }
    x
}

/// Keeps a channel healthy for ever: numbers too small to hear would become subnormal, which are slow, and
/// what is not finite would never go away.
pub(crate) fn settle(memory: &mut [Memory]) {
    let finite = memory.as_flattened().iter().all(|z| z.is_finite());
    for z in memory.as_flattened_mut() {
        if !finite || z.abs() < 1e-30 {
            *z = 0.0;
        }
    }
}
