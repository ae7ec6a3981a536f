//! Finite impulse responses on streams, changing the rate by a fraction.

use alloc::boxed::Box;

use crate::sample::Sample;

/// A filter that puts `up - 1` zeros behind every sample, filters, and keeps one of `down`.
///
/// Output `m` is the sum of `x[k] h[m down + lead - k up]` over `k`. Only the taps that meet a sample are
/// looked at: those of one of `up` phases, each kept in reverse and side by side.
#[derive(Debug)]
pub struct Polyphase {
    taps: Box<[f32]>,
    /// Taps of a phase.
    length: usize,
    up: usize,
    down: usize,
    lead: usize,
}

impl Polyphase {
    /// The filter of the impulse response `taps`, which is not empty; `up` and `down` are at least 1.
    pub fn new(taps: &[f64], up: usize, down: usize, lead: usize) -> Self {
        let length = taps.len().div_ceil(up);
        let mut phases = alloc::vec![0.0; length * up].into_boxed_slice();
        for (i, tap) in taps.iter().enumerate() {
            phases[i % up * length + length - 1 - i / up] = *tap as f32;
        }
        Self {
            taps: phases,
            length,
            up,
            down,
            lead,
        }
    }

    /// Past samples of a channel that an output depends on.
    pub fn history(&self) -> usize {
        self.length - 1
    }

    /// Numbers to work in for `inputs` samples to `outputs`, the last reaching up to `lead / up` ahead.
    pub fn room(&self, inputs: usize, outputs: usize) -> usize {
        let last = (outputs.saturating_sub(1) * self.down + self.lead) / self.up;
        (last + self.length).max(inputs + self.history())
    }

    /// Filters interleaved channels. `past` holds [`history`](Self::history) samples of each channel, one
    /// channel after the other, and is moved on; where it is empty, all before the first sample is zero.
    /// Behind the last sample all is zero.
    pub fn run<T: Sample>(
        &self,
        channels: usize,
        inputs: &[T],
        outputs: &mut [T],
        past: &mut [f32],
        room: &mut [f32],
    ) {
        let history = self.history();
        for channel in 0..channels {
            let (before, line) = room.split_at_mut(history);
            match past.get(channel * history..(channel + 1) * history) {
                Some(past) => before.copy_from_slice(past),
                None => before.fill(0.0),
            }
            let samples = inputs.iter().skip(channel).step_by(channels);
            let count = samples.len();
            for (number, sample) in line.iter_mut().zip(samples) {
                *number = sample.value();
            }
            line[count..].fill(0.0);
            self.channel(room, outputs.iter_mut().skip(channel).step_by(channels));
            if let Some(past) = past.get_mut(channel * history..(channel + 1) * history) {
                past.copy_from_slice(&room[count..][..history]);
            }
        }
    }

    /// The outputs of one channel, whose past samples and then its samples are `line`.
    fn channel<'a, T: Sample + 'a>(
        &self,
        line: &[f32],
        outputs: impl ExactSizeIterator<Item = &'a mut T>,
    ) {
        if (self.up, self.down) == (1, 1) {
            return self.every(&line[self.lead..], outputs);
        }
        let (step, turn) = (self.down / self.up, self.down % self.up);
        let (mut first, mut phase) = (self.lead / self.up, self.lead % self.up);
        for output in outputs {
            let taps = &self.taps[phase * self.length..][..self.length];
            *output = T::nearest(dot(taps, &line[first..][..self.length]).into());
            first += step;
            phase += turn;
            if phase >= self.up {
                phase -= self.up;
                first += 1;
            }
        }
    }

    /// The outputs of one channel where each sample has one. Each is summed in the same order, whether
    /// beside others or alone, so that it does not depend on where a call ends.
    fn every<'a, T: Sample + 'a>(
        &self,
        line: &[f32],
        mut outputs: impl ExactSizeIterator<Item = &'a mut T>,
    ) {
        const SIDE_BY_SIDE: usize = 8;
        let mut line = line;
        while outputs.len() >= SIDE_BY_SIDE {
            let sums = neighbours::<SIDE_BY_SIDE>(&self.taps, line);
            for (sum, output) in sums.into_iter().zip(&mut outputs) {
                *output = T::nearest(sum.into());
            }
            line = &line[SIDE_BY_SIDE..];
        }
        for (output, line) in outputs.zip(line.windows(self.length)) {
            let [sum] = neighbours(&self.taps, line);
            *output = T::nearest(sum.into());
        }
    }
}

/// What `N` neighbouring outputs sum up, `line` beginning with the oldest sample of the first.
///
/// A tap and a sample are loaded once for several products, and a turn of the loop does many of them.
fn neighbours<const N: usize>(taps: &[f32], line: &[f32]) -> [f32; N] {
    let mut sums = [0.0; N];
    let (fours, rest) = taps.as_chunks::<4>();
    for (four, samples) in fours.iter().zip(line.windows(N + 3).step_by(4)) {
        for (k, tap) in four.iter().enumerate() {
            for (sum, sample) in sums.iter_mut().zip(&samples[k..]) {
                *sum += tap * sample;
            }
        }
    }
    for (tap, samples) in rest.iter().zip(line[4 * fours.len()..].windows(N)) {
        for (sum, sample) in sums.iter_mut().zip(samples) {
            *sum += tap * sample;
        }
    }
    sums
}

/// Sum of the products, in four sums side by side so that no addition waits for the one before.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0; 4];
    for (a, b) in a.iter().zip(b) {
        for (a, b) in a.as_chunks::<4>().0.iter().zip(b.as_chunks::<4>().0) {
            for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
                *sum += a * b;
            }
        }
    }
    let mut sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    for (a, b) in a_rest.iter().zip(b_rest) {
        sum += a * b;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};

    /// The definition, without phases.
    fn defined(x: &[f32], h: &[f64], rates: (usize, usize), lead: usize, count: usize) -> Vec<f32> {
        (0..count)
            .map(|m| {
                let at = m * rates.1 + lead;
                let meets = x.iter().enumerate().filter(|(k, _)| k * rates.0 <= at);
                let terms = meets
                    .map(|(k, x)| f64::from(*x) * h.get(at - k * rates.0).copied().unwrap_or(0.0));
                terms.sum::<f64>() as f32
            })
            .collect()
    }

    /// Integers, whose sums are exact in any order.
    fn integers(count: usize, seed: usize) -> Vec<f32> {
        (0..count)
            .map(|i| ((i * i * 31 + i * 17 + seed) % 23) as f32 - 11.0)
            .collect()
    }

    #[test]
    fn equals_the_definition_at_every_rate() {
        let x = integers(19, 5);
        for (up, down, taps) in
            (1..=5).flat_map(|u| (1..=7).flat_map(move |d| (1..=14).map(move |t| (u, d, t))))
        {
            let h: Vec<f64> = integers(taps, 3).into_iter().map(f64::from).collect();
            for lead in [0, 1, 6, 20] {
                let filter = Polyphase::new(&h, up, down, lead);
                let count = (x.len() * up).div_ceil(down);
                let mut y = vec![0.5; count];
                let mut room = vec![f32::NAN; filter.room(x.len(), count)];
                filter.run(1, &x, &mut y, &mut [], &mut room);
                assert_eq!(
                    y,
                    defined(&x, &h, (up, down), lead, count),
                    "{up} {down} {taps} {lead}"
                );
            }
        }
    }

    #[test]
    fn calls_and_channels_are_one_stream_each() {
        let (up, down) = (2, 3);
        let h: Vec<f64> = integers(11, 1).into_iter().map(f64::from).collect();
        let filter = Polyphase::new(&h, up, down, 0);
        let streams = [integers(60, 1), integers(60, 9)];
        let mut past = vec![0.0; 2 * filter.history()];
        let mut room = vec![f32::NAN; filter.room(6, 4)];
        let mut heard = [Vec::new(), Vec::new()];
        for call in 0..10 {
            let x: Vec<f32> = (6 * call..6 * call + 6)
                .flat_map(|i| [streams[0][i], streams[1][i]])
                .collect();
            let mut y = vec![0.5; 8];
            filter.run(2, &x, &mut y, &mut past, &mut room);
            for pair in y.chunks_exact(2) {
                heard[0].push(pair[0]);
                heard[1].push(pair[1]);
            }
        }
        for (heard, stream) in heard.iter().zip(&streams) {
            assert_eq!(*heard, defined(stream, &h, (up, down), 0, 40));
        }
    }

    /// Products that round: the same number by itself as among others.
    #[test]
    fn an_output_does_not_depend_on_where_a_call_ends() {
        let x: Vec<f32> = integers(27, 4).iter().map(|x| x / 7.0).collect();
        let h: Vec<f64> = integers(13, 2)
            .iter()
            .map(|h| f64::from(*h) / 3.0)
            .collect();
        let filter = Polyphase::new(&h, 1, 1, 0);
        let run = |length: usize| {
            let mut past = vec![0.0; filter.history()];
            let mut room = vec![f32::NAN; filter.room(length, length)];
            let mut heard = vec![0.5; x.len()];
            for (x, y) in x.chunks(length).zip(heard.chunks_mut(length)) {
                filter.run(1, x, y, &mut past, &mut room);
            }
            heard
        };
        let whole = run(x.len());
        assert_eq!(run(1), whole);
        assert_eq!(run(9), whole);
    }
}
