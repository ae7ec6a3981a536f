//! `smooth-scores`: recognises a word once, from scores that come again and again.
#![cfg_attr(target_arch = "wasm32", no_std)]
#![forbid(unsafe_code)]

use rune_block_sdk::{Block, Call, Element, Fault, Flow, Refusal, Setup, State};

rune_block_sdk::block! {
    "../block.toml",
    "run.f32" => Smooth<f32>,
    "run.i8" => Smooth<i8>,
    "run.u8" => Smooth<u8>,
}

/// Indices of the arguments in `block.toml`.
const AVERAGE: usize = 0;
const SUPPRESS: usize = 1;
const THRESHOLD: usize = 2;
const MINIMUM: usize = 3;
const HIDDEN: usize = 4;

/// A number that scores are given as.
pub trait Score: Element {
    /// What stands for one.
    const ONE: f64;

    /// The score, in parts of [`ONE`](Self::ONE).
    fn parts(self) -> f64;
}

impl Score for u8 {
    const ONE: f64 = 256.0;

    fn parts(self) -> f64 {
        f64::from(self)
    }
}

impl Score for i8 {
    const ONE: f64 = 256.0;

    fn parts(self) -> f64 {
        f64::from(self) + 128.0
    }
}

impl Score for f32 {
    const ONE: f64 = 1.0;

    fn parts(self) -> f64 {
        if self.is_finite() {
            f64::from(self)
        } else {
            0.0
        }
    }
}

/// An instance for scores of type `T`.
#[derive(Debug)]
pub struct Smooth<T> {
    labels: usize,
    threshold: f64,
    suppress: u32,
    /// How many calls have to be there to average.
    enough: u32,
    hidden: u32,
    /// The scores of the last calls; a call replaces those of the oldest.
    recent: State<T>,
    memory: State<u32>,
}

/// Places in `memory`.
const CALLS: usize = 0;
const NEXT: usize = 1;
const LAST: usize = 2;
const SINCE: usize = 3;

impl<T: Score> Block for Smooth<T> {
    type Inputs = T;
    type Outputs = (u32, f32);

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let labels = setup.input(0).len();
        let [average, suppress, minimum, hidden] =
            [AVERAGE, SUPPRESS, MINIMUM, HIDDEN].map(|i| setup.integer(i));
        let (average, minimum, hidden) = (average?, minimum?, hidden? as u32);
        if minimum > average {
            return Err("`--minimum` is more calls than `--average`".into());
        }
        if hidden as usize >= labels {
            return Err("`--hidden` leaves no label to recognise".into());
        }
        // TensorFlow wants a quarter of the time between the first and the last of them.
        let span = (average as u32 - 1).div_ceil(4) + 1;
        let scores = labels.checked_mul(average as usize);
        Ok(Self {
            labels,
            threshold: setup.float(THRESHOLD)?,
            suppress: suppress? as u32,
            enough: span.max(minimum as u32),
            hidden,
            recent: setup.state(scores.unwrap_or(usize::MAX))?,
            memory: setup.state(4)?,
        })
    }

    fn run(
        &self,
        scores: &[T],
        (command, average): (&mut [u32], &mut [f32]),
        call: &mut Call<'_>,
    ) -> Result<Flow, Fault> {
        let memory = call.state.get(&self.memory);
        let [calls, next, last, since] = [CALLS, NEXT, LAST, SINCE].map(|i| memory[i]);
        let recent = call.state.get(&self.recent);
        let all = (recent.len() / self.labels) as u32;
        recent[next as usize * self.labels..][..self.labels].copy_from_slice(scores);
        let next = if next + 1 < all { next + 1 } else { 0 };
        let calls = all.min(calls + 1);
        let since = since.saturating_add(1);

        let (best, sum) = self.best(&recent[..calls as usize * self.labels]);
        let mean = sum / f64::from(calls) / T::ONE;
        let new = calls >= self.enough
            && mean > self.threshold
            && best != last
            && (last == 0 || since > self.suppress);
        let (last, since) = if new { (best, 0) } else { (last, since) };
        let memory = call.state.get(&self.memory);
        memory.copy_from_slice(&[calls, next, last, since]);
        if !new || best < self.hidden {
            return Ok(Flow::Nothing);
        }
        command.fill(best);
        average.fill(mean as f32);
        Ok(Flow::Output)
    }
}

impl<T: Score> Smooth<T> {
    /// The label with the largest sum of scores, the first of equals, and that sum.
    fn best(&self, recent: &[T]) -> (u32, f64) {
        let mut best = (0, f64::NEG_INFINITY);
        for label in 0..self.labels {
            let of_label = recent.iter().skip(label).step_by(self.labels);
            let sum = of_label.fold(0.0, |sum, score| sum + score.parts());
            if sum > best.1 {
                best = (label as u32, sum);
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rune_block_sdk::testing::Instance;

    #[test]
    fn equals_the_oracle() {
        rune_block_vectors::check(&NATIVE, include_str!("../vectors.json"));
    }

    /// As many that their product does not fit into 32 bits.
    #[test]
    fn too_many_scores_are_refused() {
        let args = [4096.into(), 4.into(), 0.6.into(), 3.into(), 0.into()];
        let made = Instance::<Smooth<u8>>::new(&args, &[&[1 << 20]], &[&[1], &[1]]);
        assert_eq!(
            made.unwrap_err().message(),
            "the state of the block is too large"
        );
    }
}
