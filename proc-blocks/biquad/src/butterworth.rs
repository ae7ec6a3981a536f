//! Butterworth filters as second-order sections.
//!
//! The poles of the analogue low pass of edge 1 lie evenly on the left half of the unit circle. A frequency
//! transformation moves them to the wanted band, whose edges are warped so that the bilinear transformation
//! `z = (1 + s) / (1 - s)` puts them in place: Parks and Burrus, "Digital Filter Design", 7.

use alloc::vec::Vec;
use core::f64::consts::PI;

use rune_block_dsp::band::Band;

use crate::section::Section;

/// A complex number.
#[derive(Clone, Copy, Debug)]
struct Complex {
    re: f64,
    im: f64,
}

/// The sections of the filter of this order, the one with the sharpest poles last.
pub(crate) fn sections(order: u32, band: Band) -> Vec<Section> {
    let mut sections = Vec::new();
    // Poles at the angles pi m / 2 N from the negative axis, of which those above it are enough.
    for m in (0..order).filter(|m| (m + order) % 2 == 1) {
        let angle = PI * f64::from(m) / f64::from(2 * order);
        let pole = Complex {
            re: -libm::cos(angle),
            im: libm::sin(angle),
        };
        // A real pole has no mirror image.
        add(&mut sections, pole, m == 0, band);
    }
    sections
}

/// Adds the sections of one pole of the low pass of edge 1, and of its mirror image unless it is real.
fn add(sections: &mut Vec<Section>, pole: Complex, real: bool, band: Band) {
    match band {
        Band::Low(edge) => {
            let pole = pole.times(warp(edge));
            sections.push(one_edge(pole, real, 1.0));
        }
        Band::High(edge) => {
            // The inverse of a pole on the unit circle is its mirror image, which is there as well.
            let pole = pole.times(warp(edge));
            sections.push(one_edge(pole, real, -1.0));
        }
        Band::Pass(low, high) => {
            let (low, high) = (warp(low), warp(high));
            let middle = turn(low * high);
            for (p, q) in two_edges(pole, real, low, high) {
                sections.push(Section::new([1.0, 0.0, -1.0], poles(p, q), middle));
            }
        }
        Band::Stop(low, high) => {
            let (low, high) = (warp(low), warp(high));
            let middle = turn(low * high);
            for (p, q) in two_edges(pole, real, low, high) {
                let zeros = [1.0, -2.0 * middle.0, 1.0];
                sections.push(Section::new(zeros, poles(p, q), (1.0, 0.0)));
            }
        }
    }
}

/// The section of an analogue pole, with zeros at `z = -passing` and the gain 1 at `z = passing`.
fn one_edge(pole: Complex, real: bool, passing: f64) -> Section {
    let pole = pole.bilinear();
    let at = (passing, 0.0);
    if real {
        Section::new([1.0, passing, 0.0], [-pole.re, 0.0], at)
    } else {
        Section::new([1.0, 2.0 * passing, 1.0], poles(pole, pole.mirrored()), at)
    }
}

/// The pairs of analogue poles that a pole of the low pass becomes between two edges, which for a stop band
/// are the same as for a pass band.
fn two_edges(
    pole: Complex,
    real: bool,
    low: f64,
    high: f64,
) -> impl Iterator<Item = (Complex, Complex)> {
    let half = pole.times(0.5 * (high - low));
    let square = half.product(half);
    let root = Complex {
        re: square.re - low * high,
        ..square
    }
    .root();
    let (p, q) = (half.plus(root), half.plus(root.times(-1.0)));
    let pairs = if real {
        [Some((p, q)), None]
    } else {
        [Some((p, p.mirrored())), Some((q, q.mirrored()))]
    };
    pairs
        .into_iter()
        .flatten()
        .map(|(p, q)| (p.bilinear(), q.bilinear()))
}

/// `a1` and `a2` of two poles whose sum and product are real.
fn poles(p: Complex, q: Complex) -> [f64; 2] {
    [-(p.re + q.re), p.product(q).re]
}

/// The analogue frequency that the bilinear transformation takes to this fraction of half the rate.
fn warp(edge: f64) -> f64 {
    libm::tan(0.5 * PI * edge)
}

/// Where the bilinear transformation takes the analogue frequency of this square: a point of the unit circle.
fn turn(square: f64) -> (f64, f64) {
    (
        (1.0 - square) / (1.0 + square),
        2.0 * libm::sqrt(square) / (1.0 + square),
    )
}

impl Complex {
    fn mirrored(self) -> Self {
        Self {
            im: -self.im,
            ..self
        }
    }

    fn times(self, factor: f64) -> Self {
        Self {
            re: self.re * factor,
            im: self.im * factor,
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            re: self.re + other.re,
            im: self.im + other.im,
        }
    }

    fn product(self, other: Self) -> Self {
        Self {
            re: self.re * other.re - self.im * other.im,
            im: self.re * other.im + self.im * other.re,
        }
    }

    /// The square root with the real part that is not negative.
    fn root(self) -> Self {
        let length = libm::hypot(self.re, self.im);
        Self {
            re: libm::sqrt(0.5 * (length + self.re).max(0.0)),
            im: libm::copysign(libm::sqrt(0.5 * (length - self.re).max(0.0)), self.im),
        }
    }

    /// `(1 + s) / (1 - s)`.
    fn bilinear(self) -> Self {
        let Self { re, im } = self;
        let norm = (1.0 - re) * (1.0 - re) + im * im;
        Self {
            re: (1.0 - re * re - im * im) / norm,
            im: 2.0 * im / norm,
        }
    }
}
