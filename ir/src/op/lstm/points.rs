//! Logistic and tanh of 16-bit fixed point, interpolated between points as TFLite's integer kernels do.

use crate::quant;

/// The logistic function at `x` / 24 / 2^`fraction`, times 2^(16 + `fraction`); `most` from the last point on.
fn between(x: i32, fraction: u32, most: i32) -> i32 {
    let points = quant::SIGMOID;
    let index = (x >> fraction) as usize;
    if index >= 255 {
        return most;
    }
    let [low, high] = [index, index + 1].map(|i| i32::from(points[i]));
    (low << fraction) + (x & ((1 << fraction) - 1)) * (high - low)
}

/// 1 / (1 + exp(-x)) of an x with 3 integer bits.
pub(super) fn logistic(x: i32) -> i32 {
    let x = 3 * x;
    let point = between(x.abs(), 9, 0x7fff << 10);
    if x >= 0 {
        (point + (1 << 9)) >> 10
    } else {
        ((1 << 25) - point + (1 << 9) - 1) >> 10
    }
}

/// tanh(x) of an x with `bits` integer bits.
pub(super) fn tanh(x: i32, bits: u32) -> i32 {
    let scaled = if bits >= 3 {
        (3 * x) << (bits - 3)
    } else {
        let shift = 3 - bits;
        (3 * x + (1 << (shift - 1))) >> shift
    };
    let point = between(scaled.abs(), 8, 0xffff << 8);
    if scaled >= 0 {
        (point - (1 << 23) + (1 << 7)) >> 8
    } else {
        (-point + (1 << 23) + (1 << 7) - 1) >> 8
    }
}
