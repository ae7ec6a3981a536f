//! What several blocks that process signals share: transforms, windows, frames, filters, layouts.
//!
//! Everything is planned in `init`, where tables are computed in f64 and kept as f32, and then used by
//! `run` without allocating. Only additions, multiplications and `libm` are used, never fused, so that
//! every machine computes the same bits.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod band;
mod butterfly;
pub mod dct;
pub mod design;
mod fft;
pub mod frames;
pub mod image;
pub mod mel;
pub mod melspectrogram;
pub mod polyphase;
mod real;
pub mod sample;
mod stages;
pub mod window;

pub use fft::Fft;
pub use real::RealFft;

/// A complex number: real and imaginary part.
pub type Complex = [f32; 2];

/// Product of two complex numbers.
#[inline]
pub fn mul(a: Complex, b: Complex) -> Complex {
    [a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]]
}

/// Square of the absolute value.
#[inline]
pub fn square(a: Complex) -> f32 {
    a[0] * a[0] + a[1] * a[1]
}

/// Absolute value; infinite where the [`square`] overflows.
#[inline]
pub fn abs(a: Complex) -> f32 {
    libm::sqrtf(square(a))
}

/// `exp(-2 pi i numerator / denominator)`, reduced to the first eighth of the turn, so that symmetric
/// arguments have symmetric roots.
fn root(numerator: usize, denominator: usize) -> Complex {
    // Eighths of a turn, and what is left as a fraction of eight denominators.
    let turned = 8 * (numerator % denominator);
    let (eighth, rest) = (turned / denominator, turned % denominator);
    let rest = if eighth % 2 == 0 {
        rest
    } else {
        denominator - rest
    };
    let angle = core::f64::consts::FRAC_PI_4 * rest as f64 / denominator as f64;
    let (cos, sin) = (libm::cos(angle) as f32, libm::sin(angle) as f32);
    match eighth {
        0 => [cos, -sin],
        1 => [sin, -cos],
        2 => [-sin, -cos],
        3 => [-cos, -sin],
        4 => [-cos, sin],
        5 => [-sin, cos],
        6 => [sin, cos],
        _ => [cos, sin],
    }
}
