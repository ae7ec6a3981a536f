//! Conversion of frames from one rate to a lower one.

use crate::filter::{Filter, SUMS};

/// Values of a frame at most.
pub(crate) const LANES: usize = 3;

/// One value per lane.
pub(crate) type Frame = [f32; LANES];

/// The state of a conversion. Output k belongs to the place k `down` / `up` of the input and needs `half`
/// inputs on each side of it, so it comes out `half` inputs late and is not moved in time. Before the first
/// input there is the first input again, so that gravity does not start with a jump.
///
/// An output is sum c\[i\] x\[i\] over the taps, from the oldest: 8 partial sums of every eighth product
/// each, then ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7)).
#[derive(Clone, Debug)]
pub(crate) struct Resampler {
    filter: Filter,
    /// Where the next input goes in the history.
    cursor: usize,
    /// Inputs until the next output.
    wait: u32,
    /// The place of the next output after an input, in `up`ths.
    phase: u32,
    /// Whether there was an input.
    started: bool,
}

impl Resampler {
    pub(crate) fn new(filter: Filter) -> Self {
        Self {
            filter,
            cursor: 0,
            wait: filter.half + 1,
            phase: 0,
            started: false,
        }
    }

    /// Numbers it needs: the table, then twice as many inputs as there are taps for each lane, so that the
    /// last ones always stand in one piece.
    pub(crate) fn words(filter: &Filter, lanes: usize) -> usize {
        filter.coefficients() + lanes * 2 * filter.taps()
    }

    /// Takes an input and gives the output it completes, if it does. There is at most one, as the ratio is
    /// at most 1. `words` has the table in front.
    #[inline]
    pub(crate) fn push(&mut self, words: &mut [f32], frame: &Frame) -> Option<Frame> {
        let taps = self.filter.taps();
        let (table, history) = words.split_at_mut(self.filter.coefficients());
        for (lane, value) in history.chunks_exact_mut(2 * taps).zip(frame) {
            if self.started {
                lane[self.cursor] = *value;
                lane[self.cursor + taps] = *value;
            } else {
                lane.fill(*value);
            }
        }
        self.started = true;
        self.cursor += 1;
        if self.cursor == taps {
            self.cursor = 0;
        }
        self.wait -= 1;
        if self.wait > 0 {
            return None;
        }
        let (row, mirrored) = self.filter.row(table, self.phase);
        let convolve = if mirrored { backwards } else { forwards };
        let mut output = [0.0; LANES];
        for (lane, value) in history.chunks_exact(2 * taps).zip(&mut output) {
            *value = convolve(row, &lane[self.cursor..self.cursor + taps]);
        }
        let next = self.phase + self.filter.down;
        self.wait = next / self.filter.up;
        self.phase = next % self.filter.up;
        Some(output)
    }
}

fn forwards(row: &[f32], inputs: &[f32]) -> f32 {
    let mut sums = [0.0; SUMS];
    let (row, _) = row.as_chunks::<SUMS>();
    let (inputs, _) = inputs.as_chunks::<SUMS>();
    for (c, x) in row.iter().zip(inputs) {
        for i in 0..SUMS {
            sums[i] += c[i] * x[i];
        }
    }
    total(&sums)
}

fn backwards(row: &[f32], inputs: &[f32]) -> f32 {
    let mut sums = [0.0; SUMS];
    let (row, _) = row.as_chunks::<SUMS>();
    let (inputs, _) = inputs.as_chunks::<SUMS>();
    for (c, x) in row.iter().rev().zip(inputs) {
        for i in 0..SUMS {
            sums[i] += c[SUMS - 1 - i] * x[i];
        }
    }
    total(&sums)
}

fn total(s: &[f32; SUMS]) -> f32 {
    ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))
}
